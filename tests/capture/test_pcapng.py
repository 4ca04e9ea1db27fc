"""The pcapng reader, block by block."""

import io
import struct

import pytest
from capture_writers import (
    PCAPNG,
    block,
    enhanced,
    interface,
    load,
    old_packet,
    option,
    pcap_header,
    problems,
    record,
    section,
    simple,
)

import stunpcap
from stunpcap.capture import INBOUND, OUTBOUND, UNKNOWN, Interface
from stunpcap.errors import CaptureError

START = section() + interface()
S = 1_700_000_000 * 10**9


def test_all_kinds_in_two_byte_orders():
    packets, capture = load(PCAPNG)
    assert capture.format == "pcapng"
    assert not [p for p in problems(capture) if "simple" not in p]
    assert [(p.frame, p.data, p.time_ns - S, p.interface, p.direction) for p in packets] == [
        (1, b"\1" * 5, 5000, 0, INBOUND),
        (2, b"\2" * 9, 5000, 0, OUTBOUND),
        (3, b"\3" * 3, 10**9, 1, UNKNOWN),
        (4, b"\4" * 7, 10**9, 1, UNKNOWN),
        (5, b"\5" * 4, 2 * 10**9, 1, UNKNOWN),
    ]
    assert capture.interfaces == [Interface(1, 0, "eth0", ""), Interface(101, 0, "", "")]
    assert capture.comments == {0: ["made by hand", "the only one"], 1: ["look here"]}


@pytest.mark.parametrize("e", "<>")
def test_fields(e):
    raw = section(e) + interface(
        276, 96, option(2, b"any\0", e) + option(3, "Büro".encode(), e) + option(13, b"\4", e), e
    )
    raw += enhanced(b"abcde", ticks=(7 << 32) + 9, wirelen=1400, e=e)
    packets, capture = load(raw)
    assert capture.interfaces == [Interface(276, 96, "any", "Büro")]
    assert (packets[0].data, packets[0].wirelen, packets[0].time_ns) == (b"abcde", 1400, ((7 << 32) + 9) * 1000)


@pytest.mark.parametrize("e", "<>")
@pytest.mark.parametrize(
    ("resolution", "ticks", "time_ns"),
    [
        (0, 1_700_000_000, S),
        (3, 1_700_000_000_123, S + 123_000_000),
        (6, 1_700_000_000_123_456, S + 123_456_000),
        (9, S + 123_456_789, S + 123_456_789),
        (12, 1_700_000_123_456_789_999, 1_700_000_123_456_789),
        (19, 2**64 - 1, 1_844_674_407),
        (127, 2**64 - 1, 0),
        (0x80, 1_700_000_000, S),
        (0x80 + 10, (1_700_000_000 << 10) + 513, S + 513 * 10**9 // 1024),
        (0x80 + 32, (1_700_000_000 << 32) + 0xFFFFFFFF, S + 999_999_999),
        (0x80 + 40, 2**64 - 1, (2**64 - 1) * 10**9 >> 40),
        (0x80 + 64, 2**64 - 1, 999_999_999),
        (0x80 + 95, 2**64 - 1, 0),
        (0xFF, 2**64 - 1, 0),
    ],
)
def test_resolutions(resolution, ticks, time_ns, e):
    raw = section(e) + interface(options=option(9, bytes([resolution]), e), e=e) + enhanced(ticks=ticks, e=e)
    packets, capture = load(raw)
    assert packets[0].time_ns == time_ns
    assert not capture.defects


@pytest.mark.parametrize("e", "<>")
@pytest.mark.parametrize("shift", [-100, 0, 3600, -1_700_000_100])
def test_time_offset(shift, e):
    raw = section(e) + interface(options=option(14, struct.pack(e + "q", shift), e), e=e) + enhanced(e=e)
    packets, capture = load(raw)
    assert packets[0].time_ns == S + 5000 + shift * 10**9
    assert not capture.defects


@pytest.mark.parametrize("shift", [2**63 - 1, -(2**63), 10**10])
def test_time_beyond_all_years(shift):
    raw = START + interface(options=option(14, struct.pack("<q", shift))) + enhanced() + enhanced(which=1)
    packets, capture = load(raw)
    assert [p.time_ns for p in packets] == [S + 5000] * 2
    [defect] = capture.defects
    assert defect.frame == 1 and "outside of the years" in defect.problem


def test_interfaces_of_different_resolution_mixed():
    raw = START + interface(options=option(9, b"\x09")) + interface(options=option(9, b"\x8a"))
    raw += enhanced(ticks=3_000_000) + enhanced(ticks=3_000_000, which=1) + enhanced(ticks=3072, which=2)
    packets, _ = load(raw)
    assert [p.time_ns for p in packets] == [3 * 10**9, 3_000_000, 3 * 10**9]


def test_sections_have_interfaces_of_their_own():
    raw = START + interface(101) + enhanced(which=1) + section(">") + interface(113, e=">") + enhanced(e=">")
    packets, capture = load(raw)
    assert [capture.interfaces[p.interface].linktype for p in packets] == [101, 113]


def test_section_length_is_not_trusted():
    packets, capture = load(section(length=4) + interface() + enhanced() + enhanced())
    assert len(packets) == 2 and not capture.defects


def test_interface_described_between_packets():
    packets, _ = load(START + enhanced() + interface(101) + enhanced(which=1) + enhanced())
    assert [(p.frame, p.interface) for p in packets] == [(1, 0), (2, 1), (3, 0)]


def test_simple_packets_end_at_the_snap_length_and_have_no_time():
    packets, capture = load(section() + interface(snaplen=4) + simple(b"abcd", wirelen=99) + enhanced() + simple(b"ab"))
    assert [(p.data, p.wirelen, p.time_ns) for p in packets] == [
        (b"abcd", 99, 0),
        (b"abcdef", 6, S + 5000),
        (b"ab", 2, S + 5000),
    ]
    [defect] = capture.defects
    assert "no time" in defect.problem


def test_old_packets_carry_flags():
    packets, _ = load(START + old_packet(options=option(2, struct.pack("<I", 2))))
    assert [(p.data, p.time_ns, p.direction) for p in packets] == [(b"abcdef", S + 5000, OUTBOUND)]


@pytest.mark.parametrize(("flags", "direction"), [(0, 0), (1, INBOUND), (2, OUTBOUND), (3, 0), (0xFFFFFFFD, INBOUND)])
def test_flags(flags, direction):
    options = option(0x8001, b"odd") + option(2, struct.pack("<I", flags)) + option(0, b"")
    packets, _ = load(START + enhanced(options=options) + enhanced())
    assert [p.direction for p in packets] == [direction, UNKNOWN]


def test_comments_of_packets():
    raw = START + enhanced() + enhanced(b"abc", options=option(1, b"one") + option(1, b"zw\xc3\xb6lf"))
    raw += simple() + enhanced(options=option(1, b"\xff") + option(0, b"") + option(1, b"after the end"))
    _, capture = load(raw)
    assert capture.comments == {2: ["one", "zwölf"], 4: ["\ufffd"]}


def test_comments_are_bounded():
    long = option(1, b"x" * 65000)
    _, capture = load(START + enhanced(options=long) * 300)
    assert len(capture.comments) == (16 << 20) // 65000
    assert len(capture.defects) == 1


@pytest.mark.parametrize("kind", [9, 0xBAD, 0x40000BAD, 0x204, 0x216, 0x221])
def test_blocks_that_wireshark_counts_as_frames(kind):
    packets, capture = load(START + enhanced() + block(kind, b"12345678") + enhanced())
    assert [p.frame for p in packets] == [1, 3] and not capture.defects


@pytest.mark.parametrize("kind", [4, 5, 10, 0x77, 0x80000001, 0xFFFFFFFF])
def test_blocks_that_are_skipped(kind):
    packets, capture = load(START + enhanced() + block(kind, b"12345678") + block(kind, b"") + enhanced())
    assert [p.frame for p in packets] == [1, 2] and not capture.defects


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (enhanced(which=1), "does not describe"),
        (block(6, struct.pack("<IIIII", 0, 0, 0, 99, 99) + b"abc"), "longer than the block"),
        (block(6, b"short"), "longer than the block"),
        (block(3, struct.pack("<I", 99) + b"abc"), "longer than the block"),
        (block(3, b""), "longer than the block"),
    ],
)
def test_packets_left_out(bad, problem):
    packets, capture = load(START + enhanced() + bad + bad + enhanced())
    assert [p.frame for p in packets] == [1, 2]
    [defect] = capture.defects
    assert (defect.frame, defect.offset) == (1, len(START + enhanced()))
    assert problem in defect.problem


def test_packet_before_any_interface():
    packets, capture = load(section() + simple() + enhanced())
    assert not packets and "does not describe" in problems(capture)[0]


def test_option_longer_than_its_block():
    packets, capture = load(START + enhanced() + enhanced(options=option(1, b"kept") + struct.pack("<HH", 1, 400)))
    assert len(packets) == 2 and capture.comments == {2: ["kept"]}
    [defect] = capture.defects
    assert defect.frame == 2 and "longer than its block" in defect.problem


def test_lengths_that_disagree():
    packets, capture = load(START + enhanced() + enhanced(trailer=8) + enhanced())
    assert len(packets) == 3
    [defect] = capture.defects
    assert (defect.frame, defect.offset) == (1, len(START + enhanced())) and "disagree" in defect.problem
    packets, capture = load(START + enhanced() + enhanced(trailer=8) + b"something else altogether")
    assert len(packets) == 1 and "damaged here" in problems(capture)[0]


@pytest.mark.parametrize("length", [0, 4, 11, 13, 14, 16 * 1024 * 1024 + 4, 0xFFFFFFFC])
def test_impossible_length(length):
    packets, capture = load(START + enhanced() + struct.pack("<II", 6, length) + bytes(64))
    assert len(packets) == 1
    [defect] = capture.defects
    assert defect.offset == len(START + enhanced()) and "cannot be" in defect.problem


@pytest.mark.parametrize("size", [1, 7, 12, 13, 4096])
def test_tail_of_zeros(size):
    packets, capture = load(START + enhanced() + bytes(size))
    assert len(packets) == 1
    [defect] = capture.defects
    assert defect.offset == len(START + enhanced()) and "filled with zeros" in defect.problem


def test_section_header_that_makes_no_sense():
    bad = block(0x0A0D0D0A, b"what is this?!" + bytes(8))
    packets, capture = load(START + enhanced() + bad + enhanced())
    assert len(packets) == 1 and "section header" in problems(capture)[0]
    with pytest.raises(CaptureError, match="section header makes no sense"):
        load(bad)


def test_unknown_version():
    packets, capture = load(section(version=(2, 0)) + interface() + enhanced())
    assert len(packets) == 1 and "version 2.0" in problems(capture)[0]


def test_interfaces_are_bounded():
    packets, capture = load(section() + interface() * 65537 + enhanced())
    assert not packets and len(capture.interfaces) == 65536 and "interfaces" in problems(capture)[0]


def test_defects_are_bounded():
    _, capture = load(START + enhanced(options=struct.pack("<HH", 5, 400)) * 300)
    assert len(capture.defects) == 101 and "not listed" in problems(capture)[-1]


def test_only_a_section():
    packets, capture = load(section())
    assert (packets, capture.interfaces, capture.defects) == ([], [], [])


def statistics(which=0, e="<", **counts):
    codes = {"ifrecv": 4, "ifdrop": 5, "filteraccept": 6, "osdrop": 7}
    told = b"".join(option(codes[name], struct.pack(e + "Q", count), e) for name, count in counts.items())
    return block(5, struct.pack(e + "III", which, 0, 0) + told + option(0, b"", e), e)


def lost(count, e="<"):
    return option(4, struct.pack(e + "Q", count), e)


@pytest.mark.parametrize("policy", ["never", "always"])
@pytest.mark.parametrize(
    ("blocks", "dropped"),
    [
        ([], None),
        ([statistics(ifrecv=7)], None),
        ([statistics(ifrecv=7, ifdrop=0)], 0),
        ([statistics(ifdrop=3, osdrop=4)], 7),
        ([statistics(ifdrop=3), enhanced(), statistics(ifdrop=5)], 5),  # they count from the beginning on
        ([interface(), statistics(ifdrop=3), statistics(1, ifdrop=5)], 8),
        ([statistics(7, ifdrop=3)], None),  # of an interface that nobody described
        ([statistics(ifdrop=3), section(">"), interface(e=">"), statistics(e=">", ifdrop=9)], 12),
        ([enhanced(options=lost(0)), enhanced(options=lost(0))], 0),
        ([enhanced(options=lost(2)), enhanced(), enhanced(options=lost(40))], 42),
        ([enhanced(options=lost(2)), statistics(ifdrop=3)], 3),
        ([enhanced(options=option(4, b"\1\0\0\0"))], None),
        ([block(5, b"")], None),
        ([block(5, struct.pack("<III", 0, 0, 0) + b"\5\0\x08\0")], None),  # cut
        ([statistics(ifdrop=2**64 - 1)] * 2, 2**48),
    ],
)
def test_dropped(blocks, dropped, policy, monkeypatch):
    monkeypatch.setenv("STUNPCAP_COMPILE", policy)
    packets, capture = load(section() + interface() + enhanced() + b"".join(blocks))
    assert packets and capture.dropped == dropped


def test_dropped_is_told_of_the_capture():
    """Missing where the file says nothing, as pcap always does."""
    for data, dropped in ((PCAPNG + statistics(0, ">", ifdrop=3), 3), (PCAPNG, None), (pcap_header() + record(), None)):
        (row,) = stunpcap.read(io.BytesIO(data)).table("vantages").records()
        assert row["dropped"] == dropped
