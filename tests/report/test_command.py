"""`stunpcap report`: formats, files, exit status, and what is said where something is missing."""

from __future__ import annotations

import os
import pty
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stunpcap.cli import main
from tests.places import LAB

DEAD = LAB / "asymmetric-dead" / "answerer.pcap"
HEALTHY = LAB / "direct" / "offerer.pcap"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*argv: str | Path) -> tuple[int, str, str]:
        status = main(["report", *map(str, argv)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.mark.parametrize(
    ("name", "begins"), [("a.html", "<!DOCTYPE html>"), ("a.HTM", "<!DOCTYPE html>"), ("a.md", "# Post-mortem:")]
)
def test_the_ending_says_the_format(run: Run, name: str, begins: str) -> None:
    status, out, err = run(DEAD, "-o", name)
    assert (status, err) == (0, "")
    assert re.fullmatch(rf"{name} \([\d.]+ kB\)\n", out)
    assert Path(name).read_text(encoding="utf-8").startswith(begins)


def test_to_standard_output_and_to_a_file_are_the_same(run: Run) -> None:
    _, printed, _ = run(DEAD, "--format", "md", "-o", "-")
    run(DEAD, "-o", "a.md")
    assert printed == Path("a.md").read_text(encoding="utf-8")
    assert "`stunpcap report answerer.pcap`" in printed and str(DEAD.parent) not in printed


def test_without_a_name_it_is_called_as_the_capture(run: Run) -> None:
    assert run(DEAD)[1].startswith("answerer.report.html (")
    assert Path("answerer.report.html").is_file()


def test_a_file_is_replaced_whole_and_keeps_its_mode(run: Run) -> None:
    target = Path("a.md")
    target.write_text("before")
    target.chmod(0o640)
    assert run(DEAD, "-o", target)[0] == 0
    assert target.read_text(encoding="utf-8").startswith("# Post-mortem")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert [one.name for one in Path().iterdir()] == ["a.md"]


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        ((DEAD, "--fail-on", "error"), 1),
        ((HEALTHY, "--fail-on", "error"), 0),
        ((DEAD,), 0),
        ((DEAD, "--session", "7"), 2),
        (("nowhere.pcap",), 3),
        ((DEAD, "-o", "a.txt"), 2),
        ((DEAD, "-o", "nowhere/a.md"), 2),
        ((DEAD, "-o", "-", "--format", "pdf"), 2),
    ],
)
def test_exit_status(run: Run, argv: tuple[str | Path, ...], status: int) -> None:
    given = argv if "-o" in argv else (*argv, "-o", "a.md")
    done = run(*given)
    assert done[0] == status
    assert len(done[2].splitlines()) == (status > 1)
    assert Path("a.md").exists() == (status < 2)


def test_what_was_asked_for_is_noted_and_no_secret_is(run: Run) -> None:
    _, text, _ = run(
        DEAD, "-o", "-", "--format", "md", "--session", 1, "--name", "far side", "--password", "686w=geheim"
    )
    assert "`stunpcap report --session 1 --name 'far side' answerer.pcap`" in text
    assert "geheim" not in text


def test_no_browser_no_pdf(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    status, out, err = run(DEAD, "-o", "a.pdf")
    assert (status, out) == (2, "")
    assert re.fullmatch(
        r"stunpcap: a PDF is printed by a browser, and none is found in PATH .*: install one, .*\n", err
    )


def test_a_browser_that_does_not_print(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "chromium"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'no display today' >&2\nexit 5\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    status, _, err = run(DEAD, "-o", "a.pdf")
    assert (status, err) == (2, "stunpcap: chromium did not print: no display today\n")
    assert not Path("a.pdf").exists()


@pytest.mark.skipif(BROWSER is None, reason="no Chromium in PATH")
def test_a_pdf_and_the_same_one_again(run: Run) -> None:
    assert run(DEAD, "-o", "a.pdf")[0] == run(DEAD, "-o", "b.pdf")[0] == 0
    first, second = Path("a.pdf").read_bytes(), Path("b.pdf").read_bytes()
    assert first.startswith(b"%PDF-") and first == second
    assert 2 <= first.count(b"/Type /Page\n") <= 12


def test_progress_is_shown_on_a_terminal_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no patience at all, so that it need not be slow."""
    program = (
        "import sys, stunpcap.cli.progress as progress\n"
        "progress.PATIENCE = -1\n"
        "from stunpcap.cli import main\n"
        f"sys.exit(main(['report', {str(DEAD)!r}, '-o', {str(tmp_path / 'a.html')!r}]))\n"
    )
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=slave, env=environment)
    os.close(slave)
    said = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        said += piece
    os.close(master)
    assert done.returncode == 0
    assert b"session 1: " in said
    quiet = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert quiet.stderr == b""
