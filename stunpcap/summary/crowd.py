"""How much of a crowd is listed.

A server's capture knows tens of thousands of clients, which nobody reads in an overview; the frames hold them all.  So
a summary lists in full what belongs to a session, at most `LISTED` of anything else, the most telling of it, and says
beside each list how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from stunpcap.ice.columns import Ints, count_in, first_of, group
from stunpcap.record import record
from stunpcap.sorting import in_order, ordered_by
from stunpcap.summary.columns import bounds, split

LISTED = 1000
"""Entries of a list that grows with the clients of a server."""

Mask = npt.NDArray[np.bool_]
T = TypeVar("T")


def at_most(items: Sequence[T]) -> tuple[T, ...]:
    """The first `LISTED` of them."""
    return tuple(items[:LISTED])


def choose(order: Ints, whole: Mask | None, *telling: Any) -> Ints:
    """Which entries are listed, in their order.

    Parameters
    ----------
    order
        The entries, in the order in which they are told.
    whole
        For each entry whether it is listed however many there are.
    telling
        Keys for each entry: of those beside, the lowest are listed.
    """
    rest = order if whole is None else order[~whole[order]]
    if len(rest) <= LISTED:
        return order
    best = rest[ordered_by(*(key[rest] for key in telling))] if telling else rest
    listed = np.zeros(int(order.max()) + 1, np.bool_) if whole is None else whole.copy()
    listed[best[:LISTED]] = True
    return order[listed[order]]


@record
class Few:
    """The distinct values of each group, `LISTED` at most."""

    rows: Ints
    "The first row of each that is listed: group by group, in a group as they come."
    ends: Ints
    "Where the groups begin in `rows`, and where the last one ends."
    totals: list[int]
    "How many there are in each group."

    def split(self, values: Sequence[T]) -> list[tuple[T, ...]]:
        """Values of `rows`, group by group."""
        return split(self.ends, values)


def few(groups: Ints, count: int, values: Any, first: Any = None) -> Few:
    """Of each group (0 to `count` - 1) the distinct values, as they come, `LISTED` at most; negative ones are none.

    Parameters
    ----------
    first
        For each row whether its value is listed before others, if not all can be.
    """
    rows = np.flatnonzero(values >= 0)
    numbers, different = group(groups[rows], values[rows])
    rows = np.sort(rows[first_of(numbers, different)])
    rows = rows[in_order(groups[rows])]
    totals = count_in(groups[rows], count)
    if len(rows) and int(totals.max()) > LISTED:
        begins = np.cumsum(totals) - totals
        order = np.arange(len(rows)) if first is None else ordered_by(groups[rows], ~first[rows])
        listed = np.empty(len(rows), np.bool_)
        listed[order] = np.arange(len(rows)) - begins[groups[rows]] < LISTED
        rows = rows[listed]
    return Few(rows, bounds(groups[rows], count), totals.tolist())
