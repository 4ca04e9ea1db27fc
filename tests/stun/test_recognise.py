"""What is STUN and what only looks like it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stunpcap.errors import DecodeError
from stunpcap.stun import registry
from stunpcap.stun.message import Message
from stunpcap.stun.recognise import recognise

OLD_ID = bytes.fromhex("9429ef88294dd52632c72931cb8dbb4c")

# As captured in the wild.
CLASSIC = {
    "request": "000100089429ef88294dd52632c72931cb8dbb4c0003000400000000",
    "response": "0101000c9429ef88294dd52632c72931cb8dbb4c000100080001d70aac103fe0",
    "id that begins with zeros": "000100080000000000000000000000000b87dfce0003000400000000",
}
ZOOM = "0001001845589a049d6523142743e224714a8c2e010100143132333435363738393031323334353637383900"
MS_COOKIE = (
    "000300302112a442b2343f6e67f41d58acba639f000f000472c64bc6803700040000000280080004000000068006000400000001"
    "0010000400002ee08055000400020002"
)
MS_DATA = (
    "01150070a0795becf1604648d01bc53f83135ee3000f000472c64bc60012000800013fcc5d476ecd00130058010100442112a442"
    "1fdcb7deedadfe36324f6fb580700004000000070020000800012c8a15605ecf8037000400000002803600040000000100080014"
    "2ee276cc90deb9194db7e366460751d3bb27cbe2802800049b492f70"
)


@pytest.mark.parametrize("name", CLASSIC)
def test_classic(name: str) -> None:
    message = Message.parse(bytes.fromhex(CLASSIC[name]))
    assert (message.classic, message.variant, message.method, message.found) == (True, "classic", "binding", ())
    assert message.transaction_id == CLASSIC[name][8:40]


def test_classic_values() -> None:
    request, response = (Message.parse(bytes.fromhex(CLASSIC[name])) for name in ("request", "response"))
    assert str(request.get("CHANGE-REQUEST")) == "change nothing"
    assert str(response.mapped) == "172.16.63.224:55050"


def test_zoom() -> None:
    message = Message.parse(bytes.fromhex(ZOOM))
    assert (message.classic, message.variant, message.cls, message.method) == (True, "zoom", "request", "binding")
    answer = Message.parse(b"\0\2" + bytes.fromhex(ZOOM)[2:])
    assert (answer.variant, answer.cls, answer.method) == ("zoom", "success", "binding")


@pytest.mark.parametrize(
    ("attributes", "mapped"),
    [
        ("0103 0008 0001 c001 c6336402", "198.51.100.2:49153"),
        ("0103 0014 0002 c001 20010db8000000000000000000000001", "[2001:db8::1]:49153"),
        ("0103 0008 0001 c001 c6336402 0001 0008 0001 0bb8 c0000201", "192.0.2.1:3000"),
        ("0001 0008 0001 0bb8 c0000201 0103 0008 0001 c001 c6336402", "192.0.2.1:3000"),
        ("0103 0008 0003 c001 c6336402", "None"),
        ("0103 0004 0001 c001", "None"),
    ],
)
def test_how_zoom_saw_its_client(attributes: str, mapped: str) -> None:
    """Family, port, address as in MAPPED-ADDRESS; the bulk decoder says the same (tests/stun/test_columns.py)."""
    body = bytes.fromhex(attributes)
    answer = Message.parse(bytes.fromhex("0002") + len(body).to_bytes(2) + bytes.fromhex(ZOOM)[4:20] + body)
    assert (answer.variant, str(answer.mapped)) == ("zoom", mapped)


def test_microsoft_with_and_without_the_cookie_of_rfc_5389() -> None:
    allocate = Message.parse(bytes.fromhex(MS_COOKIE))
    assert (allocate.classic, allocate.variant, allocate.cls, allocate.method) == (
        False,
        "ms-turn",
        "request",
        "allocate",
    )
    assert allocate.transaction_id == "b2343f6e67f41d58acba639f"
    assert str(allocate.get("MS-SERVICE-QUALITY")) == "video, best effort"
    data = Message.parse(bytes.fromhex(MS_DATA))
    assert (data.classic, data.variant, data.cls, data.method) == (True, "ms-turn", "indication", "data")
    assert data.transaction_id == "a0795becf1604648d01bc53f83135ee3"
    assert str(data.peer) == "93.71.110.205:16332"
    assert data.data_value is not None
    inner = Message.parse(data.data_value)
    assert (inner.variant, inner.fingerprint, str(inner.mapped)) == ("", "valid", "52.114.250.141:3480")


def test_microsoft_does_not_pad(build: Callable[..., bytes]) -> None:
    attributes = [
        (0x000F, bytes.fromhex("72c64bc6")),
        (0x0014, b"nonce"),
        (0x0015, b"realm!"),
        (0x0001, bytes.fromhex("00010d98c0000201")),
        (0x8020, bytes.fromhex("0001") + bytes.fromhex("2fc9e112a643")),
    ]
    message = Message.parse(build(0x0103, *attributes, padded=False))
    assert message.found == ()
    assert (message.realm, message.nonce) == ("realm!", "nonce")
    assert str(message.relayed) == "192.0.2.1:3480"
    assert str(message.mapped) == "192.0.2.1:3803"


NOT_STUN = {
    "type 0x0000": "0000" + CLASSIC["request"][4:],
    "type 0x0011": "0011" + CLASSIC["request"][4:],
    "type 0x0003 without Microsoft's cookie": "0003" + CLASSIC["request"][4:],
    "length too small": "00010004" + CLASSIC["request"][8:],
    "length too large": "0001000c" + CLASSIC["request"][8:],
    "length no multiple of 4": "0001000a" + CLASSIC["request"][8:] + "0000",
    "trailing bytes": CLASSIC["request"] + "00000000",
    "id of zeros": "00010008" + "00" * 16 + "0003000400000000",
    "attribute over the end": "00010008" + OLD_ID.hex() + "0003000800000000",
    "attribute of our days": "00010008" + OLD_ID.hex() + "0019000411000000",
    "unknown attribute": "00010008" + OLD_ID.hex() + "7fff000400000000",
    "Zoom's attribute in a response": "0101" + ZOOM[4:],
    "bare response": "01010000" + OLD_ID.hex(),
    "bare request of zeros": "00010000" + "00" * 16,
    "Microsoft's cookie, second": "00030010" + OLD_ID.hex() + "0008000400000000" + "000f000472c64bc6",
    "Microsoft's cookie, wrong value": MS_DATA.replace("72c64bc6", "72c64bc7"),
}


@pytest.mark.parametrize("name", NOT_STUN)
def test_not_classic(name: str) -> None:
    with pytest.raises(DecodeError):
        Message.parse(bytes.fromhex(NOT_STUN[name]))


def test_a_bare_classic_request_is_stun() -> None:
    assert recognise(bytes.fromhex("00010000") + OLD_ID, 20) == (True, "classic")


def test_classic_that_is_cut_is_not_recognised() -> None:
    whole = bytes.fromhex(CLASSIC["request"])
    for size in range(len(whole)):
        with pytest.raises(DecodeError):
            Message.parse(whole[:size], wire_length=len(whole))


@pytest.mark.parametrize(
    ("data", "problem", "place", "offset"),
    [
        (b"", "too short for a STUN header", "header", 0),
        (b"\0" * 19, "too short for a STUN header", "header", 19),
        (b"\x80" + b"\0" * 30, "the two top bits are not zero", "message type", 0),
        (b"\x40" + b"\0" * 30, "the two top bits are not zero", "message type", 0),
        (b"\0\1" + b"\0" * 30, "neither the magic cookie nor a message of RFC 3489", "magic cookie", 4),
    ],
)
def test_the_error_says_where(data: bytes, problem: str, place: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        Message.parse(data)
    assert (caught.value.problem, caught.value.place, caught.value.offset) == (problem, place, offset)


def dns(id: int, flags: int, name: bytes) -> bytes:
    return id.to_bytes(2) + flags.to_bytes(2) + bytes.fromhex("0001000000000000") + name + bytes.fromhex("0000010001")


OTHERS = {
    "DNS": dns(1, 0, b"\x01a"),
    "DNS, answer": dns(0x0101, 0x8180, b"\x07example\x03com"),
    "mDNS": dns(0, 0, b"\x07example\x05local"),
    "TFTP": b"\0\1firmware.bin\0octet\0",
    "DHCP": bytes.fromhex("01010600") + bytes(296),
    "RADIUS": bytes.fromhex("01010014") + bytes(range(16)),
    "SSDP": b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n",
    "NTP": b"\x23" + bytes(47),
    "WireGuard": bytes.fromhex("01000000") + bytes(range(144)),
    "QUIC short": b"\x41" + bytes(range(40)),
    "RTP": b"\x80\x60" + bytes(range(60)),
    "DTLS": bytes.fromhex("16fefd0000000000000000") + bytes(80),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_protocols_are_not_stun(name: str) -> None:
    with pytest.raises(DecodeError):
        Message.parse(OTHERS[name])


@given(st.sampled_from([0x0001, 0x0101, 0x0111, 0x0002]), st.binary(min_size=16, max_size=16), st.binary(max_size=64))
def test_random_bytes_behind_a_classic_type_are_seldom_stun(type: int, id: bytes, body: bytes) -> None:
    data = type.to_bytes(2) + len(body).to_bytes(2) + id + body
    try:
        message = Message.parse(data)
    except DecodeError:
        return
    assert message.variant in ("classic", "zoom", "")
    assert not message.classic or sum(4 + a.length + len(a.padding) for a in message.attributes) == len(body)


def test_the_documentation_lists_the_attributes_that_are_allowed_without_cookie() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "stun.md").read_text(encoding="utf-8")
    condition = text[text.index("6. each attribute") : text.index("7. there is at least")]
    listed = {int(code, 16) for code in re.findall(r"0x([0-9A-F]{4})", condition)} | set(range(0x0001, 0x000C))
    assert listed == registry.CLASSIC_ATTRIBUTES
    assert all(f"0x{type:04X}" in text for type in registry.ZOOM_ATTRIBUTES)
