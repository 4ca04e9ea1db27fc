"""Rules about paths: packets that leave and do not arrive.

Of all pairs of a session and one direction a rule names one, the foremost, and counts the others: a person mends a
path between two networks, not a pair.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose import advice
from stunpcap.diagnose.facts import SECOND, Facts, groups
from stunpcap.diagnose.finding import ERROR, GUESS, INFERRED, SAID, SEEN, SILENCE, Evidence, Ground, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import answered, checks, foremost, frames_of, others, transport, unanswered, way
from stunpcap.ice.columns import Ints, count_in, pick
from stunpcap.schema import PATH
from stunpcap.table import MISSING
from stunpcap.words import many

LOST = PATH.index("lost")
RATE = 2 * SECOND
"""Senders of ICMP errors limit their rate (RFC 1812 section 4.3.2.8)."""


@rule("one-way-loss", ERROR, "RFC 8445 section 7.2.5", "RFC 8489 section 6.2.1")
def one_way_loss(facts: Facts) -> Iterator[Hit]:
    """Packets from one agent do not reach the other, while those the other way do.

    Evidence: checks in one direction stay without an answer, while on the same pair of addresses the other agent's
    checks arrive and are answered. It is stronger where the other agent repeats a check that was answered, or where
    its counter of unanswered checks goes on growing.

    Likely cause: a firewall or an access list that lets one direction through only; a host firewall at the receiver;
    a route that is missing in one direction.

    Not to be confused with: `no-answer`, where nothing arrives from the other side either and no direction can be
    told; `one-way-nat`, where the packets arrive, but from another address, and it is the answers that are lost.

    What to try: open the way in the direction named, or go around it with a TURN relay that both sides reach. A STUN
    server does not help: the address is right, the path is not.
    """
    pairs = facts["pairs"]
    works_back = pick(pairs["responses_received"], facts.reverse, 0) > 0
    silent = (pairs["responses_received"] + pairs["errors_received"] == 0) & (pairs["requests_sent"] > 0)
    # A capture that ends early shows no end of the checks.
    in_vain = facts.has("pairs", "state", "failed") | facts.in_vain
    dead = silent & works_back & in_vain & (pairs["other_address"] == 0)
    dead |= facts.has("pairs", "path", "lost") & works_back
    dead &= ~facts.is_nobody[pairs["src"]] & ~facts.is_nobody[pairs["dst"]]
    for rows in groups(dead & facts.in_session("pairs", facts.not_working), pairs["session_id"], facts.side):
        lead = foremost(facts, rows)
        back = int(facts.reverse[lead])
        src, dst = int(pairs["src"][lead]), int(pairs["dst"][lead])
        repeats = _checks_in_vain(facts, back)
        told = repeats is not None or int(pairs["path"][lead]) == LOST
        one_way = told or bool(facts.at_dst[lead])
        said, steps, ground = _loss(facts, rows, lead, told)
        yield Hit(
            summary=said,
            evidence=[one for one in (unanswered(facts, lead), answered(facts, back), repeats) if one],
            advice=steps,
            ground=SEEN if repeats and not facts.at_dst[lead] else ground,
            rows=tuple(rows.tolist()),
            session=int(pairs["session_id"][lead]),
            pair=int(pairs["pair_id"][lead]),
            time=int(pairs["first_time"][lead]),
            src=src if one_way else MISSING,
            dst=dst if one_way else MISSING,
        )


def _loss(facts: Facts, rows: Ints, lead: int, told: bool) -> tuple[str, advice.Steps, Ground]:
    """What is known of a silent direction, what to do, and how sure that is; it depends on where one stands."""
    pairs = facts["pairs"]
    src, dst = int(pairs["src"][lead]), int(pairs["dst"][lead])
    here, there, where = facts.text(src), facts.text(dst), facts.host(dst)
    sent, more = checks(int(pairs["requests_sent"][lead])), others(facts, rows)
    if facts.at_dst[lead]:
        return (
            f"Checks from {here} arrive at {where} and are not answered there ({sent}), while those from {there} are: "
            f"the agent at {there} does not get them{more}.",
            (
                f"Look for a firewall on {where} itself: the packets are on its interface, and its agent does not "
                f"answer. Let UDP from {facts.host(src)} in.",
            ),
            INFERRED,
        )
    look = advice.capture_next(where, f"to see whether packets from {facts.host(src)} arrive, and from which address")
    relay = advice.turn_relay("it goes around the path that is dead, whichever direction that is")
    if told:
        return (
            f"Packets from {here} do not reach {there}: {sent} without an answer, while those from {there} arrive and "
            f"are answered{more}.",
            advice.joined(advice.let_through(transport(facts, lead), here, there), look, relay),
            (SEEN, INFERRED, GUESS)[facts.path_confidence(lead)],
        )
    return (
        f"Checks from {here} to {there} have no answer ({sent}), while those from {there} arrive and are "
        f"answered{more}. Either they do not arrive, or they arrive from another address and the answers to that are "
        "lost: this capture cannot tell.",
        advice.joined(look, relay),
        GUESS,
    )


def _checks_in_vain(facts: Facts, row: int) -> Evidence | None:
    """That the sender of a row goes on checking though it is answered: it does not hear the answers."""
    pairs, table, own = facts["pairs"], facts["transactions"], facts.checks_of(row)
    repeated = own[table["unheard"][own]]
    sender = facts.text(int(pairs["src"][row]))
    if len(repeated):
        said = f"{sender} repeats checks that were answered: the answers do not reach it"
        return facts.show(said, row, *frames_of(table, "request_frame", repeated[:3]))
    counts = facts.unanswered_counts(row)
    if len(counts) and counts.max() >= 2:
        said = f"{sender} says in its checks that {int(counts.max())} of them had no answer (attribute 0xFF00)"
        return facts.show(said, row, *frames_of(table, "request_frame", own[-1:]))
    return None


@rule("no-answer", ERROR, "RFC 8445 section 7.2.5.2", "RFC 8863")
def no_answer(facts: Facts) -> Iterator[Hit]:
    """Nothing at all came back: neither an answer nor a check of the other agent.

    Evidence: all checks of the session stay without an answer, and no packet of the other agent was captured.

    Likely cause: a firewall that drops both directions; addresses that cannot be reached from here (then
    `unroutable-candidate` or `host-only` say so); the other agent is not there, was given no candidates, or begins
    too late.

    Not to be confused with: `one-way-loss`: from one capture the direction cannot be told here, since silence looks
    the same whether the check or the answer was lost.

    What to try: capture at the other end next, and read both captures together: that shows whether the checks arrive.
    A TURN relay that both agents reach goes around whatever is in between.
    """
    pairs = facts["pairs"]
    number = pairs["session_id"] - 1
    count = len(facts["sessions"])
    silent = (
        pairs["responses_received"] + pairs["errors_received"] + pairs["icmp_received"] + pairs["other_address"] == 0
    ) | facts.refused_late
    lively = count_in(number, count, ~silent | (pairs["requests_sent"] == 0)) > 0
    tried = count_in(number, count, silent & (facts.in_vain | facts.refused_late)) > 0
    both = (count_in(number, count, facts.side == 0) > 0) & (count_in(number, count, facts.side == 1) > 0)
    dead = facts.in_session("pairs", ~lively & tried & facts.not_working)
    for rows in groups(dead, pairs["session_id"]):
        lead = foremost(facts, rows)
        session = int(pairs["session_id"][lead])
        sent = int(pairs["requests_sent"][rows].sum())
        heard_of = bool(both[session - 1])
        seen_at = sorted({facts.name_of(vantage) for vantage in pairs["vantage"][rows].tolist()})
        if heard_of and len(seen_at) > 1:
            end = (
                f"Both agents check, {checks(sent)} in all, and none of it was seen at the other end: nothing gets "
                "through in either direction."
            )
        elif heard_of:
            end = f"Both agents check, {checks(sent)} in all, and nothing of it is answered."
        else:
            end = (
                f"{checks(sent).capitalize()} {way(facts, lead)}{others(facts, rows)}, no answer to any, and no packet "
                "of the other agent: from this capture alone the direction that is dead cannot be told."
            )
        ends = [facts.host(int(pairs[end][lead])) for end in ("src", "dst")]
        yield Hit(
            summary=end,
            evidence=[unanswered(facts, row) for row in rows[:4].tolist()],
            advice=advice.joined(
                advice.both_ways(transport(facts, lead), *ends)
                if heard_of
                else advice.capture_next(ends[1], "to see whether the checks arrive there"),
                advice.turn_relay("it goes around a path that is closed between the two"),
            ),
            ground=SILENCE,
            rows=tuple(rows.tolist()),
            session=session,
            pair=int(pairs["pair_id"][lead]),
            time=int(pairs["first_time"][rows].min()),
        )


def unexplained(facts: Facts, session: int) -> Hit:
    """For a session that failed and that no hypothesis explains: what is certain, and no more."""
    pairs = facts["pairs"]
    rows = np.flatnonzero((pairs["session_id"] == session) & (pairs["requests_sent"] > 0))
    rows = rows if len(rows) else np.flatnonzero(pairs["session_id"] == session)
    lead = foremost(facts, rows)
    return Hit(
        summary=f"No pair works: {checks(int(pairs['requests_sent'][rows].sum()))}, the most of them "
        f"{way(facts, lead)}. "
        "What was captured does not tell why.",
        evidence=[unanswered(facts, lead)],
        advice=advice.capture_next(
            facts.host(int(pairs["dst"][lead])), "from before the call begins, with the full length of packets"
        ),
        ground=GUESS,
        session=session,
        pair=int(pairs["pair_id"][lead]),
        time=int(pairs["first_time"][lead]),
    )


@rule("icmp-rejected", ERROR, "RFC 8445 section 7.2.5.2.2", "RFC 792", "RFC 1812 section 5.2.7.1")
def icmp_rejected(facts: Facts) -> Iterator[Hit]:
    """Somebody on the way, or the other host, refused the checks and said so.

    Evidence: ICMP errors that quote the checks, with their type and code and the address of who sent them; no answer
    to any check of that direction.

    Likely cause: `administratively prohibited`: a firewall or an access list of the router that sent it.
    `port unreachable` from the peer's own address: no agent listens there any more, or the host's firewall rejects.
    `host` or `net unreachable` from a router: it has no way there.

    Not to be confused with: a port unreachable at the very end of a call, when one side has closed its socket first.
    That is how calls end; it is not named here.

    What to try: the address in the finding is the device to look at. Let the direction named through there, or use a
    TURN relay.
    """
    pairs, icmp = facts["pairs"], facts["icmp"]
    unheard = pairs["responses_received"] + pairs["errors_received"] + pairs["other_address"] == 0
    refusals = facts.refusals
    live = facts.course.live
    late = facts["icmp"]["time"][refusals.error] > live.good[refusals.row]
    drew = np.bincount(refusals.row[late], minlength=len(pairs)) > 0
    # A pair that never worked, or the one in use, which did until then.
    refused = drew & (unheard | live.dead)
    refused &= facts.in_session("pairs", facts.not_working)
    for rows in groups(refused, pairs["session_id"], facts.side):
        lead = foremost(facts, rows)
        since = int(live.good[lead])
        errors, own = (some[icmp["time"][some] > since] for some in (refusals.of(rows), refusals.of(np.array([lead]))))
        src, dst = int(pairs["src"][lead]), int(pairs["dst"][lead])
        words = sorted(
            {f"{facts.word(int(icmp['error'][at]))} from {facts.host(int(icmp['sender'][at]))}" for at in own}
        )
        said = " and ".join(words[:3])
        sent = checks(int(pairs["requests_sent"][lead]))
        from_peer = bool(icmp["from_dst"][own].all())
        device = "the host itself" if from_peer else "a router on the way"
        yield Hit(
            summary=f"Checks {way(facts, lead)} are refused: {said}, which is {device}{others(facts, rows)}.",
            evidence=[
                facts.show(
                    f"{many(len(own), 'ICMP error')} on {sent} {way(facts, lead)}: {said}",
                    lead,
                    *frames_of(facts["transactions"], "request_frame", facts.checks_of(lead)[:1]),
                    *icmp["frame"][own[:4]].tolist(),
                )
            ],
            advice=advice.joined(
                (
                    f"On {facts.host(dst)}, look for a firewall that rejects UDP, and whether the agent still listens "
                    f"on {facts.text(dst)}."
                    if from_peer
                    else f"The router that sent the error drops {transport(facts, lead).upper()} {way(facts, lead)}: "
                    "let it through there, or give it a route.",
                ),
                advice.turn_relay("it goes around the router that refuses"),
            ),
            ground=SAID,
            rows=tuple(rows.tolist()),
            checks=_explained(facts, rows, errors),
            session=int(pairs["session_id"][lead]),
            pair=int(pairs["pair_id"][lead]),
            src=src,
            dst=dst,
            time=int(icmp["time"][errors].min()),
        )


def _explained(facts: Facts, rows: Ints, errors: Ints) -> int:
    """How many checks ICMP errors account for: hosts and routers send one a second, or fewer, for many packets."""
    table, times = facts["transactions"], np.sort(facts["icmp"]["time"][errors])
    sent = np.concatenate([table["first_time"][facts.checks_of(row)] for row in rows.tolist()])
    sent = sent[sent > facts.course.live.good[rows].max()]
    after = np.searchsorted(times, sent)
    gap = np.minimum(
        np.abs(times[np.minimum(after, len(times) - 1)] - sent), np.abs(times[np.maximum(after - 1, 0)] - sent)
    )
    return int(np.count_nonzero(gap <= RATE))
