"""One message in full: fields, values, defects, and that nothing but DecodeError is ever raised."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stunpcap.errors import DecodeError
from stunpcap.stun.defects import SENTENCES, Defect, describe, split
from stunpcap.stun.message import Message
from stunpcap.stun.valuetypes import Address, ErrorValue, NetworkInfo

Build = Callable[..., bytes]

# RFC 5769 section 2.1
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008"
    "932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004"
    "e57a3bcf"
)
# RFC 5769 section 2.2
RESPONSE = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a64300080014"
    "2b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
# From captures in the wild: WhatsApp, whose last attribute is not padded; Microsoft's TURN.
UNPADDED = bytes.fromhex("080200192112a4420c08916e0c93ad1d78ea945a400200080000016b8e045ff44003000901000000113668aaa5")
MS_TURN = bytes.fromhex(
    "011300a72112a442b2343f6e67f41d58acba639f000f000472c64bc680080004000000060009003d00000401546865207265717565"
    "737420646964206e6f7420636f6e7461696e2061204d6573736167652d496e7465677269747920617474726962757465000e000800"
    "010d963472fa8d00140014024ecbf8827a60d65306debfa77d87d14402dd5d0015000a227274636d65646961220001000800010d98"
    "3472fa8d809500087f20c4dd4f848dfa802000080001c1d571a76a0a"
)
CLASSIC = bytes.fromhex("0101000c9429ef88294dd52632c72931cb8dbb4c000100080001d70aac103fe0")
SAMPLES = {"request": REQUEST, "response": RESPONSE, "unpadded": UNPADDED, "ms-turn": MS_TURN, "classic": CLASSIC}


def found(message: Message) -> list[tuple[Defect, int]]:
    return list(message.found)


def test_a_check() -> None:
    message = Message.parse(REQUEST)
    assert (message.type, message.cls, message.method, message.method_value) == (0x0001, "request", "binding", 1)
    assert (message.transaction_id, message.classic, message.variant) == ("b7e7a701bc34d686fa87dfae", False, "")
    assert [(a.name, a.offset, a.length, a.padding) for a in message.attributes] == [
        ("SOFTWARE", 20, 16, b""),
        ("PRIORITY", 40, 4, b""),
        ("ICE-CONTROLLED", 48, 8, b""),
        ("USERNAME", 60, 9, b"   "),
        ("MESSAGE-INTEGRITY", 76, 20, b""),
        ("FINGERPRINT", 100, 4, b""),
    ]
    assert message.username == "evtj:h6vY"
    assert message.software == "STUN test client"
    assert message.priority == 0x6E0001FF
    assert (message.role, message.tie_breaker) == ("controlled", 0x932FF9B151263B36)
    assert (message.fingerprint, message.integrity) == ("valid", "present")
    assert message.use_candidate is False
    assert message.defects == ()
    assert message.defect_flags == 0
    assert message.mapped is message.relayed is message.peer is None
    assert message.error_code is message.error_reason is message.lifetime_s is message.channel is None
    assert message.realm is message.nonce is message.data_value is None
    assert message.unknown_required == ()


def test_its_answer() -> None:
    message = Message.parse(RESPONSE)
    assert (message.cls, message.mapped, message.role) == ("success", Address("192.0.2.1", 32853), None)
    assert message.get("NO-SUCH-ATTRIBUTE") is None


def test_turn(build: Build) -> None:
    message = Message.parse(
        build(
            0x0103,
            (0x0016, bytes.fromhex("0001a147e112a643")),
            (0x0016, bytes.fromhex("0002a1470113a9faa5d3f179bc25f4b5bed2b9d9")),
            (0x0020, bytes.fromhex("0001a147e112a643")),
            (0x000D, bytes.fromhex("00000258")),
            (0x8022, b"Coturn"),
        )
    )
    assert (message.method, message.cls, message.found) == ("allocate", "success", ())
    assert (message.relayed, message.lifetime_s, message.software) == (Address("192.0.2.1", 32853), 600, "Coturn")
    assert len(message.getall("XOR-RELAYED-ADDRESS")) == 2
    bind = Message.parse(
        build(0x0009, (0x000C, bytes.fromhex("40010000")), (0x0012, bytes.fromhex("0001a147e112a643")))
    )
    assert (bind.method, bind.channel, bind.peer) == ("channel-bind", 0x4001, Address("192.0.2.1", 32853))
    send = Message.parse(build(0x0016, (0x0012, bytes.fromhex("0001a147e112a643")), (0x0013, b"hello"), (0x001A, b"")))
    assert (send.method, send.cls, send.data_value) == ("send", "indication", b"hello")
    assert send.get("DONT-FRAGMENT") is True
    refused = Message.parse(build(0x0113, (0x0009, b"\0\0\4\1No"), (0x0014, b"realm"), (0x0015, b"nonce")))
    assert (refused.error_code, refused.error_reason) == (401, "No")
    assert (refused.realm, refused.nonce) == ("realm", "nonce")


def test_libwebrtc(build: Build) -> None:
    check = [
        (0x0006, b"abcd:efgh"),
        (0xC057, bytes.fromhex("0002000a")),
        (0xC058, bytes.fromhex("0102030405060708090a0b0c")),
        (0x802A, bytes(8)),
        (0xC001, bytes.fromhex("00000001")),
        (0x0024, bytes.fromhex("6e0001ff")),
        (0xFF00, bytes.fromhex("00000003")),
    ]
    message = Message.parse(build(0x0001, *check))
    assert message.found == ()
    assert message.get("GOOG-NETWORK-INFO") == NetworkInfo(2, 10)
    assert message.get("GOOG-LAST-ICE-CHECK-RECEIVED") == "0102030405060708090a0b0c"
    assert message.get("GOOG-RETRANSMIT-COUNT") == 3
    assert message.get("NOMINATION") == 1
    assert message.use_candidate is True
    assert message.role == "controlling"
    response = Message.parse(build(0x0101, (0xC001, b"who knows")))
    assert response.get("ENF-FLOW-DESCRIPTION") == b"who knows"
    assert Message.parse(build(0x0001, (0x0025, b""))).use_candidate is True


def test_the_first_of_several_counts(build: Build) -> None:
    message = Message.parse(build(0x0001, (0x0024, b"\0\0\0\1"), (0x0024, b"\0\0\0\2")))
    assert message.priority == 1
    assert message.getall("PRIORITY") == (1, 2)
    assert found(message) == [(Defect.DUPLICATE, 28)]


def test_peers_may_be_several(build: Build) -> None:
    peer = bytes.fromhex("0001a147e112a643")
    assert Message.parse(build(0x0008, (0x0012, peer), (0x0012, peer))).found == ()


def test_after_the_integrity_attributes_are_ignored(build: Build) -> None:
    message = Message.parse(
        build(0x0001, (0x0006, b"abcd"), (0x0008, bytes(20)), (0x8022, b"late"), (0x0024, b"\0"), (0x001C, bytes(32)))
    )
    assert [a.ignored for a in message.attributes] == [False, False, True, True, False]
    assert message.software is None
    assert message.priority is None
    assert message.getall("PRIORITY") == ()
    assert found(message) == [(Defect.AFTER_INTEGRITY, 52), (Defect.AFTER_INTEGRITY, 60)]


def test_after_sha256_alone_attributes_are_ignored_too(build: Build) -> None:
    message = Message.parse(build(0x0001, (0x001C, bytes(32)), (0x0006, b"abcd")))
    assert message.username is None
    assert found(message) == [(Defect.AFTER_INTEGRITY, 56)]
    both = Message.parse(build(0x0001, (0x001C, bytes(32)), (0x0006, b"abcd"), (0x0008, bytes(20))))
    assert both.username == "abcd"
    assert both.found == ()


def test_after_the_fingerprint_attributes_count_and_are_marked(build: Build) -> None:
    head = build(0x0001, length=16)
    crc = (zlib.crc32(head) ^ 0x5354554E).to_bytes(4)
    message = Message.parse(build(0x0001, (0x8028, crc), (0x0006, b"abcd")))
    assert message.fingerprint == "valid"
    assert message.username == "abcd"
    assert found(message) == [(Defect.AFTER_FINGERPRINT, 28)]


def test_fingerprint() -> None:
    assert Message.parse(CLASSIC).fingerprint == "absent"
    spoilt = bytearray(RESPONSE)
    spoilt[30] ^= 1
    message = Message.parse(spoilt)
    assert message.fingerprint == "invalid"
    assert found(message) == [(Defect.FINGERPRINT_WRONG, 72)]


def test_a_fingerprint_of_the_wrong_length_is_invalid(build: Build) -> None:
    message = Message.parse(build(0x0001, (0x8028, b"\0\0\0")))
    assert message.fingerprint == "invalid"
    assert found(message) == [(Defect.VALUE_LENGTH, 20)]


def test_an_unpadded_last_attribute_is_tolerated() -> None:
    message = Message.parse(UNPADDED)
    assert (message.method, message.attributes[-1].length, message.attributes[-1].padding) == ("whatsapp-0802", 9, b"")
    assert found(message) == [(Defect.LENGTH_UNALIGNED, 2)]


def test_microsoft_s_relay() -> None:
    message = Message.parse(MS_TURN)
    assert (message.error_code, message.realm) == (401, '"rtcmedia"')
    assert message.nonce == "0x024ecbf8827a60d65306debfa77d87d14402dd5d"
    assert message.relayed == Address("52.114.250.141", 3480)
    assert message.mapped == Address("80.181.206.72", 57543)
    assert message.found == ()


def test_malformed_values_stay_bytes(build: Build) -> None:
    message = Message.parse(
        build(0x0111, (0x0024, b"\1\2"), (0x0020, bytes(8)), (0x0009, b"\0\0\2\0"), (0x0006, b"\xff"))
    )
    assert message.get("PRIORITY") == b"\1\2"
    assert message.get("XOR-MAPPED-ADDRESS") == bytes(8)
    assert message.priority is None
    assert message.mapped is None
    assert message.get("ERROR-CODE") == ErrorValue(200, "")
    assert message.username == "\\xff"
    assert found(message) == [
        (Defect.VALUE_LENGTH, 20),
        (Defect.ADDRESS_FAMILY, 28),
        (Defect.ERROR_CODE_RANGE, 40),
        (Defect.BAD_TEXT, 48),
    ]


def test_unknown_attributes(build: Build) -> None:
    message = Message.parse(build(0x0001, (0x7FFF, b"a"), (0x7FFF, b"b"), (0xBFFF, b"c")))
    assert [a.name for a in message.attributes] == ["0x7fff", "0x7fff", "0xbfff"]
    assert message.get("0xbfff") == b"c"
    assert message.unknown_required == (0x7FFF, 0x7FFF)
    assert found(message) == [(Defect.UNKNOWN_REQUIRED, 20)]


@pytest.mark.parametrize(
    ("tail", "length", "defects"),
    [
        ("", 8, [(Defect.LENGTH_BEYOND_DATAGRAM, 2)]),
        ("0006000461626364", 4, [(Defect.TRAILING_BYTES, 24), (Defect.ATTRIBUTE_OVERRUN, 20)]),
        ("0006000461626364", 0, [(Defect.TRAILING_BYTES, 20)]),
        ("00060004616263640006", 10, [(Defect.LENGTH_UNALIGNED, 2), (Defect.STRAY_BYTES, 28)]),
        ("0006000861626364", 8, [(Defect.ATTRIBUTE_OVERRUN, 20)]),
        ("00060004616263640000", 8, [(Defect.TRAILING_BYTES, 28)]),
        ("0006", 2, [(Defect.LENGTH_UNALIGNED, 2), (Defect.STRAY_BYTES, 20)]),
    ],
)
def test_lengths_that_disagree(build: Build, tail: str, length: int, defects: list[tuple[Defect, int]]) -> None:
    message = Message.parse(build(0x0001, length=length) + bytes.fromhex(tail))
    assert found(message) == sorted(defects, key=lambda pair: (pair[1], pair[0]))


def test_an_overrunning_attribute_keeps_its_bytes(build: Build) -> None:
    message = Message.parse(build(0x0001, length=8) + bytes.fromhex("0006000861626364"))
    assert message.get("USERNAME") == b"abcd"


def test_error_without_a_code(build: Build) -> None:
    assert found(Message.parse(build(0x0111))) == [(Defect.NO_ERROR_CODE, 0)]


def test_cut_by_the_snap_length() -> None:
    for size in range(20, len(REQUEST)):
        message = Message.parse(REQUEST[:size], wire_length=len(REQUEST))
        assert message.defect_flags == Defect.CUT
        assert message.found == ((Defect.CUT, size),)
        assert message.data == REQUEST[:size]
        assert message.priority == (0x6E0001FF if size >= 48 else None)
        assert message.username == ("evtj:h6vY" if size >= 73 else None)
        assert message.get("USERNAME") == (message.username or (REQUEST[64:size] if size >= 64 else None))


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("cut", [False, True])
def test_truncation_at_every_byte(name: str, cut: bool) -> None:
    whole = SAMPLES[name]
    for size in range(len(whole)):
        try:
            message = Message.parse(whole[:size], wire_length=len(whole) if cut else None)
        except DecodeError as error:
            assert size < 28 or name == "classic", error
            continue
        assert size >= 20
        assert message.defect_flags & (Defect.CUT if cut else Defect.LENGTH_BEYOND_DATAGRAM)
        exercise(message)


def exercise(message: Message) -> None:
    """Touch everything that a message offers."""
    names = [name for name in dir(Message) if isinstance(getattr(Message, name), property)]
    for name in names:
        getattr(message, name)
    assert all(isinstance(message.getall(a.name), tuple) for a in message.attributes)
    assert isinstance(str(message), str)
    assert isinstance(message._repr_html_(), str)
    assert message.defect_flags == sum({defect for defect, _ in message.found})
    assert message.defects == tuple(describe(defect, at) for defect, at in message.found)
    assert len(set(message.found)) == len(message.found)
    rebuilt = b"".join(a.type.to_bytes(2) + a.length.to_bytes(2) + a.value + a.padding for a in message.attributes)
    assert message.data[20 : 20 + len(rebuilt)] == rebuilt
    assert len(message.data) - 20 - len(rebuilt) < 4


@settings(max_examples=400)
@given(st.binary(max_size=200), st.integers(0, 300))
def test_random_bytes_parse_or_raise_the_one_error(data: bytes, wire_length: int) -> None:
    with suppress(DecodeError):
        exercise(Message.parse(data, wire_length=wire_length))


@settings(max_examples=400)
@given(st.integers(0, 0x3FFF), st.integers(0, 0xFFFF), st.binary(max_size=120), st.integers(0, 300))
def test_random_bytes_behind_the_cookie_always_parse(type: int, length: int, body: bytes, wire_length: int) -> None:
    data = type.to_bytes(2) + length.to_bytes(2) + bytes.fromhex("2112a442") + bytes(12) + body
    exercise(Message.parse(data, wire_length=wire_length))
    exact = data[:2] + len(body).to_bytes(2) + data[4:]
    exercise(Message.parse(exact))


KNOWN_TYPES = st.sampled_from([1, 3, 6, 8, 9, 0xA, 0xC, 0xF, 0x12, 0x14, 0x18, 0x1C, 0x1D, 0x20, 0x24, 0x8002, 0x8028])
ATTRIBUTES = st.lists(st.tuples(KNOWN_TYPES | st.integers(0, 0xFFFF), st.binary(max_size=24)), max_size=6)


@settings(max_examples=400)
@given(st.integers(0, 0x3FFF), ATTRIBUTES, st.sampled_from([bytes.fromhex("2112a442"), bytes(4)]))
def test_made_up_attributes_come_back(type: int, pairs: list[tuple[int, bytes]], cookie: bytes) -> None:
    body = b"".join(t.to_bytes(2) + len(v).to_bytes(2) + v + bytes(-len(v) % 4) for t, v in pairs)
    data = type.to_bytes(2) + len(body).to_bytes(2) + cookie + bytes(range(12)) + body
    try:
        message = Message.parse(data)
    except DecodeError:
        assert cookie == bytes(4)
        return
    exercise(message)
    if message.variant != "ms-turn":
        assert [(a.type, a.value) for a in message.attributes] == pairs


@settings(max_examples=400)
@given(st.sampled_from(sorted(SAMPLES)), st.lists(st.tuples(st.integers(0, 170), st.integers(0, 255)), max_size=6))
def test_mutated_messages_parse_or_raise_the_one_error(name: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(SAMPLES[name])
    for at, value in changes:
        data[at % len(data)] = value
    with suppress(DecodeError):
        exercise(Message.parse(data))


def test_every_defect_has_its_words_and_one_bit() -> None:
    assert list(SENTENCES) == list(Defect)
    assert len(set(SENTENCES.values())) == len(Defect)
    assert describe(Defect.CUT, 44) == "the capture holds only the beginning of the message (byte 44)"
    assert split(Defect.CUT | Defect.NO_ERROR_CODE) == (Defect.CUT, Defect.NO_ERROR_CODE)
    assert split(0) == ()


def test_the_documentation_lists_every_defect_in_the_same_words() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "stun.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")][1:]  # but for the heading
    listed = {row[1].strip(" `"): row[2].strip() for row in rows}
    assert listed == {defect.name: sentence for defect, sentence in SENTENCES.items()}
