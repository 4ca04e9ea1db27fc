"""Plots as parts of one page: their styles in classes, their ids apart, their text alternatives beside them.

A page whose content security policy forbids inline styles cannot show matplotlib's SVG as it is: each element has a
`style`.  So styles become classes, which all figures of a page share; that makes them a third as large, too.
"""

from __future__ import annotations

import re
from typing import Any

from stunpcap.plots.canvas import offscreen
from stunpcap.plots.render import to_svg
from stunpcap.report.model import Figure, Sheet

_TAG = re.compile(r"<[a-zA-Z][^<>]*>")
_STYLE = re.compile(r'\sstyle="([^"]*)"')
_ID = re.compile(r'\sid="([^"]*)"')
_USED = re.compile(r'(?:href="#|url\(#)([^")]+)')
_LONG = re.compile(r"(\d\.\d\d)\d+")
_SIZE = re.compile(r'(width|height)="([\d.]+)pt"')
POINT = 96 / 72
"""CSS pixels in a point."""


class Figures:
    """Draws the figures of one page and collects their styles."""

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}
        self._drawn = 0

    @property
    def css(self) -> str:
        """Rules for all figures drawn so far."""
        return "\n".join(f".{name}{{{style}}}" for style, name in self._classes.items())

    def draw(self, plot: Any, trace: Any, title: str, said: str, steps: Sheet | None = None, **options: Any) -> Figure:
        """One figure.

        Parameters
        ----------
        plot
            Function of `stunpcap.plots`.
        title, said
            What it is, and what it says, in words.
        steps
            The same as a table.
        options
            For the plot.
        """
        self._drawn += 1
        with offscreen():
            figure = plot(trace, **options).figure
            text = to_svg(figure, title=title, description=said, themed=True, prefix=f"g{self._drawn}-")
        text, width = self._fitted(text)
        return Figure(plot.__name__, title, said, text, width, steps)

    def _fitted(self, text: str) -> tuple[str, int]:
        """An SVG without what the page forbids or does not need, and its width in CSS pixels."""
        width = next((float(size) for name, size in _SIZE.findall(text[: text.index(">")]) if name == "width"), 0.0)
        text = re.sub(r'\s*<style type="text/css">.*?</style>', "", text, flags=re.DOTALL)
        used = set(_USED.findall(text))
        text = _TAG.sub(lambda tag: self._tag(tag.group(), used), text)
        text = re.sub(r"\s*<defs>\s*</defs>", "", re.sub(r"\n\s*", "\n", text))
        return text, round(width * POINT)

    def _tag(self, tag: str, used: set[str]) -> str:
        if tag.startswith(("<title", "<desc")):
            return tag
        tag = _ID.sub(lambda one: one.group() if one.group(1) in used else "", tag)
        tag = _STYLE.sub(lambda one: self._class(one.group(1)), tag)
        if tag.startswith("<svg"):
            return _SIZE.sub(lambda one: f'{one.group(1)}="{float(one.group(2)) * POINT:.0f}"', tag)
        return re.sub(r"\s+", " ", _LONG.sub(r"\1", tag))

    def _class(self, style: str) -> str:
        if not style.strip():
            return ""
        style = re.sub(r"\s*([:;])\s*", r"\1", style.replace("&quot;", '"').replace("<", "").strip())
        name = self._classes.setdefault(style, f"f{len(self._classes)}")
        return f' class="{name}"'
