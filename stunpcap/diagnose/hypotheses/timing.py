"""Rules about time: checks that succeed late, that come too early, or that stop too soon."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose.addresses import Mask
from stunpcap.diagnose.exchanges import Checks, at_one_place, checks_at, checks_of, end_at, frames_of
from stunpcap.diagnose.facts import SECOND, Facts, groups
from stunpcap.diagnose.finding import GUESS, INFERRED, INFO, SEEN, WARNING, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import seconds
from stunpcap.ice.columns import Ints, count_in, group, maximum_in, minimum_in, pick
from stunpcap.ice.ways import NEVER
from stunpcap.record import record
from stunpcap.table import NAT
from stunpcap.words import many

SLOW = 5 * SECOND
"""A first success that comes later than this: people notice."""
TRIES = 3
LOST = 3
SHARE = 0.2
"""So many checks, and such a part of all, without answer while others are answered."""
FAR_ABOVE = 10
TRIP_S = 0.3
"""Round trips of a pair in use that are so many times the best one of the same agent, and at least so long."""
MERGED = 3600 * SECOND
"""A capture that goes on for longer than this without a check was put together of several: its end tells nothing."""
READY = SECOND // 10
"""What is answered sooner than this was only under way."""
SOON = 10 * SECOND
"""Browsers stop after 15 s; who stops sooner than this leaves out most of what a slow path needs."""


@record
class _Rows:
    """What became of the checks of each row of `pairs`, in time."""

    first_answer: Ints
    last_answer: Ints
    first_good: Ints
    "When the first check that succeeded was sent."
    lost: Mask
    "For each check: no answer, though a later one had one."
    before: Ints
    "Transmissions without answer before the first success."
    between: Ints
    "Checks without answer after it, and before the last one."


def _rows(facts: Facts, checks: Checks) -> _Rows:
    count = len(facts["pairs"])
    good = checks.succeeded
    first_answer = minimum_in(checks.pair[good], count, checks.response_time[good], NEVER)
    last_good = maximum_in(checks.pair[good], count, checks.first_time[good], NAT)
    first_good = minimum_in(checks.pair[good], count, checks.first_time[good], NEVER)
    lost = checks.silent & (checks.first_time < last_good[checks.pair])
    early = lost & (checks.first_time <= first_good[checks.pair])
    again = good & (checks.first_time == first_good[checks.pair])
    tries = np.where(early, checks.transmissions, np.where(again, checks.transmissions - 1, 0))
    before = np.bincount(checks.pair, tries, count)
    between = count_in(checks.pair, count, lost & ~early)
    return _Rows(first_answer, last_good, first_good, lost, before.astype(np.int64), between)


@rule("slow-checks", WARNING, "RFC 8445 section 14", "RFC 8489 section 6.2.1")
def slow_checks(facts: Facts) -> Iterator[Hit]:
    """Checks succeed, but only after several transmissions, or slowly.

    Evidence: the first success comes seconds after the first check and after several transmissions; or a good part of
    the checks has no answer while those before and after them have one; or the round trips of the pair in use are many
    times those of another pair of the same agent.

    Likely cause: packet loss or congestion on the way; a path that is opened only after a while; a detour (VPN, relay).

    Not to be confused with: `early-checks`, where the other agent was not ready; `one-way-loss`, where none succeeds.

    What to try: measure loss and delay on the way named; look for a link that is overloaded, or Wi-Fi, or a detour.
    """
    checks, pairs, table = checks_of(facts), facts["pairs"], facts["transactions"]
    if not len(pairs):
        return
    found = _rows(facts, checks)
    answered = found.first_answer < NEVER
    wait = np.where(answered, found.first_answer - pairs["first_time"], 0)
    share = found.between / np.maximum(pairs["requests_sent"], 1)
    late = (wait >= SLOW) & (found.before + 1 >= TRIES) & ~facts.at_dst
    holes = (found.between >= LOST) & (share >= SHARE)
    agent, agents = group(pairs["session_id"], np.asarray(facts.side, np.int64), pairs["vantage"])
    best = np.full(agents, np.inf)
    known = ~np.isnan(pairs["rtt_min_s"])
    np.minimum.at(best, agent[known], pairs["rtt_min_s"][known])
    trip = pairs["rtt_median_s"]
    slow = pairs["nominated"] & known & (trip >= TRIP_S) & (trip >= FAR_ABOVE * best[agent])
    lively = facts.in_session("pairs", facts.once_connected)
    for rows in groups((late | holes | slow) & answered & lively, pairs["session_id"]):
        row = int(rows[np.lexsort((-found.between[rows], -wait[rows], ~late[rows]))[0]])
        own = checks_at(facts, checks, row)
        src, dst = facts.text(int(pairs["src"][row])), facts.text(int(pairs["dst"][row]))
        said, evidence = [], []
        if late[row]:
            said.append(
                f"the first success comes {seconds(int(wait[row]))} after the first check, and after "
                f"{many(int(found.before[row]), 'transmission')} without an answer"
            )
            first = checks.rows[own[checks.first_time[own] <= found.first_good[row]]]
            evidence.append(facts.show(said[-1], row, *frames_of(facts, first)))
        if holes[row]:
            gone = own[found.lost[own] & (checks.first_time[own] > found.first_good[row])]
            said.append(
                f"{int(found.between[row])} of {many(int(pairs['requests_sent'][row]), 'check')} have no answer, while "
                "later ones have one"
            )
            evidence.append(facts.show(said[-1], row, *table["request_frame"][checks.rows[gone[:6]]].tolist()))
        if slow[row]:
            said.append(
                f"round trips of the pair in use take {trip[row] * 1000:.0f} ms, those of another pair "
                f"{best[agent[row]] * 1000:.0f} ms"
            )
            evidence.append(facts.show(said[-1], row, int(pairs["first_frame"][row])))
        yield Hit(
            summary=f"Checks from {src} to {dst} succeed slowly: {'; '.join(said)}.",
            evidence=evidence,
            advice=(
                f"Measure loss and delay between {facts.host(int(pairs['src'][row]))} and "
                f"{facts.host(int(pairs['dst'][row]))} (mtr, in both directions); look for a link that is overloaded, "
                "Wi-Fi, a detour through a VPN, or a path that opens only after a while.",
            ),
            ground=SEEN,
            session=int(pairs["session_id"][row]),
            pair=int(pairs["pair_id"][row]),
            src=int(pairs["src"][row]),
            dst=int(pairs["dst"][row]),
            time=int(pairs["first_time"][row]),
        )


@rule("early-checks", INFO, "RFC 8445 section 7.3", "RFC 8838 section 4")
def early_checks(facts: Facts) -> Iterator[Hit]:
    """The first checks of a direction had no answer, and later ones did: the other agent was not ready yet.

    Evidence: checks without answer, all of them before the other agent sent its own first check, and success after it;
    or they were captured at the other agent, which did not answer.

    Likely cause: the description with the credentials was still on its way through signalling. This is how ICE works.

    Not to be confused with: `slow-checks`, where checks get lost although both agents are ready, or where it takes very
    long; `one-way-loss`, where none is ever answered.

    What to try: nothing. If it takes seconds, look at signalling: the answer comes late.
    """
    checks, pairs = checks_of(facts), facts["pairs"]
    if not len(pairs):
        return
    found = _rows(facts, checks)
    answered = (found.first_answer < NEVER) & facts.in_session("pairs", facts.once_connected)
    agent, agents = group(pairs["session_id"], np.asarray(facts.side, np.int64), pairs["vantage"])
    starts = minimum_in(agent, agents, pairs["first_time"], NEVER)
    peer = pick(starts[agent], facts.reverse, NEVER)
    early = checks.silent & (checks.first_time <= found.first_good[checks.pair])
    last_early = maximum_in(checks.pair[early], len(pairs), checks.last_time[early], NAT)
    alone = (last_early <= peer) & (peer < NEVER)
    wait = np.where(answered, found.first_answer - pairs["first_time"], 0)
    wanted = answered & (found.before >= 2) & (wait >= READY) & (alone & (wait < SLOW) | facts.at_dst)
    for rows in groups(wanted, pairs["session_id"], facts.side):
        row = int(rows[np.argmax(found.before[rows])])
        src, dst = int(pairs["src"][row]), int(pairs["dst"][row])
        own = checks_at(facts, checks, row)
        own = own[checks.first_time[own] <= found.first_good[row]]
        yield Hit(
            summary=f"The first {many(int(found.before[row]), 'transmission')} of checks from {facts.text(src)} had no "
            f"answer: {facts.text(dst)} was not ready for {seconds(int(wait[row]))}. That is no fault.",
            evidence=(
                facts.show(
                    f"{many(int(found.before[row]), 'transmission')} without an answer, and then success, "
                    f"{seconds(int(wait[row]))} after the first",
                    row,
                    *frames_of(facts, checks.rows[own]),
                ),
            ),
            ground=SEEN if facts.at_dst[row] else INFERRED,
            session=int(pairs["session_id"][row]),
            pair=int(pairs["pair_id"][row]),
            src=src,
            dst=dst,
            time=int(pairs["first_time"][row]),
        )


@rule("gave-up-early", WARNING, "RFC 8863 section 4", "RFC 8489 section 6.2.1")
def gave_up_early(facts: Facts) -> Iterator[Hit]:
    """An agent stops checking within seconds, long before its checks must have failed.

    Evidence: no check of the agent had any answer, and it sent the last one less than 10 s after the first, where the
    recommended timers wait for 39.5 s. Where the capture ends at the same moment it may be the capture that stopped.

    Likely cause: timers or a number of retransmissions set too low; an agent that fails as soon as its list of pairs is
    through; an application that closed the connection.

    Not to be confused with: browsers, which stop after about 15 s and are not named here; an agent that was refused
    (`bad-credentials`, `icmp-rejected`) and has reason to stop; `capture-ended-early`.

    What to try: let the agent wait for 39.5 s (RFC 8863), or restart ICE when the path may have changed.
    """
    checks, pairs = checks_of(facts), facts["pairs"]
    if not len(pairs):
        return
    trying = facts.session_is("failed", "checking")[checks.session - 1]
    agent, agents = group(checks.session, checks.side, checks.vantage)
    first = minimum_in(agent, agents, checks.first_time, NEVER)
    last = maximum_in(agent, agents, checks.last_time, NAT)
    answered = count_in(agent, agents, ~checks.silent) > 0
    sent = np.bincount(agent, checks.transmissions, agents)
    quiet = end_at(facts, checks.vantage) - last[agent]
    took = (last - first)[agent]
    again = np.bincount(agent, checks.transmissions - 1, agents) > 0
    alone = count_in(checks.session, int(checks.session.max()) + 1, ~checks.silent) == 0
    stopped = (quiet >= took + SECOND) & (quiet <= MERGED)
    with_capture = (quiet < SECOND) & again[agent] & alone[checks.session]
    wanted = trying & ~answered[agent] & (sent[agent] >= TRIES) & (took < SOON) & (stopped | with_capture)
    for seen in groups(wanted, checks.session, checks.side):
        at = at_one_place(checks, seen)
        sure = bool(stopped[at[0]])
        row = int(checks.pair[at[0]])
        src, dst = int(pairs["src"][row]), int(pairs["dst"][row])
        number, how_long = int(sent[agent[at[0]]]), seconds(int(took[at[0]]))
        after = seconds(int(quiet[at[0]]))
        yield Hit(
            summary=f"{facts.text(src)} gives up after {many(number, 'transmission')} in {how_long}, where the "
            "recommended timers wait for 39.5 s"
            + ("." if sure else "; unless it is the capture that stopped at that moment."),
            evidence=(
                facts.show(
                    f"{many(number, 'transmission')} in {how_long}, none answered"
                    + (
                        f", and no more in the {after} until the end of the capture"
                        if sure
                        else "; the capture ends with the last of them"
                    ),
                    row,
                    *frames_of(facts, checks.rows[at]),
                ),
            ),
            advice=(
                f"Let the agent at {facts.host(src)} go on for 39.5 s before it fails (RFC 8863): more transmissions, "
                "or a longer timer. See that the application does not close the connection sooner.",
            ),
            ground=INFERRED if sure else GUESS,
            session=int(checks.session[at[0]]),
            pair=int(pairs["pair_id"][row]),
            src=src,
            dst=dst,
            time=int(first[agent[at[0]]]),
        )
