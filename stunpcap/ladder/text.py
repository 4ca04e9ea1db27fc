"""A ladder in a terminal: lanes as lines from top to bottom, one arrow a line, words to its right.

    frame    time s  A         B1        B2
        3     0.000  ├────────────────────→  check
        6     0.005  ✗←────────┤         │   success from 172.30.0.2:58121, …: discarded

Where an arrow ends says what became of the packet, with colour or without; the marks that occur are explained below.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from stunpcap.ladder.model import CROSSED, NEVER_ARRIVED, Ladder, Lane, Step
from stunpcap.record import record
from stunpcap.summary.sessions import host
from stunpcap.summary.terminal import Paper, cells, safe
from stunpcap.table import when

NARROWEST, WIDEST = 80, 200
"""Columns that a ladder is drawn for."""
PITCHES = (4, 20)
"""Columns from one lane to the next, at least and at most."""
WORDS = 30
"""Columns that are kept for words, if it can be."""
FEWEST_WORDS = 20
"""With fewer columns than this beside the arrows, words stand below them."""

MARKS = {
    "lane": ("│", "|"),
    "from": ("├", "|"),
    "back": ("┤", "|"),
    "line": ("─", "-"),
    "dashed": ("╌", "."),
    "fold": ("┈", " "),
    "folded": ("┊", ":"),
    "crossing": ("┼", "+"),
    "via": ("●", "o"),
    "right": ("→", ">"),
    "left": ("←", "<"),
    "cross": ("✗", "x"),
    "self": ("↺", "@"),
}
"""Part of an arrow -> the character, and what stands for it where the encoding has none."""


@record
class _Page:
    """How the lines are divided."""

    paper: Paper
    frame: int
    time: int
    pitch: int
    lanes: tuple[Lane, ...]

    def mark(self, name: str) -> str:
        return MARKS[name][0 if self.paper.unicode else 1]

    @property
    def gutter(self) -> int:
        return self.frame + self.time + 4

    @property
    def words(self) -> int:
        """Columns beside the arrows."""
        return self.paper.width - self.gutter - self.pitch * (len(self.lanes) - 1) - 3


def draw_ladder(ladder: Ladder, paper: Paper) -> str:
    """The whole ladder as text; everything from the wire is made safe to print."""
    return "\n".join(line.rstrip() for line in _lines(ladder, paper)) + "\n"


def _lines(ladder: Ladder, paper: Paper) -> Iterator[str]:
    yield from _title(ladder, paper)
    if not ladder.steps:
        yield ""
        yield "No STUN request between these parties was captured."
        return
    yield ""
    yield from _parties(ladder, paper)
    yield ""
    page = _divide(ladder, paper)
    yield from _heads(page)
    for step in ladder.steps:
        yield from _step(step, page)
    yield ""
    yield from _legend(ladder, page)


def _title(ladder: Ladder, paper: Paper) -> Iterator[str]:
    number = "" if ladder.session_id is None else f"Session {ladder.session_id}"
    number += f" of {ladder.sessions}" if ladder.sessions > 1 else ""
    said = f"{number}: {ladder.said}" if number else ladder.said[:1].upper() + ladder.said[1:]
    yield from (paper.style("strong", line) for line in paper.wrap(safe(said)))
    seen = f"as captured in {safe(ladder.vantage)}"
    if ladder.others:
        seen += f", also seen in {', '.join(map(safe, ladder.others))} (--vantage)"
    if ladder.start_ns is not None:
        seen += f"; seconds count from {when(ladder.start_ns)[:26].replace('T', ' ')} UTC"
    yield from paper.wrap(seen, "  ")


def _parties(ladder: Ladder, paper: Paper) -> Iterator[str]:
    names = max(cells(lane.name) for lane in ladder.lanes)
    for lane in ladder.lanes:
        shown = list(lane.addresses[:4])
        if len(lane.addresses) > 4:
            shown.append(f"and {len(lane.addresses) - 4} more")
        words = f"{', '.join(shown)} ({lane.said})"
        if lane.ufrag:
            words = " ".join(filter(None, ("agent", lane.ufrag, lane.role))) + f"  {words}"
        if lane.here:
            words += ", captured here or near"
        head = f"  {lane.name}{' ' * (names - cells(lane.name))}  "
        yield from paper.wrap(safe(words), head, " " * (cells(head) + 2))


def _divide(ladder: Ladder, paper: Paper) -> _Page:
    frame = max(5, *(len(str(step.frame or "")) for step in ladder.steps))
    time = max(6, *(len(_seconds(step)) for step in ladder.steps))
    lanes = len(ladder.lanes)
    room = paper.width - frame - time - 4 - WORDS - 3
    pitch = min(max(room // max(lanes - 1, 1), PITCHES[0]), PITCHES[1])
    return _Page(paper, frame, time, pitch, ladder.lanes)


def _seconds(step: Step) -> str:
    return "" if step.offset_s is None else f"{step.offset_s:.3f}"


def _heads(page: _Page) -> Iterator[str]:
    """Names above the lanes, on two lines where they would touch; hosts below them where these fit."""
    gutter = f"{'frame':>{page.frame}}  {'time s':>{page.time}}  "
    names = [lane.name for lane in page.lanes]
    rows = [names]
    if max(map(cells, names)) >= page.pitch:
        rows = [[name if number % 2 == half else "" for number, name in enumerate(names)] for half in (1, 0)]
    hosts = [safe(host(lane.addresses[0])) for lane in page.lanes]
    below = all(len({host(end) for end in lane.addresses}) == 1 for lane in page.lanes)
    lines = [_spread(row, page) for row in rows]
    if below and max(map(cells, hosts)) + 2 <= page.pitch:
        lines.append(_spread(hosts, page))
    for number, line in enumerate(lines):
        lead = gutter if number == len(rows) - 1 else " " * page.gutter
        yield page.paper.style("strong", lead + line)


def _spread(words: list[str], page: _Page) -> str:
    line = ""
    for number, word in enumerate(words):
        line += " " * (number * page.pitch - cells(line)) + word
    return line


def _step(step: Step, page: _Page) -> Iterator[str]:
    """One arrow and its words; where these need more lines the lanes go on beside them."""
    frame = "" if step.frame is None or step.event == "fold" else str(step.frame)
    lead = f"{frame:>{page.frame}}  {_seconds(step):>{page.time}}  "
    arrow, rest = _arrow(step, page), _rest(page)
    style = _style(step)
    beside = page.words >= FEWEST_WORDS
    width = page.words if beside else page.paper.width - page.gutter
    words = safe(step.label) if page.paper.unicode else safe(step.label).replace("…", "...")
    lines = textwrap.wrap(words, width, break_on_hyphens=False) or [""]
    if not beside:
        yield lead + page.paper.style(style, arrow)
        yield from (" " * page.gutter + page.paper.style(style, line) for line in lines)
        return
    yield lead + page.paper.style(style, f"{arrow}  {lines[0]}")
    yield from (f"{' ' * page.gutter}{rest}  {page.paper.style(style, line)}" for line in lines[1:])


def _rest(page: _Page) -> str:
    """The lanes alone."""
    return _joined([page.mark("lane") if at % page.pitch == 0 else " " for at in range(_width(page))])


def _width(page: _Page) -> int:
    return page.pitch * (len(page.lanes) - 1) + 1


def _joined(characters: list[str]) -> str:
    return "".join(characters)


def _arrow(step: Step, page: _Page) -> str:
    line = [" "] * _width(page)
    for lane in range(len(page.lanes)):
        line[lane * page.pitch] = page.mark("folded" if step.event == "fold" else "lane")
    start, end = step.source * page.pitch, step.ends * page.pitch
    if start == end:
        line[start] = page.mark("self")
        return _joined(line)
    way = 1 if end > start else -1
    between = range(start + way, end, way)
    if step.event == "fold":
        for at in between:
            if at % page.pitch:
                line[at] = page.mark("fold")
        line[end - way] = page.mark("cross" if step.fate in CROSSED else "right" if way > 0 else "left")
        return _joined(line)
    dashed = step.fate in ("no-answer", "open")
    for at in between:
        line[at] = page.mark("crossing" if at % page.pitch == 0 else "dashed" if dashed else "line")
    for lane in step.via:
        if min(start, end) < lane * page.pitch < max(start, end):
            line[lane * page.pitch] = page.mark("via")
    line[start] = page.mark("from" if way > 0 else "back")
    head = page.mark("right" if way > 0 else "left")
    if step.fate in NEVER_ARRIVED:
        line[end - 2 * way], line[end - way] = page.mark("cross"), " "
    elif step.fate == "no-answer":
        line[end - way] = page.mark("cross")
    elif step.fate in CROSSED:
        line[end - way], line[end] = head, page.mark("cross")
    else:
        line[end - way] = head
    return _joined(line)


def _style(step: Step) -> str:
    if step.event == "fold":
        return "dim"
    if step.fate in CROSSED or step.event in ("error", "stray"):
        return "bad"
    if step.fate == "open":
        return "open"
    return "good" if step.event in ("answer", "media") else ""


def _legend(ladder: Ladder, page: _Page) -> Iterator[str]:
    """The marks that occur, and what is left out."""
    fates = {step.fate for step in ladder.steps if step.event != "fold"}
    line, dashed, cross = page.mark("line") * 2, page.mark("dashed") * 2, page.mark("cross")
    right, lane = page.mark("right"), page.mark("lane")
    said = []
    if fates & set(NEVER_ARRIVED):
        said.append(f"{line}{cross} {lane} did not arrive" + (", or was rejected" if "rejected" in fates else ""))
    if "no-answer" in fates:
        said.append(f"{dashed}{cross}{lane} no answer seen: whether it arrived is not known")
    if "ignored" in fates or "discarded" in fates:
        words = [name for name, fate in (("no answer seen", "ignored"), ("discarded", "discarded")) if fate in fates]
        said.append(f"{line}{right}{cross} arrived, {' or '.join(words)}")
    if "open" in fates:
        said.append(f"{dashed}{right}{lane} open when the capture ended")
    if any(step.via for step in ladder.steps):
        said.append(f"{line}{page.mark('via')}{line} known to pass this NAT or relay")
    if said:
        yield from page.paper.wrap("; ".join(said), "  ")
    for note in ladder.notes:
        yield from page.paper.wrap(safe(note) + (" (--full shows all)" if ":" in note else ""), "  ")
