"""What is known of the network around: NAT mappings, and servers that were asked."""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.ice.columns import first_of, group
from stunpcap.schema import CLASS, TRANSACTION_KIND, TRANSPORT
from stunpcap.sorting import in_order
from stunpcap.summary.evidence import collect
from stunpcap.summary.model import Asked, Mapping, Seen, Server
from stunpcap.summary.words import BEHAVIOUR, asked_outcome
from stunpcap.table import Table

_MOST_TELLING = ("address-and-port-dependent", "address-dependent", "endpoint-independent", "unknown", "none")


def build_mappings(mappings: Table) -> tuple[Mapping, ...]:
    """One entry a local address and capture; what troubles ICE most comes first."""
    names = mappings.pools.texts.values
    rows_of: dict[tuple[int, int], list[int]] = {}
    keys = zip(mappings["vantage"].tolist(), mappings["base"].tolist(), strict=True)
    for row, key in enumerate(keys):
        rows_of.setdefault(key, []).append(row)
    bases, seen_as, asked = (mappings.values(name) for name in ("base", "mapped", "dst"))
    behaviours, sessions, frames = (mappings.values(name) for name in ("behaviour", "session_id", "first_frame"))
    translated, port_kept = (mappings.values(name) for name in ("translated", "port_kept"))

    def seen(first: int, told: list[int]) -> Seen:
        by = (asked[first],) if len(told) == 1 else tuple(dict.fromkeys([asked[row] for row in told]))
        return Seen(seen_as[first], translated[first], port_kept[first], by, frames[first])

    found = []
    for (vantage, _), rows in rows_of.items():
        first = rows[0]
        if len(rows) == 1:  # as that of nearly every client of a large server
            as_what: tuple[Seen, ...] = (seen(first, rows),)
            numbers: tuple[int, ...] = (sessions[first],) if sessions[first] else ()
        else:
            alike: dict[str, list[int]] = {}
            for row in rows:
                alike.setdefault(seen_as[row], []).append(row)
            as_what = tuple([seen(told[0], told) for told in alike.values()])
            numbers = tuple(sorted({sessions[row] for row in rows if sessions[row]}))
        behaviour = behaviours[first]
        found.append(Mapping(names[vantage], bases[first], behaviour, BEHAVIOUR[behaviour], numbers, as_what))
    order = {behaviour: place for place, behaviour in enumerate(_MOST_TELLING)}
    found.sort(key=lambda mapping: order[mapping.behaviour])
    return tuple(found)


def build_servers(transactions: Table, messages: Table) -> tuple[Server, ...]:
    """One entry a server and capture, from the transactions that belong to no session."""
    rows = np.flatnonzero(transactions["session_id"] < 0)
    columns = [transactions[name][rows] for name in ("vantage", "dst", "transport", "kind")]
    groups, count = group(*columns)
    if not count:
        return ()
    found = collect(transactions, rows, groups, count)
    relayed = _relayed(messages)
    order = in_order(transactions["first_time"][rows])
    firsts = first_of(groups, count, order)
    by_group = np.split(order[in_order(groups[order])], np.cumsum(np.bincount(groups))[:-1])
    asked: dict[tuple[int, int, int], list[Asked]] = {}
    clients: dict[tuple[int, int, int], dict[str, None]] = {}
    for number in np.argsort(transactions["first_time"][rows[firsts]], kind="stable").tolist():
        mine = rows[by_group[number]]
        first = int(mine[0])
        key = (
            int(transactions["vantage"][first]),
            int(transactions["dst"][first]),
            int(transactions["transport"][first]),
        )
        names = clients.setdefault(key, {})
        sources = list(dict.fromkeys(transactions["src"][mine].tolist()))
        names |= dict.fromkeys(transactions.pools.endpoints.texts(sources))
        seen = found[number]
        mapped, allocated = _told(transactions, mine, relayed)
        errors, icmp = seen.error_answers(), tuple(seen.icmp)
        elsewhere = tuple(seen.answered_from) + tuple(seen.answered_to)
        rtt = transactions["rtt_s"][mine]
        asked.setdefault(key, []).append(
            Asked(
                kind=TRANSACTION_KIND[int(transactions["kind"][first])],
                outcome=asked_outcome(seen.outcomes, errors, icmp, elsewhere, mapped, allocated),
                requests=len(mine) - seen.outcomes.get("orphan", 0),
                transmissions=int(transactions["transmissions"][mine].sum()),
                outcomes=seen.outcomes,
                errors=errors,
                icmp=icmp,
                mapped=mapped,
                relayed=allocated,
                rtt_min_s=float(np.nanmin(rtt)) if not np.isnan(rtt).all() else None,
                frames=tuple(seen.frames),
            )
        )
    pools = transactions.pools
    return tuple(
        Server(
            vantage=pools.texts.values[vantage],
            server=pools.endpoints.text(server),
            transport=TRANSPORT[transport] if transport >= 0 else "?",
            clients=tuple(clients[vantage, server, transport]),
            asked=tuple(kinds),
        )
        for (vantage, server, transport), kinds in asked.items()
    )


def _relayed(messages: Table) -> dict[tuple[int, int], int]:
    """Vantage and frame of answers to Allocate -> the relayed address."""
    rows = np.flatnonzero((messages["relayed"] >= 0) & (messages["class"] == CLASS.index("success")))
    keys = zip(messages["vantage"][rows].tolist(), messages["frame"][rows].tolist(), strict=True)
    return dict(zip(keys, messages["relayed"][rows].tolist(), strict=True))


def _told(
    transactions: Table, rows: Any, relayed: dict[tuple[int, int], int]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The mapped and the relayed addresses that the answers tell."""
    texts = transactions.pools.endpoints.texts
    mapped = transactions["mapped"][rows]
    keys = zip(transactions["vantage"][rows].tolist(), transactions["response_frame"][rows].tolist(), strict=True)
    allocated = [relayed[key] for key in keys if key in relayed] if relayed else []
    return (
        tuple(texts(list(dict.fromkeys(mapped[mapped >= 0].tolist())))),
        tuple(texts(list(dict.fromkeys(allocated)))),
    )
