"""The frame `sessions`: who took part, and how each session ended.

A session is connected once a pair is known to be in use (`stunpcap.course.in_use`); closed if an agent then ended it;
disconnected if the pair fell silent before that; failed if no pair is left to try.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.course.connections import Broken
from stunpcap.course.ending import Ending
from stunpcap.course.in_use import InUse, stuck
from stunpcap.course.liveness import Liveness
from stunpcap.ice.columns import Ints, count_in, first_of, group, last_of, maximum_in, minimum_in, pick
from stunpcap.ice.pairs import STATE, Directed
from stunpcap.ice.sessions import Agents
from stunpcap.ice.timers import SECOND
from stunpcap.ice.transactions import OUT, Correlated
from stunpcap.ice.ways import NEVER
from stunpcap.media.followed import Followed
from stunpcap.record import record
from stunpcap.schema import DTLS, ROLE, SESSION_STATE
from stunpcap.table import MISSING, NAT, Pools, Table

LEVEL = {name: code for code, name in enumerate(SESSION_STATE)}
HANDSHAKE = {name: code for code, name in enumerate(DTLS)}


@record
class Course:
    """What is known of the course of all sessions, for the frames and for the diagnosis."""

    used: InUse
    live: Liveness
    broken: dict[int, Broken]
    endings: dict[int, Ending]
    good_until: Ints
    """For each session when a check on its pair in use was answered last; NaT if none was."""
    begin_seen: Any
    """For each session: its first checks were captured."""
    agent_begin_seen: Any
    """For each session and side: so were the agent's first check and what came before it."""


def build_sessions(
    correlated: Correlated, agents: Agents, directed: Directed, followed: Followed, course: Course, pools: Pools
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
    used, nominated = course.used, course.used.nominated
    from_a = pick(directed.side, nominated) == 0
    nominated_src, nominated_dst = pick(pairs["src"], nominated), pick(pairs["dst"], nominated)
    state = _states(directed, course, followed, count)
    ended = [course.endings.get(number) for number in range(count)]
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
            "nominated_src": np.where(from_a, nominated_src, nominated_dst),
            "nominated_dst": np.where(from_a, nominated_dst, nominated_src),
            "selected_src": used.a,
            "selected_dst": used.b,
            "selected_by": used.known_from,
            "ended_by": _ended_by(ended, agents, pools),
            "ended_how": np.array([MISSING if one is None else one.how for one in ended], np.int8),
            "ended_time": np.array([NAT if one is None else one.time for one in ended], np.int64),
            "begin_seen": course.begin_seen,
            "time_to_connect_s": _time_to_connect(table, rows, session, directed, count),
            "dtls": _with_inherited(followed.dtls, agents.restart_of),
            "media_ab_packets": followed.media_ab,
            "media_ba_packets": followed.media_ba,
            "checks": count_in(session, count),
            "restart_of": np.where(agents.restart_of >= 0, agents.restart_of + 1, MISSING),
            "role_changes": role_changes,
            "vantages": _vantages(table, rows, session, count, pools),
            "first_frame": np.where(
                table["request_frame"][lead] >= 0, table["request_frame"][lead], table["response_frame"][lead]
            ),
            "tags": _tags(table, agents, rows, session, count, pools),
        },
    )


def _roles(table: Table, agents: Agents, rows: Ints, session: Ints, count: int, pools: Pools) -> tuple[Ints, Ints]:
    """The ufrag of who controlled in the end, and how often an agent changed its mind."""
    claims = np.flatnonzero((table["role"][rows] >= 0) & (agents.sender[rows] >= 0))
    claims = claims[np.argsort(table["first_time"][rows[claims]], kind="stable")]
    agent = session[claims] * 2 + agents.sender[rows[claims]]
    role = table["role"][rows[claims]]
    final = pick(role, last_of(agent, 2 * count)).reshape(count, 2)
    # Two captures see the same changes, and not at the same time.
    witness, n_witnesses = group(agent, table["vantage"][rows[claims]])
    order = np.argsort(witness, kind="stable")
    changed = (witness[order][1:] == witness[order][:-1]) & (role[order][1:] != role[order][:-1])
    seen = count_in(witness[order[1:][changed]], n_witnesses)
    of_agent = maximum_in(agent, 2 * count, seen[witness], 0)
    changes = of_agent.reshape(count, 2).sum(axis=1)
    leads = final == ROLE.index("controlling")
    # An agent that was never heard has the other role.
    follows = (final == ROLE.index("controlled")) | (final < 0)
    a, b = leads[:, 0] & follows[:, 1], leads[:, 1] & follows[:, 0]
    only_follower = ~leads.any(axis=1) & ((final == ROLE.index("controlled")).sum(axis=1) == 1)
    a |= only_follower & (final[:, 1] == ROLE.index("controlled"))
    b |= only_follower & (final[:, 0] == ROLE.index("controlled"))
    nobody = pools.texts.number("")
    return np.where(a, agents.ufrag_a, np.where(b, agents.ufrag_b, nobody)), changes


def _time_to_connect(table: Table, rows: Ints, session: Ints, directed: Directed, count: int) -> Any:
    """Seconds from the first check to the answer to the first nomination.

    Clocks of captures may differ: both times are of the capture that saw a check first, of those that saw the answer.
    """
    witness, n_witnesses = group(session, table["vantage"][rows])
    start = minimum_in(witness, n_witnesses, table["first_time"][rows], NEVER)
    until = minimum_in(witness, n_witnesses, directed.nominated_time[directed.of_transaction[rows]], NEVER)
    saw = np.flatnonzero(until < NEVER)
    best = first_of(session[first_of(witness, n_witnesses)][saw], count, np.argsort(start[saw], kind="stable"))
    return pick((until - start)[saw] / SECOND, best, np.nan)


def _with_inherited(dtls: Any, restart_of: Ints) -> Any:
    """The state of DTLS where that of the session before a restart goes on: no packet of its own tells another."""
    own = (dtls != HANDSHAKE["none"]) | (restart_of < 0)
    source = np.where(own, np.arange(len(dtls)), restart_of)
    while (source[source] != source).any():
        source = source[source]
    return dtls[source]


def _states(directed: Directed, course: Course, followed: Followed, count: int) -> Any:
    """How each session ended.

    Its own DTLS counts, not that of the session that it restarted.
    """
    pairs = directed.table
    pair_session = pairs["session_id"] - 1
    trying = count_in(pair_session, count, pairs["state"] == STATE["in-progress"]) > 0
    failed = count_in(pair_session, count, pairs["state"] == STATE["failed"]) > 0
    # A pair that works in both directions, or in the only one that is checked, waits for its nomination.
    works = pairs["state"] == STATE["succeeded"]
    works &= pick(pairs["state"], directed.reverse) != STATE["failed"]
    works &= ~stuck(directed, count)[pair_session]
    succeeded = count_in(pair_session, count, works) > 0
    connected = course.used.known | (followed.dtls == HANDSHAKE["done"])
    connected |= (followed.media_ab > 0) & (followed.media_ba > 0)
    state = np.full(count, LEVEL["checking"], np.int8)
    state[failed & ~trying & ~succeeded] = LEVEL["failed"]
    state[connected] = LEVEL["connected"]
    died = count_in(pair_session, count, course.live.dead) > 0
    died[list(course.broken)] = True
    state[connected & died] = LEVEL["disconnected"]
    ended = np.zeros(count, np.bool_)
    ended[list(course.endings)] = True
    state[connected & ended] = LEVEL["closed"]
    return state


def _ended_by(ended: list[Ending | None], agents: Agents, pools: Pools) -> Ints:
    """The ufrag of who ended each session; empty if nobody did."""
    nobody = pools.texts.number("")
    names = (agents.ufrag_a, agents.ufrag_b)
    return np.array(
        [nobody if one is None else max(int(names[one.side][row]), MISSING) for row, one in enumerate(ended)], np.int64
    )


def _vantages(table: Table, rows: Ints, session: Ints, count: int, pools: Pools) -> Ints:
    """Names of the captures that saw each session."""
    seen, n_seen = group(session, table["vantage"][rows])
    first = first_of(seen, n_seen)
    texts: list[list[str]] = [[] for _ in range(count)]
    for number, vantage in zip(session[first].tolist(), table["vantage"][rows[first]].tolist(), strict=True):
        texts[number].append(pools.texts.values[vantage])
    return np.array([pools.texts.number(", ".join(vantages)) for vantages in texts], np.int64)


def _tags(table: Table, agents: Agents, rows: Ints, session: Ints, count: int, pools: Pools) -> Ints:
    """What is special about a session.

    Who only answers is an ICE-lite agent, or one whose checks never arrive.  Where one agent's checks were captured
    without an answer, and its answers without the other's checks, packets to it were not captured.
    """
    orphan = table["outcome"][rows] == OUT["orphan"]
    answers = table["response_time"][rows] > NAT
    sender = agents.sender[rows]

    def has(side: int, what: Any) -> Any:
        return count_in(session, count, (sender == side) & what) > 0

    asks, answered, unasked = ([has(side, what) for side in (0, 1)] for what in (~orphan, answers & ~orphan, orphan))
    silent = [~answered[side] & ~asks[1 - side] & unasked[1 - side] for side in (0, 1)]
    words = {
        "no username": agents.ufrag_a < 0,
        "one agent only answers": (asks[0] ^ asks[1]) & (answered[0] | answered[1]),
        "one-way capture": (asks[0] & silent[0]) | (asks[1] & silent[1]),
        "only requests": ~(answered[0] | answered[1] | unasked[0] | unasked[1]),
        "only responses": ~(asks[0] | asks[1]),
    }
    tags = np.empty(count, np.int64)
    for number, holds in enumerate(zip(*(column.tolist() for column in words.values()), strict=True)):
        tags[number] = pools.texts.number(", ".join(word for word, held in zip(words, holds, strict=True) if held))
    return tags
