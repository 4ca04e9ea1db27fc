"""Bounds that hostile captures meet, the same results compiled and plain, and many sessions in time."""

from __future__ import annotations

import time
from struct import pack

import numpy as np
import pytest

import stunpcap
from benchmarks.generate import generate
from stunpcap.wire import counters, dtls, following
from tests.media.test_dtls_records import hello, message, record
from tests.wire import packets as p
from tests.wire.scanning import write_pcap


def trace_of(path, datagrams: list[bytes], sport: int = 1000, dport: int = 2000) -> stunpcap.Trace:
    packets = [p.ipv4(p.udp(datagram, sport=sport, dport=dport)) for datagram in datagrams]
    return stunpcap.read(write_pcap(path / "flood.pcap", packets, 101))


def test_a_flood_of_handshakes(tmp_path) -> None:
    """Kept: 512 datagrams in the clear, 64 with keys; counted: all."""
    clear = [record(message(1, hello(0xFEFC)), number=number) for number in range(700)]
    keyed = [record(bytes(40), epoch=1, number=number) for number in range(100)]
    trace = trace_of(tmp_path, clear + keyed)
    epochs = trace.tables.dtls["epoch"]
    assert np.count_nonzero(epochs == 0) == counters.MOST_CLEAR == 512
    assert np.count_nonzero(epochs == 1) == counters.MOST_PROTECTED == 64
    assert trace.tables.flows["dtls"].tolist() == [800]


def test_a_new_ssrc_in_each_packet(tmp_path) -> None:
    """64 are told apart, all others share a row; nothing is lost from the sum."""
    numbers = [0, 0, *range(500)]  # the first stream goes on, which proves that it is RTP
    packets = [pack(">BBHII", 0x80, 96, at, at, 1000 + k) + bytes(20) for at, k in enumerate(numbers)]
    trace = trace_of(tmp_path, packets)
    rows = list(trace.table("streams").records())
    assert following.MOST_STREAMS == 64 and len(rows) == 65
    assert sorted(row["packets"] for row in rows) == [1] * 63 + [3, 436]
    assert [row["expected"] for row in rows if row["ssrc"] is None] == [None]


def answer(name: bytes, *addresses: bytes) -> bytes:
    head = pack(">6H", 0, 0x8400, 0, len(addresses), 0, 0)
    return head + b"".join(name + pack(">HHIH", 1, 1, 120, 4) + address for address in addresses)


def test_a_flood_of_mdns(tmp_path) -> None:
    """2,000 datagrams are kept, 16 addresses of a name told; many askers and answers take no time for each other."""
    name = b"\4host\5local\0"
    asked = [pack(">6H", 0, 0, 1, 0, 0, 0) + name + pack(">HH", 1, 1)] * 1000
    answers = [answer(name, *(pack(">HH", k, n) for n in range(60))) for k in range(1500)]
    start = time.process_time()
    trace = trace_of(tmp_path, asked + answers, 5353, 5353)
    (row,) = trace.table("names").records()
    assert (row["asked"], row["answered"], row["answer_frame"]) == (1000, True, 1001)
    assert len(row["address"].split(", ")) == 16
    assert time.process_time() - start < 10


def test_pieces_that_are_missing(tmp_path) -> None:
    """RFC 6347 section 4.2.3: of a certificate of 2300 bytes two pieces overlap, and the end never comes."""
    body = bytes(2300)
    pieces = [(0, 900), (600, 500), (1100, 400)]
    sent = [record(message(11, body, 1, at, body[at : at + size]), number=k) for k, (at, size) in enumerate(pieces)]
    trace = trace_of(tmp_path, [record(message(1, hello(0xFEFC))), *sent])
    (row,) = trace.table("handshakes").records()
    assert row["incomplete"] == "client certificate 1500 of 2300 bytes"
    assert row["last_flight"] == "client: client-hello, certificate"
    whole = record(message(11, body, 1, 1500, body[1500:]), number=9)
    (row,) = trace_of(tmp_path, [record(message(1, hello(0xFEFC))), *sent, whole]).table("handshakes").records()
    assert row["incomplete"] == ""


# Names


@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
@pytest.mark.parametrize(("scenario", "answered"), [("mdns-lan", True), ("mdns-unresolved", False)])
def test_names_of_the_lab(scenario: str, answered: bool, vantage: str) -> None:
    """On one link each name is answered with the address of the other agent; beyond a router none is."""
    from tests.places import LAB

    rows = [row for row in stunpcap.read(LAB / scenario / f"{vantage}.pcap").table("names").records() if row["asked"]]
    assert rows and {row["answered"] for row in rows} == {answered}
    for row in rows:
        assert row["name"] in (LAB / scenario / "truth.json").read_text()
        ends = {"192.168.10.10", "192.168.10.20"} - {row["asked_by"].rpartition(":")[0]}
        assert (row["address"] in ends) if answered else row["address"] is None


# Compiled and plain


def test_records_compiled_and_plain(monkeypatch) -> None:
    """The same rows of whole, cut and changed datagrams."""
    whole = record(message(1, hello(0xFEFC))) + record(message(11, bytes(50), 1)) + b"\x2e\1\2\0\x13" + bytes(19)
    rng = np.random.default_rng(1)
    datagrams = [whole[:size] for size in range(1, len(whole))]
    for _ in range(300):
        data = bytearray(whole)
        data[rng.integers(len(data))] = rng.integers(256)
        datagrams.append(bytes(data))
    sizes = np.array([len(datagram) for datagram in datagrams], np.int64)
    place = (b"".join(datagrams), np.cumsum(sizes) - sizes, sizes, sizes)
    both = []
    for how in ("never", "always"):
        monkeypatch.setenv("STUNPCAP_COMPILE", how)
        both.append(dtls.records_of(*place))
    assert (both[0] == both[1]).all() and len(both[0]) > len(datagrams)


def test_streams_compiled_and_plain() -> None:
    """The same streams and activity of RTP with jumps, RTCP, data and STUN in several flows, out of order."""
    rng = np.random.default_rng(2)
    n = 4000
    notes = np.zeros((n, following.NOTE), np.int64)
    kind = rng.integers(0, 4, n)
    ssrc = rng.integers(0, 100, n)
    notes[:, following.U_FLOW] = rng.integers(0, 3, n)
    notes[:, following.U_KEY] = np.where(kind == 3, following.STUN, np.where(kind == 2, 2 << 32, kind << 32 | ssrc))
    notes[:, following.U_LENGTH] = rng.integers(20, 1200, n)
    notes[:, following.U_NUMBER] = np.where(kind == 0, (np.arange(n) * 7 % 65536) << 8 | 96, rng.integers(0, 31, n))
    notes[:, following.U_TIME] = 10**18 + np.arange(n) * 10**7 + rng.integers(-(10**9), 10**9, n)
    notes[:, following.U_FRAME] = np.arange(n) + 1
    results = []
    for fast in (False, True):
        state = following.Following()
        state.take(notes, np.zeros((3, counters.COUNTERS), np.int64), fast)
        results.append(state.finish(np.arange(3)))
    for plain, compiled in zip(*results, strict=True):
        assert (plain == compiled).all() and len(plain) > 100


@pytest.mark.parametrize("apart", [0, 10**9, 30 * 10**9])
def test_each_second_of_a_flow_is_one_row(apart: int) -> None:
    """Whether packets come in order or not, and however often the table had to grow."""
    rng = np.random.default_rng(apart)
    n = 3000
    notes = np.zeros((n, following.NOTE), np.int64)
    notes[:, following.U_FLOW] = rng.integers(0, 3, n)
    notes[:, following.U_KEY] = following.DATA << 32
    notes[:, following.U_LENGTH] = rng.integers(20, 1200, n)
    notes[:, following.U_TIME] = 10**18 + np.arange(n) * 10**9 + rng.integers(0, apart + 1, n)
    sizes: dict[tuple[int, int], list[int]] = {}
    for flow, size, time_ns in notes[:, [following.U_FLOW, following.U_LENGTH, following.U_TIME]].tolist():
        sizes.setdefault((flow, time_ns // 10**9 * 10**9), []).append(size)
    state = following.Following()
    state.take(notes, np.zeros((3, counters.COUNTERS), np.int64), fast=False)
    columns = [following.A_FLOW, following.A_START, following.A_DATA, following.A_BYTES]
    rows = state.finish(np.arange(3))[1][:, columns].tolist()
    assert rows == [[*key, len(own), sum(own)] for key, own in sorted(sizes.items())]


# Many sessions


def test_time_grows_with_the_sessions(tmp_path) -> None:
    """Ten times as many calls with DTLS and media take about ten times as long."""
    took = []
    for count in (150, 1500):
        generate("sessions", tmp_path / f"{count}.pcap", count)
        trace = stunpcap.read(tmp_path / f"{count}.pcap")
        start = time.process_time()
        assert len(trace.tables.sessions) == count
        took.append(time.process_time() - start)
    assert took[1] < 25 * max(took[0], 0.2), took
