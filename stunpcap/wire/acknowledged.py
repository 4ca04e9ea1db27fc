"""What a TCP connection tells of its own losses: sequence numbers, acknowledgements, and windows, by direction.

`track` is called by the packet walk for every segment of every connection, those of other protocols included, and costs
a few comparisons where all goes well.  Each direction has a position: sequence numbers that never wrap.  Bytes beyond
the position that come later leave a hole, which a later segment may fill; what the other side acknowledges and nobody
captured is missing in the capture alone, what was captured and is never acknowledged did not arrive, or its answer was
not captured.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap.kernels import inner
from stunpcap.wire import layers
from stunpcap.wire.framing import FAR
from stunpcap.wire.segments import FIN, REVERSE, TCP_COLUMNS
from stunpcap.wire.words import Buffer, u16, u32

Ints = npt.NDArray[np.int64]

(BEGAN, TOP, ACKED, SEEN, AGAIN, ZERO_WINDOW, MISSING, UNACKED, LAST_DATA, HOLED) = range(TCP_COLUMNS, TCP_COLUMNS + 10)
ALL_COLUMNS = TCP_COLUMNS + 10
"""Columns behind those of `stunpcap.wire.segments`.  BEGAN: position of the first byte if a SYN told it; TOP: behind
the last one captured; ACKED: what the other direction has acknowledged; each 0 if not known.  SEEN: sequence number and
IP identification of the last segment with data, to tell packets captured twice.  AGAIN: segments whose data had been
captured before.  MISSING, UNACKED: bytes of earlier connections on the same ports.  HOLED: a row of the holes, plus
one."""
HOLES = 8
"""Holes of a direction that are remembered; a further one takes the place of the oldest, which counts for filled."""
MOST_HOLED = 1 << 14
"""Directions that have any; of further ones holes are not remembered."""
START = 1 << 32
"""Where positions begin, so that what comes before the first byte seen is positive, too."""


def new_holes() -> Ints:
    """Room for holes: start and stop of each; row 0 counts the rows in use."""
    return np.zeros((MOST_HOLED + 1, 2 * HOLES), np.int64)


@inner
def position(number: int, near: int) -> int:
    """The position of a sequence number, nearest to another position."""
    return near + ((number - near + 0x80000000) & 0xFFFFFFFF) - 0x80000000


@inner
def begin_anew(tcp: Any, flow: int, holes: Any, ended: bool) -> None:
    """Another connection on the same ports: its positions go; what it missed is kept if it is known to have ended."""
    missing, unacked = open_ends(tcp, flow, holes)
    if ended:
        tcp[flow, MISSING] += missing
        tcp[flow, UNACKED] += unacked
    tcp[flow, TOP] = 0
    tcp[flow, ACKED] = 0
    tcp[flow, BEGAN] = 0
    row = int(tcp[flow, HOLED])
    for k in range(2 * HOLES if row else 0):
        holes[row, k] = 0


@inner
def open_ends(tcp: Any, flow: int, holes: Any) -> tuple[int, int]:
    """Bytes acknowledged and never captured, and bytes captured and never acknowledged, as it stands."""
    top, acked, row = int(tcp[flow, TOP]), int(tcp[flow, ACKED]), int(tcp[flow, HOLED])
    if top == 0:
        return 0, 0
    missing = 0
    for k in range(HOLES if row else 0):
        missing += max(0, min(acked, int(holes[row, 2 * k + 1])) - int(holes[row, 2 * k]))
    ends = int(tcp[flow, FIN]) > 0
    beyond = acked - top
    if beyond > 0 and not (beyond == 1 and not ends):  # one number more than the data has: a FIN not captured
        missing += beyond
    return missing, max(0, -beyond - (1 if ends else 0))


@inner
def open_hole(tcp: Any, flow: int, start: int, stop: int, holes: Any) -> None:
    """Remember that the bytes from `start` to `stop` were not captured."""
    row = int(tcp[flow, HOLED])
    if row == 0:
        if holes[0, 0] >= len(holes) - 1:
            return
        holes[0, 0] += 1
        row = int(holes[0, 0])
        tcp[flow, HOLED] = row
    place = 0
    for k in range(HOLES):
        if holes[row, 2 * k] == holes[row, 2 * k + 1]:
            place = k
            break
        if holes[row, 2 * k] < holes[row, 2 * place]:
            place = k
    holes[row, 2 * place] = start
    holes[row, 2 * place + 1] = stop


@inner
def fill(row: int, start: int, stop: int, holes: Any) -> bool:
    """Take the bytes from `start` to `stop` out of the holes; returns whether any of them were in one."""
    filled = False
    for k in range(HOLES):
        first, last = int(holes[row, 2 * k]), int(holes[row, 2 * k + 1])
        if start >= last or stop <= first:
            continue
        filled = True
        if start <= first:
            holes[row, 2 * k] = min(stop, last)
        else:
            holes[row, 2 * k + 1] = start
            for other in range(HOLES):  # what is behind it is another hole, if there is room
                if stop < last and holes[row, 2 * other] == holes[row, 2 * other + 1]:
                    holes[row, 2 * other] = stop
                    holes[row, 2 * other + 1] = last
                    break
    return filled


@inner
def track(b: Buffer, f: layers.Fields, tcp: Any, flow: int, time_ns: int, holes: Any) -> None:
    """Take notice of a segment's numbers."""
    head = f[layers.DETAIL]
    flags = int(b[head + 13])
    if flags & 0x04:  # a RST's numbers are its cause's, not its connection's
        return
    other = int(tcp[flow, REVERSE]) - 1
    number = u32(b, head + 4)
    length = f[layers.LENGTH]
    top = int(tcp[flow, TOP])
    syn = 1 if flags & 0x02 else 0
    at = position(number, top if top else START) + syn
    if top != 0 and syn != 0 and at != tcp[flow, BEGAN]:
        begin_anew(tcp, flow, holes, True)
        top = 0
        if other >= 0 and flags & 0x10 == 0:
            begin_anew(tcp, other, holes, True)
    elif top != 0 and (at - top >= FAR or top - at >= FAR):  # hours are missing, or a SYN
        begin_anew(tcp, flow, holes, False)
        top = 0
    if top == 0:
        acked = int(tcp[flow, ACKED])
        at = position(number, acked if acked else START) + syn
        top = at
        if acked < at or acked - at >= FAR:  # all before what was captured first counts for arrived
            tcp[flow, ACKED] = at
        if syn:
            tcp[flow, BEGAN] = at
    end = at + length
    if at > top:
        open_hole(tcp, flow, top, at, holes)
    if length > 0:
        tcp[flow, LAST_DATA] = max(int(tcp[flow, LAST_DATA]), time_ns)
        seen = number << 16 | f[layers.IP_ID]
        if at < top and (f[layers.IP_ID] == 0 or seen != tcp[flow, SEEN]):
            row = int(tcp[flow, HOLED])
            filled = row > 0 and fill(row, at, end, holes)
            if end <= top and not filled and not (length == 1 and end == top):  # that keeps the connection alive
                tcp[flow, AGAIN] += 1
        tcp[flow, SEEN] = seen
    tcp[flow, TOP] = max(top, end + (flags & 0x01))
    if flags & 0x10:
        if flags & 0x03 == 0 and u16(b, head + 14) == 0:
            tcp[flow, ZERO_WINDOW] += 1
        if other >= 0:
            near = int(tcp[other, ACKED])
            number = u32(b, head + 8)
            acked = position(number, near if near else START)
            if near == 0 or near < acked < near + FAR:
                tcp[other, ACKED] = acked


def told(tcp: Ints, holes: Ints) -> tuple[Ints, Ints]:
    """Missing and unacknowledged bytes of each row, as `open_ends` has them; -1 without the other direction."""
    top, acked, ends = tcp[:, TOP], tcp[:, ACKED], tcp[:, FIN] > 0
    beyond = np.where(top > 0, acked - top, 0)
    missing = np.where((beyond == 1) & ~ends, 0, np.maximum(0, beyond))
    holed = np.flatnonzero(tcp[:, HOLED])
    those = holes[tcp[holed, HOLED]]
    open_bytes = np.minimum(acked[holed, None], those[:, 1::2]) - those[:, ::2]
    missing[holed] += np.maximum(0, open_bytes).sum(axis=1)
    unacked = np.maximum(0, -beyond - ends)
    paired = (tcp[:, REVERSE] > 0) & (tcp[:, BEGAN] + top + tcp[:, MISSING] + tcp[:, UNACKED] > 0)
    return (
        np.where(paired, missing + tcp[:, MISSING], -1),
        np.where(paired, unacked + tcp[:, UNACKED], -1),
    )
