"""Relays and servers that cannot be reached where they say, agents that are silent, refuse, or are gone."""

from __future__ import annotations

import pytest

from tests.diagnose.calls import ENDS, call, causes, checks, considered, found, lab, only
from tests.ice.transcript import read

CONNECTED = (
    "0 A > B request n user=b:a prio=1 controlling use",
    "0.02 B > A success n mapped=A",
    "0.1 B > A request m user=a:b prio=1 controlled",
    "0.12 A > B success m mapped=B",
)


@pytest.mark.rule("turn-connection-lost", "fires")
@pytest.mark.parametrize("scenario", ["turn-tcp-forgotten", "turn-tcp-reset"])
def test_a_connection_to_a_relay_breaks(scenario: str) -> None:
    trace = lab(f"{scenario}/offerer")
    assert causes(trace) == ["turn-connection-lost"]
    hit = only(trace, "turn-connection-lost")
    assert hit["src"].startswith("192.168.10.10:") and hit["dst"] == "203.0.113.5:3478"


@pytest.mark.rule("turn-connection-lost", "quiet")
def test_a_connection_that_is_closed_is_not_lost() -> None:
    assert not found(lab("turn-tcp/offerer"), "turn-connection-lost")


@pytest.mark.rule("turn-connection-lost", "near miss")
def test_a_reset_at_the_end_of_a_call_is_its_end() -> None:
    assert not found(lab("udp-blocked-tcp/offerer"), "turn-connection-lost")


@pytest.mark.rule("relay-ports-closed", "fires")
def test_relay_ports_that_a_firewall_closes() -> None:
    trace = lab("relay-ports-dropped/answerer")
    assert causes(trace) == ["relay-ports-closed"]
    assert "min-port" in only(trace, "relay-ports-closed")["advice"]
    assert causes(lab("relay-ports-rejected/answerer")) == ["relay-ports-closed"], "its host says so with ICMP"


@pytest.mark.rule("relay-ports-closed", "quiet")
def test_a_relay_that_works_has_open_ports() -> None:
    assert not found(lab("nats-symmetric-turn/answerer"), "relay-ports-closed")


@pytest.mark.rule("relay-ports-closed", "near miss")
def test_an_agent_whose_direction_is_dead_is_no_relay() -> None:
    assert not found(lab("one-way-drop/offerer"), "relay-ports-closed")


@pytest.mark.rule("no-relay-hairpin", "fires")
def test_relay_to_relay_on_one_server() -> None:
    assert causes(lab("relay-no-hairpin/offerer")) == ["no-relay-hairpin"]


@pytest.mark.rule("no-relay-hairpin", "quiet")
def test_a_server_that_passes_packets_to_itself() -> None:
    assert not found(lab("turn-udp/offerer"), "no-relay-hairpin")


@pytest.mark.rule("no-relay-hairpin", "near miss")
def test_a_server_that_says_403() -> None:
    assert causes(lab("relay-hairpin-forbidden/offerer")) == ["turn-forbidden"]


@pytest.mark.rule("announced-address-unreachable", "fires")
def test_a_relay_that_announces_its_inside() -> None:
    trace = lab("turn-announces-private/offerer")
    assert causes(trace) == ["announced-address-unreachable"]
    hit = only(trace, "announced-address-unreachable")
    assert "external-ip=203.0.113.5/10.0.0.5" in hit["advice"]
    assert hit["confidence"] != "high", "it rests on what address ranges are meant for"


@pytest.mark.rule("announced-address-unreachable", "quiet")
def test_a_relay_that_announces_its_outside() -> None:
    assert not found(lab("turn-announces-public/offerer"), "announced-address-unreachable")


@pytest.mark.rule("announced-address-unreachable", "near miss")
def test_an_address_that_is_right_behind_closed_ports() -> None:
    assert not found(lab("relay-ports-dropped/offerer"), "announced-address-unreachable")


@pytest.mark.rule("stun-behind-nat", "fires")
def test_a_stun_server_that_sees_its_own_nat() -> None:
    trace = lab("stun-behind-nat/offerer")
    assert causes(trace) == ["stun-behind-nat"]
    assert "10.0.0.1" in only(trace, "stun-behind-nat")["summary"]


@pytest.mark.rule("stun-behind-nat", "quiet")
def test_a_stun_server_that_sees_the_clients_nat() -> None:
    assert not found(lab("nats-stun/offerer"), "stun-behind-nat")


@pytest.mark.rule("stun-behind-nat", "near miss")
def test_a_mapping_that_varies_is_the_clients() -> None:
    assert not found(lab("nats-symmetric-stun/offerer"), "stun-behind-nat")


@pytest.mark.rule("agent-silent", "fires")
def test_what_arrives_at_a_host_that_sends_nothing() -> None:
    """Packets are marked as received: the capture was taken at A itself."""
    trace = read(ENDS + checks("B > A", "b", 20, user="a:b", and_="in") + "60 end", "cooked")
    assert causes(trace) == ["agent-silent"]
    hit = only(trace, "agent-silent")
    assert hit["src"] == "192.168.1.10:1000" and "Capture at" not in hit["advice"]


@pytest.mark.rule("agent-silent", "quiet")
def test_an_agent_that_answers_is_not_silent() -> None:
    answered = checks("B > A", "b", 20, user="a:b", answer="A > B success ID mapped=B", and_="in")
    assert not found(call(answered), "agent-silent")


@pytest.mark.rule("agent-silent", "near miss")
def test_silence_at_an_unknown_place_is_no_silence_of_the_agent() -> None:
    trace = call(checks("B > A", "b", 20, user="a:b", ttl=63))
    assert causes(trace) == ["no-answer"]
    assert "agent-silent" in considered(trace, "possible")


@pytest.mark.rule("consent-refused", "fires")
@pytest.mark.parametrize("place", ["offerer", "answerer"])
def test_a_live_peer_that_stops_answering_consent(place: str) -> None:
    assert causes(lab(f"consent-refused-aioice/{place}")) == ["consent-refused"]


@pytest.mark.rule("consent-refused", "quiet")
def test_a_call_with_consent() -> None:
    assert not found(lab("media-call/offerer"), "consent-refused")


@pytest.mark.rule("consent-refused", "near miss")
def test_stun_that_is_dropped_on_its_way_is_not_refused() -> None:
    assert causes(lab("stun-blocked-midway/offerer")) == ["consent-lost"]


@pytest.mark.rule("never-checked", "fires")
def test_agents_with_no_address_family_in_common() -> None:
    assert only(lab("no-common-family/offerer"), "never-checked")["confidence"] == "low"


@pytest.mark.rule("never-checked", "quiet")
def test_agents_that_check() -> None:
    assert not found(lab("nats-stun/offerer"), "never-checked")


@pytest.mark.rule("never-checked", "near miss")
def test_a_server_sees_no_checks_of_its_clients() -> None:
    assert not found(lab("nats-stun/server"), "never-checked")


@pytest.mark.rule("hung-up", "fires")
def test_a_call_that_an_agent_ends() -> None:
    trace = lab("closed-one-side/offerer")
    session = next(trace.table("sessions").records())
    assert (session["state"], session["ended_how"]) == ("closed", "close-notify")
    assert only(trace, "hung-up")["severity"] == "warning", "the other agent went on for seconds"
    assert not [one for one in trace.table("findings").records() if one["severity"] == "error"]


@pytest.mark.rule("hung-up", "quiet")
def test_a_call_that_never_began_was_not_hung_up() -> None:
    trace = lab("both-ways-drop/offerer")
    assert not found(trace, "hung-up") and not found(trace, "agent-gone")


@pytest.mark.rule("hung-up", "near miss")
def test_an_agent_that_is_killed_says_nothing() -> None:
    trace = lab("browser-killed/offerer")
    assert not found(trace, "hung-up")
    assert causes(trace) == ["agent-gone"]


@pytest.mark.rule("agent-gone", "quiet")
def test_a_call_that_goes_on_has_both_agents() -> None:
    assert not found(call(*CONNECTED), "agent-gone")


@pytest.mark.rule("agent-gone", "near miss")
def test_a_port_that_was_never_open_is_rejected() -> None:
    trace = lab("icmp-port-unreachable/offerer")
    assert not found(trace, "agent-gone") and causes(trace) == ["icmp-rejected"]


@pytest.mark.rule("missing-packets", "fires")
def test_a_capture_that_lost_packets() -> None:
    trace = lab("capture-lossy/offerer")
    assert found(trace, "missing-packets")
    assert not [one for one in trace.table("findings").records() if one["severity"] == "error"], "a healthy call"


@pytest.mark.rule("missing-packets", "quiet")
def test_a_capture_that_lost_none() -> None:
    assert not found(lab("direct/offerer"), "missing-packets")


@pytest.mark.rule("missing-packets", "near miss")
def test_what_was_sent_before_the_capture_is_not_lost() -> None:
    assert not found(lab("capture-late/offerer"), "missing-packets")
