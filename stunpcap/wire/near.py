"""The short way to the flow of a packet: most are UDP in IPv4 on Ethernet, and of a flow that was seen just now.

A small table by addresses and ports leads to the flow; whatever is not as plain as that takes the long way, through
`stunpcap.wire.layers` and the hash of all flows, and comes to the same.  Only compiled code has such a table: where
Python runs, it would be one more thing to do.
"""

from __future__ import annotations

from typing import Any

from stunpcap.kernels import inner
from stunpcap.wire import layers
from stunpcap.wire.tunnels import tunnel_port
from stunpcap.wire.words import Buffer, u16, u32

NEAR = 1024
"""Entries: a power of two, few enough to stay in the processor's cache."""
ENTRY = 4
"""Source, destination, ports, and the row of the flow table plus one."""
FETCH = 32
"""Packets whose first bytes are fetched at a time, so that the waits for memory overlap."""


@inner
def entry_of(source: int, target: int, ports: int, near: Any) -> int:
    """Where such a datagram's entry is."""
    h = source + target * 0x45D9F3B + ports * 0x2545F491  # below 2^63
    return (h >> 32 ^ h >> 15 ^ h) & (len(near) - 1)


@inner
def near_flow(b: Buffer, o: int, stop: int, wire_stop: int, near: Any, f: layers.Fields) -> int:
    """The flow of the packet at `o`, on Ethernet, if it has an entry; -1 if not, or the packet is not plain.

    Of `f` all is set that `dissect` sets and the walk reads of a datagram but for the addresses.
    """
    if o + 42 > stop or b[o + 14] != 0x45 or b[o + 12] != 0x08 or b[o + 13] != 0 or b[o + 23] != layers.UDP:
        return -1
    total = u16(b, o + 16)
    size = u16(b, o + 38)
    if u16(b, o + 20) & 0x3FFF or total < 28 or size < 8:
        return -1
    end = min(wire_stop, o + 14 + total)
    stop = min(stop, end)
    if o + 42 > stop:
        return -1
    source, target, ports = u32(b, o + 26), u32(b, o + 30), u32(b, o + 34)
    at = entry_of(source, target, ports, near)
    if near[at, 0] != source or near[at, 1] != target or near[at, 2] != ports:
        return -1
    f[layers.SPORT] = ports >> 16
    f[layers.DPORT] = ports & 0xFFFF
    f[layers.PROTO] = layers.UDP
    f[layers.START] = o + 42
    f[layers.LENGTH] = min(size, end - o - 34) - 8
    f[layers.STOP] = min(stop, o + 42 + f[layers.LENGTH])
    f[layers.TTL] = b[o + 22]
    f[layers.DETAIL] = 0
    f[layers.DIRECTION] = 0
    f[layers.IP_ID] = u16(b, o + 18)
    return int(near[at, 3]) - 1


@inner
def come_near(f: layers.Fields, flow: int, near: Any) -> None:
    """Enter the flow of a datagram that took the long way, if it may take the short one from now on."""
    if f[layers.PROTO] != layers.UDP or f[2] != 0xFFFF or f[6] != 0xFFFF or f[0] | f[1] | f[4] | f[5]:
        return
    if tunnel_port(f[layers.SPORT], f[layers.DPORT]):
        return
    ports = f[layers.SPORT] << 16 | f[layers.DPORT]
    at = entry_of(f[3], f[7], ports, near)
    near[at, 0] = f[3]
    near[at, 1] = f[7]
    near[at, 2] = ports
    near[at, 3] = flow + 1


@inner
def fetch(b: Buffer, offset: Any, i: int) -> int:
    """Touch the first bytes of the packets from `i` on; the sum is of no use, but nobody may leave it out."""
    total = 0
    last = len(b) - 1
    for k in range(i, min(i + FETCH, len(offset)) if last >= 0 else i):
        o = int(offset[k])
        total += b[min(o, last)] + b[min(o + 56, last)]
    return total
