"""Connections in TLS and DTLS that may be TURN: told by handshake and port, and never made out of a call's own DTLS."""

from struct import pack

import numpy as np
import packets as p
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scanning import flow_of, needs_tshark, scan_file, scan_packets, tshark, write_pcap

import stunpcap
from stunpcap.cli import main
from stunpcap.kernels import kernel
from stunpcap.schema import OPAQUE
from stunpcap.summary import summarise
from stunpcap.summary.words import octets
from stunpcap.wire.opaque import DTLS, NOT_OPAQUE, TLS
from stunpcap.wire.tls import TURN_PORTS, is_client_hello, is_dtls_client_hello, is_turn_port, server_name_at
from tests.places import LAB

NAME = b"turn.example"
GREASE = pack(">HH", 0x3A3A, 0)
ALPN = pack(">HHH", 16, 5, 3) + b"\x02h2"


def sni(name=NAME, kind=0):
    return pack(">HHHBH", 0, len(name) + 5, len(name) + 3, kind, len(name)) + name


ALL = GREASE + ALPN + sni() + GREASE


def hello_body(extensions, datagram=False):
    """From the version on: RFC 8446 section 4.1.2, with the cookie of RFC 6347 where it is a datagram's."""
    version = 0xFEFD if datagram else 0x0303
    cookie = b"\x14" + bytes(20) if datagram else b""
    suites = pack(">HHHH", 6, 0x2A2A, 0x1301, 0xC02F)
    inside = b"" if extensions is None else pack(">H", len(extensions)) + extensions
    return pack(">H", version) + bytes(32) + b"\x20" + bytes(32) + cookie + suites + b"\x01\x00" + inside


def tls_hello(extensions=ALL):
    body = hello_body(extensions)
    return pack(">BHHB", 0x16, 0x0301, len(body) + 4, 1) + len(body).to_bytes(3) + body


def dtls_hello(extensions=ALL, at=0, version=0xFEFD):
    body = hello_body(extensions, True)
    length = len(body).to_bytes(3)
    fragment = b"\x01" + length + b"\0\0" + at.to_bytes(3) + length + body
    return pack(">BHHHIH", 22, version, 0, 0, 0, len(fragment)) + fragment


def name_in(data, datagram=False):
    start, stop = server_name_at(memoryview(data), 0, len(data), datagram)
    return data[start:stop]


def over_tcp(payloads, back=(), dport=5349):
    there = [p.ipv4(segment, protocol=6) for segment in segments(payloads, p.SPORT, dport)]
    here = [p.ipv4(segment, src=p.B, dst=p.A, protocol=6) for segment in segments(back, dport, p.SPORT)]
    return [p.ethernet(packet) for packet in there + here]


def segments(payloads, sport, dport):
    """One behind the other."""
    at = 1000
    for payload in payloads:
        segment = p.tcp(payload, sport, dport)
        yield segment[:4] + pack(">I", at) + segment[8:]
        at += len(payload)


def over_udp(payloads, back=(), dport=5349):
    there = [p.ipv4(p.udp(payload, p.SPORT, dport)) for payload in payloads]
    here = [p.ipv4(p.udp(payload, dport, p.SPORT), src=p.B, dst=p.A) for payload in back]
    return [p.ethernet(packet) for packet in there + here]


def seen(kept):
    """What hides each flow, and the name of its server."""
    return [(int(code), kept.server_names.get(row)) for row, code in enumerate(kept.flow_opaque)]


def test_codes_are_those_of_the_schema():
    assert [OPAQUE[code] for code in (NOT_OPAQUE, TLS, DTLS)] == ["", "tls", "dtls"]


@pytest.mark.parametrize(
    ("extensions", "name"),
    [
        (sni(), NAME),
        (GREASE + ALPN + sni() + GREASE, NAME),
        (GREASE + ALPN, b""),
        (b"", b""),
        (None, b""),
        (sni(b""), b""),
        (sni(kind=1), b""),
        (sni(b"x" * 253), b"x" * 253),
        (pack(">HH", 0, 0), b""),
        (pack(">HHHBH", 0, 17, 15, 0, 0xFFFF) + NAME, b""),
        (GREASE * 70 + sni(), b""),
    ],
)
def test_server_name(extensions, name):
    assert name_in(tls_hello(extensions)) == name
    assert name_in(dtls_hello(extensions), True) == name


def test_cut_after_any_byte():
    """The name is there whole or not at all; the handshake is told from its sixth byte on."""
    whole = tls_hello(ALPN + sni() + GREASE)
    ends = whole.index(NAME) + len(NAME)
    for size in range(len(whole) + 1):
        assert is_client_hello(memoryview(whole), 0, size) == (size >= 6)
        assert name_in(whole[:size]) == (NAME if size >= ends else b"")
    whole = dtls_hello()
    ends = whole.index(NAME) + len(NAME)
    for size in range(len(whole) + 1):
        assert is_dtls_client_hello(memoryview(whole), 0, size) == (size >= 14)
        assert name_in(whole[:size], True) == (NAME if size >= ends else b"")


def test_a_fragment_from_the_middle_has_no_name():
    assert name_in(dtls_hello(at=0), True) == NAME
    assert name_in(dtls_hello(at=300), True) == b""


@kernel
def names(b, sizes, datagram, out):
    for i in range(len(sizes)):
        stop = int(sizes[i])
        start, end = server_name_at(b, 0, stop, datagram)
        out[i, 0], out[i, 1] = start, end
        out[i, 2] = is_client_hello(b, 0, stop) + 2 * is_dtls_client_hello(b, 0, stop) + 4 * is_turn_port(stop)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.booleans())
def test_whatever_the_bytes_are(data, datagram):
    """Lengths that lie, and noise: no exception, nothing beyond the end, and compiled code agrees."""
    noise = data.draw(st.one_of(st.binary(max_size=120), st.just(dtls_hello() if datagram else tls_hello())))
    noise = bytearray(noise)
    changes = st.lists(st.tuples(st.integers(0, max(0, len(noise) - 1)), st.integers(0, 255)), max_size=6)
    for place, value in data.draw(changes) if noise else []:
        noise[place] = value
    sizes = np.arange(len(noise) + 1, dtype=np.int64)
    plain, fast = (np.zeros((len(sizes), 3), np.int64) for _ in range(2))
    # A buffer no longer than what may be read: whoever reads on raises.
    for size in sizes.tolist():
        names.run(False, memoryview(bytes(noise[:size])), sizes[size : size + 1], datagram, plain[size:])
        assert 0 <= plain[size, 0] <= plain[size, 1] <= size
    names.run(True, memoryview(bytes(noise)), sizes, datagram, fast)
    assert (plain == fast).all()


@pytest.mark.parametrize("policy", ["never", "always"])
class TestFlows:
    @pytest.fixture(autouse=True)
    def compile(self, monkeypatch, policy):
        monkeypatch.setenv("STUNPCAP_COMPILE", policy)

    @pytest.mark.parametrize("dport", [5349, 443, 3478, 8443])
    def test_tls(self, dport):
        kept = scan_packets(over_tcp([tls_hello(), b"\x17\x03\x03\0\2ab"], [b"\x16\x03\x03\0\4\2\0\0\0"], dport))
        assert seen(kept) == [(TLS, "turn.example")] * 2

    def test_split_over_two_segments(self):
        whole = tls_hello()
        for place in range(1, len(whole)):
            kept = scan_packets(over_tcp([whole[:place], whole[place:]]))
            ends = whole.index(NAME) + len(NAME)
            assert seen(kept) == [(TLS if place >= 6 else 0, "turn.example" if place >= ends else None)]

    def test_after_the_connect_of_a_proxy(self):
        connect = b"CONNECT turn.example:5349 HTTP/1.1\r\n\r\n"
        kept = scan_packets(over_tcp([connect, tls_hello()], [b"HTTP/1.1 200 OK\r\n\r\n"], 3128))
        assert seen(kept) == [(TLS, "turn.example")] * 2

    def test_not_in_the_middle_of_a_connection(self):
        assert seen(scan_packets(over_tcp([b"\x17\x03\x03\0\2ab"] * 4 + [tls_hello()]))) == [(NOT_OPAQUE, None)]

    def test_not_what_only_begins_like_it(self):
        for payload in (b"\x16\x03\x03\0\4\2\0\0\0", b"\x16\x02\x03\0\4\1\0\0\0", b"\x17" + tls_hello()[1:]):
            assert seen(scan_packets(over_tcp([payload]))) == [(NOT_OPAQUE, None)]

    def test_stun_in_the_clear(self):
        for there, back in ([tls_hello(), p.stun_request()], []), ([tls_hello()], [p.stun_request(kind=0x101)]):
            kept = scan_packets(over_tcp(there, back))
            assert {code for code, _ in seen(kept)} == {NOT_OPAQUE}
            assert not kept.server_names

    @pytest.mark.parametrize("version", [0xFEFF, 0xFEFD])
    @pytest.mark.parametrize("dport", TURN_PORTS)
    def test_dtls(self, dport, version):
        kept = scan_packets(over_udp([dtls_hello(version=version)] * 2, [p.dtls()], dport))
        assert seen(kept) == [(DTLS, "turn.example")] * 2

    def test_dtls_elsewhere(self):
        assert seen(scan_packets(over_udp([dtls_hello()], [p.dtls()], 50001))) == [(NOT_OPAQUE, None)] * 2
        kept = scan_packets(over_udp([p.dtls()], [dtls_hello()], 5349))
        assert seen(kept) == [(NOT_OPAQUE, None)] * 2, "the server asks nobody"

    def test_dtls_of_a_call(self):
        """A media server on a TURN port: checks on the same 5-tuple make it ICE, before or after, either way."""
        check, answer = p.stun_request(), p.stun_request(kind=0x101)
        for there, back in ([check, dtls_hello()], []), ([dtls_hello(), check], []), ([dtls_hello()], [answer]):
            assert {code for code, _ in seen(scan_packets(over_udp(there, back, 443)))} == {NOT_OPAQUE}

    def test_dtls_inside_a_channel(self):
        kept = scan_packets(over_udp([p.channel_data(dtls_hello())], (), 3478))
        assert seen(kept) == [(NOT_OPAQUE, None)]
        assert not kept.server_names

    def test_hostile_name(self):
        kept = scan_packets(over_tcp([tls_hello(sni(b"\xff\x1b[2J"))]))
        assert seen(kept) == [(TLS, "\\xff\x1b[2J")]


@needs_tshark
@pytest.mark.parametrize("name", ["offerer", "answerer", "server"])
def test_turn_over_tls_of_the_lab(name):
    """Ports and server names as tshark has them; the lab's clients ask by address, which is no name."""
    path = LAB / "turn-tls" / f"{name}.pcap"
    kept, _ = scan_file(path)
    fields = ("tcp.srcport", "tls.handshake.type", "tls.handshake.extensions_server_name")
    hellos = {int(port[0]): "".join(server) for port, types, server in tshark(path, *fields) if "1" in types}
    assert hellos
    found = {
        flow_of(key).sport: kept.server_names.get(row, "")
        for row, key in enumerate(kept.flow_keys)
        if kept.flow_opaque[row] == TLS and flow_of(key).dport == 5349
    }
    assert found == hellos
    assert (kept.flow_opaque[kept.flow_keys[:, 9] == 6] == TLS).all(), "both directions"


def test_no_call_of_the_lab_is_named():
    """Their DTLS is between agents, or inside a relay; only those over TLS and udp-blocked-tcp may speak TLS."""
    for path in sorted(LAB.glob("*/*.pcap*")):
        kept, _ = scan_file(path)
        expected = {0, TLS} if path.parent.name.startswith("turn-tls") else {0}
        assert set(kept.flow_opaque.tolist()) <= expected, path


# What a summary says


def connections(count, dport, hello=None):
    """TLS connections of as many clients to one server."""
    found = []
    for number in range(count):
        for payload, back in ((hello or tls_hello(), False), (bytes(2000), True)):
            ports = (dport, 40000 + number) if back else (40000 + number, dport)
            addresses = {"src": p.B, "dst": p.A} if back else {}
            found.append(p.ethernet(p.ipv4(p.tcp(payload, *ports), protocol=6, **addresses)))
    return found


@pytest.fixture
def told(tmp_path, capsys):
    """What `stunpcap summary` prints of packets, in one line."""

    def run(packets, *more):
        path = write_pcap(tmp_path / "web.pcap", packets, 1)
        assert main(["summary", str(path), *map(str, more)]) == 0
        out = capsys.readouterr().out
        assert all(len(line) <= 80 for line in out.splitlines())
        return " ".join(out.split())

    return run


def test_probably_turn(told):
    text = told(connections(1, 5349))
    assert (
        "198.51.100.2:5349 (tcp, TLS) asked by 192.0.2.1:40000: opaque: probably TURN over TLS; server name "
        f"turn.example; {len(tls_hello())} bytes out, 2.0 kB in, " in text
    )
    assert "What is inside cannot be seen" in text
    assert "what is inside 1 TLS connection that is probably TURN cannot be seen" in text


def test_probably_turn_over_dtls(told):
    text = told(over_udp([dtls_hello(None)], [p.dtls()], 3478))
    assert "(udp, DTLS) asked by 192.0.2.1:50000: opaque: probably TURN over DTLS; no server name; " in text
    assert "1 DTLS connection that is probably TURN" in text


def test_beside_stun_in_the_clear(told):
    """A client that asks a STUN server and then hides in TLS."""
    answer = p.stun_request(b"\0\1\0\x08\0\1\xc3\x50\xc0\0\2\1", kind=0x101)
    text = told(over_udp([p.stun_request(b"")], [answer], 3478) + connections(2, 5349))
    assert "No ICE checks in plain sight; 2 TLS connections that are probably TURN may hold some." in text


def test_few_on_the_port_of_https(told):
    text = told(connections(5, 443))
    assert text.count("opaque: TURN over TLS, or just HTTPS; server name turn.example") == 5
    assert "No STUN here" in text and "probably TURN" not in text


def test_a_capture_full_of_web_traffic(told):
    text = told(connections(6, 443))
    assert "6 connections to port 443: TURN over TLS may be among them, or all of them are just HTTPS" in text
    assert "opaque" not in text
    text = told(connections(6, 443), LAB / "direct" / "offerer.pcap")
    assert "HTTPS" not in text and "TLS and DTLS" not in text, "ICE is seen: web traffic is not the point"
    text = told(connections(6, 443) + connections(20, 5349), LAB / "direct" / "offerer.pcap")
    listed = text.count("opaque: probably TURN over TLS")
    assert listed == 12 and "and 8 more" in text and ":443" not in text.partition("opaque:")[2]


def test_other_ports_are_not_mentioned(told):
    text = told(connections(3, 8444))
    assert "opaque" not in text and "TURN" not in text


def test_a_hostile_name_in_a_terminal(told):
    assert "\x1b" not in told(connections(1, 5349, tls_hello(sni(b"\x1b[2Jboo"))))


@pytest.mark.parametrize("name", ["offerer", "answerer", "server"])
def test_the_lab_is_told_why_no_check_is_shown(name):
    trace = stunpcap.read(LAB / "turn-tls" / f"{name}.pcap")
    flows = trace.flows
    for text in (str(trace), repr(trace)):
        assert "No STUN in the clear, so nothing of ICE can be told" in text
    found = summarise(trace).to_dict()["opaque"]
    assert [one["server"] for one in found] == ["203.0.113.5:5349"] * (2 if name == "server" else 1)
    for one in found:
        forth, back = flows[flows.src == one["client"]].iloc[0], flows[flows.dst == one["client"]].iloc[0]
        assert (one["bytes_out"], one["bytes_in"]) == (forth.bytes, back.bytes)
        assert one["hidden_by"] == forth.opaque == back.opaque == "tls"
        assert one["server_name"] is None


def test_columns(tmp_path):
    flows = stunpcap.read(write_pcap(tmp_path / "a.pcap", connections(1, 443), 1)).flows
    assert flows.opaque.tolist() == ["tls"] * 2
    assert flows.server_name.tolist() == ["turn.example"] * 2


def test_sizes():
    given = (0, 1, 999, 1000, 9949, 9951, 52_300, 999_700, 1_300_000, 2_000_000_000)
    said = "0 bytes,1 byte,999 bytes,1.0 kB,9.9 kB,10 kB,52 kB,1.0 MB,1.3 MB,2.0 GB"
    assert ",".join(map(octets, given)) == said
