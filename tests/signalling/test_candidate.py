"""The candidate attribute: one grammar, wherever a candidate stands."""

from __future__ import annotations

import pytest

from stunpcap.signalling.candidate import candidates_in, whole
from stunpcap.signalling.model import Gathering, OfferedCandidate
from stunpcap.table import MISSING

HOST = "candidate:1269169589 1 udp 2122260223 192.168.10.10 43013 typ host generation 0 ufrag m3dy network-id 1"
SRFLX = "candidate:2 1 udp 1686052607 203.0.113.10 43013 typ srflx raddr 192.168.10.10 rport 43013 network-cost 50"
ACTIVE = "candidate:4 1 TCP 1015021823 192.168.10.10 9 typ host tcptype active"
MDNS = "candidate:5 1 udp 2113937151 0b7a1d3c-8a5f-4b6e-9d2e-7c1f2a3b4c5d.local 51234 typ host"
SIX = "candidate:6 2 udp 2122262783 2001:db8::1 50000 typ host"
FUTURE = "candidate:7 1 udp 1 192.0.2.1 5 typ host new-thing value generation 3"


def read(text: str) -> list[OfferedCandidate]:
    return candidates_in(text, Gathering("x", "log"))


def only(text: str) -> OfferedCandidate:
    (found,) = read(text)
    return found


def test_every_field() -> None:
    one = only(HOST)
    assert (one.foundation, one.component, one.transport, one.priority) == ("1269169589", 1, "udp", 2122260223)
    assert (one.address, one.port, one.type, one.raddr, one.rport) == ("192.168.10.10", 43013, "host", "", MISSING)
    assert (one.generation, one.ufrag, one.network_id, one.network_cost) == (0, "m3dy", 1, MISSING)
    one = only(SRFLX)
    assert (one.type, one.raddr, one.rport, one.network_cost) == ("srflx", "192.168.10.10", 43013, 50)
    one = only(ACTIVE)
    assert (one.transport, one.port, one.tcptype) == ("tcp", 9, "active")
    assert only(MDNS).hidden and not only(HOST).hidden
    assert (only(SIX).address, only(SIX).component) == ("2001:db8::1", 2)
    assert only(FUTURE).generation == 3, "an extension that nobody knows is stepped over"


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "a={}\r\n",
        "12:00:01.5 app.js:1 ICE candidate: {}",
        'RTCIceCandidate {{candidate: "{}", sdpMid: "0"}}',
        '{{\\"candidate\\":\\"{}\\",\\"sdpMid\\":\\"0\\"}}',
        "<td>{}</td>",
        "(ice/INFO) CAND-PAIR(a): IP4:10.0.0.1:5/UDP(host|{})",
    ],
)
@pytest.mark.parametrize("text", [HOST, SRFLX, MDNS])
def test_wherever_it_stands(around: str, text: str) -> None:
    one, alone = only(around.format(text)), only(text)
    for name in ("foundation", "address", "port", "type", "raddr", "rport", "ufrag", "generation", "network_cost"):
        assert getattr(one, name) == getattr(alone, name), name


def test_without_its_name_as_aioice_writes_it() -> None:
    one = only("c1a9a5 1 udp 16777215 203.0.113.5 51907 typ relay raddr 0.0.0.0 rport 9")
    assert (one.foundation, one.type, one.raddr, one.rport) == ("c1a9a5", "relay", "0.0.0.0", 9)
    assert whole("c1a9a5 1 udp 16777215 203.0.113.5 51907 typ relay")


@pytest.mark.parametrize(
    "text",
    [
        "candidate:1 1 udp 2122260223 192.0.2.1 70000 typ host",
        "candidate:1 1 udp 4294967296 192.0.2.1 7000 typ host",
        "candidate:1 0 udp 1 192.0.2.1 7000 typ host",
        "candidate:1 1 udp 1 192.0.2.1 typ host",
    ],
)
def test_what_is_none_is_a_flaw(text: str) -> None:
    here = Gathering("x", "log")
    assert candidates_in(text, here) == [] and len(here.flaws) == 1


@pytest.mark.parametrize("text", ["", "the candidate: a man of the people", "candidate: null", "typ host"])
def test_what_is_no_candidate_is_none(text: str) -> None:
    here = Gathering("x", "log")
    assert candidates_in(text, here) == [] and here.flaws == [] and not whole(text)


def test_several_on_a_line() -> None:
    assert [one.type for one in read(f"{HOST}, {SRFLX}")] == ["host", "srflx"]


def test_a_token_in_the_servers_url_is_left_out() -> None:
    (one,) = candidates_in(SRFLX, Gathering("x", "log"), url="turn:user:TOKEN@turn.test:3478?transport=udp&k=TOKEN")
    assert one.url == "turn:turn.test:3478?transport=udp"
