"""What NATs make of addresses, as servers tell it and as it is seen outside."""

from __future__ import annotations

import pytest

from tests.diagnose.calls import call, checks, found, lab, only

NAT = """
    A = 192.168.1.10:1000
    A1 = 203.0.113.10:1111
    A2 = 203.0.113.10:2222
    A3 = 203.0.113.10:3333
    B = 203.0.113.20:2000
    C = 203.0.113.30:3000
    S = 203.0.113.5:3478
    T = 203.0.113.6:3478
"""


def ask(server: str, name: str, mapped: str, *, at: float = 0.0) -> str:
    return f"{at} A > {server} request {name}\n{at + 0.02} {server} > A success {name} mapped={mapped}\n"


@pytest.mark.rule("symmetric-nat", "fires")
def test_servers_disagree() -> None:
    hit = only(call(ask("S", "s", "A1"), ask("T", "t", "A2", at=0.1), ends=NAT), "symmetric-nat")
    assert hit["severity"] == "warning" and hit["src"] == "192.168.1.10:1000"
    assert "address-dependent" in hit["summary"]
    assert "203.0.113.10:1111" in hit["summary"] and "203.0.113.10:2222" in hit["summary"]


@pytest.mark.rule("symmetric-nat", "fires")
def test_outside_a_port_for_each_destination() -> None:
    for capture in ("nats-symmetric-stun/nat-a-outside", "nat-symmetric-one-end/nat-a-outside"):
        assert only(lab(capture), "symmetric-nat")["src"].startswith("203.0.113.10:")


@pytest.mark.rule("symmetric-nat", "quiet")
def test_servers_agree() -> None:
    assert not found(call(ask("S", "s", "A1"), ask("T", "t", "A1", at=0.1), ends=NAT), "symmetric-nat")
    for capture in ("nats-stun/nat-a-outside", "nats-stun/offerer"):
        assert not found(lab(capture), "symmetric-nat")


@pytest.mark.rule("symmetric-nat", "near miss")
def test_an_agent_with_two_sockets_is_no_nat() -> None:
    """Each of its ports goes to both targets: that is an agent's work, not a NAT's."""
    both = [
        checks(f"{source} > {target}", f"{source}{target}", 5, start=0.01 * number, ttl=60)
        for number, (source, target) in enumerate((("A1", "B"), ("A1", "C"), ("A2", "B"), ("A2", "C")))
    ]
    assert not found(call(*both, ends=NAT), "symmetric-nat")


@pytest.mark.rule("symmetric-nat", "near miss")
def test_one_server_that_sees_itself_untranslated_says_nothing() -> None:
    assert not found(call(ask("S", "s", "A1"), ask("T", "t", "A", at=0.1), ends=NAT), "symmetric-nat")


@pytest.mark.rule("no-hairpin", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_both_behind_one_nat(vantage: str) -> None:
    hit = only(lab(f"same-nat-no-hairpin/{vantage}"), "no-hairpin")
    assert (hit["severity"], hit["part"]) == ("error", "cause")
    assert "203.0.113.10" in hit["summary"]


@pytest.mark.rule("no-hairpin", "quiet")
def test_a_nat_that_hairpins() -> None:
    assert not found(lab("same-nat-hairpin/offerer"), "no-hairpin")


@pytest.mark.rule("no-hairpin", "near miss")
def test_two_nats_are_not_one() -> None:
    """As `same-nat-no-hairpin`, but for the other agent's outside address."""
    told = ask("S", "s", "A1")
    silent = checks("A > B", "a", user="b:a")
    assert not found(call(told, silent, ends=NAT), "no-hairpin")
    behind_the_same = call(told, checks("A > A3", "a", user="b:a"), ends=NAT)
    assert found(behind_the_same, "no-hairpin")


@pytest.mark.rule("alg-rewrite", "fires")
def test_a_router_rewrote_the_address_in_the_clear() -> None:
    told = "0.0 A > S request s\n0.02 S > A success s mapped=A1 plain=A\n"
    hit = only(call(told, ends=NAT), "alg-rewrite")
    assert "MAPPED-ADDRESS differs from XOR-MAPPED-ADDRESS" in hit["summary"]
    assert hit["confidence"] == "high" and hit["frames"] == [2]


@pytest.mark.rule("alg-rewrite", "quiet")
def test_only_xor_mapped() -> None:
    assert not found(call(ask("S", "s", "A1"), ends=NAT), "alg-rewrite")


@pytest.mark.rule("alg-rewrite", "near miss")
def test_both_addresses_and_the_same() -> None:
    told = "0.0 A > S request s\n0.02 S > A success s mapped=A1 plain=A1\n"
    assert not found(call(told, ends=NAT), "alg-rewrite")


@pytest.mark.rule("alg-rewrite", "near miss")
def test_microsoft_relays_mean_the_relayed_address() -> None:
    told = "0.0 A > S allocate request s\n0.02 S > A allocate success s mapped=A1 plain=A2 relayed=A2\n"
    assert not found(call(told, ends=NAT), "alg-rewrite")


@pytest.mark.rule("symmetric-nat", "near miss")
def test_a_peer_that_disagrees_with_the_servers_is_little_proof() -> None:
    peer = checks("A > B", "p", 3, start=1, user="b:a", answer="B > A success ID mapped=A2")
    hit = only(call(ask("S", "s", "A1"), ask("T", "t", "A1", at=0.1), peer, ends=NAT), "symmetric-nat")
    assert hit["confidence"] == "low"
    assert "203.0.113.10:1111" in hit["summary"] and "203.0.113.10:2222" in hit["summary"]
