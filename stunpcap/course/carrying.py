"""The stages after ICE: DTLS, and media or data in each direction for as long as the pair in use works."""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.course.sessions import Course
from stunpcap.course.stage_rows import (
    DATA_PACKETS,
    DTLS_STAGE,
    FAILED,
    FINISHES,
    HANDSHAKE,
    MEDIA,
    MEDIA_PACKETS,
    NOT_REACHED,
    OK,
    OPEN,
    REPORTS,
    STARTS,
    STATE,
    UNSEEN,
    Rows,
    names_of,
    sides,
)
from stunpcap.ice.columns import Ints, find, first_of, group, maximum_in, minimum_in, pick, translate
from stunpcap.ice.pairs import Directed
from stunpcap.ice.timers import SECOND
from stunpcap.ice.ways import NEVER
from stunpcap.table import MISSING, NAT, Table


def dtls(rows: Rows, tables: dict[str, Table], ends: dict[int, int], count: int) -> Ints:
    """What became of the handshake; returns its status for each session."""
    sessions, table = tables["sessions"], tables["handshakes"]
    works = np.isin(sessions["state"], [STATE["connected"], STATE["closed"], STATE["disconnected"]])
    told = np.flatnonzero(table["session_id"] >= 1)
    session = table["session_id"][told] - 1
    lead = pick(told, first_of(session, count, np.lexsort((table["started"][told], -table["state"][told]))))
    waited = pick(translate(table["vantage"], ends) if len(table) else lead, lead, 0) - pick(table["started"], lead, 0)
    again = pick(table["client_flights_repeated"], lead, 0) + pick(table["server_flights_repeated"], lead, 0)
    media = sessions["media_ab_packets"] + sessions["media_ba_packets"] > 0
    state = sessions["dtls"]
    idle = np.where(works, sessions["end"] - sessions["start"], 0) >= STARTS
    started = state == HANDSHAKE["started"]
    refused = np.zeros(count, np.bool_)
    empty = (table["client_data_packets"] == 0) | (table["server_data_packets"] == 0)
    refused[session[((table["ended_by"] >= 0) & empty)[told]]] = True
    refused &= (sessions["media_ab_packets"] == 0) | (sessions["media_ba_packets"] == 0)
    conditions = (
        (refused, FAILED, "it ended with an alert, or with what looks like one"),
        (state == HANDSHAKE["done"], OK, "the handshake is complete"),
        (state == HANDSHAKE["failed"], FAILED, "an alert ended the handshake"),
        (started & (waited >= FINISHES) & (again > 0), FAILED, "the handshake was not completed"),
        (started, OPEN, "the handshake was under way when the capture ended"),
        (~works, NOT_REACHED, "ICE has no pair"),
        (media, UNSEEN, "no handshake was captured, and media flows"),
        (idle & course_begins(sessions), FAILED, "no ClientHello was captured"),
        (idle, UNSEEN, "no handshake was captured; it may have been before the capture began"),
    )
    masks = [mask for mask, _, _ in conditions]
    status = np.select(masks, [code for _, code, _ in conditions], OPEN)
    said = np.select(masks, range(len(conditions)), len(conditions))
    words = (*(text for _, _, text in conditions), "no handshake so far")
    rows.add(
        DTLS_STAGE,
        np.arange(count),
        status,
        (words[number] for number in said.tolist()),
        src=pick(table["client"], lead),
        dst=pick(table["server"], lead),
        since=np.where(lead >= 0, pick(table["started"], lead, NAT), NAT),
        until=np.where(lead >= 0, pick(table["finished"], lead, NAT), NAT),
        vantage=pick(table["vantage"], lead),
        first_frame=pick(table["first_frame"], lead),
        last_frame=pick(table["last_frame"], lead),
    )
    return status


def course_begins(sessions: Table) -> Any:
    """Sessions of which a handshake would have been captured."""
    return sessions["begin_seen"] & (sessions["restart_of"] < 1)


def media(
    rows: Rows, tables: dict[str, Table], directed: Directed, course: Course, sender: Ints, dtls: Ints, count: int
) -> None:
    """Media or data in each direction, and whether the pair in use went on working in it."""
    sessions, pairs, activity = tables["sessions"], tables["pairs"], tables["activity"]
    session, side = sides(count)
    works = np.isin(sessions["state"], [STATE["connected"], STATE["closed"], STATE["disconnected"]])[session]
    packets = np.stack([sessions["media_ab_packets"], sessions["media_ba_packets"]], axis=1).reshape(-1)
    mine = np.flatnonzero((activity["session_id"] >= 1) & (sender >= 0))
    load = activity["rtp_packets"][mine] + activity["rtcp_packets"][mine] + activity["data_packets"][mine] > 0
    mine = mine[load]
    agent = 2 * (activity["session_id"][mine] - 1) + sender[mine]
    since = minimum_in(agent, 2 * count, activity["time"][mine], NEVER)
    until = maximum_in(agent, 2 * count, activity["time"][mine] + SECOND, NAT)
    one_way = _one_way(activity, sender, count)
    one_way &= works & (sessions["state"][session] != STATE["disconnected"])
    dead = _dead(pairs, directed, course, count)
    handshake = dtls[session]
    conditions = (
        (dead.failed & works, FAILED),
        (dead.unknown & works, UNSEEN),
        (one_way, FAILED),
        (works & (packets > 0), OK),
        (~works | (handshake == FAILED) | (handshake == NOT_REACHED), NOT_REACHED),
    )
    masks = [mask for mask, _ in conditions]
    status = np.select(masks, [code for _, code in conditions], UNSEEN)
    said = np.select(masks, range(len(conditions)), len(conditions))
    words = []
    for number, amount in zip(said.tolist(), packets.tolist(), strict=True):
        amount_said = f"{amount:,} packet{'' if amount == 1 else 's'}"
        words.append(
            (
                "nothing gets through any more",
                "whether packets still arrive cannot be known from here",
                "no media, and no report on what it receives",
                amount_said,
                "no pair, or no keys, to send it with",
                "none captured",
            )[number]
        )
    ends = np.stack([sessions["selected_src"], sessions["selected_dst"]], axis=1)
    gone = status == FAILED
    rows.add(
        MEDIA,
        session,
        status,
        words,
        agent=names_of(rows.pools, side),
        src=ends[session, side],
        dst=ends[session, 1 - side],
        since=np.where(gone & (dead.since > NAT), dead.since, np.where(gone, since[np.arange(2 * count) ^ 1], since)),
        until=np.where(gone & (dead.until > NAT), dead.until, until),
        vantage=pick(pairs["vantage"], dead.row),
        first_frame=dead.first_frame,
        last_frame=dead.last_frame,
    )


def _one_way(activity: Table, sender: Ints, count: int) -> Any:
    """For each session and side whether nothing of it arrives somewhere but STUN, while the other side's media does.

    What is sent has not arrived: each capture tells by itself.
    """
    mine = np.flatnonzero((activity["session_id"] >= 1) & (sender >= 0))
    agent = 2 * (activity["session_id"][mine] - 1) + sender[mine]
    place, places = group(activity["vantage"][mine], agent)
    lead = first_of(place, places)
    of, where = agent[lead], activity["vantage"][mine][lead]
    back = find((where, of ^ 1), (where, of))
    rtp, rtcp, data, stun = (
        np.bincount(place, activity[name][mine], places).astype(np.int64)
        for name in ("rtp_packets", "rtcp_packets", "data_packets", "stun_packets")
    )
    load = activity["rtp_packets"][mine] + activity["data_packets"][mine] > 0
    since = minimum_in(place[load], places, activity["time"][mine][load], NEVER)
    until = maximum_in(place[load], places, activity["time"][mine][load], NAT)
    lasts = (until - np.minimum(since, until) >= REPORTS - SECOND) & (until > NAT)
    heard = pick(stun, back, 0) > 0
    silent = (rtp >= MEDIA_PACKETS) & (pick(rtp + rtcp, back, 0) == 0)
    silent |= (data >= DATA_PACKETS) & (pick(rtp + rtcp + data, back, 0) == 0)
    result = np.zeros(2 * count, np.bool_)
    result[of[silent & lasts & heard] ^ 1] = True
    return result


class Dead:
    """For each session and side: whether what it sends on the pair in use stopped arriving."""

    def __init__(self, count: int) -> None:
        self.failed, self.unknown = (np.zeros(2 * count, np.bool_) for _ in range(2))
        self.since, self.until = (np.full(2 * count, NAT, np.int64) for _ in range(2))
        self.row, self.first_frame, self.last_frame = (np.full(2 * count, MISSING, np.int64) for _ in range(3))


def _dead(pairs: Table, directed: Directed, course: Course, count: int) -> Dead:
    """Directions of the pair in use that died: from the checks in vain, and from what still came back.

    Nothing that comes back any more tells that the way back is dead, as far as this place; what became of the way
    there cannot be known from here.  Where the other agent goes on sending, it is the way there, or the agent.
    """
    live, found = course.live, Dead(count)
    for row in np.flatnonzero(live.dead).tolist():
        session, side = int(pairs["session_id"][row]) - 1, int(directed.side[row])
        if session in course.endings:
            continue
        there, back = 2 * session + side, 2 * session + 1 - side
        good, heard = int(live.good[row]), int(live.heard[row])
        talking = heard - max(good, 0) > int(live.silent_until[row] - good) // 2
        lost = there if talking else back
        if not talking and not found.failed[there]:
            found.unknown[there] = True
        found.unknown[lost] = False
        found.failed[lost] = True
        found.since[lost] = good if talking else max(heard, good)
        found.until[lost] = int(live.silent_until[row])
        found.row[lost] = row
        found.first_frame[lost] = int(pairs["first_frame"][row])
    for session in course.broken:
        both = [2 * session, 2 * session + 1]
        found.failed[both], found.unknown[both] = True, False
        found.since[both] = course.good_until[session]
    return found
