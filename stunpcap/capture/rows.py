"""The columns that kernels write packets into, handed on as `Block`s."""

from __future__ import annotations

import numpy as np

from stunpcap.capture.notes import Notes
from stunpcap.capture.records import Block
from stunpcap.capture.window import Window

MOST_ROWS = 1 << 16
"""Packets a block at most, so that a block of tiny packets does not take many times its bytes."""


class Rows:
    """Arrays with `room` for packets; those from `first` to `row` have not been handed on yet."""

    def __init__(self, block_bytes: int) -> None:
        self.room = min(MOST_ROWS, block_bytes // 16 + 1)
        self._renew()

    def _renew(self) -> None:
        self.first = self.row = 0
        self.offset = np.empty(self.room, np.int64)
        self.caplen = np.empty(self.room, np.int64)
        self.wirelen = np.empty(self.room, np.int64)
        self.time = np.empty(self.room, np.int64)
        self.low = np.empty(self.room, np.int64)
        """Lower half of the time stamp, where `time` holds the upper one until the rows are handed on."""
        self.look = np.empty(self.room, np.int64)
        """For the reader's own use."""
        self.interface = np.zeros(self.room, np.int32)
        self.direction = np.zeros(self.room, np.int8)

    def __len__(self) -> int:
        return self.row - self.first

    @property
    def pending(self) -> slice:
        """The rows that have not been handed on."""
        return slice(self.first, self.row)

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
        self.first = self.row
        if self.row > self.room // 2:
            self._renew()
        return block
