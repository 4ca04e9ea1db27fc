"""The table of directed pairs as text: for each pair its two addresses, then a line for each direction.

    1  A 10.20.0.20:41475 (host)  B 172.30.0.2:58121 (type ?)
       A → B  ✗ no answer to 242 checks               242    0  242  lost       9
       B → A  ✓ answered                              242  242    0  delivered  7

Long addresses go on lines of their own, long outcomes are wrapped within their column, so that nothing is cut.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace

from stunpcap.plots.styles import CANDIDATES, PAIR_STATES
from stunpcap.summary.model import Direction, Pair
from stunpcap.summary.terminal import Paper, cells, safe

INDENT = 4


def pair_table(pairs: Sequence[Pair], paper: Paper, title: str) -> Iterator[str]:
    """Lines of the table, heading included."""
    whole = paper
    rows = [cells_of(way) for pair in pairs for way in (pair.a_to_b, pair.b_to_a) if way]
    heads = ("checks", "answ.", "none", "path", "frame")
    widths = [max(len(head), *(len(row[i]) for row in rows)) for i, head in enumerate(heads)] if rows else [0] * 5
    numbers = "  ".join(_aligned(heads, widths))
    longest = max((cells(safe(way.outcome)) for pair in pairs for way in (pair.a_to_b, pair.b_to_a) if way), default=0)
    # On wide paper the numbers stay near the words.
    room = min(paper.width - 2 - len(numbers), max(longest + INDENT + 11, cells(title) + 4))
    paper = replace(paper, width=room + 2 + len(numbers))
    if cells(title) <= room - 4:
        yield paper.style("strong", f"  {title}") + " " * (room - cells(title)) + paper.style("dim", numbers)
    else:
        yield from (paper.style("strong", line) for line in paper.wrap(title, "  "))
        yield " " * (room + 2) + paper.style("dim", numbers)
    for pair in pairs:
        yield from _ends(pair, whole)
        for name, way in ((("A", "B"), pair.a_to_b), (("B", "A"), pair.b_to_a)):
            if way is not None or pair.a != pair.b:
                yield from _way(name, way, widths, paper)


def mark_of(way: Direction) -> str:
    """The symbol for a direction: what succeeded and then fell silent is no success."""
    if way.state == "succeeded" and way.silent_at_end > 1 and way.unanswered:
        return "warn"
    return PAIR_STATES[way.state].tone


def cells_of(way: Direction) -> tuple[str, str, str, str, str]:
    """What stands in the columns behind the outcome."""
    return (
        f"{way.requests_sent:,}",
        f"{way.responses_received:,}",
        f"{way.unanswered + way.unfinished:,}",
        way.path,
        str(way.first_frame or "?"),
    )


def _aligned(values: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Numbers to the right, the path to the left."""
    return [
        value.ljust(width) if i == 3 else value.rjust(width)
        for i, (value, width) in enumerate(zip(values, widths, strict=True))
    ]


def kind_of(type: str) -> str:
    """A candidate's type for people."""
    return CANDIDATES[type].label


def _ends(pair: Pair, paper: Paper) -> Iterator[str]:
    """The two addresses, on one line if they fit."""
    number = f"{pair.pair_id:>{INDENT - 1}} "
    marks = []
    if pair.nominated:
        marks.append(f"{paper.symbol('star')} nominated" if pair.selected else "once nominated")
    if pair.transport != "udp":
        marks.append(pair.transport)
    if pair.carrier != "plain":
        marks.append(f"inside TURN ({pair.carrier})")
    mark = "  " + ", ".join(marks) if marks else ""
    a = f"A {safe(pair.a)} ({kind_of(pair.a_type)})"
    b = f"B {safe(pair.b)} ({kind_of(pair.b_type)})"
    line = f" {number} {a}  {b}{mark}"
    if cells(line) <= paper.width:
        yield paper.style("strong", line)
    else:
        yield paper.style("strong", f" {number} {a}{mark}")
        yield paper.style("strong", f" {' ' * INDENT} {b}")


def _way(name: tuple[str, str], way: Direction | None, widths: Sequence[int], paper: Paper) -> Iterator[str]:
    lead = f"{' ' * (INDENT + 2)}{name[0]} {paper.symbol('to')} {name[1]}  "
    if way is None:
        yield paper.style("dim", f"{lead}{paper.symbol('none')} no check seen")
        return
    numbers = "  ".join(_aligned(cells_of(way), widths))
    colour = mark_of(way)
    symbol = paper.symbol(colour)
    width = max(paper.width - cells(lead) - cells(symbol) - 1 - 2 - len(numbers), 12)
    lines = textwrap.wrap(safe(way.outcome), width, break_on_hyphens=False)
    yield f"{lead}{paper.style(colour, f'{symbol} {lines[0]:<{width}}')}  {numbers}"
    hang = " " * (cells(lead) + cells(symbol) + 1)
    yield from (hang + paper.style(colour, line) for line in lines[1:])
