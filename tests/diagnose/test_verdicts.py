"""Every labelled call, at every place where it was captured: state, root cause, direction, and nothing wrong said."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest

from tests.diagnose import verdicts
from tests.diagnose.accepted import ACCEPTED
from tests.diagnose.verdicts import Verdict, captures, judge, judge_all, label, said, scenarios

EVERY = [(scenario, vantage) for scenario in scenarios() for vantage in captures(scenario)]
every_place = pytest.mark.parametrize(("scenario", "vantage"), EVERY, ids=["/".join(one) for one in EVERY])


@every_place
def test_right_or_acceptable(scenario: str, vantage: str) -> None:
    verdict = judge(scenario, vantage)
    assert verdict.mark in ("right", "acceptable"), verdict.why


@every_place
def test_a_healthy_call_has_no_error(scenario: str, vantage: str) -> None:
    if label(scenario)["root_cause"]:
        pytest.skip("not healthy")
    assert judge(scenario, vantage).errors == set()


@pytest.mark.parametrize("scenario", scenarios())
def test_what_else_is_true_of_a_call_is_named_somewhere(scenario: str) -> None:
    named = frozenset().union(*(judge(scenario, vantage).named for vantage in captures(scenario)))
    assert set(label(scenario)["also"]) <= named


@pytest.mark.parametrize("scenario", scenarios())
def test_the_advice_names_what_mended_it(scenario: str) -> None:
    """Where the corpus has the same call mended, by a change that `MENDS` finds in the advice."""
    mended = label(scenario).get("mended_by")
    if not mended or not label(scenario)["root_cause"]:
        pytest.skip("there is no mended twin")
    vantage = list(captures(scenario))[-1]
    advice = " ".join(
        one["advice"].lower()
        for one in said(scenario, vantage).findings
        if one["severity"] == "error" and one["advice"]
    )
    if not said(scenario, vantage).root_cause:
        pytest.skip("no capture can tell")
    assert advice, "a failure without advice"
    assert any(word in advice for word in wanted_words(mended["change"])), (mended["change"], advice)


MENDS = {
    "relay": ("turn relay",),
    "TURN": ("turn relay",),
    "STUN": ("stun server",),
    "open the way": ("open the way", "let it through"),
    "let": ("let ", "through"),
    "firewall": ("firewall",),
    "password": ("password", "credential"),
    "ufrag": ("ufrag", "credential"),
    "credentials": ("credential", "password"),
}
"""Word of a label's change -> words that an advice has which names it."""


def wanted_words(change: str) -> tuple[str, ...]:
    """What an advice must say, by the label's words for the change."""
    found = tuple(word for key, words in MENDS.items() if key in change for word in words)
    return found or ("",)


def test_no_acceptance_is_idle() -> None:
    """What is accepted and does not occur would hide a verdict that gets worse."""
    verdicts_by_place = {f"{one.scenario}/{one.vantage}": one for one in judge_all()}
    idle = [
        pattern
        for pattern in ACCEPTED
        if not any(fnmatch(place, pattern) and one.mark == "acceptable" for place, one in verdicts_by_place.items())
    ]
    assert idle == []


def test_a_wrong_cause_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge itself: a call that is said to be lost one way is not one that was refused."""
    told = said("one-way-drop", "offerer")
    monkeypatch.setattr(verdicts, "said", lambda *_: told)
    assert judge("one-way-drop", "offerer").mark == "right"
    assert judge("icmp-admin-prohibited", "offerer").mark == "wrong"
    assert judge("routed", "offerer").mark == "wrong"
    assert "direction" in judge("host-firewall", "offerer").why or judge("host-firewall", "offerer").mark == "right"


def test_the_page_is_current() -> None:
    wanted = verdicts.page(list(judge_all()))
    assert verdicts.PAGE.read_text(encoding="utf-8") == wanted, "python -m tests.diagnose.verdicts --write"


def test_the_page_shows_what_is_wrong() -> None:
    one = Verdict("direct", "offerer", "failed", "no-answer", "a -> b", "wrong", "why", frozenset(), frozenset())
    assert "| direct | connected | offerer | failed, `no-answer` | a → b | **wrong**: why |" in verdicts.page([one])
