"""The pair in use: the one that was nominated, or else the one that DTLS, media or consent went over.

Not every capture holds a nomination: it may have begun later, and Firefox and aioice do not repeat USE-CANDIDATE.  What
goes over a pair tells the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, count_in, find, first_of, group, last_of, maximum_in, pick
from stunpcap.ice.pairs import STATE, Directed
from stunpcap.ice.sessions import Agents
from stunpcap.ice.timers import SECOND
from stunpcap.ice.transactions import OUT, Correlated
from stunpcap.media.build import Media
from stunpcap.record import record
from stunpcap.schema import CARRIER, HANDSHAKE_STATE, SELECTED_BY
from stunpcap.table import MISSING, NAT

BY = {name: code for code, name in enumerate(SELECTED_BY)}
PLAIN = CARRIER.index("plain")
CALM = 2 * SECOND
"""Consent checks are further apart than this, first checks are not."""


@record
class InUse:
    """For each session, from 0 on, the pair in use."""

    nominated: Ints
    """Row of `pairs` that was nominated, -1 if none was."""
    row: Ints
    """A row of the pair in use, in either direction; -1 if none is known, or none of its checks was captured."""
    a: Ints
    """Endpoint on A's side; -1 if no pair is known to be in use."""
    b: Ints
    known_from: Ints
    """Code of `schema.SELECTED_BY`; -1."""

    @property
    def known(self) -> Any:
        """Which sessions have one."""
        return self.a >= 0


def find_in_use(correlated: Correlated, directed: Directed, agents: Agents, media: Media) -> InUse:
    """Find the pair in use of each session."""
    count = agents.count
    pairs = directed.table
    nominated = _nominated(correlated, directed, agents, count)
    row, by = nominated.copy(), np.where(nominated >= 0, BY["nomination"], MISSING)
    a, b = _ends(directed, row)
    for name, (session, low, high, weight) in (
        ("dtls", _handshakes(media)),
        ("media", _media(media)),
        ("consent", _consent(directed)),
    ):
        best = first_of(session, count, np.argsort(-weight, kind="stable"))
        new = (a < 0) & (best >= 0)
        lead = best[new]
        a[new], b[new], by[new] = low[lead], high[lead], BY[name]
    # A pair that is known from what it carried may have checks all the same.
    session_of = pairs["session_id"] - 1
    wanted = np.flatnonzero((row < 0) & (a >= 0))
    known = [session_of, pairs["src"], pairs["dst"]]
    there, back = (find([wanted, one[wanted], other[wanted]], known) for one, other in ((a, b), (b, a)))
    row[wanted] = np.where(there >= 0, there, back)
    return InUse(nominated, row, a, b, by)


def _ends(directed: Directed, rows: Ints) -> tuple[Ints, Ints]:
    """A's and B's endpoint of rows of `pairs`."""
    pairs = directed.table
    src, dst = pick(pairs["src"], rows), pick(pairs["dst"], rows)
    from_a = pick(directed.side, rows) == 0
    return np.where(from_a, src, dst).astype(np.int64), np.where(from_a, dst, src).astype(np.int64)


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
        ~stuck(directed, count)[agents.of_transaction[checks]]
        & table["nominating"][checks]
        & (table["outcome"][checks] == OUT["success"])
        & (pairs["state"][row] == STATE["succeeded"])
        & (pick(pairs["state"], back) != STATE["failed"])
    )
    checks, row = checks[counted], row[counted]
    order = np.argsort(table["response_time"][checks], kind="stable")
    chosen: Ints = pick(row, last_of(agents.of_transaction[checks], count, order))
    return chosen


def stuck(directed: Directed, count: int) -> Any:
    """For each session whether an agent has tried pairs of its own and all failed.

    It has no valid pair then, whatever the other one nominates (RFC 8445 section 7.3.1.5): one that ignores
    peer-reflexive candidates, say.  An ICE-lite agent tries none.  Where one capture was taken at the agent, others do
    not count: behind a NAT an answer may look right that arrives from a wrong address.  What goes through a relay
    leaves from the relay's address: it counts wherever it was captured.
    """
    pairs = directed.table
    agent = (pairs["session_id"] - 1) * 2 + directed.side
    told = count_in(agent, 2 * count, directed.at_src) > 0
    counts = directed.at_src | ~told[agent] | (pairs["carrier"] != PLAIN)
    tries = count_in(agent, 2 * count, counts) > 0
    hopes = count_in(agent, 2 * count, counts & (pairs["state"] != STATE["failed"])) > 0
    return (tries & ~hopes).reshape(count, 2).any(axis=1)


Found = tuple[Ints, Ints, Ints, Ints]
"""Session, A's and B's endpoint, and what speaks for them."""


def _handshakes(media: Media) -> Found:
    """Pairs with a handshake that was done, the last one first; data that follows tells whose side is whose."""
    table = media.tables["handshakes"]
    session, a, b, _ = _media(media)
    done = np.flatnonzero((table["state"] == HANDSHAKE_STATE.index("done")) & (table["session_id"] >= 1))
    done = done[np.argsort(table["started"][done], kind="stable")]
    low, high = (method(table["client"][done], table["server"][done]) for method in (np.minimum, np.maximum))
    found = find([session, np.minimum(a, b), np.maximum(a, b)], [table["session_id"][done] - 1, low, high])
    rows = np.flatnonzero(found >= 0)
    return session[rows], a[rows], b[rows], table["started"][done[found[rows]]]


def _media(media: Media) -> Found:
    """Pairs with media or data, those with most packets first."""
    table = media.tables["activity"]
    packets = table["rtp_packets"] + table["data_packets"]
    rows = np.flatnonzero((table["session_id"] >= 1) & (packets > 0) & (media.sender >= 0))
    src, dst, session = (
        table["src"][rows].astype(np.int64),
        table["dst"][rows].astype(np.int64),
        table["session_id"][rows] - 1,
    )
    from_a = media.sender[rows] == 0
    a, b = np.where(from_a, src, dst), np.where(from_a, dst, src)
    pair, pairs = group(session, a, b)
    lead = first_of(pair, pairs)
    ways = (
        count_in(pair[first_of(*group(pair, from_a.astype(np.int64)))], pairs) if len(rows) else np.zeros(0, np.int64)
    )
    weight = np.bincount(pair, packets[rows], pairs).astype(np.int64)
    # What goes one way only may go astray; a pair in use is used in both directions.
    both = ways > 1
    return session[lead][both], a[lead][both], b[lead][both], weight[both]


def _consent(directed: Directed) -> Found:
    """Pairs with calm checks that are answered in both directions, as of a session that was up before the capture."""
    pairs = directed.table
    sent = pairs["requests_sent"]
    pace = (pairs["last_time"] - pairs["first_time"]) // np.maximum(sent - 1, 1)
    calm = (sent >= 2) & (pairs["transmissions"] == sent) & (pace >= CALM) & (pairs["responses_received"] >= 2)
    calm &= pairs["state"] == STATE["succeeded"]
    rows = np.flatnonzero(calm & (directed.reverse >= 0) & pick(calm, directed.reverse, False))
    a, b = _ends(directed, rows)
    session = pairs["session_id"][rows] - 1
    last = maximum_in(np.arange(len(rows)), len(rows), pairs["last_answer_time"][rows], NAT)
    return session, a, b, last
