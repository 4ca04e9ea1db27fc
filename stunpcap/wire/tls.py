"""ClientHello, the one message of TLS and DTLS that can be read: everything that is known of one lives here.

It is told by its record and handshake headers (RFC 8446 sections 5.1 and 4.1.2; RFC 6347 section 4.2; RFC 9147 section
4), and gives the server's name (RFC 6066 section 3) as far as its first segment or record holds it.  What was cut,
split or made up has no name; nothing is put together and nothing raises.
"""

from __future__ import annotations

from stunpcap.kernels import inner
from stunpcap.wire.words import Buffer, u16

TURN_PORTS = (3478, 5349, 443, 3479)
"""Ports at which TURN servers are found: RFC 8656's own, the one that firewalls let through, and a neighbour."""
HELLO_TRIES = 4
"""Segments with data of a direction that are looked at: a proxy's CONNECT may come before the ClientHello."""
EXTENSIONS = 64
"""Extensions that are looked at: browsers send about 20."""


@inner
def is_client_hello(b: Buffer, o: int, stop: int) -> bool:
    """Whether a TCP segment begins with a TLS record that begins with a ClientHello."""
    return o + 6 <= stop and b[o] == 0x16 and b[o + 1] == 0x03 and b[o + 2] <= 0x04 and b[o + 5] == 0x01


@inner
def is_dtls_client_hello(b: Buffer, o: int, stop: int) -> bool:
    """Whether a datagram that is DTLS begins with a ClientHello, or a fragment of one, in the clear."""
    return o + 14 <= stop and b[o] == 0x16 and u16(b, o + 3) == 0 and b[o + 13] == 0x01


@inner
def is_turn_port(port: int) -> bool:
    """Whether TURN servers are found at a port."""
    return port in TURN_PORTS


@inner
def server_name_at(b: Buffer, o: int, stop: int, datagram: bool) -> tuple[int, int]:
    """Where the server's name in the ClientHello at `o` begins and ends; twice the same place if it has none.

    The record's and the message's own lengths are not believed: what was captured decides.
    """
    nothing = o, o
    if datagram:
        if o + 25 > stop or b[o + 19] or b[o + 20] or b[o + 21]:  # a fragment from the middle
            return nothing
        o += 25
    else:
        o += 9
    o += 34  # version and random
    # The session id, the cookie of DTLS, cipher suites, and compression methods come first, each after its length.
    if o >= stop:
        return nothing
    o += 1 + b[o]
    if datagram:
        if o >= stop:
            return nothing
        o += 1 + b[o]
    if o + 2 > stop:
        return nothing
    o += 2 + u16(b, o)
    if o >= stop:
        return nothing
    o += 1 + b[o]
    if o + 2 > stop:
        return nothing
    end = min(stop, o + 2 + u16(b, o))
    o += 2
    for _ in range(EXTENSIONS):
        if o + 4 > end:
            break
        if u16(b, o) == 0:
            # A list of names, each with its type; only host names (0) are defined, and one of a type is allowed.
            size = u16(b, o + 7) if o + 9 <= end and b[o + 6] == 0 else 0
            if size == 0 or o + 9 + size > end or size + 5 > u16(b, o + 2):
                break
            return o + 9, o + 9 + size
        o += 4 + u16(b, o + 2)
    return nothing
