"""STUN and TURN servers that were asked, and what they answered."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.ice.columns import Ints, count_in, find, first_of, group, pick
from stunpcap.ice.transactions import OUT
from stunpcap.schema import CLASS
from stunpcap.sorting import in_order, ordered_by
from stunpcap.summary.around import Around
from stunpcap.summary.columns import bounds, split
from stunpcap.summary.crowd import at_most, choose, few
from stunpcap.summary.evidence import collect
from stunpcap.summary.model import Asked, Server
from stunpcap.summary.words import asked_outcome
from stunpcap.table import MISSING, Table


def build_servers(transactions: Table, messages: Table, about: Around) -> tuple[tuple[Server, ...], int]:
    """One entry a server and capture, from the transactions that belong to no session; and how many there are.

    Of very many those are listed that agents of sessions asked, then those that never answered.
    """
    rows = np.flatnonzero(transactions["session_id"] < 0)
    if not len(rows):
        return (), 0
    rows = rows[in_order(transactions["first_time"][rows])]
    servers, count = group(*(transactions[name][rows] for name in ("vantage", "dst", "transport")))
    by_agents = about.hosts[transactions["src"][rows]]
    order = in_order(transactions["first_time"][rows[first_of(servers, count)]])
    order = order[about.any_in(servers, count, by_agents)[order]]
    answered = transactions["outcome"][rows] == OUT["success"]
    strange, well = count_in(servers, count, by_agents) == 0, count_in(servers, count, answered) > 0
    listed = choose(order, None, strange, well)
    place = np.full(count, -1)
    place[listed] = np.arange(len(listed))
    told = np.flatnonzero(place[servers] >= 0)
    return tuple(_listed(transactions, messages, rows[told], place[servers[told]], len(listed), about)), len(order)


def _listed(
    transactions: Table, messages: Table, rows: Ints, servers: Ints, count: int, about: Around
) -> Iterator[Server]:
    """Entries for servers (0 to `count` - 1), of which `rows` of the transactions are, in order of time."""
    kinds, several = group(servers, transactions["kind"][rows])
    first = first_of(kinds, several)
    order = ordered_by(servers[first], first)
    place = np.empty(several, np.int64)
    place[order] = np.arange(several)
    # Kind after kind, each in order of time: clients are told in this order.
    kinds = place[kinds]
    sorted_rows = in_order(kinds)
    rows, servers, kinds = rows[sorted_rows], servers[sorted_rows], kinds[sorted_rows]
    asked = split(
        bounds(servers[first_of(kinds, several)], count), _asked(transactions, messages, rows, kinds, several)
    )
    sources = transactions["src"][rows]
    clients = few(servers, count, sources, about.hosts[sources])
    names = clients.split(transactions.pools.endpoints.texts(sources[clients.rows].tolist()))
    shown = transactions.take(rows[first_of(servers, count)])
    columns = (shown.values(name) for name in ("vantage", "dst", "transport"))
    for vantage, server, transport, some, total, what in zip(*columns, names, clients.totals, asked, strict=True):
        yield Server(vantage, server, transport or "?", some, total, what)


def _asked(transactions: Table, messages: Table, rows: Ints, kinds: Ints, count: int) -> list[Asked]:
    """Requests of each kind (0 to `count` - 1) to each server; rows are in order of their kinds."""
    texts = transactions.pools.endpoints.texts
    found = collect(transactions, rows, kinds, count)
    ends = bounds(kinds, count)
    sizes, begins = np.diff(ends).tolist(), ends[:-1]
    transmissions = np.add.reduceat(transactions["transmissions"][rows], begins).tolist()
    fastest = np.fmin.reduceat(transactions["rtt_s"][rows], begins).tolist()
    told = []
    for addresses in (transactions["mapped"][rows], _relayed(transactions, messages, rows)):
        some = few(kinds, count, addresses)
        told.append(list(zip(some.split(texts(addresses[some.rows].tolist())), some.totals, strict=True)))
    names = transactions.take(rows[begins]).values("kind")
    result = []
    columns = (names, found, sizes, transmissions, fastest, *told)
    for name, seen, size, packets, rtt, mapped, relayed in zip(*columns, strict=True):
        errors, icmp = seen.error_answers(), tuple(seen.icmp)
        elsewhere = tuple(seen.answered_from) + tuple(seen.answered_to)
        result.append(
            Asked(
                kind=name,
                outcome=asked_outcome(seen.outcomes, errors, icmp, elsewhere, mapped, relayed),
                requests=size - seen.outcomes.get("orphan", 0),
                transmissions=packets,
                outcomes=seen.outcomes,
                errors=errors,
                icmp=at_most(icmp),
                icmp_count=len(icmp),
                mapped=mapped[0],
                mapped_count=mapped[1],
                relayed=relayed[0],
                relayed_count=relayed[1],
                rtt_min_s=None if rtt != rtt else rtt,
                frames=tuple(seen.frames),
            )
        )
    return result


def _relayed(transactions: Table, messages: Table, rows: Ints) -> Ints:
    """For each of these transactions the address that its answer says was allocated; -1 where it says none."""
    granted = messages.take((messages["relayed"] >= 0) & (messages["class"] == CLASS.index("success")))
    if not len(granted):
        return np.full(len(rows), MISSING)
    answers = find(
        (transactions["vantage"][rows], transactions["response_frame"][rows]), (granted["vantage"], granted["frame"])
    )
    addresses: Ints = pick(granted["relayed"], answers)
    return addresses
