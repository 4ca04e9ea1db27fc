"""What `stunpcap live` shows: a table that changes in place on a terminal, lines that tell of changes elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import TracebackType
from typing import IO, TYPE_CHECKING

from stunpcap.cli.output import write
from stunpcap.summary.model import Session, Summary
from stunpcap.summary.pairs_text import pair_table
from stunpcap.summary.terminal import Paper, paper_for, safe
from stunpcap.summary.text import names_of
from stunpcap.summary.text_findings import cause_of
from stunpcap.summary.words import clock, seconds
from stunpcap.words import many

if TYPE_CHECKING:
    from rich.live import Live

PAIRS = 6
"""Pairs of a session that are shown."""
SESSIONS = 20
"""Sessions that are told of in lines; of more only state and cause."""


class Lines:
    """Appends a line for what changed: state of a session, state and path of a direction, the cause and how sure it is.

    What a cause says in full grows with every check; only another cause, or another confidence, is news.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._paper = paper_for(stream)
        self._said: dict[tuple[object, ...], str] = {}

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to put back."""

    def show(self, summary: Summary) -> None:
        """Say what is new."""
        until = clock(summary.captures[0].last_time)
        lines = []
        for session in sorted(summary.sessions, key=lambda one: one.session_id):
            agents = names_of(session)
            known = session.start, *agents  # numbers may change while a session is new
            for key, news, text in self._facts(session, len(summary.sessions) <= SESSIONS):
                if self._said.get((*known, *key), "") != news:
                    self._said[(*known, *key)] = news
                    lines.append(f"{until}  session {session.session_id}  {text}")
        if lines:
            write("\n".join(lines) + "\n")
            sys.stdout.flush()

    def _facts(self, session: Session, few: bool) -> Iterator[tuple[tuple[object, ...], str, str]]:
        a, b = names_of(session)
        symbol = self._paper.symbol
        said = safe(session.said.replace(" when the capture ended", ""))
        yield ("state",), said, f"{symbol(session.tone)} {said}  ({a} {symbol('with')} {b})"
        for pair in session.pairs if few else ():
            for way in (pair.a_to_b, pair.b_to_a):
                if way:
                    ends = f"{safe(way.src)} {symbol('to')} {safe(way.dst)}"
                    news = f"{way.state}, packets: {way.path}"
                    yield ("way", way.src, way.dst), news, f"  {ends}: {news}"
        cause = cause_of(session)
        text = " ".join(line.strip() for line in _verdict(session, Paper(10_000)))
        yield ("cause",), f"{cause.name} {cause.confidence}" if cause else "", f"  {text or 'no cause any more'}"


class Screen:
    """A table that is drawn anew each time, as high as the window at most."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._live: Live | None = None

    def __enter__(self) -> Screen:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        self._live = Live(
            Text("waiting for packets; Ctrl-C ends and tells all"),
            console=Console(file=self._stream, highlight=False),
            auto_refresh=False,
            transient=True,
        )
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, summary: Summary) -> None:
        """Draw the table of now."""
        from rich.text import Text

        assert self._live is not None
        size = self._live.console.size
        lines = draw(summary, paper_for(self._stream), max(4, size.height - 1))
        text = Text("\n").join(Text.from_ansi(line) for line in lines)
        text.no_wrap, text.overflow = True, "crop"
        self._live.update(text, refresh=True)


def draw(summary: Summary, paper: Paper, height: int) -> list[str]:
    """The table: a line on the capture, then the sessions, the latest first, as many as fit."""
    capture = summary.captures[0]
    states = ", ".join(f"{number:,} {state}" for state, number in summary.states.items()) or "no session yet"
    head = (
        f"{clock(capture.last_time)} UTC  {seconds(capture.duration_s)}  {many(capture.packets, 'packet')}, "
        f"{many(capture.stun_messages, 'STUN message')}; {states}"
    )
    lines = [paper.style("strong", paper.fit(head, paper.width))]
    told = 0
    for session in sorted(summary.sessions, key=lambda one: one.start, reverse=True):
        block = ["", *_session(session, paper)]
        if len(lines) + len(block) > height - 1 and told:
            break
        lines += block
        told += 1
    if told < len(summary.sessions):
        lines = [
            *lines[: height - 1],
            paper.style("dim", f"and {len(summary.sessions) - told:,} sessions before these"),
        ]
    return lines[:height]


def _session(session: Session, paper: Paper) -> Iterator[str]:
    a, b = names_of(session)
    tone = session.tone
    said = session.said.replace(" when the capture ended", "")
    head = f"Session {session.session_id}  {paper.symbol(tone)} {safe(said)}  ({a} {paper.symbol('with')} {b})"
    yield paper.style("failed" if tone == "bad" else tone, paper.fit(head, paper.width))
    yield from _verdict(session, paper)
    for vantage in dict.fromkeys(pair.vantage for pair in session.pairs):
        here = [pair for pair in session.pairs if pair.vantage == vantage]
        yield from pair_table(here[:PAIRS], paper, "Candidate pairs")
        if len(here) > PAIRS:
            yield paper.style("dim", f"     and {len(here) - PAIRS:,} pairs more")


def _verdict(session: Session, paper: Paper) -> list[str]:
    """The cause, if there is one; of a session that is still being checked it is one so far."""
    cause = cause_of(session)
    if cause is None:
        return []
    when = "so far: " if session.state == "checking" else ""
    return paper.wrap(f"{when}{safe(cause.name)}, {cause.confidence} confidence: {safe(cause.summary)}", "  ")


def screen_for(stream: IO[str]) -> Lines | Screen:
    """What suits a stream."""
    return Screen(stream) if paper_for(stream).colour or stream.isatty() else Lines(stream)
