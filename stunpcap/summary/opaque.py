"""What nobody can look into: connections in TLS or DTLS to what may be TURN servers, and what still can be seen.

By port and handshake TURN over TLS is probable at best, and on port 443 it looks like any web site.  So this says
what was seen, and never that it failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from stunpcap.schema import OPAQUE, TRANSPORT
from stunpcap.summary.model import Opaque, Summary
from stunpcap.summary.terminal import Paper, safe
from stunpcap.summary.words import clock, count, octets
from stunpcap.table import Table, when
from stunpcap.wire.tls import TURN_PORTS

HTTPS = 443
FEW = 5
"""Up to this many connections to port 443 are told of one by one."""
OPAQUE_ROWS = 12


def build_opaque(flows: Table) -> tuple[tuple[Opaque, ...], int]:
    """Connections to ports of TURN servers, in order of time; and how many to port 443 were too many to be told of."""
    rows = np.flatnonzero(flows["opaque"] > 0)
    rows = rows[np.argsort(flows["first_time"][rows], kind="stable")]
    keys = zip(*(flows[name][rows].tolist() for name in ("vantage", "src", "dst", "transport")), strict=True)
    row_of = dict(zip(keys, rows.tolist(), strict=True))
    port = flows.pools.endpoints.port
    asked: dict[tuple[int, int, int, int], int] = {}
    for (vantage, src, dst, transport), row in row_of.items():
        if port(dst) in TURN_PORTS and (vantage, dst, src, transport) not in asked:
            asked[vantage, src, dst, transport] = row
    web = sum(port(dst) == HTTPS for _, _, dst, _ in asked)
    return (
        tuple(
            _one(flows, row, row_of.get((vantage, dst, src, transport)))
            for (vantage, src, dst, transport), row in asked.items()
            if web <= FEW or port(dst) != HTTPS
        ),
        web if web > FEW else 0,
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
    kinds = [one.hidden_by.upper() for one in summary.opaque if not one.maybe_web]
    if not kinds:
        return ""
    said = " and ".join(count(kinds.count(kind), f"{kind} connection") for kind in dict.fromkeys(kinds))
    return f"{said} that {'is' if len(kinds) == 1 else 'are'} probably TURN"


def draw_opaque(summary: Summary, paper: Paper, several: bool) -> Iterator[str]:
    """The lines of a summary about them.  Many on port 443 are web traffic, and not mentioned where ICE is seen."""
    many = summary.opaque_443 if not summary.sessions else 0
    if not summary.opaque and not many:
        return
    yield ""
    yield paper.style("strong", "TLS and DTLS to ports of TURN servers")
    yield from _listed(summary.opaque, paper, several)
    if many:
        said = f"{many:,} connections to port {HTTPS}: TURN over TLS may be among them, or all of them are just HTTPS"
        yield from paper.wrap(said, "  ", "      ")
    yield from paper.wrap("What is inside cannot be seen: ICE checks through a relay would not show.", "  ", "  ")


def _listed(found: Sequence[Opaque], paper: Paper, several: bool) -> Iterator[str]:
    for one in found[:OPAQUE_ROWS]:
        where = f", at {safe(one.vantage)}" if several else ""
        kind = one.hidden_by.upper()
        other = "HTTPS" if one.hidden_by == "tls" else "another protocol"
        guess = f"TURN over {kind}, or just {other}" if one.maybe_web else f"probably TURN over {kind}"
        head = f"{safe(one.server)} ({one.transport}, {kind}{where}) asked by {safe(one.client)}: opaque: {guess}"
        name = f"server name {safe(one.server_name)}" if one.server_name else "no server name"
        carried = f"{octets(one.bytes_out)} out, {octets(one.bytes_in)} in"
        times = f"{clock(one.first_time)} to {clock(one.last_time)} UTC (frame {one.first_frame})"
        yield from paper.wrap(f"{head}; {name}; {carried}, {times}", "  ", "      ")
    if len(found) > OPAQUE_ROWS:
        yield f"  and {len(found) - OPAQUE_ROWS} more: the command or frame `flows`"
