"""The frame `stages`: the course of each session, stage by stage and direction by direction.

    gathering → checks → ICE connected → DTLS → media or data → end

It says what was seen, and names no reason for it beyond that; reasons are the diagnosis's.  The first stage that failed
is what the diagnosis has to explain.
"""

from __future__ import annotations

import numpy as np

from stunpcap.course import carrying, connecting
from stunpcap.course.sessions import Course
from stunpcap.course.stage_rows import (
    AGENTS,
    CHECKS,
    END,
    FAILED,
    GATHERING,
    HOW_SAID,
    ICE,
    NOT_REACHED,
    OK,
    OPEN,
    STATE,
    Rows,
)
from stunpcap.ice.columns import Ints, minimum_in
from stunpcap.ice.pairs import Directed
from stunpcap.schema import ENDED_HOW, STAGE
from stunpcap.table import MISSING, NAT, Pools, Table


def build_stages(
    tables: dict[str, Table], directed: Directed, course: Course, sender: Ints, ends: dict[int, int], pools: Pools
) -> Table:
    """The frame; fills `failed_stage` of `sessions`.

    Parameters
    ----------
    sender
        For each row of `activity` which agent sent.
    ends
        Time of the last packet of each capture.
    """
    sessions = tables["sessions"]
    count = len(sessions)
    rows = Rows(pools)
    connecting.gathering(rows, tables, directed, course, count)
    connecting.checks(rows, tables, directed, count)
    connecting.ice(rows, tables, count)
    handshake = carrying.dtls(rows, tables, ends, count)
    carrying.media(rows, tables, directed, course, sender, handshake, count)
    _end(rows, tables, course, count)
    table = rows.table()
    bad = (table["status"] == FAILED) & (table["stage"] != GATHERING)
    # A pair that works is enough: checks that failed beside it do no harm.
    works = np.isin(sessions["state"], [STATE["connected"], STATE["closed"], STATE["disconnected"]])
    bad &= (table["stage"] != CHECKS) | ~works[table["session_id"] - 1]
    # What follows ICE fails of itself where ICE has no pair.
    bad &= (table["stage"] <= ICE) | works[table["session_id"] - 1]
    first = minimum_in(table["session_id"][bad] - 1, count, table["stage"][bad].astype(np.int64), len(STAGE))
    sessions["failed_stage"] = np.where(first < len(STAGE), first, MISSING)
    return table


def _end(rows: Rows, tables: dict[str, Table], course: Course, count: int) -> None:
    """Who ended it, or that it fell silent."""
    sessions = tables["sessions"]
    state = sessions["state"]
    ended = np.array([number in course.endings for number in range(count)], np.bool_)
    closed = state == STATE["closed"]
    silent = state == STATE["disconnected"]
    status = np.select([closed, silent, state == STATE["failed"]], [OK, FAILED, NOT_REACHED], OPEN)
    agents, words, frames, vantages = [], [], [], []
    for number, code in enumerate(status.tolist()):
        one = course.endings.get(number) if ended[number] else None
        agents.append(AGENTS[one.side] if one and code == OK else "")
        frames.append(one.frame if one and code == OK else MISSING)
        vantages.append(one.vantage if one and code == OK else MISSING)
        words.append(
            HOW_SAID[ENDED_HOW[one.how]]
            if one and code == OK
            else "the pair in use fell silent"
            if code == FAILED
            else "it never connected"
            if code == NOT_REACHED
            else "it goes on when the capture ends"
        )
    rows.add(
        END,
        np.arange(count),
        status,
        words,
        agent=rows.pools.texts.numbers(agents),
        since=np.where(closed, sessions["ended_time"], NAT),
        until=np.where(closed, sessions["ended_time"], NAT),
        vantage=np.array(vantages, np.int64),
        first_frame=np.array(frames, np.int64),
        last_frame=np.array(frames, np.int64),
    )
