"""What the captures hold: packets, times, place, traffic besides STUN, and damage."""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.ice.columns import group
from stunpcap.schema import TRANSPORT
from stunpcap.summary.model_captures import Capture, Conversation, Damage, Traffic
from stunpcap.summary.words import ETHERTYPES, PORTS, PROTOCOLS
from stunpcap.table import NAT, Table
from stunpcap.vantage import Vantage

BUSIEST = 10
"""Conversations that are listed."""
_KINDS = ("stun", "dtls", "rtp", "rtcp", "channel", "other")
_TCP = TRANSPORT.index("tcp")


def build_captures(vantages: Table, sources: tuple[Vantage, ...]) -> tuple[Capture, ...]:
    """One entry a capture; `vantages` may be the table of a selection."""
    found = []
    for row, source in zip(vantages.records(), sources, strict=True):
        known = NAT not in (source.first_time, source.last_time) and source.packets > 0
        found.append(
            Capture(
                vantage=row["vantage"],
                path=row["path"],
                format=row["format"],
                link_types=row["link_types"],
                packets=row["packets"],
                bytes=row["bytes"],
                first_time=row["first_time"] if known else None,
                last_time=row["last_time"] if known else None,
                duration_s=(source.last_time - source.first_time) / 1e9 if known else 0.0,
                stun_messages=row["stun_messages"],
                place=row["place"],
                at=row["at"],
                confidence=row["confidence"],
                evidence=row["evidence"],
                traffic=_traffic(source),
            )
        )
    return tuple(found)


def build_damage(defects: Table) -> tuple[Damage, ...]:
    """The rows of `defects`."""
    return tuple(Damage(**row) for row in defects.records())


def _traffic(source: Vantage) -> Traffic:
    flows = source.flows
    tcp = flows["transport"] == _TCP
    packets = flows["packets"]
    return Traffic(
        udp_flows=int(np.count_nonzero(~tcp)),
        tcp_flows=int(np.count_nonzero(tcp)),
        udp=int(packets[~tcp].sum()),
        tcp=int(packets[tcp].sum()),
        **{kind: int(flows[kind][~tcp].sum()) for kind in _KINDS},
        not_ip={ETHERTYPES.get(k, f"ethertype {k:#06x}"): n for k, n in _by_count(source.ethertypes)} | source.not_ip,
        protocols={PROTOCOLS.get(k, f"protocol {k}"): n for k, n in _by_count(source.protocols)},
        busiest=_busiest(flows),
    )


def _by_count(counts: dict[int, int]) -> list[tuple[int, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _busiest(flows: Table) -> tuple[Conversation, ...]:
    """The conversations with most packets, both directions together."""
    src, dst = flows["src"], flows["dst"]
    numbers, count = group(np.minimum(src, dst), np.maximum(src, dst), flows["transport"])
    total = np.bincount(numbers, flows["packets"], count).astype(np.int64)
    chosen = np.argsort(-total, kind="stable")[:BUSIEST]
    return tuple(_conversation(flows, np.flatnonzero(numbers == number)) for number in chosen.tolist())


def _conversation(flows: Table, rows: Any) -> Conversation:
    endpoints = flows.pools.endpoints
    rows = rows[np.argsort(flows["first_time"][rows], kind="stable")]
    first = int(rows[0])
    a, b = int(flows["src"][first]), int(flows["dst"][first])
    forth = flows["src"][rows] == a
    tcp = int(flows["transport"][first]) == _TCP
    kinds = {kind: int(flows[kind][rows].sum()) for kind in _KINDS}
    most = max(kinds, key=lambda kind: kinds[kind])
    port = next((PORTS[port] for port in map(endpoints.port, (b, a)) if port in PORTS), "")
    return Conversation(
        transport=TRANSPORT[int(flows["transport"][first])],
        a=endpoints.text(a),
        b=endpoints.text(b),
        a_to_b_packets=int(flows["packets"][rows][forth].sum()),
        b_to_a_packets=int(flows["packets"][rows][~forth].sum()),
        bytes=int(flows["bytes"][rows].sum()),
        first_frame=int(flows["first_frame"][rows].min()),
        holds=(f"{port}, by its port" if port else "") if tcp or most == "other" else most,
    )
