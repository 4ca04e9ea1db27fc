"""Memory for tables that grow: by much, since what nobody has touched costs nothing, and only used rows are copied."""

from __future__ import annotations

from typing import Any

import numpy as np

LARGEST = (32 << 20) - (1 << 16)
"""Bytes of the largest piece that glibc may keep, less its own."""


def keep_freed() -> None:
    """Let the C library keep memory that becomes free, for the next column.

    glibc gives pieces of more than 128 KB back to the system at once, and that fills each new one with zeros, page by
    page; once a larger one was freed, it keeps those up to that size (mallopt(3), M_MMAP_THRESHOLD).  The one here is
    never touched.
    """
    np.empty(LARGEST, np.uint8)


def larger(table: Any, used: int) -> Any:
    """The first `used` rows of a table with room for four times as many as it had; the others are zeros."""
    grown = np.zeros((4 * len(table), table.shape[1]), table.dtype)
    grown[:used] = table[:used]
    return grown
