"""Markdown for tickets: what it says is there, what was captured does nothing.  markdown-it is the second opinion."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import stunpcap
from stunpcap.report.escape import block, code, plain, prose
from stunpcap.stun.render import printable
from tests.ice.transcript import read
from tests.places import LAB
from tests.report.pages import FILE, HOSTILE

DEAD = LAB / "asymmetric-dead" / "answerer.pcap"
ACTS = re.compile(r"(?<![\w])@\w|#\d|\bGH-\d|https?://|\bwww\.|:[a-z_]+:")
"""What GitHub makes something of after Markdown was read, in a piece of text outside code."""


class Rendered(HTMLParser):
    """The pieces of text of a rendered document, as the last step of GitHub sees them, and its elements."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.pieces: list[str] = []
        self.shown = ""
        self._code = 0
        markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        self.feed(markdown.render(source))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self._code += tag in ("code", "pre")

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag in ("code", "pre")

    def handle_data(self, data: str) -> None:
        self.shown += data
        if not self._code:
            self.pieces.append(data)


ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.text(
    "`|\\*_[](){}<>@#:/!~$&^=-+.1w \n", max_size=40
)


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


@given(ANYTHING)
def test_text_stays_what_it_is(text: str) -> None:
    found = Rendered(plain(text))
    assert found.elements <= {"p"}
    assert flat(found.shown) == flat(printable(text))
    assert not any(ACTS.search(piece) for piece in found.pieces)


@pytest.mark.parametrize("text", [":_:", ":__:", ":heavy_check_mark:", "a:_b_:c", ":+1:", ":100:", "`:_:`x`", "\\:_:"])
def test_emoji_are_not_drawn(text: str) -> None:
    for escape in (plain, prose):
        found = Rendered(escape(text))
        assert not any(ACTS.search(piece) for piece in found.pieces)
    assert flat(Rendered(plain(text)).shown) == text


def test_times_and_ports_stay_in_one_piece() -> None:
    assert plain("at 10:20:30, port 10.0.0.1:5000") == "at 10:20:30, port 10.0.0.1:5000"


@given(ANYTHING)
def test_code_stays_what_it_is(text: str) -> None:
    found = Rendered(code(text))
    assert found.elements <= {"p", "code"}
    assert flat(found.shown) == flat(printable(text))


@given(ANYTHING)
def test_sentences_do_nothing(text: str) -> None:
    found = Rendered(prose(text))
    assert found.elements <= {"p", "code"}
    assert not any(ACTS.search(piece) for piece in found.pieces)
    # Backticks set code, and code that is blank is left out.
    assert re.sub(r"[`\s]", "", found.shown) == re.sub(r"[`\s]", "", printable(text))


@given(ANYTHING)
def test_cells_stay_in_their_table(text: str) -> None:
    found = Rendered(f"| a | b |\n| --- | --- |\n| {code(text, cell=True)} | end |")
    assert found.elements <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    assert flat(found.shown) == flat(f"a b {printable(text)} end")


@given(ANYTHING)
def test_blocks_hold_everything(text: str) -> None:
    found = Rendered("\n".join(block(text)))
    assert found.elements <= {"pre", "code"}
    assert found.shown.rstrip("\n") == "\n".join(printable(line) for line in text.split("\n")).rstrip("\n")


def test_what_a_ticket_says() -> None:
    text = stunpcap.read(DEAD).to_markdown()
    assert text is not None
    lines = text.splitlines()
    assert lines[0] == "# Post-mortem: answerer.pcap"
    assert "**✗**" in lines[2] and "`172.30.0.2:" in lines[2]
    assert "- Cause: `one-way-nat`, high confidence" in lines
    order = ["**Packets arrived**", "**Packets did not arrive**", "| way | from |", "### Why: `one-way-nat`"]
    order += ["**What would mend it**", "<details>", "## What the capture could not show", "## How this was made"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert re.search(r"Wireshark, in `answerer`: `frame\.number in \{\d+(, \d+)+\}`", text)
    assert "   listening-port=3478\n" in text
    assert len(text) < 65_536
    assert text.count("<details>") == text.count("</details>")


def test_tables_are_tables() -> None:
    text = stunpcap.read(DEAD).to_markdown()
    assert text is not None
    heads = [line for line in text.splitlines() if line.startswith("| way |")]
    assert heads == ["| way | from | to | what became of the checks | path | checks | answered | frame |"]
    assert re.search(
        r"^\| A → B \| `10\.20\.0\.20:\d+` \| `172\.30\.0\.2:\d+` \| ✗ no answer to 242 checks", text, re.M
    )


def test_hostile_words_do_nothing(hostile_file: Path) -> None:
    text = stunpcap.read(hostile_file).to_markdown()
    assert text is not None
    found = Rendered(text)
    assert not found.elements & {"script", "img", "svg", "a", "b", "iframe"}
    assert not any(ACTS.search(piece) for piece in found.pieces)
    for what in ("reason", "ufrag"):
        assert HOSTILE[what] in found.shown, what
    assert printable(FILE) in found.shown


def test_many_sessions_fit_a_ticket(many_file: Path) -> None:
    text = stunpcap.read(many_file).to_markdown()
    assert text is not None and len(text) < 65_536
    assert "3 sessions of 1,000 are told in full" in text
    assert len(re.findall(r"^## Session \d+$", text, re.M)) == 3


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("from 10.0.0.1:5000 to [2001:db8::1]:5000.", "from `10.0.0.1:5000` to `[2001:db8::1]:5000`."),
        ("RFC 8445 section 7.2.5.2.1, at 09:50:48", "RFC 8445 section 7.2.5.2.1, at 09:50:48"),
        ("seen as fe80::ab:1", "seen as `fe80::ab:1`"),
        ("see `typ srflx`", "see `typ srflx`"),
        ("ask @someone", "ask @<!-- -->someone"),
    ],
)
def test_addresses_become_code(text: str, wanted: str) -> None:
    assert prose(text) == wanted


def test_many_findings_about_no_session() -> None:
    """Sixty are told; how many more there are is said."""
    lines = []
    for number in range(70):
        for server in (1, 2):
            me, there, time = f"10.1.0.{number + 1}:5000", f"192.0.2.{server}:3478", number + server / 10
            lines.append(f"{time:.2f} {me} > {there} request {number}at{server}")
            seen = f"198.51.100.{server}:{7000 + number}"
            lines.append(f"{time + 0.01:.2f} {there} > {me} success {number}at{server} mapped={seen}")
    trace = read("\n".join([*lines, "120.0 end"]))
    text = trace.to_markdown()
    assert text is not None
    told = text.partition("## Findings about no session")[2].partition("## What the capture could not show")[0]
    assert told.count("### ") == 60
    assert f"And {len(trace.findings) - 60} more: stunpcap findings tells them all." in told
