"""Round trips of checks: over time, and how they are distributed, for each directed pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from stunpcap.plots import canvas
from stunpcap.plots.canvas import SMALL, Ground, legible
from stunpcap.plots.choose import (
    addresses_at,
    both_ways,
    check_vantage,
    choose_session,
    places_between,
    session_of,
    start_of,
)
from stunpcap.plots.events import lanes_of
from stunpcap.plots.styles import SERIES
from stunpcap.plots.tidy import Columns, tidy
from stunpcap.schema import TRANSACTION_KIND
from stunpcap.summary.sessions import host
from stunpcap.summary.words import clock
from stunpcap.words import many

if TYPE_CHECKING:
    from stunpcap.trace import Trace

COLUMNS: Columns = {
    "pair_id": "Int64",
    "direction": "str",
    "src": "str",
    "dst": "str",
    "vantage": "str",
    "measured_at": ("sender", "receiver", "between", "unknown"),
    "kind": TRANSACTION_KIND,
    "time_s": "float64",
    "rtt_s": "float64",
    "frame": "Int64",
}
MOST = len(SERIES)
"""Directed pairs that have a mark of their own; those with most round trips."""


def rtt_data(trace: Trace, *, session: int | None = None, vantage: str | None = None) -> pd.DataFrame:
    """What `rtt` draws: a row for each check whose round trip is known.

    Parameters
    ----------
    trace
        One or several captures, read.
    session
        Which session; default: the one that a summary tells first, a failed one if there is any.
    vantage
        Which capture; default: all of them.

    Returns
    -------
    pandas.DataFrame
        `time_s` is seconds since the session's first check, by the clock of the capture; `rtt_s` as in the frame
        `transactions`.  `measured_at` says where the capture was taken: at the sender of the check; at its receiver,
        where the time is only what the answer took to be made; between them, where it is part of the way; or that the
        capture does not tell.

    Raises
    ------
    UsageError
        There is no such session or capture.
    """
    check_vantage(trace, vantage)
    number = choose_session(trace, session)
    if number is None:
        return tidy([], COLUMNS)
    table = trace.tables.transactions
    told = table.take((table["session_id"] == number) & ~np.isnan(table["rtt_s"])).to_frame()
    if vantage is not None:
        told = told[told["vantage"] == vantage]
    lanes = lanes_of(both_ways(trace, session_of(trace, number), vantage))
    at, between = addresses_at(trace), places_between(trace)
    ends = list(zip(told["src"], told["dst"], strict=True))
    places = [
        "sender"
        if host(src) in at[name]
        else "receiver"
        if host(dst) in at[name]
        else "between"
        if name in between
        else "unknown"
        for (src, dst), name in zip(ends, told["vantage"], strict=True)
    ]
    columns: dict[str, Any] = {
        "pair_id": [lanes.get(way, (None, ""))[0] for way in ends],
        "direction": [lanes.get(way, (None, ""))[1] for way in ends],
        "measured_at": places,
        "time_s": (told["first_time"].astype("int64") - start_of(trace, number)) / 1e9,
        "frame": told["request_frame"],
    }
    found = tidy(told.assign(**columns), COLUMNS)
    return found.sort_values("time_s", kind="stable", ignore_index=True)


def rtt(
    trace: Trace,
    *,
    session: int | None = None,
    vantage: str | None = None,
    ax: Axes | None = None,
    dark: bool = False,
) -> Axes:
    """Round trips of checks over time, and beside it their distribution for each directed pair.

    What was measured at the receiver of the checks is left out where there is anything else: it is no round trip.

    Parameters
    ----------
    trace
        One or several captures, read.
    session, vantage
        As for `rtt_data`.
    ax
        Where to draw; default: a new figure, in which the distribution stands at the right.
    dark
        Light on dark ground.

    Returns
    -------
    matplotlib.axes.Axes
        Milliseconds over seconds since the session's first check.

    Raises
    ------
    UsageError
        There is no such session or capture.
    """
    data = rtt_data(trace, session=session, vantage=vantage)
    if data.empty:
        return canvas.say(ax, "No round trips: no check was captured together with its answer.", dark=dark)
    away = data[data["measured_at"] != "receiver"]
    left_out = len(data) - len(away) if len(away) else 0
    shown = away if len(away) else data
    ground = Ground(dark)
    ways = ["direction", "src", "dst", "vantage"]
    sizes = shown.groupby(ways, sort=False).size().sort_values(ascending=False, kind="stable")
    chosen = list(sizes.index[:MOST])
    ax, side = canvas.axes_with_side(ax, 10.0, 4.2, ground, 0.05 + 0.04 * max(len(chosen), 3))
    number = choose_session(trace, session)
    assert number is not None
    several = shown["vantage"].nunique() > 1
    handles = []
    boxes = []
    for style, way in zip(SERIES, chosen, strict=False):
        rows = shown[(shown[ways] == list(way)).all(axis=1)]
        marks: dict[str, Any] = {"marker": style.marker, "color": ground.ink_of(style), "markersize": 4.5}
        ax.plot(rows["time_s"], rows["rtt_s"] * 1e3, linestyle="none", alpha=0.8, gid=f"{way[1]} {way[2]}", **marks)
        handles.append(Line2D([], [], linestyle="none", label=_label(way, several), **marks))
        boxes.append((rows["rtt_s"].to_numpy() * 1e3, ground.ink_of(style), ground.fill_of(style)))
    rest = shown[~pd.MultiIndex.from_frame(shown[ways]).isin(chosen)]
    if len(rest):
        ax.plot(rest["time_s"], rest["rtt_s"] * 1e3, linestyle="none", marker=".", markersize=3, color=ground.faint)
        more = len(sizes) - len(chosen)
        handles.append(
            Line2D([], [], linestyle="none", marker=".", color=ground.faint, label=f"{many(more, 'direction')} more")
        )
    top = max(float(shown["rtt_s"].max()) * 1e3, 0.1)
    ax.set_ylim(-0.03 * top, 1.06 * top)
    ax.grid(axis="y", color=ground.line, linewidth=0.5)
    ax.set_axisbelow(True)
    if side is not None:
        _distribution(side, boxes, ax.get_ylim(), ground)
    about = session_of(trace, number)
    canvas.axis_labels(ax, f"seconds since the first check ({clock(about.start)} UTC)", "round trip (ms)", ground)
    canvas.title(ax, f"Round trips in session {number}", ground, width=80)
    note = f"{len(shown):,} round trips"
    if left_out:
        note += f"; {left_out:,} measured at the receiver are left out"
    elif shown["measured_at"].eq("receiver").all():
        note += ", measured at the receiver: how fast it answers"
    canvas.legend(ax, handles, ground, columns=2, note=note)
    return ax


def _label(way: tuple[str, str, str, str], several: bool) -> str:
    direction, src, dst, vantage = way
    arrow = {"a-to-b": "A→B  ", "b-to-a": "B→A  "}.get(direction, "")
    return f"{arrow}{legible(src)} → {legible(dst)}" + (f" ({legible(vantage, 24)})" if several else "")


def _distribution(side: Axes, boxes: list[tuple[Any, str, str]], limits: tuple[float, float], ground: Ground) -> None:
    """A box for each direction: quartiles and median, whiskers to the 5th and 95th percentile, points beyond."""
    side.spines["left"].set_visible(False)
    for at, (values, ink, fill) in enumerate(boxes):
        side.boxplot(
            [values],
            positions=[at],
            widths=0.6,
            whis=(5, 95),
            patch_artist=True,
            manage_ticks=False,
            boxprops={"facecolor": fill, "edgecolor": ink},
            medianprops={"color": ink, "linewidth": 1.6},
            whiskerprops={"color": ink},
            capprops={"color": ink},
            flierprops={"marker": ".", "markersize": 3, "markeredgecolor": ink},
        )
    side.set_ylim(limits)
    side.set_xlim(-0.7, len(boxes) - 0.3)
    side.tick_params(axis="y", labelleft=False, length=0)
    canvas.ticks(side.xaxis, [], [])
    side.set_xlabel("distribution", fontsize=SMALL, color=ground.faint)
    side.grid(axis="y", color=ground.line, linewidth=0.5)
    side.set_axisbelow(True)
