"""The part of a capture that is in memory: one buffer at a time, moved forward over the stream.

A record that the end of the buffer cuts in two is carried over into the next buffer, once: the mover says how many
bytes it needs, and gets a buffer of at least that size.  So memory is one block plus one record, whatever comes.
"""

from __future__ import annotations

from collections.abc import Callable

from stunpcap import kernels
from stunpcap.capture.source import Source

Progress = Callable[[int, int | None], None]

COMPILE_FROM = 16 << 20
"""Bytes of capture from which compiled code pays: below, importing numba takes longer than walking the records."""
KEPT_FROM = 4 << 20
"""The same where machine code is kept."""
SPARE = 4
"""Buffers that are kept to be used again: blocks read ahead, the one that is worked on, and the one being filled."""


class Window:
    """A cursor (`at`) in a buffer (`data`) that lies at `position` in the decompressed capture."""

    def __init__(self, source: Source, block_bytes: int, progress: Progress | None, *, eager: bool = False) -> None:
        self.source = source
        self._eager = eager
        """Take what there is, instead of waiting for a full buffer."""
        # One byte more than a small file has: so the first read also sees that it ends.
        self.block_bytes = block_bytes if source.size is None else min(block_bytes, source.size + 1)
        self._progress = progress
        self._spare: list[bytearray] = []
        self.data = memoryview(b"")
        self.position = 0
        self.at = 0
        self.ended = False
        """Nothing comes after `data`."""

    @property
    def left(self) -> int:
        """Bytes from the cursor to the end of the buffer."""
        return len(self.data) - self.at

    @property
    def offset(self) -> int:
        """Where the cursor stands in the capture."""
        return self.position + self.at

    @property
    def fast(self) -> bool:
        """Whether kernels should run compiled."""
        size = self.source.disk_size or 0
        return kernels.wanted(max(size, self.position + len(self.data)), COMPILE_FROM, KEPT_FROM)

    def move(self, need: int) -> bool:
        """Bring at least `need` bytes from the cursor on into a new buffer, the cursor at its start.

        Returns whether there are that many; if not, the rest of the stream is in the buffer.  Views of the buffer
        before stay valid.
        """
        if self.ended:
            return self.left >= need
        rest = self.data[self.at :]
        size = max(self.block_bytes, need)
        buffer = self._buffer(size)
        view = memoryview(buffer)
        view[: len(rest)] = rest
        least = need if self._eager else size
        end = len(rest) + self.source.readinto(view[len(rest) : size], max(1, least - len(rest)))
        self.ended = end < least
        self.position += self.at
        self.at = 0
        self.data = view[:end].toreadonly()
        if self._progress is not None:
            self._progress(self.source.disk_read, self.source.disk_size)
        return end >= need

    def _buffer(self, size: int) -> bytearray:
        """A buffer that nobody looks at: one from before if its views are all gone, else a new one."""
        if size != self.block_bytes:
            return bytearray(size)
        for buffer in self._spare:
            try:
                buffer.append(buffer.pop())  # a bytearray refuses to change its size while views of it exist
            except BufferError:
                continue
            return buffer
        buffer = bytearray(size)
        self._spare = [*self._spare[1 - SPARE :], buffer]
        return buffer
