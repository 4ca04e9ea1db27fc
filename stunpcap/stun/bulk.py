"""Loops over many decoded messages: fingerprints, and which texts are the same.

For the many messages of a server there are kernels (see `stunpcap.kernels`); where messages are few, zlib does the
former and `stunpcap.stun.columns` the latter with a dictionary.
"""

from __future__ import annotations

import functools
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap.kernels import kernel
from stunpcap.stun.values import FINGERPRINT_XOR
from stunpcap.wire.hashing import new_seed
from stunpcap.wire.words import u32

BEFORE_VALUE = 4
"""Bytes of an attribute before its value."""
POLYNOMIAL = 0xEDB88320
"""That of CRC-32 (ITU V.42), reflected."""


@functools.cache
def crc_tables() -> npt.NDArray[np.int64]:
    """What each value of a byte adds to the checksum, with 0 to 7 bytes between it and the end: 8 x 256."""
    tables = np.zeros((8, 256), np.int64)
    tables[0] = np.arange(256)
    for _ in range(8):
        tables[0] = tables[0] >> 1 ^ np.where(tables[0] & 1, POLYNOMIAL, 0)
    for step in range(1, 8):
        tables[step] = tables[step - 1] >> 8 ^ tables[0][tables[step - 1] & 0xFF]
    return tables


@kernel
def compare(b: Any, offset: Any, size: Any, t: Any, valid: Any) -> None:
    """Compare the CRC-32 of `size` bytes from `offset` on, taken eight at a time (tables `t`), with the FINGERPRINT
    that follows."""
    for i in range(len(offset)):
        o = int(offset[i])
        end = o + int(size[i])
        crc = 0xFFFFFFFF
        while o + 8 <= end:
            crc ^= int(b[o]) | int(b[o + 1]) << 8 | int(b[o + 2]) << 16 | int(b[o + 3]) << 24
            crc = (
                int(t[7, crc & 0xFF])
                ^ int(t[6, crc >> 8 & 0xFF])
                ^ int(t[5, crc >> 16 & 0xFF])
                ^ int(t[4, crc >> 24])
                ^ int(t[3, int(b[o + 4])])
                ^ int(t[2, int(b[o + 5])])
                ^ int(t[1, int(b[o + 6])])
                ^ int(t[0, int(b[o + 7])])
            )
            o += 8
        while o < end:
            crc = crc >> 8 ^ int(t[0, (crc ^ int(b[o])) & 0xFF])
            o += 1
        valid[i] = (crc ^ 0xFFFFFFFF ^ FINGERPRINT_XOR) == u32(b, end + BEFORE_VALUE)


def check_fingerprints(payload: bytes, offset: Any, size: Any, fast: bool) -> Any:
    """Whether the FINGERPRINT that follows `size` bytes from `offset` on is theirs (RFC 8489 section 14.7)."""
    valid = np.empty(len(offset), np.bool_)
    view = memoryview(payload)
    if fast:
        compare.run(True, view, offset, size, crc_tables(), valid)
        return valid
    for row, (at, covered) in enumerate(zip(offset.tolist(), size.tolist(), strict=True)):
        valid[row] = zlib.crc32(view[at : at + covered]) ^ FINGERPRINT_XOR == u32(view, at + covered + BEFORE_VALUE)
    return valid


@kernel
def same_texts(b: Any, at: Any, size: Any, variant: Any, seed: int, slots: Any, first: Any, numbers: Any) -> int:
    """Number the distinct texts in order of first use; returns how many there are, `first` has a row of each.

    `slots` is a hash table with a power of two entries, -1 where free, at most half full.  The hash depends on a seed,
    lest somebody makes a capture in which all texts meet in one place.
    """
    count = 0
    mask = len(slots) - 1
    for i in range(len(at)):
        start = int(at[i])
        length = int(size[i])
        h = seed ^ int(variant[i])
        for k in range(start, start + length):
            h = (h ^ int(b[k])) * 0x45D9F3B & 0xFFFFFFFF  # stays below 2^63
            h ^= h >> 15
        h &= mask
        while True:
            known = int(slots[h])
            if known < 0:
                slots[h] = count
                first[count] = i
                numbers[i] = count
                count += 1
                break
            other = int(first[known])
            if int(size[other]) == length and int(variant[other]) == int(variant[i]):
                there = int(at[other])
                k = 0
                while k < length and int(b[there + k]) == int(b[start + k]):
                    k += 1
                if k == length:
                    numbers[i] = known
                    break
            h = (h + 1) & mask
    return count


def distinct_texts(buffer: memoryview, at: Any, size: Any, variant: Any) -> tuple[Any, Any]:
    """The first row of each distinct text, in order, and for each row which of them it is."""
    slots = np.full(1 << int(len(at) * 2).bit_length(), -1, np.int64)
    first, numbers = np.empty(len(at), np.int64), np.empty(len(at), np.int64)
    columns = (np.ascontiguousarray(one, np.int64) for one in (at, size, variant))
    count = same_texts.run(True, buffer, *columns, new_seed(), slots, first, numbers)
    return first[:count], numbers
