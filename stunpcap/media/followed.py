"""What the sessions' pairs carried in the end: the state of DTLS, and packets of media from each agent to the other.

Handshakes tell the state.  A capture that begins in the middle of a call has none; there records with keys tell that
one was done.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, first_of, group, maximum_in
from stunpcap.media.records import Records
from stunpcap.media.use import Activity
from stunpcap.record import record
from stunpcap.schema import CONTENT, DTLS, HANDSHAKE_STATE
from stunpcap.table import Table

SAYS = {"started": "started", "answered": "started", "stalled": "started", "failed": "failed", "done": "done"}
"""State of a handshake -> what `sessions` say of it."""


@record
class Followed:
    """What the pairs of each session carried."""

    dtls: Any
    """State of DTLS, as its own packets tell: codes of `schema.DTLS`."""
    media_ab: Ints
    """Packets of media from A to B."""
    media_ba: Ints


WEIGHT = ("none", "started", "failed", "done")
"""Of several handshakes the one that went best counts: another capture, or another attempt, may have seen less."""


def what_followed(records: Records, handshakes: Table, activity: Activity, count: int) -> Followed:
    """What followed in each of `count` sessions."""
    dtls = _dtls(records, handshakes, activity.table, count)
    media = _media(activity, dtls == DTLS.index("done"), count)
    return Followed(dtls, media[:, 0], media[:, 1])


def _dtls(records: Records, handshakes: Table, activity: Table, count: int) -> Any:
    """The state of DTLS in each session, as its own packets tell."""
    table = records.table
    hidden = table["content"] == CONTENT.index("hidden")
    keyed = np.flatnonzero((table["session_id"] >= 1) & (table["handshake_id"] < 0) & (hidden | (table["epoch"] > 0)))
    data = np.flatnonzero((activity["session_id"] >= 1) & (activity["data_packets"] > 0))
    told = np.flatnonzero(handshakes["session_id"] >= 1)
    of_state = np.array([WEIGHT.index(SAYS[state]) for state in HANDSHAKE_STATE])
    weight = np.concatenate(
        [of_state[handshakes["state"][told]], np.full(len(keyed) + len(data), WEIGHT.index("done"))]
    )
    begun = ((handshakes, told), (table, keyed), (activity, data))
    session, vantage = (
        np.concatenate([frame[name][rows] for frame, rows in begun]) for name in ("session_id", "vantage")
    )
    # Where a capture has handshakes, they tell.
    place, places = group(session, vantage)
    has = np.zeros(places, np.bool_)
    has[place[: len(told)]] = True
    counts = ~has[place]
    counts[: len(told)] = True
    most = maximum_in(session[counts] - 1, count, weight[counts], 0)
    return np.array([DTLS.index(state) for state in WEIGHT], np.int8)[most]


def _media(activity: Activity, keyed: Any, count: int) -> Ints:
    """Packets of media from A and from B in each session; data only where DTLS was done (`keyed`).

    In DTLS 1.3 a protected handshake record looks like data until then.  Where several captures saw the packets, or
    one saw them on both sides of a relay, the largest count is taken.
    """
    table = activity.table
    rtp = table["rtp_packets"] + table["rtcp_packets"]
    rows = np.flatnonzero((table["session_id"] >= 1) & (rtp + table["data_packets"] > 0))
    session = table["session_id"][rows] - 1
    data = table["data_packets"][rows]
    ends = [table[name][rows] for name in ("vantage", "src", "dst", "transport")]
    way, ways = group(*ends)
    leg, legs = group(way, *activity.carrying[rows].T)
    total = np.bincount(leg, rtp[rows] + data, legs)
    lead = first_of(leg, legs)
    best = first_of(way[lead], ways, np.argsort(-total, kind="stable"))
    chosen = leg == best[way]
    packets = (rtp[rows] + np.where(keyed[session], data, 0))[chosen]
    sent, n_sent = group(2 * session[chosen] + activity.side[rows][chosen], ends[0][chosen])
    seen = np.bincount(sent, packets, n_sent).astype(np.int64)
    lead = first_of(sent, n_sent)
    of_agent = (2 * session[chosen] + activity.side[rows][chosen])[lead]
    return maximum_in(of_agent, 2 * count, seen, 0).reshape(count, 2)
