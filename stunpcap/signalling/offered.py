"""Candidates as offered against candidates as captured: types known, rows added, for each agent of each session.

A candidate is the same if agent, transport and endpoint are; one that was offered under a `.local` name is the address
from which, or to which, its agent's checks went at the port of that candidate.  Once an agent's offered candidates are
known, an address of its that is none of them, nor the base of one, is peer-reflexive (RFC 8445 section 7.3.1.3).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stunpcap.ice.candidates import HOST, PRFLX, SIGNALLING, SRFLX, UNKNOWN
from stunpcap.ice.pairs import Directed
from stunpcap.ice.sessions import Agents
from stunpcap.schema import CANDIDATE_TYPE, FRAMES, TRANSPORT
from stunpcap.signalling.candidate import is_address
from stunpcap.signalling.clocks import Clocks
from stunpcap.signalling.model import LOCAL, OfferedCandidate, Source
from stunpcap.signalling.sides import Told
from stunpcap.table import MISSING, NAT, V4_PREFIX, Pools, Table

UDP = TRANSPORT.index("udp")
NO_PORT = (0, 9)
"""Ports that stand for none: of a candidate whose related address is hidden, and of active TCP candidates."""
Offer = tuple[Source, OfferedCandidate]
Key = tuple[int, int, int, int]
"""Session (from 0), side, endpoint, transport."""


@dataclass(slots=True, eq=False, repr=False)
class Row:
    """A candidate of the frame: what the capture tells and what was offered."""

    cells: dict[str, Any]
    offers: list[Offer] = field(default_factory=list)


def endpoint(address: str, port: int, pools: Pools) -> int:
    """The number of an endpoint; MISSING if the address is none."""
    if not is_address(address) or not 0 <= port < 65536:
        return MISSING
    ip = ipaddress.ip_address(address.split("%")[0])
    words = (
        [0, 0, V4_PREFIX, int(ip)]
        if isinstance(ip, ipaddress.IPv4Address)
        else [int(ip) >> shift & 0xFFFFFFFF for shift in (96, 64, 32, 0)]
    )
    return int(pools.endpoints.numbers(np.array([[*words, port]], np.uint32))[0])


def enrich(
    table: Table, directed: Directed, agents: Agents, known: dict[str, Told], pools: Pools
) -> tuple[Table, list[list[Offer]]]:
    """The candidates frame with what was offered, and for each row the offers; fills the types of `pairs` anew, too."""
    texts = pools.texts.values
    rows: dict[Key, Row] = {}
    extra: list[tuple[Key, Row]] = []
    names = [column.name for column in FRAMES["candidates"]]
    stored = {name: table[name].tolist() for name in names}
    for number in range(len(table)):
        cells = {name: stored[name][number] for name in names}
        session = cells["session_id"] - 1
        side = int(cells["ufrag"] != int(agents.ufrag_a[session]))
        rows[session, side, cells["address"], cells["transport"]] = Row(cells)
    for session in range(agents.count):
        for side, number in ((0, int(agents.ufrag_a[session])), (1, int(agents.ufrag_b[session]))):
            told = known.get(texts[number]) if number >= 0 else None
            offers = told.candidates if told else _by_address(rows, session, side, known, pools)
            if offers:
                own = {key: row for key, row in rows.items() if key[:2] == (session, side)}
                added = _match(own, offers, session, side, number, pools)
                rows |= {key: row for key, row in added if key[2] >= 0}
                extra += [(key, row) for key, row in added if key[2] < 0]
                if told:
                    _judge([*own.values(), *(row for _, row in added)], pools)
    everything = [*rows.items(), *extra]
    _retype(directed, {(key[0], key[1], key[2]): row.cells["type"] for key, row in rows.items()})
    everything.sort(key=lambda item: (item[0][0], item[0][1], item[0][2] < 0, item[0][2]))
    for _, row in everything:
        _describe(row, pools)
    columns = {name: np.array([row.cells[name] for _, row in everything]) for name in names if everything}
    return Table("candidates", len(everything), pools, columns), [row.offers for _, row in everything]


def fill_times(table: Table, offers: list[list[Offer]], clocks: Clocks) -> None:
    """When each candidate was told of, by its own agent and to the other, once the clocks are known."""
    moments: dict[str, list[int]] = {"offered_time": [], "added_time": []}
    for told in offers:
        for name, own in (("offered_time", True), ("added_time", False)):
            times = [
                time
                for source, one in told
                if one.side and (one.side == LOCAL) == own
                if (time := clocks.moment(source, one.agent, one.time)) != NAT
            ]
            moments[name].append(min(times, default=NAT))
    for name, values in moments.items():
        table[name] = np.array(values, np.int64)


def _by_address(rows: dict[Key, Row], session: int, side: int, known: dict[str, Told], pools: Pools) -> list[Offer]:
    """Candidates of nobody knows whom that are at an address of this agent."""
    loose = known.get("")
    if loose is None:
        return []
    own = {(key[2], key[3]) for key in rows if key[:2] == (session, side)}
    return [
        offer
        for offer in loose.candidates
        if (endpoint(offer[1].address, offer[1].port, pools), _transport(offer[1])) in own
    ]


def _match(
    own: dict[Key, Row],
    offers: Iterable[Offer],
    session: int,
    side: int,
    ufrag: int,
    pools: Pools,
) -> list[tuple[Key, Row]]:
    """Put each offer to the row that it is; gives the rows that there were not."""
    added: dict[tuple[Any, ...], tuple[Key, Row]] = {}
    for offer in offers:
        candidate = offer[1]
        transport = _transport(candidate)
        at = endpoint(candidate.address, candidate.port, pools)
        row = own.get((session, side, at, transport)) if at >= 0 else None
        rows = [row] if row else _hidden(own, candidate, transport, pools)
        if rows:
            for row in rows:
                row.offers.append(offer)
            continue
        identity = (at if at >= 0 else candidate.address, candidate.port, transport, candidate.tcptype)
        if identity not in added:
            cells: dict[str, Any] = dict.fromkeys((column.name for column in FRAMES["candidates"]), MISSING)
            cells |= {"session_id": session + 1, "ufrag": ufrag, "address": at, "type": UNKNOWN}
            cells |= {"known_from": SIGNALLING, "transport": transport, "first_time": NAT, "checked": False}
            added[identity] = (session, side, at, transport), Row(cells)
        added[identity][1].offers.append(offer)
    return list(added.values())


def _hidden(own: dict[Key, Row], candidate: OfferedCandidate, transport: int, pools: Pools) -> list[Row]:
    """The captured rows that a candidate without an address, or without a port, stands for."""
    if candidate.hidden and candidate.port not in NO_PORT:
        fits = [
            row
            for key, row in own.items()
            if key[3] == transport
            and pools.endpoints.port(key[2]) == candidate.port
            and row.cells["type"] in (UNKNOWN, HOST)
        ]
        return fits if len(fits) == 1 else []
    return []


def _judge(rows: list[Row], pools: Pools) -> None:
    """Types of one agent's candidates, from what was offered of all of them."""
    bases, active, mapped = set(), set(), set()
    told = any(one.signalled for row in rows for _, one in row.offers)
    for row in rows:
        for _, candidate in row.offers:
            if candidate.type in ("srflx", "prflx") and candidate.rport not in (MISSING, *NO_PORT):
                bases.add(endpoint(candidate.raddr, candidate.rport, pools))
            if candidate.type == "srflx":
                mapped.add(row.cells["base"])
            if candidate.tcptype == "active":
                active.add(candidate.address)
    for row in rows:
        cells = row.cells
        kinds = [one.type for _, one in row.offers if one.type in CANDIDATE_TYPE]
        if kinds:
            kind = CANDIDATE_TYPE.index(kinds[-1])
            if cells["type"] == UNKNOWN or kind != cells["type"]:
                if cells["type"] in (UNKNOWN, PRFLX, SRFLX) or kind != HOST:
                    cells["known_from"] = SIGNALLING
                cells["type"] = kind
        elif cells["type"] == UNKNOWN and (told or cells["address"] in bases):
            cells["type"] = HOST if cells["address"] in bases else PRFLX
            cells["known_from"] = SIGNALLING
        elif cells["type"] == SRFLX and cells["base"] in mapped:
            cells["type"] = PRFLX  # a NAT has changed its mapping since
        elif (
            cells["type"] == HOST and cells["transport"] != UDP and pools.endpoints.address(cells["address"]) in active
        ):
            cells["type"] = PRFLX  # RFC 6544 section 5.2: what an active candidate connects from was never offered


def _describe(row: Row, pools: Pools) -> None:
    """Fill the cells that only signalling can."""
    cells, text = row.cells, pools.texts.number
    cells["offered"] = any(one.signalled for _, one in row.offers)
    if not row.offers:
        return
    last = max((one for _, one in row.offers), key=lambda one: one.signalled)
    best = max((one for _, one in row.offers), key=lambda one: (bool(one.url), bool(one.raddr), one.side == LOCAL))
    if cells["type"] == UNKNOWN and best.type in CANDIDATE_TYPE:
        cells["type"] = CANDIDATE_TYPE.index(best.type)
    related = endpoint(best.raddr, best.rport, pools) if best.rport not in (MISSING, *NO_PORT) else MISSING
    cells["priority"] = last.priority
    cells["foundation"] = text(last.foundation)
    cells["raddr"] = related
    cells["tcptype"] = text(last.tcptype)
    cells["generation"] = last.generation
    cells["mid"] = text(best.mid or last.mid)
    cells["network_id"], cells["network_cost"] = best.network_id, best.network_cost
    cells["url"] = text(best.url)
    cells["name"] = text(next((one.address for _, one in row.offers if not is_address(one.address)), ""))
    if cells["base"] == MISSING and best.type in ("srflx", "prflx"):
        cells["base"] = related
    elif cells["base"] == MISSING and best.type in ("host", "relay"):
        cells["base"] = cells["address"]


def _retype(directed: Directed, types: dict[tuple[int, int, int], int]) -> None:
    pairs, sides = directed.table, directed.side.tolist()
    for name, column, other in (("src_type", "src", False), ("dst_type", "dst", True)):
        before = pairs[name].tolist()
        keys = zip(pairs["session_id"].tolist(), sides, pairs[column].tolist(), before, strict=True)
        pairs[name] = np.array(
            [types.get((session - 1, side ^ other, address), kind) for session, side, address, kind in keys], np.int8
        )


def _transport(candidate: OfferedCandidate) -> int:
    """`ssltcp` and `tls` are TCP."""
    return TRANSPORT.index("udp" if candidate.transport == "udp" else "tcp")
