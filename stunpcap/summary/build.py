"""Putting a summary together from the tables of a trace."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stunpcap.errors import UsageError
from stunpcap.summary.captures import build_captures, build_damage
from stunpcap.summary.findings import build_findings
from stunpcap.summary.model import Session, Summary
from stunpcap.summary.opaque import build_opaque
from stunpcap.summary.relays import build_relays
from stunpcap.summary.servers import build_mappings, build_servers
from stunpcap.summary.sessions import WORST_FIRST, build_sessions, host

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
    captures = build_captures(tables.vantages, trace.sources)
    findings = build_findings(tables.findings)
    sessions = build_sessions(tables.sessions, tables.pairs, tables.transactions, captures, findings)
    states = {state: sum(one.state == state for one in sessions) for state in WORST_FIRST}
    opaque, opaque_443 = build_opaque(tables.flows)
    summary = Summary(
        captures=captures,
        defects=build_damage(tables.defects),
        states={state: number for state, number in states.items() if number},
        sessions=sessions,
        mappings=build_mappings(tables.mappings),
        servers=build_servers(tables.transactions, tables.messages),
        relays=build_relays(tables.allocations, tables.permissions),
        opaque=opaque,
        opaque_443=opaque_443,
        findings=findings.get(None, ()),
    )
    return summary if session is None else _only(summary, session)


def _only(summary: Summary, number: int) -> Summary:
    """What a summary tells of one session."""
    chosen = tuple(one for one in summary.sessions if one.session_id == number)
    if not chosen:
        raise UsageError(f"there is no session {number}; the trace has {len(summary.sessions)}")
    ends = _endpoints(chosen[0])
    hosts = {host(end) for end in ends}
    return replace(
        summary,
        states={chosen[0].state: 1},
        sessions=chosen,
        mappings=tuple(one for one in summary.mappings if number in one.sessions or one.base in ends),
        servers=tuple(one for one in summary.servers if any(host(client) in hosts for client in one.clients)),
        relays=tuple(one for one in summary.relays if number in one.sessions or host(one.client) in hosts),
        opaque=tuple(one for one in summary.opaque if host(one.client) in hosts),
    )


def _endpoints(session: Session) -> set[str]:
    return {end for pair in session.pairs for end in (pair.a, pair.b)}
