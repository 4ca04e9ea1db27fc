"""Rules about paths: packets that leave and do not arrive.

Of all pairs of a session and one direction a rule names one, the foremost, and counts the others: a person mends a
path between two networks, not a pair.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose import advice
from stunpcap.diagnose.facts import Facts, groups
from stunpcap.diagnose.finding import ERROR, HIGH, MEDIUM, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.ice.columns import Ints, pick


@rule("one-way-loss", ERROR, "RFC 8445 section 7.2.5", "RFC 8489 section 6.2.1")
def one_way_loss(facts: Facts) -> Iterator[Hit]:
    """Packets from one agent do not reach the other, while those the other way do.

    Evidence: checks in one direction stay without an answer, while on the same pair of addresses the other agent's
    checks arrive and are answered. It is stronger where the other agent repeats a check that was answered, or where
    its counter of unanswered checks goes on growing.

    Likely cause: a firewall or an access list that lets one direction through only; a host firewall at the receiver;
    a route that is missing in one direction.

    Not to be confused with: `no-answer`, where nothing arrives from the other side either and no direction can be
    told; `one-way-nat`, where the packets arrive, but from another address.

    What to try: open the way in the direction named, or go around it with a TURN relay that both sides reach. A STUN
    server does not help: the address is right, the path is not.
    """
    pairs = facts["pairs"]
    reverse = facts.reverse
    works_back = pick(pairs["responses_received"], reverse, 0) > 0
    dead = facts.has("pairs", "path", "lost") & works_back & facts.in_session("pairs", facts.not_working)
    for rows in groups(dead, pairs["session_id"], facts.side):
        lead = _foremost(facts, rows)
        back = int(reverse[lead])
        src, dst = int(pairs["src"][lead]), int(pairs["dst"][lead])
        sent, answered = int(pairs["requests_sent"][lead]), int(pairs["responses_received"][back])
        checks = facts.checks_of(lead)
        table = facts["transactions"]
        evidence = [
            facts.show(
                f"{sent} checks from {facts.text(src)} to {facts.text(dst)}, none answered",
                lead,
                *table["request_frame"][checks][:3].tolist(),
                int(table["request_frame"][checks[-1]]),
            ),
            facts.show(
                f"{answered} checks from {facts.text(dst)} to {facts.text(src)} arrived and were answered",
                back,
                *_answered_frames(facts, back),
            ),
        ]
        repeated = facts.checks_of(back)[table["unheard"][facts.checks_of(back)]]
        if len(repeated):
            evidence.append(
                facts.show(
                    f"{facts.text(dst)} repeats checks that were answered: it does not hear the answers",
                    back,
                    *table["request_frame"][repeated][:3].tolist(),
                )
            )
        yield Hit(
            summary=f"Packets from {facts.text(src)} do not reach {facts.text(dst)}: {sent} checks without an answer, "
            f"while those from {facts.text(dst)} arrive and are answered{_others(rows)}.",
            evidence=evidence,
            advice=advice.joined(
                advice.let_through(_transport(facts, lead), facts.text(src), facts.text(dst)),
                advice.capture_next(facts.host(dst), "to see whether the packets reach its interface")
                if not facts.at_dst[lead]
                else (),
                advice.turn_relay(
                    "it goes around the path that is dead; a STUN server would not, since the address is "
                    "right and the path is not"
                ),
            ),
            confidence=HIGH if len(repeated) else MEDIUM,
            session=int(pairs["session_id"][lead]),
            pair=int(pairs["pair_id"][lead]),
            src=src,
            dst=dst,
            time=int(pairs["first_time"][lead]),
        )


def _foremost(facts: Facts, rows: Ints) -> int:
    """Of rows of `pairs` the one with most checks."""
    return int(rows[np.argmax(facts["pairs"]["transmissions"][rows])])


def _others(rows: Ints) -> str:
    return f", and the same on {len(rows) - 1} more pairs" if len(rows) > 1 else ""


def _transport(facts: Facts, row: int) -> str:
    pairs = facts["pairs"]
    return pairs.schema["transport"].levels[int(pairs["transport"][row])]


def _answered_frames(facts: Facts, row: int) -> list[int]:
    table, checks = facts["transactions"], facts.checks_of(row)
    good = checks[table["response_frame"][checks] > 0][:2]
    frames: list[int] = table["request_frame"][good].tolist() + table["response_frame"][good].tolist()
    return frames
