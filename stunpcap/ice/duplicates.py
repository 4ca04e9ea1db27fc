"""Packets that were captured twice: on interface "any", or from a mirror port that sends both directions of a link."""

from __future__ import annotations

import numpy as np

from stunpcap.ice.columns import Ints, group
from stunpcap.ice.timers import MILLISECOND, SECOND
from stunpcap.schema import TRANSPORT
from stunpcap.sorting import ordered_by
from stunpcap.table import Table, in_halves

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""An odd number with bits all over."""


def mark_duplicates(messages: Table, ip_id: Ints) -> None:
    """Mark packets that were captured twice (interface "any", mirror ports).

    The same message between the same addresses is the same packet if its IP identification is the same within a
    second, or, where that is zero, if it follows within 5 ms: agents wait longer before they retransmit.  On TCP the
    streams have sorted that out already; a message there twice was sent twice.
    """
    rows = _perhaps_twice(messages)
    transaction = messages["transaction_id"].take(rows, axis=0)
    keys = [messages[name][rows] for name in ("vantage", "src", "dst", "class", "method", "carrier", "transport")]
    groups, _ = group(*keys, *(transaction[:, word] for word in range(4)), ip_id[rows])
    order = ordered_by(groups, messages["time"][rows])
    groups, order = groups[order], rows[order]
    same = groups[1:] == groups[:-1]
    gap = np.diff(messages["time"][order])
    duplicate = np.zeros(len(messages), np.bool_)
    duplicate[order[1:]] = same & (gap <= np.where(ip_id[order][1:] > 0, SECOND, 5 * MILLISECOND))
    messages["duplicate"] = duplicate & (messages["transport"] != TRANSPORT.index("tcp"))


def _perhaps_twice(messages: Table) -> Ints:
    """The rows of messages whose class and last eight bytes of the id occur more than once: few, as a rule."""
    _, lower = in_halves(messages["transaction_id"])
    # One number for both; should two differ and this be the same, they are told apart later.
    keys = lower + messages["class"].astype(np.uint64) * _SPREAD
    order = np.argsort(keys)
    again = keys[order[1:]] == keys[order[:-1]]
    twice = np.zeros(len(keys), np.bool_)
    twice[order[1:][again]] = True
    twice[order[:-1][again]] = True
    return np.flatnonzero(twice)
