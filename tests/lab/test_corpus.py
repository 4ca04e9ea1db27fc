"""The corpus is complete, its labels are well formed, and nothing in it tells of the machine that made it.

None of this needs root. Where root and the programs are there and STUNPCAP_LAB=1 is set, one more test makes
two scenarios anew and compares what the agents report.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "captures"
DIRECTORIES = sorted(path.parent for path in CORPUS.glob("*/expect.toml"))
TRUTHS = sorted(path.parent for path in CORPUS.glob("*/truth.json"))
LIMIT_BYTES = 40_000_000
FIELDS = {
    "scenario": str,
    "state": str,
    "ended_offerer": str,
    "ended_answerer": str,
    "root_cause": str,
    "direction": str,
    "also": list,
    "never": list,
    "unseen": str,
    "nodes": dict,
    "captures": dict,
    "mended_by": dict,
}
OPTIONAL = {"unseen", "mended_by"}
# Absolute paths of a build machine, and the release of its kernel as some programs announce it.
MACHINE = re.compile(rb"(?<![\w.:-])/(?:home|root|tmp|work|usr|var|opt|mnt|Users)/[\w.-]+|Linux[/ -]\d+\.\d+")
PCAP_MAGIC = {b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\x0a\x0d\x0d\x0a"}

sys.path.insert(0, str(ROOT))

from captures.lab import names, preflight, table, write  # noqa: E402
from captures.lab.make import all_vantages  # noqa: E402
from captures.lab.scenarios import SCENARIOS  # noqa: E402

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
named = pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: path.name)


def label(directory: Path) -> dict[str, Any]:
    return tomllib.loads((directory / "expect.toml").read_text())


def truth(directory: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((directory / "truth.json").read_text())
    return loaded


def test_there_is_a_corpus() -> None:
    assert len(DIRECTORIES) >= 50
    assert DIRECTORIES == TRUTHS


def test_every_scenario_of_the_table_has_been_made() -> None:
    assert {path.name for path in DIRECTORIES} == set(BY_NAME)


def test_scenario_names_are_unique() -> None:
    assert len(BY_NAME) == len(SCENARIOS)


@named
def test_directory_is_complete(directory: Path) -> None:
    scenario = BY_NAME[directory.name]
    wanted = {f"{vantage.name}.pcap" for vantage in all_vantages(scenario)}
    wanted |= {write.KEY_LOG} if write.logs_keys(scenario) else set()
    assert {path.name for path in directory.iterdir()} == wanted | {"README.md", "expect.toml", "truth.json"}


@named
def test_captures_hold_packets(directory: Path) -> None:
    for path in directory.glob("*.pcap"):
        data = path.read_bytes()
        assert data[:4] in PCAP_MAGIC, path.name
        assert len(data) > 200, path.name


@named
def test_label_follows_the_schema(directory: Path) -> None:
    said = label(directory)
    assert set(FIELDS) - OPTIONAL <= set(said) <= set(FIELDS)
    for key, value in said.items():
        assert isinstance(value, FIELDS[key]), key
    assert said["scenario"] == directory.name
    assert said["state"] in names.STATES
    findings = {said["root_cause"], *said["also"], *said["never"]} - {""}
    assert findings <= names.FINDINGS
    assert not {said["root_cause"], *said["also"]} & set(said["never"])


@named
def test_failures_name_their_cause(directory: Path) -> None:
    said = label(directory)
    if said["state"] != "connected":
        assert said["root_cause"]


@named
def test_mended_twin_is_healthier(directory: Path) -> None:
    mend = label(directory).get("mended_by")
    if mend is None:
        return
    assert set(mend) == {"scenario", "change"}
    assert mend["change"]
    twin = label(CORPUS / mend["scenario"])
    assert twin["state"] == "connected"
    assert twin["root_cause"] == ""


@named
def test_label_names_nodes_and_captures_that_are_there(directory: Path) -> None:
    said = label(directory)
    if said["direction"]:
        assert set(said["direction"].split(" -> ")) <= set(said["nodes"])
    assert set(said["captures"]) == {path.stem for path in directory.glob("*.pcap")}
    wires = {wire.name for wire in BY_NAME[directory.name].topology.wires}
    assert set(said["captures"].values()) <= set(said["nodes"]) | wires


@named
def test_label_agrees_with_the_agents(directory: Path) -> None:
    said, agents = label(directory), truth(directory)
    connected = {"connected", "completed"}
    for role in ("offerer", "answerer"):
        wanted, reported = said[f"ended_{role}"], agents[role]["states"]["connectionState"]
        assert wanted in ("*", reported) or {wanted, reported} <= connected


@named
def test_texts_follow_from_the_scenario(directory: Path) -> None:
    scenario = BY_NAME[directory.name]
    assert (directory / "expect.toml").read_text() == write.expect(scenario)
    assert (directory / "README.md").read_text() == write.readme(scenario, truth(directory))


@named
def test_nothing_tells_of_the_machine(directory: Path) -> None:
    for path in directory.iterdir():
        assert MACHINE.search(path.read_bytes()) is None, path.name


def test_table_is_current() -> None:
    assert (CORPUS / "README.md").read_text() == table.updated(CORPUS)


def test_corpus_is_small() -> None:
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < LIMIT_BYTES


def test_lab_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", "")
    problems = "\n".join(preflight.problems(["werift", "firefox", "janus"]))
    if sys.platform == "linux":
        assert "root" in problems
        assert "apt-get install" in problems
        assert "Node.js" in problems
        assert "firefox-esr is missing" in problems
        assert "janus is missing" in problems
    else:
        assert "Linux" in problems


def test_readme_names_every_package() -> None:
    words = set((CORPUS / "README.md").read_text().split())
    lists = (preflight.APT.values(), preflight.PIP, preflight.GSTREAMER, preflight.NODE, preflight.NPM)
    others = {package for _, package in preflight.OTHERS.values()}
    assert {package for packages in lists for package in packages} | others <= words


def _outcome(directory: Path) -> dict[str, Any]:
    said = truth(directory)
    return {
        role: {name: said[role]["states"][name] for name in ("connectionState", "iceConnectionState")}
        for role in ("offerer", "answerer")
    }


@pytest.mark.lab
@pytest.mark.skipif(os.environ.get("STUNPCAP_LAB") != "1", reason="STUNPCAP_LAB=1 is not set")
@pytest.mark.parametrize("name", ["direct", "asymmetric-dead"])
def test_made_anew_it_ends_the_same_way(name: str, tmp_path: Path) -> None:
    problems = preflight.problems()
    if problems:
        pytest.skip("; ".join(problems))
    command = [sys.executable, "-m", "captures.lab", "make", name, "--to", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert _outcome(tmp_path / name) == _outcome(CORPUS / name)
    for path in (CORPUS / name).glob("*.pcap"):
        assert (tmp_path / name / path.name).stat().st_size > 200
