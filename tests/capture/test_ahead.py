"""Reading ahead hands on the same blocks, raises what reading raises, and ends when nobody wants more."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from stunpcap.capture import open_capture
from stunpcap.capture.ahead import ALONE, DEPTH, read_ahead
from tests.places import LAB

PATH = LAB / "asymmetric-dead" / "answerer.pcap"


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("stunpcap")]


def numbers(count: int, seen: list[int] | None = None) -> Iterator[Any]:
    for number in range(count):
        if seen is not None:
            seen.append(number)
        yield number


@pytest.mark.parametrize("count", [0, 1, ALONE, ALONE + 1, 50])
def test_the_same_in_the_same_order(count: int) -> None:
    assert list(read_ahead(numbers(count))) == list(range(count))
    assert threads() == []


def test_a_small_capture_starts_no_thread() -> None:
    for _ in read_ahead(numbers(ALONE)):
        assert threads() == []


def test_only_so_far_ahead() -> None:
    seen: list[int] = []
    blocks = read_ahead(numbers(1000, seen))
    for _ in range(ALONE + 1):
        next(blocks)
    time.sleep(0.3)
    assert len(seen) <= ALONE + 1 + DEPTH + 1
    blocks.close()  # type: ignore[attr-defined]
    assert threads() == []


def test_what_goes_wrong_is_raised_in_its_place() -> None:
    def failing() -> Iterator[Any]:
        yield from range(ALONE + 3)
        raise OSError("gone")

    found = []
    with pytest.raises(OSError, match="gone"):
        found.extend([block for block in read_ahead(failing()) if not found.append(block)])  # type: ignore[func-returns-value]
    assert found == list(range(ALONE + 3))
    assert threads() == []


def test_a_capture_in_small_blocks() -> None:
    """Buffers are used again only when nobody looks at them any more."""
    data = PATH.read_bytes()

    def packets(block_bytes: int) -> list[bytes]:
        with open_capture(io.BytesIO(data), block_bytes=block_bytes) as capture:
            blocks = list(capture.blocks())
        return [
            bytes(block.data[at : at + size])
            for block in blocks
            for at, size in zip(block.offset.tolist(), block.caplen.tolist(), strict=True)
        ]

    whole = packets(1 << 20)
    assert len(whole) > 50
    assert packets(200) == packets(777) == whole
