"""Findings as parts of a report: evidence with filters, advice with configuration apart."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Mapping, Sequence

from stunpcap.diagnose.rules import Rule, all_rules
from stunpcap.report.looks import by_capture, shown
from stunpcap.report.model import Part, Step
from stunpcap.summary.findings import Found

NOT_SHOWN = ("capturing", "opaque_turn", "no_stun")
"""Families of rules that tell what a capture does not show."""


@functools.cache
def rules() -> Mapping[str, Rule]:
    """All rules by name."""
    return all_rules()


def part_of(found: Found, vantages: Sequence[str]) -> Part:
    """A finding as a report tells it."""
    rule = rules().get(found.name)
    evidence = tuple(shown(line, vantages) for line in found.evidence)
    return Part(
        name=found.name,
        severity=found.severity,
        confidence=found.confidence,
        part=found.part,
        meaning=rule.title if rule else "",
        confused_with=_plain(rule.parts["Not to be confused with"]) if rule else "",
        summary=found.summary,
        story=found.story,
        evidence=evidence,
        looks=by_capture(evidence, found.vantage, found.frames),
        steps=tuple(map(_step, found.advice)),
    )


def is_limit(found: Found) -> bool:
    """Whether it tells of what the capture does not show, rather than of the call."""
    rule = rules().get(found.name)
    return rule is not None and rule.family in NOT_SHOWN and found.part != "cause"


def _step(text: str) -> Step:
    said, _, code = text.partition("\n")
    return Step(said, textwrap.dedent(code).strip("\n"))


def _plain(text: str) -> str:
    """A paragraph of the documentation without its backticks, as a sentence."""
    return (text[:1].upper() + text[1:]).replace("`", "")
