"""The notebooks of this repository: they run in new kernels, and what is stored in them is what they give."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.notebooks.contents import NOTEBOOKS, Notebook, load, outputs, printed, text
from tests.places import ROOT

ALL = sorted(NOTEBOOKS.glob("*.ipynb"))
TEMPLATE = ROOT / "stunpcap" / "templates" / "which_pairs.ipynb"
SIZE = 600_000
"""Bytes of the largest notebook; all of them together stay below 3 MB."""


def code(path: Path) -> list[str]:
    return [text(cell["source"]) for cell in load(path)["cells"] if cell["cell_type"] == "code"]


def words(notebook: Notebook) -> list[str]:
    """What the cells printed and the tables they showed, however laid out: packages differ in that."""
    parts = [text(output.get("text") or output.get("data", {}).get("text/plain", "")) for output in outputs(notebook)]
    return " ".join(parts).replace("\\", " ").split()


def test_there_are_six() -> None:
    assert [path.name[0] for path in ALL] == list("123456")


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_runs_in_a_new_kernel(
    path: Path, tmp_path: Path, python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = python(NOTEBOOKS / "execute.py", "--to", tmp_path, path.name)
    assert (done.returncode, done.stderr) == (0, "")
    fresh, stored = load(tmp_path / path.name), load(path)
    assert words(fresh) == words(stored), "what is stored is out of date: run python notebooks/execute.py"
    pictures = [sum("image/png" in output.get("data", {}) for output in outputs(one)) for one in (fresh, stored)]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_stored_with_its_results(path: Path) -> None:
    cells = [cell for cell in load(path)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1)), "not run from the top"
    assert sum(bool(cell["outputs"]) for cell in cells) > len(cells) // 2
    assert not [one for one in outputs(load(path)) if one["output_type"] == "error" or one.get("name") == "stderr"]
    assert path.stat().st_size < SIZE


def test_together_they_are_small() -> None:
    assert sum(path.stat().st_size for path in NOTEBOOKS.rglob("*") if path.is_file()) < 3_000_000


@pytest.mark.parametrize("path", [*ALL, TEMPLATE], ids=lambda path: path.stem)
def test_tells_nothing_of_the_machine(path: Path) -> None:
    notebook = load(path)
    assert notebook["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook["cells"]:
        assert set(cell["metadata"]) <= {"tags"}
    # Of two steps at least; `</td>` and `{CASES}/direct/offerer.pcap` begin with no slash of their own.
    absolute = re.findall(r"(?<![\w.:/<~}])/(?:[\w.-]+/)+[\w.-]+", printed(notebook) + "\n".join(code(path)))
    assert absolute == []


@pytest.mark.parametrize("path", [*ALL, TEMPLATE], ids=lambda path: path.stem)
def test_calls_only_what_is_public(path: Path) -> None:
    """`import stunpcap` and nothing below it; no name that begins with an underscore."""
    for source in code(path):
        for node in ast.walk(ast.parse(source.rstrip().rstrip(";"))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("stunpcap")
            elif isinstance(node, ast.Import):
                assert all(not alias.name.startswith("stunpcap.") for alias in node.names)
            elif isinstance(node, ast.Attribute):
                assert not node.attr.startswith("_"), node.attr


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_what_is_told_is_shown(path: Path) -> None:
    """Addresses and frame numbers in the text are those of the results: captures may be made anew."""
    notebook = load(path)
    shown = printed(notebook) + "\n".join(code(path))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            told = re.sub(r"^```.*?^```", "", text(cell["source"]), flags=re.S | re.M)
            for address in re.findall(r"(?<!RFC )\b\d+\.\d+\.\d+\.\d+\b", told):
                if not re.search(rf"section {re.escape(address)}", told):
                    assert address in shown, address
            for link in re.findall(r"\]\(([^)#]+)\)", told):
                assert link.startswith("https://") or (path.parent / link).exists(), link


def test_number_three_is_the_template() -> None:
    assert code(NOTEBOOKS / "3-which-pairs-failed.ipynb") == code(TEMPLATE)
    assert not list(outputs(load(TEMPLATE)))


def test_the_motivating_case_tells_frames_that_are_so() -> None:
    """Frames 3 to 9 of the answerer's capture, as the story tells them."""
    import stunpcap

    trace = stunpcap.read(ROOT / "captures" / "asymmetric-dead" / "answerer.pcap")
    rows = trace.messages.set_index("frame")
    host, nat, told = "10.20.0.20", "172.30.0.2", "192.168.10.10"
    story = {
        3: ("request", host, told),
        6: ("success", nat, host),
        7: ("request", nat, host),
        8: ("success", host, nat),
        9: ("request", host, nat),
    }
    for frame, (kind, src, dst) in story.items():
        row = rows.loc[frame]
        assert (row["class"], row["src"].split(":")[0], row["dst"].split(":")[0]) == (kind, src, dst), frame
    told_in = "\n".join(text(cell["source"]) for cell in load(NOTEBOOKS / "2-the-motivating-case.ipynb")["cells"])
    assert {int(n) for n in re.findall(r"\b[Ff]rames? (\d+)", told_in)} <= set(story)
