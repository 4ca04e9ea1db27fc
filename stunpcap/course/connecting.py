"""The stages up to ICE: what servers told, what came of the checks, and whether a pair came of it."""

from __future__ import annotations

import numpy as np

from stunpcap.course.sessions import Course
from stunpcap.course.stage_rows import (
    CHECKS,
    FAILED,
    GATHERING,
    ICE,
    OK,
    OPEN,
    PLAIN,
    STATE,
    UNSEEN,
    Rows,
    names_of,
    sides,
)
from stunpcap.ice.columns import Ints, count_in, first_of, group, last_of, maximum_in, minimum_in, pick
from stunpcap.ice.pairs import STATE as PAIR
from stunpcap.ice.pairs import Directed
from stunpcap.ice.timers import SECOND
from stunpcap.ice.transactions import KIND, OUT
from stunpcap.ice.ways import NEVER
from stunpcap.table import MISSING, NAT, Table


def gathering(rows: Rows, tables: dict[str, Table], directed: Directed, course: Course, count: int) -> None:
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
    session, side = sides(count)
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
        agent=names_of(rows.pools, side),
        src=src,
        dst=pick(table["dst"], chosen),
        since=since,
        until=until,
        vantage=np.where(chosen >= 0, pick(table["vantage"], chosen), pick(pairs["vantage"], own)),
        first_frame=frame,
        last_frame=frame,
    )


def checks(rows: Rows, tables: dict[str, Table], directed: Directed, count: int) -> None:
    """What came of the checks of each agent."""
    pairs = tables["pairs"]
    session, side = sides(count)
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
        agent=names_of(rows.pools, side),
        src=pick(pairs["src"], lead),
        dst=pick(pairs["dst"], lead),
        since=minimum_in(agent, 2 * count, pairs["first_time"], NEVER),
        until=maximum_in(agent, 2 * count, pairs["last_time"], NAT),
        vantage=pick(pairs["vantage"], lead),
        first_frame=pick(pairs["first_frame"], lead),
        last_frame=pick(pairs["first_frame"], last_of(agent, 2 * count, order[::-1])),
    )


def ice(rows: Rows, tables: dict[str, Table], count: int) -> None:
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
