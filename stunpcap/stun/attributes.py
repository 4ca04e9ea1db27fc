"""Attributes of one message: where they are, what they hold, which of them count, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stunpcap.stun import registry, values
from stunpcap.stun.defects import Defect
from stunpcap.stun.recognise import HEADER
from stunpcap.stun.values import BadValue
from stunpcap.stun.valuetypes import Value

if TYPE_CHECKING:
    from stunpcap.stun.message import Message

INTEGRITY = registry.attribute("MESSAGE-INTEGRITY").type
SHA256 = registry.attribute("MESSAGE-INTEGRITY-SHA256").type
HMACS = (INTEGRITY, SHA256, registry.attribute("GOOG-MESSAGE-INTEGRITY-32").type)
FINGERPRINT = registry.attribute("FINGERPRINT").type
PRIORITY = registry.attribute("PRIORITY").type


@dataclass(frozen=True, slots=True)
class RawAttribute:
    """One attribute as captured."""

    type: int
    offset: int
    "Where its header begins, in bytes from the start of the message."
    length: int
    "Of the value, as its header says."
    value: bytes
    "As captured: shorter than `length` if the message ends before it."
    padding: bytes
    known: registry.Attribute | None
    "The registry's row for it in this kind of message."
    ignored: bool
    "It stands where a receiver must ignore it: after the message integrity (RFC 8489 section 9)."

    @property
    def name(self) -> str:
        """Its name, or `0x…`."""
        return self.known.name if self.known else f"0x{self.type:04x}"

    @property
    def well_sized(self) -> bool:
        """Whether all of the value was captured and its length is one that the registry allows."""
        return len(self.value) == self.length and (self.known is None or self.length in self.known.lengths)

    def decoded(self, message: Message) -> Value:
        """Return its typed value; the raw bytes if they have none."""
        return self.check(message.data[4:HEADER])[0]

    def check(self, key: bytes) -> tuple[Value, Defect]:
        """Return its typed value and what is wrong with it; `key` is what addresses are XORed with."""
        if self.known is None or len(self.value) < self.length:
            return self.value, Defect(0)
        if self.length not in self.known.lengths:
            return self.value, Defect.VALUE_LENGTH
        head = int.from_bytes(self.value[:4].ljust(4, b"\0"))
        defect = Defect.RESERVED_BITS if head & self.known.reserved else Defect(0)
        try:
            return self.known.decoder(self.value, key), defect
        except BadValue as bad:
            return self.value if bad.value is None else bad.value, defect | bad.defect


def walk(data: bytes, end: int, padded: bool) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Yield offset, length, value and padding of each attribute; `data` may end before `end` does."""
    at = HEADER
    while at + 4 <= len(data) and at + 4 <= end:
        length = int.from_bytes(data[at + 2 : at + 4])
        stop = at + 4 + length
        next_at = stop + (-length % 4 if padded else 0)
        yield at, length, data[at + 4 : min(stop, end)], data[stop : min(next_at, end)]
        at = next_at


def find_attributes(data: bytes, end: int, variant: str, cls: str) -> tuple[RawAttribute, ...]:
    """Find all attributes, and which of them a receiver must ignore (RFC 8489 section 9)."""
    walked = list(walk(data, end, padded=variant != "ms-turn"))
    types = [int.from_bytes(data[at : at + 2]) for at, *_ in walked]
    ice = not variant and cls == "request" and PRIORITY in types
    contexts = ("ice",) if ice else registry.VARIANT_CONTEXTS[variant]
    last, exempt = len(types), {FINGERPRINT}
    if INTEGRITY in types:
        last, exempt = types.index(INTEGRITY), {FINGERPRINT, SHA256}
    elif SHA256 in types:
        last = types.index(SHA256)
    return tuple(
        RawAttribute(
            type, at, length, value, padding, registry.find_attribute(type, *contexts), i > last and type not in exempt
        )
        for i, (type, (at, length, value, padding)) in enumerate(zip(types, walked, strict=True))
    )


def find_defects(data: bytes, end: int, attributes: tuple[RawAttribute, ...]) -> Iterator[tuple[Defect, int]]:
    """Yield what is wrong with the attributes; of those to be ignored nothing more is said."""
    seen: set[int] = set()
    for attribute in attributes:
        at = attribute.offset
        if at + 4 + attribute.length > end:
            yield Defect.ATTRIBUTE_OVERRUN, at
        if attribute.ignored:
            yield Defect.AFTER_INTEGRITY, at
            continue
        if FINGERPRINT in seen:
            yield Defect.AFTER_FINGERPRINT, at
        if attribute.known is None:
            if attribute.type < 0x8000 and attribute.type not in seen:  # once for each type is enough
                yield Defect.UNKNOWN_REQUIRED, at
            seen.add(attribute.type)
            continue
        if attribute.type in seen and not attribute.known.repeats:
            yield Defect.DUPLICATE, at
        value, defect = attribute.check(data[4:HEADER])
        for flag in defect:
            yield flag, at
        first_crc = attribute.type == FINGERPRINT and FINGERPRINT not in seen
        if first_crc and isinstance(value, int) and value != values.fingerprint(data[:at]):
            yield Defect.FINGERPRINT_WRONG, at
        seen.add(attribute.type)
    last = attributes[-1] if attributes else None
    rest = last.offset + 4 + last.length + len(last.padding) if last else HEADER
    if len(data) == end and rest < end:
        yield Defect.STRAY_BYTES, rest
