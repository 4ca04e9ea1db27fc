"""What stunpcap says of every labelled call, at every place where it was captured: `python -m tests.diagnose.verdicts`.

Prints the table of scenarios and vantages, and with `--write` keeps it in docs/verdicts.md.  A verdict is *right* if
state, root cause, direction and severity are those of the label; *acceptable* if it claims less, or something else, for
a reason that stands in `ACCEPTED`, written from how the network was built; else *wrong*.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import stunpcap
from tests.diagnose.accepted import ACCEPTED, Accepted

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "captures"
PAGE = ROOT / "docs" / "verdicts.md"
ENDS = ("hung-up", "agent-gone")
"""Findings that say how a call ended."""
TOGETHER = "together"
"""All captures of a call read as one."""
AFTER = {
    "failed": {"disconnected"},
    "disconnected": {"failed"},
    "connected": {"closed"},
    "closed": {"connected"},
}
"""States that differ only in the agent's timers (docs/concepts.md), or in whether its end was still captured."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was said of one call at one place."""

    scenario: str
    vantage: str
    state: str
    root_cause: str
    direction: str
    mark: str
    why: str
    named: frozenset[str]
    errors: frozenset[str]


@dataclass(frozen=True, slots=True)
class Said:
    """The verdict of a trace, as far as labels tell it."""

    state: str
    root_cause: str
    src: str | None
    dst: str | None
    findings: tuple[dict[str, Any], ...]


def scenarios() -> list[str]:
    """Every scenario with a label, by name."""
    return sorted(path.parent.name for path in CORPUS.glob("*/expect.toml"))


@cache
def label(scenario: str) -> dict[str, Any]:
    """The label of a scenario."""
    return tomllib.loads((CORPUS / scenario / "expect.toml").read_text())


def captures(scenario: str) -> dict[str, list[Path]]:
    """Vantage -> its file; and all of them together."""
    single = {name: [next((CORPUS / scenario).glob(f"{name}.pcap*"))] for name in sorted(label(scenario)["captures"])}
    every = [path for paths in single.values() for path in paths]
    return single | ({TOGETHER: every} if len(single) > 1 else {})


@cache
def said(scenario: str, vantage: str) -> Said:
    """What stunpcap says of a call."""
    trace = stunpcap.read(*captures(scenario)[vantage])
    findings = tuple(trace.table("findings").records())
    sessions = list(trace.table("sessions").records())
    if not sessions:
        cause = next((one for one in findings if one["severity"] == "error"), None)
        state = "none"
    else:
        # A call is what its sessions are; of several one that has a cause, else the last.
        chosen = next((one for one in reversed(sessions) if one["root_cause"]), sessions[-1])
        cause = next(
            (one for one in findings if one["session_id"] == chosen["session_id"] and one["part"] == "cause"), None
        )
        state = chosen["state"]
    return Said(
        state,
        cause["name"] if cause else "",
        cause["src"] if cause else None,
        cause["dst"] if cause else None,
        findings,
    )


def judge(scenario: str, vantage: str) -> Verdict:
    """Compare what was said with the label."""
    wanted, told = label(scenario), said(scenario, vantage)
    said_so = [one for one in told.findings if one["part"] not in ("ruled-out", "possible")]
    named = frozenset(one["name"] for one in said_so)
    errors = frozenset(one["name"] for one in told.findings if one["severity"] == "error")
    direction = _direction(wanted["nodes"], told)
    state_ok = told.state == wanted["state"] or told.state in AFTER.get(wanted["state"], ())
    root_ok = told.root_cause == wanted["root_cause"]
    if wanted["root_cause"] in ENDS and not errors:
        # An end is no fault; how it shows, as a word of the agent's or of its host's, depends on the place.
        root_ok = told.state == "closed" and bool(named & set(ENDS))
    direction_ok = not wanted["direction"] or wanted["root_cause"] in ENDS or direction == wanted["direction"]
    quiet_ok = bool(wanted["root_cause"]) or not errors
    # What is said to be a guess is not said wrongly.
    claimed = {one["name"] for one in said_so if one["confidence"] != "low"}
    never = claimed & (set(wanted["never"]) - (set(ENDS) if told.state == "closed" else set()))
    off = [
        text
        for ok, text in (
            (state_ok, f"state {told.state}, not {wanted['state']}"),
            (root_ok, f"{told.root_cause or 'no cause'}, not {wanted['root_cause'] or 'none'}"),
            (direction_ok, f"direction {direction or 'none'}, not {wanted['direction']}"),
            (quiet_ok, f"errors {', '.join(sorted(errors))}"),
            (not never, f"wrongly named {', '.join(sorted(never))}"),
        )
        if not ok
    ]
    mark, why = "right", ""
    if off:
        allowed = _allowed(scenario, vantage)
        fine = (
            allowed is not None
            and not never - set(allowed.named)
            and (root_ok or told.root_cause in allowed.causes)
            and (state_ok or told.state in allowed.states)
            and (quiet_ok or told.root_cause in allowed.causes)
            and (direction_ok or not root_ok or allowed.any_direction)
        )
        mark, why = ("acceptable", allowed.reason) if allowed and fine else ("wrong", "; ".join(off))
    return Verdict(scenario, vantage, told.state, told.root_cause, direction, mark, why, named, errors)


def _allowed(scenario: str, vantage: str) -> Accepted | None:
    return next(
        (one for pattern, one in ACCEPTED.items() if fnmatch(f"{scenario}/{vantage}", pattern)),
        None,
    )


def _direction(nodes: dict[str, list[str]], told: Said) -> str:
    """The direction in node names."""
    ends = []
    for end in (told.src, told.dst):
        if end is None:
            return ""
        address = end.rpartition(":")[0].strip("[]")
        ends.append(next((node for node, addresses in nodes.items() if address in addresses), address))
    return " -> ".join(ends)


def judge_all(names: Sequence[str] = ()) -> Iterator[Verdict]:
    """Every scenario, at each vantage and together."""
    for scenario in scenarios():
        if names and not any(fnmatch(scenario, name) for name in names):
            continue
        for vantage in captures(scenario):
            yield judge(scenario, vantage)


def page(verdicts: Sequence[Verdict]) -> str:
    """docs/verdicts.md."""
    marks = Counter(verdict.mark for verdict in verdicts)
    lines = [
        "# Verdicts on the labelled captures",
        "",
        "<!-- made by python -m tests.diagnose.verdicts --write -->",
        "",
        "What stunpcap says of each call in `captures/`, from each capture alone and from all of them together, beside",
        "the label (`expect.toml`), which follows from how the network was built. *Right*: state, root cause and",
        "direction are the label's, and nothing is said that would be wrong. *Acceptable*: it claims less, since this",
        "capture alone cannot know, or it is as true; the reason stands beside. On a healthy call any error is wrong.",
        "",
        f"{len(verdicts)} verdicts: {', '.join(f'{marks[mark]} {mark}' for mark in ('right', 'acceptable', 'wrong'))}.",
        "",
        "| scenario | label | vantage | said | direction | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    before = ""
    for one in verdicts:
        wanted = label(one.scenario)
        first = one.scenario != before
        before = one.scenario
        stated = f"{wanted['state']}, `{wanted['root_cause']}`" if wanted["root_cause"] else wanted["state"]
        what = f"{one.state}, `{one.root_cause}`" if one.root_cause else one.state
        mark = (
            f"**{one.mark}**: {one.why}" if one.mark == "wrong" else f"{one.mark}: {one.why}" if one.why else one.mark
        )
        lines.append(
            f"| {one.scenario if first else ''} | {stated if first else ''} | {one.vantage} | {what} | "
            f"{one.direction.replace('->', '→')} | {mark} |"
        )
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """The command; status 1 if a verdict is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.diagnose.verdicts", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="SCENARIO", help="these only; * stands for anything")
    parser.add_argument("--write", action="store_true", help="keep the table in docs/verdicts.md")
    parser.add_argument("--wrong", action="store_true", help="print wrong ones only, a line each")
    given = parser.parse_args(argv)
    verdicts = list(judge_all(given.names))
    wrong = [one for one in verdicts if one.mark == "wrong"]
    if given.wrong:
        for one in wrong:
            print(f"{one.scenario}/{one.vantage}: {one.why}")
        print(f"{len(wrong)} wrong of {len(verdicts)}")
    else:
        print(page(verdicts), end="")
    if given.write:
        PAGE.write_text(page(list(judge_all())), encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
