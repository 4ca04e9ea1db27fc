"""The pair matrix: which pair, which direction.  One agent's candidates against the other's, a cell a pair.

Each cell has two halves: above the checks from A to B, below those from B to A, with symbol, colour and hatch for what
became of them, and how many of them were answered.
"""

from __future__ import annotations

import ipaddress
import textwrap
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from stunpcap.plots import canvas
from stunpcap.plots.canvas import LITERAL, NORMAL, SMALL, Ground, legible
from stunpcap.plots.cells import pair_matrix_data
from stunpcap.plots.choose import CANDIDATE_ORDER, choose_session, session_of
from stunpcap.plots.styles import CANDIDATES, PACKETS, PAIR_STATES
from stunpcap.plots.tidy import records
from stunpcap.summary.sessions import host
from stunpcap.words import many

if TYPE_CHECKING:
    from stunpcap.summary.model import Session
    from stunpcap.trace import Trace

MOST = 24
"""Candidates of an agent that are drawn: those with a nominated pair, then with successes, then with most checks."""
WORDY = 2
"""Up to this many candidates of B, cells have room for words."""


def pair_matrix(
    trace: Trace,
    *,
    session: int | None = None,
    vantage: str | None = None,
    ax: Axes | None = None,
    dark: bool = False,
) -> Axes:
    """Candidates of one agent against the other's: which pairs succeeded or failed, in which direction.

    Parameters
    ----------
    trace
        One or several captures, read.
    session, vantage
        As for `pair_matrix_data`.
    ax
        Where to draw; default: a new figure of a fitting size.
    dark
        Light on dark ground.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    UsageError
        There is no such session or capture.
    """
    number = choose_session(trace, session)
    data = pair_matrix_data(trace, session=session, vantage=vantage)
    if number is None or data.empty:
        return canvas.say(ax, "No candidate pairs: no ICE checks were captured.", dark=dark)
    about = session_of(trace, number)
    ground = Ground(dark)
    rows, more_a = _candidates(data, "a")
    columns, more_b = _candidates(data, "b")
    wordy = len(columns) <= WORDY
    longest = max(len(_head(row)) for row in records(data))
    cell = (3.1, 1.0) if wordy else (max(0.85, 0.15 + 0.074 * longest), 0.56)
    lines = [_label(*candidate) for candidate in columns]
    upright = not wordy and max(len(part) for line in lines for part in line.split("\n")) > 14
    above = (max(len(line) for line in lines) * 0.06 if upright else 0.5) + 1.6
    width = max(cell[0] * len(columns) + 2.6, 7.6)
    beside = 0.5 + 0.095 * max(len(line) for line in _agent_lines(about, 0))
    ax = canvas.axes_for(ax, width, max(cell[1] * len(rows) + above + 0.2, beside), ground)
    places = {
        (a, b): (columns.index((b, b_type)), rows.index((a, a_type)))
        for a, a_type, b, b_type in data[["a", "a_type", "b", "b_type"]].itertuples(index=False)
        if (a, a_type) in rows and (b, b_type) in columns
    }
    _grid(ax, len(columns), len(rows), ground)
    for row in records(data):
        if (place := places.get((row["a"], row["b"]))) is not None:
            _half(ax, place, row, wordy, cell[0], ground)
    for row in records(data[data["nominated"] & (data["direction"] == "a-to-b")]):
        if (place := places.get((row["a"], row["b"]))) is not None:
            _frame(ax, place, row["selected"], ground)
    _axes(ax, rows, lines, upright, about, ground)
    _words(ax, about, data, (more_a, more_b), vantage, width, ground)
    return ax


def _candidates(data: pd.DataFrame, side: str) -> tuple[list[tuple[str, str]], int]:
    """The candidates of one agent, with types, in the order drawn; and how many are left out."""
    weight = data.assign(won=data["state"] == "succeeded").groupby([side, f"{side}_type"], observed=True, sort=False)
    ranked = weight.agg(nominated=("nominated", "max"), won=("won", "max"), checks=("requests_sent", "sum"))
    ranked = ranked.sort_values(["nominated", "won", "checks"], ascending=False, kind="stable")
    kept = [(str(end), str(kind)) for end, kind in ranked.index[:MOST]]
    kept.sort(key=lambda one: (CANDIDATE_ORDER.index(one[1]), _sortable(one[0])))
    return kept, len(ranked) - len(kept)


def _sortable(end: str) -> tuple[int, int, int]:
    """An endpoint as numbers: IPv4 before IPv6, then by address and port."""
    address = ipaddress.ip_address(host(end))
    return address.version, int(address), int(end.rpartition(":")[2])


def _label(end: str, kind: str) -> str:
    return f"{CANDIDATES[kind].label}\n{legible(end)}"


def _grid(ax: Axes, columns: int, rows: int, ground: Ground) -> None:
    """Empty cells: pairs that were not checked."""
    for x in range(columns):
        for y in range(rows):
            ax.add_patch(
                Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor="none", edgecolor=ground.line, linewidth=0.6, gid="empty")
            )
    ax.set_xlim(-0.55, columns - 0.45)
    ax.set_ylim(rows - 0.45, -0.55)


def _half(ax: Axes, place: tuple[int, int], row: dict[str, Any], wordy: bool, inches: float, ground: Ground) -> None:
    """One direction: a coloured half of its cell, with its symbol and numbers."""
    x, y = place
    style = PAIR_STATES[row["state"]]
    top = row["direction"] == "a-to-b"
    lower = y - 0.46 if top else y + 0.01
    patch = Rectangle(
        (x - 0.47, lower),
        0.94,
        0.45,
        facecolor=ground.fill_of(style),
        edgecolor=ground.ink_of(style),
        hatch=style.hatch,
        linewidth=0,
        gid=f"{row['direction']} {row['state']}",
    )
    ax.add_patch(patch)
    backing = {"facecolor": ground.fill_of(style), "edgecolor": "none", "pad": 1.2}
    # Where there is room, a line of words stands below the numbers.
    words = textwrap.wrap(legible(row["outcome"], 160), round(inches * 14)) if wordy and row["state"] != "none" else []
    size = NORMAL if wordy else SMALL
    ax.text(
        x,
        lower + (0.12 if words else 0.225),
        _head(row),
        ha="center",
        va="center",
        fontsize=size,
        fontweight="bold",
        color=ground.ink,
        bbox=backing,
        **LITERAL,
    )
    if words:
        said = "\n".join(words[:2]) + (" …" if len(words) > 2 else "")
        ax.text(
            x,
            lower + 0.33,
            said,
            ha="center",
            va="center",
            fontsize=SMALL - 1 if len(words) > 1 else SMALL,
            linespacing=1.05,
            color=ground.ink,
            bbox=backing | {"pad": 0.6},
            **LITERAL,
        )


def _head(row: dict[str, Any]) -> str:
    """`A→B ✗ 0/242`."""
    arrow = "A→B" if row["direction"] == "a-to-b" else "B→A"
    sent = f"{row['requests_sent']:,}" if row["requests_sent"] else "–"
    numbers = f"{row['responses_received']:,}/{sent}" if row["state"] != "none" else "–"
    return f"{arrow} {canvas.symbol(PAIR_STATES[row['state']])} {numbers}"


def _frame(ax: Axes, place: tuple[int, int], selected: bool, ground: Ground) -> None:
    """A heavy frame and a star for a nominated pair; dashed where another was chosen in the end."""
    x, y = place
    ax.add_patch(
        Rectangle(
            (x - 0.49, y - 0.49),
            0.98,
            0.98,
            facecolor="none",
            edgecolor=ground.ink,
            linewidth=2.2,
            linestyle="-" if selected else "--",
            gid="nominated",
        )
    )
    ax.plot(
        [x + 0.46], [y - 0.45], marker="*", markersize=11, color=ground.ink, markeredgecolor=ground.paper, clip_on=False
    )


def _axes(
    ax: Axes,
    rows: list[tuple[str, str]],
    columns: list[str],
    upright: bool,
    about: Session,
    ground: Ground,
) -> None:
    canvas.ticks(ax.xaxis, range(len(columns)), columns, rotation=90 if upright else 0, color=ground.ink)
    canvas.ticks(ax.yaxis, range(len(rows)), [_label(*candidate) for candidate in rows], color=ground.ink)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.tick_params(length=0, labelsize=SMALL)
    for spine in ax.spines.values():
        spine.set_visible(False)
    a, b = ("\n".join(_agent_lines(about, number)) for number in (0, 1))
    ax.set_xlabel(b, fontsize=NORMAL, fontweight="bold", color=ground.ink, labelpad=8, **LITERAL)
    ax.set_ylabel(a, fontsize=NORMAL, fontweight="bold", color=ground.ink, labelpad=8, **LITERAL)


def _agent_lines(about: Session, number: int) -> list[str]:
    """Whose candidates they are: name, username fragment, role."""
    agent = about.agents[number]
    known = (f"ufrag {legible(agent.ufrag, 16)}" if agent.ufrag else "", agent.role or "")
    said = ", ".join(part for part in known if part)
    return [f"candidates of {agent.name}", *([said] if said else [])]


def _words(
    ax: Axes,
    about: Session,
    data: pd.DataFrame,
    more: tuple[int, int],
    vantage: str | None,
    inches: float,
    ground: Ground,
) -> None:
    """Title, small print, and what colours and numbers mean."""
    seen = [name for name in dict.fromkeys(data["vantage"]) if name]
    notes = ["answered checks / checks sent"]
    if len(seen) > 1:
        notes.append(f"each direction as captured at its sender if possible ({', '.join(map(legible, seen))})")
    elif vantage is not None or len(about.vantages) > 1:
        notes.append(f"as captured at {', '.join(map(legible, seen))}")
    for number, name in zip(more, "AB", strict=True):
        if number:
            notes.append(f"{many(number, 'candidate')} more of {name} not drawn")
    canvas.title(ax, f"Session {about.session_id} {legible(about.said, 200)}", ground, width=round((inches - 2) * 11))
    used = [state for state in PAIR_STATES if state in set(data["state"])]
    handles = [
        Patch(
            facecolor=ground.fill_of(style),
            edgecolor=ground.ink_of(style),
            hatch=style.hatch,
            label=f"{canvas.symbol(style)} {style.label}",
        )
        for style in (PAIR_STATES[state] for state in used)
    ]
    if data["nominated"].any():
        star = canvas.symbol(PACKETS["nomination"])
        handles.append(Patch(facecolor="none", edgecolor=ground.ink, linewidth=2.0, label=f"{star} nominated"))
    if (data["nominated"] & ~data["selected"]).any():
        once = Patch(facecolor="none", edgecolor=ground.ink, linewidth=2.0, linestyle="--")
        once.set_label("also nominated")
        handles.append(once)
    pairs = data[["a", "b"]].drop_duplicates()
    if len(pairs) < data["a"].nunique() * data["b"].nunique():
        handles.append(Patch(facecolor="none", edgecolor=ground.line, linewidth=0.6, label="pair not checked"))
    note = "\n".join(textwrap.wrap("; ".join(notes), round((inches - 2) * 13)))
    canvas.legend(ax, handles, ground, columns=max(int((inches - 2) / 1.8), 2), below=8, note=note)
