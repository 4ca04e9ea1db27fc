"""The pairs of lab captures against what the browsers themselves counted (W3C getStats).

Each browser's own capture was taken on its only interface, so what it sent and received is what was captured.  The
checks of pairs through its relay travel inside TURN data; at the server both legs of them are captured, and count once.
What travels through TLS nobody sees.

libwebrtc's requestsSent includes its consentRequestsSent, which are the checks after the first answer; ours are those
after the nomination, so that number is not compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import stunpcap
from tests.places import ENDINGS, LAB

Stat = dict[str, Any]


@dataclass(frozen=True)
class Agent:
    """One browser of one scenario, and the captures that were taken at it."""

    scenario: str
    who: str
    stats: dict[str, Stat]
    captures: tuple[Path, ...]
    """One for each of its interfaces."""

    def pairs(self) -> Iterator[Stat]:
        for stat in self.stats.values():
            if stat["type"] == "candidate-pair":
                yield stat

    def __str__(self) -> str:
        return f"{self.scenario}/{self.who}"


def browsers() -> Iterator[Agent]:
    for path in sorted(LAB.glob("*/truth.json")):
        truth = json.loads(path.read_text())
        for who in ("offerer", "answerer"):
            agent = truth.get(who) or {}
            found = sorted(
                file
                for file in path.parent.iterdir()
                if file.name.endswith(ENDINGS) and file.name.split(".")[0].split("-")[0] == who
            )
            if "Chromium" in str(agent.get("implementation")) and found and path.parent.name not in NOT_WHOLE:
                yield Agent(path.parent.name, who, {stat["id"]: stat for stat in agent["stats"]}, tuple(found))


NOT_WHOLE = ("capture-snaplen", "capture-late", "capture-one-direction", "capture-one-way")
"""Scenarios whose captures lack a part of what the browsers did: that is what they are for."""

EXCEPTIONS = {
    ("role-conflict-chromium", "requestsReceived"): "a check that is answered with 487 is not counted by libwebrtc",
    ("role-conflict-chromium", "responsesSent"): "nor is the 487 itself",
    ("wrong-password", "requestsReceived"): "a check whose integrity fails is not counted by libwebrtc",
    ("wrong-password", "responsesSent"): "nor is the 401 to it",
    (
        "asymmetric-dead-turn",
        "nominated",
    ): "the browser answered that nomination and takes it for done; the answer was lost",
}
"""(scenario, counter) -> why the browser's count differs from the wire."""


def endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def local_ends(candidate: Stat, pairs: pd.DataFrame) -> set[str]:
    """Where the browser sends from: the base of its candidate."""
    if not candidate.get("address"):  # hidden behind an mDNS name
        return {end for end in pairs["src"] if end.endswith(f":{candidate['port']}")}
    if candidate["candidateType"] not in ("srflx", "prflx"):
        return {endpoint(candidate["address"], candidate["port"])}
    outside = endpoint(candidate["address"], candidate["port"])
    related = candidate.get("relatedAddress")  # of a candidate that a NAT gave up: its address before, not the base
    return {
        *pairs.loc[pairs["mapped"] == outside, "src"],
        *([endpoint(related, candidate["relatedPort"])] if related else []),
    }


def remote_ends(candidate: Stat, agent: Agent, seen: set[str]) -> set[str]:
    """The remote endpoint; browsers hide the address of a peer-reflexive one, then it is told by its port."""
    if candidate.get("address"):
        return {endpoint(candidate["address"], candidate["port"])}
    named = {
        endpoint(stat["address"], stat["port"])
        for stat in agent.stats.values()
        if stat["type"] == "remote-candidate" and stat.get("address")
    }
    return {end for end in seen - named if end.endswith(f":{candidate['port']}")}


AGENTS = list(browsers())


def states(stat: Stat) -> set[str]:
    """What our state may be.

    libwebrtc says in-progress of a silent pair for 15 s, or until it is pruned, where we say failed; and again of one
    that was answered before whenever its last few checks were not.
    """
    if stat["state"] != "in-progress":
        return {stat["state"]}
    return {"succeeded"} if stat["responsesReceived"] else {"in-progress", "failed"}


@pytest.mark.parametrize("agent", AGENTS, ids=str)
def test_pairs_count_what_the_browser_counted(agent: Agent) -> None:
    trace = stunpcap.read(*agent.captures)
    checks = trace.transactions[trace.transactions["kind"].isin(["check", "consent"])]
    for stat in agent.pairs():
        local, remote = agent.stats[stat["localCandidateId"]], agent.stats.get(stat["remoteCandidateId"])
        if remote is None or local["protocol"] != "udp" or local.get("relayProtocol") == "tls":
            continue
        until = pd.Timestamp(stat["timestamp"], unit="ms", tz="UTC")
        here = local_ends(local, trace.pairs)
        there = remote_ends(remote, agent, set(checks["src"]) | set(checks["dst"]))
        sent = checks[checks["src"].isin(here) & checks["dst"].isin(there) & (checks["first_time"] <= until)]
        received = checks[checks["src"].isin(there) & checks["dst"].isin(here) & (checks["first_time"] <= until)]
        ours = {
            "requestsSent": int((sent["outcome"] != "orphan").sum()),
            "responsesReceived": int(((sent["outcome"] == "success") & (sent["response_time"] <= until)).sum()),
            "requestsReceived": int(received["transmissions"].sum()),
            "responsesSent": int((received["response_time"] <= until).sum()),
        }
        theirs = {name: stat[name] for name in ours}
        for name in ours:
            if (agent.scenario, name) not in EXCEPTIONS:
                assert ours[name] == theirs[name], (name, here, there)

        pair = trace.pairs[trace.pairs["src"].isin(here) & trace.pairs["dst"].isin(there)]
        if theirs["requestsSent"]:
            assert len(pair) == 1
            # The frame goes on to the end of the capture, the browser's count ended a little before.
            assert 0 <= pair["requests_sent"].item() - theirs["requestsSent"] <= 3
            assert pair["state"].item() in states(stat)
            assert bool(pair["nominated"].item()) == stat["nominated"] or (agent.scenario, "nominated") in EXCEPTIONS


def at_servers() -> Iterator[Any]:
    for agent in AGENTS:
        found = [LAB / agent.scenario / f"server{ending}" for ending in ENDINGS]
        relays = [stat for stat in agent.stats.values() if stat.get("relayProtocol") in ("udp", "tcp")]
        for path in found:
            if path.exists() and relays:
                yield pytest.param(agent, path, id=str(agent))


@pytest.mark.parametrize(("agent", "path"), list(at_servers()))
def test_both_legs_at_the_server_are_one_check(agent: Agent, path: Path) -> None:
    """Between client and server, and between relay and peer; from relay to relay at one server even three times."""
    trace = stunpcap.read(path)
    checks = trace.transactions[trace.transactions["kind"].isin(["check", "consent"])]
    for stat in agent.pairs():
        local, remote = agent.stats[stat["localCandidateId"]], agent.stats.get(stat["remoteCandidateId"])
        if remote is None or local.get("relayProtocol") not in ("udp", "tcp"):
            continue
        until = pd.Timestamp(stat["timestamp"], unit="ms", tz="UTC")
        here = local_ends(local, trace.pairs)
        there = remote_ends(remote, agent, set(checks["src"]) | set(checks["dst"]))
        sent = checks[checks["src"].isin(here) & checks["dst"].isin(there) & (checks["first_time"] <= until)]
        received = checks[checks["src"].isin(there) & checks["dst"].isin(here) & (checks["first_time"] <= until)]
        ours = {
            "requestsSent": len(sent),
            "responsesReceived": int((sent["outcome"] == "success").sum()),
            "requestsReceived": int(received["transmissions"].sum()),
            "responsesSent": int((received["outcome"] == "success").sum()),
        }
        under_way = {name: stat[name] - count for name, count in ours.items()}
        # A packet may be between the server and the browser at the moment in which the browser counts.
        assert all(-1 <= difference <= 0 for difference in under_way.values()), (under_way, here, there)
        pairs = trace.pairs[trace.pairs["src"].isin(here) & trace.pairs["dst"].isin(there)]
        assert set(pairs["src_type"]) <= {"relay"}


def test_there_are_browsers_to_compare_with() -> None:
    assert len(AGENTS) >= 20
