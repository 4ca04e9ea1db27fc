"""The flow table: a row for each direction of a 5-tuple and each channel, in three arrays and a hash that finds it.

It grows with the flows, and is handed on as it stands: copied only where channels, which are numbered after all other
flows, came between these.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap import kernels
from stunpcap.room import larger
from stunpcap.table import NAT
from stunpcap.wire.acknowledged import ALL_COLUMNS, LAST_DATA, MISSING, UNACKED, new_holes, told
from stunpcap.wire.channels import DEEPEST, KEY
from stunpcap.wire.counters import COUNTERS, FIRST_FRAME
from stunpcap.wire.hashing import free_slots, new_seed, rehash
from stunpcap.wire.segments import REVERSE

Ints = npt.NDArray[np.int64]

ROOM = 256
"""Flows for which there is room at first."""


class FlowTable:
    """The flows of one capture, while it is read."""

    def __init__(self) -> None:
        self.count = 0
        self.seed = new_seed()
        self.keys = np.zeros((ROOM, KEY), np.uint32)
        self.counters = np.zeros((ROOM, COUNTERS), np.int64)
        self.tcp = np.zeros((ROOM, ALL_COLUMNS), np.int64)
        self.holes = new_holes()
        self.slots = free_slots(ROOM)

    def make_room(self) -> None:
        """Make room for four times as many flows, if it is used up."""
        count = self.count
        if count + DEEPEST < len(self.keys):
            return
        self.keys, self.counters = larger(self.keys, count), larger(self.counters, count)
        # Most captures have no TCP: zeros that are not written need no memory.
        self.tcp = larger(self.tcp, count if self.tcp[:count].any() else 0)
        self.slots = free_slots(len(self.keys))
        rehash.run(kernels.wanted(count, 50_000, 2_000), self.slots, self.keys, KEY, count, self.seed)

    def finish(self) -> Numbered:
        """The flows with their final numbers."""
        return Numbered(self)


class Numbered:
    """A flow table whose rows have their final numbers: channels come last.

    Attributes
    ----------
    number
        For each row of the table its number.
    channels
        The rows that are channels, in order.
    has_channels
        Whether there are any; if not, each number is the row's own.
    """

    def __init__(self, table: FlowTable) -> None:
        count = table.count
        self.keys = table.keys[:count]
        self.counters = table.counters[:count]
        self.tcp = table.tcp[:count]
        self.tcp[:, MISSING], self.tcp[:, UNACKED] = told(self.tcp, table.holes)
        self.tcp[self.tcp[:, LAST_DATA] == 0, LAST_DATA] = NAT
        is_channel = self.keys[:, 9] >= 0x10000
        self.channels = np.flatnonzero(is_channel)
        self.has_channels = bool(len(self.channels))
        self.number: Ints = np.arange(count)
        if self.has_channels:
            # Those on TCP come when their streams are put together, be that in the kernel or after it.
            self.channels = self.channels[np.argsort(self.counters[self.channels, FIRST_FRAME], kind="stable")]
            self._flows = np.flatnonzero(~is_channel)
            self.number[np.concatenate([self._flows, self.channels])] = np.arange(count)

    def of_flows(self, values: Any) -> Any:
        """Values of the rows that are no channels."""
        return values[self._flows] if self.has_channels else values

    def flow_tcp(self) -> Ints:
        """What is known of each flow that is a direction of a TCP connection; the other one by its final number."""
        tcp: Ints = self.of_flows(self.tcp)
        if self.has_channels:
            paired = tcp[:, REVERSE] > 0
            tcp[paired, REVERSE] = self.number[tcp[paired, REVERSE] - 1] + 1
        return tcp

    def channel_keys(self) -> Ints:
        """Carrying flow and number of each channel."""
        keys = self.keys[self.channels]
        return np.column_stack([self.number[keys[:, 8]], keys[:, 9] >> np.uint32(16)])
