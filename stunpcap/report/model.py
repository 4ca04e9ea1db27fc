"""What a report consists of: records of plain texts and numbers.

Texts are as they came, from the wire or from us: whoever lays a report out escapes all of them.  Only `Figure.svg` is
markup, of our own renderer.
"""

from __future__ import annotations

from stunpcap.record import record
from stunpcap.summary.model import Agent


@record
class Figure:
    """A drawing and what it says in words."""

    name: str
    "Of the function of `stunpcap.plots` that drew it."
    title: str
    said: str
    "The same in a sentence or two, with its numbers."
    svg: str
    width: int
    "Natural width in CSS pixels."
    steps: Sheet | None = None
    "The same as a table, where that can be had."


@record
class Head:
    """Head of a column of a table."""

    name: str
    meaning: str = ""
    "Said where a pointer rests on it."
    number: bool = False
    "Right-aligned, and sorted as numbers."
    code: bool = False
    "Addresses, ids: set in the type of code."


@record
class Cell:
    """One cell of a table."""

    text: str
    sort: float | None = None
    "What it is sorted by, if not its text."
    tone: str = ""
    "Row of `stunpcap.plots.styles.TONES`, whose symbol and colour it has."
    link: str = ""
    "Anchor in the page."


@record
class Sheet:
    """A table."""

    name: str
    title: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    "What is left out, or how to read it."
    folded: bool = False
    "Shown when asked for."


@record
class Look:
    """Where to look in one capture."""

    vantage: str
    frames: tuple[int, ...]
    filter: str
    "Display filter for Wireshark; empty where there is no frame."


@record
class Shown:
    """One piece of evidence."""

    said: str
    look: Look


@record
class Step:
    """One step of an advice, with lines of configuration."""

    said: str
    code: str = ""


@record
class Part:
    """A finding."""

    name: str
    severity: str
    confidence: str
    part: str
    meaning: str
    "What findings of that name mean, in a sentence."
    confused_with: str
    summary: str
    story: str
    evidence: tuple[Shown, ...]
    looks: tuple[Look, ...]
    steps: tuple[Step, ...]


@record
class Verdict:
    """What happened, in a sentence."""

    said: str
    tone: str
    state: str
    "How it ended, in plain words."
    cause: str = ""
    "Name of the finding that explains it."
    confidence: str = ""


@record
class Account:
    """One direction of one pair: what became of its packets."""

    said: str
    outcome: str
    look: Look


@record
class Chapter:
    """One session in full."""

    number: int
    verdict: Verdict
    who: tuple[Agent, Agent]
    when: str
    facts: tuple[tuple[str, str], ...]
    arrived: tuple[Account, ...]
    stopped: tuple[Account, ...]
    "Answered at first, and then no more."
    lost: tuple[Account, ...]
    unknown: tuple[Account, ...]
    more: dict[str, int]
    "How many directions more each of these lists would have."
    looks: tuple[Look, ...]
    figures: tuple[Figure, ...]
    cause: Part | None
    findings: tuple[Part, ...]
    rivals: tuple[Part, ...]
    "What else was considered: ruled out, or still possible."
    sheets: tuple[Sheet, ...]


@record
class Made:
    """How the report was made."""

    version: str
    call: str
    captures: Sheet
    checksums: tuple[tuple[str, str], ...]
    "File and SHA-256, of those that are files."


@record
class Report:
    """All that a report tells."""

    title: str
    verdict: Verdict
    when: str
    chapters: tuple[Chapter, ...]
    left_out: str
    "Which sessions have no chapter, and where else they are told; empty if all have one."
    figures: tuple[Figure, ...]
    "Of all sessions together, or of a capture without any."
    overview: tuple[Sheet, ...]
    findings: tuple[Part, ...]
    "About no session."
    more_findings: str
    "How many more of them there are; empty if all are told."
    network: tuple[Sheet, ...]
    "Servers, relays, mappings, flows."
    limits: tuple[str, ...]
    made: Made
    styles: str = ""
    "CSS of the figures."
