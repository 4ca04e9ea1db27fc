"""Other names for the same: addresses, ports and username fragments, wherever they stand in packets.

Nothing changes its length, so that all is rewritten in place: headers, the packets that ICMP errors quote, and STUN
messages, which are found by their magic cookie at whatever depth they are wrapped.  FINGERPRINTs that were right are
made right again; MESSAGE-INTEGRITY is not, for want of passwords.
"""

from __future__ import annotations

import ipaddress
import string
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.diagnose.properties.headers import ARP, UDP, Header, ip_headers, network
from tests.diagnose.properties.tapes import Tapes

COOKIE = b"\x21\x12\xa4\x42"
_XOR = 0x2112A442
_XORED = {0x0012, 0x0016, 0x0020, 0x8020}
_PLAIN = {0x0001, 0x0002, 0x0004, 0x0005, 0x000B, 0x8023, 0x802B, 0x802C}
_USERNAME, _FINGERPRINT = 0x0006, 0x8028
_BINDING_REQUEST = 0x0001
_MDNS = 5353
SERVICES = frozenset({1900, 3478, 3479, 5349, 5350, 5353, 8000, 8080, 8443, 19302})
"""Ports above 1023 that mean something."""


@dataclass(frozen=True, slots=True)
class Renaming:
    """How addresses (IPv4, as numbers), ports and username fragments are called instead."""

    address: Callable[[int], int] = lambda number: number
    port: Callable[[int], int] = lambda number: number
    ufrag: Callable[[str], str] = lambda text: text

    def endpoint(self, text: str | None) -> str | None:
        """An endpoint of a frame, renamed."""
        if text is None:
            return None
        host, _, port = text.rpartition(":")
        if not host.startswith("["):
            host = str(ipaddress.IPv4Address(self.address(int(ipaddress.IPv4Address(host)))))
        return f"{host}:{self.port(int(port))}"

    def apply(self, tapes: Tapes) -> Tapes:
        """Captures with everything renamed."""
        return tuple(
            tape.with_packets(replace(one, data=self.packet(one.data, tape.link_type(one))) for one in tape.packets)
            for tape in tapes
        )

    def packet(self, original: bytes, link_type: int) -> bytes:
        """One packet renamed."""
        data = bytearray(original)
        kind, at = network(original, link_type)
        if kind == ARP and len(data) >= at + 28:
            for field in (at + 14, at + 24):
                self._address(data, field)
        begin = len(data)
        for number, header in enumerate(ip_headers(original, kind, at)):
            self._header(data, header, quoted=number > 0)
            begin = header.payload
        messages = list(_messages(original, begin))
        # What is wrapped comes after what wraps it: from the back, so that an outer FINGERPRINT covers the new inside.
        for message in reversed(messages):
            self._message(data, message)
        return bytes(data)

    def _header(self, data: bytearray, header: Header, *, quoted: bool) -> None:
        if header.version == 4:
            self._address(data, header.at + 12)
            self._address(data, header.at + 16)
            if not quoted:
                data[header.at + 10 : header.at + 12] = bytes(2)
                data[header.at + 10 : header.at + 12] = _checksum(data[header.at : header.payload])
        if header.has_ports and len(data) >= header.payload + 4:
            ports = struct.unpack_from(">HH", data, header.payload)
            struct.pack_into(">HH", data, header.payload, *map(self.port, ports))
            if header.protocol == UDP and header.version == 4 and len(data) >= header.payload + 8:
                data[header.payload + 6 : header.payload + 8] = bytes(2)  # no checksum
            if _MDNS in ports:
                self._records(data, header.payload)

    def _records(self, data: bytearray, at: int) -> None:
        """A records of an mDNS message: type, class, time to live, length 4, address."""
        while (at := data.find(b"\x00\x01", at)) >= 0:
            if data[at + 2 : at + 4] in (b"\x00\x01", b"\x80\x01") and data[at + 8 : at + 10] == b"\x00\x04":
                self._address(data, at + 10)
            at += 2

    def _address(self, data: bytearray, at: int) -> None:
        if len(data) >= at + 4:
            struct.pack_into(">I", data, at, self.address(struct.unpack_from(">I", data, at)[0]))

    def _message(self, data: bytearray, message: Message) -> None:
        for kind, at, length in message.attributes:
            if kind in _XORED | _PLAIN and length == 8 and data[at + 1] == 1:
                mask = _XOR if kind in _XORED else 0
                port, address = struct.unpack_from(">HI", data, at + 2)
                port, address = self.port(port ^ mask >> 16), self.address(address ^ mask)
                struct.pack_into(">HI", data, at + 2, port ^ mask >> 16, address ^ mask)
            elif kind == _USERNAME and message.kind == _BINDING_REQUEST:
                text = bytes(data[at : at + length]).decode("ascii", "replace")
                new = ":".join(map(self.ufrag, text.split(":"))).encode("ascii", "replace")
                if len(new) == length:
                    data[at : at + length] = new
        if message.fingerprint:
            struct.pack_into(">I", data, message.fingerprint, _fingerprint(data, message.at, message.fingerprint))


@dataclass(frozen=True, slots=True)
class Message:
    """One STUN message in a packet."""

    at: int
    kind: int
    attributes: tuple[tuple[int, int, int], ...]
    """Type, where the value begins, its length; only those captured whole."""
    fingerprint: int
    """Where the value of a right FINGERPRINT is; else 0."""


def _messages(data: bytes, begin: int) -> Iterator[Message]:
    found = data.find(COOKIE, begin + 4)
    while found >= 0:
        at = found - 4
        kind, length = struct.unpack_from(">HH", data, at)
        if kind < 0x4000 and length % 4 == 0 and len(data) >= at + 20:
            attributes = tuple(_attributes(data, at + 20, min(at + 20 + length, len(data))))
            prints = (place for type, place, size in attributes if type == _FINGERPRINT and size == 4)
            place = next(prints, 0)
            right = place and struct.unpack_from(">I", data, place)[0] == _fingerprint(data, at, place)
            yield Message(at, kind, attributes, place if right else 0)
        found = data.find(COOKIE, found + 4)


def _attributes(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    while at + 4 <= end:
        kind, length = struct.unpack_from(">HH", data, at)
        if at + 4 + length > end:
            return
        yield kind, at + 4, length
        at += 4 + (length + 3) // 4 * 4


def _fingerprint(data: bytes | bytearray, at: int, value: int) -> int:
    return zlib.crc32(data[at : value - 4]) ^ 0x5354554E


def _checksum(header: bytes | bytearray) -> bytes:
    """RFC 1071."""
    total = sum(struct.unpack(f">{len(header) // 2}H", header[: len(header) // 2 * 2]))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">H", ~total & 0xFFFF)


@dataclass(frozen=True, slots=True)
class Names:
    """What there is to rename in captures."""

    addresses: frozenset[int]
    ports: frozenset[int]
    ufrags: frozenset[str]


def names_in(tapes: Tapes) -> Names:
    """Every name in captures, found by renaming nothing."""
    addresses: set[int] = set()
    ports: set[int] = set()
    ufrags: set[str] = set()

    def note(known: set[Any]) -> Callable[[Any], Any]:
        def same(value: Any) -> Any:
            known.add(value)
            return value

        return same

    Renaming(note(addresses), note(ports), note(ufrags)).apply(tapes)
    return Names(frozenset(addresses), frozenset(ports), frozenset(ufrags))


def is_special(address: int) -> bool:
    """Loopback, link-local, multicast and the like, which mean something by themselves."""
    first = address >> 24
    return first in (0, 127) or first >= 224 or address >> 16 == 0xA9FE


def is_private(address: int) -> bool:
    """RFC 1918 and RFC 6598."""
    return address >> 24 == 10 or address >> 20 == 0xAC1 or address >> 16 == 0xC0A8 or address >> 22 == 0x6440 >> 6


def _by_prefix(table: dict[int, int]) -> Callable[[int], int]:
    """Addresses with the first 16 bits exchanged, the others kept."""
    return lambda address: table.get(address >> 16, address >> 16) << 16 | address & 0xFFFF


def ranges_exchanged(addresses: Iterable[int]) -> Callable[[int], int]:
    """Public addresses for private ones and the other way round; what shares 16 bits goes on to do so."""
    prefixes = sorted({address >> 16 for address in addresses if not is_special(address)})
    private = [prefix for prefix in prefixes if is_private(prefix << 16 | 1)]
    public = [prefix for prefix in prefixes if prefix not in private]
    # 81.20.0.0 and on are nobody's own here; 10.0.0.0/8 has room for 256.
    table = dict(zip(private, range(0x5114, 0x5200), strict=False))
    return _by_prefix(table | dict(zip(public, range(0x0A00, 0x0B00), strict=False)))


def elsewhere(addresses: Iterable[int], taken: Iterable[int]) -> Callable[[int], int]:
    """Addresses of the same kind that are not taken."""
    used = {address >> 16 for address in taken}
    prefixes = sorted({address >> 16 for address in addresses if not is_special(address)})
    free = {
        True: iter([prefix for prefix in range(0x0A64, 0x0B00) if prefix not in used]),
        False: iter([prefix for prefix in range(0x5114, 0x5200) if prefix not in used]),
    }
    return _by_prefix({prefix: next(free[is_private(prefix << 16 | 1)]) for prefix in prefixes})


def exchanged(one: int, other: int) -> Callable[[int], int]:
    """The networks (24 bits) of two addresses exchanged; in one network the two addresses."""
    if one >> 8 == other >> 8:
        return lambda address: {one: other, other: one}.get(address, address)
    table = {one >> 8: other >> 8, other >> 8: one >> 8}
    return lambda address: table.get(address >> 8, address >> 8) << 8 | address & 0xFF


def ports_permuted(ports: Iterable[int]) -> Callable[[int], int]:
    """Ports that mean nothing, the smallest for the largest and so on."""
    loose = sorted(port for port in ports if port >= 1024 and port not in SERVICES)
    table = dict(zip(loose, reversed(loose), strict=True))
    return lambda port: table.get(port, port)


_ICE_CHARS = string.ascii_uppercase, string.ascii_lowercase, string.digits, "+/"
_TURNED = str.maketrans("".join(_ICE_CHARS), "".join(chars[::-1] for chars in _ICE_CHARS))


def ufrag_turned(text: str) -> str:
    """Another username fragment of the same length, another for each; what came first in their order comes last."""
    return text.translate(_TURNED)
