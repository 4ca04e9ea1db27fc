"""The compressions a capture may come in: one table, with how each is recognised.

A decoder has the interface of `bz2.BZ2Decompressor`: `decompress(data, max_length)`, `needs_input`, `eof`,
`unused_data`.  One call never returns much more than `max_length` bytes, so that a decompression bomb streams
through in pieces like anything else.  The libraries are imported when a file needs them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from stunpcap.record import record

XZ_MEMORY = 1 << 28
"""Bytes of memory an xz decoder may take; the strongest preset needs 65 MiB."""


class Decoder(Protocol):
    """Decompresses one member (frame, stream); then `eof` is set."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


@record
class Codec:
    """A compression."""

    name: str
    magic: Callable[[bytes], bool]
    """Whether a file begins with these bytes."""
    start: Callable[[], Decoder]
    """A decoder for one member."""
    step: int
    """Decompressed bytes a call.  What a call decodes before it meets damage is lost, hence not more than needed."""
    unit: str
    """What must be complete for the end to be as it should."""


class GzipDecoder:
    """A gzip member.  On damage, `salvaged` is what could be decoded before it in the same call."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(31)
        self._full = False
        self.salvaged = b""

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        return not (self._full or self._inflate.unconsumed_tail)

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        data = self._inflate.unconsumed_tail + data
        before = self._inflate.copy()
        try:
            result = self._inflate.decompress(data, max_length)
        except zlib.error:
            self.salvaged = _salvage(before, data, max_length)
            raise
        self._full = len(result) == max_length
        return result


def _salvage(inflate: Any, data: bytes, step: int) -> bytes:
    """Everything that can be inflated before the error: take steps, and halve the one that fails."""
    result = bytearray()
    while step:
        before = inflate.copy()
        try:
            result += inflate.decompress(data, step)
        except zlib.error:
            inflate, step = before, step // 2
        else:
            data = inflate.unconsumed_tail
    # The byte before the error comes with the error unless the input ends between them.
    for at in range(len(data)):
        try:
            result += inflate.decompress(data[at : at + 1])
        except zlib.error:
            break
    return bytes(result)


class ZstdDecoder:
    """A zstd frame, walked block by block (RFC 8878): a block is at most 128 KiB decompressed.

    The library's own streams either decompress all input at once, however much comes of it, or do not tell a cut
    frame from a complete one; handing over whole blocks solves both.
    """

    def __init__(self) -> None:
        self._frame: Any = None
        self._held = bytearray()
        self._stage = self._magic
        self._skip = 0
        self._checksum = False
        self.eof = False
        self.needs_input = True

    @property
    def unused_data(self) -> bytes:
        return bytes(self._held) if self.eof else b""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        self._held += data
        at = 0  # consumed of `_held`; what has been handed over is only removed at the end, lest small blocks be slow
        result = b""
        while not (result or self.eof):
            size = self._stage(at)
            self.needs_input = size == 0 or len(self._held) - at < size
            if self.needs_input:
                break
            result = self._hand_over(at, size)
            at += size
        del self._held[:at]
        if self._skip:
            gone = min(self._skip, len(self._held))
            del self._held[:gone]
            self._skip -= gone
            self.eof = not self._skip
        return result

    def _hand_over(self, at: int, size: int) -> bytes:
        stage = self._stage
        if stage == self._magic:
            if self._held[at + 3] == 0x18:  # a skippable frame: its content may be longer than memory
                (self._skip,) = struct.unpack_from("<I", self._held, at + 4)
                self.eof = not self._skip
                self.needs_input = True
                return b""
            import zstandard

            self._frame = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
            self._checksum = bool(self._held[at + 4] & 4)
            self._stage = self._block
        elif stage == self._block:
            if self._held[at] & 1:  # the last one
                self._stage = self._trailer
                self.eof = not self._checksum
        else:
            self.eof = True
        result: bytes = self._frame.decompress(bytes(self._held[at : at + size]))
        return result

    def _magic(self, at: int) -> int:
        """Bytes of the frame header at `at`, 0 if not known yet."""
        if self._skip or len(self._held) - at < 5:
            return 0
        if self._held[at + 3] == 0x18:
            return 8
        descriptor = self._held[at + 4]
        single = descriptor >> 5 & 1
        return 6 - single + (0, 1, 2, 4)[descriptor & 3] + (single, 2, 4, 8)[descriptor >> 6]

    def _block(self, at: int) -> int:
        """Bytes of the block at `at`, 0 if not known yet."""
        if len(self._held) - at < 3:
            return 0
        header = int.from_bytes(self._held[at : at + 3], "little")
        kind, size = header >> 1 & 3, header >> 3
        if kind == 3 or size > 1 << 17:
            raise ValueError("no zstd block")
        return 4 if kind == 1 else 3 + size

    def _trailer(self, at: int) -> int:
        return 4


def _bzip2() -> Decoder:
    import bz2

    return bz2.BZ2Decompressor()


def _xz() -> Decoder:
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


def _lz4() -> Decoder:
    import lz4.frame

    decoder: Decoder = lz4.frame.LZ4FrameDecompressor()
    return decoder


CODECS = (
    Codec("gzip", lambda head: head.startswith(b"\x1f\x8b\x08"), GzipDecoder, 1 << 18, "member"),
    Codec(
        "zstd",
        # pzstd begins with a skippable frame (184D2A5x)
        lambda head: head[:4] == b"\x28\xb5\x2f\xfd" or (head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5),
        ZstdDecoder,
        1 << 17,
        "block",
    ),
    Codec("xz", lambda head: head.startswith(b"\xfd7zXZ\0"), _xz, 1 << 14, "block"),
    Codec(
        "bzip2",
        lambda head: head[:3] == b"BZh" and head[4:10] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"),
        _bzip2,
        1 << 14,
        "block",
    ),
    Codec("lz4", lambda head: head.startswith(b"\x04\x22\x4d\x18"), _lz4, 1 << 16, "block"),
)


def codec_of(head: bytes) -> Codec | None:
    """The compression of a file that begins with `head`, None if it is not compressed in a way known here."""
    return next((codec for codec in CODECS if codec.magic(head)), None)
