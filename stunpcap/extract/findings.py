"""Findings picked by name or row, as words beside packets, and as display filters for Wireshark."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap.errors import UsageError
from stunpcap.schema import PART, TRANSPORT
from stunpcap.table import MISSING, Table

CAUSE = PART.index("cause")


def rows_of(findings: Table, which: Any, session: int | None = None) -> npt.NDArray[np.int64]:
    """Rows of the findings that are meant.

    Parameters
    ----------
    which
        A name (all findings of that name), a row number of the frame `findings`, or a row of it; None: all.
    session
        Of this session only, and of none.

    Raises
    ------
    UsageError
        There is no such finding.
    """
    about = findings["session_id"]
    there = np.ones(len(findings), np.bool_) if session is None else (about == session) | (about == MISSING)
    if which is None:
        return np.flatnonzero(there)
    if isinstance(which, str):
        names = findings.values("name")
        rows = np.flatnonzero(there & np.array([name == which for name in names], np.bool_))
        if not len(rows):
            known = ", ".join(dict.fromkeys(names[row] for row in np.flatnonzero(there)))
            raise UsageError(f"there is no finding {which!r}; " + (f"there are {known}" if known else "there are none"))
        return rows
    row = _number(which)
    if not 0 <= row < len(findings):
        raise UsageError(f"there is no finding in row {row}; the trace has {len(findings)}, counted from 0")
    return np.array([row], np.int64)


def _number(which: Any) -> int:
    """The row number that somebody gave: itself, or in a row of a pandas frame."""
    given: Any
    for given in (which, getattr(which, "Index", None), getattr(which, "name", None)):
        try:
            return operator.index(given)
        except TypeError:
            continue
    raise UsageError("a finding is meant by its name, its row number, or a row of trace.findings")


def comments(findings: Table, rows: npt.NDArray[np.int64], vantage: str, file: str) -> Mapping[int, list[str]]:
    """Frame number -> what findings say of it, causes first."""
    columns = {name: findings.values(name) for name in ("name", "severity", "session_id", "summary", "vantage")}
    found: dict[int, list[str]] = {}
    for row in sorted(rows.tolist(), key=lambda row: (int(findings["part"][row]), int(findings["severity"][row]))):
        if columns["vantage"][row] != vantage:
            continue
        about = columns["session_id"][row]
        role = "cause of failure, " if int(findings["part"][row]) == CAUSE else ""
        where = f"{role}session {about}" if about is not None else "no session"
        head = f"stunpcap: {columns['severity'][row]} {columns['name'][row]} ({where}): {columns['summary'][row]}"
        for frame in findings["frames"][row]:
            found.setdefault(int(frame), []).append(f"{head} (frame {frame} of {file})")
    return found


def display_filter(findings: Table, rows: npt.NDArray[np.int64], flows: Table) -> str:
    """What Wireshark is to be told, to show what findings rest on.

    Raises
    ------
    UsageError
        They rest on frames of several captures, or on what is missing altogether.
    """
    frames = sorted({int(frame) for row in rows.tolist() for frame in findings["frames"][row]})
    where = {int(findings["vantage"][row]) for row in rows.tolist() if len(findings["frames"][row])}
    if len(where) > 1:
        raise UsageError("these findings rest on frames of several captures: ask for one row of trace.findings")
    if frames:
        return in_numbers(frames)
    ways = [_way(findings, row, flows) for row in rows.tolist() if min(findings["src"][row], findings["dst"][row]) >= 0]
    if not ways:
        raise UsageError("it rests on what is missing from the capture: there is no frame to show")
    return " || ".join(dict.fromkeys(ways))


def in_numbers(frames: list[int]) -> str:
    """A filter for frames by their numbers, in ascending order; neighbours as ranges."""
    if len(frames) == 1:
        return f"frame.number == {frames[0]}"
    runs: list[list[int]] = []
    for frame in frames:
        if runs and frame == runs[-1][1] + 1:
            runs[-1][1] = frame
        else:
            runs.append([frame, frame])
    words = [f"{a}..{b}" if b > a + 1 else ", ".join(map(str, sorted({a, b}))) for a, b in runs]
    return f"frame.number in {{{', '.join(words)}}}"


def _way(findings: Table, row: int, flows: Table) -> str:
    """A filter for what goes in the direction that a finding names."""
    endpoints = findings.pools.endpoints
    src, dst = int(findings["src"][row]), int(findings["dst"][row])
    on = np.flatnonzero((flows["src"] == src) & (flows["dst"] == dst))
    transport = TRANSPORT[int(flows["transport"][on[0]])] if len(on) else "udp"
    ip = "ipv6" if endpoints.is_v6[src] else "ip"
    ports = "tcp" if transport == "tcp" else "udp"
    return (
        f"({ip}.src == {endpoints.address(src)} && {ip}.dst == {endpoints.address(dst)} && "
        f"{ports}.srcport == {endpoints.port(src)} && {ports}.dstport == {endpoints.port(dst)})"
    )
