"""How long the pair in use worked: until when its checks were answered, and what came in vain after that."""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.course.beginning import last_packets
from stunpcap.course.in_use import InUse
from stunpcap.ice.columns import Ints, count_in, maximum_in, minimum_in
from stunpcap.ice.pairs import Directed
from stunpcap.ice.timers import SECOND
from stunpcap.ice.transactions import OUT, Correlated
from stunpcap.ice.ways import NEVER
from stunpcap.record import record
from stunpcap.table import NAT, Table

DISCONNECTED_AFTER = 5 * SECOND
"""Silence on the pair in use, while checks go on, after which agents report `disconnected`."""
WAITED = 3 * SECOND
"""A check that has been open for so long is silent, whether or not its agent would go on waiting."""


@record
class Liveness:
    """For each row of `pairs` what came of the pair in use."""

    in_use: Any
    """Which rows are of the pair in use."""
    good: Ints
    """When the last check of the row was sent that was answered; NaT if none was."""
    silent: Ints
    """Checks after that without an answer."""
    silent_since: Ints
    """When the first of these was sent; NEVER if there is none."""
    silent_until: Ints
    heard: Ints
    """Last packet of any kind from the other end, in the same capture."""

    @property
    def dead(self) -> Any:
        """Rows of the pair in use whose checks were answered, and then none was, for five seconds and longer."""
        lasted = self.silent_until - np.maximum(self.good, 0)
        return self.in_use & (self.silent >= 2) & (self.good > NAT) & (lasted >= DISCONNECTED_AFTER)


def find_liveness(correlated: Correlated, directed: Directed, used: InUse, flows: Table) -> Liveness:
    """Look how long the pair in use of each session worked."""
    table, pairs = correlated.table, directed.table
    session = pairs["session_id"] - 1
    src, dst = pairs["src"], pairs["dst"]
    a, b = used.a[session], used.b[session]
    in_use = ((src == a) & (dst == b)) | ((src == b) & (dst == a))
    count = len(pairs)
    checks = np.flatnonzero(directed.of_transaction >= 0)
    row = directed.of_transaction[checks]
    checks, row = checks[in_use[row]], row[in_use[row]]
    outcome, sent = table["outcome"][checks], table["first_time"][checks]
    good = maximum_in(row[outcome == OUT["success"]], count, sent[outcome == OUT["success"]], NAT)
    end = maximum_in(row, count, table["last_time"][checks], NAT)
    silent = np.isin(outcome, [OUT["unanswered"], OUT["icmp"]])
    silent |= (outcome == OUT["unfinished"]) & (end[row] - sent >= WAITED)
    silent &= sent > good[row]
    heard = np.full(count, NAT, np.int64)
    mine = np.flatnonzero(in_use)
    heard[mine] = last_packets((pairs["vantage"][mine], dst[mine], src[mine]), flows)
    return Liveness(
        in_use,
        good,
        count_in(row[silent], count),
        minimum_in(row[silent], count, sent[silent], NEVER),
        maximum_in(row[silent], count, table["last_time"][checks][silent], NAT),
        heard,
    )
