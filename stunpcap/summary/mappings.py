"""How others saw local addresses: what is known of NATs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.ice.columns import Ints, count_in, first_of, group
from stunpcap.schema import MAPPING
from stunpcap.sorting import in_order, ordered_by
from stunpcap.summary.around import Around, taken_there
from stunpcap.summary.columns import bounds, split
from stunpcap.summary.crowd import choose, few
from stunpcap.summary.model import Mapping, Seen
from stunpcap.summary.model_captures import Capture
from stunpcap.summary.words import BEHAVIOUR
from stunpcap.table import Table

_MOST_TELLING = ("address-and-port-dependent", "address-dependent", "endpoint-independent", "unknown", "none")
_RANK = np.array([_MOST_TELLING.index(behaviour) for behaviour in MAPPING])


def build_mappings(
    mappings: Table, captures: tuple[Capture, ...], about: Around
) -> tuple[tuple[Mapping, ...], dict[str, int]]:
    """One entry a local address and capture, what troubles ICE most first; and the number of each behaviour.

    Of bare clients, which no session knows, those are listed that trouble ICE most, and whose own host captured.
    """
    bases, count = group(mappings["vantage"], mappings["base"])
    if not count:
        return (), {}
    first = first_of(bases, count)
    rank, session = _RANK[mappings["behaviour"][first]], mappings["session_id"]
    wanted = about.any_in(bases, count, (session == about.number) | about.ends[mappings["base"]])
    order = ordered_by(rank, first)
    order = order[wanted[order]]
    far = ~taken_there(captures, mappings, "base")[first]
    listed = choose(order, count_in(bases, count, session > 0) > 0, rank, far)
    numbers = np.bincount(rank[order], minlength=len(_MOST_TELLING)).tolist()
    behaviours = {name: number for name, number in zip(_MOST_TELLING, numbers, strict=True) if number}

    place = np.full(count, -1)
    place[listed] = np.arange(len(listed))
    rows = np.flatnonzero(place[bases] >= 0)
    rows = rows[in_order(place[bases[rows]])]
    return tuple(_listed(mappings.take(rows), place[bases[rows]], len(listed), about)), behaviours


def _listed(mappings: Table, bases: Ints, count: int, about: Around) -> Iterator[Mapping]:
    """Entries for the rows of `mappings`, which are in order of their bases (0 to `count` - 1)."""
    alike = few(bases, count, mappings["mapped"])
    seen = _seen(mappings, bases, alike.rows, about)
    known = np.flatnonzero(mappings["session_id"] > 0)
    numbers, several = group(bases[known], mappings["session_id"][known])
    known = known[first_of(numbers, several)]
    sessions = split(bounds(bases[known], count), mappings["session_id"][known].tolist())
    shown = mappings.take(first_of(bases, count))
    columns = (shown.values(name) for name in ("vantage", "base", "behaviour"))
    for vantage, base, behaviour, own, told, total in zip(
        *columns, sessions, alike.split(seen), alike.totals, strict=True
    ):
        yield Mapping(vantage, base, behaviour, BEHAVIOUR[behaviour], own, told, total)


def _seen(mappings: Table, bases: Ints, rows: Ints, about: Around) -> list[Seen]:
    """What the bases of `rows` were seen as there, and by whom: of very many by agents of sessions first."""
    numbers, count = group(bases, mappings["mapped"])
    place = np.full(count, -1)
    place[numbers[rows]] = np.arange(len(rows))
    told = place[numbers]
    there = np.flatnonzero(told >= 0)
    others = mappings["dst"][there]
    by = few(told[there], len(rows), others, about.ends[others])
    who = by.split(mappings.pools.endpoints.texts(others[by.rows].tolist()))
    shown = mappings.take(rows)
    columns = (shown.values(name) for name in ("mapped", "translated", "port_kept", "first_frame"))
    return [
        Seen(mapped, translated, kept, some, total, frame)
        for mapped, translated, kept, frame, some, total in zip(*columns, who, by.totals, strict=True)
    ]
