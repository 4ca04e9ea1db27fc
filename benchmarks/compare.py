"""Measure stunpcap and other programs side by side: `python -m benchmarks.compare all`.

Makes its inputs, runs every program in turn for several rounds, and prints tables with medians, spread, peak memory
and ratios, with machine and versions; `--write docs/performance.md` puts them between the marks in that page.  Slow
programs run on a share of the packets, and the tables say so.

This process stays small: the peak memory that the system tells of a child is never less than its parent's.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Run, in_turn, machine, version
from benchmarks.tables import Entry, Goal, goals, growth, marginal, ratios, table
from benchmarks.works import GROWTH, HELP, OURS, TCPDUMP, TINY, TSHARK_ALONE, WORKS, Contestant, Work

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


class Inputs:
    """Captures, made when first asked for and kept in a directory."""

    def __init__(self, folder: Path) -> None:
        sources = ("generate", "packets", "stun")
        made_by = hashlib.sha256(b"".join(Path(__file__).with_name(f"{name}.py").read_bytes() for name in sources))
        self._folder = folder / made_by.hexdigest()[:8]
        self._folder.mkdir(parents=True, exist_ok=True)
        self._counts: dict[Path, tuple[int, int]] = {}

    def capture(self, kind: str, count: int) -> tuple[Path, int]:
        """The capture and its number of packets."""
        path = self._folder / f"{kind}-{count}.pcap"
        told = path.with_suffix(".txt")
        if not told.exists():
            command = [sys.executable, "-m", "benchmarks.generate", kind, str(path), "--packets", str(count)]
            told.write_text(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        packets, messages = re.findall(r"(\d+) (?:packets|STUN)", told.read_text())
        self._counts[path] = int(packets), int(messages)
        return path, int(packets)

    def messages(self, kind: str, count: int) -> int:
        """How many STUN messages the capture holds."""
        return self._counts[self.capture(kind, count)[0]][1]


@dataclass(slots=True)
class Measured:
    """One work, measured."""

    work: Work
    entries: list[Entry]
    grown: dict[str, list[Run]]
    """Program -> its runs on growing captures."""
    messages: int
    first_use: Run | None

    def seconds(self, contestant: Contestant) -> list[float] | None:
        """What a program took for the whole capture; None if it did not take part."""
        return next((entry.seconds for entry in self.entries if entry.run.name == contestant.name), None)


def installed(one: Contestant) -> bool:
    """Whether a program can take part."""
    return shutil.which(one.version[0]) is not None and (not one.module or bool(importlib.util.find_spec(one.module)))


def measure(work: Work, inputs: Inputs, rounds: int, first: bool) -> Measured:
    """Run what there is to run."""
    whole_path, whole = inputs.capture(work.kind, work.count)
    entries: list[Entry] = []
    for one in work.contestants:
        if not installed(one):
            print(f"{one.name}: not installed, left out", file=sys.stderr)
            continue
        path, packets = inputs.capture(work.kind, max(1, int(work.count * one.share)))
        start = None
        if packets != whole:
            tiny, few = inputs.capture("media", TINY)
            start = Run(f"{one.name}, start", one.command(str(tiny)), few)
        entries.append(Entry(Run(one.name, one.command(str(path)), packets), whole, start))
    grown = {}
    for one in work.growing:
        if installed(one):
            grown[one.name] = [entry.run for entry in entries if entry.run.name == one.name]
            for more in GROWTH:
                path, packets = inputs.capture(work.kind, work.count * more)
                grown[one.name].append(Run(f"{one.name}, × {more}", one.command(str(path)), packets))
    fresh = Run(f"{OURS.name}, first use ever", OURS.command(str(whole_path)), whole, fresh_cache=True)
    if first:
        in_turn([fresh], 1)
    sizes = [whole_path, *(inputs.capture(work.kind, work.count * more)[0] for more in GROWTH)]
    # Compiled code and page cache are warm from here on: what is larger may need more of the loops.
    in_turn([Run(OURS.name, OURS.command(str(path)), whole) for path in sizes], 1)
    runs = [run for entry in entries for run in (entry.run, entry.start) if run is not None]
    runs += [run for sizes in grown.values() for run in sizes[1:]]
    in_turn(runs, rounds)
    messages = inputs.messages(work.kind, work.count)
    return Measured(work, entries, grown, messages, fresh if first else None)


def targets(found: dict[str, Measured]) -> list[Goal]:
    """What there is to reach, as far as it was measured."""
    made: list[Goal] = []

    def faster(work: str, peers: dict[str, float], text: str) -> None:
        if work in found:
            ours = found[work].seconds(OURS) or []
            for entry in found[work].entries:
                wanted = peers.get(entry.run.name.split(",")[0].split(" ")[0])
                if wanted:
                    made.append(
                        Goal(f"{text}: faster than {entry.run.name}", ratios(entry.seconds, ours), wanted, True)
                    )

    faster("media", {"tshark": 25, "dpkt": 20, "pyshark": 60, "scapy": 400}, "media")
    if "media" in found and TCPDUMP.name in found["media"].grown:
        sizes = found["media"].grown
        each = {name: marginal(sizes[name][0], sizes[name][-1]) for name in (OURS.name, TCPDUMP.name)}
        made.append(
            Goal("media: a further million packets, against tcpdump", ratios(*each.values()), 2, at_least=False)
        )
    if "media" in found:
        runs = found["media"].grown[OURS.name]
        made.append(Goal("media: peak memory", runs[0].peak_mb, 400, False, "MB"))
        made.append(
            Goal("media: peak memory of fourfold packets", ratios(runs[-1].peak_mb, runs[0].peak_mb), 1.1, False)
        )
    faster("server", {"tshark": 10, "pyshark": 400}, "STUN server")
    if "server" in found and "sessions" in found:
        one, other = found["sessions"], found["server"]
        each_session = [took / one.messages for took in one.seconds(OURS) or []]
        each_message = [took / other.messages for took in other.seconds(OURS) or []]
        rounds = min(len(each_session), len(each_message))
        against = ratios(each_session[:rounds], each_message[:rounds])
        made.append(Goal("sessions: each message, against the STUN server's", against, 10, at_least=False))
    if "sessions" in found:
        runs = found["sessions"].grown[OURS.name]
        growing = [
            b / a / (runs[-1].packets / runs[0].packets) for a, b in zip(runs[0].seconds, runs[-1].seconds, strict=True)
        ]
        made.append(Goal("sessions: time of fourfold sessions, against four times the time", growing, 1.1, False))
    if "tiny" in found:
        tshark = found["tiny"].seconds(TSHARK_ALONE)
        for program, limit in ((OURS, 1.5), (HELP, 0.3)):
            took = found["tiny"].seconds(program)
            if tshark and took:
                made.append(
                    Goal(f"tiny: {program.name}, against tshark -r", ratios(took, tshark), limit, at_least=False)
                )
    return made


def versions(works: Sequence[Work]) -> str:
    """Versions of everything that took part."""
    libraries = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "numba", "stunpcap"))
    others = {
        tuple(one.version) for work in works for one in work.contestants if one not in (OURS, HELP) and installed(one)
    }
    programs = sorted(version(list(one)).rstrip(".") for one in others)
    return f"Python {platform.python_version()}, {libraries}; {'; '.join(programs)}"


def report(found: dict[str, Measured], rounds: int) -> str:
    """Everything as Markdown."""
    parts = [f"Machine: {machine()}. {rounds} rounds. Versions: {versions([one.work for one in found.values()])}."]
    wanted = targets(found)
    if wanted:
        parts += ["## Goals", goals(wanted)]
    for name, one in found.items():
        parts += [f"## {one.work.title}", f"`python -m benchmarks.compare {name}`", table(one.entries)]
        if one.first_use is not None:
            took = one.first_use.median
            parts.append(f"First use ever, when the loops are compiled and kept: {took:.0f} s, measured once.")
        parts += [growth(program, runs) for program, runs in one.grown.items()]
    return "\n\n".join(parts)


def write(page: Path, text: str) -> None:
    """Put the results between the marks of a page."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page}: {BEGIN} and {END} are missing")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__.split("\n")[0])
    parser.add_argument("work", choices=["all", *WORKS])
    parser.add_argument("--scale", type=float, default=1.0, metavar="X", help="of all sizes, to try it out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--inputs", type=Path, default=Path(tempfile.gettempdir()) / "stunpcap-benchmarks")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="a Markdown page with the marks")
    given = parser.parse_args(arguments)
    inputs = Inputs(given.inputs)
    found = {}
    for name in WORKS if given.work == "all" else [given.work]:
        scale = 1.0 if name == "tiny" else given.scale
        work = WORKS[name]
        sized = Work(work.title, work.kind, int(work.count * scale), work.contestants, work.growing)
        print(f"measuring: {name}", file=sys.stderr)
        found[name] = measure(sized, inputs, given.rounds, first=name == "media")
    text = report(found, given.rounds)
    print(text)
    if given.write:
        write(given.write, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
