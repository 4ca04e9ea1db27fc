"""Mutations that know where structure is: random bits rarely reach a length three layers down, these always do.

A capture of the corpus is taken apart into packets, each packet into the places where it says lengths, types and
counts; some of these are changed, to values around the true one and to the ends of their range.  Packets and file are
put together again otherwise as they were.  All chance comes from one `random.Random`.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass

COOKIE = b"\x21\x12\xa4\x42"
WORDS = (0, 1, 2, 3, 4, 7, 8, 12, 13, 16, 19, 20, 21, 0x7F, 0x80, 0xFF, 0x100, 0x5DC, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
ATTRIBUTES = (
    *(0x0001, 0x0006, 0x0008, 0x0009, 0x000C, 0x000D, 0x000F, 0x0011, 0x0012, 0x0013, 0x0014, 0x0015, 0x0016, 0x0020),
    *(0x0022, 0x0024, 0x0025, 0x0101, 0x0103, 0x8022, 0x8025, 0x8028, 0x8029, 0x802A, 0xC001, 0xC057, 0xC058, 0xFF00),
)
TYPES = (0x0001, 0x0011, 0x0101, 0x0111, 0x0003, 0x0103, 0x0113, 0x0004, 0x0016, 0x0017, 0x0009, 0x0109, 0x010B, 0x0115)
LINKS = (0, 1, 9, 12, 101, 105, 113, 119, 127, 163, 166, 192, 219, 228, 239, 258, 276)
Place = tuple[int, int, str]
"""Offset, bytes, and what stands there."""


@dataclass
class Packet:
    """One captured packet, and what the file says of it."""

    data: bytes
    wire: int
    time: int


@dataclass
class Capture:
    """A capture taken apart: as far as it can be."""

    link: int
    packets: list[Packet]


def parse(data: bytes) -> Capture | None:
    """Take a pcap (microseconds, little-endian) or the first section of a pcapng apart; None for others."""
    if data[:4] == b"\xd4\xc3\xb2\xa1":
        packets, at = [], 24
        while at + 16 <= len(data):
            seconds, fraction, size, wire = struct.unpack_from("<IIII", data, at)
            packets.append(Packet(data[at + 16 : at + 16 + size], wire, seconds * 10**6 + fraction))
            at += 16 + size
        return Capture(struct.unpack_from("<I", data, 20)[0] & 0xFFFF, packets)
    if data[:4] == b"\n\r\r\n" and data[8:12] == b"\x4d\x3c\x2b\x1a":
        packets, links, at = [], [], 0
        while at + 12 <= len(data):
            kind, size = struct.unpack_from("<II", data, at)
            if size < 12:
                break
            if kind == 1:
                links.append(struct.unpack_from("<H", data, at + 8)[0])
            elif kind == 6:
                which, high, low, caplen, wire = struct.unpack_from("<IIIII", data, at + 8)
                if which == 0:
                    packets.append(Packet(data[at + 28 : at + 28 + caplen], wire, high << 32 | low))
            at += size
        return Capture(links[0], packets) if links else None
    return None


def places(packet: bytes, link: int) -> Iterator[Place]:
    """Where a packet says lengths and types: of IP, transport, and whatever it knows that these carry."""
    at = {1: 14, 101: 0, 12: 0, 228: 0, 113: 16, 276: 20, 0: 4}.get(link, 14)
    if link == 1:
        yield 12, 2, "type"
        while packet[at - 2 : at] in (b"\x81\x00", b"\x88\xa8"):
            yield at + 2, 2, "type"
            at += 4
    yield from _ip(packet, at)


def _ip(packet: bytes, at: int) -> Iterator[Place]:
    if at + 20 > len(packet):
        return
    yield at, 1, "byte"
    if packet[at] >> 4 == 4:
        yield at + 2, 2, "length"
        yield at + 6, 2, "fragment"
        yield at + 9, 1, "protocol"
        protocol, end = packet[at + 9], at + (packet[at] & 15) * 4
    elif packet[at] >> 4 == 6 and at + 40 <= len(packet):
        yield at + 4, 2, "length"
        yield at + 6, 1, "protocol"
        protocol, end = packet[at + 6], at + 40
    else:
        return
    if protocol == 17:
        yield end + 4, 2, "length"
        yield end, 2, "port"
        yield end + 2, 2, "port"
        yield from payload(packet, end + 8, 0)
    elif protocol == 6:
        yield end + 4, 4, "number"
        yield end + 8, 4, "number"
        yield end + 12, 1, "byte"
        yield end + 13, 1, "flags"
        yield end + 14, 2, "length"
        if end + 13 <= len(packet):
            start = end + (packet[end + 12] >> 4) * 4
            yield start, 2, "length"
            yield from payload(packet, start, 0)
            if packet[start + 6 : start + 10] == COOKIE:
                yield from payload(packet, start + 2, 0)
    elif protocol in (1, 58):
        yield end, 1, "byte"
        yield end + 1, 1, "byte"
        yield end + 4, 1, "byte"
        yield end + 5, 1, "byte"
        yield from _ip(packet, end + 8)


def payload(packet: bytes, at: int, depth: int) -> Iterator[Place]:
    """The places of STUN, ChannelData, DTLS and RTP."""
    if at + 4 > len(packet) or depth > 4:
        return
    first = packet[at]
    yield at, 1, "byte"
    if packet[at + 4 : at + 8] == COOKIE or (first < 2 and at + 20 <= len(packet)):
        yield at, 2, "message"
        yield at + 2, 2, "length"
        here = at + 20
        while here + 4 <= len(packet):
            kind, size = struct.unpack_from(">HH", packet, here)
            yield here, 2, "attribute"
            yield here + 2, 2, "length"
            if kind == 0x0013:
                yield from payload(packet, here + 4, depth + 1)
            elif size:
                yield here + 4, min(4, size), "value"
            here += 4 + size + -size % 4
    elif 0x40 <= first < 0x50:
        yield at, 2, "channel"
        yield at + 2, 2, "length"
        yield from payload(packet, at + 4, depth + 1)
    elif 20 <= first <= 26:
        here = at
        while here + 13 <= len(packet):
            size = struct.unpack_from(">H", packet, here + 11)[0]
            yield here, 1, "record"
            yield here + 1, 2, "version"
            yield here + 3, 2, "length"
            yield here + 11, 2, "length"
            if packet[here] == 22:
                for inside, width in ((13, 1), (14, 3), (19, 3), (22, 3), (59, 1), (60, 1), (61, 2)):
                    yield here + inside, width, "length"
            here += 13 + size
    elif 0x80 <= first < 0xC0:
        yield at + 1, 1, "byte"
        yield at + 2, 2, "length"


def _value(rng: random.Random, kind: str, width: int, now: int) -> int:
    if kind in ("attribute", "message") and rng.random() < 0.8:
        return rng.choice(ATTRIBUTES if kind == "attribute" else TYPES)
    if kind == "record" and rng.random() < 0.8:
        return rng.choice((20, 21, 22, 23, 24, 25, 26, 0x24, 0x2C, 0x2F, 0x3F))
    if kind == "protocol" and rng.random() < 0.8:
        return rng.choice((0, 1, 4, 6, 17, 41, 43, 44, 47, 51, 58, 60, 97, 136, 137))
    if kind == "port" and rng.random() < 0.8:
        return rng.choice((53, 443, 2152, 3478, 3544, 4789, 4790, 5353, 6081, 8472))
    if kind == "type" and rng.random() < 0.8:
        return rng.choice((0x0800, 0x86DD, 0x8100, 0x8847, 0x8863, 0x8864, 0x88A8, 100))
    if kind == "fragment" and rng.random() < 0.8:
        return rng.choice((0, 0x2000, 0x4000, 1, 2, 0x2001, 0x1FFF))
    near = rng.random()
    top = (1 << 8 * width) - 1
    if near < 0.5:
        return max(0, min(top, now + rng.choice((-20, -8, -4, -3, -2, -1, 1, 2, 3, 4, 8, 12, 20, 1000))))
    return rng.choice(WORDS) & top if near < 0.9 else rng.randrange(top + 1)


def mutate_packet(rng: random.Random, packet: bytes, link: int) -> bytes:
    """Change some of what a packet says; sometimes cut it, or put a part of it into itself once more."""
    data = bytearray(packet)
    found = list(places(packet, link))
    for at, width, kind in rng.sample(found, min(len(found), rng.choice((1, 1, 1, 2, 3, 6)))):
        if at + width <= len(data):
            now = int.from_bytes(data[at : at + width])
            data[at : at + width] = _value(rng, kind, width, now).to_bytes(width)
    action = rng.random()
    if action < 0.1 and found:
        del data[rng.choice(found)[0] + rng.randrange(8) :]
    elif action < 0.15 and found:
        at = rng.choice(found)[0]
        data[at:at] = data[at : at + rng.choice((1, 4, 20, 40))]
    elif action < 0.2 and data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def mutate(rng: random.Random, capture: Capture, most: int = 60) -> bytes:
    """A capture file out of some packets of another, many of them changed."""
    begin = rng.randrange(max(1, len(capture.packets) - most + 1))
    packets = list(capture.packets[begin : begin + rng.randrange(1, most + 1)])
    link = capture.link if rng.random() < 0.95 else rng.choice(LINKS)
    chance = rng.choice((0.05, 0.3, 1.0))
    for number, packet in enumerate(packets):
        if rng.random() < chance:
            data = mutate_packet(rng, packet.data, link)
            packets[number] = Packet(data, max(packet.wire, len(data)), packet.time)
    if rng.random() < 0.3:
        snap = rng.choice((0, 14, 34, 42, 43, 46, 54, 62, 66, 70, 96, 128))
        packets = [Packet(one.data[:snap], one.wire, one.time) if rng.random() < 0.7 else one for one in packets]
    if rng.random() < 0.2:
        rng.shuffle(packets)
    if rng.random() < 0.2:
        packets += rng.sample(packets, min(3, len(packets)))
    return _pcapng(rng, packets, link) if rng.random() < 0.4 else _pcap(rng, packets, link)


def _lie(rng: random.Random, true: int, chance: float = 0.01) -> int:
    if rng.random() >= chance:
        return true
    return rng.choice((0, 1, true + 1, max(0, true - 1), true + 4, 0xFFFF, 0x40000, 0x7FFFFFFF, 0xFFFFFFFF))


def _pcap(rng: random.Random, packets: list[Packet], link: int) -> bytes:
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _lie(rng, 1 << 18, 0.1), link)]
    for one in packets:
        size, wire, seconds = _lie(rng, len(one.data)), _lie(rng, one.wire, 0.05), one.time // 10**6
        out.append(struct.pack("<IIII", _lie(rng, seconds & 0xFFFFFFFF), one.time % 10**6, size, wire) + one.data)
    return b"".join(out)


def _block(rng: random.Random, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = len(body) + 12
    return struct.pack("<II", kind, _lie(rng, size)) + body + struct.pack("<I", _lie(rng, size))


def _options(rng: random.Random) -> bytes:
    out = b""
    for _ in range(rng.choice((0, 0, 1, 3))):
        size = rng.choice((0, 1, 4, 8, 5))
        out += struct.pack("<HH", rng.choice((0, 1, 2, 4, 5, 7, 9, 14)), _lie(rng, size, 0.2) & 0xFFFF)
        out += rng.randbytes(size + -size % 4)
    return out


def _pcapng(rng: random.Random, packets: list[Packet], link: int) -> bytes:
    out = [_block(rng, 0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _options(rng))]
    out.append(_block(rng, 1, struct.pack("<HHI", link, 0, _lie(rng, 0, 0.1)) + _options(rng)))
    for one in packets:
        body = one.data + bytes(-len(one.data) % 4) + _options(rng)
        sizes = _lie(rng, len(one.data)), _lie(rng, one.wire, 0.05)
        head = (_lie(rng, 0), one.time >> 32, one.time & 0xFFFFFFFF, *sizes)
        kind = rng.choice((6,) * 30 + (3, 2, 5))
        if kind == 3:
            out.append(_block(rng, 3, struct.pack("<I", _lie(rng, one.wire)) + one.data))
        else:
            out.append(_block(rng, kind, struct.pack("<IIIII", *(word & 0xFFFFFFFF for word in head)) + body))
    return b"".join(out)


def plain_pcap(packets: list[Packet], link: int) -> bytes:
    """A capture file that does not lie itself."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, link)]
    for one in packets:
        wire = max(one.wire, len(one.data)) & 0xFFFFFFFF
        seconds, fraction = divmod(one.time, 10**6)
        out.append(struct.pack("<IIII", seconds & 0xFFFFFFFF, fraction, len(one.data), wire) + one.data)
    return b"".join(out)
