"""What a scan keeps of a capture: datagrams with STUN, DTLS handshakes and mDNS, flows and their use, ICMP errors."""

from __future__ import annotations

from dataclasses import field, fields
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stunpcap.record import record
from stunpcap.wire.acknowledged import ALL_COLUMNS
from stunpcap.wire.counters import (
    COUNTERS,
)
from stunpcap.wire.following import new_activity, new_streams

Ints = npt.NDArray[np.int64]


class IcmpError(NamedTuple):
    """An ICMP error and the datagram that it quotes."""

    frame: int
    time_ns: int
    version: int
    type: int
    code: int
    sender: tuple[int, ...]
    """Four words of the address that sent the error."""
    quoted: tuple[int, ...]
    """The quoted datagram's key: source, destination, ports, protocol, as in the flow table."""
    payload: bytes
    """As much of the quoted payload as was captured."""


def _nothing() -> Ints:
    return np.zeros(0, np.int64)


@record
class Aside:
    """Datagrams kept for others than the decoder of STUN: those with DTLS handshakes (`demux.HANDSHAKE`, `BOTH`) and
    mDNS.  The columns are those of `Datagrams`."""

    frame: Ints = field(default_factory=_nothing)
    time_ns: Ints = field(default_factory=_nothing)
    flow: Ints = field(default_factory=_nothing)
    offset: Ints = field(default_factory=_nothing)
    captured: Ints = field(default_factory=_nothing)
    length: Ints = field(default_factory=_nothing)
    kind: Ints = field(default_factory=_nothing)


ASIDE = tuple(column.name for column in fields(Aside))


@record
class Datagrams:
    """Everything kept of one capture.  The datagrams are those with STUN."""

    frame: Ints
    time_ns: Ints
    flow: Ints
    """Row of `flow_keys`, or beyond these of `channel_keys`: the datagram is what ChannelData holds."""
    offset: Ints
    """Where each datagram's payload begins in `payload`."""
    captured: Ints
    length: Ints
    """True length of the payload."""
    kind: Ints
    ttl: Ints
    direction: Ints
    ip_id: Ints
    payload: bytes
    flow_keys: npt.NDArray[np.uint32]
    flow_counters: Ints
    icmp: list[IcmpError]
    packets: int
    captured_bytes: int
    first_time: int
    last_time: int
    oddities: dict[str, tuple[str, int, int]]
    """What could not be followed: text -> (layer, packets, first frame)."""
    ethertypes: dict[int, int]
    """Packets that are no IP, by EtherType."""
    protocols: dict[int, int]
    """Packets with neither UDP, TCP nor an ICMP error, by IP protocol."""
    channel_keys: Ints = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    """Carrying flow and number of each channel in them.  Channels are numbered on from the last flow."""
    channel_counters: Ints = field(default_factory=lambda: np.zeros((0, COUNTERS), np.int64))
    not_ip: dict[str, int] = field(default_factory=dict)
    """Packets that are no IP and have no EtherType: what they are, how many."""
    flow_tcp: Ints = field(default_factory=lambda: np.zeros((0, ALL_COLUMNS), np.int64))
    """What is known of each flow that is a direction of a TCP connection (`wire.segments`, `wire.acknowledged`)."""
    flow_opaque: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """What hides the inside of each flow (`stunpcap.wire.opaque`)."""
    aside: Aside = field(default_factory=Aside)
    """Other datagrams that are kept, in the same `payload`."""
    streams: Ints = field(default_factory=lambda: new_streams(0))
    """Streams of RTP, RTCP and data, columns as in `stunpcap.wire.following`; their flows as in `flow`."""
    activity: Ints = field(default_factory=lambda: new_activity(0))
    """What went in each flow and second."""
    server_names: dict[int, str] = field(default_factory=dict)
    """Flow -> the name of the server that its ClientHello asked for; on both directions."""
