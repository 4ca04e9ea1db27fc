"""Small tools for columns: grouping and looking up rows by several keys at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def group(*keys: Any) -> tuple[Ints, int]:
    """Number the distinct combinations of keys.

    Returns
    -------
    numbers, count
        For each row the number of its combination (0 to count - 1, in sorted order of the keys).
    """
    rows = len(keys[0])
    if not rows:
        return np.zeros(0, np.int64), 0
    order = np.lexsort(keys[::-1])
    new = np.zeros(rows, np.bool_)
    for key in keys:
        ordered = np.asarray(key)[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    numbers = np.empty(rows, np.int64)
    numbers[order] = np.cumsum(new)
    return numbers, int(numbers[order[-1]]) + 1


def first_of(groups: Ints, count: int, order: Ints | None = None) -> Ints:
    """For each group the first row that belongs to it, in the given order of rows (default: as they stand)."""
    rows = np.arange(len(groups)) if order is None else order
    first = np.full(count, -1, np.int64)
    first[groups[rows[::-1]]] = rows[::-1]
    return first


def last_of(groups: Ints, count: int, order: Ints | None = None) -> Ints:
    """For each group the last row that belongs to it, in the given order of rows; -1 for an empty group."""
    rows = np.arange(len(groups)) if order is None else order
    last = np.full(count, -1, np.int64)
    last[groups[rows]] = rows
    return last


def count_in(groups: Ints, count: int, mask: Any = None) -> Ints:
    """How many rows (of those in `mask`) belong to each group."""
    picked = groups if mask is None else groups[mask]
    return np.bincount(picked, minlength=count).astype(np.int64)


def minimum_in(groups: Ints, count: int, values: Any, start: int) -> Ints:
    """Smallest value in each group, `start` where there is none."""
    result = np.full(count, start, np.int64)
    np.minimum.at(result, groups, values)
    return result


def maximum_in(groups: Ints, count: int, values: Any, start: int) -> Ints:
    """Largest value in each group, `start` where there is none."""
    result = np.full(count, start, np.int64)
    np.maximum.at(result, groups, values)
    return result
