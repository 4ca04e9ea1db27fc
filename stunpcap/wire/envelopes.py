"""Headers that capturing itself puts around packets (PKTAP, NFLOG, SLIP), and Frame Relay, which looks like them.

Helpers of `stunpcap.wire.layers.dissect`.  Each answers with the layer that comes next, where it begins, a direction
(0 where none is told) and a number: the EtherType, or the detail of what cannot be followed.  A negative place: the
header is cut.
"""

from __future__ import annotations

from stunpcap.kernels import inner
from stunpcap.wire.linktypes import (
    ETHERNET,
    ETHERTYPE,
    NOTHING,
    NULL,
    PPP,
    PPPOE,
    RADIOTAP,
    RAW,
    WIFI,
)
from stunpcap.wire.words import Buffer, le16, u16, u32

PKTAP_LEAST = 52
"""Bytes of PKTAP up to the lengths of what precedes and follows the packet; the header says how long it is."""
NFLOG_PACKET_HEADER, NFLOG_PAYLOAD = 1, 9
"""Attributes of NFLOG (linux/netfilter/nfnetlink_log.h)."""
MOST_ATTRIBUTES = 64


@inner
def pktap(b: Buffer, o: int, stop: int) -> tuple[int, int, int, int]:
    """Apple's PKTAP: its own length, what follows it, and the direction, in the byte order of whoever captured."""
    if o + PKTAP_LEAST > stop:
        return NOTHING, -1, 0, 0
    big = le16(b, o + 2) != 0  # no header is 64 kB long
    size = u32(b, o) if big else le16(b, o)
    number = u32(b, o + 8) if big else le16(b, o + 8) + le16(b, o + 10) * 0x10000
    kind = b[o + 7] if big else b[o + 4]
    flags = b[o + 39] if big else b[o + 36]
    direction = 1 if flags & 3 == 1 else 2 if flags & 3 == 2 else 0
    layer = inside_pktap(number)
    if kind != 1 or size < PKTAP_LEAST or layer == NOTHING:
        return NOTHING, o, direction, number & 0xFFFF
    return layer, o + size, direction, 0


@inner
def inside_pktap(number: int) -> int:
    """The layer of a link type of macOS and iOS."""
    if number == 1:
        return ETHERNET
    if number in (0, 108):
        return NULL
    if number in (12, 14, 101):
        return RAW
    if number in (9, 50):
        return PPP
    if number == 51:
        return PPPOE
    if number == 105:
        return WIFI
    return RADIOTAP if number == 127 else NOTHING


@inner
def nflog(b: Buffer, o: int, stop: int) -> tuple[int, int, int, int]:
    """Linux's NFLOG: family, version, group; then attributes in the byte order of whoever captured, one the packet."""
    if o + 8 > stop:
        return NOTHING, -1, 0, 0
    family = int(b[o])
    if b[o + 1] != 0 or family not in (2, 10):
        return NOTHING, o, 0, family
    big = b[o + 4] == 0 and b[o + 5] >= 4
    direction = 0
    o += 4
    for _ in range(MOST_ATTRIBUTES):
        if o + 4 > stop:
            return NOTHING, -1, 0, 0
        size = u16(b, o) if big else le16(b, o)
        kind = (u16(b, o + 2) if big else le16(b, o + 2)) & 0x3FFF
        if size < 4:
            break
        if kind == NFLOG_PAYLOAD:
            return RAW, o + 4, direction, 0
        if kind == NFLOG_PACKET_HEADER and size >= 7 and o + 7 <= stop:  # protocol, then the hook: in, out of this host
            direction = 1 if b[o + 6] == 1 else 2 if b[o + 6] == 3 else 0
        o += (size + 3) & ~3
    return NOTHING, o, 0, family


@inner
def slip(b: Buffer, o: int, stop: int) -> tuple[int, int, int, int]:
    """SLIP of the BSDs: direction, then 15 bytes of what was compressed; the packet behind them is whole again."""
    if o + 16 > stop:
        return NOTHING, -1, 0, 0
    if b[o] > 1:  # written without that header
        return RAW, o, 0, 0
    return RAW, o + 16, 1 + b[o], 0


@inner
def frame_relay(b: Buffer, o: int, stop: int) -> tuple[int, int, int, int]:
    """Frame Relay: an address, then what RFC 2427 has behind it, or an EtherType as Cisco has it."""
    for _ in range(4):  # Q.922: the last byte of the address has its lowest bit set
        if o >= stop:
            return NOTHING, -1, 0, 0
        o += 1
        if b[o - 1] & 1:
            break
    if o + 2 > stop:
        return NOTHING, -1, 0, 0
    if b[o] != 0x03:
        return ETHERTYPE, o + 2, 0, u16(b, o)
    o += 1
    if b[o] == 0:  # padding
        o += 1
    if o + 1 > stop:
        return NOTHING, -1, 0, 0
    number = int(b[o])
    o += 1
    if number in (0xCC, 0x8E):
        return RAW, o, 0, 0
    if number == 0xCF:
        return PPP, o, 0, 0
    if number == 0x80:  # SNAP
        if o + 5 > stop:
            return NOTHING, -1, 0, 0
        vendor, kind = u16(b, o) * 0x100 + b[o + 2], u16(b, o + 3)
        o += 5
        if vendor == 0 and kind > 0x05DC:
            return ETHERTYPE, o, 0, kind
        if vendor == 0x80C2 and kind in (1, 7):
            return ETHERNET, o, 0, 0
    return NOTHING, o, 0, number
