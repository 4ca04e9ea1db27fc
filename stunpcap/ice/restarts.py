"""ICE restarts: sessions of the same two agents under new ufrags (RFC 8445 section 9)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints
from stunpcap.ice.timers import SECOND
from stunpcap.ice.transactions import Correlated
from stunpcap.table import MISSING, NO_NUMBER, Pools, Table


def merge_transitions(table: Table, session: Ints, sender: Ints, receiver: Ints, count: int) -> int:
    """Merge what an agent sends with its new ufrag to the other's old candidates into the new generation.

    Such checks name the new ufrag of one and the old one of the other.  They are known by this: each of their two
    ufrags belongs to another session as well, on an endpoint in common.  Returns the number of sessions left.
    """
    named = np.flatnonzero((session >= 0) & (sender >= 0))
    uses: dict[int, set[int]] = {}
    columns = (session[named], sender[named], receiver[named])
    for number, *ufrags in np.unique(np.stack(columns), axis=1).T.tolist():
        for ufrag in ufrags:
            uses.setdefault(ufrag, set()).add(number)
    shared = {ufrag: numbers for ufrag, numbers in uses.items() if len(numbers) > 1}
    if not shared:
        return count
    ends: dict[int, set[int]] = {}
    start: dict[int, int] = {}
    ufrags_of: dict[int, set[int]] = {}
    suspects = set().union(*shared.values())
    rows = named[np.isin(session[named], list(suspects))]
    names = ("src", "dst", "first_time")
    for row, src, dst, time in zip(rows.tolist(), *(table[name][rows].tolist() for name in names), strict=True):
        number = int(session[row])
        ends.setdefault(number, set()).update((src, dst))
        start[number] = min(start.get(number, time), time)
        ufrags_of.setdefault(number, set()).update((int(sender[row]), int(receiver[row])))

    into: dict[int, int] = {}
    for number in sorted(suspects, key=start.__getitem__):
        others = [
            [other for other in uses[ufrag] - {number} if ends[other] & ends[number] and other not in into]
            for ufrag in ufrags_of[number]
        ]
        if len(others) == 2 and all(others):
            either = [(a, b) for a in others[0] for b in others[1] if not ufrags_of[a] & ufrags_of[b]]
            if either:
                into[number] = max(either[0], key=start.__getitem__)
    if not into:
        return count
    target = np.arange(count)
    for number, other in into.items():
        target[number] = other
    kept = np.setdiff1d(np.arange(count), list(into))
    position = np.full(count, -1, np.int64)
    position[kept] = np.arange(len(kept))
    members = session >= 0
    session[members] = position[target[session[members]]]
    return len(kept)


def generations(
    table: Table,
    messages: Table,
    correlated: Correlated,
    session: Ints,
    first: Ints,
    ufrag_a: Ints,
    ufrag_b: Ints,
    pools: Pools,
) -> tuple[Ints, Ints]:
    """ICE restarts (RFC 8445 section 9): sessions of the same two agents with new ufrags.

    A later session follows an earlier one if it begins over a second after it and uses the same two endpoints, or the
    same two addresses while an agent kept its tie-breaker or its ufrag.
    """
    count = len(first)
    generation = np.zeros(count, np.int64)
    restart_of = np.full(count, MISSING, np.int64)
    if count < 2:
        return generation, restart_of
    start = table["first_time"][first]
    address_of = pools.endpoints.addresses
    rows = np.flatnonzero((session >= 0) & (correlated.request_rows >= 0))
    src, dst = table["src"][rows], table["dst"][rows]
    tie = messages["tie_breaker"][correlated.request_rows[rows]]
    marks: dict[tuple[object, ...], list[int]] = {}

    def enter(*columns: Any, label: str) -> None:
        distinct = np.unique(np.stack([np.asarray(column, np.uint64) for column in columns]), axis=1)
        for number, *mark in distinct.T.tolist():
            marks.setdefault((label, *mark), []).append(number)

    enter(session[rows], np.minimum(src, dst), np.maximum(src, dst), label="endpoints")
    by_address = address_of[src], address_of[dst]
    for label, mark in (
        ("tie-breaker", np.where(tie == NO_NUMBER, 0, tie)),  # some agents say 0, all of them
        ("ufrag a", ufrag_a[session[rows]] + 1),
        ("ufrag b", ufrag_b[session[rows]] + 1),
    ):
        some = mark > 0
        columns = (np.minimum(*by_address), np.maximum(*by_address), mark)
        enter(session[rows][some], *(column[some] for column in columns), label=label.split()[0])

    before: dict[int, int] = {}
    for numbers in marks.values():
        numbers.sort()
        for earlier, later in itertools.pairwise(numbers):
            if start[later] - start[earlier] > SECOND:
                before[later] = max(before.get(later, -1), earlier)
    for later in sorted(before):
        generation[later] = generation[before[later]] + 1
        restart_of[later] = before[later]
    return generation, restart_of
