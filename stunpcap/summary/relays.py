"""What is known of TURN relays: which agent has which relayed address, what became of it, and what was refused."""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.sorting import ordered_by
from stunpcap.stun.registry import ERROR_BY_CODE
from stunpcap.summary.around import Around
from stunpcap.summary.crowd import choose
from stunpcap.summary.model import Relay
from stunpcap.summary.words import clock, listed
from stunpcap.table import Table
from stunpcap.words import error_words, many

FINE = ("active", "deleted")


def build_relays(allocations: Table, permissions: Table, about: Around) -> tuple[tuple[Relay, ...], dict[str, int]]:
    """One entry an allocation, or attempt to get one, those that failed first; and the number in each state.

    Of those that no session uses, those are listed that failed.
    """
    ids = allocations.values("session_ids")
    numbers = {text: tuple(map(int, text.split(", "))) for text in set(ids) if text}
    sessions: list[tuple[int, ...]] = [numbers.get(text, ()) for text in ids]
    whole = np.array([about.number in some if about.number else bool(some) for some in sessions], np.bool_)
    wanted = whole | about.hosts[allocations["client"]] if about.number else np.ones(len(allocations), np.bool_)
    refused = (allocations["error_code"] > 0) | (allocations["icmp"] >= 0) | (allocations["alternate_server"] >= 0)
    fine = np.isin(allocations["state"], [allocations.code("state", state) for state in FINE])
    order = ordered_by(fine & ~refused, fine)
    order = order[wanted[order]]
    listed = choose(order, whole)
    told = allocations.take(listed)
    denied: dict[int, list[dict[str, Any]]] = {}
    lapsed = np.isin(permissions["state"], [permissions.code("state", state) for state in ("refused", "unanswered")])
    for row in permissions.take(lapsed & np.isin(permissions["allocation_id"], told["allocation_id"])).records():
        denied.setdefault(row["allocation_id"], []).append(row)
    found = tuple(
        Relay(
            vantage=row["vantage"],
            client=row["client"],
            server=row["server"],
            transport=row["transport"],
            relayed=row["relayed"],
            state=row["state"],
            said=_said(row),
            refused=tuple(_refused(row, denied.get(row["allocation_id"], []))),
            lifetime_s=row["lifetime_s"],
            packets_sent=row["packets_sent"],
            packets_received=row["packets_received"],
            sessions=sessions[number],
            frames=tuple(number for number in (row["first_frame"], row["error_frame"]) if number),
        )
        for number, row in zip(listed.tolist(), told.records(), strict=True)
    )
    states = allocations.take(order).values("state")
    return found, {state: states.count(state) for state in dict.fromkeys(states)}


def _said(row: dict[str, Any]) -> str:
    """What became of an allocation, in words."""
    when = f" at {clock(row['ended'])}" if row["ended"] else ""
    life = f"lifetime {row['lifetime_s']} s, {many(row['refreshes'], 'refresh', 'refreshes')}"
    match row["state"]:
        case "active":
            return (
                f"in force to the end of the capture ({life})" if row["relayed"] else "asked for, and not answered yet"
            )
        case "deleted":
            return f"given back by the client{when} ({life})" if row["relayed"] else f"given back by the client{when}"
        case "expired":
            return f"expired{when}: not refreshed in time ({life})"
        case "lost" if row["error_code"] == 437:
            return f"lost{when}: the server knew nothing of it any more"
        case "lost":
            return f"lost: the server was last heard of{when}" if row["ended"] else "lost: the server never answered"
        case _:
            return (
                "never granted" if row["error_code"] else "never granted: asked for credentials, and nobody came back"
            )


def _refused(row: dict[str, Any], denied: list[dict[str, Any]]) -> list[str]:
    """What the server refused and why, in words."""
    lines = []
    if row["error_code"]:
        known = ERROR_BY_CODE.get(row["error_code"])
        meaning = f": {known.meaning}" if known else ""
        at = f" (frame {row['error_frame']})" if row["error_frame"] else ""
        peers = [one["peer"].rpartition(":")[0] for one in denied if one["error_code"] == row["error_code"]]
        what = f" to permissions for {listed(peers)}" if peers else ""
        lines.append(f"refused: {error_words(row['error_code'])}{what}{at}{meaning}")
    if row["icmp"]:
        lines.append(f"ICMP {row['icmp']}")
    if row["alternate_server"]:
        lines.append(f"the server sends its clients to {row['alternate_server']} instead")
    return lines
