"""TURN in real captures: what the servers of the lab granted and refused, and the same compiled and plain."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import stunpcap
from stunpcap.table import Pools
from stunpcap.vantage import read_vantage
from tests.places import LAB, lab_captures, name_of, needs_shared, shared_captures


def allocations(scenario: str, vantage: str) -> list[dict[str, Any]]:
    return list(stunpcap.read(LAB / scenario / f"{vantage}.pcap").table("allocations").records())


@pytest.mark.parametrize(
    ("scenario", "vantage", "state", "code"),
    [
        ("turn-wrong-password", "server", {"refused"}, 401),
        ("turn-quota", "server", {"refused"}, 486),
        ("turn-forbidden", "server", {"active", "deleted"}, 403),
        ("turn-mismatch", "server", {"lost"}, 437),
    ],
)
def test_what_went_wrong_is_in_the_allocations(scenario: str, vantage: str, state: set[str], code: int) -> None:
    found = [one for one in allocations(scenario, vantage) if one["error_code"] == code]
    assert found and {one["state"] for one in found} <= state


@pytest.mark.parametrize(("vantage", "unanswered"), [("offerer", 1), ("server", 0)])
def test_allocations_that_expire(vantage: str, unanswered: int) -> None:
    expired = [one for one in allocations("turn-allocation-expired", vantage) if one["state"] == "expired"]
    assert [(one["lifetime_s"], one["unanswered"]) for one in expired] == [(20, unanswered)]
    assert not [one for one in allocations("turn-short-lifetime", "server") if one["state"] == "expired"]


@pytest.mark.parametrize("vantage", ["offerer", "answerer", "server"])
def test_a_server_that_dies(vantage: str) -> None:
    """It was heard of to within a second of its end; ICMP errors came after that."""
    found = allocations("turn-killed", vantage)
    assert {one["state"] for one in found} == {"lost"}
    killed = next(
        event["t"]
        for event in json.loads((LAB / "turn-killed" / "truth.json").read_text())["events"]
        if "stop-server" in str(event)
    )
    for one in found:
        assert one["icmp"].startswith("port unreachable")
        assert abs(pd.Timestamp(one["ended"]).timestamp() * 1000 - killed) < 1000


@pytest.mark.parametrize("scenario", ["turn-udp", "turn-tcp", "media-turn", "nats-symmetric-turn", "aioice-turn"])
def test_calls_through_relays_connect(scenario: str) -> None:
    for path in sorted((LAB / scenario).glob("*.pcap")):
        (session,) = stunpcap.read(path).table("sessions").records()
        assert session["state"] in ("connected", "closed"), path.name
    at_server = LAB / scenario / "server.pcap"
    trace = stunpcap.read(at_server if at_server.exists() else LAB / scenario / "offerer.pcap")
    (session,) = trace.table("sessions").records()
    relayed = {one["relayed"] for one in trace.table("allocations").records()}
    assert {session["nominated_src"], session["nominated_dst"]} & relayed


@needs_shared
def test_a_whole_call_of_teams() -> None:
    """Microsoft's TURN: six checks in Send requests, six in Data indications, two behind the framing 0xFF10."""
    (path,) = (path for path in shared_captures() if path.name == "TracePcap__teams.pcap")
    trace = stunpcap.read(path)
    carried = [row for row in trace.table("messages").records() if row["carrier"] != "plain"]
    assert [row["carrier"] for row in carried].count("send") == 6
    data = [row for row in carried if row["carrier"] == "data"]
    assert len(data) == 6
    # What the peers say they saw is what the server said it allocated, by other messages.
    assert {row["mapped"] for row in data if row["mapped"]} == {row["dst"] for row in data if row["mapped"]}


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in [*lab_captures(), *shared_captures()]
        if "turn" in str(path).lower() and path.stat().st_size < 3e5
    ],
    ids=name_of,
)
def test_plain_and_compiled_agree(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    views = []
    for policy in ("never", "always"):
        monkeypatch.setenv("STUNPCAP_COMPILE", policy)
        vantage = read_vantage(path, "x", Pools())
        views.append((list(vantage.messages.records()), list(vantage.flows.records())))
    assert views[0] == views[1]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is the witness")
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_eleven_minutes_of_renewals(vantage: str) -> None:
    """Permissions last 300 s and channels 600 s from the last answer that granted them, by Wireshark's clock."""
    path = LAB / "turn-long" / f"{vantage}.pcap"
    answers = subprocess.run(
        [
            *("tshark", "-n", "-r", path, "-Y", "stun.type==0x0108 || stun.type==0x0109"),
            *("-T", "fields", "-e", "frame.time_epoch", "-e", "stun.type"),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    times = [(line.split("\t")[0], int(line.split("\t")[1], 0)) for line in answers if line]
    assert len(times) > 4

    def after(kinds: tuple[int, ...], life: int) -> pd.Timestamp:
        last = max(
            pd.Timestamp(int(time.replace(".", "")), unit="ns", tz="UTC") for time, kind in times if kind in kinds
        )
        return last + pd.Timedelta(seconds=life)

    trace = stunpcap.read(path)
    assert trace.permissions["expires"].tolist() == [after((0x0108, 0x0109), 300)]
    assert trace.channels["expires"].tolist() == [after((0x0109,), 600)]
    assert trace.permissions["state"].tolist() == trace.channels["state"].tolist() == ["active"]
    assert (trace.vantages["last_time"] - trace.vantages["first_time"]).item() > pd.Timedelta(minutes=11)
