"""What is known of endpoints: which are private, which are servers' or relayed addresses, which are seen as others.

What an address range is meant for is a hint, never a proof: in a closed network private addresses are routed.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints
from stunpcap.schema import column
from stunpcap.table import Pools, Table

Mask = Any
"""A boolean NumPy array."""
_PRIVATE_V4 = (
    (0x0A000000, 8),
    (0xAC100000, 12),
    (0xC0A80000, 16),
    (0x64400000, 10),
    (0xA9FE0000, 16),
    (0x7F000000, 8),
)
"""Networks of IPv4 that routers of others do not know, and the length of their prefixes."""


class Addresses:
    """Tables of a trace, and what follows from them for each endpoint."""

    tables: Mapping[str, Table]
    pools: Pools

    def __getitem__(self, name: str) -> Table:
        return self.tables[name]

    def code(self, frame: str, name: str, *levels: str) -> list[int]:
        """Codes of a category's levels, to compare a column with `np.isin`."""
        return [column(frame, name).code(level) for level in levels]

    def has(self, frame: str, name: str, *levels: str) -> Mask:
        """Which rows of a table have one of these levels in a column."""
        return np.isin(self[frame][name], self.code(frame, name, *levels))

    @functools.cached_property
    def host_of(self) -> Ints:
        """For each endpoint the number of the first endpoint with the same address (`Endpoints.addresses`)."""
        return self.pools.endpoints.addresses

    @functools.cached_property
    def is_private(self) -> Mask:
        """Which endpoints have an address that only its own network can route.

        RFC 1918, RFC 6598 (carrier NAT), link-local and unique local addresses, and this host.
        """
        words = self.pools.endpoints.words
        v4 = words[:, 3].astype(np.int64)
        private = np.zeros(len(words), np.bool_)
        for network, bits in _PRIVATE_V4:
            private |= v4 >> (32 - bits) == network >> (32 - bits)
        private &= ~self.pools.endpoints.is_v6
        high = words[:, 0].astype(np.int64) >> 16
        v6 = (high & 0xFFC0 == 0xFE80) | (high & 0xFE00 == 0xFC00)
        return private | (v6 & self.pools.endpoints.is_v6)

    @functools.cached_property
    def is_server(self) -> Mask:
        """Which endpoints are at the host of a STUN or TURN server that answered."""
        table, host = self["transactions"], self.host_of
        answered = self.has("transactions", "outcome", "success") & (table["session_id"] < 1)
        answered &= self.has("transactions", "kind", "gather", "keepalive", "allocate", "refresh", "permission")
        found: Mask = np.isin(host, host[table["dst"][answered]]) if answered.any() else np.zeros(len(host), np.bool_)
        return found

    @functools.cached_property
    def is_relayed(self) -> Mask:
        """Which endpoints are relayed addresses: a server granted them, or they are ports of a server's host.

        Agents check no port of a STUN or TURN server but those that it relays for.
        """
        found = np.zeros(len(self.pools.endpoints), np.bool_)
        for name in ("relayed", "relayed_other"):
            granted = self["allocations"][name]
            found[granted[granted >= 0]] = True
        pairs = self["pairs"]
        checked = np.zeros(len(found), np.bool_)
        for end in ("src", "dst"):
            checked[pairs[end]] = True
        # An agent may run on the host of the server: then others check it there under more than relayed ports.
        agents = np.zeros(len(found), np.bool_)
        table = self["transactions"]
        agents[table["src"][(table["session_id"] < 1) & (table["request_frame"] > 0)]] = True
        own = np.isin(self.host_of, self.host_of[agents])
        relayed: Mask = found | (checked & self.is_server & ~own)
        return relayed

    @functools.cached_property
    def inside_mappings(self) -> Ints:
        """Rows of `mappings` in which a server at a public address tells a private one that is not the client's own."""
        table, private, host = self["mappings"], self.is_private, self.host_of
        if not len(table):
            return np.zeros(0, np.int64)
        odd = table["translated"] & private[table["mapped"]] & ~private[table["dst"]] & self.is_server[table["dst"]]
        return np.flatnonzero(odd & (host[table["mapped"]] != host[table["base"]]))

    @functools.cached_property
    def is_nobody(self) -> Mask:
        """Which endpoints stand for an unknown one: the peer of a channel whose binding was not captured."""
        nobody: Mask = (self.pools.endpoints.words[:, 3] == 0) & ~self.pools.endpoints.is_v6
        return nobody

    @functools.cached_property
    def is_translated(self) -> Mask:
        """Which endpoints are known to be seen as another address by somebody."""
        mappings = self["mappings"]
        found = np.zeros(len(self.pools.endpoints), np.bool_)
        found[mappings["base"][mappings["translated"]]] = True
        pairs = self["pairs"]
        found[pairs["src"][self.has("pairs", "path", "rewritten")]] = True
        return found
