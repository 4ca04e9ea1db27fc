"""Candidates, and the NATs in front of them, as far as a capture can know.

A candidate's type follows from what was seen, never from the range its address is in: an address that a server told is
server-reflexive, one that only the answer to a check told is peer-reflexive, one that packets leave from untouched is
a host's.  All else is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, first_of, group
from stunpcap.ice.pairs import Directed
from stunpcap.ice.place import Place
from stunpcap.ice.sessions import Agents
from stunpcap.ice.transactions import KIND, OUT, Correlated
from stunpcap.schema import CANDIDATE_TYPE, KNOWN_FROM, MAPPING
from stunpcap.table import MISSING, NAT, Pools, Table

HOST, SRFLX, PRFLX, RELAY, UNKNOWN = range(len(CANDIDATE_TYPE))
GATHERING, CHECK, MAPPED, FROM_RELAY, SIGNALLING = range(len(KNOWN_FROM))
NO_MAPPING, INDEPENDENT, BY_ADDRESS, BY_PORT, UNCLEAR = range(len(MAPPING))


@dataclass(slots=True)
class Candidate:
    """One row of the frame in the making."""

    type: int = UNKNOWN
    base: int = MISSING
    server: int = MISSING
    known_from: int = CHECK
    priority: int = MISSING
    checked: bool = False
    first_time: int = NAT
    transport: int = 0


@dataclass(slots=True)
class Gathered:
    """What servers told: outside address -> (type, base, server, time)."""

    reflexive: dict[int, tuple[int, int, int, int]] = field(default_factory=dict)
    bases: dict[int, list[int]] = field(default_factory=dict)
    """Base -> the outside addresses told for it."""


def gathered(correlated: Correlated, messages: Table) -> Gathered:
    """Collect the addresses that STUN and TURN servers told their clients."""
    table = correlated.table
    found = Gathered()
    good = table["outcome"] == OUT["success"]
    asked = good & np.isin(table["kind"], [KIND["gather"], KIND["keepalive"], KIND["allocate"]])
    for row in np.flatnonzero(asked & (table["mapped"] >= 0)).tolist():
        base, outside = int(table["src"][row]), int(table["mapped"][row])
        kind = HOST if outside == base else SRFLX
        entry = (kind, base, int(table["dst"][row]), int(table["response_time"][row]))
        if found.reflexive.setdefault(outside, entry) is entry:
            found.bases.setdefault(base, []).append(outside)
    for row in np.flatnonzero(good & (table["kind"] == KIND["allocate"])).tolist():
        relayed = int(messages["relayed"][correlated.response_rows[row]])
        if relayed >= 0:
            base, server = int(table["src"][row]), int(table["dst"][row])
            found.reflexive[relayed] = (RELAY, base, server, int(table["response_time"][row]))
            found.bases.setdefault(base, []).append(relayed)
    return found


def build_candidates(
    correlated: Correlated,
    agents: Agents,
    directed: Directed,
    messages: Table,
    places: dict[int, Place],
    pools: Pools,
) -> Table:
    """The candidates frame; fills the types of `pairs`, too."""
    known = gathered(correlated, messages)
    pairs = directed.table
    rows: dict[tuple[int, int, int], Candidate] = {}
    untouched = _untouched(places, known, pools)
    columns = ("session_id", "src", "dst", "mapped", "transport", "first_time", "vantage")
    records = list(zip(*(pairs[name].tolist() for name in columns), directed.side.tolist(), strict=True))

    for session, src, dst, _, transport, time, vantage, side in records:
        for address, agent, checked in ((src, side, False), (dst, 1 - side, True)):
            candidate = rows.setdefault((session, agent, address), Candidate(transport=transport, first_time=time))
            candidate.checked |= checked
            candidate.first_time = min(candidate.first_time, time)
            told = known.reflexive.get(address)
            if told:
                candidate.type, candidate.base, candidate.server, _ = told
                candidate.known_from = FROM_RELAY if told[0] == RELAY else GATHERING
            elif candidate.type == UNKNOWN and address in untouched.get(vantage, ()):
                candidate.type, candidate.base = HOST, address
    _reflexive(records, rows, known, correlated, directed, messages)
    for session, agent, address in list(rows):
        for outside in known.bases.get(address, ()):
            kind, base, server, time = known.reflexive[outside]
            local = rows[session, agent, address]
            entry = rows.setdefault((session, agent, outside), Candidate(transport=local.transport, first_time=time))
            entry.type, entry.base, entry.server = kind, base, server
            entry.known_from = FROM_RELAY if kind == RELAY else GATHERING

    for name, column, flip in (("src_type", "src", 0), ("dst_type", "dst", 1)):
        pairs[name] = np.array(
            [
                rows[session, side if not flip else 1 - side, address].type
                for session, address, side in zip(
                    pairs["session_id"].tolist(), pairs[column].tolist(), directed.side.tolist(), strict=True
                )
            ],
            np.int8,
        )
    return _table(rows, agents, pools)


def _untouched(places: dict[int, Place], known: Gathered, pools: Pools) -> dict[int, set[int]]:
    """For each vantage the endpoints whose packets nothing can have rewritten before they were captured.

    Addresses of servers are left out: what is sent from there may be relayed.
    """
    address_of = pools.endpoints.addresses
    servers = {int(address_of[server]) for _, _, server, _ in known.reflexive.values()}
    return {
        vantage: set(np.flatnonzero(np.isin(address_of, list(place.local - servers))).tolist())
        for vantage, place in places.items()
    }


def _reflexive(
    records: list[tuple[Any, ...]],
    rows: dict[tuple[int, int, int], Candidate],
    known: Gathered,
    correlated: Correlated,
    directed: Directed,
    messages: Table,
) -> None:
    """Peer-reflexive candidates: an answer to a check told an address that is no known candidate (RFC 8445 7.2.5.3.1).

    Where the far side sees an address that a server had told, too, it is the server-reflexive candidate.
    """
    checks = np.flatnonzero(directed.of_transaction >= 0)
    priority = np.where(
        correlated.request_rows[checks] >= 0, messages["priority"][correlated.request_rows[checks]], MISSING
    )
    has = priority >= 0
    of_row = dict(zip(directed.of_transaction[checks[has]].tolist(), priority[has].tolist(), strict=True))
    for number, (session, src, dst, mapped, transport, time, _, side) in enumerate(records):
        if mapped < 0 or mapped == src:
            continue
        entry = rows.setdefault((session, side, mapped), Candidate(transport=transport, first_time=time))
        if mapped in known.reflexive:
            continue
        if entry.type in (UNKNOWN, PRFLX):
            entry.type, entry.base, entry.server, entry.known_from = PRFLX, src, dst, MAPPED
            entry.priority = of_row.get(number, MISSING)


def _table(rows: dict[tuple[int, int, int], Candidate], agents: Agents, pools: Pools) -> Table:
    keys = sorted(rows)
    entries = [rows[key] for key in keys]
    session = np.array([key[0] for key in keys], np.int64)
    side = np.array([key[1] for key in keys], np.int64)
    ufrag = np.where(side == 0, agents.ufrag_a[session - 1], agents.ufrag_b[session - 1]) if keys else session
    return Table(
        "candidates",
        len(keys),
        pools,
        {
            "session_id": session,
            "ufrag": ufrag,
            "address": np.array([key[2] for key in keys], np.int32),
            **{
                name: np.array([getattr(entry, name) for entry in entries])
                for name in ("type", "base", "server", "known_from", "priority", "checked", "first_time", "transport")
                if keys
            },
        },
    )


def build_mappings(correlated: Correlated, agents: Agents, pools: Pools) -> Table:
    """The mappings frame: how each destination saw each local address, and what that says of the NATs between.

    A capture outside a NAT sees translated sources; for it the NAT does not exist, and `base` is what it sees.
    """
    table = correlated.table
    told = np.flatnonzero(
        (table["outcome"] == OUT["success"]) & (table["mapped"] >= 0) & (table["kind"] != KIND["shared-secret"])
    )
    src, dst, mapped = table["src"][told], table["dst"][told], table["mapped"][told]
    groups, count = group(table["vantage"][told], src, dst, mapped, table["transport"][told])
    rows = told[first_of(groups, count, np.argsort(table["response_time"][told], kind="stable"))]
    rows = rows[np.argsort(table["response_time"][rows], kind="stable")]
    src, dst, mapped = table["src"][rows], table["dst"][rows], table["mapped"][rows]
    session = agents.of_transaction[rows]
    return Table(
        "mappings",
        len(rows),
        pools,
        {
            "vantage": table["vantage"][rows],
            "session_id": np.where(session >= 0, session + 1, MISSING),
            "base": src,
            "dst": dst,
            "mapped": mapped,
            "translated": src != mapped,
            "port_kept": pools.endpoints.words[src, 4] == pools.endpoints.words[mapped, 4],
            "behaviour": _behaviour(table["vantage"][rows], table["transport"][rows], src, dst, mapped, pools),
            "first_time": table["response_time"][rows],
            "first_frame": table["response_frame"][rows],
        },
    )


def _behaviour(vantage: Any, transport: Any, src: Ints, dst: Ints, mapped: Ints, pools: Pools) -> Any:
    """RFC 4787 section 4.1, for each base from all that was told of it.

    Destinations in the same private network see `base` untouched and say nothing of a NAT that is not on their way.
    """
    behaviour = np.full(len(src), UNCLEAR, np.int8)
    address_of = pools.endpoints.addresses
    bases, count = group(vantage, src, transport)
    order = np.argsort(bases, kind="stable")
    for mine in np.split(order, np.flatnonzero(np.diff(bases[order])) + 1) if count else []:
        seen = mine[src[mine] != mapped[mine]]
        if not len(seen):
            behaviour[mine] = NO_MAPPING
        elif len(np.unique(dst[seen])) < 2:
            continue
        elif len(np.unique(mapped[seen])) == 1:
            behaviour[mine] = INDEPENDENT
        else:
            outside: dict[int, set[int]] = {}
            for row in seen.tolist():
                outside.setdefault(int(address_of[dst[row]]), set()).add(int(mapped[row]))
            varies_by_port = any(len(addresses) > 1 for addresses in outside.values())
            behaviour[mine] = BY_PORT if varies_by_port else BY_ADDRESS
    return behaviour
