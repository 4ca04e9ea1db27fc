"""Where frames begin and end, in the words of the RFCs; and what proves a boundary in the middle of a stream."""

from struct import pack

import packets as p
import pytest
from tcp_streams import ALLOCATE, CHECK, channel, counted, native, send

from stunpcap.wire.framing import (
    COUNTED,
    NATIVE,
    NEED_MORE,
    NO_FRAME,
    UNKNOWN,
    chain_ends,
    counted_size,
    find_boundary,
    framing_at,
    native_size,
)


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (CHECK, 28),
        (CHECK[:8], 28),
        (CHECK[:7], NEED_MORE),
        (b"", NEED_MORE),
        (b"\0\1\0\x08\x21\x13", NO_FRAME),
        (b"\0\1\0\x08\x20", NO_FRAME),
        (b"\x3f\xff\xff\xff\x21\x12\xa4\x42", 20 + 0xFFFF),
        (b"\x40\0\0\0", 4),
        (b"\x40\1\0\1", 8),
        (b"\x4f\xff\0\4", 8),
        (b"\x4f\xff\0\5", 12),
        (b"\x4f\xff\0", NEED_MORE),
        (b"\x50\0\0\4", NO_FRAME),
        (p.dtls(), NO_FRAME),
        (p.rtp(), NO_FRAME),
        (b"\x16\3\1\2\0\1\0\1\xfc\3\3", NO_FRAME),
        (b"GET / HTTP/1.1", 4 + 0x5420),
    ],
)
def test_native(data, size):
    assert native_size(memoryview(data), 0, len(data)) == size
    shifted = b"\xff" + data + CHECK
    assert native_size(memoryview(shifted), 1, 1 + len(data)) == size


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (counted([CHECK]), 30),
        (counted([CHECK])[:10], 30),
        (counted([CHECK])[:9], NEED_MORE),
        (b"", NEED_MORE),
        (b"\0", NEED_MORE),
        (b"\0\0", 2),
        (b"\0\x20", NEED_MORE),
        (b"\0\x1d" + CHECK, NO_FRAME),
        (b"\0\x13\0", NO_FRAME),
        (counted([p.rtp(10)]), 24),
        (b"\0\x40\x16", 0x42),
        (b"\0\x40\x80", 0x42),
        (b"\0\x40\x10", 0x42),
        (b"\0\x40\x40", NO_FRAME),
        (b"\0\x40\xc0", NO_FRAME),
        (b"\0\x40\x0f" + bytes(7), NO_FRAME),
        (b"GET / HTTP/1.1", NO_FRAME),
    ],
)
def test_counted(data, size):
    assert counted_size(memoryview(data), 0, len(data)) == size


@pytest.mark.parametrize(
    ("data", "framing"),
    [
        (CHECK, NATIVE),
        (counted([CHECK]), COUNTED),
        (channel(CHECK), NATIVE),
        (channel(), UNKNOWN),
        (counted([p.rtp()]), UNKNOWN),
        (pack(">H", 27) + CHECK, UNKNOWN),
        (b"\x16\3\1\2\0\1\0\1\xfc\3\3", UNKNOWN),
        (CHECK[:7], UNKNOWN),
    ],
)
def test_first_bytes_tell(data, framing):
    assert framing_at(memoryview(data), 0, len(data)) == framing


def test_chains():
    units = [ALLOCATE, channel(b"abc"), CHECK]
    assert chain_ends(memoryview(native(units)), 0, len(native(units)), NATIVE)
    assert not chain_ends(memoryview(native(units)), 0, len(native(units)) - 1, NATIVE)
    assert not chain_ends(memoryview(native(units) + b"\xff"), 0, len(native(units)) + 1, NATIVE)


@pytest.mark.parametrize(
    ("data", "segment", "framing", "expected"),
    [
        (b"junk" + ALLOCATE, 0, UNKNOWN, (4, NATIVE)),
        (b"junk" + CHECK, 4, UNKNOWN, (-1, UNKNOWN)),
        (b"junk" + CHECK, 4, NATIVE, (-1, NATIVE)),
        (channel(CHECK), 0, UNKNOWN, (0, NATIVE)),
        (b"junk" + channel(CHECK), 0, UNKNOWN, (-1, UNKNOWN)),
        (b"junk" + channel(CHECK), 0, NATIVE, (4, NATIVE)),
        (b"junk" + counted([CHECK]), 4, UNKNOWN, (4, COUNTED)),
        (b"junk" + counted([CHECK]), 0, UNKNOWN, (-1, UNKNOWN)),
        (b"junk" + counted([CHECK]), 0, COUNTED, (4, COUNTED)),
        (counted([CHECK]), 0, NATIVE, (-1, NATIVE)),
        (send(CHECK)[32:], 0, NATIVE, (-1, NATIVE)),
        (send(CHECK)[36:], 0, NATIVE, (-1, NATIVE)),
        (send(CHECK)[1:] + ALLOCATE, 0, NATIVE, (len(send(CHECK)) - 1, NATIVE)),
        (native([channel(b"abc", 0x4002)]), 0, NATIVE, (0, NATIVE)),
        (native([channel(b"abc", 0x4003)]), 0, NATIVE, (-1, NATIVE)),
        (native([channel(b"abc", 0x4002)])[:-1], 0, NATIVE, (-1, NATIVE)),
        (b"xx" + native([channel(b"abc", 0x4002)]) + ALLOCATE, 2, NATIVE, (2, NATIVE)),
        (b"xx" + native([channel(b"abc", 0x4002)]) + ALLOCATE, -3, NATIVE, (14 - 4, NATIVE)),
        (b"", 0, NATIVE, (-1, NATIVE)),
    ],
)
def test_boundaries(data, segment, framing, expected):
    assert find_boundary(data, segment, framing, {0x4002}) == expected
