"""The tests that every hypothesis has to pass, each in one place.

**Time**: a cause acts no later than what it explains begins.  What comes after is a consequence, or the end of the
call.  **Coverage**: it explains most of what failed, and of the pairs that should have worked first.  **Stage**: it
explains the stage that failed, and no other.  **Visibility**: absence counts only for what was captured.  How sure a
finding is follows from what it rests on, from how much there is of it, and from these tests: `confidence` is worked out
here and nowhere else.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import numpy as np

from stunpcap.course.ending import STILL
from stunpcap.diagnose.completeness import Completeness
from stunpcap.diagnose.facts import SECOND, Facts
from stunpcap.diagnose.finding import CEILING, HIGH, LOW, SAID, Evidence, Finding, Hit
from stunpcap.diagnose.stages import EXPLAINS
from stunpcap.diagnose.symptom import CHECKS, GRACE, ICE, Symptom, Symptoms
from stunpcap.diagnose.wording import seconds
from stunpcap.record import record
from stunpcap.table import MISSING, NAT

MOST, SOME = 0.6, 0.25
"""Shares of what failed."""
FEW, PATIENT = 8, 8 * SECOND
"""Transmissions without an answer, and the time that they took: less is hardly evidence.  Agents that have another pair
stop checking this one within a few seconds."""


class Result(enum.Enum):
    """What became of a hypothesis."""

    HOLDS = "it passes"
    LATE = "it begins after what it would explain"
    LITTLE = "it explains little of what failed"
    ELSEWHERE = "it is about something else than what failed"


@record
class Tried:
    """One hypothesis after the tests."""

    result: Result
    coverage: float
    confidence: int
    why: str = ""
    """Why it was ruled out, in a sentence without its name."""
    evidence: tuple[Evidence, ...] = ()


class Trial:
    """All tests, for the findings of one trace."""

    def __init__(self, facts: Facts, symptoms: Symptoms) -> None:
        self.facts, self.symptoms = facts, symptoms
        self.complete = Completeness(facts)

    def judge(self, finding: Finding, same: Sequence[Finding]) -> Tried:
        """Test one finding that would explain its session; `same` are all that the same hypothesis found there."""
        symptom = self.symptoms[finding.hit.session]
        sure = self.confidence(finding)
        if (MISSING if symptom is None else symptom.stage) not in EXPLAINS[finding.name]:
            return Tried(Result.ELSEWHERE, 0.0, sure)
        if symptom is None:
            return Tried(Result.HOLDS, 1.0, sure)
        coverage = self._coverage([one.hit for one in same], symptom)
        late = self._late(finding, symptom)
        if late is not None:
            return Tried(Result.LATE, coverage, sure, *late)
        if coverage < SOME:
            return Tried(Result.LITTLE, coverage, sure, *self._little(finding, symptom))
        if coverage < MOST:
            sure = min(sure + 1, LOW)
        return Tried(Result.HOLDS, coverage, sure)

    # Time

    def _late(self, finding: Finding, symptom: Symptom) -> tuple[str, tuple[Evidence, ...]] | None:
        """Whether it begins too late, and how that is known.

        Of pairs the one that failed first counts; before the agent that is asked was heard of, it may not have been
        ready to refuse anything.
        """
        hit = finding.hit
        if hit.time == NAT or not hit.rows:
            return None
        if symptom.stage not in (CHECKS, ICE):
            return self._after_onset(hit, symptom)
        pairs = self.facts["pairs"]
        rows = [row for row in hit.rows if int(pairs["vantage"][row]) == self._vantage(finding)] or list(hit.rows)
        first = min(rows, key=lambda row: int(pairs["first_time"][row]))
        heard = symptom.ready.get((int(pairs["vantage"][first]), 1 - int(self.facts.side[first])), hit.time)
        began = max(int(pairs["first_time"][first]), min(heard, hit.time))
        if hit.time - began <= GRACE:
            return None
        after = seconds(hit.time - int(pairs["first_time"][first]))
        why = f"it shows {after} after checks began to have no response"
        shown = self.facts.show("the first of these checks", first, int(pairs["first_frame"][first]))
        return why, (shown, *finding.hit.evidence[:1])

    def _after_onset(self, hit: Hit, symptom: Symptom) -> tuple[str, tuple[Evidence, ...]] | None:
        """The same for a pair that had worked: what took it away showed before the next consent check at the latest."""
        dead = self.facts.course.live.dead[list(hit.rows)].any()
        if not dead or hit.time - symptom.onset <= STILL + GRACE:
            return None
        return f"it shows {seconds(hit.time - symptom.onset)} after the pair had fallen silent", tuple(hit.evidence[:1])

    def _vantage(self, finding: Finding) -> int:
        return self.facts.pools.texts.number(finding.vantage)

    # Coverage

    def _coverage(self, hits: Sequence[Hit], symptom: Symptom) -> float:
        """Which part of what failed hits of one name explain: of all pairs, and of those that should work first."""
        pairs = self.facts["pairs"]
        if not all(hit.rows for hit in hits) or not len(symptom.rows):
            return 1.0
        promise = self.symptoms.promise
        # Behind a NAT the same pair has other addresses: what one capture shows is held against that capture.
        seen_at = pairs["vantage"][[row for hit in hits for row in hit.rows]]
        here = symptom.rows[np.isin(pairs["vantage"][symptom.rows], seen_at)]
        failed: dict[int, int] = {}
        for row in (here if len(here) else symptom.rows).tolist():
            number = int(pairs["pair_id"][row])
            failed[number] = max(failed.get(number, 0), int(promise[row]))
        share: dict[int, float] = {}
        for hit in hits:
            asked = self._asked(hit)
            part = 1.0 if hit.checks < 0 else min(1.0, hit.checks / max(1, asked))
            for row in hit.rows:
                number = int(pairs["pair_id"][row])
                share[number] = max(share.get(number, 0.0), part)
        if not failed:
            return 0.0
        best = max(failed.values())
        first = [share.get(number, 0.0) for number, weight in failed.items() if weight == best]
        whole = sum(weight * share.get(number, 0.0) for number, weight in failed.items()) / sum(failed.values())
        return (whole + sum(first) / len(first)) / 2

    def _asked(self, hit: Hit) -> int:
        """Checks of the rows of a hit that failed: all, or of a pair that had worked those after its last answer."""
        live, rows = self.facts.course.live, np.array(hit.rows)
        asked = np.where(live.dead[rows], live.silent[rows], self.facts["pairs"]["requests_sent"][rows])
        return int(asked.sum())

    def _little(self, finding: Finding, symptom: Symptom) -> tuple[str, tuple[Evidence, ...]]:
        pairs = self.facts["pairs"]
        mine = {int(pairs["pair_id"][row]) for row in finding.hit.rows}
        total = len(set(pairs["pair_id"][symptom.rows].tolist()))
        hit = finding.hit
        if hit.checks >= 0 and len(mine) >= total:
            asked = self._asked(hit)
            return f"it concerns {hit.checks:,} of {asked:,} checks", tuple(hit.evidence[:1])
        of = f"{len(mine & set(pairs['pair_id'][symptom.rows].tolist()))} of {total} pairs that failed"
        return f"it concerns {of}, and not those that should have worked first", tuple(hit.evidence[:1])

    # Confidence

    def confidence(self, finding: Finding) -> int:
        """How sure a finding is by itself: what it rests on, how much there is of it, and what the capture misses."""
        hit = finding.hit
        level = CEILING[hit.ground]
        if hit.rows and hit.ground is not SAID:
            level = max(level, self._amount(hit.rows))
        limit = self.complete.limit(hit, finding.vantage)
        return max(level, limit)

    def _amount(self, rows: tuple[int, ...]) -> int:
        """What checks without an answer are worth by their number and by the time that they took."""
        pairs = self.facts["pairs"]
        at = np.array(rows)
        tries = int(pairs["transmissions"][at].sum())
        lasted = int(pairs["last_time"][at].max() - pairs["first_time"][at].min())
        return LOW if tries < FEW or lasted < PATIENT else HIGH
