"""From IP to the datagram: lengths that disagree, tunnels that are none, and where each byte ends."""

import packets as p
import pytest
from scanning import Flow, flows, needs_tshark, rows, scan_packets, tshark, write_pcap

from stunpcap.wire import demux
from stunpcap.wire.counters import BYTES, N_OTHER, PACKETS

REQUEST = p.stun_request()


@pytest.mark.parametrize(
    ("packet", "captured", "length"),
    [
        (p.ipv4(p.udp(REQUEST + b"tail", length=8 + len(REQUEST))), REQUEST, 28),
        (p.ipv4(p.udp(length=900)), REQUEST, 28),
        (p.ipv4(p.udp(length=0)), REQUEST, 28),
        (p.ipv4(p.udp() + b"tail", total=56), REQUEST, 28),
        (p.ipv4(p.udp(), total=900), REQUEST, 28),
        (p.ipv4(p.udp(), total=0), REQUEST, 28),
        (p.ipv4(p.udp(), total=52), REQUEST[:24], 24),
        (p.ipv6(p.udp() + b"tail", length=36), REQUEST, 28),
        (p.ipv6(p.udp(), length=0), REQUEST, 28),
        (p.ipv6(p.udp(), length=30), REQUEST[:22], 22),
        (p.ipv6(p.udp(length=8 + 21)), REQUEST[:21], 21),
    ],
)
def test_lengths(packet, captured, length):
    for frame in (p.ethernet(packet), p.ethernet(packet, pad=True)):
        (row,) = rows(scan_packets([frame]))
        if packet[2:4] == b"\0\0" or (packet[4:6] == b"\0\0" and packet[0] == 0x60):
            assert row.payload.startswith(captured), "where no length is given the padding counts"
        else:
            assert (row.payload, row.length) == (captured, length)


def test_tcp_is_counted():
    packets = [p.ipv4(p.tcp(b"GET / HTTP/1.1\r\n" * n, options=bytes(4 * n)), protocol=6) for n in range(3)]
    kept = scan_packets(packets, 101)
    assert flows(kept) == [Flow(p.A, p.SPORT, p.B, p.DPORT, 6)]
    assert kept.flow_counters[0, [PACKETS, BYTES, N_OTHER]].tolist() == [3, 48, 3]
    assert not len(kept.frame)


IP4 = p.ipv4(p.udp())
ETHERNET = p.ethernet(IP4)


@pytest.mark.parametrize(
    "packet",
    [
        p.vxlan(b"media and no Ethernet frame at all"),
        p.vxlan(p.ethernet(bytes(40), 0x0806)),
        p.vxlan(p.ethernet(p.ipv4(b"", protocol=50))),
        p.vxlan(b"short"),
        p.vxlan(p.ethernet(b"\x00" + IP4[1:], 0x0800)),
        p.tunnel(b"\x80" + bytes(7), 4789, ETHERNET),
        p.tunnel(b"", 4789, b"\x08"),
        p.vxlan_gpe(IP4, 4),
        p.vxlan_gpe(bytes(40), 1),
        p.geneve(ETHERNET, 0x05DC),
        p.geneve(ETHERNET, options=bytes(8))[:-1][:60],
        p.tunnel(b"\x3f\0\x65\x58" + bytes(4), 6081, ETHERNET),
        p.gtp(bytes(40)),
        p.tunnel(b"\x34\xff\0\0\0\0\0\0\0\0\0\x85", 2152, b"\0" + bytes(50)),
        p.tunnel(b"\x34\xff\0\0\0\0\0\0\0\0\0\x85", 2152, b"\xff" + bytes(50)),
        p.tunnel(b"\x34\xff\0\0\0\0\0\0\0\0\0\x85", 2152, b"\x01\x01\x01\x85" * 12),
        p.tunnel(b"\x34\xff\0\0\0\0\0\0\0", 2152, b""),
        p.tunnel(b"\x30\x01\0\0\0\0\0\0", 2152, IP4),
        p.teredo(p.ipv6(p.udp())[:-1]),
        p.teredo(p.ipv6(p.udp()) + b"x"),
        p.teredo(IP4),
        p.teredo(p.ipv6(p.udp()), authentication=b"\0\1\xff\xff" + bytes(9)),
        p.teredo(p.ipv6(b"", protocol=59)),
    ],
)
def test_no_tunnel_is_the_outer_datagram(packet):
    kept = scan_packets([packet], 101)
    (flow,) = flows(kept)
    assert (flow.src, flow.dst, flow.protocol) == (p.OUTER_A, p.OUTER_B, 17)
    assert kept.flow_counters[0, [PACKETS, BYTES]].tolist() == [1, len(packet) - 28]
    assert (kept.oddities, kept.ethertypes, kept.protocols) == ({}, {}, {})


def test_inner_tunnel_that_is_none():
    """Back to the innermost datagram that was one."""
    kept = scan_packets([p.gtp(p.vxlan(b"garbage" * 5))], 101)
    assert flows(kept) == [Flow(p.OUTER_A, 33333, p.OUTER_B, 4789, 17)]


@pytest.mark.parametrize("wrap", [lambda ip: p.vxlan(p.ethernet(ip)), p.gtp, lambda ip: p.geneve(ip, p.kind_of(ip))])
def test_tunnel_ends_with_its_datagram(wrap):
    """What follows the outer UDP datagram in the IP packet is none of the inner packet's."""
    inside = p.ipv4(p.udp(REQUEST + b"tail", length=0), total=0)
    packet = wrap(inside)
    whole = p.ipv4(packet[20:] + b"behind", p.OUTER_A, p.OUTER_B)
    (row,) = rows(scan_packets([whole], 101))
    assert row.payload == REQUEST + b"tail"


def test_media_on_tunnel_ports_stays_media():
    for port in (4789, 8472, 4790, 6081, 2152, 3544):
        for first in (0x80, 0x88, 0x90):
            packet = p.ipv4(p.udp(p.rtp(first=first), port, port))
            kept = scan_packets([packet], 101)
            assert flows(kept) == [Flow(p.A, port, p.B, port, 17)]
            assert kept.flow_counters[0, 4] == 1


def test_several_messages_and_what_trails():
    payload = REQUEST + p.stun_request(b"", id=bytes(12)) + b"xyz"
    (row,) = rows(scan_packets([p.ipv4(p.udp(payload))], 101))
    assert (row.payload, row.kind) == (payload, demux.STUN)


@needs_tshark
def test_lengths_as_tshark(tmp_path):
    """Payloads as tshark has them, cut where IP says so."""
    cases = [  # its udp.payload takes no notice of the UDP length; RFC 768 and its own STUN dissector do
        p.ipv4(p.udp() + b"tail", total=56),
        p.ipv6(p.udp() + b"tail", length=36),
        p.ipv4(p.udp(), total=0),
    ]
    view = tshark(write_pcap(tmp_path / "l.pcap", [p.ethernet(c) for c in cases], 1), "udp.payload")
    for packet, (theirs,) in zip(cases, view, strict=True):
        (row,) = rows(scan_packets([p.ethernet(packet)]))
        assert [row.payload.hex()] == theirs
