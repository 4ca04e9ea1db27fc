"""README and docs say what is so: commands exist, shown output is real, examples run, links lead somewhere."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from stunpcap.cli import main
from stunpcap.schema import FRAMES
from tests.places import LAB, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
FIRST_CAPTURE = "captures/asymmetric-dead/answerer.pcap"


def run(*arguments: str) -> tuple[int, str]:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        status = main(list(arguments))
    return status, out.getvalue()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.S | re.M)


@pytest.fixture(autouse=True)
def at_the_top(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_made_pages_are_current() -> None:
    made: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    for path, content in made["pages"]().items():
        assert path.read_text(encoding="utf-8") == content, f"{path.name} is out of date: run python docs/generate.py"


def test_every_column_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "frames.md").read_text(encoding="utf-8")
    for frame, columns in FRAMES.items():
        section = page.split(f"\n## {frame}\n")[1].split("\n## ")[0]
        assert re.findall(r"^\| `(\w+)` \|", section, re.M) == [column.name for column in columns]


def test_first_command_shows_the_dead_direction() -> None:
    """The README's first command on its capture, whose label says which direction is dead."""
    assert f"stunpcap summary {FIRST_CAPTURE}\n" in blocks(README, "sh")[0]
    label = tomllib.loads((LAB / "asymmetric-dead" / "expect.toml").read_text())
    assert label["direction"] == "answerer -> nat-a"
    nat = "172.30.0.2"  # nat-a's outside address; the answerer is A, since it checked first
    program = [sys.executable, "-X", "utf8", "-c", "import stunpcap.cli as cli; raise SystemExit(cli.main())"]
    done = subprocess.run([*program, "summary", FIRST_CAPTURE], capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    out = done.stdout
    pair = next(part for part in re.split(r"^ +\d+  A ", out, flags=re.M)[1:] if f"B {nat}:" in part.splitlines()[0])
    (line,) = (line for line in pair.splitlines() if "A → B" in line)
    assert "✗" in line and "lost" in line
    assert "✗ failed" in out


def test_commands_exist() -> None:
    named = set()
    for page in PAGES:
        for text in [*blocks(page.read_text(encoding="utf-8"), "sh"), *re.findall(r"`([^`\n]+)`", page.read_text())]:
            named |= set(re.findall(r"\bstunpcap ([a-z]+)\b", text))
    assert {"summary", "pairs", "show"} <= named
    for command in sorted(named):
        assert run(command, "--help")[0] == 0, command


def test_test_command_is_that_of_the_script() -> None:
    assert ".venv/bin/pip install '.[test]' && .venv/bin/pytest\n" in README
    script = (ROOT / ".ci" / "run").read_text()
    assert re.search(r"^pytest </dev/null", script, re.M)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert "test" in extras and "[test," in script


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_examples_run(page: Path) -> None:
    for example in blocks(page.read_text(encoding="utf-8"), "python"):
        exec(compile(example, page.name, "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_every_page_is_on_the_map() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"]({page.name})" in index


def test_all_of_the_main_dependencies_are_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    missing = [name for one in wanted if (name := re.split(r"[<>=\[]", one)[0]) and f"**{name}**" not in page]
    assert missing == []
