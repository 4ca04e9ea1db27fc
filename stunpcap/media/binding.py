"""Whose it is: the session and pair that two endpoints belong to at a time.

Endpoints that several sessions use in turn belong to the one whose checks began last before the time in question; what
came before all of them belongs to the first.  A session that restarts another takes them over only when its pair is
nominated, or at least has an answer: until then media goes on as before (RFC 8445 section 9).

Ends that were never checked as a pair may still be candidates of the two agents of a session: then they are its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, count_in, find, first_of, group, maximum_in, minimum_in, pick
from stunpcap.ice.pairs import Directed
from stunpcap.ice.sessions import Agents
from stunpcap.ice.ways import NEVER
from stunpcap.record import record
from stunpcap.sorting import ordered_by, values_in
from stunpcap.table import MISSING, Table

MOST_SHARED = 64
"""Sessions that may have both ends among their candidates; where more have each of them, nobody can tell whose it is.
"""


@record
class Bound:
    """Columns of `streams`, `activity` and `dtls`, and who sent."""

    session_id: Ints
    pair_id: Ints
    on_nominated: Any
    """Whether that pair was nominated; missing where no pair of the session was."""
    side: Ints
    """Which agent sent: 0 for A, 1 for B, -1 where there is no session."""


class Binding:
    """The pairs and candidates of a trace, to be asked for two ends and a time."""

    def __init__(self, directed: Directed, agents: Agents, candidates: Table) -> None:
        pairs, side = directed.table, directed.side.astype(np.int64)
        session, vantage = pairs["session_id"], pairs["vantage"].astype(np.int64)
        began = _taken_over(directed, agents)
        ends = (pairs["src"], pairs["dst"]), (pairs["dst"], pairs["src"])
        self._ends = [
            np.tile(vantage, 2),
            *(np.concatenate(both).astype(np.int64) for both in zip(*ends, strict=True)),
            np.tile(pairs["transport"].astype(np.int64), 2),
        ]
        self._began, self._session, self._pair = (np.tile(what, 2) for what in (began, session, pairs["pair_id"]))
        self._side = np.concatenate([side, 1 - side])
        pair, count = group(session, pairs["pair_id"])
        self._nominated = np.tile(maximum_in(pair, count, pairs["nominated"].astype(np.int64), 0)[pair], 2)
        self._settled = np.zeros(agents.count + 1, np.bool_)
        self._settled[session[pairs["nominated"]]] = True
        self._start = minimum_in(session, agents.count + 1, pairs["first_time"], NEVER)
        self._candidates = _sides(agents, candidates)
        self._addresses = values_in(np.concatenate([self._ends[1], self._candidates[2]]))

    def bind(self, ends: list[Any], time: Any) -> Bound:
        """Whose each row is.

        `ends` are columns, too: vantage, source, destination, transport.  A pair without checks at this vantage may be
        known from another.
        """
        # Much of a large capture is between others: clients and servers.
        ours = np.flatnonzero(np.isin(ends[1], self._addresses) & np.isin(ends[2], self._addresses))
        found = self._bind([end[ours].astype(np.int64) for end in ends], time[ours])
        columns = []
        for column in found:
            columns.append(np.full(len(time), MISSING))
            columns[-1][ours] = column
        return Bound(*columns)

    def _bind(self, ends: list[Any], time: Any) -> tuple[Ints, Ints, Ints, Ints]:
        """The columns of `Bound`, for ends each of which belongs to somebody."""
        rows = _latest(self._ends, self._began, ends, time)
        absent = np.flatnonzero(rows < 0)
        rows[absent] = _latest(self._ends[1:], self._began, [end[absent] for end in ends[1:]], time[absent])
        session, side = pick(self._session, rows), pick(self._side, rows)
        nominated = pick(self._nominated, rows)
        absent = np.flatnonzero(rows < 0)
        others = [end[absent] for end in ends[1:]]
        known, of, sender = self._by_candidates(others)
        found = _latest(known, self._start[of], others, time[absent])
        session[absent], side[absent] = pick(of, found), pick(sender, found)
        nominated[absent[found >= 0]] = 0
        nominated[~self._settled[np.maximum(session, 0)]] = MISSING
        return session, pick(self._pair, rows), nominated, side

    def _by_candidates(self, ends: list[Any]) -> tuple[list[Ints], Ints, Ints]:
        """Of these ends those that are candidates of the two agents of a session; that, and which of them sends."""
        number, side, address, transport = self._candidates
        ways, n_ways = group(*ends)
        src, dst, via = (end[first_of(ways, n_ways)] for end in ends)
        keys, count = group(np.concatenate([address, src, dst]), np.concatenate([transport, via, via]))
        own, at_src, at_dst = np.split(keys, [len(address), len(address) + n_ways])
        order = np.argsort(own, kind="stable")
        users = count_in(own, count)
        first = np.cumsum(users) - users
        by_src = users[at_src] <= users[at_dst]
        rarer, other = np.where(by_src, at_src, at_dst), np.where(by_src, at_dst, at_src)
        asked = np.flatnonzero((users[other] > 0) & (users[rarer] <= MOST_SHARED))
        several = users[rarer[asked]]
        way = np.repeat(asked, several)
        row = order[np.arange(len(way)) - np.repeat(np.cumsum(several) - several - first[rarer[asked]], several)]
        opposite = find((number[row], 1 - side[row], other[way]), (number, side, own))
        way, row = way[opposite >= 0], row[opposite >= 0]
        sender = np.where(by_src[way], side[row], 1 - side[row])
        return [src[way], dst[way], via[way]], number[row], sender


def _sides(agents: Agents, candidates: Table) -> list[Ints]:
    """Session, agent, address and transport of each candidate, and of its base; of agents that have names."""
    session = candidates["session_id"]
    rows = np.flatnonzero((session >= 1) & (candidates["ufrag"] >= 0))
    is_a = candidates["ufrag"][rows] == agents.ufrag_a[session[rows] - 1]
    told = [session[rows], (~is_a).astype(np.int64), candidates["transport"][rows].astype(np.int64)]
    number, side, transport = (np.tile(column, 2) for column in told)
    address = np.concatenate([candidates["address"][rows], candidates["base"][rows]]).astype(np.int64)
    distinct, count = group(number, side, address, transport)
    once = first_of(distinct, count)
    once = once[address[once] >= 0]
    return [number[once], side[once], address[once], transport[once]]


def _taken_over(directed: Directed, agents: Agents) -> Ints:
    """For each row of pairs the time from which on its ends belong to its session."""
    pairs = directed.table
    session, vantage = pairs["session_id"], pairs["vantage"]
    place, count = group(session, vantage)
    began = minimum_in(place, count, pairs["first_time"], NEVER)[place]
    here, count = group(session, pairs["pair_id"], vantage)
    first = minimum_in(here, count, pairs["first_time"], NEVER)[here]
    answered = maximum_in(here, count, pairs["responses_received"], 0)[here] > 0
    works = np.where(directed.nominated_time < NEVER, directed.nominated_time, np.where(answered, first, NEVER))
    result: Ints = np.where(agents.restart_of[session - 1] >= 0, works, began)
    return result


def _latest(known: list[Any], began: Ints, wanted: list[Any], time: Any) -> Ints:
    """For each row of `wanted` the row of `known` with the same keys that began last before its time.

    Before the first of them began it is that one; -1 if there is none.
    """
    n = len(began)
    if not n or not len(time):
        return np.full(len(time), -1, np.int64)
    keys, _ = group(*(np.concatenate([a, b]) for a, b in zip(known, wanted, strict=True)))
    asked = np.arange(len(keys)) >= n
    times = np.concatenate([began, time])
    found = _last_before(keys, times, asked)
    early = asked & (found < 0)
    if early.any():
        found[early] = _last_before(keys, -times, asked)[early]
    return found[n:]


def _last_before(keys: Ints, times: Ints, asked: Any) -> Ints:
    """For each row that asks the last one before it in time that does not, of the same key; -1 if there is none."""
    order = ordered_by(keys, times, asked.astype(np.int64))
    here = np.where(asked[order], -1, np.arange(len(order)))
    before = np.maximum.accumulate(here)
    result = np.full(len(keys), -1, np.int64)
    fits = (before >= 0) & (keys[order[before]] == keys[order])
    result[order] = np.where(fits, order[before], -1)
    return result
