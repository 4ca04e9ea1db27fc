"""Small tools for columns: grouping and looking up rows by several keys at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap.sorting import distinct, rank
from stunpcap.table import MISSING

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
    packed = _packed(keys)
    numbers, count = rank(packed[0])
    for key in packed[1:]:
        further, several = rank(key)
        numbers, count = rank(numbers * several + further)
    return numbers, count


def _packed(keys: Sequence[Any]) -> list[Any]:
    """Fewer keys that sort the same: neighbours share 63 bits where their ranges allow, since each is sorted by."""
    packed: list[Any] = []
    room = 0
    for key in map(np.asarray, keys):
        low = int(key.min())
        size = int(key.max()) - low + 1
        if size >= 2**62:
            packed.append(key)
            room = 0
            continue
        # Unsigned 64-bit numbers may fit only after the difference, narrow ones only before it.
        above = (key - np.uint64(low)).astype(np.int64) if key.dtype == np.uint64 else key.astype(np.int64) - low
        if size <= room:
            packed[-1] = packed[-1] * size + above
            room //= size
        else:
            packed.append(above)
            room = 2**62 // size
    return packed


def first_of(groups: Ints, count: int, order: Ints | None = None) -> Ints:
    """For each group the first row that belongs to it, in the given order of rows (default: as they stand).

    -1 for an empty group.  A row assigned last stays: hence the reversal.
    """
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


def find(wanted: Sequence[Any], known: Sequence[Any]) -> Ints:
    """For each combination of keys in `wanted` the last row of `known` that has the same; -1 if none has.

    Both are sequences of key columns, as many of one as of the other.
    """
    rows = len(wanted[0])
    groups, count = group(*(np.concatenate(both) for both in zip(wanted, known, strict=True)))
    return last_of(groups[rows:], count)[groups[:rows]]


def pick(values: Any, index: Ints, absent: Any = MISSING) -> Any:
    """Values at an index, and `absent` where the index is -1, which NumPy would take for the last row."""
    result = np.full(len(index), absent, np.asarray(values).dtype)
    there = index >= 0
    result[there] = values[index[there]]
    return result


def translate(numbers: Any, table: Mapping[int, int]) -> Ints:
    """What each number stands for in a small table."""
    values, places = distinct(numbers)
    return np.array([table[value] for value in values.tolist()], np.int64)[places]


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
