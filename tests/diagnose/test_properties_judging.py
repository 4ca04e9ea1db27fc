"""The properties on verdicts made by hand: each finds what it is there for, and lets pass what it may."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.diagnose.properties import judging
from tests.diagnose.properties.judging import Cut
from tests.diagnose.properties.pieces import JOINED, LATE, NAMES
from tests.diagnose.properties.places import Place
from tests.diagnose.properties.renaming import Renaming
from tests.diagnose.properties.told import Finding, Told, Verdict

FAILS, WORKS, WILD = Place("one-way-drop", "offerer"), Place("direct", "offerer"), Place("wild", "a.pcap")
SECOND = 1_000_000_000


def told(cause: str = "", confidence: str = "", state: str = "failed", unanswered: int = 9) -> Told:
    verdict = Verdict(1, frozenset({"A", "B"}), state, 0, cause, confidence if cause else "", unanswered=unanswered)
    return Told((verdict,), (Finding(cause, "error", confidence, 1),) if cause else ())


@pytest.mark.parametrize(
    ("before", "after", "broken"),
    [
        (("no-answer", "medium"), ("one-way-loss", "high"), []),
        (("no-answer", "low"), ("icmp-rejected", "high"), []),
        (("no-answer", "medium"), ("icmp-rejected", "low"), ["prefix"]),
        (("one-way-nat", "high"), ("one-way-loss", "high"), ["prefix"]),
        (("one-way-nat", "medium"), ("", ""), ["taken back"]),
        (("one-way-nat", "low"), ("", ""), []),
    ],
)
def test_as_a_capture_grows(before: tuple[str, str], after: tuple[str, str], broken: list[str]) -> None:
    cuts = [Cut("first 3 s", told(*before), 3 * SECOND), Cut("whole", told(*after), 9 * SECOND)]
    assert [one.property for one in judging.prefixes(WILD, cuts)] == broken


def test_a_verdict_between_cuts_counts() -> None:
    said = [told("no-answer", "medium"), told("icmp-rejected", "high"), told("no-answer", "medium")]
    cuts = [Cut(f"first {n} s", one, n * SECOND) for n, one in enumerate(said, 1)]
    assert len(list(judging.prefixes(WILD, cuts))) == 2


@pytest.mark.parametrize(
    ("after_s", "unanswered", "cause", "broken"),
    [(4, 9, "", True), (2, 9, "", False), (4, 2, "", False), (4, 9, "no-answer", False)],
)
def test_silence_is_found(after_s: int, unanswered: int, cause: str, broken: bool) -> None:
    cut = Cut("cut", told(cause, "low", "checking", unanswered), after_s * SECOND)
    assert bool(list(judging.something_said(FAILS, cut, told("one-way-loss", "high")))) == broken
    assert not list(judging.something_said(FAILS, cut, told(state="connected")))


@pytest.mark.parametrize(
    ("place", "whole", "cause", "confidence", "broken"),
    [
        (FAILS, told("one-way-loss", "high"), "no-answer", "medium", False),
        (FAILS, told("one-way-loss", "high"), "icmp-rejected", "low", False),
        (FAILS, told("one-way-loss", "high"), "icmp-rejected", "medium", True),
        (FAILS, told(), "one-way-loss", "high", False),
        (FAILS, told(), "bad-request", "high", True),
        (WORKS, told(state="connected"), "no-answer", "medium", True),
        (WORKS, told(state="connected"), "no-answer", "low", False),
        (WILD, told(state="connected"), "no-answer", "medium", True),
        (WILD, told(state="checking"), "no-answer", "medium", False),
    ],
)
def test_less_may_weaken_only(place: Place, whole: Told, cause: str, confidence: str, broken: bool) -> None:
    assert bool(list(judging.less(place, LATE, "piece", told(cause, confidence), whole))) == broken


def test_more_is_not_worse() -> None:
    alone = [told("one-way-loss", "high"), told("no-answer", "medium")]

    def broken(*together: str) -> int:
        return len(list(judging.more(FAILS, "a + b", "one-way-loss", alone, told(*together))))

    assert broken("one-way-loss", "high") == 0
    assert broken("one-way-loss", "medium") == 1
    assert broken("icmp-rejected", "high") == 2


@pytest.mark.parametrize("kind", [JOINED, NAMES])
@pytest.mark.parametrize(
    ("after", "broken"),
    [
        (told("one-way-loss", "high"), False),
        (told("one-way-loss", "medium"), True),
        (told("one-way-nat", "high"), True),
        (told("one-way-loss", "high", "checking"), True),
        (Told((replace(told().verdicts[0], agents=frozenset({"C", "D"})),), ()), True),
    ],
)
def test_what_changes_nothing(kind: str, after: Told, broken: bool) -> None:
    before = told("one-way-loss", "high")
    assert bool(list(judging.same(WILD, kind, "piece", after, before, Renaming()))) == broken


def test_what_rests_on_ranges_is_never_high() -> None:
    def broken(confidence: str, change: Renaming) -> bool:
        before = told("relay-needed", confidence)
        return bool(list(judging.same(WILD, NAMES, "piece", told("no-answer", "medium"), before, change)))

    addresses = Renaming(address=lambda number: number ^ 1)
    assert broken("high", addresses)
    assert not broken("medium", addresses)
    assert broken("medium", Renaming(port=lambda number: number ^ 1))


@pytest.mark.parametrize(
    ("said", "broken"),
    [
        (told("no-answer", "low", "connected"), True),
        (told("media-one-way", "high", "connected"), False),
        (told("no-answer", "low"), False),
        (told(), True),
        (told(state="checking"), False),
    ],
)
def test_state_agrees_with_findings(said: Told, broken: bool) -> None:
    assert bool(list(judging.state(WILD, "whole", said))) == broken
