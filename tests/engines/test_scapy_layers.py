"""scapy's layers for STUN and TURN: the RFC's vectors, and round trips against our own decoder."""

from __future__ import annotations

import pytest

pytest.importorskip("scapy")

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw, split_layers
from scapy.utils import wrpcap

import stunpcap
from stunpcap.engines.scapy_attributes import MADE
from stunpcap.engines.scapy_layers import STUN, ChannelData, StunAttribute, StunXorAddress, attribute, bind
from stunpcap.errors import UsageError
from stunpcap.stun import registry, values
from stunpcap.stun.integrity import check_integrity, short_term_key
from stunpcap.stun.message import Message
from tests.places import lab_captures

PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"
# RFC 5769 sections 2.1, 2.2, 2.3
VECTORS = {
    "request": (
        "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008"
        "932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004"
        "e57a3bcf"
    ),
    "IPv4": (
        "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a64300080014"
        "2b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
    ),
    "IPv6": (
        "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179"
        "bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
    ),
}
ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")


def rebuilt(message: STUN) -> bytes:
    """A message built from its fields alone, without the bytes it came from."""
    copy = message.copy()
    copy.raw_packet_cache = None
    for one in copy.attributes:
        one.raw_packet_cache = None
    return bytes(copy)


@pytest.mark.parametrize("name", VECTORS)
def test_rfc_5769_is_dissected_and_built_again(name: str) -> None:
    data = bytes.fromhex(VECTORS[name])
    message = STUN(data)
    assert message.transaction_id == ID
    assert bytes(message) == rebuilt(message) == data


def test_rfc_5769_request_says_what_the_rfc_says() -> None:
    message = STUN(bytes.fromhex(VECTORS["request"]))
    assert (message.message_class, message.method) == ("request", "binding")
    assert message.get("SOFTWARE").value == b"STUN test client"
    assert message.get("PRIORITY").value == 0x6E0001FF
    assert message.get("ICE-CONTROLLED").value == 0x932FF9B151263B36
    assert message.get("USERNAME").value == b"evtj:h6vY"
    assert message.get("FINGERPRINT").value == 0xE57A3BCF


@pytest.mark.parametrize(("name", "address"), [("IPv4", "192.0.2.1"), ("IPv6", "2001:db8:1234:5678:11:2233:4455:6677")])
def test_rfc_5769_responses_name_the_mapped_address(name: str, address: str) -> None:
    message = STUN(bytes.fromhex(VECTORS[name]))
    mapped = message.get("XOR-MAPPED-ADDRESS")
    assert (mapped.address, mapped.port) == (address, 32853)


@pytest.mark.parametrize(("name", "address"), [("IPv4", "192.0.2.1"), ("IPv6", "2001:db8:1234:5678:11:2233:4455:6677")])
def test_rfc_5769_responses_are_made_from_their_parts(name: str, address: str) -> None:
    software = attribute("SOFTWARE", "test vector")
    software.padding = b" "  # the RFC's vectors pad so
    made = STUN(
        type="binding success",
        transaction_id=ID,
        attributes=[
            software,
            attribute("XOR-MAPPED-ADDRESS", (address, 32853)),
            attribute("MESSAGE-INTEGRITY"),
            attribute("FINGERPRINT"),
        ],
    ).signed(short_term_key(PASSWORD))
    assert bytes(made).hex() == VECTORS[name]


def test_a_message_of_everything_reads_the_same_with_our_decoder() -> None:
    made = STUN(
        type="allocate error",
        transaction_id=ID,
        attributes=[
            attribute("USERNAME", "ä:b"),
            attribute("ERROR-CODE", (486, "Allocation Quota Reached")),
            attribute("XOR-RELAYED-ADDRESS", ("2001:db8::1", 50000)),
            attribute("XOR-PEER-ADDRESS", ("192.0.2.7", 9)),
            attribute("ALTERNATE-SERVER", ("198.51.100.1", 3478)),
            attribute("LIFETIME", 600),
            attribute("ICE-CONTROLLING", 2**63 + 5),
            attribute("USE-CANDIDATE"),
            attribute("DATA", b"\x01\x02\x03"),
            attribute("FINGERPRINT"),
        ],
    )
    message = Message.parse(bytes(made))
    assert (message.cls, message.method, message.defects) == ("error", "allocate", ())
    assert (message.username, message.error_code, message.error_reason) == ("ä:b", 486, "Allocation Quota Reached")
    assert (str(message.relayed), str(message.peer)) == ("[2001:db8::1]:50000", "192.0.2.7:9")
    assert (message.lifetime_s, message.tie_breaker, message.use_candidate) == (600, 2**63 + 5, True)
    assert message.data_value == b"\x01\x02\x03"
    assert message.fingerprint == "valid"
    assert made.get("ERROR-CODE").code == 486
    assert check_integrity(message, b"") == "absent"


@pytest.mark.parametrize("method", registry.METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("cls", registry.CLASSES)
def test_every_type_has_its_name(method: registry.Method, cls: str) -> None:
    made = STUN(type=f"{method.name} {cls}")
    assert Message.parse(bytes(made)).type == made.type == registry.message_type(cls, method.value)


@pytest.mark.parametrize("row", [row for row in registry.ATTRIBUTES if not row.context], ids=lambda row: row.name)
def test_every_attribute_of_the_registry_comes_back(row: registry.Attribute) -> None:
    value = {values.unpack_address: ("192.0.2.1", 7), values.unpack_xor_address: ("2001:db8::9", 7)}.get(row.decoder)
    size = next(size for size in (4, 8, 20, 1, 16, 0, 32) if size in row.lengths)
    one = attribute(row.name, value) if value else StunAttribute(type=row.type, value=bytes(range(1, size + 1)))
    one.type = row.type  # two rows have one name
    if row.type in MADE:
        one.value = bytes(range(1, MADE[row.type] + 1))
    data = bytes(STUN(transaction_id=ID, attributes=[one]))
    (ours,) = Message.parse(data).attributes
    assert ours.type == row.type
    assert rebuilt(STUN(data)) == data
    if value:
        assert str(ours.decoded(Message.parse(data))) in ("192.0.2.1:7", "[2001:db8::9]:7")


def test_nobody_knows_this_attribute() -> None:
    with pytest.raises(UsageError, match="NO-SUCH"):
        attribute("NO-SUCH")


def test_channel_data_with_a_check_inside() -> None:
    check = STUN(type="binding request", transaction_id=ID, attributes=[attribute("PRIORITY", 1)])
    data = bytes(ChannelData(number=0x4001) / check)
    assert data[:4] == bytes.fromhex("4001001c")
    again = ChannelData(data)
    assert again[STUN].get("PRIORITY").value == 1
    assert bytes(again) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        bytes(20),
        bytes.fromhex("0001000421 12a442".replace(" ", "")) + ID,
        b"\x00\x01\xff\xff" + bytes(30),
    ],
)
def test_damaged_messages_become_something(data: bytes) -> None:
    assert bytes(STUN(data)) == data or not data


@pytest.mark.parametrize("cut", range(4, 108, 4))
def test_cut_messages_keep_their_bytes(cut: int) -> None:
    data = bytes.fromhex(VECTORS["request"])[:cut]
    assert bytes(STUN(data)) == data


def test_messages_of_the_lab_come_back() -> None:
    count = 0
    for path in lab_captures()[::17]:
        (vantage,) = stunpcap.read(path).sources
        for offset, captured in vantage.offsets[:200].tolist():
            data = vantage.payload[offset : offset + captured]
            message = STUN(data)
            if len(data) < 20 or data[4:8] != b"\x21\x12\xa4\x42":
                assert isinstance(message, Raw)
                continue
            ours = Message.parse(data)
            assert rebuilt(message) == data
            assert [one.type for one in message.attributes] == [one.type for one in ours.attributes]
            mapped = message.get("XOR-MAPPED-ADDRESS")
            if isinstance(mapped, StunXorAddress):
                assert f"{mapped.address}:{mapped.port}" == str(ours.get("XOR-MAPPED-ADDRESS")).replace(
                    "[", ""
                ).replace("]", "")
            count += 1
    assert count > 300


def test_bound_to_a_port_it_is_found_in_packets() -> None:
    bind(3478)
    try:
        ask = Ether() / IP(dst="192.0.2.1") / UDP(sport=5000, dport=3478) / STUN(transaction_id=ID)
        again = Ether(bytes(ask))
        assert again[STUN].transaction_id == ID
        other = Ether(bytes(Ether() / IP() / UDP(sport=5000, dport=3478) / Raw(b"no STUN")))
        assert STUN not in other and other[Raw].load == b"no STUN"
        data = Ether(bytes(Ether() / IP() / UDP(sport=3478, dport=5000) / ChannelData(number=0x4002) / Raw(b"abc")))
        assert data[ChannelData].number == 0x4002 and data[Raw].load == b"abc"
    finally:
        for layer in (UDP, TCP):
            split_layers(layer, STUN, sport=3478)
            split_layers(layer, STUN, dport=3478)


def test_a_capture_made_with_the_layers_is_read(tmp_path) -> None:
    ask = STUN(
        transaction_id=ID,
        attributes=[attribute("USERNAME", "bbbb:aaaa"), attribute("PRIORITY", 7), attribute("FINGERPRINT")],
    )
    answer = STUN(
        type="binding success", transaction_id=ID, attributes=[attribute("XOR-MAPPED-ADDRESS", ("192.0.2.1", 5000))]
    )
    way = {"src": "192.0.2.1", "dst": "192.0.2.2"}
    packets = [
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(**way) / UDP(sport=5000, dport=6000) / ask,
        Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01")
        / IP(src=way["dst"], dst=way["src"])
        / UDP(sport=6000, dport=5000)
        / answer,
    ]
    for number, packet in enumerate(packets):
        packet.time = 1_700_000_000 + number / 10
    wrpcap(str(tmp_path / "made.pcap"), packets)
    row = next(stunpcap.read(tmp_path / "made.pcap").table("transactions").records())
    assert (row["outcome"], row["mapped"], row["username"]) == ("success", "192.0.2.1:5000", "bbbb:aaaa")
    assert row["rtt_s"] == pytest.approx(0.1)
