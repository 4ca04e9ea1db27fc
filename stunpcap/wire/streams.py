"""TCP streams put together (RFC 9293), for connections that carry STUN.

Takes segments in the order of the capture; gives the messages and packets in them (`stunpcap.wire.cutting`), each with
the mark (frame, time) of the segment that completed it.  Of bytes captured twice the first stay.  What comes before its
turn is held until the gap is filled; then all that follows bears the mark of the segment that filled it, as in
Wireshark.  A gap that stays too long, or to the end, is given up and counted; what was held behind it keeps its own
mark, hence waiting costs only memory, and acknowledgements need not be looked at.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from operator import attrgetter

from stunpcap.record import record
from stunpcap.wire.cutting import Connection, Cutter, Losses, Mark, Output, Unit
from stunpcap.wire.framing import FAR, UNKNOWN

MAX_HELD_SEGMENTS = 256
"""Segments of one direction held behind a gap."""
MAX_HELD_BYTES = 1 << 20
"""Bytes of them."""
MAX_BYTES = 64 << 20
"""Bytes held in all; beyond that the connections not heard of for longest are forgotten."""
MAX_CONNECTIONS = 1 << 16
_WORD = 0xFFFFFFFF


@record
class _Piece:
    """Bytes that came before their turn; `length` counts those cut by the snap length, too."""

    at: int
    length: int
    payload: bytes
    mark: Mark


@dataclass(slots=True, eq=False, repr=False)
class _Stream:
    """One direction."""

    cutter: Cutter
    at: int
    """Position of the next byte: a sequence number that never wraps."""
    first: int
    """Sequence number of the first byte, -1 if the beginning was not captured."""
    held: list[_Piece] = field(default_factory=list)
    held_bytes: int = 0

    @property
    def size(self) -> int:
        """Bytes kept."""
        return len(self.cutter.buffer) + self.held_bytes


@dataclass(slots=True, eq=False, repr=False)
class _Connection:
    shared: Connection = field(default_factory=Connection)
    gaps: Losses = field(default_factory=Losses)
    streams: dict[int, _Stream] = field(default_factory=dict)


class Streams:
    """All connections that carry STUN."""

    def __init__(self) -> None:
        self.gaps = Losses()
        """Bytes that were not captured, of connections in which something was found, once these have ended."""
        self._output = Output()
        self._connections: dict[int, _Connection] = {}
        self._latest = -1
        self._bytes = 0

    @property
    def strays(self) -> Losses:
        """Places where boundaries between messages got lost."""
        return self._output.strays

    def add(self, flow: int, reverse: int, mark: Mark, seq: int, first: int, payload: bytes, length: int) -> list[Unit]:
        """Take one segment that has data; returns what it completed.

        Parameters
        ----------
        flow, reverse
            Numbers of its direction and of the other one, -1 if that was not seen yet.  The direction seen first has
            the smaller number.
        mark
            Handed on with the units.
        seq
            Sequence number of its first byte.
        first
            Sequence number of the first byte of its direction, if that is known and nothing was left out since; else
            -1.
        payload, length
            What was captured of it, and its true length.
        """
        stream = self._stream(flow, reverse, seq, first)
        before = stream.size
        ahead = _difference(seq, stream.at & _WORD)
        if ahead + length > 0:
            if ahead < 0:
                length, payload = length + ahead, payload[-ahead:]
            if ahead <= 0:
                self._advance(stream, payload, length, mark)
                if stream.held:
                    self._release(stream, mark)
            else:
                self._hold(stream, _Piece(stream.at + ahead, length, payload, mark))
                while len(stream.held) > MAX_HELD_SEGMENTS or stream.held_bytes > MAX_HELD_BYTES:
                    self._give_up(stream, self._connections[self._latest].gaps)
        self._bytes += stream.size - before
        if self._bytes > MAX_BYTES:
            self._shrink()
        return self._taken()

    def idle(self, flow: int, reverse: int) -> tuple[int, int]:
        """Framing and next sequence number of a direction of which nothing waits; UNKNOWN if something does."""
        connection = self._connections.get(min(flow, reverse) if reverse >= 0 else flow)
        stream = connection.streams.get(flow) if connection else None
        if stream is None or stream.size or stream.cutter.skip or stream.cutter.begins or not stream.cutter.certain:
            return UNKNOWN, 0
        return stream.cutter.framing, stream.at & _WORD

    def resume(self, flow: int, reverse: int, first: int, framing: int, seq: int) -> None:
        """Go on with a direction that was `idle`, and of which the bytes up to `seq` have been dealt with elsewhere."""
        stream = self._stream(flow, reverse, seq, first)
        stream.at = stream.at + _difference(seq, stream.at & _WORD)
        cutter = stream.cutter
        cutter.connection.framing = cutter.connection.framing or framing
        cutter.connection.carried = True
        if not cutter.begins:  # else it tells the framing anew
            cutter.certain, cutter.framing = True, framing

    def _shrink(self) -> None:
        while self._bytes > MAX_BYTES:
            self._forget(next(iter(self._connections)))

    def finish(self) -> list[Unit]:
        """Everything that still waited."""
        while self._connections:
            self._forget(next(iter(self._connections)))
        return self._taken()

    def _taken(self) -> list[Unit]:
        units = self._output.units
        if units:
            self._output.units = []
        return units

    def _stream(self, flow: int, reverse: int, seq: int, first: int) -> _Stream:
        """The stream of a segment; a new one where another connection uses the same addresses and ports."""
        key = min(flow, reverse) if reverse >= 0 else flow
        connection = self._connections.get(key)
        if connection is None:
            if len(self._connections) >= MAX_CONNECTIONS:
                self._forget(next(iter(self._connections)))
            connection = self._connections[key] = _Connection()
        elif key != self._latest:  # the order is that of use
            self._connections[key] = self._connections.pop(key)
        self._latest = key
        stream = connection.streams.get(flow)
        if stream is not None:
            renewed = first >= 0 and stream.first >= 0 and first != stream.first
            if renewed:  # the other direction begins anew, too
                self._close(connection)
                connection = self._connections[key] = _Connection()
                stream = None
            elif abs(_difference(seq, stream.at & _WORD)) >= FAR:
                self._end(stream, connection.gaps)
                stream = None
        if stream is None:
            known = first >= 0 and 0 <= _difference(seq, first) < FAR
            cutter = Cutter(flow, connection.shared, self._output, begins=known)
            stream = _Stream(cutter, first if known else seq, first)
            connection.streams[flow] = stream
            connection.shared.cutters = [each.cutter for each in connection.streams.values()]
        return stream

    def _forget(self, key: int) -> None:
        self._close(self._connections.pop(key))

    def _close(self, connection: _Connection) -> None:
        for stream in connection.streams.values():
            self._end(stream, connection.gaps)
        if connection.shared.carried:  # else it was somebody else's, and what it missed is nobody's business
            self.gaps.take(connection.gaps)

    def _end(self, stream: _Stream, gaps: Losses) -> None:
        before = stream.size
        while stream.held:
            self._give_up(stream, gaps)
        stream.cutter.end()
        self._bytes -= before

    def _hold(self, stream: _Stream, piece: _Piece) -> None:
        """Keep a piece that came too early, without the bytes that are held already."""
        at, stop = piece.at, piece.at + piece.length
        new = []
        for other in stream.held:
            if other.at >= stop:
                break
            if other.at > at:
                new.append((at, other.at))
            at = max(at, other.at + other.length)
        if at < stop:
            new.append((at, stop))
        for begin, end in new:
            part = piece.payload[begin - piece.at : end - piece.at]
            insort(stream.held, _Piece(begin, end - begin, part, piece.mark), key=attrgetter("at"))
            stream.held_bytes += len(part)

    def _release(self, stream: _Stream, mark: Mark | None) -> None:
        """Take what was held and follows now; under `mark`, or under its own where a gap was given up."""
        taken = 0
        for piece in stream.held:
            if piece.at > stream.at:
                break
            taken += 1
            stream.held_bytes -= len(piece.payload)
            late = stream.at - piece.at
            if late < piece.length:
                self._advance(stream, piece.payload[late:], piece.length - late, mark or piece.mark)
        del stream.held[:taken]

    def _give_up(self, stream: _Stream, gaps: Losses) -> None:
        """Go on behind the first gap."""
        piece = stream.held[0]
        size = piece.at - stream.at
        gaps.add(size, piece.mark)
        stream.cutter.miss(size, piece.mark)
        stream.at = piece.at
        self._release(stream, None)

    def _advance(self, stream: _Stream, payload: bytes, length: int, mark: Mark) -> None:
        """Take the next bytes of a stream; of `length` only those in `payload` were captured."""
        stream.at += length
        if payload:
            stream.cutter.read(payload, mark)
        if len(payload) < length:
            stream.cutter.miss(length - len(payload), mark)


def _difference(a: int, b: int) -> int:
    """How far sequence number `a` is ahead of `b` (RFC 9293 section 3.4)."""
    return ((a - b + 0x80000000) & _WORD) - 0x80000000
