"""The datagrams that are kept: a row of narrow columns for each, and their payloads one behind the other."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap.room import Columns
from stunpcap.sorting import in_order
from stunpcap.wire import demux
from stunpcap.wire.gather import gather
from stunpcap.wire.walk import (
    ROW_DIRECTION,
    ROW_FLOW,
    ROW_IP_ID,
    ROW_KIND,
    ROW_LENGTH,
    ROW_START,
    ROW_STOP,
    ROW_TTL,
)

Ints = npt.NDArray[np.int64]

COLUMNS: dict[str, type[np.signedinteger[Any]]] = {
    "frame": np.int64,
    "time_ns": np.int64,
    "offset": np.int64,
    "length": np.int64,
    "flow": np.int32,
    "captured": np.int32,
    "ip_id": np.int32,
    "ttl": np.int16,
    "kind": np.int8,
    "direction": np.int8,
}
"""What was captured of a packet is below 16 MB (`capture.words.LONGEST`), its true length whatever 32 bits may say; of
flows, hundreds of bytes each, memory holds fewer than 2^31."""
STUN_KINDS = np.array([demux.is_stun(kind) for kind in range(demux.MDNS + 1)])


def by_frames(kept: Columns, number: Ints | None) -> dict[str, Any]:
    """The columns of what was kept, in order of frames; flows by their numbers if these are not their rows."""
    columns = kept.used()
    frame = columns["frame"]
    if (frame[1:] < frame[:-1]).any():  # what came out of streams and fragments was kept when it was whole
        order = in_order(frame)
        columns = {name: column[order] for name, column in columns.items()}
    if number is not None:
        columns["flow"] = number[columns["flow"]].astype(np.int32)
    return columns


class Kept:
    """The datagrams of one capture that are kept: those with STUN, and others for other decoders."""

    def __init__(self) -> None:
        self.stun = Columns(COLUMNS)
        self.others = Columns(COLUMNS)
        self._payload = io.BytesIO()  # grows in place, and gives its bytes away without copying them

    def take(self, data: memoryview, rows: Ints, frames: Ints, times: Ints) -> None:
        """Keep the datagrams that the walk noted in `rows`; their bytes lie in `data`."""
        captured = rows[:, ROW_STOP] - rows[:, ROW_START]
        end = self._payload.tell() + np.cumsum(captured)
        self._payload.write(gather(data, rows[:, ROW_START], rows[:, ROW_STOP]))
        values = {
            "frame": frames,
            "time_ns": times,
            "offset": end - captured,
            "length": rows[:, ROW_LENGTH],
            "flow": rows[:, ROW_FLOW],
            "captured": captured,
            "ip_id": rows[:, ROW_IP_ID],
            "ttl": rows[:, ROW_TTL],
            "kind": rows[:, ROW_KIND],
            "direction": rows[:, ROW_DIRECTION],
        }
        stun = STUN_KINDS[rows[:, ROW_KIND]]
        count = int(np.count_nonzero(stun))
        if count < len(rows):
            self.others.add({name: column[~stun] for name, column in values.items()}, len(rows) - count)
            values = {name: column[stun] for name, column in values.items()}
        if count:
            self.stun.add(values, count)

    def payload(self) -> bytes:
        """All payloads, one behind the other."""
        return self._payload.getvalue()
