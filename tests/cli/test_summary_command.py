"""What `stunpcap summary` tells, and that it can be read at 80 columns, in ASCII, without colour."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import stunpcap
from stunpcap.summary import summarise
from stunpcap.summary.terminal import Paper
from stunpcap.summary.text import DETAILED, OVERVIEW_ROWS, PAIR_ROWS, draw
from tests.cli.conftest import ESCAPES
from tests.ice.transcript import transcript
from tests.places import LAB, lab_captures, name_of, shared_captures

DEAD = LAB / "asymmetric-dead" / "answerer.pcap"
OUTSIDE = LAB / "asymmetric-dead" / "nat-a-outside.pcap"
Run = Callable[..., Any]
Make = Callable[[str], Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A capture of a transcript."""

    def make(text: str, name: str = "made") -> Path:
        path = tmp_path / f"{name}.pcap"
        path.write_bytes(transcript(text).capture())
        return path

    return make


def squeezed(text: str) -> str:
    """Without line breaks and indentation."""
    return " ".join(text.split())


def test_the_case_it_was_born_from(run: Run) -> None:
    """Which direction failed can be read off, line by line."""
    done = run("summary", DEAD)
    assert (done.status, done.err) == (0, "")
    said = squeezed(done.out)
    assert "734 packets in 15.1 s" in said
    assert "taken at or next to 10.20.0.20 (probably: " in said
    assert "✗ failed: no check succeeded on any of 2 pairs" in said
    assert re.search(r"A \w{4} controlled 10\.20\.0\.20 \(captured here or near\)", said)
    assert "A 10.20.0.20:41475 (host) B 192.168.10.10:58121" in said
    assert "A → B ✗ answer came from another 1 0 0 delivered 3 address (172.30.0.2:58121) B → A · no check seen" in said
    assert "A → B ✗ no answer to 242 checks 242 0 242 lost 9" in said
    assert "B → A ✗ answered, but the way back 242 242 0 delivered 7 is lost" in said
    assert re.search(r"frames: frame\.number in \{3, 6, 7, 8, 9\}", said)


def test_two_captures_are_told_apart(run: Run) -> None:
    done = run("summary", DEAD, OUTSIDE, "--name", "inside", "--name", "core")
    assert done.out.startswith(f"inside: {DEAD}"[:60])
    for name in ("inside", "core"):
        assert f"Candidate pairs seen at {name}" in done.out
        assert f"frames in {name}: frame.number in {{" in done.out
    assert "taken between the agents (probably" in done.out


@pytest.mark.parametrize("path", lab_captures()[::7] + shared_captures()[::3], ids=name_of)
def test_readable_and_equal_to_the_data(run: Run, path: Path) -> None:
    """No line is wider than 80 columns, nothing is coloured, and the JSON is the tables."""
    done = run("summary", path)
    assert done.status == 0
    path_lines = set(str(path).split())
    assert [line for line in done.lines if len(line) > 80 and not path_lines.intersection(line.split())] == []
    assert "\x1b" not in done.out
    found = json.loads(run("summary", "--json", path).out)
    tables = stunpcap.read(path).tables
    assert [session["session_id"] for session in sorted(found["sessions"], key=lambda s: s["session_id"])] == list(
        tables.sessions["session_id"]
    )
    ways = {}
    for session in found["sessions"]:
        for pair in session["pairs"]:
            for way in filter(None, (pair["a_to_b"], pair["b_to_a"])):
                ways[session["session_id"], pair["pair_id"], pair["vantage"], way["src"]] = way
    records = list(tables.pairs.records())
    assert len(ways) == len(records)
    for row in records:
        way = ways[row["session_id"], row["pair_id"], row["vantage"], row["src"]]
        same = set(way) & set(row)
        assert {name: way[name] for name in same} == {name: row[name] for name in same}
        assert way["first_frame"] in way["frames"]
        assert way["outcome"]
    assert len(found["defects"]) == len(tables.defects)
    asked = sum(sum(kind["outcomes"].values()) for server in found["servers"] for kind in server["asked"])
    assert asked == sum(value is None for value in tables.transactions.values("session_id"))


def test_json_is_the_summary(run: Run) -> None:
    found = summarise(stunpcap.read(DEAD))
    assert json.loads(run("summary", "--json", DEAD).out) == json.loads(json.dumps(asdict(found)))


@pytest.mark.parametrize("name", ["plain", "caf\u00e9 \U0001f4de", "delete\x7f", "no\udcfftext", "\x9b2J\u202e"])
def test_json_is_ascii_whatever_is_in_names(run: Run, make: Make, name: str) -> None:
    """Encoders differ: a byte that is no text, a control character, what is not ASCII."""
    done = run("summary", "--json", "--name", name, make("0.0 10.0.0.1:1 > 10.0.0.2:2 request t1 user=b:a\n60.0 end"))
    assert done.status == 0
    assert all(" " <= character <= "~" for character in done.out.removesuffix("\n"))
    assert [capture["vantage"] for capture in json.loads(done.out)["captures"]] == [name]


def test_json_on_a_terminal_is_indented(in_terminal: Run) -> None:
    out = in_terminal("summary", "--json", DEAD).out.replace("\r\n", "\n")
    assert out == json.dumps(json.loads(out), indent=2) + "\n"


def test_ascii_has_words_and_symbols_still() -> None:
    text = draw(summarise(stunpcap.read(DEAD)), Paper(80, unicode=False))
    assert text.isascii()
    assert "A -> B  x no answer to 242 checks" in text
    assert "B -> A  - no check seen" in text


def test_an_encoding_without_these_symbols(run_apart: Run) -> None:
    code = f"from stunpcap.cli import main; main(['summary', {str(DEAD)!r}])"
    done = run_apart(code, PYTHONIOENCODING="ascii")
    assert done.stderr == ""
    assert done.stdout.isascii()
    assert "x no answer to 242 checks" in done.stdout
    assert "\\u" not in done.stdout


def test_width(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    wide = run("summary", DEAD)
    assert 80 < max(map(len, wide.lines)) <= 120
    assert "✗ answer came from another address (172.30.0.2:58121)" in wide.out
    for columns in ("1", "40", "72"):
        monkeypatch.setenv("COLUMNS", columns)
        narrow = run("summary", "--name", "x", DEAD, OUTSIDE, "--name", "y")
        assert narrow.status == 0
        assert max(len(line) for line in narrow.lines if "pcap" not in line) <= 72
    monkeypatch.setenv("COLUMNS", "nonsense")
    assert max(map(len, run("summary", "--name", "x", DEAD).lines[1:])) <= 80


def test_colour_on_a_terminal_only(in_terminal: Run) -> None:
    coloured = in_terminal("summary", DEAD)
    assert "\x1b[31m✗ no answer to 242 checks" in coloured.out
    assert max(map(len, ESCAPES.sub("", coloured.out).splitlines()[1:])) <= 80
    assert "\x1b" not in in_terminal("summary", DEAD, NO_COLOR="1").out
    assert "\x1b" not in in_terminal("summary", DEAD, TERM="dumb").out


def test_long_addresses(run: Run, make: Make) -> None:
    """Two of the longest do not fit one line: each gets its own, whole."""
    done = run(
        "summary",
        make(
            """
            A = [2001:db8:85a3:1111:2222:8a2e:370:7334]:54321
            B = [2001:db8:85a3:1111:2222:8a2e:370:7335]:54322
            0.000  A > B  request t1 user=bbbb:aaaa controlling
            60.0   end
            """
        ),
    )
    lines = [line.strip() for line in done.lines]
    at = lines.index("1  A [2001:db8:85a3:1111:2222:8a2e:370:7334]:54321 (host)")
    assert lines[at + 1] == "B [2001:db8:85a3:1111:2222:8a2e:370:7335]:54322 (type ?)"
    assert lines[at + 2].startswith("A → B  ✗ no answer to 1 check")
    assert lines[at + 3] == "B → A  · no check seen"
    assert max(map(len, done.lines[1:])) <= 80


def test_what_came_instead_of_an_answer(run: Run, make: Make) -> None:
    done = run(
        "summary",
        make(
            """
            A = 10.0.0.1:1000
            B = 10.0.0.2:2000
            C = 10.0.0.3:3000
            R = 10.9.9.9:0
            0.000  A > B  request t1 user=bbbb:aaaa controlling
            0.010  R > A  icmp 3/13 quotes=t1
            0.100  A > C  request t2 user=bbbb:aaaa controlling
            0.110  C > A  error t2 code=487
            60.0   end
            """
        ),
    )
    said = squeezed(done.out)
    assert "✗ ICMP communication" in said and "from 10.9.9.9" in said
    assert "✗ error 487 Role Conflict to 1 0 0 delivered 3 1 check" in said


def test_servers_asked(run: Run) -> None:
    said = squeezed(run("summary", LAB / "nats-stun" / "offerer.pcap").out)
    assert "STUN and TURN servers asked" in said
    assert re.search(r"gather 1 request: ✓ 1 answered: seen as [\d.:]+ \(frame \d+\)", said)
    assert "endpoint-independent mapping" in said


def test_no_stun_at_all(run: Run, make: Make) -> None:
    path = make(
        """
        A = 10.0.0.1:1000
        B = 10.0.0.2:2000
        0.000  A > B  rtp
        0.100  A > B  rtp
        0.200  A > B  rtp
        60.0   end
        """
    )
    done = run("summary", path)
    said = squeezed(done.out)
    assert done.status == 0
    assert "No STUN here, so nothing of ICE can be told." in said
    assert "The capture holds 4 UDP packets in 2 flows (3 RTP, 1 other)." in said
    assert "udp 10.0.0.1:1000 ⇄ 10.0.0.2:2000 3 + 0 packets (rtp)" in said
    assert json.loads(run("summary", "--json", path).out)["sessions"] == []


def calls(number: int) -> str:
    """Calls one after the other; of every ten one is answered in both directions."""
    lines = []
    for call in range(number):
        a, b = f"10.0.{call}.1:1000", f"10.1.{call}.1:2000"
        lines.append(f"{call}.0 {a} > {b} request q{call} user=b{call:03}:a{call:03} controlling use")
        if call % 10 == 0:
            lines.append(f"{call}.1 {b} > {a} success q{call} mapped={a}")
    return "\n".join([*lines, f"{number + 60}.0 end"])


def test_many_sessions(run: Run, make: Make) -> None:
    """An overview, failed ones first, and only the worst in full."""
    path = make(calls(40))
    done = run("summary", path)
    assert "40 sessions: 36 failed, 4 connected" in done.out
    overview = [line for line in done.lines if re.match(r"  [✗✓]", line)]
    assert len(overview) == OVERVIEW_ROWS
    assert all("failed" in line for line in overview)
    assert f"and {40 - OVERVIEW_ROWS} more: stunpcap sessions " in done.out
    assert len(re.findall(r"^Session \d+", done.out, re.M)) == DETAILED
    assert "--session N" in done.out
    one = run("summary", "--session", 11, path)
    assert re.findall(r"^Session \d+", one.out, re.M) == ["Session 11"]
    assert "✓ connected" in one.out
    assert [s["session_id"] for s in json.loads(run("summary", "--session", 11, "--json", path).out)["sessions"]] == [
        11
    ]


def test_hundreds_of_pairs(run: Run, make: Make) -> None:
    lines = [
        f"{number / 100} 10.0.0.{number % 250}:1000 > 10.1.0.1:{2000 + number} request q{number} user=b:a controlling"
        for number in range(300)
    ]
    lines += ["3.5 10.1.0.1:2299 > 10.0.0.49:1000 success q299 mapped=10.0.0.49:1000", "90.0 end"]
    done = run("summary", make("\n".join(lines)))
    assert f"and {300 - PAIR_ROWS} pairs more: stunpcap pairs --session 1 " in done.out
    assert done.out.count("no check seen") == PAIR_ROWS
    assert done.out.index("10.1.0.1:2299") < done.out.index("✗"), "the one that was answered comes first"


HOSTILE = "\x1b[31mRED\x1b]0;owned\x07\x9b2J"


def test_hostile_names_are_harmless(run: Run, make: Make, tmp_path: Path) -> None:
    """Escape sequences, markup and HTML from the wire, from file names and from arguments."""
    path = make(
        f"0.0 10.0.0.1:1 > 10.0.0.2:2 request t1 user={HOSTILE}:[bold]<b>x</b> controlling\n60.0 end", "a\x1b[2Jb"
    )
    commands = [
        ["summary", path],
        ["sessions", path],
        ["pairs", "--all-columns", path],
        ["messages", path],
        ["messages", "--format", "csv", path],
        ["messages", "--json", path],
        ["summary", "--json", path],
        ["vantages", path],
        ["show", path, "1"],
        ["summary", "--name", HOSTILE, path],
        ["summary", tmp_path / "no\x1b[31m\nsuch"],
        ["pairs", "--columns", "\x1b[31m", path],
        [HOSTILE],
    ]
    for argv in commands:
        done = run(*argv)
        for character in done.out + done.err:
            assert character == "\n" or character.isprintable(), argv
    assert "[bold]<b>x</b>" in run("summary", path).out
    trace = stunpcap.read(path)
    assert "<b>x</b>" not in trace._repr_html_()
    assert "&lt;b&gt;x&lt;/b&gt;" in trace._repr_html_()
    assert "\x1b" not in trace._repr_html_() + repr(trace) + str(trace)


def test_progress_is_shown_to_those_who_wait(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from stunpcap.cli import progress

    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    with progress.Reading() as reading:
        reading.report(1, 10)
    assert capsys.readouterr().err == "", "standard error is no terminal"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress.Reading() as reading:
        reading.report(1, 10)
        reading.report(2, None)
    assert "reading" in capsys.readouterr().err
