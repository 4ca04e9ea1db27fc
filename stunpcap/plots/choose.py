"""What a plot is about: which session, whose capture of it, and which requests to servers belong to it.

A plot shows one session: the one asked for, or the one that a summary tells first, a failed one if there is any.  Of
several captures of a direction, the one at its sender knows most: what was sent, and which answers came back.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import numpy as np

from stunpcap.errors import UsageError
from stunpcap.ice.columns import Ints
from stunpcap.record import record
from stunpcap.schema import SESSION_STATE
from stunpcap.summary import summarise
from stunpcap.summary.model import Direction, Pair, Session
from stunpcap.summary.pairs_text import mark_of
from stunpcap.summary.sessions import WORST_FIRST, host
from stunpcap.table import NAT, Table

if TYPE_CHECKING:
    from stunpcap.trace import Trace

GATHERING_BEFORE = 60 * 10**9
"""How long before its first check (ns) a request to a server may still belong to a session, ports being unknown."""
CANDIDATE_ORDER = ("host", "srflx", "prflx", "relay", "unknown")


@record
class Way:
    """One direction of a pair, and the capture that tells of it."""

    vantage: str
    at_sender: bool
    """The capture was taken at the host that sends."""
    seen: Direction


@record
class BothWays:
    """A pair with what the chosen captures tell of its two directions."""

    pair: Pair
    a_type: str
    b_type: str
    nominated: bool
    selected: bool
    a_to_b: Way | None
    b_to_a: Way | None


def choose_session(trace: Trace, session: int | None) -> int | None:
    """The session to show; None where there is none.

    Raises
    ------
    UsageError
        There is no such session.
    """
    table = trace.tables.sessions
    numbers = table["session_id"]
    if session is not None:
        if session not in numbers:
            raise UsageError(f"there is no session {session}; the trace has {len(table)}")
        return int(session)
    if not len(table):
        return None
    rank = np.array([WORST_FIRST.index(state) for state in SESSION_STATE])[table["state"]]
    return int(numbers[np.lexsort((numbers, rank))[0]])


def check_vantage(trace: Trace, vantage: str | None) -> None:
    """Raise UsageError where there is no capture of that name."""
    known = [one.name for one in trace.sources]
    if vantage is not None and vantage not in known:
        raise UsageError(f"there is no vantage {vantage!r}; there are {', '.join(known)}")


_last: weakref.WeakKeyDictionary[Trace, Session] = weakref.WeakKeyDictionary()
"""The session of a trace that was told last: a plot and its frame ask one after the other."""


def session_of(trace: Trace, number: int) -> Session:
    """A session with its agents and pairs, as summaries tell it."""
    if (known := _last.get(trace)) is None or known.session_id != number:
        known = _last[trace] = summarise(trace.select(session=number)).sessions[0]
    return known


def start_of(trace: Trace, number: int) -> int:
    """The time of a session's first check, in ns."""
    table = trace.tables.sessions
    return int(table["start"][table["session_id"] == number][0])


def addresses_at(trace: Trace) -> dict[str, frozenset[str]]:
    """Capture -> the addresses of the host it was taken at; captures taken between hosts have none."""
    table = trace.tables.vantages
    return {
        name: frozenset(at.split(", ")) if place == "endpoint" else frozenset()
        for name, at, place in zip(table.values("vantage"), table.values("at"), table.values("place"), strict=True)
    }


def places_between(trace: Trace) -> frozenset[str]:
    """Captures that were taken between the agents' hosts."""
    table = trace.tables.vantages
    both = zip(table.values("vantage"), table.values("place"), strict=True)
    return frozenset(name for name, place in both if place == "between")


def main_vantage(trace: Trace, number: int) -> str:
    """The capture taken at an agent, if there is one, that holds most of a session's transactions."""
    table, vantages = trace.tables.transactions, trace.tables.vantages
    held = table["vantage"][table["session_id"] == number]
    counts = [int(np.count_nonzero(held == text)) for text in vantages["vantage"].tolist()]
    names, places = vantages.values("vantage"), vantages.values("place")
    order = sorted(range(len(names)), key=lambda at: (counts[at] == 0, places[at] != "endpoint", -counts[at]))
    name: str = names[order[0]]
    return name


def both_ways(trace: Trace, session: Session, vantage: str | None) -> list[BothWays]:
    """The pairs of a session, those that worked first, each with the best capture of either direction."""
    at = addresses_at(trace)
    by_pair: dict[int, list[Pair]] = {}
    for pair in session.pairs:
        if vantage in (None, pair.vantage):
            by_pair.setdefault(pair.pair_id, []).append(pair)
    found = []
    for pairs in by_pair.values():
        ways = [_best([(pair.vantage, getattr(pair, name)) for pair in pairs], at) for name in ("a_to_b", "b_to_a")]
        found.append(
            BothWays(
                pairs[0],
                next((pair.a_type for pair in pairs if pair.a_type != "unknown"), "unknown"),
                next((pair.b_type for pair in pairs if pair.b_type != "unknown"), "unknown"),
                any(pair.nominated for pair in pairs),
                any(pair.selected for pair in pairs),
                *ways,
            )
        )
    return found


def shown_state(way: Direction) -> str:
    """The row of `PAIR_STATES` for a direction."""
    if mark_of(way) == "warn":
        return "silent"
    return "arrived" if way.state == "failed" and way.path in ("delivered", "rewritten") else way.state


def _best(seen: list[tuple[str, Direction | None]], at: dict[str, frozenset[str]]) -> Way | None:
    """The capture at the sender; else one that came to a conclusion; else the one with most checks."""
    ways = [Way(vantage, host(way.src) in at[vantage], way) for vantage, way in seen if way is not None]
    return max(
        ways,
        key=lambda way: (way.at_sender, way.seen.state != "in-progress", way.seen.requests_sent),
        default=None,
    )


def asked_servers(trace: Trace, session: int | None) -> Table:
    """Transactions with STUN and TURN servers: of a session's agents, or all.

    Such requests name no session.  They are a session's if they left from one of its candidates, or from one of its
    hosts and from an address that no session has, in the minute before its first check and up to its end.

    Raises
    ------
    UsageError
        There is no such session.
    """
    session = choose_session(trace, session) if session is not None else None
    tables = trace.tables
    table = tables.transactions
    kinds = table.schema["kind"].levels
    to_server = ~np.isin(table["kind"], [kinds.index("check"), kinds.index("consent")]) & (table["session_id"] < 0)
    if session is None:
        return table.take(to_server)
    own, others = _endpoints(trace, session)
    row = tables.sessions["session_id"] == session
    start, end = int(tables.sessions["start"][row][0]), int(tables.sessions["end"][row][0])
    time = np.where(table["first_time"] == NAT, table["response_time"], table["first_time"])
    near = to_server & (time >= start - GATHERING_BEFORE) & (time <= end)
    senders = np.setdiff1d(table["src"][near], others)
    words = table.pools.endpoints.words
    hosts = {words[number, :4].tobytes() for number in own.tolist()}
    beside = senders[[words[number, :4].tobytes() in hosts for number in senders.tolist()]]
    return table.take(to_server & np.isin(table["src"], own) | near & np.isin(table["src"], beside))


def _endpoints(trace: Trace, session: int) -> tuple[Ints, Ints]:
    """Addresses that candidates of the session have, and those that other sessions' have."""
    tables = trace.tables
    places = ((tables.candidates, ("address", "base")), (tables.pairs, ("src", "dst")))
    found = []
    for wanted in (True, False):
        parts = [table[name][(table["session_id"] == session) == wanted] for table, names in places for name in names]
        found.append(np.unique(np.concatenate(parts)))
    own, others = (one[one >= 0] for one in found)
    return own, others
