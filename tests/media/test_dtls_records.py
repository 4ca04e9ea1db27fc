"""DTLS records made by hand: what they say, and that nothing impossible does harm."""

from __future__ import annotations

import random
from struct import pack

import numpy as np
import pytest

from stunpcap.media.names import read_message, read_name
from stunpcap.wire import dtls


def record(body: bytes, content: int = 22, epoch: int = 0, number: int = 0, version: int = 0xFEFD) -> bytes:
    return pack(">BHHHIH", content, version, epoch, 0, number, len(body)) + body


def message(kind: int, body: bytes, seq: int = 0, at: int = 0, piece: bytes | None = None) -> bytes:
    piece = body if piece is None else piece
    size = len(body)
    head = pack(">BBHHBHBH", kind, size >> 16, size & 0xFFFF, seq, at >> 16, at & 0xFFFF, 0, len(piece))
    return head + piece


def hello(*versions: int) -> bytes:
    offered = b"".join(pack(">H", version) for version in versions)
    extension = pack(">HHB", 43, len(offered) + 1, len(offered)) + offered
    tail = b"\0\0" + b"\0\2\x13\x01" + b"\1\0" + pack(">H", len(extension)) + extension
    return pack(">H", 0xFEFD) + bytes(range(32)) + tail


def read(*datagrams: bytes) -> np.ndarray:
    sizes = np.array([len(datagram) for datagram in datagrams], np.int64)
    return dtls.records_of(b"".join(datagrams), np.cumsum(sizes) - sizes, sizes, sizes)


def test_a_hello_offers_its_highest_version() -> None:
    row = read(record(message(1, hello(0xFEFD, 0xFEFC, 0x7A7A))))[0]
    assert (row[dtls.CHOSEN], row[dtls.DEFECT], row[dtls.MESSAGES]) == (0xFEFC, dtls.FINE, 1)


def test_a_fragmented_hello() -> None:
    body = hello(0xFEFC)
    first, second = body[:40], body[40:]
    rows = read(record(message(1, body, 0, 0, first)), record(message(1, body, 0, 40, second), number=1))
    assert rows[:, dtls.FRAGMENT_OFFSET].tolist() == [0, 40]
    assert rows[:, dtls.FRAGMENT_BYTES].tolist() == [40, len(body) - 40]
    assert rows[:, dtls.MESSAGE_BYTES].tolist() == [len(body)] * 2
    assert rows[:, dtls.DEFECT].tolist() == [dtls.FINE] * 2


def test_unified_headers_show_epoch_and_length() -> None:
    """RFC 9147 section 4: 001CSLEE; here with a long number and a length, then a short number and none."""
    rows = read(b"\x2e\1\2\0\x13" + bytes(19) + b"\x23\7" + bytes(30))
    assert rows[:, [dtls.EPOCH, dtls.LENGTH]].tolist() == [[2, 19], [3, 30]]


def test_a_hello_retry_request_is_told_by_its_random() -> None:
    retry = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")  # RFC 8446
    body = b"\xfe\xfd" + retry + b"\0" + b"\x13\x01\0" + b"\0\6" + pack(">HHH", 43, 2, 0xFEFC)
    row = read(record(message(2, body)))[0]
    assert (row[dtls.TYPES], row[dtls.CHOSEN]) == (dtls.HELLO_RETRY, 0xFEFC)


@pytest.mark.parametrize(
    ("data", "defect"),
    [
        (record(message(1, hello(0xFEFC)))[:-1], dtls.TOO_LONG),
        (record(b""), dtls.EMPTY),
        (record(b"\2\x28\0", content=21), dtls.BAD_ALERT),
        (record(message(1, b"")), dtls.BAD_HELLO),
        (record(message(11, bytes(9), 0, 5)), dtls.BAD_FRAGMENT),
        (record(b"\1\0\0"), dtls.BAD_FRAGMENT),
    ],
)
def test_defects(data: bytes, defect: int) -> None:
    assert read(data)[0][dtls.DEFECT] == defect


def test_hostile_bytes_end() -> None:
    """Records without content, cut at every byte, and changed at random: rows, and never more than 65 of a datagram."""
    assert len(read(record(b"") * 2000)) == dtls.MOST_RECORDS + 1
    whole = record(message(1, hello(0xFEFC))) + record(message(11, bytes(50), 1)) + b"\x2e\1\2\0\x13" + bytes(19)
    for size in range(1, len(whole)):
        assert 1 <= len(read(whole[:size])) <= 4
    rng = random.Random(1)
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(4):
            data[rng.randrange(len(data))] = rng.randrange(256)
        assert 1 <= len(read(bytes(data))) <= dtls.MOST_RECORDS + 1


def test_names_with_pointers() -> None:
    """RFC 1035 section 4.1.4; a pointer to itself, or forwards, is none."""
    data = b"\3abc\5local\0" + b"\1x\xc0\4"
    assert read_name(data, 11) == ("x.local", 15)
    for wrong in (b"\xc0\0", b"\xc0\5\0\0\0\0", b"\x40abc", b"\3ab", b""):
        with pytest.raises(ValueError, match=r"."):
            read_name(wrong, 0)


def test_questions_and_answers() -> None:
    name = b"\4host\5local\0"
    question = pack(">6H", 0, 0, 1, 0, 0, 0) + name + pack(">HH", 1, 1)
    assert read_message(question) == (["host.local"], [])
    answer = pack(">6H", 0, 0x8400, 0, 1, 0, 0) + name + pack(">HHIH", 1, 0x8001, 120, 4) + bytes([192, 0, 2, 7])
    assert read_message(answer) == ([], [("host.local", "192.0.2.7")])
    for size in range(len(answer)):
        assert read_message(answer[:size]) == ([], [])
