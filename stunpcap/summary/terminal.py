"""Text for a terminal: safe to print, as wide as the window, coloured only where that is wanted.

All that came from a wire, or is named by a user, passes `safe` before it is printed: control characters and escape
sequences become visible text.  Colour never carries meaning alone; symbols have ASCII stand-ins.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import unicodedata
from typing import IO

from stunpcap.plots.styles import TONES
from stunpcap.record import record
from stunpcap.stun.render import printable

_SYMBOLS = {
    **{name: (tone.glyph, tone.ascii) for name, tone in TONES.items()},
    "to": ("→", "->"),
    "with": ("⇄", "<->"),
    "star": ("★", "*"),
    "dash": ("–", "-"),
    "rule": ("─", "-"),
    "cut": ("…", "~"),
}
_STYLES = {name: tone.sgr for name, tone in TONES.items()} | {
    "dim": "2",
    "strong": "1",
    "failed": f"1;{TONES['bad'].sgr}",
}
NARROWEST = 72
"""What is drawn for a narrower window runs over its edge."""
WIDEST = 140
"""Text does not get wider than this, however wide the window."""


def safe(text: object) -> str:
    """What a terminal can simply print: everything else is escaped."""
    return printable(str(text))


def cells(text: str) -> int:
    """How many columns of a terminal a (safe) text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


@record
class Paper:
    """What is written on: how wide it is, and what it can show."""

    width: int = 80
    colour: bool = False
    unicode: bool = True

    def symbol(self, name: str) -> str:
        """A symbol, or what stands for it where the encoding has none."""
        return _SYMBOLS[name][0 if self.unicode else 1]

    def style(self, name: str, text: str) -> str:
        """Text in a style, where there is colour."""
        return f"\x1b[{_STYLES[name]}m{text}\x1b[0m" if self.colour and text and name in _STYLES else text

    def wrap(self, text: str, first: str = "", rest: str | None = None) -> list[str]:
        """Lines of a text that is safe already, the first one after `first` and the others after `rest`."""
        rest = " " * cells(first) if rest is None else rest
        return textwrap.wrap(
            text,
            max(self.width, 40),
            initial_indent=first,
            subsequent_indent=rest,
            break_on_hyphens=False,
            break_long_words=True,
        ) or [first.rstrip()]

    def fit(self, text: str, width: int) -> str:
        """A text cut to a width, with a mark where it was cut; endpoints and names keep both their ends."""
        if cells(text) <= width:
            return text
        head, tail = (len(text) + 1) // 2, len(text) // 2
        mark = self.symbol("cut")
        while head + tail and cells(cut := text[:head] + mark + text[len(text) - tail :]) > width:
            head, tail = (head - 1, tail) if head > tail else (head, tail - 1)
        return cut if cells(cut) <= width else mark


def paper_for(stream: IO[str] | None, *, narrowest: int = NARROWEST, widest: int = WIDEST) -> Paper:
    """The paper that a stream is: the window's size on a terminal; else 80 columns, or what COLUMNS says."""
    terminal = stream is not None and _is_terminal(stream)
    width = shutil.get_terminal_size((80, 24)).columns if terminal else _columns()
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    unicode = can_show("".join(both[0] for both in _SYMBOLS.values()), stream)
    return Paper(max(narrowest, min(width, widest)), colour, unicode)


def _is_terminal(stream: IO[str]) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def _columns() -> int:
    text = os.environ.get("COLUMNS", "")
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 6 and int(text) else 80


def can_show(text: str, stream: IO[str] | None = None) -> bool:
    """Whether the encoding of a stream (default: standard output) has these characters."""
    encoding = getattr(sys.stdout if stream is None else stream, "encoding", None) or "ascii"
    try:
        text.encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True
