"""Candidate pairs, and what became of the checks in each of their directions."""

from __future__ import annotations

import numpy as np

from stunpcap.ice.columns import Ints, count_in, find, first_of, group, last_of, maximum_in, pick
from stunpcap.record import record
from stunpcap.sorting import ordered_by
from stunpcap.summary.columns import bounds, from_columns, split
from stunpcap.summary.crowd import Mask
from stunpcap.summary.evidence import Evidence, collect, note_silence
from stunpcap.summary.model import Direction, Pair
from stunpcap.summary.words import direction_outcome
from stunpcap.table import Table

_SAID = (
    *("state", "path", "requests_sent", "transmissions", "responses_received", "unanswered", "unfinished"),
    *("icmp_received", "other_address", "mapped", "last_answer_time"),
)
"""Columns of `pairs` that the outcome of a direction is worded from."""
_SAME = ("src", "dst", "consent_requests_sent", "errors_received", "rtt_min_s", "rtt_median_s", "first_frame")
"""Other columns that a direction has."""


@record
class Paired:
    """The pairs of sessions, one entry a session each."""

    pairs: list[tuple[Pair, ...]]
    "By vantage; those that worked, or show something, first."
    one_way: list[int]
    "Pairs on which checks succeeded in one direction only."
    both_ways: list[int]


def build_pairs(sessions: Table, pairs: Table, of: Ints, side: Ints, transactions: Table) -> Paired:
    """The rows of `pairs`, which are directions, put together.

    Parameters
    ----------
    of
        For each row of `pairs` its row of `sessions`.
    side
        For each row of `pairs` who sent: 0 for A, 1 for B.
    """
    src, dst, pair_id = pairs["src"], pairs["dst"], pairs["pair_id"]
    both, count = group(of, pairs["vantage"], pair_id)
    first = first_of(both, count)
    own = of[first]
    # What one capture calls A's address is A's in all of them.
    same, different = group(own, pair_id[first])
    leading = first[first_of(same, different, np.argsort(first))][same]
    a, b = (np.where(side[leading] == number, src[leading], dst[leading]) for number in (0, 1))
    forth = last_of(both, count, np.flatnonzero(src == a[both]))
    back = last_of(both, count, np.flatnonzero((src == b[both]) & (a != b)[both]))

    succeeded = pairs["state"] == pairs.code("state", "succeeded")
    worked = pick(succeeded, forth, False).astype(np.int64) + pick(succeeded, back, False)
    answers = ("responses_received", "errors_received", "icmp_received", "other_address")
    answered = np.any([pairs[name] > 0 for name in answers], axis=0)
    nominated = pairs["nominated"][first]
    selected = nominated & (a == sessions["nominated_src"][own]) & (b == sessions["nominated_dst"][own])
    shows = pick(answered, forth, False) | pick(answered, back, False)
    rank = np.select([selected, nominated, worked > 0, shows], [0, 1, 2, 3], 4)
    captures, n_captures = group(of, pairs["vantage"])
    order = ordered_by(own, first_of(captures, n_captures)[captures[first]], rank, pair_id[first])

    # Several captures may tell of a pair: it worked both ways if one of them says so, else what the last one says.
    last = worked[order[last_of(same[order], different)]]
    best = np.where(maximum_in(same, different, worked, 0) == 2, 2, last)
    session = own[first_of(same, different)]
    one_way, both_ways = (count_in(session, len(sessions), best == number).tolist() for number in (1, 2))

    directions = _directions(pairs, transactions)
    first, a, b, forth, back = (column[order] for column in (first, a, b, forth, back))
    found = _pairs(pairs, directions, first, a, b, selected[order], forth, back)
    return Paired(split(bounds(of[first], len(sessions)), found), one_way, both_ways)


def _pairs(
    pairs: Table, directions: list[Direction], first: Ints, a: Ints, b: Ints, selected: Mask, forth: Ints, back: Ints
) -> list[Pair]:
    """Pairs from their first row of `pairs`, their ends, and the rows of their directions (-1: none)."""
    shown = pairs.take(first)
    straight, types = shown["src"] == a, (shown["src_type"], shown["dst_type"])
    shown["src_type"], shown["dst_type"] = np.where(straight, *types), np.where(straight, *types[::-1])
    columns = {name: shown.values(name) for name in ("pair_id", "vantage", "transport", "carrier", "nominated")}
    columns["a"], columns["b"] = (pairs.pools.endpoints.texts(end.tolist()) for end in (a, b))
    columns["a_type"], columns["b_type"] = shown.values("src_type"), shown.values("dst_type")
    columns["selected"] = selected.tolist()
    for name, rows in (("a_to_b", forth), ("b_to_a", back)):
        columns[name] = [directions[row] if row >= 0 else None for row in rows.tolist()]
    return from_columns(Pair, columns)


def _directions(pairs: Table, transactions: Table) -> list[Direction]:
    """One for each row of `pairs`."""
    evidence = _evidence(pairs, transactions)
    keys = [pairs[name] for name in ("session_id", "vantage", "pair_id", "src")]
    lost = pairs["path"] == pairs.code("path", "lost")
    back_is_lost = find([*keys[:3], pairs["dst"]], [key[lost] for key in keys]) >= 0
    columns = {name: pairs.values(name) for name in (*_SAME, *_SAID)}
    columns["seen_as"] = columns["mapped"]
    columns["errors"] = [seen.error_answers() for seen in evidence]
    for name in ("icmp", "answered_from", "answered_to", "frames"):
        columns[name] = [tuple(getattr(seen, name)) for seen in evidence]
    columns["silent_at_end"] = [seen.silent_at_end for seen in evidence]
    rows = (dict(zip(_SAID, row, strict=True)) for row in zip(*(columns[name] for name in _SAID), strict=True))
    told = (columns[name] for name in ("errors", "icmp", "answered_from", "answered_to", "silent_at_end"))
    columns["outcome"] = list(map(direction_outcome, rows, *told, back_is_lost.tolist()))
    return from_columns(Direction, columns)


def _evidence(pairs: Table, transactions: Table) -> list[Evidence]:
    """What the transactions show of each row of `pairs`."""
    names = ("session_id", "vantage", "src", "dst", "transport")
    row_of = find([transactions[name] for name in names], [pairs[name] for name in names])
    rows = np.flatnonzero(row_of >= 0)
    found = collect(transactions, rows, row_of[rows], len(pairs))
    note_silence(transactions, rows, row_of[rows], pairs["last_answer_time"], found)
    return found
