"""What is measured on is what it says it is: generated captures, read by stunpcap and, where installed, tshark."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import stunpcap
from benchmarks.compare import BEGIN, END, Inputs, Measured, targets, write
from benchmarks.generate import MAKERS, generate, messages
from benchmarks.measure import Run, in_turn, machine
from benchmarks.peers import PEERS
from benchmarks.tables import Entry, Goal, goals, growth, table
from benchmarks.works import OURS, PYSHARK_ON_STUN, TSHARK, WORKS
from tests.places import ROOT


@pytest.mark.parametrize("kind", MAKERS)
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
@pytest.mark.parametrize("kind", MAKERS)
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
    assert machine()
    with pytest.raises(RuntimeError, match="false"):
        Run("false", ["false"], 1).measure()


def ran(name: str, packets: int, *seconds: float) -> Run:
    return Run(name, [], packets, seconds=list(seconds), peak_mb=[10.0 * number for number in range(1, 4)])


def test_a_share_is_scaled_without_what_starting_takes() -> None:
    entry = Entry(ran("slow", 100, 3.0, 5.0, 2.0), 1000, ran("slow, start", 4, 1.0, 1.0, 2.5))
    assert entry.seconds == [21.0, 41.0, 2.5], "one second and ten times two; starting is never taken off twice"
    assert Entry(ran("quick", 1000, 1.0), 1000).seconds == [1.0]


def test_tables() -> None:
    ours = Entry(ran("ours", 1000, 1.0, 2.0, 1.0), 1000)
    slow = Entry(ran("slow", 100, 3.0, 5.0, 4.0), 1000, ran("slow, start", 4, 1.0, 1.0, 1.0))
    rows = table([ours, slow]).splitlines()[2:]
    assert rows[0] == "| ours | 1,000 | 1.00 | 1.00–2.00 | 1.00 | 1.00 | 1.00–1.00 | 30 |"
    assert rows[1] == "| slow | 100 | 4.00 | 3.00–5.00 | ≈ 31.00 | 21 | 20–31 | 30 |", "ratios are taken in each round"
    sizes = [ran("ours", 1_000_000, 1.0, 2.0, 1.0), ran("ours, × 2", 2_000_000, 1.5, 3.0, 1.4)]
    assert growth("ours", sizes).splitlines()[-1] == "| 2,000,000 | 1.50 | 1.40–3.00 | 0.50 | 30 |"


def test_goals() -> None:
    rows = goals([Goal("fast", [9.0, 12.0, 30.0], 10, True), Goal("small", [3.0, 2.0], 2, False, "MB")]).splitlines()
    assert rows[2] == "| fast | ≥ 10 × | 12 | 9.00–30 | reached |"
    assert rows[3] == "| small | ≤ 2 MB | 2.50 | 2.00–3.00 | **not reached** |"
    entries = [Entry(ran(OURS.name, 1000, 1.0), 1000), Entry(ran(TSHARK.name, 1000, 9.0), 1000)]
    (goal,) = targets({"server": Measured(WORKS["server"], entries, {}, 1000, None)})
    assert (goal.values, goal.reached) == ([9.0], False)


def test_written_into_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write(page, "new")
    assert page.read_text() == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(SystemExit, match="missing"):
        write(page, "new")


def test_inputs_are_made_once(tmp_path: Path) -> None:
    path, packets = Inputs(tmp_path).capture("server", 300)
    assert packets == 300
    made = path.stat().st_mtime_ns
    assert Inputs(tmp_path).capture("server", 300)[0].stat().st_mtime_ns == made
    assert Inputs(tmp_path).messages("server", 300) == messages("server", 300) == len(stunpcap.read(path).messages)


def test_contestants_are_commands_on_the_file() -> None:
    for work in WORKS.values():
        assert work.contestants[0] is OURS
        for one in work.contestants:
            assert "x.pcap" in one.command("x.pcap") or one.command("x.pcap")[-1] == "--help"
            assert 0 < one.share <= 1


@pytest.mark.parametrize("name", PEERS)
def test_peers_find_what_we_find(tmp_path: Path, name: str) -> None:
    pytest.importorskip(name)
    if name == "pyshark" and not shutil.which("tshark"):
        pytest.skip("tshark is not installed")
    for kind in ("media", "server"):
        path = tmp_path / f"{kind}.pcap"
        generate(kind, path, 500)
        command = [*PYSHARK_ON_STUN.command(str(path))[:-2], name, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        assert int(done.stdout) == len(stunpcap.read(path).messages)
