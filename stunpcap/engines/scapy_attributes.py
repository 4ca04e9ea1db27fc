"""The attributes of `scapy_layers`: one class for each shape that the registry's decoders know.

Addresses are XORed where a message is taken apart and put together, for that takes its transaction id: an attribute on
its own holds, and builds, what is meant.
"""

from __future__ import annotations

import socket
import struct
from typing import Any, ClassVar

from scapy.fields import (
    ByteEnumField,
    ByteField,
    Field,
    FieldLenField,
    ShortField,
    StrLenField,
    XIntField,
    XLongField,
    XShortEnumField,
)
from scapy.packet import Packet

from stunpcap.errors import UsageError
from stunpcap.stun import registry, values
from stunpcap.stun.registry import ATTRIBUTE_BY_NAME, ATTRIBUTE_BY_TYPE

COOKIE = struct.pack(">I", values.MAGIC_COOKIE)
NAMES = {row.type: row.name for row in ATTRIBUTE_BY_TYPE.values()}
FAMILIES = {1: "IPv4", 2: "IPv6"}
FINGERPRINT, SHA1, SHA256 = (
    registry.attribute(name).type for name in ("FINGERPRINT", "MESSAGE-INTEGRITY", "MESSAGE-INTEGRITY-SHA256")
)
MADE = {SHA1: 20, SHA256: 32, FINGERPRINT: 4}
"""Attributes that are computed if they have no value: how long they are."""


def _type_field() -> Any:
    return XShortEnumField("type", 0, NAMES)


def _padding() -> Any:
    return StrLenField("padding", b"", length_from=lambda packet: -packet.length % 4)


def _rest(before: int) -> Any:
    """The length of a value behind its first bytes."""
    return lambda packet: max(0, packet.length - before)


class _Host(StrLenField):  # type: ignore[misc, unused-ignore]
    """An IPv4 or IPv6 address as text; bytes, if it is neither."""

    def any2i(self, packet: Any, value: Any) -> Any:
        return value

    def i2h(self, packet: Any, value: Any) -> Any:
        return value

    def i2m(self, packet: Any, value: Any) -> bytes:
        if isinstance(value, str):
            return socket.inet_pton(socket.AF_INET6 if ":" in value else socket.AF_INET, value)
        return bytes(value or b"")

    def m2i(self, packet: Any, value: bytes) -> Any:
        family = {4: socket.AF_INET, 16: socket.AF_INET6}.get(len(value))
        return value if family is None else socket.inet_ntop(family, value)


class StunAttribute(Packet):  # type: ignore[misc, unused-ignore]
    """An attribute (RFC 8489 section 14) whose value is bytes."""

    name = "STUN attribute"
    fields_desc: ClassVar[list[Any]] = [
        _type_field(),
        FieldLenField("length", None, length_of="value"),
        StrLenField("value", b"", length_from=lambda packet: packet.length),
        _padding(),
    ]

    def post_build(self, packet: bytes, payload: bytes) -> bytes:
        """Fill in length and padding where they are not given."""
        if self.length is None:
            packet = packet[:2] + struct.pack(">H", len(packet) - len(self.padding) - 4) + packet[4:]
        return packet + bytes(-len(packet) % 4) + payload

    def extract_padding(self, data: bytes) -> tuple[bytes, bytes]:
        """An attribute holds no further layer."""
        return b"", data

    def mysummary(self) -> str:
        """Its name."""
        return str(NAMES.get(self.type, f"0x{self.type:04x}"))


class StunNumber(StunAttribute):
    """PRIORITY, LIFETIME and other numbers of four bytes."""

    fields_desc: ClassVar[list[Any]] = [_type_field(), ShortField("length", 4), XIntField("value", 0), _padding()]


class StunLong(StunAttribute):
    """Tie-breakers and other numbers of eight bytes."""

    fields_desc: ClassVar[list[Any]] = [_type_field(), ShortField("length", 8), XLongField("value", 0), _padding()]


class StunAddress(StunAttribute):
    """MAPPED-ADDRESS and its like, RFC 8489 section 14.1."""

    fields_desc: ClassVar[list[Any]] = [
        _type_field(),
        ShortField("length", None),
        ByteField("reserved", 0),
        ByteEnumField("family", None, FAMILIES),
        ShortField("port", 0),
        _Host("address", "0.0.0.0", length_from=_rest(4)),
        _padding(),
    ]

    def post_build(self, packet: bytes, payload: bytes) -> bytes:
        """Fill in the family by the address."""
        if self.family is None:
            packet = packet[:5] + (b"\x02" if len(packet) == 24 else b"\x01") + packet[6:]
        return bytes(super().post_build(packet, payload))


class StunXorAddress(StunAddress):
    """XOR-MAPPED-ADDRESS and its like, RFC 8489 section 14.2: the fields hold what is meant, not what is sent."""


class StunError(StunAttribute):
    """ERROR-CODE, RFC 8489 section 14.8."""

    fields_desc: ClassVar[list[Any]] = [
        _type_field(),
        ShortField("length", None),
        ShortField("reserved", 0),
        ByteField("hundreds", 4),
        ByteField("number", 0),
        StrLenField("reason", b"", length_from=_rest(4)),
        _padding(),
    ]

    @property
    def code(self) -> int:
        """The code as one number."""
        return int(self.hundreds & 7) * 100 + int(self.number)


SHAPES: dict[Any, dict[int, type[StunAttribute]]] = {
    values.unpack_uint: {4: StunNumber, 8: StunLong},
    values.unpack_address: {8: StunAddress, 20: StunAddress},
    values.unpack_xor_address: {8: StunXorAddress, 20: StunXorAddress},
}
"""Decoder of the registry -> length of the value -> class; errors have any length of four bytes and more."""


def _class_for(number: int, length: int) -> type[StunAttribute]:
    known = ATTRIBUTE_BY_TYPE.get(number)
    if known is None:
        return StunAttribute
    if known.decoder is values.unpack_error and length >= 4:
        return StunError
    return SHAPES.get(known.decoder, {}).get(length, StunAttribute)


def _masked(raw: bytes, key: bytes) -> bytes:
    """A XOR address as it is on the wire, or back: RFC 8489 section 14.2."""
    size = len(raw) - 8
    mask = int.from_bytes(key[:2] + key[:size])
    return raw[:6] + (int.from_bytes(raw[6:]) ^ mask).to_bytes(size + 2)


class Attributes(Field):  # type: ignore[misc, unused-ignore]
    """The attributes of a message, in order."""

    islist = 1
    holds_packets = 1

    def __init__(self) -> None:
        super().__init__("attributes", None)

    def i2m(self, packet: Any, value: Any) -> Any:
        return value

    def i2repr(self, packet: Any, value: Any) -> str:
        return repr(value or [])

    def any2i(self, packet: Any, value: Any) -> Any:
        return value if value is None or isinstance(value, list) else [value]

    def i2len(self, packet: Any, value: Any) -> int:
        return len(self.addfield(packet, b"", value))

    def do_copy(self, value: Any) -> Any:
        """A copy with attributes of its own."""
        if isinstance(value, list):
            return [one.copy() if isinstance(one, Packet) else one for one in value]
        return dict(value) if isinstance(value, dict) else value  # scapy copies the fields of each with this, too

    def addfield(self, packet: Any, data: bytes, value: Any) -> bytes:
        return data + b"".join(on_the_wire(one, key_of(packet)) for one in value or [])

    def getfield(self, packet: Any, data: bytes) -> tuple[bytes, list[StunAttribute]]:
        """Take the attributes apart, as far as the length of the message goes; what is left is the payload."""
        inside, rest = data[: packet.length], data[packet.length or 0 :]
        found = []
        while len(inside) >= 4:
            number, length = struct.unpack_from(">HH", inside)
            cls = _class_for(number, length)
            size = 4 + length + -length % 4
            if len(inside) < 4 + length:
                cls, size = StunAttribute, len(inside)
            piece, inside = inside[:size], inside[size:]
            found.append(cls(_masked(piece, key_of(packet)) if cls is StunXorAddress else piece))
        return inside + rest, found


def key_of(message: Any) -> bytes:
    return COOKIE + bytes(message.transaction_id)


def is_empty(one: StunAttribute) -> bool:
    """Whether the value is to be computed."""
    return one.type in MADE and one.value in (None, b"")


def on_the_wire(one: StunAttribute, key: bytes) -> bytes:
    """An attribute as it is sent; zeros in place of a value that is still to be made."""
    if is_empty(one):
        return struct.pack(">HH", one.type, MADE[one.type]) + bytes(MADE[one.type])
    raw = bytes(one)
    return _masked(raw, key) if isinstance(one, StunXorAddress) else raw


def attribute(name: str, value: Any = None) -> StunAttribute:
    """An attribute by its name in the registry.

    Parameters
    ----------
    name
        `USERNAME`, `XOR-MAPPED-ADDRESS`, ...
    value
        Text or bytes; a number; for addresses `(address, port)`, for ERROR-CODE `(code, reason)`.  FINGERPRINT and
        MESSAGE-INTEGRITY without a value are made later.

    Raises
    ------
    UsageError
        There is no attribute of that name.
    """
    if name not in ATTRIBUTE_BY_NAME:
        raise UsageError(f"there is no STUN attribute {name!r}")
    known = ATTRIBUTE_BY_NAME[name]
    if known.decoder is values.unpack_error and isinstance(value, tuple):
        code, reason = value
        return StunError(type=known.type, hundreds=code // 100, number=code % 100, reason=reason)
    if isinstance(value, tuple):
        cls = StunXorAddress if known.decoder is values.unpack_xor_address else StunAddress
        return cls(type=known.type, address=value[0], port=value[1])
    if isinstance(value, int):
        return (StunLong if 8 in known.lengths and 4 not in known.lengths else StunNumber)(type=known.type, value=value)
    return StunAttribute(type=known.type, value=b"" if value is None else value)
