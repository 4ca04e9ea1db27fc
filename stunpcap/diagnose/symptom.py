"""What has to be explained of a session: the first stage that failed, since when, and on which pairs.

It follows from the course of the session alone (`stunpcap.course`).  A session that worked to its end has none.
"""

from __future__ import annotations

import functools

import numpy as np

from stunpcap.diagnose.facts import SECOND, Facts
from stunpcap.ice.columns import Ints
from stunpcap.record import record
from stunpcap.schema import CARRIER, SESSION_STATE, STAGE
from stunpcap.table import MISSING, NAT

CHECKS, ICE, DTLS, MEDIA = (STAGE.index(name) for name in ("checks", "ice", "dtls", "media"))
CHECKING = SESSION_STATE.index("checking")
RELAYED, REFLEXIVE, HOST = 4, 2, 1
"""What pairs promise: a relay should always work, a reflexive address often, a host's address in its own network."""


@record
class Symptom:
    """What failed in one session."""

    session: int
    stage: int
    """Index of `schema.STAGE`."""
    onset: int
    """When it worked last, or should have worked first."""
    rows: Ints
    """Rows of `pairs` that failed."""
    ready: dict[tuple[int, int], int]
    """Capture and side -> when that agent was heard of first: before that it may not have been ready to answer."""


class Symptoms:
    """The symptoms of all sessions, worked out when asked for."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._known: dict[int, Symptom | None] = {}

    def __getitem__(self, session: int) -> Symptom | None:
        if session not in self._known:
            self._known[session] = self._find(session)
        return self._known[session]

    @functools.cached_property
    def _rows(self) -> tuple[Ints, Ints]:
        """Rows of `pairs` in order of sessions, and where each session's begin."""
        number = self.facts["pairs"]["session_id"]
        order = np.argsort(number, kind="stable")
        return order, np.searchsorted(number[order], np.arange(1, len(self.facts["sessions"]) + 2))

    def rows_of(self, session: int) -> Ints:
        """Rows of `pairs` of a session."""
        order, first = self._rows
        return order[first[session - 1] : first[session]]

    def _find(self, session: int) -> Symptom | None:
        facts, rows = self.facts, self.rows_of(session)
        sessions, pairs = facts["sessions"], facts["pairs"]
        stage = int(sessions["failed_stage"][session - 1])
        if stage == MISSING and int(sessions["state"][session - 1]) == CHECKING:
            stage = ICE  # nothing works so far
        if stage == MISSING:
            return None
        if stage in (CHECKS, ICE):
            onset = int(sessions["start"][session - 1])
        else:
            dead = rows[facts.course.live.dead[rows]]
            known = facts.course.live.good[dead]
            onset = int(known.max()) if len(dead) else self._since(session, stage)
            rows = dead if len(dead) else rows[:0]
        ready: dict[tuple[int, int], int] = {}
        for row in self.rows_of(session).tolist():
            key = int(pairs["vantage"][row]), int(facts.side[row])
            ready[key] = min(ready.get(key, np.iinfo(np.int64).max), int(pairs["first_time"][row]))
        return Symptom(session, stage, onset, rows, ready)

    def _since(self, session: int, stage: int) -> int:
        stages = self.facts["stages"]
        mine = (stages["session_id"] == session) & (stages["stage"] == stage) & (stages["since"] > NAT)
        return int(stages["since"][mine].min(initial=int(self.facts["sessions"]["end"][session - 1])))

    @functools.cached_property
    def promise(self) -> Ints:
        """What each row of `pairs` promised: pairs that should have worked first weigh most."""
        facts, pairs = self.facts, self.facts["pairs"]
        relayed = pairs["carrier"] != CARRIER.index("plain")
        relayed = relayed | facts.is_relayed[pairs["src"]] | facts.is_relayed[pairs["dst"]]
        reflexive = ~(facts.is_private[pairs["src"]] & facts.is_private[pairs["dst"]])
        for end in ("src_type", "dst_type"):
            relayed = relayed | facts.has("pairs", end, "relay")
            reflexive = reflexive | facts.has("pairs", end, "srflx", "prflx")
        weight: Ints = np.where(relayed, RELAYED, np.where(reflexive, REFLEXIVE, HOST))
        return weight


GRACE = 2 * SECOND
"""A cause shows itself so soon, or it was not there."""
