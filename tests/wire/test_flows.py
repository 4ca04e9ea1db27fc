"""The flow table: every flow once, with the right counters, however many there are."""

import random

import numpy as np
import packets as p
import pytest
from scanning import block_of, flow_of

from stunpcap.wire.counters import (
    BYTES,
    FIRST_FRAME,
    FIRST_TIME,
    INBOUND,
    LAST_TIME,
    N_CHANNEL,
    N_DTLS,
    N_OTHER,
    N_RTCP,
    N_RTP,
    N_STUN,
    OUTBOUND,
    PACKETS,
    TTL_MAX,
    TTL_MIN,
)
from stunpcap.wire.hashing import find_slot, free_slots, rehash
from stunpcap.wire.scan import Scanner

KINDS = (N_STUN, N_DTLS, N_RTP, N_RTCP, N_CHANNEL, N_OTHER)
PAYLOADS = (p.stun_request(), p.dtls(), p.rtp(), p.rtcp(), p.channel_data(), b"else")


def model(packets, block):
    """The same with a dictionary, from what the packets were made of."""
    table = {}
    for number, (key, kind, ttl, _) in enumerate(packets):
        row = table.setdefault(key, {"first": number, "ttl": [], "kinds": [0] * 6, "bytes": 0, "time": [], "way": []})
        row["ttl"].append(ttl)
        row["kinds"][kind] += 1
        row["bytes"] += len(PAYLOADS[kind])
        row["time"].append(int(block.time_ns[number]))
        row["way"].append(int(block.direction[number]))
    return table


def packets_of(count, flows, seed=7):
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        host, port, kind, ttl = (
            rng.randrange(flows // 3 + 1),
            1024 + rng.randrange(3),
            rng.randrange(6),
            rng.randrange(256),
        )
        source = f"10.{host >> 16}.{host >> 8 & 255}.{host & 255}"
        packet = p.ipv4(p.udp(PAYLOADS[kind], port), source, ttl=ttl)
        made.append(((source, port), kind, ttl, packet))
    return made


@pytest.mark.parametrize("policy", ["never", "always"])
def test_against_a_dictionary(policy, monkeypatch):
    monkeypatch.setenv("STUNPCAP_COMPILE", policy)
    packets = packets_of(3000, 900)
    directions = [random.Random(1).randrange(3) for _ in packets]
    block, interfaces = block_of([packet for *_, packet in packets], 101, directions=directions)
    block.time_ns[:] = block.time_ns[np.random.default_rng(1).permutation(len(block))]
    scanner = Scanner()
    scanner.feed(block, interfaces)
    kept = scanner.finish()
    expected = model(packets, block)
    assert len(expected) > 300
    assert [(flow_of(key).src, flow_of(key).sport) for key in kept.flow_keys] == list(expected), "in order of first use"
    for counters, row in zip(kept.flow_counters.tolist(), expected.values(), strict=True):
        assert [counters[kind] for kind in KINDS] == row["kinds"]
        assert (counters[PACKETS], counters[BYTES]) == (sum(row["kinds"]), row["bytes"])
        assert (counters[FIRST_FRAME], counters[TTL_MIN], counters[TTL_MAX]) == (
            row["first"] + 1,
            min(row["ttl"]),
            max(row["ttl"]),
        )
        assert (counters[FIRST_TIME], counters[LAST_TIME]) == (min(row["time"]), max(row["time"]))
        assert (counters[INBOUND], counters[OUTBOUND]) == (row["way"].count(1), row["way"].count(2))


def test_more_than_a_hundred_thousand(monkeypatch):
    """Compiled, in two blocks, the second with the same flows the other way round in order."""
    monkeypatch.setenv("STUNPCAP_COMPILE", "always")
    count = 120_000
    template = p.ipv4(p.udp(p.rtp()))
    data = np.tile(np.frombuffer(template, np.uint8), (count, 1))
    numbers = np.arange(count)
    data[:, 13], data[:, 14], data[:, 15] = numbers >> 16, numbers >> 8 & 255, numbers & 255
    block, interfaces = block_of([row.tobytes() for row in data], 101)
    back, _ = block_of([row.tobytes() for row in data[::-1]], 101, first_frame=count + 1)
    scanner = Scanner()
    scanner.feed(block, interfaces)
    scanner.feed(back, interfaces)
    kept = scanner.finish()
    assert len(kept.flow_keys) == count
    assert np.array_equal(kept.flow_keys[:, 3], (192 << 24) + numbers)
    counters = kept.flow_counters
    assert (counters[:, PACKETS] == 2).all() and (counters[:, N_RTP] == 2).all()
    assert np.array_equal(counters[:, FIRST_FRAME], numbers + 1)
    assert (counters[:, BYTES] == 2 * len(p.rtp())).all()


def test_slots():
    """Room for twice the rows, a power of two; equal keys meet again, others never."""
    for count in (1, 2, 255, 256, 257, 1000):
        slots = free_slots(count)
        assert len(slots) >= 2 * count and len(slots) & (len(slots) - 1) == 0
    keys = np.random.default_rng(1).integers(0, 4, (500, 3)).astype(np.uint32)
    keys = np.unique(keys, axis=0)
    slots = free_slots(len(keys))
    rehash(slots, keys, 3, len(keys), 5)
    assert sorted(slots[slots >= 0].tolist()) == list(range(len(keys)))
    for row, key in enumerate(keys):
        assert slots[find_slot(slots, keys, 3, [int(word) for word in key], 5)] == row
    assert slots[find_slot(slots, keys, 3, [9, 9, 9], 5)] == -1


def test_freed_memory_is_let_stay(monkeypatch):
    """Asked for once, where compiled code runs: small captures do without."""
    asked = []
    monkeypatch.setattr("stunpcap.wire.scan.keep_freed", lambda: asked.append(1))
    for policy, times in (("never", 0), ("always", 1)):
        monkeypatch.setenv("STUNPCAP_COMPILE", policy)
        scanner = Scanner()
        for frame in (1, 2):
            scanner.feed(*block_of([p.ethernet(p.ipv4(p.udp(p.rtp())))], first_frame=frame))
        assert len(asked) == times and scanner.finish().packets == 2
