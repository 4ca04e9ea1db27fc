"""Rules about checks that somebody refused in so many words: credentials, form, role, TCP connections.

A refusal counts where nothing came after it: agents repeat a check with other words, and if that succeeds, the first
answer was part of finding out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from stunpcap.diagnose import advice
from stunpcap.diagnose.addresses import Mask
from stunpcap.diagnose.exchanges import (
    Checks,
    Index,
    at_one_place,
    checks_of,
    cut_short,
    frames_of,
    message_in,
    most_common,
)
from stunpcap.diagnose.facts import SECOND, Facts, groups
from stunpcap.diagnose.finding import ERROR, GUESS, INFERRED, SAID, WARNING, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.ice.columns import Ints, find, group, pick
from stunpcap.schema import ROLE
from stunpcap.sorting import among
from stunpcap.table import MISSING, NAT
from stunpcap.words import error_words, many

UNKNOWN_ATTRIBUTE = 420
WRONG_FORM = (400, UNKNOWN_ATTRIBUTE)
CONFLICT = 487
FEW = 64
"""Connections between two hosts that are looked at."""
INSISTS = 2 * SECOND
"""After so long with the same role an agent is not about to change it."""


@rule("bad-request", ERROR, "RFC 8489 section 6.3.1", "RFC 8489 section 9.1.3")
def bad_request(facts: Facts) -> Iterator[Hit]:
    """An agent refuses the other one's checks because of their form.

    Evidence: checks are answered with 400, or with 420 and a list of attributes that the agent does not know, and none
    in that direction succeeds afterwards.

    Likely cause: an attribute that a check must have is missing (USERNAME, MESSAGE-INTEGRITY), or one that the peer
    must understand and does not is there: an implementation that is faulty, or much older than the other.

    Not to be confused with: `bad-credentials`, where the form is right and the secret is not.

    What to try: look at a refused check in full (`stunpcap show`), and at UNKNOWN-ATTRIBUTES in the answer; update, or
    mend, the agent that sends it.
    """
    checks, table, cut = checks_of(facts), facts["transactions"], cut_short(facts)
    for seen in groups(refused(checks, WRONG_FORM), checks.session, checks.side):
        at = at_one_place(checks, seen)
        rows = checks.rows[at]
        number, row = int(checks.session[at[0]]), most_common(checks.pair[at])
        code = int(table["error_code"][rows[0]])
        src, dst = int(table["src"][rows[0]]), int(table["dst"][rows[0]])
        broken = bool(facts.not_working[number - 1])
        evidence = [
            facts.show(
                f"{many(len(rows), 'check')} from {facts.text(src)} answered with {error_words(code)}, and none "
                "accepted afterwards",
                row,
                *frames_of(facts, rows),
            )
        ]
        asked, vantage = int(table["request_frame"][rows[0]]), int(table["vantage"][rows[0]])
        nameless = (table["username"][rows] < 0) & (table["request_frame"][rows] > 0) & ~cut[number - 1]
        if nameless.all():
            evidence.append(facts.show("the refused checks have no USERNAME", row, asked))
        answer = int(table["response_frame"][rows[0]])
        unknown = _unknown_attributes(facts, vantage, answer) if code == UNKNOWN_ATTRIBUTE else ""
        if unknown:
            evidence.append(facts.show(f"the answer names as unknown: {unknown}", row, answer))
        yield Hit(
            summary=f"{facts.text(dst)} refuses the checks of {facts.text(src)} because of their form: "
            f"{error_words(code)}{', since they have no USERNAME' if nameless.all() else ''}.",
            evidence=evidence,
            advice=(
                f"Look at a refused check in full: stunpcap show {facts.name_of(vantage)} {asked}",
                f"Mend or update the agent at {facts.host(src)}: "
                + (
                    "every check needs USERNAME and MESSAGE-INTEGRITY (RFC 8445 section 7.2.2)."
                    if nameless.all()
                    else f"it must leave out {unknown}, or {facts.host(dst)} must learn it."
                    if unknown
                    else f"{facts.host(dst)} does not understand what it sends."
                ),
            ),
            ground=SAID,
            severity=ERROR if broken else WARNING,
            session=number,
            pair=int(facts["pairs"]["pair_id"][row]),
            src=src,
            dst=dst,
            time=int(table["response_time"][rows].min()),
            rows=tuple(sorted(set(checks.pair[at].tolist()))),
            checks=len(rows),
        )


@rule("role-conflict", WARNING, "RFC 8445 section 7.3.1.1")
def role_conflict(facts: Facts) -> Iterator[Hit]:
    """Both agents claim the same role.

    Evidence: checks answered with 487, or checks of both agents with the same role attribute. It is repaired where one
    of them changes its role afterwards; then it is a warning only.

    Likely cause: both sides made an offer, or believe that they did (glare, third-party call control); an agent that
    was set to one role by hand. Where it is not repaired, an agent does not change its role on 487.

    Not to be confused with: `never-nominated`, where the roles are clear and the controlling agent stays silent.

    What to try: let one side only make the offer; where it is not repaired, update the agent that keeps its role
    although it was answered with 487 and its tie-breaker is the smaller one.
    """
    checks, table, pairs = checks_of(facts), facts["transactions"], facts["pairs"]
    sessions = facts["sessions"]
    code, role = table["error_code"][checks.rows], table["role"][checks.rows]
    told = code == CONFLICT
    claims = np.zeros((len(sessions), 2, len(ROLE)), np.bool_)
    plain = (role >= 0) & (checks.side >= 0)
    claims[checks.session[plain] - 1, checks.side[plain], role[plain]] = True
    same: Any = (claims[:, 0] & claims[:, 1]).any(axis=1)
    wanted = told | (same[checks.session - 1] & (role >= 0))
    nobody = facts.pools.texts.number("")
    for seen in groups(wanted, checks.session):
        at = at_one_place(checks, seen)
        number = int(checks.session[at[0]])
        turned = at[told[at]]
        lead = turned[0] if len(turned) else at[0]
        row = int(checks.pair[lead])
        src, dst = int(pairs["src"][row]), int(pairs["dst"][row])
        repaired = int(sessions["controlling"][number - 1]) != nobody
        insisted = len(turned) > 1 and _spread(table["first_time"][checks.rows[turned]]) >= INSISTS
        broken = bool(facts.not_working[number - 1]) and not repaired
        evidence = []
        if len(turned):
            evidence.append(
                facts.show(
                    f"{many(len(turned), 'check')} from {facts.text(src)} answered with {error_words(CONFLICT)}",
                    row,
                    *frames_of(facts, checks.rows[turned]),
                )
            )
        for side in (0, 1):
            own = at[(checks.side[at] == side) & (role[at] >= 0)]
            if len(own):
                said = " and then ".join(dict.fromkeys(ROLE[code] for code in role[own].tolist()))
                evidence.append(
                    facts.show(
                        f"{facts.text(int(table['src'][checks.rows[own[0]]]))} claims to be {said}",
                        int(checks.pair[own[0]]),
                        int(table["request_frame"][checks.rows[own[0]]]),
                        int(table["request_frame"][checks.rows[own[-1]]]),
                    )
                )
        outcome = (
            "One of them changed its role, and that was the end of it."
            if repaired
            else f"{facts.text(src)} keeps its role although it is refused."
            if insisted
            else "The capture does not show that one of them changed its role."
        )
        yield Hit(
            summary=f"Both agents claim the same role ({error_words(CONFLICT)}). {outcome}"
            if len(turned)
            else f"Both agents claim the same role. {outcome}",
            evidence=evidence,
            advice=("Nothing has to be done; if it happens often, let one side only make the offer.",)
            if not broken
            else (
                f"Update or mend the agent at {facts.host(src)}: on 487 it must take the other role and check again "
                "(RFC 8445 section 7.2.5.1).",
                "Until then let one side only make the offer, and leave roles to the implementation.",
            ),
            ground=SAID if repaired or insisted else INFERRED,
            severity=ERROR if broken else WARNING,
            session=number,
            pair=int(pairs["pair_id"][row]),
            src=src,
            dst=dst,
            time=int(table["first_time"][checks.rows[lead]]),
        )


@rule("ice-tcp-refused", ERROR, "RFC 6544 section 7.1", "RFC 9293 section 3.10.7")
def ice_tcp_refused(facts: Facts) -> Iterator[Hit]:
    """A TCP connection between the agents, to a passive candidate, is refused or not answered.

    Evidence: during the checks of a session that does not work, SYN segments go from an address of one agent to an
    address of the other, and come to nothing: a reset comes back, or nothing at all.

    Likely cause: a firewall between the agents that lets no TCP in, or resets it; an agent that no longer listens.

    Not to be confused with: a refused connection to a TURN server (`udp-blocked`, `turn-refused`), or to a web server
    on the same host: only connections from an agent's address to the other agent's during their checks count.

    What to try: let TCP to the port named through in this direction, or give both agents a TURN relay over TCP or TLS.
    """
    flows, pairs = facts["flows"], facts["pairs"]
    tcp = facts.has("flows", "transport", "tcp") & (flows["syn"] > 0) & (flows["stun"] + flows["channel"] == 0)
    rows = np.flatnonzero(tcp & facts.has("flows", "carrier", "plain"))
    way = ("vantage", "src", "dst", "transport")
    back = find([flows[name][rows] for name in ("vantage", "dst", "src", "transport")], [flows[name] for name in way])
    in_vain = (pick(flows["syn_ack"], back, 0) == 0) & (
        (pick(flows["rst"], back, 0) > 0) | (flows["syn"][rows] >= 3) & (pick(flows["packets"], back, 0) == 0)
    )
    rows, back = rows[in_vain], back[in_vain]
    if not len(rows):
        return
    address = facts.pools.endpoints.addresses
    a, b = address[pairs["src"]], address[pairs["dst"]]
    trying = facts.in_session("pairs", facts.not_working) & (a != b)
    ends, _ = group(
        np.concatenate([pairs["vantage"], flows["vantage"][rows]]),
        *(
            np.concatenate(both)
            for both in zip(_both(a, b), _both(address[flows["src"][rows]], address[flows["dst"][rows]]), strict=True)
        ),
    )
    pairs_of = Index(np.where(trying, ends[: len(pairs)], -1))
    for some in groups(np.ones(len(rows), np.bool_), ends[len(pairs) :], address[flows["src"][rows]]):
        between = pairs_of[int(ends[len(pairs) + some[0]])]
        begun = flows["first_time"][rows[some[:FEW]]]
        near = (pairs["first_time"][between] <= begun[:, None] + 2 * SECOND) & (
            pairs["last_time"][between] >= begun[:, None] - 2 * SECOND
        )
        if not near.any():
            continue
        which, at = np.argwhere(near)[0].tolist()
        first, answer, row = int(rows[some[which]]), int(back[some[which]]), int(between[at])
        when = int(flows["first_time"][first])
        src, dst = int(flows["src"][first]), int(flows["dst"][first])
        reset = answer >= 0 and bool(flows["rst"][answer] > 0)
        how = "reset" if reset else "not answered"
        yield Hit(
            summary=f"TCP from {facts.text(src)} to the passive candidate {facts.text(dst)} is {how}"
            f"{f', and the same on {len(some) - 1} more' if len(some) > 1 else ''}.",
            evidence=(
                facts.shown_by(
                    f"{many(int(flows['syn'][first]), 'SYN')} from {facts.text(src)} to {facts.text(dst)}"
                    + (", answered with a reset" if reset else ", never answered"),
                    "flows",
                    first,
                    int(flows["first_frame"][first]),
                    int(flows["first_frame"][answer]) if reset else MISSING,
                ),
                facts.show(
                    f"at that time the agents at {facts.host(src)} and {facts.host(dst)} check each other over UDP in "
                    "vain",
                    row,
                    int(pairs["first_frame"][row]),
                ),
            ),
            advice=advice.joined(
                (
                    f"Let TCP from {facts.host(src)} to {facts.text(dst)} through"
                    + ("; a reset that comes at once is mostly a firewall's." if reset else "."),
                ),
                advice.turn_relay("over TCP or TLS it needs outgoing connections only"),
            ),
            ground=INFERRED if reset else GUESS,
            session=int(pairs["session_id"][row]),
            src=src,
            dst=dst,
            time=when,
        )


def refused(checks: Checks, codes: tuple[int, ...]) -> Mask:
    """Which checks were refused with one of these codes, if their agent had no success after the last refusal."""
    mask = among(checks.error_code, codes)
    if not mask.any():
        return mask
    agent = checks.agent
    last = np.full(int(agent.max()) + 1, NAT, np.int64)
    good = last.copy()
    np.maximum.at(last, agent[mask], checks.first_time[mask])
    np.maximum.at(good, agent[checks.succeeded], checks.first_time[checks.succeeded])
    found: Mask = mask & (good[agent] <= last[agent])
    return found


def _both(one: Ints, other: Ints) -> tuple[Ints, Ints]:
    """Two ends, whichever of them sends."""
    return np.minimum(one, other), np.maximum(one, other)


def _spread(times: Ints) -> int:
    return int(times.max() - times.min())


def _unknown_attributes(facts: Facts, vantage: int, frame: int) -> str:
    """What an answer says in UNKNOWN-ATTRIBUTES."""
    message = message_in(facts, vantage, frame, "error")
    said = message.get("UNKNOWN-ATTRIBUTES") if message else None
    numbers = [one for one in said if isinstance(one, int)] if isinstance(said, tuple) else []
    return ", ".join(f"0x{number:04X}" for number in numbers)
