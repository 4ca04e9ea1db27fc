"""Reading words from a buffer, for kernels.  Whoever calls has checked that the bytes are there.

A byte is multiplied, never shifted: in compiled code a shifted byte is an unsigned number of 64 bits, and one of
these with a signed number makes a float, which silently spreads to all that it is added to.
"""

from __future__ import annotations

from typing import TypeAlias

from stunpcap.kernels import inner

Buffer: TypeAlias = memoryview
"""Bytes indexed one by one: a memoryview, or a uint8 array in compiled code."""


@inner
def u16(b: Buffer, o: int) -> int:
    """Big-endian 16 bits."""
    return b[o] * 0x100 + b[o + 1]


@inner
def u32(b: Buffer, o: int) -> int:
    """Big-endian 32 bits."""
    return b[o] * 0x1000000 + b[o + 1] * 0x10000 + b[o + 2] * 0x100 + b[o + 3]


@inner
def le16(b: Buffer, o: int) -> int:
    """Little-endian 16 bits."""
    return b[o] + b[o + 1] * 0x100


@inner
def has_cookie(b: Buffer, o: int, stop: int) -> bool:
    """Whether a datagram at `o` begins like STUN with the magic cookie (RFC 8489 section 5)."""
    return o + 8 <= stop and b[o] < 0x40 and b[o + 4] == 0x21 and b[o + 5] == 0x12 and u16(b, o + 6) == 0xA442
