"""The options that pcapng blocks carry, for those blocks that Python looks at."""

from __future__ import annotations

import struct
from collections.abc import Iterator

END, COMMENT = 0, 1


def options(data: memoryview, at: int, end: int, big: bool) -> Iterator[tuple[int, bytes]]:
    """Code and value of each option between `at` and `end`.

    Raises
    ------
    ValueError
        An option reaches beyond the end, after those before it were given.
    """
    order = ">HH" if big else "<HH"
    while end - at >= 4:
        code, length = struct.unpack_from(order, data, at)
        if code == END:
            return
        at += 4
        if length > end - at:
            raise ValueError(f"option {code} of {length} bytes is longer than its block")
        yield code, bytes(data[at : at + length])
        at += length + -length % 4


def text(value: bytes) -> str:
    """An option's text; some writers end it with a zero."""
    return value.rstrip(b"\0").decode("utf-8", "replace")
