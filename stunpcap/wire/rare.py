"""What the packet walk leaves to Python, since it is rare: fragments, ICMP errors, several packets in one 802.11 frame.

What comes out of these are packets again; they wait here to be scanned like others, under the frame they came with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap.record import record
from stunpcap.sorting import distinct
from stunpcap.wire import layers
from stunpcap.wire.datagrams import IcmpError
from stunpcap.wire.fragments import Reassembled, Reassembler, split_fragment
from stunpcap.wire.linktypes import LLC, RAW
from stunpcap.wire.oddities import ENDINGS, LOST, POOR_QUOTE, Oddities
from stunpcap.wire.walk import (
    SPECIAL_AT,
    SPECIAL_DETAIL,
    SPECIAL_DIRECTION,
    SPECIAL_LENGTH,
    SPECIAL_SRC,
    SPECIAL_STATUS,
    SPECIAL_STOP,
)

Ints = npt.NDArray[np.int64]


@record
class Packet:
    """A packet within, or made of, others: it is scanned on its own, under the frame it came with."""

    data: memoryview
    wire_length: int
    layer: int
    frame: int
    time_ns: int
    direction: int


class Rare:
    """The fragments, ICMP errors and aggregates of one capture."""

    def __init__(self, oddities: Oddities) -> None:
        self._oddities = oddities
        self._reassembler = Reassembler()
        self.icmp: list[IcmpError] = []
        self.waiting: list[Packet] = []
        """Packets that came out of others and were not scanned yet."""

    def look_into(self, data: memoryview, special: list[int], frame: int, time_ns: int) -> None:
        """Take one packet, as the walk noted it in `special`."""
        status, at, stop = special[SPECIAL_STATUS], special[SPECIAL_AT], special[SPECIAL_STOP]
        length, direction = special[SPECIAL_LENGTH], special[SPECIAL_DIRECTION]
        if status == layers.FRAGMENT:
            self._take(self._reassembler.add(data[at:stop], length, frame, time_ns, direction))
        elif status == layers.ICMP_ERROR:
            self._note_icmp(data[at:stop], special, frame, time_ns)
        else:
            self._open_aggregate(data[at:stop], length, frame, time_ns, direction)

    def take_waiting(self) -> tuple[memoryview, tuple[Any, ...], Ints, Ints]:
        """The packets that wait, as a block has them: bytes, columns, layers to begin at, frames.  None waits then."""
        packets, self.waiting = self.waiting, []
        sizes = np.array([len(packet.data) for packet in packets], np.int64)
        starts_at, interface = distinct(np.array([packet.layer for packet in packets], np.int64))
        columns = (
            np.cumsum(sizes) - sizes,
            sizes,
            np.array([packet.wire_length for packet in packets], np.int64),
            np.array([packet.time_ns for packet in packets], np.int64),
            interface.astype(np.int32),
            np.array([packet.direction for packet in packets], np.int8),
        )
        frames = np.array([packet.frame for packet in packets], np.int64)
        return memoryview(b"".join([packet.data for packet in packets])), columns, starts_at, frames

    def end(self) -> bool:
        """Nothing more comes: give up what is in pieces; returns whether that left anything, which may nest."""
        unfinished = self._reassembler.finish()
        self._take(unfinished)
        return bool(unfinished)

    def _take(self, ended: list[Reassembled]) -> None:
        """Packets put together from fragments take the same road as others."""
        for one in ended:
            if one.ending in ENDINGS:
                self._oddities.note("network", ENDINGS[one.ending], one.frame)
            if one.packet:
                data = memoryview(one.packet)
                self.waiting.append(Packet(data, one.wire_length, RAW, one.frame, one.time_ns, one.direction))

    def _open_aggregate(self, data: memoryview, length: int, frame: int, time_ns: int, direction: int) -> None:
        """The subframes of an A-MSDU (IEEE 802.11 section 9.3.2.2): addresses, length, LLC; padded to four bytes."""
        at = 0
        while at + 14 <= len(data):
            size = int.from_bytes(data[at + 12 : at + 14])
            if not size:
                return
            inside = data[at + 14 : at + 14 + size]
            self.waiting.append(Packet(inside, min(size, length - at - 14), LLC, frame, time_ns, direction))
            at = (at + 14 + size + 3) & ~3
        if length > len(data) and at + 14 <= length:
            self._oddities.note(*LOST[layers.CUT], frame)

    def _note_icmp(self, quote: memoryview, special: list[int], frame: int, time_ns: int) -> None:
        f = [0] * layers.ALL_FIELDS
        # A quote is nearly always shorter than what it quotes.
        beyond = len(quote) + 0x10000
        status = layers.dissect(quote, 0, len(quote), beyond, RAW, f)
        if status == layers.FRAGMENT:
            fragment = split_fragment(quote[f[layers.IP_AT] : f[layers.STOP]], 0)
            if fragment is not None and fragment.at == 0:
                quote = memoryview(fragment.header + fragment.payload)
                status = layers.dissect(quote, 0, len(quote), beyond, RAW, f)
        ports_only = status == layers.CUT and f[layers.DETAIL] == layers.TCP
        if status != layers.DATAGRAM and not ports_only:
            self._oddities.note("network", POOR_QUOTE, frame)
            return
        detail = special[SPECIAL_DETAIL]
        self.icmp.append(
            IcmpError(
                frame=frame,
                time_ns=time_ns,
                version=6 if detail >> 16 == layers.ICMPV6 else 4,
                type=detail >> 8 & 0xFF,
                code=detail & 0xFF,
                sender=tuple(special[SPECIAL_SRC : SPECIAL_SRC + 4]),
                quoted=(*f[:8], f[layers.SPORT] << 16 | f[layers.DPORT], f[layers.PROTO]),
                payload=bytes(quote[f[layers.START] : f[layers.STOP]]),
            )
        )
