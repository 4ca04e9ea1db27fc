"""Where addresses and ports stand in a packet.

Small on purpose, and apart from the library's own dissection: link types of the captures at hand, VLAN tags, ARP, IPv4
and IPv6 without extension headers, UDP, TCP, and the packets that ICMP errors quote.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
UDP, TCP, UDPLITE = 17, 6, 136
_VLAN = (0x8100, 0x88A8)
_RAW = (12, 14, 101, 228, 229)
_ICMP, _ICMPV6 = 1, 58
_QUOTING = {_ICMP: (3, 4, 5, 11, 12), _ICMPV6: (1, 2, 3, 4)}


@dataclass(frozen=True, slots=True)
class Header:
    """One IP header, of the packet or of one that it quotes."""

    version: int
    at: int
    """Where it begins."""
    protocol: int
    payload: int
    """Where what it carries begins."""
    fragment: bool
    """A later fragment: what it carries has no header."""

    @property
    def has_ports(self) -> bool:
        """The next header begins with two ports."""
        return self.protocol in (UDP, TCP, UDPLITE) and not self.fragment


def network(data: bytes, link_type: int) -> tuple[int, int]:
    """EtherType and offset of the network header; 0 where it is none that is known."""
    match link_type:
        case 1:
            at, kind = 14, _u16(data, 12)
        case 113:
            at, kind = 16, _u16(data, 14)
        case 276:
            at, kind = 20, _u16(data, 0)
        case number if number in _RAW and data:
            at, kind = 0, {4: IPV4, 6: IPV6}.get(data[0] >> 4, 0)
        case _:
            return 0, 0
    while kind in _VLAN:
        at, kind = at + 4, _u16(data, at + 2)
    return kind, at


def ip_headers(data: bytes, kind: int, at: int) -> Iterator[Header]:
    """The IP header of a packet, then those that it quotes."""
    while True:
        if kind == IPV4 and len(data) >= at + 20 and data[at] >> 4 == 4:
            payload = at + (data[at] & 15) * 4
            header = Header(4, at, data[at + 9], payload, bool(_u16(data, at + 6) & 0x1FFF))
        elif kind == IPV6 and len(data) >= at + 40 and data[at] >> 4 == 6:
            header = Header(6, at, data[at + 6], at + 40, False)
        else:
            return
        yield header
        quoting = _QUOTING.get(header.protocol, ())
        if header.fragment or header.payload >= len(data) or data[header.payload] not in quoting:
            return
        at = header.payload + 8


def source_of(data: bytes, link_type: int) -> str:
    """Who sent a packet; empty if that is not known."""
    header = next(ip_headers(data, *network(data, link_type)), None)
    if header is None:
        return ""
    raw = data[header.at + 12 : header.at + 16] if header.version == 4 else data[header.at + 8 : header.at + 24]
    return str(ipaddress.ip_address(raw))


def _u16(data: bytes, at: int) -> int:
    return int(struct.unpack_from(">H", data, at)[0]) if len(data) >= at + 2 else 0
