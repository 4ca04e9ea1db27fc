"""Gathering: what was asked of which STUN or TURN server, when, and what it answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from stunpcap.plots import canvas
from stunpcap.plots.canvas import LITERAL, SMALL, Ground, legible
from stunpcap.plots.choose import asked_servers, check_vantage, start_of
from stunpcap.plots.styles import OUTCOMES
from stunpcap.plots.tidy import Columns, records, thinned, tidy
from stunpcap.schema import OUTCOME, TRANSACTION_KIND, TRANSPORT
from stunpcap.summary.words import clock, listed
from stunpcap.table import NAT, when
from stunpcap.words import error_words, many

if TYPE_CHECKING:
    from stunpcap.trace import Trace

LANE = 0.34
"""Height of a lane in inches."""
MOST = 60
"""Lanes that are drawn."""
STEPS = 300
"""Requests of one outcome in one lane are thinned to one for each such part of the time."""

COLUMNS: Columns = {
    "vantage": "str",
    "client": "str",
    "server": "str",
    "transport": TRANSPORT,
    "kind": TRANSACTION_KIND,
    "time_s": "float64",
    "last_s": "float64",
    "response_s": "float64",
    "transmissions": "int64",
    "outcome": OUTCOME,
    "error_code": "Int64",
    "icmp": "str",
    "mapped": "str",
    "relayed": "str",
    "frame": "Int64",
}
LANES = ["vantage", "client", "server", "transport", "kind"]


def gathering_data(trace: Trace, *, session: int | None = None, vantage: str | None = None) -> pd.DataFrame:
    """What `gathering` draws: a row for each request to a STUN or TURN server.

    Parameters
    ----------
    trace
        One or several captures, read.
    session
        Only requests of this session's agents: those sent from one of its candidates, or from one of its hosts and an
        address that no session has, from a minute before its first check on.  Default: all.
    vantage
        Which capture; default: all.

    Returns
    -------
    pandas.DataFrame
        `time_s`, `last_s` and `response_s` are seconds since the first request (of a session: since its first check)
        of the first transmission, the last one, and the response; `mapped` is the address that the server saw,
        `relayed` the one that it allocated to this client; `outcome` and the other columns are those of the frame
        `transactions`.

    Raises
    ------
    UsageError
        There is no such session or capture.
    """
    return _data(trace, session, vantage)[0]


def _data(trace: Trace, session: int | None, vantage: str | None) -> tuple[pd.DataFrame, int]:
    """The frame, and the time that it counts from, in ns."""
    check_vantage(trace, vantage)
    asked = asked_servers(trace, session)
    times = np.where(asked["first_time"] == NAT, asked["response_time"], asked["first_time"])
    told = asked.to_frame()
    start = start_of(trace, session) if session is not None else int(times.min(initial=2**62)) if len(told) else 0
    seconds = {
        name: np.where(asked[column] == NAT, np.nan, (asked[column] - start) / 1e9)
        for name, column in (("time_s", "first_time"), ("last_s", "last_time"), ("response_s", "response_time"))
    }
    seconds["time_s"] = np.where(np.isnan(seconds["time_s"]), seconds["response_s"], seconds["time_s"])
    relayed = _relayed(trace)
    ends = zip(*(told[name] for name in ("vantage", "src", "dst", "kind", "outcome")), strict=True)
    told_relayed: list[Any] = [
        relayed.get((v, c, s)) if kind == "allocate" and outcome == "success" else None
        for v, c, s, kind, outcome in ends
    ]
    frame = told.assign(
        client=told["src"],
        server=told["dst"],
        frame=told["request_frame"],
        relayed=told_relayed,
        **seconds,
    )
    found = tidy(frame, COLUMNS)
    if vantage is not None:
        found = found[found["vantage"] == vantage]
    return found.sort_values("time_s", kind="stable", ignore_index=True), start


def _relayed(trace: Trace) -> dict[tuple[str, str, str], str]:
    """Capture, client and server -> the relayed address of the first allocation."""
    table = trace.tables.allocations
    rows = zip(*(table.values(name) for name in ("vantage", "client", "server", "relayed")), strict=True)
    found: dict[tuple[str, str, str], str] = {}
    for vantage, client, server, relayed in rows:
        if relayed:
            found.setdefault((vantage, client, server), relayed)
    return found


def gathering(
    trace: Trace,
    *,
    session: int | None = None,
    vantage: str | None = None,
    ax: Axes | None = None,
    dark: bool = False,
) -> Axes:
    """What was asked of which server and when, and what it answered: a lane for each client, server and purpose.

    A line runs from the request to its answer; a stroke marks when a request was sent again for the last time.

    Parameters
    ----------
    trace
        One or several captures, read.
    session, vantage
        As for `gathering_data`.
    ax
        Where to draw; default: a new figure of a fitting size.
    dark
        Light on dark ground.

    Returns
    -------
    matplotlib.axes.Axes
        Time in seconds since the first request, or since the first check of the session.

    Raises
    ------
    UsageError
        There is no such session or capture.
    """
    data, start = _data(trace, session, vantage)
    if data.empty:
        whom = "this session's agents asked" if session is not None else "anybody asked"
        return canvas.say(ax, f"No gathering: no STUN or TURN server that {whom} was captured.", dark=dark)
    ground = Ground(dark)
    groups = data.groupby(LANES, sort=False, observed=True)
    data = data.assign(lane=groups.ngroup())
    lanes = data.drop_duplicates("lane").sort_values("lane")
    hidden = len(lanes) - MOST
    lanes = lanes[lanes["lane"] < MOST]
    shown = data[data["lane"] < MOST]
    ax = canvas.axes_for(ax, 12.0, LANE * len(lanes) + 1.9, ground)
    ax.set_ylim(len(lanes) - 0.5, -0.5)
    ax.spines["left"].set_visible(False)
    ax.hlines(lanes["lane"], 0, 1, transform=ax.get_yaxis_transform(), color=ground.line, linewidth=0.7, zorder=1)
    handles = []
    for outcome, style in OUTCOMES.items():
        rows = shown[shown["outcome"] == outcome]
        if len(rows):
            marks: dict[str, Any] = {"marker": style.marker, "color": ground.ink_of(style), "markersize": 5.5}
            _requests(ax, rows, ground.ink_of(style))
            thin = thinned(rows, STEPS, ("lane",))
            ax.plot(thin["time_s"], thin["lane"], linestyle="none", zorder=4, gid=outcome, **marks)
            handles.append(Line2D([], [], linestyle="none", label=f"{style.label} ({len(rows):,})", **marks))
    several = lanes["vantage"].nunique() > 1
    names = [
        f"{row['kind']}  {legible(row['client'])} → {legible(row['server'])}"
        + (f" {row['transport']}" if row["transport"] != "udp" else "")
        + (f" ({legible(row['vantage'], 24)})" if several else "")
        for row in records(lanes)
    ]
    canvas.ticks(ax.yaxis, lanes["lane"].to_list(), [_broken(name) for name in names], color=ground.ink)
    ax.tick_params(axis="y", length=0, labelsize=SMALL)
    for lane, rows in shown.groupby("lane"):
        _result(ax, int(str(lane)), rows, ground)
    since = f"the first check ({clock(when(start))} UTC)" if session is not None else f"{clock(when(start))} UTC"
    canvas.axis_labels(ax, f"seconds since {since}", "", ground)
    where = f"by the agents of session {session}" if session is not None else "in all"
    servers = many(data["server"].nunique(), "server")
    canvas.title(ax, f"{many(len(data), 'request')} to {servers} {where}", ground, width=74)
    note = "at the right: answered / asked, and what was told"
    if hidden > 0:
        note += f"; {many(hidden, 'lane')} more not drawn"
    canvas.legend(ax, handles, ground, columns=4, note=note)
    return ax


def _broken(name: str) -> str:
    """A label in two lines where it is long."""
    return name if len(name) <= 60 else name.replace(" → ", "\n→ ")


def _requests(ax: Axes, rows: pd.DataFrame, ink: str) -> None:
    """Lines from requests to their answers, or to where they were sent last."""
    ends = rows["response_s"].fillna(rows["last_s"]).fillna(rows["time_s"])
    ax.hlines(rows["lane"], rows["time_s"], ends, color=ink, linewidth=1.4, zorder=2)
    again = rows[rows["transmissions"] > 1]
    ax.plot(
        again["last_s"], again["lane"], linestyle="none", marker="|", markersize=9, color=ink, zorder=3, gid="again"
    )


def _result(ax: Axes, lane: int, rows: pd.DataFrame, ground: Ground) -> None:
    """At the right of a lane how many were answered, and what the answers told."""
    outcomes = rows["outcome"].astype(str)
    good = int((outcomes == "success").sum())
    style = OUTCOMES["success"] if good else OUTCOMES[str(outcomes.mode().iloc[0])]
    said = []
    if len(relayed := rows["relayed"].dropna().unique()):
        said.append(f"relayed {legible(listed(list(relayed), 1))}")
    elif len(mapped := rows["mapped"].dropna().unique()):
        said.append(f"seen as {legible(listed(list(mapped), 1))}")
    said += [error_words(int(code)) for code in rows["error_code"].dropna().unique()[:2]]
    said += [f"ICMP {legible(text, 40)}" for text in rows["icmp"].dropna().unique()[:1]]
    ax.annotate(
        "; ".join((f"{canvas.symbol(style)} {good:,}/{len(rows):,}", *said)),
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
