"""By how much the clock of a log differs from that of the captures, from what both saw.

A message that both name by its transaction id gives the difference itself.  Without one, order bounds it: a
server-reflexive candidate is told of after the answer that brought it, `connected` after a check was answered; checks
to a candidate begin after it was added.  Between what must have come before and what must have come after lies the
offset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from stunpcap.ice.pairs import Directed
from stunpcap.ice.transactions import KIND, OUT, Correlated
from stunpcap.record import record
from stunpcap.signalling.model import LOCAL, NO_CLOCK, OF_DAY, REMOTE, UTC, OfferedCandidate, Source
from stunpcap.table import MISSING, NAT, Table, hex_id

MOST = 10_000
"""Messages of a log that are looked for in the captures."""
USUAL, NEAR = 3 * 10**6, 10**8
"""How late a line of a log usually is, and how far apart bounds are at most that both are good."""
SURE = 2 * 10**9
"""Two clocks that agree as far as one bound tells are taken to agree if that bound is as near as this."""
WAITING = 20 * 10**6
"""How long a check usually waits for its turn."""
DAY = 86400 * 10**9
_CONNECTED = ("connected", "completed")
_ASKING = [KIND["gather"], KIND["allocate"], KIND["keepalive"]]


@record
class Offset:
    """What to add to a log's times, in nanoseconds."""

    ns: int
    error_ns: int
    """MISSING where only one side is bounded."""
    why: str


class Clocks:
    """The offset of each source and connection, as far as it is known."""

    def __init__(self) -> None:
        self._offsets: dict[tuple[str, str], Offset] = {}

    def set(self, source: Source, agent: str, offset: Offset) -> None:
        """Keep an offset."""
        self._offsets[source.name, agent] = offset

    def get(self, source: Source, agent: str) -> Offset | None:
        """The offset of a connection; that of another of the same file will do."""
        found = self._offsets.get((source.name, agent))
        if found is None:
            found = next((one for key, one in self._offsets.items() if key[0] == source.name), None)
        return found

    def moment(self, source: Source, agent: str, time: int) -> int:
        """A time of the source on the clock of the captures; `NAT` if that cannot be told."""
        if time == NAT or source.clock == NO_CLOCK:
            return NAT
        offset = self.get(source, agent)
        if offset is None:
            return time if source.clock == UTC else NAT
        return time + offset.ns


def exact(source: Source, messages: Table) -> Offset | None:
    """From messages that the source names by transaction id: of all that the captures have, the middle difference."""
    wanted: dict[str, list[int]] = {}
    for one in source.exchanged[:MOST]:
        if one.time != NAT and one.transaction_id:
            wanted.setdefault(f"{one.transaction_id} {one.kind}", []).append(one.time)
    if not wanted:
        return None
    kinds = ("request", "indication", "success", "error")
    seen: dict[str, list[int]] = {}
    columns = (messages["transaction_id"].tolist(), messages["class"].tolist(), messages["time"].tolist())
    for words, kind, time in zip(*columns, strict=True):
        key = f"{hex_id(words)} {kinds[kind]}"
        if key in wanted:
            seen.setdefault(key, []).append(time)
    # A message that was sent again stands several times in both; the first of each belong together.
    differences = sorted(min(seen[key]) - min(times) for key, times in wanted.items() if key in seen)
    if not differences:
        return None
    middle = int(median(differences))
    spread = max(abs(differences[len(differences) // 10] - middle), abs(differences[-len(differences) // 10] - middle))
    return Offset(middle, max(spread, 10**6), f"{len(differences)} transaction ids")


@record
class Wire:
    """What the captures have of the sessions of one connection."""

    correlated: Correlated
    directed: Directed
    handshakes: Table
    sessions: tuple[int, ...]
    """From 1."""
    ours: tuple[tuple[int, int], ...]
    """Session and side of the agent that the connection speaks for, where that is known."""
    ufrags: Mapping[int, tuple[str, str]]
    """Session -> its two username fragments."""


def bounded(
    source: Source, agent: str, candidates: Sequence[OfferedCandidate], ends: Sequence[int], wire: Wire
) -> Offset | None:
    """From the order of events and packets.

    Parameters
    ----------
    candidates
        Those of this connection, with their times.
    ends
        The number of each one's endpoint; MISSING for those without address.
    """
    if source.clock == NO_CLOCK or not wire.sessions:
        return None
    pairs = wire.directed.table
    mine = np.isin(pairs["session_id"], wire.sessions)
    if not mine.any():
        return None
    start = int(pairs["first_time"][mine].min())
    day = start // DAY * DAY if source.clock == OF_DAY else 0
    low, high = Bounds(max), Bounds(min)
    for candidate, at in zip(candidates, ends, strict=True):
        if candidate.time == NAT or at < 0:
            continue
        time = candidate.time + day
        if candidate.side == LOCAL and candidate.type == "srflx":
            low.add(_first_told(wire.correlated, at), time, "answers of STUN servers", CLOSE)
        elif candidate.side != LOCAL:
            to, back = (mine & (pairs[name] == at) for name in ("dst", "src"))
            first = int(pairs["first_time"][to].min()) if to.any() else NAT
            if not back.any() or int(pairs["first_time"][back].min()) > first:
                high.add(first, time, "first checks to added candidates", LOOSE)
    for description in source.descriptions:
        if description.agent == agent and description.side == REMOTE and description.time != NAT:
            for ufrag, _ in description.credentials():
                high.add(_first_asked(wire, ufrag), description.time + day, "checks after a remote description", LOOSE)
    for event in source.events:
        if event.agent == agent and event.time != NAT and event.detail in _CONNECTED:
            time = event.time + day
            if event.what == "iceconnectionstatechange":
                low.add(_first_answer(wire, mine), time, "the first answered check", LOOSE)
            elif event.what == "connectionstatechange":
                of = np.isin(wire.handshakes["session_id"], wire.sessions) & (wire.handshakes["finished"] != NAT)
                done = wire.handshakes["finished"][of]
                # One end is done before the other's last flight is on its way: by a round trip at most.
                trip = np.nan_to_num(pairs["rtt_median_s"][mine]).max(initial=0.0)
                ended = int(done.min()) - int(trip * 1e9) if len(done) else NAT
                low.add(ended, time, "the end of the DTLS handshake", CLOSE)
    return _between(low, high, day, source.clock == UTC)


CLOSE, LOOSE = True, False
"""Whether a log is written within a few milliseconds of what it is compared with."""


class Bounds:
    """Differences that the offset cannot be below, or above; the narrowest counts."""

    def __init__(self, narrowest: Callable[[Iterable[tuple[int, bool, str]]], tuple[int, bool, str]]) -> None:
        self._narrowest = narrowest
        self._all: list[tuple[int, bool, str]] = []

    def add(self, captured: int, logged: int, why: str, close: bool) -> None:
        """Compare one time of the captures with one of the log."""
        if captured != NAT:
            self._all.append((captured - logged, close, why))

    def best(self) -> tuple[int, bool, str] | None:
        """The narrowest difference, whether it is a close one, and what it is from."""
        return self._narrowest(self._all) if self._all else None


def _first_told(correlated: Correlated, at: int) -> int:
    """The first answer of a server that told this address."""
    table = correlated.table
    rows = (table["outcome"] == OUT["success"]) & (table["mapped"] == at) & np.isin(table["kind"], _ASKING)
    times = table["response_time"][rows]
    return int(times.min()) if len(times) else NAT


def _first_asked(wire: Wire, ufrag: str) -> int:
    """The first check to the agent of this name: nobody can send one without its description."""
    pairs, side = wire.directed.table, wire.directed.side
    first = [NAT]
    for session, names in wire.ufrags.items():
        if ufrag in names:
            rows = (pairs["session_id"] == session) & (side == 1 - names.index(ufrag))
            first += pairs["first_time"][rows].tolist()
    return min((time for time in first if time != NAT), default=NAT)


def _first_answer(wire: Wire, mine: Any) -> int:
    """The first success that an agent had: ours, if it is known which that is."""
    directed, table = wire.directed, wire.correlated.table
    if wire.ours:
        sides = zip(directed.table["session_id"].tolist(), directed.side.tolist(), strict=True)
        mine = mine & np.array([side in wire.ours for side in sides], np.bool_)
    checks = np.isin(directed.of_transaction, np.flatnonzero(mine)) & (table["outcome"] == OUT["success"])
    times = table["response_time"][checks]
    return int(times.min()) if len(times) else NAT


def _agree(at_least: int | None, at_most: int | None) -> bool:
    """Nothing says that the clocks differ, and one bound at least is near."""
    near = min(abs(one) for one in (at_least, at_most) if one is not None) <= SURE
    return near and (at_least is None or at_least <= USUAL) and (at_most is None or at_most >= -USUAL)


def _between(low: Bounds, high: Bounds, day: int, utc: bool) -> Offset | None:
    """The offset between two bounds.

    Where clocks that count from 1970 may agree, they are taken to agree.
    """
    lowest, highest = low.best(), high.best()
    if lowest and highest and lowest[0] > highest[0] + USUAL:
        lowest = None  # the capture began later than the call: what it has first was not the first
    if lowest is None and highest is None:
        return None
    why = " and ".join(one[2] for one in (lowest, highest) if one)
    at_least = lowest[0] if lowest else None
    at_most = highest[0] if highest else None
    if utc and _agree(at_least, at_most):
        best = 0
    elif at_least is None:
        assert at_most is not None
        best = at_most - WAITING
    elif at_most is None:
        best = at_least + USUAL
    elif lowest and (lowest[1] or at_most - at_least < NEAR):
        best = min(at_least + USUAL, (at_least + at_most) // 2)
    else:
        best = at_most - USUAL
    if at_least is None or at_most is None:
        return Offset(best + day, MISSING, why)
    return Offset(best + day, max(abs(best - at_least), abs(at_most - best)) + 10**6, why)
