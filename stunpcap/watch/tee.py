"""A stream that is kept in a file while it is read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

from stunpcap.errors import UsageError


class Tee:
    """Hands on what it reads, and writes it to a file.

    A disk that is full does not end the reading: `problem` then says what is wrong.

    Raises
    ------
    UsageError
        The file cannot be written.
    """

    def __init__(self, stream: IO[bytes], path: str | os.PathLike[str]) -> None:
        self._stream = stream
        self._readinto: Any = getattr(stream, "readinto1", None) or getattr(stream, "readinto", None)
        self.path = Path(path)
        self.problem = ""
        self.name = getattr(stream, "name", None)
        try:
            self._file = self.path.open("wb", buffering=0)
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from error

    def read(self, size: int) -> bytes:
        """Some bytes, none at the end."""
        data = self._stream.read(size) or b""
        self._keep(data)
        return data

    def readinto(self, view: memoryview) -> int:
        """Some bytes into a buffer; how many."""
        if self._readinto is None:
            data = self._stream.read(len(view)) or b""
            view[: len(data)] = data
            got = len(data)
        else:
            got = self._readinto(view) or 0
        self._keep(view[:got])
        return got

    def _keep(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        try:
            while view and not self.problem:
                view = view[self._file.write(view) or 0 :]
        except (OSError, ValueError) as error:  # ValueError: closed meanwhile
            self.problem = f"{self.path} cannot be written any further: {getattr(error, 'strerror', None) or error}"

    def close(self, whole: int | None) -> None:
        """Close the file, cut to its first `whole` bytes: a record cut in two would be damage."""
        if self._file.closed:
            return
        if whole is not None and not self.problem and whole < os.fstat(self._file.fileno()).st_size:
            self._file.truncate(whole)
        self._file.close()
