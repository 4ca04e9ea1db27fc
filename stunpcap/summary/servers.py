"""What is known of the network around: NAT mappings, and servers that were asked."""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.ice.columns import first_of, group
from stunpcap.schema import CLASS, TRANSACTION_KIND, TRANSPORT
from stunpcap.summary.evidence import collect
from stunpcap.summary.model import Asked, Mapping, Seen, Server
from stunpcap.summary.words import BEHAVIOUR, asked_outcome
from stunpcap.table import Table

_MOST_TELLING = ("address-and-port-dependent", "address-dependent", "endpoint-independent", "unknown", "none")


def build_mappings(mappings: Table) -> tuple[Mapping, ...]:
    """One entry a local address and capture; what troubles ICE most comes first."""
    rows_of: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in mappings.records():
        rows_of.setdefault((row["vantage"], row["base"]), []).append(row)
    found = []
    for (vantage, base), rows in rows_of.items():
        seen: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            seen.setdefault(row["mapped"], []).append(row)
        behaviour = rows[0]["behaviour"]
        found.append(
            Mapping(
                vantage=vantage,
                base=base,
                behaviour=behaviour,
                said=BEHAVIOUR[behaviour],
                sessions=tuple(sorted({row["session_id"] for row in rows if row["session_id"]})),
                seen=tuple(
                    Seen(
                        mapped=mapped,
                        translated=told[0]["translated"],
                        port_kept=told[0]["port_kept"],
                        by=tuple(dict.fromkeys(row["dst"] for row in told)),
                        first_frame=told[0]["first_frame"],
                    )
                    for mapped, told in seen.items()
                ),
            )
        )
    return tuple(sorted(found, key=lambda mapping: _MOST_TELLING.index(mapping.behaviour)))


def build_servers(transactions: Table, messages: Table) -> tuple[Server, ...]:
    """One entry a server and capture, from the transactions that belong to no session."""
    rows = np.flatnonzero(transactions["session_id"] < 0)
    columns = [transactions[name][rows] for name in ("vantage", "dst", "transport", "kind")]
    groups, count = group(*columns)
    if not count:
        return ()
    found = collect(transactions, rows, groups, count)
    relayed = _relayed(messages)
    order = np.argsort(transactions["first_time"][rows], kind="stable")
    firsts = first_of(groups, count, order)
    by_group = np.split(order[np.argsort(groups[order], kind="stable")], np.cumsum(np.bincount(groups))[:-1])
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
        for source in dict.fromkeys(transactions["src"][mine].tolist()):
            names[transactions.pools.endpoints.text(source)] = None
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
    text = transactions.pools.endpoints.text
    mapped = transactions["mapped"][rows]
    keys = zip(transactions["vantage"][rows].tolist(), transactions["response_frame"][rows].tolist(), strict=True)
    allocated = [relayed[key] for key in keys if key in relayed] if relayed else []
    return (
        tuple(text(number) for number in dict.fromkeys(mapped[mapped >= 0].tolist())),
        tuple(text(number) for number in dict.fromkeys(allocated)),
    )
