"""`stunpcap ladder`: readable at 80 columns, in ASCII, in a pipe; colour only on a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import stunpcap
from stunpcap.ladder import build_ladder
from stunpcap.ladder.text import draw_ladder
from stunpcap.summary.terminal import Paper, cells
from tests.cli.conftest import ESCAPES
from tests.ice.transcript import read, transcript
from tests.places import LAB, lab_captures, name_of, shared_captures

DEAD = LAB / "asymmetric-dead" / "answerer.pcap"
TURN = LAB / "nats-symmetric-turn" / "offerer.pcap"
Run = Callable[..., Any]

STRAY = """
    A = 10.0.0.1:1000
    B = 192.168.1.2:2000
    X = 172.30.0.2:2000
    0.0  A > B  request t1 user=bbbb:aaaa prio=1 controlling
    0.1  X > A  success t1 mapped=A
    0.2  X > A  request t2 user=aaaa:bbbb prio=1 controlled
    0.3  A > X  success t2 mapped=X
    90   end
"""


def lanes(text: str) -> list[str]:
    """The lines with arrows, without frame, time and words."""
    body = text.split("time s", 1)[1].splitlines()[1:]
    return [line[:60] for line in body if line[:5].strip().isdigit()]


def test_arrows_go_where_packets_went() -> None:
    drawn = lanes(draw_ladder(build_ladder(read(STRAY)), Paper(80)))
    assert [line[:5].strip() for line in drawn] == ["1", "2", "3", "4"]
    asked, stray, check, answer = (line[15:] for line in drawn)
    assert asked.index("├") < asked.index("→")
    # The answer starts at a lane where nobody was asked, and ends in a cross where the request had begun.
    assert stray.index("✗") == asked.index("├")
    assert stray.index("┤") != asked.index("→") + 1
    assert check.index("←") < check.index("┤") == stray.index("┤")
    assert answer.index("├") == asked.index("├")
    assert answer.index("→") + 1 == check.index("┤")


def test_the_case_it_was_born_from(run: Run) -> None:
    done = run("ladder", DEAD)
    assert (done.status, done.err) == (0, "")
    assert not ESCAPES.search(done.out)
    assert all(cells(line) <= 80 for line in done.lines)
    said = " ".join(done.out.split())
    assert "Session 1: failed: no check succeeded on any of 2 pairs" in said
    assert "10.20.0.20:41475 (host), captured here or near" in said
    assert "… 241 more checks" in said.replace("│ ", "")
    assert "did not arrive" in said


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("path", [*lab_captures()[::7], *shared_captures()], ids=name_of)
def test_fits_any_paper(path: Path, width: int, unicode: bool) -> None:
    text = draw_ladder(build_ladder(stunpcap.read(path)), Paper(width, unicode=unicode))
    assert max(map(cells, text.splitlines())) <= width
    if not unicode:
        assert text.isascii()


def test_plain_ascii_where_the_encoding_has_no_more(run_apart: Run) -> None:
    code = f"import sys; from stunpcap.cli import main; sys.exit(main(['ladder', {str(DEAD)!r}]))"
    done = run_apart(code, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.isascii()
    assert "\\u" not in done.stdout
    assert "x<" in done.stdout


def test_colour_only_on_a_terminal(in_terminal: Run) -> None:
    coloured = in_terminal("ladder", DEAD, width=100)
    assert coloured.status == 0
    assert ESCAPES.search(coloured.out)
    assert all(cells(ESCAPES.sub("", line)) <= 100 for line in coloured.lines)
    assert not ESCAPES.search(in_terminal("ladder", DEAD, NO_COLOR="1").out)


def test_as_wide_as_asked(run: Run) -> None:
    narrow, wide = run("ladder", TURN, "--width", "80"), run("ladder", TURN, "--width", "160")
    assert len(wide.lines) < len(narrow.lines)
    assert any(cells(line) > 80 for line in wide.lines)
    assert run("ladder", TURN, "--width", "20").status == 2


def test_full_and_limit(run: Run) -> None:
    trace = stunpcap.read(DEAD)
    whole = json.loads(run("ladder", "--full", "--json", DEAD).out)
    frames = {step["frame"] for step in whole["steps"]}
    assert set(trace.messages["frame"].tolist()) == frames
    assert len(json.loads(run("ladder", "--limit", "3", "--json", DEAD).out)["steps"]) <= 3
    assert len(json.loads(run("ladder", "--json", DEAD).out)["steps"]) < 10


def test_json_names_lanes_and_steps(run: Run) -> None:
    told = json.loads(run("ladder", "--json", TURN).out)
    names = [lane["name"] for lane in told["lanes"]]
    assert names[:3] == ["A", "NAT A", "TURN"]
    assert told["session_id"] == 1
    refused = next(step for step in told["steps"] if step["event"] == "error")
    assert names[refused["source"]] == "TURN"
    assert names[refused["target"]] == "A"


def test_several_captures(run: Run) -> None:
    both = [DEAD, DEAD.with_name("offerer.pcap")]
    assert "as captured in answerer, also seen in offerer" in " ".join(run("ladder", *both).out.split())
    assert "as captured in offerer" in run("ladder", *both, "--vantage", "offerer").out
    wrong = run("ladder", *both, "--vantage", "nowhere")
    assert wrong.status == 2
    assert "there is no vantage 'nowhere'" in wrong.err


def test_no_such_session(run: Run) -> None:
    done = run("ladder", DEAD, "--session", "9")
    assert (done.status, done.out) == (2, "")
    assert "there is no session 9" in done.err


def test_nothing_in_it(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "media.pcap"
    path.write_bytes(transcript("A = 10.0.0.1:1000\nB = 10.0.0.2:2000\n0 A > B rtp").capture())
    done = run("ladder", path)
    assert done.status == 0
    assert "No STUN request" in done.out


def test_hostile_names_cannot_move_the_cursor(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "hostile.pcap"
    path.write_bytes(
        transcript("""
            A = 10.0.0.1:1000
            B = 10.0.0.2:2000
            0  A > B  request t1 user=bbbb:a\x1b[2J\x9b31m prio=1 controlling
            9  end
        """).capture()
    )
    done = run("ladder", path)
    assert done.status == 0
    assert "\x1b" not in done.out
    assert "\x9b" not in done.out
