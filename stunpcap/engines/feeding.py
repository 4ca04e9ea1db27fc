"""What other readers of packets have in common: their packets go into the scanner that ours go into.

A packet is handed on from its innermost IP header, under the frame number and time that the reader gives it.  So flows,
ICMP errors, DTLS and media are counted in one way, whoever read the file.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import numpy as np

from stunpcap.capture import open_capture
from stunpcap.capture.records import Block, Defect, Interface
from stunpcap.capture.sniff import HEAD, kind_of
from stunpcap.capture.source import Source
from stunpcap.errors import CaptureError
from stunpcap.wire.datagrams import Datagrams
from stunpcap.wire.scan import Scanner

RAW_IP = Interface(101)
"""Packets that begin with an IP header."""
BLOCK_BYTES = 4 << 20
CHUNK = 1 << 20


@dataclass(slots=True, eq=False, repr=False)
class Found:
    """What a reader knows of a capture besides its packets; see `vantage.Origin`."""

    name: str
    format: str
    compression: str = ""
    interfaces: list[Interface] = field(default_factory=list)
    defects: list[Defect] = field(default_factory=list)
    comments: dict[int, list[str]] = field(default_factory=dict)
    dropped: int | None = None


class Feeder:
    """Takes packets one by one, and feeds them to a scanner in blocks."""

    def __init__(self) -> None:
        self._scanner = Scanner()
        self._data = bytearray()
        self._rows: list[tuple[int, int, int, int, int]] = []
        self._first = 0
        self._packets = 0
        self._bytes = 0
        self._times: tuple[int, int] | None = None
        self._others: dict[str, int] = {}

    def add(
        self, frame: int, time_ns: int, captured: int, packet: bytes, wire_length: int, direction: int, link: str
    ) -> None:
        """Take one packet; those left out do not exist.

        Parameters
        ----------
        frame, time_ns
            Its number, in order, and its time in nanoseconds since 1970.
        captured
            Bytes captured of it, link layer included.
        packet
            It from its IP header on; empty if there is none, then it is counted under the name `link`.
        wire_length
            Bytes from the IP header on before the snap length cut it.
        direction
            1 received by the capturing host, 2 sent by it, 0 unknown.
        """
        self._packets += 1
        self._bytes += captured
        first, last = self._times or (time_ns, time_ns)
        self._times = min(first, time_ns), max(last, time_ns)
        if not packet:
            self._others[link] = self._others.get(link, 0) + 1
            return
        if self._rows and (frame != self._first + len(self._rows) or len(self._data) >= BLOCK_BYTES):
            self._flush()
        if not self._rows:
            self._first = frame
        self._rows.append((len(self._data), len(packet), max(wire_length, len(packet)), time_ns, direction))
        self._data += packet

    def _flush(self) -> None:
        if not self._rows:
            return
        rows = np.array(self._rows, np.int64)
        block = Block(
            data=memoryview(bytes(self._data)),
            position=0,
            first_frame=self._first,
            offset=rows[:, 0].copy(),
            caplen=rows[:, 1].copy(),
            wirelen=rows[:, 2].copy(),
            time_ns=rows[:, 3].copy(),
            interface=np.zeros(len(rows), np.int32),
            direction=rows[:, 4].astype(np.int8),
        )
        self._scanner.feed(block, [RAW_IP])
        self._rows, self._data = [], bytearray()

    def finish(self) -> Datagrams:
        """Everything that was found."""
        self._flush()
        first, last = self._times or (0, 0)
        kept = self._scanner.finish()
        return replace(
            kept,
            packets=self._packets,
            captured_bytes=self._bytes,
            first_time=first,
            last_time=last,
            not_ip=kept.not_ip | self._others,
        )


def ip_packet(source: bytes, target: bytes, protocol: int, ttl: int, ident: int, payload: bytes) -> bytes:
    """A bare IPv4 or IPv6 packet: what is left of one that came in fragments, or in a tunnel."""
    if len(source) == 4:
        head = struct.pack(">BBHHHBBH", 0x45, 0, min(20 + len(payload), 0xFFFF), ident, 0, ttl, protocol, 0)
    else:
        head = struct.pack(">IHBB", 6 << 28, min(len(payload), 0xFFFF), protocol, ttl)
    return head + source + target + payload


def address_words(text: str) -> list[int]:
    """An address as text as four 32-bit words, IPv4 mapped into IPv6."""
    if ":" in text:
        return list(struct.unpack(">4I", socket.inet_pton(socket.AF_INET6, text)))
    return [0, 0, 0xFFFF, int.from_bytes(socket.inet_pton(socket.AF_INET, text))]


@contextlib.contextmanager
def as_file(path: str | os.PathLike[str] | IO[bytes]) -> Iterator[tuple[Path, str, str]]:
    """The capture as a plain file on disk: itself, or a copy of a stream, of standard input, or of what is compressed.

    Yields
    ------
    path, name, compression
        The file, what the user called it, and how it had been compressed.
    """
    source = Source(path)
    try:
        if isinstance(path, str | os.PathLike) and path != "-" and not source.compression:
            yield Path(path), source.name, ""
            return
        with tempfile.TemporaryDirectory(prefix="stunpcap-") as directory:
            copy = Path(directory) / "capture"
            view = memoryview(bytearray(CHUNK))
            with copy.open("wb") as file:
                while got := source.readinto(view):
                    file.write(view[:got])
            if source.damage and not copy.stat().st_size:
                raise CaptureError(source.name, source.damage)
            yield copy, source.name, source.compression
    finally:
        source.close()


def format_of(path: Path) -> str:
    """The format of a file, in a word or two."""
    try:
        with open_capture(path) as capture:
            return capture.format
    except CaptureError:
        with path.open("rb") as file:
            kind = kind_of(file.read(HEAD))
        return kind.name.removeprefix("a ").removeprefix("capture ").removeprefix("of ") if kind else "another format"
