"""IP fragments put together again (RFC 791 section 3.2, RFC 8200 section 4.5).

A whole packet is handed back as a new unfragmented one, under the frame that completed it, as Wireshark has it.
What never becomes whole is handed back as far as its first bytes go, under the frame of the first fragment: a STUN
message fits that one more often than not.  Nothing is dropped without a word: each result says how it ended.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from stunpcap.record import record

MAX_PENDING = 4096
"""Packets in pieces kept at a time; beyond that the oldest is given up."""
MAX_BYTES = 32 << 20
"""Bytes of pieces kept at a time, likewise."""
TIMEOUT_NS = 60 * 10**9
"""After that long (RFC 8200 section 4.5) the same identification means another packet."""
LARGEST = 65535
"""Bytes of payload that an IP packet can have."""

WHOLE, MISSING, REPEATED, BROKEN = range(4)
"""How it ended: whole; pieces are missing; a piece captured once more after its packet was whole; no valid piece."""


@record
class Reassembled:
    """An IP packet in one piece, or its beginning; `packet` is empty where not even that was captured."""

    ending: int
    packet: bytes
    wire_length: int
    frame: int
    time_ns: int
    direction: int


@dataclass(slots=True, eq=False, repr=False)
class Pieces:
    """What has been seen of one fragmented packet."""

    since_ns: int
    frame: int
    time_ns: int
    direction: int
    repeats: bool
    """Whether a packet of this key had just been put together."""
    last_frame: int = 0
    """The last frame with a piece, and its time: pieces that were themselves in pieces come late."""
    last_time_ns: int = 0
    header: bytes = b""
    """IP header of the first fragment, rewritten as if nothing had been fragmented; empty until it was seen."""
    total: int = -1
    """Length of the payload, known from the last fragment."""
    payload: bytearray = field(default_factory=bytearray)
    have: bytearray = field(default_factory=bytearray)
    """One byte for each of the payload: 1 where it was captured."""
    filled: int = 0

    def enter(self, at: int, piece: bytes) -> None:
        """Take bytes; of those seen twice the ones captured first stay."""
        if at == len(self.have):  # the next one, as nearly always
            self.payload += piece
            self.have += b"\1" * len(piece)
            self.filled += len(piece)
            return
        end = at + len(piece)
        if end > len(self.have):
            missing = bytes(end - len(self.have))
            self.payload += missing
            self.have += missing
        fresh = self.have.count(0, at, end)
        if fresh == len(piece):
            self.payload[at:end] = piece
        elif fresh:
            begin = self.have.find(0, at, end)
            while begin >= 0:
                stop = self.have.find(1, begin, end)
                stop = end if stop < 0 else stop
                self.payload[begin:stop] = piece[begin - at : stop - at]
                begin = self.have.find(0, stop, end)
        self.have[at:end] = b"\1" * len(piece)
        self.filled += fresh

    @property
    def is_whole(self) -> bool:
        """Whether every byte up to the end is there, and the header."""
        if not self.header or not 0 <= self.total <= self.filled:
            return False
        return self.have.find(0, 0, self.total) < 0

    def contiguous(self) -> bytes:
        """Payload from its beginning to the first gap."""
        gap = self.have.find(0)
        return bytes(self.payload if gap < 0 else self.payload[:gap])


class Reassembler:
    """Collects fragments, keyed as the RFCs have it: addresses, protocol, identification."""

    def __init__(self) -> None:
        # Of a plain dict the oldest key is found ever more slowly while others go in front of it.
        self._pending: OrderedDict[bytes, Pieces] = OrderedDict()
        self._bytes = 0
        self._done: OrderedDict[bytes, int] = OrderedDict()

    def add(
        self, packet: memoryview, wire_length: int, frame: int, time_ns: int, direction: int = 0
    ) -> list[Reassembled]:
        """Take one fragment, beginning with its IP header; returns what that completed, and what had to give way.

        `wire_length` is its length before the snap length cut it.
        """
        split = split_fragment(packet, wire_length)
        if split is None or split.at + split.size > LARGEST:
            return [Reassembled(BROKEN, b"", 0, frame, time_ns, direction)]
        key, ended = split.key, []
        pieces = self._pending.get(key)
        if pieces is not None and time_ns - pieces.since_ns > TIMEOUT_NS:
            ended.append(self._give_up(key))
            pieces = None
        if pieces is None:
            if len(self._pending) >= MAX_PENDING:
                ended.append(self._give_up(next(iter(self._pending))))
            repeats = key in self._done and time_ns - self._done[key] <= TIMEOUT_NS
            pieces = self._pending[key] = Pieces(time_ns, frame, time_ns, direction, repeats)
        if split.at == 0 and not pieces.header:
            pieces.header = split.header
            pieces.frame, pieces.time_ns, pieces.direction = frame, time_ns, direction
        if frame > pieces.last_frame:
            pieces.last_frame, pieces.last_time_ns = frame, time_ns
        self._bytes -= len(pieces.have)
        pieces.enter(split.at, split.payload)
        self._bytes += len(pieces.have)
        if not split.more and pieces.total < 0:
            pieces.total = split.at + split.size
        if pieces.is_whole:
            self._drop(key)
            self._done.pop(key, None)
            self._done[key] = time_ns
            if len(self._done) > MAX_PENDING:
                self._done.popitem(last=False)
            whole = pieces.header + pieces.payload[: pieces.total]
            last = pieces.last_frame, pieces.last_time_ns
            ended.append(Reassembled(WHOLE, whole, len(whole), *last, direction))
        while self._bytes > MAX_BYTES:
            ended.append(self._give_up(next(iter(self._pending))))
        return ended

    def finish(self) -> list[Reassembled]:
        """Everything that never became whole."""
        return [self._give_up(key) for key in list(self._pending)]

    def _drop(self, key: bytes) -> Pieces:
        pieces = self._pending.pop(key)
        self._bytes -= len(pieces.have)
        return pieces

    def _give_up(self, key: bytes) -> Reassembled:
        pieces = self._drop(key)
        packet, wire_length = b"", 0
        if pieces.header and not pieces.repeats:
            packet = pieces.header + pieces.contiguous()
            # Where the end is unknown, the lengths in the packet itself decide.
            wire_length = len(pieces.header) + (pieces.total if pieces.total >= 0 else LARGEST)
            wire_length = max(wire_length, len(packet))
        ending = REPEATED if pieces.repeats else MISSING
        return Reassembled(ending, packet, wire_length, pieces.frame, pieces.time_ns, pieces.direction)


@record
class Fragment:
    """One fragment taken apart."""

    key: bytes
    header: bytes
    """As if the packet were not fragmented; its length field zero: as long as the packet is."""
    at: int
    """Offset in the payload."""
    more: bool
    payload: bytes
    size: int
    """Length of the payload before the snap length cut it."""


def split_fragment(packet: memoryview, wire_length: int) -> Fragment | None:
    """Take a fragment apart, which begins with its IP header and ends where that says; None if it is no valid one."""
    if len(packet) < 20:
        return None
    return _split_v4(packet, wire_length) if packet[0] >> 4 == 4 else _split_v6(packet, wire_length)


def _split_v4(packet: memoryview, wire_length: int) -> Fragment | None:
    size = (packet[0] & 0x0F) * 4
    if size < 20 or len(packet) < size:
        return None
    head = bytes(packet[:size])
    word = head[6] << 8 | head[7]
    return Fragment(
        head[4:6] + head[9:10] + head[12:20],
        b"".join((head[:2], b"\0\0", head[4:6], b"\0\0", head[8:])),
        (word & 0x1FFF) * 8,
        word & 0x2000 != 0,
        bytes(packet[size:]),
        max(wire_length, len(packet)) - size,
    )


def _split_v6(packet: memoryview, wire_length: int) -> Fragment | None:
    protocol, at, before = packet[6], 40, 6
    while protocol != 44:
        if protocol not in (0, 43, 51, 60, 135, 139, 140) or len(packet) < at + 8:
            return None
        size = (packet[at + 1] + 2) * 4 if protocol == 51 else (packet[at + 1] + 1) * 8
        protocol, before, at = packet[at], at, at + size
    if len(packet) < at + 8:
        return None
    word = int.from_bytes(packet[at + 2 : at + 4])
    key = bytes(packet[8:40]) + bytes(packet[at + 4 : at + 8])
    header = bytearray(packet[:at])
    header[before] = packet[at]
    header[4:6] = b"\0\0"
    return Fragment(
        key,
        bytes(header),
        word & 0xFFF8,
        bool(word & 1),
        bytes(packet[at + 8 :]),
        max(wire_length, len(packet)) - at - 8,
    )
