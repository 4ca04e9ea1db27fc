"""Findings as a summary tells them: each in its session, its steps and its evidence apart."""

from __future__ import annotations

import numpy as np

from stunpcap.record import record
from stunpcap.summary.columns import from_columns
from stunpcap.summary.crowd import choose
from stunpcap.table import MISSING, Table


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


def build_findings(table: Table, number: int | None) -> tuple[dict[int | None, tuple[Found, ...]], int]:
    """Session -> its findings, the cause first; under None those about no session; and how many of these there are.

    Parameters
    ----------
    number
        The session whose findings are told; None: all.
    """
    about_none = table["session_id"] == MISSING
    told = ~about_none if number is None else table["session_id"] == number
    table = table.take(choose(np.flatnonzero(about_none | told), told, table["severity"]))
    columns = {name: table.values(name) for name in table.schema}
    columns["evidence"] = [tuple(filter(None, (text or "").split("\n"))) for text in columns["evidence"]]
    columns["advice"] = [steps(text or "") for text in columns["advice"]]
    columns["frames"] = list(map(tuple, columns["frames"]))
    by_session: dict[int | None, list[Found]] = {}
    for found in from_columns(Found, columns):
        by_session.setdefault(found.session_id, []).append(found)
    found_by_session = {session: tuple(found) for session, found in by_session.items()}
    return found_by_session, int(np.count_nonzero(about_none))


def steps(advice: str) -> tuple[str, ...]:
    """The steps of an advice: an indented line belongs to the step before it."""
    found: list[str] = []
    for line in filter(None, advice.split("\n")):
        if line.startswith(" ") and found:
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return tuple(found)
