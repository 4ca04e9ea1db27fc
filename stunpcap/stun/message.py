"""One STUN message in full: every attribute in wire order, typed values, and what is wrong with it.

`Message` is made for the one message that somebody looks at, and as the independent check of the bulk decoder
(`stunpcap.stun.columns`), with which it shares the registry and the words for defects, but no decoding.

Whatever the bytes, `Message.parse` returns a message or raises `DecodeError`, and nothing else. With the magic cookie
every other fault is a defect: the bytes stay, and as much meaning as they have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from stunpcap.stun import registry
from stunpcap.stun.attributes import HMACS, RawAttribute, find_attributes, find_defects
from stunpcap.stun.defects import Defect, describe
from stunpcap.stun.recognise import HEADER, recognise
from stunpcap.stun.render import as_html, as_text
from stunpcap.stun.valuetypes import Address, ErrorValue, Value

__all__ = ["Message", "RawAttribute"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Message:
    """A STUN message.

    Make one with `Message.parse`. RFC 8489 section 5 for the header, section 14 for attributes.
    """

    data: bytes
    "The message's own bytes, header and attributes, as far as captured."
    type: int
    cls: str
    "request, indication, success or error."
    method: str
    "binding, allocate, …; `0x…` if unknown."
    method_value: int
    "12 bits, by the arithmetic of RFC 8489 whatever the variant."
    length: int
    "The length field: bytes after the header."
    transaction_id: str
    "Hex: 24 digits, or 32 without the magic cookie."
    classic: bool
    "No magic cookie."
    variant: str
    '"" for STUN as RFC 5389 and 8489 have it, else "classic" (RFC 3489), "zoom" or "ms-turn".'
    attributes: tuple[RawAttribute, ...]
    "In wire order, with duplicates, unknown ones, and those to be ignored."
    found: tuple[tuple[Defect, int], ...]
    "Each defect with the byte offset it is about, in that order."

    @classmethod
    def parse(cls, data: bytes, *, wire_length: int | None = None) -> Message:
        """Decode one message.

        Parameters
        ----------
        data
            From the first byte of the message to the end of the datagram, or of the message; as captured.
        wire_length
            Length of the same before the snap length cut it; default: nothing was cut.

        Raises
        ------
        DecodeError
            If this is no STUN message; for no other reason.
        """
        data = bytes(data)
        wire = max(len(data), wire_length or 0)
        classic, variant = recognise(data, wire)
        type, length = int.from_bytes(data[:2]), int.from_bytes(data[2:4])
        end = HEADER + length
        found: list[tuple[Defect, int]] = []
        if end > wire:
            found.append((Defect.LENGTH_BEYOND_DATAGRAM, 2))
        if length % 4 and variant != "ms-turn":
            found.append((Defect.LENGTH_UNALIGNED, 2))
        if len(data) < min(end, wire):
            found.append((Defect.CUT, len(data)))
        if wire > end:
            found.append((Defect.TRAILING_BYTES, end))
        data = data[:end]
        kind, method = registry.classify(type, variant)
        attributes = find_attributes(data, end, variant, kind)
        found += find_defects(data, end, attributes)
        if (
            kind == "error"
            and len(data) == end
            and not any(a.name == "ERROR-CODE" and not a.ignored for a in attributes)
        ):
            found.append((Defect.NO_ERROR_CODE, 0))
        found.sort(key=lambda pair: (pair[1], pair[0]))
        return cls(
            data=data,
            type=type,
            cls=kind,
            method=method,
            method_value=registry.split_type(type)[1],
            length=length,
            transaction_id=data[4 if classic else 8 : HEADER].hex(),
            classic=classic,
            variant=variant,
            attributes=attributes,
            found=tuple(found),
        )

    @property
    def defects(self) -> tuple[str, ...]:
        """What is wrong, as sentences."""
        return tuple(describe(defect, offset) for defect, offset in self.found)

    @property
    def defect_flags(self) -> int:
        """What is wrong, as a sum of `Defect` bits."""
        flags = Defect(0)
        for defect, _ in self.found:
            flags |= defect
        return int(flags)

    def getall(self, name: str) -> tuple[Value, ...]:
        """Return the values of all attributes of a name that count, in wire order."""
        return tuple(a.decoded(self) for a in self.attributes if a.name == name and not a.ignored)

    def get(self, name: str) -> Value | None:
        """Return the value of the first attribute of a name, which is the one that counts; None if there is none.

        The raw bytes, if the value is malformed. RFC 8489 section 14.
        """
        attribute = self._first(name)
        return attribute.decoded(self) if attribute else None

    def _first(self, name: str) -> RawAttribute | None:
        return next((a for a in self.attributes if a.name == name and not a.ignored), None)

    def _text(self, *names: str) -> str | None:
        """Return text; what is binary by design as `0x…`, and nothing if it is malformed or cut."""
        attribute = next((attribute for attribute in map(self._first, names) if attribute), None)
        if attribute is None or not attribute.well_sized:
            return None
        value = attribute.decoded(self)
        return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)

    @property
    def username(self) -> str | None:
        """USERNAME; in a check `receiver-ufrag:sender-ufrag`."""
        return self._text("USERNAME")

    @property
    def realm(self) -> str | None:
        """REALM: what the long-term credentials are for."""
        return self._text("REALM")

    @property
    def nonce(self) -> str | None:
        """NONCE that the server handed out."""
        return self._text("NONCE")

    @property
    def software(self) -> str | None:
        """SOFTWARE, or SERVER in classic STUN."""
        return self._text("SOFTWARE", "SERVER")

    @property
    def priority(self) -> int | None:
        """PRIORITY that a peer-reflexive candidate learned from this check would get."""
        return _typed(self, int, "PRIORITY")

    @property
    def use_candidate(self) -> bool:
        """Whether the sender nominates this pair, with USE-CANDIDATE or libwebrtc's NOMINATION."""
        return self.get("USE-CANDIDATE") is True or bool(_typed(self, int, "NOMINATION"))

    @property
    def role(self) -> str | None:
        """The sender's ICE role: controlling, controlled."""
        for role in ("controlling", "controlled"):
            if self.get(f"ICE-{role.upper()}") is not None:
                return role
        return None

    @property
    def tie_breaker(self) -> int | None:
        """The tie-breaker that came with the role."""
        return _typed(self, int, "ICE-CONTROLLING", "ICE-CONTROLLED")

    @property
    def mapped(self) -> Address | None:
        """How the responder saw the requester: XOR-MAPPED-ADDRESS, or else MAPPED-ADDRESS, or Zoom's."""
        if self.variant == "zoom" and self._first("XOR-MAPPED-ADDRESS") is None:
            return _typed(self, Address, "MAPPED-ADDRESS") or _typed(self, Address, "ZOOM-0103")
        if self.variant == "ms-turn":  # there MAPPED-ADDRESS is the relayed address, as in the TURN drafts
            return _typed(self, Address, "XOR-MAPPED-ADDRESS")
        return _typed(self, Address, "XOR-MAPPED-ADDRESS", "MAPPED-ADDRESS")

    @property
    def relayed(self) -> Address | None:
        """The address that a relay allocated."""
        return _typed(self, Address, "MAPPED-ADDRESS" if self.variant == "ms-turn" else "XOR-RELAYED-ADDRESS")

    @property
    def peer(self) -> Address | None:
        """The relay's peer, the first one named."""
        return _typed(self, Address, "XOR-PEER-ADDRESS", "REMOTE-ADDRESS", "DESTINATION-ADDRESS")

    @property
    def error_code(self) -> int | None:
        """Code of an error response."""
        error = _typed(self, ErrorValue, "ERROR-CODE")
        return error.code if error else None

    @property
    def error_reason(self) -> str | None:
        """Reason phrase of an error response, as the server wrote it."""
        error = _typed(self, ErrorValue, "ERROR-CODE")
        return error.reason if error else None

    @property
    def lifetime_s(self) -> int | None:
        """LIFETIME in seconds."""
        return _typed(self, int, "LIFETIME")

    @property
    def channel(self) -> int | None:
        """CHANNEL-NUMBER."""
        return _typed(self, int, "CHANNEL-NUMBER")

    @property
    def data_value(self) -> bytes | None:
        """Relayed data inside (DATA)."""
        return _typed(self, bytes, "DATA")

    @property
    def unknown_required(self) -> tuple[int, ...]:
        """Types of the unknown attributes that a receiver must understand (RFC 8489 section 6.3)."""
        return tuple(a.type for a in self.attributes if a.known is None and a.type < 0x8000 and not a.ignored)

    @property
    def integrity(self) -> str:
        """absent or present; only a key can tell more, see `stunpcap.stun.integrity`."""
        return "present" if any(a.type in HMACS and not a.ignored for a in self.attributes) else "absent"

    @property
    def fingerprint(self) -> str:
        """absent, valid or invalid."""
        fingerprint = _typed(self, int, "FINGERPRINT")
        if fingerprint is None:  # of one that was cut off nothing can be said
            whole = (len(a.value) == a.length for a in self.attributes if a.name == "FINGERPRINT")
            return "invalid" if any(whole) else "absent"
        return "invalid" if self.defect_flags & Defect.FINGERPRINT_WRONG else "valid"

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)


def _typed(message: Message, kind: type[_T], *names: str) -> _T | None:
    """Return the value of the first of these attributes that is there, unless it is malformed."""
    for name in names:
        value = message.get(name)
        if value is not None:
            return value if isinstance(value, kind) else None
    return None
