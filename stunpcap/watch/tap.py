"""A program that captures, started for us: tcpdump or dumpcap, whichever is there and may.

Both write the capture to a pipe.  tcpdump hands every packet on at once; dumpcap may capture where the user is in its
group.  So root takes tcpdump first, and everybody else dumpcap.  What goes wrong becomes one line.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
from typing import IO

from stunpcap.errors import CaptureError, EngineError

STARTING = 5.0
"""Seconds that a program gets to write its file header."""
ENDING = 3.0
"""Seconds that it gets to write what it still has, once it was told to end."""
NONE_THERE = (
    "live capture needs tcpdump or dumpcap, and neither is installed (Debian: apt install tcpdump; dumpcap comes with "
    "Wireshark); or pipe a capture in: ... | stunpcap live -"
)
RIGHTS = "capturing needs root, or for dumpcap membership in the group wireshark"


class Tap:
    """A running program; `stream` is what it captures.

    Raises
    ------
    EngineError
        There is no program that captures.
    CaptureError
        None of them can capture there, with their words.
    """

    def __init__(self, interface: str, capture_filter: str = "") -> None:
        programs = [name for name in _order() if shutil.which(name)]
        if not programs:
            raise EngineError(NONE_THERE)
        problems = []
        for name in programs:
            # A process group of its own: Ctrl-C is for us, and we let it end in good order.
            self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `stop`
            self._process = subprocess.Popen(
                _argv(name, interface, capture_filter),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._log,
                bufsize=0,
                start_new_session=True,
            )
            assert self._process.stdout is not None
            self.program = name
            self.stream: IO[bytes] = self._process.stdout
            if self._begins():
                return
            problems.append(f"{name}: {self._words()}")
            self.stop()
        said = "; ".join(problems)
        raise CaptureError(interface, f"cannot be captured at ({said})" + (f"; {RIGHTS}" if "permi" in said else ""))

    def _begins(self) -> bool:
        """Whether it captures: it writes something, or at least lives on."""
        select.select([self.stream], [], [], STARTING)
        with contextlib.suppress(subprocess.TimeoutExpired):
            # One that fails closes its output a moment before it ends.
            self._process.wait(0.05)
        return self._process.poll() is None

    def _words(self) -> str:
        """What it said last, in one line."""
        self._log.seek(0)
        lines = [line.strip() for line in self._log.read().decode("utf-8", "replace").splitlines() if line.strip()]
        told = [line for line in lines if not line.startswith(("Capturing on", "Packets ", "tcpdump: listening"))]
        said = next((line for line in told if "permi" in line.lower()), told[0] if told else "it ended at once")
        return said.removeprefix(f"{self.program}: ").rstrip(".")

    def end(self) -> None:
        """Let it write what it has, and end; what it writes can still be read."""
        if self._process.poll() is None:
            with contextlib.suppress(OSError):
                self._process.send_signal(signal.SIGINT)

    def stop(self) -> None:
        """Be done with it."""
        self.end()
        try:
            self._process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.stream.close()
        self._log.close()


def _order() -> tuple[str, ...]:
    return ("tcpdump", "dumpcap") if os.geteuid() == 0 else ("dumpcap", "tcpdump")


def _argv(program: str, interface: str, capture_filter: str) -> list[str]:
    if program == "tcpdump":
        argv = ["tcpdump", "--immediate-mode", "-U", "-n", "-i", interface, "-w", "-"]
        return [*argv, "--", capture_filter] if capture_filter else argv
    argv = ["dumpcap", "-q", "-i", interface, "-w", "-"]
    return [*argv, "-f", capture_filter] if capture_filter else argv
