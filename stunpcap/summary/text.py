"""A summary as text.  The order is that of need: what was captured, which sessions failed, in which direction, why not.

Readable at 80 columns, without colour and in ASCII; `stunpcap.summary.terminal.Paper` says what there is.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from stunpcap.record import record
from stunpcap.summary import text_network
from stunpcap.summary.model import Pair, Session, Summary
from stunpcap.summary.model_captures import Capture, Damage
from stunpcap.summary.pairs_text import pair_table
from stunpcap.summary.stages import headline
from stunpcap.summary.terminal import Paper, cells, safe
from stunpcap.summary.text_findings import draw_cause, draw_rest, verdict
from stunpcap.summary.text_network import CONFIDENCE
from stunpcap.summary.text_relays import draw_opaque, draw_relays
from stunpcap.summary.words import DTLS_SAID, TAGS, clock, listed, seconds
from stunpcap.words import many

FEW = 5
"""Up to this many sessions all are told in full."""
DETAILED = 3
"""Of more sessions only so many, the worst."""
OVERVIEW_ROWS = 30
PAIR_ROWS = 20
"""Pairs of one session and capture."""
DAMAGE_ROWS = 8
_TONE_STYLE = {"bad": "failed", "warn": "warn", "good": "good", "open": "open", "none": "none"}


@record
class Hints:
    """How to see more, in the words of where the text is shown."""

    session: str
    pairs: str
    sessions: str
    defects: str
    mappings: str


def command_hints(paths: Sequence[str]) -> Hints:
    """Hints for who typed `stunpcap summary`."""
    traces = " ".join(shlex.quote(safe(path)) for path in paths)
    if not traces or len(traces) > 60:
        traces = "TRACE"
    return Hints(
        f"stunpcap summary --session N {traces}",
        f"stunpcap pairs --session {{}} {traces}",
        f"stunpcap sessions {traces}",
        f"stunpcap defects {traces}",
        f"stunpcap mappings {traces}",
    )


LIBRARY_HINTS = Hints(
    "print(trace.select(session=N))",
    "trace.select(session={}).pairs",
    "trace.sessions",
    "trace.defects",
    "trace.mappings",
)


def draw(summary: Summary, paper: Paper, hints: Hints = LIBRARY_HINTS) -> str:
    """The whole summary."""
    return "\n".join(_lines(summary, paper, hints)) + "\n"


def draw_short(summary: Summary, paper: Paper) -> str:
    """A few lines: captures, sessions by state, and the pairs of the worst session."""
    several = len(summary.captures) > 1
    lines = [line for capture in summary.captures for line in _capture(capture, paper, several, place=False)]
    lines += _verdicts(summary.sessions[:FEW], paper)
    if len(summary.sessions) > FEW:
        lines.append(f"  and {len(summary.sessions) - FEW:,} sessions more: trace.sessions")
    worst = summary.sessions[0] if summary.sessions else None
    if worst and worst.tone != "good":
        lines += _pair_tables(
            worst, paper, LIBRARY_HINTS, most=4, several=several, of=f" of session {worst.session_id}"
        )
    if not summary.sessions:
        lines += text_network.without_sessions(summary, paper)
    return "\n".join(lines)


def _lines(summary: Summary, paper: Paper, hints: Hints) -> Iterator[str]:
    several = len(summary.captures) > 1
    for capture in summary.captures:
        yield from _capture(capture, paper, several)
    yield from _damage(summary.defects, paper, hints, several)
    if not summary.sessions:
        yield ""
        yield from text_network.without_sessions(summary, paper)
    elif len(summary.sessions) > FEW:
        yield from _many(summary, paper, hints)
    else:
        for session in summary.sessions:
            yield from _session(session, paper, hints, several)
    yield from draw_rest(summary, paper)
    yield from text_network.mappings(summary, paper, hints.mappings)
    yield from text_network.servers(summary, paper, several)
    yield from draw_relays(summary, paper, several)
    yield from draw_opaque(summary, paper, several)


def _capture(capture: Capture, paper: Paper, several: bool, *, place: bool = True) -> list[str]:
    name = safe(capture.path if capture.path != "-" else "standard input")
    if several or safe(capture.vantage) not in name:
        name = f"{safe(capture.vantage)}: {name}"
    lines = [paper.style("strong", line) for line in paper.wrap(name, rest="  ")]
    when = f" from {capture.first_time[:10]} {clock(capture.first_time)} UTC" if capture.first_time else ""
    packets = f"{many(capture.packets, 'packet')} in {seconds(capture.duration_s)}" if capture.packets else "no packets"
    lines += paper.wrap(
        f"{packets}{when}, "
        f"{many(capture.stun_messages, 'STUN message')} ({safe(capture.format)}, {safe(capture.link_types)})",
        "  ",
    )
    return lines + (paper.wrap(place_said(capture), "  ") if place else [])


def place_said(capture: Capture) -> str:
    """Where a capture was taken, and how sure that is."""
    evidence = safe(capture.evidence)
    if capture.place == "endpoint":
        at = listed([safe(address) for address in capture.at.split(", ")], 6)
        nearly = "" if capture.confidence == "high" else "or next to "  # a time to live tells no more
        return f"taken at {nearly}{at} ({CONFIDENCE[capture.confidence]}: {evidence})"
    if capture.place == "between":
        return f"taken between the agents ({CONFIDENCE[capture.confidence]}: {evidence})"
    return f"taken where? Cannot be told: {evidence}"


def _damage(defects: Sequence[Damage], paper: Paper, hints: Hints, several: bool) -> Iterator[str]:
    """Damage to files first, then what could not be read or is odd."""
    if not defects:
        return
    yield ""
    yield paper.style("strong", "Damaged, odd or not read")
    ordered = sorted(defects, key=lambda damage: damage.layer != "file")
    for damage in ordered[:DAMAGE_ROWS]:
        where = f"{safe(damage.vantage)}: " if several else ""
        symbol = paper.symbol("warn" if damage.layer == "file" else "none")
        yield from paper.wrap(where + damage_said(damage), f"  {symbol} ")
    if len(ordered) > DAMAGE_ROWS:
        yield f"  and {len(ordered) - DAMAGE_ROWS} more: {hints.defects}"


def damage_said(damage: Damage) -> str:
    """One defect, with where it is."""
    where = []
    if damage.offset is not None:
        where.append(f"byte {damage.offset:,}")
    if damage.layer == "file":
        where += [f"after frame {damage.frame}"] if damage.frame else []
        return safe(damage.defect) + (f" ({', '.join(where)})" if where else "")
    first = f"first in frame {damage.frame}" if damage.frame else ""
    what = many(damage.packets, "message" if damage.layer == "stun" else "packet")
    return f"{safe(damage.defect)} ({', '.join(filter(None, (what, first)))})"


def names_of(session: Session) -> tuple[str, str]:
    """The agents' ufrags, or their addresses where they have none."""
    a, b = (
        safe(agent.ufrag) if agent.ufrag else (safe(agent.addresses[0]) if agent.addresses else "?")
        for agent in session.agents
    )
    return a, b


def _verdicts(sessions: Sequence[Session], paper: Paper) -> list[str]:
    lines = []
    for session in sessions:
        a, b = names_of(session)
        head = f"Session {session.session_id}  {paper.symbol(session.tone)} "
        text = f"{safe(session.said)}  ({a} {paper.symbol('with')} {b})"
        wrapped = paper.wrap(text, head, "    ")
        lines += [paper.style(_TONE_STYLE[session.tone], wrapped[0]), *wrapped[1:]]
        lines += verdict(session, paper)
    return lines


def _many(summary: Summary, paper: Paper, hints: Hints) -> Iterator[str]:
    """An overview of many sessions, then the worst in full."""
    by_state = ", ".join(f"{number:,} {state}" for state, number in summary.states.items())
    yield ""
    yield paper.style("strong", f"{len(summary.sessions):,} sessions: {by_state}")
    yield from _overview(summary.sessions[:OVERVIEW_ROWS], paper)
    if len(summary.sessions) > OVERVIEW_ROWS:
        yield f"  and {len(summary.sessions) - OVERVIEW_ROWS:,} more: {hints.sessions}"
    yield from paper.wrap(f"Any of them in full: {hints.session}", "  ", "    ")
    worst = [session for session in summary.sessions if session.tone != "good"][:DETAILED]
    for session in worst:
        yield from _session(session, paper, hints, len(summary.captures) > 1)


def _overview(sessions: Sequence[Session], paper: Paper) -> Iterator[str]:
    arrow = paper.symbol("to")
    rows = [("", "session", "state", "start", "pairs", "checks", f"media A{arrow}B", f"B{arrow}A", "cause", "agents")]
    for session in sessions:
        a, b = names_of(session)
        rows.append(
            (
                paper.symbol(session.tone),
                str(session.session_id),
                session.state,
                clock(session.start),
                f"{session.pair_count:,}",
                f"{session.checks:,}",
                f"{session.media_ab_packets:,}",
                f"{session.media_ba_packets:,}",
                safe(session.root_cause),
                f"{a} {paper.symbol('with')} {b}",
            )
        )
    left = {0, 2, 3, 8, 9}
    widths = [max(cells(row[i]) for row in rows) for i in range(len(rows[0]))]
    for number, row in enumerate(rows):
        line = "  ".join(
            text + " " * (width - cells(text)) if i in left else " " * (width - cells(text)) + text
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        style = "dim" if not number else _TONE_STYLE[sessions[number - 1].tone]
        yield paper.style(style, paper.fit(f"  {line}".rstrip(), paper.width))


def _session(session: Session, paper: Paper, hints: Hints, several: bool) -> Iterator[str]:
    yield ""
    head = f"Session {session.session_id}  {paper.symbol(session.tone)} "
    wrapped = paper.wrap(safe(session.said), head, "    ")
    yield from (paper.style(_TONE_STYLE[session.tone], line) for line in wrapped)
    yield from paper.wrap(headline(session.stages, paper.symbol), "  ")
    yield from verdict(session, paper)
    names = names_of(session)
    wide = max(cells(name) for name in names)
    for agent, name in zip(session.agents, names, strict=True):
        role = agent.role or "role unknown"
        lead = f"  {agent.name}  {name}{' ' * (wide - cells(name))}  {role:<12} "
        if cells(lead) > paper.width // 2:
            yield from paper.wrap(lead.strip(), "  ", "     ")
            lead = "     "
        at = "at or near " + ", ".join(safe(vantage) for vantage in agent.captured_at) if several else "here or near"
        taken = f" (captured {at})" if agent.captured_at else ""
        where = listed([safe(address) for address in agent.addresses], 6) or "no address seen"
        yield from paper.wrap(where + taken, lead)
    yield from paper.wrap(_followed(session, paper), "  ")
    yield from paper.wrap(_circumstances(session), "  ")
    yield from _pair_tables(session, paper, hints, several=several)
    for vantage, words in session.filters.items():
        where = f" in {safe(vantage)}" if several else ""
        yield from paper.wrap(words, f"  frames{where}: ", "      ")
    yield from draw_cause(session, paper)


def _followed(session: Session, paper: Paper) -> str:
    """What came after ICE."""
    arrow = paper.symbol("to")
    dtls = f"DTLS: {DTLS_SAID[session.dtls]}"
    forth, back = session.media_ab_packets, session.media_ba_packets
    if not forth and not back:
        return f"{dtls}; media: none seen"
    return f"{dtls}; media A {arrow} B: {many(forth, 'packet')}, B {arrow} A: {many(back, 'packet')}"


def _circumstances(session: Session) -> str:
    said = [f"{clock(session.start)} to {clock(session.end)} UTC ({seconds(session.duration_s)})"]
    said.append(f"{many(session.checks, 'check')} on {many(session.pair_count, 'pair')}")
    if session.restart_of:
        said.append(f"ICE restart of session {session.restart_of}")
    if session.restarted_by:
        said.append(f"restarted as session {session.restarted_by}")
    if session.role_changes:
        said.append(f"{many(session.role_changes, 'change')} of role")
    said += [TAGS.get(tag, safe(tag)) for tag in session.tags]
    return "; ".join(said)


def _pair_tables(
    session: Session, paper: Paper, hints: Hints, *, most: int = PAIR_ROWS, several: bool = False, of: str = ""
) -> Iterator[str]:
    """The pairs, capture by capture."""
    for vantage in dict.fromkeys(pair.vantage for pair in session.pairs):
        here: list[Pair] = [pair for pair in session.pairs if pair.vantage == vantage]
        several_here = several or len({pair.vantage for pair in session.pairs}) > 1
        title = f"Candidate pairs{of}" + (f" seen at {safe(vantage)}" if several_here else "")
        yield ""
        yield from pair_table(here[:most], paper, title)
        if len(here) > most:
            yield f"     and {len(here) - most:,} pairs more: {hints.pairs.format(session.session_id)}"
