"""The loops over many messages: checksums are zlib's, and the same texts get the same number."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stunpcap.stun import bulk


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6))
def test_checksums(texts: list[bytes]) -> None:
    joined = b"".join(texts)
    size = np.array([len(text) for text in texts])
    offset, found = np.cumsum(size) - size, np.zeros(len(texts), np.int64)
    bulk.checksums(memoryview(joined), offset, size, bulk.crc_tables(), found)
    assert found.tolist() == [zlib.crc32(text) for text in texts]


def test_the_check_value_of_crc_32() -> None:
    """The one that every catalogue of checksums gives for "123456789"."""
    found = np.zeros(1, np.int64)
    bulk.checksums(memoryview(b"123456789"), np.array([0]), np.array([9]), bulk.crc_tables(), found)
    assert found[0] == 0xCBF43926


def number(texts: list[tuple[bytes, int]], run: Any) -> list[tuple[bytes, int]]:
    size = np.array([len(text) for text, _ in texts])
    variant = np.array([variant for _, variant in texts])
    first, numbers = run(memoryview(b"".join(text for text, _ in texts)), np.cumsum(size) - size, size, variant)
    assert first.tolist() == sorted(first.tolist()), "in order of first use"
    assert len({texts[row] for row in first.tolist()}) == len(first)
    return [texts[first[number]] for number in numbers.tolist()]


def plainly(buffer: memoryview, at: Any, size: Any, variant: Any) -> Any:
    slots, first, numbers = np.full(64, -1), np.zeros(len(at), np.int64), np.zeros(len(at), np.int64)
    count = bulk.same_texts(buffer, at, size, variant, 7, slots, first, numbers)
    return first[:count], numbers


TEXTS = st.tuples(st.sampled_from([b"", b"a", b"b", b"ab", b"abc\0", b"abc"]), st.integers(0, 2))


@given(st.lists(TEXTS, min_size=1, max_size=30))
def test_same_texts(texts: list[tuple[bytes, int]]) -> None:
    assert number(texts, plainly) == texts


def test_compiled() -> None:
    pytest.importorskip("numba")
    texts = [(b"x" * (number % 7), number % 3) for number in range(5000)]
    assert number(texts, bulk.distinct_texts) == texts
