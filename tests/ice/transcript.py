"""Calls written down as transcripts, turned into real captures.

    trace = read('''
        A = 10.0.0.1:1000
        B = 10.0.0.2:2000
        0.000  A > B  request t1 user=bbbb:aaaa controlling use
        0.020  B > A  success t1 mapped=A
        60.0   end
    ''')

A line is a time in seconds, who sends to whom, and what.  Names of endpoints are free (`A'` may be what a NAT makes of
`A`); several names for one packet's way are several lines, as the capture would have them.  What can be sent:

- STUN: `[method] request|indication|success|error ID`, then attributes: `user=` `prio=` `controlling[=TIE]`
  `controlled[=TIE]` `use` (USE-CANDIDATE) `nomination=N` `mapped=` `plain=` (MAPPED-ADDRESS) `relayed=` `peer=`
  `lifetime=` `realm=` `software=` `channel=` `code=NUMBER[:REASON]` `counter=REQUEST/RESPONSE` (0x8025) `count=N`
  (0xFF00) `last=ID` (0xC058) `key=PASSWORD` (MESSAGE-INTEGRITY), `unknown=0024` (UNKNOWN-ATTRIBUTES), `classic` (no
  cookie) and `short=N`: sent without its last N bytes
- `rtp`, `dtls-hello`, `dtls-protected`, `dtls-alert`, `other`, `raw hex=DIGITS`; TCP: `syn`, `syn-ack`, `rst`,
  `tls-hello`
- STUN and payloads inside TURN: `send PEER : WHAT` and `data PEER : WHAT` (indications), `channel NUMBER : WHAT`
- `icmp TYPE/CODE quotes=ID`: the last packet with that id, cut after `bytes=N` of its UDP payload; `as=A>B` with the
  addresses of another place on its way
- `again`: the packet of the line before, captured once more.  `end`: the capture goes on until here.

And for any packet: `ttl=` (64), `ipid=` (counting), `out` or `in` (direction, in cooked and pcapng captures).
Bytes are made here from the RFCs, without any of stunpcap's code.
"""

from __future__ import annotations

import collections
import hashlib
import hmac
import io
import itertools
import zlib
from dataclasses import dataclass, field
from ipaddress import ip_address
from struct import pack
from typing import Any

import pandas as pd

import stunpcap
from stunpcap.trace import Trace

EPOCH = 1_700_000_000
COOKIE = 0x2112A442
CLASSES = {"request": 0x000, "indication": 0x010, "success": 0x100, "error": 0x110}
METHODS = {
    "binding": 1, "allocate": 3, "refresh": 4, "send": 6, "data": 7, "create-permission": 8, "channel-bind": 9,
    "goog-ping": 0x080,
}  # fmt: skip
PAYLOADS = {
    "rtp": pack(">BBHII", 0x80, 111, 1, 960, 7) + bytes(20),
    "dtls-hello": pack(">BHHHIH", 22, 0xFEFD, 0, 0, 1, 24) + bytes(24),
    "dtls-protected": pack(">BHHHIH", 23, 0xFEFD, 1, 0, 1, 24) + bytes(24),
    "dtls-alert": pack(">BHHHIH", 21, 0xFEFD, 0, 0, 1, 2) + b"\x02\x28",
    "other": b"no protocol known here",
}

TCP_FLAGS = {"syn": 0x02, "syn-ack": 0x12, "rst": 0x14, "tls-hello": 0x18}
TLS_HELLO = bytes.fromhex("160301002d0100002903030000") + bytes(37)

Options = dict[str, str]


@dataclass
class Packet:
    """One captured packet: an IP packet, and what the capture says beside it."""

    time_ns: int
    ip: bytes
    direction: str = ""


@dataclass
class Transcript:
    """What was written down, as packets."""

    packets: list[Packet] = field(default_factory=list)
    endpoints: dict[str, tuple[str, int]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        """An endpoint as frames show it."""
        address, port = self.endpoints[name]
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    def capture(self, form: str = "pcap") -> bytes:
        """A file: `pcap` (Ethernet), `cooked` (pcap with Linux cooked headers), or `pcapng`."""
        return {"pcap": _pcap, "cooked": _cooked, "pcapng": _pcapng}[form](self.packets)

    def read(self, form: str = "pcap", **options: Any) -> Trace:
        return stunpcap.read(io.BytesIO(self.capture(form)), names=["capture"], **options)


def transcript(text: str) -> Transcript:
    """Turn a transcript into packets."""
    result = Transcript()
    endpoints = result.endpoints
    sent: dict[str, tuple[str, str, bytes]] = {}
    ids = itertools.count(1)
    spoken: collections.Counter[tuple[str, str]] = collections.Counter()

    def at(name: str) -> tuple[str, int]:
        return endpoints[name] if name in endpoints else _endpoint(name)

    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[1] == "=":
            endpoints[words[0]] = _endpoint(words[2])
            continue
        time_ns = EPOCH * 10**9 + round(float(words[0]) * 10**9)
        if words[1] == "again":
            last = result.packets[-1]
            direction = next((word for word in words[2:] if word in ("in", "out")), last.direction)
            result.packets.append(Packet(time_ns, last.ip, direction))
            continue
        if words[1] == "end":
            ends = _endpoint("192.0.2.254:9"), _endpoint("192.0.2.255:9")
            result.packets.append(Packet(time_ns, _ip(*ends, b"end", 17, 64, 0), "in"))
            continue
        src, arrow, dst = words[1:4]
        assert arrow == ">", line
        what, names, options = _split(words[words.index(":") + 1 :] if ":" in words else words[4:])
        ttl, ipid = int(options.pop("ttl", "64")), int(options.pop("ipid", str(next(ids))))
        direction = next((name for name in ("in", "out") if options.pop(name, None) is not None), "")
        if what == "icmp":
            kind, code = map(int, names[0].split("/"))
            quoted = sent[options["quotes"]]
            way = options.get("as", ">".join(quoted[:2])).split(">")
            payload = quoted[2][: int(options.get("bytes", "1000"))]
            inner = _ip(at(way[0]), at(way[1]), payload, 17, 63, 7, size=len(quoted[2]))
            v6 = ":" in at(src)[0]
            packet = _ip(at(src), at(dst), pack(">BBHI", kind, code, 0, 0) + inner, 58 if v6 else 1, ttl, ipid)
        elif what in TCP_FLAGS:
            header = pack(">HHIIBBHHH", at(src)[1], at(dst)[1], 1, 0, 5 << 4, TCP_FLAGS[what], 65535, 0, 0)
            packet = _ip(at(src), at(dst), header + (TLS_HELLO if what == "tls-hello" else b""), 6, ttl, ipid)
        elif what in PAYLOADS or what == "raw":
            data = bytes.fromhex(options["hex"]) if what == "raw" else PAYLOADS[what]
            if what == "rtp":  # numbered in each direction
                spoken[src, dst] += 1
                data = data[:2] + pack(">H", spoken[src, dst] & 0xFFFF) + data[4:]
            packet = _ip(at(src), at(dst), _carried(words[4:], data, at), 17, ttl, ipid)
        else:
            method, cls, name = (["binding"] if what in CLASSES else []) + [what, *names]
            short = int(options.pop("short", "0"))
            payload = message(method, cls, name, options, at)
            payload = _carried(words[4:], payload[: len(payload) - short], at)
            sent[name] = src, dst, payload
            packet = _ip(at(src), at(dst), payload, 17, ttl, ipid)
        result.packets.append(Packet(time_ns, packet, direction))
    return result


def read(text: str = "", form: str = "pcap", passwords: Options | None = None, **vantages: str) -> Trace:
    """Read a transcript, or one for each of several vantages."""
    texts = {"capture": text} if text else vantages
    captures = [io.BytesIO(transcript(one).capture(form)) for one in texts.values()]
    return stunpcap.read(*captures, names=list(texts), passwords=passwords)


def id_of(name: str) -> str:
    """A transaction id as frames show it."""
    return _id(name).hex()


def _id(name: str, size: int = 12) -> bytes:
    return name.encode().ljust(size, b".")


def _endpoint(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return str(ip_address(address.strip("[]"))), int(port)


def _split(words: list[str]) -> tuple[str, list[str], Options]:
    """The verb, the names behind it, and the options."""
    flags = ("use", "classic", "in", "out", "controlling", "controlled")
    names = [word for word in words if "=" not in word and word not in flags]
    options = {word.split("=", 1)[0]: word.partition("=")[2] for word in words if word not in names}
    return names[0], names[1:], options


# STUN (RFC 8489)


def message(method: str, cls: str, name: str, options: Options, at: Any) -> bytes:
    """One message with FINGERPRINT, or a classic one without."""
    number = METHODS.get(method) or int(method, 16)
    kind = (number & 0xF80) << 2 | (number & 0x70) << 1 | number & 0xF | CLASSES[cls]
    classic = options.pop("classic", None) is not None
    header = _id(name, 16) if classic else pack(">I", COOKIE) + _id(name)
    key = options.pop("key", None)
    body = b"".join(attribute(*option, header, classic, at) for option in options.items())
    if key is not None:
        head = pack(">HH", kind, len(body) + 24) + header
        body += pack(">HH", 0x0008, 20) + hmac.new(_key(key, options), head + body, hashlib.sha1).digest()
    if not classic:
        head = pack(">HH", kind, len(body) + 8) + header
        body += pack(">HHI", 0x8028, 4, zlib.crc32(head + body) ^ 0x5354554E)
    return pack(">HH", kind, len(body)) + header + body


def _key(password: str, options: Options) -> bytes:
    """`key=PASSWORD`, or `key=USER:REALM:PASSWORD` for a long-term credential."""
    if password.count(":") == 2:
        return hashlib.md5(password.encode(), usedforsecurity=False).digest()
    return password.encode()


def attribute(name: str, text: str, header: bytes, classic: bool, at: Any) -> bytes:
    """One attribute, padded."""
    match name:
        case "user":
            kind, value = 0x0006, text.encode()
        case "realm":
            kind, value = 0x0014, text.encode()
        case "software":
            kind, value = 0x8022, text.encode()
        case "prio":
            kind, value = 0x0024, pack(">I", int(text))
        case "controlling":
            kind, value = 0x802A, pack(">Q", int(text or "77"))
        case "controlled":
            kind, value = 0x8029, pack(">Q", int(text or "33"))
        case "use":
            kind, value = 0x0025, b""
        case "nomination":
            kind, value = 0xC001, pack(">I", int(text))
        case "mapped":
            kind, value = (0x0001, _plain(*at(text))) if classic else (0x0020, _xored(*at(text), header))
        case "plain":
            kind, value = 0x0001, _plain(*at(text))
        case "relayed":
            kind, value = 0x0016, _xored(*at(text), header)
        case "peer":
            kind, value = 0x0012, _xored(*at(text), header)
        case "lifetime":
            kind, value = 0x000D, pack(">I", int(text))
        case "counter":
            kind, value = 0x8025, bytes((0, 0, *map(int, text.split("/"))))
        case "count":
            kind, value = 0xFF00, pack(">I", int(text))
        case "last":
            kind, value = 0xC058, _id(text)
        case "unknown":
            kind, value = 0x000A, pack(">H", int(text, 16))
        case "channel":
            kind, value = 0x000C, pack(">HH", int(text, 16), 0)
        case "code":
            number, _, reason = text.partition(":")
            kind, value = 0x0009, bytes((0, 0, *divmod(int(number), 100))) + (reason or "why").encode()
        case _:
            raise ValueError(f"there is no attribute {name!r}")
    return pack(">HH", kind, len(value)) + value + bytes(-len(value) % 4)


def _carried(words: list[str], payload: bytes, at: Any) -> bytes:
    """A payload inside TURN, if the words say so (RFC 8656 sections 11 and 12)."""
    if ":" not in words:
        return payload
    how, whom = words[:2]
    if how == "channel":
        return pack(">HH", int(whom, 16), len(payload)) + payload
    header = pack(">I", COOKIE) + bytes(12)
    data = pack(">HH", 0x0013, len(payload)) + payload + bytes(-len(payload) % 4)
    body = attribute("peer", whom, header, False, at) + data
    return pack(">HH", {"send": 0x0016, "data": 0x0017}[how], len(body)) + header + body


def _plain(address: str, port: int) -> bytes:
    packed = ip_address(address).packed
    return pack(">BBH", 0, 1 if len(packed) == 4 else 2, port) + packed


def _xored(address: str, port: int, header: bytes) -> bytes:
    plain = _plain(address, port)
    mask = pack(">I", COOKIE)[:2] + header[: len(plain) - 4]
    return plain[:2] + bytes(a ^ b for a, b in zip(plain[2:], mask, strict=True))


# Packets and files


def _ip(
    src: tuple[str, int], dst: tuple[str, int], data: bytes, protocol: int, ttl: int, ipid: int, size: int | None = None
) -> bytes:
    """An IP packet; with `protocol` 17 a UDP header comes first, that says `size` bytes follow."""
    if protocol == 17:
        data = pack(">HHHH", src[1], dst[1], 8 + (len(data) if size is None else size), 0) + data
    source, target = ip_address(src[0]).packed, ip_address(dst[0]).packed
    if len(source) == 16:
        return pack(">IHBB", 6 << 28, len(data), protocol, ttl) + source + target + data
    return pack(">BBHHHBBH", 0x45, 0, 20 + len(data), ipid, 0, ttl, protocol, 0) + source + target + data


def _ethertype(ip: bytes) -> int:
    return 0x0800 if ip[0] >> 4 == 4 else 0x86DD


def _ethernet(packet: Packet) -> bytes:
    return bytes.fromhex("02000000000a02000000000b") + pack(">H", _ethertype(packet.ip)) + packet.ip


def _records(link: int, frames: list[tuple[int, bytes]]) -> bytes:
    head = pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link)
    return head + b"".join(
        pack("<IIII", time // 10**9, time % 10**9, len(data), len(data)) + data for time, data in frames
    )


def _pcap(packets: list[Packet]) -> bytes:
    return _records(1, [(packet.time_ns, _ethernet(packet)) for packet in packets])


def _cooked(packets: list[Packet]) -> bytes:
    kinds = {"in": 0, "out": 4}
    heads = [
        pack(">HHH8sH", kinds[packet.direction], 1, 6, bytes(8), _ethertype(packet.ip)) + packet.ip
        for packet in packets
    ]
    return _records(113, [(packet.time_ns, head) for packet, head in zip(packets, heads, strict=True)])


def _pcapng(packets: list[Packet]) -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        size = 12 + len(body)
        return pack("<II", kind, size) + body + pack("<I", size)

    result = block(0x0A0D0D0A, pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    result += block(1, pack("<HHI", 1, 0, 0) + pack("<HHB3x", 9, 1, 9) + pack("<HH", 0, 0))  # if_tsresol: ns
    for packet in packets:
        data = _ethernet(packet)
        head = pack("<IIIII", 0, packet.time_ns >> 32, packet.time_ns & 0xFFFFFFFF, len(data), len(data))
        flags = pack("<HHI", 2, 4, {"in": 1, "out": 2}[packet.direction]) if packet.direction else b""
        result += block(6, head + data + bytes(-len(data) % 4) + flags + pack("<HH", 0, 0))
    return result


# What tests ask


def rows(frame: Any) -> list[dict[str, Any]]:
    """A frame's rows as dictionaries; what is missing is None."""
    return [
        {name: None if value is None or value is pd.NA or value != value else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def one(frame: Any, **wanted: Any) -> dict[str, Any]:
    """The only row of a frame in which these columns have these values."""
    found = [row for row in rows(frame) if all(row[name] == value for name, value in wanted.items())]
    assert len(found) == 1, f"{len(found)} rows with {wanted} in\n{frame.to_string()}"
    return found[0]
