"""Keys and HMACs against the RFCs' test vectors, and against another implementation where it is installed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import pytest

from stunpcap.errors import UsageError
from stunpcap.stun.integrity import check_integrity, fingerprint, long_term_key, prepare, short_term_key
from stunpcap.stun.message import Message

Build = Callable[..., bytes]

PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"
USER = "\u30de\u30c8\u30ea\u30c3\u30af\u30b9"

# RFC 5769 sections 2.1, 2.2, 2.3: short-term credentials
SHORT_TERM = {
    "request": (
        "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008"
        "932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004"
        "e57a3bcf",
        None,
    ),
    "IPv4 response": (
        "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a64300080014"
        "2b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96",
        "192.0.2.1:32853",
    ),
    "IPv6 response": (
        "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179"
        "bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c",
        "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
    ),
}
# RFC 5769 section 2.4: long-term credentials
LONG_TERM = bytes.fromhex(
    "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b900000015001c662f2f3439"
    "396b39353464364f4c33346f4c394653547679363473410014000b6578616d706c652e6f72670000080014f67024656dd64a3e02"
    "b8e0712e85c9a28ca89666"
)
# RFC 8489 appendix B.1 as corrected by erratum 6268: SHA-256 for the key as well, so PASSWORD-ALGORITHM is there.
SHA256 = bytes.fromhex(
    "000100902112a44278ad3433c6ad72c029da412e001e00204a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f"
    "1704001500296f624d61744a6f733241414143662f2f3439396b39353464364f4c33346f4c39465354767936347341000000"
    "0014000b6578616d706c652e6f726700001d000400020000001c0020b5c7bf005b6c52a21c51c5e892f81924136296cb927c4314"
    "9309278cc6518e65"
)


@pytest.mark.parametrize("name", SHORT_TERM)
def test_rfc_5769_short_term(name: str) -> None:
    data = bytes.fromhex(SHORT_TERM[name][0])
    key = short_term_key(PASSWORD)
    assert check_integrity(data, key) == "valid"
    assert check_integrity(Message.parse(data), key) == "valid"
    assert check_integrity(data, key + b"?") == "invalid"
    message = Message.parse(data)
    assert message.fingerprint == "valid"
    assert message.get("FINGERPRINT") == fingerprint(data[:-8])
    assert (message.mapped and str(message.mapped)) == SHORT_TERM[name][1]
    assert message.found == ()


def test_rfc_5769_long_term() -> None:
    message = Message.parse(LONG_TERM)
    assert (message.username, message.realm, message.nonce) == (USER, "example.org", "f//499k954d6OL34oL9FSTvy64sA")
    assert check_integrity(LONG_TERM, long_term_key(USER, "example.org", "The\u00adM\u00aatr\u2168")) == "valid"
    assert check_integrity(LONG_TERM, long_term_key(USER, "example.org", "TheMatrIX")) == "valid"
    assert check_integrity(LONG_TERM, long_term_key(USER, "example.com", "TheMatrIX")) == "invalid"
    assert check_integrity(LONG_TERM, long_term_key(USER, "example.org", "TheMatrIX", "SHA-256")) == "invalid"


def test_rfc_8489_appendix_b_1() -> None:
    message = Message.parse(SHA256)
    assert message.get("USERHASH") == hashlib.sha256(f"{USER}:example.org".encode()).hexdigest()
    assert str(message.get("PASSWORD-ALGORITHM")) == "SHA-256"
    key = long_term_key(USER, "example.org", "The\u00adM\u00aatr\u2168", "SHA-256")
    assert check_integrity(SHA256, key) == "valid"
    assert check_integrity(SHA256, long_term_key(USER, "example.org", "TheMatrIX")) == "invalid"
    assert message.found == ()


def test_every_changed_bit_is_noticed() -> None:
    data = bytes.fromhex(SHORT_TERM["request"][0])
    key = short_term_key(PASSWORD)
    for at in (*range(8, 20), 25, 44, 54, 64, 80, 95):
        spoilt = bytearray(data)
        spoilt[at] ^= 0x10
        assert check_integrity(bytes(spoilt), key) == "invalid", at


def with_hmac(head: bytes, type: int, size: int, digest: str, key: bytes, *, filled: bool = False) -> bytes:
    """Append an HMAC to a message, computed straight from the RFC's words."""
    length = len(head) - 20 + 4 + size
    text = head[:2] + length.to_bytes(2) + head[4:]
    covered = text + bytes(-len(text) % 64) if filled else text
    return text + type.to_bytes(2) + size.to_bytes(2) + hmac.new(key, covered, digest).digest()[:size]


@pytest.mark.parametrize("size", [16, 20, 24, 28, 32])
def test_sha256_may_be_truncated(build: Build, size: int) -> None:
    data = with_hmac(build(0x0001, (0x0006, b"abcd")), 0x001C, size, "sha256", b"key")
    assert check_integrity(data, b"key") == "valid"
    assert check_integrity(data, b"kex") == "invalid"


@pytest.mark.parametrize("size", [0, 12, 15, 17, 33, 36])
def test_sha256_of_another_length_is_invalid(build: Build, size: int) -> None:
    assert check_integrity(build(0x0001, (0x001C, bytes(size))), b"key") == "invalid"


def test_both_hmacs_have_to_match(build: Build) -> None:
    first = with_hmac(build(0x0001, (0x0006, b"abcd")), 0x0008, 20, "sha1", b"key")
    assert check_integrity(with_hmac(first, 0x001C, 32, "sha256", b"key"), b"key") == "valid"
    assert check_integrity(with_hmac(first, 0x001C, 32, "sha256", b"other"), b"key") == "invalid"


def test_what_follows_the_hmac_does_not_matter(build: Build) -> None:
    data = with_hmac(build(0x0001, (0x0006, b"abcd")), 0x0008, 20, "sha1", b"key")
    longer = data[:2] + (len(data) - 20 + 8).to_bytes(2) + data[4:] + bytes.fromhex("80220004") + b"late"
    assert check_integrity(longer, b"key") == "valid"


def test_libwebrtc_s_short_hmac(build: Build) -> None:
    data = with_hmac(build(0x0200), 0xC060, 4, "sha1", b"key")
    message = Message.parse(data)
    assert (message.method, message.cls, message.integrity) == ("goog-ping", "request", "present")
    assert check_integrity(data, b"key") == "valid"
    assert check_integrity(data, b"kex") == "invalid"


@pytest.mark.parametrize("filled", [False, True])
def test_classic_stun_may_fill_up_with_zeros(build: Build, filled: bool) -> None:
    head = build(0x0001, (0x0006, b"user" * 3), id=bytes(range(1, 17)))
    data = with_hmac(head, 0x0008, 20, "sha1", b"key", filled=filled)
    assert Message.parse(data).variant == "classic"
    assert check_integrity(data, b"key") == "valid"
    assert check_integrity(data, b"kex") == "invalid"


@pytest.mark.parametrize(("size", "digest"), [(20, "sha1"), (32, "sha256")])
def test_microsoft_s_relay_knows_two_hashes(build: Build, size: int, digest: str) -> None:
    head = build(0x0003, (0x000F, bytes.fromhex("72c64bc6")), (0x0015, b"realm!"), padded=False)
    data = with_hmac(head, 0x0008, size, digest, b"key", filled=True)
    assert Message.parse(data).found == ()
    assert check_integrity(data, b"key") == "valid"


def test_with_the_cookie_nothing_is_filled_up(build: Build) -> None:
    data = with_hmac(build(0x0001, (0x0006, b"abcd")), 0x0008, 20, "sha1", b"key", filled=True)
    assert check_integrity(data, b"key") == "invalid"


def test_absent_and_cut(build: Build) -> None:
    assert check_integrity(build(0x0001), b"key") == "absent"
    assert check_integrity(build(0x0001, (0x8022, b"x"), (0x8028, bytes(4))), b"key") == "absent"
    data = bytes.fromhex(SHORT_TERM["request"][0])
    assert check_integrity(Message.parse(data[:90], wire_length=len(data)), short_term_key(PASSWORD)) == "invalid"


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("plain", "plain"),
        ("I\u00adX", "IX"),  # RFC 4013 section 3
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("bell\x07", "bell\x07"),  # prohibited: left alone
    ],
)
def test_saslprep(text: str, prepared: str) -> None:
    assert prepare(text) == prepared


def test_unknown_algorithm() -> None:
    with pytest.raises(UsageError, match="MD4"):
        long_term_key("u", "r", "p", "MD4")  # type: ignore[arg-type]


def test_against_aioice() -> None:
    stun = pytest.importorskip("aioice.stun")
    message = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    message.attributes["USERNAME"] = "abcd:efgh"
    message.attributes["PRIORITY"] = 1845501695
    message.attributes["ICE-CONTROLLING"] = 0xFFFF0000FFFF0000
    message.add_message_integrity(short_term_key("s3cret"))
    data = bytes(message)
    ours = Message.parse(data)
    assert check_integrity(ours, b"s3cret") == "valid"
    assert check_integrity(ours, b"secret") == "invalid"
    assert ours.fingerprint == "valid"
    assert ours.transaction_id == message.transaction_id.hex()
    assert (ours.username, ours.priority, ours.role) == ("abcd:efgh", 1845501695, "controlling")
    assert ours.tie_breaker == 0xFFFF0000FFFF0000
    assert ours.found == ()
