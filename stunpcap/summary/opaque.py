"""What nobody can look into: connections in TLS or DTLS to what may be TURN servers, and what still can be seen.

By port and handshake TURN over TLS is probable at best, and on port 443 it looks like any web site.  So this says
what was seen, and never that it failed.
"""

from __future__ import annotations

import numpy as np

from stunpcap.ice.columns import count_in, find, pick
from stunpcap.schema import OPAQUE, TRANSPORT
from stunpcap.sorting import among, in_order
from stunpcap.summary.around import Around
from stunpcap.summary.crowd import choose
from stunpcap.summary.model import Opaque, Summary
from stunpcap.table import Table, when
from stunpcap.wire.tls import TURN_PORTS
from stunpcap.words import many

HTTPS = 443
FEW = 5
"""Up to this many connections to port 443 are told of one by one."""


def build_opaque(flows: Table, about: Around | None = None) -> tuple[tuple[Opaque, ...], int, dict[str, int]]:
    """Connections to ports of TURN servers, in order of time.

    Parameters
    ----------
    about
        Whose connections; None: all of them, however many.

    Returns
    -------
    found, opaque_443, hidden
        As in the summary.
    """
    rows = np.flatnonzero(flows["opaque"] > 0)
    rows = rows[in_order(flows["first_time"][rows])]
    keys = {name: flows[name][rows] for name in ("vantage", "src", "dst", "transport")}
    back = find([keys[name] for name in ("vantage", "dst", "src", "transport")], list(keys.values()))
    port = flows.pools.endpoints.words[keys["dst"], 4]
    to_server = among(port, TURN_PORTS)
    # Between two ports of servers, who spoke first asked.
    asked = to_server & ~((back >= 0) & (back < np.arange(len(rows))) & pick(to_server, back, False))
    web = port == HTTPS
    to_web = int(np.count_nonzero(asked & web))
    told = asked & ~web if to_web > FEW else asked
    if about is not None and about.number is not None:
        told &= about.hosts[keys["src"]]
    kinds = count_in(flows["opaque"][rows], len(OPAQUE), told & ~web).tolist()
    return (
        tuple(
            _one(flows, int(rows[row]), int(rows[back[row]]) if back[row] >= 0 else None)
            for row in choose(np.flatnonzero(told), web if about else told).tolist()
        ),
        to_web if to_web > FEW else 0,
        {name: number for name, number in zip(OPAQUE, kinds, strict=True) if number},
    )


def _one(flows: Table, row: int, back: int | None) -> Opaque:
    text, names = flows.pools.endpoints.text, flows.pools.texts.values
    both = [row] if back is None else [row, back]
    server, name = int(flows["dst"][row]), int(flows["server_name"][row])
    return Opaque(
        vantage=names[int(flows["vantage"][row])],
        server=text(server),
        client=text(int(flows["src"][row])),
        transport=TRANSPORT[int(flows["transport"][row])],
        hidden_by=OPAQUE[int(flows["opaque"][row])],
        maybe_web=flows.pools.endpoints.port(server) == HTTPS,
        server_name=names[name] if name >= 0 else None,
        bytes_out=int(flows["bytes"][row]),
        bytes_in=0 if back is None else int(flows["bytes"][back]),
        first_time=when(int(flows["first_time"][both].min())),
        last_time=when(int(flows["last_time"][both].max())),
        first_frame=int(flows["first_frame"][both].min()),
    )


def probably_turn(summary: Summary) -> str:
    """`2 TLS connections that are probably TURN`: what may be why no checks are seen; empty if there are none."""
    if not summary.hidden:
        return ""
    said = " and ".join(many(number, f"{kind.upper()} connection") for kind, number in summary.hidden.items())
    return f"{said} that {'is' if sum(summary.hidden.values()) == 1 else 'are'} probably TURN"
