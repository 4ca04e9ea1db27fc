"""What went after ICE, in numbers: the frames `streams` and `activity`."""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.media.binding import Binding
from stunpcap.table import MISSING, Pools, Table
from stunpcap.vantage import Vantage
from stunpcap.wire import following

WAY = ("src", "dst", "transport", "carrier")
SECOND = following.SECOND
RTCP_FIRST = 192


def _of_flows(vantage: Vantage, flow: Any, pools: Pools) -> dict[str, Any]:
    ways = {name: vantage.flows[name][flow] for name in WAY}
    return {"vantage": np.full(len(flow), pools.texts.number(vantage.name)), **ways}


def _table(name: str, parts: list[dict[str, Any]], binding: Binding, ends: str, pools: Pools, width: int = 0) -> Table:
    columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    asked = [columns[key].astype(np.int64) for key in ("vantage", "src", "dst", "transport")]
    bound = binding.bind(asked, columns[ends] + width)
    if name == "activity":
        del bound["on_nominated"]
    table = Table(name, len(columns["vantage"]), pools, columns | bound)
    first = "time" if name == "activity" else "first_time"
    return table.take(np.lexsort((table["src"], table[first])))


def build_streams(vantages: list[Vantage], binding: Binding, pools: Pools) -> Table:
    """A row for each direction, kind and SSRC.

    What spans several sessions on the same endpoints belongs to the last of them.
    """
    parts = []
    for vantage in vantages:
        rows = vantage.streams
        kind = rows[:, following.KEY] >> 32 & 3
        known = (rows[:, following.KEY] < following.ANY) | (kind == following.RTCP)
        known &= rows[:, following.KEY] & following.ANY == 0
        parts.append(
            _of_flows(vantage, rows[:, following.FLOW], pools)
            | {
                "kind": kind,
                "ssrc": np.where(known & (kind != following.DATA), rows[:, following.KEY] & 0xFFFFFFFF, MISSING),
                "payload_types": _payload_types(rows, kind, pools),
                "packets": rows[:, following.PACKETS],
                "bytes": rows[:, following.BYTES],
                "expected": following.expected(rows),
                "first_time": rows[:, following.FIRST_TIME],
                "last_time": rows[:, following.LAST_TIME],
                "first_frame": rows[:, following.FIRST_FRAME],
                "last_frame": rows[:, following.LAST_FRAME],
            }
        )
    return _table("streams", parts, binding, "last_time", pools)


def _payload_types(rows: Any, kind: Any, pools: Pools) -> Any:
    """The types in each row's bits, as text; few combinations occur."""
    bits = np.column_stack([kind, rows[:, following.TYPES : following.TYPES + 4]])
    distinct, places = np.unique(bits, axis=0, return_inverse=True)
    texts = []
    for what, *words in distinct.tolist():
        first = RTCP_FIRST if what == following.RTCP else 0
        found = [first + 32 * k + bit for k, word in enumerate(words) for bit in range(32) if word >> bit & 1]
        texts.append("" if what == following.DATA else ", ".join(map(str, found)))
    return pools.texts.numbers(texts)[places.reshape(-1)]


def build_activity(vantages: list[Vantage], binding: Binding, pools: Pools) -> Table:
    """A row for each direction and second in which media or STUN went."""
    parts = []
    for vantage in vantages:
        rows = vantage.activity
        parts.append(
            _of_flows(vantage, rows[:, following.A_FLOW], pools)
            | {
                "time": rows[:, following.A_START],
                "rtp_packets": rows[:, following.A_RTP],
                "rtcp_packets": rows[:, following.A_RTCP],
                "data_packets": rows[:, following.A_DATA],
                "stun_packets": rows[:, following.A_STUN],
                "media_bytes": rows[:, following.A_BYTES],
            }
        )
    return _table("activity", parts, binding, "time", pools, SECOND - 1)
