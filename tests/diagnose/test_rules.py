"""The registry: every rule documented and tested, the order of explanation, and what a finding is made of."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from stunpcap.diagnose.explain import BESIDE, FALLBACK, ORDER, explain
from stunpcap.diagnose.finding import ERROR, HIGH, LOW, MEDIUM, WARNING, Evidence, Finding, Hit
from stunpcap.diagnose.rules import FAMILIES, PARTS, Rule, all_rules
from stunpcap.schema import PART, SEVERITY

HERE = Path(__file__).parent
SEEN = (Evidence("seen", "offerer", (1, 2)),)
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


def finding(name: str, session: int = 1, severity: int = ERROR, confidence: int = HIGH) -> Finding:
    return Finding(name, severity, Hit(name, SEEN, session=session, confidence=confidence))


def parts(*findings: Finding) -> list[str]:
    explain(findings)
    return [PART[one.part] for one in findings]


def test_causes_are_rules_and_may_be_errors() -> None:
    """`ORDER` names each once, and nothing that does not exist."""
    assert len(set(ORDER)) == len(ORDER)
    assert set(ORDER) <= set(all_rules())
    can_be_errors = {name for name, one in all_rules().items() if SEVERITY[one.severity] == "error"}
    assert can_be_errors <= set(ORDER), "an error that can never explain anything"
    assert FALLBACK in ORDER and set(BESIDE) <= set(ORDER)


@pytest.mark.parametrize(("cause", "effect"), [
    ("turn-mismatch", "consent-lost"),          # the relay is gone, so consent is
    ("consent-lost", "one-way-loss"),           # what had worked broke
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
    assert ORDER.index(cause) < ORDER.index(effect)
    assert parts(finding(effect), finding(cause))[1] == "cause"


def test_one_cause_a_session() -> None:
    assert parts(finding("no-answer"), finding("one-way-loss"), finding("no-answer", session=2)) == [
        "consequence",
        "cause",
        "cause",
    ]


def test_warnings_explain_nothing() -> None:
    assert parts(finding("one-way-loss", severity=WARNING), finding("no-answer")) == ["note", "cause"]
    assert parts(finding("one-way-loss", severity=WARNING)) == ["note"]


def test_what_was_missing_beside_a_cause_does_not_follow_from_it() -> None:
    assert parts(finding("one-way-nat"), finding("host-only")) == ["cause", "note"]


def test_a_guess_explains_only_where_nothing_surer_does() -> None:
    assert parts(finding("host-only", confidence=LOW), finding("no-answer", confidence=MEDIUM))[1] == "cause"
    assert parts(finding("one-way-loss", confidence=LOW)) == ["cause"]


def test_findings_about_no_session_explain_none() -> None:
    assert parts(finding("stun-server-unreachable", session=-1)) == ["note"]
