"""The timeline: a lane for each direction, with what was sent above its line and what came back below.

Type and lanes keep their size; the figure grows with the number of lanes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from stunpcap.plots import canvas
from stunpcap.plots.canvas import LITERAL, SMALL, Ground, legible
from stunpcap.plots.choose import both_ways, choose_session, session_of
from stunpcap.plots.events import timeline_data, verdicts
from stunpcap.plots.styles import OUTCOMES, PACKETS, PAIR_STATES, Style
from stunpcap.plots.tidy import records, thinned
from stunpcap.summary.words import clock
from stunpcap.words import many

if TYPE_CHECKING:
    from stunpcap.trace import Trace

LANE = 0.36
"""Height of a lane in inches."""
MOST = 80
"""Lanes that are drawn."""
STEPS = 900
"""Marks of one kind in one lane are thinned to one for each such part of the time."""
TICKS = {"check": -0.4, "consent": -0.4, "nomination": -0.4, "gather": -0.4, "turn": -0.4, "answer": 0.4}
"""Drawn as strokes from the line of the lane: how far, upwards if negative; what is for consent half as far."""
MARKS = {"nomination": -0.3, "error": 0.26, "icmp": 0.26, "stray": 0.26, "dtls": 0.0, "alert": 0.0}
"""Drawn as markers: how far from the line."""
LONG = 46
"""A label of more characters takes two lines."""


def timeline(
    trace: Trace,
    *,
    session: int | None = None,
    vantage: str | None = None,
    ax: Axes | None = None,
    dark: bool = False,
) -> Axes:
    """What happened when, in a lane for each directed pair and each server.

    Strokes upwards are checks and requests as they were sent, strokes downwards their answers.

    Parameters
    ----------
    trace
        One or several captures, read.
    session, vantage
        As for `timeline_data`.
    ax
        Where to draw; default: a new figure of a fitting size.
    dark
        Light on dark ground.

    Returns
    -------
    matplotlib.axes.Axes
        Time in seconds since the session's first check.

    Raises
    ------
    UsageError
        There is no such session or capture.
    """
    data = timeline_data(trace, session=session, vantage=vantage)
    if data.empty:
        return canvas.say(ax, "No timeline: no ICE checks and no requests to servers were captured.", dark=dark)
    ground = Ground(dark)
    lanes = data.drop_duplicates("lane")
    hidden = len(lanes) - MOST
    shown = data[data["lane"] < MOST]
    lanes = lanes[lanes["lane"] < MOST]
    ax = canvas.axes_for(ax, 11.0, LANE * len(lanes) + 1.9, ground)
    number = choose_session(trace, session)
    place = str(data["vantage"].iloc[0])
    results: dict[tuple[str, str], tuple[str, int, int]] = {}
    starred: set[int] = set()
    head, origin = "Requests to servers; no ICE checks were captured", "the first request"
    if number is not None:
        about = session_of(trace, number)
        pairs = both_ways(trace, about, place)
        results = verdicts(pairs)
        starred = {both.pair.pair_id for both in pairs if both.nominated}
        head = f"Session {number} {legible(about.said, 200)}"
        origin = f"the first check ({clock(about.start)} UTC)"
    _ground_lines(ax, lanes, ground)
    for kind in PACKETS:
        _draw(ax, kind, shown[shown["kind"] == kind], ground)
    _labels(ax, lanes, results, starred, data, ground)
    canvas.axis_labels(ax, f"seconds since {origin}", "", ground)
    several = len(trace.sources) > 1
    note = f"above the line: sent; below: came back{f'; as captured at {legible(place)}' if several else ''}"
    if hidden > 0:
        note += f"; {many(hidden, 'lane')} more not drawn"
    canvas.title(ax, head, ground, width=74)
    used = [kind for kind in PACKETS if (shown["kind"] == kind).any()]
    canvas.legend(ax, [_handle(kind, ground) for kind in used], ground, columns=5, note=note)
    return ax


def _ground_lines(ax: Axes, lanes: pd.DataFrame, ground: Ground) -> None:
    """The line of each lane, and a rule between pairs and groups."""
    ax.set_ylim(len(lanes) - 0.5, -0.5)
    ax.hlines(lanes["lane"], 0, 1, transform=ax.get_yaxis_transform(), color=ground.line, linewidth=0.7, zorder=1)
    before: Any = None
    for row in records(lanes):
        key = row["group"], row["pair_id"] if row["group"] == "pair" else None
        if before is not None and key != before:
            ax.axhline(row["lane"] - 0.5, color=ground.line, linewidth=0.7 if key[0] == before[0] else 1.6, zorder=1)
        before = key
    for spine in ("left", "top"):
        ax.spines[spine].set_visible(False)


def _draw(ax: Axes, kind: str, rows: pd.DataFrame, ground: Ground) -> None:
    if rows.empty:
        return
    style = PACKETS[kind]
    if kind == "media":
        starts, ends = rows["time_s"].to_numpy(), rows["end_s"].to_numpy()
        ax.hlines(rows["lane"], starts, ends, color=ground.ink_of(style), linewidth=3.2, alpha=0.55, zorder=2, gid=kind)
        return
    rows = thinned(rows, STEPS, ("lane", "consent"))
    x, y = rows["time_s"].to_numpy(), rows["lane"].to_numpy(float)
    if kind in TICKS:
        reach = TICKS[kind] * np.where(rows["consent"].to_numpy(), 0.55, 1.0)
        gap = np.full(len(x), np.nan)
        ax.plot(
            np.stack([x, x, gap], axis=1).ravel(),
            np.stack([y, y + reach, gap], axis=1).ravel(),
            color=ground.ink_of(style),
            linewidth=1.1,
            solid_capstyle="butt",
            zorder=3,
            gid=kind,
        )
    if kind == "nomination":  # some agents nominate with every check: the star is for the first
        first = ~rows["lane"].duplicated().to_numpy()
        x, y = x[first], y[first]
    if kind in MARKS:
        ax.plot(x, y + MARKS[kind], **_mark(style, ground), linestyle="none", zorder=4, gid=kind)


def _mark(style: Style, ground: Ground) -> dict[str, Any]:
    return {
        "marker": style.marker,
        "markersize": 9 if style.marker == "*" else 5.5,
        "color": ground.ink_of(style),
        "markeredgecolor": ground.paper,
        "markeredgewidth": 0.4,
    }


def _handle(kind: str, ground: Ground) -> Line2D:
    style = PACKETS[kind]
    if kind == "media":
        return Line2D([], [], color=ground.ink_of(style), linewidth=3.2, alpha=0.55, label=style.label)
    if kind in TICKS and kind not in MARKS:
        size = 6 if kind == "consent" else 10
        return Line2D(
            [], [], linestyle="none", marker="|", markersize=size, color=ground.ink_of(style), label=style.label
        )
    return Line2D([], [], linestyle="none", **_mark(style, ground), label=style.label)


def _labels(
    ax: Axes,
    lanes: pd.DataFrame,
    results: dict[tuple[str, str], tuple[str, int, int]],
    starred: set[int],
    data: pd.DataFrame,
    ground: Ground,
) -> None:
    """Left who sends to whom; right what became of it."""
    names = [_name(row, starred) for row in records(lanes)]
    canvas.ticks(ax.yaxis, lanes["lane"].to_list(), names, color=ground.ink)
    ax.tick_params(axis="y", length=0, labelsize=SMALL)
    for row in records(lanes):
        if row["group"] == "pair":
            state, answered, sent = results.get((row["src"], row["dst"]), ("none", 0, 0))
            style = PAIR_STATES[state]
        else:
            here = data[data["lane"] == row["lane"]]["kind"]
            sent, answered = int(here.isin(("gather", "turn")).sum()), int(here.isin(("answer", "error")).sum())
            style = OUTCOMES["success" if (here == "answer").any() else "error" if answered else "unanswered"]
        ax.annotate(
            f"{canvas.symbol(style)} {answered:,}/{sent:,}",
            (1, row["lane"]),
            (5, 0),
            xycoords=ax.get_yaxis_transform(),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
            fontweight="bold",
            color=ground.ink_of(style),
            annotation_clip=False,
            **LITERAL,
        )


def _name(row: dict[str, Any], starred: set[int]) -> str:
    """`A→B  10.20.0.20:41475 → 172.30.0.2:58121`, in two lines where it is long."""
    arrow = {"a-to-b": "A→B", "b-to-a": "B→A"}.get(row["direction"], "")
    lead = {"gathering": "STUN", "turn": "TURN"}.get(row["group"], arrow)
    if row["group"] == "pair" and row["pair_id"] in starred:
        lead = f"{canvas.symbol(PACKETS['nomination'])} {lead}"
    src, dst = legible(row["src"]), legible(row["dst"])
    text = f"{lead}  {src} → {dst}"
    return text if len(text) <= LONG + len(lead) else f"{lead}  {src}\n→ {dst}"
