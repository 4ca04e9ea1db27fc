"""What can be wrong with a message that is STUN all the same.

Everything that may be said against a message stands here: one bit and one sentence each. Two decoders, `Message` for
one message and `columns` for many, find the same defects and say the same words, since both take them from this table.
A defect never hides the bytes: the raw value stays, and what could be read of it too.
"""

from __future__ import annotations

from enum import IntFlag


class Defect(IntFlag):
    """One bit for each thing that can be wrong with a STUN message; `SENTENCES` words them."""

    CUT = 1 << 0
    LENGTH_BEYOND_DATAGRAM = 1 << 1
    LENGTH_UNALIGNED = 1 << 2
    TRAILING_BYTES = 1 << 3
    ATTRIBUTE_OVERRUN = 1 << 4
    STRAY_BYTES = 1 << 5
    AFTER_INTEGRITY = 1 << 6
    AFTER_FINGERPRINT = 1 << 7
    DUPLICATE = 1 << 8
    UNKNOWN_REQUIRED = 1 << 9
    VALUE_LENGTH = 1 << 10
    ADDRESS_FAMILY = 1 << 11
    BAD_TEXT = 1 << 12
    ERROR_CODE_RANGE = 1 << 13
    RESERVED_BITS = 1 << 14
    FINGERPRINT_WRONG = 1 << 15
    NO_ERROR_CODE = 1 << 16


SENTENCES: dict[Defect, str] = {
    Defect.CUT: "the capture holds only the beginning of the message",
    Defect.LENGTH_BEYOND_DATAGRAM: "the length field reaches beyond the datagram",
    Defect.LENGTH_UNALIGNED: "the length field is no multiple of 4",
    Defect.TRAILING_BYTES: "bytes follow the end of the message",
    Defect.ATTRIBUTE_OVERRUN: "an attribute runs over the end of the message",
    Defect.STRAY_BYTES: "too few bytes are left for another attribute",
    Defect.AFTER_INTEGRITY: "an attribute after the message integrity is unprotected and ignored",
    Defect.AFTER_FINGERPRINT: "an attribute follows FINGERPRINT, which must be the last",
    Defect.DUPLICATE: "an attribute is repeated, the first one counts",
    Defect.UNKNOWN_REQUIRED: "an unknown attribute of the comprehension-required range",
    Defect.VALUE_LENGTH: "an attribute value of the wrong length",
    Defect.ADDRESS_FAMILY: "an unknown address family, or a length that does not fit it",
    Defect.BAD_TEXT: "text that is not UTF-8",
    Defect.ERROR_CODE_RANGE: "an error code outside 300 to 699",
    Defect.RESERVED_BITS: "reserved bits that are not zero",
    Defect.FINGERPRINT_WRONG: "the FINGERPRINT does not match the message",
    Defect.NO_ERROR_CODE: "an error response without ERROR-CODE",
}


def describe(defect: Defect, offset: int) -> str:
    """Word one defect.

    Parameters
    ----------
    defect
        A single bit.
    offset
        Byte offset from the start of the message: of the header field or of the attribute it is about.
    """
    return f"{SENTENCES[defect]} (byte {offset})"


def split(flags: int) -> tuple[Defect, ...]:
    """Take a sum of defects apart, in the order of the table."""
    return tuple(defect for defect in SENTENCES if flags & defect)
