"""A frame as an aligned table.

On a terminal it shows the columns that matter most, as many as fit the window; where two long addresses do not fit
side by side they go below each other.  Piped, a row is one line and nothing is cut, for grep and awk.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stunpcap.cli.columns import ESSENTIAL, SHOWN, STACKED
from stunpcap.schema import Kind
from stunpcap.summary.terminal import Paper, cells, safe
from stunpcap.table import MISSING, Table
from stunpcap.words import many

GAP = "  "
FEWEST = 3
"""Columns that are cut rather than left out."""
NARROWEST = 8
_NUMBERS = (Kind.INTEGER, Kind.COUNT, Kind.SECONDS, Kind.UNSIGNED)


@dataclass(slots=True, eq=False, repr=False)
class Shown:
    """One column as text: a list of lines a row."""

    name: str
    head: list[str]
    rows: list[list[str]]
    right: bool
    exact: bool
    "Half of a value is of no use: all but free text."

    @property
    def width(self) -> int:
        return max((cells(line) for lines in (self.head, *self.rows) for line in lines), default=0)


def draw_table(table: Table, columns: Sequence[str] | None, paper: Paper, *, fit: bool) -> Iterator[str]:
    """Lines of a table.

    Parameters
    ----------
    columns
        Exactly these; None: those of interest.
    fit
        Choose and arrange columns so that lines fit the paper.
    """
    names = list(columns) if columns else _of_interest(table, without_empty=fit)
    shown = [_text(table, name, wrap_head=fit) for name in names]
    if fit and not columns:
        shown = _fitting(table.name, shown, paper)
    widths = [column.width for column in shown]
    yield from _row([column.head for column in shown], widths, shown, paper, "strong")
    yield paper.style("dim", GAP.join(paper.symbol("rule") * width for width in widths))
    for number in range(len(table)):
        yield from _row([column.rows[number] for column in shown], widths, shown, paper)
    if fit:
        left = [] if columns else [name for name in table.schema if name not in _names(shown)]
        more = f"; {many(len(left), 'more column')} with --all-columns" if left else ""
        yield paper.style("dim", f"{many(len(table), 'row')}{more}")


def _of_interest(table: Table, *, without_empty: bool) -> list[str]:
    """The columns worth showing; on a terminal without those that are empty throughout."""
    names = [name for name in SHOWN[table.name] if not without_empty or not len(table) or _has_values(table, name)]
    if "vantage" in table.schema and "vantage" not in names and len(set(table["vantage"].tolist()) - {MISSING}) > 1:
        names.insert(0, "vantage")
    return names


def _has_values(table: Table, name: str) -> bool:
    if SHOWN[table.name].index(name) < ESSENTIAL[table.name]:
        return True
    return any(value not in (None, "", False) for value in table.values(name))


def _text(table: Table, name: str, *, wrap_head: bool) -> Shown:
    kind = table.schema[name].kind
    values = table.values(name)
    if kind is Kind.TIME:
        one_day = wrap_head and len({value[:10] for value in values if value}) <= 1
        values = [_moment(value, one_day) for value in values]
    else:
        values = [_cell(value) for value in values]
    head = name.split("_") if wrap_head else [name]
    exact = kind is not Kind.TEXT
    return Shown(name, head, [[value] for value in values], kind in _NUMBERS, exact)


def _moment(value: str | None, one_day: bool) -> str:
    if value is None:
        return ""
    return value[11:26] if one_day else f"{value[:10]} {value[11:26]}"


def _cell(value: Any) -> str:
    match value:
        case None | False:
            return ""
        case True:
            return "yes"
        case float():
            return f"{value:.6f}"
        case list():
            return " ".join(map(str, value))
        case _:
            return safe(value)


def _names(shown: Sequence[Shown]) -> set[str]:
    return {name for column in shown for name in column.name.split("/")}


def _fitting(frame: str, shown: list[Shown], paper: Paper) -> list[Shown]:
    """As many columns as fit, the essential ones, if it can be, in any case."""
    essential = ESSENTIAL[frame] + (shown[0].name == "vantage" and "vantage" not in SHOWN[frame])
    if _total(shown[:essential]) > paper.width and frame in STACKED:
        before = len(shown)
        shown = _stack(shown, STACKED[frame], paper)
        essential -= before - len(shown)
    chosen = shown[:essential]
    for column in chosen:
        if not column.exact:
            _narrow(column, _total(chosen) - paper.width, paper)
    while _total(chosen) > paper.width and len(chosen) > FEWEST:
        chosen.pop()
    for column in sorted(chosen, key=lambda column: -column.width):
        _narrow(column, _total(chosen) - paper.width, paper)
    for column in shown[essential:]:
        if _total([*chosen, column]) <= paper.width:
            chosen.append(column)
    return chosen


def _narrow(column: Shown, excess: int, paper: Paper) -> None:
    """Make a column narrower, by as much as it can: sentences are wrapped, all else is cut."""
    width = max(column.width - excess, NARROWEST)
    if excess > 0 and width < column.width:
        column.rows = [[part for line in lines for part in _parts(line, width, column, paper)] for lines in column.rows]
        column.head = [paper.fit(line, width) for line in column.head]


def _parts(line: str, width: int, column: Shown, paper: Paper) -> list[str]:
    wrapped = textwrap.wrap(line, width, break_on_hyphens=False) if " " in line and not column.exact else [line]
    return [paper.fit(part, width) for part in wrapped]


def _total(shown: Sequence[Shown]) -> int:
    return sum(column.width for column in shown) + len(GAP) * (len(shown) - 1)


def _stack(shown: list[Shown], names: Sequence[str], paper: Paper) -> list[Shown]:
    """Put columns below each other; what only repeats the line above is left out."""
    by_name = {column.name: column for column in shown}
    if not all(name in by_name for name in names):
        return shown
    first, *others = (by_name[name] for name in names)
    arrow = paper.symbol("to")
    rows = []
    for number, lines in enumerate(first.rows):
        below = [line for other in others for line in other.rows[number] if line and line not in lines]
        rows.append([*lines, *(f"{arrow} {line}" for line in below)])
    head = [*first.head, *(f"{arrow} {' '.join(other.head)}" for other in others)]
    both = Shown("/".join(names), head, rows, False, True)
    return [both if column is first else column for column in shown if column not in others]


def _row(
    values: Sequence[list[str]], widths: Sequence[int], shown: Sequence[Shown], paper: Paper, style: str = ""
) -> Iterator[str]:
    """The lines of one row; a heading stands on its lowest line."""
    height = max(map(len, values), default=1)
    lines = []
    for value, width, column in zip(values, widths, shown, strict=True):
        padded = [""] * (height - len(value)) + value if style else value + [""] * (height - len(value))
        lines.append(
            [
                " " * (width - cells(line)) + line if column.right else line + " " * (width - cells(line))
                for line in padded
            ]
        )
    for parts in zip(*lines, strict=True):
        yield paper.style(style, GAP.join(parts).rstrip())
