"""RTP is told where something proves it; what merely begins like it counts as other."""

import io
from struct import pack

import packets as p
import pytest
from scanning import write_pcap

import stunpcap

IKE = bytes.fromhex("9b1d2a3c4d5e6f70a1b2c3d4e5f60718") + b"\x2e\x20\x23\x08" + bytes(60)


def encrypted(number):
    """Looks random, but for its first bit and its length of 200."""
    state = number * 2654435761 % 2**32
    return (
        bytes([0x80 | state & 0x3F, state >> 8 & 0x7F])
        + pack(">IIH", state * 40503 % 2**32, state, state & 0xFFFF)
        + bytes(180)
    )


def read(payloads, tmp_path, back=()):
    sent = [p.ipv4(p.udp(one)) for one in payloads]
    sent += [p.ipv4(p.udp(one, p.DPORT, p.SPORT), p.B, p.A) for one in back]
    tables = stunpcap.read(write_pcap(tmp_path / "one.pcap", sent, 101)).tables
    flow = next(tables.flows.records())
    return [row["kind"] for row in tables.streams.records()], (flow["rtp"], flow["rtcp"], flow["other"])


def rtp(*numbers):
    return [p.rtp(sequence=number & 0xFFFF) for number in numbers]


@pytest.mark.parametrize(
    ("payloads", "proven"),
    [
        (rtp(1), False),
        (rtp(1, 2), False),
        (rtp(1, 2, 3), True),
        (rtp(65534, 65535, 0, 1), True),
        (rtp(5, 3, 4, 8), True),
        (rtp(1, 30, 60), True),  # most were lost
        (rtp(7, 7, 7, 7), False),  # a cookie of a security association, not a number
        (rtp(1, 20_000, 40_000, 5_000), False),
        (rtp(1, 2900, 5800, 8700), False),
        ([IKE] * 6, False),
        ([encrypted(number) for number in range(300)], False),
        ([p.rtcp()], False),
        ([p.rtcp()] * 3, True),
        ([p.rtcp(223)] * 3, False),
        ([*rtp(1), p.stun_request()], True),
        ([*rtp(1), p.dtls()], True),
    ],
)
def test_what_proves_it(payloads, proven, tmp_path):
    kinds, (rtp_packets, rtcp_packets, other) = read(payloads, tmp_path)
    assert bool(set(kinds) & {"rtp", "rtcp"}) == proven
    assert (rtp_packets + rtcp_packets > 0) == proven and (other == len(payloads)) != proven


def test_the_other_direction_proves_it_too(tmp_path):
    kinds, counted = read(rtp(1), tmp_path, back=rtp(1, 2, 3))
    assert kinds == ["rtp", "rtp"] and counted == (1, 0, 0)
    kinds, counted = read(rtp(1), tmp_path, back=rtp(1))
    assert (kinds, counted) == ([], (0, 0, 1))


def test_somebody_who_speaks_stun_elsewhere(tmp_path):
    """Media between two candidates that were never checked as a pair."""
    sent = [p.ipv4(p.udp(p.rtp())), p.ipv4(p.udp(p.stun_request(), dport=3478), dst="192.0.2.99")]
    tables = stunpcap.read(write_pcap(tmp_path / "one.pcap", sent, 101)).tables
    assert [row["kind"] for row in tables.streams.records()] == ["rtp"]


def test_activity_goes_with_it(tmp_path):
    path = write_pcap(tmp_path / "one.pcap", [p.ipv4(p.udp(IKE))] * 9, 101)
    trace = stunpcap.read(io.BytesIO(path.read_bytes()))
    assert not len(trace.tables.activity) and not len(trace.tables.streams)
