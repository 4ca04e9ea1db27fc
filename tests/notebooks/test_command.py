"""`stunpcap notebook`: what it writes, that it runs, and what it refuses."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stunpcap import kernels
from stunpcap.cli import main
from stunpcap.cli.kernel import tidy
from stunpcap.cli.notebook import filled
from tests.notebooks.contents import load, outputs, printed, text
from tests.places import LAB

DEAD = LAB / "asymmetric-dead" / "answerer.pcap"
Run = Callable[..., subprocess.CompletedProcess[str]]


def parameters(notebook: dict[str, Any]) -> dict[str, Any]:
    """The values that the tagged cell sets."""
    (cell,) = (cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", ()))
    values: dict[str, Any] = {}
    exec(text(cell["source"]), values)
    return {name: values[name] for name in ("TRACE", "SESSION")}


@pytest.mark.parametrize(
    ("captures", "told"),
    [
        ([DEAD, DEAD.with_name("offerer.pcap")], "one-way-nat"),
        ([LAB / "capture-no-stun" / "server.pcap"], "no-stun"),
        ([LAB / "turn-udp" / "server.pcap"], "connected"),
        ([LAB / "ice-restart-incomplete" / "offerer.pcap"], "ice-restart-incomplete"),
    ],
    ids=["failed", "no-stun", "relayed", "restarted"],
)
def test_runs_on(captures: list[Path], told: str, tmp_path: Path, stunpcap_command: Run) -> None:
    """Failed, healthy, relayed, restarted, and without any STUN."""
    path = tmp_path / "call.ipynb"
    done = stunpcap_command("notebook", *captures, "-o", path, "--execute", "--no-open", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == str(path)
    made = load(path)
    assert not [one for one in outputs(made) if one["output_type"] == "error" or one.get("name") == "stderr"]
    assert told in printed(made)
    assert sum("image/png" in one.get("data", {}) for one in outputs(made)) >= 5


def test_many_sessions(tmp_path: Path, stunpcap_command: Run) -> None:
    captures = sorted(LAB.glob("a*/offerer.pcap"))
    done = stunpcap_command("notebook", *captures, "-o", tmp_path / "many.ipynb", "--execute", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f">{len(captures)}<" in printed(load(tmp_path / "many.ipynb"))  # the last session's number, in the overview


def test_paths_are_relative_below_the_notebook_only(tmp_path: Path) -> None:
    below, beside = tmp_path / "captures" / "a.pcap", tmp_path.parent / "b.pcap"
    assert parameters(filled([str(below)], tmp_path)) == {"TRACE": "captures/a.pcap", "SESSION": None}
    assert parameters(filled([str(beside)], tmp_path, 3)) == {"TRACE": str(beside), "SESSION": 3}
    both = parameters(filled([str(below), str(beside)], tmp_path))
    assert both["TRACE"] == ["captures/a.pcap", str(beside)]


@pytest.mark.parametrize(
    "name", ["it's.pcap", 'say "so".pcap', "both ' and \".pcap", "tab\t.pcap", "é\n.pcap", "\\x.pcap"]
)
def test_names_are_data(name: str, tmp_path: Path) -> None:
    assert parameters(filled([str(tmp_path / name)], tmp_path))["TRACE"] == name


def test_named_after_the_capture_and_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["notebook", str(DEAD), "--no-open"]) == 0
    written = tmp_path / "answerer.ipynb"
    assert capsys.readouterr().out == "answerer.ipynb\n"
    assert parameters(load(written))["TRACE"] == str(DEAD)
    before = written.read_bytes()
    assert main(["notebook", str(LAB / "direct" / "answerer.pcap"), "--no-open"]) == 2
    assert "answerer.ipynb exists" in capsys.readouterr().err
    assert written.read_bytes() == before
    assert main(["notebook", str(DEAD), "--session", "1", "--no-open", "--force"]) == 0
    assert parameters(load(written))["SESSION"] == 1


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        (["nowhere.pcap"], 3, "nowhere.pcap"),
        (["-"], 2, "standard input"),
        ([str(DEAD), "-o", "answerer.txt"], 2, ".ipynb"),
        ([str(DEAD), "-o", "no/such/place.ipynb"], 2, "no directory"),
        ([str(DEAD), "--session", "7"], 2, "no session 7"),
        ([str(LAB / "direct" / "README.md")], 3, "README.md"),
    ],
)
def test_refused(
    arguments: list[str],
    status: int,
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["notebook", *arguments, "--no-open"]) == status
    err = capsys.readouterr().err
    assert problem in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", refuse)
    assert main(["notebook", str(DEAD), "-o", str(tmp_path / "call.ipynb"), "--no-open"]) == 2
    assert "cannot be written: Permission denied" in capsys.readouterr().err


def test_how_to_get_jupyter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["notebook", str(DEAD), "-o", str(tmp_path / "call.ipynb")]) == 0
    assert "pip install 'stunpcap[notebook]'" in capsys.readouterr().err
    assert (tmp_path / "call.ipynb").exists()


@pytest.mark.parametrize("terminal", [True, False])
def test_opens_on_a_terminal_only(terminal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere a server would wait for ever for somebody to close it."""
    started: list[list[str]] = []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "jupyterlab")
    monkeypatch.setattr("subprocess.run", lambda command, check: started.append(command))
    monkeypatch.setattr("sys.stdin.isatty", lambda: terminal, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    path = tmp_path / "call.ipynb"
    assert main(["notebook", str(DEAD), "-o", str(path)]) == 0
    assert [command[1:] for command in started] == ([["-m", "jupyterlab", str(path)]] if terminal else [])


def test_without_the_packages_that_run_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ipykernel", None)
    assert main(["notebook", str(DEAD), "-o", str(tmp_path / "call.ipynb"), "--execute", "--no-open"]) == 2
    assert "pip install 'stunpcap[notebook]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_cell_that_fails_is_one_line(
    tmp_path: Path, stunpcap_command: Run, python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from stunpcap.cli import kernel, main, notebook\n"
        "made = notebook.template(); made['cells'][2]['source'] = 'raise ValueError(12)'\n"
        "notebook.template = lambda: made\n"
        f"sys.exit(main(['notebook', {str(DEAD)!r}, '--execute', '--no-open']))"
    )
    done = python("-c", code, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "stunpcap: a cell failed: ValueError: 12\n"


def test_the_note_of_the_first_run_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kernels, "_ANNOUNCED", False)
    kernels._announce()
    note = {"output_type": "stream", "name": "stderr", "text": capsys.readouterr().err}
    other = {"output_type": "stream", "name": "stderr", "text": "a warning"}
    cell = {
        "cell_type": "code",
        "execution_count": 1,
        "id": "a",
        "metadata": {},
        "outputs": [note, other],
        "source": "",
    }
    (done,) = tidy({"cells": [cell]})["cells"]
    assert [one["text"] for one in done["outputs"]] == [["a warning"]]


def test_what_tells_of_the_run_is_left_out() -> None:
    """Times, versions, and how output happened to be cut into pieces."""
    cell = {
        "cell_type": "code",
        "execution_count": 4,
        "id": "one",
        "metadata": {"execution": {"iopub.execute_input": "2026-01-01T00:00:00Z"}, "tags": ["parameters"]},
        "outputs": [
            {"output_type": "stream", "name": "stdout", "text": ["a\n", "b"]},
            {"output_type": "stream", "name": "stdout", "text": "c"},
            {"output_type": "stream", "name": "stderr", "text": "d"},
            {"output_type": "display_data", "metadata": {"w": 1}, "data": {"image/png": "x", "text/plain": "<Figure>"}},
        ],
        "source": "1",
    }
    made = tidy(
        {"cells": [cell], "metadata": {"language_info": {"version": "3.99"}}, "nbformat": 4, "nbformat_minor": 4}
    )
    (done,) = made["cells"]
    assert done["metadata"] == {"tags": ["parameters"]}
    assert [one.get("text") for one in done["outputs"]] == [["a\n", "bc"], ["d"], None]
    assert done["outputs"][2]["data"] == {"image/png": "x"} and done["outputs"][2]["metadata"] == {}
    assert "version" not in made["metadata"]["language_info"]
