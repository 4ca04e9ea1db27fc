"""What a TURN server granted: allocations with their permissions and channels, as objects.

There are few of these whatever the size of a capture, so they are no columns; `stunpcap.turn.tables` makes frames of
them.  Times are integer nanoseconds, addresses and texts numbers into the pools, as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from stunpcap.ice.timers import SECOND
from stunpcap.schema import ALLOCATION_STATE, GRANT_STATE
from stunpcap.table import MISSING, NAT

PERMISSION_LIFETIME = 300 * SECOND
"""RFC 8656 section 9."""
CHANNEL_LIFETIME = 600 * SECOND
"""RFC 8656 section 12."""
ACTIVE, REFUSED, EXPIRED, DELETED, LOST = range(len(ALLOCATION_STATE))
GRANTED, LAPSED, DENIED, UNANSWERED = range(len(GRANT_STATE))


@dataclass(slots=True, eq=False, repr=False)
class Grant:
    """A permission, or the binding of a channel: what a server allows for a time, from success to success."""

    peer: int
    """Endpoint number; its port is 0 in permissions, which are for an address."""
    channel: int = MISSING
    """Channel number; -1 for permissions."""
    created: int = NAT
    refreshed: int = NAT
    refreshes: int = 0
    expires: int = NAT
    refusals: int = 0
    unanswered: int = 0
    error_code: int = MISSING
    first_frame: int = MISSING
    last_frame: int = MISSING

    def renew(self, time: int, lifetime: int) -> None:
        """Note a success."""
        if self.created == NAT:
            self.created = time
        else:
            self.refreshed = time
            self.refreshes += 1
        self.expires = time + lifetime

    def state(self, until: int) -> int:
        """Its state when the allocation, or the capture, ended."""
        if self.created == NAT:
            return DENIED if self.error_code >= 0 else UNANSWERED
        return LAPSED if self.expires <= until else GRANTED


@dataclass(slots=True, eq=False, repr=False)
class Connection:
    """A TCP connection between the server and a peer (RFC 6062)."""

    peer: int
    id: int = MISSING
    """CONNECTION-ID."""
    by_peer: bool = False
    asked: int = NAT
    answered: int = NAT
    bound: int = NAT
    """When the client tied its data connection to it."""
    error_code: int = MISSING
    frame: int = MISSING


@dataclass(slots=True, eq=False, repr=False)
class Allocation:
    """What became of a client's requests for a relayed address, on one 5-tuple, from Allocate to the end."""

    vantage: int
    client: int
    server: int
    transport: int
    depth: int = 0
    """How many other relays its own messages travel through."""
    asked: int = NAT
    created: int = NAT
    relayed: list[int] = field(default_factory=list)
    """One address, or one of each family (RFC 8656 section 7.3)."""
    mapped: int = MISSING
    lifetime_s: int = MISSING
    refreshed: int = NAT
    refreshes: int = 0
    expires: int = NAT
    ended: int = NAT
    state: int = ACTIVE
    error_code: int = MISSING
    """Of the last request that was refused; neither of challenges nor of stale nonces."""
    error_frame: int = MISSING
    challenges: int = 0
    stale_nonces: int = 0
    granted: int = 0
    """Requests of any kind that were."""
    refusals: int = 0
    unanswered: int = 0
    last_unanswered: int = NAT
    last_answer: int = NAT
    icmp: int = MISSING
    username: int = MISSING
    realm: int = MISSING
    software: int = MISSING
    alternate_server: int = MISSING
    even_port: bool = False
    reservation_token: str = ""
    family_error: int = MISSING
    """ADDRESS-ERROR-CODE: why one of two families was not granted."""
    ticket: str = ""
    """Last MOBILITY-TICKET that the server gave (RFC 8016)."""
    moved_from: int = MISSING
    """The client's address before it moved."""
    first_frame: int = MISSING
    last_frame: int = MISSING
    permissions: list[Grant] = field(default_factory=list)
    channels: list[Grant] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    counted: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    """Packets and bytes sent through it, packets and bytes received."""

    def over(self, time: int) -> bool:
        """Whether it had come to its end by then."""
        return self.state in (DELETED, LOST) or (self.expires > NAT and self.expires <= time)

    def until(self, end: int) -> int:
        """When it ended; `end`, if it outlived the capture."""
        return min(end, self.ended) if self.ended > NAT else end

    def bound(self, channel: int, time: int) -> int:
        """The peer that a channel number stood for at that time; -1 if nothing tells.

        A binding that was answered counts before one that was only asked for; of several the last one before that
        time, or else, since what precedes a binding can only be a matter of capturing, the first one after it.
        """
        found = [grant for grant in self.channels if grant.channel == channel]
        found = [grant for grant in found if grant.created > NAT] or found
        before = [grant for grant in found if grant.created <= time]
        return before[-1].peer if before else found[0].peer if found else MISSING
