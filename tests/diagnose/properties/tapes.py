"""Captures as packets in memory: read with the project's own reader, written as pcapng, read again."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import stunpcap
from stunpcap.capture import Interface, open_capture
from stunpcap.capture.writing import PcapngWriter
from stunpcap.trace import Trace


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet as it was captured."""

    data: bytes
    wire_length: int
    time_ns: int
    interface: int
    direction: int


@dataclass(frozen=True, slots=True)
class Tape:
    """One capture."""

    name: str
    interfaces: tuple[Interface, ...]
    packets: tuple[Packet, ...]

    def with_packets(self, packets: Iterable[Packet]) -> Tape:
        """The same capture with other packets."""
        return replace(self, packets=tuple(packets))

    def keep(self, wanted: Callable[[Packet], bool]) -> Tape:
        """Those packets only."""
        return self.with_packets(filter(wanted, self.packets))

    def link_type(self, packet: Packet) -> int:
        """The link type of a packet."""
        return self.interfaces[packet.interface].linktype


Tapes = tuple[Tape, ...]
"""The captures of one call, one for each vantage point."""


def load(path: Path, name: str) -> Tape:
    """Read a file."""
    packets = []
    with open_capture(path) as capture:
        for block in capture.blocks():
            rows = zip(
                block.offset, block.caplen, block.wirelen, block.time_ns, block.interface, block.direction, strict=True
            )
            for offset, held, wire, time, interface, direction in rows:
                data = bytes(block.data[int(offset) : int(offset + held)])
                packets.append(Packet(data, int(wire), int(time), int(interface), int(direction)))
        return Tape(name, tuple(capture.interfaces), tuple(packets))


def stream(tape: Tape) -> io.BytesIO:
    """The capture as a pcapng file in memory."""
    out = io.BytesIO()
    earliest = min((packet.time_ns for packet in tape.packets), default=0)
    writer = PcapngWriter(out, "stunpcap tests", (), earliest)
    writer.interfaces(tape.interfaces)
    for one in tape.packets:
        writer.packet(one.data, one.wire_length, one.time_ns, interface=one.interface, direction=one.direction)
    out.seek(0)
    return out


def read(tapes: Sequence[Tape]) -> Trace:
    """What stunpcap makes of captures."""
    return stunpcap.read(*map(stream, tapes), names=[tape.name for tape in tapes])
