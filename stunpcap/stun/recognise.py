"""What counts as STUN, and as which variant of it.

With the magic cookie it is simple. Without it, many a datagram begins like STUN by chance, so the conditions are
narrow; they are listed in docs/stun.md, and the packet scanner (stunpcap.wire.demux) applies the same ones.
"""

from __future__ import annotations

from stunpcap.errors import DecodeError
from stunpcap.stun.registry import CLASSIC_ATTRIBUTES, MS_TURN_COOKIE, VARIANT_TYPES, ZOOM_ATTRIBUTES
from stunpcap.stun.values import MAGIC_COOKIE

HEADER = 20
_COOKIE = MAGIC_COOKIE.to_bytes(4)


def is_ms_turn(data: bytes) -> bool:
    """Whether a datagram is a message of Microsoft's TURN.

    All of: a type below 0x0200; at least 28 bytes captured; the first attribute is MAGIC-COOKIE (0x000F), 4 bytes
    long, value 0x72C64BC6. The magic cookie of RFC 5389 may be there (current clients) or not (older ones, and all
    Data indications).
    """
    return data[0] < 2 and data[HEADER : HEADER + 8] == MS_TURN_COOKIE


def classic_variant(data: bytes, wire_length: int) -> str:
    """Tell whether a datagram without magic cookie is STUN: "classic", "zoom", or "" if it is not.

    All of:

    - the type is one of RFC 3489: 0x0001, 0x0101, 0x0111, 0x0002, 0x0102, 0x0112;
    - the length field is a multiple of 4, and 20 more than it is exactly the length of the datagram, all of it
      captured;
    - the transaction id is not all zero bytes;
    - the attributes, each padded to 4 bytes, end exactly at the end;
    - each of them is one that agents without cookie used (`CLASSIC_ATTRIBUTES`), or, for types 0x0001 and 0x0002,
      one of Zoom's (`ZOOM_ATTRIBUTES`), which makes it "zoom";
    - there is at least one attribute, except that a Binding request (0x0001) may be bare.
    """
    type, length = int.from_bytes(data[:2]), int.from_bytes(data[2:4])
    if type not in VARIANT_TYPES["classic"] or length % 4 or not HEADER + length == len(data) == wire_length:
        return ""
    if not any(data[4:HEADER]) or (not length and type != 0x0001):
        return ""
    variant, at = "classic", HEADER
    while at < len(data):  # as lengths are multiples of 4, a whole attribute header is there
        attribute = int.from_bytes(data[at : at + 2])
        if attribute in ZOOM_ATTRIBUTES and type in VARIANT_TYPES["zoom"]:
            variant = "zoom"
        elif attribute not in CLASSIC_ATTRIBUTES:
            return ""
        size = int.from_bytes(data[at + 2 : at + 4])
        at += 4 + size + -size % 4
    return variant if at == len(data) else ""


def recognise(data: bytes, wire_length: int) -> tuple[bool, str]:
    """Tell STUN from what is not.

    Parameters
    ----------
    data
        The datagram, or the part of it that begins here, as captured.
    wire_length
        Its length before the snap length cut it.

    Returns
    -------
    classic, variant
        Whether the magic cookie is missing; "" for STUN as RFC 5389 and 8489 have it, else "classic", "zoom" or
        "ms-turn".

    Raises
    ------
    DecodeError
        If it is no STUN message.
    """
    if len(data) < HEADER:
        raise DecodeError("too short for a STUN header", "header", len(data))
    if data[0] & 0xC0:
        raise DecodeError("the two top bits are not zero", "message type", 0)
    classic = data[4:8] != _COOKIE
    if is_ms_turn(data):
        return classic, "ms-turn"
    if not classic:
        return False, ""
    variant = classic_variant(data, wire_length)
    if not variant:
        raise DecodeError("neither the magic cookie nor a message of RFC 3489", "magic cookie", 4)
    return True, variant
