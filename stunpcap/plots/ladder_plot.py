"""The ladder: a sequence diagram of one session.  Parties side by side, time downwards, one arrow a message.

What is drawn is chosen and worded by `stunpcap.ladder`, for the terminal as well.  Words stand to the right of the
arrows, where they never cover one.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from stunpcap.ladder import Ladder, Lane, Step, build_ladder
from stunpcap.ladder.model import CROSSED, NEVER_ARRIVED
from stunpcap.plots import canvas
from stunpcap.plots.canvas import LITERAL, NORMAL, SMALL, Ground, legible
from stunpcap.plots.styles import OUTCOMES, PACKETS, Style
from stunpcap.summary.sessions import host
from stunpcap.table import when

if TYPE_CHECKING:
    from stunpcap.trace import Trace

LINE = 0.165
"""Height of a line of words, in inches, which are the units of the drawing."""
GUTTER, PITCH, WORDS = 1.2, 1.25, 4.3
"""Widths: frame and time, from lane to lane at least, words."""
SPAN = 2.8
"""How far the outermost lanes are apart at least."""
WRAP = 66
"""Characters in a line of words."""


def ladder(
    trace: Trace,
    *,
    session: int | None = None,
    vantage: str | None = None,
    full: bool = False,
    limit: int | None = None,
    ax: Axes | None = None,
    dark: bool = False,
) -> Axes:
    """A sequence diagram of one session: who sent what to whom, in order of time, and what failed.

    Parameters
    ----------
    trace
        One or several captures, read.
    session, vantage, full, limit
        As for `ladder_data`.
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
    found = build_ladder(trace, session=session, vantage=vantage, full=full, limit=limit)
    if not found.steps:
        return canvas.say(ax, "No ladder: no STUN requests were captured.", dark=dark)
    ground = Ground(dark)
    words = [_words(step) for step in found.steps]
    heads = [_head(lane) for lane in found.lanes]
    named = any(lane.ufrag for lane in found.lanes)
    top = max(len(head) for head in heads) + (2 if named else 0.8)
    pitch = max(PITCH, SPAN / max(len(found.lanes) - 1, 1))
    heights = [LINE * (len(lines) + 0.45) for lines in words]
    width = GUTTER + pitch * (len(found.lanes) - 1) + PITCH + WORDS
    height = LINE * top + sum(heights)
    ax = canvas.axes_for(ax, width, height + 1.3, ground)
    ax.set_axis_off()
    ax.set_xlim(0, width)
    ax.set_ylim(height, -LINE * 1.2 if named else 0)
    x = [GUTTER + PITCH / 2 + pitch * number for number in range(len(found.lanes))]
    _parties(ax, found.lanes, heads, x, top, height, ground)
    y = LINE * top
    for number, (step, lines, row) in enumerate(zip(found.steps, words, heights, strict=True)):
        if number % 2:
            ax.axhspan(y, y + row, color=ground.line, alpha=0.22, linewidth=0)
        _arrow(ax, step, x, y + row / 2, ground)
        _say(ax, step, lines, x[-1] + PITCH * 0.45, y + row / 2, ground)
        y += row
    _title(ax, found, width, ground)
    _legend(ax, found, ground)
    return ax


def _words(step: Step) -> list[str]:
    return textwrap.wrap(legible(step.label, 240), WRAP, break_on_hyphens=False) or [""]


def _head(lane: Lane) -> list[str]:
    """Name of a lane, and its addresses, a few characters a line."""
    hosts = list(dict.fromkeys(map(host, lane.addresses)))
    lines = [lane.name]
    for address in hosts[:2]:
        ports = [end.rpartition(":")[2] for end in lane.addresses if host(end) == address]
        lines += textwrap.wrap(legible(address), 19)
        lines.append(f":{ports[0]}" + (f" and {len(ports) - 1} more" if len(ports) > 1 else ""))
    if len(hosts) > 2:
        lines.append(f"and {len(hosts) - 2} more hosts")
    return lines


def _parties(
    ax: Axes, lanes: tuple[Lane, ...], heads: list[list[str]], x: list[float], top: float, height: float, ground: Ground
) -> None:
    """The lanes with their heads, and above them whose they are."""
    small = {"fontsize": SMALL, "color": ground.ink, "va": "center", **LITERAL}
    ax.text(0.45, LINE * (top - 0.6), "frame", ha="right", **{**small, "color": ground.faint})
    ax.text(1.1, LINE * (top - 0.6), "time s", ha="right", **{**small, "color": ground.faint})
    for lane, head, at in zip(lanes, heads, x, strict=True):
        style = {"agent": "-", "nat": "--", "server": "-."}[lane.kind]
        ax.plot(
            [at, at],
            [LINE * (top - 0.15), height],
            color=ground.ink if lane.here else ground.faint,
            linewidth=2.2 if lane.here else 1.0,
            linestyle=style,
            zorder=1,
            gid=f"lane {lane.name}",
        )
        for number, line in enumerate(head):
            y = LINE * (top - 0.6 - len(head) + 1 + number)
            weight = "bold" if number == 0 else "normal"
            ax.text(at, y, line, ha="center", fontweight=weight, **small)
    for agent in ("A", "B"):
        own = [number for number, lane in enumerate(lanes) if lane.kind == "agent" and lane.agent == agent]
        if not own or not lanes[own[0]].ufrag:
            continue
        lane = lanes[own[0]]
        left, right = x[own[0]] - PITCH * 0.46, x[own[-1]] + PITCH * 0.46
        ax.plot([left, right], [LINE * 0.95] * 2, color=ground.ink, linewidth=1.4, solid_capstyle="butt")
        said = [f"agent {legible(lane.ufrag, 12)}", lane.role]
        said = ["", " ".join(said)] if len(own) > 1 else said
        for number, line in enumerate(said):
            y = LINE * (number - 0.65)
            ax.text((left + right) / 2, y, line, ha="center", **{**small, "fontweight": "bold"})


def _style(step: Step) -> Style:
    """Colour and line of a step: failures look alike, whatever was sent."""
    if step.fate == "rejected":
        return OUTCOMES["icmp"]
    if step.fate in ("lost", "no-answer", "ignored"):
        return OUTCOMES["unanswered"]
    if step.fate == "open":
        return OUTCOMES["unfinished"]
    return PACKETS.get(step.event, PACKETS["check"])


def _arrow(ax: Axes, step: Step, x: list[float], y: float, ground: Ground) -> None:
    """A shaft that ends in a head, or in a cross where it failed: in front of the lane if it never arrived there."""
    ink = ground.faint if step.event == "fold" else ground.ink_of(_style(step))
    start, end = x[step.source], x[step.ends]
    name = f"{step.event} {step.fate}"
    if start == end:
        ax.plot([start], [y], marker="o", markersize=7, markerfacecolor="none", color=ink, gid=name)
        return
    way = 1 if end > start else -1
    line = ":" if step.event == "fold" else "--" if step.fate in ("no-answer", "open") else "-"
    tip = end - way * (PITCH * 0.2 if step.fate in NEVER_ARRIVED else 0.09 if step.fate == "no-answer" else 0.03)
    ax.plot([start, tip], [y, y], color=ink, linestyle=line, linewidth=1.3, zorder=3, gid=name)
    if step.fate in CROSSED:
        at = end if step.fate in ("ignored", "discarded") else tip
        ax.plot([at], [y], marker="x", markersize=7, markeredgewidth=2.2, color=ink, zorder=5, gid="cross")
    if step.fate not in (*NEVER_ARRIVED, "no-answer"):
        near = tip - way * (0.1 if step.fate in CROSSED else 0.02)
        ax.plot([near], [y], marker=">" if way > 0 else "<", markersize=5, color=ink, zorder=4, gid="head")
    for lane in step.via if step.event != "fold" else ():
        if min(start, end) < x[lane] < max(start, end):
            ax.plot(
                [x[lane]],
                [y],
                marker="o",
                markersize=6,
                markerfacecolor=ground.paper,
                markeredgecolor=ink,
                markeredgewidth=1.3,
                zorder=4,
                gid="via",
            )


def _say(ax: Axes, step: Step, lines: list[str], x: float, y: float, ground: Ground) -> None:
    """Frame and time to the left of the arrow, words to its right."""
    small = {"fontsize": SMALL, "va": "center", **LITERAL}
    if step.frame is not None and step.event != "fold":
        ax.text(0.45, y, str(step.frame), ha="right", color=ground.ink, **small)
    if step.offset_s is not None:
        ax.text(1.1, y, f"{step.offset_s:.3f}", ha="right", color=ground.faint, **small)
    ink = ground.faint if step.event == "fold" else ground.ink_of(_style(step))
    ax.text(x, y, "\n".join(lines), ha="left", color=ink, linespacing=1.15, **small)


def _title(ax: Axes, found: Ladder, width: float, ground: Ground) -> None:
    number = "" if found.session_id is None else f"Session {found.session_id}: "
    said = found.said if number else found.said[:1].upper() + found.said[1:]
    note = f"as captured in {legible(found.vantage)}"
    here = [lane.name for lane in found.lanes if lane.here]
    note += f", at or next to {' and '.join(here)} (heavy line)" if here else ""
    if found.start_ns is not None:
        note += f"; seconds count from {when(found.start_ns)[:23].replace('T', ' ')} UTC"
    if found.notes:
        note += f"; {'; '.join(found.notes)}"
    canvas.title(ax, number + said, ground, note=note, width=round(width * 10))


def _legend(ax: Axes, found: Ladder, ground: Ground) -> None:
    """What the ends of arrows mean, of those that occur."""
    fates = {step.fate for step in found.steps}
    marks: dict[str, tuple[str, Literal["-", "--"], str]] = {
        "lost": ("lost", "-", "x"),
        "rejected": ("rejected with ICMP", "-", "x"),
        "no-answer": ("no answer seen, fate not known", "--", "x"),
        "ignored": ("arrived, no answer seen", "-", "x"),
        "discarded": ("answer from or to another address: discarded", "-", "x"),
        "open": ("open when the capture ended", "--", ">"),
    }
    look = {"lost": "unanswered", "no-answer": "unanswered", "ignored": "unanswered", "rejected": "icmp"}
    look |= {"discarded": "other-address", "open": "unfinished"}
    handles = [
        Line2D([], [], color=ground.ink_of(OUTCOMES[look[fate]]), linestyle=line, marker=mark, label=words)
        for fate, (words, line, mark) in marks.items()
        if fate in fates
    ]
    if any(step.via for step in found.steps):
        words = "passes this NAT or relay"
        handles.append(Line2D([], [], color=ground.ink, marker="o", markerfacecolor=ground.paper, label=words))
    if any(step.event == "fold" for step in found.steps):
        handles.append(Line2D([], [], color=ground.faint, linestyle=":", label="more of the same"))
    canvas.legend(ax, handles, ground, columns=2, below=10)
    ax.title.set_fontsize(NORMAL + 1)
