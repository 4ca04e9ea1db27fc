"""Rules as documentation: for the terminal, and as docs/findings.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Protocol

from stunpcap.diagnose.rules import FAMILIES, Rule, severity_of
from stunpcap.diagnose.stages import ORDER

HEAD = """\
# Findings

<!-- made from the rules in stunpcap/diagnose/ by docs/generate.py: change them there -->

What stunpcap can find, each with the evidence that it takes, the likely cause, what it is easily confused with, and
what to try. `stunpcap explain NAME` prints the same.

**Severity** is that of the finding where it does harm: an error keeps media from flowing, or stops it. On a call that
works in spite of it the same finding is a warning or information: a healthy call has no errors.

**Confidence** says how sure a finding is, from the kind of its evidence and from what a capture can know at its place:
*high* where packets prove it, *medium* where it follows from several things that fit no other likely explanation,
*low* where it is one of several.

**Cause, consequence, note.** Of a session's errors one explains the others: the first in this order, those of low
confidence last. What stands before is what a router or server said in so many words, what names the place of a fault,
and what took away something that had worked; what stands after is its effect. `root_cause` in `sessions` is its name.

"""


class Page(Protocol):
    """As much of `stunpcap.summary.terminal.Paper` as is needed here, which stands above this floor."""

    def wrap(self, text: str, first: str = "", rest: str | None = None) -> list[str]:
        """Lines of a text."""

    def style(self, name: str, text: str) -> str:
        """Text in a style."""


def draw_list(rules: Mapping[str, Rule], paper: Page) -> Iterator[str]:
    """All names with what they mean in a line, family by family."""
    wide = max(map(len, rules))
    for number, (family, members) in enumerate(groupby(rules.values(), key=lambda rule: rule.family)):
        if number:
            yield ""
        yield paper.style("strong", FAMILIES[family])
        for rule in members:
            yield from paper.wrap(rule.title, f"  {rule.name:<{wide}}  ", " " * (wide + 4))


def draw_rule(rule: Rule, paper: Page) -> Iterator[str]:
    """One rule in full."""
    yield paper.style("strong", f"{rule.name} ({severity_of(rule)})")
    yield from paper.wrap(rule.title, "  ")
    for part, text in rule.parts.items():
        yield ""
        yield paper.style("strong", f"  {part}")
        yield from paper.wrap(f"{text[:1].upper()}{text[1:]}".replace("`", ""), "    ")
    if rule.sections:
        yield ""
        yield from paper.wrap(f"See {', '.join(rule.sections)}", "  ")


def findings_page(rules: Mapping[str, Rule]) -> str:
    """docs/findings.md."""
    lines = [HEAD + " → ".join(f"`{name}`" for name in ORDER) + "\n"]
    for family, members in groupby(rules.values(), key=lambda rule: rule.family):
        lines.append(f"\n## {FAMILIES[family]}\n")
        for rule in members:
            lines.append(f"\n### {rule.name}\n\n*{severity_of(rule)}*. {rule.title}\n")
            lines += [f"\n- **{part}**: {text}" for part, text in rule.parts.items()]
            lines.append(f"\n- {', '.join(rule.sections)}\n" if rule.sections else "\n")
    return "".join(lines)
