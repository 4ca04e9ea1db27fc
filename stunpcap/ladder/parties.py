"""Who takes part in a session: the agents' local addresses, the NATs in front of them, the servers that they asked.

A NAT is here only where somebody said so: an answer gave another address than the one that asked, a server told a
reflexive address, or two captures saw one message with two addresses.  All other addresses belong to the agent that
used them.  Endpoints are texts, as frames show them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stunpcap.ladder.model import Lane
from stunpcap.record import record
from stunpcap.summary.pairs_text import kind_of
from stunpcap.summary.sessions import UNKNOWN_PEER, host
from stunpcap.words import many

MOST_LANES = 4
"""Lanes of one agent, of one agent's NATs, and of servers; what is beyond shares lanes."""


@record
class Facts:
    """What the tables tell of addresses."""

    agent_of: Mapping[str, str]
    """Endpoint -> `A` or `B`, in the order of importance."""
    ufrags: Mapping[str, str]
    """Agent -> its username fragment; empty where there is no session."""
    roles: Mapping[str, str]
    types: Mapping[str, str]
    behind: Mapping[str, str]
    """Outside address -> the address behind it."""
    seen: Mapping[tuple[str, str], str]
    """Local address and destination -> how the destination saw it, where that was another address."""
    relays: Mapping[str, tuple[str, str]]
    """Relayed address -> client and server."""
    servers: Mapping[str, str]
    """Server -> `TURN`, `STUN`, or `TLS` where nobody can look inside."""
    asking: frozenset[str]
    """Local addresses that only asked servers."""
    here: frozenset[str]
    """Hosts at which the capture was taken."""


@record
class Route:
    """The lanes that a packet passes on its way, in this order."""

    source: int
    out: tuple[int, ...]
    """NATs and relays on the sender's side."""
    back: tuple[int, ...]
    """Those on the receiver's side."""
    target: int


@dataclass(slots=True, eq=False, repr=False)
class Parties:
    """The lanes, and which of them a packet passes."""

    facts: Facts
    lanes: list[Lane] = field(default_factory=list)
    base_lane: dict[str, int] = field(default_factory=dict)
    nat_lane: dict[tuple[str, str], int] = field(default_factory=dict)
    """Agent and outside host -> lane."""
    server_lane: dict[str, int] = field(default_factory=dict)

    def base(self, end: str) -> str:
        """The local address behind an endpoint, whatever relays and NATs are between; itself if none is known."""
        return _base(end, self.facts)

    def route(self, src: str, dst: str) -> Route | None:
        """The lanes from a sender to a receiver; None if one of them is no party."""
        source, out = self._leaving(src, dst)
        target, back = self._leaving(dst, "")
        if source is None or target is None:
            return None
        out = [lane for lane in dict.fromkeys(out) if lane not in (source, target)]
        back = [lane for lane in dict.fromkeys(reversed(back)) if lane not in (source, target, *out)]
        return Route(source, tuple(out), tuple(back), target)

    def _leaving(self, end: str, towards: str) -> tuple[int | None, list[int]]:
        """The lane of an endpoint, and the lanes between it and the open network."""
        if end in self.server_lane and end not in self.facts.relays:
            return self.server_lane[end], []
        via: list[int] = []
        if end in self.facts.relays:
            client, server = self.facts.relays[end]
            via = [self.server_lane[server]] if server in self.server_lane else []
            end, towards = client, server if towards else ""
        outside = end if end in self.facts.behind else self.facts.seen.get((end, towards), "")
        base = self.base(end)
        if outside and base in self.base_lane:
            nat = self.nat_lane.get((self.facts.agent_of.get(base, ""), host(outside)))
            via = via if nat is None else [nat, *via]
        return self.base_lane.get(base), via


def find_parties(facts: Facts) -> Parties:
    """Arrange lanes: A, the NATs in front of it, servers, the NATs in front of B, and B."""
    parties = Parties(facts)
    bases = {agent: _bases(facts, agent) for agent in ("A", "B")}
    _agent_lanes(parties, "A", bases["A"])
    _nat_lanes(parties, "A", bases["A"])
    _server_lanes(parties)
    _nat_lanes(parties, "B", bases["B"])
    _agent_lanes(parties, "B", bases["B"])
    return parties


def _bases(facts: Facts, agent: str) -> list[str]:
    """Local addresses of an agent, those in use first."""
    ends = [end for end, owner in facts.agent_of.items() if owner == agent]
    return list(dict.fromkeys(_base(end, facts) for end in ends))


def _base(end: str, facts: Facts) -> str:
    passed = {end}
    while True:
        further = facts.relays[end][0] if end in facts.relays else facts.behind.get(end)
        if further is None or further in passed:
            return end
        passed.add(further)
        end = further


def together(ends: Sequence[str], most: int = MOST_LANES) -> list[list[str]]:
    """Endpoints in groups, a lane each: one by one if they are few, else by host, the last ones all together."""
    if len(ends) <= most:
        return [[end] for end in ends]
    by_host: dict[str, list[str]] = {}
    for end in ends:
        by_host.setdefault(host(end), []).append(end)
    groups = list(by_host.values())
    if len(groups) <= most:
        return groups
    return [*groups[: most - 1], [end for group in groups[most - 1 :] for end in group]]


def _agent_lanes(parties: Parties, agent: str, bases: Sequence[str]) -> None:
    facts = parties.facts
    groups = together([end for end in bases if end not in facts.asking])
    for end in (end for end in bases if end in facts.asking):
        # A port that only asked servers needs no lane where its host has one.
        beside = next((group for group in groups if host(end) in map(host, group)), None)
        beside.append(end) if beside is not None else groups.append([end])
    for number, group in enumerate(groups, 1):
        types = list(dict.fromkeys(kind_of(facts.types.get(end, "unknown")) for end in group))
        hosts = list(dict.fromkeys(map(host, group)))
        if hosts == [UNKNOWN_PEER]:
            types = ["whoever is behind a TURN channel whose binding was not captured"]
        said = ", ".join(types) if len(hosts) < 3 else f"{many(len(group), 'address', 'addresses')}, {', '.join(types)}"
        lane = Lane(
            name=f"{agent if facts.ufrags else 'client'}{number if len(groups) > 1 else ''}",
            kind="agent",
            agent=agent,
            ufrag=facts.ufrags.get(agent, ""),
            role=facts.roles.get(agent, ""),
            addresses=tuple(group),
            said=said,
            here=bool(facts.here.intersection(hosts)),
        )
        for end in group:
            parties.base_lane[end] = len(parties.lanes)
        parties.lanes.append(lane)


def _nat_lanes(parties: Parties, agent: str, bases: Iterable[str]) -> None:
    facts, own = parties.facts, set(bases)
    outside = [out for out in facts.behind if _base(out, facts) in own]
    outside += [out for (base, _), out in facts.seen.items() if base in own]
    by_host: dict[str, list[str]] = {}
    for out in dict.fromkeys(outside):
        by_host.setdefault(host(out), []).append(out)
    groups = list(by_host.items())
    for number, (address, ends) in enumerate(groups[:MOST_LANES], 1):
        parties.nat_lane[agent, address] = len(parties.lanes)
        parties.lanes.append(
            Lane(
                name=f"NAT {agent}{number if len(groups) > 1 else ''}",
                kind="nat",
                agent=agent,
                ufrag="",
                role="",
                addresses=tuple(ends),
                said=f"outside address of {agent}'s NAT" if len(ends) < 2 else f"outside addresses of {agent}'s NAT",
                here=address in facts.here,
            )
        )


def _server_lanes(parties: Parties) -> None:
    facts = parties.facts
    groups = together(list(facts.servers))
    kinds = [
        next(kind for kind in ("TURN", "STUN", "TLS") if kind in {facts.servers[end] for end in group})
        for group in groups
    ]
    for position, (kind, group) in enumerate(zip(kinds, groups, strict=True)):
        number = kinds[:position].count(kind) + 1
        relayed = [relay for relay, (_, server) in facts.relays.items() if server in group]
        whose = [facts.agent_of.get(_base(relay, facts), "") for relay in relayed]
        said = [f"{kind} server" if kind != "TLS" else "server behind TLS, by its port a TURN server"]
        said += [f"relays for {who}: {relay}" for relay, who in zip(relayed, whose, strict=True) if who]
        for end in group:
            parties.server_lane[end] = len(parties.lanes)
        parties.lanes.append(
            Lane(
                name=f"{kind}{number if kinds.count(kind) > 1 else ''}",
                kind="server",
                agent="",
                ufrag="",
                role="",
                addresses=tuple(group),
                said="; ".join(said),
                here=bool(facts.here.intersection(map(host, group))),
            )
        )
