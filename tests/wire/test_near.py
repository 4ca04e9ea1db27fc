"""The short way to a flow comes to the same as the long one, or does not go."""

import random

import numpy as np
import packets as p
import pytest

from stunpcap.wire import layers
from stunpcap.wire.layers import DATAGRAM, DETAIL, DIRECTION, DPORT, IP_ID, LENGTH, PROTO, SPORT, START, STOP, TTL
from stunpcap.wire.linktypes import ETHERNET
from stunpcap.wire.near import ENTRY, NEAR, come_near, entry_of, near_flow

TOLD = (SPORT, DPORT, PROTO, START, STOP, LENGTH, TTL, DETAIL, DIRECTION, IP_ID)
"""What the walk reads of a datagram, but for the addresses."""


def long_way(packet, wire):
    f = [7] * layers.ALL_FIELDS
    return layers.dissect(memoryview(packet), 0, len(packet), wire, ETHERNET, f), f


def known(packet, flow=5):
    near = np.zeros((NEAR, ENTRY), np.int64)
    come_near(long_way(packet, len(packet))[1], flow, near)
    return near


def check(packet, wire, near, addresses):
    """Whether the short way goes; then it tells what the long one does."""
    f = [9] * layers.ALL_FIELDS
    flow = near_flow(memoryview(packet), 0, len(packet), wire, near, f)
    status, full = long_way(packet, wire)
    if flow < 0:
        return False
    assert (flow, status) == (5, DATAGRAM)
    assert [f[k] for k in TOLD] == [full[k] for k in TOLD]
    assert full[:8] == addresses
    return True


@pytest.mark.parametrize("payload", [p.rtp(), p.stun_request(), b"", b"\0" * 9])
def test_cut_anywhere(payload):
    packet = p.ethernet(p.ipv4(p.udp(payload)))
    near, addresses = known(packet), long_way(packet, len(packet))[1][:8]
    went = [
        check(packet[:size], wire, near, addresses)
        for size in range(len(packet) + 1)
        for wire in (len(packet), size, 1 << 31)
        if wire >= size
    ]
    assert any(went) and not all(went)
    assert check(packet + bytes(9), len(packet) + 9, near, addresses), "padding of Ethernet"


def test_damaged_anywhere():
    rng = random.Random(1)
    packet = p.ethernet(p.ipv4(p.udp(p.rtp())))
    near, addresses = known(packet), long_way(packet, len(packet))[1][:8]
    went = 0
    for _ in range(20_000):
        data = bytearray(packet)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(44)] = rng.choice([0, 1, 8, 17, 0x45, 0xFF, rng.randrange(256)])
        went += check(bytes(data), len(packet) + rng.randrange(3), near, addresses)
    assert 1000 < went < 19_000


@pytest.mark.parametrize(
    "packet",
    [
        p.ethernet(p.ipv4(p.udp(p.rtp(), dport=4789))),
        p.ethernet(p.ipv6(p.udp(p.rtp()))),
        p.ethernet(p.ipv4(p.tcp(b"x" * 20), protocol=6)),
    ],
)
def test_who_has_no_entry(packet):
    assert not known(packet).any()


def test_entries_are_within():
    near = np.zeros((NEAR, ENTRY), np.int64)
    for words in ((0, 0, 0), (2**32 - 1,) * 3, (1, 2**32 - 1, 5)):
        assert 0 <= entry_of(*words, near) < NEAR
        assert max(words) * (1 + 0x45D9F3B + 0x2545F491) < 2**63
