"""What needs a closer look before one can say what follows: UDP tunnels, GRE, pseudowires, 802.11 headers.

Helpers of `stunpcap.wire.layers.dissect`.  Each answers with the layer that comes next and where it begins, or with
NOTHING (or a negative offset) where what it was shown is not what it takes it for.
"""

from __future__ import annotations

from stunpcap.kernels import inner
from stunpcap.wire.linktypes import ETHERNET, ETHERTYPE, IPV6, NOTHING, PPP, RAW
from stunpcap.wire.words import Buffer, le16, u16, u32


@inner
def tunnel_port(sport: int, dport: int) -> bool:
    """Whether a UDP tunnel could go there."""
    return dport in (4789, 4790, 6081, 8472) or 2152 in (sport, dport) or 3544 in (sport, dport)


@inner
def tunnel_in_udp(b: Buffer, o: int, stop: int, true_stop: int, sport: int, dport: int) -> tuple[int, int, int]:
    """Layer, offset and EtherType of what a UDP tunnel carries; layer NOTHING if it is none.

    `stop` is where the captured payload ends, `true_stop` where it would end if all had been captured.  That the
    ports are a tunnel's proves nothing: if what is inside turns out not to be a packet, the caller goes back.
    """
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
        kind = u16(b, o + 2)
        if kind == 0x6558:
            return ETHERNET, inside, 0
        if kind > 0x05DC:
            return ETHERTYPE, inside, kind
    if 2152 in (sport, dport) and o + 8 <= stop and b[o] & 0xF0 == 0x30 and b[o + 1] == 255:  # GTP-U, 3GPP TS 29.281
        inside = o + 8
        if b[o] & 0x07:
            inside += 4
            if inside > stop:
                return NOTHING, o, 0
            following = b[inside - 1] if b[o] & 0x04 else 0
            while following:  # extension headers: length in words, content, type of the next
                if inside >= stop or b[inside] == 0:
                    return NOTHING, o, 0
                inside += b[inside] * 4
                if inside > stop:
                    return NOTHING, o, 0
                following = b[inside - 1]
        return RAW, inside, 0
    if 3544 in (sport, dport):  # Teredo, RFC 4380 section 5.1.1
        inside = o
        if inside + 4 <= stop and u16(b, inside) == 0x0001:  # authentication
            inside += 13 + b[inside + 2] + b[inside + 3]
        if inside + 8 <= stop and u16(b, inside) == 0x0000:  # origin indication
            inside += 8
        if inside + 40 <= stop and b[inside] >> 4 == 6 and 40 + u16(b, inside + 4) == true_stop - inside:
            return IPV6, inside, 0
    return NOTHING, o, 0


@inner
def inside_gre(b: Buffer, o: int, stop: int) -> tuple[int, int, int]:
    """Layer, offset and EtherType of what GRE carries (RFC 2784, RFC 2890; RFC 2637 for PPTP's version 1).

    The caller has seen four bytes.  A negative offset: the header is cut.  Source routes (RFC 1701) are long gone.
    """
    flags = u16(b, o)
    kind = u16(b, o + 2)
    version = flags & 0x0007
    if flags & 0x4000 or version > 1:
        return NOTHING, o, 0
    o += 4
    for bit in (0x8000, 0x2000, 0x1000):  # checksum, key, sequence number
        if flags & bit:
            o += 4
    if version == 1 and flags & 0x0080:  # acknowledgement
        o += 4
    if kind == 0x6558:
        return ETHERNET, o, 0
    if kind == 0x88BE:  # ERSPAN I has no header of its own and no sequence number; II has eight bytes
        return ETHERNET, o + 8 if flags & 0x1000 else o, 0
    if kind == 0x22EB:  # ERSPAN III, with an optional subheader; its frame type is Ethernet or IP
        if o + 12 > stop:
            return NOTHING, -1, 0
        inside = o + 20 if b[o + 11] & 1 else o + 12
        return RAW if b[o + 10] >> 2 & 0x1F == 2 else ETHERNET, inside, 0
    if kind == 0x880B:
        return PPP, o, 0
    if kind > 0x05DC:
        return ETHERTYPE, o, kind
    return NOTHING, o, kind


@inner
def plausible_ip(b: Buffer, o: int, stop: int, wire_stop: int) -> bool:
    """Whether an IP header could begin here: under MPLS nothing says what follows the labels."""
    if o + 6 > stop:
        return False
    if b[o] >> 4 == 4:
        return (b[o] & 0x0F) >= 5 and u16(b, o + 2) <= wire_stop - o
    return b[o] >> 4 == 6 and 40 + u16(b, o + 4) <= wire_stop - o


@inner
def plausible_ethernet(b: Buffer, o: int, stop: int) -> bool:
    """Whether an Ethernet header of a frame with something of interest could begin here."""
    if o + 16 > stop:
        return False
    kind = u16(b, o + 12)
    if kind <= 0x05DC:  # IEEE 802.3 length
        return u16(b, o + 14) == 0xAAAA
    return kind in (
        0x0800,
        0x0806,
        0x86DD,
        0x8100,
        0x8847,
        0x8848,
        0x8863,
        0x8864,
        0x88A8,
        0x9100,
    )


@inner
def under_mpls(b: Buffer, o: int, stop: int, wire_stop: int) -> tuple[int, int]:
    """Layer and offset of what follows the last MPLS label: IP, or a pseudowire's Ethernet (RFC 4448).

    A control word's first nibble is zero (RFC 4385), but so is that of many a MAC address: what makes sense decides.
    """
    if plausible_ip(b, o, stop, wire_stop):
        return RAW, o
    if b[o] >> 4 == 0 and plausible_ethernet(b, o + 4, stop):
        return ETHERNET, o + 4
    if plausible_ethernet(b, o, stop):
        return ETHERNET, o
    return NOTHING, o


@inner
def radiotap_pads(b: Buffer, o: int, stop: int) -> bool:
    """Whether a radiotap header, which ends at `stop`, says that the 802.11 header is padded to 32 bits."""
    at = o + 4
    if at + 4 > stop:
        return False
    present = b[at]
    while at + 4 <= stop and b[at + 3] & 0x80:  # further words of presence bits
        at += 4
    at += 4
    if present & 0x01:  # TSFT, aligned to 8
        at = o + ((at - o + 7) & ~7) + 8
    return present & 0x02 != 0 and at < stop and b[at] & 0x20 != 0


@inner
def prism_size(b: Buffer, o: int) -> int:
    """Length of a Prism or AVS header, of which the caller has seen eight bytes; captures of one may hold the other."""
    if u32(b, o) >> 4 == 0x8021100:
        return u32(b, o + 4)
    size = u32(b, o + 4)
    return size if size < 0x10000 else le16(b, o + 4)  # in the byte order of whoever captured
