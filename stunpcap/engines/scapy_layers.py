"""STUN and TURN for scapy: every method and attribute of stunpcap's registry, to dissect and to build test packets.

    from stunpcap.engines.scapy_layers import STUN, ChannelData, attribute, bind
    bind()                                                   # UDP and TCP port 3478; other ports may be named
    check = STUN(type="binding request", attributes=[
        attribute("USERNAME", "theirs:ours"), attribute("PRIORITY", 1845501695), attribute("FINGERPRINT"),
    ])

Text, numbers, addresses and errors have fields of their own, as the registry's decoders tell; other attributes carry
bytes.  Lengths, padding and FINGERPRINT are filled in when a packet is built, MESSAGE-INTEGRITY by `STUN.signed`.
Importing this module binds nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import Any, ClassVar

from stunpcap.errors import EngineError
from stunpcap.stun import values
from stunpcap.stun.registry import CLASSES, METHODS, classify, message_type

try:
    from scapy.fields import ShortField, StrFixedLenField, XIntField, XShortEnumField
    from scapy.layers.inet import TCP, UDP
    from scapy.packet import Packet, Raw, bind_layers
except ImportError as _error:
    raise EngineError(
        'stunpcap.engines.scapy_layers needs the package scapy: pip install "stunpcap[scapy]"'
    ) from _error

from stunpcap.engines.scapy_attributes import (
    COOKIE,
    FINGERPRINT,
    MADE,
    NAMES,
    SHA1,
    SHA256,
    Attributes,
    StunAddress,
    StunAttribute,
    StunError,
    StunLong,
    StunNumber,
    StunXorAddress,
    attribute,
    is_empty,
    key_of,
    on_the_wire,
)

__all__ = [
    "STUN", "ChannelData", "StunAddress", "StunAttribute", "StunError", "StunLong", "StunNumber", "StunXorAddress",
    "attribute", "bind",
]  # fmt: skip

HEADER = 20
PORT = 3478
TYPES = {message_type(cls, method.value): f"{method.name} {cls}" for method in METHODS for cls in CLASSES}


class STUN(Packet):  # type: ignore[misc, unused-ignore]
    """A STUN message, RFC 8489 section 5."""

    name = "STUN"
    fields_desc: ClassVar[list[Any]] = [
        XShortEnumField("type", 1, TYPES),
        ShortField("length", None),
        XIntField("cookie", values.MAGIC_COOKIE),
        StrFixedLenField("transaction_id", bytes(12), 12),
        Attributes(),
    ]

    @classmethod
    def dispatch_hook(cls, _pkt: bytes | None = None, *_: Any, **__: Any) -> Any:
        """What stands on a port of STUN: a message, ChannelData, or something else."""
        if not _pkt:
            return cls
        if 0x40 <= _pkt[0] <= 0x4F:
            return ChannelData
        return cls if len(_pkt) >= HEADER and _pkt[0] < 0x40 and _pkt[4:8] == COOKIE else Raw

    @property
    def method(self) -> str:
        """binding, allocate, ..."""
        return classify(self.type)[1]

    @property
    def message_class(self) -> str:
        """request, indication, success or error."""
        return classify(self.type)[0]

    def get(self, name: str) -> StunAttribute | None:
        """The first attribute of a name."""
        return next((one for one in self.attributes or [] if NAMES.get(one.type) == name), None)

    def signed(self, key: bytes) -> STUN:
        """The same with a value for its empty MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256.

        Parameters
        ----------
        key
            As `stunpcap.stun.integrity.short_term_key` and `long_term_key` make it.
        """
        message: STUN = self.copy()
        for at, one, empty in message._places():
            if empty and one.type in (SHA1, SHA256):
                size = MADE[one.type]
                before = bytes(message)[:at]
                covered = before[:2] + struct.pack(">H", at - HEADER + 4 + size) + before[4:]
                one.value = hmac.new(key, covered, hashlib.sha1 if one.type == SHA1 else hashlib.sha256).digest()
        return message

    def _places(self) -> list[tuple[int, StunAttribute, bool]]:
        """Where each attribute begins in the message, and whether its value is still to be made."""
        at, found = HEADER, []
        for one in self.attributes or []:
            found.append((at, one, is_empty(one)))
            at += len(on_the_wire(one, key_of(self)))
        return found

    def post_build(self, packet: bytes, payload: bytes) -> bytes:
        """Fill in the length, and FINGERPRINT where it has no value."""
        if self.length is None:
            packet = packet[:2] + struct.pack(">H", len(packet) - HEADER) + packet[4:]
        for at, one, empty in self._places():
            if empty and one.type == FINGERPRINT:
                packet = packet[: at + 4] + struct.pack(">I", values.fingerprint(packet[:at])) + packet[at + 8 :]
        return packet + payload


class ChannelData(Packet):  # type: ignore[misc, unused-ignore]
    """ChannelData, RFC 8656 section 12.4; what it carries is its payload."""

    name = "ChannelData"
    fields_desc: ClassVar[list[Any]] = [ShortField("number", 0x4000), ShortField("length", None)]

    def post_build(self, packet: bytes, payload: bytes) -> bytes:
        """Fill in the length."""
        if self.length is None:
            packet = packet[:2] + struct.pack(">H", len(payload))
        return packet + payload

    def extract_padding(self, data: bytes) -> tuple[bytes, bytes | None]:
        """What is behind the data is padding."""
        return data[: self.length], data[self.length :]

    def guess_payload_class(self, payload: bytes) -> Any:
        """STUN or bytes."""
        found = STUN.dispatch_hook(payload)
        return found if found is STUN else Raw


def bind(*ports: int) -> None:
    """Have scapy dissect UDP and TCP on these ports as STUN and TURN; default: 3478."""
    for port in ports or (PORT,):
        for layer in (UDP, TCP):
            bind_layers(layer, STUN, sport=port)
            bind_layers(layer, STUN, dport=port)
