"""ICMP errors: who sent them, what they are, and the datagram that they quote."""

import packets as p
import pytest
from scanning import address, flow_of, flows, needs_tshark, rows, scan_packets, tshark, write_pcap
from test_links import IP4, IP6, V4, V6

ROUTER, ROUTER6 = "203.0.113.9", "2001:db8:9::9"
TOO_SHORT = "ICMP error whose quote is too short or carries no UDP or TCP"
REQUEST = p.stun_request()
TCP4 = p.ipv4(p.tcp(b"GET"), protocol=6)
TCP = flow_of([0, 0, 0xFFFF, 0xC0000201, 0, 0, 0xFFFF, 0xC6336402, p.SPORT << 16 | p.DPORT, 6])


def error4(quote, kind=3, code=3, rest=bytes(4), protocol=1):
    return p.ipv4(p.icmp(quote, kind, code, rest), ROUTER, p.A, protocol)


def error6(quote, kind=1, code=4, rest=bytes(4)):
    return p.ipv6(p.icmp(quote, kind, code, rest), ROUTER6, p.A6, 58)


CASES = {
    "port unreachable": (101, error4(IP4), 4, 3, 3, V4, REQUEST),
    "quote of eight bytes": (101, error4(IP4[:28]), 4, 3, 1 + 2, V4, b""),
    "quote of twelve bytes": (101, error4(IP4[:32]), 4, 3, 3, V4, REQUEST[:4]),
    "administratively prohibited": (101, error4(IP4, 3, 13), 4, 3, 13, V4, REQUEST),
    "fragmentation needed": (101, error4(IP4, 3, 4, b"\0\0\5\xdc"), 4, 3, 4, V4, REQUEST),
    "source quench": (101, error4(IP4, 4, 0), 4, 4, 0, V4, REQUEST),
    "redirect": (101, error4(IP4, 5, 1, b"\x0a\0\0\1"), 4, 5, 1, V4, REQUEST),
    "time exceeded": (101, error4(IP4, 11, 0), 4, 11, 0, V4, REQUEST),
    "parameter problem": (101, error4(IP4, 12, 0, b"\x14\0\0\0"), 4, 12, 0, V4, REQUEST),
    "reassembly time exceeded": (101, error4(p.ipv4(p.udp()[:24], more=True), 11, 1), 4, 11, 1, V4, REQUEST[:16]),
    "IPv4 options in the quote": (101, error4(p.ipv4(p.udp(), options=b"\1\1\1\1")), 4, 3, 3, V4, REQUEST),
    "TCP": (101, error4(TCP4), 4, 3, 3, TCP, b"GET"),
    "TCP, eight bytes": (101, error4(TCP4[:28]), 4, 3, 3, TCP, b""),
    "quote padded, extensions (RFC 4884)": (
        101,
        error4(IP4 + bytes(128 - len(IP4)) + b"\x20\0\0\0\0\x08\1\1abcd", rest=b"\0\x20\0\0"),
        4, 3, 3, V4, REQUEST,
    ),
    "quote cut, extensions (RFC 4884)": (
        101,
        error4(p.ipv4(p.udp(REQUEST + bytes(200)))[:128] + b"\x20\0\0\0\0\x08\1\1abcd", rest=b"\0\x20\0\0"),
        4, 3, 3, V4, REQUEST + bytes(72),
    ),
    "IPv6, port unreachable": (101, error6(IP6), 6, 1, 4, V6, REQUEST),
    "IPv6, eight bytes": (101, error6(IP6[:48]), 6, 1, 4, V6, b""),
    "IPv6, too big": (101, error6(IP6, 2, 0, b"\0\0\5\0"), 6, 2, 0, V6, REQUEST),
    "IPv6, hop limit": (101, error6(IP6, 3, 0), 6, 3, 0, V6, REQUEST),
    "IPv6, parameter problem": (101, error6(IP6, 4, 1), 6, 4, 1, V6, REQUEST),
    "IPv6, extension header in the quote": (
        101, error6(p.ipv6(p.extension(p.udp()), protocol=60)), 6, 1, 4, V6, REQUEST,
    ),
    "IPv6, quote cut, extensions (RFC 4884)": (
        101,
        error6(p.ipv6(p.udp(REQUEST + bytes(200)))[:128] + b"\x20\0\0\0", rest=b"\x10\0\0\0"),
        6, 1, 4, V6, REQUEST + bytes(52),
    ),
    "under a VLAN tag": (1, p.ethernet(*p.tagged(error4(IP4), 0x8100)), 4, 3, 3, V4, REQUEST),
    "Ethernet padding": (1, p.ethernet(error4(IP4[:28]), pad=True), 4, 3, 3, V4, b""),
    "in GRE": (101, p.outer(p.gre(error4(IP4))), 4, 3, 3, V4, REQUEST),
    "in VXLAN": (101, p.vxlan(p.ethernet(error6(IP6))), 6, 1, 4, V6, REQUEST),
    "quoting 6in4": (101, error4(p.outer(IP6, 41)), 4, 3, 3, V6, REQUEST),
    "quoting VXLAN": (101, error4(p.vxlan(p.ethernet(IP4))), 4, 3, 3, V4, REQUEST),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_quote(name):
    number, packet, version, kind, code, flow, payload = CASES[name]
    kept = scan_packets([packet], number, first_frame=5)
    (error,) = kept.icmp
    assert (error.version, error.type, error.code) == (version, kind, code)
    assert address(error.sender) == (ROUTER6 if version == 6 else ROUTER)
    assert (flow_of(error.quoted), error.payload) == (flow, payload)
    assert (error.frame, error.time_ns, kept.oddities) == (5, 10**18, {})
    assert (rows(kept), flows(kept)) == ([], []), "nobody sent it at that moment"


@needs_tshark
def test_tshark_agrees(tmp_path):
    for number in (1, 101):
        # In a quoted fragment, even a first one, it does not look for ports.
        cases = [CASES[name] for name in CASES if CASES[name][0] == number and name != "reassembly time exceeded"]
        path = write_pcap(tmp_path / f"{number}.pcap", [case[1] for case in cases], number)
        fields = ("icmp.type", "icmp.code", "icmpv6.type", "icmpv6.code", "udp.srcport", "udp.dstport")
        for case, view in zip(cases, tshark(path, *fields), strict=True):
            (error,) = scan_packets([case[1]], number).icmp
            last = [cell[-1] if cell else "" for cell in view]
            assert (last[2:4] if error.version == 6 else last[:2]) == [str(error.type), str(error.code)]
            if case[5].protocol == 17:
                assert last[4:] == [str(p.SPORT), str(p.DPORT)]


@pytest.mark.parametrize(
    "packet",
    [
        error4(IP4[:27]),
        error4(IP4[:10]),
        error4(b""),
        error4(TCP4[:23]),
        error4(b"\0" * 40),
        error4(p.ipv4(p.icmp(b"", 8, 0), protocol=1)),
        error4(p.ipv4(p.udp()[16:], at=16)),
        error4(p.ipv4(b"1234", more=True)),
        error6(IP6[:44]),
        error6(p.ipv6(p.fragment6(p.udp()[16:], at=16), protocol=44)),
    ],
)
def test_quote_that_tells_nothing(packet):
    kept = scan_packets([packet], 101, first_frame=3)
    assert (kept.icmp, kept.oddities) == ([], {TOO_SHORT: ("network", 1, 3)})


def test_cut_at_every_length():
    for name in CASES:
        number, packet, version, kind, code, flow, payload = CASES[name]
        for snap in range(len(packet)):
            kept = scan_packets([packet], number, snap=snap)
            for error in kept.icmp:
                assert (error.version, error.type, error.code) == (version, kind, code)
                if flow_of(error.quoted) == flow:
                    assert payload.startswith(error.payload)
                else:
                    assert "quoting" in name, "of a tunnel at least the outside"
            assert kept.icmp or kept.oddities or kept.flow_keys.size, snap
