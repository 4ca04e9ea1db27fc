"""Files to sources: which reader a file is for, what it may take, and what is said of one that none reads.

A file is known by its content alone.  Compressions are those that captures come in.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import ModuleType
from typing import IO

from stunpcap.capture.sniff import kind_of
from stunpcap.capture.source import Source as Stream
from stunpcap.errors import CaptureError, SourceError
from stunpcap.signalling import aioice, firefox, har, internals, log, rtcstats, sdp, statistics
from stunpcap.signalling.model import Gathering, Source

READERS: tuple[tuple[str, ModuleType], ...] = (
    (rtcstats.FORMAT, rtcstats),
    (har.FORMAT, har),
    (internals.FORMAT, internals),
    (firefox.FORMAT, firefox),
    (statistics.DESCRIBED, statistics),
    (sdp.FORMAT, sdp),
    (aioice.FORMAT, aioice),
    (log.FORMAT, log),
)
"""Each module has `recognise(head)` and `read(text, here)`; the first that recognises a file reads it."""
HEAD = 1 << 18
"""Bytes that are looked at to recognise a file."""
MOST = 1 << 29
"""Bytes of a file that are read, decompressed; what follows is left out, and that is said."""
PIECE = 1 << 22


def read_sources(paths: Sequence[str | os.PathLike[str] | IO[bytes]]) -> tuple[Source, ...]:
    """Read files beside captures, each by the reader that recognises it.

    Raises
    ------
    SourceError
        A file cannot be opened, is of no kind that is known, or holds nothing of use.
    """
    return tuple(read_source(path) for path in paths)


def read_source(path: str | os.PathLike[str] | IO[bytes]) -> Source:
    """Read one file; see `read_sources`."""
    try:
        stream = Stream(path)
    except CaptureError as error:
        raise SourceError(error.path, error.problem) from error
    try:
        data, rest = _bytes(stream)
    finally:
        stream.close()
    head = _utf8(data[:HEAD])
    chosen = next(((name, reader) for name, reader in READERS if reader.recognise(head)), None)
    if chosen is None and len(data) > HEAD and b"\0" not in data[:HEAD]:  # a log may come to the point late
        chosen = next(((name, reader) for name, reader in READERS[-2:] if reader.recognise(data)), None)
    if chosen is None:
        raise SourceError(stream.name, _unknown(data[:HEAD]))
    name, reader = chosen
    here = Gathering(stream.name, name)
    reader.read(_text(data, here), here)
    if rest or stream.damage:
        here.line, here.offset = -1, len(data)
        here.flaw(stream.damage or f"only the first {MOST >> 20} MB were read")
    source = here.source()
    if source.empty:
        if source.flaws:
            flaw = source.flaws[0]
            raise SourceError(stream.name, flaw.words, flaw.origin.line, flaw.origin.offset)
        raise SourceError(stream.name, f"tells of no candidate, description or statistic (read as {source.format})")
    return source


def _bytes(stream: Stream) -> tuple[bytes, bool]:
    """What is read of a file, and whether there is more."""
    pieces, size = [], 0
    while size < MOST:
        piece = bytearray(PIECE)
        got = stream.readinto(memoryview(piece))
        pieces.append(bytes(piece[:got]))
        size += got
        if got < PIECE:
            break
    return b"".join(pieces), size >= MOST


def _utf8(head: bytes) -> bytes:
    """The beginning as UTF-8, whatever its mark says it is in (logs of PowerShell are UTF-16)."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "ignore").encode()
    return head


def _text(data: bytes, here: Gathering) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        here.offset = error.start
        here.flaw("a byte that is not UTF-8")
        return data.decode("utf-8-sig", "replace")


def _unknown(head: bytes) -> str:
    """One clause on a file that no reader knows."""
    kind = kind_of(head)
    if kind is None and head.startswith(b"\x0a\x0d\x0d\x0a"):
        return "is a capture: give it as one"
    looks = f"; it looks like {kind.name}" if kind else ""
    return f"holds no signalling: no description (SDP), candidate, statistics or dump that is known{looks}"
