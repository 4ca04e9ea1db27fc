"""Sorting and numbering do what NumPy's slower functions do, whatever the range of the values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stunpcap.sorting import among, distinct, first_rows, in_order, ordered_by, rank, values_in

DTYPES = ("int8", "int32", "int64", "uint32", "uint64")


@st.composite
def columns(draw: st.DrawFn) -> Any:
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    limits = np.iinfo(dtype)
    wide = st.integers(int(limits.min), int(limits.max))
    return np.array(draw(st.lists(st.one_of(st.integers(0, 5), wide), max_size=40)), dtype)


@given(columns())
def test_like_numpy(values: Any) -> None:
    assert in_order(values).tolist() == np.argsort(values, kind="stable").tolist()
    expected, first, places = np.unique(values, return_index=True, return_inverse=True)
    numbers, count = rank(values)
    assert (numbers.tolist(), count) == (places.tolist(), len(expected))
    found, which = distinct(values)
    assert (found.tolist(), which.tolist(), found.dtype) == (expected.tolist(), places.tolist(), values.dtype)
    assert values_in(values).tolist() == expected.tolist()
    assert first_rows(numbers, count).tolist() == first.tolist()


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(-2, 2)), max_size=30))
def test_by_several(rows: list[tuple[int, bool, int]]) -> None:
    keys = [np.array([row[k] for row in rows], dtype) for k, dtype in enumerate(("uint8", "bool", "int64"))]
    assert ordered_by(*keys).tolist() == sorted(range(len(rows)), key=lambda row: rows[row])


@pytest.mark.parametrize("spread", [1, 1 << 20, 1 << 62])
def test_many_rows(spread: int) -> None:
    """Few values far apart, and many: each way of sorting is taken."""
    values = np.random.default_rng(spread).integers(-spread, spread, 5000)
    assert in_order(values).tolist() == np.argsort(values, kind="stable").tolist()
    assert rank(values)[0].tolist() == np.unique(values, return_inverse=True)[1].tolist()


@pytest.mark.parametrize("dtype", ["int8", "uint32", "int64"])
def test_among_numbers(dtype: str) -> None:
    values = np.array([0, 1, 5, 100, 5, 7], dtype)
    assert among(values, (5, 1, 120)).tolist() == [False, True, True, False, True, False]
    assert among(values, frozenset()).tolist() == [False] * 6
    assert among(values[:0], (1,)).tolist() == []
