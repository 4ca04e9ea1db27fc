"""What nobody can look into: connections in TLS or DTLS to what may be TURN servers, and what still can be seen.

By port and handshake TURN over TLS is probable at best, and on port 443 it looks like any web site.  So this says
what was seen, and never that it failed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.ice.columns import count_in, find, pick
from stunpcap.schema import OPAQUE, TRANSPORT
from stunpcap.sorting import in_order
from stunpcap.summary.around import Around
from stunpcap.summary.crowd import choose
from stunpcap.summary.model import Opaque, Summary
from stunpcap.summary.terminal import Paper, safe
from stunpcap.summary.words import clock, count, octets
from stunpcap.table import Table, when
from stunpcap.wire.tls import TURN_PORTS

HTTPS = 443
FEW = 5
"""Up to this many connections to port 443 are told of one by one."""
OPAQUE_ROWS = 12


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
    to_server = np.isin(port, list(TURN_PORTS))
    # Between two ports of servers, who spoke first asked.
    asked = to_server & ~((back >= 0) & (back < np.arange(len(rows))) & pick(to_server, back, False))
    web = port == HTTPS
    many = int(np.count_nonzero(asked & web))
    told = asked & ~web if many > FEW else asked
    if about is not None and about.number is not None:
        told &= about.hosts[keys["src"]]
    kinds = count_in(flows["opaque"][rows], len(OPAQUE), told & ~web).tolist()
    return (
        tuple(
            _one(flows, int(rows[row]), int(rows[back[row]]) if back[row] >= 0 else None)
            for row in choose(np.flatnonzero(told), web if about else told).tolist()
        ),
        many if many > FEW else 0,
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
    said = " and ".join(count(number, f"{kind.upper()} connection") for kind, number in summary.hidden.items())
    return f"{said} that {'is' if sum(summary.hidden.values()) == 1 else 'are'} probably TURN"


def draw_opaque(summary: Summary, paper: Paper, several: bool) -> Iterator[str]:
    """The lines of a summary about them.  Many on port 443 are web traffic, and not mentioned where ICE is seen."""
    many = summary.opaque_443 if not summary.sessions else 0
    if not summary.opaque and not many:
        return
    yield ""
    yield paper.style("strong", "TLS and DTLS to ports of TURN servers")
    yield from _listed(summary, paper, several)
    if many:
        said = f"{many:,} connections to port {HTTPS}: TURN over TLS may be among them, or all of them are just HTTPS"
        yield from paper.wrap(said, "  ", "      ")
    yield from paper.wrap("What is inside cannot be seen: ICE checks through a relay would not show.", "  ", "  ")


def _listed(summary: Summary, paper: Paper, several: bool) -> Iterator[str]:
    for one in summary.opaque[:OPAQUE_ROWS]:
        where = f", at {safe(one.vantage)}" if several else ""
        kind = one.hidden_by.upper()
        other = "HTTPS" if one.hidden_by == "tls" else "another protocol"
        guess = f"TURN over {kind}, or just {other}" if one.maybe_web else f"probably TURN over {kind}"
        head = f"{safe(one.server)} ({one.transport}, {kind}{where}) asked by {safe(one.client)}: opaque: {guess}"
        name = f"server name {safe(one.server_name)}" if one.server_name else "no server name"
        carried = f"{octets(one.bytes_out)} out, {octets(one.bytes_in)} in"
        times = f"{clock(one.first_time)} to {clock(one.last_time)} UTC (frame {one.first_frame})"
        yield from paper.wrap(f"{head}; {name}; {carried}, {times}", "  ", "      ")
    total = summary.count("opaque")
    if total > OPAQUE_ROWS:
        yield f"  and {total - OPAQUE_ROWS:,} more: the command or frame `flows`"
