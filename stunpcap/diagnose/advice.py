"""What would mend it, as steps that a person can take.

A step is a line, or several: lines of configuration are indented.  Steps name addresses and ports of the capture at
hand; what only the reader can know stands in capitals.
"""

from __future__ import annotations

from collections.abc import Sequence

Steps = tuple[str, ...]

_COTURN_RELAY = """\
    listening-port=3478
    fingerprint
    lt-cred-mech
    realm=REALM
    user=USER:PASSWORD
    min-port=49152
    max-port=65535"""
_ICE_SERVERS = """\
    iceServers: [{
      urls: ["turn:SERVER:3478", "turn:SERVER:3478?transport=tcp"],
      username: "USER", credential: "PASSWORD"
    }]"""
_COTURN_STUN = """\
    listening-port=3478
    stun-only"""


def turn_relay(why: str) -> Steps:
    """Set up a relay that both agents reach."""
    return (
        f"Set up a TURN relay that both agents can reach, and name it to both: {why}.",
        "A minimal coturn configuration (turnserver.conf); UDP 3478 and the relay ports must be open to it:\n"
        + _COTURN_RELAY,
        "In the application, on both sides:\n" + _ICE_SERVERS,
    )


def stun_server(why: str) -> Steps:
    """Set up a STUN server, so that agents learn how they are seen from outside."""
    return (
        f"Set up a STUN server that both agents can reach, and name it to both: {why}.",
        "In a closed network a public one cannot be reached; coturn can be one (turnserver.conf):\n" + _COTURN_STUN,
        'In the application, on both sides:\n    iceServers: [{urls: "stun:SERVER:3478"}]',
        "Whether it works can be seen in the candidates: `typ srflx` with the address seen from outside, and `raddr`, "
        "the local one behind it.",
    )


def let_through(transport: str, src: str, dst: str) -> Steps:
    """Open a way for packets in one direction."""
    return (
        f"On the way from {src} to {dst}, look for a firewall, an access list or a missing route that drops "
        f"{transport.upper()} in this direction only, and let it through.",
    )


def both_ways(transport: str, one: str, other: str) -> Steps:
    """Open a way for packets in both directions."""
    return (
        f"Between {one} and {other}, look for a firewall, an access list or a missing route that drops "
        f"{transport.upper()} both ways, and let it through.",
    )


def capture_next(place: str, why: str) -> Steps:
    """Where the next capture should be taken."""
    return (f"Capture at {place} next, {why}, and read both together: stunpcap summary HERE.pcap THERE.pcap",)


def joined(*parts: Sequence[str]) -> Steps:
    """Steps one after the other."""
    return tuple(step for part in parts for step in part)
