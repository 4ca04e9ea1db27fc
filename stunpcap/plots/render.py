"""Figures as files: SVG and PNG, the same bytes for the same figure.

An SVG keeps its text as text, to be searched and read aloud, says what it shows (`title`, `desc`), names no date and no
program, and can follow the page it stands in from light to dark: its colours are those of `stunpcap.plots.styles`.
"""

from __future__ import annotations

import io
import re
from html import escape
from typing import TYPE_CHECKING, Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG

from stunpcap.plots.styles import DARK_PAPER, HUES, PAPER
from stunpcap.stun.render import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SETTINGS: dict[Any, Any] = {"svg.hashsalt": "stunpcap", "svg.fonttype": "none", "path.simplify": True}
_NOTHING = {"Date": None, "Creator": None, "Format": None, "Type": None}
_NAMES = {
    **{getattr(hue, part): f"--{name}-{part}" for name, hue in HUES.items() for part in ("ink", "fill")},
    PAPER: "--paper",
}
"""Colour on light ground -> custom property of CSS."""


def to_svg(figure: Figure, *, title: str = "", description: str = "", themed: bool = False, prefix: str = "") -> str:
    """A figure as an SVG element, to stand in HTML or alone.

    Parameters
    ----------
    figure
        The figure of some axes: `ax.figure`.
    title, description
        What it shows, for who cannot see it.
    themed
        Take each colour from a custom property of CSS if the page defines it (see `css_properties`).
    prefix
        Put before each id, so that several figures can stand in one page.

    Returns
    -------
    str
        The element, without XML declaration.
    """
    out = io.BytesIO()
    with rc_context(_SETTINGS):
        FigureCanvasSVG(figure).print_svg(out, metadata=_NOTHING)  # type: ignore[no-untyped-call]
    text = out.getvalue().decode("utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    head, _, rest = text.replace('id="matplotlib.', 'id="').partition(">")
    if prefix:
        rest = re.sub(r'(\bid="|xlink:href="#|url\(#)', rf"\g<1>{prefix}", rest)
    named = ""
    if title:
        named += f"\n <title>{escape(printable(title), quote=False)}</title>"
    if description:
        named += f"\n <desc>{escape(printable(description), quote=False)}</desc>"
    head += f' role="img" aria-label="{escape(printable(title))}"' if title else ' aria-hidden="true"'
    text = f"{head}>{named}{rest}"
    return _themed(text) if themed else text


def _themed(text: str) -> str:
    """Colours in style attributes, by name."""

    def styled(match: re.Match[str]) -> str:
        return re.sub(r"#[0-9a-f]{6}", lambda one: _named(one.group()), match.group())

    # The ground of a hatch has its colour as an attribute, where a custom property may not stand in all browsers.
    text = re.sub(r'(<rect\b[^<>]*?) fill="(#[0-9a-f]{6})"', r'\1 style="fill: \2"', text)
    return re.sub(r'style="[^"]*"', styled, text)


def _named(colour: str) -> str:
    return f"var({_NAMES[colour]},{colour})" if colour in _NAMES else colour


def css_properties(*, dark: bool = False) -> str:
    """Declarations of the custom properties that a themed SVG asks for, on light or dark ground."""
    colours = {
        f"--{name}-{part}": getattr(hue, f"dark_{part}" if dark else part)
        for name, hue in HUES.items()
        for part in ("ink", "fill")
    }
    colours["--paper"] = DARK_PAPER if dark else PAPER
    return ";".join(f"{name}:{value}" for name, value in colours.items())


def to_png(figure: Figure, *, dpi: float = 110) -> bytes:
    """A figure as a PNG picture, without date and program.

    Parameters
    ----------
    figure
        The figure of some axes.
    dpi
        Pixels per inch.
    """
    out = io.BytesIO()
    FigureCanvasAgg(figure).print_png(out, metadata={"Software": None}, pil_kwargs=None)  # type: ignore[no-untyped-call]
    return out.getvalue()
