"""What was measured, as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measure import Run


@dataclass(slots=True)
class Entry:
    """One program on one capture, round by round."""

    run: Run
    whole: int
    """Packets of the capture that it should have had."""
    start: Run | None = None
    """The same program on next to nothing: needed if it was given a share."""

    @property
    def seconds(self) -> list[float]:
        """For the whole capture, in each round: what starting takes once, and the rest in proportion."""
        if self.start is None or self.run.packets == self.whole:
            return self.run.seconds
        more = self.whole / self.run.packets
        return [
            start + max(0.0, took - start) * more
            for start, took in zip(self.start.seconds, self.run.seconds, strict=True)
        ]


def ratios(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """How often `other` fits into `one`, round by round."""
    return [a / b for a, b in zip(one, other, strict=True)]


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """The smallest and the largest."""
    return f"{min(values):{form}}–{max(values):{form}}"


def times(value: float) -> str:
    """A ratio with two significant digits at least."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def table(entries: Sequence[Entry]) -> str:
    """The results of one work; the first entry is what the others are compared with."""
    lines = [
        "| program | packets | seconds, median | spread | for all packets | times the first row | spread | peak MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    base = entries[0].seconds
    for entry in entries:
        run, reckoned = entry.run, entry.run.packets != entry.whole
        against = ratios(entry.seconds, base)
        whole = statistics.median(entry.seconds)
        lines.append(
            f"| {run.name} | {run.packets:,} | {run.median:.2f} | {spread(run.seconds)} "
            f"| {'≈ ' if reckoned else ''}{whole:,.2f} | {times(statistics.median(against))} "
            f"| {times(min(against))}–{times(max(against))} | {max(run.peak_mb):.0f} |"
        )
    return "\n".join(lines)


def growth(name: str, runs: Sequence[Run]) -> str:
    """What larger captures take: a row a size."""
    lines = [
        f"| {name} | seconds, median | spread | s per further million packets | peak MB |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for number, run in enumerate(runs):
        further = f"{statistics.median(marginal(runs[0], run)):.2f}" if number else ""
        lines.append(
            f"| {run.packets:,} | {run.median:.2f} | {spread(run.seconds)} | {further} | {max(run.peak_mb):.0f} |"
        )
    return "\n".join(lines)


def marginal(small: Run, large: Run) -> list[float]:
    """Seconds per further million packets, round by round."""
    more = (large.packets - small.packets) / 1e6
    return [(b - a) / more for a, b in zip(small.seconds, large.seconds, strict=True)]


@dataclass(frozen=True, slots=True)
class Goal:
    """Something to reach."""

    text: str
    values: Sequence[float]
    """Round by round."""
    limit: float
    at_least: bool
    unit: str = "×"

    @property
    def reached(self) -> bool:
        """Whether the median is on the right side."""
        value = statistics.median(self.values)
        return value >= self.limit if self.at_least else value <= self.limit


def goals(found: Sequence[Goal]) -> str:
    """Goals and what became of them, as a table."""
    lines = ["| goal | wanted | measured, median | spread | |", "| --- | ---: | ---: | ---: | --- |"]
    for goal in found:
        wanted = f"{'≥' if goal.at_least else '≤'} {goal.limit:g} {goal.unit}"
        low, high = times(min(goal.values)), times(max(goal.values))
        reached = "reached" if goal.reached else "**not reached**"
        lines.append(f"| {goal.text} | {wanted} | {times(statistics.median(goal.values))} | {low}–{high} | {reached} |")
    return "\n".join(lines)
