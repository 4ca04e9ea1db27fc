"""Ways: each direction of each pair at each vantage, whether checks went there or not, and evidence on it collected.

The first ways are the rows of `pairs`, in the same order.  Behind them come directions in which no check was captured:
answers, or media, may have gone there all the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.evidence import KINDS, NAMES, SAYS, STRENGTH
from stunpcap.ice.columns import Ints, count_in, last_of, maximum_in, minimum_in
from stunpcap.record import record
from stunpcap.table import MISSING, NAT, Pools, Table

NEVER = int(np.iinfo(np.int64).max)
HIGH, MEDIUM, LOW = range(3)
KIND_CODE = {name: code for code, name in enumerate(NAMES)}
_STRENGTH = np.array([STRENGTH.index(kind.strength) for kind in KINDS], np.int8)
_SAYS = np.array([SAYS.index(kind.says) for kind in KINDS], np.int8)


@record
class Ways:
    """Columns of all ways."""

    rows: int
    """How many of them are rows of `pairs`."""
    session: Ints
    pair: Ints
    vantage: Ints
    src: Ints
    dst: Ints
    transport: Ints
    back: Ints
    """The way in the other direction."""

    def __len__(self) -> int:
        return len(self.src)


def find_ways(session: Ints, pair: Ints, vantage: Ints, src: Ints, dst: Ints, transport: Ints, reverse: Ints) -> Ways:
    """All ways, from the columns of the pairs and the row of each one's other direction (-1 if there is none)."""
    rows = len(src)
    alone = np.flatnonzero(reverse < 0)
    back = reverse.copy()
    back[alone] = rows + np.arange(len(alone))
    session, pair, vantage, transport = (
        np.concatenate([column, column[alone]]) for column in (session, pair, vantage, transport)
    )
    ends = np.concatenate([src, dst[alone]]), np.concatenate([dst, src[alone]])
    return Ways(rows, session, pair, vantage, *ends, transport, np.concatenate([back, alone]))


class Clues:
    """Evidence as it is found: rows of the frame to be, one for each way, kind and other vantage."""

    def __init__(self, ways: Ways) -> None:
        self.ways = ways
        self._parts: list[dict[str, Any]] = []

    def add(
        self,
        kind: str,
        way: Ints,
        time: Ints,
        frame: Ints | None = None,
        *,
        until: Ints | None = None,
        strength: Any = None,
        counts: Ints | None = None,
        other: int = MISSING,
        as_src: Ints | None = None,
        as_dst: Ints | None = None,
    ) -> None:
        """Note observations: the way that each is about, when it was made, and its frame.

        Parameters
        ----------
        until
            Its end, where it took a while.
        strength
            For each way; default: what the kind is worth.
        counts
            How many packets each observation stands for; default: one.
        other
            The vantage whose capture it needs.
        as_src, as_dst
            What the packet looked like elsewhere; the last one counts.
        """
        if not len(way):
            return
        total = len(self.ways)
        seen = count_in(way, total)
        found = np.flatnonzero(seen)
        code = KIND_CODE[kind]
        last = last_of(way, total)[found]
        number = seen if counts is None else np.bincount(way, counts, total).astype(np.int64)
        absent = np.full(len(found), MISSING, np.int64)
        self._parts.append(
            {
                "way": found,
                "evidence": np.full(len(found), code, np.int8),
                "strength": np.full(len(found), _STRENGTH[code]) if strength is None else strength[found],
                "count": number[found],
                "first_time": minimum_in(way, total, time, NEVER)[found],
                "last_time": maximum_in(way, total, time if until is None else until, NAT)[found],
                "first_frame": absent if frame is None else minimum_in(way, total, frame, NEVER)[found],
                "last_frame": absent if frame is None else maximum_in(way, total, frame, MISSING)[found],
                "other_vantage": np.full(len(found), other, np.int64),
                "as_src": absent if as_src is None else as_src[last],
                "as_dst": absent if as_dst is None else as_dst[last],
            }
        )

    def columns(self) -> dict[str, Ints]:
        """Everything noted so far, a row each; `says` follows from the kind."""
        names = (
            *("way", "evidence", "strength", "count", "first_time", "last_time", "first_frame", "last_frame"),
            *("other_vantage", "as_src", "as_dst"),
        )
        found = {name: np.concatenate([np.zeros(0, np.int64), *(part[name] for part in self._parts)]) for name in names}
        found["says"] = _SAYS[found["evidence"].astype(np.int64)]
        return found

    def table(self, pools: Pools) -> Table:
        """The frame `evidence`, in the order of the pairs, each with the strongest first."""
        found = self.columns()
        ways, way = self.ways, found.pop("way").astype(np.int64)
        order = np.lexsort(
            (found["other_vantage"], found["evidence"], found["strength"], way, ways.pair[way], ways.vantage[way])
        )
        way = way[order]
        return Table(
            "evidence",
            len(way),
            pools,
            {
                "session_id": ways.session[way] + 1,
                "pair_id": ways.pair[way] + 1,
                "vantage": ways.vantage[way],
                "src": ways.src[way],
                "dst": ways.dst[way],
                **{name: values[order] for name, values in found.items()},
            },
        )


def until(groups: Ints, times: Ints, at_groups: Ints, at_times: Ints) -> Ints:
    """For each place and time how many of the given times of the same group are not later."""
    rows = np.concatenate([groups, at_groups])
    when = np.concatenate([times, at_times])
    asks = np.arange(len(rows)) >= len(groups)
    order = np.lexsort((asks, when, rows))
    before = np.cumsum(~asks[order])
    ordered = rows[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = ordered[1:] != ordered[:-1]
    starts = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    earlier = np.concatenate([[0], before])[starts]
    counts = np.empty(len(rows), np.int64)
    counts[order] = before - earlier
    return counts[len(groups) :]
