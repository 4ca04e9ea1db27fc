"""Rules about nominations: which pair a session came to use, and when."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose.exchanges import checks_of, cut_short, end_at, tagged
from stunpcap.diagnose.facts import SECOND, Facts, groups
from stunpcap.diagnose.finding import ERROR, GUESS, INFO, SEEN, SILENCE, WARNING, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import seconds
from stunpcap.ice.columns import Ints, first_of, group, pick
from stunpcap.ice.ways import NEVER
from stunpcap.table import NAT

WAITS = 3 * SECOND
"""A controlling agent that has a pair that works nominates one much sooner, if it ever will."""
SURE = 10 * SECOND
MERGED = 3600 * SECOND
"""A capture that goes on for longer than this without a check was put together of several: its end tells nothing."""
CONSENT_PACE = 2 * SECOND
"""Checks that are so far apart may be consent of a session that was up before the capture began."""
LATE = 3 * SECOND
"""From the first success to the nomination: agents that weigh several pairs wait less than this."""
SETTLED = 3 * SECOND
"""Pairs that are nominated one after the other so soon are still the choice of the first one."""


@rule("never-nominated", ERROR, "RFC 8445 section 8.1.1")
def never_nominated(facts: Facts) -> Iterator[Hit]:
    """A pair works in both directions, and the controlling agent never nominates one.

    Evidence: checks succeeded both ways on a pair, no check of the session carries USE-CANDIDATE, nothing follows, and
    the capture goes on for seconds after that.

    Likely cause: an implementation that waits for something (more candidates, its application); an agent that believes
    to be the controlled one, or to be talking to an ICE-lite agent.

    Not to be confused with: `role-conflict`, where both claim a role; a nomination that is sent and refused; a capture
    that ends before the nomination.

    What to try: look into the log of the controlling agent; update it, or set it to nominate a pair that has succeeded.
    """
    checks, pairs, sessions = checks_of(facts), facts["pairs"], facts["sessions"]
    tried = np.zeros(len(sessions) + 1, np.bool_)
    tried[checks.session[checks.nominating]] = True
    both = facts.has("pairs", "state", "succeeded") & (pick(pairs["state"], facts.reverse) == pairs["state"])
    waiting = facts.session_is("checking") & ~tagged(facts, "one-way capture") & ~tagged(facts, "only responses")
    waiting &= ~tried[1:] & ~cut_short(facts)
    begun = facts.begin_seen
    since = np.full(len(pairs), NEVER, np.int64)
    np.minimum.at(since, checks.pair[checks.succeeded], checks.response_time[checks.succeeded])
    since = np.maximum(since, pick(since, facts.reverse, NEVER))
    last = sessions["end"][pairs["session_id"] - 1]
    until = end_at(facts, pairs["vantage"])
    until = np.where(until - last > MERGED, last, until)
    waited = np.where(since < NEVER, until - np.minimum(since, NEVER - 1), 0)
    wanted = both & facts.in_session("pairs", waiting) & (waited >= WAITS) & (since < NEVER)
    for rows in groups(wanted, pairs["session_id"]):
        row = int(rows[np.argmin(since[rows])])
        number, back = int(pairs["session_id"][row]), int(facts.reverse[row])
        leads = int(sessions["controlling"][number - 1])
        if facts.word(leads) and int(pairs["ufrag"][row]) != leads:
            row, back = back, row
        src, dst = int(pairs["src"][row]), int(pairs["dst"][row])
        after = seconds(int(waited[row]))
        pace = int(pairs["last_time"][row] - pairs["first_time"][row]) // max(1, int(pairs["requests_sent"][row]) - 1)
        before = pace >= CONSENT_PACE and not begun[number - 1]
        who = f"the controlling agent at {facts.text(src)}" if facts.word(leads) else "neither agent"
        yield Hit(
            summary=f"The pair {facts.text(src)} – {facts.text(dst)} works both ways, and "
            + (f"{who} nominates nothing" if facts.word(leads) else "neither agent nominates it")
            + f" in the {after} that follow"
            + ("; unless it did before the capture began." if before else "."),
            evidence=(
                facts.show(
                    "checks succeeded in both directions",
                    row,
                    *_first_success(facts, row),
                    *_first_success(facts, back),
                ),
                facts.show(f"no check of the session carries USE-CANDIDATE, for the {after} that follow", row),
            ),
            advice=(
                f"Look into the log of the agent at {facts.host(src)}: it has a valid pair and does not nominate it "
                "(RFC 8445 section 8.1.1). Update it, or its settings for nomination.",
                "See that both agents agree on their roles: whoever made the offer controls, unless the other is "
                "ICE-lite.",
            ),
            ground=GUESS if before else SEEN if waited[row] >= SURE else SILENCE,
            session=number,
            pair=int(pairs["pair_id"][row]),
            src=src,
            dst=dst,
            time=int(since[row]),
        )


@rule("late-nomination", WARNING, "RFC 8445 section 8.1.1")
def late_nomination(facts: Facts) -> Iterator[Hit]:
    """Seconds pass between the first success of a check and the nomination.

    Evidence: the time from the first answer to the controlling agent's checks to the answer to its first check with
    USE-CANDIDATE.

    Likely cause: an agent that waits for better pairs until a timer runs out, often because of candidates that lead
    nowhere; an agent that is busy, or waits for its application.

    Not to be confused with: `slow-checks`, where the first success itself comes late; `never-nominated`.

    What to try: remove candidates that cannot work (VPN and container interfaces), shorten the timer of the controlling
    agent, and look into its log for what it waits for.
    """
    checks, table, pairs = checks_of(facts), facts["transactions"], facts["pairs"]
    good = np.flatnonzero(checks.succeeded)
    if not len(good):
        return
    agent, count = group(checks.session[good], checks.side[good], checks.vantage[good])
    by_time = np.argsort(checks.response_time[good], kind="stable")
    first = first_of(agent, count, by_time)
    naming = by_time[checks.nominating[good[by_time]]]
    nominated = first_of(agent, count, naming)
    wait = np.where(
        nominated >= 0, pick(checks.response_time[good], nominated, 0) - checks.response_time[good[first]], 0
    )
    late = np.flatnonzero((wait >= LATE) & facts.once_connected[checks.session[good[first]] - 1])
    told: set[int] = set()
    for number in late[np.argsort(-wait[late], kind="stable")].tolist():
        begin, end = int(good[first[number]]), int(good[nominated[number]])
        session = int(checks.session[begin])
        if session in told:
            continue
        told.add(session)
        row = int(checks.pair[end])
        src, dst = int(pairs["src"][row]), int(pairs["dst"][row])
        how_long = seconds(int(wait[number]))
        yield Hit(
            summary=f"{facts.text(src)} nominates {how_long} after its first check had succeeded.",
            evidence=(
                facts.show(
                    "the first check that succeeds",
                    int(checks.pair[begin]),
                    int(table["request_frame"][checks.rows[begin]]),
                    int(table["response_frame"][checks.rows[begin]]),
                ),
                facts.show(
                    f"the first nomination that is answered, {how_long} later",
                    row,
                    int(table["request_frame"][checks.rows[end]]),
                    int(table["response_frame"][checks.rows[end]]),
                ),
            ),
            advice=(
                f"Look into the log of the agent at {facts.host(src)} for what it waits for before it nominates; "
                "candidates that lead nowhere (VPN and container interfaces) are the usual reason.",
            ),
            ground=SEEN,
            session=session,
            pair=int(pairs["pair_id"][row]),
            src=src,
            dst=dst,
            time=int(checks.response_time[begin]),
        )


@rule("pair-switched", INFO, "RFC 8445 section 8.1.1")
def pair_switched(facts: Facts) -> Iterator[Hit]:
    """The session moves to another pair in mid-call.

    Evidence: a pair is nominated seconds after another one had been, in the same ICE generation.

    Likely cause: the path in use died or became worse, a better one appeared (a network interface came up), or a NAT
    gave the same agent a new port.

    Not to be confused with: `ice-restart`, where the agents take new credentials; the first moments of a call, in which
    an agent may nominate several pairs one after the other.

    What to try: nothing, if the call went on. If it stuttered, look at what happened to the pair that was left.
    """
    pairs, when = facts["pairs"], facts.directed.nominated_time
    named = pairs["nominated"] & (when < NEVER)
    chosen = pairs["session_id"][named][first_of(*group(pairs["session_id"][named], pairs["pair_id"][named]))]
    named &= (np.bincount(chosen, minlength=len(facts["sessions"]) + 1) > 1)[pairs["session_id"]]
    for rows in groups(named, pairs["session_id"]):
        first_times: dict[tuple[int, int], int] = {}
        for row in rows[np.argsort(when[rows], kind="stable")].tolist():
            first_times.setdefault((int(pairs["vantage"][row]), int(pairs["pair_id"][row])), row)
        for vantage in dict.fromkeys(key[0] for key in first_times):
            own = [row for key, row in first_times.items() if key[0] == vantage]
            if len(own) > 1 and when[own[-1]] - when[own[0]] >= SETTLED:
                break
        else:
            continue
        old, new = own[-2], own[-1]
        ends = [f"{facts.text(int(pairs['src'][row]))} – {facts.text(int(pairs['dst'][row]))}" for row in (old, new)]
        after = seconds(int(when[new] - when[own[0]]))
        yield Hit(
            summary=f"{after} into the call it moves from {ends[0]} to {ends[1]}.",
            evidence=(
                facts.show(f"{ends[0]} is nominated", old, *_first_success(facts, old, nominating=True)),
                facts.show(f"{ends[1]} is nominated {after} later", new, *_first_success(facts, new, nominating=True)),
            ),
            ground=SEEN,
            session=int(pairs["session_id"][new]),
            pair=int(pairs["pair_id"][new]),
            time=int(when[new]),
        )


def _first_success(facts: Facts, row: int, nominating: bool = False) -> list[int]:
    """Frames of the first check of a row of `pairs`, or of the other direction, that succeeded."""
    table = facts["transactions"]
    for at in (row, int(facts.reverse[row])):
        own: Ints = facts.checks_of(at) if at >= 0 else np.zeros(0, np.int64)
        good = own[(table["response_time"][own] > NAT) & (table["nominating"][own] | (not nominating))]
        if len(good):
            return [int(table["request_frame"][good[0]]), int(table["response_frame"][good[0]])]
    return []
