"""Running properties over places, one after the other or in several processes."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from tests.diagnose.properties import judging
from tests.diagnose.properties.judging import FIRST_PROPERTIES, KINDS, LESS, Cut, Violation
from tests.diagnose.properties.pieces import FIRST, JOINED, NAMES, Piece, original, pieces
from tests.diagnose.properties.places import Place, guests
from tests.diagnose.properties.renaming import Renaming
from tests.diagnose.properties.tapes import Tapes, read
from tests.diagnose.properties.told import Told, tell
from tests.diagnose.verdicts import TOGETHER, label

WHOLE = "whole"


@dataclass(slots=True)
class Outcome:
    """What came of properties: pieces tried, and violations."""

    tried: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Another's, too."""
        self.tried += other.tried
        self.violations += other.violations


@dataclass(frozen=True, slots=True)
class Task:
    """A place with the properties to look at."""

    place: Place
    properties: tuple[str, ...]
    pieces: tuple[str, ...] = ()
    """Only pieces whose names begin with one of these; all if empty."""


def run(tasks: Sequence[Task], jobs: int = 1, progress: Callable[[int], None] = lambda done: None) -> Outcome:
    """Run tasks; violations in order."""
    total = Outcome()
    if jobs > 1:
        with multiprocessing.get_context("spawn").Pool(jobs) as pool:
            for done, outcome in enumerate(pool.imap_unordered(run_one, tasks, chunksize=4), 1):
                total.add(outcome)
                progress(done)
    else:
        for done, task in enumerate(tasks, 1):
            total.add(run_one(task))
            progress(done)
    total.violations.sort()
    return total


def run_one(task: Task) -> Outcome:
    """All properties at one place."""
    outcome = Outcome()
    wanted, place = set(task.properties), task.place
    tapes = place.tapes()
    whole = _tell(place, WHOLE, tapes, outcome)
    if whole is None:
        return outcome
    if "state" in wanted:
        outcome.tried["state"] += 1
        outcome.violations += judging.state(place, WHOLE, whole)
    kinds = {kind for name in wanted for kind in KINDS[name]}
    cuts: list[Cut] = []
    if kinds and any(tape.packets for tape in tapes):
        facts = original(tapes, read(tapes), guests(place), has_signalling=place.has_signalling)
        for piece in pieces(facts, kinds):
            if task.pieces and not piece.name.startswith(task.pieces):
                continue
            told = _tell(place, piece.name, piece.tapes, outcome)
            if told is None:
                continue
            outcome.add(_judge(place, piece, told, whole, wanted))
            if piece.kind == FIRST:
                cuts.append(Cut(piece.name, told, _end(piece.tapes)))
        if FIRST in kinds:
            cuts = [*sorted(cuts, key=lambda cut: cut.end_ns), Cut(WHOLE, whole, _end(tapes))]
            outcome.add(_grow(place, cuts, wanted))
    if "more" in wanted and place.vantage == TOGETHER:
        outcome.add(_more(place, tapes, whole))
    return outcome


def _judge(place: Place, piece: Piece, told: Told, whole: Told, wanted: Collection[str]) -> Outcome:
    outcome = Outcome()
    property = LESS.get(piece.kind, {JOINED: "other calls", NAMES: "names"}.get(piece.kind, ""))
    if property in wanted:
        outcome.tried[property] += 1
        if piece.kind in LESS:
            outcome.violations += judging.less(place, piece.kind, piece.name, told, whole)
        else:
            change = piece.renaming or Renaming()
            outcome.violations += judging.same(place, piece.kind, piece.name, told, whole, change)
    if "state" in wanted and piece.kind in KINDS["state"]:
        outcome.tried["state"] += 1
        outcome.violations += judging.state(place, piece.name, told)
    return outcome


def _grow(place: Place, cuts: list[Cut], wanted: Collection[str]) -> Outcome:
    outcome = Outcome()
    for property in wanted.intersection(FIRST_PROPERTIES):
        outcome.tried[property] += len(cuts)
    outcome.violations += [one for one in judging.prefixes(place, cuts) if one.property in wanted]
    if "something said" in wanted:
        for cut in cuts:
            outcome.violations += judging.something_said(place, cut, cuts[-1].told)
    return outcome


def _more(place: Place, tapes: Tapes, whole: Told) -> Outcome:
    """Every two captures of a call, and all of them."""
    outcome = Outcome()
    root = label(place.scenario)["root_cause"]
    alone = {tape.name: told for tape in tapes if (told := _tell(place, tape.name, (tape,), outcome))}
    for number, both in enumerate([*combinations(tapes, 2), tapes]):
        if number and len(tapes) == 2:
            continue  # the two are all
        told = whole if both is tapes else _tell(place, "two", both, outcome)
        if told is not None:
            outcome.tried["more"] += 1
            name = " + ".join(tape.name for tape in both)
            outcome.violations += judging.more(place, name, root, [alone[tape.name] for tape in both], told)
    return outcome


def _tell(place: Place, name: str, tapes: Tapes, outcome: Outcome) -> Told | None:
    outcome.tried["reads"] += 1
    try:
        return tell(read(tapes))
    except Exception as error:
        outcome.violations.append(
            Violation("reads", str(place), name, "", f"{type(error).__name__}: {error}", ("", type(error).__name__))
        )
        return None


def _end(tapes: Tapes) -> int:
    return max((packet.time_ns for tape in tapes for packet in tape.packets), default=0)


def patterns(violations: Sequence[Violation]) -> Iterator[tuple[int, Violation]]:
    """Violations of a kind counted, the most frequent first, each with an example."""
    counts = Counter((one.property, one.pattern) for one in violations)
    first = {(one.property, one.pattern): one for one in reversed(violations)}
    for key, count in counts.most_common():
        yield count, first[key]
