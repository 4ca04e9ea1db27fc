"""What several captures know together: the same message seen in two of them, or in one and never in the other.

A transaction id and the message's class name a message wherever it is captured, whatever NATs made of its addresses.
No clocks are compared: that a capture was running is known from messages before and after that are in both, and which
of two captures is further on the way from their places, or from the time to live, which only falls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, count_in, find, first_of, group, maximum_in, pick
from stunpcap.ice.evidence import REPEATED, flow_counts
from stunpcap.ice.place import Place
from stunpcap.ice.transactions import OUT, REQUEST, SUCCESS, Correlated
from stunpcap.ice.ways import HIGH, LOW, MEDIUM, Clues
from stunpcap.schema import CONFIDENCE, PLACE
from stunpcap.table import NAT, Pools, Table, in_halves
from stunpcap.vantage import Vantage
from stunpcap.wire import counters as kinds

MEDIA = ((kinds.N_RTP, kinds.N_RTCP), (kinds.N_DTLS,))
"""Counters of what may be lost where checks cross: each row is judged by itself."""


@dataclass(slots=True, eq=False, repr=False)
class _Seen:
    """First copies of messages in one capture."""

    row: Ints
    """For each distinct message its first row; -1 where this capture does not have it."""
    rows: Ints
    """All rows of this capture, retransmissions included."""
    number: int
    """Text number of the vantage."""
    ends: Any
    """Which endpoints are at the host that captured, or on its link; none where the place is not clear."""
    near: Any
    """The same, and those of which only packets they sent were captured."""


def compare(
    clues: Clues,
    way_of: Ints,
    correlated: Correlated,
    messages: Table,
    vantages: list[Vantage],
    places: dict[int, Place],
    pools: Pools,
) -> None:
    """Note what follows from reading captures together.

    Parameters
    ----------
    way_of
        Way of each transaction's requests; -1 for those that are no checks.
    """
    if len(vantages) < 2:
        return
    rows = np.flatnonzero((correlated.of_message >= 0) & ~messages["duplicate"])
    rows = rows[way_of[correlated.of_message[rows]] >= 0]
    if not len(rows):
        return
    ways = clues.ways
    ids = in_halves(messages["transaction_id"][rows])
    numbers, count = group(messages["class"][rows], messages["method"][rows], *ids)
    name = np.full(len(messages), -1, np.int64)
    name[rows] = numbers
    session = ways.session[way_of[correlated.of_message[rows]]]
    here = [messages[column][rows] for column in ("vantage", "src", "dst", "transport")]
    way = np.full(len(messages), -1, np.int64)
    way[rows] = find((session, *here), (ways.session, ways.vantage, ways.src, ways.dst, ways.transport))

    seen = []
    for number, place in places.items():
        mine = rows[messages["vantage"][rows] == number]
        ends, around = _ends(place, messages, number, pools)
        deaf = _deaf(mine, around, correlated, messages)
        seen.append(_Seen(pick(mine, first_of(name[mine], count)), mine, number, ends, around & (not deaf)))
    flows = flow_counts(ways, vantages, pools)
    for near in seen:
        for far in seen:
            common = np.flatnonzero((near.row >= 0) & (far.row >= 0))
            if near is not far and len(common):
                crossed = _note_crossed(clues, near, far, common, messages, way)
                _note_vanished(clues, near, far, common, crossed, messages, way, name)
                _note_media(
                    clues, near, far, common, crossed, messages, way, name, flows.counters * flows.alone[:, None]
                )


def _ends(place: Place, messages: Table, number: int, pools: Pools) -> tuple[Any, Any]:
    """Masks over endpoints: those of the host where a capture was taken, surely, and as far as anything tells.

    Neighbours on the host's link look the same by their time to live; but what they send to others than this host is
    not in its capture.
    """
    address_of = pools.endpoints.addresses
    local = np.zeros(len(address_of), np.bool_)
    local[list(place.local)] = True
    mine = np.flatnonzero(messages["vantage"] == number)
    src, dst = address_of[messages["src"][mine]], address_of[messages["dst"][mine]]
    own = np.zeros(len(address_of), np.bool_)
    own[src[local[src] & ~local[dst]]] = True
    own[dst[local[dst] & ~local[src]]] = True
    around = own[address_of]
    sure = place.place == PLACE.index("endpoint") and place.confidence != CONFIDENCE.index("low")
    return around & sure, around


def _deaf(rows: Ints, around: Any, correlated: Correlated, messages: Table) -> bool:
    """Whether a capture lacks what came to its own end: answers left from there, and no request was captured."""
    requests = messages["class"][rows] == REQUEST
    answers = (messages["class"][rows] >= SUCCESS) & around[messages["src"][rows]]
    orphans = correlated.table["outcome"][correlated.of_message[rows]] == OUT["orphan"]
    return bool((answers & orphans).any()) and not bool((requests & around[messages["dst"][rows]]).any())


def _note_crossed(clues: Clues, near: _Seen, far: _Seen, common: Ints, messages: Table, way: Ints) -> Ints:
    """Messages that were captured near their sender and further on; returns those of `common`, as numbers."""
    a, b = near.row[common], far.row[common]
    src, dst = messages["src"], messages["dst"]
    ttl_a, ttl_b = messages["ttl"][a], messages["ttl"][b]
    arrived = far.ends[dst[b]] & ~near.ends[dst[a]]
    left = near.ends[src[a]] & ~far.ends[src[b]]
    onward = arrived | left | ((ttl_a > ttl_b) & (ttl_b > 0))
    onward &= ~far.ends[src[b]] & ~near.ends[dst[a]] & (way[a] >= 0)
    rewritten = src[a] != src[b]
    for kind, picked in (
        ("crossed", onward & arrived & ~rewritten),
        ("crossed-rewritten", onward & arrived & rewritten),
        ("passed-by", onward & ~arrived),
    ):
        rows, there = a[picked], b[picked]
        clues.add(
            kind,
            way[rows],
            messages["time"][rows],
            messages["frame"][rows],
            other=far.number,
            as_src=src[there],
            as_dst=dst[there],
        )
    result: Ints = common[onward]
    return result


def _running(near: _Seen, far: _Seen, common: Ints, messages: Table, name: Ints) -> Ints:
    """Times in the near capture at which the far one was running: those of messages that are in both.

    Of a message sent several times all copies count if the far capture has no fewer.
    """
    copies = np.flatnonzero(np.isin(name[near.rows], common))
    sent, came = (count_in(name[one.rows], len(near.row)) for one in (near, far))
    whole = (sent <= came)[name[near.rows[copies]]]
    times: Ints = messages["time"][np.concatenate([near.row[common], near.rows[copies[whole]]])]
    return times


def _note_vanished(
    clues: Clues, near: _Seen, far: _Seen, common: Ints, crossed: Ints, messages: Table, way: Ints, name: Ints
) -> None:
    """Messages that were captured near their sender and never where they should have come by."""
    ways, total = clues.ways, len(clues.ways)
    time = messages["time"]
    both = _running(near, far, common, messages, name)
    alone = near.rows[(far.row < 0)[name[near.rows]]]
    alone = alone[(way[alone] >= 0) & (time[alone] >= both.min()) & (time[alone] <= both.max())]
    rows = near.row[crossed]
    last = maximum_in(way[rows], total, time[rows], NAT)
    # The far capture is where the way ends: at its address, or at what that looks like from here.
    there = far.row[common]
    alias = np.zeros(len(far.ends), np.bool_)
    alias[messages["src"][near.row[common]][far.near[messages["src"][there]]]] = True
    at_end = (far.near | alias)[ways.dst] & ~near.near[ways.dst]
    on_way = at_end | (last > NAT)
    alone = alone[on_way[way[alone]] & (time[alone] > last[way[alone]])]
    many = count_in(way[alone], total) >= REPEATED
    clues.add(
        "vanished",
        way[alone],
        time[alone],
        messages["frame"][alone],
        strength=np.where(many, np.where(at_end, HIGH, MEDIUM), LOW),
        other=far.number,
    )


def _note_media(
    clues: Clues,
    near: _Seen,
    far: _Seen,
    common: Ints,
    crossed: Ints,
    messages: Table,
    way: Ints,
    name: Ints,
    counters: Ints,
) -> None:
    """Media that left by a way on which checks crossed, and did not arrive."""
    total = len(clues.ways)
    rows, there = near.row[crossed], far.row[crossed]
    arrived = far.ends[messages["dst"][there]]
    rows, there = rows[arrived], there[arrived]
    # A mapping may change on the way: media may have arrived in any of the guises in which checks did.
    there = way[there]
    rows, there = rows[there >= 0], there[there >= 0]
    guise, guises = group(way[rows], there)
    one = first_of(guise, guises)
    here, to = way[rows[one]], there[one]
    both = _running(near, far, common, messages, name)
    gone = np.zeros(total, np.int64)
    for columns in MEDIA:
        sent = counters[:, columns].sum(axis=1)
        came = np.bincount(here, sent[to], total)
        gone += np.where((sent >= REPEATED) & (came == 0), sent, 0)
    begun = counters[:, kinds.FIRST_TIME]
    gone[(begun < both.min()) | (begun > both.max()) | (count_in(here, total) == 0)] = 0
    here = np.flatnonzero(gone)
    gone = gone[here]
    clues.add(
        "media-vanished",
        here,
        counters[here, kinds.FIRST_TIME],
        counts=gone,
        until=counters[here, kinds.LAST_TIME],
        other=far.number,
    )
