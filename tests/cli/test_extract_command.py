"""`stunpcap extract`."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest

import stunpcap
from stunpcap.cli import main
from tests.places import LAB

DROP = LAB / "one-way-drop" / "offerer.pcap"


def test_a_session_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.pcapng"
    assert main(["extract", str(DROP), "--session", "1", "-o", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(str(out))
    assert "with comments)" in said
    before, after = (stunpcap.read(path).tables.sessions for path in (DROP, out))
    assert after.values("root_cause") == before.values("root_cause")


def test_frames_by_numbers(tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    assert main(["extract", str(DROP), "--frames", "1, 3-5", "-o", str(out)]) == 0
    assert stunpcap.read(out).sources[0].packets == 4


def test_to_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["extract", str(DROP), "--session", "1", "--no-media", "-o", "-"]) == 0
    out, err = capfdbinary.readouterr()
    assert len(stunpcap.read(io.BytesIO(out)).messages)
    assert err.startswith(b"stunpcap: ")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["-", "-o", "x"], "save standard input"),
        ([str(DROP), "--frames", "5-", "-o", "x"], "must look like 1,2,5-9"),
        ([str(DROP), "--frames", "0-99999999", "-o", "x"], "must look like 1,2,5-9"),
        ([str(DROP), "--session", "7", "-o", "x"], "no session 7"),
        ([str(DROP), "--finding", "nonsense", "-o", "x"], "no finding"),
        ([str(DROP), "-o", str(DROP)], "is what is read"),
        ([str(DROP)], "Missing option"),
    ],
)
def test_errors_are_one_line(
    argv: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["extract", *argv]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_nothing_binary_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("stunpcap.cli.extract.sys", SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True)))
    assert main(["extract", str(DROP), "-o", "-"]) == 2
    assert "terminals" in capsys.readouterr().err
