"""The frame `stats`: what a browser counted on each candidate pair, under the names and ends that `pairs` has.

Browsers hide addresses behind `.local` names and leave those of peer-reflexive candidates out: what is hidden is found
by its port among the pairs that were captured of the same session.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from stunpcap.ice.pairs import Directed
from stunpcap.ice.sessions import Agents
from stunpcap.schema import CANDIDATE_TYPE, STAT_STATE, TRANSPORT
from stunpcap.signalling.candidate import is_address
from stunpcap.signalling.model import Source, Statistic
from stunpcap.signalling.offered import NO_PORT, endpoint
from stunpcap.table import MISSING, NO_NUMBER, Pools, Table

if TYPE_CHECKING:
    from stunpcap.signalling.join import Joined

_COUNTS = {
    "requests_sent": "requestsSent",
    "responses_received": "responsesReceived",
    "requests_received": "requestsReceived",
    "responses_sent": "responsesSent",
    "consent_requests_sent": "consentRequestsSent",
    "packets_sent": "packetsSent",
    "packets_received": "packetsReceived",
    "bytes_sent": "bytesSent",
    "bytes_received": "bytesReceived",
}
_STATES = {"inprogress": "in-progress", "in_progress": "in-progress", "in progress": "in-progress"}
_LONG = {"serverreflexive": "srflx", "peerreflexive": "prflx", "relayed": "relay", "stun": "srflx", "local": "host"}
"""Candidate types of Firefox and Chromium before they followed the specification."""


def statistics(joined: Joined, tables: dict[str, Table], agents: Agents, directed: Directed, pools: Pools) -> Table:
    """A row for each candidate pair that a source has statistics of."""
    ends = _Ends(joined, tables["candidates"], agents, directed, pools)
    columns: dict[str, list[Any]] = defaultdict(list)
    for source in joined.sources:
        known = {(one.agent, one.id): one for one in source.statistics}
        selected = {
            (one.agent, str(one.values.get("selectedCandidatePairId")))
            for one in source.statistics
            if one.type == "transport"
        }
        for one in source.statistics:
            if one.type == "candidate-pair":
                row = ends.row(source, one, known)
                row["selected"] = (one.agent, one.id) in selected or one.values.get("selected") is True
                for name, value in row.items():
                    columns[name].append(pools.texts.number(value) if isinstance(value, str) else value)
    count = len(columns["file"])
    dtypes = {"priority": np.uint64}
    cells = {name: np.array(values, dtypes.get(name)) for name, values in columns.items() if count}
    return Table("stats", count, pools, cells)


class _Ends:
    """Finds the captured ends of what a browser names."""

    def __init__(self, joined: Joined, candidates: Table, agents: Agents, directed: Directed, pools: Pools) -> None:
        self._joined, self._pools, self._agents = joined, pools, agents
        pairs, side = directed.table, directed.side.tolist()
        columns = (pairs[name].tolist() for name in ("session_id", "pair_id", "src", "dst"))
        self._rows = list(zip(*columns, side, strict=True))
        self._base: dict[tuple[int, int], int] = {}
        told = (candidates[name].tolist() for name in ("session_id", "address", "base"))
        for session, address, base in zip(*told, strict=True):
            if base >= 0:
                self._base[session, address] = base

    def row(self, source: Source, pair: Statistic, known: dict[tuple[str, str], Statistic]) -> dict[str, Any]:
        """One row of the frame."""
        values = pair.values
        local = known.get((pair.agent, str(values.get("localCandidateId"))))
        remote = known.get((pair.agent, str(values.get("remoteCandidateId"))))
        transport = known.get((pair.agent, str(values.get("transportId"))))
        here = dict(local.values) if local else {}
        there = dict(remote.values) if remote else {}
        way = dict(transport.values) if transport else {}
        ufrag = _text(here, "usernameFragment") or _text(way, "iceLocalUsernameFragment")
        other = _text(there, "usernameFragment")
        session, side = self._session(source, pair.agent, ufrag, other)
        at, kind = self._endpoint(here), _type(here)
        src = at
        if kind in ("srflx", "prflx"):
            related = endpoint(_text(here, "relatedAddress"), _port(here, "relatedPort"), self._pools)
            hidden = _port(here, "relatedPort") in NO_PORT
            src = self._base.get((session, at), MISSING if hidden else related)
        if src < 0:
            src = self._by_port(session, side, _port(here, "port"), "src")
        dst = self._endpoint(there)
        if dst < 0:
            named = {
                self._endpoint(dict(one.values))
                for (agent, _), one in known.items()
                if agent == pair.agent and one.type == "remote-candidate"
            }
            dst = self._by_port(session, side, _port(there, "port"), "dst", src, named)
        among = self._joined.sessions.get((source.name, pair.agent), set()) if session < 0 else {session}
        found = next((one for one in self._rows if one[0] in among and {one[2], one[3]} == {src, dst}), None)
        if found and session < 0:  # after a restart a candidate of the generation before may still be paired
            session = found[0]
        state = _text(values, "state").lower()
        state = _STATES.get(state, state)
        protocol = _text(here, "protocol").lower() or _text(there, "protocol").lower()
        return {
            "file": source.name,
            "agent": pair.agent,
            "session_id": session,
            "pair_id": found[1] if found else MISSING,
            "src": src,
            "dst": dst,
            "src_type": _code(kind),
            "dst_type": _code(_type(there)),
            "transport": TRANSPORT.index(protocol) if protocol in TRANSPORT else MISSING,
            "state": STAT_STATE.index(state) if state in STAT_STATE else MISSING,
            "nominated": values.get("nominated") is True,
            **{name: _count(values.get(told)) for name, told in _COUNTS.items()},
            "rtt_s": _seconds(values.get("currentRoundTripTime")),
            "rtt_total_s": _seconds(values.get("totalRoundTripTime")),
            "priority": priority if 0 <= (priority := _count(values.get("priority"))) < NO_NUMBER else NO_NUMBER,
            "local": at if at != src else MISSING,
            "url": _text(here, "url"),
            "relay_protocol": _text(here, "relayProtocol"),
            "network_type": _text(here, "networkType"),
            "dtls_state": _text(way, "dtlsState"),
            "ufrag": ufrag,
            "time": self._joined.clocks.moment(source, pair.agent, pair.time),
        }

    def _session(self, source: Source, agent: str, ufrag: str, other: str) -> tuple[int, int]:
        """Session and side of the agent; the side is -1 where only the session is known."""
        texts = self._pools.texts.values
        among = self._joined.sessions.get((source.name, agent), set())
        for session in sorted(among, reverse=True):
            names = [
                texts[number] if number >= 0 else ""
                for number in (int(self._agents.ufrag_a[session - 1]), int(self._agents.ufrag_b[session - 1]))
            ]
            if ufrag in names and ufrag and (not other or other in names):
                return session, names.index(ufrag)
            if not ufrag and other and other in names:
                return session, 1 - names.index(other)
        return (next(iter(among)), -1) if len(among) == 1 else (MISSING, -1)

    def _endpoint(self, values: dict[str, Any]) -> int:
        address = _text(values, "address") or _text(values, "ip") or _text(values, "ipAddress")
        return endpoint(address, _port(values, "port"), self._pools) if is_address(address) else MISSING

    def _by_port(
        self, session: int, side: int, port: int, end: str, src: int = MISSING, named: Collection[int] = ()
    ) -> int:
        """The only endpoint with this port among the session's ends on this side that has no other name."""
        found = set()
        for one, _, a, b, sender in self._rows:
            if one != session or side < 0:
                continue
            ours, theirs = (a, b) if sender == side else (b, a)
            if end == "dst" and src >= 0 and ours != src:
                continue
            at = ours if end == "src" else theirs
            if self._pools.endpoints.port(at) == port and at not in named:
                found.add(at)
        return found.pop() if len(found) == 1 else MISSING


def _text(values: Any, name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""


def _type(values: dict[str, Any]) -> str:
    kind = _text(values, "candidateType").lower()
    return _LONG.get(kind, kind)


def _code(kind: str) -> int:
    return CANDIDATE_TYPE.index(kind) if kind in CANDIDATE_TYPE else MISSING


def _port(values: dict[str, Any], name: str) -> int:
    return _count(values.get(name) if name in values else values.get("portNumber"))


def _count(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**64:
        return MISSING
    return int(value) if value < 2**63 or isinstance(value, int) else MISSING


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else np.nan
