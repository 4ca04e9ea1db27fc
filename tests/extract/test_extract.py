"""What is taken out of a capture is what was in it: the same packets, the same session, comments where they belong."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stunpcap
from stunpcap.capture import open_capture
from tests.places import LAB, ROOT, lab_captures, name_of, shared_captures

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
ONE_EACH = list({path.parent: path for path in reversed(lab_captures())}.values())
"""A capture of each scenario."""
DROP = LAB / "one-way-drop" / "offerer.pcap"
PAIR = ("src", "dst", "src_type", "dst_type", "requests_sent", "responses_received", "unanswered", "state", "path")
SESSION = ("state", "root_cause", "pairs", "dtls", "media_ab_packets", "media_ba_packets", "time_to_connect_s", "start")


def tshark(path: Path, *fields: str, show: str = "") -> list[list[str]]:
    """Fields of each frame, as tshark has them."""
    argv = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=/t", "-E", "aggregator=|"]
    argv += [word for field in fields for word in ("-e", field)] + (["-Y", show] if show else [])
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def packets(path: Path) -> list[tuple[Any, ...]]:
    """Everything about each packet that a file can say."""
    found = []
    with open_capture(path) as capture:
        for block in capture.blocks():
            for row in range(len(block)):
                start = int(block.offset[row])
                interface = capture.interfaces[int(block.interface[row])]
                found.append(
                    (
                        int(block.time_ns[row]),
                        int(block.wirelen[row]),
                        bytes(block.data[start : start + int(block.caplen[row])]),
                        int(block.direction[row]),
                        (interface.linktype & 0xFFFF, interface.snaplen, interface.name, interface.description),
                    )
                )
    return found


def of(table: Any, columns: tuple[str, ...], row: int) -> dict[str, Any]:
    """A row."""
    return {name: table.values(name)[row] for name in columns}


@pytest.mark.parametrize("path", ONE_EACH, ids=name_of)
def test_a_session_taken_out_is_the_same_session(path: Path, tmp_path: Path) -> None:
    trace = stunpcap.read(path)
    out = tmp_path / "out.pcapng"
    sessions, pairs = trace.tables.sessions, trace.tables.pairs
    for row, number in enumerate(sessions["session_id"].tolist()[:3]):
        trace.to_pcap(out, session=number)
        again = stunpcap.read(out).tables
        agents = [*zip(again.sessions.values("ufrag_a"), again.sessions.values("ufrag_b"), strict=True)]
        where = agents.index((sessions.values("ufrag_a")[row], sessions.values("ufrag_b")[row]))
        assert of(again.sessions, SESSION, where) == of(sessions, SESSION, row)
        mine = pairs.take(pairs["session_id"] == number)
        theirs = again.pairs.take(again.pairs["session_id"] == where + 1)
        for name in PAIR:
            assert theirs.values(name) == mine.values(name), name


@pytest.mark.parametrize("path", [*ONE_EACH, *shared_captures()], ids=name_of)
def test_packets_stay_as_they_were(path: Path, tmp_path: Path) -> None:
    """Every link type and both formats: bytes, times, lengths, directions, interfaces."""
    out = tmp_path / "out.pcapng"
    written = stunpcap.read(path).to_pcap(out)
    before = packets(path)
    assert packets(out) == before
    assert written.packets == len(before)


@needs_tshark
@pytest.mark.parametrize("scenario", ["one-way-drop", "asymmetric-dead", "stun-rejected", "capture-any"])
def test_tshark_sees_the_comments_at_the_right_frames(scenario: str, tmp_path: Path) -> None:
    path = min((LAB / scenario).glob("*.pcap"))
    trace = stunpcap.read(path)
    out = tmp_path / "out.pcapng"
    written = trace.to_pcap(out, session=1)
    told: dict[int, set[str]] = {}
    for row in trace.findings.itertuples():
        for frame in row.frames:
            told.setdefault(frame, set()).add(row.name)
    assert told
    seen = {}
    original = {int(number): rest for number, *rest in tshark(path, "frame.number", "frame.time_epoch", "frame.len")}
    for number, comment, *rest in tshark(out, "frame.packet_id", "frame.comment", "frame.time_epoch", "frame.len"):
        frame = int(number, 0)
        assert rest == original[frame], "not the packet that it says to be"
        if comment:
            seen[frame] = {one.split()[2] for one in comment.split("|") if one.startswith("stunpcap: ")}
            assert f"(frame {frame} of {path.name})" in comment
    assert seen == {frame: names for frame, names in told.items() if frame in seen}
    about = trace.findings[trace.findings["session_id"] == 1]
    assert {frame for frames in about["frames"] for frame in frames} <= set(seen)
    assert written.commented == len(seen)


@needs_tshark
@pytest.mark.parametrize("scenario", ["asymmetric-dead", "turn-forbidden", "ipv6-broken", "dead-interface"])
def test_display_filters_select_exactly_the_frames(scenario: str) -> None:
    path = min((LAB / scenario).glob("*.pcap"))
    trace = stunpcap.read(path)
    assert len(trace.findings)
    for number, row in trace.findings.iterrows():
        assert trace.display_filter(number) == trace.display_filter(row)
        found = [int(one) for (one,) in tshark(path, "frame.number", show=trace.display_filter(number))]
        if row["frames"]:
            assert found == row["frames"]


@needs_tshark
def test_a_filter_for_what_no_frame_shows_names_the_direction() -> None:
    from stunpcap.extract.findings import display_filter

    tables = stunpcap.read(DROP).tables
    findings = tables.findings.take(np.flatnonzero(tables.findings["src"] >= 0)[:1])
    findings["frames"][0] = ()
    words = display_filter(findings, np.array([0]), tables.flows)
    src, dst = findings.values("src")[0], findings.values("dst")[0]
    shown = tshark(DROP, "ip.src", "udp.srcport", "ip.dst", "udp.dstport", show=words)
    assert {(f"{a}:{b}", f"{c}:{d}") for a, b, c, d in shown} <= {(src, dst)}
    findings["src"][0] = -1
    with pytest.raises(stunpcap.UsageError, match="no frame to show"):
        display_filter(findings, np.array([0]), tables.flows)


def test_frames_and_findings(tmp_path: Path) -> None:
    trace = stunpcap.read(DROP)
    out = tmp_path / "out.pcapng"
    trace.to_pcap(out, frames=[3, 1, 3])
    before = packets(DROP)
    assert packets(out) == [before[0], before[2]]
    name = trace.findings["name"][0]
    trace.to_pcap(out, finding=name)
    wanted = {frame for row in trace.findings.itertuples() if row.name == name for frame in row.frames}
    assert packets(out) == [before[frame - 1] for frame in sorted(wanted)]
    trace.to_pcap(out, finding=0, frames=[1])
    assert packets(out) == [before[frame - 1] for frame in sorted({1, *trace.findings["frames"][0]})]
    section = stunpcap.read(out).comments["out"][0]
    assert any(DROP.name in text and name in text for text in section)


def test_a_selection_takes_out_its_session(tmp_path: Path) -> None:
    path = LAB / "ice-restart" / "offerer.pcap"
    trace = stunpcap.read(path)
    first, second = tmp_path / "a.pcapng", tmp_path / "b.pcapng"
    trace.to_pcap(first, session=2)
    trace.select(session=2).to_pcap(second)
    assert packets(first) == packets(second)


def test_media_can_be_left_out(tmp_path: Path) -> None:
    path = min((LAB / "media-turn").glob("*.pcap*"))
    trace = stunpcap.read(path)
    full, lean = tmp_path / "full.pcapng", tmp_path / "lean.pcapng"
    more = trace.to_pcap(full, session=1).packets
    fewer = trace.to_pcap(lean, session=1, media=False).packets
    assert fewer < more / 2
    again = stunpcap.read(lean)
    assert int(again.sessions["media_ab_packets"][0]) < 20, "the first protected records of handshakes"
    assert len(again.messages) == len(stunpcap.read(full).messages), "all STUN is there, in ChannelData, too"


def test_compressed_captures_and_streams_to_write_to(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap.gz"
    path.write_bytes(gzip.compress(DROP.read_bytes()))
    out = io.BytesIO()
    stunpcap.read(path).to_pcap(out, session=1)
    plain = io.BytesIO()
    stunpcap.read(DROP).to_pcap(plain, session=1)
    assert len(out.getvalue()) > 1000
    assert len(stunpcap.read(io.BytesIO(out.getvalue())).messages) == len(
        stunpcap.read(io.BytesIO(plain.getvalue())).messages
    )


@pytest.mark.parametrize("cut", [1, 17, 50, 333])
def test_captures_that_are_cut_off(cut: int, tmp_path: Path) -> None:
    path, out = tmp_path / "cut.pcap", tmp_path / "out.pcapng"
    path.write_bytes(DROP.read_bytes()[:-cut])
    trace = stunpcap.read(path)
    trace.to_pcap(out, session=1)
    assert stunpcap.read(out).tables.sessions.values("state") == trace.tables.sessions.values("state")


def test_comments_of_the_capture_stay(tmp_path: Path) -> None:
    once, twice = tmp_path / "once.pcapng", tmp_path / "twice.pcapng"
    stunpcap.read(DROP).to_pcap(once, session=1)
    trace = stunpcap.read(once)
    trace.to_pcap(twice)
    (before,), (after,) = trace.comments.values(), stunpcap.read(twice).comments.values()
    assert all(set(texts) <= set(after[frame]) for frame, texts in before.items())


def test_times_before_1970(tmp_path: Path) -> None:
    from stunpcap.capture import Interface
    from stunpcap.capture.writing import PcapngWriter

    path = tmp_path / "old.pcapng"
    with path.open("wb") as file:
        writer = PcapngWriter(file, "a test", (), earliest_ns=-1_500_000_001)
        writer.interfaces([Interface(1)])
        writer.packet(b"abcde", 9, -1_500_000_001)
        writer.packet(b"", 0, 7, direction=2)
    assert [one[:4] for one in packets(path)] == [(-1_500_000_001, 9, b"abcde", 0), (7, 0, b"", 2)]


def test_what_makes_no_sense(tmp_path: Path) -> None:
    trace = stunpcap.read(DROP)
    out = tmp_path / "out.pcapng"
    for how, words in (
        ({"session": 9}, "no session 9"),
        ({"finding": "nonsense"}, "no finding 'nonsense'; there are"),
        ({"finding": 999}, "no finding in row 999"),
        ({"finding": 2.5}, "by its name"),
        ({"frames": [0]}, "no frame 0"),
        ({"frames": [10**6]}, "no frame 1000000"),
        ({"frames": ["x"]}, "by their numbers"),
        ({"vantage": "nowhere"}, "no vantage 'nowhere'"),
    ):
        with pytest.raises(stunpcap.UsageError, match=words):
            trace.to_pcap(out, **how)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir()), "nothing is left behind"
    copy = tmp_path / "copy.pcap"
    copy.write_bytes(DROP.read_bytes())
    with pytest.raises(stunpcap.UsageError, match="is what is read"):
        stunpcap.read(copy).to_pcap(copy)
    assert copy.read_bytes() == DROP.read_bytes()
    with pytest.raises(stunpcap.UsageError, match="cannot be written"):
        trace.to_pcap(tmp_path / "no" / "where.pcapng")
    with pytest.raises(stunpcap.CaptureError, match="second time"):
        stunpcap.read(io.BytesIO(DROP.read_bytes())).to_pcap(out)
    with pytest.raises(stunpcap.UsageError, match="which vantage"):
        stunpcap.read(DROP, DROP.with_name("answerer.pcap")).to_pcap(out)


def test_a_capture_that_is_another_one_now(tmp_path: Path) -> None:
    copy, out = tmp_path / "copy.pcap", tmp_path / "out.pcapng"
    copy.write_bytes(DROP.read_bytes())
    trace = stunpcap.read(copy)
    copy.write_bytes(DROP.read_bytes()[:400])
    with pytest.raises(stunpcap.CaptureError, match="when it was read"):
        trace.to_pcap(out, session=1)
    copy.unlink()
    with pytest.raises(stunpcap.CaptureError, match="no longer"):
        trace.to_pcap(out, session=1)
    assert not out.exists()


def test_several_captures_take_theirs(tmp_path: Path) -> None:
    far = DROP.with_name("answerer.pcap")
    trace = stunpcap.read(DROP, far)
    out = tmp_path / "out.pcapng"
    trace.to_pcap(out, session=1, vantage="answerer")
    assert set(packets(out)) <= set(packets(far))


def test_scapy_packets() -> None:
    scapy = pytest.importorskip("scapy.layers.inet")
    trace = stunpcap.read(DROP)
    a, b = trace.messages["frame"].tolist()[:2]
    made = trace.to_scapy([b, a])
    before = packets(DROP)
    assert [bytes(one.original) for one in made] == [before[a - 1][2], before[b - 1][2]]
    assert [int(one.time * 10**9) for one in made] == [before[a - 1][0], before[b - 1][0]]
    assert all(one.haslayer(scapy.IP) for one in made)
    with pytest.raises(stunpcap.UsageError, match="no frame"):
        stunpcap.read(DROP).to_scapy([10**9])


def test_scapy_is_not_imported_for_pcapng() -> None:
    code = f"""
import io, sys, stunpcap
stunpcap.read({str(DROP)!r}).to_pcap(io.BytesIO(), session=1)
print(*(name for name in ("scapy", "pandas", "rich", "numba") if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_compiled_and_plain_choose_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("numba")
    path = LAB / "turn-udp" / "offerer.pcap"
    found = []
    for policy in ("never", "auto"):
        monkeypatch.setenv("STUNPCAP_COMPILE", policy)
        monkeypatch.setattr("stunpcap.wire.belonging.COMPILE_ABOVE", 1)
        out = tmp_path / policy
        stunpcap.read(path).to_pcap(out, session=1)
        found.append(out.read_bytes())
    assert found[0] == found[1]
