"""Who ended a call, and how that is known.

An agent that ends a call says so in one of several ways: a DTLS alert after the handshake (close_notify; in DTLS 1.3 a
record as long as one), a Refresh with lifetime 0 for the relay in use, or its host answers port unreachable once the
socket is closed.  Nothing of it follows.  What came before that is no fault, unless the pair had been silent for long.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from stunpcap.course.in_use import InUse
from stunpcap.course.liveness import Liveness
from stunpcap.ice.columns import Ints
from stunpcap.ice.pairs import Directed
from stunpcap.ice.timers import SECOND
from stunpcap.record import record
from stunpcap.schema import ALLOCATION_STATE, CONTENT, ENDED_HOW
from stunpcap.table import MISSING, NAT, Table
from stunpcap.wire.counters import SHORT

HOW = {name: code for code, name in enumerate(ENDED_HOW)}
STILL = 6 * SECOND + SECOND // 2
"""An agent that was heard so shortly before had not fallen silent: consent goes out every six seconds at the latest."""
AFTERWARDS = SECOND
"""What was under way may still arrive."""


@record
class Ending:
    """One agent's end of one session."""

    side: int
    how: int
    time: int
    vantage: int
    frame: int


def find_endings(
    directed: Directed, used: InUse, live: Liveness, restart_of: Ints, tables: dict[str, Table]
) -> dict[int, Ending]:
    """For each session, from 0 on, that an agent ended while it worked: who, how and when.

    A session that was restarted was left, not ended.
    """
    left = np.zeros(len(used.a), np.bool_)
    left[restart_of[restart_of >= 0]] = True
    rows = np.flatnonzero(live.in_use)
    rows = rows[np.argsort(directed.table["session_id"][rows], kind="stable")]
    first = np.searchsorted(directed.table["session_id"][rows], np.arange(1, len(used.a) + 2))
    found: dict[int, Ending] = {}
    for session, one in _signs(used, used.known & ~left, tables):
        mine = rows[first[session] : first[session + 1]]
        if (session not in found or one.time < found[session].time) and _fits(session, one, mine, directed, used, live):
            found[session] = one
    return found


def _signs(used: InUse, known: Any, tables: dict[str, Table]) -> Iterator[tuple[int, Ending]]:
    """All signs that an agent ends, of all sessions with a pair in use."""
    a, b = used.a, used.b

    def side(session: int, end: int) -> int:
        return 0 if end == a[session] else 1 if end == b[session] else MISSING

    dtls = tables["dtls"]
    alerts = (dtls["content"] == CONTENT.index("alert")) & (dtls["epoch"] > 0)
    # In DTLS 1.3 the type is hidden, but not the length; those of epoch 2 are of the handshake.
    alerts |= (dtls["content"] == CONTENT.index("hidden")) & (dtls["record_bytes"] == SHORT) & (dtls["epoch"] != 2)
    alerts &= dtls["session_id"] >= 1
    for row in np.flatnonzero(alerts & ~dtls["duplicate"]).tolist():
        session = int(dtls["session_id"][row]) - 1
        if known[session] and side(session, int(dtls["src"][row])) != MISSING:
            yield session, _ending(dtls, row, side(session, int(dtls["src"][row])), "close-notify", "time", "frame")
    icmp = tables["icmp"]
    closed = icmp["from_dst"] & icmp["refused"] & (icmp["session_id"] >= 1)
    for row in np.flatnonzero(closed & _port_unreachable(icmp)).tolist():
        session = int(icmp["session_id"][row]) - 1
        if known[session] and side(session, int(icmp["dst"][row])) != MISSING:
            yield session, _ending(icmp, row, side(session, int(icmp["dst"][row])), "port-unreachable", "time", "frame")
    relays = tables["allocations"]
    given_back = relays["state"] == ALLOCATION_STATE.index("deleted")
    if given_back.any():
        sides = {int(end): (session, which) for which, ends in enumerate((a, b)) for session, end in enumerate(ends)}
        for row in np.flatnonzero(given_back).tolist():
            session, which = sides.get(int(relays["relayed"][row]), (MISSING, MISSING))
            if session >= 0:
                yield session, _ending(relays, row, which, "refresh-0", "ended", "last_frame")


def _ending(table: Table, row: int, side: int, how: str, time: str, frame: str) -> Ending:
    return Ending(side, HOW[how], int(table[time][row]), int(table["vantage"][row]), int(table[frame][row]))


def _port_unreachable(icmp: Table) -> Any:
    texts = icmp.pools.texts.values
    return np.array([texts[number].startswith("port unreachable") for number in icmp["error"].tolist()], np.bool_)


def _fits(session: int, one: Ending, rows: Ints, directed: Directed, used: InUse, live: Liveness) -> bool:
    """Whether the pair still worked then, as far as this capture tells, and nothing of that agent follows.

    `rows` are those of the pair in use.
    """
    pairs = directed.table
    rows = rows[pairs["vantage"][rows] == one.vantage]
    if not len(rows):
        return True
    a, b = int(used.a[session]), int(used.b[session])
    # Both were heard until shortly before: who was silent for longer had died, or was lost, whatever it says then.
    heard = [int(live.heard[rows[pairs["dst"][rows] == end]].max(initial=NAT)) for end in (a, b)]
    theirs = heard[one.side]
    in_vain = (live.silent[rows] >= 2) & (live.silent_since[rows] < one.time - STILL)
    recent = all(one.time - last <= STILL for last in heard if last > NAT)
    return theirs <= one.time + AFTERWARDS and recent and not in_vain.any()
