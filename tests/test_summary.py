"""The summary as data and words, and how a trace shows itself in a terminal and in a notebook."""

from __future__ import annotations

import json
import re
import tomllib
from html.parser import HTMLParser

import pytest

import stunpcap
from stunpcap.errors import UsageError
from stunpcap.plots.styles import SESSION_STATES
from stunpcap.schema import MAPPING, SESSION_STATE
from stunpcap.summary import Summary, summarise
from stunpcap.summary.model import ErrorAnswer
from stunpcap.summary.terminal import Paper, cells, paper_for, safe
from stunpcap.summary.words import BEHAVIOUR, TONES, direction_outcome, seconds, session_said
from stunpcap.words import error_words
from tests.ice.transcript import read
from tests.places import LAB, lab_captures, name_of

DEAD = LAB / "asymmetric-dead" / "answerer.pcap"


def test_every_level_has_words_and_a_symbol() -> None:
    assert set(BEHAVIOUR) == set(MAPPING)
    assert {state: SESSION_STATES[state].tone for state in SESSION_STATE} == TONES


ROW = {
    "state": "failed",
    "path": "unknown",
    "requests_sent": 3,
    "transmissions": 3,
    "responses_received": 0,
    "unanswered": 0,
    "unfinished": 0,
    "icmp_received": 0,
    "other_address": 0,
    "mapped": None,
    "last_answer_time": None,
}
ROLE = ErrorAnswer(487, "Role Conflict", 2)


@pytest.mark.parametrize(
    ("row", "evidence", "says"),
    [
        ({"unanswered": 3}, {}, "no answer to 3 checks"),
        ({"unanswered": 1, "unfinished": 1}, {}, "no answer to 2 checks"),
        ({"unanswered": 3, "transmissions": 21}, {}, "no answer to 3 checks (21 packets)"),
        ({"requests_sent": 1, "unfinished": 1, "transmissions": 7}, {}, "no answer to 1 check sent 7 times"),
        ({"unanswered": 1200}, {}, "no answer to 1,200 checks"),
        ({"responses_received": 3}, {"back_is_lost": True}, "answered, but the way back is lost"),
        ({"responses_received": 3}, {}, "answered, but the answers did not get back"),
        ({"responses_received": 3, "requests_sent": 0}, {}, "only answers were captured"),
        ({}, {"errors": [ROLE]}, "error 487 Role Conflict to 2 checks"),
        ({}, {"errors": [ErrorAnswer(-1, "", 1)]}, "error without a code to 1 check"),
        ({"icmp_received": 1}, {"icmp": ["port unreachable (3/3) from x"]}, "ICMP port unreachable (3/3) from x"),
        ({"icmp_received": 3, "unanswered": 2}, {"icmp": ["x"]}, "ICMP x to 3 checks"),
        ({"other_address": 1}, {"answered_from": ["x:1"]}, "answer came from another address (x:1)"),
        ({"other_address": 2}, {"answered_to": ["x:1"]}, "2 answers went to another address (x:1)"),
        ({"state": "in-progress", "unfinished": 1}, {}, "no answer yet to 1 check"),
        ({"state": "succeeded", "responses_received": 3}, {}, "answered"),
        ({"state": "succeeded", "responses_received": 2, "unanswered": 1}, {}, "answered 2 of 3 checks"),
        ({"state": "succeeded", "requests_sent": 0}, {}, "answered (only answers were captured)"),
        (
            {"state": "succeeded", "unanswered": 2, "last_answer_time": "2026-01-02T03:04:05.000000000Z"},
            {"silent_at_end": 2},
            "answered until 03:04:05, then no answer to 2 checks",
        ),
        (
            {"state": "succeeded", "path": "rewritten", "mapped": "x:1"},
            {"errors": [ROLE]},
            "answered; error 487 Role Conflict to 2 checks; arrived as x:1",
        ),
        ({}, {}, "no answer was captured"),
    ],
)
def test_what_became_of_checks(row: dict[str, object], evidence: dict[str, object], says: str) -> None:
    nothing = {"errors": [], "icmp": [], "answered_from": [], "answered_to": [], "silent_at_end": 0}
    assert direction_outcome(ROW | row, **({**nothing, "back_is_lost": False} | evidence)) == says  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "time", "pairs", "one_way", "both_ways", "says"),
    [
        ("connected", 0.0031, 1, 0, 1, "connected after 3.1 ms"),
        ("connected", None, 1, 0, 0, "connected: DTLS or media show it, no nomination was captured"),
        ("failed", None, 1, 0, 0, "failed: no check succeeded on its only pair"),
        ("failed", None, 4, 0, 0, "failed: no check succeeded on any of 4 pairs"),
        ("failed", None, 4, 1, 0, "failed: checks succeeded in one direction only, on 1 of 4 pairs"),
        ("failed", None, 1, 0, 1, "failed: checks succeeded both ways on its only pair, but none was nominated"),
        ("checking", None, 4, 0, 1, "checking: checks succeeded both ways on 1 of 4 pairs, none was nominated so far"),
        ("checking", None, 4, 1, 0, "checking: no result yet when the capture ended"),
    ],
)
def test_how_a_session_ended(
    state: str, time: float | None, pairs: int, one_way: int, both_ways: int, says: str
) -> None:
    assert session_said(state, time, pairs, one_way, both_ways) == says


def test_durations() -> None:
    given = (0.0, 0.0004, 0.0996, 1.234, 15.06, 99.99, 3725.0, 360_000.0)
    assert [seconds(value) for value in given] == [
        "0.0 ms",
        "0.4 ms",
        "0.10 s",
        "1.23 s",
        "15.1 s",
        "1 min 40 s",
        "1 h 2 min",
        "4 days",
    ]


def test_errors_have_their_names() -> None:
    assert error_words(487) == "487 Role Conflict"
    assert error_words(699) == "699"


@pytest.mark.parametrize("path", lab_captures()[::11], ids=name_of)
def test_a_summary_is_json(path: object) -> None:
    found = summarise(stunpcap.read(str(path)))
    assert isinstance(found, Summary)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == json.loads(json.dumps(found.to_dict()))


def test_sides_are_kept_in_both_directions() -> None:
    [session] = summarise(stunpcap.read(DEAD)).sessions
    a, b = session.agents
    assert a.addresses == ("10.20.0.20",)
    assert set(b.addresses) == {"192.168.10.10", "172.30.0.2"}
    assert a.captured_at == ("answerer",) and b.captured_at == ()
    for pair in session.pairs:
        assert pair.a.startswith("10.20.0.20:")
        assert pair.a_to_b is None or (pair.a_to_b.src, pair.a_to_b.dst) == (pair.a, pair.b)
        assert pair.b_to_a is None or (pair.b_to_a.src, pair.b_to_a.dst) == (pair.b, pair.a)
    assert session.filters == {"answerer": "frame.number in {3, 6, 7, 8, 9}"}


def test_agents_without_ufrags_and_with_the_same() -> None:
    for user in ("", "user=same:same"):
        found = summarise(
            read(
                f"""
                A = 10.0.0.1:1000
                B = 10.0.0.2:2000
                0.000  A > B  request t1 {user} prio=5 controlling use
                0.020  B > A  success t1 mapped=A
                0.030  B > A  request t2 {user} prio=5 controlled
                0.040  A > B  success t2 mapped=B
                60.0   end
                """
            )
        )
        [session] = found.sessions
        [pair] = session.pairs
        assert (pair.a, pair.b) == ("10.0.0.1:1000", "10.0.0.2:2000")
        assert pair.a_to_b is not None and pair.b_to_a is not None


def test_failed_sessions_come_first() -> None:
    found = summarise(stunpcap.read(LAB / "direct" / "answerer.pcap", DEAD))
    assert [session.state for session in found.sessions] == ["failed", "connected"]
    assert found.states == {"failed": 1, "connected": 1}
    assert [capture.vantage for capture in found.captures] == ["direct/answerer", "asymmetric-dead/answerer"]


def test_one_session_only() -> None:
    trace = stunpcap.read(LAB / "direct" / "answerer.pcap", DEAD)
    for number in (1, 2):
        found = summarise(trace, session=number)
        assert [session.session_id for session in found.sessions] == [number]
        assert all(number in mapping.sessions for mapping in found.mappings)
    with pytest.raises(UsageError, match="no session 3"):
        summarise(trace, session=3)


# Showing itself


def test_in_a_terminal() -> None:
    trace = stunpcap.read(DEAD)
    short, long = repr(trace), str(trace)
    assert len(short.splitlines()) < len(long.splitlines())
    for text in (short, long):
        assert "no answer to 242 checks" in text
        assert "\x1b" not in text
        assert not text.endswith("\n")
    assert repr(trace.select(session=1)).count("Session 1") == 1


class Checker(HTMLParser):
    """Every element that is opened is closed, nothing is loaded or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img", "iframe")
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("path", lab_captures()[::11], ids=name_of)
def test_in_a_notebook(path: object) -> None:
    html = stunpcap.read(str(path))._repr_html_()
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    style = html.split("<style>")[1].split("</style>")[0]
    for selector in re.findall(r"(?:^|[}{,])\s*([^{}@,]+)(?=[,{])", re.sub(r"\{[^{}]*\}", "{}", style)):
        assert ".stunpcap" in selector, f"{selector} reaches beyond the box"
    assert "url(" not in style


def test_a_notebook_leads_with_the_verdict() -> None:
    label = tomllib.loads((LAB / "asymmetric-dead" / "expect.toml").read_text(encoding="utf-8"))
    html = stunpcap.read(LAB / "asymmetric-dead" / "answerer.pcap")._repr_html_()
    assert f"<b>{label['root_cause']}</b>" in html
    assert html.index(label["root_cause"]) < html.index("Candidate pairs of session")


def test_a_notebook_without_sessions() -> None:
    html = read("0.0 10.0.0.1:1 > 10.0.0.2:2 rtp\n1.0 end")._repr_html_()
    assert "No STUN here" in html


def test_many_sessions_in_a_notebook() -> None:
    lines = [f"{n}.0 10.0.0.{n}:1 > 10.1.0.{n}:2 request q{n} user=b{n}:a{n} controlling" for n in range(40)]
    trace = read("\n".join([*lines, "120.0 end"]))
    html = trace._repr_html_()
    assert "40 sessions in all" in html
    assert html.count("Candidate pairs of session") == 2
    assert "and 35 sessions more" in repr(trace)


# Paper


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("plain", "plain"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x9b2J", "\\x9b2J"),
        ("\u202eevil", "\\u202eevil"),
        ("\udc80", "\\udc80"),
        ("é 漢", "é 漢"),
    ],
)
def test_what_is_safe(text: str, printed: str) -> None:
    assert safe(text) == printed


def test_cells() -> None:
    assert [cells(text) for text in ("abc", "é", "e\u0301", "漢字", "✗")] == [3, 1, 1, 4, 1]


@pytest.mark.parametrize("unicode", [True, False])
def test_what_is_cut_fits(unicode: bool) -> None:
    paper = Paper(unicode=unicode)
    for width in range(1, 20):
        for text in ("ipv6-broken/offerer", "漢字漢字漢字漢字漢字漢字"):
            assert cells(paper.fit(text, width)) <= width
    assert paper.fit("ipv6-broken/offerer", 9) == ("ipv6…erer" if unicode else "ipv6~erer")
    assert paper.fit("short", 5) == "short"


def test_paper_of_nothing() -> None:
    assert paper_for(None).colour is False
