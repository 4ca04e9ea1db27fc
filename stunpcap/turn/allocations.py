"""TURN state: what clients asked of servers, what these granted, and how it ended (RFC 8656, 6062, 8016; [MS-TURN]).

The transactions of TURN are followed in order of time, for each client and server.  A 401 to a request without
credentials is the challenge and a 438 asks for a fresh nonce; every other error is a refusal.  A grant counts from the
answer on: that is when the client knows, and the server's own clock differs by less than a round trip.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from stunpcap.ice.timers import SECOND
from stunpcap.ice.transactions import KIND, OUT, Correlated
from stunpcap.table import MISSING, NAT, Pools, Table
from stunpcap.turn.known import Allocations
from stunpcap.turn.model import (
    ACTIVE,
    CHANNEL_LIFETIME,
    DELETED,
    EXPIRED,
    LOST,
    PERMISSION_LIFETIME,
    REFUSED,
    Allocation,
    Connection,
    Grant,
)
from stunpcap.turn.rare import Rare, address_words, rare_values

if TYPE_CHECKING:
    from stunpcap.stun.message import Message
    from stunpcap.stun.valuetypes import Address

    Reader = Callable[[int], Message]
    """Gives the message in a row."""

KINDS = ("allocate", "refresh", "permission", "channel-bind", "connect", "connection-bind", "connection-attempt")
UNAUTHORIZED, STALE_NONCE, MISMATCH = 401, 438, 437
DEFAULT_LIFETIME = 600
"""Seconds, where an answer has no LIFETIME (RFC 8656 section 3.2)."""


def find_allocations(
    correlated: Correlated, messages: Table, has_more: Any, depth: Any, read: Reader, ends: dict[int, int], pools: Pools
) -> Allocations:
    """Follow the transactions of TURN.

    Parameters
    ----------
    correlated, messages
        Transactions, and the messages that they are made of.
    has_more, depth
        For each message whether it has attributes too rare for columns, and how many relays it is inside of.
    read
        Gives the message in a row.
    ends
        When each capture ended.
    """
    return _Follower(correlated, messages, has_more, depth, read, pools).run(ends)


class _Follower:
    """Takes one transaction after the other."""

    def __init__(
        self, correlated: Correlated, messages: Table, has_more: Any, depth: Any, read: Reader, pools: Pools
    ) -> None:
        self.found = Allocations()
        self._correlated, self._messages, self._pools = correlated, messages, pools
        self._has_more, self._depth, self._read = has_more, depth, read

    def run(self, ends: dict[int, int]) -> Allocations:
        table = self._correlated.table
        rows = np.flatnonzero(np.isin(table["kind"], [KIND[kind] for kind in KINDS]))
        at = np.where(table["response_time"][rows] > NAT, table["response_time"][rows], table["first_time"][rows])
        names = (
            *("kind", "vantage", "src", "dst", "transport", "outcome", "error_code", "first_time", "mapped", "icmp"),
            *("request_frame", "response_frame"),
        )
        columns = {name: table[name].tolist() for name in names}
        requests, responses = self._correlated.request_rows.tolist(), self._correlated.response_rows.tolist()
        for row in rows[np.argsort(at, kind="stable")].tolist():
            one = {name: values[row] for name, values in columns.items()}
            self._take(one, requests[row], responses[row])
        self._attempts()
        for allocation in self.found.all:
            _conclude(allocation, ends[allocation.vantage])
        return self.found

    def _value(self, row: int, column: str) -> int:
        return int(self._messages[column][row]) if row >= 0 else MISSING

    def _rare(self, row: int) -> Rare:
        return rare_values(self._read(row)) if row >= 0 and self._has_more[row] else Rare()

    def _take(self, one: dict[str, Any], request: int, response: int) -> None:
        key = (one["vantage"], one["src"], one["dst"], one["transport"])
        kind, answered = one["kind"], response >= 0
        asked = one["first_time"]
        time = self._value(response, "time") if answered else asked
        if kind == KIND["connection-bind"]:
            self._bind_connection(one, request, time)
            return
        asks, told = self._rare(request), self._rare(response)
        success = answered and one["error_code"] < 0
        allocation = self.found.current(key, asked)
        if allocation is None and kind == KIND["refresh"] and success:
            allocation = self.found.with_ticket(asks.ticket, one["dst"])
            if allocation:
                self.found.move(allocation, one["src"])
        if allocation is None and kind != KIND["allocate"] and self.found.of(key):
            allocation = self.found.of(key)[-1]  # it had ended; what the client still asks for belongs to it
        if allocation is None:
            depth = int(self._depth[request if request >= 0 else response])
            allocation = self.found.add(Allocation(*key, depth=depth, asked=asked, first_frame=_frame(one)))
        self._note(allocation, one, request, response, asks, told)
        if success:
            allocation.granted += 1
            self._grant(allocation, one, request, response, time, asks, told)
        elif answered:
            self._refuse(allocation, one, request, time, asks, told)
        elif one["outcome"] == OUT["unfinished"] and self._value(request, "lifetime_s") == 0:
            if not allocation.over(asked):  # the client is done with it, whatever the server would have said
                allocation.state, allocation.ended = DELETED, asked
        elif one["outcome"] != OUT["unfinished"]:
            allocation.unanswered += 1
            allocation.last_unanswered = max(allocation.last_unanswered, asked)
            for grant in self._grants(allocation, one, request, asks, time):
                grant.unanswered += 1

    def _note(
        self, allocation: Allocation, one: dict[str, Any], request: int, response: int, asks: Rare, told: Rare
    ) -> None:
        """What any transaction may tell."""
        allocation.last_frame = max(allocation.last_frame, one["request_frame"], one["response_frame"])
        for name, row in (("username", request), ("realm", request), ("realm", response), ("software", response)):
            value = self._value(row, name)
            if value >= 0:
                setattr(allocation, name, value)
        if response >= 0:
            allocation.last_answer = self._value(response, "time")
        if one["icmp"] >= 0:
            allocation.icmp = one["icmp"]
        allocation.even_port |= asks.even_port
        allocation.reservation_token = told.token or allocation.reservation_token or asks.token
        allocation.ticket = told.ticket or allocation.ticket
        if told.alternate:
            allocation.alternate_server = self._endpoints([told.alternate])[0]

    def _grant(
        self,
        allocation: Allocation,
        one: dict[str, Any],
        request: int,
        response: int,
        time: int,
        asks: Rare,
        told: Rare,
    ) -> None:
        if one["kind"] in (KIND["allocate"], KIND["refresh"]):
            self._prolong(allocation, one, request, response, time, told)
        elif one["kind"] == KIND["connect"]:
            connection = Connection(self._value(request, "peer"), told.connection, False, one["first_time"], time)
            connection.frame = one["request_frame"]
            allocation.connections.append(connection)
        else:
            for grant in self._grants(allocation, one, request, asks, time):
                grant.renew(time, PERMISSION_LIFETIME if grant.channel < 0 else CHANNEL_LIFETIME)

    def _prolong(
        self, allocation: Allocation, one: dict[str, Any], request: int, response: int, time: int, told: Rare
    ) -> None:
        """Allocate or Refresh succeeded.  Microsoft's clients refresh by Allocate."""
        lifetime = self._value(response, "lifetime_s")
        if lifetime < 0:
            asked_for = self._value(request, "lifetime_s")
            lifetime = 0 if asked_for == 0 else DEFAULT_LIFETIME
        if lifetime == 0:
            allocation.state, allocation.ended = DELETED, time
            return
        if one["kind"] == KIND["allocate"] and allocation.created == NAT:
            allocation.created, allocation.ended = time, NAT
            allocation.state, allocation.error_code = ACTIVE, MISSING
            allocation.mapped = one["mapped"]
        else:
            allocation.refreshed = time
            allocation.refreshes += 1
        relayed = self._endpoints(told.relayed) or [self._value(response, "relayed")]
        allocation.relayed = [number for number in relayed if number >= 0] or allocation.relayed
        allocation.family_error = told.family_error if told.family_error >= 0 else allocation.family_error
        allocation.lifetime_s = lifetime
        allocation.expires = time + lifetime * SECOND

    def _refuse(
        self, allocation: Allocation, one: dict[str, Any], request: int, time: int, asks: Rare, told: Rare
    ) -> None:
        code = one["error_code"]
        if code == STALE_NONCE:
            allocation.stale_nonces += 1
            return
        if code == UNAUTHORIZED and (request < 0 or not self._messages["integrity"][request]):
            allocation.challenges += 1
            return
        if code == MISMATCH and allocation.state == DELETED:
            return  # deleted twice
        allocation.refusals += 1
        allocation.error_code = code
        allocation.error_frame = one["response_frame"]
        if one["kind"] == KIND["allocate"]:
            if allocation.created == NAT:
                allocation.state, allocation.ended = REFUSED, time
        elif code == MISMATCH:
            allocation.state = LOST
            allocation.ended = time if allocation.ended == NAT else allocation.ended
        elif one["kind"] == KIND["connect"]:
            peer = self._value(request, "peer")
            allocation.connections.append(
                Connection(peer, asked=one["first_time"], answered=time, error_code=code, frame=one["request_frame"])
            )
        for grant in self._grants(allocation, one, request, asks, time):
            grant.refusals += 1
            grant.error_code = code

    def _grants(
        self, allocation: Allocation, one: dict[str, Any], request: int, asks: Rare, time: int
    ) -> Iterable[Grant]:
        """The permissions and channels that a request was about; those that lapsed begin anew."""
        if one["kind"] not in (KIND["permission"], KIND["channel-bind"]) or request < 0:
            return []
        peers = self._endpoints(asks.peers) or [self._value(request, "peer")]
        peers = [peer for peer in peers if peer >= 0]
        found = [_grant(allocation.permissions, self._without_port(peer), MISSING, time) for peer in peers]
        if one["kind"] == KIND["channel-bind"]:  # which installs or refreshes a permission, too (section 12.2)
            channel = self._value(request, "channel")
            found += [_grant(allocation.channels, peer, channel, time) for peer in peers]
        for grant in found:
            grant.first_frame = one["request_frame"] if grant.first_frame < 0 else grant.first_frame
            grant.last_frame = max(grant.last_frame, one["request_frame"], one["response_frame"])
        return found

    def _without_port(self, peer: int) -> int:
        words = self._pools.endpoints.words[peer].copy()
        words[4] = 0
        return int(self._pools.endpoints.numbers(words[None])[0])

    def _endpoints(self, addresses: list[Address]) -> list[int]:
        if not addresses:
            return []
        words = np.array([address_words(ipaddress.ip_address(one.host), one.port) for one in addresses], np.uint32)
        return [int(number) for number in self._pools.endpoints.numbers(words)]

    def _bind_connection(self, one: dict[str, Any], request: int, time: int) -> None:
        """ConnectionBind comes on a connection of its own, and names what it is for by its number (RFC 6062 5.4)."""
        number = self._rare(request).connection
        client, server = self._address(one["src"]), one["dst"]
        for allocation in reversed(self.found.all):
            if allocation.server != server or self._address(allocation.client) != client:
                continue
            for connection in allocation.connections:
                if connection.id == number >= 0:
                    if one["outcome"] == OUT["success"]:
                        connection.bound = time
                    connection.error_code = max(connection.error_code, one["error_code"])
                    return

    def _address(self, endpoint: int) -> str:
        return self._pools.endpoints.address(endpoint)

    def _attempts(self) -> None:
        """ConnectionAttempt indications: a peer has connected (RFC 6062 section 5.3)."""
        method = self._pools.texts.number("connection-attempt")
        for row in np.flatnonzero(self._messages["method"] == method).tolist():
            vantage, src, dst = (self._value(row, name) for name in ("vantage", "src", "dst"))
            time = self._value(row, "time")
            allocation = self.found.granting((vantage, dst, src, self._value(row, "transport")), time)
            if allocation:
                frame = self._value(row, "frame")
                connection = Connection(self._value(row, "peer"), self._rare(row).connection, True, time, time)
                connection.frame = frame
                allocation.connections.append(connection)


def _frame(one: dict[str, Any]) -> int:
    return int(one["request_frame"] if one["request_frame"] >= 0 else one["response_frame"])


def _grant(grants: list[Grant], peer: int, channel: int, time: int) -> Grant:
    """The grant for a peer that is still in force or was never given; else a new one."""
    for grant in reversed(grants):
        if (grant.peer, grant.channel) == (peer, channel):
            if grant.created == NAT or time < grant.expires:
                return grant
            break
    grants.append(Grant(peer, channel))
    return grants[-1]


def _conclude(allocation: Allocation, end: int) -> None:
    """How it ended, where no answer said so: it expired, or the server was not heard of any more."""
    if allocation.state != ACTIVE:
        return
    if NAT < allocation.expires <= end:
        allocation.state, allocation.ended = EXPIRED, allocation.expires
    elif allocation.last_unanswered > allocation.last_answer or allocation.last_answer == NAT:
        allocation.state, allocation.ended = LOST, allocation.last_answer
    elif allocation.created == NAT and allocation.challenges and not allocation.granted:
        allocation.state, allocation.ended = REFUSED, allocation.last_answer  # and the client did not come back
