"""From tables to findings: every hypothesis proposes, all proposals stand trial, and the findings become a table."""

from __future__ import annotations

import numpy as np

from stunpcap.diagnose.facts import Facts
from stunpcap.diagnose.finding import Evidence, Finding
from stunpcap.diagnose.rules import all_rules
from stunpcap.diagnose.verdict import decide
from stunpcap.schema import SEVERITY
from stunpcap.table import Table, in_cells

FRAMES_SHOWN = 6
"""Frame numbers that a line of evidence names."""


def diagnose(facts: Facts) -> Table:
    """The findings of a trace, sessions in their order and what explains one first; sets `root_cause` of sessions."""
    proposed = [
        Finding(rule.name, rule.severity if hit.severity is None else hit.severity, hit)
        for rule in all_rules().values()
        for hit in rule.judge(facts)
    ]
    found, causes = decide(facts, proposed)
    last = len(facts["sessions"]) + 1
    found.sort(key=lambda one: (one.hit.session if one.hit.session > 0 else last, one.part, one.severity))
    texts, sessions = facts.pools.texts, facts["sessions"]
    nothing = texts.number("")
    sessions["root_cause"] = np.array(
        [
            texts.number(causes[number].name) if number in causes else nothing
            for number in sessions["session_id"].tolist()
        ],
        np.int64,
    )
    assert all(finding.severity in range(len(SEVERITY)) for finding in found)
    return Table(
        "findings",
        len(found),
        facts.pools,
        {
            "name": texts.numbers(one.name for one in found),
            "severity": np.array([one.severity for one in found], np.int8),
            "confidence": np.array([one.confidence for one in found], np.int8),
            "session_id": np.array([one.hit.session for one in found], np.int64),
            "pair_id": np.array([one.hit.pair for one in found], np.int64),
            "src": np.array([one.hit.src for one in found], np.int64),
            "dst": np.array([one.hit.dst for one in found], np.int64),
            "summary": texts.numbers(one.hit.summary for one in found),
            "story": texts.numbers(one.hit.story for one in found),
            "advice": texts.numbers("\n".join(one.hit.advice) for one in found),
            "frames": in_cells([one.frames for one in found]),
            "time": np.array([one.hit.time for one in found], np.int64),
            "part": np.array([one.part for one in found], np.int8),
            "vantage": texts.numbers(one.vantage for one in found),
            "evidence": texts.numbers("\n".join(map(line, one.hit.evidence)) for one in found),
        },
    )


def line(evidence: Evidence) -> str:
    """One piece of evidence as a line of text."""
    if not evidence.frames:
        return f"{evidence.vantage}: {evidence.said}"
    shown = ", ".join(map(str, evidence.frames[:FRAMES_SHOWN]))
    more = ", …" if len(evidence.frames) > FRAMES_SHOWN else ""
    noun = "frame" if len(evidence.frames) == 1 else "frames"
    return f"{evidence.vantage}, {noun} {shown}{more}: {evidence.said}"
