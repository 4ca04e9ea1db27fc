"""Media over time: how much went each way, second by second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from stunpcap.errors import UsageError
from stunpcap.plots import canvas
from stunpcap.plots.canvas import LITERAL, NORMAL, Ground, legible
from stunpcap.plots.choose import both_ways, check_vantage, choose_session, main_vantage, session_of, start_of
from stunpcap.plots.events import lanes_of
from stunpcap.plots.styles import SERIES
from stunpcap.plots.tidy import Columns, tidy
from stunpcap.summary.words import clock
from stunpcap.table import MISSING, when
from stunpcap.words import many

if TYPE_CHECKING:
    from stunpcap.trace import Trace

SECOND = 10**9
LONGEST = 100_000
"""Up to so many seconds each has a row; beyond, those with packets and the ones that follow them."""
MOST = 12
"""Flows that are drawn, those with most packets."""
UNITS = {"kbit/s": "kbit_s", "packets/s": "packets_s"}
"""Unit -> column."""

COLUMNS: Columns = {
    "pair_id": "Int64",
    "direction": ("a-to-b", "b-to-a"),
    "src": "str",
    "dst": "str",
    "vantage": "str",
    "time_s": "float64",
    "rtp_packets": "int64",
    "rtcp_packets": "int64",
    "data_packets": "int64",
    "packets_s": "int64",
    "kbit_s": "float64",
}
FLOW = ["vantage", "src", "dst"]


def media_data(trace: Trace, *, session: int | None = None, vantage: str | None = None) -> pd.DataFrame:
    """What `media` draws: a row for each flow and second, those without packets included.

    Parameters
    ----------
    trace
        One or several captures, read.
    session
        Which session; default: the one that a summary tells first, a failed one if there is any.  In a trace without
        sessions: all media.
    vantage
        Which capture; default: one taken at an agent if there is one, and of these the one that holds most of the
        session.  Several are not put together, since their clocks are not compared.

    Returns
    -------
    pandas.DataFrame
        `time_s` is the beginning of the second, counted from the session's first check (without a session: from the
        first media).  `packets_s` counts RTP, RTCP and DTLS application data; `kbit_s` is what RTP and data amount to.

    Raises
    ------
    UsageError
        There is no such session or capture.
    """
    return _data(trace, session, vantage)[0]


def _data(trace: Trace, session: int | None, vantage: str | None) -> tuple[pd.DataFrame, int]:
    """The frame, and the time that it counts from, in ns."""
    check_vantage(trace, vantage)
    number = choose_session(trace, session)
    table = trace.tables.activity
    table = table.take(table["session_id"] == (MISSING if number is None else number))
    lanes: dict[tuple[str, str], tuple[int, str]] = {}
    if number is not None:
        vantage = vantage or main_vantage(trace, number)
        lanes = lanes_of(both_ways(trace, session_of(trace, number), vantage))
    seen = table.to_frame().assign(second=table["time"] // SECOND)
    seen["packets_s"] = seen["rtp_packets"] + seen["rtcp_packets"] + seen["data_packets"]
    seen = seen[seen["packets_s"] > 0]
    if vantage is not None:
        seen = seen[seen["vantage"] == vantage]
    if seen.empty:
        return tidy([], COLUMNS), 0
    start = start_of(trace, number) if number is not None else int(seen["second"].min()) * SECOND
    counted = ["rtp_packets", "rtcp_packets", "data_packets", "packets_s", "media_bytes"]
    parts = []
    first, last = int(seen["second"].min()), int(seen["second"].max())
    told = seen["second"].to_numpy()
    seconds = np.arange(first, last + 1) if last - first < LONGEST else np.union1d(told, told + 1)
    for ends, rows in seen.groupby(FLOW, sort=False):
        filled = rows.groupby("second")[counted].sum().reindex(seconds, fill_value=0)
        name, src, dst = map(str, ends)
        pair_id, direction = lanes.get((src, dst), (None, ""))
        parts.append(filled.reset_index(names="second").assign(vantage=name, src=src, dst=dst, pair_id=pair_id))
        parts[-1]["direction"] = direction or _guessed(src, dst, parts)
    found = pd.concat([part.astype({"pair_id": "Int64"}) for part in parts], ignore_index=True)
    found["time_s"] = (found["second"] * SECOND - start) / 1e9
    found["kbit_s"] = found["media_bytes"] * 8 / 1000
    return tidy(found, COLUMNS), start


def _guessed(src: str, dst: str, parts: list[pd.DataFrame]) -> str:
    """Without a session the first flow goes from A to B, and whatever answers a flow the other way."""
    for part in parts[:-1]:
        if (part["src"].iloc[0], part["dst"].iloc[0]) == (dst, src):
            return "b-to-a" if part["direction"].iloc[0] == "a-to-b" else "a-to-b"
    return "a-to-b"


def media(
    trace: Trace,
    *,
    session: int | None = None,
    vantage: str | None = None,
    unit: Literal["kbit/s", "packets/s"] = "kbit/s",
    ax: Axes | None = None,
    dark: bool = False,
) -> Axes:
    """Media rates over time: upwards what went from A to B, downwards what went from B to A.

    Parameters
    ----------
    trace
        One or several captures, read.
    session, vantage
        As for `media_data`.
    unit
        `kbit/s` (RTP and data) or `packets/s` (RTP, RTCP and data).
    ax
        Where to draw; default: a new figure.
    dark
        Light on dark ground.

    Returns
    -------
    matplotlib.axes.Axes
        Rates over seconds since the session's first check.

    Raises
    ------
    UsageError
        There is no such session, capture or unit.
    """
    if unit not in UNITS:
        raise UsageError(f"there is no unit {unit!r}; there are {', '.join(UNITS)}")
    number = choose_session(trace, session)
    data, start = _data(trace, session, vantage)
    if data.empty:
        whose = f"session {number}" if number is not None else "this trace"
        return canvas.say(ax, f"No media in {whose}: neither RTP nor data was captured in either direction.", dark=dark)
    ground = Ground(dark)
    ax = canvas.axes_for(ax, 10.0, 4.0 + 0.08 * min(data.groupby(FLOW).ngroups, MOST), ground)
    handles: list[Any] = []
    flows = data.groupby(FLOW, sort=False)["packets_s"].sum().sort_values(ascending=False, kind="stable")
    ways = data.drop_duplicates(FLOW).set_index(FLOW)["direction"].astype(str)
    hidden = len(flows) - MOST
    flows = flows.iloc[:MOST]
    flows = flows.loc[sorted(flows.index, key=lambda ends: ways.loc[ends])]
    below: dict[str, Any] = {"a-to-b": 0.0, "b-to-a": 0.0}
    for place, ends in enumerate(flows.index):
        rows = data[(data[FLOW] == list(ends)).all(axis=1)]
        direction = str(rows["direction"].iloc[0])
        style = SERIES[place % len(SERIES)]
        rate = rows[UNITS[unit]].to_numpy(float) * (1 if direction == "a-to-b" else -1)
        x = rows["time_s"].to_numpy()
        low = below[direction] + np.zeros(len(rate))
        below[direction] = low + rate
        ax.fill_between(
            np.append(x, x[-1] + 1),
            np.append(low, low[-1]),
            np.append(low + rate, (low + rate)[-1]),
            step="post",
            facecolor=ground.fill_of(style),
            edgecolor=ground.ink_of(style),
            hatch=style.hatch,
            linewidth=0.8,
            gid=f"{direction} {ends[1]} {ends[2]}",
        )
        arrow = "A→B" if direction == "a-to-b" else "B→A"
        label = f"{arrow}  {legible(ends[1])} → {legible(ends[2])} ({many(int(flows.loc[ends]), 'packet')})"
        patch = Patch(facecolor=ground.fill_of(style), edgecolor=ground.ink_of(style), hatch=style.hatch, label=label)
        handles.append(patch)
    _axes(ax, unit, ground)
    origin = "the first check" if number is not None else "the first media"
    canvas.axis_labels(ax, f"seconds since {origin} ({clock(when(start))} UTC)", unit, ground)
    canvas.title(ax, f"Media of session {number}" if number is not None else "Media outside of ICE", ground, width=80)
    notes = [f"as captured at {legible(data['vantage'].iloc[0])}"] if len(trace.sources) > 1 else []
    notes += [f"{many(hidden, 'flow')} more not drawn"] if hidden > 0 else []
    canvas.legend(ax, handles, ground, columns=2, note="; ".join(notes))
    return ax


def _axes(ax: Axes, unit: str, ground: Ground) -> None:
    """Both directions to the same scale; numbers below the line are no negative rates."""
    top = max(abs(limit) for limit in ax.get_ylim())
    ax.set_ylim(-top, top)
    ax.axhline(0, color=ground.ink, linewidth=0.8)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):,.10g}"))
    ax.grid(axis="y", color=ground.line, linewidth=0.5)
    ax.set_axisbelow(True)
    for place, words in ((0.97, "A→B"), (0.03, "B→A")):
        ax.text(
            0.005,
            place,
            words,
            transform=ax.transAxes,
            va="top" if place > 0.5 else "bottom",
            fontsize=NORMAL,
            fontweight="bold",
            color=ground.faint,
            **LITERAL,
        )
