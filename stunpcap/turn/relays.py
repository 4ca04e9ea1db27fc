"""Relays put to work: TURN state from the messages, addresses for what is inside, and one check out of two legs.

Relays behind relays are followed from the outside in: what the outermost server granted gives the messages inside
their addresses, and among these may be the requests to the next server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from stunpcap.ice.columns import first_of, group
from stunpcap.ice.transactions import correlate
from stunpcap.record import record
from stunpcap.sorting import values_in
from stunpcap.table import Pools, Table, in_halves
from stunpcap.turn.addresses import Resolver
from stunpcap.turn.allocations import find_allocations
from stunpcap.turn.known import Allocations
from stunpcap.vantage import Vantage

if TYPE_CHECKING:
    from stunpcap.turn.allocations import Reader

METHODS = (
    *("allocate", "refresh", "create-permission", "channel-bind"),
    *("connect", "connection-bind", "connection-attempt"),
)


@record
class Relays:
    """What is known of relays."""

    allocations: Allocations
    vantages: list[Vantage]
    """The captures, their flows inside TURN with the addresses of relays and peers."""


def follow_relays(
    vantages: Sequence[Vantage], messages: Table, extra: dict[str, Any], read: Reader, pools: Pools
) -> Relays:
    """Find allocations, and give everything inside TURN its addresses, in `messages`.

    Parameters
    ----------
    messages, extra
        The messages of all captures, one below the other, and their columns that no frame shows.
    read
        Gives the message in a row.
    """
    depth = extra["depth"]
    deepest = int(depth.max(initial=0))
    allocations = _allocations(vantages, messages, extra, read, 0, pools)
    if not allocations.all and not any(len(vantage.carried) for vantage in vantages):
        return Relays(allocations, list(vantages))
    resolvers = [Resolver(vantage, allocations, pools) for vantage in vantages]
    deepest = max([deepest, *(int(resolver.depth.max(initial=0)) for resolver in resolvers)])
    src, dst = messages["src"].copy(), messages["dst"].copy()
    bounds = np.cumsum([0] + [len(vantage.messages) for vantage in vantages]).tolist()
    for level in range(1, deepest + 1):
        for resolver, begin, end in zip(resolvers, bounds, bounds[1:], strict=False):
            rows = np.arange(begin, end)
            own = messages.take(rows)
            resolver.resolve(own, extra["flow"][begin:end], level)
            src[begin:end], dst[begin:end] = own["src"], own["dst"]
        messages["src"], messages["dst"] = src, dst
        if level < deepest or (depth == level).any():
            allocations = _allocations(vantages, messages, extra, read, level, pools)
            for resolver in resolvers:
                resolver.allocations = allocations
    for resolver in resolvers:
        resolver.count()
    resolved = [replace(one, flows=resolver.flows) for one, resolver in zip(vantages, resolvers, strict=True)]
    return Relays(allocations, resolved)


def _allocations(
    vantages: Sequence[Vantage], messages: Table, extra: dict[str, Any], read: Reader, level: int, pools: Pools
) -> Allocations:
    """TURN state from the messages down to a depth."""
    numbers = pools.texts.numbers(METHODS)
    rows = np.flatnonzero(np.isin(messages["method"], numbers) & (extra["depth"] <= level))
    own = messages.take(rows)
    correlated = correlate(list(vantages), own, extra["transmit_counter"][rows], pools)
    ends = {pools.texts.number(vantage.name): vantage.last_time for vantage in vantages}
    return find_allocations(
        correlated,
        own,
        extra["has_more"][rows],
        extra["depth"][rows],
        lambda row: read(int(rows[row])),
        ends,
        pools,
    )


def mark_legs(messages: Table, leg: Any, depth: Any) -> None:
    """At a relay, or between relays, the same message is seen twice: it comes in on one leg, and goes out on another.

    Both legs have the same addresses, those of the relay and of its peer.  The leg on which a message was seen first is
    the one that counts, retransmissions included: the other has the same, or less if the relay dropped some.
    `leg` is for each message the flow of its outermost packet.
    """
    inside = np.flatnonzero((depth > 0) & ~messages["duplicate"])
    if not len(inside):
        return
    # Only ids that travelled inside TURN, and the same ids elsewhere.
    ids, _ = group(*in_halves(messages["transaction_id"]))
    rows = np.flatnonzero(np.isin(ids, values_in(ids[inside])) & ~messages["duplicate"])
    rows = rows[np.argsort(messages["time"][rows], kind="stable")]
    names = ("vantage", "src", "dst", "class", "method", "transport")
    message, count = group(ids[rows], *(messages[name][rows] for name in names))
    first = first_of(message, count)
    messages["duplicate"][rows[leg[rows] != leg[rows[first[message]]]]] = True
