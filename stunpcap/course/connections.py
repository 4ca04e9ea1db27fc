"""TCP connections to TURN servers that broke: what goes through them shows no more checks, only segments sent again.

A connection that is forgotten on its way sends the same bytes again until somebody gives up; one that is reset ends at
once.  A client that closes says so with FIN.
"""

from __future__ import annotations

import numpy as np

from stunpcap.course.in_use import InUse
from stunpcap.ice.columns import find
from stunpcap.record import record
from stunpcap.schema import CARRIER, TRANSPORT
from stunpcap.table import Table

PLAIN, TCP = CARRIER.index("plain"), TRANSPORT.index("tcp")
AGAIN = 3
"""Segments sent again, from which on it is no chance loss, if what they hold was not acknowledged to the end."""


@record
class Broken:
    """The connection that carried the pair in use of one session, in one capture."""

    flow: int
    """Row of `flows`: from the client to the server, or the other way."""
    back: int
    reset: bool


def find_broken(used: InUse, flows: Table) -> dict[int, Broken]:
    """For each session, from 0 on, whose pair in use went through a TCP connection that broke: that connection."""
    plain = (flows["transport"] == TCP) & (flows["carrier"] == PLAIN) & (flows["stun"] + flows["channel"] > 0)
    rows = np.flatnonzero(plain)
    if not len(rows) or not used.known.any():
        return {}
    known = [flows[name] for name in ("vantage", "src", "dst", "carrier")]
    back = find([flows["vantage"][rows], flows["dst"][rows], flows["src"][rows], flows["carrier"][rows]], known)
    rows, back = rows[back >= 0], back[back >= 0]
    closed = (flows["fin"][rows] > 0) | (flows["fin"][back] > 0)
    reset = (flows["rst"][rows] > 0) | (flows["rst"][back] > 0)
    stuck = (flows["retransmissions"][rows] >= AGAIN) & (flows["unacked_bytes"][rows] > 0)
    broke = ~closed & (reset | stuck)
    rows, back, reset = rows[broke], back[broke], reset[broke]
    if not len(rows):
        return {}
    inside = np.flatnonzero(flows["carrier"] != PLAIN)
    carrying = find(
        [flows[name][inside] for name in ("vantage", "carrying_src", "carrying_dst")],
        [flows[name][rows] for name in ("vantage", "src", "dst")],
    )
    inside, carrying = inside[carrying >= 0], carrying[carrying >= 0]
    found: dict[int, Broken] = {}
    for one, other in ((used.a, used.b), (used.b, used.a)):
        session = find([flows["src"][inside], flows["dst"][inside]], [one, other])
        for number, at in zip(session.tolist(), carrying.tolist(), strict=True):
            if number >= 0:
                found.setdefault(number, Broken(int(rows[at]), int(back[at]), bool(reset[at])))
    return found
