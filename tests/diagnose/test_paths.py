"""Paths that lose or refuse packets: which direction, how sure, and when nobody can know."""

from __future__ import annotations

import pytest

from tests.diagnose.calls import ENDS, call, causes, checks, considered, found, lab, only

A_SILENT = checks("A > B", "a")
B_ANSWERED = checks("B > A", "b", user="a:b", answer="A > B success ID mapped=B")
A_ANSWERED = checks("A > B", "a", answer="B > A success ID mapped=A")


@pytest.mark.rule("one-way-loss", "fires")
def test_one_way_loss_from_where_it_is_sent() -> None:
    trace = lab("one-way-drop/offerer")
    hit = only(trace, "one-way-loss")
    assert causes(trace) == ["one-way-loss"]
    assert (hit["severity"], hit["part"]) == ("error", "cause")
    assert hit["src"].startswith("192.168.10.10:") and hit["dst"].startswith("192.168.20.20:")
    assert "STUN server would not help" in hit["advice"] or "TURN" in hit["advice"]


def test_a_pair_counts_once_however_many_captures_saw_it() -> None:
    """The scenario has one candidate pair; two captures saw it from both ends, and two from routers between."""
    places = [f"one-way-drop/{place}" for place in ("answerer", "offerer", "router-a", "router-b")]
    assert "more pair" not in only(lab(*places), "one-way-loss")["summary"]
    three = ENDS + "C = 10.20.0.20:3000\n"
    other_pair = checks("A > C", "c") + "2.2 C > A request d0 user=a:b prio=1\n2.22 A > C success d0 mapped=C\n"
    assert (
        "the same on 1 more pair" in only(call(A_SILENT, B_ANSWERED, other_pair, ends=three), "one-way-loss")["summary"]
    )


@pytest.mark.rule("one-way-loss", "fires")
def test_one_way_loss_names_the_direction_where_answers_are_not_heard() -> None:
    """B sends a check that was answered again: it did not hear the answer.  At A it looks the same where A's packets
    arrive from another address."""
    again = "2.5 B > A request b0 user=a:b prio=1\n2.52 A > B success b0 mapped=B\n"
    trace = call(A_SILENT, B_ANSWERED, again)
    hit = only(trace, "one-way-loss")
    assert (hit["src"], hit["dst"]) == ("192.168.1.10:1000", "10.20.0.20:2000")
    assert hit["confidence"] != "high" and "one-way-nat" in considered(trace, "possible")


@pytest.mark.rule("one-way-loss", "fires")
def test_one_way_loss_seen_at_the_receiver_points_at_its_host() -> None:
    """The packets are on the interface, and the agent does not answer: a firewall on the host."""
    hit = only(lab("host-firewall/answerer"), "one-way-loss")
    assert hit["src"].startswith("192.168.10.10:")
    assert "on 192.168.20.20 itself" in hit["advice"]


@pytest.mark.rule("one-way-loss", "quiet")
def test_no_loss_on_a_healthy_call() -> None:
    assert not found(call(A_ANSWERED, B_ANSWERED), "one-way-loss")
    assert not found(lab("routed/offerer"), "one-way-loss")


@pytest.mark.rule("one-way-loss", "near miss")
def test_no_loss_of_one_direction_where_both_are_silent() -> None:
    """From B nothing comes that would show that the other direction works."""
    trace = call(A_SILENT, checks("B > A", "b", user="a:b"))
    assert not found(trace, "one-way-loss")
    assert causes(trace) == ["no-answer"]


@pytest.mark.rule("no-answer", "fires")
def test_no_answer_names_no_direction() -> None:
    trace = call(A_SILENT)
    hit = only(trace, "no-answer")
    assert causes(trace) == ["no-answer"]
    assert hit["src"] is None and hit["dst"] is None
    assert "cannot be told" in hit["summary"]
    assert "Capture at 10.20.0.20 next" in hit["advice"]


@pytest.mark.rule("no-answer", "fires")
def test_no_answer_in_two_captures_is_told_of_both_directions() -> None:
    hit = only(lab("both-ways-drop/offerer", "both-ways-drop/answerer"), "no-answer")
    assert "either direction" in hit["summary"]
    assert "both ways" in hit["advice"]


@pytest.mark.rule("no-answer", "quiet")
def test_no_silence_where_there_are_answers() -> None:
    assert not found(call(A_ANSWERED, B_ANSWERED), "no-answer")


@pytest.mark.rule("no-answer", "near miss")
def test_one_answer_is_an_answer() -> None:
    assert not found(call(A_SILENT, "0.1 B > A success a0 mapped=A"), "no-answer")
    assert not found(call(A_SILENT, "0.1 B > A error a0 code=401"), "no-answer")


@pytest.mark.rule("icmp-rejected", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_icmp_names_who_refused_and_how(vantage: str) -> None:
    trace = lab(f"icmp-admin-prohibited/{vantage}")
    assert causes(trace) == ["icmp-rejected"]
    hit = only(trace, "icmp-rejected")
    assert "administratively prohibited" in hit["summary"] and "router" in hit["summary"]
    assert hit["confidence"] == "high"


@pytest.mark.rule("icmp-rejected", "fires")
def test_icmp_of_the_peer_itself() -> None:
    hit = only(lab("icmp-port-unreachable/offerer"), "icmp-rejected")
    assert "port unreachable (3/3) from 192.168.20.20" in hit["summary"] and "the host itself" in hit["summary"]
    assert (hit["src"].split(":")[0], hit["dst"].split(":")[0]) == ("192.168.10.10", "192.168.20.20")


@pytest.mark.rule("icmp-rejected", "quiet")
def test_no_icmp_no_rejection() -> None:
    assert not found(call(A_SILENT), "icmp-rejected")


@pytest.mark.rule("icmp-rejected", "near miss")
def test_a_port_that_closes_at_the_end_of_a_call_is_no_rejection() -> None:
    closing = "20.0 A > B request z user=b:a prio=1\n20.01 B > A icmp 3/3 quotes=z\n"
    assert not found(call(A_ANSWERED, B_ANSWERED, closing), "icmp-rejected")


@pytest.mark.rule("icmp-rejected", "near miss")
def test_icmp_beside_answers_is_no_rejection() -> None:
    refused = "20.0 A > B request z user=b:a prio=1\n20.01 B > A icmp 3/3 quotes=z\n"
    trace = call(checks("A > B", "a", 3, answer="B > A success ID mapped=A"), checks("B > A", "b", user="a:b"), refused)
    assert not found(trace, "icmp-rejected")
