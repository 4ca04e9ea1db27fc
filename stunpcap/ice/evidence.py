"""What one capture knows of packets from one address to another: evidence for and against their arrival.

Each function notes one group of kinds of `stunpcap.evidence`.  Everything here follows from a single capture; what
several captures tell together is in `stunpcap.ice.across`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, count_in, find, first_of, group, maximum_in, minimum_in, pick
from stunpcap.ice.hints import note_hints
from stunpcap.ice.place import Place
from stunpcap.ice.timers import MILLISECOND, SECOND
from stunpcap.ice.transactions import OUT, Correlated
from stunpcap.ice.ways import HIGH, LOW, MEDIUM, NEVER, Clues, Ways
from stunpcap.sorting import among
from stunpcap.table import MISSING, NAT, Pools, Table
from stunpcap.vantage import Vantage
from stunpcap.wire import counters as kinds

RESTLESS = 20
"""Checks within five seconds, though answered: twice what healthy agents send before they come to rest."""
RESTLESS_WITHIN = 5 * SECOND
CALM = 2 * SECOND
"""Agents that heard an answer wait at least that long before they check again, but for their first few checks."""
TRIGGERED_WITHIN = 100 * MILLISECOND
REPEATED = 3
"""As often something must have happened to be more than an accident of single packets."""
LIVELY = 8
"""After so many answers on one way, over half a second or more, the other one has had its chance."""
GONE_AFTER = 5 * SECOND
"""Silence after answers becomes evidence after so long: single packets get lost on any path."""


@dataclass(slots=True, eq=False, repr=False)
class Checks:
    """The checks of sessions, in columns, and the way that each went."""

    table: Table
    rows: Ints
    """Rows of the transactions."""
    way: Ints
    answered: Any
    """A response that mirrors the check was captured, of success or error."""
    silent: Any
    """Nothing was, though there was time."""

    def __getitem__(self, column: str) -> Any:
        return self.table[column][self.rows]


def find_checks(table: Table, rows: Ints, way: Ints) -> Checks:
    """The checks, from the rows of the transactions and the way of each."""
    outcome = table["outcome"][rows]
    again = (outcome == OUT["unfinished"]) & (table["transmissions"][rows] > 1)
    return Checks(
        table,
        rows,
        way,
        (outcome == OUT["success"]) | (outcome == OUT["error"]),
        (outcome == OUT["unanswered"]) | again,
    )


def gather(
    clues: Clues,
    checks: Checks,
    correlated: Correlated,
    messages: Table,
    vantages: list[Vantage],
    places: dict[int, Place],
    pools: Pools,
) -> None:
    """Note all that each capture knows by itself."""
    note_answers(clues, checks)
    note_arrivals(clues, checks, places, pools)
    note_repetition(clues, checks)
    note_one_sided(clues, checks, at_receiver(clues.ways, places, pools))
    note_triggered(clues, checks)
    note_handshakes(clues, vantages, pools)
    note_hints(clues, checks.rows, checks.way, correlated, messages, vantages)


def note_answers(clues: Clues, checks: Checks) -> None:
    """Answers prove that checks arrived, and how; ICMP errors that they did not."""
    way, back = checks.way, clues.ways.back[checks.way]
    outcome, mapped = checks["outcome"], checks["mapped"]
    time, frame = checks["response_time"], checks["response_frame"]
    src, dst = checks["src"], checks["dst"]
    response_src, response_dst = checks["response_src"], checks["response_dst"]
    orphan, elsewhere = outcome == OUT["orphan"], outcome == OUT["other-address"]

    def note(kind: str, on: Ints, picked: Any, as_src: Ints | None = None, as_dst: Ints | None = None) -> None:
        seen = [None if column is None else column[picked] for column in (as_src, as_dst)]
        clues.add(kind, on[picked], time[picked], frame[picked], as_src=seen[0], as_dst=seen[1])

    note("answered", way, checks.answered)
    note("orphan-answer", way, orphan)
    note("mapped", way, (checks.answered | orphan | elsewhere) & (mapped >= 0) & (mapped != src), mapped)
    note("answered-elsewhere", way, elsewhere)
    note("seen-as", way, elsewhere & (response_dst != src), response_dst, dst)
    note("answer-rewritten", back, elsewhere & (response_src != dst), response_src, response_dst)
    icmp = np.flatnonzero(outcome == OUT["icmp"])
    total = len(clues.ways)
    few = (count_in(way[icmp], total) < REPEATED) & (count_in(way, total, checks.answered) > 0)
    clues.add(
        "icmp",
        way[icmp],
        checks["first_time"][icmp],
        checks["icmp_frame"][icmp],
        until=checks["last_time"][icmp],
        strength=np.where(few, LOW, HIGH),
    )


def at_receiver(ways: Ways, places: dict[int, Place], pools: Pools) -> Any:
    """Ways whose capture was taken at `dst`, as far as its place is known."""
    address_of = pools.endpoints.addresses
    here = np.zeros(len(ways), np.bool_)
    for number, place in places.items():
        to, by = (among(address_of[ends], place.local) for ends in (ways.dst, ways.src))
        here |= (ways.vantage == number) & to & ~by
    return here


def note_arrivals(clues: Clues, checks: Checks, places: dict[int, Place], pools: Pools) -> None:
    """What was captured at its receiver has arrived there."""
    ways = clues.ways
    here = at_receiver(ways, places, pools)
    back = ways.back[checks.way]
    asks = here[checks.way] & (checks["transmissions"] > 0)
    answers = here[back] & checks.answered
    clues.add(
        "received-here",
        np.concatenate([checks.way[asks], back[answers]]),
        np.concatenate([checks["first_time"][asks], checks["response_time"][answers]]),
        np.concatenate([checks["request_frame"][asks], checks["response_frame"][answers]]),
        until=np.concatenate([checks["last_time"][asks], checks["response_time"][answers]]),
    )


def note_repetition(clues: Clues, checks: Checks) -> None:
    """What agents do after their checks were answered tells whether they had the answers."""
    total = len(clues.ways)
    way, back = checks.way, clues.ways.back[checks.way]
    # After an error agents may try again, or discard it for its lack of MESSAGE-INTEGRITY: that tells nothing.
    good = checks["outcome"] == OUT["success"]
    unheard = checks["unheard"] & good
    again = np.flatnonzero(unheard)
    others = count_in(back, total, good & ~unheard) > 0
    few = others & (count_in(back[again], total) < REPEATED)
    frame = checks["response_frame"]
    clues.add(
        "unheard",
        back[again],
        checks["response_time"][again],
        frame[again],
        until=checks["last_time"][again],
        strength=np.where(few, LOW, MEDIUM),
    )

    known = np.flatnonzero(good & ~unheard)
    order = known[np.lexsort((checks["first_time"][known], way[known]))]
    sent = checks["first_time"][order]
    restless = np.zeros(total, np.bool_)
    if len(order) >= RESTLESS:
        begin, end = order[: 1 - RESTLESS], order[RESTLESS - 1 :]
        quick = (way[begin] == way[end]) & (sent[RESTLESS - 1 :] - sent[: 1 - RESTLESS] <= RESTLESS_WITHIN)
        begin, end = begin[quick], end[quick]
        # From when on it was: the window before may have begun while all was well.
        since = minimum_in(way[end], total, checks["first_time"][end], NEVER)
        to = maximum_in(way[end], total, checks["first_time"][end], NAT)
        restless = (to > NAT) & (to - np.where(to > NAT, since, 0) >= GONE_AFTER)
        if restless.any():
            part = order[restless[way[order]]]
            part = part[
                (checks["first_time"][part] >= since[way[part]]) & (checks["first_time"][part] <= to[way[part]])
            ]
            clues.add("restless", back[part], checks["response_time"][part], frame[part])
    if len(order) < 2:
        return
    loud = count_in(way, total, unheard) > 0
    calm = (way[order[1:]] == way[order[:-1]]) & (sent[1:] - checks["response_time"][order[:-1]] >= CALM)
    calm &= ~restless[way[order[:-1]]] & ~loud[way[order[:-1]]]
    part = order[:-1][calm]
    often = np.where(count_in(back[part], total) >= REPEATED, MEDIUM, LOW)
    clues.add("heard", back[part], checks["response_time"][part], frame[part], strength=often)


def note_one_sided(clues: Clues, checks: Checks, here: Any) -> None:
    """Silence this way, and answers to what comes the other way.

    Only checks after the last answer count, and only while the other side is known to be alive.
    """
    ways, total = clues.ways, len(clues.ways)
    way, time = checks.way, checks["response_time"]
    silent = np.flatnonzero(checks.silent & ~here[way])
    if not len(silent):
        return
    heard_of = checks.answered | (checks["outcome"] == OUT["other-address"])
    last_answer = maximum_in(way[heard_of], total, time[heard_of], NAT)
    silent = silent[checks["first_time"][silent] > last_answer[way[silent]]]
    since = minimum_in(way[silent], total, checks["first_time"][silent], NEVER)
    to = maximum_in(way[silent], total, checks["last_time"][silent], NAT)

    good = np.flatnonzero(checks["outcome"] == OUT["success"])
    first_good = minimum_in(way[good], total, time[good], NEVER)[ways.back]
    there = ways.back[way[good]]
    during = (time[good] >= since[there]) & (time[good] <= to[there])
    there, when = there[during], time[good][during]
    lively = count_in(there, total)
    span = maximum_in(there, total, when, 0) - minimum_in(there, total, when, 0 if not len(when) else NEVER)

    sided = (to > NAT) & (first_good <= to)
    # After answers, silence must last, and the other side must be known to be alive in it.
    sided &= (last_answer == NAT) | ((lively > 0) & (to - np.where(to > NAT, since, 0) >= GONE_AFTER))
    sent = np.bincount(way[silent], checks["transmissions"][silent], total)
    firm = (lively >= LIVELY) & (span >= SECOND // 2) & (sent >= REPEATED)
    part = silent[sided[way[silent]]]
    clues.add(
        "one-sided",
        way[part],
        checks["first_time"][part],
        checks["request_frame"][part],
        until=checks["last_time"][part],
        strength=np.where(firm, MEDIUM, LOW),
    )


def note_triggered(clues: Clues, checks: Checks) -> None:
    """The first check back, right after the first one out."""
    ways, total = clues.ways, len(clues.ways)
    asked = checks["transmissions"] > 0
    rows = np.flatnonzero(asked)
    first = first_of(checks.way[rows], total, np.argsort(checks["first_time"][rows], kind="stable"))
    first = pick(rows, first)
    time = pick(checks["first_time"], first, NEVER)
    delay = time[ways.back] - time
    hit = np.flatnonzero((first >= 0) & (first[ways.back] >= 0) & (delay > 0) & (delay <= TRIGGERED_WITHIN))
    answer = first[ways.back[hit]]
    clues.add("triggered", hit, checks["first_time"][answer], checks["request_frame"][answer])


def note_handshakes(clues: Clues, vantages: list[Vantage], pools: Pools) -> None:
    """Protected DTLS both ways; addresses that several sessions use in turn are left out."""
    ways = clues.ways
    flows = flow_counts(ways, vantages, pools)
    protected = flows.counters[:, kinds.DTLS_PROTECTED] > 0
    done = np.flatnonzero(protected & protected[ways.back] & flows.alone)
    if len(done):
        since = flows.counters[:, kinds.FIRST_TIME]
        clues.add("handshake", done, np.maximum(since, since[ways.back])[done])


@dataclass(slots=True, eq=False, repr=False)
class FlowCounts:
    """The scanner's counters of each way; zeros where nothing went."""

    counters: Ints
    alone: Any
    """Only one session uses these addresses."""


def flow_counts(ways: Ways, vantages: list[Vantage], pools: Pools) -> FlowCounts:
    """Find the flow of each way; of several legs through a relay the one with the most packets."""
    counters = np.zeros((len(ways), kinds.COUNTERS), np.int64)
    for vantage in vantages:
        flows = vantage.flows
        busy = np.flatnonzero(flows["packets"] > flows["stun"])
        mine = np.flatnonzero(ways.vantage == pools.texts.number(vantage.name))
        if not len(busy) or not len(mine):
            continue
        busy = busy[np.argsort(flows["packets"][busy], kind="stable")]
        wanted = (ways.src[mine], ways.dst[mine], ways.transport[mine])
        row = find(wanted, [flows[name][busy] for name in ("src", "dst", "transport")])
        counters[mine[row >= 0]] = vantage.flow_counters[busy[row[row >= 0]]]
    place, count = group(ways.vantage, ways.src, ways.dst, ways.transport)
    low = minimum_in(place, count, ways.session, NEVER)
    high = maximum_in(place, count, ways.session, MISSING)
    return FlowCounts(counters, (low == high)[place])
