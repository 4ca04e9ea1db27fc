"""Attribute values: a row of bytes for each format, good and bad."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stunpcap.stun import registry
from stunpcap.stun import values as v
from stunpcap.stun.attributes import RawAttribute
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

KEY = bytes.fromhex("2112a442b7e7a701bc34d686fa87dfae")
OLD_ID = bytes.fromhex("9429ef88294dd52632c72931cb8dbb4c")
V6 = "2001:db8:1234:5678:11:2233:4455:6677"
V6_HEX = "20010db8123456780011223344556677"

GOOD: list[tuple[v.Decoder, str, Value, str]] = [
    (v.unpack_raw, "00ff", b"\0\xff", ""),
    (v.unpack_flag, "", True, ""),
    (v.unpack_uint, "6e0001ff", 0x6E0001FF, "1845494271"),
    (v.unpack_uint, "932ff9b151263b36", 0x932FF9B151263B36, ""),
    (v.unpack_hex, "72c64bc6", "72c64bc6", "72c64bc6"),
    (v.unpack_text, "c3a46f", "äo", "äo"),
    (v.unpack_text, "", "", ""),
    (v.unpack_padded_text, "76312e300000", "v1.0", ""),
    (v.unpack_opaque_text, "6162", "ab", ""),
    (v.unpack_opaque_text, "6100", b"a\0", ""),
    (v.unpack_opaque_text, "ff", b"\xff", ""),
    (v.unpack_address, "00018055c0000201", Address("192.0.2.1", 0x8055), "192.0.2.1:32853"),
    (v.unpack_address, "00028055" + V6_HEX, Address(V6, 0x8055), f"[{V6}]:32853"),
    (v.unpack_xor_address, "0001a147e112a643", Address("192.0.2.1", 32853), ""),
    (v.unpack_xor_address, "0002a1470113a9faa5d3f179bc25f4b5bed2b9d9", Address(V6, 32853), ""),
    (v.unpack_error, "0000040153544f50", ErrorValue(401, "STOP"), "401 STOP"),
    (v.unpack_error, "00000300", ErrorValue(300, ""), "300"),
    (v.unpack_error, "00000663", ErrorValue(699, ""), "699"),
    (v.unpack_family_error, "020004286e6f", FamilyError("ipv6", 440, "no"), "ipv6: 440 no"),
    (v.unpack_family, "01000000", "ipv4", ""),
    (v.unpack_family, "02000000", "ipv6", ""),
    (v.unpack_u16_head, "40010000", 0x4001, ""),
    (v.unpack_u16_list, "00240025", (0x24, 0x25), ""),
    (v.unpack_u16_list, "", (), ""),
    (v.unpack_transport, "11000000", "udp", ""),
    (v.unpack_transport, "06000000", "tcp", ""),
    (v.unpack_transport, "84000000", "132", ""),
    (v.unpack_even_port, "80", True, ""),
    (v.unpack_even_port, "00", False, ""),
    (v.unpack_icmp, "00000304000005dc", Icmp(3, 4, 1500), "type 3, code 4, data 1500"),
    (v.unpack_change_request, "00000006", ChangeRequest(True, True), "change ip and port"),
    (v.unpack_change_request, "00000002", ChangeRequest(False, True), "change port"),
    (v.unpack_change_request, "00000004", ChangeRequest(True, False), "change ip"),
    (v.unpack_change_request, "00000000", ChangeRequest(False, False), "change nothing"),
    (v.unpack_counter, "00000301", TransmitCounter(3, 1), "request 3, response 1"),
    (v.unpack_network_info, "00010384", NetworkInfo(1, 900), "network 1, cost 900"),
    (v.unpack_ecn, "00000005", EcnCheck(True, 2), "ECN 10"),
    (v.unpack_ecn, "00000000", EcnCheck(False, 0), "ECN unknown"),
    (v.unpack_algorithm, "00020000", PasswordAlgorithm(2, b""), "SHA-256"),
    (
        v.unpack_algorithms,
        "000100000002000161000000",
        (PasswordAlgorithm(1, b""), PasswordAlgorithm(2, b"a")),
        "",
    ),
    (v.unpack_algorithm, "00070002abcd0000", PasswordAlgorithm(7, b"\xab\xcd"), "0x0007 abcd"),
    (v.unpack_ms_sequence, "ab" * 20 + "00000007", SequenceNumber("ab" * 20, 7), "7 on " + "ab" * 20),
    (v.unpack_ms_sequence, "00000001", SequenceNumber("", 1), "1"),
    (v.unpack_ms_quality, "00020001", ServiceQuality("video", True), "video, reliable"),
    (v.unpack_ms_quality, "00090000", ServiceQuality("stream type 9", False), "stream type 9, best effort"),
]


@pytest.mark.parametrize(("unpack", "value", "expected", "text"), GOOD)
def test_good_values(unpack: v.Decoder, value: str, expected: Value, text: str) -> None:
    found = unpack(bytes.fromhex(value), KEY)
    assert found == expected
    assert type(found) is type(expected)
    if text:
        assert str(found) == text


BAD: list[tuple[v.Decoder, str, Defect, Value | None]] = [
    (v.unpack_text, "61ff1b", Defect.BAD_TEXT, "a\\xff\x1b"),
    (v.unpack_padded_text, "c300", Defect.BAD_TEXT, "\\xc3"),
    (v.unpack_address, "00038055c0000201", Defect.ADDRESS_FAMILY, None),
    (v.unpack_address, "00028055c0000201", Defect.ADDRESS_FAMILY, None),
    (v.unpack_address, "00018055" + V6_HEX, Defect.ADDRESS_FAMILY, None),
    (v.unpack_xor_address, "0000a147e112a643", Defect.ADDRESS_FAMILY, None),
    (v.unpack_error, "00000263", Defect.ERROR_CODE_RANGE, ErrorValue(299, "")),
    (v.unpack_error, "00000700", Defect.ERROR_CODE_RANGE, ErrorValue(700, "")),
    (v.unpack_error, "00000464", Defect.ERROR_CODE_RANGE, ErrorValue(500, "")),
    (v.unpack_error, "00000401ff", Defect.BAD_TEXT, ErrorValue(401, "\\xff")),
    (v.unpack_error, "00000001ff", Defect.BAD_TEXT | Defect.ERROR_CODE_RANGE, ErrorValue(1, "\\xff")),
    (v.unpack_family_error, "03000428", Defect.ADDRESS_FAMILY, FamilyError("family 3", 440, "")),
    (v.unpack_family, "00000000", Defect.ADDRESS_FAMILY, None),
    (v.unpack_algorithm, "00020001", Defect.VALUE_LENGTH, None),
    (v.unpack_algorithms, "0001000000", Defect.VALUE_LENGTH, (PasswordAlgorithm(1, b""),)),
    (v.unpack_algorithms, "00010009abcd", Defect.VALUE_LENGTH, ()),
]


@pytest.mark.parametrize(("unpack", "value", "defect", "kept"), BAD)
def test_bad_values_keep_what_could_be_read(unpack: v.Decoder, value: str, defect: Defect, kept: Value | None) -> None:
    with pytest.raises(v.BadValue) as caught:
        unpack(bytes.fromhex(value), KEY)
    assert caught.value.defect == defect
    assert caught.value.value == kept


def test_before_the_cookie_addresses_were_xored_with_the_id() -> None:
    # [MS-TURN] 2.2.2.16 gives the example: port 0x1122, id beginning 0x4455, result 0x5577.
    key = bytes.fromhex("4455") + OLD_ID[2:]
    assert v.unpack_xor_address(bytes.fromhex("00015577") + key[:4], key) == Address("0.0.0.0", 0x1122)


def attribute(row: registry.Attribute, value: bytes) -> RawAttribute:
    return RawAttribute(row.type, 20, len(value), value, b"", row, False)


@pytest.mark.parametrize("row", registry.ATTRIBUTES, ids=lambda row: f"{row.name}-{row.context}")
def test_no_value_of_any_length_raises(row: registry.Attribute) -> None:
    for fill in (b"\0", b"\xff", b"\x01"):
        for length in range(45):
            value, defect = attribute(row, fill * length).check(KEY)
            assert str(value) is not None
            assert (length in row.lengths) == (defect != Defect.VALUE_LENGTH) or row.decoder in (
                v.unpack_algorithm,
                v.unpack_algorithms,
            )


@given(st.sampled_from(registry.ATTRIBUTES), st.binary(max_size=80), st.binary(min_size=16, max_size=16))
def test_no_bytes_raise(row: registry.Attribute, value: bytes, key: bytes) -> None:
    attribute(row, value).check(key)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAPPED-ADDRESS", "ff018055c0000201"),
        ("ERROR-CODE", "00010401"),
        ("ERROR-CODE", "00000c01"),
        ("CHANNEL-NUMBER", "40000001"),
        ("EVEN-PORT", "01"),
        ("REQUESTED-TRANSPORT", "11000001"),
        ("REQUESTED-ADDRESS-FAMILY", "01010000"),
        ("CHANGE-REQUEST", "00000008"),
        ("TRANSACTION_TRANSMIT_COUNTER", "01000101"),
        ("ICMP", "0100030400000000"),
        ("ADDRESS-ERROR-CODE", "02010428"),
    ],
)
def test_reserved_bits_are_noticed(name: str, value: str) -> None:
    row = registry.attribute(name)
    decoded, defect = attribute(row, bytes.fromhex(value)).check(KEY)
    assert defect == Defect.RESERVED_BITS
    assert not isinstance(decoded, bytes)
