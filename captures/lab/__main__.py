"""`python -m captures.lab list | make NAME… | make --all | table | describe | clean`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from captures.lab import table
from captures.lab.make import make
from captures.lab.model import Scenario
from captures.lab.network import LabError, remove
from captures.lab.preflight import preflight
from captures.lab.scenarios import SCENARIOS, by_name

CORPUS = Path(__file__).resolve().parents[1]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m captures.lab", description="Make labelled captures of ICE calls.")
    verbs = top.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="name every scenario")
    made = verbs.add_parser("make", help="make scenarios anew (as root)")
    made.add_argument("names", nargs="*", metavar="NAME")
    made.add_argument("--all", action="store_true", help="every scenario")
    made.add_argument("--missing", action="store_true", help="those that have no directory yet")
    made.add_argument("--to", type=Path, default=CORPUS, help="directory to write below (default: captures/)")
    made.add_argument("--keep-logs", type=Path, help="copy logs and raw files of each run below this directory")
    verbs.add_parser("table", help="write the table of all scenarios into captures/README.md")
    verbs.add_parser("describe", help="write every README and expect.toml again, from the stored truth")
    verbs.add_parser("clean", help="remove whatever a run that died left behind")
    return top


def _say(text: str) -> None:
    print(text, flush=True)


def _made(scenario: Scenario, corpus: Path, logs: Path | None) -> bool:
    # Agents race each other: what went otherwise than expected once gets a second try.
    for _ in range(2):
        try:
            make(scenario, corpus, _say, logs)
        except (LabError, RuntimeError, OSError) as error:
            print(f"{scenario.name}: not made: {error}", file=sys.stderr, flush=True)
        else:
            return True
    return False


def _make(names: list[str], corpus: Path, logs: Path | None) -> int:
    scenarios = [by_name(name) for name in names]
    preflight(agent.kind for scenario in scenarios for agent in (scenario.offerer, scenario.answerer))
    # SIGTERM must clean up as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    failed = [scenario.name for scenario in scenarios if not _made(scenario, corpus, logs)]
    if corpus == CORPUS:
        table.update(CORPUS)
    if failed:
        print(f"not made: {' '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the lab; returns the exit status."""
    given = parser().parse_args(argv)
    try:
        if given.verb == "list":
            for scenario in SCENARIOS:
                print(f"{scenario.name:32} {scenario.title}")
        elif given.verb == "make":
            names = list(given.names)
            if given.all:
                names = [scenario.name for scenario in SCENARIOS]
            if given.missing:
                names += [s.name for s in SCENARIOS if not (given.to / s.name / "truth.json").exists()]
            if not names and not given.missing:
                raise LabError("name a scenario, or say --all or --missing")
            return _make(names, given.to, given.keep_logs)
        elif given.verb == "table":
            table.update(CORPUS)
        elif given.verb == "describe":
            table.describe(CORPUS)
        else:
            for name in remove():
                print(f"removed {name}")
    except LabError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the networks are gone", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
