"""Opening a capture: which kind it is, and the object that hands its packets on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import TracebackType
from typing import IO

from stunpcap.capture import pcap, pcapng
from stunpcap.capture.ahead import read_ahead
from stunpcap.capture.notes import Notes
from stunpcap.capture.records import Block, Defect, Interface
from stunpcap.capture.rows import Rows
from stunpcap.capture.source import Source
from stunpcap.capture.window import Progress, Window
from stunpcap.errors import CaptureError, UsageError

BLOCK_BYTES = 2 << 20
"""Small enough to stay in a processor's cache while records are found and packets scanned, one after the other."""


class Capture:
    """A capture that is being read; a context manager that closes the file.

    Made by `open_capture`.  `interfaces`, `defects` and `comments` grow while `blocks()` is iterated.
    """

    def __init__(self, source: Source, window: Window, *, eager: bool = False) -> None:
        self._source = source
        self._window = window
        self._eager = eager
        self._notes = Notes()
        self._rows = Rows(window.block_bytes)
        self.format = ""
        """pcap, pcap (nanoseconds), pcap (modified), pcap (Ixia) or pcapng."""
        self._blocks = self._recognise()
        self._taken = False

    @property
    def name(self) -> str:
        """The file as the user named it, "-" for standard input."""
        return self._source.name

    @property
    def whole_bytes(self) -> int:
        """Bytes of the (decompressed) capture up to the end of the last record that was handed on whole."""
        return self._window.offset

    @property
    def compression(self) -> str:
        """gzip, zstd, xz, bzip2, lz4, or "" if there is none."""
        return self._source.compression

    @property
    def interfaces(self) -> list[Interface]:
        """The interfaces met so far, of all sections."""
        return self._notes.interfaces

    @property
    def defects(self) -> list[Defect]:
        """What was wrong so far."""
        return self._notes.defects

    @property
    def comments(self) -> dict[int, list[str]]:
        """Comments by frame number; under 0 those on sections and interfaces."""
        return self._notes.comments

    @property
    def dropped(self) -> int | None:
        """Packets dropped while capturing, as the file says so far; None if it says nothing."""
        return self._notes.dropped

    def blocks(self) -> Iterator[Block]:
        """The packets in their order, in blocks; never raises for what is in the file, see `defects`.

        Of a long capture further blocks are read in a thread while one is worked on: `interfaces`, `defects` and
        `comments` may then be ahead of the block at hand, and `progress` is called in that thread.

        Raises
        ------
        UsageError
            Called a second time: a capture is read once.
        """
        if self._taken:
            raise UsageError(f"{self.name}: a capture is read once; open it again")
        self._taken = True
        return self._blocks if self._eager else read_ahead(self._blocks)

    def close(self) -> None:
        """Close the file, unless it came as an open stream."""
        self._source.close()

    def __enter__(self) -> Capture:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _recognise(self) -> Iterator[Block]:
        """Set `format` and return the reader."""
        window = self._window
        window.move(28)  # the longest file header that has to be seen at once
        data = window.data
        found = pcap.variant_of(bytes(data[:4]))
        if found is not None:
            variant, big = found
            self.format = variant.format
            if len(data) >= pcap.HEADER + variant.skip:
                return pcap.read(window, self._notes, self._rows, variant, big)
        elif data[:4] == pcapng.MAGIC and len(data) >= 28:
            self.format = "pcapng"
            if bytes(data[8:12]) not in pcapng.ORDERS:
                raise CaptureError(self.name, "begins like pcapng, but its section header makes no sense")
            return pcapng.PcapngReader(window, self._notes, self._rows).blocks()
        raise CaptureError(self.name, self._problem())

    def _problem(self) -> str:
        from stunpcap.capture.sniff import HEAD, looks_like  # most files are captures

        if self._source.damage and not self._window.data:
            return self._source.damage
        if self._window.left < HEAD:
            self._window.move(HEAD)
        what = looks_like(bytes(self._window.data[:HEAD]))
        return f"{what}, once decompressed ({self.compression})" if self.compression else what


def open_capture(
    path: str | os.PathLike[str] | IO[bytes],
    *,
    block_bytes: int = BLOCK_BYTES,
    progress: Progress | None = None,
    eager: bool = False,
) -> Capture:
    """Open a pcap or pcapng capture, compressed or not, and read its first block.

    Parameters
    ----------
    path
        A path, "-" for standard input, or an open binary stream, which is read forward once and stays open.
    block_bytes
        Decompressed bytes in memory at a time; a longer record gets a block of its own.
    progress
        Called for each block with the bytes read of the file as it lies on disk, and all its bytes (None for a pipe).
    eager
        Hand packets on as they come, for a stream that is being written; nothing is then read ahead.

    Raises
    ------
    CaptureError
        The file cannot be opened, is empty, or is no capture; the message says what it looks like.
    UsageError
        A text stream, or a `block_bytes` that is no positive number.
    """
    if block_bytes < 1:
        raise UsageError(f"block_bytes is {block_bytes}: it must be positive")
    source = Source(path)
    try:
        return Capture(source, Window(source, block_bytes, progress, eager=eager), eager=eager)
    except BaseException:
        source.close()
        raise
