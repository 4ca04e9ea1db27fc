"""Putting a summary together from the tables of a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stunpcap.errors import UsageError
from stunpcap.summary.around import around
from stunpcap.summary.captures import build_captures, build_damage
from stunpcap.summary.findings import build_findings
from stunpcap.summary.mappings import build_mappings
from stunpcap.summary.model import Summary
from stunpcap.summary.opaque import build_opaque
from stunpcap.summary.relays import build_relays
from stunpcap.summary.servers import build_servers
from stunpcap.summary.sessions import WORST_FIRST, build_sessions

if TYPE_CHECKING:
    from stunpcap.trace import Trace


def summarise(trace: Trace, *, session: int | None = None) -> Summary:
    """All that an overview of a trace tells.

    Parameters
    ----------
    session
        Tell of this session only, of the mappings of its agents, and of the servers they asked.

    Raises
    ------
    UsageError
        There is no such session.
    """
    tables = trace.tables
    if session is not None and session not in tables.sessions["session_id"]:
        raise UsageError(f"there is no session {session}; the trace has {len(tables.sessions)}")
    about = around(tables.pairs, session)
    captures = build_captures(tables.vantages, trace.sources)
    findings, about_none = build_findings(tables.findings, session)
    sessions = build_sessions(
        tables.sessions, tables.stages, tables.pairs, tables.transactions, captures, findings, session
    )
    states = [one.state for one in sessions]
    mappings, behaviours = build_mappings(tables.mappings, captures, about)
    servers, server_count = build_servers(tables.transactions, tables.messages, about)
    relays, relay_states = build_relays(tables.allocations, tables.permissions, about)
    opaque, opaque_443, hidden = build_opaque(tables.flows, about)
    asked = [one for server in servers for one in server.asked]
    seen = [one for mapping in mappings for one in mapping.seen]
    left_out = {
        "mappings": sum(behaviours.values()) - len(mappings),
        "mappings.seen": sum(one.seen_count for one in mappings) - len(seen),
        "mappings.seen.by": sum(one.by_count - len(one.by) for one in seen),
        "servers": server_count - len(servers),
        "servers.clients": sum(one.client_count - len(one.clients) for one in servers),
        "servers.asked.icmp": sum(one.icmp_count - len(one.icmp) for one in asked),
        "servers.asked.mapped": sum(one.mapped_count - len(one.mapped) for one in asked),
        "servers.asked.relayed": sum(one.relayed_count - len(one.relayed) for one in asked),
        "relays": sum(relay_states.values()) - len(relays),
        "findings": about_none - len(findings.get(None, ())),
        "opaque": sum(hidden.values()) - sum(not one.maybe_web for one in opaque),
    }
    return Summary(
        captures=captures,
        defects=build_damage(tables.defects),
        states={state: states.count(state) for state in WORST_FIRST if state in states},
        sessions=sessions,
        mappings=mappings,
        behaviours=behaviours,
        servers=servers,
        relays=relays,
        relay_states=relay_states,
        opaque=opaque,
        opaque_443=opaque_443,
        hidden=hidden,
        findings=findings.get(None, ()),
        left_out={name: number for name, number in left_out.items() if number},
    )
