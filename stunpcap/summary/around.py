"""Endpoints that belong to sessions: of all of them, or of the one that alone is told of."""

from __future__ import annotations

from ipaddress import ip_address

import numpy as np

from stunpcap.ice.columns import Ints, count_in
from stunpcap.record import record
from stunpcap.summary.crowd import Mask
from stunpcap.summary.model_captures import Capture
from stunpcap.table import Table
from stunpcap.turn.rare import address_words


@record
class Around:
    """What belongs to sessions."""

    number: int | None
    "The session that alone is told of; None: all."
    ends: Mask
    "For each endpoint of the pool whether it is one of a candidate pair."
    hosts: Mask
    "The same for endpoints at any port of these addresses."

    def any_in(self, groups: Ints, count: int, mask: Mask) -> Mask:
        """Which groups have a row in `mask`; all where all sessions are told of."""
        if self.number is None:
            return np.ones(count, np.bool_)
        return count_in(groups, count, mask) > 0


def around(pairs: Table, number: int | None) -> Around:
    """The endpoints of the pairs of a session, or of all."""
    pool = pairs.pools.endpoints
    mine = pairs if number is None else pairs.take(pairs["session_id"] == number)
    ends, hosts = np.zeros(len(pool), np.bool_), np.zeros(len(pool), np.bool_)
    ends[mine["src"]] = ends[mine["dst"]] = True
    hosts[pool.addresses[ends]] = True
    return Around(number, ends, hosts[pool.addresses])


def taken_there(captures: tuple[Capture, ...], table: Table, column: str) -> Mask:
    """For each row whether its endpoint is of the host that its capture was taken at, or no host is known."""
    result = np.ones(len(table), np.bool_)
    for one in captures:
        if one.place == "endpoint":
            here = table["vantage"] == table.pools.texts.number(one.vantage)
            local = np.array([address_words(ip_address(text), 0)[:4] for text in one.at.split(", ")], np.uint32)
            words = table.pools.endpoints.words[table[column][here], :4]
            result[here] = (words[:, None] == local).all(2).any(1)
    return result
