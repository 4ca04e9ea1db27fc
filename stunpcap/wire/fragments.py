"""IP fragments put together again (RFC 791 section 3.2, RFC 8200 section 4.5).

A whole packet is handed back as a new unfragmented one.  What never became whole is handed back at the end as far
as its first bytes go: a STUN message fits the first fragment more often than not.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_PENDING = 4096
"""Packets in pieces kept at a time; beyond that the oldest is given up."""


@dataclass(slots=True)
class Pieces:
    """What has been seen of one fragmented packet."""

    frame: int
    time_ns: int
    header: bytes = b""
    """IP header of the first fragment, rewritten as if nothing had been fragmented; empty until it was seen."""
    total: int = -1
    """Length of the payload, known from the last fragment."""
    parts: dict[int, bytes] = field(default_factory=dict)

    def contiguous(self) -> bytes:
        """Payload from its beginning to the first gap; of bytes seen twice the earlier ones stay."""
        payload = bytearray()
        for at in sorted(self.parts):
            if at > len(payload):
                break
            payload += self.parts[at][len(payload) - at :]
        return bytes(payload)


@dataclass(frozen=True, slots=True)
class Reassembled:
    """An IP packet in one piece, or its beginning."""

    packet: bytes
    wire_length: int
    frame: int
    time_ns: int


class Reassembler:
    """Collects fragments, keyed as the RFCs have it: addresses, protocol, identification."""

    def __init__(self) -> None:
        self._pending: dict[bytes, Pieces] = {}
        self.given_up: list[Reassembled] = []

    def add(self, packet: memoryview, frame: int, time_ns: int) -> Reassembled | None:
        """Take one fragment, beginning with its IP header; returns the whole packet once it is complete."""
        split = _split_v4(packet) if packet[0] >> 4 == 4 else _split_v6(packet)
        if split is None:
            return None
        key, header, at, more, payload = split
        pieces = self._pending.get(key)
        if pieces is None:
            if len(self._pending) >= MAX_PENDING:
                self._give_up(next(iter(self._pending)))
            pieces = self._pending[key] = Pieces(frame, time_ns)
        pieces.parts.setdefault(at, payload)
        if at == 0:
            pieces.header = header
        if not more:
            pieces.total = at + len(payload)
        if pieces.total < 0 or not pieces.header or sum(map(len, pieces.parts.values())) < pieces.total:
            return None
        payload = pieces.contiguous()[: pieces.total]
        if len(payload) < pieces.total:
            return None
        del self._pending[key]
        return Reassembled(pieces.header + payload, len(pieces.header) + len(payload), frame, time_ns)

    def finish(self) -> list[Reassembled]:
        """Everything that never became whole and of which the beginning was captured."""
        for key in list(self._pending):
            self._give_up(key)
        return self.given_up

    def _give_up(self, key: bytes) -> None:
        pieces = self._pending.pop(key)
        if pieces.header:
            packet = pieces.header + pieces.contiguous()
            total = max(pieces.total, max(at + len(part) for at, part in pieces.parts.items()))
            wire_length = max(len(pieces.header) + total, len(packet) + 1)
            self.given_up.append(Reassembled(packet, wire_length, pieces.frame, pieces.time_ns))


Split = tuple[bytes, bytes, int, bool, bytes]
"""Key, header as if unfragmented, offset in the payload, whether more follow, payload."""


def _split_v4(packet: memoryview) -> Split | None:
    size = (packet[0] & 0x0F) * 4
    if len(packet) < size:
        return None
    total = int.from_bytes(packet[2:4]) or len(packet)
    field_ = int.from_bytes(packet[6:8])
    key = bytes(packet[4:6]) + bytes(packet[9:10]) + bytes(packet[12:20])
    header = bytearray(packet[:size])
    header[2:4] = b"\0\0"  # length zero: as long as the packet is
    header[6:8] = b"\0\0"
    return key, bytes(header), (field_ & 0x1FFF) * 8, bool(field_ & 0x2000), bytes(packet[size:total])


def _split_v6(packet: memoryview) -> Split | None:
    protocol, at, before = packet[6], 40, 6
    while protocol != 44:
        if protocol not in (0, 43, 60) or len(packet) < at + 8:
            return None
        protocol, before, at = packet[at], at, at + (packet[at + 1] + 1) * 8
    if len(packet) < at + 8:
        return None
    field_ = int.from_bytes(packet[at + 2 : at + 4])
    key = bytes(packet[8:40]) + bytes(packet[at + 4 : at + 8])
    header = bytearray(packet[:at])
    header[before] = packet[at]
    end = 40 + int.from_bytes(packet[4:6])
    header[4:6] = b"\0\0"
    return key, bytes(header), field_ & 0xFFF8, bool(field_ & 1), bytes(packet[at + 8 : end])
