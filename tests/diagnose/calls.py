"""Calls to diagnose, as transcripts made of checks; and what was found in a trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import stunpcap
from stunpcap.trace import Trace
from tests.ice.transcript import read
from tests.places import LAB

ENDS = """
    A = 192.168.1.10:1000
    B = 10.20.0.20:2000
"""


def checks(
    way: str,
    name: str,
    count: int = 20,
    *,
    start: float = 0.0,
    every: float = 0.7,
    user: str = "b:a",
    answer: str = "",
    and_: str = "",
    ttl: int = 64,
) -> str:
    """Checks one after the other, each a transaction of its own; `answer` is who answers whom, and with what."""
    lines = []
    for number in range(count):
        at = start + number * every
        lines.append(f"{at:.3f} {way} request {name}{number} user={user} prio=1 {and_} ttl={ttl}")
        if answer:
            lines.append(f"{at + 0.02:.3f} {answer.replace('ID', f'{name}{number}')}")
    return "\n".join(lines) + "\n"


def call(*parts: str, ends: str = ENDS, end: float = 60.0) -> Trace:
    """A capture of all parts, in order of time."""
    lines = [line.strip() for part in parts for line in part.splitlines() if line.strip()]
    lines.sort(key=lambda line: float(line.split()[0]))
    return read(ends + "\n".join(lines) + f"\n{end} end\n")


def lab(*names: str) -> Trace:
    """Captures of the lab, as `scenario/vantage`."""
    return stunpcap.read(*(LAB / Path(f"{name}.pcap") for name in names))


def found(trace: Trace, name: str) -> list[dict[str, Any]]:
    """The findings of a name; what was considered and ruled out, or is still possible, is none."""
    return [
        one
        for one in trace.table("findings").records()
        if one["name"] == name and one["part"] not in ("ruled-out", "possible")
    ]


def considered(trace: Trace, part: str) -> list[str]:
    """Names of what is `ruled-out`, or still `possible`."""
    return [one["name"] for one in trace.table("findings").records() if one["part"] == part]


def only(trace: Trace, name: str) -> dict[str, Any]:
    """The only finding of a name."""
    hits = found(trace, name)
    assert len(hits) == 1, [one["name"] for one in trace.table("findings").records()]
    return hits[0]


def causes(trace: Trace) -> list[str]:
    """Root causes, session by session."""
    return [cause or "" for cause in trace.table("sessions").values("root_cause")]
