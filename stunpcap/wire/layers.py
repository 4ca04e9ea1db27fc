"""From a packet to the datagram it carries: link layers, VLANs, MPLS, PPP, IP, tunnels, UDP and TCP.

`dissect` is one loop over layers, written as a kernel helper: it runs as it stands or compiled.  It never raises;
what it cannot follow is a status with a detail, so that the caller can count and name it.
"""

from __future__ import annotations

from typing import TypeAlias

from stunpcap.kernels import inner
from stunpcap.wire.linktypes import (
    AVS,
    ETHERNET,
    ETHERTYPE,
    HDLC,
    IPV4,
    IPV6,
    LLC,
    MPLS,
    NOTHING,
    NULL,
    PPI,
    PPP,
    PPP_DIRECTION,
    PPPOE,
    PRISM,
    PROTOCOL,
    RADIOTAP,
    RAW,
    SLL,
    SLL2,
    WIFI,
)

Buffer: TypeAlias = memoryview
"""Bytes indexed one by one: a memoryview, or a uint8 array in compiled code."""
Fields: TypeAlias = list[int]
"""Integers by position: a list, or an int64 array in compiled code."""

# What became of a packet.  From UNKNOWN_LINK on it carries nothing that we can follow.
DATAGRAM, FRAGMENT, ICMP_ERROR, UNKNOWN_LINK, NOT_IP, OTHER_IP, CUT, MALFORMED, ENCRYPTED = range(9)

# Positions in the fields that `dissect` fills.  Addresses are four 32-bit words each (IPv4 as ::ffff:a.b.c.d).
(
    SRC,
    DST,
    SPORT,
    DPORT,
    PROTO,
    START,
    STOP,
    LENGTH,
    TTL,
    IP_AT,
    DETAIL,
    DIRECTION,
    IP_ID,
) = 0, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18
FIELDS = 19
SAVED = 20
"""Where the outer datagram is kept while a tunnel is tried."""
ALL_FIELDS = 40

UDP, TCP, UDPLITE, ICMP, ICMPV6 = 17, 6, 136, 1, 58
MAX_LAYERS = 40
"""Deeper nesting than this is an attack or damage."""


@inner
def u16(b: Buffer, o: int) -> int:
    """Big-endian 16 bits.  Sums, as compiled shifts of bytes are unsigned and do not mix with other integers."""
    return b[o] * 0x100 + b[o + 1]


@inner
def u32(b: Buffer, o: int) -> int:
    """Big-endian 32 bits."""
    return b[o] * 0x1000000 + b[o + 1] * 0x10000 + b[o + 2] * 0x100 + b[o + 3]


@inner
def has_cookie(b: Buffer, o: int, stop: int) -> bool:
    """Whether a datagram at `o` begins like STUN with the magic cookie (RFC 8489 section 5)."""
    return o + 8 <= stop and b[o] < 0x40 and b[o + 4] == 0x21 and b[o + 5] == 0x12 and u16(b, o + 6) == 0xA442


@inner
def tunnel_in_udp(b: Buffer, o: int, stop: int, sport: int, dport: int) -> tuple[int, int, int]:
    """Layer, offset and EtherType of what a UDP tunnel carries; layer NOTHING if it is none."""
    if dport in (4789, 8472) and o + 8 <= stop and b[o] & 0x08 and b[o + 7] == 0:  # VXLAN, RFC 7348
        return ETHERNET, o + 8, 0
    if dport == 4790 and o + 8 <= stop and b[o] & 0x0C == 0x0C:  # VXLAN-GPE
        kind = b[o + 3]
        if kind == 3:
            return ETHERNET, o + 8, 0
        if kind in (1, 2):
            return RAW, o + 8, 0
    if dport == 6081 and o + 8 <= stop and b[o] & 0xC0 == 0:  # Geneve, RFC 8926
        inside = o + 8 + (b[o] & 0x3F) * 4
        if u16(b, o + 2) == 0x6558:
            return ETHERNET, inside, 0
        return ETHERTYPE, inside, u16(b, o + 2)
    if 2152 in (sport, dport) and o + 8 <= stop and b[o] & 0xF0 == 0x30 and b[o + 1] == 255:  # GTP-U, 3GPP TS 29.281
        inside = o + 8
        if b[o] & 0x07:
            inside += 4
            while inside <= stop and b[inside - 1] != 0:  # extension headers, length in words
                if inside >= stop or b[inside] == 0:
                    return NOTHING, o, 0
                inside += b[inside] * 4
        return RAW, inside, 0
    if 3544 in (sport, dport):  # Teredo, RFC 4380 section 5.1.1
        inside = o
        if inside + 4 <= stop and u16(b, inside) == 0x0001:  # authentication
            inside += 13 + b[inside + 2] + b[inside + 3]
        if inside + 8 <= stop and u16(b, inside) == 0x0000:  # origin indication
            inside += 8
        if inside + 40 <= stop and b[inside] >> 4 == 6 and 40 + u16(b, inside + 4) == stop - inside:
            return IPV6, inside, 0
    return NOTHING, o, 0


@inner
def radiotap_pads(b: Buffer, o: int, stop: int) -> bool:
    """Whether a radiotap header says that the 802.11 header is padded to 32 bits."""
    at = o + 4
    if at + 4 > stop:
        return False
    present = b[at]
    while at + 4 <= stop and b[at + 3] & 0x80:
        at += 4
    at += 4
    if present & 0x01:  # TSFT, aligned to 8
        at = o + ((at - o + 7) & ~7) + 8
    return present & 0x02 != 0 and at < stop and b[at] & 0x20 != 0


@inner
def dissect(b: Buffer, start: int, stop: int, wire_stop: int, layer: int, f: Fields) -> int:
    """Follow a packet down to its datagram.

    Parameters
    ----------
    b
        Buffer that holds the packet.
    start, stop, wire_stop
        Where it begins, where the captured bytes end, where it would end if all had been captured.
    layer
        Where to begin (`stunpcap.wire.linktypes`).
    f
        ALL_FIELDS integers, filled as far as known.  START and STOP enclose the captured payload, LENGTH is its true
        length.  For FRAGMENT and ICMP_ERROR, IP_AT is the offset of the fragment's, or the quoted, IP header.

    Returns
    -------
    int
        DATAGRAM, FRAGMENT, ICMP_ERROR, or why there is none.
    """
    status = _dissect(b, start, stop, wire_stop, layer, f)
    if status > ICMP_ERROR and f[SAVED + PROTO] != 0:  # what looked like a tunnel was an ordinary datagram
        for k in range(FIELDS):
            f[k] = f[SAVED + k]
        return DATAGRAM
    return status


@inner
def _dissect(b: Buffer, start: int, stop: int, wire_stop: int, layer: int, f: Fields) -> int:
    o = start
    ethertype = 0
    protocol = 0
    pad = False
    f[DETAIL] = 0
    f[DIRECTION] = 0
    f[SAVED + PROTO] = 0
    for _ in range(MAX_LAYERS):
        if layer == ETHERNET:
            if o + 14 > stop:
                return CUT
            ethertype = u16(b, o + 12)
            o += 14
            layer = ETHERTYPE

        elif layer == ETHERTYPE:
            if ethertype == 0x0800:
                layer = IPV4
            elif ethertype == 0x86DD:
                layer = IPV6
            elif ethertype in (0x8100, 0x88A8, 0x9100, 0x9200):  # VLAN tags
                if o + 4 > stop:
                    return CUT
                ethertype = u16(b, o + 2)
                o += 4
            elif ethertype in (0x8847, 0x8848):
                layer = MPLS
            elif ethertype == 0x8864:
                layer = PPPOE
            elif ethertype <= 0x05DC:  # IEEE 802.3 length
                layer = LLC
            else:
                f[DETAIL] = ethertype
                return NOT_IP

        elif layer == IPV4:
            if o + 20 > stop:
                return CUT
            header = (b[o] & 0x0F) * 4
            total = u16(b, o + 2)
            if b[o] >> 4 != 4 or header < 20:
                return MALFORMED
            if total == 0:  # segmentation offload leaves it empty
                total = wire_stop - o
            if total < header:
                return MALFORMED
            wire_stop = min(wire_stop, o + total)
            stop = min(stop, wire_stop)
            f[IP_AT] = o
            f[IP_ID] = u16(b, o + 4)
            f[TTL] = b[o + 8]
            for side in range(2):
                f[4 * side] = 0
                f[4 * side + 1] = 0
                f[4 * side + 2] = 0xFFFF
                f[4 * side + 3] = u32(b, o + 12 + 4 * side)
            protocol = b[o + 9]
            if u16(b, o + 6) & 0x3FFF:
                f[DETAIL] = protocol
                return FRAGMENT
            o += header
            layer = PROTOCOL

        elif layer == IPV6:
            if o + 40 > stop:
                return CUT
            if b[o] >> 4 != 6:
                return MALFORMED
            total = u16(b, o + 4)
            if total:  # zero: jumbogram, or segmentation offload
                wire_stop = min(wire_stop, o + 40 + total)
                stop = min(stop, wire_stop)
            f[IP_AT] = o
            f[IP_ID] = 0
            f[TTL] = b[o + 7]
            for word in range(8):
                f[word] = u32(b, o + 8 + 4 * word)
            protocol = b[o + 6]
            o += 40
            while protocol in (0, 43, 44, 51, 60, 135, 139, 140):  # RFC 8200 section 4
                if o + 8 > stop:
                    return CUT
                if protocol == 44:
                    if u16(b, o + 2) & 0xFFF9:
                        f[DETAIL] = b[o]
                        return FRAGMENT
                    size = 8
                elif protocol == 51:
                    size = (b[o + 1] + 2) * 4
                else:
                    size = (b[o + 1] + 1) * 8
                protocol = b[o]
                o += size
            layer = PROTOCOL

        elif layer == PROTOCOL:
            f[PROTO] = protocol
            if protocol in (UDP, UDPLITE):
                if o + 8 > stop:
                    return CUT
                f[SPORT] = u16(b, o)
                f[DPORT] = u16(b, o + 2)
                size = u16(b, o + 4)
                if protocol == UDPLITE or size == 0:  # RFC 3828: coverage; RFC 2675: jumbogram
                    size = wire_stop - o
                if size < 8:
                    return MALFORMED
                f[START] = o + 8
                f[LENGTH] = min(size, wire_stop - o) - 8
                f[STOP] = min(stop, o + 8 + f[LENGTH])
                if f[SPORT] < 10000 or f[DPORT] < 10000:  # all tunnels have low ports
                    layer, inside, ethertype = tunnel_in_udp(b, o + 8, f[STOP], f[SPORT], f[DPORT])
                else:
                    layer = NOTHING
                    inside = o
                if layer == NOTHING or inside > stop or has_cookie(b, o + 8, f[STOP]):
                    return DATAGRAM
                for k in range(FIELDS):
                    f[SAVED + k] = f[k]
                o = inside
            elif protocol == TCP:
                if o + 20 > stop:
                    return CUT
                size = (b[o + 12] >> 4) * 4
                if size < 20 or o + size > wire_stop:
                    return MALFORMED
                f[SPORT] = u16(b, o)
                f[DPORT] = u16(b, o + 2)
                f[START] = min(stop, o + size)
                f[STOP] = stop
                f[LENGTH] = wire_stop - (o + size)
                f[DETAIL] = o
                return DATAGRAM
            elif protocol in (ICMP, ICMPV6):
                if o + 8 > stop:
                    return CUT
                kind = b[o]
                f[DETAIL] = kind << 8 | b[o + 1]
                error = kind in (3, 4, 5, 11, 12) if protocol == ICMP else 1 <= kind <= 4
                if not error:
                    f[DETAIL] = protocol
                    return OTHER_IP
                f[IP_AT] = o + 8
                f[STOP] = stop
                return ICMP_ERROR
            elif protocol in (4, 41):
                layer = RAW
            elif protocol == 97:  # EtherIP, RFC 3378
                layer = ETHERNET
                o += 2
            elif protocol == 137:
                layer = MPLS
            elif protocol == 47:  # GRE, RFC 2784, RFC 2890, RFC 2637
                if o + 4 > stop:
                    return CUT
                flags = u16(b, o)
                ethertype = u16(b, o + 2)
                size = 4
                for bit in (0x8000, 0x2000, 0x1000):
                    if flags & bit:
                        size += 4
                if flags & 0x0007 == 1 and flags & 0x0080:
                    size += 4
                o += size
                if ethertype == 0x6558:
                    layer = ETHERNET
                elif ethertype == 0x88BE:  # ERSPAN I has no header of its own, II has eight bytes
                    layer = ETHERNET
                    o += 8 if flags & 0x1000 else 0
                elif ethertype == 0x22EB:  # ERSPAN III, with an optional subheader
                    if o + 12 > stop:
                        return CUT
                    layer = ETHERNET
                    o += 20 if b[o + 11] & 1 else 12
                elif ethertype == 0x880B:
                    layer = PPP
                else:
                    layer = ETHERTYPE
            else:
                f[DETAIL] = protocol
                return OTHER_IP

        elif layer == RAW:
            if o + 1 > stop:
                return CUT
            version = b[o] >> 4
            if version == 4:
                layer = IPV4
            elif version == 6:
                layer = IPV6
            else:
                return MALFORMED

        elif layer == MPLS:
            bottom = False
            while not bottom:
                if o + 5 > stop:
                    return CUT
                bottom = b[o + 2] & 1 != 0
                o += 4
            version = b[o] >> 4
            if version in (4, 6):
                layer = RAW
            else:  # a pseudowire: with control word (first nibble zero) or without, RFC 4448
                layer = ETHERNET
                o += 4 if version == 0 else 0

        elif layer == PPPOE:
            if o + 6 > stop:
                return CUT
            if b[o + 1] != 0:
                f[DETAIL] = 0x8864
                return NOT_IP
            o += 6
            layer = PPP

        elif layer == PPP_DIRECTION:
            if o + 1 > stop:
                return CUT
            f[DIRECTION] = 1 if b[o] == 0 else 2
            o += 1
            layer = PPP

        elif layer == PPP:
            if o + 4 > stop:
                return CUT
            if b[o] == 0xFF and b[o + 1] == 0x03:
                o += 2
            if b[o] & 1:  # protocol field compression
                protocol = b[o]
                o += 1
            else:
                protocol = u16(b, o)
                o += 2
            if protocol in (0x0021, 0x0057):
                layer = RAW
            elif protocol in (0x0281, 0x0283):
                layer = MPLS
            else:
                f[DETAIL] = protocol
                return NOT_IP

        elif layer == HDLC:
            if o + 4 > stop:
                return CUT
            ethertype = u16(b, o + 2)
            o += 4
            layer = ETHERTYPE

        elif layer == NULL:
            # The address family in the byte order of whoever captured: of the four bytes one is not zero.
            if o + 4 > stop:
                return CUT
            family = b[o] | b[o + 1] | b[o + 2] | b[o + 3]
            o += 4
            if family in (2, 10, 23, 24, 28, 30):
                layer = RAW
            else:
                f[DETAIL] = family
                return NOT_IP

        elif layer == SLL:
            if o + 16 > stop:
                return CUT
            f[DIRECTION] = 2 if u16(b, o) == 4 else 1 if u16(b, o) == 0 else 0
            ethertype = u16(b, o + 14)
            o += 16
            layer = ETHERTYPE
            if ethertype == 4:
                layer = LLC

        elif layer == SLL2:
            if o + 20 > stop:
                return CUT
            f[DIRECTION] = 2 if b[o + 10] == 4 else 1 if b[o + 10] == 0 else 0
            ethertype = u16(b, o)
            o += 20
            layer = ETHERTYPE
            if ethertype == 4:
                layer = LLC

        elif layer == LLC:
            if o + 8 > stop:
                return CUT
            if b[o] == 0xAA and b[o + 1] == 0xAA and b[o + 2] == 0x03:
                ethertype = u16(b, o + 6)
                o += 8
                layer = ETHERTYPE
                if ethertype <= 0x05DC:
                    return NOT_IP
            elif b[o] == 0x06 and b[o + 1] == 0x06:
                o += 3
                layer = RAW
            else:
                f[DETAIL] = 0
                return NOT_IP

        elif layer == RADIOTAP:
            if o + 4 > stop:
                return CUT
            pad = radiotap_pads(b, o, stop)
            o += b[o + 2] | b[o + 3] << 8
            layer = WIFI

        elif layer in (AVS, PRISM):
            if o + 8 > stop:
                return CUT
            if u32(b, o) >> 4 == 0x8021100:  # AVS, which Prism captures may hold too
                o += u32(b, o + 4)
            else:
                size = u32(b, o + 4)
                o += size if size < 0x10000 else b[o + 4] | b[o + 5] << 8
            layer = WIFI

        elif layer == PPI:
            if o + 8 > stop:
                return CUT
            kind = b[o + 4]
            o += b[o + 2] | b[o + 3] << 8
            layer = WIFI if kind == 105 else ETHERNET if kind == 1 else NOTHING

        elif layer == WIFI:
            if o + 24 > stop:
                return CUT
            control = b[o]
            flags = b[o + 1]
            if control & 0x0C != 0x08 or control & 0x40:  # no data frame, or one without data
                return NOT_IP
            if flags & 0x40:
                return ENCRYPTED
            size = 24
            if flags & 0x03 == 0x03:
                size += 6
            aggregated = False
            if control & 0x80:
                if o + size + 2 > stop:
                    return CUT
                aggregated = b[o + size] & 0x80 != 0
                size += 2
                if flags & 0x80:
                    size += 4
            if pad:
                size = (size + 3) & ~3
            if aggregated:  # A-MSDU: only the first subframe is looked into
                size += 14
            if flags & 0x04 or b[o + 22] & 0x0F:  # a fragment on the link itself
                return NOT_IP
            o += size
            layer = LLC

        else:
            return UNKNOWN_LINK
    return MALFORMED
