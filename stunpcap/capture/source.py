"""Where the bytes come from: a file, standard input or any binary stream, decompressed on the way if need be.

Everything is read forward once and in pieces, so pipes and files larger than memory work alike.  Compression is
recognised by content, never by name.  After `readinto` came up short, `damage` says whether the stream ended as it
should: "" if so, else what is wrong, for the reader to note as a defect after all that could be read.
"""

from __future__ import annotations

import io
import os
import stat
import sys
from pathlib import Path
from typing import IO, BinaryIO

from stunpcap.capture.codecs import Codec, codec_of
from stunpcap.errors import CaptureError, UsageError

CHUNK = 1 << 15
"""Bytes read at a time from a compressed file."""
HEAD = 10
"""Bytes that decide on the compression: the longest magic."""


class Source:
    """A stream of decompressed bytes.

    Parameters
    ----------
    path
        A path, "-" for standard input, or an open binary stream (which stays open).

    Raises
    ------
    CaptureError
        The file cannot be opened or read, with the reason of the operating system, or is empty.
    UsageError
        A text stream was given.
    """

    def __init__(self, path: str | os.PathLike[str] | IO[bytes]) -> None:
        self.name, self._file, self._owned = _open(path)
        self.disk_read = 0
        """Bytes read so far of the file as it lies on disk."""
        self.disk_size = _size(self._file)
        """All of its bytes, None for a pipe."""
        self.damage = ""
        try:
            self._head = self._begin()
            if not self._head:
                raise CaptureError(self.name, "is empty")
            self._codec: Codec | None = codec_of(self._head)
            self._decoded = _Decoded(self, self._codec) if self._codec is not None else None
        except BaseException:
            self.close()
            raise

    @property
    def compression(self) -> str:
        """The compression by name, "" if there is none."""
        return "" if self._codec is None else self._codec.name

    @property
    def size(self) -> int | None:
        """All bytes that `readinto` will give, as far as that is known: a file may still grow."""
        return None if self._codec is not None else self.disk_size

    def close(self) -> None:
        """Close the file if it was opened here."""
        if self._owned:
            self._file.close()

    def readinto(self, view: memoryview, least: int | None = None) -> int:
        """Fill `view` and return the number of bytes; less than asked for only where the stream ends.

        With `least` it returns as soon as there are that many, so that nobody waits for bytes that are yet to come.
        It never raises for what is in the file or for a failing disk: see `damage`.
        """
        fill = self._raw if self._decoded is None else self._decoded.read
        enough = len(view) if least is None else min(least, len(view))
        done = 0
        while done < enough:
            got = fill(view[done:])
            if not got:
                break
            done += got
        return done

    def _begin(self) -> bytes:
        head = bytearray()
        while len(head) < HEAD:
            try:
                piece = self._file.read(HEAD - len(head))
            except OSError as error:
                raise CaptureError(self.name, f"cannot be read: {_reason(error)}") from error
            if not piece:
                break
            head += piece
        return bytes(head)

    def _raw(self, view: memoryview) -> int:
        """Some bytes as they lie on disk, 0 at the end."""
        if self._head:
            got = min(len(view), len(self._head))
            view[:got] = self._head[:got]
            self._head = self._head[got:]
        else:
            try:
                got = self._into(view)
            except (OSError, ValueError) as error:  # ValueError: closed meanwhile
                self.damage = f"the file cannot be read further: {_reason(error)}"
                return 0
        self.disk_read += got
        return got

    def _into(self, view: memoryview) -> int:
        if isinstance(self._file, io.BufferedReader):  # it waits until all is there, unless asked for what there is
            return self._file.readinto1(view)
        readinto = getattr(self._file, "readinto", None)
        if readinto is not None:
            return readinto(view) or 0
        piece = self._file.read(len(view))
        view[: len(piece)] = piece
        return len(piece)


class _Decoded:
    """The decompressed side of a source: one member (frame, stream) after the other."""

    def __init__(self, source: Source, codec: Codec) -> None:
        self._source = source
        self._codec = codec
        self._decoder = codec.start()
        self._input = memoryview(bytearray(CHUNK))
        self._fresh = b""  # compressed bytes that the decoder has not been given yet
        self._ready = memoryview(b"")  # decompressed bytes that nobody has asked for yet
        self._over = False

    def read(self, view: memoryview) -> int:
        """Some decompressed bytes, 0 at the end."""
        while not self._ready:
            if self._over:
                return 0
            self._advance()
        got = min(len(view), len(self._ready))
        view[:got] = self._ready[:got]
        self._ready = self._ready[got:]
        return got

    def _advance(self) -> None:
        if self._decoder.eof:
            self._next_member()
            return
        data = self._fresh
        if self._decoder.needs_input and not data:
            data = bytes(self._input[: self._source._raw(self._input)])
            if not data:
                self._stop(f"the {self._codec.name} data is cut off: the file ends before its last {self._codec.unit}")
                return
        self._fresh = b""
        try:
            self._ready = memoryview(self._decoder.decompress(data, self._codec.step))
        except Exception as error:  # each library has its own, and importing five to name them is dear
            self._ready = memoryview(getattr(self._decoder, "salvaged", b""))
            self._stop(f"the {self._codec.name} data is damaged ({_line(error)})")

    def _next_member(self) -> None:
        """Begin another member if one follows; some writers pad with zeros, which mean nothing."""
        rest = (self._decoder.unused_data or b"").lstrip(b"\0")
        while len(rest) < HEAD:
            more = bytes(self._input[: self._source._raw(self._input)])
            if not more:
                break
            rest = (rest + more).lstrip(b"\0")
        if not rest:
            self._stop("")
        elif self._codec.magic(rest):
            self._decoder = self._codec.start()
            self._fresh = rest
        else:
            self._stop(f"after the end of the {self._codec.name} data comes something else, which is ignored")

    def _stop(self, damage: str) -> None:
        self._over = True
        self._source.damage = self._source.damage or damage


def _open(path: str | os.PathLike[str] | IO[bytes]) -> tuple[str, BinaryIO | IO[bytes], bool]:
    if isinstance(path, io.TextIOBase):
        raise UsageError(f"{getattr(path, 'name', path)}: a text stream; open it in binary mode")
    if not isinstance(path, (str, os.PathLike)):
        if not hasattr(path, "read"):
            raise UsageError(f"{path!r} is neither a path nor a binary stream")
        name = getattr(path, "name", None)  # of a stream made from a file descriptor: its number
        return name if isinstance(name, str) else "(stream)", path, False
    if path == "-":
        return "-", sys.stdin.buffer, False
    name = os.fspath(path)
    try:
        return name, Path(name).open("rb", buffering=0), True
    except (OSError, ValueError) as error:
        raise CaptureError(name, f"cannot be opened: {_reason(error)}") from error


def _size(file: BinaryIO | IO[bytes]) -> int | None:
    """Bytes from here to the end of a regular file, None for anything else."""
    try:
        status = os.fstat(file.fileno())
        return max(0, status.st_size - file.tell()) if stat.S_ISREG(status.st_mode) else None
    except (OSError, ValueError, AttributeError):
        return None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or _line(error)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
