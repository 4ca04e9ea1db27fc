"""TCP's own word on losses: a connection is written down segment by segment, and what each direction tells of it.

The expectations follow from RFC 9293 by counting bytes by hand; tshark counts retransmissions and zero windows, too.
"""

from struct import pack

import packets as p
import pytest
from scanning import needs_tshark, scan_packets, tshark, write_pcap

from stunpcap.wire import acknowledged as a
from stunpcap.wire import segments

S, ACK, F, R = 0x02, 0x10, 0x01, 0x04
BULK = b"GET / HTTP/1.1\r\n" * 100


def segment(way, seq, ack=0, flags=ACK, size=0, window=1000, id=0, base=(1000, 5000)):
    """A segment of the client (`>`) or the server (`<`); numbers count from each side's first byte of data."""
    sport, dport = (4000, 80) if way == ">" else (80, 4000)
    src, dst = (p.A, p.B) if way == ">" else (p.B, p.A)
    mine, theirs = base if way == ">" else base[::-1]
    head = pack(
        ">HHIIBBHHH",
        sport,
        dport,
        (mine + seq) % 2**32,
        (theirs + ack) % 2**32 if flags & ACK else 0,
        0x50,
        flags,
        window,
        0,
        0,
    )
    return p.ipv4(head + BULK[:size], src, dst, protocol=6, id=id)


OPENED = [("<>"[n % 2 == 0], *rest) for n, rest in enumerate([(-1, 0, S), (-1, 0, S | ACK), (0, 0, ACK)])]

CASES = {
    "all well": (
        [*OPENED, (">", 0, 0, ACK, 100), ("<", 0, 100), ("<", 0, 100, ACK, 50), (">", 100, 50)],
        {">": (0, 0, 0, 0, 0), "<": (0, 0, 0, 0, 0)},
    ),
    "ended": (
        [*OPENED, (">", 0, 0, ACK, 100), (">", 100, 0, F | ACK), ("<", 0, 101), ("<", 0, 101, F | ACK), (">", 101, 1)],
        {">": (1, 0, 0, 0, 0), "<": (1, 0, 0, 0, 0)},
    ),
    "the last FIN is not acknowledged": (
        [*OPENED, (">", 0, 0, ACK, 100), ("<", 0, 100), (">", 100, 0, F | ACK)],
        {">": (1, 0, 0, 0, 0)},
    ),
    "never acknowledged": (
        [*OPENED, (">", 0, 0, ACK, 100), ("<", 0, 100), (">", 100, 0, ACK, 70), (">", 100, 0, ACK, 70)],
        {">": (0, 1, 0, 70, 0), "<": (0, 0, 0, 0, 0)},
    ),
    "not captured, and acknowledged": (
        [*OPENED, (">", 0, 0, ACK, 100), (">", 300, 0, ACK, 50), ("<", 0, 350)],
        {">": (0, 0, 0, 0, 200)},
    ),
    "lost on the way, and sent again": (
        [*OPENED, (">", 0, 0, ACK, 100), (">", 200, 0, ACK, 50), ("<", 0, 100), (">", 100, 0, ACK, 100), ("<", 0, 250)],
        {">": (0, 0, 0, 0, 0)},
    ),
    "out of order in pieces": (
        [
            *OPENED,
            (">", 300, 0, ACK, 100),
            (">", 100, 0, ACK, 50),
            (">", 200, 0, ACK, 100),
            (">", 0, 0, ACK, 100),
            ("<", 0, 400),
        ],
        {">": (0, 0, 0, 0, 50)},
    ),
    "lost and never acknowledged: nobody knows": (
        [*OPENED, (">", 0, 0, ACK, 100), (">", 200, 0, ACK, 50), ("<", 0, 100)],
        {">": (0, 0, 0, 150, 0)},
    ),
    "the last bytes were not captured": (
        [*OPENED, (">", 0, 0, ACK, 100), ("<", 0, 180)],
        {">": (0, 0, 0, 0, 80)},
    ),
    "a FIN that was not captured is no byte": ([*OPENED, (">", 0, 0, ACK, 100), ("<", 0, 101)], {">": (0, 0, 0, 0, 0)}),
    "a window of nothing": (
        [*OPENED, (">", 0, 0, ACK, 100), ("<", 0, 100, ACK, 0, 0), ("<", 0, 100, ACK, 0, 0), ("<", 0, 100, ACK, 0, 9)],
        {">": (0, 0, 0, 0, 0), "<": (0, 0, 2, 0, 0)},
    ),
    "kept alive": (
        [*OPENED, (">", 0, 0, ACK, 100), ("<", 0, 100), (">", 99, 0, ACK, 1), ("<", 0, 100), (">", 99), ("<", 0, 100)],
        {">": (0, 0, 0, 0, 0)},
    ),
    "captured twice": (
        [*OPENED, (">", 0, 0, ACK, 100, 1000, 7), (">", 0, 0, ACK, 100, 1000, 7), ("<", 0, 100)],
        {">": (0, 0, 0, 0, 0)},
    ),
    "sent twice": (
        [*OPENED, (">", 0, 0, ACK, 100, 1000, 7), (">", 0, 0, ACK, 100, 1000, 8), ("<", 0, 100)],
        {">": (0, 1, 0, 0, 0)},
    ),
    "from the middle on": (
        [("<", 0, 5000), (">", 5200, 0, ACK, 100), (">", 5300, 0, ACK, 10), ("<", 0, 5310)],
        {">": (0, 0, 0, 0, 0)},
    ),
    "refused": ([(">", -1, 0, S), ("<", 0, 0, R | ACK)], {">": (0, 0, 0, 0, 0)}),
    "broken": (
        [*OPENED, (">", 0, 0, ACK, 100), ("<", 9_000_000, 0, R)],
        {">": (0, 0, 0, 100, 0), "<": (0, 0, 0, 0, 0)},
    ),
    "acknowledged before it was captured": (
        [*OPENED, ("<", 0, 100), (">", 0, 0, ACK, 100)],
        {">": (0, 0, 0, 0, 0)},
    ),
    "SYN again": ([OPENED[0], OPENED[0], *OPENED, (">", 0, 0, ACK, 10), ("<", 0, 10)], {">": (0, 0, 0, 0, 0)}),
}  # fmt: skip
FIELDS = [segments.FIN, a.AGAIN, a.ZERO_WINDOW, a.UNACKED, a.MISSING]


def told(packets):
    kept = scan_packets(packets, 101)
    rows = zip(kept.flow_keys[:, 8] >> 16, kept.flow_tcp[:, FIELDS].tolist(), strict=True)
    return {">" if sport == 4000 else "<": row for sport, row in rows}


@pytest.mark.parametrize("policy", ["never", "always"])
@pytest.mark.parametrize("base", [(1000, 5000), (2**32 - 60, 2**32 - 1), (0, 2**31)])
def test_connections(base, policy, monkeypatch):
    """Wherever the sequence numbers begin, and wherever they wrap."""
    monkeypatch.setenv("STUNPCAP_COMPILE", policy)
    for name, (sent, expected) in CASES.items():
        found = told([segment(*one, base=base) for one in sent])
        assert {way: tuple(found[way]) for way in expected} == expected, name


def test_one_direction_tells_nothing_of_the_other():
    (row,) = told([segment(">", n * 100, 0, ACK, 100) for n in range(5)]).values()
    assert row == [0, 0, 0, -1, -1]


def test_ports_used_again():
    """What the first connection missed is added to what the second misses."""
    first = [segment(*one) for one in CASES["never acknowledged"][0]]
    second = [segment(*one, base=(700_000, 900_000)) for one in CASES["not captured, and acknowledged"][0]]
    assert told(first + second)[">"] == [0, 1, 0, 70, 200]
    assert told(second + first)[">"] == [0, 1, 0, 70, 200]


def test_more_holes_than_are_remembered():
    """Those beyond count for filled: never is more said to be missing than is."""
    sent = [segment(">", n * 100, 0, ACK, 50) for n in range(40)]
    answer = [segment("<", 0, 100 * 39 + 50)]
    assert told([segment(*one) for one in OPENED] + sent + answer)[">"][-1] == 50 * a.HOLES


def test_many_connections_with_holes():
    def of(host, *one):
        packet = bytearray(segment(*one))
        at = 12 if one[0] == ">" else 16
        packet[at + 2 : at + 4] = pack(">H", host)
        return bytes(packet)

    sent = [*OPENED, (">", 0, 0, ACK, 100), (">", 300, 0, ACK, 50), ("<", 0, 350)]
    kept = scan_packets([of(host, *one) for host in range(2000) for one in sent], 101)
    from_clients = (kept.flow_keys[:, 8] >> 16) == 4000
    assert (kept.flow_tcp[from_clients, a.MISSING] == 200).all() and from_clients.sum() == 2000


@needs_tshark
@pytest.mark.parametrize("name", ["never acknowledged", "a window of nothing", "kept alive", "sent twice", "all well"])
def test_tshark_counts_the_same(name, tmp_path):
    sent, _ = CASES[name]
    packets = [segment(*one) for one in sent]
    path = write_pcap(tmp_path / "one.pcap", packets, 101)
    seen = tshark(path, "tcp.analysis.retransmission", "tcp.analysis.zero_window")
    found = told(packets)
    assert sum(bool(again) for again, _ in seen) == sum(row[1] for row in found.values())
    assert sum(bool(zero) for _, zero in seen) == sum(row[2] for row in found.values())
