"""Sessions: which checks belong to one pair of agents.

The USERNAME of a check names both agents, receiver first (RFC 8445 section 7.2.2), whatever NATs and relays it passed:
the two ufrags, in either order, are the session.  Answers belong to the session of their request; answers without one,
and checks of agents that send no USERNAME, are told by the addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, first_of, group, minimum_in
from stunpcap.ice.restarts import generations, merge_transitions
from stunpcap.ice.transactions import KIND, OUT, Correlated
from stunpcap.table import MISSING, Pools, Table


@dataclass(slots=True)
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
    count = merge_transitions(table, session, sender, receiver, count)
    _renumber(table, session, count)

    members = np.flatnonzero(session >= 0)
    order = members[np.lexsort((members, table["first_time"][members]))]
    first = first_of(session, count, order)
    # A is who sent the first check with a name; of the two ufrags B has the other.
    first_named = first_of(session, count, order[sender[order] >= 0]) if len(named) else np.full(count, -1)
    has_names = first_named >= 0
    ufrag_a = np.where(has_names, sender[first_named], MISSING)
    ufrag_b = np.where(has_names, receiver[first_named], MISSING)
    side = _sides(table, session, sender, receiver, ufrag_a, ufrag_b, first, pools)
    generation, restart_of = generations(table, messages, correlated, session, first, ufrag_a, ufrag_b, pools)
    return Agents(session, side, count, ufrag_a, ufrag_b, generation, restart_of)


def _ufrags_of(username: Ints, check: Any, pools: Pools) -> tuple[Ints, Ints]:
    """Receiver's and sender's ufrag of each check, as text numbers; -1 where there are none."""
    used = np.unique(username[check & (username >= 0)])
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
    known = session >= 0
    pairs, n_pairs = group(np.minimum(src, dst), np.maximum(src, dst), table["transport"])
    leads_to = np.full(n_pairs, -1, np.int64)
    leads_to[pairs[known]] = session[known]
    session[lost] = leads_to[pairs[lost]]
    table["kind"] = np.where(lost & (session >= 0), KIND["check"], table["kind"])

    left = np.flatnonzero(check & (session < 0))
    parent: dict[int, int] = {}

    def root(endpoint: int) -> int:
        while parent.setdefault(endpoint, endpoint) != endpoint:
            parent[endpoint] = parent[parent[endpoint]]
            endpoint = parent[endpoint]
        return endpoint

    for a, b in zip(src[left].tolist(), dst[left].tolist(), strict=True):
        parent[root(a)] = root(b)
    numbers: dict[int, int] = {}
    for row, a in zip(left.tolist(), src[left].tolist(), strict=True):
        session[row] = numbers.setdefault(root(a), count + len(numbers))
    return count + len(numbers)


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
    named = member & (sender >= 0)
    # After a restart one of the two ufrags in a USERNAME may be of the generation before.
    from_a = (sender[named] == ufrag_a[session[named]]) | (receiver[named] == ufrag_b[session[named]])
    side[named] = ~from_a
    rest = np.flatnonzero(member & ~named)
    if not len(rest):
        return side
    # Without a name: as whoever else sent from, or was asked at, this endpoint; else A has the first sender's address.
    sides: dict[tuple[int, int], int] = {}
    for row in np.flatnonzero(named).tolist():
        sides[int(session[row]), int(table["src"][row])] = int(side[row])
        sides.setdefault((int(session[row]), int(table["dst"][row])), 1 - int(side[row]))
    address_of = pools.endpoints.addresses
    for row in rest.tolist():
        number, src, dst = int(session[row]), int(table["src"][row]), int(table["dst"][row])
        known = sides.get((number, src))
        if known is None and (number, dst) in sides:
            known = 1 - sides[number, dst]
        if known is None:
            known = int(address_of[src] != address_of[table["src"][first[number]]])
        side[row] = known
    return side
