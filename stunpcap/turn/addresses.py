"""Between which two addresses relayed data travelled: the relayed address of the allocation, and the peer's.

From the client to the server the source is the relayed address and the destination the peer; the other way round it is
the reverse.  Where the capture does not tell: the relayed address is what a peer's answer says it saw
(XOR-MAPPED-ADDRESS), or else the server's address with port 0; the peer behind a channel is what the client's answer
says it saw, or else the unspecified address with the channel's number as its port.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints
from stunpcap.ice.transactions import SUCCESS
from stunpcap.schema import CARRIER
from stunpcap.sorting import values_in
from stunpcap.table import MISSING, NAT, V4_PREFIX, Pools, Table
from stunpcap.turn.known import Allocations, Key
from stunpcap.turn.model import LOST, Allocation
from stunpcap.turn.unwrap import nesting
from stunpcap.vantage import Vantage
from stunpcap.wire.channels import MS_MULTIPLEXED

PLAIN, SEND, DATA, CHANNEL = range(len(CARRIER))
SERVER_PORTS = (3478, 5349, 3479, 443, 80)


@dataclass(slots=True, eq=False, repr=False)
class Hints:
    """What answers say that travelled through relays whose allocation or binding was not captured."""

    relayed: dict[tuple[Key, bool], int] = field(default_factory=dict)
    """5-tuple and whether it is IPv6 -> relayed address."""
    peers: dict[tuple[Key, int], int] = field(default_factory=dict)
    """5-tuple and channel -> peer."""


@dataclass(slots=True, eq=False, repr=False)
class Ends:
    """The two ends of one relayed datagram, and the allocation that it used."""

    src: int
    dst: int
    allocation: Allocation | None
    sent: bool
    """From the client to the server."""


class Resolver:
    """Finds the ends of the flows of one capture that are inside others."""

    def __init__(self, vantage: Vantage, allocations: Allocations, pools: Pools) -> None:
        self.flows = vantage.flows.take(np.arange(len(vantage.flows)))
        self._number = pools.texts.number(vantage.name)
        self.allocations, self._pools = allocations, pools
        self.depth, _ = nesting(vantage.carried.parent, len(vantage.flows) - len(vantage.carried))
        self._carried = vantage.carried
        self._first = len(vantage.flows) - len(vantage.carried)
        self._hints = Hints()
        self._asked = self._known_clients(vantage.messages)

    def _known_clients(self, messages: Table) -> set[tuple[int, int]]:
        """Client and server of every 5-tuple on which somebody asked for something of TURN."""
        names = ("allocate", "refresh", "create-permission", "channel-bind", "send")
        numbers = self._pools.texts.numbers(names)
        rows = np.flatnonzero(np.isin(messages["method"], numbers) & (messages["class"] < SUCCESS))
        return set(zip(messages["src"][rows].tolist(), messages["dst"][rows].tolist(), strict=True))

    def resolve(self, messages: Table, flow: Any, level: int) -> None:
        """Give the messages and flows at one depth their addresses, in place.

        Parameters
        ----------
        messages, flow
            Those of this capture, and in which of its flows each is.
        """
        rows = np.flatnonzero(self.depth[flow] == level)
        self._learn(messages, rows, flow)
        flows = self.flows
        for number in np.flatnonzero(self.depth == level).tolist():
            ends = self.ends(number, int(flows["first_time"][number]))
            flows["src"][number], flows["dst"][number] = ends.src, ends.dst
        messages["src"][rows], messages["dst"][rows] = flows["src"][flow[rows]], flows["dst"][flow[rows]]
        for number in values_in(flow[rows]).tolist():
            if self._varies(number):
                for row in rows[flow[rows] == number].tolist():
                    ends = self.ends(number, int(messages["time"][row]))
                    messages["src"][row], messages["dst"][row] = ends.src, ends.dst

    def count(self) -> None:
        """Enter in the allocations how much went through each, and when a server that was lost was heard of last."""
        lost = [one for one in self.allocations.all if one.vantage == self._number and one.state == LOST]
        for one in lost:
            if one.error_code < 0 and one.last_answer > NAT:
                src, dst, transport, last = (
                    self.flows[name][: self._first] for name in ("src", "dst", "transport", "last_time")
                )
                heard = (src == one.server) & (dst == one.client) & (transport == one.transport)
                one.ended = max(one.ended, int(last[heard].max(initial=NAT)))
        for number in range(self._first, len(self.flows)):
            ends = self.ends(number, int(self.flows["first_time"][number]))
            if ends.allocation:
                at = 0 if ends.sent else 2
                ends.allocation.counted[at] += int(self.flows["packets"][number])
                ends.allocation.counted[at + 1] += int(self.flows["bytes"][number])

    def _learn(self, messages: Table, rows: Ints, flow: Any) -> None:
        """Take hints from answers at one depth, the first of each flow."""
        told = rows[(messages["class"][rows] == SUCCESS) & (messages["mapped"][rows] >= 0)]
        numbers, first = np.unique(flow[told], return_index=True)
        v6 = self._pools.endpoints.is_v6
        for row, number in zip(told[first].tolist(), numbers.tolist(), strict=True):
            key, sent = self._carrying(number)
            mapped = int(messages["mapped"][row])
            if not sent:
                self._hints.relayed.setdefault((key, bool(v6[mapped])), mapped)
            channel = int(self._carried.channel[number - self._first])
            if sent and channel >= 0:
                self._hints.peers.setdefault((key, channel), mapped)

    def _carrying(self, flow: int) -> tuple[Key, bool]:
        """Vantage, client, server and transport of what carries a flow; and whether the client sends."""
        at = flow - self._first
        parent, carrier = int(self._carried.parent[at]), int(self._carried.carrier[at])
        src, dst = int(self.flows["src"][parent]), int(self.flows["dst"][parent])
        transport = int(self.flows["transport"][parent])
        sent = carrier == SEND or (carrier == CHANNEL and self._sent_by_client(src, dst, transport))
        return (self._number, src, dst, transport) if sent else (self._number, dst, src, transport), sent

    def _sent_by_client(self, src: int, dst: int, transport: int) -> bool:
        """Whether it is the client that sends ChannelData from `src`."""
        for a, b, sent in ((src, dst, True), (dst, src, False)):
            if self.allocations.of((self._number, a, b, transport)) or (a, b) in self._asked:
                return sent
        ports = [self._pools.endpoints.port(end) for end in (src, dst)]
        if (ports[0] in SERVER_PORTS) != (ports[1] in SERVER_PORTS):
            return ports[1] in SERVER_PORTS
        return ports[0] > ports[1]

    def ends(self, flow: int, time: int) -> Ends:
        """The two ends of what travelled in a flow at that time."""
        at = flow - self._first
        channel = int(self._carried.channel[at])
        parent = int(self._carried.parent[at])
        if channel == MS_MULTIPLEXED:  # no address of its own: the session id tells whom the relay gives it to
            return Ends(int(self.flows["src"][parent]), int(self.flows["dst"][parent]), None, False)
        key, sent = self._carrying(flow)
        allocation = self.allocations.granting(key, time)
        peer = int(self._carried.peer[at])
        if channel >= 0:
            peer = allocation.bound(channel, time) if allocation else MISSING
            if peer < 0:
                peer = self._hints.peers.get((key, channel), MISSING)
            if peer < 0:
                peer = self._endpoint((0, 0, V4_PREFIX, 0, channel))
        relayed = self._relayed(key, allocation, peer)
        return Ends(relayed, peer, allocation, sent) if sent else Ends(peer, relayed, allocation, sent)

    def _relayed(self, key: Key, allocation: Allocation | None, peer: int) -> int:
        v6 = self._pools.endpoints.is_v6
        family = bool(v6[peer])
        known = allocation.relayed if allocation else []
        for relayed in known:
            if bool(v6[relayed]) == family:
                return relayed
        if known:
            return known[0]
        hint = self._hints.relayed.get((key, family), MISSING)
        if hint >= 0:
            return hint
        a, b, c, d, _ = self._pools.endpoints.words[key[2]].tolist()
        return self._endpoint((a, b, c, d, 0))

    def _endpoint(self, words: tuple[int, int, int, int, int]) -> int:
        return int(self._pools.endpoints.numbers(np.array([words], np.uint32))[0])

    def _varies(self, flow: int) -> bool:
        """Whether the ends may differ from one datagram of a flow to the next."""
        if int(self._carried.channel[flow - self._first]) == MS_MULTIPLEXED:
            return False
        key, _ = self._carrying(flow)
        granted = [one for one in self.allocations.of(key) if one.relayed]
        peers = {
            grant.peer
            for one in granted
            for grant in one.channels
            if grant.channel == int(self._carried.channel[flow - self._first])
        }
        return len(granted) > 1 or len(peers) > 1
