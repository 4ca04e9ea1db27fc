"""The geometry of a topology's arrows: which nodes they go along, and where they meet their boxes."""

from __future__ import annotations

import itertools
import math

from stunpcap.plots.topology_layout import Link, Node, Topology

WIDTH, HEIGHT = 1.75, 0.46
"""Size of a node, in inches, which are the units of the drawing."""
APART = 0.05
"""Half the distance of two arrows of one pair."""

Slots = dict[tuple[str, str, str], float]


def ways(found: Topology) -> list[tuple[Link, list[Node]]]:
    """The nodes that each arrow goes along."""
    found_ways = []
    for link in found.links:
        nodes = [node for key in (link.src, link.via, link.dst) if key and (node := found.node(key)) is not None]
        if link.kind == "checks" and len(nodes) > 1:
            found_ways.append((link, nodes))
    return found_ways


def slots(arrows: list[tuple[Link, list[Node]]]) -> Slots:
    """Where lines meet a node's side: node, side and other node -> how far from the middle of that side.

    Lines are in the order of what they lead to, so that they do not cross at once.
    """
    at: dict[tuple[str, str], dict[str, Node]] = {}
    for _, nodes in arrows:
        for one, other in itertools.pairwise(nodes):
            at.setdefault((one.key, side_of(one, other)), {})[other.key] = other
            at.setdefault((other.key, side_of(other, one)), {})[one.key] = one
    found = {}
    for (key, side), others in at.items():
        upright = side in ("left", "right")
        ordered = sorted(others.values(), key=lambda node: (node.y, node.x) if upright else (node.x, node.y))
        step = min(0.19, (HEIGHT - 0.06) / len(ordered))
        for number, other in enumerate(ordered):
            found[key, side, other.key] = (number - (len(ordered) - 1) / 2) * step
    return found


def longest(nodes: list[Node]) -> tuple[Node, Node]:
    """The longest part of a way, where its label stands."""
    return max(itertools.pairwise(nodes), key=lambda ends: abs(ends[0].x - ends[1].x))


def side_of(node: Node, towards: Node) -> str:
    """The side of a node's box that faces another."""
    if abs(towards.x - node.x) > WIDTH * 0.75:
        return "right" if towards.x > node.x else "left"
    return "below" if towards.y > node.y else "above"


def meet(node: Node, towards: Node, meeting: Slots) -> tuple[float, float]:
    """Where a line between two nodes meets the first one's box."""
    side = side_of(node, towards)
    shift = meeting.get((node.key, side, towards.key), 0.0)
    match side:
        case "left" | "right":
            return node.x + (WIDTH / 2 if side == "right" else -WIDTH / 2), node.y + shift
        case _:
            return node.x + shift, node.y + (HEIGHT / 2 if side == "below" else -HEIGHT / 2)


def aside(start: tuple[float, float], end: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """The line moved to one side of its direction, where the opposite direction's is moved to the other."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = math.hypot(dx, dy) or 1.0
    x, y = -dy / length * APART, dx / length * APART
    return (start[0] + x, start[1] + y), (end[0] + x, end[1] + y)
