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

from stunpcap.diagnose.finding import Evidence
from stunpcap.ice.columns import Ints, find, group
from stunpcap.ice.pairs import Directed
from stunpcap.ice.place import Place
from stunpcap.schema import PLACE, column
from stunpcap.table import MISSING, NAT, Pools, Table
from stunpcap.vantage import Vantage

Mask = Any
"""A boolean NumPy array."""
SECOND = 10**9
MANY_FRAMES = 12
"""More frames than a person would look up."""


@dataclass(frozen=True)
class Facts:
    """The tables of a trace and what follows from them."""

    tables: Mapping[str, Table]
    directed: Directed
    places: Mapping[int, Place]
    sources: Sequence[Vantage]
    pools: Pools

    def __getitem__(self, name: str) -> Table:
        return self.tables[name]

    def code(self, frame: str, name: str, *levels: str) -> list[int]:
        """Codes of a category's levels, to compare a column with `np.isin`."""
        return [column(frame, name).code(level) for level in levels]

    def has(self, frame: str, name: str, *levels: str) -> Mask:
        """Which rows of a table have one of these levels in a column."""
        return np.isin(self[frame][name], self.code(frame, name, *levels))

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

    def pair_named(self, session: Any, src: Any, dst: Any) -> Ints:
        """A row of `pairs` for each session and direction; -1 where no check went there."""
        pairs = self["pairs"]
        return find((session, src, dst), (pairs["session_id"], pairs["src"], pairs["dst"]))

    # What was seen

    def show(self, said: str, row: int, *frames: int) -> Evidence:
        """Evidence from the capture of a row of `pairs`."""
        return Evidence(said, self.name_of(int(self["pairs"]["vantage"][row])), known(frames))

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


def first_time(*times: int) -> int:
    """The earliest of several times, some of which may be missing."""
    present = [int(time) for time in times if time != NAT]
    return min(present, default=NAT)


def or_missing(value: Any) -> int:
    """A number that a column holds, as a Python integer."""
    return MISSING if value is None else int(value)
