"""Where a capture was taken: at which end of the calls, or between them.

Two things tell.  Packets marked as sent by the capturing host (Linux cooked headers, pcapng packet flags) are certain.
A time to live of 64, 128 or 255, which hosts begin with, means that no router was passed yet: the sender is this host,
or on its own link.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.record import record
from stunpcap.schema import CARRIER, CLASS, CONFIDENCE, PLACE
from stunpcap.sorting import values_in
from stunpcap.table import Pools
from stunpcap.vantage import Vantage
from stunpcap.wire import counters as kinds

INITIAL_TTLS = (64, 128, 255)
"""What operating systems start with: Linux and macOS, Windows, some network gear."""


@record
class Place:
    """Where one capture was taken, and how that is known."""

    place: int
    confidence: int
    evidence: str
    local: frozenset[int]
    """Endpoint numbers (see `Endpoints.addresses`) of addresses that are at the capture, or on its own link."""
    certain: bool
    """The local addresses are those of the capturing host itself."""


def find_place(vantage: Vantage, pools: Pools) -> Place:
    """Work out where a capture was taken from the flows that carry STUN."""
    flows, counters = vantage.flows, vantage.flow_counters
    plain = flows["carrier"] == CARRIER.index("plain")  # relayed data shows where the relay is, not where we are
    stun = np.flatnonzero(plain & (flows["stun"] + flows["channel"] > 0))
    if not len(stun):
        return Place(PLACE.index("unknown"), CONFIDENCE.index("low"), "no STUN", frozenset(), False)
    address_of = pools.endpoints.addresses
    source, target = address_of[flows["src"][stun]], address_of[flows["dst"][stun]]

    outbound, inbound = counters[stun, kinds.OUTBOUND] > 0, counters[stun, kinds.INBOUND] > 0
    if outbound.any() or inbound.any():
        local = _those(source[outbound & ~inbound], target[inbound & ~outbound])
        remote = _those(source[inbound & ~outbound], target[outbound & ~inbound])
        # Who forwards may rewrite as well: its outside address is then nobody's own.  One direction is enough to tell:
        # the other may be what it drops.
        forwards = bool((outbound & inbound).any()) or bool(local & remote)
        if local and not forwards:
            return Place(
                PLACE.index("endpoint"),
                CONFIDENCE.index("high"),
                "packets are marked as sent or received by this host",
                local,
                True,
            )
        return Place(
            PLACE.index("between"),
            CONFIDENCE.index("high"),
            "the same addresses are marked as received and as sent on: this host forwards",
            frozenset(),
            False,
        )

    low, high = flows["ttl_min"][stun], flows["ttl_max"][stun]
    fresh = np.isin(low, INITIAL_TTLS) & (low == high)
    far = _those(source[~fresh])
    near = _those(source[fresh]) - far
    if near and far:
        which = _ttl_words(low, high, source, near)
        return Place(PLACE.index("endpoint"), CONFIDENCE.index("medium"), which, near, False)
    if near and near == _those(source, target):
        return Place(
            PLACE.index("unknown"),
            CONFIDENCE.index("low"),
            "no packet has passed a router: all parties are on one link",
            near,
            False,
        )
    if near and (vantage.messages["class"] > CLASS.index("indication")).any():
        return Place(
            PLACE.index("unknown"),
            CONFIDENCE.index("low"),
            "one direction was captured: its sender is here or on this link",
            near,
            False,
        )
    if near:
        return Place(
            PLACE.index("endpoint"),
            CONFIDENCE.index("low"),
            "packets from here have a fresh time to live; nothing came from the other side",
            near,
            False,
        )
    return Place(
        PLACE.index("between"),
        CONFIDENCE.index("medium"),
        "every packet has passed a router already (time to live)",
        frozenset(),
        False,
    )


def _those(*columns: Any) -> frozenset[int]:
    return frozenset(values_in(np.concatenate(columns)).tolist())


def _ttl_words(low: Any, high: Any, source: Any, near: frozenset[int]) -> str:
    mine = np.isin(source, list(near))
    return f"packets from here have a fresh time to live ({int(low[mine].max())}), the others passed routers"
