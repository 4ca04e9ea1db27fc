"""What a trace tells of the addresses of one session, from its candidates, mappings, allocations and captures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stunpcap.analysis import Tables
from stunpcap.ice.columns import group
from stunpcap.ladder.parties import Facts
from stunpcap.schema import CARRIER, OUTCOME, PLACE, TRANSACTION_KIND, TRANSPORT
from stunpcap.summary.model import Opaque, Session
from stunpcap.summary.opaque import build_opaque
from stunpcap.summary.sessions import host
from stunpcap.table import Table

CHECKS = tuple(TRANSACTION_KIND.index(kind) for kind in ("check", "consent"))
_TURN = ("allocate", "refresh", "permission", "channel-bind", "connect", "connection-bind")
_PLAIN = CARRIER.index("plain")


def session_facts(tables: Tables, session: Session, mine: Table, vantage: str) -> Facts:
    """The facts of one session; `mine` are its transactions and the requests of its agents to servers."""
    agent_of = _agents(session, vantage)
    types = {end: kind for pair in session.pairs for end, kind in ((pair.a, pair.a_type), (pair.b, pair.b_type))}
    names = {agent.ufrag: agent.name for agent in session.agents if agent.ufrag}
    behind: dict[str, str] = {}
    own = tables.candidates.take(tables.candidates["session_id"] == session.session_id)
    for row in own.records():
        agent = names.get(row["ufrag"]) or agent_of.get(row["address"])
        if agent is None:
            continue
        agent_of.setdefault(row["address"], agent)
        if types.get(row["address"], "unknown") == "unknown":
            types[row["address"]] = row["type"]
        if row["base"] and row["base"] != row["address"]:
            agent_of.setdefault(row["base"], agent)
            types.setdefault(row["base"], "host")
            if row["type"] != "relay":
                behind[row["address"]] = row["base"]
    for stray, known in _strays(mine):
        if known in agent_of:
            agent_of.setdefault(stray, agent_of[known])
    relays = _relays(tables, agent_of, mine)
    for relayed, (client, _server) in relays.items():
        agent_of.setdefault(client, agent_of.get(relayed, "A"))
    asking = _asking(mine, {host(behind.get(end, end)): agent for end, agent in agent_of.items() if end not in relays})
    asking = {end: agent for end, agent in asking.items() if end not in agent_of}
    agent_of |= asking
    seen = _seen(tables.mappings, agent_of)
    for (base, dst), outside in _crossed(tables, session.session_id).items():
        if base in agent_of:
            seen.setdefault((base, dst), outside)
    for (base, _), outside in seen.items():
        if outside not in relays:
            behind.setdefault(outside, base)
    here = _here(tables, vantage)
    for end, agent in _tcp_ends(tables, agent_of):
        agent_of.setdefault(end, agent)
    hosts = {host(behind.get(end, end)) for end in agent_of}
    hidden = [one for one in build_opaque(tables.flows)[0] if host(one.client) in hosts]
    for one in hidden:
        agent_of.setdefault(one.client, next(who for end, who in agent_of.items() if host(end) == host(one.client)))
    return Facts(
        agent_of=agent_of,
        ufrags={agent.name: agent.ufrag or "" for agent in session.agents},
        roles={agent.name: agent.role or "" for agent in session.agents},
        types=types,
        behind=behind,
        seen=seen,
        relays=relays,
        servers={end: kind for end, kind in _servers(mine, hidden).items() if end not in agent_of},
        asking=frozenset(asking),
        here=here,
    )


def clients_facts(tables: Tables, mine: Table, vantage: str) -> Facts:
    """The facts where there is no session: clients that ask servers, each an agent A."""
    hidden = build_opaque(tables.flows)[0]
    # Some endpoints ask and are asked: what they did first says which they are.
    ends = zip(mine.values("src"), mine.values("dst"), strict=True)
    role: dict[str, str] = {}
    for src, dst in ends:
        if src and dst:
            role.setdefault(src, "client")
            role.setdefault(dst, "server")
    clients = [*(end for end, what in role.items() if what == "client"), *(one.client for one in hidden)]
    agent_of = dict.fromkeys(clients, "A")
    seen = _seen(tables.mappings, agent_of)
    return Facts(
        agent_of=agent_of,
        ufrags={},
        roles={},
        types={},
        behind={outside: base for (base, _), outside in seen.items()},
        seen=seen,
        relays=_relays(tables, agent_of, mine),
        servers={end: kind for end, kind in _servers(mine, hidden).items() if end not in agent_of},
        asking=frozenset(),
        here=_here(tables, vantage),
    )


def _agents(session: Session, vantage: str) -> dict[str, str]:
    """Endpoint -> agent; pairs come with the foremost first."""
    agent_of: dict[str, str] = {}
    for pair in sorted(session.pairs, key=lambda pair: pair.vantage != vantage):
        agent_of.setdefault(pair.a, "A")
        agent_of.setdefault(pair.b, "B")
    return agent_of


def _strays(mine: Table) -> list[tuple[str, str]]:
    """Where answers came from or went to that did not mirror their request, with the address that they stood for."""
    rows = mine.take(mine["outcome"] == OUTCOME.index("other-address"))
    columns = (("response_src", "dst"), ("response_dst", "src"))
    both = [pair for a, b in columns for pair in zip(rows.values(a), rows.values(b), strict=True)]
    return [(stray, known) for stray, known in dict.fromkeys(both) if stray and known]


def _asking(mine: Table, whose: dict[str, str]) -> dict[str, str]:
    """Further ports of the agents' hosts that asked servers, with whose they are."""
    asked = mine.take(~np.isin(mine["kind"], CHECKS))
    servers = set(asked.values("dst"))
    return {
        end: whose[host(end)]
        for end in dict.fromkeys(asked.values("src"))
        if end and host(end) in whose and end not in servers
    }


def _relays(tables: Tables, agent_of: dict[str, str], mine: Table) -> dict[str, tuple[str, str]]:
    """Relayed address -> client and server, of the allocations that belong to these agents."""
    allocations, texts = tables.allocations, tables.transactions.pools.endpoints.text
    granted = allocations["relayed"] >= 0
    asked = np.isin(allocations["client"], mine["src"])
    found = {}
    for row in (
        np.flatnonzero(granted).tolist() if len(allocations) < 1000 else np.flatnonzero(granted & asked).tolist()
    ):
        relayed, client = texts(int(allocations["relayed"][row])), texts(int(allocations["client"][row]))
        if relayed in agent_of or client in agent_of:
            found[relayed] = client, texts(int(allocations["server"][row]))
    return found


def _seen(mappings: Table, agent_of: dict[str, str]) -> dict[tuple[str, str], str]:
    """Who saw which of these addresses as another one."""
    rows = mappings.take(mappings["translated"])
    found: dict[tuple[str, str], str] = {}
    for base, dst, mapped in zip(rows.values("base"), rows.values("dst"), rows.values("mapped"), strict=True):
        if base in agent_of and mapped:
            found.setdefault((base, dst), mapped)
    return found


def _crossed(tables: Tables, session_id: int) -> dict[tuple[str, str], str]:
    """What two captures of one message tell: it left its host with one source, and was captured with another.

    Only a capture taken at the sender tells the inside address.
    """
    messages = tables.messages
    rows = np.flatnonzero((messages["session_id"] == session_id) & (messages["carrier"] == _PLAIN))
    if not len(rows) or len(tables.vantages) < 2:
        return {}
    ids = messages["transaction_id"][rows]
    same, _ = group(*(ids[:, word] for word in range(4)), messages["class"][rows])
    address_of = tables.transactions.pools.endpoints.addresses
    found: dict[tuple[str, str], str] = {}
    place = tables.vantages["place"] == PLACE.index("endpoint")
    for number, at, known in zip(
        tables.vantages["vantage"].tolist(), tables.vantages.values("at"), place.tolist(), strict=True
    ):
        hosts = [
            n
            for n in np.unique(messages["src"][rows]).tolist()
            if tables.transactions.pools.endpoints.address(n) in at.split(", ")
        ]
        if not known or not hosts:
            continue
        mine = messages["vantage"][rows] == number
        inside = np.flatnonzero(mine & np.isin(address_of[messages["src"][rows]], address_of[hosts]))
        outside = np.flatnonzero(~mine)
        _, left, right = np.intersect1d(same[inside], same[outside], return_indices=True)
        a, b = rows[inside[left]], rows[outside[right]]
        moved = (messages["src"][a] != messages["src"][b]) & (messages["dst"][a] == messages["dst"][b])
        ways = np.unique(np.stack([messages["src"][a], messages["dst"][a], messages["src"][b]])[:, moved], axis=1)
        text = tables.transactions.pools.endpoints.text
        for src, dst, out in ways.T.tolist():
            found[text(src), text(dst)] = text(out)
    return found


def _tcp_ends(tables: Tables, agent_of: dict[str, str]) -> list[tuple[str, str]]:
    """Ends of TCP connections that were asked for between the hosts of the two agents, with whose they are."""
    flows, ends = tables.flows, tables.transactions.pools.endpoints
    rows = np.flatnonzero((flows["transport"] == TRANSPORT.index("tcp")) & (flows["syn"] > 0))
    whose = {host(end): agent for end, agent in reversed(agent_of.items())}
    found: list[tuple[str, str]] = []
    for a, b in np.unique(np.stack([flows["src"][rows], flows["dst"][rows]]), axis=1).T.tolist():
        src, dst = whose.get(ends.address(a)), whose.get(ends.address(b))
        if src and dst and src != dst:
            found += [(ends.text(a), src), (ends.text(b), dst)]
    return found


def _servers(mine: Table, hidden: Sequence[Opaque]) -> dict[str, str]:
    """Servers in the order in which they were asked, those that relay as `TURN`; those behind TLS are `TLS`."""
    asked = mine.take(~np.isin(mine["kind"], CHECKS))
    servers: dict[str, str] = {}
    for end, kind in dict.fromkeys(zip(asked.values("dst"), asked.values("kind"), strict=True)):
        if end:
            servers[end] = "TURN" if kind in _TURN or servers.get(end) == "TURN" else "STUN"
    for one in hidden:
        servers.setdefault(one.server, "TLS")
    return servers


def _here(tables: Tables, vantage: str) -> frozenset[str]:
    """Hosts at which a capture was taken, where it was taken at an endpoint."""
    for name, place, at in zip(*(tables.vantages.values(column) for column in ("vantage", "place", "at")), strict=True):
        if name == vantage and place == "endpoint":
            return frozenset(filter(None, at.split(", ")))
    return frozenset()
