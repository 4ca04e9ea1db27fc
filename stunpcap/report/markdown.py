"""A report as GitHub-flavoured Markdown, to be pasted into a ticket: verdict first, details folded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from stunpcap.ladder import build_ladder
from stunpcap.ladder.text import draw_ladder
from stunpcap.plots.styles import TONES
from stunpcap.report.build import build_report
from stunpcap.report.escape import block, code, plain, prose
from stunpcap.report.model import Account, Chapter, Look, Part, Report, Sheet, Verdict
from stunpcap.summary.terminal import Paper

if TYPE_CHECKING:
    from stunpcap.trace import Trace

DETAILS = 3
"""Sessions in full: a ticket holds no more than 65,536 characters."""
ROWS = 20
BESIDE = 6
_PAIRS = ("way", "from", "to", "what became of the checks", "path", "checks", "answered", "frame", "capture")


def to_markdown(
    trace: Trace,
    *,
    session: int | None = None,
    details: int = DETAILS,
    call: str = "",
    say: Callable[[str], None] | None = None,
) -> str:
    """The post-mortem report of a trace as Markdown; parameters as for `build_report`."""
    report = build_report(trace, session=session, details=details, figures=False, call=call, say=say)
    ladders = {}
    for chapter in report.chapters:
        look = chapter.cause.looks[0].vantage if chapter.cause and chapter.cause.looks else ""
        known = [one.vantage for one in chapter.looks]
        ladder = build_ladder(trace, session=chapter.number, vantage=look if look in known else None)
        ladders[chapter.number] = draw_ladder(ladder, Paper(110))
    return "\n".join(_lines(report, ladders)) + "\n"


def _lines(report: Report, ladders: dict[int, str]) -> Iterator[str]:
    yield f"# {plain(report.title)}"
    yield ""
    yield from _verdict(report.verdict, report.when)
    one = len(report.chapters) == 1 and not report.left_out
    for sheet in report.overview:
        yield ""
        yield f"## {plain(sheet.title)}"
        yield ""
        yield from _table(sheet, ROWS)
    if report.left_out:
        yield ""
        yield plain(report.left_out)
    for chapter in report.chapters:
        yield ""
        yield f"## Session {chapter.number}"
        yield from _chapter(chapter, ladders[chapter.number], alone=one)
    if report.findings:
        yield ""
        yield "## Findings about no session"
        for found in report.findings:
            yield from _finding(found)
        if report.more_findings:
            yield ""
            yield plain(report.more_findings)
    yield ""
    yield "## What the capture could not show"
    yield ""
    yield from (f"- {prose(limit)}" for limit in report.limits)
    yield ""
    yield "## How this was made"
    yield ""
    call = f": {code(report.made.call)}" if report.made.call else ""
    yield f"By stunpcap {report.made.version}{call}. Times are UTC, frame numbers are Wireshark's."
    yield ""
    yield from _table(report.made.captures, ROWS)
    if report.made.checksums:
        yield ""
        yield from (f"- SHA-256 of {code(name)}: {code(digest)}" for name, digest in report.made.checksums)


def _verdict(verdict: Verdict, when: str) -> Iterator[str]:
    yield f"**{TONES[verdict.tone].glyph}** {prose(verdict.said)}"
    yield ""
    if verdict.state != verdict.said:
        yield f"- State: {prose(verdict.state)}"
    if verdict.cause:
        sure = f", {verdict.confidence} confidence" if verdict.confidence else ""
        yield f"- Cause: {code(verdict.cause)}{sure}"
    if when:
        yield f"- When: {plain(when)}"


def _chapter(chapter: Chapter, ladder: str, *, alone: bool) -> Iterator[str]:
    yield ""
    if not alone:
        yield from _verdict(chapter.verdict, chapter.when)
    for one in chapter.who:
        named = f" {code(one.ufrag)}" if one.ufrag else ""
        at = f", at {', '.join(map(code, one.addresses[:6]))}" if one.addresses else ""
        taken = f" (captured here or near: {', '.join(map(code, one.captured_at))})" if one.captured_at else ""
        yield f"- Agent {one.name}:{named} {one.role or 'role unknown'}{at}{taken}"
    yield from (f"- {name}: {prose(said)}" for name, said in chapter.facts)
    if chapter.cause and chapter.verdict.state.startswith("connected") and chapter.verdict.tone == "bad":
        yield ""
        yield "ICE itself connected: the cause is about what came after its checks."
    if chapter.cause and chapter.cause.story:
        yield ""
        yield prose(chapter.cause.story)
    for title, accounts, more in (
        ("Packets arrived", chapter.arrived, chapter.more["arrived"]),
        ("Worked at first, then fell silent", chapter.stopped, chapter.more["stopped"]),
        ("Packets did not arrive", chapter.lost, chapter.more["lost"]),
        ("Whether packets arrived is not known", chapter.unknown, chapter.more["unknown"]),
    ):
        yield from _accounts(title, accounts, more)
    pairs = next((sheet for sheet in chapter.sheets if sheet.name.startswith("pairs-")), None)
    if pairs is not None:
        yield ""
        yield from _table(_columns(pairs, _PAIRS), ROWS)
    if chapter.cause:
        yield from _finding(chapter.cause, title=f"Why: {code(chapter.cause.name)}")
    if chapter.rivals:
        yield ""
        yield "Also considered:"
        yield ""
        for rival in chapter.rivals:
            words = "ruled out" if rival.part == "ruled-out" else "still possible"
            decide = f" {prose(rival.steps[0].said)}" if rival.steps else ""
            yield f"- {code(rival.name)}, {words}: {prose(rival.summary)}{decide}"
    others = [found for found in chapter.findings if found.severity != "info"]
    if others:
        yield ""
        yield "<details><summary>Other findings</summary>"
        for found in others[:BESIDE]:
            yield from _finding(found, advice=False)
        if len(others) > BESIDE:
            yield ""
            yield f"and {len(others) - BESIDE} more"
        yield ""
        yield "</details>"
    yield ""
    yield "<details><summary>The exchange, message by message</summary>"
    yield ""
    yield from block(ladder.rstrip("\n"), "text")
    yield ""
    yield "</details>"
    for sheet in chapter.sheets:
        if sheet is pairs:
            continue
        yield ""
        yield f"<details><summary>{sheet.title}</summary>"
        yield ""
        yield from _table(sheet, ROWS)
        yield ""
        yield "</details>"


def _accounts(title: str, accounts: Sequence[Account], more: int) -> Iterator[str]:
    if not accounts:
        return
    yield ""
    yield f"**{title}**"
    yield ""
    for one in accounts:
        yield f"- {prose(one.said)}: {prose(one.outcome)}{_frames(one.look)}"
    if more:
        yield f"- and in {more} directions more"


def _frames(look: Look) -> str:
    if not look.filter:
        return ""
    noun = "frame" if len(look.frames) == 1 else "frames"
    return f" ({noun} {', '.join(map(str, look.frames))} of {code(look.vantage)})"


def _finding(found: Part, *, title: str = "", advice: bool = True) -> Iterator[str]:
    yield ""
    yield f"### {title or code(found.name)} ({found.severity}, {found.confidence} confidence)"
    yield ""
    yield prose(found.summary)
    yield ""
    yield from (f"- {prose(one.said)}{_frames(one.look)}" for one in found.evidence)
    looks = [look for look in found.looks if look.filter]
    if looks:
        yield ""
        yield from (f"- Wireshark, in {code(look.vantage)}: {code(look.filter)}" for look in looks)
    if advice and found.steps:
        yield ""
        yield "**What would mend it**"
        yield ""
        for number, step in enumerate(found.steps, 1):
            yield f"{number}. {prose(step.said)}"
            if step.code:
                yield ""
                yield from (f"   {line}" for line in block(step.code))
                yield ""


def _columns(sheet: Sheet, names: Sequence[str]) -> Sheet:
    """The same table with some of its columns."""
    chosen = [number for number, head in enumerate(sheet.heads) if head.name in names]
    return replace(
        sheet,
        heads=tuple(sheet.heads[number] for number in chosen),
        rows=tuple(tuple(row[number] for number in chosen) for row in sheet.rows),
    )


def _table(sheet: Sheet, most: int) -> Iterator[str]:
    yield "| " + " | ".join(plain(head.name) for head in sheet.heads) + " |"
    yield "|" + "|".join(" ---: " if head.number else " --- " for head in sheet.heads) + "|"
    for row in sheet.rows[:most]:
        cells = []
        for head, cell in zip(sheet.heads, row, strict=True):
            text = code(cell.text, cell=True) if head.code else prose(cell.text).replace("\n", " ")
            if not head.code:
                text = _bars(text)
            cells.append(f"{TONES[cell.tone].glyph} {text}" if cell.tone else text)
        yield "| " + " | ".join(cells) + " |"
    if len(sheet.rows) > most:
        yield ""
        yield f"{len(sheet.rows) - most:,} rows more."
    if sheet.note:
        yield ""
        yield plain(sheet.note)


def _bars(text: str) -> str:
    """Bars that are not escaped yet, as those in code are not."""
    out: list[str] = []
    for number, part in enumerate(text.split("|")):
        if number:
            out.append("|" if (len(out[-1]) - len(out[-1].rstrip("\\"))) % 2 else "\\|")
        out.append(part)
    return "".join(out)
