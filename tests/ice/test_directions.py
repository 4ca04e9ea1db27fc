"""What is concluded of each direction: the rules one by one, and the lab's captures against their labels.

The labels say which direction the network was built to lose; nothing here was taken from the program's output.
"""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stunpcap
from stunpcap.evidence import KINDS, NAMES, SAYS, STRENGTH
from stunpcap.ice.directions import conclude
from stunpcap.schema import CONFIDENCE, PATH
from stunpcap.table import NAT
from tests.ice.transcript import rows
from tests.places import LAB

Row = dict[str, Any]

# The rules (docs/evidence.md)


def weigh(*found: str) -> tuple[str, str | None]:
    """Path and confidence from evidence such as `answered`, `unheard=low`, `vanished@5`: strength, second it began."""
    one: dict[str, list[int]] = {
        name: [] for name in ("way", "evidence", "says", "strength", "first_time", "last_time")
    }
    for text in found:
        text, _, second = text.partition("@")
        name, _, strength = text.partition("=")
        kind = KINDS[NAMES.index(name)]
        one["way"].append(0)
        one["evidence"].append(NAMES.index(name))
        one["says"].append(SAYS.index(kind.says))
        one["strength"].append(STRENGTH.index(strength or kind.strength))
        one["first_time"].append(int(second or 1))
        one["last_time"].append(int(second or 1))
    verdict = conclude({name: np.array(values, np.int64) for name, values in one.items()}, 1)
    confidence = int(verdict.confidence[0])
    return PATH[int(verdict.path[0])], CONFIDENCE[confidence] if confidence >= 0 else None


@pytest.mark.parametrize(
    ("found", "path", "confidence"),
    [
        ((), "unknown", None),
        (("triggered", "orphan-answer", "one-sided=low"), "unknown", None),
        (("passed-by",), "unknown", None),
        (("answered",), "delivered", "high"),
        (("answered", "mapped"), "rewritten", "high"),
        (("heard",), "delivered", "medium"),
        (("answered", "unheard=low"), "delivered", "high"),
        (("answered@9", "restless"), "delivered", "medium"),
        (("answered@9", "vanished"), "delivered", "low"),
        (("answered", "vanished@9"), "delivered", "medium"),
        (("heard", "vanished"), "lost", "medium"),
        (("heard@9", "restless"), "delivered", "low"),
        (("restless",), "lost", "medium"),
        (("uncounted-answers",), "lost", "medium"),
        (("one-sided",), "lost", "medium"),
        (("vanished", "one-sided"), "lost", "high"),
        (("received-here",), "delivered", "medium"),
        (("received-here@9", "restless"), "delivered", "low"),
        (("received-here", "vanished"), "lost", "medium"),
        (("icmp",), "rejected", "high"),
        (("icmp", "one-sided"), "rejected", "high"),
        (("icmp", "crossed", "received-here"), "rejected", "high"),
        (("icmp", "answered@9"), "delivered", "low"),
        (("icmp@9", "answered"), "delivered", "medium"),
        (("icmp=low", "answered@9"), "delivered", "high"),
    ],
)
def test_rules(found, path, confidence):
    assert weigh(*found) == (path, confidence)


def test_times_of_a_direction_that_died():
    one = {
        "way": np.array([0, 0, 1]),
        "evidence": np.array([NAMES.index(name) for name in ("answered", "one-sided", "vanished")]),
        "says": np.array([SAYS.index(says) for says in ("delivered", "lost", "lost")]),
        "strength": np.array([0, 1, 0]),
        "first_time": np.array([10, 30, 5]),
        "last_time": np.array([20, 40, 6]),
    }
    verdict = conclude(one, 3)
    assert verdict.delivered_time.tolist() == [20, NAT, NAT]
    assert verdict.lost_time.tolist() == [30, 5, NAT]


# The lab

OF_PATHS = {"one-way-nat", "one-way-loss", "consent-lost", "icmp-rejected", "dtls-one-way", "media-one-way"}
"""Causes whose label names a direction in which packets are lost; with others it is who was refused."""
OF_MEDIA = {"dtls-one-way", "media-one-way"}
"""There the network lets checks through: only two captures together can show that media is lost."""
ARRIVED = ("delivered", "rewritten")
LABELS = {path.parent.name: tomllib.loads(path.read_text()) for path in sorted(LAB.glob("*/expect.toml"))}
NOT_HELD = {
    "cut-icmp-one-way": "it worked until a router began to refuse: delivered, and then not",
    "janus-consent-lost": "it worked, and what died then has no checks of its own to show it",
    "vpn-dead-unreachable": "the offerer has two addresses, and one of them is refused by a router",
    "firefox-chromium-asymmetric": "answers that arrive as from somebody else look lost at their sender",
    "interface-lost": "one of two interfaces goes away in mid-call, and the other carries on",
}
"""Calls in which a direction is not one thing from beginning to end, or not at every place, and why."""
DEAD = [
    name
    for name, label in LABELS.items()
    if label["direction"] and label["root_cause"] in OF_PATHS and name not in NOT_HELD
]
HEALTHY = [
    name
    for name, label in LABELS.items()
    if label["state"] == "connected" and not label["root_cause"] and name not in NOT_HELD
]


def captures(scenario: str) -> list[Path]:
    return sorted(path for path in (LAB / scenario).iterdir() if ".pcap" in path.name)


@functools.lru_cache(maxsize=8)
def pairs(paths: tuple[Path, ...]) -> list[Row]:
    return rows(stunpcap.read(*paths).pairs)


def readings(scenarios: list[str]) -> list[Any]:
    """Each capture alone, and all of a scenario together."""
    found = []
    for name in scenarios:
        alone = captures(name)
        found += [pytest.param(name, (path,), id=f"{name}/{path.name.split('.')[0]}") for path in alone]
        if len(alone) > 1:
            found.append(pytest.param(name, tuple(alone), id=f"{name}/together"))
    return found


def between(scenario: str, found: list[Row], source: str, target: str) -> list[Row]:
    """Rows from one node of the network to another."""
    nodes = LABELS[scenario]["nodes"]

    def at(end: str, node: str) -> bool:
        return end.rpartition(":")[0].strip("[]") in nodes[node]

    return [row for row in found if at(row["src"], source) and at(row["dst"], target)]


def dead_way(scenario: str) -> tuple[str, str]:
    source, target = LABELS[scenario]["direction"].split(" -> ")
    return source, target


def test_there_are_labels():
    assert len(DEAD) > 10
    assert len(HEALTHY) > 30


@pytest.mark.parametrize(("scenario", "paths"), readings(DEAD))
def test_nobody_is_sure_of_the_opposite(scenario, paths):
    """Never surely delivered where the network loses it, never surely lost where it does not."""
    source, target = dead_way(scenario)
    found = pairs(paths)
    together_only = LABELS[scenario]["root_cause"] in OF_MEDIA and len(paths) == 1
    # At the receiver of a direction that died in mid-call nothing shows that more was sent.
    receiver = LABELS[scenario]["captures"].get(paths[0].name.split(".")[0]) == target and len(paths) == 1
    for row in between(scenario, found, source, target):
        blind = together_only or (receiver and LABELS[scenario]["root_cause"] == "consent-lost")
        if len(paths) > 1 and row["vantage"] == target:
            continue  # a row about what arrived: what was lost on the way is in the sender's
        assert blind or row["path"] not in ARRIVED or row["path_confidence"] != "high", row
    for row in between(scenario, found, target, source):
        assert row["path"] in (*ARRIVED, "unknown"), row
    if source == "answerer" and target == "nat-a":
        for row in between(scenario, found, "offerer", "answerer") + between(scenario, found, "nat-a", "answerer"):
            assert row["path"] in (*ARRIVED, "unknown"), row


@pytest.mark.parametrize(
    "scenario",
    [
        name
        for name in DEAD
        if len(captures(name)) > 1 and LABELS[name]["root_cause"] in ("one-way-nat", "one-way-loss")
    ],
)
def test_captures_of_both_ends_prove_the_loss(scenario):
    found = between(scenario, pairs(tuple(captures(scenario))), *dead_way(scenario))
    verdicts = {(row["path"], row["path_confidence"]) for row in found}
    if LABELS[scenario].get("unseen"):
        pytest.skip(LABELS[scenario]["unseen"])
    assert ("lost", "high") in verdicts


def test_the_motivating_case():
    """NAT one way, answers cannot return to it: each side alone, and both together."""
    name = "asymmetric-dead"
    alone = {path.name.split(".")[0]: pairs((path,)) for path in captures(name)}
    together = pairs(tuple(captures(name)))

    def verdicts(found: list[Row], source: str, target: str) -> set[tuple[str, str | None]]:
        return {(row["path"], row["path_confidence"]) for row in between(name, found, source, target)}

    assert verdicts(alone["offerer"], "offerer", "answerer") == {("unknown", None)}
    assert verdicts(alone["offerer"], "answerer", "offerer") == {("delivered", "high")}
    assert verdicts(alone["answerer"], "answerer", "nat-a") == {("lost", "medium")}
    assert verdicts(alone["answerer"], "nat-a", "answerer") == {("delivered", "high")}
    assert verdicts(alone["answerer"], "answerer", "offerer") == {("delivered", "high")}
    assert ("lost", "high") in verdicts(together, "answerer", "nat-a")
    assert verdicts(together, "offerer", "answerer") == {("rewritten", "high")}
    # What the NAT makes of the offerer's address is told in evidence, in front of it and behind.
    evidence = rows(stunpcap.read(*captures(name)).evidence)
    nat = LABELS[name]["nodes"]["nat-a"][1]
    [crossing] = [row for row in evidence if row["evidence"] == "crossed-rewritten"]
    assert (crossing["vantage"], crossing["other_vantage"]) == ("offerer", "answerer")
    assert crossing["as_src"].startswith(f"{nat}:")
    turned = {row["as_src"].rpartition(":")[0] for row in evidence if row["evidence"] == "answer-rewritten"}
    assert turned == {nat}


def test_silence_at_the_deaf_side_says_nothing():
    for name in ("one-way-drop", "libnice-one-way-drop", "aiortc-one-way-drop", "asymmetric-firewall"):
        found = pairs((LAB / name / "answerer.pcap",))
        assert {(row["path"], row["path_confidence"]) for row in found} == {("unknown", None)}, name


def test_both_ways_dead_says_nothing():
    """Two captures that share no message prove nothing about each other."""
    for paths in ([path] for path in captures("both-ways-drop")):
        assert {row["path"] for row in pairs(tuple(paths))} == {"unknown"}
    assert {row["path"] for row in pairs(tuple(captures("both-ways-drop")))} == {"unknown"}


@pytest.mark.parametrize("name", ["offerer", "router-a", "together"])
def test_a_direction_that_died_has_its_last_good_time(name):
    scenario = "consent-lost-one-way"
    paths = captures(scenario) if name == "together" else [LAB / scenario / f"{name}.pcap"]
    found = between(scenario, pairs(tuple(paths)), *dead_way(scenario))
    row = next(row for row in found if row["vantage"] != "answerer")
    assert (row["path"], row["path_confidence"]) == ("delivered", "medium")
    # Consent is renewed every 2.5 s there; it died in between.
    assert 0 < (row["path_lost_time"] - row["last_delivered_time"]).total_seconds() < 4
    for other in between(scenario, pairs(tuple(paths)), "answerer", "offerer"):
        assert other["path_lost_time"] is None


@pytest.mark.parametrize(("scenario", "paths"), readings(HEALTHY))
def test_in_calls_that_work_what_succeeded_was_delivered(scenario, paths):
    for row in pairs(paths):
        if row["state"] == "succeeded" and row["requests_sent"]:
            assert row["path"] in ARRIVED, row
            assert row["path_confidence"] != "low", row
