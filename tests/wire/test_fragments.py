"""IP fragments: put together in any order, under the frame that completes them; and what becomes of the rest."""

import itertools
import random

import packets as p
import pytest
from scanning import Flow, flows, needs_tshark, rows, scan_packets, tshark, write_pcap

from stunpcap.stun.columns import decode_messages
from stunpcap.stun.defects import Defect
from stunpcap.table import Pools
from stunpcap.wire import fragments
from stunpcap.wire.counters import PACKETS
from stunpcap.wire.fragments import BROKEN, MISSING, REPEATED, WHOLE, Reassembler
from stunpcap.wire.scan import Scanner

MISSING_TEXT = "IP fragments of a packet are missing"
REPEATED_TEXT = "IP fragment captured again after its packet was whole"
BODY = b"\x00\x06\x00\xf0" + bytes(range(240)) + b"\x00\x24\x00\x04\x00\x00\x00\x07"
REQUEST = p.stun_request(BODY)
V4 = p.fragments(p.udp(REQUEST))
V6 = p.fragments(p.udp(REQUEST), v6=True)
FLOW = {False: Flow(p.A, p.SPORT, p.B, p.DPORT, 17), True: Flow(p.A6, p.SPORT, p.B6, p.DPORT, 17)}


def whole_messages(pieces, linktype=101, **options):
    kept = scan_packets(pieces, linktype, **options)
    assert all(row.payload == REQUEST and row.length == len(REQUEST) and row.ttl == 64 for row in rows(kept))
    return [row.frame for row in rows(kept)], set(kept.oddities), kept


@pytest.mark.parametrize("v6", [False, True])
def test_any_order(v6):
    pieces = V6 if v6 else V4
    assert len(pieces) == 5
    assert whole_messages(pieces)[:2] == ([5], set())
    assert whole_messages(pieces[::-1])[:2] == ([5], set())
    for seed in range(10):
        shuffled = random.Random(seed).sample(pieces, 5)
        frames, oddities, kept = whole_messages(shuffled)
        assert (frames, oddities, flows(kept)) == ([5], set(), [FLOW[v6]])
        assert kept.flow_counters[0, PACKETS] == 1
        assert kept.time_ns.tolist() == [10**18 + 4 * 10**6], "the time of the frame that completed it"


@pytest.mark.parametrize("pieces", [V4, V6])
def test_twice(pieces):
    """Captured twice: each copy of a whole set is a packet; a copy of a last piece only is counted as such."""
    assert whole_messages(pieces * 2)[:2] == ([5, 10], set())
    assert whole_messages([piece for piece in pieces for _ in range(2)])[:2] == ([9], {REPEATED_TEXT})
    assert whole_messages([*pieces, pieces[0]])[:2] == ([5], {REPEATED_TEXT})


def test_overlap():
    data = p.udp(REQUEST)
    garbage = bytes([0xEE]) * 80
    first = p.ipv4(data[:80], more=True)
    middle = p.ipv4(garbage[:16] + data[80:160], at=64, more=True)
    last = p.ipv4(data[160:], at=160)
    over = p.ipv4(garbage, at=80, more=True)
    assert whole_messages([first, middle, last])[:2] == ([3], set()), "of bytes seen twice the first stay"
    assert whole_messages([first, p.ipv4(data[80:160], at=80, more=True), over, last])[:2] == ([4], set())
    assert whole_messages([last, first, middle])[:2] == ([3], set())
    inner = p.ipv4(garbage[:8], at=96, more=True)
    (row,) = rows(scan_packets([inner, first, middle, last], 101))
    assert row.payload == REQUEST[:88] + garbage[:8] + REQUEST[96:], "the same in the middle of a later piece"


def test_interleaved():
    """Packets are told apart by addresses, protocol and identification."""
    one, two = p.fragments(p.udp(REQUEST), id=1), p.fragments(p.udp(REQUEST), id=2)
    three, four = p.fragments(p.udp(REQUEST), id=1, src=p.B, dst=p.A), p.fragments(p.udp(REQUEST), v6=True)
    five = p.fragments(p.udp(REQUEST), v6=True, id=9)
    mixed = [piece for group in zip(one, two, three, four, five, strict=True) for piece in group]
    frames, oddities, kept = whole_messages(mixed)
    assert (frames, oddities, len(kept.flow_keys)) == ([21, 22, 23, 24, 25], set(), 3)


@pytest.mark.parametrize("pieces", [V4, V6])
def test_first_fragment_alone(pieces):
    """STUN in the first fragment is read as far as it goes, under that fragment's frame."""
    kept = scan_packets([pieces[3], pieces[0], pieces[1]], 101, first_frame=7)
    (row,) = rows(kept)
    assert (row.frame, row.payload, row.length) == (8, REQUEST[: 2 * 64 - 8], len(REQUEST))
    assert kept.oddities == {MISSING_TEXT: ("network", 1, 8)}
    flags = decode_messages(kept, Pools())["flags"]
    assert flags[0] & Defect.CUT


def test_without_the_first():
    kept = scan_packets(V4[1:], 101, first_frame=7)
    assert (rows(kept), flows(kept), kept.oddities) == ([], [], {MISSING_TEXT: ("network", 1, 7)})


@pytest.mark.parametrize("pieces", [V4, V6])
def test_cut_by_the_snap_length(pieces):
    """A last piece that was cut says how long the packet was; what lies before it is there."""
    for snap in range(len(pieces[-1]) - 20, len(pieces[-1])):
        kept = scan_packets(pieces, 101, snap=[999] * 4 + [snap])
        (row,) = rows(kept)
        assert row.length == len(REQUEST)
        assert REQUEST.startswith(row.payload)
        assert set(kept.oddities) == {MISSING_TEXT}
    (row,) = rows(scan_packets(V4, 101, snap=60))
    assert row.payload == REQUEST[:32], "the first gap ends it"


def test_wrapped():
    """Under VLAN tags, in tunnels, with Ethernet padding; a tunnel's packet in fragments."""
    assert whole_messages([p.ethernet(*p.tagged(piece, 0x8100)) for piece in V4], 1)[0] == [5]
    assert whole_messages([p.ethernet(piece, pad=True) for piece in p.fragments(p.udp(REQUEST), 24)], 1)[1] == set()
    assert whole_messages([p.vxlan(p.ethernet(piece)) for piece in V6])[0] == [5]
    outer = p.vxlan(p.ethernet(p.ipv4(p.udp(REQUEST))))[20:]
    assert whole_messages(p.fragments(outer, src=p.OUTER_A, dst=p.OUTER_B))[0] == [6]
    options = b"\x94\x04\0\0"
    assert whole_messages([p.ipv4(p.udp(REQUEST)[:64], more=True, options=options), *V4[1:]])[0] == [5]


def test_fragments_in_fragments():
    pieces = []
    for number, inner in enumerate(V4):
        pieces += p.fragments(inner, 40, src=p.OUTER_A, dst=p.OUTER_B, protocol=4, id=number)
    assert whole_messages(pieces)[:2] == ([len(pieces)], set())
    random.Random(1).shuffle(pieces)
    assert whole_messages(pieces)[1] == set()
    kept = scan_packets(pieces[:3], 101)
    assert MISSING_TEXT in kept.oddities


def test_deep_nesting_does_not_recurse():
    """Packets that each wait for one fragment, which is what comes out of the one before: a loop, not a call each."""
    deep, packets = 3000, []
    sources = [f"10.0.{number >> 8}.{number & 255}" for number in range(deep + 1)]
    for one, following in itertools.pairwise(sources):
        completing = p.ipv4(bytes(28), src=following, protocol=4, at=24)
        packets.append(p.ipv4(completing[:24], src=one, protocol=4, more=True))
        packets.append(p.ipv4(bytes(8), src=one, protocol=4, at=48))
    packets.append(p.ipv4(bytes(24), src=sources[0], protocol=4, at=24))
    kept = scan_packets(packets, 101)
    assert kept.oddities[MISSING_TEXT][1] == 1, "the last one's beginning was never there"


def test_ipv6_headers_before_the_fragment_header():
    for build in (lambda x: p.extension(x, 44), lambda x: p.ah(x, 44)):
        pieces = [
            p.ipv6(build(p.fragment6(p.udp(REQUEST)[at : at + 128], at=at, more=at < 128)), protocol=number)
            for at in (0, 128, 256)
            for number in [51 if build(b"")[1] == 4 else 0]
        ]
        pieces[1] = p.ipv6(build(p.fragment6(p.udp(REQUEST)[128:256], at=128, more=True)), protocol=pieces[0][6])
        assert whole_messages(pieces)[0] == [3]


def test_too_long():
    kept = scan_packets([p.ipv4(bytes(64), at=65528)], 101)
    assert kept.oddities == {"malformed IP fragment": ("network", 1, 1)}


def add_all(reassembler, packets, start=1):
    return [
        one
        for frame, packet in enumerate(packets, start)
        for one in reassembler.add(memoryview(packet), len(packet), frame, frame)
    ]


def test_same_identification_later():
    """After a minute the same identification is another packet's."""
    for seconds, frames in ((59, [(5, WHOLE)]), (61, [(1, MISSING), (9, WHOLE)])):
        reassembler = Reassembler()
        ended = add_all(reassembler, V4[:4])
        for frame, packet in enumerate(V4[4:] + V4[:4], 5):
            ended += reassembler.add(memoryview(packet), len(packet), frame, seconds * 10**9)
        assert [(one.frame, one.ending) for one in ended] == frames


def test_limit_of_packets(monkeypatch):
    monkeypatch.setattr(fragments, "MAX_PENDING", 10)
    firsts = [p.ipv4(bytes(64), id=number, more=True) for number in range(30)]
    reassembler = Reassembler()
    ended = add_all(reassembler, firsts)
    assert [one.frame for one in ended] == list(range(1, 21)), "the oldest goes"
    assert [one.frame for one in reassembler.finish()] == list(range(21, 31))
    assert {one.ending for one in ended} == {MISSING}
    assert reassembler.finish() == []


def test_limit_of_what_is_remembered(monkeypatch):
    """That a packet was whole is forgotten in the end; a copy of its last piece is then like any other."""
    monkeypatch.setattr(fragments, "MAX_PENDING", 3)
    reassembler = Reassembler()
    for number in range(5):
        add_all(reassembler, p.fragments(bytes(100), id=number))
    add_all(reassembler, [p.fragments(bytes(100), id=number)[1] for number in (1, 4)])
    assert [one.ending for one in reassembler.finish()] == [MISSING, REPEATED]


def test_limit_of_bytes(monkeypatch):
    monkeypatch.setattr(fragments, "MAX_BYTES", 500_000)
    reassembler = Reassembler()
    ended = add_all(reassembler, [p.ipv4(bytes(8), id=number, at=65000) for number in range(100)])
    assert len(ended) == 100 - 500_000 // 65008
    assert reassembler._bytes <= 500_000
    assert {one.packet for one in ended} == {b""}


def test_many_tiny_overlapping_pieces_are_quick():
    """8,000 pieces of one packet, every second one missing, each seen twice: no work that grows with their square."""
    reassembler = Reassembler()
    pieces = [p.ipv4(bytes(9), at=at, more=True) for at in range(0, 65000, 16)]
    assert add_all(reassembler, pieces * 2) == []
    rest = [p.ipv4(bytes(8), at=at, more=at < 65000) for at in range(8, 65016, 16)]
    (whole,) = add_all(reassembler, rest)
    assert whole.ending == WHOLE


def test_header_cut():
    """A fragment of which not even the header was captured is no malformed one."""
    piece = p.ipv4(p.udp(REQUEST)[:64], more=True, options=bytes(8))
    for snap in range(28):
        assert list(scan_packets([piece], 101, snap=snap).oddities.values()) == [("network", 1, 1)]
        assert "snap length" in next(iter(scan_packets([piece], 101, snap=snap).oddities))


@pytest.mark.parametrize("size", range(0, 60, 7))
def test_broken(size):
    for packet in (*V4[:1], *V6[:1]):
        for one in Reassembler().add(memoryview(packet[:size]), 100, 1, 1):
            assert one.ending == BROKEN


@needs_tshark
def test_frames_as_tshark(tmp_path):
    """The message stands in the frame that completed it, for Wireshark too."""
    sets = [V4, V4[::-1], V6, [V6[3], V6[0], V6[4], V6[1], V6[2]]]
    for number, pieces in enumerate(sets):
        path = write_pcap(tmp_path / f"{number}.pcap", pieces, 101)
        view = tshark(path, "frame.number", "stun.id", options=("-2",))
        theirs = [int(frame[0]) for frame, ids in view if ids]
        assert theirs == whole_messages(pieces)[0]


def test_a_flood_costs_one_walk(monkeypatch):
    """What fragments come to is walked over all at once, not packet by packet."""
    walks = []
    walk = Scanner._scan
    monkeypatch.setattr(Scanner, "_scan", lambda self, *args: walks.append(1) or walk(self, *args))
    pieces = [piece for number in range(300) for piece in p.fragments(p.udp(REQUEST), id=number)]
    frames, oddities, _ = whole_messages(pieces)
    assert frames == list(range(5, 1501, 5))
    assert not oddities
    assert len(walks) == 2


def test_fragments_of_fragments_in_the_order_of_frames():
    """Whole packets that hold a fragment of another, an ICMP error, or a message keep frame, time and direction."""
    inner = p.fragments(p.udp(REQUEST), size=128)
    error = p.ipv4(p.icmp(p.ipv4(p.udp(REQUEST))), src=p.B, dst=p.A, protocol=1, id=99)
    outer = [p.fragments(packet, size=80, id=50 + n, protocol=4) for n, packet in enumerate([*inner, error])]
    packets = [piece for pieces in outer for piece in pieces]
    kept = scan_packets(packets, 101)
    ends = list(itertools.accumulate(len(pieces) for pieces in outer))
    assert [row.frame for row in rows(kept)] == [ends[-2]]
    assert [one.frame for one in kept.icmp] == [ends[-1]]
    assert kept.oddities == {}
