"""The properties themselves: what a change may do to a verdict, and what it did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.diagnose.properties.compatible import AFTER_ICE, ON_RANGES, generals, may_follow
from tests.diagnose.properties.pieces import FIRST, JOINED, LATE, MISSING, NAMES, ONE_WAY, SNAP
from tests.diagnose.properties.places import Place
from tests.diagnose.properties.renaming import Renaming
from tests.diagnose.properties.told import Told, Verdict

LESS = {LATE: "late begin", MISSING: "missing packets", ONE_WAY: "one direction", SNAP: "snap length"}
"""Kind of piece -> the property about it."""
PROPERTIES = {
    "prefix": "a cause of medium or high confidence is never replaced by one that contradicts it as a capture grows",
    "taken back": "nor is it ever taken back for none",
    "something said": "of a session whose checks, 3 or more, fail for 3 s something is said",
    "late begin": "a capture begun late says nothing wrong with confidence",
    "missing packets": "nor does one that lacks packets",
    "one direction": "nor does one of a single sender's packets",
    "snap length": "nor does one with a short snap length",
    "more": "a second capture of the same call makes no verdict less sure or wrong",
    "other calls": "another call in the same file changes no verdict",
    "names": "addresses, ports, ufrags and times are names: others make no other verdict",
    "state": "no `connected` over an error of ICE, no `failed` without a cause",
    "reads": "every piece is read",
}
PATIENCE_S = 3
UNANSWERED = 3


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """A property that does not hold."""

    property: str
    place: str
    piece: str
    before: str
    after: str
    pattern: tuple[str, str] = ("", "")
    """Before and after without what is particular to the call."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is known by."""
        return self.place, self.property, self.piece


@dataclass(frozen=True, slots=True)
class Cut:
    """What is said of a beginning of a capture."""

    name: str
    told: Told
    end_ns: int


def prefixes(place: Place, cuts: list[Cut]) -> Iterator[Violation]:
    """`prefix` and `taken back`: each of the cuts, in order of time, against those after it; the last is the whole."""
    for session in cuts[-1].told.verdicts:
        course = [(cut.name, verdict) for cut in cuts if (verdict := cut.told.find(session))]
        reported: set[tuple[str, str]] = set()
        for number, (name, before) in enumerate(course):
            if not before.is_confident:
                continue
            later = [(n, one) for n, one in course[number + 1 :] if one.cause]
            broken = next(((n, one) for n, one in later if not may_follow(before.cause, one.cause)), None)
            if broken and (before.cause, broken[0]) not in reported:
                reported.add((before.cause, broken[0]))
                yield _violation("prefix", place, f"{name}, then {broken[0]}", before, broken[1])
            end = course[-1][1]
            if not end.cause and not broken and (before.cause, "") not in reported:
                reported.add((before.cause, ""))
                yield _violation("taken back", place, f"{name}, then {course[-1][0]}", before, end)


def something_said(place: Place, cut: Cut, whole: Told) -> Iterator[Violation]:
    """Of sessions that fail from the start."""
    for verdict in cut.told.verdicts:
        finally_ = whole.find(verdict)
        if finally_ is None or finally_.state in ("connected", "closed", "disconnected"):
            continue
        tried_s = (cut.end_ns - verdict.start_ns) / 1e9
        if verdict.session is None or verdict.answered or verdict.unanswered < UNANSWERED or tried_s < PATIENCE_S:
            continue
        if not any(one.severity in ("error", "warning") for one in cut.told.of(verdict)):
            after = f"{verdict.state}, nothing said of {verdict.unanswered} checks in {tried_s:.1f} s"
            yield Violation(
                "something said", str(place), cut.name, str(finally_), after, (_short(finally_), verdict.state)
            )


def less(place: Place, kind: str, name: str, told: Told, whole: Told) -> Iterator[Violation]:
    """Of packets taken away."""
    said: set[str] = set()
    if place.is_healthy:
        for finding in told.findings:
            if finding.is_confident_error and finding.name not in said:
                said.add(finding.name)
                yield Violation(
                    LESS[kind],
                    str(place),
                    name,
                    "healthy",
                    str(finding),
                    ("healthy", f"{finding.name} ({finding.confidence})"),
                )
        return
    for verdict in told.verdicts:
        before = whole.find(verdict)
        if not verdict.is_confident or before is None or verdict.cause in said:
            continue
        true = place.truth | ({before.cause} if before.cause else set())
        if not true and not before.works:
            continue  # nothing is known that it could contradict
        if not any(verdict.cause in generals(one, taken_away=True) for one in true):
            said.add(verdict.cause)
            yield _violation(LESS[kind], place, name, before, verdict)


def more(place: Place, name: str, root: str, alone: Iterable[Told], together: Told) -> Iterator[Violation]:
    """Of several captures of one call."""
    singles = list(alone)
    best = max((one for told in singles for one in told.verdicts if one.cause == root), key=_rank, default=None)
    same = max((one for one in together.verdicts if one.cause == root), key=_rank, default=None)
    if root and best is not None and _rank(same) < best.rank:
        yield _violation("more", place, name, best, same or together.verdicts[-1])
    known = {one.cause for told in singles for one in told.verdicts if one.is_confident}
    for one in together.verdicts:
        if one.is_confident and one.cause not in known | {g for true in place.truth for g in generals(true)}:
            yield _violation("more", place, name, best or singles[0].verdicts[-1], one)


def same(place: Place, kind: str, name: str, told: Told, whole: Told, change: Renaming) -> Iterator[Violation]:
    """Of what may change nothing: `other calls` and `names`."""
    property = {JOINED: "other calls", NAMES: "names"}[kind]
    for before in whole.verdicts:
        if before.session is None and kind == JOINED:
            continue  # of a capture without sessions, which now has some
        wanted = before.renamed(change)
        after = told.find(wanted)
        if after is None:
            yield Violation(property, str(place), name, before.in_full(), "no such session", (_short(before), "none"))
        elif after.whole != wanted.whole and not _on_ranges(wanted, after, change):
            pattern = (_short(wanted), _short(after))
            if pattern[0] == pattern[1]:
                pattern = (pattern[0], "another direction" if wanted.state == after.state else after.state)
            yield Violation(property, str(place), name, wanted.in_full(), after.in_full(), pattern)


def _on_ranges(before: Verdict, after: Verdict, change: Renaming) -> bool:
    """Addresses changed, it differs by what rests on their ranges, and says so by its confidence."""
    if change.address is Renaming().address:
        return False
    differing = [one for one in (before, after) if one.cause in ON_RANGES]
    return bool(differing) and before.state == after.state and all(one.confidence != "high" for one in differing)


def state(place: Place, name: str, told: Told) -> Iterator[Violation]:
    """Of states and findings."""
    for one in told.verdicts:
        if one.state in ("connected", "closed") and one.cause and one.cause not in AFTER_ICE:
            yield Violation("state", str(place), name, one.state, str(one), (one.state, _short(one)))
        elif one.state == "failed" and not one.cause:
            yield Violation("state", str(place), name, one.state, "no cause", (one.state, "no cause"))


def _violation(property: str, place: Place, piece: str, before: Verdict, after: Verdict) -> Violation:
    return Violation(property, str(place), piece, str(before), str(after), (_short(before), _short(after)))


def _short(verdict: Verdict) -> str:
    return f"{verdict.cause} ({verdict.confidence})" if verdict.cause else verdict.state


def _rank(verdict: Verdict | None) -> int:
    return verdict.rank if verdict else 0


FIRST_PROPERTIES = ("prefix", "taken back", "something said")
KINDS = {
    **dict.fromkeys(FIRST_PROPERTIES, (FIRST,)),
    **{name: (kind,) for kind, name in LESS.items()},
    "other calls": (JOINED,),
    "names": (NAMES,),
    "state": (FIRST, LATE, MISSING, ONE_WAY, SNAP),
    "more": (),
    "reads": (),
}
"""Property -> the pieces that it takes."""
