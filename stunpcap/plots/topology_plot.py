"""The topology: agents, NATs, servers and relays as a network drawing, with what got through and what did not.

Between two addresses there are two arrows, one a direction, with answered and sent checks beside them.  Colour, line
and symbol are those of pair states; an arrow that ends in a cross before its target did not arrive.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch

from stunpcap.plots import canvas
from stunpcap.plots.canvas import LITERAL, SMALL, Ground, legible
from stunpcap.plots.choose import check_vantage, choose_session
from stunpcap.plots.styles import CANDIDATES, OUTCOMES, PACKETS, PAIR_STATES
from stunpcap.plots.topology_layout import PAIRS, Link, Node, Topology, build_topology
from stunpcap.plots.topology_ways import HEIGHT, WIDTH, Slots, aside, longest, meet, slots, ways
from stunpcap.words import many

if TYPE_CHECKING:
    from stunpcap.trace import Trace

STAR = PACKETS["nomination"].glyph


def topology(
    trace: Trace,
    *,
    session: int | None = None,
    vantage: str | None = None,
    limit: int = PAIRS,
    ax: Axes | None = None,
    dark: bool = False,
) -> Axes:
    """Agents, NATs, servers and relays of a session as a network drawing, with the working and the dead directions.

    Parameters
    ----------
    trace
        One or several captures, read.
    session, vantage, limit
        As for `topology_data`.
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
    check_vantage(trace, vantage)
    number = choose_session(trace, session)
    if number is None:
        return canvas.say(ax, "No topology: no ICE checks were captured.", dark=dark)
    ground = Ground(dark)
    found = build_topology(trace, number, vantage, limit)
    bottom = max(node.y for node in found.nodes) + 0.6
    left, right = min(node.x for node in found.nodes) - 1.1, max(node.x for node in found.nodes) + 1.1
    top = min(node.y - (0.3 if node.kind == "server" else 0.65) for node in found.nodes)
    ax = canvas.axes_for(ax, right - left, bottom - top + 0.95, ground)
    ax.set_axis_off()
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    _groups(ax, found, ground)
    for node in found.nodes:
        _node(ax, node, ground)
    arrows = ways(found)
    meeting = slots(arrows)
    spans = [longest(way) for _, way in arrows]
    between = list(dict.fromkeys(frozenset(node.key for node in span) for span in spans))
    for (link, way), span in zip(arrows, spans, strict=True):
        _checks(ax, link, way, meeting, between.index(frozenset(node.key for node in span)), ground)
    for link in found.links:
        if link.kind != "checks":
            _thin(ax, link, found, ground)
    _words(ax, found, ground)
    return ax


def _groups(ax: Axes, found: Topology, ground: Ground) -> None:
    """Frames around an agent's addresses, and around the outside addresses of its NAT."""
    for agent, ufrag, role in zip("AB", found.ufrags, found.roles, strict=True):
        own = [node for node in found.nodes if node.kind == "base" and node.agent == agent]
        said = " ".join(filter(None, (f"agent {agent}", legible(ufrag, 10), role)))
        _frame(ax, own, said, "-", ground, f"agent {agent}")
        outside = [node for node in found.nodes if node.kind == "outside" and node.agent == agent]
        _frame(ax, outside, f"NAT of {agent}", "--", ground, f"NAT {agent}")


def _frame(ax: Axes, nodes: list[Node], said: str, line: str, ground: Ground, name: str) -> None:
    if not nodes:
        return
    x, y = nodes[0].x, [node.y for node in nodes]
    low, high = min(y) - HEIGHT / 2 - 0.1, max(y) + HEIGHT / 2 + (0.24 if any(n.captures for n in nodes) else 0.1)
    ax.add_patch(
        FancyBboxPatch(
            (x - WIDTH / 2 - 0.08, low),
            WIDTH + 0.16,
            high - low,
            boxstyle="round,pad=0.02",
            facecolor="none",
            edgecolor=ground.faint,
            linestyle=line,
            linewidth=1.0,
            zorder=1,
            gid=name,
        )
    )
    head = {"fontsize": SMALL, "fontweight": "bold", "color": ground.ink, "zorder": 5, **LITERAL}
    backing = {"facecolor": ground.paper, "edgecolor": "none", "pad": 0.8}
    ax.text(x, low - 0.07, said, ha="center", va="bottom", bbox=backing, **head)


def _node(ax: Axes, node: Node, ground: Ground) -> None:
    """An address in its box, with what kind it is."""
    style = CANDIDATES.get(node.type, CANDIDATES["unknown"])
    server = node.kind == "server"
    ink = ground.ink if server else ground.ink_of(style)
    ax.add_patch(
        FancyBboxPatch(
            (node.x - WIDTH / 2, node.y - HEIGHT / 2),
            WIDTH,
            HEIGHT,
            boxstyle="square,pad=0" if server else "round,pad=0,rounding_size=0.08",
            facecolor=ground.paper,
            edgecolor=ink,
            linestyle=style.line if not server else "-",
            linewidth=1.8 if server else 1.1,
            zorder=4,
            gid=f"{node.kind} {node.key}",
        )
    )
    if server:
        said = f"{node.type} server" if node.type != "TLS" else "server behind TLS"
    elif node.kind == "relay":
        said = "relayed address"
    elif node.kind == "outside":
        said = "seen outside as" if node.type == "unknown" else node.type
    else:
        said = style.label
    text = {"ha": "center", "va": "center", "zorder": 5, **LITERAL}
    ax.text(node.x, node.y - 0.1, legible(node.key, 26), fontsize=SMALL - 0.5, color=ground.ink, **text)
    ax.text(node.x, node.y + 0.1, said, fontsize=SMALL - 1, color=ink, **text)
    if node.captures:
        names = legible(", ".join(node.captures), 19)
        ax.plot([node.x - WIDTH / 2], [node.y + HEIGHT / 2], marker="o", markersize=6, color=ground.ink, zorder=6)
        ax.text(
            node.x - WIDTH / 2 + 0.1,
            node.y + HEIGHT / 2 + 0.02,
            f"captured here: {names}",
            ha="left",
            va="top",
            fontsize=SMALL - 1,
            color=ground.ink,
            zorder=6,
            gid="captured here",
            **LITERAL,
        )


def _thin(ax: Axes, link: Link, found: Topology, ground: Ground) -> None:
    """What belongs together, and requests to servers."""
    src, dst = found.node(link.via or link.src), found.node(link.dst)
    if src is None or dst is None:
        return
    (x0, y0), (x1, y1) = meet(src, dst, {}), meet(dst, src, {})
    asked = link.kind == "requests"
    style = PAIR_STATES[link.state] if asked else PAIR_STATES["none"]
    ink = ground.ink_of(style) if asked else ground.faint
    line = style.line if asked else "-"
    ax.plot(
        [x0, x1], [y0, y1], color=ink, linewidth=1.1, linestyle=line, zorder=2, gid=f"{link.kind} {link.state}".strip()
    )
    if asked:
        said = f"{canvas.tone_symbol('warn') if link.refused else canvas.symbol(style)} {link.answered}/{link.sent}"
        if link.refused:
            said += f", {link.refused} refused"
            ink = ground.ink_of(OUTCOMES["error"])
        _label(ax, said, (x0 + (x1 - x0) * 0.45, y0 + (y1 - y0) * 0.45), ink, ground)
        if not link.answered:
            ax.plot([x1], [y1], marker="x", markersize=8, markeredgewidth=2.2, color=ink, zorder=6, gid="cross")


def _checks(
    ax: Axes,
    link: Link,
    way: list[Node],
    meeting: Slots,
    number: int,
    ground: Ground,
) -> None:
    """One direction of a pair: an arrow to the right of the line between its ends, by way of a NAT if one is known."""
    style = PAIR_STATES[link.state]
    ink = ground.ink_of(style)
    dead = link.state == "failed"
    # A gap in front of the target says that it is known not to have arrived, as in a ladder.
    gap = 0.4 if link.path in ("lost", "rejected") else 0.1
    width = 2.4 if link.selected else 1.5
    for one, other in itertools.pairwise(way):
        (x0, y0), (x1, y1) = aside(meet(one, other, meeting), meet(other, one, meeting))
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        last = other is way[-1]
        if last and dead:
            x1, y1 = x1 - (x1 - x0) / length * gap, y1 - (y1 - y0) / length * gap
            ax.plot([x1], [y1], marker="x", markersize=10, markeredgewidth=2.6, color=ink, zorder=6, gid="cross")
        elif last:
            ax.annotate(
                "",
                (x1, y1),
                (x1 - (x1 - x0) / length * 0.05, y1 - (y1 - y0) / length * 0.05),
                arrowprops={"arrowstyle": "-|>", "color": ink, "linewidth": width, "mutation_scale": 12},
                zorder=6,
                gid="head",
            )
        name = f"{link.direction} {link.state}" if last else "towards a NAT"
        stop = 0.0 if dead or not last else 0.08 / length
        xs, ys = [x0, x1 - (x1 - x0) * stop], [y0, y1 - (y1 - y0) * stop]
        ax.plot(xs, ys, color=ink, linewidth=width, linestyle=style.line, zorder=3, gid=name)
        if (one, other) == longest(way):
            # Labels of different pairs at different places along their lines, so that crossing lines do not cover them.
            at = (0.36, 0.5, 0.64)[number % 3] + (0.07 if link.direction == "a-to-b" else -0.07)
            at = at if x1 > x0 else 1 - at
            star = f"{STAR} " if link.selected else ""
            said = f"{star}{canvas.symbol(style)} {link.answered:,}/{link.sent:,}"
            # Beside upright lines there is room, on them there is none for two.
            shift = 0.0 if abs(x1 - x0) > 1 else 0.09 if y1 < y0 else -0.09
            anchor: Literal["left", "center", "right"] = "center" if not shift else "left" if shift > 0 else "right"
            _label(ax, said, (x0 + (x1 - x0) * at + shift, y0 + (y1 - y0) * at), ink, ground, anchor)


def _label(
    ax: Axes,
    said: str,
    at: tuple[float, float],
    ink: str,
    ground: Ground,
    anchor: Literal["left", "center", "right"] = "center",
) -> None:
    backing = {"facecolor": ground.paper, "edgecolor": "none", "pad": 0.8}
    ax.text(*at, said, ha=anchor, va="center", fontsize=SMALL, color=ink, bbox=backing, zorder=5, **LITERAL)


def _words(ax: Axes, found: Topology, ground: Ground) -> None:
    notes = ["checks answered/sent stand on each arrow"]
    if any(link.kind == "nat" for link in found.links):
        notes.append("an arrow that does not touch a NAT was not seen to be rewritten by it")
    if found.pairs_left_out:
        notes.append(f"{many(found.pairs_left_out, 'more pair')} not drawn")
    if found.between:
        notes.append(f"{', '.join(map(legible, found.between))}: captured between the agents")
    if found.anywhere:
        notes.append(f"where {', '.join(map(legible, found.anywhere))} was captured is not known")
    canvas.title(ax, f"Session {found.session_id}: {found.said}", ground, note="; ".join(notes), width=120)
    states = {link.state for link in found.links if link.state}
    handles = [
        Line2D(
            [],
            [],
            color=ground.ink_of(style),
            linestyle=style.line,  # type: ignore[arg-type]
            marker="x" if state == "failed" else ">",
            markersize=5,
            label=f"{canvas.symbol(style)} {style.label}",
        )
        for state, style in PAIR_STATES.items()
        if state in states
    ]
    canvas.legend(ax, handles, ground, columns=4, below=4)
