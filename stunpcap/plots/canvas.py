"""What all plots share: figures, their ground, and text that is safe to draw.

Whatever came from a wire passes `legible` before it is drawn, and is drawn with `LITERAL`: dollar signs start no
formula, control characters and what the font cannot show become visible text.  A plot that is given no axes makes a
figure of its own, with pyplot, so that a notebook shows it; below `offscreen` without, so that nothing is left open.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib import font_manager, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from matplotlib.transforms import ScaledTranslation

from stunpcap.plots.styles import DARK_INK, DARK_PAPER, HUES, INK, PAPER, TONES, Style
from stunpcap.record import record
from stunpcap.stun.render import printable

if TYPE_CHECKING:
    from matplotlib.axis import Axis

LITERAL: dict[str, Any] = {"parse_math": False, "usetex": False}
"""Keywords for every text of which a part is not ours."""
SMALL, NORMAL, LARGE = 8.0, 9.0, 10.5
"""Sizes of type in points; figures grow, type does not shrink."""

_offscreen: contextvars.ContextVar[bool] = contextvars.ContextVar("offscreen", default=False)


@record
class Ground:
    """What is drawn on: light or dark."""

    dark: bool = False

    @property
    def ink(self) -> str:
        """Colour of text."""
        return DARK_INK if self.dark else INK

    @property
    def paper(self) -> str:
        """Colour of the ground."""
        return DARK_PAPER if self.dark else PAPER

    @property
    def faint(self) -> str:
        """Colour of text that is beside the point."""
        return HUES["grey"].dark_ink if self.dark else HUES["grey"].ink

    @property
    def line(self) -> str:
        """Colour of grids and frames."""
        return HUES["black"].dark_fill if self.dark else HUES["black"].fill

    def ink_of(self, style: Style) -> str:
        """Colour of a style's lines and text."""
        return style.ink(dark=self.dark)

    def fill_of(self, style: Style) -> str:
        """Colour of a style's areas."""
        return style.fill(dark=self.dark)


@contextlib.contextmanager
def offscreen() -> Iterator[None]:
    """Make the figures within without pyplot: none is shown, none stays open, no window system is asked for."""
    token = _offscreen.set(True)
    try:
        yield
    finally:
        _offscreen.reset(token)


def axes_for(ax: Axes | None, width: float, height: float, ground: Ground) -> Axes:
    """The axes that were given, or those of a new figure of a size in inches; dressed for the ground."""
    if ax is None:
        ax = _figure(width, height, ground).add_subplot()
    dress(ax, ground)
    return ax


def axes_with_side(
    ax: Axes | None, width: float, height: float, ground: Ground, ratio: float
) -> tuple[Axes, Axes | None]:
    """The same with a second panel at the right, `ratio` as wide; none beside axes that were given."""
    if ax is not None:
        return axes_for(ax, width, height, ground), None
    figure = _figure(width, height, ground)
    grid = figure.add_gridspec(1, 2, width_ratios=(1, ratio))
    panels = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    for panel in panels:
        dress(panel, ground)
    return panels


def _figure(width: float, height: float, ground: Ground) -> Figure:
    figure: Figure
    if _offscreen.get():
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
    else:
        from matplotlib import pyplot

        figure = pyplot.figure(figsize=(width, height), layout="constrained")
    figure.set_facecolor(ground.paper)
    return figure


def dress(ax: Axes, ground: Ground) -> None:
    """Colours and sizes that suit the ground; a frame only where numbers are read off."""
    ax.set_facecolor(ground.paper)
    for name, spine in ax.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(ground.line)
    ax.tick_params(colors=ground.ink, labelsize=SMALL, color=ground.line)
    ax.xaxis.label.set_color(ground.ink)
    ax.yaxis.label.set_color(ground.ink)


def title(ax: Axes, text: str, ground: Ground, *, note: str = "", width: int = 90) -> None:
    """A title at the left, and below it small print, wrapped to about `width` characters a line."""
    heads = textwrap.wrap(text, width, break_on_hyphens=False)
    small = textwrap.wrap(note, round(width * 1.25), break_on_hyphens=False)
    pad = 6 + SMALL * 1.35 * len(small)
    style: dict[str, Any] = {"fontsize": LARGE, "fontweight": "bold", "color": ground.ink}
    ax.set_title("\n".join(heads), loc="left", pad=pad, **style, **LITERAL)
    if small:
        ax.annotate(
            "\n".join(small),
            (0, 1),
            (0, 4),
            xycoords="axes fraction",
            textcoords="offset points",
            va="bottom",
            fontsize=SMALL,
            color=ground.faint,
            annotation_clip=False,
            **LITERAL,
        )


def axis_labels(ax: Axes, x: str, y: str, ground: Ground) -> None:
    """What the axes measure, with units."""
    plain_numbers(ax.xaxis)
    ax.set_xlabel(x, fontsize=NORMAL, color=ground.ink, **LITERAL)
    ax.set_ylabel(y, fontsize=NORMAL, color=ground.ink, **LITERAL)


def ticks(axis: Axis, positions: Sequence[float], labels: Sequence[str], **style: Any) -> None:
    """Ticks with labels that are drawn as they stand."""
    axis.set_ticks(list(positions), labels=list(labels), **style, **LITERAL)


def plain_numbers(axis: Axis) -> None:
    """Numbers in full, without powers and offsets, which would be set as formulas."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def say(ax: Axes | None, sentence: str, *, dark: bool = False) -> Axes:
    """A sentence instead of a plot that would be empty."""
    ground = Ground(dark)
    ax = axes_for(ax, 6.4, 1.4, ground)
    ax.set_axis_off()
    words = "\n".join(textwrap.wrap(sentence, 70))
    ax.text(
        0.5, 0.5, words, ha="center", va="center", transform=ax.transAxes, fontsize=NORMAL, color=ground.ink, **LITERAL
    )
    return ax


def legend(
    ax: Axes, handles: Sequence[Any], ground: Ground, *, columns: int = 4, below: float = 36.0, note: str = ""
) -> None:
    """What the marks mean, and small print above it, so many points below the axes."""
    if not handles and not note:
        return
    down = ScaledTranslation(0, -below / 72, ax.figure.dpi_scale_trans)
    made = ax.legend(
        handles=list(handles),
        title=note or None,
        ncols=columns,
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=ax.transAxes + down,
        borderaxespad=0,
        borderpad=0,
        fontsize=SMALL,
        title_fontsize=SMALL,
        frameon=False,
        handlelength=1.6,
        columnspacing=1.4,
        alignment="left",
    )
    for text in (made.get_title(), *made.get_texts()):
        text.set_color(ground.ink)
        text.set_parse_math(False)
        text.set_usetex(False)
    made.get_title().set_color(ground.faint)


@functools.lru_cache(maxsize=8)
def _font(families: tuple[str, ...]) -> Any:
    return font_manager.get_font(font_manager.findfont(font_manager.FontProperties(family=list(families))))


def _shown(character: str) -> bool:
    return bool(_font(tuple(rcParams["font.family"])).get_char_index(ord(character)))


def legible(text: object, most: int = 60) -> str:
    """Text from anywhere as it can be drawn: escaped where it must be, cut in its middle beyond `most` characters."""
    safe = printable(str(text))
    if not safe.isascii():
        safe = "".join(c if _shown(c) else c.encode("unicode_escape").decode() for c in safe)
    return safe if len(safe) <= most else f"{safe[: (most + 1) // 2 - 1]}…{safe[len(safe) - most // 2 :]}"


def symbol(style: Style) -> str:
    """The symbol of a style, or its stand-in where the font has none."""
    return style.symbol(unicode=_shown(style.symbol()))


def tone_symbol(name: str) -> str:
    """The symbol of a tone, or its stand-in where the font has none."""
    return TONES[name].glyph if _shown(TONES[name].glyph) else TONES[name].ascii
