"""The loops over many messages: checksums are zlib's, and the same texts get the same number."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stunpcap.stun import bulk

XOR = 0x5354554E
"""What RFC 8489 section 14.7 has FINGERPRINT differ from the CRC-32 by: "STUN"."""
HEADER = bytes.fromhex("80280004")


def checked(run: Any, covered: list[bytes], told: list[int]) -> list[bool]:
    """What a check says of fingerprints."""
    joined, offset, size = b"", [], []
    for text, value in zip(covered, told, strict=True):
        offset.append(len(joined))
        size.append(len(text))
        joined += text + HEADER + value.to_bytes(4)
    found: list[bool] = run(joined, np.array(offset), np.array(size)).tolist()
    return found


def by_kernel(payload: bytes, offset: Any, size: Any) -> Any:
    valid = np.zeros(len(offset), np.bool_)
    bulk.compare(memoryview(payload), offset, size, bulk.crc_tables(), valid)
    return valid


def by_zlib(payload: bytes, offset: Any, size: Any) -> Any:
    return bulk.check_fingerprints(payload, offset, size, False)


@pytest.mark.parametrize("run", [by_kernel, by_zlib])
@given(texts=st.lists(st.tuples(st.binary(max_size=40), st.sampled_from([0, 0, 1, 1 << 31])), min_size=1, max_size=6))
def test_fingerprints(run: Any, texts: list[tuple[bytes, int]]) -> None:
    told = [zlib.crc32(text) ^ XOR ^ wrong for text, wrong in texts]
    assert checked(run, [text for text, _ in texts], told) == [not wrong for _, wrong in texts]


@pytest.mark.parametrize("run", [by_kernel, by_zlib])
def test_the_check_value_of_crc_32(run: Any) -> None:
    """The one that every catalogue of checksums gives for "123456789"."""
    assert checked(run, [b"123456789"] * 2, [0xCBF43926 ^ XOR, 0xCBF43926]) == [True, False]


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
