"""How each session ended: roles, the nominated pair, DTLS and media on it, and the state.

A session is connected once a nomination was answered and the other agent's checks on that pair did not fail, or where
protected media shows as much; disconnected if checks on the nominated pair went unanswered in the end; failed if no
pair is left to try.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, count_in, first_of, group, last_of, maximum_in, minimum_in
from stunpcap.ice.pairs import NEVER, STATE, Directed
from stunpcap.ice.sessions import Agents
from stunpcap.ice.timers import SECOND
from stunpcap.ice.transactions import OUT, Correlated
from stunpcap.schema import DTLS, ROLE, SESSION_STATE
from stunpcap.table import MISSING, NAT, Pools, Table
from stunpcap.vantage import Vantage
from stunpcap.wire import scan

DISCONNECTED_AFTER = 5 * SECOND
"""Silence on the nominated pair, while checks go on, after which agents report `disconnected`."""
LEVEL = {name: code for code, name in enumerate(SESSION_STATE)}
HANDSHAKE = {name: code for code, name in enumerate(DTLS)}


def build_sessions(
    correlated: Correlated, agents: Agents, directed: Directed, vantages: list[Vantage], pools: Pools
) -> Table:
    """The sessions frame."""
    table, pairs = correlated.table, directed.table
    count = agents.count
    rows = np.flatnonzero(agents.of_transaction >= 0)
    session = agents.of_transaction[rows]
    pair_session = pairs["session_id"] - 1
    start = minimum_in(session, count, table["first_time"][rows], NEVER)
    end = np.maximum(
        maximum_in(session, count, table["last_time"][rows], NAT),
        maximum_in(session, count, table["response_time"][rows], NAT),
    )
    lead = rows[first_of(session, count, np.argsort(table["first_time"][rows], kind="stable"))]
    controlling, role_changes = _roles(table, agents, rows, session, count, pools)
    nominated = _nominated(correlated, directed, agents, count)
    has_pair = nominated >= 0
    a_side = np.where(directed.side[nominated] == 0, pairs["src"][nominated], pairs["dst"][nominated])
    b_side = np.where(directed.side[nominated] == 0, pairs["dst"][nominated], pairs["src"][nominated])
    first_nomination = minimum_in(pair_session, count, directed.nominated_time, NEVER)
    dtls, media = _what_followed(directed, vantages, count, pools)
    state = _states(correlated, agents, directed, nominated, dtls, media, count)
    distinct, _ = group(pair_session, pairs["pair_id"])
    firsts = first_of(distinct, int(distinct.max(initial=-1)) + 1)
    return Table(
        "sessions",
        count,
        pools,
        {
            "session_id": np.arange(1, count + 1),
            "ufrag_a": agents.ufrag_a,
            "ufrag_b": agents.ufrag_b,
            "controlling": controlling,
            "generation": agents.generation,
            "start": start,
            "end": end,
            "state": state,
            "pairs": count_in(pair_session[firsts], count),
            "nominated_src": np.where(has_pair, a_side, MISSING),
            "nominated_dst": np.where(has_pair, b_side, MISSING),
            "time_to_connect_s": np.where(first_nomination < NEVER, (first_nomination - start) / SECOND, np.nan),
            "dtls": dtls,
            "media_ab_packets": media[0],
            "media_ba_packets": media[1],
            "checks": count_in(session, count),
            "restart_of": np.where(agents.restart_of >= 0, agents.restart_of + 1, MISSING),
            "role_changes": role_changes,
            "vantages": _vantages(table, rows, session, count, pools),
            "first_frame": np.where(
                table["request_frame"][lead] >= 0, table["request_frame"][lead], table["response_frame"][lead]
            ),
            "tags": _tags(table, agents, rows, session, directed, count, pools),
        },
    )


def _roles(table: Table, agents: Agents, rows: Ints, session: Ints, count: int, pools: Pools) -> tuple[Ints, Ints]:
    """The ufrag of who controlled in the end, and how often an agent changed its mind."""
    claims = np.flatnonzero((table["role"][rows] >= 0) & (agents.sender[rows] >= 0))
    claims = claims[np.argsort(table["first_time"][rows[claims]], kind="stable")]
    agent = session[claims] * 2 + agents.sender[rows[claims]]
    role = table["role"][rows[claims]].astype(np.int64)
    last = last_of(agent, 2 * count)
    final = np.where(last >= 0, role[last] if len(role) else -1, -1).reshape(count, 2)
    order = np.argsort(agent, kind="stable")
    changed = np.zeros(len(order), np.bool_)
    changed[1:] = (agent[order][1:] == agent[order][:-1]) & (role[order][1:] != role[order][:-1])
    changes = count_in(agent[order][changed] // 2, count)
    leads = final == ROLE.index("controlling")
    # An agent that was never heard has the other role.
    follows = (final == ROLE.index("controlled")) | (final < 0)
    a, b = leads[:, 0] & follows[:, 1], leads[:, 1] & follows[:, 0]
    only_follower = ~leads.any(axis=1) & ((final == ROLE.index("controlled")).sum(axis=1) == 1)
    a |= only_follower & (final[:, 1] == ROLE.index("controlled"))
    b |= only_follower & (final[:, 0] == ROLE.index("controlled"))
    nobody = pools.texts.number("")
    return np.where(a, agents.ufrag_a, np.where(b, agents.ufrag_b, nobody)), changes


def _nominated(correlated: Correlated, directed: Directed, agents: Agents, count: int) -> Ints:
    """For each session a row of its nominated pair, -1 if there is none.

    Of several nominated pairs it is the one nominated last: an agent that nominates aggressively goes on doing so on
    the pair it chose.
    """
    table, pairs = correlated.table, directed.table
    checks = np.flatnonzero(directed.of_transaction >= 0)
    row = directed.of_transaction[checks]
    back = directed.reverse[row]
    counted = (
        table["nominating"][checks]
        & (table["outcome"][checks] == OUT["success"])
        & (pairs["state"][row] == STATE["succeeded"])
        & ((back < 0) | (pairs["state"][back] != STATE["failed"]))
    )
    checks, row = checks[counted], row[counted]
    order = np.argsort(table["response_time"][checks], kind="stable")
    last = last_of(agents.of_transaction[checks], count, order)
    return np.where(last >= 0, row[last] if len(row) else -1, -1)


def _what_followed(
    directed: Directed, vantages: list[Vantage], count: int, pools: Pools
) -> tuple[Any, tuple[Ints, Ints]]:
    """DTLS and media on the pairs of each session, from the flow counters.

    Where several captures saw a flow the largest count is taken.  Endpoints used by several sessions in turn count for
    the last.
    """
    pairs = directed.table
    owner: dict[tuple[int, int, int], tuple[int, int]] = {}
    for src, dst, transport, session, side in zip(
        pairs["src"].tolist(),
        pairs["dst"].tolist(),
        pairs["transport"].tolist(),
        (pairs["session_id"] - 1).tolist(),
        directed.side.tolist(),
        strict=True,
    ):
        for key, sender in (((src, dst, transport), side), ((dst, src, transport), 1 - side)):
            if owner.get(key, (-1, 0))[0] <= session:
                owner[key] = (session, sender)
    media = np.zeros((2, count), np.int64)
    records = np.zeros((2, count), np.int64)
    protected = np.zeros((2, count), np.int64)
    alerts = np.zeros(count, np.int64)
    for vantage in vantages:
        here = np.zeros((2, count), np.int64)
        flows, counters = vantage.flows, vantage.flow_counters
        busy = np.flatnonzero(flows["packets"] > flows["stun"])
        keys = zip(*(flows[name][busy].tolist() for name in ("src", "dst", "transport")), strict=True)
        for flow, (src, dst, transport) in zip(busy.tolist(), keys, strict=True):
            if (src, dst, transport) not in owner:
                continue
            session, side = owner[src, dst, transport]
            row = counters[flow]
            here[side, session] += row[scan.N_RTP] + row[scan.N_RTCP] + row[scan.DTLS_DATA]
            records[side, session] = max(records[side, session], row[scan.N_DTLS])
            protected[side, session] = max(protected[side, session], row[scan.DTLS_PROTECTED])
            alerts[session] = max(alerts[session], row[scan.DTLS_ALERTS])
        media = np.maximum(media, here)
    dtls = np.full(count, HANDSHAKE["none"], np.int8)
    dtls[records.sum(axis=0) > 0] = HANDSHAKE["started"]
    dtls[alerts > 0] = HANDSHAKE["failed"]
    one_way = (records > 0).sum(axis=0) == 1
    dtls[(protected > 0).all(axis=0) | (one_way & (protected > 0).any(axis=0))] = HANDSHAKE["done"]
    return dtls, (media[0], media[1])


def _states(
    correlated: Correlated,
    agents: Agents,
    directed: Directed,
    nominated: Ints,
    dtls: Any,
    media: tuple[Ints, Ints],
    count: int,
) -> Any:
    """How each session ended."""
    pairs = directed.table
    pair_session = pairs["session_id"] - 1
    trying = count_in(pair_session, count, pairs["state"] == STATE["in-progress"]) > 0
    failed = count_in(pair_session, count, pairs["state"] == STATE["failed"]) > 0
    # A pair that works in both directions, or in the only one that is checked, waits for its nomination.
    works = pairs["state"] == STATE["succeeded"]
    works &= (directed.reverse < 0) | (pairs["state"][directed.reverse] != STATE["failed"])
    succeeded = count_in(pair_session, count, works) > 0
    connected = (nominated >= 0) | (dtls == HANDSHAKE["done"]) | ((media[0] > 0) & (media[1] > 0))
    state = np.full(count, LEVEL["checking"], np.int8)
    state[failed & ~trying & ~succeeded] = LEVEL["failed"]
    state[connected] = LEVEL["connected"]

    state[connected & _gone(correlated, directed, nominated, count)] = LEVEL["disconnected"]
    return state


def _gone(correlated: Correlated, directed: Directed, nominated: Ints, count: int) -> Any:
    """Whether in either direction of the nominated pair all checks after the last answer stayed without one."""
    table, pairs = correlated.table, directed.table
    session_of = np.full(len(pairs), -1, np.int64)
    for rows in (nominated, np.where(nominated >= 0, directed.reverse[nominated], -1)):
        has = rows >= 0
        session_of[rows[has]] = np.flatnonzero(has)
    checks = np.flatnonzero(directed.of_transaction >= 0)
    row = directed.of_transaction[checks]
    checks, row = checks[session_of[row] >= 0], row[session_of[row] >= 0]
    good = table["outcome"][checks] == OUT["success"]
    last_good = maximum_in(row[good], len(pairs), table["response_time"][checks][good], NAT)
    silent = np.isin(table["outcome"][checks], [OUT["unanswered"], OUT["icmp"]])
    silent &= table["first_time"][checks] > last_good[row]
    last_silent = maximum_in(row[silent], len(pairs), table["last_time"][checks][silent], NAT)
    gone = (
        (count_in(row[silent], len(pairs)) >= 2)
        & (last_good > NAT)
        & (last_silent - np.maximum(last_good, 0) >= DISCONNECTED_AFTER)
    )
    result = np.zeros(count, np.bool_)
    result[session_of[gone & (session_of >= 0)]] = True
    return result


def _vantages(table: Table, rows: Ints, session: Ints, count: int, pools: Pools) -> Ints:
    """Names of the captures that saw each session."""
    names = np.full(count, MISSING, np.int64)
    seen = np.unique(np.stack([session, table["vantage"][rows]]), axis=1)
    texts: dict[int, list[str]] = {}
    for number, vantage in seen.T.tolist():
        texts.setdefault(number, []).append(pools.texts.values[vantage])
    for number, vantages in texts.items():
        names[number] = pools.texts.number(", ".join(vantages))
    return names


def _tags(
    table: Table, agents: Agents, rows: Ints, session: Ints, directed: Directed, count: int, pools: Pools
) -> Ints:
    """What is special about a session."""
    requests = table["outcome"][rows] != OUT["orphan"]
    answers = table["response_time"][rows] > NAT
    senders = np.zeros((2, count), np.bool_)
    for side in range(2):
        senders[side, session[requests & (agents.sender[rows] == side)]] = True
    asked = count_in(session, count, requests) > 0
    answered = count_in(session, count, answers) > 0
    unnamed = agents.ufrag_a < 0
    one_way = senders.sum(axis=0) == 1
    lite = one_way & asked & answered
    tags = np.empty(count, np.int64)
    for number in range(count):
        words = []
        if unnamed[number]:
            words.append("no username")
        if lite[number]:
            words.append("one agent checks, the other only answers")
        if not (asked[number] and answered[number]):
            words.append("only requests" if asked[number] else "only responses")
        tags[number] = pools.texts.number(", ".join(words))
    return tags
