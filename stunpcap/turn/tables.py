"""Allocations, permissions and channels as frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.table import MISSING, NAT, Pools, Table
from stunpcap.turn.model import Allocation, Grant


def allocation_table(found: list[Allocation], sessions: dict[int, set[int]], pools: Pools) -> Table:
    """The allocations frame.

    Parameters
    ----------
    found
        In order of time.
    sessions
        Endpoint of a candidate -> sessions, counted from 1.
    """
    plain = (
        *("vantage", "client", "server", "transport", "mapped", "created", "lifetime_s", "refreshed", "ended", "state"),
        *("error_code", "expires", "refreshes", "challenges", "stale_nonces", "refusals", "unanswered", "icmp"),
        *("username", "realm", "software", "alternate_server", "even_port", "moved_from", "depth"),
        *("first_frame", "last_frame", "error_frame"),
    )
    columns: dict[str, list[Any]] = {name: [getattr(one, name) for one in found] for name in plain}
    columns |= {
        "allocation_id": list(range(1, len(found) + 1)),
        "requested": [one.asked for one in found],
        "relayed": [one.relayed[0] if one.relayed else MISSING for one in found],
        "relayed_other": [one.relayed[1] if len(one.relayed) > 1 else MISSING for one in found],
        "permissions": [len({grant.peer for grant in one.permissions if grant.created > NAT}) for one in found],
        "channels": [len({grant.channel for grant in one.channels if grant.created > NAT}) for one in found],
        "connections": [len(one.connections) for one in found],
        "reservation_token": pools.texts.numbers(one.reservation_token for one in found).tolist(),
        "family_error_code": [one.family_error for one in found],
        "session_ids": pools.texts.numbers(_session_ids(one, sessions) for one in found).tolist(),
    }
    for position, name in enumerate(("packets_sent", "bytes_sent", "packets_received", "bytes_received")):
        columns[name] = [one.counted[position] for one in found]
    return Table(
        "allocations", len(found), pools, {name: np.array(values, np.int64) for name, values in columns.items()}
    )


def _session_ids(one: Allocation, sessions: dict[int, set[int]]) -> str:
    """Sessions that use the relayed address; where there is none, those that have the client's."""
    ends = one.relayed or [one.client]
    return ", ".join(map(str, sorted(set().union(*(sessions.get(end, set()) for end in ends)))))


def grant_table(name: str, found: list[Allocation], ends: dict[int, int], pools: Pools) -> Table:
    """The permissions or the channels frame; `ends`: when each capture ended."""
    rows: list[tuple[int, Allocation, Grant]] = [
        (number, one, grant)
        for number, one in enumerate(found, 1)
        for grant in (one.permissions if name == "permissions" else one.channels)
    ]
    until = [one.until(ends[one.vantage]) for _, one, _ in rows]
    plain = (
        *("peer", "created", "refreshed", "refreshes", "expires", "error_code", "refusals", "unanswered"),
        *("first_frame", "last_frame"),
        *(("channel",) if name == "channels" else ()),
    )
    columns: dict[str, list[Any]] = {
        "allocation_id": [number for number, *_ in rows],
        **{key: [getattr(one, key) for _, one, _ in rows] for key in ("vantage", "client", "server")},
        "relayed": [_facing(one, grant, pools) for _, one, grant in rows],
        **{key: [getattr(grant, key) for *_, grant in rows] for key in plain},
        "state": [grant.state(end) for (*_, grant), end in zip(rows, until, strict=True)],
        "ended": [
            min(grant.expires, end) if grant.created > NAT and min(grant.expires, end) < ends[one.vantage] else NAT
            for (_, one, grant), end in zip(rows, until, strict=True)
        ],
    }
    return Table(name, len(rows), pools, {key: np.array(values, np.int64) for key, values in columns.items()})


def _facing(one: Allocation, grant: Grant, pools: Pools) -> int:
    """The relayed address of the peer's family."""
    v6 = pools.endpoints.is_v6
    same = [relayed for relayed in one.relayed if bool(v6[relayed]) == bool(v6[grant.peer])]
    return (same or one.relayed or [MISSING])[0]
