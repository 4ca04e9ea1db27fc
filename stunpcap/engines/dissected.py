"""One packet as tshark dissected it: where its innermost IP packet lies, and the STUN layers in it.

Everything here is about the shape of tshark's JSON as pyshark hands it on: a layer is a dictionary of its fields,
`NAME_raw` beside a layer or field gives its bytes in hex and their place, several of a name are a list, and a layer
that another one called lies inside that one's dictionary.  What a STUN field means is in `wireshark_fields`.
"""

from __future__ import annotations

import datetime
import re
import struct
from collections.abc import Iterator
from dataclasses import field
from typing import Any

from stunpcap.engines.feeding import ip_packet
from stunpcap.record import record

STUN_LAYERS = ("stun", "classicstun")
ICMP_LAYERS = ("icmp", "icmpv6")
PROTOCOLS = {"udp": 17, "tcp": 6}
HIDING = ("tls", "dtls")
NO_RAW = (b"", 0)

Fields = dict[str, Any]


@record
class StunLayer:
    """A STUN message, or ChannelData, and what tshark found inside it."""

    fields: Fields
    data: bytes
    """Its bytes; of ChannelData with what it holds, as far as tshark shows that."""
    classic: bool
    inner: tuple[StunLayer, ...]

    @property
    def is_channel(self) -> bool:
        """It is ChannelData, no message."""
        return "stun.channel" in self.fields

    @property
    def is_message(self) -> bool:
        """Its header is all there."""
        name = "classicstun" if self.classic else "stun"
        return all(f"{name}.{part}" in self.fields for part in ("type", "length", "id"))

    def messages(self, depth: int = 0) -> Iterator[tuple[StunLayer, int]]:
        """The message, and those inside it, each with how many others it is inside of."""
        if self.is_message:
            yield self, depth
        for layer in self.inner:
            yield from layer.messages(depth + 1)


@record
class Dissected:
    """What is taken of one packet."""

    frame: int
    time_ns: int
    direction: int
    """1 received by the capturing host, 2 sent by it, 0 unknown."""
    captured: int
    """Bytes captured, link layer included."""
    packet: bytes
    """The innermost IP packet; empty if there is none."""
    wire_length: int
    is_fragment: bool
    source: str = ""
    target: str = ""
    transport: str = ""
    """udp, tcp, or nothing."""
    ports: tuple[int, int] = (0, 0)
    ttl: int = -1
    ident: int = -1
    segment: bytes = b""
    """UDP or TCP header, and what it carries, put together again from fragments."""
    hidden: bool = False
    """The STUN came out of TLS or DTLS."""
    stun: tuple[StunLayer, ...] = ()
    comments: tuple[str, ...] = ()
    link: str = ""
    """The lowest layer, as tshark calls it."""
    protocols: tuple[str, ...] = field(default=())


def dissect(packet: Any) -> tuple[Dissected, bool]:
    """Take from one of pyshark's packets what is needed of it; and whether all headers were there to take it from.

    tshark leaves out the fields that a packet is too short for, or too damaged.
    """
    try:
        return _dissect(packet, True), True
    except (KeyError, IndexError, ValueError, OSError, struct.error):
        return _dissect(packet, False), False


def _dissect(packet: Any, deep: bool) -> Dissected:
    frame = packet.frame_info._all_fields  # the public way guesses at names, and costs ten times as much
    layers: dict[str, list[Fields]] = {}
    raws: dict[str, list[tuple[bytes, int]]] = {}
    for layer in packet.layers:
        if layer.layer_name.endswith("_raw"):
            raws.setdefault(layer.layer_name.removesuffix("_raw"), []).extend(_raws(layer))
        else:
            layers.setdefault(layer.layer_name, []).extend(one._all_fields for one in (layer, *layer.duplicate_layers))
    protocols = tuple(frame["frame.protocols"].split(":"))
    whole = raws.get("frame", [NO_RAW])[0][0]
    common: dict[str, Any] = {
        "frame": int(frame["frame.number"]),
        "time_ns": nanoseconds(frame["frame.time_epoch"]),
        "direction": _direction(frame, layers),
        "captured": int(frame["frame.cap_len"]),
        "comments": tuple(_comments(layers)),
        "link": next((name for name in protocols if name), ""),
        "protocols": protocols,
    }
    quoting = next((at for at, name in enumerate(protocols) if name in ICMP_LAYERS), len(protocols))
    bare = Dissected(**common, packet=b"", wire_length=0, is_fragment=False)
    if not deep:
        return bare
    transport, end = "", quoting
    if quoting == len(protocols):  # else what is above is a quote
        end = next((at for at in reversed(range(quoting)) if protocols[at] in PROTOCOLS), quoting)
        transport = protocols[end] if end < quoting else ""
    shown = [name for name in protocols[:end] if name in ("ip", "ipv6")]
    if not shown or len(raws.get(shown[-1], [])) < shown.count(shown[-1]) or (transport and transport not in raws):
        return bare
    ip, number = shown[-1], shown.count(shown[-1]) - 1
    header, at = raws[ip][number]
    fields = layers[ip][number]
    source, target = bytes.fromhex(fields[f"{ip}.src_raw"][0]), bytes.fromhex(fields[f"{ip}.dst_raw"][0])
    ttl = int(fields["ip.ttl" if ip == "ip" else "ipv6.hlim"])
    ident = int(fields["ip.id"], 0) if ip == "ip" else -1
    payload = _payload(transport, layers)
    is_fragment = _is_fragment(ip, fields, protocols)
    own = whole[at : at + len(header)] == header
    inside, length = whole[at:], int(frame["frame.len"]) - at
    if not own and transport:
        above = raws[transport][-1][0] + payload
        inside = ip_packet(source, target, PROTOCOLS[transport], ttl, max(ident, 0), above)
        length = len(inside)
    ports = (0, 0)
    if transport:
        ports = (
            int(layers[transport][-1][f"{transport}.srcport"]),
            int(layers[transport][-1][f"{transport}.dstport"]),
        )
    before = protocols[: next((at for at, name in enumerate(protocols) if name in STUN_LAYERS), 0)]
    stun: tuple[StunLayer, ...] = ()
    if transport:
        stun = tuple(_stun(layers, {name: found for name, found in raws.items() if name not in ("frame", *before)}))
    return Dissected(
        **common,
        packet=inside if own or transport else b"",
        wire_length=length,
        is_fragment=is_fragment,
        source=fields[f"{ip}.src"],
        target=fields[f"{ip}.dst"],
        transport=transport,
        ports=ports,
        ttl=ttl,
        ident=ident,
        segment=raws[transport][-1][0] + payload if transport else b"",
        hidden=any(name in HIDING for name in before),
        stun=stun,
    )


def nanoseconds(text: str) -> int:
    """tshark's time as nanoseconds since 1970: seconds with a fraction, or since 4.2 ISO 8601."""
    if "T" in text:
        moment, _, fraction = text.rstrip("Z").partition(".")
        seconds = int(datetime.datetime.fromisoformat(moment).replace(tzinfo=datetime.UTC).timestamp())
    else:
        whole, _, fraction = text.partition(".")
        seconds = int(whole)
        if text.startswith("-"):
            return seconds * 10**9 - int(fraction.ljust(9, "0")[:9])
    return seconds * 10**9 + int(fraction.ljust(9, "0")[:9] or 0)


def _raws(layer: Any) -> Iterator[tuple[bytes, int]]:
    """The bytes of a layer, or of all of its name, and where they begin."""
    if isinstance(layer.value, list):
        yield bytes.fromhex(layer.value[0]), int(layer.value[1])
        for other in layer.duplicate_layers:
            yield from _raws(other)
    else:
        yield bytes.fromhex(layer.value), int(layer.duplicate_layers[0].value)


def _direction(frame: Fields, layers: dict[str, list[Fields]]) -> int:
    flags = frame.get("frame.packet_flags_tree", {}).get("frame.packet_flags_direction")
    if flags is not None:
        return {1: 1, 2: 2}.get(int(flags, 0), 0)
    kind = layers.get("sll", [{}])[0].get("sll.pkttype")
    if kind is None:
        return 0
    return 2 if int(kind, 0) == 4 else 1 if int(kind, 0) < 3 else 0


def _comments(layers: dict[str, list[Fields]]) -> Iterator[str]:
    for layer in layers.get("pkt_comment", []):
        found = layer.get("frame.comment", [])
        yield from [found] if isinstance(found, str) else found


def _payload(transport: str, layers: dict[str, list[Fields]]) -> bytes:
    """What UDP or TCP carried in this packet."""
    raw = layers[transport][-1].get(f"{transport}.payload_raw") if transport else None
    return bytes.fromhex(raw[0]) if raw else b""


def _is_fragment(ip: str, fields: Fields, protocols: tuple[str, ...]) -> bool:
    if ip == "ipv6":
        return "ipv6.fraghdr" in fields or "ipv6.fragment" in protocols
    tree = fields.get("ip.flags_tree", {})
    return int(fields.get("ip.frag_offset", "0"), 0) > 0 or tree.get("ip.flags.mf", "0") in ("1", "True", True)


def _stun(layers: dict[str, list[Fields]], raws: dict[str, list[tuple[bytes, int]]]) -> Iterator[StunLayer]:
    """The STUN layers that are not inside others.

    What tshark finds in ChannelData it hangs beside it: there it begins four bytes behind the channel's number, or
    twelve in Microsoft's framing.
    """
    found = [
        (_layer(name, fields, data), at)
        for name in STUN_LAYERS
        for fields, (data, at) in zip(layers.get(name, []), raws.get(name, []), strict=False)
    ]
    others = [(data, at) for name, these in raws.items() if name not in STUN_LAYERS for data, at in these]
    number = 0
    while number < len(found):
        layer, at = found[number]
        number += 1
        if layer.is_channel:
            held = [other for other in found[number : number + 1] if other[1] in (at + 4, at + 12)]
            rest = held[0][0].data if held else next((data for data, begin in others if begin == at + 4), b"")
            gap = held[0][1] - at - len(layer.data) if held else 0
            layer = StunLayer(
                layer.fields, layer.data + bytes(max(0, gap)) + rest, layer.classic, tuple(one for one, _ in held)
            )
            number += len(held)
        yield layer


def _layer(name: str, fields: Fields, data: bytes) -> StunLayer:
    return StunLayer(fields, data, name == "classicstun", tuple(_nested(fields)))


def _nested(fields: Any) -> Iterator[StunLayer]:
    """STUN layers inside a layer's attributes."""
    if isinstance(fields, list):
        for item in fields:
            yield from _nested(item)
    elif isinstance(fields, dict):
        for key, value in fields.items():
            if key in STUN_LAYERS:
                raw = fields.get(f"{key}_raw", [])
                several = raw if raw and isinstance(raw[0], list) else [raw]
                for one, bits in zip(value if isinstance(value, list) else [value], several, strict=False):
                    yield _layer(key, one, bytes.fromhex(bits[0]) if bits else b"")
            elif isinstance(value, dict | list) and not re.search(r"_raw$", key):
                yield from _nested(value)
