"""Which requests tell the story: the first of each run of requests that went alike, and what stands for the rest.

Requests from one address to another, for one purpose, are a stream; a run is a part of it in which all had the same
outcome.  Of a stream with many runs (loss comes and goes) the first ones and the last are kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.ice.columns import group
from stunpcap.ladder.facts import CHECKS
from stunpcap.record import record
from stunpcap.schema import OUTCOME
from stunpcap.table import Table

KEPT_RUNS = 3
"""First runs of a stream that are told; the last one is told as well."""
_SILENT = tuple(OUTCOME.index(level) for level in ("unanswered", "unfinished"))


@record
class Fold:
    """Requests that are not shown one by one."""

    rows: Any
    """Rows of the transactions, in order of time; at least one."""
    outcomes: dict[str, int]
    """Outcome -> how many."""
    repeated: int
    """Packets beyond the first of each."""


@record
class Run:
    """Requests in a row that went alike: the first, and a fold of the others."""

    row: int
    fold: Fold | None
    score: float
    """How much it tells; the greatest are kept where room is short."""

    @property
    def requests(self) -> int:
        return 1 + (len(self.fold.rows) if self.fold else 0)


def find_runs(mine: Table, rows: Any, importance: dict[int, float]) -> list[Run]:
    """The runs of the transactions at `rows` (of one capture), in order of time.

    Parameters
    ----------
    importance
        Row -> how much its pair matters; 0 where it is not given.
    """
    if not len(rows):
        return []
    rows = rows[np.lexsort((mine["request_frame"][rows], mine["first_time"][rows]))]
    kind = np.where(np.isin(mine["kind"][rows], CHECKS), CHECKS[0], mine["kind"][rows])
    # Ports of one host ask servers alike.
    asking = ~np.isin(mine["kind"][rows], CHECKS)
    src = np.where(asking, mine.pools.endpoints.addresses[mine["src"][rows]], mine["src"][rows])
    stream, streams = group(src, mine["dst"][rows], mine["transport"][rows], kind)
    outcome = np.where(np.isin(mine["outcome"][rows], _SILENT), _SILENT[0], mine["outcome"][rows])
    verdict, _ = group(
        outcome, mine["error_code"][rows], mine["response_src"][rows] * (outcome == OUTCOME.index("other-address"))
    )
    # Runs: sorted by stream, a new one begins wherever stream or verdict differs from the row before.
    order = np.argsort(stream, kind="stable")
    by_stream, by_verdict = stream[order], verdict[order]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (by_stream[1:] != by_stream[:-1]) | (by_verdict[1:] != by_verdict[:-1])
    number = np.cumsum(begins) - 1
    heads = np.flatnonzero(begins)
    first_run = np.searchsorted(by_stream[heads], np.arange(streams))
    runs_of = np.bincount(by_stream[heads], minlength=streams)
    position = number - first_run[by_stream]
    last = position == runs_of[by_stream] - 1
    # What is not kept goes to the last of the first runs that are.
    kept = (position < KEPT_RUNS) | last
    owner = np.where(kept, number, first_run[by_stream] + KEPT_RUNS - 1)
    # A nomination within a run is told by itself: it changes what the pair is.
    nominating = mine["nominating"][rows][order]
    extra = _first_nominations(by_stream, nominating, streams)
    heads_kept = begins & kept
    extra &= ~heads_kept
    found = []
    members: dict[int, list[int]] = {}
    for place in np.flatnonzero(~heads_kept & ~extra).tolist():
        members.setdefault(int(owner[place]), []).append(int(order[place]))
    for place in np.flatnonzero(heads_kept | extra).tolist():
        row = int(rows[order[place]])
        rest = members.get(int(number[place])) if heads_kept[place] else None
        fold = _fold(mine, rows[np.sort(np.array(rest))]) if rest else None
        change = 20.0 if position[place] else 0.0
        found.append(Run(row, fold, importance.get(row, 0.0) + _score(mine, row) + change))
    return sorted(found, key=lambda run: (int(mine["first_time"][run.row]), int(mine["request_frame"][run.row])))


def _first_nominations(stream: Any, nominating: Any, streams: int) -> Any:
    """The first nominating request of each stream."""
    extra = np.zeros(len(stream), np.bool_)
    places = np.flatnonzero(nominating)
    _, first = np.unique(stream[places], return_index=True)
    extra[places[first]] = True
    return extra


def _fold(mine: Table, rows: Any) -> Fold:
    codes, counts = np.unique(mine["outcome"][rows], return_counts=True)
    outcomes = {OUTCOME[code]: number for code, number in zip(codes.tolist(), counts.tolist(), strict=True)}
    transmissions = np.maximum(mine["transmissions"][rows], 1)
    return Fold(rows, outcomes, int(transmissions.sum()) - len(rows))


def _score(mine: Table, row: int) -> float:
    """How much one request tells by itself."""
    score = {"success": 20.0, "error": 25.0, "icmp": 25.0, "other-address": 40.0, "unanswered": 8.0}
    told = score.get(OUTCOME[int(mine["outcome"][row])], 4.0)
    return told + (30.0 if mine["nominating"][row] else 0.0) + (0.0 if int(mine["kind"][row]) in CHECKS else 15.0)


def choose_runs(runs: list[Run], room: int) -> list[Run]:
    """As many runs as there is room for (in lines), those that tell most, in order of time."""
    chosen = []
    for run in sorted(runs, key=lambda run: -run.score):
        lines = 2 + (run.fold is not None)
        if room >= lines:
            room -= lines
            chosen.append(run)
    places = {id(run): number for number, run in enumerate(runs)}
    return sorted(chosen, key=lambda run: places[id(run)])
