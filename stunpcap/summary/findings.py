"""Findings as a summary tells them: each in its session, its steps and its evidence apart."""

from __future__ import annotations

from stunpcap.record import record
from stunpcap.summary.columns import from_columns
from stunpcap.table import Table


@record
class Found:
    """A row of the frame `findings`."""

    name: str
    severity: str
    confidence: str
    part: str
    session_id: int | None
    pair_id: int | None
    src: str | None
    dst: str | None
    summary: str
    story: str
    evidence: tuple[str, ...]
    advice: tuple[str, ...]
    "Steps; lines of configuration in a step are indented."
    vantage: str
    frames: tuple[int, ...]
    time: str | None


def build_findings(table: Table) -> dict[int | None, tuple[Found, ...]]:
    """Session -> its findings, the cause first; under None those about no session."""
    columns = {name: table.values(name) for name in table.schema}
    columns["evidence"] = [tuple(filter(None, (text or "").split("\n"))) for text in columns["evidence"]]
    columns["advice"] = [steps(text or "") for text in columns["advice"]]
    columns["frames"] = list(map(tuple, columns["frames"]))
    by_session: dict[int | None, list[Found]] = {}
    for found in from_columns(Found, columns):
        by_session.setdefault(found.session_id, []).append(found)
    return {session: tuple(found) for session, found in by_session.items()}


def steps(advice: str) -> tuple[str, ...]:
    """The steps of an advice: an indented line belongs to the step before it."""
    found: list[str] = []
    for line in filter(None, advice.split("\n")):
        if line.startswith(" ") and found:
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return tuple(found)
