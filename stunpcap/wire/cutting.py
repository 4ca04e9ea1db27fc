"""One direction of a TCP connection, cut into what would be datagrams on UDP.

Takes the bytes of a stream in their order, and how many are missing where some are; gives messages and packets.  Bytes
missing inside a frame whose length is known cost that frame alone: its beginning is given with its true length, like a
datagram cut by the snap length.  Otherwise the next boundary that is certain is looked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from stunpcap.record import record
from stunpcap.wire.framing import (
    COUNTED,
    DECIDES,
    NATIVE,
    NEED_MORE,
    NO_FRAME,
    UNKNOWN,
    counted_size,
    find_boundary,
    frame_size,
    framing_at,
    native_size,
)

Mark: TypeAlias = tuple[int, ...]
"""What the caller wants to know of a segment: its frame first."""

TAIL = 16
"""Bytes kept while a boundary is looked for: a cookie, and what stands before it, may be in two segments."""
CONNECTION_BOUND = b"\x01\x0b"
"""Type of the success response to ConnectionBind."""


@record
class Unit:
    """A message or packet from a stream, as if it were the payload of a datagram."""

    flow: int
    mark: Mark
    payload: bytes
    length: int
    """True length; the payload is shorter where the capture has only its beginning."""


@dataclass(slots=True, eq=False, repr=False)
class Losses:
    """What could not be read: how often, how many bytes, and the mark of the first segment that showed it."""

    count: int = 0
    size: int = 0
    mark: Mark = ()

    def add(self, size: int, mark: Mark) -> None:
        """Count one more."""
        self.count += 1
        self.size += size
        self.mark = min(self.mark, mark) if self.mark else mark

    def take(self, other: Losses) -> None:
        """Count another's."""
        if other.count:
            self.count += other.count - 1
            self.add(other.size, other.mark)


@dataclass(slots=True, eq=False, repr=False)
class Connection:
    """What both directions know."""

    framing: int = UNKNOWN
    carried: bool = False
    """Whether anything was found in it, be it by the packet walk."""
    channels: set[int] = field(default_factory=set)
    cutters: list[Cutter] = field(default_factory=list)


@dataclass(slots=True, eq=False, repr=False)
class Output:
    """Where the cutters write to."""

    units: list[Unit] = field(default_factory=list)
    strays: Losses = field(default_factory=Losses)
    """Places where boundaries got lost: behind missing bytes, or where what followed was no frame."""


@dataclass(slots=True, eq=False, repr=False)
class Cutter:
    """One direction; it `begins` at a boundary if the beginning of the connection was captured."""

    flow: int
    connection: Connection
    output: Output
    begins: bool
    """Whether the next byte is the first, and the framing still to be told."""
    framing: int = UNKNOWN
    certain: bool = False
    """Whether boundaries are known."""
    mark: Mark = ()
    """Of the last bytes read."""
    buffer: bytearray = field(default_factory=bytearray)
    """Beginning of a frame; or, while no boundary is known, the last bytes."""
    need: int = 0
    """Length of the frame in `buffer`, once known."""
    skip: int = 0
    """Bytes still to come of a frame of which a part was missing."""

    def read(self, payload: bytes, mark: Mark) -> None:
        """Take the next bytes."""
        self.mark = mark
        if self.skip:
            skipped = min(self.skip, len(payload))
            self.skip -= skipped
            payload = payload[skipped:]
        segment = len(self.buffer)
        if segment:
            self.buffer += payload
            if len(self.buffer) < self.need:
                return
            payload = bytes(self.buffer)
            self.buffer.clear()
            self.need = 0
        at = 0
        while 0 <= at < len(payload):
            if self.begins:
                at = self._begin(payload, at)
            elif not self.certain:
                at = self._search(payload, at, segment)
            else:
                at = self._frames(payload, at)

    def miss(self, size: int, mark: Mark) -> None:
        """Pass over bytes that are missing in, or in front of, the segment with that mark."""
        missing = self.skip
        if self.need:
            missing = self.need - len(self.buffer)
            self._emit(bytes(self.buffer), self.need)
        self.buffer.clear()
        self.need = 0
        self.skip = max(0, missing - size)
        if size > missing:
            if self.certain:
                self.output.strays.add(size - missing, mark)
            self.certain = self.begins = False

    def end(self) -> None:
        """Nothing more comes: give the frame that has begun."""
        if self.need:
            self._emit(bytes(self.buffer), self.need)
        self.buffer.clear()
        self.need = 0

    def _begin(self, data: bytes, at: int) -> int:
        """Tell the framing from the first bytes; returns -1 if they are too few."""
        view, stop = memoryview(data), len(data)
        kind, other = framing_at(view, at, stop), self.connection.framing
        if kind == UNKNOWN and other != UNKNOWN and frame_size(view, at, stop, other) > 0:
            kind = other
        short = kind == UNKNOWN and stop - at < DECIDES
        if short and any(frame_size(view, at, stop, each) != NO_FRAME for each in (NATIVE, COUNTED)):
            self.buffer = bytearray(data[at:])
            return -1
        self.begins = False
        self.certain = kind != UNKNOWN
        self.framing = kind
        self.connection.framing = kind or other
        return at

    def _search(self, data: bytes, at: int, segment: int) -> int:
        """The next certain boundary from `at` on, -1 if there is none; the last bytes are kept for the next segment."""
        connection = self.connection
        framing = self.framing or connection.framing
        found, kind = find_boundary(data[at:], segment - at, framing, connection.channels)
        if found < 0:
            self.buffer = bytearray(data[at:][-TAIL:])
            return -1
        self.certain = True
        self.framing = connection.framing = kind
        return at + found

    def _frames(self, data: bytes, at: int) -> int:
        """Take frames from a boundary on; returns where they ended, -1 within one, which is then kept."""
        view, stop = memoryview(data), len(data)
        measure = counted_size if self.framing == COUNTED else native_size
        while at < stop and not self.begins:
            size = measure(view, at, stop)
            if size == NO_FRAME:
                self.output.strays.add(0, self.mark)
                self.certain = False
                return at + 1
            if size == NEED_MORE or at + size > stop:
                self.buffer = bytearray(data[at:])
                self.need = size
                return -1
            self._emit(data[at : at + size], size)
            at += size
        return at

    def _emit(self, frame: bytes, size: int) -> None:
        """Give a frame, or its beginning, without its length in front and its padding behind."""
        length = size
        if self.framing == COUNTED:
            frame, length = frame[2:], size - 2
        elif frame[0] >= 0x40:
            length = 4 + int.from_bytes(frame[2:4])
            self.connection.channels.add(int.from_bytes(frame[:2]))
        elif frame.startswith(CONNECTION_BOUND):  # RFC 6062 section 4.4: from here on it carries the peer's data
            self.connection.framing = UNKNOWN
            for cutter in self.connection.cutters:
                cutter.begins = not cutter.buffer
                cutter.certain = False
                cutter.framing = UNKNOWN
        self.connection.carried = True
        if length:
            self.output.units.append(Unit(self.flow, self.mark, frame[:length], length))
