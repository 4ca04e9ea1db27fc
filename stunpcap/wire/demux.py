"""What a UDP payload is: STUN, DTLS, RTP, RTCP, TURN ChannelData or something else (RFC 7983).

The first byte alone decides too little outside WebRTC: DNS, QUIC and NTP share these ranges.  So each kind must also
look like itself; `docs/stun.md` says what that means for STUN without the magic cookie.
"""

from __future__ import annotations

from stunpcap.kernels import inner
from stunpcap.stun import registry
from stunpcap.wire.words import Buffer, has_cookie, u16, u32

OTHER, STUN, CLASSIC, MS_TURN, DTLS, RTP, RTCP, CHANNEL, STUN_CUT = range(9)
"""Kinds of payload.  STUN_CUT: STUN whose header itself was cut by the snap length."""
HANDSHAKE, DATA, BOTH, MDNS = range(9, 13)
"""What counting tells further of DTLS: records worth keeping, application data, both of these.  And mDNS."""


@inner
def is_stun(kind: int) -> bool:
    """Whether payloads of that kind are kept for the decoder of STUN."""
    return kind in (STUN, CLASSIC, MS_TURN, STUN_CUT)


@inner
def is_kept(kind: int) -> bool:
    """Whether payloads of that kind are kept for any decoder."""
    return kind in (STUN, CLASSIC, MS_TURN, STUN_CUT, HANDSHAKE, BOTH, MDNS)


@inner
def is_data(kind: int) -> bool:
    """Whether a payload of that kind has application data of DTLS."""
    return kind in (DATA, BOTH)


# Attribute types that agents without the magic cookie use, as compiled code can see them.  Zoom's are apart.
CLASSIC_ATTRIBUTES = tuple(sorted(registry.CLASSIC_ATTRIBUTES))
ZOOM_ATTRIBUTES = tuple(sorted(registry.ZOOM_ATTRIBUTES))
MS_COOKIE = int.from_bytes(registry.MS_TURN_COOKIE[4:])


@inner
def is_classic(b: Buffer, o: int, stop: int, length: int) -> bool:
    """Whether a datagram without cookie is STUN all the same; `stunpcap.stun.recognise` lists the conditions."""
    kind = u16(b, o)
    size = u16(b, o + 2)
    if kind not in (0x0001, 0x0101, 0x0111, 0x0002, 0x0102, 0x0112):
        return False
    if size & 3 or size + 20 != length or o + length != stop or (size == 0 and kind != 0x0001):
        return False
    if u32(b, o + 4) == 0 and u32(b, o + 8) == 0 and u32(b, o + 12) == 0 and u32(b, o + 16) == 0:
        return False
    at = o + 20
    while at < stop:
        attribute = u16(b, at)
        if attribute not in CLASSIC_ATTRIBUTES and (attribute not in ZOOM_ATTRIBUTES or kind > 2):
            return False
        at += 4 + ((u16(b, at + 2) + 3) & ~3)
    return at == stop


@inner
def is_ms_turn(b: Buffer, o: int, stop: int) -> bool:
    """Whether a datagram is Microsoft's TURN: its first attribute is the cookie of the TURN drafts ([MS-TURN])."""
    return (
        o + 28 <= stop and b[o] < 2 and u16(b, o + 20) == 0x000F and u16(b, o + 22) == 4 and u32(b, o + 24) == MS_COOKIE
    )


@inner
def looks_like_dns(sport: int, dport: int) -> bool:
    """Ports whose payload begins with bytes of any value: DNS, mDNS, LLMNR, NetBIOS, DHCP, NTP, SNMP, SSDP."""
    for port in (sport, dport):
        if port in (53, 5353, 5355, 67, 68, 123, 137, 138, 161, 162, 1900):
            return True
    return False


@inner
def is_multicast_dns(sport: int, dport: int) -> bool:
    """Whether a datagram between these ports is mDNS."""
    return sport == 5353 or dport == 5353


@inner
def is_hidden(b: Buffer, o: int, stop: int, length: int) -> bool:
    """Whether a datagram is of DTLS 1.3 records alone, by their lengths (RFC 9147 section 4), which end where it ends.

    So is told the DTLS that goes on over another pair after an ICE restart: its handshake was elsewhere.
    """
    end = o + length
    if stop - o < 4 or b[o] & 0xF4 != 0x24:
        return False
    while o < end:
        if o + 5 > stop:
            return stop < end  # cut by the snap length
        if b[o] & 0xF4 != 0x24:
            return False
        head = 5 if b[o] & 8 else 4
        o += head + u16(b, o + head - 2)
    return o == end


@inner
def demux(b: Buffer, o: int, stop: int, length: int, sport: int, dport: int, dtls_before: int) -> int:
    """Kind of the payload that is captured between `o` and `stop` and was `length` bytes long.

    `dtls_before` counts the DTLS records that its flow had: encrypted DTLS 1.3 records can be told only then.
    """
    if stop - o < 4:
        return OTHER
    first = b[o]
    if first < 2 and is_ms_turn(b, o, stop):
        return MS_TURN
    if has_cookie(b, o, stop):
        if stop - o >= 20:
            return STUN
        return STUN_CUT if length >= 20 else OTHER
    if first < 4:
        return CLASSIC if stop - o >= 20 and is_classic(b, o, stop, length) else OTHER
    if looks_like_dns(sport, dport):
        return OTHER
    if 20 <= first <= 26:
        if length < 13 or not ((b[o + 1] == 0xFE and b[o + 2] >= 0xFC) or u16(b, o + 1) == 0x0100):
            return OTHER
        if stop - o >= 13 and 13 + u16(b, o + 11) > length:  # records never reach into the next datagram
            return OTHER
        return DTLS
    if 0x20 <= first <= 0x3F:
        return DTLS if dtls_before else OTHER
    if 0x40 <= first <= 0x4F:
        size = u16(b, o + 2)
        return CHANNEL if size + 4 <= length <= ((size + 3) & ~3) + 4 else OTHER
    if 0x80 <= first <= 0xBF:
        if 192 <= b[o + 1] <= 223:  # RFC 5761 section 4
            return RTCP if length >= 8 and (u16(b, o + 2) + 1) * 4 <= length else OTHER
        return RTP if length >= 12 + (first & 0x0F) * 4 else OTHER
    if first == 0xFF and b[o + 1] == 0x10:  # Microsoft's framing in place of a channel: a session id comes first
        return CHANNEL if 8 <= u16(b, o + 2) == length - 4 else OTHER
    return OTHER
