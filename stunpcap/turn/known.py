"""The allocations that are known, and which of them a message belongs to."""

from __future__ import annotations

from typing import TypeAlias

from stunpcap.table import MISSING
from stunpcap.turn.model import Allocation

Key: TypeAlias = tuple[int, int, int, int]
"""Vantage, client, server, transport."""


class Allocations:
    """All allocations of a trace, and whom to ask for one."""

    def __init__(self) -> None:
        self.all: list[Allocation] = []
        self._by_key: dict[Key, list[Allocation]] = {}
        self._by_addresses: dict[Key, list[Allocation]] = {}

    def add(self, allocation: Allocation) -> Allocation:
        """Enter a new one."""
        self.all.append(allocation)
        self._enter(allocation)
        return allocation

    def _enter(self, one: Allocation) -> None:
        self._by_key.setdefault((one.vantage, one.client, one.server, one.transport), []).append(one)
        self._by_addresses.setdefault((MISSING, one.client, one.server, one.transport), []).append(one)

    def of(self, key: Key) -> list[Allocation]:
        """Those of one vantage, client, server and transport, in order of time."""
        return self._by_key.get(key, [])

    def current(self, key: Key, time: int) -> Allocation | None:
        """The one that was in force at that time, or had been asked for."""
        known = self.of(key)
        return known[-1] if known and not known[-1].over(time) else None

    def granting(self, key: Key, time: int) -> Allocation | None:
        """The one whose relayed address was in use at that time.

        If this capture holds none, another one may (`vantage` is left out then); and one that was granted later tells
        more than nothing.
        """
        for known in (self._by_key.get(key, []), self._by_addresses.get((MISSING, *key[1:]), [])):
            granted = [one for one in known if one.relayed]
            before = [one for one in granted if one.created <= time]
            if granted:
                return before[-1] if before else granted[0]
        return next(iter(self.of(key)), None)

    def move(self, allocation: Allocation, client: int) -> None:
        """The client has another address now (RFC 8016)."""
        allocation.moved_from, allocation.client = allocation.client, client
        self._enter(allocation)

    def with_ticket(self, ticket: str, server: int) -> Allocation | None:
        """The one whose last ticket this is."""
        found = (one for one in reversed(self.all) if ticket and one.ticket == ticket and one.server == server)
        return next(found, None)
