"""Link types, IP and tunnels: each packet built by hand gives one flow and one STUN message, and tshark agrees."""

import packets as p
import pytest
from scanning import Flow, flows, needs_tshark, rows, scan_packets, tshark, write_pcap

from stunpcap.wire import demux
from stunpcap.wire.counters import INBOUND, OUTBOUND

V4 = Flow(p.A, p.SPORT, p.B, p.DPORT, 17)
V6 = Flow(p.A6, p.SPORT, p.B6, p.DPORT, 17)
IP4 = p.ipv4(p.udp())
IP6 = p.ipv6(p.udp())
TAGS = (0x8100, 0x88A8, 0x9100)
OPTIONS = p.extension


def vlan(packet, *tags):
    return p.ethernet(*p.tagged(packet, *tags))


def both(name, number, build):
    return {f"{name}, IPv4": (number, build(IP4), V4), f"{name}, IPv6": (number, build(IP6), V6)}


CASES = {
    **both("Ethernet", 1, p.ethernet),
    "Ethernet padding": (1, p.ethernet(p.ipv4(p.udp(p.stun_request(b""))), pad=True) + bytes(9), V4),
    **{f"VLAN {tag:#x}": (1, vlan(IP4, tag), V4) for tag in (*TAGS, 0x9200)},
    "VLAN in VLAN": (1, vlan(IP6, 0x88A8, 0x8100), V6),
    "five VLANs": (1, vlan(IP4, 0x9100, 0x88A8, 0x8100, 0x8100, 0x8100), V4),
    **both("MPLS", 1, lambda ip: p.ethernet(p.mpls(ip, 100), 0x8847)),
    "MPLS, three labels, multicast": (1, p.ethernet(p.mpls(IP4, 16, 17, 18), 0x8848), V4),
    "MPLS under VLAN": (1, p.ethernet(*p.tagged(p.mpls(IP4, 16), 0x8100, kind=0x8847)), V4),
    "MPLS pseudowire, control word": (1, p.ethernet(p.mpls(bytes(4) + vlan(IP4, 0x8100), 300), 0x8847), V4),
    "MPLS pseudowire": (1, p.ethernet(p.mpls(p.ethernet(IP6), 16, 301), 0x8847), V6),
    "MPLS pseudowire to a MAC address like IPv4": (
        1,
        p.ethernet(p.mpls(b"\x45\x01\xff\xff\0\1" + p.ethernet(IP4)[6:], 301), 0x8847),
        V4,
    ),
    "MPLS in IP": (101, p.outer(p.mpls(IP4, 16), 137), V4),
    "MPLS as link type": (219, p.mpls(IP4, 16), V4),
    **both("PPPoE", 1, lambda ip: p.ethernet(p.pppoe(p.ppp(ip, framed=False)), 0x8864)),
    "PPPoE in VLAN": (1, p.ethernet(*p.tagged(p.pppoe(p.ppp(IP4, False)), 0x8100, kind=0x8864)), V4),
    "PPPoE as link type": (51, p.pppoe(p.ppp(IP4, False)), V4),
    **both("802.3 SNAP", 1, lambda ip: p.ieee8023(p.snap(ip))),
    "802.3 SNAP, bridged": (1, p.ieee8023(p.snap(IP4, vendor=b"\0\0\xf8")), V4),
    "802.3 LLC of IP": (1, p.ieee8023(b"\x06\x06\x03" + IP4), V4),
    **both("cooked v1", 113, p.sll),
    "cooked v1, VLAN": (113, p.sll(*reversed((p.tagged(IP4, 0x8100)[1], 4, p.tagged(IP4, 0x8100)[0]))), V4),
    "cooked v1, LLC": (113, p.sll(p.snap(IP4), kind=4), V4),
    **both("cooked v2", 276, p.sll2),
    "cooked v2, LLC": (276, p.sll2(p.snap(IP6), kind=4), V6),
    **{k: v for number in (12, 14, 101) for k, v in both(f"raw {number}", number, bytes).items()},
    "raw IPv4": (228, IP4, V4),
    "raw IPv6": (229, IP6, V6),
    **{
        f"{'LOOP' if number else 'NULL'}, family {family}, {order}": (
            number,
            p.null(IP4 if family == 2 else IP6, family, order),
            v,
        )
        for number in (0, 108)
        for order in "<>"
        for family, v in ((2, V4), (10, V6), (23, V6), (24, V6), (28, V6), (30, V6))
    },
    **both("PPP", 9, p.ppp),
    **both("PPP without FF03", 9, lambda ip: p.ppp(ip, framed=False)),
    **both("PPP, compressed protocol", 9, lambda ip: p.ppp(ip, compressed=True)),
    **both("PPP, all compressed", 50, lambda ip: p.ppp(ip, framed=False, compressed=True)),
    "PPP, MPLS": (9, p.ppp(p.mpls(IP4, 16), protocol=0x0281), V4),
    "PPP, in fact Cisco HDLC": (50, p.hdlc(IP4), V4),
    "Cisco HDLC": (104, p.hdlc(IP4), V4),
    "Cisco HDLC, IPv6, multicast": (104, p.hdlc(IP6, 0x8F), V6),
    **both("802.11 to the access point", 105, lambda ip: p.wifi(p.snap(ip))),
    "802.11 from the access point": (105, p.wifi(p.snap(IP4), False, True), V4),
    "802.11 ad hoc": (105, p.wifi(p.snap(IP4), False, False), V4),
    "802.11 between access points": (105, p.wifi(p.snap(IP4), True, True), V4),
    "802.11 QoS": (105, p.wifi(p.snap(IP4), qos=5), V4),
    "802.11 QoS between access points": (105, p.wifi(p.snap(IP4), True, True, qos=0), V4),
    "802.11 QoS, HT control": (105, p.wifi(p.snap(IP6), qos=0, ht=True), V6),
    "radiotap": (127, p.radiotap(p.wifi(p.snap(IP4))), V4),
    "radiotap, no pad": (127, p.radiotap(p.wifi(p.snap(IP4), qos=0), flags=0), V4),
    "radiotap, pad": (127, p.radiotap(p.wifi(p.snap(IP4), qos=0, pad=True), flags=0x20), V4),
    "radiotap, pad, time": (127, p.radiotap(p.wifi(p.snap(IP4), qos=0, pad=True), 0x20, True), V4),
    "radiotap, pad, long": (127, p.radiotap(p.wifi(p.snap(IP6), qos=0, pad=True), 0x20, True, words=3), V6),
    "radiotap, checksum at the end": (127, p.radiotap(p.wifi(p.snap(IP4)) + bytes(4), flags=0x10), V4),
    "AVS": (163, p.avs(p.wifi(p.snap(IP4))), V4),
    "AVS as Prism": (119, p.avs(p.wifi(p.snap(IP4), qos=0)), V4),
    "Prism, little-endian": (119, p.prism(p.wifi(p.snap(IP4))), V4),
    "Prism, big-endian": (119, p.prism(p.wifi(p.snap(IP4)), ">"), V4),
    "PPI, 802.11": (192, p.ppi(p.wifi(p.snap(IP4))), V4),
    "PPI, 802.11, with a field": (192, p.ppi(p.wifi(p.snap(IP4)), fields=b"\2\0\x14\0" + bytes(20)), V4),
    "PPI, Ethernet": (192, p.ppi(p.ethernet(IP4), 1), V4),
    "PPI, raw IP": (192, p.ppi(IP4, 101), V4),
    **both("PKTAP, Ethernet", 258, lambda ip: p.pktap(p.ethernet(ip))),
    "PKTAP, utun": (258, p.pktap(p.null(IP6, 30, "<"), 0), V6),
    "PKTAP, raw, sent": (258, p.pktap(IP4, 12, 2), V4),
    "PKTAP, longer": (258, p.pktap(p.ethernet(IP4), length=156), V4),
    "PKTAP, big-endian": (258, p.pktap(p.ethernet(IP4), order=">"), V4),
    **{k: v for order in "<>" for k, v in both(f"NFLOG, {order}", 239, lambda ip, o=order: p.nflog(ip, 1, o)).items()},
    "NFLOG, no hook": (239, p.nflog(IP4), V4),
    **both("SLIP", 8, p.slip),
    "SLIP without its header": (8, IP4, V4),
    **both("Frame Relay", 107, p.frame_relay),
    "Frame Relay, three bytes of address": (107, p.frame_relay(IP4, b"\x18\x40\x03"), V4),
    "Frame Relay, SNAP": (107, p.frame_relay(p.snap(IP4)[3:], nlpid=0x80, pad=True), V4),
    "Frame Relay, bridged": (107, p.frame_relay(b"\0\x80\xc2\0\7" + p.ethernet(IP4), nlpid=0x80, pad=True), V4),
    "Frame Relay, PPP": (107, p.frame_relay(p.ppp(IP4, framed=False), nlpid=0xCF), V4),
    "Frame Relay, Cisco": (107, b"\x18\x41\x08\0" + IP4, V4),
    "Frame Relay with direction": (206, b"\0" + p.frame_relay(IP4), V4),
    "Cisco HDLC with direction": (205, b"\0" + p.hdlc(IP4), V4),
    # IP
    "IPv4 options": (1, p.ethernet(p.ipv4(p.udp(), options=b"\x94\x04\0\0\x01\x01\x01\0")), V4),
    "IPv4 with 40 bytes of options": (1, p.ethernet(p.ipv4(p.udp(), options=b"\1" * 40)), V4),
    "IPv4 total length 0": (1, p.ethernet(p.ipv4(p.udp(), total=0)), V4),
    "IPv6 hop by hop": (1, p.ethernet(p.ipv6(OPTIONS(p.udp()), protocol=0)), V6),
    "IPv6 routing": (1, p.ethernet(p.ipv6(OPTIONS(p.udp(), content=b"\3\0\0\0\0\0"), protocol=43)), V6),
    "IPv6 destination options": (1, p.ethernet(p.ipv6(OPTIONS(p.udp(), content=bytes(14)), protocol=60)), V6),
    "IPv6 AH": (1, p.ethernet(p.ipv6(p.ah(p.udp()), protocol=51)), V6),
    "IPv4 AH": (1, p.ethernet(p.ipv4(p.ah(p.udp()), protocol=51)), V4),
    "IPv6 atomic fragment": (1, p.ethernet(p.ipv6(p.fragment6(p.udp()), protocol=44)), V6),
    "IPv6 all of them": (
        1,
        p.ethernet(p.ipv6(OPTIONS(OPTIONS(p.fragment6(p.ah(OPTIONS(p.udp()), 60), 51), 44), 60), protocol=0)),
        V6,
    ),
    "UDP-Lite": (1, p.ethernet(p.ipv4(p.udplite(), protocol=136)), Flow(p.A, p.SPORT, p.B, p.DPORT, 136)),
    "UDP-Lite, all covered": (
        1,
        p.ethernet(p.ipv4(p.udplite(coverage=0), protocol=136)),
        Flow(*list(V4.__dict__.values())[:4], 136),
    ),
    # Tunnels
    **both("GRE", 101, lambda ip: p.outer(p.gre(ip, p.kind_of(ip)))),
    "GRE, checksum": (101, p.outer(p.gre(IP4, checksum=0)), V4),
    "GRE, key": (101, p.outer(p.gre(IP4, key=9)), V4),
    "GRE, sequence": (101, p.outer(p.gre(IP4, sequence=9)), V4),
    "GRE, all three, in IPv6": (101, p.outer6(p.gre(IP6, 0x86DD, 0, 1, 2)), V6),
    "GRE, Ethernet": (101, p.outer(p.gre(p.ethernet(IP4), 0x6558, key=1)), V4),
    "GRE, Ethernet with VLAN": (101, p.outer(p.gre(vlan(IP4, 0x8100), 0x6558)), V4),
    "GRE, MPLS": (101, p.outer(p.gre(p.mpls(IP4, 16), 0x8847)), V4),
    "PPTP": (101, p.outer(p.gre(p.ppp(IP4), 0x880B, key=1, sequence=2, version=1)), V4),
    "PPTP, acknowledging": (101, p.outer(p.gre(p.ppp(IP4, False), 0x880B, key=1, sequence=2, ack=3, version=1)), V4),
    "IP in IP": (101, p.outer(IP4, 4), V4),
    "6in4": (101, p.outer(IP6, 41), V6),
    "4in6": (101, p.outer6(IP4, 4), V4),
    "6in6": (101, p.outer6(IP6, 41), V6),
    "EtherIP": (101, p.outer(b"\x30\0" + p.ethernet(IP4), 97), V4),
    **both("VXLAN", 101, lambda ip: p.vxlan(p.ethernet(ip))),
    "VXLAN on Linux's old port": (101, p.vxlan(p.ethernet(IP4), dport=8472), V4),
    "VXLAN, VLAN": (101, p.vxlan(vlan(IP4, 0x8100)), V4),
    "VXLAN-GPE, IPv4": (101, p.vxlan_gpe(IP4, 1), V4),
    "VXLAN-GPE, IPv6": (101, p.vxlan_gpe(IP6, 2), V6),
    "VXLAN-GPE, Ethernet": (101, p.vxlan_gpe(p.ethernet(IP4), 3), V4),
    "Geneve": (101, p.geneve(p.ethernet(IP4)), V4),
    "Geneve with options": (101, p.geneve(p.ethernet(IP6), options=b"\0\1\2\1abcd"), V6),
    "Geneve, IPv4": (101, p.geneve(IP4, 0x0800), V4),
    **both("GTP-U", 101, p.gtp),
    "GTP-U, sequence": (101, p.gtp(IP4, 0x02), V4),
    "GTP-U, sequence and what is no extension": (
        101,
        p.gtp(IP4, 0x02, sequence=b"\0\1")[: -len(IP4) - 1] + b"\x85" + IP4,
        V4,
    ),
    "GTP-U, extension": (101, p.gtp(IP4, extensions=[(0x85, b"\0\1")]), V4),
    "GTP-U, extensions": (101, p.gtp(IP6, 2, [(0x85, b"\0\1"), (0x40, b"\0\1\0\0\0\0")]), V6),
    "ERSPAN I": (101, p.erspan1(p.ethernet(IP4)), V4),
    "ERSPAN II": (101, p.erspan2(vlan(IP4, 0x8100)), V4),
    "ERSPAN III": (101, p.erspan3(p.ethernet(IP6)), V6),
    "ERSPAN III, subheader": (101, p.erspan3(p.ethernet(IP4), True), V4),
    "Teredo": (101, p.teredo(IP6), V6),
    "Teredo, origin": (101, p.teredo(IP6, origin=bytes.fromhex("0000ffffffffffff")), V6),
    "Teredo, authentication": (101, p.teredo(IP6, b"\0\1\0\0" + bytes(9)), V6),
    "Teredo, both": (101, p.teredo(IP6, b"\0\1\4\2" + bytes(15), bytes.fromhex("0000ffffffffffff")), V6),
    "GRE in VXLAN in GTP-U": (101, p.gtp(p.vxlan(p.ethernet(p.outer(p.gre(IP6, 0x86DD))))), V6),
    "6in4 in GRE in PPPoE in VLAN": (
        1,
        p.ethernet(*p.tagged(p.pppoe(p.ppp(p.outer(p.gre(p.outer(IP6, 41))), False)), 0x8100, kind=0x8864)),
        V6,
    ),
    # Ports of tunnels that carry STUN: has the cookie, stays what it is.
    **{
        f"STUN to port {port}": (1, p.ethernet(p.ipv4(p.udp(dport=port))), Flow(p.A, p.SPORT, p.B, port, 17))
        for port in (4789, 8472, 4790, 6081, 2152, 3544)
    },
}

FIELDS = ("ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "udp.srcport", "udp.dstport", "udp.payload", "stun.id")
# What follows MPLS labels it has to be told.
OPTIONS_OF_TSHARK = (
    "-d",
    "mpls.label==300,pwethcw",
    "-d",
    "mpls.label==301,pwethnocw",
    "-d",
    "udp.port==8472,vxlan",
)
NOT_SEEN_BY_TSHARK = {
    "VLAN 0x9200": "unknown to it; some switches stack tags with it",
    "MPLS as link type": "unknown to this version",
    **dict.fromkeys(("Frame Relay with direction", "Cisco HDLC with direction"), "unknown to it"),
    **dict.fromkeys(("SLIP, IPv4", "SLIP, IPv6", "SLIP without its header"), "it has no dissector for it"),
    **dict.fromkeys(("NFLOG, >, IPv4", "NFLOG, >, IPv6"), "it takes the byte order from a setting"),
    "PKTAP, big-endian": "no Mac of today has that byte order",
    **{
        f"STUN to port {port}": "it goes by the port and, where no tunnel comes of it, shows mere data"
        for port in (4789, 8472, 4790, 6081, 2152, 3544)
    },
    **{
        f"LOOP, family {family}, <": "by definition big-endian; OpenBSD's own were not always"
        for family in (2, 10, 23, 24, 28, 30)
    },
    **{f"LOOP, family {family}, >": "only the BSDs have LOOP, and this is no family of theirs" for family in (10, 23)},
    **{
        f"NULL, family {family}, {order}": "Linux's and Windows' numbers, unknown to it"
        for family in (10, 23)
        for order in "<>"
    },
}


@pytest.mark.parametrize("name", CASES)
def test_one_message(name):
    number, packet, flow = CASES[name]
    kept = scan_packets([packet], number)
    assert flows(kept) == [flow]
    (row,) = rows(kept)
    assert (row.frame, row.flow, row.payload, row.kind) == (1, flow, p.stun_request(row.payload[20:]), demux.STUN)
    assert row.length == len(row.payload)
    assert row.ttl == 64
    assert kept.oddities == {}
    assert kept.flow_counters[0, :8].tolist() == [1, row.length, 1, 0, 0, 0, 0, 0]


@needs_tshark
def test_tshark_agrees(tmp_path):
    """The innermost addresses, ports and payload that tshark shows are ours."""
    differing = {}
    for number in sorted({number for number, _, _ in CASES.values()}):
        names = [name for name in CASES if CASES[name][0] == number]
        path = write_pcap(tmp_path / f"{number}.pcap", [CASES[name][1] for name in names], number)
        view = tshark(path, *FIELDS, options=OPTIONS_OF_TSHARK)
        view = view or [[[] for _ in FIELDS]] * len(names)  # a link type that it cannot read
        assert len(view) == len(names)
        for name, cells in zip(names, view, strict=True):
            flow = CASES[name][2]
            (row,) = rows(scan_packets([CASES[name][1]], number))
            last = [cell[-1] if cell else "" for cell in cells]
            theirs = [*last[2:4], *last[4:7], last[7]] if ":" in flow.src else [*last[:2], *last[4:7], last[7]]
            ours = [flow.src, flow.dst, str(flow.sport), str(flow.dport), row.payload.hex(), p.ID.hex()]
            if flow.protocol == 136:  # its payload has no field of its own
                theirs[4] = ours[4]
            if theirs != ours:
                differing[name] = (ours, cells)
    assert {name: differing[name] for name in differing if name not in NOT_SEEN_BY_TSHARK} == {}
    assert set(differing) == set(NOT_SEEN_BY_TSHARK)


@pytest.mark.parametrize(
    ("number", "packet", "direction"),
    [
        *((113, p.sll(IP4, toward), way) for toward, way in enumerate((1, 1, 1, 0, 2))),
        *((276, p.sll2(IP6, toward), way) for toward, way in enumerate((1, 1, 1, 0, 2))),
        *((number, bytes([toward]) + p.ppp(IP4), 2 if toward else 1) for number in (166, 204) for toward in (0, 1)),
        *(
            (258, p.pktap(p.ethernet(IP4), flags=flags, order=order), flags % 3)
            for flags in (0, 1, 2)
            for order in "<>"
        ),
        *((239, p.nflog(IP4, hook), way) for hook, way in ((0, 0), (1, 1), (2, 0), (3, 2), (4, 0))),
        *((8, p.slip(IP6, sent), sent + 1) for sent in (0, 1)),
        *((206, bytes([toward]) + p.frame_relay(IP4), toward + 1) for toward in (0, 1)),
        (1, p.ethernet(IP4), 0),
    ],
)
def test_direction(number, packet, direction):
    kept = scan_packets([packet], number)
    assert [row.direction for row in rows(kept)] == [direction]
    assert kept.flow_counters[0, INBOUND : OUTBOUND + 1].tolist() == [direction == 1, direction == 2]
    assert [row.direction for row in rows(scan_packets([packet], number, directions=[1]))] == [1], "the file's own wins"


PIECES = p.fragments(p.udp(p.stun_request(bytes(100))))


@pytest.mark.parametrize("wrap", [lambda piece: p.sll(piece, 4), lambda piece: p.sll2(piece, 4)])
def test_direction_of_fragments(wrap):
    number = 113 if len(wrap(b"E")) == 17 else 276
    assert [row.direction for row in rows(scan_packets([wrap(piece) for piece in PIECES], number))] == [2]


AMSDU = 0x80
LONG = p.ipv4(p.udp(p.stun_request(bytes(1448))))
assert len(LONG) > 1490, "with LLC more than 802.3 allows for a length"


def test_aggregate():
    """Every subframe of an A-MSDU, the padding between them and the checksum after them left out."""
    inside = p.subframe(p.snap(LONG)) + p.subframe(p.snap(p.ipv4(p.udp(dport=5)))) + p.subframe(p.snap(IP6), last=True)
    packet = p.radiotap(p.wifi(inside, qos=AMSDU, pad=True) + bytes(4), flags=0x30)
    kept = scan_packets([packet, packet], 127)
    assert flows(kept) == [V4, Flow(p.A, p.SPORT, p.B, 5, 17), V6]
    assert [(row.frame, row.length) for row in rows(kept)] == [(f, n) for f in (1, 2) for n in (1468, 28, 28)]
    assert kept.oddities == {}


@needs_tshark
def test_aggregate_as_tshark(tmp_path):
    inside = p.subframe(p.snap(LONG)) + p.subframe(p.snap(IP4), last=True)
    path = write_pcap(tmp_path / "amsdu.pcap", [p.wifi(inside, qos=AMSDU)], 105)
    ((ids,),) = tshark(path, "stun.id")
    assert len(ids) == 2


def test_aggregate_cut():
    inside = p.subframe(p.snap(IP4)) + p.subframe(p.snap(IP6), last=True)
    packet = p.wifi(inside, qos=AMSDU)
    for snap in range(30, len(packet)):
        kept = scan_packets([packet], 105, snap=snap)
        assert kept.oddities or any(row.length > len(row.payload) for row in rows(kept)), snap


def not_followed(packet, number=1):
    kept = scan_packets([packet, packet], number, first_frame=7)
    assert not len(kept.flow_keys)
    assert not len(kept.frame)
    assert all((count, first) == (2, 7) for _, count, first in kept.oddities.values())
    found = {**kept.ethertypes, **{f"IP {number}": count for number, count in kept.protocols.items()}, **kept.not_ip}
    assert set(found.values()) <= {2}
    return [*found, *kept.oddities]


UNKNOWN = (
    "link type {} is not known to this reader: packets not looked into; "
    'engine="pyshark", --engine pyshark for the command, may read it, as Wireshark does'
)


@pytest.mark.parametrize(
    ("number", "packet", "name"),
    [
        (1, p.ethernet(bytes(28), 0x0806), 0x0806),
        (1, p.ethernet(bytes(28), 0x88E5), 0x88E5),
        (1, p.ethernet(bytes(28), 0x05FF), 0x05FF),
        (1, p.ethernet(p.pppoe(bytes(10), code=9), 0x8863), 0x8863),
        (1, p.ethernet(p.pppoe(bytes(10), code=9), 0x8864), 0x8864),
        (1, p.ethernet(p.mpls(b"\x10" + bytes(30), 16), 0x8847), "MPLS payload beginning with 0x0010"),
        (1, p.ieee8023(b"\x42\x42\x03" + bytes(40)), "LLC service access points 0x4242"),
        (1, p.ieee8023(p.snap(bytes(40), 0x2000, b"\0\0\x0c")), "SNAP protocol of a vendor 0x2000"),
        (9, p.ppp(bytes(10), protocol=0xC021), "PPP protocol 0xc021"),
        (0, p.null(IP4, 16), "address family 0x0010"),
        (0, p.null(IP4, 0x0802), "address family 0x0802"),
        (0, p.null(IP4, 0x00020000), "address family 0x0200"),
        (101, bytes(40), "neither IPv4 nor IPv6: packet beginning with 0x0000"),
        (1, p.ethernet(p.outer(b"\x70" + bytes(40), 41)), "neither IPv4 nor IPv6: packet beginning with 0x0070"),
        (113, p.sll(bytes(20), kind=0x000C), "Linux protocol type 0x000c"),
        (276, p.sll2(bytes(20), kind=0x0001), "Linux protocol type 0x0001"),
        (105, b"\x80" + p.wifi(bytes(40))[1:], "802.11 frame without data, type and subtype 0x0008"),
        (105, b"\x48" + p.wifi(bytes(40))[1:], "802.11 frame without data, type and subtype 0x0204"),
        (105, p.wifi(p.snap(IP4), protected=True), "encrypted 802.11 frame"),
        (127, p.radiotap(p.wifi(p.snap(IP4), qos=0, protected=True)), "encrypted 802.11 frame"),
        (105, p.wifi(p.snap(IP4), more=True), "fragment of an 802.11 frame"),
        (105, p.wifi(p.snap(IP4), piece=1), "fragment of an 802.11 frame"),
        (105, b"\x09" + p.wifi(p.snap(IP4))[1:], "malformed header"),
        (127, bytes(40), "malformed header"),
        (163, bytes(40), "malformed header"),
        (192, bytes(40), "malformed header"),
        (192, p.ppi(bytes(40), 147), UNKNOWN.format("PPI (DLT 147)")),
        (147, bytes(40), UNKNOWN.format("USER0")),
        (197, bytes(40), UNKNOWN.format("ERF")),
        (258, p.pktap(bytes(40), 189), "PKTAP around link type 0x00bd"),
        (258, p.pktap(bytes(40), kind=2), "PKTAP around link type 0x0001"),
        (239, p.nflog(IP4, family=7), "address family 0x0007"),
        (239, p.nflog(bytes(40), family=2), "neither IPv4 nor IPv6: packet beginning with 0x0000"),
        (107, p.frame_relay(bytes(40), nlpid=0x81), "Frame Relay protocol (NLPID) 0x0081"),
        (107, b"\0\1\3\x08\0" + bytes(20), "Frame Relay protocol (NLPID) 0x0008"),
        (107, b"\x18\x40", "malformed header"),
        (9999, bytes(40), UNKNOWN.format("9999")),
        (1, p.ethernet(p.ipv4(bytes(40), protocol=50)), "IP 50"),
        (1, p.ethernet(p.ipv6(b"", protocol=59)), "IP 59"),
        (1, p.ethernet(p.outer(p.gre(IP4, 0, version=2))), "IP 47"),
        (1, p.ethernet(p.outer(p.gre(IP4, 0x0003))), "IP 47"),
        (1, p.ethernet(p.outer(p.gre(IP4, 0x883E))), 0x883E),
        (1, p.ethernet(p.outer(b"\x40\0" + p.ethernet(IP4), 97)), "IP 97"),
        (1, p.ethernet(p.ipv4(p.icmp(bytes(8), 8, 0), protocol=1)), "IP 1"),
        (1, p.ethernet(p.ipv6(p.icmp(bytes(20), 135, 0), protocol=58)), "IP 58"),
        (1, p.ethernet(p.ipv4(b"", total=19)), "malformed header"),
        (1, p.ethernet(b"\x44" + IP4[1:]), "malformed header"),
        (1, p.ethernet(b"\x65" + IP4[1:], 0x0800), "malformed header"),
        (1, p.ethernet(IP4, 0x86DD), "malformed header"),
        (1, p.ethernet(bytes(3), 0x8847), "malformed header"),
        (1, p.ethernet(p.ipv4(b"1234567")), "malformed header"),
        (1, p.ethernet(p.ipv4(p.udp(length=7))), "malformed header"),
        (1, p.ethernet(p.ipv4(bytes(19), protocol=6)), "malformed header"),
        (1, p.ethernet(p.ipv4(bytes(20), protocol=6)), "malformed header"),
        (1, p.ethernet(p.ipv6(p.extension(b"", 0) * 3, protocol=0)), "malformed header"),
        (1, bytes(13), "malformed header"),
        (1, b"", "malformed header"),
        (1, vlan(IP4, *[0x8100] * 60), "malformed header"),
    ],
)
def test_counted_and_named(number, packet, name):
    assert not_followed(packet, number) == [name]


def test_deep_nesting_ends():
    packet = IP4
    for _ in range(50):
        packet = p.outer(packet, 4)
    assert not_followed(packet, 101) == ["malformed header"]
