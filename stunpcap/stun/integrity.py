"""Integrity of messages: FINGERPRINT, keys from passwords, and the HMACs that are made with them.

A capture holds no password, so a message's HMAC is only "present" until somebody supplies one. Short-term credentials
are those of ICE (the password of the agent that is asked, from its SDP), long-term ones those of TURN servers.
"""

from __future__ import annotations

import hashlib
import hmac
import stringprep
import unicodedata
from typing import Literal

from stunpcap.errors import UsageError
from stunpcap.stun.message import Message
from stunpcap.stun.values import fingerprint

__all__ = ["check_integrity", "fingerprint", "long_term_key", "prepare", "short_term_key"]

Integrity = Literal["absent", "valid", "invalid"]


def prepare(text: str) -> str:
    """Normalise a password, user name or realm: SASLprep, RFC 4013.

    RFC 5389 asks for SASLprep, RFC 8489 for OpaqueString (RFC 8265), which keeps what SASLprep would fold (width,
    superscripts, soft hyphens). They agree on ASCII, which is all that browsers and relays use. SASLprep is the one
    done here, as the published test vectors of both RFCs need it. What SASLprep prohibits is left as it is, since
    an agent that sent it nevertheless hashed something.
    """
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c))
    # Unassigned code points pass, as SASLprep wants for queries; Unicode is newer in Python than in stringprep.
    normal = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    return text if _prohibited(normal) else normal


def _prohibited(text: str) -> bool:
    tables = (
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
    )
    return any(table(c) for c in text for table in tables)


def short_term_key(password: str) -> bytes:
    """Key of short-term credentials, those of ICE checks: the password itself. RFC 8489 section 9.1.1."""
    return prepare(password).encode()


def long_term_key(username: str, realm: str, password: str, algorithm: Literal["MD5", "SHA-256"] = "MD5") -> bytes:
    """Key of long-term credentials, those of TURN servers. RFC 8489 sections 9.2.2 and 18.5.

    Parameters
    ----------
    username, realm
        As in the attributes USERNAME and REALM.
    password
        The user's; with time-limited TURN credentials, the base64 text that goes with the user name.
    algorithm
        As in PASSWORD-ALGORITHM; MD5 where the message has none.

    Raises
    ------
    UsageError
        For any other algorithm.
    """
    text = f"{prepare(username)}:{prepare(realm)}:{prepare(password)}".encode()
    if algorithm == "MD5":
        return hashlib.md5(text, usedforsecurity=False).digest()
    if algorithm == "SHA-256":
        return hashlib.sha256(text).digest()
    raise UsageError(f"unknown password algorithm {algorithm!r}: MD5 or SHA-256")


def _hashes(name: str, length: int) -> str | None:
    """Which hash an attribute of this name and length carries."""
    if name == "MESSAGE-INTEGRITY":  # 32 bytes only in Microsoft's TURN, since MS-Version 3
        return {20: "sha1", 32: "sha256"}.get(length)
    if name == "MESSAGE-INTEGRITY-SHA256":
        return "sha256" if 16 <= length <= 32 and length % 4 == 0 else None
    if name == "GOOG-MESSAGE-INTEGRITY-32":
        return "sha1" if length == 4 else None
    return None


def check_integrity(message: Message | bytes, key: bytes) -> Integrity:
    """Check the HMACs of a message with a key.

    Every one of MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 (which may be truncated to 16 bytes or more) and
    libwebrtc's GOOG-MESSAGE-INTEGRITY-32 that is there has to match, the first of each that counts. The HMAC covers
    the message up to the attribute, with a length field that ends with the attribute: RFC 8489 sections 14.5, 14.6.

    Without the magic cookie, and in Microsoft's TURN, the text may have been filled up with zeros to a multiple of
    64 bytes before it was hashed (RFC 3489 section 11.2.8); either way is accepted there.

    Raises
    ------
    DecodeError
        If the bytes are no STUN message.
    """
    if not isinstance(message, Message):
        message = Message.parse(message)
    result: Integrity = "absent"
    for name in ("MESSAGE-INTEGRITY", "MESSAGE-INTEGRITY-SHA256", "GOOG-MESSAGE-INTEGRITY-32"):
        attribute = next((a for a in message.attributes if a.name == name and not a.ignored), None)
        if attribute is None:
            continue
        digest = _hashes(name, attribute.length)
        if digest is None or len(attribute.value) < attribute.length:
            return "invalid"
        size = attribute.offset - 20 + 4 + attribute.length
        text = message.data[:2] + size.to_bytes(2) + message.data[4 : attribute.offset]
        texts = [text]
        if message.variant:
            texts.append(text + bytes(-len(text) % 64))
        if not any(hmac.digest(key, t, digest)[: attribute.length] == attribute.value for t in texts):
            return "invalid"
        result = "valid"
    return result
