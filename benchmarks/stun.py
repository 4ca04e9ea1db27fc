"""STUN messages by the thousand, one below the other in an array; written without the package that is measured."""

from __future__ import annotations

import hashlib
import hmac
import zlib
from typing import Any

import numpy as np

from benchmarks.packets import big, constant

COOKIE = 0x2112A442
REQUEST, SUCCESS = 0x0001, 0x0101
USERNAME, MESSAGE_INTEGRITY, XOR_MAPPED_ADDRESS, PRIORITY = 0x0006, 0x0008, 0x0020, 0x0024
USE_CANDIDATE, SOFTWARE, FINGERPRINT, ICE_CONTROLLED, ICE_CONTROLLING = 0x0025, 0x8022, 0x8028, 0x8029, 0x802A


def ids(rng: np.random.Generator, rows: int) -> Any:
    """Transaction ids, twelve bytes each."""
    return rng.integers(0, 256, (rows, 12), np.uint8)


def attribute(code: int, value: Any) -> Any:
    """An attribute with its padding; `value` is an (n, k) array."""
    rows, size = value.shape
    return np.concatenate(
        [constant(code.to_bytes(2) + size.to_bytes(2), rows), value, constant(bytes(-size % 4), rows)], axis=1
    )


def mapped(address: Any, port: Any, rows: int) -> Any:
    """XOR-MAPPED-ADDRESS."""
    address, port = (np.broadcast_to(np.asarray(value, np.int64), rows) for value in (address, port))
    return attribute(
        XOR_MAPPED_ADDRESS,
        np.concatenate([constant(b"\0\1", rows), big(port ^ COOKIE >> 16, 2), big(address ^ COOKIE, 4)], axis=1),
    )


def messages(kind: int, transaction: Any, attributes: list[Any], passwords: list[bytes] | None = None) -> Any:
    """Whole messages, with MESSAGE-INTEGRITY if there is a password for each row, and FINGERPRINT."""
    rows = len(transaction)
    body = np.concatenate([np.zeros((rows, 0), np.uint8), *attributes], axis=1)
    integrity = 24 if passwords else 0
    size = body.shape[1] + integrity + 8

    def head(length: int) -> Any:
        fixed = kind.to_bytes(2) + length.to_bytes(2) + COOKIE.to_bytes(4)
        return np.concatenate([constant(fixed, rows), transaction], axis=1)

    parts = [head(size), body]
    if passwords:
        covered = np.concatenate([head(size - 8), body], axis=1)
        digests = [hmac.digest(key, row.tobytes(), hashlib.sha1) for key, row in zip(passwords, covered, strict=True)]
        parts.append(attribute(MESSAGE_INTEGRITY, np.frombuffer(b"".join(digests), np.uint8).reshape(rows, 20)))
    whole = np.concatenate(parts, axis=1)
    checksums = np.array([zlib.crc32(row.tobytes()) ^ 0x5354554E for row in whole], np.int64)
    return np.concatenate([whole, attribute(FINGERPRINT, big(checksums, 4))], axis=1)
