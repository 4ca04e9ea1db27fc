"""Running the command in this process, and in a terminal of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from stunpcap.cli import main
from tests.places import ROOT

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Done:
    """What a run left behind."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "NO_COLOR", "STUNPCAP_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run `main`; standard output is no terminal."""

    def run(*argv: str | Path) -> Done:
        status = main([str(argument) for argument in argv])
        captured = capsys.readouterr()
        return Done(status, captured.out, captured.err)

    return run


@pytest.fixture
def in_terminal() -> Callable[..., Done]:
    """Run the command in a terminal of a given width; standard error is there, too."""

    def run(*argv: str | Path, width: int = 80, **env: str) -> Done:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
        code = "import sys; from stunpcap.cli import main; sys.exit(main())"
        with subprocess.Popen(
            [sys.executable, "-c", code, *map(str, argv)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm-256color", **env},
        ) as process:
            os.close(slave)
            parts = []
            try:
                while part := os.read(master, 65536):
                    parts.append(part)
            except OSError:  # how Linux says that nobody holds the other end any more
                pass
            os.close(master)
        return Done(process.returncode, b"".join(parts).decode().replace("\r\n", "\n"), "")

    return run


@pytest.fixture
def run_apart() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python code in a process of its own, warnings being errors."""

    def run(code: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env={**os.environ, **env},
            check=False,
        )

    return run
