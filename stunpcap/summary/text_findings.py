"""Findings as text: why a session failed, what shows it, what would mend it, and what else is worth knowing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stunpcap.summary.findings import Found
from stunpcap.summary.model import Session, Summary
from stunpcap.summary.terminal import Paper, safe

BESIDE = 8
"""Findings of one session that are told beside its cause."""
SYMBOLS = {"error": "bad", "warning": "warn", "info": "none"}
PARTS = {"consequence": "follows from it", "note": "", "cause": "", "ruled-out": "", "possible": ""}
RIVALS = {"ruled-out": ("ruled out", "none"), "possible": ("still possible", "open")}
"""Part of a finding that was considered -> words and tone."""
LINES = 12
"""Lines of configuration that a step may have before it is left to `stunpcap findings`."""


def cause_of(session: Session) -> Found | None:
    """The finding that explains a session."""
    return next((found for found in session.findings if found.part == "cause"), None)


def rivals_of(session: Session) -> tuple[Found, ...]:
    """What else was considered: what is still possible first, then what is ruled out."""
    mine = [found for found in session.findings if found.part in RIVALS]
    return tuple(sorted(mine, key=lambda found: found.part != "possible"))


def verdict(session: Session, paper: Paper) -> Iterator[str]:
    """The cause in a sentence or two, and how sure it is."""
    cause = cause_of(session)
    if cause is not None:
        yield from paper.wrap(f"{safe(cause.name)}, {cause.confidence} confidence: {safe(cause.summary)}", "  ")


def draw_cause(session: Session, paper: Paper) -> Iterator[str]:
    """What shows the cause, what would mend it; then what else was found."""
    cause = cause_of(session)
    if cause is not None:
        yield ""
        yield paper.style("strong", f"  Why: {safe(cause.name)}")
        if cause.story:
            yield from paper.wrap(safe(cause.story), "   ")
        yield from _evidence(cause, paper)
        yield from _advice(cause.advice, paper)
    rivals = rivals_of(session)
    if rivals:
        yield ""
        yield paper.style("strong", "  Also considered")
        for found in rivals:
            yield from _rival(found, paper)
    others = [found for found in session.findings if found is not cause and found not in rivals]
    if others:
        yield ""
        yield paper.style("strong", "  Besides" if cause else "  Noticed")
        for found in others[:BESIDE]:
            yield from _short(found, paper)
        if len(others) > BESIDE:
            yield f"     and {len(others) - BESIDE} more: stunpcap findings"
    if session.findings:
        name = (cause or session.findings[0]).name
        yield from paper.wrap(f"What a finding means: stunpcap explain {safe(name)}", "  ")


def draw_rest(summary: Summary, paper: Paper) -> Iterator[str]:
    """Findings that belong to no session: in full if they are errors."""
    if not summary.findings:
        return
    yield ""
    yield paper.style("strong", "Findings about no session")
    for found in summary.findings[:BESIDE]:
        yield from _short(found, paper)
        if found.severity == "error":
            yield from _evidence(found, paper)
            yield from _advice(found.advice, paper)
    total = summary.count("findings")
    if total > BESIDE:
        yield f"  and {total - BESIDE:,} more: stunpcap findings"


def _short(found: Found, paper: Paper) -> Iterator[str]:
    part = PARTS[found.part]
    more = f" ({part})" if part else ""
    first, *rest = paper.wrap(
        f"{safe(found.name)}{more}: {safe(found.summary)}", f"   {paper.symbol(SYMBOLS[found.severity])} "
    )
    yield paper.style(SYMBOLS[found.severity], first) if found.severity == "error" else first
    yield from rest


def _rival(found: Found, paper: Paper) -> Iterator[str]:
    """A rival in two lines or three: what rules it out, by which frames, or what would decide."""
    words, tone = RIVALS[found.part]
    frames = f" ({safe(found.vantage)}, frame{'s' if len(found.frames) > 1 else ''} " if found.frames else ""
    frames += f"{', '.join(map(str, found.frames[:4]))})" if found.frames else ""
    decide = f" {safe(found.advice[0])}" if found.advice else ""
    text = f"{safe(found.name)}, {words}: {safe(found.summary)}{frames}{decide}"
    yield from paper.wrap(text, f"   {paper.symbol(tone)} ")


def _evidence(found: Found, paper: Paper) -> Iterator[str]:
    for line in found.evidence:
        yield from paper.wrap(safe(line), f"   {paper.symbol('dash')} ")


def _advice(steps: Sequence[str], paper: Paper) -> Iterator[str]:
    if not steps:
        return
    yield paper.style("strong", "  What would mend it")
    for number, step in enumerate(steps, 1):
        said, *lines = step.split("\n")
        yield from paper.wrap(safe(said), f"  {number:>2} ")
        yield from (f"     {safe(line)}" for line in lines[:LINES])
