"""What a topology consists of, and where it stands: nodes in five columns, links between them.

    A's addresses   the NATs of A   servers and relays   the NATs of B   B's addresses

Units are inches, y grows downwards.  Servers and relays stand above the rest, so that what passes between the agents
does not run through them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from stunpcap.ladder.build import below
from stunpcap.ladder.facts import CHECKS, session_facts
from stunpcap.ladder.parties import Facts, find_parties
from stunpcap.plots.choose import (
    BothWays,
    Way,
    addresses_at,
    asked_servers,
    both_ways,
    main_vantage,
    places_between,
    session_of,
    shown_state,
)
from stunpcap.record import record
from stunpcap.summary.sessions import UNKNOWN_PEER, host
from stunpcap.table import Table

if TYPE_CHECKING:
    from stunpcap.trace import Trace

PAIRS = 8
"""Pairs that are drawn; of more, the nominated ones, then those that show something, then those with most checks."""
X = {"A": 0.0, "NAT A": 2.7, "middle": 5.2, "NAT B": 7.7, "B": 10.4}
ROW, OUTSIDE_ROW, SERVER_ROW = 0.9, 0.66, 0.95
"""Distances of addresses of an agent, of outside addresses of one NAT, and of a server and its relays."""


@record
class Node:
    """An address, or a server."""

    key: str
    "The endpoint."
    kind: str
    "`base`, `outside`, `server` or `relay`."
    agent: str
    type: str
    "Of an address its candidate type, of a server `TURN`, `STUN` or `TLS`."
    captures: tuple[str, ...]
    "Captures that were taken here."
    x: float = 0.0
    y: float = 0.0


@record
class Link:
    """A line between nodes: checks in one direction, requests to a server, or what belongs together."""

    kind: str
    "`checks`, `requests`, `nat`, `relay`."
    src: str
    dst: str
    via: str
    "Outside address that packets from `src` are known to have got on their way; empty if none."
    state: str
    "As in `PAIR_STATES`; empty where nothing was sent."
    path: str
    sent: int
    answered: int
    refused: int
    "Of the requests to a server: those refused, a first 401 and 438 aside."
    outcome: str
    pair_id: int | None
    direction: str
    selected: bool
    nominated: bool
    vantage: str


@record
class Topology:
    """All of it."""

    session_id: int
    said: str
    ufrags: tuple[str, str]
    roles: tuple[str, str]
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    pairs_left_out: int
    between: tuple[str, ...]
    "Captures that were taken between the agents."
    anywhere: tuple[str, ...]
    "Captures of which nobody knows where they were taken."

    def node(self, key: str) -> Node | None:
        """The node of an endpoint."""
        return next((node for node in self.nodes if node.key == key), None)


def build_topology(trace: Trace, number: int, vantage: str | None, limit: int) -> Topology:
    """The nodes and links of a session."""
    tables = trace.tables
    session = session_of(trace, number)
    asked = asked_servers(trace, number)
    mine = below(tables.transactions.take(tables.transactions["session_id"] == number), asked)
    main = vantage or main_vantage(trace, number)
    facts = session_facts(tables, session, mine, main)
    pairs = both_ways(trace, session, vantage)
    drawn = sorted(pairs, key=_rank)[:limit]
    links = _once([link for pair in drawn for link in _checks(pair, facts)], facts)
    links += _requests(asked, facts)
    used = dict.fromkeys(end for link in links for end in (link.src, link.dst, link.via) if end)
    asking = {(host(link.via or link.src), link.dst) for link in links if link.kind == "requests"}
    links += [
        link for link in _belonging(used, facts) if link.kind != "relay" or (host(link.src), link.dst) not in asking
    ]
    used |= dict.fromkeys(end for link in links for end in (link.src, link.dst))
    at = {name: hosts for name, hosts in addresses_at(trace).items() if vantage in (None, name)}
    nodes = [_node(end, facts, at) for end in dict.fromkeys([*facts.agent_of, *facts.servers, *used]) if end in used]
    marked, between = {name for node in nodes for name in node.captures}, places_between(trace)
    unmarked = [name for name in session.vantages if name in at and name not in marked]
    return Topology(
        session_id=number,
        said=session.said,
        ufrags=(session.agents[0].ufrag or "", session.agents[1].ufrag or ""),
        roles=(session.agents[0].role or "", session.agents[1].role or ""),
        nodes=tuple(_place(nodes, links, facts)),
        links=tuple(links),
        pairs_left_out=len(pairs) - len(drawn),
        between=tuple(name for name in unmarked if name in between),
        anywhere=tuple(name for name in unmarked if name not in between),
    )


def _rank(both: BothWays) -> tuple[int, int, int]:
    """The important first."""
    ways = [way.seen for way in (both.a_to_b, both.b_to_a) if way]
    told = any(way.responses_received or way.other_address or way.path != "unknown" for way in ways)
    importance = 3 if both.selected else 2 if both.nominated else 1 if told else 0
    return -importance, -sum(way.state == "succeeded" for way in ways), -sum(way.requests_sent for way in ways)


def _checks(both: BothWays, facts: Facts) -> Iterable[Link]:
    """The directions of a pair that were checked."""
    ends = (both.pair.a, both.pair.b)
    for direction, way, (src, dst) in (("a-to-b", both.a_to_b, ends), ("b-to-a", both.b_to_a, ends[::-1])):
        if way is not None:
            yield _link(both, direction, way, src, dst, facts)


def _link(both: BothWays, direction: str, way: Way, src: str, dst: str, facts: Facts) -> Link:
    seen = way.seen
    return Link(
        kind="checks",
        src=src,
        dst=dst,
        via=facts.seen.get((src, dst), "") if src not in facts.behind else "",
        state=shown_state(seen),
        path=seen.path,
        sent=seen.requests_sent,
        answered=seen.responses_received,
        refused=0,
        outcome=seen.outcome,
        pair_id=both.pair.pair_id,
        direction=direction,
        selected=both.selected,
        nominated=both.nominated,
        vantage=way.vantage,
    )


def _once(links: list[Link], facts: Facts) -> list[Link]:
    """Checks that one capture saw inside a NAT and another outside it, told once."""
    outer = {(link.src, link.dst): link for link in links}
    told: list[Link] = []
    again: set[tuple[str, str]] = set()
    for link in links:
        behind = facts.behind.get(link.dst, link.dst)
        outside = (outer.get((link.via, link.dst)) or outer.get((link.via, behind))) if link.via else None
        if outside is None:
            told.append(link)
            continue
        again.add((outside.src, outside.dst))
        arrived = outside.path in ("delivered", "rewritten")
        state = "arrived" if arrived and link.state == "failed" else link.state
        told.append(replace(link, state=state, path="delivered" if arrived else link.path))
    return [link for link in told if (link.src, link.dst) not in again]


def _requests(asked: Table, facts: Facts) -> list[Link]:
    """What was asked of servers, by whom, and whether they answered: a link for each that asked and each asked."""
    rows: dict[tuple[str, str], list[tuple[str, str, bool]]] = {}
    columns = ("src", "dst", "outcome", "vantage", "error_code", "username")
    for src, dst, outcome, vantage, code, user in zip(*(asked.values(name) for name in columns), strict=True):
        if src in facts.agent_of and dst in facts.servers and src not in facts.behind:
            # The first 401 only asks for credentials, 438 for a fresh nonce.
            refused = outcome == "error" and code != 438 and (code != 401 or user is not None)
            rows.setdefault((src, dst), []).append((outcome, vantage, refused))
    # Ports of one host that asked the same server are alike: the one that is part of a pair, else the first, is shown.
    shown: dict[tuple[str, str], tuple[str, str]] = {}
    for src, dst in sorted(rows, key=lambda way: way[0] in facts.asking):
        shown.setdefault((host(src), dst), (src, dst))
    links = []
    for src, dst in shown.values():
        told = [one for (a, b), some in rows.items() if (host(a), b) == (host(src), dst) for one in some]
        answered = sum(outcome in ("success", "error") for outcome, _, _ in told)
        refused = sum(one for _, _, one in told)
        links.append(
            _plain(
                "requests",
                src,
                dst,
                via=facts.seen.get((src, dst), ""),
                state="succeeded" if answered else "failed",
                sent=len(told),
                answered=answered,
                refused=refused,
                outcome=f"{answered} of {len(told)} answered" + (f", {refused} refused" if refused else ""),
                vantage=told[0][1],
            )
        )
    return links


def _belonging(used: Iterable[str], facts: Facts) -> Iterable[Link]:
    """Lines between what belongs together: outside addresses and what is behind them, relays and their servers."""
    todo, done = [*used], set[str]()
    while todo:
        end = todo.pop()
        if end in done:
            continue
        done.add(end)
        if end in facts.relays:
            client, server = facts.relays[end]
            yield _plain("relay", server, end)
            todo += [client]
            outside = facts.seen.get((client, server), client)
            yield _plain("relay", outside, server)
            todo.append(outside)
        elif end in facts.behind:
            yield _plain("nat", facts.behind[end], end)
            todo.append(facts.behind[end])


def _plain(kind: str, src: str, dst: str, **told: object) -> Link:
    """A link that is no pair's."""
    link = Link(kind, src, dst, "", "", "", 0, 0, 0, "", None, "", False, False, "")
    return replace(link, **told)  # type: ignore[arg-type]


def _node(end: str, facts: Facts, at: dict[str, frozenset[str]]) -> Node:
    if end in facts.servers:
        kind, type = "server", facts.servers[end]
    elif end in facts.relays:
        kind, type = "relay", "relay"
    elif end in facts.behind:
        kind, type = "outside", facts.types.get(end, "unknown")
    elif end in facts.agent_of:
        kind, type = "base", facts.types.get(end, "unknown")
    else:
        kind, type = "server", "TURN"
    here = tuple(name for name, hosts in at.items() if host(end) in hosts) if kind in ("base", "server") else ()
    return Node(end, kind, facts.agent_of.get(end, ""), "unknown" if host(end) == UNKNOWN_PEER else type, here)


def _place(nodes: Sequence[Node], links: Sequence[Link], facts: Facts) -> Iterable[Node]:
    """Give every node its place."""
    base_of = find_parties(facts).base
    of_agent = {agent: [n for n in nodes if n.kind == "base" and n.agent == agent] for agent in ("A", "B")}
    outside: dict[str, list[Node]] = {}
    for node in nodes:
        if node.kind == "outside":
            outside.setdefault(base_of(node.key), []).append(node)
    servers = [n for n in nodes if n.kind == "server"]
    relays: dict[str, list[Node]] = {}
    for node in nodes:
        if node.kind == "relay":
            relays.setdefault(facts.relays[node.key][1], []).append(node)
    top = SERVER_ROW * (1 + max(map(len, relays.values()), default=0)) + 0.2 if servers else 0.0
    rows = {agent: _rows(own, outside) for agent, own in of_agent.items()}
    tallest = max(sum(height for _, height in some) for some in rows.values())
    for agent, some in rows.items():
        y = top + (tallest - sum(height for _, height in some)) / 2
        for node, height in some:
            yield replace(node, x=X[agent], y=y + ROW / 2)
            for number, one in enumerate(outside.get(node.key, []), 1):
                # Below the straight line to the address itself, which some packets take.
                yield replace(one, x=X[f"NAT {agent}"], y=y + ROW / 2 + OUTSIDE_ROW * number, agent=agent)
            y += height
    for number, server in enumerate(servers):
        x = X["middle"] + 2.2 * (number - (len(servers) - 1) / 2)
        yield replace(server, x=x, y=0.0)
        own = sorted(relays.get(server.key, []), key=lambda relay: relay.agent)
        for place, relay in enumerate(own, 1):
            yield replace(relay, x=x, y=SERVER_ROW * place)


def _rows(own: Sequence[Node], outside: dict[str, list[Node]]) -> list[tuple[Node, float]]:
    """An agent's addresses from top to bottom, with the height that each takes."""
    return [(node, ROW + OUTSIDE_ROW * len(outside.get(node.key, []))) for node in own]


__all__ = ["CHECKS", "Link", "Node", "Topology", "build_topology"]
