"""Getting past NATs: what was not there, and when that is the reason."""

from __future__ import annotations

import pytest

from tests.diagnose.calls import call, causes, checks, found, lab, only

NAT = """
    A = 192.168.1.10:1000
    A1 = 203.0.113.10:1111
    B = 203.0.113.20:2000
    P = 192.168.77.7:2000
    S = 203.0.113.5:3478
"""
TOLD = "0.0 A > S request s\n0.02 S > A success s mapped=A1\n"
IGNORED = "0.0 A > S request s\n0.5 A > S request s\n1.5 A > S request s\n"


@pytest.mark.rule("relay-needed", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "answerer", "nat-a-outside", "nat-b-outside"])
def test_outside_addresses_are_known_and_dead(vantage: str) -> None:
    trace = lab(f"nats-symmetric-stun/{vantage}")
    assert causes(trace) == ["relay-needed"]
    hit = only(trace, "relay-needed")
    assert "turn:SERVER:3478" in hit["advice"] and "STUN alone will not do" in hit["advice"]


@pytest.mark.rule("relay-needed", "quiet")
def test_no_relay_is_needed_where_one_is() -> None:
    assert not found(lab("nats-symmetric-turn/offerer"), "relay-needed")


@pytest.mark.rule("relay-needed", "near miss")
def test_without_a_stun_server_the_outside_was_never_tried() -> None:
    trace = lab("stun-one-side/answerer")
    assert not found(trace, "relay-needed")
    assert causes(trace) == ["host-only"]


@pytest.mark.rule("host-only", "fires")
def test_an_agent_behind_a_nat_that_asked_nobody() -> None:
    """It checks an address on the open internet from a private one: there is a NAT, and nobody told what it is."""
    trace = call(checks("A > B", "a"), ends=NAT)
    hit = only(trace, "host-only")
    assert (hit["severity"], hit["src"], causes(trace)) == ("error", "192.168.1.10:1000", ["host-only"])
    assert "stun:SERVER:3478" in hit["advice"]


@pytest.mark.rule("host-only", "fires")
def test_outside_a_nat_only_private_addresses_are_checked() -> None:
    trace = lab("nats-host-only/nat-a-outside")
    assert causes(trace) == ["host-only"]


@pytest.mark.rule("host-only", "quiet")
def test_on_a_call_that_works_host_candidates_were_enough() -> None:
    trace = lab("routed/offerer")
    assert not found(trace, "host-only")
    assert causes(trace) == [""]


@pytest.mark.rule("host-only", "near miss")
@pytest.mark.parametrize("calls", [5, 50])
def test_of_a_media_server_only_calls_that_fail_are_told(calls: int) -> None:
    """Captured at the server, which answers all agents at one port; the last one never answers it."""
    ends = "S = 203.0.113.10:10000\n" + "".join(f"C{n} = 198.51.100.{n}:{4000 + n}\n" for n in range(calls))
    parts = []
    for n in range(calls):
        answer = f"C{n} > S success ID mapped=S ttl=57" if n < calls - 1 else ""
        parts.append(checks(f"S > C{n}", f"s{n}x", start=n / 100, every=3.0, user=f"c{n}:s{n}", answer=answer))
    told = found(call(*parts, ends=ends), "host-only")
    assert sorted(one["severity"] for one in told) == ["error"] + ["info"] * (4 if calls == 5 else 0)


@pytest.mark.rule("host-only", "quiet")
def test_who_asked_is_not_host_only() -> None:
    assert not found(call(TOLD, checks("A > B", "a"), ends=NAT), "host-only")
    assert not found(lab("turn-tls/offerer"), "host-only"), "it asked in TLS"


@pytest.mark.rule("host-only", "near miss")
def test_who_asked_in_vain_is_not_host_only() -> None:
    assert not found(call(IGNORED, checks("A > B", "a"), ends=NAT), "host-only")


@pytest.mark.rule("host-only", "near miss")
def test_in_a_network_without_nat_it_is_little_more_than_a_guess() -> None:
    """Private addresses route between the sites of a closed network: silence may have another reason."""
    trace = call(checks("A > P", "a"), ends=NAT)
    assert only(trace, "host-only")["confidence"] == "low"
    assert causes(trace) == ["no-answer"]


@pytest.mark.rule("unroutable-candidate", "fires")
def test_a_private_address_checked_from_outside() -> None:
    hit = only(lab("nats-host-only/nat-a-outside"), "unroutable-candidate")
    assert hit["severity"] == "warning"
    assert hit["src"].startswith("203.0.113.10:") and hit["dst"].startswith("192.168.20.20:")


@pytest.mark.rule("unroutable-candidate", "quiet")
def test_private_addresses_in_one_network() -> None:
    assert not found(lab("both-ways-drop/offerer"), "unroutable-candidate")


@pytest.mark.rule("unroutable-candidate", "near miss")
def test_beside_a_pair_that_works_it_is_not_worth_a_word() -> None:
    trace = lab("nats-stun/offerer")
    assert any(row["dst"].startswith("192.168.20.20:") for row in trace.table("pairs").records())
    assert not found(trace, "unroutable-candidate")
