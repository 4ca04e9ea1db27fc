"""Candidates, and the NATs in front of them, as far as a capture can know.

A candidate's type follows from what was seen, never from the range its address is in: an address that a server told is
server-reflexive, one that only the answer to a check told is peer-reflexive, one that packets leave from untouched is
a host's.  All else is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, count_in, first_of, group, last_of, maximum_in, minimum_in, pick
from stunpcap.ice.pairs import Directed
from stunpcap.ice.place import Place
from stunpcap.ice.sessions import Agents
from stunpcap.ice.transactions import KIND, OUT, Correlated
from stunpcap.record import record
from stunpcap.schema import CANDIDATE_TYPE, KNOWN_FROM, MAPPING
from stunpcap.sorting import distinct, in_order
from stunpcap.table import MISSING, NAT, Pools, Table

ASKING = [KIND["gather"], KIND["keepalive"], KIND["allocate"]]
"""Kinds of transactions in which servers tell addresses."""
HOST, SRFLX, PRFLX, RELAY, UNKNOWN = range(len(CANDIDATE_TYPE))
TELLING = {HOST: 0, SRFLX: 1, RELAY: 2}
"""How much an answer of this type says.  That an address was not translated may be due to the capture's place."""
GATHERING, CHECK, MAPPED, FROM_RELAY, SIGNALLING = range(len(KNOWN_FROM))
NO_MAPPING, INDEPENDENT, BY_ADDRESS, BY_PORT, UNCLEAR = range(len(MAPPING))


@dataclass(slots=True, eq=False, repr=False)
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


@record
class Told:
    """What a server told a client of one address."""

    type: int
    base: int
    server: int
    time: int


@dataclass(slots=True, eq=False, repr=False)
class Gathered:
    """What servers told."""

    of_address: dict[int, Told] = field(default_factory=dict)
    of_base: dict[int, dict[int, Told]] = field(default_factory=dict)
    """Base -> the same for this base alone: Microsoft's relays give one address to several clients."""
    servers: set[int] = field(default_factory=set)

    def add(self, address: int, told: Told) -> None:
        """Note what was told; that an address is relayed or translated says more than that it is not."""
        for addresses in (self.of_address, self.of_base.setdefault(told.base, {})):
            if address not in addresses or TELLING[told.type] > TELLING[addresses[address].type]:
                addresses[address] = told


def gathered(correlated: Correlated, messages: Table, pairs: Table) -> Gathered:
    """Collect the addresses that STUN and TURN servers told those of their clients that have pairs."""
    table = correlated.table
    used, _ = distinct(np.concatenate([pairs[name] for name in ("src", "dst", "mapped")]))
    found = Gathered()
    good = table["outcome"] == OUT["success"]
    mapped = np.where(good & np.isin(table["kind"], ASKING), table["mapped"], MISSING)
    relayed = pick(messages["relayed"], correlated.response_rows)
    relayed[~good | (table["kind"] != KIND["allocate"])] = MISSING
    for addresses, is_relay in ((mapped, False), (relayed, True)):
        rows = np.flatnonzero((addresses >= 0) & (np.isin(addresses, used) | np.isin(table["src"], used)))
        told, count = group(table["src"][rows], addresses[rows])
        rows = rows[first_of(told, count)]
        rows = rows[np.argsort(table["response_time"][rows], kind="stable")]
        columns = (addresses[rows], *(table[name][rows] for name in ("src", "dst", "response_time")))
        for address, base, server, time in zip(*(column.tolist() for column in columns), strict=True):
            found.add(address, Told(RELAY if is_relay else HOST if address == base else SRFLX, base, server, time))
    found.servers.update(distinct(table["dst"][(mapped >= 0) | (relayed >= 0)])[0].tolist())
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
    pairs = directed.table
    known = gathered(correlated, messages, pairs)
    rows: dict[tuple[int, int, int], Candidate] = {}
    untouched = _untouched(places, known, pools)
    columns = ("session_id", "src", "dst", "mapped", "transport", "first_time", "vantage")
    records = list(zip(*(pairs[name].tolist() for name in columns), directed.side.tolist(), strict=True))

    for session, src, dst, _, transport, time, vantage, side in records:
        for address, agent, checked in ((src, side, False), (dst, 1 - side, True)):
            candidate = _entry(rows, (session, agent, address), transport, time, known)
            candidate.checked |= checked
            candidate.first_time = min(candidate.first_time, time)
            if candidate.type == UNKNOWN and address in untouched.get(vantage, ()):
                candidate.type, candidate.base = HOST, address
    _reflexive(records, rows, known, correlated, directed, messages)
    for session, agent, address in list(rows):
        for outside, told in known.of_base.get(address, {}).items():
            key, transport = (session, agent, outside), rows[session, agent, address].transport
            _describe(_entry(rows, key, transport, told.time, known), told)

    types = {key: candidate.type for key, candidate in rows.items()}
    sides = directed.side.tolist()
    for name, column, other in (("src_type", "src", False), ("dst_type", "dst", True)):
        keys = zip(pairs["session_id"].tolist(), sides, pairs[column].tolist(), strict=True)
        pairs[name] = np.array([types[session, side ^ other, address] for session, side, address in keys], np.int8)
    return _table(rows, agents, pools)


def _entry(
    rows: dict[tuple[int, int, int], Candidate], key: tuple[int, int, int], transport: int, time: int, known: Gathered
) -> Candidate:
    """The row of a candidate; a new one begins with what servers told."""
    candidate = rows.get(key)
    if candidate is None:
        candidate = rows[key] = Candidate(transport=transport, first_time=time)
        told = known.of_address.get(key[2])
        if told:
            _describe(candidate, told)
    return candidate


def _describe(candidate: Candidate, told: Told) -> None:
    """Note what a server told of a candidate.

    One that saw an address unchanged does not make it a host's: there may be a NAT on this side of the capture.
    """
    candidate.server = told.server
    candidate.known_from = FROM_RELAY if told.type == RELAY else GATHERING
    if told.type != HOST:
        candidate.type, candidate.base = told.type, told.base


def _untouched(places: dict[int, Place], known: Gathered, pools: Pools) -> dict[int, set[int]]:
    """For each vantage the endpoints whose packets nothing can have rewritten before they were captured.

    Addresses of servers are left out: what is sent from there may be relayed.
    """
    address_of = pools.endpoints.addresses
    servers = {int(address_of[server]) for server in known.servers}
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
    priority = pick(messages["priority"], correlated.request_rows[checks])
    has = priority >= 0
    priorities = pick(priority[has], last_of(directed.of_transaction[checks[has]], len(records))).tolist()
    for number, (session, src, dst, mapped, transport, time, _, side) in enumerate(records):
        if mapped < 0 or mapped == src:
            continue
        entry = _entry(rows, (session, side, mapped), transport, time, known)
        if entry.type == UNKNOWN:
            entry.type, entry.base, entry.server, entry.known_from = PRFLX, src, dst, MAPPED
            entry.priority = priorities[number]


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
    rows = told[first_of(groups, count, in_order(table["response_time"][told]))]
    rows = rows[in_order(table["response_time"][rows])]
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
    """RFC 4787 section 4.1, for each base from all that was told of it; rows are in order of time.

    Destinations in the same private network see `base` untouched and say nothing of a NAT that is not on their way.
    Of each destination only the first answer counts: later ones may differ because the mapping had expired.  The same
    address seen from different ones is endpoint-independent; from different ports of one address alone it may still be
    address-dependent.
    """
    behaviour = np.full(len(src), UNCLEAR, np.int8)
    address_of = pools.endpoints.addresses
    bases, count = group(vantage, src, transport)
    translated = src != mapped
    behaviour[count_in(bases, count, translated)[bases] == 0] = NO_MAPPING

    asked, n_asked = group(bases[translated], dst[translated])
    first = np.flatnonzero(translated)[first_of(asked, n_asked)]
    base, seen = bases[first], mapped[first]
    at, n_addresses = group(base, address_of[dst[first]])
    base_of_address = base[first_of(at, n_addresses)]

    def differs(groups: Ints, n: int) -> Any:
        """Groups in which not all saw the same."""
        lowest, highest = minimum_in(groups, n, seen, len(address_of)), maximum_in(groups, n, seen, MISSING)
        return lowest < highest

    varies = differs(base, count)
    by_port = count_in(base_of_address[differs(at, n_addresses)], count) > 0
    several = count_in(base_of_address, count) > 1
    known = np.full(count, UNCLEAR, np.int8)
    known[several & ~varies] = INDEPENDENT
    known[varies] = BY_ADDRESS
    known[by_port] = BY_PORT
    has = np.flatnonzero(count_in(bases, count, translated)[bases] > 0)
    behaviour[has] = known[bases[has]]
    return behaviour
