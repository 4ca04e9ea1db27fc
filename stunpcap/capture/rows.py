"""The columns that kernels write packets into, handed on as `Block`s."""

from __future__ import annotations

import sys

import numpy as np

from stunpcap.capture.notes import Notes
from stunpcap.capture.records import Block
from stunpcap.capture.window import Window
from stunpcap.room import in_one_piece, width

MOST_ROWS = 1 << 15
"""Packets a block at most, so that a block of tiny packets does not take many times its bytes."""
SMALLEST = 96
"""Bytes in a file of a packet that matters, its header included: packets of fewer make more blocks."""
SPARE = 4
"""Sets of columns that are kept to be used again: of blocks read ahead, the one worked on, and the one being filled."""
COLUMNS = {
    "offset": np.int64,
    "caplen": np.int64,
    "wirelen": np.int64,
    "time": np.int64,
    "low": np.int64,
    "look": np.int64,
    "interface": np.int32,
    "direction": np.int8,
}


class _Set:
    """Columns in one piece of memory, zeros at first; a reader writes all of the same ones each time."""

    def __init__(self, room: int) -> None:
        memory = np.zeros(room * width(COLUMNS), np.uint8)
        self.columns = in_one_piece(memory, COLUMNS, room)
        self._memory = memory
        self._own = sys.getrefcount(memory)

    @property
    def free(self) -> bool:
        """Whether nobody looks at it: each view of it, and of these, holds the memory itself."""
        return sys.getrefcount(self._memory) < self._own


class Rows:
    """Columns with `room` for packets; those up to `row` have not been handed on yet.

    `low` is the lower half of the time stamp, where `time` holds the upper one until the rows are handed on; `look` is
    for the reader's own use.
    """

    def __init__(self, block_bytes: int) -> None:
        self.room = min(MOST_ROWS, block_bytes // SMALLEST + 1)
        self._spare: list[_Set] = []
        self._renew()

    def _renew(self) -> None:
        self.row = 0
        used = next((one for one in self._spare if one.free), None)
        if used is None:
            used = _Set(self.room)
            self._spare = [*self._spare[1 - SPARE :], used]
        self.offset, self.caplen, self.wirelen, self.time, self.low, self.look, self.interface, self.direction = (
            used.columns.values()
        )

    def __len__(self) -> int:
        return self.row

    @property
    def pending(self) -> slice:
        """The rows that have not been handed on."""
        return slice(self.row)

    def hand_on(self, window: Window, notes: Notes) -> Block:
        """The pending rows, which lie in the window's buffer, as a block; their frames are then counted."""
        rows = self.pending
        block = Block(
            data=window.data,
            position=window.position,
            first_frame=notes.frame + 1,
            offset=self.offset[rows],
            caplen=self.caplen[rows],
            wirelen=self.wirelen[rows],
            time_ns=self.time[rows],
            interface=self.interface[rows],
            direction=self.direction[rows],
        )
        notes.frame += len(self)
        self._renew()
        return block
