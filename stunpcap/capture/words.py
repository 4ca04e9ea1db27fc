"""Numbers in buffers, for kernels, and the codes with which the kernels of this floor stop.

Sums and products instead of shifts: numba makes a shifted byte unsigned, and unsigned with signed a float.
"""

from __future__ import annotations

from stunpcap.kernels import inner

NEED = 0
"""More bytes are needed from the cursor on: the value says how many."""
FULL = 1
"""The rows are used up."""
ZEROS = 2
"""A record of zeros."""
BAD = 3
"""A record that says impossible things; the value is its length."""

LONGEST = 16 << 20
"""Bytes of the longest block or record that is believed."""


@inner
def word(data: memoryview, at: int, big: bool) -> int:
    """The unsigned 32-bit number at `at`."""
    if big:
        return data[at + 3] + data[at + 2] * 256 + data[at + 1] * 65536 + data[at] * 16777216
    return data[at] + data[at + 1] * 256 + data[at + 2] * 65536 + data[at + 3] * 16777216


@inner
def half(data: memoryview, at: int, big: bool) -> int:
    """The unsigned 16-bit number at `at`."""
    if big:
        return data[at + 1] + data[at] * 256
    return data[at] + data[at + 1] * 256
