"""Memory for tables: they grow by much, since what nobody touched costs nothing, and copy no more than they must."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

LARGEST = (32 << 20) - (1 << 16)
"""Bytes of the largest piece that glibc may keep, less its own."""


ROOM = 256
"""Rows that there is room for at first."""


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


def below(parts: Sequence[Any]) -> Any:
    """One below the other; a single one is not copied, but to be read only."""
    if len(parts) > 1:
        return np.concatenate(parts)
    alone = parts[0].view()
    alone.flags.writeable = False
    return alone


def width(dtypes: Mapping[str, npt.DTypeLike]) -> int:
    """Bytes of a row of such columns."""
    return sum(np.dtype(dtype).itemsize for dtype in dtypes.values())


def in_one_piece(memory: npt.NDArray[np.uint8], dtypes: Mapping[str, npt.DTypeLike], rows: int) -> dict[str, Any]:
    """Columns of so many rows, one behind the other in a piece of memory; a dtype may have several words a row."""
    columns, at = {}, 0
    for name, dtype in ((name, np.dtype(dtype)) for name, dtype in dtypes.items()):
        size = rows * dtype.itemsize
        columns[name] = memory[at : at + size].view(dtype.base).reshape(rows, *dtype.shape)
        at += size
    return columns


class Columns:
    """Columns that grow together; rows only ever come at the end.

    All lie in one piece of memory, which is doubled when it is full: an operating system hands out one large piece far
    faster than many small ones.
    """

    def __init__(self, dtypes: Mapping[str, npt.DTypeLike], room: int = ROOM) -> None:
        """Room for so many rows at first; a dtype may have several words a row."""
        # Widest first: then each begins where its items may, if rows come in eights.
        self._dtypes = dict(sorted(dtypes.items(), key=lambda item: -np.dtype(item[1]).base.itemsize))
        self.rows = 0
        self._make(room)

    def _make(self, room: int) -> None:
        self._room = room + 7 & ~7
        self._columns = in_one_piece(np.empty(width(self._dtypes) * self._room, np.uint8), self._dtypes, self._room)

    def add(self, values: Mapping[str, Any], count: int) -> None:
        """Rows at the end; the values fit the columns."""
        end = self.rows + count
        if end > self._room:
            before = self.used()
            self._make(max(2 * self._room, end))
            for name, column in self._columns.items():
                column[: self.rows] = before[name]
        for name, column in self._columns.items():
            column[self.rows : end] = values[name]
        self.rows = end

    def used(self) -> dict[str, Any]:
        """The columns as far as there are rows."""
        return {name: column[: self.rows] for name, column in self._columns.items()}
