"""The command; see the package."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.diagnose.properties.chosen import chosen
from tests.diagnose.properties.judging import PROPERTIES, Violation
from tests.diagnose.properties.places import every_place
from tests.diagnose.properties.running import Outcome, Task, patterns, run


def main(argv: Sequence[str] | None = None) -> int:
    """Status 1 if a property does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.diagnose.properties",
        description="Look for verdicts that change where they may not, without asking for labels.",
        epilog="; ".join(f"{name}: {text}" for name, text in PROPERTIES.items()),
    )
    parser.add_argument("--all", action="store_true", help="every capture, in place of those of the test")
    parser.add_argument("--scenario", nargs="+", default=[], metavar="NAME", help="these; * stands for anything")
    parser.add_argument("--property", nargs="+", default=[], metavar="NAME", choices=PROPERTIES)
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="keep the violations there")
    parser.add_argument("--quiet", action="store_true", help="patterns and counts only")
    given = parser.parse_args(argv)
    wanted = tuple(given.property) or tuple(PROPERTIES)
    if given.all or given.scenario:
        tasks = [Task(place, wanted) for place in every_place(tuple(given.scenario))]
    else:
        tasks = chosen(wanted)

    def show(done: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done} of {len(tasks)}", end="" if done < len(tasks) else "\n", file=sys.stderr, flush=True)

    outcome = run(tasks, given.jobs, show)
    report(outcome, wanted, quiet=given.quiet)
    if given.csv:
        save(given.csv, outcome.violations)
    return 1 if outcome.violations else 0


def report(outcome: Outcome, wanted: Sequence[str], *, quiet: bool) -> None:
    """Print violations property by property, patterns, and counts."""
    for name in wanted:
        found = [one for one in outcome.violations if one.property == name]
        if not found:
            continue
        print(f"{name}: {PROPERTIES[name]}")
        if not quiet:
            for one in found:
                print(f"  {one.place}, {one.piece}: {one.before} → {one.after}")
        print("  patterns:")
        for count, one in patterns(found):
            print(f"  {count:5}  {one.pattern[0]} → {one.pattern[1]}, as {one.place}, {one.piece}")
        print()
    print(f"{'property':<16} {'pieces':>7} {'violations':>10}")
    for name in wanted:
        print(f"{name:<16} {outcome.tried[name]:7} {sum(one.property == name for one in outcome.violations):10}")


def save(path: Path, violations: Sequence[Violation]) -> None:
    """A row for each violation."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["property", "place", "piece", "before", "after", "pattern_before", "pattern_after"])
        for one in violations:
            writer.writerow([one.property, one.place, one.piece, one.before, one.after, *one.pattern])


if __name__ == "__main__":
    sys.exit(main())
