"""Rules about consent (RFC 7675): the checks that go on after a pair was nominated, and what it means if they fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from stunpcap.course.ending import STILL
from stunpcap.diagnose import advice
from stunpcap.diagnose.addresses import Mask
from stunpcap.diagnose.advice import Steps
from stunpcap.diagnose.exchanges import Checks, Index, checks_at, checks_of, end_at, frames_of, succeeded_by
from stunpcap.diagnose.facts import SECOND, Facts, groups
from stunpcap.diagnose.finding import ERROR, INFERRED, SEEN, SILENCE, WARNING, Evidence, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import seconds
from stunpcap.ice.columns import Ints, find, group, maximum_in, pick
from stunpcap.ice.transactions import OUT
from stunpcap.record import record
from stunpcap.table import MISSING, NAT
from stunpcap.words import many

EXPIRES = 30 * SECOND
"""Consent ends so long after the last answer (RFC 7675 section 5.1)."""
QUIET = 5 * SECOND
"""Agents report `disconnected` after so long without an answer."""
PROOF = 3
"""Answered checks of the other agent that leave no doubt that it is alive."""
WITHOUT = 15 * SECOND
"""Consent checks go out every 4 to 6 s: several are missing."""
BUSY = 10
FEW = 8


@record
class _Loss:
    """One direction of a nominated pair, in one capture, that fell silent."""

    session: int
    row: int
    src: int
    dst: int
    "The direction that is dead, as far as this capture can know; missing if both are."
    proven: bool
    "The other direction is seen to work."
    silence: int
    last_heard: int
    said: str
    evidence: list[Evidence]
    closed: bool


@rule("consent-lost", ERROR, "RFC 7675 section 5.1")
def consent_lost(facts: Facts) -> Iterator[Hit]:
    """The path in use died: consent checks on the nominated pair have no answer any more.

    Evidence: checks on the nominated pair were answered, and then none was, for seconds, to the end. Where the other
    agent's checks still arrive and are answered, it is alive, and only this direction is dead; where nothing of it
    arrives any more, the direction is that from it, and what goes to it cannot be known here.

    Likely cause: a network that went away (Wi-Fi, mobile, VPN), a firewall whose state expired or whose rules changed,
    a NAT that forgot its mapping, a host that went to sleep, an agent that crashed.

    Not to be confused with: the end of a call, where one side closes first and the other one's last packets have no
    answer, or draw port unreachable (a warning, if the other goes on for less than 10 s); `turn-server-lost` and
    `turn-allocation-expired`, where the relay went away, and the path with it.

    What to try: look for what changed on the way at the last good time; restart ICE when the connection is reported as
    disconnected; keep mappings open, or give both agents a relay to fall back on.
    """
    checks, table = checks_of(facts), facts["transactions"]
    losses: dict[int, list[_Loss]] = {}
    silent = np.flatnonzero(facts.course.live.dead & ~_ended(facts))
    for row, heard in zip(silent.tolist(), facts.course.live.heard[silent].tolist(), strict=True):
        loss = _loss(facts, checks, row, heard)
        losses.setdefault(loss.session, []).append(loss)
    restarted = succeeded_by(facts)
    sessions = facts["sessions"]
    connected = facts.working
    for number, found in sorted(losses.items()):
        loss = _put_together(facts, found)
        after = restarted.get(number)
        if after is not None and int(sessions["start"][after - 1]) <= loss.last_heard + STILL:
            continue  # the old generation was left, as it should be
        mended = after is not None and bool(connected[after - 1])
        good = int(loss.last_heard - sessions["start"][number - 1])
        own = facts.checks_of(loss.row)
        answered = own[table["response_time"][own] > NAT]
        yield Hit(
            summary=f"{loss.said}, since {seconds(good)} after the first check, for {seconds(loss.silence)} until the "
            "end"
            + (" or until the agent gave up." if loss.silence < EXPIRES else "; consent expires after 30 s.")
            + (f" ICE was restarted then, in session {after}, and that connected." if mended else ""),
            evidence=(
                facts.show(
                    f"the last consent check from {facts.text(int(table['src'][own[0]]))} that was answered",
                    loss.row,
                    *frames_of(facts, answered[-1:]),
                ),
                *loss.evidence,
            ),
            advice=_advice(facts, loss),
            ground=SEEN if loss.proven else SILENCE,
            severity=WARNING if mended or (loss.closed and loss.silence < 2 * QUIET) else ERROR,
            session=number,
            pair=int(facts["pairs"]["pair_id"][loss.row]),
            src=loss.src,
            dst=loss.dst,
            time=loss.last_heard,
            rows=tuple(one.row for one in found),
        )


def _ended(facts: Facts) -> Mask:
    """Rows of `pairs` of sessions that an agent ended: what is silent after that is no loss."""
    ended = np.zeros(len(facts["sessions"]) + 1, np.bool_)
    ended[[number + 1 for number in facts.course.endings]] = True
    found: Mask = ended[facts["pairs"]["session_id"]]
    return found


def _loss(facts: Facts, checks: Checks, row: int, heard: int) -> _Loss:
    """What one capture says of one direction that has no answers any more."""
    pairs, table = facts["pairs"], facts["transactions"]
    src, dst = (int(pairs[name][row]) for name in ("src", "dst"))
    last_good = int(pairs["last_answer_time"][row])
    own = checks_at(facts, checks, row)
    own = own[checks.first_time[own] > last_good]
    back = int(facts.reverse[row])
    theirs = checks_at(facts, checks, back) if back >= 0 else own[:0]
    theirs = theirs[checks.first_time[theirs] > last_good + SECOND]
    answered = theirs[checks.succeeded[theirs]]
    heard = max(heard, last_good)
    alive = len(answered) >= 2 and int(checks.first_time[answered[-1]]) - last_good >= QUIET
    ends = facts.text(src), facts.text(dst)
    refused = own[checks.outcome[own] == OUT["icmp"]]
    closed = any(_of_closed_port(facts, checks.rows[at], ends[1]) for at in refused[:FEW].tolist())
    evidence = [
        facts.show(
            f"{many(len(own), 'check')} from {ends[0]} after that without an answer",
            row,
            *table["request_frame"][checks.rows[own[:3]]].tolist(),
            int(table["request_frame"][checks.rows[own[-1]]]),
        )
    ]
    if len(refused):
        words = facts.word(int(table["icmp"][checks.rows[refused[0]]]))
        evidence.append(facts.show(words, row, int(table["icmp_frame"][checks.rows[refused[0]]])))
    last_sent = int(checks.last_time[own].max())
    session = int(pairs["session_id"][row])
    if closed:
        said = f"{ends[1]} has closed its port, and checks from {ends[0]} have no answer any more"
        return _Loss(session, row, src, dst, False, last_sent - heard, heard, said, evidence, closed)
    if alive:
        evidence.append(
            facts.show(
                f"{many(len(answered), 'check')} from {ends[1]} still arrive in that time and are answered",
                back,
                *frames_of(facts, checks.rows[answered]),
            )
        )
        said = f"Packets from {ends[0]} do not reach {ends[1]} any more, while those the other way still arrive"
        return _Loss(
            session, row, src, dst, len(answered) >= PROOF, last_sent - last_good, last_good, said, evidence, closed
        )
    if heard - last_good >= QUIET:
        evidence.append(
            facts.show(f"packets from {ends[1]} still arrive for {seconds(heard - last_good)} after that", row)
        )
        said = f"Checks from {ends[0]} to {ends[1]} have no response any more, while packets from there still arrive"
        return _Loss(session, row, src, dst, False, last_sent - last_good, last_good, said, evidence, closed)
    if len(theirs) > len(answered) and len(theirs) >= 2:
        said = f"Checks between {ends[0]} and {ends[1]} have no answer in either direction any more"
        return _Loss(session, row, MISSING, MISSING, False, last_sent - heard, heard, said, evidence, closed)
    evidence.append(facts.show(f"no packet of any kind from {ends[1]} in the last {seconds(last_sent - heard)}", row))
    said = f"Nothing arrives from {ends[1]} at {ends[0]} any more"
    if not facts.at_src[row]:
        said = f"Nothing comes from {ends[1]} any more"
    return _Loss(session, row, dst, src, False, last_sent - heard, heard, said, evidence, closed)


def _of_closed_port(facts: Facts, row: int, asked: str) -> bool:
    """Whether the host that was asked says itself that nobody listens any more."""
    words = facts.word(int(facts["transactions"]["icmp"][row]))
    return "port unreachable" in words and words.endswith(f"from {asked.rpartition(':')[0].strip('[]')}")


def _put_together(facts: Facts, found: list[_Loss]) -> _Loss:
    """What several captures say: the surest, or that both directions are dead if each misses what the other sends."""
    best = max(found, key=lambda loss: (loss.proven, loss.silence))
    if best.proven:
        return best
    ways = {(loss.src, loss.dst) for loss in found}
    if len(ways) > 1:
        ends = facts.text(int(facts["pairs"]["src"][best.row])), facts.text(int(facts["pairs"]["dst"][best.row]))
        said = f"Nothing gets through between {ends[0]} and {ends[1]} any more, in either direction"
        evidence = [one for loss in found for one in loss.evidence]
        return replace(best, src=MISSING, dst=MISSING, said=said, evidence=evidence)
    return best


def _advice(facts: Facts, loss: _Loss) -> Steps:
    pairs = facts["pairs"]
    ends = facts.host(int(pairs["src"][loss.row])), facts.host(int(pairs["dst"][loss.row]))
    if loss.closed:
        return (f"The agent at {ends[1]} closed its port. If it should not have, look at why it ended.",)
    changed = (
        f"Look for what changed between {ends[0]} and {ends[1]} at the last good time: a link, rules or the state of a "
        "firewall, a NAT's mapping, a host that went to sleep.",
    )
    if loss.proven:
        known = facts.text(loss.src), facts.text(loss.dst)
        changed = (
            f"Look for what changed at the last good time on the way from {known[0]} to {known[1]}, and in this "
            "direction only: a rule or the state of a firewall, a route.",
        )
    return advice.joined(
        changed,
        ("Let the application restart ICE (`restartIce()`) as soon as the connection is reported as disconnected.",),
        ()
        if loss.proven or loss.src == MISSING
        else advice.capture_next(facts.host(loss.src), "to see whether its packets leave, and whether ours arrive"),
        ("If it happens often, give both agents a TURN relay, too, as a second path to fall back on.",),
    )


@rule("consent-missing", WARNING, "RFC 7675 section 5.1")
def consent_missing(facts: Facts) -> Iterator[Hit]:
    """Media flows on the nominated pair, and nobody asks for consent.

    Evidence: packets other than STUN go on for 15 s and longer after the last check between the two addresses, where
    consent needs one every five seconds or so, and ends after 30 s without an answer.

    Likely cause: an implementation older than RFC 7675, or without consent; one that sends Binding indications as
    keepalives instead, which nobody answers.

    Not to be confused with: `consent-lost`, where the checks go on and have no answer; a capture with a filter that
    drops STUN.

    What to try: nothing at once, the call works. But such an agent does not notice when the path dies, and goes on
    sending to whoever has the address then: update it.
    """
    pairs, flows = facts["pairs"], facts["flows"]
    if not len(pairs):
        return
    low, high = (side(pairs["src"], pairs["dst"]) for side in (np.minimum, np.maximum))
    flow_low, flow_high = (side(flows["src"], flows["dst"]) for side in (np.minimum, np.maximum))
    both = [np.concatenate(keys) for keys in ((pairs["vantage"], flows["vantage"]), (low, flow_low), (high, flow_high))]
    ends, count = group(*both)
    of_pair, of_flow = ends[: len(pairs)], ends[len(pairs) :]
    checked = maximum_in(of_pair, count, pairs["last_time"], NAT)
    loaded = flows["packets"] - flows["stun"] >= BUSY
    until = maximum_in(of_flow[loaded], count, flows["last_time"][loaded], NAT)
    gap = np.where((checked > NAT) & (until > NAT), until - checked, 0)
    used = pairs["nominated"] & facts.in_session("pairs", facts.working)
    missing = used & (gap[of_pair] >= WITHOUT) & (end_at(facts, pairs["vantage"]) > NAT)
    if not missing.any():
        return
    messages = facts["messages"]
    by_ends, (indications, of_ends) = Index(np.where(loaded, of_flow, -1)), _indications(facts, both, ends)
    for rows in groups(missing, pairs["session_id"]):
        row = int(rows[np.argmax(gap[of_pair[rows]])])
        number = int(of_pair[row])
        how_long = int(gap[number])
        mine = by_ends[number]
        packets = int((flows["packets"] - flows["stun"])[mine].sum())
        table = facts["transactions"]
        last = facts.checks_of(row)[-1:]
        evidence = [
            facts.show("the last check between the two", row, *frames_of(facts, last)),
            facts.show(
                f"{many(packets, 'packet')} other than STUN between the two, the last {seconds(how_long)} after that "
                "check",
                row,
                *flows["first_frame"][mine].tolist(),
            ),
        ]
        pings = indications[of_ends[number]]
        if len(pings):
            said = f"{many(len(pings), 'Binding indication')} instead, which nobody answers"
            evidence.append(facts.show(said, row, *messages["frame"][pings[:3]].tolist()))
        a, b = facts.text(int(pairs["src"][row])), facts.text(int(pairs["dst"][row]))
        yield Hit(
            summary=f"Packets flow between {a} and {b} for {seconds(how_long)} without a consent check.",
            evidence=evidence,
            advice=(
                "Update the agents, or switch consent on (RFC 7675): without it neither notices that the path died.",
            ),
            ground=SEEN if how_long >= EXPIRES else INFERRED,
            session=int(pairs["session_id"][row]),
            pair=int(pairs["pair_id"][row]),
            time=int(pick(table["first_time"], last)[0]),
        )


def _indications(facts: Facts, both: list[Ints], ends: Ints) -> tuple[Ints, Index]:
    """Rows of `messages` with Binding indications, and an index of them by the number of their two ends."""
    messages = facts["messages"]
    rows = np.flatnonzero(facts.has("messages", "class", "indication"))
    src, dst = messages["src"][rows], messages["dst"][rows]
    known = find((messages["vantage"][rows], np.minimum(src, dst), np.maximum(src, dst)), both)
    return rows, Index(pick(ends, known))
