"""What leads nowhere in a call that works."""

from __future__ import annotations

import pytest

import stunpcap
from tests.diagnose.calls import call, causes, checks, found, lab, only
from tests.places import SHARED

ENDS = """
    A = 192.168.1.10:1000
    V = 10.8.0.2:1000
    B = 192.168.2.20:2000
    C = 10.8.0.99:2000
    A6 = [2001:db8:1::10]:1000
    B6 = [2001:db8:2::20]:2000
"""
MEDIA = "".join(f"{2 + n * 0.5} A > B rtp\n{2.2 + n * 0.5} B > A rtp\n" for n in range(20))
GOOD = (
    checks("A > B", "a", answer="B > A success ID mapped=A", and_="use controlling")
    + checks("B > A", "b", user="a:b", answer="A > B success ID mapped=B")
    + MEDIA
)


@pytest.mark.rule("dead-interface", "fires")
def test_a_vpn_that_leads_nowhere() -> None:
    trace = call(GOOD, checks("V > B", "v"), ends=ENDS)
    hit = only(trace, "dead-interface")
    assert (hit["severity"], hit["src"], causes(trace)) == ("warning", "10.8.0.2:1000", [""])
    assert only(lab("dead-interface/offerer", "dead-interface/offerer-vpn"), "dead-interface")["src"].startswith(
        "10.8.0.2:"
    )


@pytest.mark.rule("dead-interface", "quiet")
def test_one_interface_that_works() -> None:
    assert not found(call(GOOD, ends=ENDS), "dead-interface")


@pytest.mark.rule("dead-interface", "near miss")
def test_another_target_that_is_dead_says_nothing_of_the_interface() -> None:
    assert not found(call(GOOD, checks("V > C", "v"), ends=ENDS), "dead-interface")


@pytest.mark.rule("dead-interface", "near miss")
def test_an_interface_that_works_elsewhere_is_not_dead() -> None:
    elsewhere = checks("V > C", "w", answer="C > V success ID mapped=V")
    assert not found(call(GOOD, checks("V > B", "v"), elsewhere, ends=ENDS), "dead-interface")


@pytest.mark.rule("ipv6-path-broken", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_ipv6_is_dead_and_ipv4_works(vantage: str) -> None:
    trace = lab(f"ipv6-broken/{vantage}")
    assert only(trace, "ipv6-path-broken")["severity"] == "warning"
    assert causes(trace) == [""]


@pytest.mark.rule("ipv6-path-broken", "quiet")
def test_ipv6_works() -> None:
    assert not found(lab("ipv6/offerer"), "ipv6-path-broken")


@pytest.mark.rule("ipv6-path-broken", "near miss")
def test_both_families_dead_is_not_the_fault_of_ipv6() -> None:
    silent = checks("A > B", "a") + checks("A6 > B6", "c")
    assert not found(call(silent, ends=ENDS), "ipv6-path-broken")


@pytest.mark.rule("dead-interface", "near miss")
def test_a_relay_is_no_interface() -> None:
    """In the wild capture the target answers the agent's relay, and not the agent itself."""
    path = SHARED / "srtp_decoder__WebRTC_PCMA_Turn_SDES_Call_1.pcap"
    if not path.exists():
        pytest.skip("the captures from the wild are not part of a clone")
    assert not found(stunpcap.read(path), "dead-interface")
