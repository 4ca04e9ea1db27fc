"""The case stunpcap was made for: a NAT on one way only, told from each place, and no more than that place knows."""

from __future__ import annotations

import pytest

from tests.diagnose.calls import call, causes, checks, found, lab, only

NAT = """
    A = 192.168.1.10:1000
    A' = 172.30.0.2:1000
    B = 10.20.0.20:2000
"""
ELSEWHERE = checks("B > A", "b", 3, user="a:b", answer="A' > B success ID mapped=B")
A_ARRIVES = checks("A' > B", "a", user="b:a", answer="B > A' success ID mapped=A'", ttl=60)
BACK = checks("B > A'", "c", user="a:b")
BACK_ANSWERED = checks("B > A'", "c", user="a:b", answer="A' > B success ID mapped=B")
BOTH_NOMINATED = "9.0 A' > B request n user=b:a use prio=1\n9.02 B > A' success n mapped=A'\n"


def test_the_story_at_the_answerer() -> None:
    """What arrived, what did not, what rewrote it, why ICE must refuse the answer, what is missing."""
    trace = lab("asymmetric-dead/answerer")
    assert causes(trace) == ["one-way-nat"]
    hit = only(trace, "one-way-nat")
    assert (hit["severity"], hit["confidence"], hit["part"]) == ("error", "high", "cause")
    assert hit["src"].startswith("10.20.0.20:") and hit["dst"].startswith("172.30.0.2:")
    told = f"{hit['summary']} {hit['story']}"
    for words in (
        "192.168.10.10 is reached directly",
        "comes through a NAT, from 172.30.0.2",
        "what 10.20.0.20 sends back to there is lost",
        "discard it (RFC 8445 section 7.2.5.2.1)",
        "peer-reflexive pair",
        "Only host candidates were tried",
    ):
        assert words in told
    for step in ("Route the answers back", "NAT's outside address 172.30.0.2", "TURN relay", "STUN server would not"):
        assert step in hit["advice"]
    assert {"asymmetric-response", "host-only"} <= {one["name"] for one in trace.table("findings").records()}


def test_the_offerer_alone_claims_no_more_than_it_knows() -> None:
    trace = lab("asymmetric-dead/offerer")
    assert causes(trace) == ["one-way-loss"]
    hit = only(trace, "one-way-loss")
    assert hit["confidence"] == "low"
    assert hit["src"] is None and hit["dst"] is None, "the direction cannot be told from here"
    assert "from another address" in hit["summary"]
    assert "Capture at 10.20.0.20 next" in hit["advice"]


def test_both_together_know_it_all() -> None:
    trace = lab("asymmetric-dead/offerer", "asymmetric-dead/answerer")
    assert causes(trace) == ["one-way-nat"]
    assert only(trace, "one-way-nat")["dst"].startswith("172.30.0.2:")


@pytest.mark.rule("one-way-nat", "fires")
def test_no_way_back_to_the_nat() -> None:
    hit = only(call(ELSEWHERE, A_ARRIVES, BACK, ends=NAT), "one-way-nat")
    assert (hit["src"], hit["dst"]) == ("10.20.0.20:2000", "172.30.0.2:1000")
    assert (hit["severity"], hit["confidence"]) == ("error", "high")
    assert "Or open the way from 10.20.0.20" in hit["advice"]


@pytest.mark.rule("one-way-nat", "fires")
def test_an_agent_that_ignores_peer_reflexive_candidates() -> None:
    hit = only(call(ELSEWHERE, A_ARRIVES, ends=NAT), "one-way-nat")
    assert "never sends anything back to there" in hit["summary"]
    assert "ignores the peer-reflexive candidate" in hit["story"]
    assert "stun:SERVER:3478" in hit["advice"], "signalled, the address would be checked"


@pytest.mark.rule("one-way-nat", "fires")
def test_rescued_it_is_a_warning() -> None:
    trace = call(ELSEWHERE, A_ARRIVES, BACK_ANSWERED, BOTH_NOMINATED, ends=NAT)
    hit = only(trace, "one-way-nat")
    assert hit["severity"] == "warning" and "rescued" in hit["story"]
    assert causes(trace) == [""]


@pytest.mark.rule("one-way-nat", "quiet")
def test_an_ordinary_nat_is_none_of_one_way() -> None:
    for capture in ("nats-stun/offerer", "nats-stun/answerer", "direct/offerer"):
        assert not found(lab(capture), "one-way-nat")


@pytest.mark.rule("one-way-nat", "near miss")
def test_an_answer_that_goes_elsewhere_is_no_nat_on_the_way_there() -> None:
    """From the address asked, to another than asked: the asker's side is rewritten."""
    gone = checks("B > A", "b", 3, user="a:b", answer="A > B' success ID mapped=B")
    trace = call(gone, ends=f"{NAT}    B' = 10.20.0.99:2000\n")
    assert not found(trace, "one-way-nat")
    assert found(trace, "asymmetric-response")


@pytest.mark.rule("asymmetric-response", "fires")
def test_an_answer_from_elsewhere() -> None:
    hit = only(call(ELSEWHERE, A_ARRIVES, BACK, ends=NAT), "asymmetric-response")
    assert (hit["severity"], hit["part"]) == ("error", "consequence")
    assert "from 10.20.0.20:2000 to 192.168.1.10:1000: the answers come from 172.30.0.2:1000" in hit["summary"]


@pytest.mark.rule("asymmetric-response", "quiet")
def test_answers_that_mirror() -> None:
    assert not found(call(A_ARRIVES, BACK_ANSWERED, ends=NAT), "asymmetric-response")


@pytest.mark.rule("asymmetric-response", "near miss")
def test_one_mirrored_answer_decides() -> None:
    """Captured on both sides of a NAT, an answer is seen from two addresses; the one that mirrors counts."""
    twice = checks("B > A'", "c", 3, user="a:b", answer="A' > B success ID mapped=B")
    inside = "\n".join(f"{number * 0.7 + 0.021:.3f} A > B success c{number} mapped=B" for number in range(3))
    assert not found(call(twice, inside, ends=NAT), "asymmetric-response")
