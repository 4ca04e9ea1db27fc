"""What goes into a scenario's directory: README, label, truth, captures; and the corpus's own table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from captures.lab.model import ANSWERER, OFFERER, TLS_KEYS, Scenario, Vantage

KEY_LOG = "tls-keys.log"
"""Keys of the agents' TLS connections, in the format that Wireshark reads (SSLKEYLOGFILE)."""


def logs_keys(scenario: Scenario) -> bool:
    """Whether a scenario's directory has a key log."""
    return any(agent.options.get("log_keys") for agent in (scenario.offerer, scenario.answerer))


def json_text(value: Any) -> str:
    """JSON as the corpus stores it."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def outcome(truth: dict[str, Any]) -> str:
    """Both agents' final states in one line."""
    parts = []
    for role in (OFFERER, ANSWERER):
        states = truth[role]["states"]
        inner = [f"ICE {states.get('iceConnectionState', '?')}"]
        if "channel" in states:
            inner.append(f"channel {states['channel']}")
        parts.append(f"{role} {states.get('connectionState', '?')} ({', '.join(inner)})")
    return "; ".join(parts)


def directory(scenario: Scenario, path: Path, truth: dict[str, Any], captures: list[Path]) -> None:
    """Write a scenario's directory, replacing what was there."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    for capture in captures:
        if capture.exists():
            shutil.copyfile(capture, path / capture.name)
    keys = "".join(truth[role].pop(TLS_KEYS, "") for role in (OFFERER, ANSWERER))
    if keys:
        (path / KEY_LOG).write_text(keys)
    (path / "truth.json").write_text(json_text(truth))
    describe(scenario, path, truth)


def describe(scenario: Scenario, path: Path, truth: dict[str, Any]) -> None:
    """Write the parts of a directory that follow from the scenario and the truth alone."""
    (path / "expect.toml").write_text(expect(scenario))
    (path / "README.md").write_text(readme(scenario, truth))


def _toml(value: str | tuple[str, ...]) -> str:
    # A JSON string or array of strings is a TOML one too.
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def expect(scenario: Scenario) -> str:
    """The label as TOML."""
    label = scenario.expect
    lines = [
        "# The label: what the network was built to do and what the agents reported.",
        f"scenario = {_toml(scenario.name)}",
        f"state = {_toml(label.state)}",
        f"ended_offerer = {_toml(label.ended[0] or label.state)}",
        f"ended_answerer = {_toml(label.ended[1] or label.state)}",
        f"root_cause = {_toml(label.root_cause)}",
        f"direction = {_toml(label.direction)}",
        f"also = {_toml(label.also)}",
        f"never = {_toml(label.never)}",
    ]
    if label.unseen:
        lines.append(f"unseen = {_toml(label.unseen)}")
    lines += ["", "# Which node has which addresses, and where each capture was taken.", "[nodes]"]
    for node in scenario.topology.nodes:
        addresses = tuple(a.split("/")[0] for link in node.links for a in link.addresses)
        lines.append(f"{node.name} = {_toml(addresses)}")
    lines += ["", "[captures]", *(f"{v.name} = {_toml(v.node)}" for v in vantages(scenario))]
    if label.mended_by:
        lines += [
            "",
            "[mended_by]",
            f"scenario = {_toml(label.mended_by)}",
            f"change = {_toml(label.change)}",
        ]
    return "\n".join(lines) + "\n"


def vantages(scenario: Scenario) -> list[Vantage]:
    """Imported late, since `make` imports this module."""
    from captures.lab.make import all_vantages

    return all_vantages(scenario)


def readme(scenario: Scenario, truth: dict[str, Any]) -> str:
    """The scenario told to a person."""
    label = scenario.expect
    agents = " and ".join(f"{truth[role].get('implementation', '?')} ({role})" for role in (OFFERER, ANSWERER))
    lines = [f"# {scenario.name}: {scenario.title}", "", scenario.story.strip(), "", "## Network", "", "```"]
    lines += [scenario.topology.drawing.strip("\n"), "```", "", f"Agents: {agents}.", ""]
    lines += ["## Captures", "", "| file | taken |", "| --- | --- |"]
    lines += [f"| `{v.name}.pcap` | {v.about} |" for v in vantages(scenario)]
    if logs_keys(scenario):
        lines.append(f"| `{KEY_LOG}` | keys of the agents' TLS connections, as the browsers logged them |")
    lines += ["", "## What the agents reported", "", f"{outcome(truth)}.", ""]
    lines += _changes(truth)
    lines += ["", "## Label", "", f"State `{label.state}`"]
    lines[-1] += f", root cause `{label.root_cause}`" if label.root_cause else ", nothing wrong"
    lines[-1] += f", dead direction {label.direction}." if label.direction else "."
    if label.unseen:
        lines += ["", f"Not to be seen: {label.unseen}."]
    if label.mended_by:
        lines += ["", f"Mended in `{label.mended_by}`: {label.change}."]
    lines += ["", "## Make it again", "", f"`python -m captures.lab make {scenario.name}`"]
    return "\n".join(lines) + "\n"


def _changes(truth: dict[str, Any]) -> list[str]:
    events = [event for event in truth["events"] if event["kind"] in ("state", "step")]
    if not events:
        return []
    zero = min(float(entry["t"]) for entry in [*truth["signalling"], *events])
    rows = ["| s | who | what |", "| ---: | --- | --- |"]
    shown = ("iceConnectionState", "connectionState", "channel")
    for event in events:
        if event["kind"] == "state" and event["name"] not in shown:
            continue
        what = f"{event['name']} {event['value']}" if event["kind"] == "state" else _step(event)
        rows.append(f"| {(float(event['t']) - zero) / 1000:.1f} | {event['who']} | {what} |")
    return rows


def _step(event: dict[str, Any]) -> str:
    text = " ".join(event["command"].split()).replace("|", "\\|")
    command = f": `{text}`" if text else ""
    return f"{event['do']} {event['what']}{command}"
