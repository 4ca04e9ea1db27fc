"""Putting a ladder together: session, capture, parties, and the steps that tell what happened between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from stunpcap.analysis import Tables
from stunpcap.ladder.facts import clients_facts, session_facts
from stunpcap.ladder.model import Ladder, Step
from stunpcap.ladder.parties import find_parties
from stunpcap.ladder.steps import Known, messages_of, steps_of
from stunpcap.ladder.story import Run, choose_runs, find_runs
from stunpcap.ladder.traffic import tcp_steps, traffic_steps
from stunpcap.plots.choose import asked_servers, check_vantage, choose_session, main_vantage, session_of
from stunpcap.schema import CLASS
from stunpcap.summary.model import Session
from stunpcap.summary.sessions import host as host_of
from stunpcap.table import Table
from stunpcap.words import many

if TYPE_CHECKING:
    from stunpcap.trace import Trace

LINES = 40
"""Steps of a story, unless another limit is given."""


def build_ladder(
    trace: Trace,
    *,
    session: int | None = None,
    vantage: str | None = None,
    full: bool = False,
    limit: int | None = None,
) -> Ladder:
    """The course of one session as one capture saw it.

    Parameters
    ----------
    session
        Number of the session; default: the worst one.  A trace without sessions gives what was asked of servers.
    vantage
        Name of the capture; default: the one that saw most of the session.
    full
        Every request, instead of those that tell the story.
    limit
        How many steps at most; default: about 40 of a story, all where `full`.

    Raises
    ------
    UsageError
        There is no such session or capture.
    """
    tables = trace.tables
    check_vantage(trace, vantage)
    chosen_session = choose_session(trace, session)
    told = None if chosen_session is None else session_of(trace, chosen_session)
    mine = asked_servers(trace, chosen_session)
    if told is not None:
        mine = below(tables.transactions.take(tables.transactions["session_id"] == told.session_id), mine)
    name = vantage or _vantage(trace, told, mine)
    number = tables.transactions.pools.texts.number(name)
    facts = session_facts(tables, told, mine, name) if told else clients_facts(tables, mine, name)
    parties = find_parties(facts)
    rows = np.flatnonzero(mine["vantage"] == number)
    runs = find_runs(mine, rows, _importance(mine, rows, told))
    if full:
        runs = [Run(row, None, 0.0) for row in _in_time(mine, rows).tolist()]
        runs = runs[:limit]
    else:
        runs = choose_runs(runs, max((limit or LINES) - 2, 3))
    chosen = np.array([run.row for run in runs], np.int64)
    known = Known(
        mine=mine,
        parties=parties,
        paths=_paths(tables, told, number),
        arrived=_arrived_elsewhere(tables, told, number),
        messages=messages_of(tables.messages, number, mine, chosen),
        start_ns=int(mine["first_time"][rows].min()) if len(rows) else 0,
    )
    steps = [step for run in runs for step in steps_of(run, known)]
    steps += tcp_steps(tables, parties, number, known)
    if told:
        steps += traffic_steps(tables, parties, number, known, told, full=full)
    steps.sort(key=lambda step: (step.time_ns is None, step.time_ns or 0, step.frame or 0))
    if limit is not None:
        steps = steps[: max(limit, 1)]
    stood_for = sum(step.stands_for for step in steps)
    left_out = max(len(rows) - stood_for - _orphans(mine, rows), 0)
    start = min((step.time_ns for step in steps if step.time_ns is not None), default=None)
    return Ladder(
        session_id=told.session_id if told else None,
        vantage=name,
        others=tuple(other for other in (told.vantages if told else ()) if other != name),
        sessions=len(tables.sessions),
        said=told.said if told else "no session: no check names two agents",
        start_ns=start,
        lanes=tuple(parties.lanes),
        steps=tuple(_from_start(step, known, start) for step in _answering(steps)),
        left_out=left_out,
        notes=_notes(left_out, full=full),
    )


def _vantage(trace: Trace, told: Session | None, mine: Table) -> str:
    """The capture that saw most of the session, or of what was asked of servers."""
    if told is not None:
        return main_vantage(trace, told.session_id)
    vantages = trace.tables.vantages
    counts = {
        name: int(np.count_nonzero(mine["vantage"] == number))
        for number, name in zip(vantages["vantage"].tolist(), vantages.values("vantage"), strict=True)
    }
    return str(max(counts, key=lambda name: counts[name]))


def below(first: Table, second: Table) -> Table:
    """The rows of two tables of the same frame."""
    columns = {name: np.concatenate([first[name], second[name]]) for name in first.schema}
    return Table(first.name, len(first) + len(second), first.pools, columns)


def _answering(steps: list[Step]) -> Iterator[Step]:
    """Answers that do not follow their request at once say which one they answer."""
    before: Step | None = None
    for step in steps:
        follows = before is not None and (before.frame, before.stands_for) == (step.answers, 1)
        yield (
            step if follows or step.answers is None else replace(step, label=f"{step.label} (to frame {step.answers})")
        )
        before = step


def _from_start(step: Step, known: Known, start: int | None) -> Step:
    """The same, with seconds that count from the first step (TCP may come before any STUN)."""
    if step.time_ns is None or start is None or start == known.start_ns:
        return step
    shift = (known.start_ns - start) / 1e9
    until = None if step.until_s is None else step.until_s + shift
    return replace(step, offset_s=(step.time_ns - start) / 1e9, until_s=until)


def _in_time(mine: Table, rows: Any) -> Any:
    return rows[np.lexsort((mine["request_frame"][rows], mine["first_time"][rows]))]


def _importance(mine: Table, rows: Any, told: Session | None) -> dict[int, float]:
    """Row of a check -> how much its pair matters: the nominated one most, then those that show something."""
    if told is None:
        return {}
    rank: dict[tuple[str, str], float] = {}
    for position, pair in enumerate(told.pairs):
        ways = [way for way in (pair.a_to_b, pair.b_to_a) if way]
        answered = any(way.responses_received or way.other_address for way in ways)
        lost = any(way.path in ("lost", "rejected") for way in ways)
        score = 100.0 * pair.selected + 40.0 * pair.nominated + 30.0 * answered + 20.0 * lost - 0.1 * position
        rank.setdefault((pair.a, pair.b), score)
        rank.setdefault((pair.b, pair.a), score)
    ways_of = zip(mine.take(rows).values("src"), mine.take(rows).values("dst"), strict=True)
    return {int(row): rank.get(way, 0.0) for row, way in zip(rows.tolist(), ways_of, strict=True)}


def _paths(tables: Tables, told: Session | None, number: int) -> dict[tuple[str, str], str]:
    if told is None:
        return {}
    of_session = tables.pairs["session_id"] == told.session_id
    rows = tables.pairs.take(of_session & (tables.pairs["vantage"] == number))
    return {
        (src, dst): path
        for src, dst, path in zip(rows.values("src"), rows.values("dst"), rows.values("path"), strict=True)
    }


def _arrived_elsewhere(tables: Tables, told: Session | None, number: int) -> frozenset[str]:
    """Ids of checks that another capture saw at the very host that they were sent to."""
    vantages = (tables.vantages.values(column) for column in ("vantage", "place", "at"))
    here = tables.transactions.pools.texts.values[number] if number >= 0 else ""
    at = {
        (name, host)
        for name, place, hosts in zip(*vantages, strict=True)
        for host in (hosts.split(", ") if place == "endpoint" and name != here else ())
    }
    if not at or told is None:
        return frozenset()
    messages = tables.messages
    rows = messages.take(
        (messages["session_id"] == told.session_id)
        & (messages["class"] == CLASS.index("request"))
        & (messages["vantage"] != number)
    )
    columns = zip(rows.values("vantage"), rows.values("dst"), rows.values("transaction_id"), strict=True)
    return frozenset(one for name, dst, one in columns if (name, host_of(dst)) in at)


def _orphans(mine: Table, rows: Any) -> int:
    return int(np.count_nonzero(mine["request_frame"][rows] < 0))


def _notes(left_out: int, *, full: bool) -> tuple[str, ...]:
    if not left_out:
        return ()
    return (f"{many(left_out, 'further request')} left out" + ("" if full else ": they tell less"),)
