"""What signalling given beside the lab's captures changes: `python -m tests.signalling.measure` prints the table.

For each call the console logs of both agents are made from `truth.json` and given beside each of its captures.
getStats() is not among them: it is what types are compared with.  Logs are given a second time with clocks that are
wrong by an hour and some.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import stunpcap
from tests.places import ENDINGS, LAB
from tests.signalling.samples import AGENTS, Truth, console_log, get_stats, scenarios, truth_of

SHIFT = -3_723.5
"""Seconds by which the second clocks are wrong."""


def logs(truth: Truth, folder: Path, shift_s: float = 0, clock: str = "iso") -> list[Path]:
    """The console logs of both agents."""
    found = []
    for who in AGENTS:
        if truth.get(who) and truth["signalling"]:
            path = folder / f"{truth['scenario']}-{who}.log"
            path.write_text(console_log(truth, who, shift_s * 1000, clock))
            found.append(path)
    return found


def captures_of(scenario: str) -> list[Path]:
    """The captures of a call."""
    return sorted(path for path in (LAB / scenario).iterdir() if path.name.endswith(ENDINGS))


def browser_types(truth: Truth) -> Iterator[tuple[str, str, str, str]]:
    """(agent, username fragment, endpoint, type) of every candidate with an address that a browser knew in the end.

    Local ones only: what an agent calls its own candidate is what it is.
    """
    for who in AGENTS:
        for one in (truth.get(who) or {}).get("stats") or []:
            if (
                isinstance(one, dict)
                and one.get("type") == "local-candidate"
                and one.get("address")
                and one.get("port")
            ):
                address = one["address"]
                end = f"[{address}]:{one['port']}" if ":" in address else f"{address}:{one['port']}"
                yield who, one.get("usernameFragment", ""), end, one["candidateType"]


def measure(scenario: str, folder: Path) -> Counter[str]:
    """Counts over all captures of one call."""
    truth, found = truth_of(scenario), Counter[str]()
    told = logs(truth, folder)
    if not told:
        return found
    types = {(ufrag, end): kind for _, ufrag, end, kind in browser_types(truth)}
    for path in captures_of(scenario):
        before, after = stunpcap.read(path), stunpcap.read(path, signalling=told)
        found["captures"] += 1
        for name, trace in (("before", before), ("after", after)):
            table = trace.table("candidates")
            found[f"candidates {name}"] += len(table)
            found[f"unknown {name}"] += table.values("type").count("unknown")
            pairs = trace.table("pairs")
            found[f"pair ends {name}"] += 2 * len(pairs)
            ends = pairs.values("src_type") + pairs.values("dst_type")
            found[f"unknown pair ends {name}"] += ends.count("unknown")
            columns = (trace.table("messages").values(column) for column in ("class", "username", "realm", "integrity"))
            for kind, username, realm, integrity in zip(*columns, strict=True):
                if kind == "request" and username and not realm:
                    found[f"checks {name}"] += 1
                    found[f"{integrity} {name}"] += 1
            for one in table.records():
                kind = types.get((one["ufrag"], one["address"]))
                if kind is not None:
                    found[f"compared {name}"] += 1
                    found[f"right {name}"] += one["type"] == kind
                    found[f"wrong {name}"] += one["type"] not in (kind, "unknown")
        causes = [trace.table("sessions").values("root_cause") for trace in (before, after)]
        found["root cause changed"] += causes[0] != causes[1]
        graded: list[list[Any]] = []
        for trace in (before, after):
            table = trace.table("findings")
            graded.append([one["confidence"] for one in table.records() if one["part"] == "cause"])
        found["causes before"] += len(graded[0])
        found["causes after"] += len(graded[1])
        found["below high before"] += sum(one != "high" for one in graded[0])
        found["below high after"] += sum(one != "high" for one in graded[1])
        counters(truth, path, folder, found)
        clocks(after, path, 0, "", found)
        for clock in ("epoch", "day"):
            shifted = logs(truth, folder, SHIFT, clock)
            clocks(stunpcap.read(path, signalling=shifted), path, -SHIFT, " shifted", found)
        told = logs(truth, folder)
    return found


def counters(truth: Truth, path: Path, folder: Path, found: Counter[str]) -> None:
    """A browser's counters beside those of its own capture, by one merge; pairs without any answer are left out."""
    who = path.name.split(".")[0].split("-")[0]
    stats = (truth.get(who) or {}).get("stats")
    if not isinstance(stats, list) or not any(one.get("type") == "candidate-pair" for one in stats):
        return
    told = folder / f"{truth['scenario']}-{who}.json"
    told.write_text(get_stats(truth, who))
    trace = stunpcap.read(path, signalling=told)
    used = trace.stats[trace.stats["responses_received"].fillna(0) > 0]
    both = used.merge(trace.pairs, on=["session_id", "src", "dst"], suffixes=("", "_wire"))
    found["pairs with answers"] += len(used)
    found["merged"] += len(both)
    same = (both["requests_sent"] == both["requests_sent_wire"]) & (
        both["responses_received"] == both["responses_received_wire"]
    )
    found["merged and equal"] += int(same.sum())


def clocks(trace: stunpcap.Trace, path: Path, true_s: float, name: str, found: Counter[str]) -> None:
    """How far the offsets of an agent's own log are from what they are, in the capture taken at it."""
    for row in trace.table("signalling").records():
        who = row["file"].rsplit("-", 1)[1].removesuffix(".log")
        if path.name.split(".")[0].split("-")[0] == who and row["clock_offset_s"] is not None:
            wrong = row["clock_offset_s"] - true_s
            if row["clock"] == "time of day":  # whole days are a matter of the captures' date
                wrong -= round(wrong / 86400) * 86400
            wrong = abs(wrong)
            found[f"clocks{name}"] += 1
            found[f"clocks within 10 ms{name}"] += wrong <= 0.010
            found[f"clocks within 50 ms{name}"] += wrong <= 0.050
            found[f"clocks one-sided{name}"] += row["clock_error_s"] is None
            found[f"clocks within error{name}"] += row["clock_error_s"] is not None and wrong <= row["clock_error_s"]


def main(names: list[str]) -> None:
    """Print the table."""
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        for scenario in names or scenarios():
            found = measure(scenario, Path(name))
            total += found
            for what in ("wrong after", "invalid after", "root cause changed", "present after", "unknown after"):
                if found[what]:
                    print(f"  {scenario}: {what} {found[what]}", file=sys.stderr)
    rows = [
        ("candidates", "candidates"),
        ("candidates of unknown type", "unknown"),
        ("ends of pairs of unknown type", "unknown pair ends"),
        ("candidates that getStats() names, too", "compared"),
        ("of them with its type", "right"),
        ("of them with another type", "wrong"),
        ("checks", "checks"),
        ("checks with valid integrity", "valid"),
        ("checks with invalid integrity", "invalid"),
        ("checks whose integrity nobody can tell", "present"),
        ("causes", "causes"),
        ("causes below high confidence", "below high"),
    ]
    print(f"over {total['captures']} captures of {len(names or scenarios())} calls | without | with logs")
    print("--- | ---: | ---:")
    for words, key in rows:
        print(f"{words} | {total[f'{key} before']:,} | {total[f'{key} after']:,}")
    print(
        f"\ngetStats(): of {total['pairs with answers']} pairs with answers {total['merged']} merge with `pairs`, "
        f"{total['merged and equal']} with the same requests sent and responses received"
    )
    for name, words in (("", "right clocks"), (" shifted", "wrong clocks")):
        counts = {
            what: total[f"clocks{what}{name}"] for what in ("", " within 10 ms", " within 50 ms", " within error")
        }
        print(
            f"\n{words}: {counts['']} offsets, {counts[' within 10 ms']} within 10 ms, "
            f"{counts[' within 50 ms']} within 50 ms, {counts[' within error']} within the error they state, "
            f"{total[f'clocks one-sided{name}']} bounded on one side only"
        )
    print(f"\nroot causes changed in {total['root cause changed']} captures")


if __name__ == "__main__":
    main(sys.argv[1:])
