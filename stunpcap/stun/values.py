"""Attribute values: bytes in, typed value out.

One small `unpack_x` function a format. Each takes the value's bytes and the 16 header bytes that follow the length
field (magic cookie and transaction id, or the 16-byte id of classic STUN), which is what addresses are XORed with.
The registry checks a value's length before any of them is called. What is wrong beyond the length is raised as
`BadValue`, which carries whatever could be read; no other exception leaves this module.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from stunpcap.stun.defects import Defect
from stunpcap.stun.valuetypes import (
    Address,
    ChangeRequest,
    EcnCheck,
    ErrorValue,
    FamilyError,
    Icmp,
    NetworkInfo,
    PasswordAlgorithm,
    SequenceNumber,
    ServiceQuality,
    TransmitCounter,
    Value,
)

MAGIC_COOKIE = 0x2112A442
FINGERPRINT_XOR = 0x5354554E  # "STUN": keeps the CRC apart from the CRC of an application inside (RFC 8489 14.7)


Decoder = Callable[[bytes, bytes], Value]


class BadValue(Exception):  # noqa: N818  (never leaves the package: Message turns it into a defect)
    """A value with something wrong in it, and what could be read of it."""

    def __init__(self, defect: Defect, value: Value | None = None) -> None:
        self.defect = defect
        self.value = value
        super().__init__(defect.name)


def fingerprint(data: bytes) -> int:
    """Compute FINGERPRINT, RFC 8489 section 14.7.

    Parameters
    ----------
    data
        The message up to (not including) the FINGERPRINT attribute, with the length field as it is sent: covering
        the message to its end, FINGERPRINT included.
    """
    return zlib.crc32(data) ^ FINGERPRINT_XOR


def unpack_raw(value: bytes, key: bytes) -> Value:
    return value


def unpack_flag(value: bytes, key: bytes) -> Value:
    return True  # the attribute being there is the value


def unpack_uint(value: bytes, key: bytes) -> Value:
    return int.from_bytes(value)


def unpack_hex(value: bytes, key: bytes) -> Value:
    return value.hex()


def unpack_text(value: bytes, key: bytes) -> Value:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BadValue(Defect.BAD_TEXT, value.decode(errors="backslashreplace")) from None


def unpack_padded_text(value: bytes, key: bytes) -> Value:
    """Text of RFC 3489, whose length had to be a multiple of 4: senders filled it up with zeros."""
    return unpack_text(value.rstrip(b"\0"), key)


def unpack_opaque_text(value: bytes, key: bytes) -> Value:
    """Bytes that are often text, and legitimately not always: text if all of it is printable ASCII."""
    return value.decode("ascii") if value.isascii() and value.decode("ascii").isprintable() else value


def unpack_address(value: bytes, key: bytes) -> Value:
    """MAPPED-ADDRESS and its like, RFC 8489 section 14.1."""
    family, port, host = value[1], int.from_bytes(value[2:4]), value[4:]
    if family == 1 and len(host) == 4:
        return Address(str(IPv4Address(host)), port)
    if family == 2 and len(host) == 16:
        return Address(str(IPv6Address(host)), port)
    raise BadValue(Defect.ADDRESS_FAMILY)


def unpack_xor_address(value: bytes, key: bytes) -> Value:
    """XOR-MAPPED-ADDRESS and its like, RFC 8489 section 14.2.

    The port is XORed with the first two bytes of `key`, the host with as many as it has. In classic STUN, `key` is
    the 16-byte transaction id, as the drafts had it that came between RFC 3489 and RFC 5389.
    """
    mask = int.from_bytes(key[:2] + key[: len(value) - 4])
    plain = (int.from_bytes(value[2:]) ^ mask).to_bytes(len(value) - 2)
    return unpack_address(value[:2] + plain, key)


def _error(value: bytes) -> tuple[ErrorValue, Defect]:
    code = (value[2] & 7) * 100 + value[3]
    defect = Defect(0) if 300 <= code <= 699 and value[3] <= 99 else Defect.ERROR_CODE_RANGE
    try:
        reason = value[4:].decode()
    except UnicodeDecodeError:
        reason, defect = value[4:].decode(errors="backslashreplace"), defect | Defect.BAD_TEXT
    return ErrorValue(code, reason), defect


def unpack_error(value: bytes, key: bytes) -> Value:
    """ERROR-CODE, RFC 8489 section 14.8."""
    error, defect = _error(value)
    if defect:
        raise BadValue(defect, error)
    return error


FAMILIES = {1: "ipv4", 2: "ipv6"}


def unpack_family_error(value: bytes, key: bytes) -> Value:
    """ADDRESS-ERROR-CODE, RFC 8656 section 18.12: the address family takes the place of reserved bits."""
    family = FAMILIES.get(value[0], f"family {value[0]}")
    error, defect = _error(value)
    result = FamilyError(family, error.code, error.reason)
    if value[0] not in FAMILIES:
        defect |= Defect.ADDRESS_FAMILY
    if defect:
        raise BadValue(defect, result)
    return result


def unpack_family(value: bytes, key: bytes) -> Value:
    """REQUESTED-ADDRESS-FAMILY, RFC 8656 section 18.6."""
    if value[0] not in FAMILIES:
        raise BadValue(Defect.ADDRESS_FAMILY)
    return FAMILIES[value[0]]


def unpack_u16_head(value: bytes, key: bytes) -> Value:
    """A 16-bit number followed by reserved bytes: CHANNEL-NUMBER, RESPONSE-PORT."""
    return int.from_bytes(value[:2])


def unpack_u16_list(value: bytes, key: bytes) -> Value:
    return tuple(int.from_bytes(value[i : i + 2]) for i in range(0, len(value), 2))


def unpack_transport(value: bytes, key: bytes) -> Value:
    """REQUESTED-TRANSPORT, RFC 8656 section 18.8: an IP protocol number."""
    return {6: "tcp", 17: "udp"}.get(value[0], str(value[0]))


def unpack_even_port(value: bytes, key: bytes) -> Value:
    """EVEN-PORT, RFC 8656 section 18.7: whether to reserve the next higher port, too."""
    return bool(value[0] & 0x80)


def unpack_icmp(value: bytes, key: bytes) -> Value:
    """ICMP, RFC 8656 section 18.13.

    The RFC's figure draws the type 7 and the code 9 bits wide, its text names no width; ICMP has 8 bits for each, and
    that is how senders and other dissectors read it.
    """
    return Icmp(value[2], value[3], int.from_bytes(value[4:8]))


def unpack_change_request(value: bytes, key: bytes) -> Value:
    return ChangeRequest(bool(value[3] & 4), bool(value[3] & 2))


def unpack_counter(value: bytes, key: bytes) -> Value:
    return TransmitCounter(value[2], value[3])


def unpack_network_info(value: bytes, key: bytes) -> Value:
    return NetworkInfo(int.from_bytes(value[:2]), int.from_bytes(value[2:4]))


def unpack_ecn(value: bytes, key: bytes) -> Value:
    return EcnCheck(bool(value[3] & 1), value[3] >> 1 & 3)


def unpack_algorithms(value: bytes, key: bytes) -> Value:
    """PASSWORD-ALGORITHMS, RFC 8489 section 14.11: number, length, parameters padded to 4 bytes, and again."""
    found: list[PasswordAlgorithm] = []
    at = 0
    while at < len(value):
        end = at + 4 + int.from_bytes(value[at + 2 : at + 4])
        if at + 4 > len(value) or end > len(value):
            raise BadValue(Defect.VALUE_LENGTH, tuple(found))
        found.append(PasswordAlgorithm(int.from_bytes(value[at : at + 2]), value[at + 4 : end]))
        at = end + -end % 4
    return tuple(found)


def unpack_algorithm(value: bytes, key: bytes) -> Value:
    """PASSWORD-ALGORITHM, RFC 8489 section 14.12: one entry of the above."""
    end = 4 + int.from_bytes(value[2:4])
    if end > len(value):
        raise BadValue(Defect.VALUE_LENGTH)
    return PasswordAlgorithm(int.from_bytes(value[:2]), value[4:end])


def unpack_ms_sequence(value: bytes, key: bytes) -> Value:
    """MS-Sequence Number: 20 bytes of connection id and a number; current clients also send the number alone."""
    return SequenceNumber(value[:-4].hex(), int.from_bytes(value[-4:]))


def unpack_ms_quality(value: bytes, key: bytes) -> Value:
    """Kind of stream and quality of service, as in MS-TURN."""
    stream = int.from_bytes(value[:2])
    streams = {1: "audio", 2: "video", 3: "supplemental video", 4: "data"}
    return ServiceQuality(streams.get(stream, f"stream type {stream}"), value[2:4] == b"\0\1")
