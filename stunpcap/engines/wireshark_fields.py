"""What tshark's fields say of a STUN message, as the columns of `messages` have it.

Nothing here reads bytes of a message: values are those that tshark decoded.  Which attribute a field belongs to is
known from the attribute's own subtree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stunpcap.engines.dissected import Fields, StunLayer
from stunpcap.stun.attributes import HMACS
from stunpcap.stun.registry import ATTRIBUTE_BY_TYPE, attribute, classify

CLASSES = {0x00: "request", 0x01: "indication", 0x10: "success", 0x11: "error"}
"""Values of `stun.type.class`."""


def _numbers(*names: str) -> tuple[int, ...]:
    return tuple(attribute(name).type for name in names)


MAPPED, XOR_MAPPED = _numbers("MAPPED-ADDRESS"), (*_numbers("XOR-MAPPED-ADDRESS"), 0x8020)
RELAYED, PEER = _numbers("XOR-RELAYED-ADDRESS"), _numbers("XOR-PEER-ADDRESS")
CONTROLLING, CONTROLLED = _numbers("ICE-CONTROLLING"), _numbers("ICE-CONTROLLED")
RETRANSMIT = _numbers("GOOG-RETRANSMIT-COUNT")
USE_CANDIDATE = _numbers("USE-CANDIDATE")
COUNTER = _numbers("TRANSACTION_TRANSMIT_COUNTER")

Attribute = tuple[int, Fields]


def attributes_of(layer: StunLayer) -> list[Attribute]:
    """The attributes of a message: type and fields, in order but for unknown ones, which tshark names by their type."""
    return list(_attributes(layer.fields, "classicstun" if layer.classic else "stun"))


def _attributes(value: Any, prefix: str) -> Iterator[Attribute]:
    if isinstance(value, list):
        for item in value:
            yield from _attributes(item, prefix)
    elif isinstance(value, dict):
        kind = value.get(f"{prefix}.att.type")
        if kind is not None:
            yield int(kind, 0), value
            return
        for key, inner in value.items():
            if key.startswith("Unknown attribute 0x"):
                for one in inner if isinstance(inner, list) else [inner]:
                    yield int(key[-6:], 16), one
            elif key not in ("stun", "classicstun") and not key.endswith("_raw"):
                yield from _attributes(inner, prefix)


def values_of(layer: StunLayer) -> dict[str, Any]:
    """One message as a row of `messages`: what is missing is None; addresses are (text, port).

    `mapped_plain` and `transmit_counter` are those of `vantage.EXTRA`.
    """
    classic = layer.classic
    prefix = "classicstun" if classic else "stun"
    at = f"{prefix}.att."
    found = attributes_of(layer)
    fields = layer.fields
    number = int(fields[f"{prefix}.type"], 0)
    cls, method = classify(number, "classic" if classic else "")
    if not classic:
        cls = CLASSES[int(fields["stun.type_tree"]["stun.type.class"], 0)]
    identity = fields.get(f"{prefix}.id", "").replace(":", "")
    cookie = "" if classic else fields.get("stun.cookie", "").replace(":", "")
    role = next((kind for kind, _ in found if kind in (*CONTROLLING, *CONTROLLED)), None)
    tie = _first(found, f"{at}tie-breaker")
    mapped = _address(found, XOR_MAPPED, at) or _address(found, MAPPED, at)
    error = _first(found, f"{at}error")
    fingerprint = _first(found, f"{at}crc32.status")
    kinds = {kind for kind, _ in found}
    return {
        "class": cls,
        "method": method,
        "transaction_id": (cookie + identity).zfill(32),
        "size_bytes": 20 + int(fields[f"{prefix}.length"], 0),
        "username": _username(found, at, classic),
        "role": None if role is None else "controlling" if role in CONTROLLING else "controlled",
        "tie_breaker": int(tie.replace(":", ""), 16) if tie else None,
        "priority": _integer(_first(found, f"{at}priority")),
        "use_candidate": bool(kinds & set(USE_CANDIDATE)),
        "mapped": mapped,
        "mapped_plain": _address(found, MAPPED, at),
        "relayed": _address(found, RELAYED, at),
        "peer": _address(found, PEER, at),
        "error_code": None if error is None else int(_first(found, f"{at}error.class") or "0", 0) * 100 + int(error, 0),
        "error_reason": None if error is None else _text(found, f"{at}error.reason") or "",
        "lifetime_s": _integer(_first(found, f"{at}lifetime")),
        "channel": _integer(_first(found, f"{at}channelnum")),
        "realm": _text(found, f"{at}realm"),
        "software": _text(found, f"{at}server" if classic else f"{at}software"),
        "integrity": "present" if kinds & set(HMACS) else "absent",
        "fingerprint": "absent" if fingerprint is None else "valid" if int(fingerprint, 0) == 1 else "invalid",
        "classic": classic,
        "retransmit_count": _unsigned(found, RETRANSMIT),
        "transmit_counter": _unsigned(found, COUNTER),
    }


def _first(found: list[Attribute], name: str) -> str | None:
    """The value of a field in the first attribute that has it."""
    for _, fields in found:
        value = fields.get(name)
        if value is not None:
            return str(value[0] if isinstance(value, list) else value)
    return None


def _integer(text: str | None) -> int | None:
    return None if text is None else int(text, 0)


def _text(found: list[Attribute], name: str) -> str | None:
    """A text, without the zeros that some agents fill it up with; None if there is none."""
    text = _first(found, name)
    return None if text is None else text.rstrip("\0")


def _username(found: list[Attribute], at: str, classic: bool) -> str | None:
    """USERNAME, of which tshark tells text from bytes; bytes as `0x…`."""
    text = _text(found, f"{at}username")
    if text is not None:
        return text
    opaque = _first(found, f"{at}username.opaque")
    return None if opaque is None else f"0x{opaque.replace(':', '')}"


def _address(found: list[Attribute], kinds: tuple[int, ...], at: str) -> tuple[str, int] | None:
    for kind, fields in found:
        if kind in kinds:
            host = fields.get(f"{at}ipv4") or fields.get(f"{at}ipv6")
            port = fields.get(f"{at}port")
            if host is not None and port is not None:
                return str(host), int(port, 0)
    return None


def _unsigned(found: list[Attribute], kinds: tuple[int, ...]) -> int | None:
    """The value of an attribute that tshark gives as bytes only."""
    for kind, fields in found:
        if kind in kinds:
            value = str(fields.get("stun.value", "")).replace(":", "")
            lengths = ATTRIBUTE_BY_TYPE[kind].lengths
            return int(value, 16) if value and len(value) // 2 in lengths else None
    return None
