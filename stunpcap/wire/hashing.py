"""A hash table of rows of 32-bit words, for kernels: open addressing, kept in plain arrays.

`keys[i]` is row i in order of first use; `slots` maps a hash to a row, -1 where free.  The caller sees to it that
`slots` has a power of two entries and stays at most half full.  The hash depends on a seed that is drawn anew for
each table, lest somebody makes a capture in which all keys meet in one place; the order of rows does not depend on it.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap.kernels import inner, kernel


@inner
def find_slot(slots: Any, keys: Any, width: int, key: Any, seed: int) -> int:
    """The slot of a key: either the one that holds its row, or the free one where it belongs."""
    h = seed
    for k in range(width):
        h = (h ^ int(key[k])) * 0x45D9F3B & 0xFFFFFFFF  # stays below 2^63
        h ^= h >> 15
    mask = len(slots) - 1
    h &= mask
    while True:
        row = int(slots[h])
        if row < 0:
            return h
        same = True
        for k in range(width):
            if int(keys[row, k]) != int(key[k]):
                same = False
                break
        if same:
            return h
        h = (h + 1) & mask


@kernel
def rehash(slots: Any, keys: Any, width: int, rows: int, seed: int) -> None:
    """Enter all rows into empty slots."""
    for row in range(rows):
        slots[find_slot(slots, keys, width, keys[row], seed)] = row


def new_seed() -> int:
    """A seed for one table."""
    return int.from_bytes(os.urandom(4)) >> 1


def free_slots(count: int) -> npt.NDArray[np.int32]:
    """Empty slots for that many rows."""
    size = 1 << max(6, int(count * 2 - 1).bit_length())
    return np.full(size, -1, np.int32)
