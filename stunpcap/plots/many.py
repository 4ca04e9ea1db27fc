"""Many sessions at a glance: when they were, how they ended, and what explains those that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from stunpcap.plots import canvas
from stunpcap.plots.canvas import LITERAL, SMALL, Ground, legible
from stunpcap.plots.choose import choose_session
from stunpcap.plots.styles import HUES, SESSION_STATES
from stunpcap.plots.tidy import Columns, records, tidy
from stunpcap.schema import DTLS, SESSION_STATE
from stunpcap.summary.words import clock, seconds
from stunpcap.table import when
from stunpcap.words import many

if TYPE_CHECKING:
    from stunpcap.trace import Trace

FEW = 40
"""Up to this many sessions have a line each; more are counted."""
LANE = 0.3
"""Height of such a line in inches."""
BINS = 48
CAUSES = 6
"""Root causes that are named; the others are put together."""
UNITS = ((2 * 86400, 86400, "days"), (2 * 3600, 3600, "hours"), (300, 60, "minutes"), (0, 1, "seconds"))
"""From which span in seconds on, how many seconds, and the name."""
ORDER = ("connected", "closed", "checking", "disconnected", "failed")

COLUMNS: Columns = {
    "session_id": "int64",
    "start_s": "float64",
    "duration_s": "float64",
    "state": SESSION_STATE,
    "time_to_connect_s": "float64",
    "pairs": "int64",
    "checks": "int64",
    "dtls": DTLS,
    "media_ab_packets": "int64",
    "media_ba_packets": "int64",
    "root_cause": "str",
}


def sessions_overview_data(trace: Trace, *, session: int | None = None) -> pd.DataFrame:
    """What `sessions_overview` draws: a row for each session.

    Parameters
    ----------
    trace
        One or several captures, read.
    session
        Only this session; default: all.

    Returns
    -------
    pandas.DataFrame
        `start_s` is seconds since the first session began, `duration_s` how long checks went on; the other columns are
        those of the frame `sessions`.

    Raises
    ------
    UsageError
        There is no such session.
    """
    table = trace.tables.sessions
    begin = int(table["start"].min(initial=2**62))
    found = table.to_frame().assign(
        start_s=(table["start"] - begin) / 1e9, duration_s=(table["end"] - table["start"]) / 1e9
    )
    if session is not None:
        found = found[found["session_id"] == choose_session(trace, session)]
    found["root_cause"] = found["root_cause"].fillna("")
    return tidy(found, COLUMNS)


def sessions_overview(trace: Trace, *, session: int | None = None, ax: Axes | None = None, dark: bool = False) -> Axes:
    """How many sessions ended: a line each if they are few, else counted over time, with what explains failures.

    Parameters
    ----------
    trace
        One or several captures, read.
    session
        Only this session; default: all.
    ax
        Where to draw; default: a new figure of a fitting size, in which totals of many sessions stand at the right.
    dark
        Light on dark ground.

    Returns
    -------
    matplotlib.axes.Axes
        Time since the first session began.

    Raises
    ------
    UsageError
        There is no such session.
    """
    data = sessions_overview_data(trace, session=session)
    if data.empty:
        return canvas.say(ax, "No sessions: no ICE checks were captured.", dark=dark)
    ground = Ground(dark)
    begin = clock(when(int(trace.tables.sessions["start"].min())))
    by_state = data["state"].value_counts()
    told = ", ".join(f"{by_state[state]:,} {state}" for state in reversed(ORDER) if by_state[state])
    if len(data) <= FEW:
        ax = canvas.axes_for(ax, 10.0, LANE * len(data) + 1.7, ground)
        unit = _lines(ax, data, ground)
    else:
        ax, side = canvas.axes_with_side(ax, 11.0, 4.4, ground, 0.32)
        unit = _counted(ax, data, ground)
        if side is not None:
            _totals(side, data, ground)
    canvas.axis_labels(ax, f"{unit} since the first session began ({begin} UTC)", ax.get_ylabel(), ground)
    canvas.title(ax, f"{many(len(data), 'session')}: {told}", ground, width=80)
    handles = [
        Patch(
            facecolor=ground.fill_of(style),
            edgecolor=ground.ink_of(style),
            hatch=style.hatch,
            label=f"{canvas.symbol(style)} {style.label} ({by_state[state]:,})",
        )
        for state, style in ((state, SESSION_STATES[state]) for state in ORDER)
        if by_state[state]
    ]
    canvas.legend(ax, handles, ground)
    return ax


def _unit(data: pd.DataFrame) -> tuple[int, str]:
    span = float((data["start_s"] + data["duration_s"]).max())
    return next((size, name) for least, size, name in UNITS if span >= least)


def _lines(ax: Axes, data: pd.DataFrame, ground: Ground) -> str:
    """A bar from the first check to the last for each session, and beside it how it ended."""
    size, unit = _unit(data)
    least = float((data["start_s"] + data["duration_s"]).max()) / size / 200
    for lane, row in enumerate(records(data)):
        style = SESSION_STATES[row["state"]]
        ax.barh(
            lane,
            max(row["duration_s"] / size, least),
            left=row["start_s"] / size,
            height=0.62,
            facecolor=ground.fill_of(style),
            edgecolor=ground.ink_of(style),
            hatch=style.hatch,
            linewidth=0.8,
            gid=row["state"],
        )
        ax.annotate(
            f"{canvas.symbol(style)} {_said(row)}",
            (1, lane),
            (5, 0),
            xycoords=ax.get_yaxis_transform(),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
            color=ground.ink_of(style),
            annotation_clip=False,
            **LITERAL,
        )
    ax.set_ylim(len(data) - 0.5, -0.5)
    canvas.ticks(ax.yaxis, range(len(data)), [f"session {number}" for number in data["session_id"]], color=ground.ink)
    ax.tick_params(axis="y", length=0, labelsize=SMALL)
    ax.spines["left"].set_visible(False)
    return unit


def _said(row: dict[str, Any]) -> str:
    said = str(row["state"])
    if row["time_to_connect_s"] == row["time_to_connect_s"]:
        said += f" after {seconds(row['time_to_connect_s'])}" if row["state"] in ("connected", "closed") else ""
    return f"{said}: {legible(row['root_cause'], 40)}" if row["root_cause"] else said


def _counted(ax: Axes, data: pd.DataFrame, ground: Ground) -> str:
    """How many sessions began in each part of the time, by how they ended."""
    size, unit = _unit(data)
    starts = data["start_s"].to_numpy() / size
    edges = np.linspace(0, max(float(starts.max()), 1e-9), BINS + 1)
    low = np.zeros(BINS)
    for state in ORDER:
        style = SESSION_STATES[state]
        heights, _ = np.histogram(starts[(data["state"] == state).to_numpy()], edges)
        if heights.any():
            ax.bar(
                edges[:-1],
                heights,
                width=edges[1] - edges[0],
                bottom=low,
                align="edge",
                facecolor=ground.fill_of(style),
                edgecolor=ground.ink_of(style),
                hatch=style.hatch,
                linewidth=0.5,
                gid=state,
            )
            low += heights
    ax.set_ylabel("sessions that began")
    canvas.plain_numbers(ax.yaxis)
    ax.grid(axis="y", color=ground.line, linewidth=0.5)
    ax.set_axisbelow(True)
    return unit


def _totals(side: Axes, data: pd.DataFrame, ground: Ground) -> None:
    """Shares of the states, and below them what explains the sessions that are not well."""
    states = [(state, int((data["state"] == state).sum())) for state in reversed(ORDER)]
    bars = [(state, number, SESSION_STATES[state]) for state, number in states if number]
    causes = data.loc[data["root_cause"] != "", "root_cause"].value_counts(sort=True)
    causes = causes.sort_index().sort_values(ascending=False, kind="stable")
    named = list(causes.iloc[:CAUSES].items())
    if len(causes) > CAUSES:
        named.append((f"{len(causes) - CAUSES} other causes", int(causes.iloc[CAUSES:].sum())))
    labels: list[str] = []
    places: list[float] = []
    for place, (state, number, style) in enumerate(bars):
        fill: Any = {"facecolor": ground.fill_of(style), "edgecolor": ground.ink_of(style), "hatch": style.hatch}
        side.barh(place, number, height=0.7, linewidth=0.8, gid=state, **fill)
        labels.append(f"{canvas.symbol(style)} {state}")
        places.append(float(place))
    grey = HUES["grey"]
    for row, (cause, number) in enumerate(named, start=len(bars) + 1):
        ink, fill_colour = (grey.dark_ink, grey.dark_fill) if ground.dark else (grey.ink, grey.fill)
        side.barh(row, number, height=0.7, facecolor=fill_colour, edgecolor=ink, linewidth=0.8, gid="cause")
        labels.append(legible(cause, 32))
        places.append(float(row))
    for at, number in zip(places, [bar[1] for bar in bars] + [one[1] for one in named], strict=True):
        side.annotate(
            f"{number:,} ({number / len(data):.0%})",
            (number, at),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
            color=ground.ink,
            **LITERAL,
        )
    side.set_ylim(max(places) + 0.6, -0.6)
    side.set_xlim(0, 1.6 * max(number for _, number in states))
    canvas.ticks(side.yaxis, places, labels, color=ground.ink)
    canvas.ticks(side.xaxis, [], [])
    side.tick_params(axis="y", length=0, labelsize=SMALL)
    side.spines["bottom"].set_visible(False)
    side.set_title("outcomes" + (", and causes" if named else ""), fontsize=SMALL, color=ground.faint, loc="left")
