"""What ICMP errors are called (RFC 792, RFC 1122, RFC 1812; RFC 4443)."""

from __future__ import annotations

_V4 = {
    (3, 0): "net unreachable",
    (3, 1): "host unreachable",
    (3, 2): "protocol unreachable",
    (3, 3): "port unreachable",
    (3, 4): "fragmentation needed",
    (3, 5): "source route failed",
    (3, 6): "net unknown",
    (3, 7): "host unknown",
    (3, 9): "net administratively prohibited",
    (3, 10): "host administratively prohibited",
    (3, 11): "net unreachable for this type of service",
    (3, 12): "host unreachable for this type of service",
    (3, 13): "communication administratively prohibited",
    (4, 0): "source quench",
    (11, 0): "time to live exceeded",
    (11, 1): "fragment reassembly time exceeded",
}
_V6 = {
    (1, 0): "no route to destination",
    (1, 1): "communication administratively prohibited",
    (1, 2): "beyond scope of source address",
    (1, 3): "address unreachable",
    (1, 4): "port unreachable",
    (1, 5): "source address failed ingress policy",
    (1, 6): "reject route to destination",
    (2, 0): "packet too big",
    (3, 0): "hop limit exceeded",
    (3, 1): "fragment reassembly time exceeded",
}
_TYPES = {(4, 5): "redirect", (4, 12): "parameter problem", (6, 4): "parameter problem"}
NOT_FATAL = {(4, 4), (4, 5)}
"""(IP version, type) of errors after which the quoted packet may still have arrived: source quench, redirect."""


def icmp_name(version: int, kind: int, code: int) -> str:
    """The name of an ICMP error, e.g. `port unreachable (3/3)`; ICMPv6 is said so."""
    name = (_V4 if version == 4 else _V6).get((kind, code)) or _TYPES.get((version, kind)) or "error"
    return f"{name} ({'ICMPv6 ' if version == 6 else ''}{kind}/{code})"
