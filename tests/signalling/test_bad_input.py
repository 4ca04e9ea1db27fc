"""Whatever the file holds: what could be read is kept, and one error names file and place; never another error."""

from __future__ import annotations

import contextlib
import json
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stunpcap import SourceError
from stunpcap.signalling.model import Gathering, Source
from stunpcap.signalling.sources import READERS, read_source
from tests.places import LAB
from tests.signalling.samples import console_log, har, internals, rtcstats, truth_of
from tests.signalling.test_formats import SAMPLES, TRUTH, WHO


def read(tmp_path: Path, data: str | bytes, name: str = "sample") -> Source:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_source(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "is empty"),
        ("hello\n", "holds no signalling"),
        ("\0\1\2\3" * 100, "holds no signalling"),
        ("<html><body>Not found</body></html>", "it looks like an HTML page"),
        ('{"log": {"version": "1.2", "creator": {}, "entries": []}}', "tells of no candidate"),
        ('{"PeerConnections": {}, "getUserMedia": []}', "tells of no candidate"),
        ("RTCStatsDump\n{}\n", "file format None of rtcstats; 3 is known in line 2"),
        ('{"PeerConnections": {"1-1": {"updateLog": [{"type": "x", ', "JSON that cannot be read"),
        ("candidate:1 1 udp 1 192.0.2.1 99999 typ host", "out of range in line 1"),
    ],
)
def test_one_error_names_file_and_place(tmp_path: Path, data: str, words: str) -> None:
    with pytest.raises(SourceError) as told:
        read(tmp_path, data)
    assert str(told.value).startswith(str(tmp_path / "sample")) and words in str(told.value)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be opened"):
        read_source(tmp_path / "absent")


def test_a_capture_is_named_for_what_it_is() -> None:
    with pytest.raises(SourceError, match="holds no signalling"):
        read_source(LAB / "direct" / "offerer.pcap")


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("make", [internals, har])
def test_json_that_ends_in_the_middle(tmp_path: Path, make: object, part: float) -> None:
    text = make(TRUTH, WHO)  # type: ignore[operator]
    if make is internals:  # the log before the statistics, as a dump may have it
        document = json.loads(text)
        connection = document["PeerConnections"]["7-1"]
        connection["stats"] = connection.pop("stats")
        connection = {"updateLog": connection.pop("updateLog"), **connection}
        text = json.dumps({"PeerConnections": {"7-1": connection}})
    try:
        source = read(tmp_path, text[: int(len(text) * part)])
    except SourceError as error:
        assert part < 0.5 and error.offset >= 0
        return
    whole = read(tmp_path, text, "whole")
    assert source.descriptions or source.candidates
    assert len(source.candidates) <= len(whole.candidates)
    (flaw,) = [flaw for flaw in source.flaws if "JSON" in flaw.words]
    assert flaw.origin.offset > 0


def test_lines_that_are_damaged_cost_themselves(tmp_path: Path) -> None:
    lines = rtcstats(TRUTH, WHO).splitlines()
    lines[4] = lines[4][:20]
    source = read(tmp_path, "\n".join(lines))
    assert [flaw.origin.line for flaw in source.flaws] == [5]
    assert len(source.descriptions) + len(source.candidates) > 4


def test_a_series_whose_last_line_is_cut(tmp_path: Path) -> None:
    text = SAMPLES["getStats, a series"][1]
    first = text.splitlines()[1]
    source = read(tmp_path, f"{first}\n{first}\n{first[:300]}")
    assert source.statistics and [flaw.words for flaw in source.flaws] == ["the last line is cut"]


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    text = console_log(TRUTH, WHO).encode()
    source = read(tmp_path, text + b"\xff\xfe broken\n")
    assert len(source.candidates) == 5
    assert [(flaw.words, flaw.origin.offset) for flaw in source.flaws] == [("a byte that is not UTF-8", len(text))]


def test_gzip_that_is_cut(tmp_path: Path) -> None:
    import gzip

    data = gzip.compress(console_log(TRUTH, WHO).encode() * 3)
    source = read(tmp_path, data[:-200])
    assert source.candidates and source.flaws


LONG = [word * (300_000 // len(word)) for word in ("turn:", "candidate:", "a=", "{\n", "{\n}\n", "v=0\n", "x 1 udp 1 ")]
LONG += [word * 20_000 for word in ("candidate:x 1 ", " typ ", "iceServers{", '{"sdp":"', "sdp v=0\\n", "type: offer ")]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '[{"candidate": "' + "x" * 10**6 + '"}]', *LONG])
def test_deep_and_long(tmp_path: Path, text: str) -> None:
    began = time.monotonic()
    with contextlib.suppress(SourceError):
        read(tmp_path, '"candidate":"candidate:1 1 udp 1 1.2.3.4 5 typ host"' + text)
    with contextlib.suppress(SourceError):
        read(tmp_path, text + '"candidate":"candidate:1 1 udp 1 1.2.3.4 5 typ host"')
    assert time.monotonic() - began < 20


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    for _, reader in READERS:
        reader.recognise(data)
        reader.read(data.decode("utf-8", "replace"), Gathering("x", "x"))


PIECES = [
    "{",
    "}",
    "[",
    "]",
    '"',
    ":",
    ",",
    "\n",
    "\\",
    "v=0\r\n",
    "a=",
    "m=audio",
    "candidate:",
    "1 1 udp 1 ::1 5 typ host",
]
PIECES += ['"sdp"', '"type"', '"candidate"', '"iceServers"', '"PeerConnections"', '"updateLog"', '"stats"', '"log"']
PIECES += ['"entries"', '"_webSocketMessages"', "RTCStatsDump\n", "<table>", "<td>", "<pre>", "null", "1e999", "\ud800"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_any_pieces(pieces: list[str]) -> None:
    for _, reader in READERS:
        reader.read("".join(pieces), Gathering("x", "x"))


@settings(deadline=None)
@given(st.data())
def test_samples_with_pieces_cut_out(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SAMPLES)))
    text = SAMPLES[name][1]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 500)))
    for _, reader in READERS:
        if reader.recognise(text.encode()[: 1 << 18]):
            reader.read(text[:start] + text[end:], Gathering("x", "x"))


def test_a_large_log_takes_seconds_and_little_more_than_itself(tmp_path: Path) -> None:
    """20 MB of an application's other lines around one call; ten times as much takes ten times as long."""
    call = console_log(truth_of("direct"), "offerer")
    filler = "2023-11-14T22:13:20.123Z render.js:7 frame 1234 drawn in 16.2 ms {queue: 3, dropped: 0}\n" * 115_000
    path = tmp_path / "large.log"
    path.write_text(filler + call + filler)
    size = path.stat().st_size
    tracemalloc.start()
    began = time.monotonic()
    source = read_source(path)
    took, (_, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(source.descriptions) == 2
    assert source.candidates[0].origin.line > 115_000
    assert took < 20 and peak < 6 * size
