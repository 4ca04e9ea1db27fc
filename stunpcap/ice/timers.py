"""STUN's timers (RFC 8489 section 6.2.1): when an agent gives up, and which transmission was answered.

All times are integers of nanoseconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, count_in, find, pick
from stunpcap.sorting import in_order
from stunpcap.table import NAT

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
TRANSACTION_TIMEOUT = 39_500 * MILLISECOND
"""When a transaction fails with the recommended timers: RTO 500 ms, Rc 7, Rm 16."""
RTO = 500 * MILLISECOND
"""First retransmission timeout, where a transaction shows none of its own (RFC 8445 section 14.3)."""
TRANSMISSIONS = 7
"""Rc: how often a request is sent at most."""


def round_trips(
    of_request: Ints,
    requests: Ints,
    response_rows: Ints,
    answered: Any,
    time: Ints,
    transmit_counter: Ints,
    total: int,
) -> Any:
    """Seconds from the request to its response, where it is clear which transmission was answered.

    That is so if it had been sent once (Karn's algorithm), or if the response says which (RFC 7982: both carry the
    number of the transmission in the upper byte of TRANSACTION_TRANSMIT_COUNTER).

    Parameters
    ----------
    of_request, requests
        Transaction and row of each request.
    response_rows, answered
        Row of the first response of each transaction, and whether it mirrors the request.
    """
    answer_time = pick(time, response_rows, NAT)
    before = time[requests] <= np.where(answered, answer_time, NAT)[of_request]
    alone = np.full(total, -1, np.int64)
    alone[of_request[before]] = requests[before]
    alone[count_in(of_request, total, before) != 1] = -1
    numbers = np.maximum(transmit_counter, 0) >> 8 & 0xFF
    said = pick(numbers, response_rows, 0)
    sent = alone
    if said.any():
        which = find((np.arange(total), said), (of_request, numbers[requests]))
        sent = np.where(said > 0, pick(requests, which), alone)
    sent[~answered] = -1
    trip = (answer_time - pick(time, sent, 0)) / SECOND
    clear = (sent >= 0) & (answer_time >= pick(time, sent, 0))
    return np.where(clear, trip, np.nan)


def deadlines(
    of_request: Ints, sent: Ints, first_time: Ints, last_time: Ints, transmissions: Ints, reliable: Any
) -> Ints:
    """When an agent that was not answered would at the latest have sent again, or have given up.

    With timeout RTO the k-th transmission is followed by the next RTO * (2^k - 1) after the first one, and the last is
    given up after 16 RTO more.  RTO is seen from the first two.  Over a reliable transport a request is sent once.

    Parameters
    ----------
    of_request, sent
        Transaction and time of each request, in order of time.
    """
    order = in_order(of_request)
    start = np.cumsum(transmissions) - transmissions
    several = transmissions > 1
    rto = np.full(len(transmissions), RTO, np.int64)
    gap = sent[order[start[several] + 1]] - first_time[several]
    rto[several] = np.clip(gap, 10 * MILLISECOND, 10 * SECOND)
    waits = rto * (2 ** np.minimum(transmissions, TRANSMISSIONS) - 1)
    given_up = TRANSACTION_TIMEOUT // RTO * rto
    waits = np.where(reliable, TRANSACTION_TIMEOUT, np.where(transmissions >= TRANSMISSIONS, given_up, waits))
    # Some agents repeat at even intervals, and more often than seven times.
    return np.maximum(first_time + waits, last_time + np.where(reliable, 0, rto))
