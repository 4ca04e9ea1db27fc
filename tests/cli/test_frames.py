"""The commands that print a frame: the same rows in every format, and tables for people."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import stunpcap
from stunpcap.cli.columns import ESSENTIAL, SHOWN, STACKED
from stunpcap.schema import FRAMES, Kind
from tests.cli.conftest import ESCAPES
from tests.ice.transcript import transcript
from tests.places import LAB

DIRECT = LAB / "direct" / "answerer.pcap"
DEAD = LAB / "asymmetric-dead" / "answerer.pcap"
OUTSIDE = LAB / "asymmetric-dead" / "nat-a-outside.pcap"
Run = Callable[..., Any]
NAMES = {name: [column.name for column in columns] for name, columns in FRAMES.items()}

LONG = """
    A = [2001:db8:85a3:1111:2222:8a2e:370:7334]:54321
    B = [2001:db8:85a3:1111:2222:8a2e:370:7335]:54322
    0.000  A > B  request t1 user=bbbb:aaaa controlling use
    0.020  B > A  success t1 mapped=A
    1.000  B > A  request t2 user=aaaa:bbbb controlled
    1.010  A > B  success t2 mapped=B
    60.0   end
"""


@pytest.fixture(scope="module")
def long_addresses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "long.pcap"
    path.write_bytes(transcript(LONG).capture())
    return path


def test_columns_of_tables_exist() -> None:
    assert set(SHOWN) == set(ESSENTIAL) == set(FRAMES)
    for frame, names in SHOWN.items():
        assert set(names) <= set(NAMES[frame]), frame
        assert len(set(names)) == len(names)
        assert {"vantage"}.isdisjoint(names) or frame == "vantages"
        assert set(STACKED.get(frame, ())) <= set(names)
        assert 0 < ESSENTIAL[frame] <= len(names)


@pytest.mark.parametrize("frame", FRAMES)
def test_json_is_the_table(run: Run, frame: str) -> None:
    done = run(frame, "--json", DEAD, OUTSIDE)
    expected = list(stunpcap.read(DEAD, OUTSIDE).table(frame).records())
    assert [json.loads(line) for line in done.out.splitlines()] == expected


@pytest.mark.parametrize("frame", FRAMES)
def test_csv_is_the_table(run: Run, frame: str) -> None:
    rows = list(csv.reader(io.StringIO(run(frame, "--format", "csv", DIRECT).out)))
    assert rows[0] == NAMES[frame]
    words = {True: "true", False: "false", None: ""}
    expected = [
        [words[value] if value is None or isinstance(value, bool) else str(value) for value in row.values()]
        for row in stunpcap.read(DIRECT).table(frame).records()
    ]
    assert rows[1:] == expected


@pytest.mark.parametrize("frame", FRAMES)
def test_files_by_their_ending(run: Run, tmp_path: Path, frame: str) -> None:
    trace = stunpcap.read(DIRECT)
    expected = getattr(trace, frame)
    for ending in ("csv", "jsonl", "parquet") if frame != "pairs" else ("json", "ndjson"):
        path = tmp_path / f"frame.{ending}"
        done = run(frame, DIRECT, "-o", path)
        assert (done.status, done.out, done.err) == (0, "", "")
        if ending == "parquet":
            loaded = pd.read_parquet(path)
            assert list(loaded) == list(expected)
            if len(expected):  # levels of a category that has no values are not kept
                pd.testing.assert_frame_equal(loaded, expected)
        elif ending == "csv":
            assert path.read_text() == run(frame, "--format", "csv", DIRECT).out
        else:
            assert path.read_text() == run(frame, "--json", DIRECT).out


def test_a_table_can_be_written_to_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    assert run("pairs", "--format", "table", "-o", path, DEAD).status == 0
    assert "172.30.0.2:58121" in path.read_text()


def test_the_session_chosen(run: Run) -> None:
    both = LAB / "direct" / "answerer.pcap", DEAD
    everything = [json.loads(line) for line in run("pairs", "--json", *both).out.splitlines()]
    for number in (1, 2):
        rows = [json.loads(line) for line in run("pairs", "--session", number, "--json", *both).out.splitlines()]
        assert rows == [row for row in everything if row["session_id"] == number]
        assert rows
    assert len(run("vantages", "--session", "2", "--json", *both).out.splitlines()) == 2


def test_columns_chosen(run: Run) -> None:
    done = run("pairs", "--columns", "dst, src", "--format", "csv", DEAD)
    assert done.out.splitlines()[:2] == ["dst,src", "192.168.10.10:58121,10.20.0.20:41475"]
    assert json.loads(run("pairs", "--columns", "path", "--json", DEAD).out.splitlines()[0]) == {"path": "delivered"}
    assert run("pairs", "--columns", "dst,src", DEAD).out.split()[:2] == ["dst", "src"]


@pytest.mark.parametrize("frame", FRAMES)
def test_a_piped_table_has_a_line_a_row(run: Run, frame: str) -> None:
    """Nothing is cut or wrapped, columns do not depend on the data, no colour."""
    table = stunpcap.read(DEAD).table(frame)
    done = run(frame, DEAD)
    assert len(done.lines) == 2 + len(table)
    assert done.lines[0].split() == list(SHOWN[frame])
    assert "\x1b" not in done.out
    assert run(frame, "--all-columns", DEAD).lines[0].split() == NAMES[frame]
    for column in FRAMES[frame]:
        if column.kind is Kind.ENDPOINT and column.name in SHOWN[frame]:
            assert all(value in done.out for value in table.values(column.name) if value)


def test_several_captures_are_told_apart(run: Run) -> None:
    assert run("pairs", DEAD).lines[0].split()[0] == "pair_id"
    assert run("pairs", DEAD, OUTSIDE).lines[0].split()[0] == "vantage"
    named = run("pairs", DEAD, OUTSIDE, "--name", "inside", "--name", "outside").out
    assert re.search(r"^inside ", named, re.M) and re.search(r"^outside ", named, re.M)


@pytest.mark.parametrize(
    ("frame", "width"),
    [("pairs", 60), ("pairs", 80), ("pairs", 200), ("transactions", 80), ("mappings", 80), ("sessions", 120)],
)
def test_a_table_fits_the_terminal(in_terminal: Run, long_addresses: Path, frame: str, width: int) -> None:
    done = in_terminal(frame, long_addresses, width=width)
    plain = ESCAPES.sub("", done.out)
    assert max(map(len, plain.splitlines())) <= width
    assert "more columns with --all-columns" in plain
    assert "\x1b[" in done.out
    for line in plain.splitlines():
        assert line == line.rstrip()


def test_long_addresses_go_below_each_other_and_stay_whole(in_terminal: Run, long_addresses: Path) -> None:
    lines = ESCAPES.sub("", in_terminal("pairs", long_addresses).out).splitlines()
    at = next(number for number, line in enumerate(lines) if "[2001:db8:85a3:1111:2222:8a2e:370:7334]:54321" in line)
    assert "→ [2001:db8:85a3:1111:2222:8a2e:370:7335]:54322" in lines[at + 1]
    assert "succeeded" in lines[at]


def test_an_empty_frame_is_a_heading(run: Run, in_terminal: Run) -> None:
    assert run("defects", DEAD).lines[0].split() == list(SHOWN["defects"])
    assert "0 rows" in in_terminal("defects", DEAD).out
    assert run("defects", "--json", DEAD).out == ""
    assert run("defects", "--format", "csv", DEAD).out == ",".join(NAMES["defects"]) + "\n"


def test_sentences_are_wrapped_not_cut(in_terminal: Run, long_addresses: Path) -> None:
    cut = long_addresses.with_name("cut.pcap")
    cut.write_bytes(long_addresses.read_bytes()[:-5])
    lines = ESCAPES.sub("", in_terminal("defects", cut, width=60).out).splitlines()
    [sentence] = [row["defect"] for row in stunpcap.read(cut).table("defects").records()]
    assert sentence in " ".join(" ".join(lines).split())
    assert max(map(len, lines[1:])) <= 60
