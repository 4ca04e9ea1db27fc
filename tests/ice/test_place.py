"""Where a capture was taken: time to live, Linux cooked directions, pcapng packet flags."""

from __future__ import annotations

import pytest

from tests.ice.transcript import one, read

NAMES = """
    A = 10.0.0.1:1000
    B = 10.0.0.2:2000
    C = 10.0.0.3:3000
    A' = 203.0.113.1:4000
"""
CHECK = "user=bbbb:aaaa controlling prio=100"


def place(text, form="pcap"):
    found = one(read(NAMES + text, form).vantages)
    return found["place"], found["at"], found["confidence"]


@pytest.mark.parametrize("ttl", [64, 128, 255])
def test_a_fresh_time_to_live_is_near(ttl):
    text = f"0 A > B request t1 {CHECK} ttl={ttl}\n 0.1 B > A success t1 mapped=A ttl=57"
    assert place(text) == ("endpoint", "10.0.0.1", "medium")


def test_ipv6_hop_limit():
    text = f"""
        A6 = [2001:db8::1]:1000
        B6 = [2001:db8::2]:2000
        0.0  A6 > B6  request t1 {CHECK} ttl=61
        0.1  B6 > A6  success t1 mapped=A6 ttl=64
    """
    assert place(text) == ("endpoint", "2001:db8::2", "medium")


def test_all_on_one_link():
    assert place(f"0 A > B request t1 {CHECK}\n 0.1 B > A success t1 mapped=A") == (
        "unknown",
        "10.0.0.1, 10.0.0.2",
        "low",
    )


def test_between_routers():
    text = f"0 A > B request t1 {CHECK} ttl=63\n 0.1 B > A success t1 mapped=A ttl=62"
    assert place(text) == ("between", "", "medium")


def test_only_one_side_was_heard():
    assert place(f"0 A > B request t1 {CHECK}") == ("endpoint", "10.0.0.1", "low")


def test_one_side_was_captured():
    """Who answers was asked: what came from the other side was not captured, and the place may be either."""
    text = f"0 A > B request t1 {CHECK}\n 0.1 A > B success t2 mapped=B"
    assert place(text) == ("unknown", "10.0.0.1", "low")


def test_a_time_to_live_that_varies_is_not_fresh():
    """Two senders, or two routes, behind one address."""
    text = f"0 A > B request t1 {CHECK} ttl=64\n 1 A > B request t2 {CHECK} ttl=60\n 2 B > A request t3 ttl=64"
    assert place(text) == ("endpoint", "10.0.0.2", "medium")


@pytest.mark.parametrize("form", ["cooked", "pcapng"])
def test_directions_in_the_capture_are_certain(form):
    text = f"0 A > B request t1 {CHECK} ttl=60 out\n 0.1 B > A success t1 mapped=A in"
    assert place(text, form) == ("endpoint", "10.0.0.1", "high")


@pytest.mark.parametrize("form", ["cooked", "pcapng"])
def test_received_and_sent_on_is_a_router(form):
    text = f"""
        0.000  A > B  request t1 {CHECK} in
        0.001  again out
        0.100  B > A  success t1 mapped=A in
        0.101  again out
    """
    assert place(text, form) == ("between", "", "high")


def test_a_router_that_translates_is_no_endpoint():
    """A' is its own address, but only because it rewrote A: no host candidate."""
    text = f"""
        0.000  A > B   request t1 {CHECK} in
        0.001  A' > B  request t1 {CHECK} out
        0.100  B > A'  success t1 mapped=A' in
        0.101  B > A   success t1 mapped=A' out
    """
    assert place(text, "cooked") == ("between", "", "high")
    assert "host" not in set(read(NAMES + text, "cooked").candidates["type"])


def test_a_relay_is_an_endpoint():
    """A TURN server receives and sends, but nothing under its clients' addresses."""
    text = f"""
        S = 192.0.2.10:3478
        Y = 192.0.2.10:50000
        0.0  A > S  request t1 in
        0.1  S > A  success t1 mapped=A out
        0.2  Y > B  request t2 {CHECK} out
        0.3  B > Y  success t2 mapped=Y in
    """
    assert place(text, "cooked") == ("endpoint", "192.0.2.10", "high")


def test_without_stun_there_is_nothing_to_tell_it_from():
    assert place("0 A > B rtp") == ("unknown", "", "low")


def test_flags_beat_times_to_live():
    """A virtual machine's host: its guest's packets are fresh, but marked as received."""
    text = f"0 A > B request t1 {CHECK} ttl=64 in\n 0.1 B > A success t1 mapped=A ttl=50 out"
    assert place(text, "cooked") == ("endpoint", "10.0.0.2", "high")
