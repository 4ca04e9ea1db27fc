"""How a trace shows itself: as text in a terminal, as HTML in a notebook.

The HTML stands alone: a style that reaches only its own box, no script, and colours that suit light and dark pages.
All text in it is escaped.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from stunpcap.plots.styles import TONES
from stunpcap.summary import Summary, summarise
from stunpcap.summary.model import Direction, Pair, Session
from stunpcap.summary.pairs_text import kind_of, mark_of
from stunpcap.summary.terminal import Paper, can_show, safe
from stunpcap.summary.text import damage_said, draw, draw_short, names_of, place_said
from stunpcap.summary.text_findings import cause_of
from stunpcap.summary.text_network import traffic_said
from stunpcap.summary.words import clock, seconds
from stunpcap.words import many

if TYPE_CHECKING:
    from stunpcap.trace import Trace

SESSIONS = 20
"""Rows of the table of sessions."""
WORST = 2
"""Sessions whose pairs are shown."""
PAIRS = 12
DEFECTS = 5

_TONES = ("good", "bad", "open")
_LIGHT = ";".join(f"--{name}:{TONES[name].hue.ink}" for name in _TONES)
_DARK = ";".join(f"--{name}:{TONES[name].hue.dark_ink}" for name in _TONES)
# Twice the class: pages that show notebooks have rules for all their tables, which once would not outdo.
_STYLE = """
.stunpcap{font:13px/1.45 system-ui,sans-serif;color:currentColor;max-width:72em}
.stunpcap table{border-collapse:collapse;margin:.3em 0 .9em;color:inherit;font-size:inherit}
.stunpcap.stunpcap th,.stunpcap.stunpcap td{padding:.15em .7em;text-align:left;vertical-align:top;background:none;
border:0;border-bottom:1px solid color-mix(in srgb,currentColor 18%,transparent)}
.stunpcap th{font-weight:600;white-space:nowrap}
.stunpcap.stunpcap td.n,.stunpcap.stunpcap th.n{text-align:right;font-variant-numeric:tabular-nums}
.stunpcap code{font-family:ui-monospace,monospace;background:none;color:inherit;overflow-wrap:anywhere}
.stunpcap tr.pair td{border-bottom:0;padding-top:.5em}
.stunpcap h4{margin:.7em 0 .2em;font-size:14px}
.stunpcap p{margin:.2em 0}
.stunpcap .dim{opacity:.7}
.stunpcap .where{display:inline-block;min-width:20em}
.stunpcap .n{white-space:nowrap}
.stunpcap .good{color:var(--good)}.stunpcap .bad{color:var(--bad)}.stunpcap .open,.stunpcap .warn{color:var(--open)}
"""
_STYLE += f""".stunpcap,.vscode-light .stunpcap,[data-jp-theme-light=true] .stunpcap{{{_LIGHT}}}
@media (prefers-color-scheme:dark){{.stunpcap{{{_DARK}}}}}
.vscode-dark .stunpcap,[data-jp-theme-light=false] .stunpcap{{{_DARK}}}
"""


def as_text(trace: Trace, *, short: bool) -> str:
    """The overview as text, as wide as the terminal."""
    width = min(shutil.get_terminal_size((80, 24)).columns, 120)
    paper = Paper(max(width, 60), unicode=can_show("✓✗→⇄★"))
    found = summarise(trace)
    return draw_short(found, paper) if short else draw(found, paper).rstrip("\n")


def as_html(trace: Trace) -> str:
    """The overview for a notebook: captures, sessions, and what explains the worst sessions, with their pairs."""
    found = summarise(trace)
    parts = [*_captures(found), *_sessions(found)]
    for session in [one for one in found.sessions if one.tone != "good"][:WORST] or found.sessions[:1]:
        parts += _verdict(session)
        parts += _pairs(session, several=len(found.captures) > 1)
    return f'<div class="stunpcap"><style>{_STYLE}</style>{"".join(parts)}</div>'


def _text(value: object) -> str:
    return escape(safe(value))


def _code(value: object) -> str:
    return f"<code>{_text(value)}</code>"


def _table(heads: Sequence[str], rows: Iterable[str], numbers: frozenset[int]) -> str:
    cells = "".join(f"<th{_number(i, numbers)}>{escape(head)}</th>" for i, head in enumerate(heads))
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _number(column: int, numbers: frozenset[int]) -> str:
    return ' class="n"' if column in numbers else ""


def _row(cells: Sequence[str], numbers: frozenset[int]) -> str:
    return "<tr>" + "".join(f"<td{_number(i, numbers)}>{cell}</td>" for i, cell in enumerate(cells)) + "</tr>"


def _captures(found: Summary) -> list[str]:
    numbers = frozenset({1, 2, 3})
    rows = [
        _row(
            (
                f"{_text(capture.vantage)}<br><span class='dim where'>{_code(capture.path)}</span>",
                f"{capture.packets:,}",
                escape(seconds(capture.duration_s)),
                f"{capture.stun_messages:,}",
                _text(place_said(capture)),
            ),
            numbers,
        )
        for capture in found.captures
    ]
    parts = [_table(("capture", "packets", "duration", "STUN messages", "taken"), rows, numbers)]
    parts += [f"<p>⚠ {_text(damage_said(one))}</p>" for one in found.defects if one.layer == "file"][:DEFECTS]
    return parts


def _state(tone: str, words: str) -> str:
    return f'<span class="{tone}">{TONES[tone].glyph} {_text(words)}</span>'


def _sessions(found: Summary) -> list[str]:
    if not found.sessions:
        messages = sum(capture.stun_messages for capture in found.captures)
        what = "No ICE checks here" if messages else "No STUN here"
        return [f"<p><b>{what}.</b></p>", *(f"<p>{_text(traffic_said(one))}</p>" for one in found.captures)]
    numbers = frozenset({0, 3, 4, 6, 7})
    rows = []
    for session in found.sessions[:SESSIONS]:
        a, b = names_of(session)
        rows.append(
            _row(
                (
                    str(session.session_id),
                    _state(session.tone, session.said),
                    f"{escape(a)} ⇄ {escape(b)}",
                    f"{session.pair_count:,}",
                    f"{session.checks:,}",
                    escape(session.dtls),
                    f"{session.media_ab_packets:,}",
                    f"{session.media_ba_packets:,}",
                    escape(clock(session.start)),
                ),
                numbers,
            )
        )
    heads = ("session", "state", "agents A ⇄ B", "pairs", "checks", "DTLS", "media A→B", "media B→A", "start (UTC)")
    parts = [_table(heads, rows, numbers)]
    if len(found.sessions) > SESSIONS:
        by_state = ", ".join(f"{number:,} {state}" for state, number in found.states.items())
        parts.append(f"<p>{many(len(found.sessions), 'session')} in all: {escape(by_state)}.</p>")
    return parts


def _verdict(session: Session) -> list[str]:
    cause = cause_of(session)
    if cause is None:
        return []
    name = f"<b>{_text(cause.name)}</b>, {_text(cause.confidence)} confidence"
    return [f'<p class="bad">Session {session.session_id}: {name}</p><p>{_text(cause.summary)}</p>']


def _pairs(session: Session, *, several: bool) -> list[str]:
    parts = []
    numbers = frozenset({2, 3, 4, 6})
    heads = ("", "outcome", "checks", "answered", "no answer", "path", "frame")
    for vantage in dict.fromkeys(pair.vantage for pair in session.pairs):
        here = [pair for pair in session.pairs if pair.vantage == vantage]
        where = f", seen at {_text(vantage)}" if several else ""
        parts.append(f"<h4>Candidate pairs of session {session.session_id}{where}</h4>")
        rows = [row for pair in here[:PAIRS] for row in _pair(pair, numbers)]
        parts.append(_table(heads, rows, numbers))
        if len(here) > PAIRS:
            parts.append(
                f"<p>{len(here) - PAIRS:,} pairs more: {_code(f'trace.select(session={session.session_id}).pairs')}</p>"
            )
    return parts


def _pair(pair: Pair, numbers: frozenset[int]) -> list[str]:
    marks = [word for word in (pair.transport, pair.carrier) if word not in ("udp", "plain")]
    if pair.nominated:
        marks.append("★ nominated" if pair.selected else "once nominated")
    extra = f" <b>{escape(', '.join(marks))}</b>" if marks else ""
    a, b = (
        f"<b>{name}</b> {_code(end)} ({kind_of(kind)})"
        for name, end, kind in (("A", pair.a, pair.a_type), ("B", pair.b, pair.b_type))
    )
    ends = f"{a} &ensp; {b}{extra}"
    rows = [f'<tr class="pair"><td colspan="7">{ends}</td></tr>']
    for name, way in (("A → B", pair.a_to_b), ("B → A", pair.b_to_a)):
        if way is not None or pair.a != pair.b:
            rows.append(_row((name, *_way(way)), numbers))
    return rows


def _way(way: Direction | None) -> tuple[str, ...]:
    if way is None:
        return ('<span class="dim">· no check seen</span>', "", "", "", "", "")
    return (
        f'<span class="{mark_of(way)}">{TONES[mark_of(way)].glyph} {_text(way.outcome)}</span>',
        f"{way.requests_sent:,}",
        f"{way.responses_received:,}",
        f"{way.unanswered + way.unfinished:,}",
        escape(way.path),
        str(way.first_frame or ""),
    )
