"""Whether the capture holds how a session began: only then may it be said what an agent never did.

Consent goes out every six seconds at the latest (RFC 7675 section 5.1): a session that was up before would have shown
itself in the time before the first check.  First checks come in bursts, and begin what libwebrtc counts (0xFF00) at 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, count_in, first_of, group, maximum_in, minimum_in, pick, translate
from stunpcap.ice.sessions import Agents
from stunpcap.ice.timers import MILLISECOND, SECOND
from stunpcap.ice.transactions import Correlated
from stunpcap.ice.ways import NEVER
from stunpcap.record import record
from stunpcap.table import NAT, Table

CONSENT = 6 * SECOND
BURST = SECOND
BURST_CHECKS = 5
"""Both agents together; consent makes two of them, or three with one that was lost."""
AHEAD = 300 * MILLISECOND
"""A capture that ran so long before an agent's first check would have held the question to a server."""
FIRST_REPEAT = 600 * MILLISECOND
"""What is repeated so soon was sent for the first time before (RFC 8489 section 6.2.1): later repeats take longer."""


@record
class Beginning:
    """What was captured of the beginning of each session."""

    session: Any
    """Sessions whose first checks were captured, and not only consent of one that was already up."""
    agent: Any
    """For each session and side: the agent's first check was captured, and what came before it."""


def find_beginning(correlated: Correlated, agents: Agents, messages: Table, starts: dict[int, int]) -> Beginning:
    """Tell of which sessions, and of which agents, the beginning was captured.

    Parameters
    ----------
    starts
        Time of the first packet of each capture, by its number in columns `vantage`.
    """
    table, count = correlated.table, agents.count
    rows = np.flatnonzero((agents.of_transaction >= 0) & (table["request_frame"] >= 0))
    session = agents.of_transaction[rows]
    vantage, first_time = table["vantage"][rows], table["first_time"][rows]
    began = translate(vantage, starts)
    witness, n = group(session, vantage)
    first = minimum_in(witness, n, first_time, NEVER)
    burst = count_in(witness, n, first_time <= first[witness] + BURST) >= BURST_CHECKS
    quiet = first[witness] - began >= CONSENT
    seen = np.zeros(count, np.bool_)
    seen[session[burst[witness] | quiet]] = True

    side = np.maximum(agents.sender[rows], 0)
    sender, n_senders = group(session, side, vantage)
    order = np.argsort(first_time, kind="stable")
    lead = first_of(sender, n_senders, order)
    request = correlated.request_rows[rows[lead]]
    counted = pick(messages["retransmit_count"], request) == 0
    ahead = first_time[lead] - began[lead] >= AHEAD
    fresh = counted | ahead | _repeated_soon(correlated, messages, rows[lead])
    known = np.zeros(2 * count, np.bool_)
    known[(session * 2 + side)[lead[fresh]]] = True
    return Beginning(seen, known.reshape(count, 2))


def _repeated_soon(correlated: Correlated, messages: Table, transactions: Ints) -> Any:
    """Which of these transactions show their first transmission: the second follows soon."""
    total = len(correlated.table)
    wanted = np.zeros(total, np.bool_)
    wanted[transactions[correlated.table["transmissions"][transactions] > 1]] = True
    of = correlated.of_message
    requests = np.flatnonzero((of >= 0) & (messages["class"] == 0) & ~messages["duplicate"])
    requests = requests[wanted[of[requests]]]
    requests = requests[np.argsort(messages["time"][requests], kind="stable")]
    first = first_of(of[requests], total)
    later = np.ones(len(requests), np.bool_)
    later[first[first >= 0]] = False
    second = pick(messages["time"][requests[later]], first_of(of[requests[later]], total), NAT)
    gap = second - correlated.table["first_time"]
    return wanted[transactions] & (second[transactions] > NAT) & (gap[transactions] <= FIRST_REPEAT)


def last_packets(rows: tuple[Ints, Ints, Ints], flows: Table) -> Ints:
    """When the last packet of any kind went from one end to another in a capture; NaT if none did.

    Parameters
    ----------
    rows
        Capture, source and destination.
    """
    if not len(rows[0]):
        return np.zeros(0, np.int64)
    known = [flows[name] for name in ("vantage", "src", "dst")]
    way, count = group(*(np.concatenate(both) for both in zip(rows, known, strict=True)))
    return maximum_in(way[len(rows[0]) :], count, flows["last_time"], NAT)[way[: len(rows[0])]]
