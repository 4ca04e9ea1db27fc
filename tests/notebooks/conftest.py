"""Programs of their own, and their kernels: what runs in one is the code of this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.places import ROOT


@pytest.fixture
def python(monkeypatch: pytest.MonkeyPatch) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python as a program of its own, which imports stunpcap from here, and so do its kernels."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # a kernel draws into the notebook

    def python(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, cwd=cwd, capture_output=True, encoding="utf-8", timeout=600)

    return python


CODE = "import sys; from stunpcap.cli import main; sys.exit(main())"


@pytest.fixture
def stunpcap_command(
    python: Callable[..., subprocess.CompletedProcess[str]],
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command in a program of its own."""

    def run(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        return python("-c", CODE, *arguments, cwd=cwd)

    return run
