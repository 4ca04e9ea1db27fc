"""The lab's captures: what each says of its session, against the label and the agents' own account.

The labels follow from how the networks were built; nothing here was taken from the program's output.
"""

from __future__ import annotations

import functools
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import stunpcap
from stunpcap.trace import Trace
from tests.ice.transcript import rows
from tests.places import lab_captures

OPAQUE = "the checks travel inside TLS"
NOT_SEEN = "the session does not come by here"
CUT = "the capture ends with the last transmission: that nothing follows cannot be seen"
UNSEEN = {
    ("aiortc-nats-symmetric", "server"): NOT_SEEN,
    ("capture-no-stun", "server"): NOT_SEEN,
    ("dead-interface", "offerer-vpn"): "on the interface that is dead",
    ("gave-up-early", "*"): CUT,
    ("ice-tcp-refused", "offerer"): CUT,
    ("ice-tcp-refused", "router-a"): CUT,
    ("libnice-nats-stun", "server"): NOT_SEEN,
    ("nat-symmetric-one-end", "server"): NOT_SEEN,
    ("nat-symmetric-one-end-open", "server"): NOT_SEEN,
    ("nats-stun", "server"): NOT_SEEN,
    ("nats-symmetric-stun", "server"): NOT_SEEN,
    ("turn-quota", "server"): NOT_SEEN,
    ("turn-tls", "*"): OPAQUE,
    ("turn-tls-keylog", "*"): OPAQUE,
    ("turn-wrong-password", "server"): NOT_SEEN,
    ("udp-blocked", "nat-a-outside"): NOT_SEEN,
    ("asymmetric-ignores-prflx", "offerer"): "the offerer has a pair that works, and reports connected",
    ("asymmetric-ignores-prflx", "nat-a-outside"): "the answerer's own checks go another way",
}
"""(scenario, capture) -> why this capture cannot tell the state."""

IN_MID_CALL = {"consent-lost", "turn-server-lost", "turn-mismatch", "turn-allocation-expired"}
"""Causes that end a call which was up."""

FAILED = ("failed", "disconnected")
"""Where consent was lost the label is what the agents end with, 30 s after they had been disconnected."""


def _read(path: Path) -> Trace:
    return _cached(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _cached(path: Path, _changed: int) -> Trace:
    return stunpcap.read(path)


def _label(directory: Path) -> dict[str, Any]:
    return tomllib.loads((directory / "expect.toml").read_text())


def _why_unseen(path: Path) -> str | None:
    scenario, capture = path.parent.name, path.name.split(".")[0]
    return UNSEEN.get((scenario, capture)) or UNSEEN.get((scenario, "*"))


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name.split('.')[0]}"


CAPTURES = [path for path in lab_captures() if (path.parent / "expect.toml").exists()]
SEEING = [path for path in CAPTURES if not _why_unseen(path)]


def test_there_are_captures() -> None:
    assert len(SEEING) > 80


@pytest.mark.parametrize("path", CAPTURES, ids=_name)
def test_state(path: Path) -> None:
    """The last session of a capture ended as the label says."""
    why = _why_unseen(path)
    if why:
        pytest.skip(why)
    label = _label(path.parent)
    sessions = rows(_read(path).sessions)
    if label["state"] == "none":
        assert not sessions
        return
    assert sessions, "no session at all"
    ended = sessions[-1]["state"]
    if ended == "closed" and label["state"] == "connected":
        ended = "connected"  # the agents ended it, after what the label describes
    assert ended in FAILED if label["state"] == "failed" else ended == label["state"]
    if IN_MID_CALL & {label["root_cause"], *label["also"]}:
        assert ended == "disconnected"
    elif label["state"] == "failed" and label["root_cause"]:
        assert ended == "failed"


def _truth(path: Path) -> dict[str, Any]:
    truth: dict[str, Any] = json.loads((path.parent / "truth.json").read_text())
    return truth


def _matches(candidate: dict[str, Any], ends: set[str | None], *, local: bool) -> bool:
    """Whether one of the endpoints is the candidate, or the base of a local one.

    Browsers hide addresses (peer-reflexive ones until they are signalled, all under mDNS) and give the outside one for
    the base: then ports have to do.
    """
    address, port = candidate.get("address"), candidate["port"]
    if address and not local:
        return f"[{address}]:{port}" in ends if ":" in address else f"{address}:{port}" in ends
    ports = {port, candidate.get("relatedPort")} if local else {port}
    return any(end and int(end.rpartition(":")[2]) in ports for end in ends)


def _selections() -> Iterator[tuple[Path, str]]:
    for path in SEEING:
        who = path.name.split(".")[0]
        agent = _truth(path).get(who)
        if agent and "Chromium" in str(agent.get("implementation")):
            yield path, who


@pytest.mark.parametrize(
    ("path", "who"), list(_selections()), ids=lambda value: _name(value) if isinstance(value, Path) else ""
)
def test_nominated_pair_is_the_one_the_browser_selected(path: Path, who: str) -> None:
    stats = {stat["id"]: stat for stat in _truth(path)[who].get("stats", [])}
    selected = [stat.get("selectedCandidatePairId") for stat in stats.values() if stat["type"] == "transport"]
    pairs = [stats[number] for number in selected if number in stats]
    if not pairs:
        pytest.skip("the browser had selected no pair in the end")
    sessions = [session for session in rows(_read(path).sessions) if session["state"] == "connected"]
    nominated = [
        {session["nominated_src"], session["nominated_dst"]} for session in sessions if session["nominated_src"]
    ]
    if not nominated:
        pytest.skip("no nomination in this capture")
    [pair] = pairs
    local, remote = stats[pair["localCandidateId"]], stats[pair["remoteCandidateId"]]
    assert any(_matches(local, ends, local=True) and _matches(remote, ends, local=False) for ends in nominated)


@pytest.mark.parametrize("path", SEEING, ids=_name)
def test_ufrags_are_those_of_the_descriptions(path: Path) -> None:
    signalled = set(re.findall(r"ice-ufrag:([^\s\\\"]+)|ufrag ([^\s\\\"]+)", json.dumps(_truth(path))))
    known = {ufrag for found in signalled for ufrag in found if ufrag}
    if not known:
        pytest.skip("these agents exchanged no descriptions")
    used = {session[name] for session in rows(_read(path).sessions) for name in ("ufrag_a", "ufrag_b")}
    assert used <= known
    assert len(used) >= 2 or _label(path.parent)["state"] == "none"
