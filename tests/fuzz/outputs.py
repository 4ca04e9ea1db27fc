"""What is made of a mutated capture: everything, and nothing of it may raise anything but the library's own errors."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import numpy as np

import stunpcap
from stunpcap.capture import Block, open_capture
from stunpcap.errors import CaptureError, UsageError
from stunpcap.ladder import build_ladder
from stunpcap.schema import FRAMES
from stunpcap.wire.scan import Scanner


def frames(data: bytes) -> None:
    """Every table, every row of it."""
    tables = stunpcap.read(io.BytesIO(data)).tables
    for name in FRAMES:
        for _ in getattr(tables, name).records():
            pass


def said(data: bytes) -> None:
    """The texts: summary, Markdown, and what the ladder is drawn from."""
    trace = stunpcap.read(io.BytesIO(data))
    str(trace)
    trace.to_markdown()
    with contextlib.suppress(UsageError):  # there is nothing to be drawn
        build_ladder(trace)


def page(data: bytes) -> None:
    """The report."""
    stunpcap.read(io.BytesIO(data)).to_html()


def messages(data: bytes) -> None:
    """Each message in full."""
    trace = stunpcap.read(io.BytesIO(data))
    for frame in {int(row["frame"]) for row in trace.tables.messages.records()}:
        for message in trace.messages_in(frame):
            str(message)
            message._repr_html_()


def alone(data: bytes) -> None:
    """Every packet in a buffer of its own, which ends where the packet does: nothing is read beyond one."""
    scanner = Scanner()
    with open_capture(io.BytesIO(data)) as capture:
        for block in capture.blocks():
            for row in range(len(block)):
                begin, size = int(block.offset[row]), int(block.caplen[row])
                one = slice(row, row + 1)
                columns = (block.wirelen, block.time_ns, block.interface, block.direction)
                data_of = memoryview(bytes(block.data[begin : begin + size]))
                start = np.zeros(1, np.int64)
                first = block.first_frame + row
                scanner.feed(
                    Block(data_of, 0, first, start, block.caplen[one], *(column[one] for column in columns)),
                    capture.interfaces,
                )
    scanner.finish()


OUTPUTS: dict[str, Callable[[bytes], None]] = {
    "frames": frames,
    "alone": alone,
    "said": said,
    "messages": messages,
    "page": page,
}
"""By name; the later ones cost more and are run less often."""
OFTEN = {"frames": 1.0, "alone": 1.0, "said": 0.3, "messages": 0.1, "page": 0.02}


def run(name: str, data: bytes) -> None:
    """Run one; that it is no capture is an answer."""
    with contextlib.suppress(CaptureError):
        OUTPUTS[name](data)
