"""Grouping and looking up, against the plainest way to do it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stunpcap.ice.columns import count_in, find, first_of, group, last_of, maximum_in, minimum_in, pick, translate

NONE = np.zeros(0, np.int64)
keys = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), max_size=30)


def columns(rows):
    return tuple(np.array([row[place] for row in rows], np.int64) for place in (0, 1))


@given(keys)
def test_group_numbers_combinations_in_their_order(rows):
    numbers, count = group(*columns(rows))
    distinct = sorted(set(rows))
    assert count == len(distinct)
    assert [distinct[number] for number in numbers.tolist()] == rows


@given(keys)
def test_first_and_last(rows):
    numbers, count = group(*columns(rows))
    distinct = sorted(set(rows))
    assert first_of(numbers, count).tolist() == [rows.index(key) for key in distinct]
    assert last_of(numbers, count).tolist() == [len(rows) - 1 - rows[::-1].index(key) for key in distinct]
    assert count_in(numbers, count).tolist() == [rows.count(key) for key in distinct]


@given(keys, keys)
def test_find(wanted, known):
    found = find(columns(wanted), columns(known)).tolist()
    assert found == [len(known) - 1 - known[::-1].index(key) if key in known else -1 for key in wanted]


WIDE = st.sampled_from([-(2**63), -(2**62), -1, 0, 1, 2**40, 2**62, 2**63 - 1])


@given(st.lists(st.tuples(WIDE, st.integers(-128, 127), WIDE, st.booleans(), st.integers(0, 2**64 - 1)), max_size=20))
def test_keys_of_any_width_are_kept_apart_and_in_order(rows):
    """Keys are packed into fewer: nothing may overflow."""
    types = (np.int64, np.int8, np.int64, np.bool_, np.uint64)
    given_keys = [np.array([row[n] for row in rows], kind) for n, kind in enumerate(types)]
    numbers, count = group(*given_keys)
    distinct = sorted(set(rows))
    assert [distinct[number] for number in numbers.tolist()] == rows
    assert count == len(distinct)


def test_in_a_given_order_of_some_rows():
    groups = np.array([0, 1, 0, 1, 2])
    order = np.array([3, 2, 1, 0])
    assert first_of(groups, 4, order).tolist() == [2, 3, -1, -1]
    assert last_of(groups, 4, order).tolist() == [0, 1, -1, -1]


@pytest.mark.parametrize("values", [np.array([5, 6, 7]), np.array([0.5, 1.5, 2.5]), np.array([True, False, True])])
def test_pick_never_wraps_around(values):
    absent = False if values.dtype == bool else -1
    assert pick(values, np.array([2, -1, 0]), absent).tolist() == [values[2], absent, values[0]]
    assert pick(values[:0], np.array([-1, -1]), absent).tolist() == [absent, absent]
    assert pick(values, np.array([-1]), absent).dtype == values.dtype


def test_translate():
    assert translate(np.array([7, 3, 7], np.int32), {3: 30, 7: 2**62}).tolist() == [2**62, 30, 2**62]
    assert translate(NONE, {}).tolist() == []


def test_extremes():
    groups, values = np.array([0, 2, 0]), np.array([4, 9, -4])
    assert minimum_in(groups, 3, values, 100).tolist() == [-4, 100, 9]
    assert maximum_in(groups, 3, values, -100).tolist() == [4, -100, 9]


def test_nothing_in_no_groups():
    assert group(NONE, NONE)[1] == 0
    for function in (first_of, last_of, count_in):
        assert function(NONE, 0).tolist() == []
    assert count_in(NONE, 2).tolist() == [0, 0]
    assert find((NONE,), (np.array([1]),)).tolist() == []
    assert find((np.array([1]),), (NONE,)).tolist() == [-1]
