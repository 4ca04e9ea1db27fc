"""Which causes do not contradict each other.

One relation: a cause may be said where less is known than another takes.  It goes one way.  With more packets a verdict
may become more special, with fewer more general; never the other way round.
"""

from __future__ import annotations

from functools import cache

GENERAL = {
    # Which direction is lost takes a sign from the other end.
    "one-way-loss": ("no-answer",),
    # That a NAT stands in that direction takes its outside address; that responses go elsewhere, these responses.
    "one-way-nat": ("one-way-loss",),
    "asymmetric-response": ("one-way-loss",),
    # Why no path is there takes the gathering, or the other end's candidates.
    "host-only": ("no-answer",),
    "relay-needed": ("no-answer",),
    "no-hairpin": ("no-answer",),
    "mdns-unresolved": ("no-answer",),
    "ice-tcp-refused": ("no-answer",),
    # All of UDP takes more than one server; either takes the requests to servers.
    "udp-blocked": ("stun-server-unreachable",),
    "stun-server-unreachable": ("no-answer",),
    "turn-unauthorized": ("no-answer",),
    "turn-forbidden": ("no-answer",),
    "turn-refused": ("no-answer",),
    # Why a call that worked lost its way takes what its agent and the server said to each other.
    "turn-mismatch": ("consent-lost",),
    "turn-allocation-expired": ("consent-lost",),
    "turn-permission-missing": ("consent-lost", "no-answer"),
    "turn-channel-expired": ("consent-lost",),
    "turn-server-lost": ("consent-lost",),
    # In which direction DTLS is lost takes a sign from the other end.
    "dtls-one-way": ("dtls-stalled",),
}
"""Cause -> what may be said where less is known.

Not here, on purpose: `icmp-rejected` and what is said of checks that were answered (`bad-credentials`, `bad-request`,
`role-conflict`).  They are no refinement of silence: where they come after it, they are not why it was silent.
"""
TAKEN_AWAY = {
    # Who comes after the end of what worked sees silence.
    "consent-lost": ("no-answer",),
    # Without the errors, silence is all there is.
    "icmp-rejected": ("no-answer",),
}
"""The same where packets were taken away, from wherever."""


@cache
def generals(cause: str, *, taken_away: bool = False) -> frozenset[str]:
    """A cause and all that may be said in its place where less is known."""
    found = {cause}
    for general in GENERAL.get(cause, ()) + (TAKEN_AWAY.get(cause, ()) if taken_away else ()):
        found |= generals(general, taken_away=taken_away)
    return frozenset(found)


def may_follow(before: str, after: str) -> bool:
    """More packets may make one cause into the other."""
    return before in generals(after)


AFTER_ICE = frozenset(
    {
        "dtls-alert",
        "dtls-one-way",
        "dtls-stalled",
        "dtls-never-started",
        "media-one-way",
        # The session before goes on.
        "ice-restart-incomplete",
    }
)
"""Causes over which a session is rightly `connected`."""
ON_RANGES = frozenset({"host-only", "relay-needed"})
"""What rests on private addresses being private."""
