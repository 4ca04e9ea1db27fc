"""Running commands in turn and weighing them: wall time and peak memory of whole processes."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Run:
    """One command on one input, and what its runs took."""

    name: str
    command: list[str]
    packets: int
    environment: dict[str, str] = field(default_factory=dict)
    fresh_cache: bool = False
    """Compiled code is made anew each time, as on the first use after an installation."""
    seconds: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Median wall time in seconds."""
        return statistics.median(self.seconds)

    def measure(self) -> None:
        """Run once more.

        Raises
        ------
        RuntimeError
            The command failed.
        """
        with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as errors:
            environment = {**os.environ, **self.environment}
            environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installation has its bytecode
            if self.fresh_cache:
                environment["NUMBA_CACHE_DIR"] = scratch
            begin = time.perf_counter()
            process = subprocess.Popen(
                self.command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
            )
            _, status, used = os.wait4(process.pid, 0)
            took = time.perf_counter() - begin
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                errors.seek(0)
                raise RuntimeError(f"{' '.join(self.command)}: {errors.read().decode(errors='replace')}")
        self.seconds.append(took)
        self.peak_mb.append(used.ru_maxrss * 1024 / 1e6)


def in_turn(runs: Sequence[Run], rounds: int) -> None:
    """Run everything once, then once more, and so on: a machine that slows down then slows all of them."""
    for _ in range(rounds):
        for run in runs:
            run.measure()


def machine() -> str:
    """What this was measured on."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")),
        platform.processor() or "unknown processor",
    )
    memory = next((int(line.split()[1]) for line in _lines(Path("/proc/meminfo")) if line.startswith("MemTotal")), 0)
    return f"{cpu}, {os.cpu_count()} cores, {memory / 1e6:.0f} GB, {platform.system()}"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def version(command: Sequence[str]) -> str:
    """First line of what a program says of its version."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if any(ch.isdigit() for ch in line)]
    return lines[0].strip() if lines else "?"
