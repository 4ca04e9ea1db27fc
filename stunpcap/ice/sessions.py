"""Sessions: which checks belong to one pair of agents.

The USERNAME of a check names both agents, receiver first (RFC 8445 section 7.2.2), whatever NATs and relays it passed:
the two ufrags, in either order, are the session.  Answers belong to the session of their request; answers without one,
and checks of agents that send no USERNAME, are told by the addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, find, first_of, group, minimum_in, pick
from stunpcap.ice.restarts import generations, merge_transitions
from stunpcap.ice.transactions import KIND, OUT, Correlated
from stunpcap.sorting import distinct, ordered_by
from stunpcap.table import MISSING, Pools, Table


@dataclass(slots=True, eq=False, repr=False)
class Agents:
    """The sessions of a trace and who takes part; sessions are numbered from 0 here, from 1 in frames."""

    of_transaction: Ints
    """Session of each transaction; -1 for those to servers."""
    sender: Any
    """Which agent sent each transaction's request: 0 for A, 1 for B, -1 if unknown."""
    count: int
    ufrag_a: Ints
    ufrag_b: Ints
    """Text numbers; -1 where a session has no ufrags."""
    generation: Ints
    restart_of: Ints


def split_username(username: str) -> tuple[str, str] | None:
    """Receiver's and sender's ufrag of a check; None if the text names no two.

    Microsoft's agents add the component to each (`remote:1:local:1`).
    """
    parts = username.split(":")
    if len(parts) == 2 and all(parts):
        return parts[0], parts[1]
    if len(parts) == 4 and parts[1] == parts[3]:
        return parts[0], parts[2]
    return None


def find_sessions(correlated: Correlated, messages: Table, pools: Pools) -> Agents:
    """Sort transactions into sessions.

    Adjusts their kind, too: a response to an unseen request is one to a check if it is among checks.
    """
    table = correlated.table
    check = table["kind"] == KIND["check"]
    receiver, sender = _ufrags_of(table["username"], check, pools)
    session = np.full(len(table), -1, np.int64)
    named = np.flatnonzero(sender >= 0)
    low, high = np.minimum(sender, receiver), np.maximum(sender, receiver)
    session[named], count = group(low[named], high[named])
    count = _join_by_address(table, check, session, count, pools)
    count, transitional = merge_transitions(table, session, sender, receiver, count)
    _renumber(table, session, count)

    members = np.flatnonzero(session >= 0)
    order = members[ordered_by(table["first_time"][members], members)]
    first = first_of(session, count, order)
    # A is who sent the first check with a name of this generation; of the two ufrags B has the other.
    first_named = first_of(session, count, order[(sender[order] >= 0) & ~transitional[order]])
    ufrag_a, ufrag_b = pick(sender, first_named), pick(receiver, first_named)
    side = _sides(table, session, sender, receiver, ufrag_a, ufrag_b, first, pools)
    generation, restart_of = generations(table, messages, correlated, session, receiver, first, ufrag_a, ufrag_b, pools)
    return Agents(session, side, count, ufrag_a, ufrag_b, generation, restart_of)


def _ufrags_of(username: Ints, check: Any, pools: Pools) -> tuple[Ints, Ints]:
    """Receiver's and sender's ufrag of each check, as text numbers; -1 where there are none."""
    used, _ = distinct(username[check & (username >= 0)])
    ufrags = np.full((int(used.max(initial=-1)) + 2, 2), -1, np.int64)  # the last row stands for "no USERNAME"
    for number in used.tolist():
        parts = split_username(pools.texts.values[number])
        if parts:
            ufrags[number] = pools.texts.number(parts[0]), pools.texts.number(parts[1])
    picked = ufrags[np.where(check, username, MISSING)]
    return picked[:, 0], picked[:, 1]


def _join_by_address(table: Table, check: Any, session: Ints, count: int, pools: Pools) -> int:
    """Place checks without ufrags, and answers to unseen checks, by their addresses; returns the number of sessions.

    Addresses that a session with ufrags uses lead to it; what is left is joined where it shares an endpoint.
    """
    binding = table["method"] == pools.texts.number("binding")
    lost = (session < 0) & (check | (binding & (table["outcome"] == OUT["orphan"])))
    if not lost.any():
        return count
    src, dst = table["src"], table["dst"]
    paths, _ = group(np.minimum(src, dst), np.maximum(src, dst), table["transport"])
    session[lost] = _nearest(paths, table["first_time"], np.flatnonzero(session >= 0), np.flatnonzero(lost), session)
    table["kind"][lost & (session >= 0)] = KIND["check"]

    left = np.flatnonzero(check & (session < 0))
    parent: dict[int, int] = {}

    def root(endpoint: int) -> int:
        while parent.setdefault(endpoint, endpoint) != endpoint:
            parent[endpoint] = parent[parent[endpoint]]
            endpoint = parent[endpoint]
        return endpoint

    ends, n_ends = group(src[left], dst[left])
    distinct = left[first_of(ends, n_ends)]
    for a, b in zip(src[distinct].tolist(), dst[distinct].tolist(), strict=True):
        parent[root(a)] = root(b)
    numbers: dict[int, int] = {}
    joined = [numbers.setdefault(root(a), count + len(numbers)) for a in src[distinct].tolist()]
    session[left] = np.array(joined, np.int64)[ends]
    return count + len(numbers)


def _nearest(paths: Ints, time: Ints, known: Ints, lost: Ints, session: Ints) -> Ints:
    """For each lost row the session that last used its path before it, else the one that first did; -1 if none did."""
    rows = np.concatenate([known, lost])
    order = ordered_by(paths[rows], time[rows])
    rows, knows = rows[order], (np.arange(len(rows)) < len(known))[order]
    places = np.arange(len(rows))
    before = np.maximum.accumulate(np.where(knows, places, -1))
    after = np.minimum.accumulate(np.where(knows, places, len(rows))[::-1])[::-1]
    result = np.full(len(paths), -1, np.int64)
    for place in (np.where(after < len(rows), after, -1), before):  # what was before counts more
        fits = (place >= 0) & (paths[rows[place]] == paths[rows]) & ~knows
        result[rows[fits]] = session[rows[place[fits]]]
    return result[lost]


def _renumber(table: Table, session: Ints, count: int) -> None:
    """Number sessions in order of their first check."""
    members = session >= 0
    start = minimum_in(session[members], count, table["first_time"][members], np.iinfo(np.int64).max)
    position = np.empty(count, np.int64)
    position[np.argsort(start, kind="stable")] = np.arange(count)
    session[members] = position[session[members]]


def _sides(
    table: Table,
    session: Ints,
    sender: Ints,
    receiver: Ints,
    ufrag_a: Ints,
    ufrag_b: Ints,
    first: Ints,
    pools: Pools,
) -> Any:
    """Who sent each request: 0 for A, 1 for B, -1 for transactions of no session."""
    side = np.full(len(table), -1, np.int8)
    member = session >= 0
    named = member & (sender >= 0) & (sender != receiver)  # equal ufrags name nobody
    # After a restart one of the two ufrags in a USERNAME may be of the generation before.
    from_a = (sender[named] == ufrag_a[session[named]]) | (receiver[named] == ufrag_b[session[named]])
    side[named] = ~from_a
    rest = np.flatnonzero(member & ~named)
    if not len(rest):
        return side
    # Without a name: as whoever else sent from, or was asked at, this endpoint; else A has the first sender's address.
    sure = np.flatnonzero(named)
    src, dst = table["src"], table["dst"]
    uses = np.concatenate([session[sure], session[sure]]), np.concatenate([dst[sure], src[sure]])
    users = np.concatenate([1 - side[sure], side[sure]])  # who sends from an endpoint is surer, hence last
    at_src, at_dst = (pick(users, find((session[rest], end[rest]), uses)) for end in (src, dst))
    address_of = pools.endpoints.addresses
    guess = address_of[src[rest]] != address_of[src[first[session[rest]]]]
    side[rest] = np.where(at_src >= 0, at_src, np.where(at_dst >= 0, 1 - at_dst, guess))
    return side
