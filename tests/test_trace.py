"""`read()` and `Trace`: every way in and out, names, selection, single messages, passwords; and damage of any kind."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stunpcap
from stunpcap.cli import main
from stunpcap.errors import CaptureError, StunpcapError, UsageError
from stunpcap.schema import FRAMES
from stunpcap.stun.message import Message
from tests.ice.transcript import transcript
from tests.places import LAB, ROOT

DIRECT = LAB / "direct"
DEAD = LAB / "asymmetric-dead"


def stun_packets(path: Path, count: int) -> bytes:
    """A little-endian pcap with the first packets that hold STUN, or quote it in an ICMP error."""
    data = path.read_bytes()
    at, records = 24, []
    while at < len(data):
        end = at + 16 + int.from_bytes(data[at + 8 : at + 12], "little")
        records.append(data[at:end])
        at = end
    return data[:24] + b"".join([record for record in records if b"\x21\x12\xa4\x42" in record][:count])


# --- ways in -------------------------------------------------------------------------------------------------------


def test_one_path() -> None:
    trace = stunpcap.read(DEAD / "answerer.pcap")
    assert trace.vantages["vantage"].tolist() == ["answerer"]
    assert trace.vantages["path"].tolist() == [str(DEAD / "answerer.pcap")]
    assert trace.vantages["format"].tolist() == ["pcap"]
    assert len(trace.messages) == trace.vantages["stun_messages"][0] > 0
    assert set(trace.messages["vantage"]) == {"answerer"}


def test_a_path_may_be_text() -> None:
    assert len(stunpcap.read(str(DIRECT / "offerer.pcap")).messages)
    assert len(stunpcap.read(os.path.relpath(DIRECT / "offerer.pcap")).messages)


def test_several_vantages() -> None:
    both = stunpcap.read(DEAD / "offerer.pcap", DEAD / "answerer.pcap")
    assert both.vantages["vantage"].tolist() == ["offerer", "answerer"]
    for name in ("offerer", "answerer"):
        alone = stunpcap.read(DEAD / f"{name}.pcap")
        for frame in ("messages", "pairs", "flows"):
            mine = getattr(both, frame).query("vantage == @name")
            assert len(mine) == len(getattr(alone, frame))
        assert both.messages.query("vantage == @name")["frame"].tolist() == alone.messages["frame"].tolist()
    assert len(both.sessions) == 1, "both saw the same session"
    assert both.sessions["vantages"][0].split(", ") == ["offerer", "answerer"]


@pytest.mark.parametrize(
    ("paths", "names", "called"),
    [
        (["a/x.pcap", "b/x.pcap"], None, ["a/x", "b/x"]),
        (["a/x.pcap", "b/y.pcap"], None, ["x", "y"]),
        (["a/x.pcap", "a/x.pcap.gz", "a/x.pcapng"], None, ["a/x", "a/x-2", "a/x-3"]),
        (["a/x.pcap", "a/x.pcapng.gz"], None, ["a/x", "a/x-2"]),
        (["a/x.pcap", "b/x.pcap"], ["left", "right"], ["left", "right"]),
        (["a/x.pcap", "b/x.pcap"], ["both", "both"], ["a/both", "b/both"]),
        (["a/two.words.pcap"], None, ["two.words"]),
    ],
)
def test_names(tmp_path: Path, paths: list[str], names: list[str] | None, called: list[str]) -> None:
    for number, path in enumerate(paths):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        data = stun_packets(DIRECT / "answerer.pcap", 5 + number)
        (tmp_path / path).write_bytes(gzip.compress(data) if path.endswith(".gz") else data)
    trace = stunpcap.read(*(tmp_path / path for path in paths), names=names)
    assert trace.vantages["vantage"].tolist() == called
    assert set(trace.messages["vantage"]) == set(called)


def test_given_twice_counts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same file, or the same capture under another name and compressed: no second place, and it is said."""
    path = DEAD / "answerer.pcap"
    copy = tmp_path / "copy.pcap.gz"
    copy.write_bytes(gzip.compress(path.read_bytes()))
    once = stunpcap.read(path)
    for again in (path, copy, io.BytesIO(path.read_bytes())):
        trace = stunpcap.read(path, again, DEAD / "offerer.pcap")
        assert trace.vantages["vantage"].str.endswith(("answerer", "offerer")).tolist() == [True, True]
        assert len(trace.messages.query("vantage.str.endswith('answerer')")) == len(once.messages)
        (told,) = [words for words in trace.defects["defect"] if "given twice" in words]
        assert "which count once" in told
    assert main(["sessions", str(path), str(copy)]) == 0
    assert "given twice" in capsys.readouterr().err


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    with (DEAD / "answerer.pcap").open("rb") as stream:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
        trace = stunpcap.read("-")
    assert trace.vantages["vantage"].tolist() == ["stdin"]
    assert len(trace.messages) == len(stunpcap.read(DEAD / "answerer.pcap").messages)


def test_streams() -> None:
    data = (DEAD / "answerer.pcap").read_bytes()
    expected = stunpcap.read(DEAD / "answerer.pcap").messages.drop(columns="vantage")
    for stream in (io.BytesIO(data), io.BytesIO(gzip.compress(data))):
        trace = stunpcap.read(stream)
        assert trace.messages.drop(columns="vantage").equals(expected)
        assert not stream.closed
    with (DEAD / "answerer.pcap").open("rb") as opened:
        assert stunpcap.read(opened).vantages["vantage"].tolist() == ["answerer"]


def test_progress_ends_with_the_whole_file() -> None:
    told: list[tuple[int, int | None]] = []
    path = DEAD / "answerer.pcap"
    stunpcap.read(path, progress=lambda done, size: told.append((done, size)))
    assert told[-1] == (path.stat().st_size, path.stat().st_size)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_growing_file(tmp_path: Path) -> None:
    data = (DEAD / "answerer.pcap").read_bytes()
    path = tmp_path / "growing.pcap"
    counts = []
    for size in (24, len(data) // 3, len(data) // 2, len(data)):
        path.write_bytes(data[:size])
        trace = stunpcap.read(path)
        counts.append(len(trace.messages))
        assert len(trace.defects) == (size not in (24, len(data))), size
    assert counts[0] == 0 < counts[1] < counts[2] < counts[3] == len(stunpcap.read(DEAD / "answerer.pcap").messages)


# --- ways out ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", FRAMES)
def test_every_frame(frame: str) -> None:
    trace = stunpcap.read(DEAD / "answerer.pcap")
    framed = getattr(trace, frame)
    assert list(framed.columns) == [column.name for column in FRAMES[frame]]
    assert len(framed) == len(trace.table(frame))
    assert getattr(trace, frame) is framed, "made once"


def test_unknown_frame() -> None:
    with pytest.raises(UsageError, match="no frame 'colours'; the frames are messages, "):
        stunpcap.read(DIRECT / "answerer.pcap").table("colours")


def test_select() -> None:
    trace = stunpcap.read(LAB / "asymmetric-rescued" / "answerer.pcap", DIRECT / "answerer.pcap", names=["a", "b"])
    assert trace.sessions["session_id"].tolist() == [1, 2]
    total = 0
    for session in (1, 2):
        one = trace.select(session=session)
        for frame in ("messages", "transactions", "pairs", "candidates"):
            assert set(getattr(one, frame)["session_id"]) == {session}
        assert one.sessions["session_id"].tolist() == [session]
        assert set(one.flows["vantage"]) <= {"a", "b"}
        assert len(one.vantages) == 2
        total += len(one.pairs)
        frame = int(one.messages["frame"][0])
        assert one.message(frame, vantage=one.messages["vantage"][0])
    assert total == len(trace.pairs)
    for wrong in (0, 3, -1):
        with pytest.raises(UsageError, match=f"no session {wrong}; the trace has 2"):
            trace.select(session=wrong)


def test_message() -> None:
    trace = stunpcap.read(DEAD / "answerer.pcap")
    for row in trace.messages.head(20).itertuples():
        message = trace.message(row.frame)
        assert isinstance(message, Message)
        assert message.method == row.method
        assert message.username == (row.username if isinstance(row.username, str) else None)
        assert trace.messages_in(row.frame)[0].priority == message.priority


def test_message_wrongly_asked_for() -> None:
    trace = stunpcap.read(DEAD / "answerer.pcap")
    frame = int(trace.messages["frame"][0])
    packets = int(trace.vantages["packets"][0])
    with pytest.raises(UsageError, match="holds 1 STUN message"):
        trace.message(frame, number=1)
    with pytest.raises(UsageError, match="holds 1 STUN message"):
        trace.message(frame, number=-1)
    for beyond in (0, -1, packets + 1):
        with pytest.raises(UsageError, match=f"frame {beyond} .the capture has {packets} frames"):
            trace.message(beyond)
    with pytest.raises(UsageError, match="no vantage 'moon'; there are answerer"):
        trace.message(frame, vantage="moon")
    other = (DEAD / "answerer.pcap").read_bytes()[:-1]
    twice = stunpcap.read(DEAD / "answerer.pcap", io.BytesIO(other), names=["a", "b"])
    with pytest.raises(UsageError, match=r"frame .* holds STUN in a and b: say which"):
        twice.message(frame)
    assert twice.message(frame, vantage="b").username == trace.message(frame).username


# --- what cannot be read -------------------------------------------------------------------------------------------


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"gone\.pcap: .*") as caught:
        stunpcap.read(tmp_path / "gone.pcap")
    assert caught.value.path == str(tmp_path / "gone.pcap")
    assert len(str(caught.value).splitlines()) == 1


def test_directory(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="directory"):
        stunpcap.read(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b'{"offer": 1}', "JSON"), (b"\x89PNG\r\n\x1a\n" + bytes(40), "PNG"), (bytes(100), "zero")],
)
def test_not_a_capture(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=words) as caught:
        stunpcap.read(path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ([], {}, "needs a capture"),
        ([["a.pcap", "b.pcap"]], {}, "one by one"),
        (["x"], {"engine": "crystal"}, "no engine 'crystal'"),
        (["x"], {"names": ["a", "b"]}, "2 names for 1 captures"),
        ([io.StringIO("text")], {}, "text"),
    ],
)
def test_wrong_calls(arguments: list[Any], options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        stunpcap.read(*arguments, **options)


# --- passwords -----------------------------------------------------------------------------------------------------


def signalled_passwords(scenario: Path) -> dict[str, str]:
    """ICE passwords by ufrag, from the session descriptions that the agents exchanged."""
    truth = json.loads((scenario / "truth.json").read_text())
    found = {}
    for agent in ("offerer", "answerer"):
        for description in truth[agent]["descriptions"]:
            ufrags = re.findall(r"a=ice-ufrag:(\S+)", description["sdp"])
            found |= dict(zip(ufrags, re.findall(r"a=ice-pwd:(\S+)", description["sdp"]), strict=True))
    return found


def test_passwords() -> None:
    path = DIRECT / "answerer.pcap"
    passwords = signalled_passwords(DIRECT)
    assert len(passwords) == 2
    without = stunpcap.read(path).messages
    named = without["integrity"] == "present"
    assert named.sum() > 10
    right = stunpcap.read(path, passwords=passwords).messages
    assert set(right.loc[named, "integrity"]) == {"valid"}
    assert (right.loc[~named, "integrity"] == without.loc[~named, "integrity"]).all()
    wrong = stunpcap.read(path, passwords=dict.fromkeys(passwords, "this is another one")).messages
    assert set(wrong.loc[named, "integrity"]) == {"invalid"}


def test_one_password_of_two() -> None:
    """Checks of one agent, and the answers to them, are keyed with the password of the other."""
    path = DIRECT / "answerer.pcap"
    (ufrag, password), *_ = signalled_passwords(DIRECT).items()
    trace = stunpcap.read(path, passwords={ufrag: password})
    requests = trace.messages[trace.messages["class"] == "request"]
    to_it = requests["username"].str.startswith(f"{ufrag}:")
    assert set(requests.loc[to_it, "integrity"]) == {"valid"}
    assert set(requests.loc[~to_it, "integrity"]) == {"present"}
    answered = trace.messages[trace.messages["class"] == "success"]
    keyed = answered["transaction_id"].isin(requests.loc[to_it, "transaction_id"])
    assert set(answered.loc[keyed, "integrity"]) == {"valid"}
    assert set(answered.loc[~keyed, "integrity"]) == {"present"}


# --- damage --------------------------------------------------------------------------------------------------------

FRAMED = sorted(FRAMES)
SAMPLES = {
    "checks": stun_packets(DIRECT / "answerer.pcap", 4),
    "refused": stun_packets(LAB / "icmp-port-unreachable" / "offerer.pcap", 3),
}


def use(data: bytes, framed: bool) -> None:
    """Whatever the bytes: every table and every message, or the project's own error in one line."""
    try:
        trace = stunpcap.read(io.BytesIO(data), names=["x"])
        for name in FRAMED:
            for _ in trace.table(name).records():
                pass
            if framed:
                getattr(trace, name)
        for frame in trace.table("messages")["frame"].tolist():
            str(trace.message(frame))
    except StunpcapError as error:
        assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize("kind", SAMPLES)
def test_cut_at_every_byte(kind: str) -> None:
    data = SAMPLES[kind]
    for size in range(len(data)):
        use(data[:size], framed=size % 50 == 0)


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_byte_changed_anywhere(kind: str) -> None:
    data = SAMPLES[kind]
    for place in range(0, len(data), 2):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8 | 0x80
        use(bytes(changed), framed=place % 100 == 0)


CHANGES = st.lists(st.tuples(st.integers(0, 4096), st.integers(0, 255)), min_size=1, max_size=12)


@settings(max_examples=200, deadline=None)
@given(kind=st.sampled_from(sorted(SAMPLES)), changes=CHANGES, cut=st.integers(0, 4096), extra=st.binary(max_size=40))
def test_bytes_changed_at_random(kind: str, changes: list[tuple[int, int]], cut: int, extra: bytes) -> None:
    data = bytearray(SAMPLES[kind])
    for place, value in changes:
        data[24 + place % (len(data) - 24)] = value
    use(bytes(data[: len(data) - cut % 64]) + extra, framed=False)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_bytes_at_random(data: bytes) -> None:
    use(data, framed=False)
    use(SAMPLES["checks"][:24] + data, framed=False)


def test_one_damaged_capture_of_two(tmp_path: Path) -> None:
    """Damage is listed, and costs the other capture nothing."""
    shutil.copy(DEAD / "offerer.pcap", tmp_path / "whole.pcap")
    (tmp_path / "cut.pcap").write_bytes((DEAD / "answerer.pcap").read_bytes()[:-7])
    trace = stunpcap.read(tmp_path / "whole.pcap", tmp_path / "cut.pcap")
    assert len(trace.messages.query("vantage == 'whole'")) == len(stunpcap.read(DEAD / "offerer.pcap").messages)
    (defect,) = trace.defects.query("layer == 'file'").to_dict("records")
    assert defect["vantage"] == "cut"
    assert defect["offset"] > 24
    assert ROOT.name not in defect["defect"]


def test_the_same_messages_at_two_places_are_two_captures() -> None:
    """Sent here and received there within a clock tick: directions differ, nothing else does."""
    lines = "A = 10.0.0.1:1000\nB = 10.0.0.2:2000\n0 A > B request a0 user=bbbb:aaaa {}\n9 end"
    files = [io.BytesIO(transcript(lines.format(way)).capture("cooked")) for way in ("out", "in")]
    assert len(stunpcap.read(*files, names=["a", "b"]).vantages) == 2
