"""ChannelData (RFC 8656 section 12.4): the channels of a TURN server as flows of their own.

A channel is a row of the flow table like any 5-tuple, so relayed media costs no more than direct media: it is looked
into where it lies, counted, and let go.  Its key is the flow that carries it, which may be a channel in turn (a relay
behind a relay), and the channel's number.  Who the two ends are only the TURN messages tell (`stunpcap.turn`).
"""

from __future__ import annotations

from typing import Any

from stunpcap.kernels import inner
from stunpcap.wire import demux
from stunpcap.wire.counters import count_packet, count_relayed
from stunpcap.wire.hashing import find_slot
from stunpcap.wire.words import Buffer, u16

KEY = 10
"""Words of a flow's key.  A 5-tuple: source, destination (four words each), ports, protocol.  A channel: eight zeros,
the carrying flow, and the channel's number above the protocol."""
DEEPEST = 4
"""Relays behind relays that are followed."""
MS_MULTIPLEXED = 0xFF10
"""Microsoft's framing in place of a channel number: a session id of eight bytes stands before the data."""


@inner
def channel_header(number: int) -> int:
    """Bytes before the data."""
    return 12 if number == MS_MULTIPLEXED else 4


@inner
def open_channels(
    b: Buffer,
    o: int,
    stop: int,
    flow: int,
    n_flows: int,
    protocol: int,
    time_ns: int,
    frame: int,
    ttl: int,
    toward: int,
    key: Any,
    seed: int,
    slots: Any,
    keys: Any,
    counters: Any,
) -> tuple[int, int, int, int, int, int]:
    """Count the ChannelData at `o` in its channel, and the ChannelData in that.

    There must be room for `DEEPEST` more flows.

    Returns
    -------
    n_flows, flow, kind, start, stop, length
        How many flows there are now; of the innermost data its channel, kind, bounds, and true length.
    """
    kind = demux.CHANNEL
    length = 0
    for _ in range(DEEPEST):
        number = u16(b, o)
        head = channel_header(number)
        length = u16(b, o + 2) + 4 - head
        o += head
        stop = max(o, min(stop, o + length))
        for k in range(8):
            key[k] = 0
        key[8] = flow
        key[9] = number * 0x10000 + protocol
        slot = find_slot(slots, keys, KEY, key, seed)
        flow = int(slots[slot])
        new = flow < 0
        if new:
            flow = n_flows
            n_flows += 1
            slots[slot] = flow
            for k in range(KEY):
                keys[flow, k] = key[k]
        count_packet(counters, flow, new, length, time_ns, frame, ttl, toward)
        kind = count_relayed(b, o, stop, length, counters, flow)
        if kind != demux.CHANNEL:
            break
    return n_flows, flow, kind, o, stop, length
