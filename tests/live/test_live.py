"""Snapshots of a capture that is being taken: like the file so far, and as if it ended now."""

from __future__ import annotations

import dataclasses
import io
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from replay import packets, replay

import stunpcap
from stunpcap.capture import open_capture
from stunpcap.capture.records import Block
from stunpcap.table import Pools
from stunpcap.trace import Trace
from stunpcap.vantage import assemble
from stunpcap.watch import live as live_module
from stunpcap.watch import reading as reading_module
from stunpcap.wire.scan import Scanner
from tests.places import LAB

DROP = LAB / "one-way-drop" / "offerer.pcap"
HEALTHY = LAB / "direct" / "offerer.pcap"
FRAMES = ("messages", "transactions", "pairs", "sessions", "flows", "dtls", "streams", "allocations", "findings")


def part(block: Block, rows: slice) -> Block:
    """Some packets of a block."""
    columns = ("offset", "caplen", "wirelen", "time_ns", "interface", "direction")
    chosen = {name: getattr(block, name)[rows] for name in columns}
    return dataclasses.replace(block, first_frame=block.first_frame + rows.start, **chosen)


@pytest.mark.parametrize("scenario", ["turn-tcp", "media-turn", "turn-tls-keylog", "mdns-lan", "asymmetric-dead"])
def test_looking_in_between_changes_nothing(scenario: str) -> None:
    """TCP streams, fragments and counters go on as if nobody had looked."""
    path = min((LAB / scenario).glob("*.pcap"))
    scanner = Scanner()
    with open_capture(path) as capture:
        for block in capture.blocks():
            for start in range(0, len(block), 97):
                scanner.feed(part(block, slice(start, min(start + 97, len(block)))), capture.interfaces)
                scanner.so_far(0)
        pools = Pools()
        looked = Trace([assemble(capture, scanner.finish(), path.stem, pools)], pools)
    whole = stunpcap.read(path)
    for name in FRAMES:
        assert [*looked.table(name).records()] == [*whole.table(name).records()], name


def test_the_end_is_now() -> None:
    """A check without an answer is open as long as its agent may wait, and unanswered after that."""
    scanner = Scanner()
    with open_capture(DROP) as capture:
        (block,) = capture.blocks()
        last = int(block.time_ns.max())
        scanner.feed(block, capture.interfaces)
        states = []
        for later in (0, 60):
            pools = Pools()
            trace = Trace([assemble(capture, scanner.so_far(last + later * 10**9), "x", pools)], pools)
            outcomes = trace.tables.transactions.values("outcome")
            states.append(outcomes.count("unfinished"))
    assert states[0] > 0
    assert states[1] == 0


def hasten(monkeypatch: pytest.MonkeyPatch, speed: float) -> None:
    """A clock that runs faster, for replays that do."""
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() * speed)
    monkeypatch.setattr(reading_module, "time", clock)
    monkeypatch.setattr(live_module, "time", clock)


def watched(path: Path, monkeypatch: pytest.MonkeyPatch, speed: float, **how: Any) -> list[Trace]:
    hasten(monkeypatch, speed)
    out, into = os.pipe()
    options = {"speed": speed, "silence_s": how.pop("silence_s", 0.0)}
    sender = threading.Thread(target=replay, args=(path, os.fdopen(into, "wb")), kwargs=options)
    sender.start()
    with os.fdopen(out, "rb", buffering=0) as stream, stunpcap.live(stream, **how) as calls:
        found = list(calls)
    sender.join()
    return found


def test_a_failed_call_is_seen_to_fail_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    traces = watched(DROP, monkeypatch, 5.0)
    causes = [trace.tables.sessions.values("root_cause") for trace in traces]
    assert len(traces) > 5
    assert causes.index(["one-way-loss"]) < len(causes) / 2, "long before the capture ends"
    last, whole = traces[-1].tables.sessions, stunpcap.read(DROP).tables.sessions
    for name in ("state", "root_cause", "checks", "ufrag_a", "ufrag_b"):
        assert last.values(name) == whole.values(name)


def test_a_healthy_call_is_never_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    traces = watched(HEALTHY, monkeypatch, 5.0)
    assert {cause for trace in traces for cause in trace.tables.sessions.values("root_cause")} == {""}
    assert traces[-1].tables.sessions.values("state") == ["connected"]


def test_verdicts_come_while_nothing_arrives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Three seconds of a call in which nothing is answered, then silence: it fails once the agent has had its time."""
    path = tmp_path / "short.pcap"
    found = packets(DROP)
    few = sum(time_ns < found[0][0] + 3 * 10**9 for time_ns, _, _ in found)
    stunpcap.read(DROP).to_pcap(path, frames=range(1, few + 1))
    assert stunpcap.read(path).tables.sessions.values("state") == ["checking"]
    traces = watched(path, monkeypatch, 20.0, silence_s=60.0)
    states = [trace.tables.sessions.values("state") for trace in traces]
    assert ["checking"] in states
    assert ["failed"] in states[:-1]


def test_the_capture_is_kept_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Records that were cut in two when it was stopped are not in the file."""
    path = tmp_path / "kept.pcap"
    out, into = os.pipe()
    data = DROP.read_bytes()
    os.write(into, data[:5000])
    with os.fdopen(out, "rb", buffering=0) as stream:
        calls = stunpcap.live(stream, write=path)
        assert len(next(calls).messages)
        calls.stop()
        os.close(into)
    kept = path.read_bytes()
    assert 4000 < len(kept) < 5000
    assert kept == data[: len(kept)]
    trace = stunpcap.read(path)
    assert trace.sources[0].packets == calls.packets > 0
    assert not trace.sources[0].file_defects
    calls.now().to_pcap(tmp_path / "out.pcapng", session=1)


def test_work_rests_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a look that took two seconds none comes for eight."""
    now = [100.0]
    monkeypatch.setattr(live_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    calls = stunpcap.live(io.BytesIO(DROP.read_bytes()))
    calls._reading.join(5)
    real = calls._reading.vantage

    def slow(pools: Pools) -> Any:
        now[0] += 2.0
        return real(pools)

    monkeypatch.setattr(calls._reading, "vantage", slow)
    calls.now()
    calls._seen = 0
    assert [bool(now.__setitem__(0, at) or calls._due()) for at in (103.0, 109.9, 110.1)] == [False, False, True]


def test_nothing_new_and_long_silence_are_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = stunpcap.live(io.BytesIO(DROP.read_bytes()))
    calls._reading.join(5)
    calls.now()
    calls._next = 0.0
    assert calls._due()
    calls._reading.came -= live_module.SILENCE
    assert not calls._due()
    calls._seen = 0
    assert calls._due()


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\n\r\n" * 9, b"\xd4\xc3\xb2\xa1\x02"])
def test_what_is_no_capture(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "kept.pcap"
    with stunpcap.live(io.BytesIO(data), write=path) as calls, pytest.raises(stunpcap.CaptureError):
        next(calls)
    assert not path.exists()


def test_a_stream_that_is_cut_off_says_so() -> None:
    *_, last = stunpcap.live(io.BytesIO(DROP.read_bytes()[:-7]))
    ((_, _, words),) = last.sources[0].file_defects
    assert "middle of a record" in words
    assert last.tables.sessions.values("root_cause") == ["one-way-loss"]


def test_a_stream_without_packets() -> None:
    calls = stunpcap.live(io.BytesIO(DROP.read_bytes()[:24]))
    assert list(calls) == []
    with pytest.raises(stunpcap.UsageError, match="no packet"):
        calls.now()


def test_duration_ends_it() -> None:
    out, into = os.pipe()
    os.write(into, DROP.read_bytes()[:30000])
    begun = time.monotonic()
    with os.fdopen(out, "rb", buffering=0) as stream:
        assert list(stunpcap.live(stream, duration_s=0.5))
        os.close(into)
    assert 0.5 <= time.monotonic() - begun < 5


def test_what_makes_no_sense(tmp_path: Path) -> None:
    for how, words in (
        ({"capture_filter": "udp"}, "whoever captures"),
        ({"duration_s": -1}, "duration_s"),
        ({"interval_s": float("nan")}, "interval_s"),
        ({"write": tmp_path / "no" / "where"}, "cannot be written"),
    ):
        with pytest.raises(stunpcap.UsageError, match=words):
            stunpcap.live(io.BytesIO(b""), **how)  # type: ignore[arg-type]
    with pytest.raises(stunpcap.UsageError, match="neither an interface"):
        stunpcap.live(7)  # type: ignore[arg-type]


def test_a_full_disk_does_not_end_it() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    calls = stunpcap.live(io.BytesIO(DROP.read_bytes()), write="/dev/full")
    *_, last = calls
    assert last.tables.sessions.values("state") == ["failed"]
    assert "cannot be written any further" in calls.problem
    assert Path("/dev/full").exists()


def test_numbers_are_those_of_the_file() -> None:
    """Eager reading hands on the same packets, however the stream comes in pieces."""

    class Drops(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self._data, self._at = data, 0

        def readable(self) -> bool:
            return True

        def readinto(self, view: Any) -> int:
            piece = self._data[self._at : self._at + min(len(view), 1 + self._at % 211)]
            view[: len(piece)] = piece
            self._at += len(piece)
            return len(piece)

    for path in (DROP, min((LAB / "turn-tls-keylog").glob("*.pcapng"), default=DROP)):
        with open_capture(Drops(path.read_bytes()), eager=True, block_bytes=1000) as capture:  # type: ignore[arg-type]
            times = np.concatenate([block.time_ns for block in capture.blocks()])
            assert capture.whole_bytes == path.stat().st_size
            assert not capture.defects
        assert times.tolist() == [time_ns for time_ns, _, _ in packets(path)]
