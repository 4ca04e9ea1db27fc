"""Sorting and numbering columns of integers.

NumPy's own `unique` and stable sorts take five times as long on hundreds of thousands of rows, and `unique` imports
NumPy's masked arrays, which takes longer than reading a small capture.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def in_order(values: Any) -> Ints:
    """The rows in order of their values; among the same values as they stand."""
    rows = len(values)
    if rows < 2 or bool((values[1:] >= values[:-1]).all()):
        return np.arange(rows)
    low, high = int(values.min()), int(values.max())
    if (high - low + 1) * rows >= 2**63:
        return np.argsort(values, kind="stable")
    keyed = _from(values, low) * rows + np.arange(rows)
    keyed.sort()
    keyed %= rows
    return keyed


def ordered_by(*keys: Any) -> Ints:
    """The rows in order of the first key, then of the second, and so on; then as they stand."""
    order = in_order(keys[-1])
    for key in keys[-2::-1]:
        order = order[in_order(key[order])]
    return order


def rank(values: Any) -> tuple[Ints, int]:
    """For each value the number of smaller distinct values, and how many distinct ones there are."""
    rows = len(values)
    if not rows:
        return np.zeros(0, np.int64), 0
    low, high = int(values.min()), int(values.max())
    if high - low < 4 * rows:
        places = _from(values, low)
        here = np.zeros(high - low + 1, np.int64)
        here[places] = 1
        numbers = np.cumsum(here) - 1
        return numbers[places], int(numbers[-1]) + 1
    order = np.argsort(values)
    ordered = values[order]
    new = np.zeros(rows, np.int64)
    new[1:] = ordered[1:] != ordered[:-1]
    counted = np.cumsum(new)
    result = np.empty(rows, np.int64)
    result[order] = counted
    return result, int(counted[-1]) + 1


def distinct(values: Any) -> tuple[Any, Ints]:
    """The distinct values in order, and for each value which of them it is."""
    numbers, count = rank(values)
    found = np.empty(count, np.asarray(values).dtype)
    found[numbers] = values
    return found, numbers


def values_in(values: Any) -> Any:
    """The distinct values in order."""
    return distinct(values)[0]


def among(values: Any, numbers: Collection[int]) -> Any:
    """Which values are among some numbers that do not lie far apart, such as codes.

    By a table: the other way of `np.isin` imports NumPy's masked arrays, which takes longer than all rules on a small
    capture.
    """
    return np.isin(values, np.array([*numbers], np.int64), kind="table")


def first_rows(numbers: Ints, count: int) -> Ints:
    """The first row of each number from 0 to `count` - 1, each of which occurs."""
    first = np.empty(count, np.int64)
    first[numbers[::-1]] = np.arange(len(numbers) - 1, -1, -1)  # a row assigned last stays
    return first


def _from(values: Any, low: int) -> Ints:
    """How much values exceed `low`, the smallest; the differences fit, the values themselves may not."""
    above: Ints = (
        (values - np.uint64(low)).astype(np.int64) if values.dtype == np.uint64 else values.astype(np.int64) - low
    )
    return above
