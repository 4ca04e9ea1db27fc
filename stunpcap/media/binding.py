"""Whose it is: the session and pair that two endpoints belong to at a time.

Endpoints that several sessions use in turn, as after an ICE restart, belong to the one whose checks began last before
the time in question; what came before all of them belongs to the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, group, minimum_in, pick
from stunpcap.table import MISSING, Table

NEVER = int(np.iinfo(np.int64).max)


class Binding:
    """The pairs of a trace, to be asked for two ends and a time."""

    def __init__(self, pairs: Table) -> None:
        session, vantage = pairs["session_id"], pairs["vantage"].astype(np.int64)
        place, count = group(session, vantage)
        began = minimum_in(place, count, pairs["first_time"], NEVER)[place]
        ends = (pairs["src"], pairs["dst"]), (pairs["dst"], pairs["src"])
        self._known = [np.concatenate(both).astype(np.int64) for both in zip(*ends, strict=True)]
        self._transport = np.tile(pairs["transport"].astype(np.int64), 2)
        self._vantage, self._began = np.tile(vantage, 2), np.tile(began, 2)
        self._session, self._pair = np.tile(session, 2), np.tile(pairs["pair_id"], 2)
        nominated, count = group(session, pairs["pair_id"])
        chosen = np.zeros(count, np.bool_)
        np.logical_or.at(chosen, nominated, pairs["nominated"])
        self._nominated = np.tile(chosen[nominated], 2)
        self._has_nominated = set(session[pairs["nominated"]].tolist())

    def bind(self, ends: list[Any], time: Any) -> dict[str, Any]:
        """Columns `session_id`, `pair_id` and, as `on_nominated` has it, whether that pair was nominated.

        `ends` are columns, too: vantage, source, destination, transport.  A pair without checks at this
        vantage may be known from another.
        """
        rows = self._find(ends, time, True)
        absent = rows < 0
        rows[absent] = self._find([part[absent] for part in ends[1:]], time[absent], False)
        session = pick(self._session, rows)
        nominated = pick(self._nominated.astype(np.int8), rows)
        nominated[~np.isin(session, list(self._has_nominated))] = MISSING
        return {"session_id": session, "pair_id": pick(self._pair, rows), "on_nominated": nominated}

    def _find(self, wanted: list[Any], time: Any, by_vantage: bool) -> Ints:
        known = [*self._known, self._transport]
        known = [self._vantage, *known] if by_vantage else known
        n = len(self._session)
        if not n or not len(time):
            return np.full(len(time), -1, np.int64)
        keys, _ = group(*(np.concatenate([a, b]) for a, b in zip(known, wanted, strict=True)))
        asked = np.arange(len(keys)) >= n
        times = np.concatenate([self._began, time])
        found = _latest(keys, times, asked)
        # Before the first of them began: that one.
        early = asked & (found < 0)
        if early.any():
            found[early] = _latest(keys, -times, asked)[early]
        return found[n:]


def _latest(keys: Ints, times: Ints, asked: Any) -> Ints:
    """For each row that asks the last one before it in time that does not, of the same key; -1 if there is none."""
    order = np.lexsort((asked, times, keys))
    here = np.where(asked[order], -1, np.arange(len(order)))
    before = np.maximum.accumulate(here)
    result = np.full(len(keys), -1, np.int64)
    fits = (before >= 0) & (keys[order[before]] == keys[order])
    result[order] = np.where(fits, order[before], -1)
    return result
