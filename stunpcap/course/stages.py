"""The frame `stages`: the course of each session, stage by stage and direction by direction.

    gathering → checks → ICE connected → DTLS → media or data → end

It says what was seen, and names no reason for it beyond that; reasons are the diagnosis's.  The first stage that failed
is what the diagnosis has to explain.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from stunpcap.course.sessions import Course
from stunpcap.ice.columns import Ints, count_in, find, first_of, group, last_of, maximum_in, minimum_in, pick, translate
from stunpcap.ice.pairs import STATE as PAIR
from stunpcap.ice.pairs import Directed
from stunpcap.ice.timers import SECOND
from stunpcap.ice.transactions import KIND, OUT
from stunpcap.ice.ways import NEVER
from stunpcap.schema import CARRIER, DTLS, ENDED_HOW, SESSION_STATE, STAGE, STAGE_STATUS
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
    _gathering(rows, tables, directed, course, count)
    _checks(rows, tables, directed, count)
    _ice(rows, tables, count)
    dtls = _dtls(rows, tables, ends, count)
    _media(rows, tables, directed, course, sender, dtls, count)
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


def _sides(count: int) -> tuple[Ints, Ints]:
    """Session and side of both agents of all sessions."""
    return np.repeat(np.arange(count), 2), np.tile(np.arange(2), count)


def _names(pools: Pools, side: Ints) -> Ints:
    return np.array([pools.texts.number(name) for name in AGENTS], np.int64)[side]


def _gathering(rows: Rows, tables: dict[str, Table], directed: Directed, course: Course, count: int) -> None:
    """What servers told each agent that was captured at its own host, or that was seen to ask."""
    pairs, table = tables["pairs"], tables["transactions"]
    address_of = rows.pools.endpoints.addresses
    asks = np.flatnonzero(np.isin(table["kind"], [KIND["gather"], KIND["allocate"]]) & (table["session_id"] < 1))
    sent = np.flatnonzero(pairs["carrier"] == PLAIN)
    host = address_of[pairs["src"][sent]] if len(pairs) else sent
    asker = address_of[table["src"][asks]] if len(table) else asks
    place, n_places = group(
        np.concatenate([pairs["vantage"][sent], table["vantage"][asks]]), np.concatenate([host, asker])
    )
    here, asked = place[: len(sent)], place[len(sent) :]
    good = table["outcome"][asks] == OUT["success"]
    total, answered = count_in(asked, n_places), count_in(asked[good], n_places)
    # A first 401 is the challenge that every client gets.
    in_vain = np.isin(table["outcome"][asks], [OUT["unanswered"], OUT["icmp"]])
    lost = count_in(asked[in_vain], n_places)
    agent = 2 * (pairs["session_id"][sent] - 1) + directed.side[sent]
    session, side = _sides(count)
    told, vain, tried = (np.bincount(agent, (values > 0)[here], 2 * count) > 0 for values in (answered, lost, total))
    first = minimum_in(asked, n_places, table["first_time"][asks], NEVER)
    last = maximum_in(asked, n_places, table["last_time"][asks], NAT)
    since, until = np.full(2 * count, NEVER, np.int64), np.full(2 * count, NAT, np.int64)
    np.minimum.at(since, agent, first[here])
    np.maximum.at(until, agent, last[here])
    lead = first_of(asked, n_places, np.argsort(table["first_time"][asks], kind="stable"))
    row = pick(asks, lead)[here]
    chosen = np.full(2 * count, -1, np.int64)
    has = row >= 0
    chosen[agent[has][::-1]] = row[has][::-1]
    own = np.full(2 * count, -1, np.int64)
    own[agent[::-1]] = sent[::-1]
    at_home = np.zeros(2 * count, np.bool_)
    at_home[agent[directed.at_src[sent]]] = True
    silent = at_home & course.agent_begin_seen.reshape(-1) & ~tried
    status = np.select([told, vain, tried, silent], [OK, FAILED, OPEN, OK], UNSEEN)
    said = np.select([told, vain, tried, silent], [0, 1, 2, 3], 4)
    words = (
        "a STUN or TURN server answered",
        "asked, and no server answered",
        "asked, and no server told an address",
        "asked no STUN or TURN server: host candidates only",
        "not visible from here",
    )
    src = np.where(chosen >= 0, pick(table["src"], chosen), pick(pairs["src"], own))
    frame = pick(table["request_frame"], chosen)
    rows.add(
        GATHERING,
        session,
        status,
        (words[number] for number in said.tolist()),
        agent=_names(rows.pools, side),
        src=src,
        dst=pick(table["dst"], chosen),
        since=since,
        until=until,
        vantage=np.where(chosen >= 0, pick(table["vantage"], chosen), pick(pairs["vantage"], own)),
        first_frame=frame,
        last_frame=frame,
    )


def _checks(rows: Rows, tables: dict[str, Table], directed: Directed, count: int) -> None:
    """What came of the checks of each agent."""
    pairs = tables["pairs"]
    session, side = _sides(count)
    agent = 2 * (pairs["session_id"] - 1) + directed.side
    asked = pairs["requests_sent"] > 0
    good = pairs["state"] == PAIR["succeeded"]
    works, fails, trying, checks = (
        count_in(agent[mask], 2 * count) > 0
        for mask in (
            good,
            asked & (pairs["state"] == PAIR["failed"]),
            asked & (pairs["state"] == PAIR["in-progress"]),
            asked,
        )
    )
    # Not only the checks: the answers that came back to them, of all captures the most.
    place, places = group(agent, pairs["pair_id"])
    sent = maximum_in(place, places, pairs["requests_sent"], 0)
    heard = maximum_in(place, places, np.where(good, pairs["responses_received"], 0), 0)
    of = agent[first_of(place, places)]
    total, answered = (np.bincount(of, values, 2 * count).astype(np.int64) for values in (sent, heard))
    status = np.select([works, trying, fails], [OK, OPEN, FAILED], UNSEEN)
    order = np.lexsort((pairs["first_time"], ~good))
    lead = first_of(agent, 2 * count, order)
    words = []
    for state, some, all_, has in zip(status.tolist(), answered.tolist(), total.tolist(), checks.tolist(), strict=True):
        noun = f"{all_:,} check{'' if all_ == 1 else 's'}"
        words.append(
            "no check of this agent was captured"
            if not has
            else f"{some:,} of {noun} answered"
            if state == OK
            else f"no usable response to {noun} so far"
            if state == OPEN
            else f"no usable response to {noun}"
        )
    rows.add(
        CHECKS,
        session,
        status,
        words,
        agent=_names(rows.pools, side),
        src=pick(pairs["src"], lead),
        dst=pick(pairs["dst"], lead),
        since=minimum_in(agent, 2 * count, pairs["first_time"], NEVER),
        until=maximum_in(agent, 2 * count, pairs["last_time"], NAT),
        vantage=pick(pairs["vantage"], lead),
        first_frame=pick(pairs["first_frame"], lead),
        last_frame=pick(pairs["first_frame"], last_of(agent, 2 * count, order[::-1])),
    )


def _ice(rows: Rows, tables: dict[str, Table], count: int) -> None:
    """Whether a pair came of it."""
    sessions = tables["sessions"]
    state = sessions["state"]
    works = np.isin(state, [STATE["connected"], STATE["closed"], STATE["disconnected"]])
    status = np.select([works, state == STATE["failed"]], [OK, FAILED], OPEN)
    took = np.nan_to_num(sessions["time_to_connect_s"], nan=0.0)
    connected = sessions["start"] + (took * SECOND).astype(np.int64)
    by = sessions["selected_by"].tolist()
    known = ("a pair was nominated", "DTLS shows it", "media shows it", "consent checks show it")
    words = [
        ("traffic shows it" if code < 0 else known[code])
        if state == OK
        else "no pair works"
        if state == FAILED
        else "no result when the capture ended"
        for state, code in zip(status.tolist(), by, strict=True)
    ]
    rows.add(
        ICE,
        np.arange(count),
        status,
        words,
        src=sessions["selected_src"],
        dst=sessions["selected_dst"],
        since=np.where(works, connected, sessions["start"]),
        until=sessions["end"],
        first_frame=sessions["first_frame"],
        last_frame=np.full(count, MISSING),
        vantage=_first_vantages(tables, count),
    )


def _first_vantages(tables: dict[str, Table], count: int) -> Ints:
    """The capture in which each session's `first_frame` is."""
    pairs = tables["pairs"]
    lead = first_of(pairs["session_id"] - 1, count, np.argsort(pairs["first_time"], kind="stable"))
    first: Ints = pick(pairs["vantage"], lead)
    return first


def _dtls(rows: Rows, tables: dict[str, Table], ends: dict[int, int], count: int) -> Ints:
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


def _media(
    rows: Rows, tables: dict[str, Table], directed: Directed, course: Course, sender: Ints, dtls: Ints, count: int
) -> None:
    """Media or data in each direction, and whether the pair in use went on working in it."""
    sessions, pairs, activity = tables["sessions"], tables["pairs"], tables["activity"]
    session, side = _sides(count)
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
        agent=_names(rows.pools, side),
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
