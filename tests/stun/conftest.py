"""Shared by the tests of the STUN decoders: the captures from the wild, and a builder of messages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2].parent / "shared"

ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
COOKIE = bytes.fromhex("2112a442")

Build = Callable[..., bytes]


@pytest.fixture(scope="session")
def captures() -> Path:
    """Return the folder of captures from the wild; skips where a checkout stands alone."""
    if not SHARED.is_dir():
        pytest.skip("no captures from the wild here")
    return SHARED / "captures"


@pytest.fixture(scope="session")
def build() -> Build:
    """Return a function that builds a message from (type, value) pairs, in the plainest way."""

    def message(
        type: int,
        *attributes: tuple[int, bytes],
        id: bytes = COOKIE + ID,
        length: int | None = None,
        padded: bool = True,
    ) -> bytes:
        body = b""
        for kind, value in attributes:
            body += kind.to_bytes(2) + len(value).to_bytes(2) + value
            if padded:
                body += bytes(-len(value) % 4)
        return type.to_bytes(2) + (len(body) if length is None else length).to_bytes(2) + id + body

    return message
