"""Relays as text, and connections that may lead to relays and that nobody can look into."""

from __future__ import annotations

from collections.abc import Iterator

from stunpcap.summary.model import Summary
from stunpcap.summary.opaque import HTTPS
from stunpcap.summary.relays import FINE
from stunpcap.summary.terminal import Paper, safe
from stunpcap.summary.words import clock, listed, octets

RELAY_ROWS = 12
OPAQUE_ROWS = 12


def draw_relays(summary: Summary, paper: Paper, several: bool) -> Iterator[str]:
    """The relays of a summary, as lines of text."""
    found, total = summary.relays, sum(summary.relay_states.values())
    if not found:
        return
    yield ""
    yield paper.style("strong", "Relays (TURN)")
    for one in found[:RELAY_ROWS]:
        where = f", at {safe(one.vantage)}" if several else ""
        relay = safe(one.relayed) if one.relayed else "no relayed address"
        head = f"{relay} from {safe(one.server)} ({one.transport}{where}) for {safe(one.client)}"
        yield from paper.wrap(head, "  ", "      ")
        state = "good" if one.state in FINE else "bad"
        carried = f"; {one.packets_sent:,} packets out, {one.packets_received:,} in" if one.relayed else ""
        serves = f"; session {listed([str(number) for number in one.sessions])}" if one.sessions else ""
        frames = f" (frame {one.frames[0]})" if one.frames else ""
        lines = [(state, one.said + carried + serves + frames)]
        lines += [("bad", words) for words in one.refused]
        for mark, words in lines:
            lead = f"    {paper.symbol(mark)} "
            yield from (paper.style(mark, line) for line in paper.wrap(safe(words), lead, "      "))
    if total > RELAY_ROWS:
        yield f"  and {total - RELAY_ROWS:,} more: the command or frame `allocations`"


def draw_opaque(summary: Summary, paper: Paper, several: bool) -> Iterator[str]:
    """The lines of a summary about them.  Many on port 443 are web traffic, and not mentioned where ICE is seen."""
    to_web = summary.opaque_443 if not summary.sessions else 0
    if not summary.opaque and not to_web:
        return
    yield ""
    yield paper.style("strong", "TLS and DTLS to ports of TURN servers")
    yield from _listed(summary, paper, several)
    if to_web:
        said = f"{to_web:,} connections to port {HTTPS}: TURN over TLS may be among them, or all of them are just HTTPS"
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
