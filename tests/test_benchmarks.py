"""What is measured on is what it says it is: generated captures, read by stunpcap and, where installed, tshark."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import stunpcap
from benchmarks.compare import CONTESTANTS, SIZES, table
from benchmarks.generate import generate
from benchmarks.measure import Run, in_turn, machine


@pytest.mark.parametrize("kind", SIZES)
def test_same_seed_same_bytes(tmp_path: Path, kind: str) -> None:
    counts = [generate(kind, tmp_path / f"{number}", 300, seed) for number, seed in enumerate((1, 1, 2))]
    first, second, other = ((tmp_path / f"{number}").read_bytes() for number in range(3))
    assert first == second != other
    assert counts[0] == counts[1]


def test_media(tmp_path: Path) -> None:
    path = tmp_path / "media.pcap"
    assert generate("media", path, 20_000) == 20_000
    trace = stunpcap.read(path)
    (vantage,) = trace.vantages.to_dict("records")
    assert vantage["packets"] == 20_000
    assert 550 < vantage["bytes"] / 20_000 < 700
    assert vantage["stun_messages"] == pytest.approx(40, rel=0.25)
    assert set(trace.messages["fingerprint"]) == {"valid"}
    assert trace.sessions["state"].tolist() == ["connected"] * 4
    assert trace.sessions["dtls"].tolist() == ["done"] * 4
    assert set(trace.pairs["path"]) == {"delivered"}
    flows = trace.flows
    assert (flows["stun"] + flows["dtls"] + flows["rtp"] + flows["rtcp"] == flows["packets"]).all()
    ufrags = {ufrag: ufrag * 6 for ufrag in [*trace.sessions["ufrag_a"], *trace.sessions["ufrag_b"]]}
    assert set(stunpcap.read(path, passwords=ufrags).messages["integrity"]) == {"valid"}


def test_server(tmp_path: Path) -> None:
    path = tmp_path / "server.pcap"
    assert generate("server", path, 3000) == 3000
    trace = stunpcap.read(path)
    assert len(trace.messages) == 3000
    assert set(trace.transactions["outcome"]) == {"success"}
    assert trace.transactions["transmissions"].max() == 2
    assert (trace.transactions["mapped"] == trace.transactions["src"]).all()


def test_sessions(tmp_path: Path) -> None:
    path = tmp_path / "sessions.pcap"
    generate("sessions", path, 100)
    trace = stunpcap.read(path)
    assert len(trace.sessions) == 100
    states = trace.sessions["state"].value_counts()
    assert 60 <= states["connected"] <= 95
    assert states["failed"] >= 5


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
@pytest.mark.parametrize("kind", SIZES)
def test_tshark_finds_nothing_wrong(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "made.pcap"
    generate(kind, path, 60 if kind == "sessions" else 2000)
    wrong = "_ws.malformed || _ws.expert.severity >= 6291456 || ip.checksum.status == 0 || stun.att.crc32.status == 0"
    command = ["tshark", "-n", "-r", str(path), "-o", "ip.check_checksum:TRUE", "-Y"]
    assert subprocess.run([*command, wrong], capture_output=True, check=True).stdout == b""
    found = subprocess.run([*command, "stun"], capture_output=True, check=True).stdout.splitlines()
    assert len(found) == len(stunpcap.read(path).messages) > 0


def test_measuring() -> None:
    quick, slow = Run("true", ["true"], 100), Run("sleep", ["sleep", "0.05"], 50)
    in_turn([quick, slow], 3)
    assert len(quick.seconds) == len(slow.peak_mb) == 3
    assert slow.median >= 0.05
    assert table([slow, quick]).splitlines()[2].startswith("| sleep | 50 | 0.0")
    assert machine()
    with pytest.raises(RuntimeError, match="false"):
        Run("false", ["false"], 1).measure()


def test_contestants_are_commands_on_the_file() -> None:
    for one in CONTESTANTS:
        assert "x.pcap" in one.command("x.pcap")
        assert 0 < one.share <= 1
