"""What the capture floor hands on: blocks of packets as columns, and what was wrong with the file."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stunpcap.record import record

IntColumn = npt.NDArray[np.int64]

UNKNOWN, INBOUND, OUTBOUND = 0, 1, 2
"""Link-layer direction of a packet (pcapng `epb_flags`)."""


class Interface(NamedTuple):
    """One capturing interface: the link type of its packets and what the file tells of it."""

    linktype: int
    """LINKTYPE_ value (https://www.tcpdump.org/linktypes.html)."""
    snaplen: int = 0
    """Longest captured length in bytes; 0 if unlimited or unknown."""
    name: str = ""
    description: str = ""


@record
class Block:
    """A run of consecutive packets; packet i lies at `data[offset[i] : offset[i] + caplen[i]]`."""

    data: memoryview
    """The bytes of this part of the (decompressed) capture, format "B"."""
    position: int
    """Offset in the (decompressed) capture of `data[0]`."""
    first_frame: int
    """Frame number (from 1, as Wireshark counts) of packet 0; the others follow without gaps."""
    offset: IntColumn
    """Bytes from the start of `data`."""
    caplen: IntColumn
    """Captured bytes; never reaches past the end of `data`."""
    wirelen: IntColumn
    """Bytes on the wire; at least `caplen`."""
    time_ns: IntColumn
    """Nanoseconds since 1970-01-01 UTC."""
    interface: npt.NDArray[np.int32]
    """Index into the reader's `interfaces`."""
    direction: npt.NDArray[np.int8]
    """UNKNOWN, INBOUND or OUTBOUND."""

    def __len__(self) -> int:
        return len(self.offset)


class Defect(NamedTuple):
    """Something wrong with a capture file; reading went on, or ended here with all before it kept."""

    offset: int
    """Byte offset in the (decompressed) capture."""
    frame: int
    """The last frame number read before it (0 if none)."""
    problem: str
