"""Which hypothesis explains a session: the best of those that pass the tests, and what the others are.

Coverage comes first, then what is surer than a guess, then the order of `stunpcap.diagnose.stages`.  What was put to
the tests and failed is part of the result (`ruled-out`), and so is what could not be ruled out (`possible`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from stunpcap.diagnose.facts import Facts
from stunpcap.diagnose.finding import ERROR, GUESS, HIGH, INFO, LOW, MEDIUM, WARNING, Evidence, Finding, Hit
from stunpcap.diagnose.hypotheses.paths import unexplained
from stunpcap.diagnose.rivals import Ruling, rivals_of
from stunpcap.diagnose.stages import BESIDE, ENDS, FALLBACK, RANK
from stunpcap.diagnose.symptom import Symptoms
from stunpcap.diagnose.trial import MOST, Result, Trial, Tried
from stunpcap.schema import PART

CAUSE, CONSEQUENCE, NOTE, RULED_OUT, POSSIBLE = range(len(PART))
SHOWN = 4
"""More rivals than a reader would go through."""


def decide(facts: Facts, findings: Sequence[Finding]) -> tuple[list[Finding], dict[int, Finding]]:
    """Give every finding its confidence and part; returns them with the rivals, and the cause of each session."""
    symptoms = Symptoms(facts)
    trial = Trial(facts, symptoms)
    result: list[Finding] = []
    same: dict[tuple[int, str], list[Finding]] = {}
    for finding in findings:
        same.setdefault((finding.hit.session, finding.name), []).append(finding)
    passed: dict[int, list[tuple[Finding, Tried]]] = {}
    for finding in findings:
        finding.part, finding.confidence = NOTE, trial.confidence(finding)
        session = finding.hit.session
        if session < 1 or finding.severity != ERROR or finding.name not in RANK:
            result.append(finding)
            continue
        tried = trial.judge(finding, same[session, finding.name])
        finding.confidence = tried.confidence
        if tried.result is Result.HOLDS:
            passed.setdefault(session, []).append((finding, tried))
            result.append(finding)
        elif tried.result is Result.LATE:
            result.append(_ruled_out(finding, tried.why, tried.evidence))
        elif tried.result is Result.LITTLE:
            finding.severity = WARNING
            result.append(finding)
        else:
            # What concerns another stage than the one that failed did no harm, or none that counts.
            finding.severity = WARNING
            result.append(finding)
    causes: dict[int, Finding] = {}
    for finding in findings:
        # An end that the other agent was not told of explains why nothing came any more.
        if finding.name in ENDS and finding.severity == WARNING and finding.hit.session not in passed:
            finding.part = CAUSE
            causes[finding.hit.session] = finding
    for session in np.flatnonzero(facts.session_is("failed")).tolist():
        if session + 1 not in passed:
            alone = Finding(FALLBACK, ERROR, unexplained(facts, session + 1), CAUSE, LOW)
            result = [one for one in result if (one.name, one.hit.session) != (FALLBACK, session + 1)]
            result.append(alone)
            causes[session + 1] = alone
    for session, candidates in passed.items():
        cause, tried = min(candidates, key=rank)
        causes[session] = cause
        cause.part = CAUSE
        for finding, _ in candidates:
            if finding is not cause and finding.name not in BESIDE:
                finding.part = CONSEQUENCE
        # What holds as well is no rival: it follows from the cause, or stands beside it.
        held = {finding.name for finding, _ in candidates}
        rulings = [one for one in rivals_of(facts, cause) if one.name not in held]
        _weigh(cause, rulings)
        result += _told(cause, rulings)
    return result, causes


def rank(one: tuple[Finding, Tried]) -> tuple[bool, bool, int, int]:
    """What is little more than a guess last; then what explains most; then the order of explanation."""
    finding, tried = one
    guess = finding.hit.ground is GUESS
    # The fallback covers everything, and says nothing of it; a way around that is missing is half of a cause.
    little = tried.coverage < MOST or finding.name == FALLBACK or finding.name in BESIDE
    return guess, little, RANK[finding.name], finding.confidence


def _weigh(cause: Finding, rulings: Iterable[Ruling]) -> None:
    """High confidence is earned by ruling the rivals out."""
    if any(one.likely and not one.out for one in rulings):
        cause.confidence = LOW
    elif cause.confidence == HIGH and any(not one.out for one in rulings):
        cause.confidence = MEDIUM


def _told(cause: Finding, rulings: Sequence[Ruling]) -> list[Finding]:
    """Rivals as findings of their own, those still possible first."""
    ordered = sorted(rulings, key=lambda one: one.out)[:SHOWN]
    return [
        Finding(
            one.name,
            INFO,
            Hit(
                one.said,
                one.evidence,
                advice=(one.decide,) if one.decide else (),
                session=cause.hit.session,
                pair=cause.hit.pair,
                time=cause.hit.time,
            ),
            RULED_OUT if one.out else POSSIBLE,
            MEDIUM if one.out else LOW,
        )
        for one in ordered
    ]


def _ruled_out(finding: Finding, why: str, evidence: tuple[Evidence, ...]) -> Finding:
    """A hypothesis that failed a test, told as such."""
    hit = replace(
        finding.hit, summary=f"Not the cause: {why}.", story=finding.hit.summary, advice=(), evidence=evidence
    )
    return Finding(finding.name, INFO, hit, RULED_OUT, HIGH)
