"""The page: complete, closed to the world, the same each time, and safe whatever was captured."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import stunpcap
from stunpcap.errors import UsageError
from stunpcap.stun.render import printable
from tests.ice.transcript import read
from tests.places import LAB
from tests.report.pages import FILE, HOSTILE, Element, inner, parse

PAGES = ("dead", "hostile", "many")
each_page = pytest.mark.parametrize("name", PAGES)


@pytest.fixture
def page(name: str, request: pytest.FixtureRequest) -> str:
    made: str = request.getfixturevalue(name)
    return made


@pytest.fixture
def tree(page: str) -> Element:
    return parse(page)


def section(tree: Element, heading: str) -> Element:
    return next(one for one in tree.all("section") if one.attributes["aria-labelledby"] == heading)


@pytest.mark.parametrize(
    ("scenario", "vantage"),
    [
        ("asymmetric-dead", "answerer"),
        ("one-way-drop", "offerer"),
        ("turn-forbidden", "offerer"),
        ("consent-lost", "offerer"),
        ("turn-wrong-password", "offerer"),
        ("direct", "offerer"),
    ],
)
def test_the_verdict_comes_first(scenario: str, vantage: str) -> None:
    label = tomllib.loads((LAB / scenario / "expect.toml").read_text(encoding="utf-8"))
    made = stunpcap.read(LAB / scenario / f"{vantage}.pcap").to_html()
    assert made is not None
    tree = parse(made)
    assert tree.all("h2")[0].text == "Verdict"
    verdict = section(tree, "verdict")
    words = verdict.text
    assert label["root_cause"] in words
    # Agents say "failed" where a capture shows that it had worked (docs/concepts.md).
    assert label["state"] in words or "disconnected" in words
    assert bool(label["root_cause"]) == ("bad" in verdict.attributes["class"].split())
    assert ("confidence" in words) == bool(label["root_cause"])
    # Who is A and who is B, by the addresses that the label gives them, and when it was.
    assert "Agent A" in words and "Agent B" in words and "UTC" in words
    assert label["nodes"][vantage][0] in words


def test_what_is_told_and_in_which_order(dead: str) -> None:
    heads = [one.text for one in parse(dead).all("h2", "h3")]
    wanted = [
        "Verdict",
        "What happened",
        "Which pair, which direction",
        "What happened when",
        "The decisive exchange, message by message",
        "Where it happened: hosts, NATs, servers",
        "Findings",
        "Tables",
        "What the capture could not show",
        "How this was made",
    ]
    assert [head for head in heads if head in wanted] == wanted


def test_the_story_says_which_packets_arrived(dead: str) -> None:
    """What asymmetric-dead was built to do: the answerer's direct way works, the NAT's outside address is dead."""
    story = section(parse(dead), "session-1").text
    arrived, _, lost = story.partition("Packets did not arrive")
    assert re.search(r"A 10\.20\.0\.20:\d+ → B 192\.168\.10\.10:\d+", arrived)
    assert re.match(r"\s*A 10\.20\.0\.20:\d+ → B 172\.30\.0\.2:\d+", lost)


def test_findings_have_filters_to_copy_and_steps(dead: str) -> None:
    cause = next(one for one in parse(dead).all("article") if "the cause" in one.text)
    filters = [one.text for one in cause.all("code") if one.attributes.get("class") == "filter"]
    assert filters and all(re.fullmatch(r"frame\.number (== \d+|in \{\d+(, \d+)+\})", one) for one in filters)
    assert cause.one("ol").all("li")
    config = next(one.text for one in cause.all("pre") if "lt-cred-mech" in one.text)
    assert config.splitlines()[0] == "listening-port=3478"
    # Every frame named in the evidence is in the filter.
    named = {
        number for one in cause.all("span") for number in re.findall(r"\d+(?=[,) ])", one.text) if "frame" in one.text
    }
    assert named and named <= set(re.findall(r"\d+", " ".join(filters)))


@each_page
def test_only_what_the_policy_names_may_run(page: str, tree: Element) -> None:
    policy = next(one for one in tree.all("meta") if one.attributes.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.attributes["content"].split(";"))
    assert rules["default-src"] == "'none'" and rules["base-uri"] == rules["form-action"] == "'none'"
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        digest = base64.b64encode(hashlib.sha256(inner(page, tag).encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    # Inline styles and handlers would be forbidden, so there are none.
    assert not [one for one in tree.all() for name in one.attributes if name == "style" or name.startswith("on")]


@each_page
def test_nothing_leads_out_of_the_page(page: str, tree: Element) -> None:
    ids = [one.attributes["id"] for one in tree.all() if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    for one in tree.all():
        for name in ("href", "src", "xlink:href", "srcset", "action", "poster", "data"):
            target = one.attributes.get(name, "#main")
            assert target == "data:," or (target[1:] in ids and target[0] == "#"), target
    style = inner(page, "style")
    assert "@import" not in style and set(re.findall(r"url\((.)", style)) <= {"#"}
    assert not re.search(r"fetch|XMLHttp|import\(|WebSocket|https?:", inner(page, "script"))


@each_page
def test_headings_are_in_order(tree: Element) -> None:
    levels = [int(one.tag[1]) for one in tree.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


@each_page
def test_tables_have_captions_and_heads(tree: Element) -> None:
    tables = tree.all("table")
    assert tables
    for table in tables:
        assert table.one("caption").text.strip()
        heads = table.one("thead").all("th")
        assert heads and all(head.attributes.get("scope") == "col" and head.text.strip() for head in heads)
        rows = table.one("tbody").all("tr")
        assert rows and all(len(row.all("td")) == len(heads) for row in rows)


@each_page
def test_figures_are_told_in_words(tree: Element) -> None:
    figures = tree.all("figure")
    assert figures
    for figure in figures:
        drawing = figure.one("svg")
        assert drawing.attributes["role"] == "img" and drawing.attributes["aria-label"]
        assert drawing.one("title").text == drawing.attributes["aria-label"]
        caption = figure.one("figcaption").text
        assert drawing.one("desc").text == caption and re.search(r"\d", caption)


def test_language_and_landmarks(dead: str) -> None:
    tree = parse(dead)
    assert tree.one("html").attributes["lang"] == "en"
    assert tree.one("main").attributes["id"] == "main"
    assert tree.all("a")[0].attributes["href"] == "#main"
    viewport = next(one for one in tree.all("meta") if one.attributes.get("name") == "viewport")
    assert "width=device-width" in viewport.attributes["content"]


def test_tables_hold_the_numbers_of_the_frames(dead: str) -> None:
    paths = [LAB / "asymmetric-dead" / f"{name}.pcap" for name in ("offerer", "answerer")]
    pairs = stunpcap.read(*paths).pairs
    wanted = sorted(
        zip(pairs["vantage"], pairs["src"], pairs["dst"], pairs["requests_sent"].map("{:,}".format), strict=True)
    )
    table = next(one for one in parse(dead).all("table") if one.one("caption").text.startswith("Candidate pairs"))
    heads = [one.text for one in table.all("th")]
    rows = [
        dict(zip(heads, [cell.text for cell in row.all("td")], strict=True)) for row in table.one("tbody").all("tr")
    ]
    assert sorted((row["capture"], row["from"], row["to"], row["checks"]) for row in rows) == wanted


def test_how_it_was_made(tmp_path: Path) -> None:
    capture = tmp_path / "somewhere" / "call.pcap"
    capture.parent.mkdir()
    capture.write_bytes((LAB / "direct" / "offerer.pcap").read_bytes())
    page = stunpcap.read(capture).to_html()
    assert page is not None
    assert hashlib.sha256(capture.read_bytes()).hexdigest() in page
    made = section(parse(page), "made").text
    assert stunpcap.__version__ in made and "call.pcap" in made and f"{capture.stat().st_size:,} bytes" in made
    assert str(tmp_path) not in page and "somewhere" not in page


def test_a_stream_has_no_checksum() -> None:
    page = read("""
        A = 10.0.0.1:1000
        B = 10.0.0.2:2000
        0.000  A > B  request t1 user=bbbb:aaaa controlling use
        0.020  B > A  success t1 mapped=A
        5.0    end
    """).to_html()
    assert page is not None
    assert "SHA-256" not in page and "sha256-" in page


def test_the_same_bytes_in_another_process() -> None:
    program = (
        "import hashlib, stunpcap\n"
        f"trace = stunpcap.read({str(LAB / 'nats-symmetric-turn' / 'offerer.pcap')!r})\n"
        "for text in (trace.to_html(), trace.to_markdown()):\n"
        "    print(hashlib.sha256(text.encode()).hexdigest())\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"},
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    ]
    assert said[0] == said[1] and len(said[0].split()) == 2


def test_hostile_words_are_only_words(hostile: str) -> None:
    tree = parse(hostile)
    assert len(tree.all("script")) == 1 and not tree.all("img", "b", "iframe", "object")
    shown = tree.text
    for what, text in HOSTILE.items():
        assert text in shown, what
    assert printable(FILE) in shown
    # Control characters, which an escape of markup leaves as they are, are visible.
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e]", hostile)


def test_many_sessions_stay_small_and_are_all_told(many: str, many_file: Path) -> None:
    assert len(many.encode()) < 10_000_000
    tree, trace = parse(many), stunpcap.read(many_file)
    table = next(one for one in tree.all("table") if one.one("caption").text.strip() == "Sessions")
    rows = [[cell.text for cell in row.all("td")] for row in table.one("tbody").all("tr")]
    assert sorted(int(row[0]) for row in rows) == sorted(trace.sessions["session_id"])
    # Those told in full failed, are linked, and every cause is told before any is told twice.
    chapters = [one for one in tree.all("section") if one.attributes.get("class") == "chapter"]
    numbers = [int(one.attributes["aria-labelledby"].removeprefix("session-")) for one in chapters]
    sessions = trace.sessions.set_index("session_id")
    assert len(numbers) == 8 and set(sessions.loc[numbers, "state"]) == {"failed"}
    causes = set(sessions.loc[sessions["state"] == "failed", "root_cause"])
    assert set(sessions.loc[numbers[: len(causes)], "root_cause"]) == causes
    linked = {one.attributes["href"] for one in table.all("a")}
    assert linked == {f"#session-{number}" for number in numbers}
    failed = int((sessions["state"] == "failed").sum())
    overview = section(tree, "overview").text
    assert f"The other {1000 - 8}, {failed - 8} of which failed" in overview
    assert f"{failed} of 1,000 sessions failed" in section(tree, "verdict").text


def test_one_session_of_many(many_file: Path) -> None:
    trace = stunpcap.read(many_file)
    number = int(trace.sessions.loc[trace.sessions["state"] == "connected", "session_id"].iloc[0])
    page = trace.to_html(session=number)
    assert page is not None
    tree = parse(page)
    assert [one.text for one in tree.all("h2")][1] == f"Session {number}"
    assert "Overview" not in [one.text for one in tree.all("h2")]
    with pytest.raises(UsageError, match="there is no session 5000"):
        trace.to_html(session=5000)


def test_a_capture_without_stun_says_so() -> None:
    (capture,) = (LAB / "capture-no-stun").glob("*.pcap")
    page = stunpcap.read(capture).to_html()
    assert page is not None
    tree = parse(page)
    assert "No STUN" in section(tree, "verdict").text
    assert tree.all("table") and not tree.all("figure")


@pytest.mark.parametrize("place", ["nowhere/page.html", "."])
def test_what_cannot_be_written_is_said(place: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        stunpcap.read(LAB / "direct" / "offerer.pcap").to_markdown(tmp_path / place)
    assert list(tmp_path.iterdir()) == []
