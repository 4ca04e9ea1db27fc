"""TCP in captures: from handshake to message, what stays out, and what Wireshark sees of the same."""

import csv
import random
from collections import Counter
from ipaddress import ip_address
from struct import pack

import numpy as np
import packets as p
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scanning import (
    HERE,
    SHARED,
    Flow,
    block_of,
    captures_at_hand,
    flow_of,
    needs_shared,
    rows,
    scan_file,
    scan_packets,
)
from tcp_streams import ALLOCATE, ALLOCATED, CHECK, Segment, channel, counted, is_part, mistreat, native, run, send

from stunpcap.stun.columns import decode_messages
from stunpcap.table import Pools, hex_id
from stunpcap.wire import segments
from stunpcap.wire.counters import BYTES, N_CHANNEL, N_DTLS, N_OTHER, N_RTCP, N_RTP, N_STUN, PACKETS
from stunpcap.wire.scan import GAPS, STRAYS, Scanner
from stunpcap.wire.streams import Streams

CLIENT, SERVER = "192.0.2.1", "198.51.100.2"
KINDS = [N_STUN, N_DTLS, N_RTP, N_RTCP, N_CHANNEL, N_OTHER]
FIN, SYN, RST, PUSH, ACK = 1, 2, 4, 8, 16


class Connection:
    """Packets of one connection, as a capture in the middle sees them."""

    def __init__(self, sport=50000, dport=3478, isn=(1000, 2**32 - 20), wrap=p.ethernet):
        self.ports, self.next, self.wrap = (sport, dport), list(isn), wrap
        self.packets = []

    def segment(self, side, payload=b"", flags=ACK, seq=None, options=b""):
        """Side 0 is the client."""
        seq = self.next[side] if seq is None else seq
        source, target = self.ports if side == 0 else self.ports[::-1]
        words = (source, target, seq & 0xFFFFFFFF, self.next[1 - side] & 0xFFFFFFFF)
        head = pack(">HHIIBBHHH", *words, (5 + len(options) // 4) << 4, flags, 1000, 0, 0)
        ends = (CLIENT, SERVER) if side == 0 else (SERVER, CLIENT)
        self.packets.append(self.wrap(p.ipv4(head + options + payload, *ends, protocol=6)))
        self.next[side] = max(self.next[side], seq + len(payload) + (flags & SYN > 0))
        return self

    def open(self):
        return self.segment(0, flags=SYN).segment(1, flags=SYN | ACK).segment(0)

    def send(self, side, *payloads):
        for payload in payloads:
            self.segment(side, payload, PUSH | ACK)
        return self


def messages(kept):
    return [(row.frame, row.flow.sport, row.payload) for row in rows(kept)]


def kinds(kept):
    """Packets of each kind for each flow."""
    return {flow_of(key).sport: kept.flow_counters[n, KINDS].tolist() for n, key in enumerate(kept.flow_keys)}


def tcp_of(kept, *columns):
    return {flow_of(key).sport: kept.flow_tcp[n, list(columns)].tolist() for n, key in enumerate(kept.flow_keys)}


@pytest.fixture(params=["never", "always"])
def policy(request, monkeypatch):
    monkeypatch.setenv("STUNPCAP_COMPILE", request.param)


@pytest.mark.usefixtures("policy")
def test_turn():
    """Several messages in a segment, one over two, ChannelData with its padding, and an answer that came too early."""
    c = Connection().open()
    c.send(0, ALLOCATE, ALLOCATE[:15], ALLOCATE[15:] + send(CHECK) + channel(b"abc") + bytes(1))
    c.send(1, ALLOCATED)
    kept = scan_packets(c.packets)
    assert messages(kept) == [(4, 50000, ALLOCATE), (6, 50000, ALLOCATE), (6, 50000, send(CHECK)), (7, 3478, ALLOCATED)]
    assert kinds(kept) == {50000: [3, 0, 0, 0, 1, 2], 3478: [1, 0, 0, 0, 0, 1]}, "the handshake counts as other"
    assert tcp_of(kept, segments.SYN, segments.SYN_ACK, segments.RST) == {50000: [1, 0, 0], 3478: [0, 1, 0]}
    assert kept.oddities == {}
    (first, *_) = rows(kept)
    assert (first.ttl, first.length, first.flow) == (64, 28, Flow(CLIENT, 50000, SERVER, 3478, 6))


@pytest.mark.usefixtures("policy")
def test_ice():
    """RFC 4571, the length and the packet in segments of their own; media is counted and not kept."""
    c = Connection(dport=9000).open()
    c.send(0, counted([CHECK])[:2], CHECK).send(1, counted([p.stun_request(b"", CHECK[8:20], 0x0101)]))
    c.send(0, counted([p.dtls(), p.rtp(), p.rtcp(), p.rtp()]))
    kept = scan_packets(c.packets)
    assert [frame for frame, *_ in messages(kept)] == [5, 6]
    assert kinds(kept) == {50000: [1, 1, 2, 1, 0, 3], 9000: [1, 0, 0, 0, 0, 1]}


@pytest.mark.usefixtures("policy")
def test_out_of_order_from_the_first_segment_on():
    data = native([ALLOCATE, send(CHECK), ALLOCATE])
    c = Connection().open()
    begin = c.next[0]
    for at in (60, 30, 0, 30):
        c.segment(0, data[at : at + 30] if at < 60 else data[60:], seq=begin + at)
    kept = scan_packets(c.packets)
    assert messages(kept) == [(6, 50000, ALLOCATE), (6, 50000, send(CHECK)), (6, 50000, ALLOCATE)]


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize("seen", [(0, 1), (0,), (1,)], ids=["both", "client", "server"])
def test_begun_in_the_middle(seen):
    """No handshake: what is certain is found, in both directions or in the only one that was captured."""
    c = Connection()
    media = [channel(p.rtp(20), 0x4007) for _ in range(40)]
    c.send(0, *media, channel(CHECK)[3:], ALLOCATE, *media)
    c.send(1, *media, native([ALLOCATED, *media]), *media[:3])
    sides = [int(packet[26:30] != ip_address(CLIENT).packed) for packet in c.packets]
    kept = scan_packets([packet for packet, side in zip(c.packets, sides, strict=True) if side in seen])
    assert [payload for *_, payload in messages(kept)] == [(ALLOCATE, ALLOCATED)[side] for side in seen]
    # ChannelData counts from there on; at once where the other direction has told the framing and the channel.
    assert [row[4] for row in kinds(kept).values()] == {(0, 1): [40, 83], (0,): [40], (1,): [43]}[seen]


@pytest.mark.usefixtures("policy")
def test_gap_is_named():
    c = Connection().open()
    c.send(0, ALLOCATE, *(send(CHECK) for _ in range(5)), ALLOCATE)
    missing = c.packets.pop(5)
    kept = scan_packets(c.packets)
    assert len(messages(kept)) == 6
    assert kept.oddities == {
        GAPS.format(len(missing) - 54): ("transport", 1, 6),
        STRAYS: ("transport", 1, 6),
    }


@pytest.mark.usefixtures("policy")
def test_ports_used_again():
    """A second connection on the same ports, of another kind."""
    c = Connection().open().send(0, b"\x16\3\1\0\x20" + bytes(100)).send(1, *[b"\x16\3\3\0\x20" + bytes(1000)] * 40)
    c.segment(0, flags=RST)
    c.next = [2**31, 77]
    c.open().send(0, counted([CHECK])).send(1, counted([ALLOCATED]))
    kept = scan_packets(c.packets)
    assert [payload for *_, payload in messages(kept)] == [CHECK, ALLOCATED]
    assert tcp_of(kept, segments.SYN, segments.SYN_ACK, segments.RST) == {50000: [2, 0, 1], 3478: [0, 2, 0]}


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize(
    "payload",
    [
        b"\x16\3\1\2\0\1\0\1\xfc\3\3" + bytes(500),
        b"\x17\3\3\5\xdc" + b"\x40\0\0\x10" * 300,
        b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
        b"\0\x1e\xab\xcd\1\0\0\1\0\0\0\0\0\0\7example\3org\0\0\1\0\1",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"\x40\0\0\x08" + bytes(8),
        bytes(1),
        bytes(1000),
    ],
)
def test_what_is_not_ours(payload):
    for port in (443, 3478, 5349):
        c = Connection(dport=port).open()
        for _ in range(30):
            c.send(0, payload).send(1, payload)
        kept = scan_packets(c.packets)
        assert not len(kept.frame) and kept.oddities == {}
        assert np.array_equal(kept.flow_counters[:, N_OTHER], kept.flow_counters[:, PACKETS])
        assert (kept.flow_tcp[:, segments.STATE] == segments.OTHERS).all()
        assert kept.flow_counters[:, BYTES].tolist() == [30 * len(payload)] * 2


@pytest.mark.usefixtures("policy")
def test_greeting_before_stun():
    """Something else first, as proxies and Google's pseudo-TLS do: STUN is found where it begins."""
    c = Connection(dport=443).open().send(0, b"CONNECT turn.example.org:3478 HTTP/1.1\r\n\r\n")
    c.send(1, b"HTTP/1.1 200 OK\r\n\r\n").send(0, ALLOCATE).send(1, ALLOCATED)
    assert [payload for *_, payload in messages(scan_packets(c.packets))] == [ALLOCATE, ALLOCATED]


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize("blocks", [1, 7])
def test_shuffled_connections(blocks):
    """Many connections at once, their packets interleaved and in several blocks."""
    rng = random.Random(blocks)
    made, expected = [], {}
    for number in range(300):
        ours = number % 3 == 0
        c = Connection(sport=20000 + number, isn=(rng.randrange(2**32), rng.randrange(2**32))).open()
        id = b"%012d" % number
        payloads = (
            [p.stun_request(id=id, kind=0x0003), send(CHECK, id), channel(CHECK)] if ours else [rng.randbytes(300)]
        )
        data = native(payloads)
        for at in range(0, len(data), 70):
            c.send(0, data[at : at + 70])
        expected[20000 + number] = payloads[:2] if ours else []
        made.append(c.packets)
    packets = []
    while made:
        chosen = rng.choice(made)
        packets.append(chosen.pop(0))
        made = [one for one in made if one]
    scanner = Scanner()
    size = len(packets) // blocks + 1
    for at in range(0, len(packets), size):
        scanner.feed(*block_of(packets[at : at + size], first_frame=at + 1))
    kept = scanner.finish()
    found = {port: [] for port in expected}
    for _, port, payload in messages(kept):
        found[port].append(payload)
    assert found == expected
    assert (np.diff(kept.frame) >= 0).all()


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize("frame", [native, counted])
@pytest.mark.parametrize("losses", [0, 3])
def test_blocks_do_not_matter(frame, losses):
    """The kernel goes on alone with a stream of which nothing waits; the same comes out, however a capture is read."""
    rng = random.Random(losses)
    sent = [[], []]
    c = Connection(isn=(2**32 - 3000, 5), wrap=lambda ip: ip).open()
    for turn in range(120):
        units = [p.stun_request(id=b"%012d" % turn, kind=0x0003)]
        units += [rng.choice([p.rtp(rng.randrange(99)), p.dtls(23)]) for _ in range(rng.randrange(4))]
        units = units if frame is counted else [units[0], *(channel(one) for one in units[1:]), send(CHECK)]
        sent[turn % 2] += units
        data = frame(units)
        at = c.next[turn % 2]
        for one in mistreat(data, rng, 0, pieces=3) if turn % 5 == 1 else [Segment(0, data)]:
            offset = (one.seq - one.first) & 0xFFFFFFFF if one.first >= 0 else 0
            c.segment(turn % 2, one.payload, seq=at + offset)
        if turn % 7 == 0:
            c.segment(turn % 2, data[:50], seq=at).segment(turn % 2, b"\0", seq=at - 1).segment(1 - turn % 2)
    for _ in range(losses):
        del c.packets[rng.randrange(10, len(c.packets))]
    results = []
    for size in (len(c.packets), 40, 7, 1):
        scanner = Scanner()
        for start in range(0, len(c.packets), size):
            scanner.feed(*block_of(c.packets[start : start + size], 101, first_frame=start + 1))
        results.append(scanner.finish())
    first = results[0]
    columns = [PACKETS, BYTES, *KINDS]
    for one in results:
        assert messages(one) == messages(first) and one.oddities == first.oddities
        assert np.array_equal(one.flow_counters[:, columns], first.flow_counters[:, columns])
    for side, port in ((0, 50000), (1, 3478)):
        stun = [unit for unit in sent[side] if unit[4:8] == CHECK[4:8]]
        assert losses or [payload for _, sport, payload in messages(first) if sport == port] == stun


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize("size", [1, 2, 100])
def test_connection_bind(size):
    """RFC 6062: after the answer to ConnectionBind the connection is the peer's, in whatever framing."""
    bind, bound = (p.stun_request(b"", b"bind-bind-id", kind) for kind in (0x000B, 0x010B))
    c = Connection().open().send(0, ALLOCATE).send(1, ALLOCATED).send(0, bind).send(1, bound)
    c.send(0, counted([CHECK]), counted([p.rtp()])).send(1, counted([CHECK, p.rtp()]))
    scanner = Scanner()
    for start in range(0, len(c.packets), size):
        scanner.feed(*block_of(c.packets[start : start + size], first_frame=start + 1))
    kept = scanner.finish()
    assert [payload for *_, payload in messages(kept)] == [ALLOCATE, ALLOCATED, bind, bound, CHECK, CHECK]
    assert [row[2] for row in kinds(kept).values()] == [1, 1]


LAB_TCP = [path for path in captures_at_hand() if path.is_relative_to(HERE) and "tcp" in path.parent.name]


@pytest.mark.parametrize("path", LAB_TCP, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_lab(path):
    """Real agents over TCP: every byte of a stream with STUN is accounted for, every id appears with its answer."""
    kept, _ = scan_file(path)
    assert not [text for text in kept.oddities if "TCP" in text]
    ours = (kept.flow_keys[:, 9] == 6) & (kept.flow_tcp[:, segments.STATE] == segments.OURS)
    assert ours.any() == ("refused" not in path.parent.name)
    columns = decode_messages(kept, Pools())
    flow = kept.flow[columns["datagram"]]
    on_tcp = (flow < len(ours)) & np.append(ours, False)[np.minimum(flow, len(ours))]  # not what ChannelData holds
    requests = {hex_id(i) for i in columns["transaction_id"][on_tcp & (columns["class"] == 0)].tolist()}
    answers = {hex_id(i) for i in columns["transaction_id"][on_tcp & (columns["class"] >= 2)].tolist()}
    assert len(requests ^ answers) <= 2, "but for what was under way when the capture ended"
    sizes = kept.flow_counters[ours][:, [N_STUN, N_DTLS, N_RTP, N_RTCP, N_CHANNEL]].sum(axis=1)
    assert (sizes > 0).all() or not ours.any()


def test_refused_connections_show():
    """SYN and reset are counted where no byte ever flowed."""
    c = Connection().segment(0, flags=SYN).segment(1, flags=RST | ACK)
    d = Connection(sport=50001)
    for _ in range(3):
        d.segment(0, flags=SYN, seq=5000)
    kept = scan_packets(c.packets + d.packets)
    counted_flags = {
        flow_of(key).sport: kept.flow_tcp[n, [segments.SYN, segments.SYN_ACK, segments.RST]].tolist()
        for n, key in enumerate(kept.flow_keys)
    }
    assert counted_flags == {50000: [1, 0, 0], 3478: [0, 0, 1], 50001: [3, 0, 0]}


RECORDED = [
    "captures/ice-tcp/answerer.pcap",
    "captures/turn-tcp/server.pcap",
    "nDPI__stun_dtls_rtp.pcapng",
    "srtp_decoder__wifi-tcp_to_3g.pcap",
]


def recorded(path, monkeypatch):
    """The longest stream with STUN of a capture, its first sequence number known, and the units in it."""
    segments_of, units_of = {}, {}
    add = Streams.add

    def listen(self, flow, reverse, mark, seq, first, payload, length):
        units = add(self, flow, reverse, mark, seq, first, payload, length)
        if first >= 0 and len(payload) == length:
            segments_of.setdefault((flow, first), []).append((seq, payload))
        for unit in units:
            units_of.setdefault(unit.flow, []).append(unit.payload)
        return units

    with monkeypatch.context() as context:
        context.setattr(Streams, "add", listen)
        scan_file(path)
    (flow, first), pieces = max(segments_of.items(), key=lambda entry: len(entry[1]))
    data = bytearray()
    for seq, payload in sorted(((seq - first) & 0xFFFFFFFF, payload) for seq, payload in pieces):
        assert seq <= len(data), "whole"
        data[seq : seq + len(payload)] = payload
    return bytes(data), units_of[flow]


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_streams_mistreated(name, monkeypatch):
    """The same messages from a recorded stream however it is cut and shuffled; some of them if segments are lost."""
    path = HERE / name if "/" in name else SHARED / name
    if not path.exists():
        pytest.skip("not here")
    data, units = recorded(path, monkeypatch)
    assert len(units) > 15
    for seed in range(15):
        rng = random.Random(seed)
        pieces = rng.choice([10, 50, 200])
        assert run(mistreat(data, rng, 0, pieces=pieces)).payloads == units
        known = seed % 3 > 0
        result = run(mistreat(data, rng, 5, known, pieces=pieces))
        assert is_part(result.units, units)
        if known and not result.gaps:
            assert result.payloads[:-1] == units[: max(0, len(result.units) - 1)], "only the end may lack unnoticed"


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from([b"", CHECK, counted([CHECK]), ALLOCATE[:11], channel(CHECK), b"\x16\3\1", bytes(20)])
            | st.binary(max_size=40),
            st.integers(0, 63),
            st.integers(0, 80) | st.integers(0, 2**32),
            st.integers(0, 2) | st.just(1000),
        ),
        max_size=30,
    ),
    st.integers(0, 120) | st.just(1000),
)
def test_hostile_packets(parts, snap):
    c = Connection()
    for side, payload, flags, seq, port in parts:
        c.ports = (50000 + port, 3478)
        c.segment(side, payload, flags, seq)
    kept = scan_packets(c.packets, snap=snap)
    decode_messages(kept, Pools())
    assert (kept.captured <= kept.length).all()
    order = np.argsort(kept.offset, kind="stable")
    captured = kept.captured[order]
    assert kept.offset[order].tolist() == (np.cumsum(captured) - captured).tolist(), "each byte belongs to one"
    assert sorted(kept.frame.tolist()) == kept.frame.tolist()


@needs_shared
@pytest.mark.parametrize(
    ("name", "before"),
    [("srtp_decoder__wifi-tcp_to_3g.pcap", 0), ("srtp_decoder__tcp_call_02_03_client_s2.pcap", 1)],
)
def test_channel_data_of_wireshark(name, before):
    """As much ChannelData as Wireshark counts, but for what came before the first boundary that is certain."""
    kept, _ = scan_file(SHARED / name)
    theirs = Counter()
    with (SHARED / "wireshark" / f"{name}.tsv").open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["class"] == "channeldata" and row["context"] == "direct":
                theirs[int(row["sport"])] += 1
    theirs[3478] -= before
    ours = {port: row[4] for port, row in kinds(kept).items() if row[4]}
    assert ours == theirs


@needs_shared
def test_no_gap_is_told_of_connections_without_stun():
    """A call whose STUN is all on UDP, beside TLS connections of which segments are missing."""
    kept, _ = scan_file(SHARED / "TracePcap__teams.pcap")
    assert not [text for text in kept.oddities if "TCP segments missing" in text]
