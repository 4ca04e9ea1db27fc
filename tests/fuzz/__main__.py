"""The long run: `python -m tests.fuzz --minutes 60 [--seed N] [--keep DIRECTORY]`.

Each execution is a mutated capture of the corpus and one of the outputs.  STUNPCAP_COMPILE decides how kernels run:
`never` (the default here) in Python, where every index is checked and a buffer ends with its packet, `checked` compiled
with bounds checks.  Crashers are made smaller and kept; those of the repository are tests.  Status 1: there were any.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

os.environ.setdefault("STUNPCAP_COMPILE", "never")

from tests.fuzz.mutate import Capture, Packet, mutate, parse, plain_pcap
from tests.fuzz.outputs import OFTEN, run
from tests.places import lab_captures, shared_captures

HANGS = 30
"""Seconds after which an execution counts for one that does not end."""


class HangError(Exception):
    """An execution took too long."""


def _alarm(number: int, frame: FrameType | None) -> None:
    raise HangError


def corpus() -> Iterator[Capture]:
    """Captures that are small enough and in a format that can be taken apart."""
    for path in [*lab_captures(), *shared_captures()]:
        if path.stat().st_size < 400_000 and path.suffix != ".gz":
            capture = parse(path.read_bytes())
            if capture and capture.packets:
                yield capture


def crash(name: str, data: bytes) -> str:
    """Where it crashed, in one word; empty if it did not."""
    signal.alarm(HANGS)
    try:
        run(name, data)
    except Exception as error:
        ours = [one for one in traceback.extract_tb(error.__traceback__) if "stunpcap" in one.filename]
        place = f"{Path(ours[-1].filename).stem}-{ours[-1].name}-{ours[-1].lineno}" if ours else "outside"
        return f"{type(error).__name__}-{place}"
    finally:
        signal.alarm(0)
    return ""


def smaller(name: str, data: bytes, what: str) -> bytes:
    """The same crash with fewer packets."""
    capture = parse(data)
    if capture is None or len(capture.packets) > 500:
        return data
    best, packets = data, capture.packets
    size = max(1, len(packets) // 2)
    while size:
        at = 0
        while at < len(packets):
            fewer: list[Packet] = packets[:at] + packets[at + size :]
            written = plain_pcap(fewer, capture.link)
            if crash(name, written) == what:
                best, packets = written, fewer
            else:
                at += size
        size //= 2
    return best


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    parser.add_argument("--keep", type=Path, default=Path(__file__).parent / "crashers")
    given = parser.parse_args()
    warnings.simplefilter("error")
    signal.signal(signal.SIGALRM, _alarm)
    rng = random.Random(given.seed)
    captures = list(corpus())
    for name in OFTEN:  # compiling takes its time, and is nobody's fault
        run(name, plain_pcap(captures[0].packets, captures[0].link))
    began = time.monotonic()
    ran: collections.Counter[str] = collections.Counter()
    found: collections.Counter[str] = collections.Counter()
    print(f"seed {given.seed}, {len(captures)} captures, STUNPCAP_COMPILE={os.environ['STUNPCAP_COMPILE']}", flush=True)
    while time.monotonic() - began < given.minutes * 60:
        data = mutate(rng, rng.choice(captures))
        for name, often in OFTEN.items():
            if rng.random() >= often:
                continue
            ran[name] += 1
            what = crash(name, data)
            if what:
                found[f"{name}: {what}"] += 1
                if found[f"{name}: {what}"] == 1:
                    given.keep.mkdir(exist_ok=True)
                    path = given.keep / f"{what}.pcap"
                    path.write_bytes(smaller(name, data, what))
                    print(f"{name}: {what}: {path}", flush=True)
    seconds = time.monotonic() - began
    print(f"{ran.total():,} executions in {seconds:.0f} s:", ", ".join(f"{k} {n:,}" for k, n in ran.items()))
    for what, count in found.most_common():
        print(f"{count:6} {what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
