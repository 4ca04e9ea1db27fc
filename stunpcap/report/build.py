"""From a trace to a report: which sessions get a chapter, what is said of all, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from stunpcap.ladder import build_ladder
from stunpcap.report import saying, sheets
from stunpcap.report.chapter import chapter_of, verdict_of, when_of
from stunpcap.report.figures import Figures
from stunpcap.report.findings import is_limit, part_of
from stunpcap.report.limits import limits_of
from stunpcap.report.made import file_name, made_of
from stunpcap.report.model import Figure, Report, Sheet, Verdict
from stunpcap.report.pairs import causes_sheet, sessions_sheet
from stunpcap.summary import Summary, summarise
from stunpcap.summary.findings import Found
from stunpcap.summary.model import Session
from stunpcap.summary.terminal import Paper
from stunpcap.summary.text_findings import cause_of
from stunpcap.summary.text_network import without_sessions
from stunpcap.summary.words import clock, listed
from stunpcap.table import Table
from stunpcap.words import many

if TYPE_CHECKING:
    from stunpcap.trace import Trace

FEW = 3
"""Up to this many sessions each has a chapter, the healthy ones, too."""
DETAILS = 8
"""Of more sessions so many failed ones have a chapter."""
ROWS = 3000
"""Rows of the table of sessions."""
ROWS_BESIDE = 60
"""Rows of the other tables, and findings about no session."""
_SEVERITIES = ("error", "warning", "info")
_CONFIDENCES = ("high", "medium", "low")


def build_report(
    trace: Trace,
    *,
    session: int | None = None,
    details: int = DETAILS,
    figures: bool = True,
    call: str = "",
    say: Callable[[str], None] | None = None,
) -> Report:
    """All that a report of a trace tells.

    Parameters
    ----------
    session
        Tell of this session only.
    details
        How many sessions have a chapter at most, where there are more than three.
    figures
        Draw them; Markdown has none.
    call
        How the report was asked for, to be named in it.
    say
        Told what is being done, for those who wait.

    Raises
    ------
    UsageError
        There is no such session.
    """
    say = say or (lambda _: None)
    say("summary")
    summary = summarise(trace, session=session)
    told, several = _chosen(summary, details), len(summary.captures) > 1
    drawing = Figures() if figures else None
    chapters = tuple(chapter_of(trace, one, drawing, say, several=several) for one in told)
    drawn: tuple[Figure, ...] = ()
    if drawing is not None and (len(summary.sessions) > FEW or not summary.sessions):
        say("overview")
        drawn = _drawn(trace, summary, drawing)
    say("tables")
    vantages = [one.name for one in trace.sources]
    rest = [found for found in summary.findings if not summary.sessions or not is_limit(found)]
    more = len(rest[ROWS_BESIDE:]) + summary.left_out.get("findings", 0)
    if more:
        rest = sorted(rest, key=lambda found: _SEVERITIES.index(found.severity))[:ROWS_BESIDE]
    numbers = frozenset(one.session_id for one in told)
    overview: tuple[Sheet, ...] = ()
    if len(summary.sessions) > 1:
        overview = (causes_sheet(summary.sessions), sessions_sheet(summary.sessions, numbers, ROWS))
    names = dict.fromkeys(file_name(one.path) for one in summary.captures)
    return Report(
        title=f"Post-mortem: {listed(list(names), 3)}" + (f", session {session}" if session else ""),
        verdict=_verdict(summary),
        when=_when(summary),
        chapters=chapters,
        left_out=_left_out(summary, told),
        figures=drawn,
        overview=overview,
        findings=tuple(part_of(found, vantages) for found in rest),
        more_findings=f"And {more:,} more: stunpcap findings tells them all." if more else "",
        network=_network(trace, several, session, numbers),
        limits=limits_of(trace, summary, told),
        made=made_of(trace, summary, call),
        styles=drawing.css if drawing else "",
    )


def _chosen(summary: Summary, details: int) -> tuple[Session, ...]:
    """The sessions that have a chapter.

    Of many, those that failed or broke off: first one for each cause, the causes of most sessions first, of each the
    one that is best proved and shows most; then the rest in the same order.
    """
    if len(summary.sessions) <= FEW:
        return summary.sessions
    bad = [one for one in summary.sessions if _bad(one)]
    sizes: dict[str, int] = {}
    for one in bad:
        sizes[one.root_cause] = sizes.get(one.root_cause, 0) + 1

    def rank(one: Session) -> tuple[bool, int, str, int, int, int]:
        cause = cause_of(one)
        sure = _CONFIDENCES.index(cause.confidence) if cause else len(_CONFIDENCES)
        return not one.root_cause, -sizes[one.root_cause], one.root_cause, sure, -one.pair_count, one.session_id

    ordered = sorted(bad, key=rank)
    seen: dict[str, int] = {}
    turns = []
    for one in ordered:
        turns.append(seen.get(one.root_cause, 0))
        seen[one.root_cause] = turns[-1] + 1
    chosen = [one for _, one in sorted(zip(turns, ordered, strict=True), key=lambda both: both[0])][:details]
    return tuple(chosen) or summary.sessions[: min(details, 1)]


def _bad(session: Session) -> bool:
    """Whether a session failed, broke off, or connected in vain."""
    cause = cause_of(session)
    return session.tone == "bad" or (cause is not None and cause.severity == "error")


def _left_out(summary: Summary, told: Sequence[Session]) -> str:
    """Which sessions are told in a row of a table only."""
    rest = len(summary.sessions) - len(told)
    if not rest:
        return ""
    numbers = {one.session_id for one in told}
    bad = sum(_bad(one) and one.session_id not in numbers for one in summary.sessions)
    some = f", {bad:,} of which failed, too," if bad else ", none of which failed,"
    return (
        f"{many(len(told), 'session')} of {len(summary.sessions):,} {'is' if len(told) == 1 else 'are'} told in full, "
        f"each cause once before any twice. The other {rest:,}{some} have a row in the table of sessions; "
        "--session N tells any of them."
    )


def _verdict(summary: Summary) -> Verdict:
    if not summary.sessions:
        return _without(summary)
    if len(summary.sessions) == 1:
        return verdict_of(summary.sessions[0])
    states = ", ".join(f"{number:,} {state}" for state, number in summary.states.items())
    worst = summary.sessions[0]
    failed = [one for one in summary.sessions if _bad(one)]
    bad = len(failed)
    worst = failed[0] if failed else worst
    tone = "bad" if failed else verdict_of(worst).tone
    causes: dict[str, int] = {}
    for one in summary.sessions:
        if one.root_cause:
            causes[one.root_cause] = causes.get(one.root_cause, 0) + 1
    most = sorted(causes.items(), key=lambda item: (-item[1], item[0]))
    said = f"{bad:,} of {len(summary.sessions):,} sessions failed or broke off" if bad else "No session failed"
    why = f", mostly because of {most[0][0]} ({most[0][1]:,})" if len(most) > 1 and bad else ""
    only = f", all that are explained because of {most[0][0]}" if len(most) == 1 and bad > 1 else ""
    if bad == 1 and (cause := cause_of(worst)):
        return Verdict(
            f"Session {worst.session_id} of {len(summary.sessions):,}: {cause.summary}", tone, states, cause.name,
            cause.confidence,
        )  # fmt: skip
    name = most[0][0] if len(most) == 1 and bad else ""
    sure = sorted({cause.confidence for one in summary.sessions if (cause := cause_of(one))}, key=_CONFIDENCES.index)
    return Verdict(f"{said}{why}{only}.", tone, states, name, sure[-1] if name and sure else "")


def _without(summary: Summary) -> Verdict:
    """What a capture without sessions comes to: the gravest of its findings."""
    state = next(without_sessions(summary, Paper(width=10_000))).strip()
    worst: Found | None = min(summary.findings, key=lambda one: _SEVERITIES.index(one.severity), default=None)
    if worst is None or worst.severity == "info":
        return Verdict(worst.summary if worst else state, "none", state, worst.name if worst else "",
                       worst.confidence if worst else "")  # fmt: skip
    tone = "bad" if worst.severity == "error" else "warn"
    return Verdict(worst.summary, tone, state, worst.name, worst.confidence)


def _when(summary: Summary) -> str:
    if len(summary.sessions) == 1:
        return when_of(summary.sessions[0])
    times = [(one.first_time, one.last_time) for one in summary.captures if one.first_time and one.last_time]
    if not times:
        return ""
    first, last = min(str(one) for one, _ in times), max(str(one) for _, one in times)
    until = clock(last) if first[:10] == last[:10] else f"{last[:10]} {clock(last)}"
    return f"{first[:10]} {clock(first)} to {until} UTC"


def _drawn(trace: Trace, summary: Summary, drawing: Figures) -> tuple[Figure, ...]:
    """The figure of many sessions, or of what was asked of servers where there is none."""
    from stunpcap import plots

    if summary.sessions:
        said = saying.overview_said(summary)
        return (drawing.draw(plots.sessions_overview, trace, "How the sessions ended", said),)
    if not summary.servers:
        return ()
    asked = [one for server in summary.servers for one in server.asked]
    words = f"{many(len(asked), 'kind')} of requests to {many(summary.count('servers'), 'server')}: " + listed(
        [f"{one.kind}: {one.outcome}" for one in asked], 3
    )
    ladder = saying.ladder_said(build_ladder(trace))
    return (
        drawing.draw(plots.gathering, trace, "What was asked of STUN and TURN servers", words),
        drawing.draw(plots.ladder, trace, "The exchange with servers, message by message", ladder),
    )


def _network(trace: Trace, several: bool, session: int | None, told: frozenset[int]) -> tuple[Sheet, ...]:
    """What is not told in a chapter: other relays, requests to servers, how others saw addresses, flows, damage."""
    tables = (trace if session is None else trace.select(session=session)).tables
    asked = trace.tables.transactions
    to_server = asked.take(asked["session_id"] < 0)
    flows = tables.flows
    folded = len(tables.sessions) > 0
    served = [
        {int(one) for one in filter(None, (ids or "").split(", "))} for ids in tables.allocations.values("session_ids")
    ]
    others = tables.allocations.take(np.array([not numbers & told for numbers in served], np.bool_))
    busiest = flows.take(np.argsort(-flows["packets"], kind="stable"))

    def made(name: str, title: str, table: Table, columns: Sequence[str], most: int) -> Sheet | None:
        return sheets.sheet(name, title, table, columns, most=most, several=several, folded=folded)

    return sheets.present(
        (
            made("allocations", "Other allocations on TURN servers", others, sheets.ALLOCATIONS, ROWS_BESIDE),
            None
            if session is not None
            else made("requests", "Requests to STUN and TURN servers", to_server, sheets.TRANSACTIONS, ROWS_BESIDE),
            made("mappings", "How others saw local addresses", tables.mappings, sheets.MAPPINGS, ROWS_BESIDE),
            made("flows", "Flows, those of most packets first", busiest, sheets.FLOWS, ROWS_BESIDE),
            made("defects", "Damaged, odd or not read", tables.defects, sheets.DEFECTS, ROWS_BESIDE),
        )
    )
