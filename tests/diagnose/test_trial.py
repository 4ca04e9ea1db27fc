"""The tests that every hypothesis has to pass: time, coverage, stage, visibility; and how sure that makes a verdict."""

from __future__ import annotations

import pytest

from stunpcap.trace import Trace
from tests.diagnose.calls import ENDS, call, causes, checks, considered, found, lab, only

SILENT = checks("A > B", "a", 15)


def confidence(trace: Trace) -> list[str]:
    """How sure the cause of each session is."""
    return [one["confidence"] for one in trace.table("findings").records() if one["part"] == "cause"]


def test_a_refusal_after_the_failure_is_no_cause() -> None:
    """As Firefox does, which answers 400 once its ICE has failed: after ten seconds of checks that had no response."""
    late = checks("A > B", "z", 10, start=10.5, answer="B > A error ID code=400")
    own = checks("B > A", "b", 9, user="a:b")
    trace = call(SILENT, own, late)
    assert causes(trace) == ["no-answer"]
    assert "bad-request" in considered(trace, "ruled-out")
    assert "400" in only(trace, "hung-up")["summary"]


def test_a_refusal_from_the_beginning_is_the_cause() -> None:
    trace = call(checks("A > B", "a", 15, answer="B > A error ID code=400"))
    assert causes(trace) == ["bad-request"] and confidence(trace) == ["high"]


def test_icmp_at_the_very_end_is_no_cause() -> None:
    """The peer closed its socket, after fifteen checks that nobody had refused."""
    end = "10.6 A > B request y user=b:a prio=1\n10.61 B > A icmp 3/3 quotes=y\n"
    trace = call(SILENT, end)
    assert causes(trace) == ["no-answer"]


def test_icmp_that_is_limited_in_its_rate_speaks_for_all_checks() -> None:
    errors = "".join(f"{second + 0.71:.2f} B > A icmp 3/13 quotes=a{second + 1}\n" for second in range(14))
    trace = call(checks("A > B", "a", 15, every=0.7), errors.replace("quotes=a15", "quotes=a14"))
    assert causes(trace) == ["icmp-rejected"]


def test_a_pair_that_promises_little_explains_little() -> None:
    """One host pair is refused by a router; the pairs with addresses outside die in silence."""
    ends = ENDS + "C = 198.51.100.7:3000\nD = 198.51.100.8:3000\n"
    errors = "".join(f"{number * 0.7 + 0.01:.2f} B > A icmp 3/0 quotes=a{number}\n" for number in range(15))
    trace = call(SILENT, errors, checks("A > C", "c", 15), checks("A > D", "d", 15), ends=ends)
    assert "icmp-rejected" not in causes(trace)
    assert only(trace, "icmp-rejected")["severity"] == "warning"


@pytest.mark.parametrize(("count", "sure"), [(2, []), (5, ["low"]), (20, ["medium"])])
def test_evidence_grows(count: int, sure: list[str]) -> None:
    """Two checks are nothing yet; after two seconds something is said, and later more."""
    out = checks("A > B", "a", count, and_="out")
    assert confidence(call(out, end=count * 0.7 + 0.1)) == sure


def test_who_is_not_heard_at_all_may_take_another_way() -> None:
    """Neither end is here: nothing is said with confidence of silence in one direction."""
    assert confidence(call(checks("A > B", "a", 20, ttl=60))) == ["low"]


def test_high_confidence_needs_the_rivals_ruled_out() -> None:
    alone = lab("one-way-drop/offerer")
    assert confidence(alone) != ["high"] and "one-way-nat" in considered(alone, "possible")
    both = lab("one-way-drop/offerer", "one-way-drop/answerer")
    assert confidence(both) == ["high"] and "one-way-nat" in considered(both, "ruled-out")


@pytest.mark.parametrize("scenario", ["firefox-chromium-asymmetric", "chromium-firefox-asymmetric"])
def test_the_motivating_case_with_firefox(scenario: str) -> None:
    trace = lab(f"{scenario}/answerer")
    assert causes(trace) == ["one-way-nat"]
    assert not found(trace, "bad-request")


def test_what_broke_a_relay_explains_a_call_that_ran_over_it() -> None:
    """Pairs that never worked explain nothing of a call that did."""
    trace = lab("turn-killed/offerer")
    assert causes(trace) == ["turn-server-lost"]


def test_state_and_findings_agree() -> None:
    trace = lab("cut-icmp/offerer")
    session = next(trace.table("sessions").records())
    assert (session["state"], session["failed_stage"]) == ("disconnected", "media")
    assert causes(trace) == ["icmp-rejected"]
