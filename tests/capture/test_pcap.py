"""The pcap reader on every variant, and on records that cannot be."""

import struct

import pytest
from capture_writers import PCAP, load, pcap_header, problems, record

from stunpcap.capture import INBOUND, OUTBOUND, UNKNOWN
from stunpcap.errors import CaptureError

S = 1_700_000_000 * 10**9


@pytest.mark.parametrize("e", "<>")
@pytest.mark.parametrize(
    ("magic", "name", "between", "extra", "scale"),
    [
        (0xA1B2C3D4, "pcap", b"", b"", 1000),
        (0xA1B23C4D, "pcap (nanoseconds)", b"", b"", 1),
        (0xA1B2CD34, "pcap (modified)", b"", bytes(8), 1000),
        (0xA1B2CD34, "pcap (modified)", b"", bytes(12), 1000),  # SuSE's
        (0x1C0001AC, "pcap (Ixia)", b"size", b"", 1000),
        (0x1C0001AB, "pcap (Ixia)", b"size", b"", 1000),
    ],
)
def test_variants(magic, name, between, extra, scale, e):
    raw = pcap_header(magic, e, snaplen=1500, linktype=113) + between
    raw += (
        record(b"abc", e=e, extra=extra) + record(b"", wirelen=99, e=e, extra=extra) + record(b"defg", e=e, extra=extra)
    )
    packets, capture = load(raw)
    assert capture.format == name
    assert [(p.frame, p.data, p.wirelen) for p in packets] == [(1, b"abc", 3), (2, b"", 99), (3, b"defg", 4)]
    assert {p.time_ns for p in packets} == {S + 5 * scale}
    assert [(i.linktype, i.snaplen) for i in capture.interfaces] == [(113, 1500)]
    assert not capture.defects


def test_modified_tells_direction():
    kinds = {0: INBOUND, 1: INBOUND, 2: INBOUND, 3: UNKNOWN, 4: OUTBOUND, 7: UNKNOWN}
    raw = pcap_header(0xA1B2CD34) + b"".join(record(extra=struct.pack("<IHBx", 2, 0x800, kind)) for kind in kinds)
    packets, _ = load(raw)
    assert [p.direction for p in packets] == list(kinds.values())


@pytest.mark.parametrize("bits", [0x14000001, 0xF4000001, 1])
def test_frame_check_bits_are_no_link_type(bits):
    _, capture = load(pcap_header(linktype=bits) + record())
    assert capture.interfaces[0].linktype == 1


def test_seconds_are_unsigned():
    packets, _ = load(pcap_header() + record(seconds=0xFFFFFFF0))
    assert packets[0].time_ns == 0xFFFFFFF0 * 10**9 + 5000


def test_more_than_a_second_of_microseconds():
    packets, capture = load(pcap_header() + record() + record(fraction=2_500_000) + record(fraction=4_000_000_000))
    assert [p.time_ns - S for p in packets] == [5000, 2_500_000_000, 4_000_000_000_000]
    [defect] = capture.defects
    assert (defect.frame, defect.offset) == (1, 24 + 22)
    assert "second" in defect.problem


def test_wire_length_below_captured_length():
    packets, capture = load(pcap_header() + record(b"abcd", wirelen=2))
    assert (packets[0].caplen, packets[0].wirelen) == (4, 4)
    assert not capture.defects


def test_before_2_4_the_lengths_stand_in_either_order():
    packets, _ = load(pcap_header(version=(2, 3)) + record(b"abcd", caplen=60, wirelen=4) + record(b"efgh", wirelen=70))
    assert [(p.data, p.wirelen) for p in packets] == [(b"abcd", 60), (b"efgh", 70)]


@pytest.mark.parametrize(
    ("snaplen", "length", "fits"),
    [
        (65535, 262144, True),
        (96, 3000, True),
        (65535, 262145, False),
        (1 << 20, 300_000, True),
        (0xFFFFFFFF, 17 << 20, False),
    ],
)
def test_longest_record(snaplen, length, fits):
    packets, capture = load(pcap_header(snaplen=snaplen) + record() + record(bytes(length)) + record())
    assert [p.caplen for p in packets] == ([6, length, 6] if fits else [6])
    if not fits:
        [defect] = capture.defects
        assert (defect.frame, defect.offset) == (1, 24 + 22)
        assert f"{length:,} bytes cannot be" in defect.problem


@pytest.mark.parametrize("zeros", [1, 15, 16, 17, 4096])
def test_tail_of_zeros(zeros):
    packets, capture = load(PCAP + bytes(zeros))
    assert len(packets) == 8
    [defect] = capture.defects
    assert (defect.frame, defect.offset) == (8, len(PCAP))
    assert "zeros" in defect.problem


def test_hole_of_zeros():
    packets, capture = load(PCAP + bytes(64) + record())
    assert len(packets) == 8
    assert "zeros where a record should begin" in problems(capture)[0]


def test_no_packets():
    packets, capture = load(pcap_header())
    assert (packets, capture.defects) == ([], [])


@pytest.mark.parametrize("size", range(1, 24))
def test_cut_in_the_file_header(size):
    with pytest.raises(CaptureError, match="pcap"):
        load(pcap_header()[:size])
