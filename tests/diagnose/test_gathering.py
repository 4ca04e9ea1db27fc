"""Servers that never answer, UDP that is blocked, names that nobody resolves, and what cannot be seen."""

from __future__ import annotations

import pytest

from tests.diagnose.calls import call, causes, checks, found, lab, only

ENDS = """
    A = 192.168.1.10:1000
    B = 10.20.0.20:2000
    M = 203.0.113.10:1000
    S = 192.0.2.1:3478
    T = 192.0.2.9:3478
    H = 192.0.2.1:443
    W = 192.168.1.10:40000
"""
FAILS = checks("A > B", "a")
WORKS = checks("A > B", "a", answer="B > A success ID mapped=A", and_="controlling use")
BACK = checks("B > A", "b", user="a:b", answer="A > B success ID mapped=B", and_="controlled")
BACK += "".join(f"{at}.5 A > B rtp\n{at}.6 B > A rtp\n" for at in range(1, 14))
TIMES = (0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5)
"""RFC 8489 section 6.2.1."""


def gather(server: str = "S", name: str = "g", count: int = 7, src: str = "A", method: str = "binding") -> str:
    """A request to a server, with its retransmissions."""
    return "".join(f"{at} {src} > {server} {method} request {name}\n" for at in TIMES[:count])


def answered(at: float = 0.05, server: str = "S", name: str = "g") -> str:
    return f"{at} {server} > A success {name} mapped=M\n"


# stun-server-unreachable


@pytest.mark.rule("stun-server-unreachable", "fires")
@pytest.mark.parametrize("place", ["stun-dead/offerer", "stun-dead/answerer", "stun-dead/nat-a-outside"])
def test_silent_server(place: str) -> None:
    trace = lab(place)
    hit = only(trace, "stun-server-unreachable")
    assert causes(trace) == ["stun-server-unreachable"]
    assert (hit["severity"], hit["dst"]) == ("error", "203.0.113.5:3478")
    assert "nothing came back" in hit["summary"]


@pytest.mark.rule("stun-server-unreachable", "fires")
def test_server_that_rejects_gives_its_icmp_error() -> None:
    hit = only(lab("stun-rejected/offerer"), "stun-server-unreachable")
    assert "port unreachable (3/3) from 203.0.113.5" in hit["summary"]


@pytest.mark.rule("stun-server-unreachable", "fires")
def test_how_long_gathering_was_held_up() -> None:
    """Seven transmissions as the RFC has them, 31.5 s from first to last."""
    hit = only(call(gather(), FAILS, ends=ENDS), "stun-server-unreachable")
    assert "7 requests in 32 s" in hit["summary"]


@pytest.mark.rule("stun-server-unreachable", "fires")
def test_gathering_without_any_check_has_its_finding() -> None:
    hit = only(call(gather(), ends=ENDS), "stun-server-unreachable")
    assert hit["session_id"] is None and hit["severity"] == "error"


def test_silent_server_on_a_call_that_connects_is_a_warning() -> None:
    trace = call(gather(), WORKS, BACK, ends=ENDS)
    assert causes(trace) == [""]
    assert only(trace, "stun-server-unreachable")["severity"] == "warning"


def test_silent_server_beside_one_that_answers_is_a_warning() -> None:
    trace = call(gather(), gather("T", "h", 1), answered(server="T", name="h"), FAILS, ends=ENDS)
    hit = only(trace, "stun-server-unreachable")
    assert hit["severity"] == "warning" and "192.0.2.9:3478 answers" in hit["summary"]


def test_both_agents_and_all_captures_make_one_finding() -> None:
    trace = lab("stun-dead/offerer", "stun-dead/answerer", "stun-dead/nat-a-outside")
    hit = only(trace, "stun-server-unreachable")
    assert "192.168.10.10" in hit["summary"] and "192.168.20.20" in hit["summary"]


@pytest.mark.rule("stun-server-unreachable", "quiet")
def test_server_that_answers() -> None:
    assert not found(lab("nats-stun/offerer"), "stun-server-unreachable")
    assert not found(call(gather(count=1), answered(), FAILS, ends=ENDS), "stun-server-unreachable")


@pytest.mark.rule("stun-server-unreachable", "near miss")
def test_request_lost_once_or_twice() -> None:
    trace = call(gather(count=3), answered(1.55), FAILS, ends=ENDS)
    assert not found(trace, "stun-server-unreachable")


@pytest.mark.rule("stun-server-unreachable", "near miss")
def test_one_request_in_a_capture_of_one_direction() -> None:
    """It was sent once: the agent may well have had its answer, and nothing inbound is in this capture."""
    assert not found(lab("capture-one-direction/offerer-out"), "stun-server-unreachable")
    assert not found(call(gather(count=1), FAILS, ends=ENDS), "stun-server-unreachable")


@pytest.mark.rule("stun-server-unreachable", "near miss")
def test_peer_that_is_asked_without_a_username() -> None:
    """WhatsApp checks its peers so: at a port chosen by chance, silence is not a server's."""
    peer = gather("10.9.9.9:40436", "p")
    assert not found(call(peer, ends=ENDS), "stun-server-unreachable")


@pytest.mark.rule("stun-server-unreachable", "near miss")
def test_peer_that_sends_media_and_speaks_no_stun() -> None:
    """Some agents keep NATs open by Binding requests to whoever gets their media."""
    media = "".join(f"{at}.1 10.20.0.20:16384 > A rtp\n" for at in range(30))
    assert not found(call(gather("10.20.0.20:16384", "p"), media, ends=ENDS), "stun-server-unreachable")


# udp-blocked


@pytest.mark.rule("udp-blocked", "fires")
def test_tcp_carries_the_call_where_udp_is_blocked() -> None:
    trace = lab("udp-blocked-tcp/offerer")
    hit = only(trace, "udp-blocked")
    assert (hit["severity"], hit["dst"]) == ("warning", "203.0.113.5:3478")
    assert causes(trace) == [""] and "?transport=tcp" in hit["advice"]
    assert not found(trace, "stun-server-unreachable")


@pytest.mark.rule("udp-blocked", "fires")
def test_udp_blocked_explains_a_call_that_failed() -> None:
    tcp = "2.0 W > H syn\n2.02 H > W syn-ack\n"
    trace = call(gather(), FAILS, tcp, ends=ENDS)
    assert causes(trace) == ["udp-blocked"]
    assert only(trace, "udp-blocked")["confidence"] in ("high", "medium")


@pytest.mark.rule("udp-blocked", "quiet")
def test_nothing_says_that_the_server_could_be_reached() -> None:
    trace = lab("udp-blocked/offerer")
    assert not found(trace, "udp-blocked")
    assert causes(trace) == ["stun-server-unreachable"]


@pytest.mark.rule("udp-blocked", "near miss")
def test_udp_from_peers_comes_in() -> None:
    """The server runs with TCP only: UDP as such is not blocked, since the peer's checks arrive."""
    tcp = "2.0 W > H syn\n2.02 H > W syn-ack\n"
    trace = call(gather(), FAILS, checks("B > A", "b", user="a:b"), tcp, ends=ENDS)
    assert not found(trace, "udp-blocked")
    assert found(trace, "stun-server-unreachable")


@pytest.mark.rule("udp-blocked", "near miss")
def test_tcp_that_is_refused_is_no_way_out() -> None:
    tcp = "2.0 W > H syn\n2.02 H > W rst\n"
    assert not found(call(gather(), FAILS, tcp, ends=ENDS), "udp-blocked")


@pytest.mark.rule("udp-blocked", "near miss")
def test_server_whose_udp_port_is_closed() -> None:
    """Its own ICMP error comes back: UDP gets there, and back."""
    tcp = "2.0 W > H syn\n2.02 H > W syn-ack\n"
    trace = call(gather(), "0.01 S > A icmp 3/3 quotes=g\n", FAILS, tcp, ends=ENDS)
    assert not found(trace, "udp-blocked")
    assert causes(trace) == ["stun-server-unreachable"]


def test_server_that_takes_tcp_no_more_than_udp() -> None:
    tcp = "".join(f"{at} W > H syn\n" for at in (2, 3, 5))
    hit = only(call(gather(), FAILS, tcp, ends=ENDS), "stun-server-unreachable")
    assert "TCP to it does not work either" in hit["summary"] and "?transport=tcp" not in hit["advice"]


# mdns-unresolved


@pytest.mark.rule("mdns-unresolved", "fires")
@pytest.mark.parametrize(("place", "asker"), [("offerer", "192.168.10.10"), ("answerer", "192.168.20.20")])
def test_names_that_nobody_resolves(place: str, asker: str) -> None:
    hit = only(lab(f"mdns-unresolved/{place}"), "mdns-unresolved")
    assert (hit["severity"], hit["confidence"]) == ("error", "medium")
    assert hit["summary"].startswith(f"{asker} asks over mDNS")


@pytest.mark.rule("mdns-unresolved", "fires")
def test_the_other_capture_has_the_announcement() -> None:
    hits = found(lab("mdns-unresolved/offerer", "mdns-unresolved/answerer"), "mdns-unresolved")
    assert [hit["confidence"] for hit in hits] == ["high", "high"]
    assert "is announced there, as 192.168.20.20" in hits[0]["evidence"]


@pytest.mark.rule("mdns-unresolved", "quiet")
def test_names_that_are_resolved() -> None:
    assert not found(lab("mdns-lan/offerer", "mdns-lan/answerer"), "mdns-unresolved")


def question(name: str) -> str:
    """A question for an address over mDNS (RFC 6762, RFC 1035 section 4.1), as hex."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return (bytes(4) + b"\0\1" + bytes(6) + labels + b"\0\0\1\0\1").hex()


MDNS = "D = 192.168.1.10:5353\nG = 224.0.0.251:5353\n" + ENDS
UUID = "3e7f5984-113e-4ee4-8b94-72592a1835d3.local"


@pytest.mark.rule("mdns-unresolved", "near miss")
def test_a_printer_that_is_off_is_no_candidate() -> None:
    trace = call(f"1.0 D > G raw hex={question('printer.local')}\n", FAILS, ends=MDNS)
    assert trace.table("names").values("name") == ["printer.local"]
    assert not found(trace, "mdns-unresolved")


@pytest.mark.rule("mdns-unresolved", "near miss")
def test_a_call_that_connects_by_other_candidates_may_have_unresolved_names() -> None:
    trace = call(f"1.0 D > G raw hex={question(UUID)}\n", WORKS, BACK, ends=MDNS)
    assert only(trace, "mdns-unresolved")["severity"] == "info"
    assert causes(trace) == [""]


# opaque-turn-tls


@pytest.mark.rule("opaque-turn-tls", "fires")
@pytest.mark.parametrize("place", ["offerer", "answerer", "server"])
def test_turn_over_tls_is_named_and_not_judged(place: str) -> None:
    trace = lab(f"turn-tls/{place}")
    hit = only(trace, "opaque-turn-tls")
    assert hit["severity"] == "info" and hit["dst"] == "203.0.113.5:5349"
    assert [one["name"] for one in trace.table("findings").records() if one["severity"] == "error"] == []


@pytest.mark.rule("opaque-turn-tls", "fires")
def test_port_443_of_a_server_that_is_asked_by_stun() -> None:
    tls = "2.0 W > H syn\n2.01 H > W syn-ack\n2.02 W > H tls-hello\n"
    assert only(call(gather(count=1), answered(), tls, FAILS, ends=ENDS), "opaque-turn-tls")["dst"] == "192.0.2.1:443"


@pytest.mark.rule("opaque-turn-tls", "quiet")
def test_turn_over_tcp_in_the_clear() -> None:
    assert not found(lab("turn-tcp/offerer"), "opaque-turn-tls")


@pytest.mark.rule("opaque-turn-tls", "near miss")
def test_any_web_site() -> None:
    """TLS to port 443 of a host that nobody asked by STUN."""
    tls = "2.0 W > 198.51.100.1:443 syn\n2.01 198.51.100.1:443 > W syn-ack\n2.02 W > 198.51.100.1:443 tls-hello\n"
    assert not found(call(tls, FAILS, ends=ENDS), "opaque-turn-tls")
