"""ICE restarts: sessions of the same two agents under new ufrags (RFC 8445 section 9)."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap.ice.columns import Ints, first_of, group, maximum_in, minimum_in
from stunpcap.ice.timers import SECOND
from stunpcap.ice.transactions import Correlated
from stunpcap.table import MISSING, NAT, NO_NUMBER, Pools, Table

NEIGHBOURS = 8
"""How many sessions with the same ufrag are looked at before and after one: a server may use one ufrag for all."""
OVERLAP = 15 * SECOND
"""How long the old generation may still be checked after the new one began: until that has a pair, which takes seconds.
"""


def merge_transitions(
    table: Table, session: Ints, sender: Ints, receiver: Ints, count: int
) -> tuple[int, npt.NDArray[np.bool_]]:
    """Merge what an agent sends with its new ufrag to the other's old candidates into the new generation.

    Such checks name the new ufrag of one and the old one of the other.  They are known by this: of their two ufrags one
    belongs to an older session and the other to yet another one, both on an endpoint in common with them.

    Returns
    -------
    count, transitional
        How many sessions are left, and which rows were merged.
    """
    transitional = np.zeros(len(session), np.bool_)
    named = np.flatnonzero((session >= 0) & (sender >= 0))
    first = first_of(session[named], count)
    # So far all checks of a session name the same two ufrags.
    has = first >= 0
    names = np.full((count, 2), -1, np.int64)
    names[has] = np.stack([sender[named[first[has]]], receiver[named[first[has]]]], axis=1)
    ufrags, uses = np.unique(names, return_counts=True)
    shared = np.isin(names, ufrags[(uses > 1) & (ufrags >= 0)])
    suspects = np.flatnonzero(shared.all(axis=1))
    if not len(suspects):
        return count, transitional
    involved = np.flatnonzero(shared.any(axis=1))
    rows = named[np.isin(session[named], involved)]
    start = minimum_in(session[rows], count, table["first_time"][rows], np.iinfo(np.int64).max)
    ends: dict[int, set[int]] = {}
    for column in ("src", "dst"):
        distinct, n = group(session[rows], table[column][rows])
        some = rows[first_of(distinct, n)]
        for number, end in zip(session[some].tolist(), table[column][some].tolist(), strict=True):
            ends.setdefault(number, set()).add(end)
    in_order = involved[np.argsort(start[involved], kind="stable")].tolist()
    users: dict[int, list[int]] = {}  # ufrag -> places in this order
    for place, number in enumerate(in_order):
        for ufrag in names[number].tolist():
            users.setdefault(ufrag, []).append(place)

    into: dict[int, int] = {}
    suspected = set(suspects.tolist())
    for place, number in enumerate(in_order):
        if number not in suspected:
            continue
        sides = []
        for ufrag in names[number].tolist():
            at = bisect_left(users[ufrag], place)
            near = users[ufrag][max(0, at - NEIGHBOURS) : at + NEIGHBOURS + 1]
            others = [in_order[other] for other in near if other != place]
            sides.append([other for other in others if ends[other] & ends[number] and other not in into])
        newer = [
            max(a, b, key=start.__getitem__)
            for a in sides[0]
            for b in sides[1]
            if min(start[a], start[b]) < start[number] and not set(names[a].tolist()) & set(names[b].tolist())
        ]
        if newer:
            into[number] = max(newer, key=start.__getitem__)
    target = np.arange(count)
    for number in reversed(list(into)):  # later ones first: what one was merged into may have been merged itself
        target[number] = target[into[number]]
    transitional[named] = np.isin(session[named], list(into))
    kept = np.setdiff1d(np.arange(count), list(into))
    position = np.full(count, -1, np.int64)
    position[kept] = np.arange(len(kept))
    session[session >= 0] = position[target[session[session >= 0]]]
    return len(kept), transitional


def generations(
    table: Table,
    messages: Table,
    correlated: Correlated,
    session: Ints,
    receiver: Ints,
    first: Ints,
    ufrag_a: Ints,
    ufrag_b: Ints,
    pools: Pools,
) -> tuple[Ints, Ints]:
    """ICE restarts (RFC 8445 section 9): sessions of the same two agents with new ufrags.

    A later session follows an earlier one if it begins over a second after it and uses the same two endpoints, or the
    same two addresses while an agent kept its tie-breaker or its ufrag.  These two an agent may have in several calls
    at the same time, too (forking; a server with one ufrag): then checks of the earlier one go on.  If one agent kept
    its ufrag and the other its tie-breaker both are the same agents for certain, and only one knows of the restart.
    """
    count = len(first)
    generation = np.zeros(count, np.int64)
    before = np.full(count, MISSING, np.int64)
    if count < 2:
        return generation, before
    start = table["first_time"][first]
    address_of = pools.endpoints.addresses
    rows = np.flatnonzero((session >= 0) & (correlated.request_rows >= 0))
    of, asked = session[rows], receiver[rows]
    src, dst = table["src"][rows], table["dst"][rows]
    tie = messages["tie_breaker"][correlated.request_rows[rows]]
    has_tie = (tie != NO_NUMBER) & (tie > 0)  # some agents say 0, all of them
    end = maximum_in(of, count, table["last_time"][rows], NAT)

    def link(some: Any, *mark: Any, certain: bool = False) -> None:
        """Let each session follow the last one before it that has the same mark."""
        keys = [column[some] for column in (*mark, of)]
        distinct = first_of(*group(*keys))
        same = np.ones(max(len(distinct) - 1, 0), np.bool_)
        for column in keys[:-1]:
            same &= column[distinct][1:] == column[distinct][:-1]
        earlier, later = keys[-1][distinct][:-1][same], keys[-1][distinct][1:][same]
        fits = start[later] - start[earlier] > SECOND
        fits &= certain | (end[earlier] - start[later] <= OVERLAP)
        np.maximum.at(before, later[fits], earlier[fits])

    everywhere = np.ones(len(rows), np.bool_)
    link(everywhere, np.minimum(src, dst), np.maximum(src, dst), certain=True)
    hosts = np.minimum(address_of[src], address_of[dst]), np.maximum(address_of[src], address_of[dst])
    link(has_tie & (asked >= 0), *hosts, asked, tie, certain=True)
    link(has_tie, *hosts, tie)
    for ufrag in (ufrag_a[of], ufrag_b[of]):
        link(ufrag >= 0, *hosts, ufrag)

    for later in np.flatnonzero(before >= 0).tolist():  # sessions are in order of time
        generation[later] = generation[before[later]] + 1
    return generation, before
