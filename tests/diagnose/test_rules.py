"""The registry: every rule documented and tested, the order of explanation, and what a finding is made of."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from stunpcap.diagnose.finding import ERROR, GUESS, HIGH, LOW, SEEN, SILENCE, Evidence, Finding, Ground, Hit
from stunpcap.diagnose.rules import FAMILIES, PARTS, Rule, all_rules
from stunpcap.diagnose.stages import BESIDE, ENDS, FALLBACK, ORDER
from stunpcap.diagnose.trial import Result, Tried
from stunpcap.diagnose.verdict import rank
from stunpcap.schema import SEVERITY

HERE = Path(__file__).parent
SEEN_BY = (Evidence("seen", "offerer", (1, 2)),)
CATALOGUE = HERE.parents[2] / "shared" / "FAILURES.md"


def marked() -> Counter[tuple[str, str]]:
    """Rule and kind of every `@pytest.mark.rule` in this directory."""
    found: Counter[tuple[str, str]] = Counter()
    for path in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.rule"):
                name, kind = (ast.literal_eval(argument) for argument in node.args)
                found[name, kind] += 1
    return found


@pytest.mark.parametrize("kind", ["fires", "quiet", "near miss"])
def test_every_rule_is_tested(kind: str) -> None:
    tested = marked()
    assert [name for name in all_rules() if not tested[name, kind]] == []
    assert {name for name, _ in tested} <= set(all_rules())


def test_every_rule_is_documented() -> None:
    for name, one in all_rules().items():
        assert set(one.parts) == {part.removesuffix(":") for part in PARTS}, name
        assert one.title.endswith("."), name
        assert one.family in FAMILIES


def test_names_are_those_of_the_catalogue() -> None:
    if not CATALOGUE.exists():
        pytest.skip("the catalogue is not part of a clone")
    text = CATALOGUE.read_text(encoding="utf-8")
    assert [name for name in all_rules() if f"`{name}`" not in text] == []


def test_a_rule_without_documentation_cannot_be_told_of() -> None:
    def bare(facts: object) -> object:
        """A title, and nothing else."""

    with pytest.raises(ValueError, match="not all of"):
        Rule("bare", ERROR, "paths", bare, ()).title  # type: ignore[arg-type]  # noqa: B018


def test_a_finding_without_evidence_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="without evidence"):
        Hit("it happened", ())


def tried(name: str, ground: Ground = SEEN, coverage: float = 1.0, confidence: int = HIGH) -> tuple[Finding, Tried]:
    finding = Finding(name, ERROR, Hit(name, SEEN_BY, session=1, ground=ground), confidence=confidence)
    return finding, Tried(Result.HOLDS, coverage, confidence)


def first(*several: tuple[Finding, Tried]) -> str:
    """The one that explains a session, of several that pass the tests."""
    return min(several, key=rank)[0].name


def test_causes_are_rules_and_may_be_errors() -> None:
    """`ORDER` names each once, and nothing that does not exist."""
    assert set(ORDER) <= set(all_rules())
    assert all(ORDER.values()), "each explains some stage"
    can_be_errors = {name for name, one in all_rules().items() if SEVERITY[one.severity] == "error"}
    assert can_be_errors <= set(ORDER), "an error that can never explain anything"
    assert FALLBACK in ORDER and set(BESIDE) <= set(ORDER) and set(ENDS) <= set(all_rules())


@pytest.mark.parametrize(("cause", "effect"), [
    ("turn-mismatch", "consent-lost"),          # the relay is gone, so consent is
    ("bad-credentials", "never-nominated"),     # refused checks give no valid pair
    ("one-way-nat", "asymmetric-response"),     # the NAT makes the answers come from elsewhere
    ("one-way-nat", "one-way-loss"),            # and the way back to it is lost
    ("icmp-rejected", "one-way-loss"),          # a router said so, silence only hints
    ("one-way-loss", "no-answer"),
    ("stun-server-unreachable", "no-answer"),   # nothing else could be offered
    ("relay-needed", "no-answer"),
    ("no-hairpin", "relay-needed"),             # one NAT, not two
    ("relay-needed", "host-only"),
    ("never-nominated", "dtls-never-started"),  # DTLS waits for ICE
])  # fmt: skip
def test_the_order_of_explanation(cause: str, effect: str) -> None:
    order = list(ORDER)
    assert order.index(cause) < order.index(effect)
    assert first(tried(effect), tried(cause)) == cause


def test_what_explains_most_comes_before_what_explains_some() -> None:
    assert first(tried("icmp-rejected", coverage=0.4), tried("one-way-loss")) == "one-way-loss"
    assert first(tried("icmp-rejected", coverage=0.4), tried("no-answer")) == "icmp-rejected", "the fallback says least"


def test_a_guess_explains_only_where_nothing_surer_does() -> None:
    assert first(tried("host-only", GUESS, confidence=LOW), tried("no-answer", SILENCE)) == "no-answer"
    assert first(tried("one-way-loss", GUESS, confidence=LOW)) == "one-way-loss"


def test_a_way_around_that_is_missing_is_half_of_a_cause() -> None:
    assert first(tried("relay-needed"), tried("one-way-loss", SILENCE)) == "one-way-loss"
    assert first(tried("relay-needed"), tried("no-answer", SILENCE)) == "relay-needed"
