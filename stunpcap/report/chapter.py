"""One session in full: verdict, agents, which packets arrived and which did not, figures, findings, tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stunpcap import plots
from stunpcap.ladder import Ladder, build_ladder
from stunpcap.ladder.model import FATES
from stunpcap.plots.choose import BothWays, Way, asked_servers, both_ways, main_vantage
from stunpcap.plots.styles import TONES
from stunpcap.report import saying, sheets
from stunpcap.report.figures import Figures
from stunpcap.report.findings import part_of
from stunpcap.report.looks import look_at
from stunpcap.report.model import Account, Cell, Chapter, Figure, Head, Look, Part, Sheet, Verdict
from stunpcap.report.pairs import pairs_sheet
from stunpcap.summary.model import Session
from stunpcap.summary.pairs_text import mark_of
from stunpcap.summary.stages import headline
from stunpcap.summary.text_findings import cause_of, rivals_of
from stunpcap.summary.words import DTLS_SAID, TAGS, clock, seconds
from stunpcap.table import Table
from stunpcap.words import many

if TYPE_CHECKING:
    from stunpcap.trace import Trace

ACCOUNTS = 6
"""Directions in each of the lists of a story."""
ROWS = 60
"""Rows of a table of a session."""
PAIRS = 300

Say = Callable[[str], None]


def chapter_of(trace: Trace, session: Session, figures: Figures | None, say: Say, *, several: bool) -> Chapter:
    """A session as a report tells it.

    Parameters
    ----------
    figures
        What draws; None for a report without figures.
    say
        Told what is being drawn.
    several
        There are several captures.
    """
    vantages = [one.name for one in trace.sources]
    pairs = both_ways(trace, session, None)
    cause = cause_of(session)
    story = None if cause is None else part_of(cause, vantages)
    rivals = rivals_of(session)
    others = tuple(part_of(found, vantages) for found in session.findings if found is not cause and found not in rivals)
    lists = _accounts(pairs)
    return Chapter(
        number=session.session_id,
        verdict=verdict_of(session),
        who=session.agents,
        when=when_of(session),
        facts=tuple(_facts(session)),
        **{name: tuple(some[:ACCOUNTS]) for name, some in lists.items()},
        more={name: max(len(some) - ACCOUNTS, 0) for name, some in lists.items()},
        looks=_looks(session, story),
        figures=() if figures is None else _figures(trace, session, pairs, story, figures, say),
        cause=story,
        findings=others,
        rivals=tuple(part_of(found, vantages) for found in rivals),
        sheets=_sheets(trace, session, story, several),
    )


def _looks(session: Session, cause: Part | None) -> tuple[Look, ...]:
    """Frames to open first: of the checks; where those worked and something after them did not, of that."""
    if session.state in ("connected", "closed") and cause is not None and cause.looks:
        return cause.looks
    return tuple(look_at(vantage, frames) for vantage, frames in session.frames.items())


def verdict_of(session: Session) -> Verdict:
    """How a session ended and why, as far as that is known."""
    cause = cause_of(session)
    # ICE can connect, and what comes after it fail.
    tone = "bad" if cause is not None and cause.severity == "error" else session.tone
    if cause is not None:
        return Verdict(cause.summary, tone, session.said, cause.name, cause.confidence)
    words = session.said[:1].upper() + session.said[1:]
    ending = "" if words.endswith(".") else "."
    if session.state in ("connected", "closed"):
        errors = [found for found in session.findings if found.severity != "info"]
        noticed = f" Noticed beside: {', '.join(dict.fromkeys(found.name for found in errors))}." if errors else ""
        return Verdict(f"{words}{ending}{noticed}", tone, session.said)
    return Verdict(f"{words}{ending} No finding explains it.", tone, session.said)


def when_of(session: Session) -> str:
    """From when to when, by the clock of the capture."""
    day, last = session.start[:10], session.end[:10]
    until = clock(session.end) if day == last else f"{last} {clock(session.end)}"
    return f"{day} {clock(session.start)} to {until} UTC ({seconds(session.duration_s)})"


def _facts(session: Session) -> list[tuple[str, str]]:
    facts = [("Course", headline(session.stages, _glyph))]
    facts.append(("Checks", f"{many(session.checks, 'check')} on {many(session.pair_count, 'pair')}"))
    if session.nominated_a and session.nominated_b:
        took = f", after {seconds(session.time_to_connect_s)}" if session.time_to_connect_s is not None else ""
        facts.append(("Nominated pair", f"A {session.nominated_a}, B {session.nominated_b}{took}"))
    else:
        facts.append(("Nominated pair", "none"))
    facts.append(("DTLS", DTLS_SAID[session.dtls]))
    forth, back = session.media_ab_packets, session.media_ba_packets
    facts.append(("Media and data", f"A → B {forth:,} packets, B → A {back:,}" if forth or back else "none seen"))
    notes = [TAGS.get(tag, tag) for tag in session.tags]
    if session.restart_of:
        notes.append(f"ICE restart of session {session.restart_of}")
    if session.restarted_by:
        notes.append(f"restarted as session {session.restarted_by}")
    if session.role_changes:
        notes.append(many(session.role_changes, "change") + " of role")
    return [*facts, ("Beside", "; ".join(notes))] if notes else facts


def _glyph(name: str) -> str:
    """The mark of a tone, or an arrow."""
    return "→" if name == "to" else TONES[name].glyph


def _accounts(pairs: list[BothWays]) -> dict[str, list[Account]]:
    """Every direction that was checked, by what became of its packets."""
    found: dict[str, list[Account]] = {"arrived": [], "stopped": [], "lost": [], "unknown": []}
    for both in pairs:
        for way, ends in (
            (both.a_to_b, f"A {both.pair.a} → B {both.pair.b}"),
            (both.b_to_a, f"B {both.pair.b} → A {both.pair.a}"),
        ):
            if way is None:
                continue
            found[_kind(way)].append(Account(ends, _outcome(way), look_at(way.vantage, way.seen.frames)))
    return found


def _kind(way: Way) -> str:
    if way.seen.path in saying.DEAD:
        return "lost"
    if mark_of(way.seen) == "warn":
        return "stopped"
    return "arrived" if way.seen.path in saying.ARRIVED else "unknown"


def _outcome(way: Way) -> str:
    also = {"rewritten": "from another address", "rejected": "refused with an ICMP error"}.get(way.seen.path, "")
    said = way.seen.outcome if "check" in way.seen.outcome else f"{way.seen.outcome}; {_asked(way)}"
    return f"{also}; {said}" if also and "arrived as" not in said else said


def _asked(way: Way) -> str:
    return many(way.seen.requests_sent, "check")


def _figures(
    trace: Trace, session: Session, pairs: list[BothWays], cause: Part | None, figures: Figures, say: Say
) -> tuple[Figure, ...]:
    number = session.session_id
    main = main_vantage(trace, number)
    where = next((look.vantage for look in cause.looks if look.vantage in session.vantages), main) if cause else main
    say(f"session {number}: pair matrix")
    drawn = [
        figures.draw(plots.pair_matrix, trace, "Which pair, which direction", saying.matrix_said(pairs), session=number)
    ]
    say(f"session {number}: timeline")
    here = both_ways(trace, session, main)
    said = saying.timeline_said(session, here, main)
    drawn.append(figures.draw(plots.timeline, trace, "What happened when", said, session=number))
    say(f"session {number}: ladder")
    ladder = build_ladder(trace, session=number, vantage=where)
    drawn.append(
        figures.draw(
            plots.ladder,
            trace,
            "The decisive exchange, message by message",
            saying.ladder_said(ladder),
            _steps(ladder),
            session=number,
            vantage=where,
        )
    )
    say(f"session {number}: topology")
    drawn.append(
        figures.draw(
            plots.topology,
            trace,
            "Where it happened: hosts, NATs, servers",
            saying.topology_said(pairs),
            session=number,
        )
    )
    if saying.has_media(trace, number):
        say(f"session {number}: media")
        said = saying.media_said(trace, number)
        drawn.append(figures.draw(plots.media, trace, "What went over the pairs", said, session=number))
    return tuple(drawn)


def _steps(ladder: Ladder) -> Sheet:
    """The arrows of a ladder as rows."""
    rows = []
    for step in ladder.steps:
        ways = [ladder.lanes[number].name for number in (step.source, *step.via, step.target)]
        fold = step.event == "fold"
        rows.append(
            (
                Cell(str(step.frame or ""), step.frame),
                Cell("" if step.offset_s is None else f"{step.offset_s:.3f}", step.offset_s),
                Cell("" if fold else ways[0]),
                Cell("" if fold else ways[-1]),
                Cell(step.label),
                Cell("" if fold else FATES.get(step.fate, step.fate)),
            )
        )
    heads = (
        Head("frame", "number in Wireshark", number=True),
        Head("seconds", "since the first arrow", number=True),
        Head("from"),
        Head("to"),
        Head("what"),
        Head("what became of it"),
    )
    return Sheet(
        f"steps-{ladder.session_id or 0}", "The same as a table", heads, tuple(rows), "; ".join(ladder.notes), True
    )


def _sheets(trace: Trace, session: Session, cause: Part | None, several: bool) -> tuple[Sheet, ...]:
    tables, number = trace.tables, session.session_id
    mine = tables.transactions.take(tables.transactions["session_id"] == number)
    decisive = _decisive(mine, session, cause)
    candidates = tables.candidates.take(tables.candidates["session_id"] == number)
    asked = asked_servers(trace, number)
    ids = tables.allocations.values("session_ids")
    served = np.array([str(number) in (text or "").split(", ") for text in ids], np.bool_)
    allocations = tables.allocations.take(served)
    granted = tables.permissions.take(np.isin(tables.permissions["allocation_id"], allocations["allocation_id"]))
    handshakes = tables.handshakes.take(tables.handshakes["session_id"] == number)

    def made(name: str, title: str, table: Table, columns: Sequence[str], **more: Any) -> Sheet | None:
        return sheets.sheet(f"{name}-{number}", title, table, columns, most=ROWS, several=several, **more)

    decided = "Those whose frames are named above; all: stunpcap transactions."
    return sheets.present(
        (
            pairs_sheet(session, several=several, most=PAIRS),
            made("requests", "Decisive requests and their answers", decisive, sheets.TRANSACTIONS, note=decided),
            made("candidates", "Candidates", candidates, sheets.CANDIDATES),
            made("servers", "Requests to STUN and TURN servers", asked, sheets.TRANSACTIONS, folded=True),
            made("relays", "Allocations", allocations, sheets.ALLOCATIONS),
            made("permissions", "Permissions", granted, sheets.PERMISSIONS, folded=True),
            made("dtls", "DTLS handshakes", handshakes, sheets.HANDSHAKES),
        )
    )


def _decisive(mine: Table, session: Session, cause: Part | None) -> Table:
    """Transactions of which a frame is named: in the evidence of the cause, and as worth opening."""
    texts = mine.pools.texts
    frames: dict[str, set[int]] = {name: set(some) for name, some in session.frames.items()}
    for look in cause.looks if cause else ():
        frames.setdefault(look.vantage, set()).update(look.frames)
    wanted = np.zeros(len(mine), np.bool_)
    for name, some in frames.items():
        numbers = np.array(sorted(some), np.int64)
        there = mine["vantage"] == texts.number(name)
        wanted |= there & (np.isin(mine["request_frame"], numbers) | np.isin(mine["response_frame"], numbers))
    rows = np.flatnonzero(wanted)
    order = np.lexsort((mine["request_frame"][rows], mine["first_time"][rows]))
    return mine.take(rows[order])
