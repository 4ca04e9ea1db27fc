"""Measure stunpcap and other programs side by side: `python -m benchmarks.compare media`.

Makes its inputs, runs every program in turn for several rounds, and prints a table with medians, spread, peak memory
and ratios, with machine and versions.  Slow programs run on a share of the packets; the table says so and scales.

This process stays small: the peak memory that the system tells of a child is never less than its parent's.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Run, in_turn, machine, version

FIELDS = (
    "frame.number",
    "frame.time_epoch",
    "ip.src",
    "udp.srcport",
    "ip.dst",
    "udp.dstport",
    "stun.type",
    "stun.id",
    "stun.att.username",
    "stun.att.ipv4",
)
COOKIE_FILTER = "udp[12:4] = 0x2112a442"
STUNPCAP = str(Path(sys.executable).with_name("stunpcap"))


@dataclass(frozen=True, slots=True)
class Contestant:
    """A program that is measured."""

    name: str
    command: Callable[[str], list[str]]
    version: list[str]
    share: float = 1.0
    """The part of the packets it is given."""
    fresh_cache: bool = False


CONTESTANTS = (
    Contestant("stunpcap summary --json", lambda path: [STUNPCAP, "summary", "--json", path], [STUNPCAP, "--version"]),
    Contestant(
        "the same, first use ever",
        lambda path: [STUNPCAP, "summary", "--json", path],
        [STUNPCAP, "--version"],
        fresh_cache=True,
    ),
    Contestant(
        "tshark -Y stun -T fields",
        lambda path: [
            *("tshark", "-n", "-r", path, "-Y", "stun", "-T", "fields"),
            *(part for one in FIELDS for part in ("-e", one)),
        ],
        ["tshark", "--version"],
        share=0.2,
    ),
    Contestant(
        "tcpdump, filter on the cookie",
        lambda path: ["tcpdump", "-n", "-r", path, "-w", "-", COOKIE_FILTER],  # writing is what it does fastest
        ["tcpdump", "--version"],
    ),
    Contestant("cat", lambda path: ["cat", path], ["cat", "--version"]),
)
"""Whom to add: a row here.  The first is what the others are compared with."""

SIZES = {"media": 1_000_000, "server": 500_000, "sessions": 10_000}
GROWTH = (0.25, 2.0)
"""Further sizes for stunpcap alone, to show how time and memory grow."""


def inputs(kind: str, count: int, folder: Path) -> Callable[[float], tuple[Path, int]]:
    """A function that gives the capture with a share of `count`, and its number of packets; made when asked for."""
    made: dict[int, tuple[Path, int]] = {}

    def of(share: float) -> tuple[Path, int]:
        wanted = int(count * share)
        if wanted not in made:
            path = folder / f"{kind}-{wanted}.pcap"
            command = [sys.executable, "-m", "benchmarks.generate", kind, str(path), "--packets", str(wanted)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            made[wanted] = path, int(done.stdout.split()[0])
        return made[wanted]

    return of


def plan(kind: str, count: int, folder: Path) -> list[Run]:
    """What to run."""
    of = inputs(kind, count, folder)
    runs = []
    for one in CONTESTANTS:
        if shutil.which(one.command("")[0]) is None:
            print(f"{one.name}: not installed, left out", file=sys.stderr)
            continue
        path, packets = of(one.share)
        runs.append(Run(one.name, one.command(str(path)), packets, fresh_cache=one.fresh_cache))
    for share in GROWTH:
        path, packets = of(share)
        runs.append(Run(f"{CONTESTANTS[0].name}, × {share:g}", CONTESTANTS[0].command(str(path)), packets))
    return runs


def table(runs: list[Run]) -> str:
    """The results as a Markdown table."""
    lines = [
        "| program | packets | seconds, median | spread | s per million packets | ratio per packet | peak MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    base = runs[0].median / runs[0].packets
    for run in runs:
        each = run.median / run.packets
        spread = f"{min(run.seconds):.2f}–{max(run.seconds):.2f}"
        lines.append(
            f"| {run.name} | {run.packets:,} | {run.median:.2f} | {spread} | {each * 1e6:.2f} | {each / base:.2f} "
            f"| {max(run.peak_mb):.0f} |"
        )
    return "\n".join(lines)


def versions() -> str:
    """Versions of everything that took part."""
    libraries = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "numba", "stunpcap"))
    programs = {version(one.version) for one in CONTESTANTS[2:] if shutil.which(one.version[0])}
    return f"Python {platform.python_version()}, {libraries}; {'; '.join(sorted(programs))}"


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=SIZES)
    parser.add_argument("--packets", type=int, metavar="N", help="packets; sessions, for `sessions`")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        runs = plan(given.kind, given.packets or SIZES[given.kind], Path(folder))
        once = [run for run in runs if run.fresh_cache]
        in_turn(once, 1)
        in_turn(runs[:1], 1)  # compiled code and page cache are warm from here on
        runs[0].seconds.clear()
        runs[0].peak_mb.clear()
        in_turn([run for run in runs if not run.fresh_cache], given.rounds)
    print(f"{machine()}\n\n{versions()}\n\n{table(runs)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
