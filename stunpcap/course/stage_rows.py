"""Rows of the frame `stages` in the making, and what all stages share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints
from stunpcap.ice.timers import SECOND
from stunpcap.ice.ways import NEVER
from stunpcap.schema import CARRIER, DTLS, SESSION_STATE, STAGE, STAGE_STATUS
from stunpcap.table import MISSING, NAT, Pools, Table

OK, FAILED, OPEN, NOT_REACHED, UNSEEN = range(len(STAGE_STATUS))
GATHERING, CHECKS, ICE, DTLS_STAGE, MEDIA, END = range(len(STAGE))
PLAIN = CARRIER.index("plain")
STATE = {name: code for code, name in enumerate(SESSION_STATE)}
HANDSHAKE = {name: code for code, name in enumerate(DTLS)}
AGENTS = ("A", "B")
STARTS = 10 * SECOND
"""DTLS begins at once where ICE has a pair; so long after it nobody is about to."""
FINISHES = 2 * SECOND
"""A handshake takes that long at most, if nothing of it is lost."""
REPORTS = 6 * SECOND
"""Whoever receives RTP reports on it by RTCP within so long (RFC 3550 section 6.2)."""
MEDIA_PACKETS, DATA_PACKETS = 50, 10
"""Packets one way that must have had something come back: a report by RTCP, an acknowledgement of SCTP."""
HOW_SAID = {
    "close-notify": "a DTLS alert, or a record as long as one (close_notify)",
    "refresh-0": "it gave its relay back (Refresh with lifetime 0)",
    "port-unreachable": "its host says that the port is closed (ICMP)",
}


class Rows:
    """Rows of the frame as they are found."""

    def __init__(self, pools: Pools) -> None:
        self.pools = pools
        self.parts: list[dict[str, Any]] = []

    def add(self, stage: int, session: Ints, status: Any, why: Iterable[str], **columns: Any) -> None:
        """Rows of one stage; `session` counts from 0."""
        self.parts.append(
            {"session_id": session + 1, "stage": np.full(len(session), stage), "status": status}
            | {"why": self.pools.texts.numbers(why)}
            | columns
        )

    def table(self) -> Table:
        """The frame, in order of sessions and stages."""
        nobody = self.pools.texts.number("")
        absent = {"since": NAT, "until": NAT, "agent": nobody}
        names = (
            *("session_id", "stage", "agent", "src", "dst", "status", "since", "until", "vantage"),
            *("first_frame", "last_frame", "why"),
        )
        columns = {
            name: np.concatenate(
                [
                    np.asarray(part.get(name, np.full(len(part["why"]), absent.get(name, MISSING))), np.int64)
                    for part in self.parts
                ]
            )
            for name in names
        }
        columns["since"] = np.where(columns["since"] == NEVER, NAT, columns["since"])
        order = np.lexsort((columns["agent"], columns["stage"], columns["session_id"]))
        return Table("stages", len(order), self.pools, {name: values[order] for name, values in columns.items()})


def sides(count: int) -> tuple[Ints, Ints]:
    """Session and side of both agents of all sessions."""
    return np.repeat(np.arange(count), 2), np.tile(np.arange(2), count)


def names_of(pools: Pools, side: Ints) -> Ints:
    return np.array([pools.texts.number(name) for name in AGENTS], np.int64)[side]
