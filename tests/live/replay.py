"""A capture sent again as a stream, packet by packet with the pauses there were, as if it were captured now."""

from __future__ import annotations

import contextlib
import struct
import time
from pathlib import Path
from typing import IO

from stunpcap.capture import open_capture


def packets(path: Path) -> list[tuple[int, bytes, int]]:
    """Time in nanoseconds, bytes, and length on the wire of each packet, and the link type of the first interface."""
    found = []
    with open_capture(path) as capture:
        for block in capture.blocks():
            for row in range(len(block)):
                start = int(block.offset[row])
                data = bytes(block.data[start : start + int(block.caplen[row])])
                found.append((int(block.time_ns[row]), data, int(block.wirelen[row])))
    return found


def link_type(path: Path) -> int:
    """The link type of a capture."""
    with open_capture(path) as capture:
        list(capture.blocks())
        return capture.interfaces[0].linktype


def replay(
    path: Path, stream: IO[bytes], *, speed: float = 1.0, silence_s: float = 0.0, log: list[float] | None = None
) -> None:
    """Write a pcap with nanoseconds to a stream: times are shifted to now, pauses divided by `speed`.

    `log` gets the moment (`time.time`) at which each packet was written; at the end comes `silence_s`, then the stream
    is closed.
    """
    begun, found = time.time(), packets(path)
    shift = int(begun * 1e9) - found[0][0]
    with contextlib.suppress(BrokenPipeError, ValueError):
        stream.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, link_type(path)))
        stream.flush()
        for time_ns, data, wire in found:
            due = begun + (time_ns - found[0][0]) / 1e9 / speed
            time.sleep(max(0.0, due - time.time()))
            seconds, fraction = divmod(time_ns + shift, 10**9)
            stream.write(struct.pack("<IIII", seconds, fraction, len(data), wire) + data)
            stream.flush()
            if log is not None:
                log.append(time.time())
        time.sleep(silence_s / speed)
    with contextlib.suppress(BrokenPipeError):
        stream.close()
