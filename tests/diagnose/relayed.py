"""Calls through a TURN server, as transcripts: what the client asks for, what it is granted, and what it sends."""

from __future__ import annotations

from stunpcap.trace import Trace
from tests.diagnose.calls import call

ENDS = """
    C = 10.0.0.2:5000
    N = 203.0.113.10:5000
    S = 192.0.2.1:3478
    R = 192.0.2.1:49152
    P = 198.51.100.7:7000
    Q = 198.51.100.8:8000
    T = 192.0.2.9:3478
"""
CREDENTIALS = "user=ann realm=example key=ann:example:secret"
CHALLENGED = """
    0.00 C > S allocate request a1
    0.01 S > C allocate error a1 code=401
"""


def asked(at: float, method: str, name: str, asks: str, told: str, client: str = "C", server: str = "S") -> str:
    """A request with credentials and its answer; no answer if nothing is told."""
    lines = f"{at:.3f} {client} > {server} {method} request {name} {CREDENTIALS} {asks}\n"
    return lines + (f"{at + 0.01:.3f} {server} > {client} {method} {told.replace('ID', name)}\n" if told else "")


def granted(lifetime: int = 600) -> str:
    """A relay, with the challenge before it."""
    return CHALLENGED + asked(0.02, "allocate", "a2", "", f"success ID relayed=R mapped=N lifetime={lifetime}")


def permitted(at: float = 0.1, peer: str = "P", name: str = "p1") -> str:
    """A permission."""
    return asked(at, "create-permission", name, f"peer={peer}", "success ID")


def bound(at: float = 0.1, peer: str = "P", name: str = "b1", channel: str = "0x4000") -> str:
    """A channel."""
    return asked(at, "channel-bind", name, f"peer={peer} channel={channel}", "success ID")


def sent(how: str, start: float, stop: float, every: float, *, answered: bool = False, name: str = "k") -> str:
    """Checks through the relay, `how` being what carries them, and their answers from the peer."""
    back = how.replace("send", "data")
    lines, number, at = [], 0, start
    while at < stop:
        lines.append(f"{at:.3f} C > S {how} : request {name}{number} user=b:a prio=1 controlling")
        if answered:
            lines.append(f"{at + 0.05:.3f} S > C {back} : success {name}{number} mapped=R")
        number, at = number + 1, at + every
    return "\n".join(lines) + "\n"


def relayed(*parts: str, end: float = 60.0) -> Trace:
    """A capture at the client."""
    return call(*parts, ends=ENDS, end=end)
