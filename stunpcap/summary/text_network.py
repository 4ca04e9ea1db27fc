"""The parts of a summary's text about the network: mappings, servers, and what a capture without sessions holds."""

from __future__ import annotations

from collections.abc import Iterator

from stunpcap.summary.model import Asked, Seen, Summary
from stunpcap.summary.model_captures import Capture
from stunpcap.summary.opaque import probably_turn
from stunpcap.summary.sessions import host
from stunpcap.summary.terminal import Paper, safe
from stunpcap.summary.words import listed
from stunpcap.words import many

CONFIDENCE = {"high": "certain", "medium": "probably", "low": "perhaps"}
MAPPING_ROWS = 8
SEEN_ROWS = 6
SERVER_ROWS = 12
_CHALLENGES = (401, 438)
_BAD = ("unanswered", "icmp", "other-address")


def mappings(summary: Summary, paper: Paper, more: str) -> Iterator[str]:
    """How others saw local addresses, translated ones first."""
    several = len(summary.captures) > 1
    translated = [one for one in summary.mappings if one.behaviour != "none"]
    plain = _plain(summary)
    if not translated and not plain:
        return
    yield ""
    yield paper.style("strong", "Address translation (NAT)")
    for one in translated[:MAPPING_ROWS]:
        where = f" at {safe(one.vantage)}" if several else ""
        yield from paper.wrap(f"{safe(one.base)}{where}: {one.said}", "  ", "      ")
        for seen in one.seen[:SEEN_ROWS]:
            yield from paper.wrap(_seen(seen), "    ", "      ")
        if one.seen_count > SEEN_ROWS:
            yield f"    and as {one.seen_count - SEEN_ROWS:,} other addresses"
    total = sum(summary.behaviours.values()) - summary.behaviours.get("none", 0)
    if total > MAPPING_ROWS:
        yield f"  and {total - MAPPING_ROWS:,} more: {more}"
    # How many of those that are left out are the capturing host's own is not known.
    all_plain = len(summary.mappings) - len(translated) == summary.behaviours.get("none", 0)
    for vantage, bases in plain.items():
        where = f" (at {safe(vantage)})" if several else ""
        some = listed(bases, 6) if all_plain else f"{', '.join(bases[:6])} and more: {more}"
        yield from paper.wrap(f"not translated{where}: {some}", "  ", "    ")


def _seen(seen: Seen) -> str:
    kept = (", port kept" if seen.port_kept else ", other port") if seen.translated else ""
    frame = f", frame {seen.first_frame}" if seen.first_frame else ""
    how = f"seen as {safe(seen.mapped)}" if seen.translated else "seen unchanged"
    return f"{how} by {listed([safe(who) for who in seen.by], of=seen.by_count)}{kept}{frame}"


def _plain(summary: Summary) -> dict[str, list[str]]:
    """Vantage -> its own addresses that were not translated.

    Of a far agent the capture sees the outside address alone, so that it proves nothing.
    """
    local = {one.vantage: one.at.split(", ") for one in summary.captures if one.place == "endpoint"}
    plain: dict[str, list[str]] = {}
    for one in summary.mappings:
        near = local.get(one.vantage)
        if one.behaviour == "none" and (near is None or host(one.base) in near):
            plain.setdefault(one.vantage, []).append(safe(one.base))
    return plain


def servers(summary: Summary, paper: Paper, several: bool) -> Iterator[str]:
    """Which STUN and TURN servers were asked, and what they answered."""
    if not summary.servers:
        return
    yield ""
    yield paper.style("strong", "STUN and TURN servers asked")
    for one in summary.servers[:SERVER_ROWS]:
        where = f", at {safe(one.vantage)}" if several else ""
        clients = listed([safe(client) for client in one.clients], of=one.client_count)
        yield from paper.wrap(f"{safe(one.server)} ({one.transport}{where}) asked by {clients}", "  ", "      ")
        for asked in one.asked:
            state = _mark(asked)
            frame = f" (frame {asked.frames[0]})" if asked.frames else ""
            requests = many(asked.requests, "request") if asked.requests else "no request"
            lead = f"    {asked.kind:<13}{requests + ':':<13}{paper.symbol(state)} "
            first, *rest = paper.wrap(safe(asked.outcome) + frame, lead, " " * 8)
            yield first[: len(lead) - 2] + paper.style(state, first[len(lead) - 2 :])
            yield from (paper.style(state, line) for line in rest)
    total = summary.count("servers")
    if total > SERVER_ROWS:
        yield f"  and {total - SERVER_ROWS:,} more: the command or frame `transactions`"


def _mark(asked: Asked) -> str:
    """The symbol for what became of requests; the first 401 or a 438 is how TURN asks for credentials."""
    trouble = any(asked.outcomes.get(name) for name in _BAD)
    refused = any(error.code not in _CHALLENGES for error in asked.errors)
    if asked.outcomes.get("success"):
        return "warn" if trouble or refused else "good"
    return "bad" if trouble or asked.errors else "open"


def without_sessions(summary: Summary, paper: Paper) -> Iterator[str]:
    """What captures hold in which no agents check each other."""
    messages = sum(capture.stun_messages for capture in summary.captures)
    channel = sum(capture.traffic.channel for capture in summary.captures)
    hidden = probably_turn(summary)
    inside = [f"{many(channel, 'packet')} of TURN ChannelData"] if channel else []
    inside += [hidden] if hidden else []
    if inside and (channel or messages):
        said = f"No ICE checks in plain sight; {' and '.join(inside)} may hold some."
        yield from (paper.style("strong", line) for line in paper.wrap(said))
    elif hidden:
        said = f"No STUN in the clear, so nothing of ICE can be told: what is inside {hidden} cannot be seen."
        yield from (paper.style("strong", line) for line in paper.wrap(said))
    elif messages:
        yield paper.style("strong", "No ICE checks: no two agents try to reach each other here.")
    else:
        yield paper.style("strong", "No STUN here, so nothing of ICE can be told.")
    for capture in summary.captures:
        where = f"{safe(capture.vantage)} holds" if len(summary.captures) > 1 else "The capture holds"
        yield from paper.wrap(f"{where} {traffic_said(capture)}.", "  ", "    ")
        busiest = [one for one in capture.traffic.busiest if one.a_to_b_packets + one.b_to_a_packets]
        for one in busiest:
            packets = f"{one.a_to_b_packets:,} + {one.b_to_a_packets:,} packets"
            holds = f" ({one.holds})" if one.holds else ""
            yield from paper.wrap(
                f"{one.transport} {safe(one.a)} {paper.symbol('with')} {safe(one.b)}  {packets}{holds}",
                "    ",
                "        ",
            )
        flows = capture.traffic.udp_flows + capture.traffic.tcp_flows
        if len(busiest) == 10 and flows > 20:
            yield f"    and more, {flows:,} flows in all: the command or frame `flows`"


def traffic_said(capture: Capture) -> str:
    """What a capture holds, by protocol."""
    traffic = capture.traffic
    said = []
    if traffic.udp:
        kinds = ("stun", "dtls", "rtp", "rtcp", "channel", "other")
        names = {"stun": "STUN", "dtls": "DTLS", "rtp": "RTP", "rtcp": "RTCP", "channel": "TURN ChannelData"}
        parts = [f"{getattr(traffic, kind):,} {names.get(kind, kind)}" for kind in kinds if getattr(traffic, kind)]
        said.append(f"{many(traffic.udp, 'UDP packet')} in {many(traffic.udp_flows, 'flow')} ({', '.join(parts)})")
    if traffic.tcp:
        said.append(f"{many(traffic.tcp, 'TCP packet')} in {many(traffic.tcp_flows, 'flow')}")
    said += [f"{number:,} {safe(name)}" for name, number in (traffic.protocols | traffic.not_ip).items()]
    return ", ".join(said) or "no packet that could be read"
