"""The frames `descriptions` and `signalling`, from sources that have been compared with the captures."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from stunpcap.ice.sessions import Agents
from stunpcap.schema import DESCRIPTION, SIDE
from stunpcap.signalling.model import Description, Source
from stunpcap.signalling.proofs import Proofs
from stunpcap.table import MISSING, Pools, Table

if TYPE_CHECKING:
    from stunpcap.signalling.join import Joined


def descriptions(joined: Joined, proofs: Proofs, agents: Agents, pools: Pools) -> Table:
    """A row for each description and username fragment in it."""
    texts = pools.texts
    session_of: dict[str, int] = {}
    for side in (agents.ufrag_a, agents.ufrag_b):
        for session, number in enumerate(side.tolist(), 1):
            if number >= 0:
                session_of.setdefault(texts.values[number], session)
    columns: dict[str, list[Any]] = defaultdict(list)
    for source in joined.sources:
        for description in source.descriptions:
            for ufrag, pwd in list(description.credentials()) or [("", None)]:
                row = _row(source, description, ufrag)
                session = session_of.get(ufrag, MISSING)
                among = joined.sessions.get((source.name, description.agent), set())
                if len(among) == 1 and session >= 0:
                    session = next(iter(among))
                row["session_id"] = session
                row["password"] = proofs.of(ufrag, pwd.reveal()) if pwd else MISSING
                row["time"] = joined.clocks.moment(source, description.agent, description.time)
                for name, value in row.items():
                    columns[name].append(texts.number(value) if isinstance(value, str) else value)
    count = len(columns["file"])
    return Table("descriptions", count, pools, {name: np.array(values) for name, values in columns.items() if count})


def _row(source: Source, description: Description, ufrag: str) -> dict[str, Any]:
    own = [section for section in description.sections if section.ufrag == ufrag]
    return {
        "file": source.name,
        "agent": description.agent,
        "type": DESCRIPTION.index(description.type) if description.type in DESCRIPTION else MISSING,
        "side": SIDE.index(description.side) if description.side in SIDE else MISSING,
        "how": description.how,
        "ufrag": ufrag,
        "mids": ", ".join(dict.fromkeys(section.mid for section in own if section.mid)),
        "bundle": ", ".join(description.bundle),
        "setup": next((section.setup for section in own if section.setup), ""),
        "fingerprint": next((section.fingerprint for section in own if section.fingerprint), ""),
        "ice_lite": description.ice_lite,
        "ice_options": ", ".join(description.ice_options),
        "candidates": sum(len(section.candidates) for section in own),
        "end_of_candidates": any(section.end_of_candidates for section in own),
        "line": description.origin.line,
    }


def signalling(joined: Joined, pools: Pools) -> Table:
    """A row for each file and connection."""
    columns: dict[str, list[Any]] = defaultdict(list)
    for source in joined.sources:
        for agent in source.agents():
            offset = joined.clocks.get(source, agent)
            configured = [one for one in source.configurations if one.agent == agent]
            urls = [url for one in configured for server in one.servers for url in server.urls]
            ours = [ufrag for ufrag, told in joined.known.items() if (source.name, agent) in told.local_in]
            row: dict[str, Any] = {
                "file": source.name,
                "agent": agent,
                "format": source.format,
                "sessions": ", ".join(map(str, sorted(joined.sessions.get((source.name, agent), set())))),
                "local_ufrags": ", ".join(ours),
                "servers": ", ".join(dict.fromkeys(urls)),
                "ice_transport_policy": next(
                    (one.ice_transport_policy for one in reversed(configured) if one.ice_transport_policy), ""
                ),
                "descriptions": sum(one.agent == agent for one in source.descriptions),
                "candidates": sum(one.agent == agent for one in source.candidates),
                "statistics": sum(one.agent == agent for one in source.statistics),
                "events": sum(one.agent == agent for one in source.events),
                "clock": source.clock,
                "clock_offset_s": offset.ns / 1e9 if offset else np.nan,
                "clock_error_s": offset.error_ns / 1e9 if offset and offset.error_ns >= 0 else np.nan,
                "clock_from": offset.why if offset else "",
            }
            for name, value in row.items():
                columns[name].append(pools.texts.number(value) if isinstance(value, str) else value)
    count = len(columns["file"])
    return Table("signalling", count, pools, {name: np.array(values) for name, values in columns.items() if count})
