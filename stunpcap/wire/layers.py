"""From a packet to the datagram it carries: link layers, VLANs, MPLS, PPP, IP, tunnels, UDP and TCP.

`dissect` is one loop over layers, written as a kernel helper: it runs as it stands or compiled.  It never raises;
what it cannot follow is a status with a detail, so that the caller can count and name it.
"""

from __future__ import annotations

from typing import TypeAlias

from stunpcap.kernels import inner
from stunpcap.wire.envelopes import frame_relay, nflog, pktap, slip
from stunpcap.wire.linktypes import (
    AVS,
    ETHERNET,
    ETHERTYPE,
    FRAME_RELAY,
    FRAME_RELAY_DIRECTION,
    HDLC,
    HDLC_DIRECTION,
    IPV4,
    IPV6,
    LLC,
    MPLS,
    NFLOG,
    NOTHING,
    NULL,
    PKTAP,
    PPI,
    PPP,
    PPP_DIRECTION,
    PPPOE,
    PRISM,
    PROTOCOL,
    RADIOTAP,
    RAW,
    SLIP,
    SLL,
    SLL2,
    WIFI,
)
from stunpcap.wire.tunnels import inside_gre, prism_size, radiotap_pads, tunnel_in_udp, tunnel_port, under_mpls
from stunpcap.wire.words import Buffer as Buffer
from stunpcap.wire.words import has_cookie as has_cookie
from stunpcap.wire.words import le16
from stunpcap.wire.words import u16 as u16
from stunpcap.wire.words import u32 as u32

Fields: TypeAlias = list[int]
"""Integers by position: a list, or an int64 array in compiled code."""

(
    DATAGRAM,
    FRAGMENT,
    ICMP_ERROR,
    AGGREGATE,
    UNKNOWN_LINK,
    NOT_IP,
    OTHER_IP,
    CUT,
    MALFORMED,
    ENCRYPTED,
    LINK_FRAGMENT,
) = range(11)
"""What became of a packet.  AGGREGATE: an A-MSDU, several packets in one.  From UNKNOWN_LINK on it carries nothing
that we can follow."""

# What DETAIL of a packet that is NOT_IP tells: one of these, and in the lower 16 bits its number.
(
    ETHERTYPE_IS,
    PPP_IS,
    SAP_IS,
    SNAP_IS,
    FAMILY_IS,
    WIFI_IS,
    LINUX_IS,
    MPLS_IS,
    RAW_IS,
    LINK_IS,
    NLPID_IS,
) = (kind << 16 for kind in range(11))
NOT_IP_NAMES = (
    "EtherType",
    "PPP protocol",
    "LLC service access points",
    "SNAP protocol of a vendor",
    "address family",
    "802.11 frame without data, type and subtype",
    "Linux protocol type",
    "MPLS payload beginning with",
    "neither IPv4 nor IPv6: packet beginning with",
    "PKTAP around link type",
    "Frame Relay protocol (NLPID)",
)

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
def cooked_direction(kind: int) -> int:
    """Direction by the packet type of Linux cooked captures: to us, to all, to many, between others, from us."""
    return 2 if kind == 4 else 1 if kind < 3 else 0


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
        length.  For FRAGMENT, ICMP_ERROR and AGGREGATE, IP_AT and STOP enclose the fragment with its IP header, the
        packet quoted, or the subframes; LENGTH is their true length.  DETAIL of a UDP datagram is CUT where it may be
        a tunnel of which too little was captured.

    Returns
    -------
    int
        DATAGRAM, FRAGMENT, ICMP_ERROR, AGGREGATE, or why there is none.  CUT only where bytes are missing.
    """
    status = _dissect(b, start, stop, wire_stop, layer, f)
    if status > AGGREGATE and f[SAVED + PROTO] != 0:  # what looked like a tunnel was an ordinary datagram
        for k in range(FIELDS):
            f[k] = f[SAVED + k]
        f[DETAIL] = CUT if status == CUT and stop < wire_stop else 0
        return DATAGRAM
    if status == CUT and stop >= wire_stop:  # the packet itself ends within a header
        return MALFORMED
    return status


@inner
def _dissect(b: Buffer, start: int, stop: int, wire_stop: int, layer: int, f: Fields) -> int:
    o = start
    ethertype = 0
    protocol = 0
    pad = False
    f[DETAIL] = 0
    f[DIRECTION] = 0
    f[PROTO] = 0
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
                if o + header > stop:
                    return CUT
                f[DETAIL] = protocol
                f[STOP] = stop
                f[LENGTH] = wire_stop - o
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
                        f[STOP] = stop
                        f[LENGTH] = wire_stop - f[IP_AT]
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
                if f[SPORT] >= 10000 and f[DPORT] >= 10000:  # all tunnels have low ports
                    return DATAGRAM
                if not tunnel_port(f[SPORT], f[DPORT]) or has_cookie(b, o + 8, f[STOP]):
                    return DATAGRAM
                layer, inside, ethertype = tunnel_in_udp(b, o + 8, f[STOP], o + 8 + f[LENGTH], f[SPORT], f[DPORT])
                if layer == NOTHING or inside > f[STOP]:
                    if f[STOP] < f[START] + f[LENGTH]:
                        f[DETAIL] = CUT
                    return DATAGRAM
                for k in range(FIELDS):
                    f[SAVED + k] = f[k]
                stop = f[STOP]
                wire_stop = f[START] + f[LENGTH]
                o = inside
            elif protocol == TCP:
                if o + 20 > stop:
                    if o + 4 <= stop:  # quotes in ICMP errors end here: the ports are there
                        f[SPORT] = u16(b, o)
                        f[DPORT] = u16(b, o + 2)
                        f[START] = stop
                        f[STOP] = stop
                        f[DETAIL] = TCP
                    return CUT
                size = (b[o + 12] & 0xF0) >> 2
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
                error = kind in (3, 4, 5, 11, 12) if protocol == ICMP else 1 <= kind <= 4
                if not error:
                    f[DETAIL] = protocol
                    return OTHER_IP
                f[DETAIL] = protocol << 16 | kind << 8 | b[o + 1]
                # RFC 4884: extensions may follow the quote, whose length is then given.
                quoted = 0
                if protocol == ICMP and kind in (3, 11, 12):
                    quoted = b[o + 5] * 4
                elif protocol == ICMPV6 and kind in (1, 3):
                    quoted = b[o + 4] * 8
                f[IP_AT] = o + 8
                f[STOP] = min(stop, o + 8 + quoted) if quoted else stop
                f[LENGTH] = min(wire_stop, o + 8 + quoted) - o - 8 if quoted else wire_stop - o - 8
                return ICMP_ERROR
            elif protocol == 51:  # AH, which leaves what it protects readable
                if o + 8 > stop:
                    return CUT
                protocol = b[o]
                o += (b[o + 1] + 2) * 4
            elif protocol in (4, 41):
                layer = RAW
            elif protocol == 97:  # EtherIP, RFC 3378
                if o + 2 > stop:
                    return CUT
                if b[o] >> 4 != 3:
                    f[DETAIL] = protocol
                    return OTHER_IP
                layer = ETHERNET
                o += 2
            elif protocol == 137:
                layer = MPLS
            elif protocol == 47:
                if o + 4 > stop:
                    return CUT
                layer, o, ethertype = inside_gre(b, o, stop)
                if o < 0:
                    return CUT
                if layer == NOTHING:
                    f[DETAIL] = protocol
                    return OTHER_IP
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
                f[DETAIL] = RAW_IS | b[o]
                return NOT_IP

        elif layer == MPLS:
            bottom = False
            while not bottom:
                if o + 5 > stop:
                    return CUT
                bottom = b[o + 2] & 1 != 0
                o += 4
            if o + 20 > stop and stop < wire_stop:
                return CUT
            layer, o = under_mpls(b, o, stop, wire_stop)
            if layer == NOTHING:
                f[DETAIL] = MPLS_IS | b[o]
                return NOT_IP

        elif layer == PPPOE:
            if o + 6 > stop:
                return CUT
            if b[o + 1] != 0:
                f[DETAIL] = 0x8864
                return NOT_IP
            o += 6
            layer = PPP

        elif layer in (PPP_DIRECTION, HDLC_DIRECTION, FRAME_RELAY_DIRECTION):
            if o + 1 > stop:
                return CUT
            f[DIRECTION] = 1 if b[o] == 0 else 2
            o += 1
            layer = PPP if layer == PPP_DIRECTION else HDLC if layer == HDLC_DIRECTION else FRAME_RELAY

        elif layer in (PKTAP, NFLOG, SLIP):
            if layer == PKTAP:
                layer, at, direction, ethertype = pktap(b, o, stop)
                detail = LINK_IS | ethertype
            elif layer == NFLOG:
                layer, at, direction, ethertype = nflog(b, o, stop)
                detail = FAMILY_IS | ethertype
            else:
                layer, at, direction, ethertype = slip(b, o, stop)
                detail = 0
            if at < 0:
                return CUT
            f[DIRECTION] = direction
            if layer == NOTHING:
                f[DETAIL] = detail
                return NOT_IP
            o = at

        elif layer == FRAME_RELAY:
            layer, o, _, ethertype = frame_relay(b, o, stop)
            if o < 0:
                return CUT
            if layer == NOTHING:
                f[DETAIL] = NLPID_IS | ethertype
                return NOT_IP

        elif layer == PPP:
            if o + 4 > stop:
                return CUT
            if b[o] in (0x0F, 0x8F) and b[o + 1] == 0:  # Cisco HDLC, which PPP captures may hold (RFC 1547 4.3.1)
                layer = HDLC
                continue
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
                f[DETAIL] = PPP_IS | protocol
                return NOT_IP

        elif layer == HDLC:
            if o + 4 > stop:
                return CUT
            ethertype = u16(b, o + 2)
            o += 4
            layer = ETHERTYPE

        elif layer == NULL:
            # The address family in the byte order of whoever captured.
            if o + 4 > stop:
                return CUT
            family = u32(b, o)
            if family >= 0x10000:
                family = le16(b, o) if u16(b, o + 2) == 0 else 0
            o += 4
            if family in (2, 10, 23, 24, 28, 30):  # AF_INET; AF_INET6 of Linux, Windows, the BSDs, macOS
                layer = RAW
            else:
                f[DETAIL] = FAMILY_IS | family
                return NOT_IP

        elif layer in (SLL, SLL2):
            size = 16 if layer == SLL else 20
            if o + size > stop:
                return CUT
            f[DIRECTION] = cooked_direction(u16(b, o) if layer == SLL else int(b[o + 10]))
            ethertype = u16(b, o + 14) if layer == SLL else u16(b, o)
            o += size
            if ethertype > 0x05DC:
                layer = ETHERTYPE
            elif ethertype == 4:
                layer = LLC
            else:
                f[DETAIL] = LINUX_IS | ethertype
                return NOT_IP

        elif layer == LLC:
            if o + 8 > stop:
                return CUT
            if b[o] == 0xAA and b[o + 1] == 0xAA and b[o + 2] == 0x03:
                vendor = u16(b, o + 3) << 8 | b[o + 5]
                ethertype = u16(b, o + 6)
                o += 8
                layer = ETHERTYPE
                if vendor not in (0, 0xF8) or ethertype <= 0x05DC:  # RFC 1042, IEEE 802.1H
                    f[DETAIL] = SNAP_IS | ethertype
                    return NOT_IP
            elif b[o] == 0x06 and b[o + 1] == 0x06:
                o += 3
                layer = RAW
            else:
                f[DETAIL] = SAP_IS | u16(b, o)
                return NOT_IP

        elif layer == RADIOTAP:
            if o + 4 > stop:
                return CUT
            size = le16(b, o + 2)
            if size < 8:
                return MALFORMED
            pad = radiotap_pads(b, o, min(stop, o + size))
            o += size
            layer = WIFI

        elif layer in (AVS, PRISM):
            if o + 8 > stop:
                return CUT
            size = prism_size(b, o)
            if size < 8:
                return MALFORMED
            o += size
            layer = WIFI

        elif layer == PPI:
            if o + 8 > stop:
                return CUT
            size = le16(b, o + 2)
            kind = le16(b, o + 4) | le16(b, o + 6) << 16
            if size < 8:
                return MALFORMED
            o += size
            if kind == 105:
                layer = WIFI
            elif kind == 1:
                layer = ETHERNET
            elif kind in (12, 14, 101):
                layer = RAW
            else:
                f[DETAIL] = 1 + kind
                layer = NOTHING

        elif layer == WIFI:
            if o + 24 > stop:
                return CUT
            control = b[o]
            flags = b[o + 1]
            if control & 0x03:
                return MALFORMED
            if control & 0x0C != 0x08 or control & 0x40:  # no data frame, or one without data
                f[DETAIL] = WIFI_IS | (control & 0x0C) << 6 | (control & 0xF0) >> 4
                return NOT_IP
            if flags & 0x40:
                return ENCRYPTED
            if flags & 0x04 or b[o + 22] & 0x0F:
                return LINK_FRAGMENT
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
            o += size
            if aggregated:
                f[IP_AT] = min(o, stop)
                f[STOP] = stop
                f[LENGTH] = max(0, wire_stop - o)
                return AGGREGATE
            layer = LLC

        else:
            return UNKNOWN_LINK
    return MALFORMED
