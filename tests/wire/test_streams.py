"""TCP streams put together: the same messages however they were cut, shuffled or repeated; fewer, never others, if
bytes are missing."""

import os
import random

import packets as p
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tcp_streams import (
    ALLOCATE,
    ALLOCATED,
    CHECK,
    Segment,
    channel,
    counted,
    cut,
    is_part,
    mistreat,
    native,
    number,
    run,
    send,
)

from stunpcap.wire import streams as module
from stunpcap.wire.streams import Streams

TURN = [
    ALLOCATE,
    send(CHECK),
    channel(CHECK),
    channel(),
    ALLOCATED,
    channel(p.stun_request(id=b"second-check")),
    channel(b"xyz"),
    send(p.rtp(), b"another-send", 0x0017),
    channel(p.dtls()),
]
ICE = [
    CHECK,
    p.stun_request(b"", number(1), 0x0101),
    p.dtls(),
    p.rtp(),
    p.rtcp(),
    p.stun_request(id=number(2)),
    p.rtp(7),
]
BOTH = pytest.mark.parametrize(("units", "frame"), [(TURN, native), (ICE, counted)], ids=["native", "counted"])


@BOTH
def test_one_segment_or_one_a_byte(units, frame):
    data = frame(units)
    whole = run(cut(data, []))
    assert whole.payloads == units
    assert set(whole.frames) == {1}
    single = run(cut(data, range(len(data))))
    assert single.payloads == units
    ends, at = [], 0
    for unit in units:
        at += len(frame([unit]))
        ends.append(at)
    assert single.frames == ends, "the segment that completed it, padding included"
    assert (single.gaps, single.strays) == (0, 0)


@BOTH
@pytest.mark.parametrize("isn", [0, 1, 2**31 - 50, 2**31, 2**32 - 1, 2**32 - 100])
def test_sequence_numbers_wrap(units, frame, isn):
    data = frame(units)
    segments = cut(data, range(0, len(data), 50), isn)
    segments[1], segments[2] = segments[2], segments[1]
    assert run(segments).payloads == units


def test_order_gives_the_mark_of_who_filled_the_gap():
    a, b, c, d = (p.stun_request(id=number(k)) for k in range(4))
    segments = cut(native([a, b, c, d]), [28, 56, 84])
    result = run([segments[0], segments[2], segments[3], segments[1]])
    assert result.payloads == [a, b, c, d]
    assert result.frames == [1, 4, 4, 4]
    result = run([segments[0], segments[2], segments[3]])
    assert (result.payloads, result.frames) == ([a], [1]), "a Binding request may lie inside TURN data"
    assert (result.gaps, result.strays) == (1, 1)


def test_given_up_keeps_its_own_mark():
    units = [p.stun_request(id=number(k), kind=0x0003) for k in range(300)]
    segments = cut(native(units), range(0, 300 * 28, 28))
    result = run(segments[:1] + segments[2:])
    assert result.payloads == units[:1] + units[2:]
    assert result.frames == list(range(1, 300))
    assert result.gaps == 1


def test_first_bytes_win():
    a, b = p.stun_request(id=number(1)), p.stun_request(id=number(2))
    data = native([a, b])
    segments = cut(data, [28])
    other = Segment(segments[0].seq, b"\xff" * len(data), first=1000)
    assert run([segments[0], other]).payloads[0] == a
    early = Segment(1000 + 30, data[30:40], first=1000)
    wrong = Segment(1000 + 20, data[20:30] + b"\xff" * 10 + data[40:], first=1000)
    assert run([early, wrong, segments[0]]).payloads == [a, b]


def test_overlaps_and_keepalives():
    data = native(TURN)
    segments = [Segment(1000 + at, data[max(0, at) : at + 90], first=1000) for at in range(0, len(data), 30)]
    segments += [Segment(999, b"\0", first=1000), Segment(1000 + len(data) - 1, b"\0", first=1000)]
    assert run(segments).payloads == TURN


@BOTH
@pytest.mark.parametrize("snap", [60, 100])
def test_snap_length(units, frame, snap):
    """A message a segment, each cut: boundaries stay known, and each unit has its true length."""
    segments, at = [], 1000
    for unit in units:
        data = frame([unit])
        segments.append(Segment(at, data[:snap], len(data), first=1000))
        at += len(data)
    result = run(segments)
    prefix = 2 if frame is counted else 0
    assert result.payloads == [unit[: snap - prefix] for unit in units]
    assert [unit.length for unit in result.units] == [len(unit) for unit in units]
    assert (result.gaps, result.strays) == (0, 0)


def test_missing_within_a_frame_costs_that_frame():
    long = send(bytes(900), b"long-message")
    data = native([ALLOCATE, long, CHECK])
    segments = cut(data, [300, 500])
    result = run([segments[0], segments[2]])
    assert result.payloads == [ALLOCATE, long[: 300 - len(ALLOCATE)], CHECK]
    assert [unit.length for unit in result.units] == [28, len(long), 28]
    assert result.frames == [1, 1, 2]
    assert (result.gaps, result.strays) == (1, 0)


def test_capture_ends_within_a_message():
    long = send(bytes(900), b"long-message")
    result = run(cut(native([ALLOCATE, long]), [300])[:1])
    assert result.payloads == [ALLOCATE, long[: 300 - len(ALLOCATE)]]


def test_begun_in_the_middle():
    """Nothing is believed until a boundary is certain."""
    data = native(TURN)
    whole = sum(len(native([unit])) for unit in TURN[:3])
    result = run(cut(data[whole + 10 :], [30], known=False))
    assert result.payloads == TURN[4:]
    # A check at the very beginning may have lost the header of its ChannelData.
    assert run(cut(native([CHECK, CHECK]), [28], known=False)).payloads == []
    assert run(cut(native([channel(CHECK), CHECK]), [], known=False)).payloads == [channel(CHECK), CHECK]
    assert run(cut(counted(ICE), [], known=False)).payloads == ICE
    assert run(cut(counted(ICE)[7:], [60], known=False)).payloads == [], "no segment begins where a packet does"


def test_media_only_after_a_known_channel():
    data = native([ALLOCATE, channel(), channel(), channel()])
    size = len(native([channel()]))
    segments = cut(data, [28, 28 + size, 28 + 2 * size])
    result = run([segments[0], segments[1], segments[3]])
    assert result.payloads == [ALLOCATE, channel(), channel()]


def test_other_direction_tells_the_framing():
    """DTLS first, on a connection that is known to be of RFC 4571 by the other direction's check."""
    first = cut(counted([CHECK]), [], flow=0)
    second = cut(counted([p.dtls(), p.stun_request(b"", number(1), 0x0101)]), [], flow=1)
    assert run(first + second).payloads == [CHECK, p.dtls(), p.stun_request(b"", number(1), 0x0101)]


def test_connection_bind_begins_anew():
    """RFC 6062: what follows the answer is the peer's."""
    bind, bound = p.stun_request(b"", number(1), 0x000B), p.stun_request(b"", number(1), 0x010B)
    server = native([bound]) + counted([CHECK])
    segments = cut(native([bind]), [], flow=0) + cut(server, [], flow=1)
    segments += [Segment(1000 + 20, counted(ICE), flow=0, first=1000)]
    assert run(segments).payloads == [bind, bound, CHECK, *ICE]


def test_another_connection_on_the_same_ports():
    old = cut(native([ALLOCATE, ALLOCATE]), [28, 40], isn=5000)
    new = cut(counted(ICE), [], isn=5020)
    assert run(old[:2] + new).payloads == [ALLOCATE, ALLOCATE[:12], *ICE]
    far = cut(native(TURN), [], isn=2**31, known=False)
    assert run(old[:1] + far).payloads == [ALLOCATE, *TURN]


def test_not_ours():
    assert run(cut(os.urandom(4000), range(0, 4000, 100))).payloads == []
    assert run(cut(b"GET / HTTP/1.1\r\n" * 90, [500])).payloads == []


def test_bounds(monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 100_000)
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 20)
    streams = Streams()
    rng = random.Random(5)
    for frame in range(4000):
        flow = rng.randrange(200)
        seq = rng.randrange(1 << 20)
        size = rng.randrange(1, 1500)
        streams.add(flow, flow ^ 1, (frame,), seq, 0, b"\x40\x01" * size, 2 * size)
        assert streams._bytes <= 100_000
        assert len(streams._connections) <= 20
        held = sum(one.size for each in streams._connections.values() for one in each.streams.values())
        assert streams._bytes == held
    streams.finish()
    assert streams._bytes == 0


turn_units = st.lists(
    st.one_of(
        st.sampled_from([0x0003, 0x0103, 0x0004, 0x0008, 0x0109, 0x0001, 0x0101]).map(
            lambda kind: p.stun_request(id=os.urandom(12), kind=kind)
        ),
        st.integers(0, 60).map(lambda size: channel(p.rtp(size))),
        st.integers(0, 1).map(lambda n: channel(p.stun_request(id=os.urandom(12)) * n)),
        st.integers(0, 60).map(lambda size: send(p.stun_request(bytes(4 * size), os.urandom(12)), os.urandom(12))),
    ),
    min_size=1,
    max_size=12,
)
ice_units = st.lists(
    st.one_of(
        st.sampled_from([0x0001, 0x0101, 0x0111]).map(lambda kind: p.stun_request(id=os.urandom(12), kind=kind)),
        st.integers(0, 60).map(p.rtp),
        st.integers(0, 60).map(lambda size: p.dtls(23, size=size)),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(turn_units.map(lambda u: (u, native)), ice_units.map(lambda u: (u, counted))), st.integers(0, 2**32))
def test_same_messages_from_any_segments(made, seed):
    units, frame = made
    # Without a cookie in the first packet only the other direction could tell the framing.
    first = p.stun_request(id=os.urandom(12), kind=0x0003)
    units = [first, *units]
    result = run(mistreat(frame(units), random.Random(seed), 0))
    assert result.payloads == units
    assert (result.gaps, result.strays) == (0, 0)


IN_CHANNEL = bytes.fromhex("4001001c000100082112a442") + bytes(range(12)) + bytes.fromhex("00060003613a6200")


@settings(max_examples=500, deadline=None)
@example(([bytes.fromhex("4001001d806f0001") + bytes(28), IN_CHANNEL, IN_CHANNEL], native), 348, 1, True)
@given(
    st.one_of(turn_units.map(lambda u: (u, native)), ice_units.map(lambda u: (u, counted))),
    st.integers(0, 2**32),
    st.integers(0, 4),
    st.booleans(),
)
def test_fewer_never_wrong_ones(made, seed, losses, known):
    units, frame = made
    units = [p.stun_request(id=os.urandom(12), kind=0x0003), *units]
    rng = random.Random(seed)
    data = frame(units)
    result = run(mistreat(data, rng, losses, known, pieces=rng.choice([4, 20])))
    # What begins inside a Send indication or ChannelData, at the length of the data, cannot be told from a length that
    # frames a message (RFC 4571), if nothing before it is left: what is taken for a message is one then, inside TURN.
    beginning_lost = not known or result.gaps
    inside = beginning_lost and all(any(one.payload in unit for unit in units) for one in result.units)
    assert inside or is_part(result.units, units)
    if known and not result.gaps:
        assert result.payloads[:-1] == units[: max(0, len(result.units) - 1)], "only the end may lack unnoticed"


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(0, 2**32 - 1) | st.integers(0, 400),
            st.sampled_from([-1, 0, 5]),
            st.binary(max_size=60)
            | st.sampled_from([CHECK, ALLOCATE, channel(), counted([CHECK]), send(CHECK), ALLOCATED[:15]]),
            st.integers(0, 200),
        ),
        max_size=40,
    )
)
def test_hostile_segments(segments):
    made = [Segment(s, payload, len(payload) + more, flow, first) for flow, s, first, payload, more in segments]
    result = run(made)
    for unit in result.units:
        assert len(unit.payload) <= unit.length > 0


def test_gaps_count_where_something_was_found():
    """A connection of which nothing was STUN misses nothing of ours; one whose STUN came later does."""
    quiet = [Segment(1000, b"\x17\3\3\0\x10" + bytes(16), first=1000), Segment(2000, bytes(50), first=1000)]
    assert run(quiet).gaps == 0
    told = [Segment(1000, CHECK[:10], first=1000), Segment(1500, ALLOCATE, first=1000)]
    assert run(told).gaps == 1
