"""What went after ICE, in numbers: the frames `streams` and `activity`."""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, first_of, group
from stunpcap.media.binding import Binding, Bound
from stunpcap.record import record
from stunpcap.room import below
from stunpcap.sorting import ordered_by
from stunpcap.table import MISSING, Pools, Table
from stunpcap.vantage import Vantage
from stunpcap.wire import following

WAY = ("src", "dst", "transport", "carrier")
SECOND = following.SECOND
RTCP_FIRST = 192
CARRYING = ("carrying_src", "carrying_dst")


@record
class Activity:
    """The frame, and what else is known of each row."""

    table: Table
    side: Ints
    """Which agent of the session sent: 0 for A, 1 for B, -1 where there is no session."""
    carrying: Ints
    """Ends of the flow that carries it inside TURN: two columns."""


def _of_flows(vantage: Vantage, flow: Any, pools: Pools) -> dict[str, Any]:
    ways = {name: vantage.flows[name][flow] for name in WAY}
    return {"vantage": np.full(len(flow), pools.texts.number(vantage.name)), **ways}


def _bound(parts: list[dict[str, Any]], binding: Binding, times: str, later: int = 0) -> tuple[dict[str, Any], Bound]:
    """All columns of the captures, those that tell whose each row is among them."""
    columns = {key: below([part[key] for part in parts]) for key in parts[0]}
    ends = [columns[key] for key in ("vantage", "src", "dst", "transport")]
    bound = binding.bind(ends, columns[times] + later)
    return columns | {"session_id": bound.session_id, "pair_id": bound.pair_id}, bound


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
    columns, bound = _bound(parts, binding, "last_time")
    columns["on_nominated"] = bound.on_nominated
    table = Table("streams", len(bound.session_id), pools, columns)
    return table.take(ordered_by(table["first_time"], table["src"]))


def _payload_types(rows: Any, kind: Any, pools: Pools) -> Any:
    """The types in each row's bits, as text; few combinations occur."""
    bits = [kind, *(rows[:, following.TYPES + k] for k in range(4))]
    places, count = group(*bits)
    distinct = np.column_stack(bits)[first_of(places, count)]
    texts = []
    for what, *words in distinct.tolist():
        first = RTCP_FIRST if what == following.RTCP else 0
        found = [first + 32 * k + bit for k, word in enumerate(words) for bit in range(32) if word >> bit & 1]
        texts.append("" if what == following.DATA else ", ".join(map(str, found)))
    return pools.texts.numbers(texts)[places]


def build_activity(vantages: list[Vantage], binding: Binding, pools: Pools) -> Activity:
    """A row for each direction and second in which media or STUN went.

    A second in which a session took its ends over is that session's.
    """
    parts = []
    for vantage in vantages:
        rows = vantage.activity
        order = ordered_by(rows[:, following.A_START], vantage.flows["src"][rows[:, following.A_FLOW]])
        told = np.ascontiguousarray(rows.take(order, axis=0).T)
        parts.append(
            _of_flows(vantage, told[following.A_FLOW], pools)
            | {name: vantage.flows[name][told[following.A_FLOW]] for name in CARRYING}
            | {
                "time": told[following.A_START],
                "rtp_packets": told[following.A_RTP],
                "rtcp_packets": told[following.A_RTCP],
                "data_packets": told[following.A_DATA],
                "stun_packets": told[following.A_STUN],
                "media_bytes": told[following.A_BYTES],
            }
        )
    columns, bound = _bound(parts, binding, "time", SECOND - 1)
    carrying = np.column_stack([columns.pop(name) for name in CARRYING])
    table = Table("activity", len(carrying), pools, columns)
    if len(parts) == 1:
        return Activity(table, bound.side, carrying)
    order = ordered_by(table["time"], table["src"])
    return Activity(table.take(order), bound.side[order], carrying.take(order, axis=0))
