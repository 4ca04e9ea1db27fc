"""What rules look at: the tables, and what several rules want to know of their rows.

Rules ask with masks over whole tables and loop only over what they found, so that a capture of a hundred thousand
healthy sessions costs little more than one of ten.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stunpcap.course.sessions import Course
from stunpcap.diagnose.addresses import Addresses, Mask
from stunpcap.diagnose.finding import Evidence
from stunpcap.ice.columns import Ints, find, group
from stunpcap.ice.pairs import Directed
from stunpcap.ice.place import Place
from stunpcap.ice.ways import NEVER
from stunpcap.record import record
from stunpcap.schema import CONFIDENCE, PLACE
from stunpcap.table import MISSING, NAT, Pools, Table
from stunpcap.vantage import Vantage

SECOND = 10**9
LATE = 5 * SECOND
TRIES, LASTED = 3, 2 * SECOND
"""Transmissions without an answer, and the time that they took, from which on they are worth a word."""
MANY_FRAMES = 12
"""More frames than a person would look up."""


@record
class Refusals:
    """Rows of `icmp` that are about a pair, and the rows of `pairs` that they are about."""

    error: Ints
    row: Ints

    def of(self, rows: Ints) -> Ints:
        """Rows of `icmp` about these rows of `pairs`."""
        found: Ints = self.error[np.isin(self.row, rows)]
        return found


@dataclass(frozen=True)
class Facts(Addresses):
    """The tables of a trace and what follows from them."""

    tables: Mapping[str, Table]
    directed: Directed
    course: Course
    of_message: Ints
    """For each message its transaction; -1 for indications."""
    places: Mapping[int, Place]
    sources: Sequence[Vantage]
    pools: Pools

    def have(self, frame: str, rows: Ints, name: str, *levels: str) -> Mask:
        """The same for some rows: for those who ask often."""
        return np.isin(self[frame][name][rows], self.code(frame, name, *levels))

    # Words

    def text(self, endpoint: int) -> str:
        """Address and port."""
        return self.pools.endpoints.text(endpoint)

    def host(self, endpoint: int) -> str:
        """The address alone."""
        return self.pools.endpoints.address(endpoint)

    def word(self, text: int) -> str:
        """A text by its number; empty if missing."""
        return self.pools.texts.values[text] if text >= 0 else ""

    def name_of(self, vantage: int) -> str:
        """A capture's name by the number in a column `vantage`."""
        return self.pools.texts.values[vantage]

    # Sessions

    def session_is(self, *states: str) -> Mask:
        """Which sessions are in one of these states."""
        return self.has("sessions", "state", *states)

    @functools.cached_property
    def not_working(self) -> Mask:
        """Which sessions have no pair that works, though it was tried."""
        return self.session_is("failed", "disconnected", "checking")

    @functools.cached_property
    def working(self) -> Mask:
        """Which sessions have, or had until an agent ended them, a pair that works."""
        return self.session_is("connected", "closed")

    @functools.cached_property
    def once_connected(self) -> Mask:
        """Which sessions had a pair that worked, whatever became of it."""
        return self.session_is("connected", "closed", "disconnected")

    @functools.cached_property
    def begin_seen(self) -> Mask:
        """Of which sessions the beginning was captured."""
        seen: Mask = self.course.begin_seen
        return seen

    def in_session(self, frame: str, sessions: Mask) -> Mask:
        """Which rows of a table belong to one of these sessions."""
        number = self[frame]["session_id"]
        chosen = np.concatenate([np.asarray(sessions, np.bool_), [False]])
        picked: Mask = chosen[np.where(number >= 1, number - 1, len(chosen) - 1)]
        return picked

    # Pairs

    @property
    def side(self) -> Any:
        """For each row of `pairs` which agent sends: 0 for A, 1 for B."""
        return self.directed.side

    @property
    def reverse(self) -> Ints:
        """For each row of `pairs` the row of the other direction in the same capture; -1 if there is none."""
        return self.directed.reverse

    @functools.cached_property
    def at_src(self) -> Mask:
        """Rows of `pairs` in a capture that was taken at the sender."""
        return self._at("src")

    @functools.cached_property
    def at_dst(self) -> Mask:
        """Rows of `pairs` in a capture that was taken at the receiver."""
        return self._at("dst")

    def _at(self, end: str) -> Mask:
        pairs, address_of = self["pairs"], self.pools.endpoints.addresses
        found = np.zeros(len(pairs), np.bool_)
        for number, place in self.places.items():
            if place.place == PLACE.index("endpoint"):
                found |= (pairs["vantage"] == number) & np.isin(address_of[pairs[end]], list(place.local))
        return found

    @functools.cached_property
    def _checks(self) -> tuple[Ints, Ints]:
        """Transactions ordered by their row of `pairs` and by time, and where each row's begin."""
        of = self.directed.of_transaction
        order = np.lexsort((self["transactions"]["first_time"], of))
        return order, np.searchsorted(of[order], np.arange(len(self["pairs"]) + 1))

    def checks_of(self, row: int) -> Ints:
        """The transactions of a row of `pairs`, in order of time."""
        order, starts = self._checks
        return order[starts[row] : starts[row + 1]]

    @functools.cached_property
    def in_vain(self) -> Mask:
        """Rows of `pairs` with three transmissions and more over two seconds and more, and no answer of any kind.

        Evidence grows with what is captured: it needs no timer to run out.
        """
        pairs = self["pairs"]
        heard = pairs["responses_received"] + pairs["errors_received"] + pairs["other_address"] > 0
        lasted = pairs["last_time"] - pairs["first_time"]
        tried: Mask = (pairs["transmissions"] >= TRIES) & (lasted >= LASTED) & ~heard
        return tried

    @functools.cached_property
    def refused_late(self) -> Mask:
        """Rows of `pairs` with nothing but refusals, which came long after the first check: those of an agent that
        ends.

        Until then there was silence.
        """
        pairs, table = self["pairs"], self["transactions"]
        row = self.directed.of_transaction
        refused = np.flatnonzero((row >= 0) & (table["error_code"] >= 0) & (table["response_time"] > NAT))
        first = np.full(len(pairs), NEVER, np.int64)
        np.minimum.at(first, row[refused], table["response_time"][refused])
        np.minimum.at(first, self.refusals.row, self["icmp"]["time"][self.refusals.error])
        heard = pairs["responses_received"] + pairs["other_address"] > 0
        late: Mask = ~heard & (first < NEVER) & (first - pairs["first_time"] >= LATE)
        return late

    @functools.cached_property
    def refusals(self) -> Refusals:
        """ICMP errors that say that a packet between two ends of a pair was lost, whatever it held."""
        icmp, pairs = self["icmp"], self["pairs"]
        errors = np.flatnonzero(icmp["refused"] & (icmp["session_id"] >= 1))
        row = find(
            [icmp[name][errors] for name in ("session_id", "vantage", "src", "dst", "transport")],
            [pairs[name] for name in ("session_id", "vantage", "src", "dst", "transport")],
        )
        return Refusals(errors[row >= 0], row[row >= 0])

    def path_confidence(self, row: int) -> int:
        """How sure the `path` of a row of `pairs` is."""
        pairs = self["pairs"]
        known = int(pairs["path_confidence"][row]) if "path_confidence" in pairs.schema else MISSING
        return known if known != MISSING else CONFIDENCE.index("medium")

    @functools.cached_property
    def _count_of(self) -> Ints:
        """For each transaction what its last request says of unanswered checks (libwebrtc's 0xFF00)."""
        messages, of = self["messages"], self.of_message
        counts = np.full(len(self["transactions"]), MISSING, np.int64)
        rows = np.flatnonzero((messages["retransmit_count"] >= 0) & (messages["class"] == 0) & (of >= 0))
        counts[of[rows]] = messages["retransmit_count"][rows]
        return counts

    def unanswered_counts(self, row: int) -> Ints:
        """What the sender of a row of `pairs` said in its checks of how many had no answer so far."""
        counts = self._count_of[self.checks_of(row)]
        return counts[counts >= 0]

    @functools.cached_property
    def _rows_by_ends(self) -> dict[tuple[int, int, int], list[int]]:
        pairs, found = self["pairs"], dict[tuple[int, int, int], list[int]]()
        for row, key in enumerate(zip(*(pairs[name].tolist() for name in ("session_id", "src", "dst")), strict=True)):
            found.setdefault(key, []).append(row)
        return found

    def row_between(self, session: int, src: int, dst: int) -> int:
        """The row of `pairs` of a session from one address to another, in the capture that saw most of its checks.

        -1 if no check went there.
        """
        sent = self["pairs"]["requests_sent"]
        return max(self._rows_by_ends.get((session, src, dst), []), key=lambda row: int(sent[row]), default=MISSING)

    @functools.cached_property
    def _sessions_of(self) -> dict[int, set[int]]:
        found: dict[int, set[int]] = {}
        for frame, ends in (("pairs", ("src", "dst")), ("candidates", ("address", "base"))):
            table = self[frame]
            for end in ends:
                for endpoint, session in zip(table[end].tolist(), table["session_id"].tolist(), strict=True):
                    found.setdefault(endpoint, set()).add(session)
        return found

    def sessions_at(self, endpoint: int) -> set[int]:
        """The sessions that have an endpoint in a pair, or as a candidate or its base."""
        return self._sessions_of.get(endpoint, set()) if endpoint >= 0 else set()

    # What was seen

    def show(self, said: str, row: int, *frames: int) -> Evidence:
        """Evidence from the capture of a row of `pairs`."""
        return Evidence(said, self.name_of(int(self["pairs"]["vantage"][row])), known(frames))

    def shown_in(self, said: str, vantage: int, *frames: int) -> Evidence:
        """Evidence from a capture, by its number in columns `vantage`."""
        return Evidence(said, self.name_of(vantage), known(frames))

    def shown_by(self, said: str, frame: str, row: int, *frames: int) -> Evidence:
        """Evidence from the capture of a row of any table with a column `vantage`."""
        return Evidence(said, self.name_of(int(self[frame]["vantage"][row])), known(frames))


def known(frames: Sequence[int]) -> tuple[int, ...]:
    """Frame numbers in order, each once, without missing ones, and not too many."""
    return tuple(sorted({int(frame) for frame in frames if frame > 0}))[:MANY_FRAMES]


def groups(mask: Mask, *keys: Any) -> Iterator[Ints]:
    """Rows of a mask that agree in all keys, group after group, in order of each group's first row."""
    rows = np.flatnonzero(mask)
    if not len(rows):
        return
    number, count = group(*(np.asarray(key)[rows] for key in keys))
    order = np.argsort(number, kind="stable")
    parts = np.split(rows[order], np.cumsum(np.bincount(number, minlength=count))[:-1])
    yield from sorted(parts, key=lambda part: int(part[0]))
