"""The second look at a capture: the packets of a selection, one by one, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stunpcap.capture import Capture, open_capture
from stunpcap.errors import CaptureError
from stunpcap.extract.select import Selection
from stunpcap.record import record
from stunpcap.vantage import Vantage
from stunpcap.wire.belonging import Belonging


@record
class Packet:
    """One packet, as it was captured."""

    frame: int
    time_ns: int
    data: bytes
    wire_length: int
    interface: int
    "Index into the capture's interfaces."
    direction: int


def read_by_others(source: Vantage) -> bool:
    """Whether another engine read the capture: it may have left packets out, so that there are fewer than frames."""
    return ", by " in source.format


def opened_again(source: Vantage) -> Capture:
    """The capture that was read, opened once more.

    Raises
    ------
    CaptureError
        It came as a stream, or cannot be opened.
    """
    if source.path in ("-", "(stream)"):
        raise CaptureError(source.path, "a stream cannot be read a second time: save it to a file, and read that")
    if not Path(source.path).exists():
        raise CaptureError(source.path, "is no file, or no longer: packets have to be read from it a second time")
    return open_capture(source.path)


def chosen(capture: Capture, source: Vantage, selection: Selection) -> Iterator[Packet]:
    """The packets that are wanted.

    Raises
    ------
    CaptureError
        The file is not what it was when it was first read.
    """
    belonging = Belonging(selection.flows)
    last = int(selection.frames[-1]) if len(selection.frames) else 0
    met = 0
    for block in capture.blocks():
        frames = block.first_frame + np.arange(len(block))
        if selection.everything:
            wanted = np.arange(len(block))
        else:
            mask = np.isin(frames, selection.frames) | belonging.of(block, capture.interfaces)
            wanted = np.flatnonzero(mask)
        met = block.first_frame + len(block) - 1
        for row in wanted.tolist():
            start = int(block.offset[row])
            yield Packet(
                frame=block.first_frame + row,
                time_ns=int(block.time_ns[row]),
                data=bytes(block.data[start : start + int(block.caplen[row])]),
                wire_length=int(block.wirelen[row]),
                interface=int(block.interface[row]),
                direction=int(block.direction[row]),
            )
        if not len(selection.flows) and not selection.everything and met >= last:
            return
    if met < last or (met != source.packets and not read_by_others(source)):
        raise CaptureError(source.path, f"has {met:,} frames now, and had {source.packets:,} when it was read")
