"""Whatever the bytes are: no exception, no endless loop, no byte read that is not the packet's.

All in plain mode, where an index beyond the buffer raises.  Compiled code is the same source.
"""

import numpy as np
import packets as p
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scanning import block_of, rows, scan_packets
from test_icmp import CASES as ERRORS
from test_links import AMSDU, CASES

from stunpcap.stun.columns import decode_messages
from stunpcap.table import Pools
from stunpcap.wire import demux, layers, near, words
from stunpcap.wire.linktypes import LINK_TYPES
from stunpcap.wire.scan import Scanner

VALID = [(number, packet) for number, packet, *_ in (*CASES.values(), *ERRORS.values())]
VALID += [(101, piece) for v6 in (False, True) for piece in p.fragments(p.udp(p.rtp()), v6=v6)]
VALID.append((105, p.wifi(p.subframe(p.snap(p.ipv4(p.udp()))) * 3, qos=AMSDU)))
VALID += [(101, p.ipv4(p.udp(p.dtls() + p.dtls(23)))), (101, p.ipv4(p.tcp(b"x"), protocol=6))]
LINKS = sorted(LINK_TYPES)


@pytest.fixture(autouse=True)
def _plain(monkeypatch):
    monkeypatch.setenv("STUNPCAP_COMPILE", "never")


class Strict:
    """A buffer that knows where a packet lies, and refuses to be read elsewhere."""

    def __init__(self, data):
        self.data = data

    def __getitem__(self, index):
        if not 0 <= index < len(self.data):
            raise IndexError(index)
        return self.data[index]


def dissect_strictly(packet, number, wire_length=None):
    """What the kernel sees of a packet, with every index checked; Python's own negative ones, too."""
    buffer, f = Strict(packet), [0] * layers.ALL_FIELDS
    wire_length = len(packet) if wire_length is None else wire_length
    status = layers.dissect(buffer, 0, len(packet), wire_length, LINK_TYPES[number].layer, f)
    if status <= layers.AGGREGATE:
        at = layers.START if status == layers.DATAGRAM else layers.IP_AT
        assert 0 <= f[at] <= f[layers.STOP] <= len(packet)
        assert f[layers.STOP] - f[at] <= f[layers.LENGTH] <= wire_length
    if status == layers.DATAGRAM and f[layers.PROTO] != layers.TCP:
        start, stop = f[layers.START], f[layers.STOP]
        kind = demux.demux(buffer, start, stop, f[layers.LENGTH], f[layers.SPORT], f[layers.DPORT], 1)
        assert 0 <= kind <= demux.STUN_CUT
    return status


def check(packets, number, snap=1 << 20):
    """Scan and decode; what surrounds the packets makes no difference."""
    for packet in packets:
        dissect_strictly(packet[:snap], number, len(packet))
    results = []
    for guard in (b"", b"\x00" * 64, b"\x21\x12\xa4\x42" * 16):
        kept = scan_packets(packets, number, snap=snap, guard=guard)
        decode_messages(kept, Pools())
        results.append((rows(kept), kept.icmp, kept.oddities, kept.flow_counters.tolist(), kept.flow_keys.tolist()))
    assert results[0] == results[1] == results[2]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(LINKS), st.lists(st.binary(max_size=120), min_size=1, max_size=3))
def test_random_bytes(number, packets):
    check(packets, number)


@st.composite
def mutated(draw):
    """A valid packet with bytes changed, cut out or put in."""
    number, packet = draw(st.sampled_from(VALID))
    packet = bytearray(packet)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(packet) - 1)))
        match draw(st.sampled_from("sssdix")):
            case "s" if packet:
                packet[at] = draw(st.sampled_from([0, 1, 4, 6, 17, 41, 44, 47, 0x45, 0x60, 0x7F, 0x80, 0xFF]))
            case "d":
                del packet[at : at + draw(st.integers(1, 8))]
            case "i":
                packet[at:at] = draw(st.binary(max_size=8))
            case _ if packet:
                packet[at] ^= 1 << draw(st.integers(0, 7))
    return number, bytes(packet)


@settings(max_examples=800, deadline=None)
@given(mutated(), st.integers(0, 400))
def test_mutated_packets(case, snap):
    number, packet = case
    check([packet], number)
    check([packet, packet], number, snap)


@pytest.mark.parametrize("number", LINKS)
def test_same_byte_throughout(number):
    for value in range(256):
        for size in (1, 8, 16, 64, 300):
            dissect_strictly(bytes([value]) * size, number)


def test_cut_at_every_length():
    """A valid packet cut anywhere: its message as far as it goes, or counted and named; never a wrong one."""
    for name, (number, packet, flow) in CASES.items():
        if "total length 0" in name:
            continue
        (whole,) = rows(scan_packets([packet], number))
        snaps = range(len(packet))
        for snap in snaps:
            dissect_strictly(packet[:snap], number, len(packet))
        kept = scan_packets([packet] * len(snaps), number, snap=list(snaps))
        found = rows(kept)
        for row in found:
            assert whole.payload.startswith(row.payload), (name, row.frame)
            assert (row.length, row.flow) == (whole.length, flow), (name, row.frame)
            assert row.kind == (demux.STUN if len(row.payload) >= 20 else demux.STUN_CUT)
        messages = [row for row in found if row.kind == demux.STUN]
        assert len(decode_messages(kept, Pools())["datagram"]) == len(messages)
        named = sum(count for text, (_, count, _) in kept.oddities.items() if "cut by the snap length" in text)
        assert len(messages) + named == len(snaps), name


ENDLESS = [
    (1, p.ethernet(p.tagged(b"", *[0x8100] * 4000, kind=0x8100)[0], 0x8100)),
    (1, p.ethernet(bytes(60000), 0x8847)),
    (101, p.ipv6(b"\0\0" * 30000, protocol=0)),
    (101, p.ipv6(b"\x3c\xff" * 30000, protocol=60)),
    (101, p.ipv4(b"\x33\0" * 30000, protocol=51)),
    (101, p.tunnel(b"\x34\xff\0\0\0\0\0\0\0\0\0\x85", 2152, b"\1\1\1\x85" * 15000)),
    (101, p.tunnel(b"\x34\xff\0\0\0\0\0\0\0\0\0\x85", 2152, bytes(60000))),
    (127, b"\0\0\xff\xff" + b"\xff" * 60000),
    (163, b"\x80\x21\x10\x01\xff\xff\xff\xff" + bytes(60000)),
    (101, p.ipv4(p.udp(b"\x16\xfe\xfd" + bytes(8) + b"\0\0" + (b"\x14" + bytes(12)) * 4000))),
    (105, p.wifi(p.subframe(b"\1") * 3000, qos=AMSDU)),
    (105, p.wifi(bytes(60000), qos=AMSDU)),
    (101, p.ipv4(p.udp(b"\0\1\0\0" + b"\1" * 16))),
]


@pytest.mark.parametrize("case", range(len(ENDLESS)))
def test_chains_end(case):
    number, packet = ENDLESS[case]
    check([packet], number)


def test_wire_length_may_lie():
    """The length on the wire is the file's word: huge or just the captured one."""
    for number, packet in VALID:
        for wire in (len(packet), len(packet) + 1, 1 << 31, (1 << 32) - 1):
            dissect_strictly(packet, number, wire)


def test_blocks_and_interfaces():
    """Blocks without packets, packets without bytes, and several link types in one capture."""
    scanner = Scanner()
    block, interfaces = block_of([])
    scanner.feed(block, interfaces)
    scanner.feed(*block_of([b"", b""], 1))
    scanner.feed(*block_of([p.ipv4(p.udp())], 101, first_frame=3))
    kept = scanner.finish()
    assert [row.frame for row in rows(kept)] == [3]
    assert kept.packets == 3


def test_blocks_without_bytes_in_compiled_code(monkeypatch):
    """Of a packet nothing was captured: its first byte is fetched all the same, be it that there is any."""
    assert near.fetch(memoryview(b""), np.zeros(3, np.int64), 0) == 0
    monkeypatch.setenv("STUNPCAP_COMPILE", "always")
    assert scan_packets([b"", b""], 1, guard=b"").packets == 2


def test_no_floats_in_compiled_code():
    """numba makes a float of a signed and an unsigned number; what reads words must give signed ones."""
    numba = pytest.importorskip("numba")
    for function in (words.u16, words.u32, words.le16):
        compiled = numba.njit(function)
        compiled(np.zeros(8, np.uint8), 0)
        assert [str(found.signature.return_type) for found in compiled.overloads.values()] == ["int64"]
