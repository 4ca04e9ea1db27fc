"""Which packets a selection means: frames, and flows all of whose packets are wanted.

To a session belong its checks, what travelled on its pairs, what its agents asked STUN and TURN servers shortly before
and meanwhile, the connections to relays that carry it, and ICMP errors that quote any of this.  The first and the last
packet of the capture come along: how long nothing came is told by when capturing began and ended.  So do the sessions
that it restarted, or that restarted it: what a session is a restart of is part of what it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap.analysis import Tables
from stunpcap.errors import UsageError
from stunpcap.record import record
from stunpcap.schema import CANDIDATE_TYPE, CARRIER, CLASS, TRANSPORT
from stunpcap.table import MISSING, Table
from stunpcap.vantage import Vantage
from stunpcap.wire import layers
from stunpcap.wire.channels import KEY

Ints = npt.NDArray[np.int64]

BEFORE = 60 * 10**9
"""Nanoseconds before a session's first check in which its agents gather."""
AFTER = 10 * 10**9
_PROTOCOLS = np.array([layers.UDP, layers.TCP, layers.UDPLITE], np.uint32)
assert TRANSPORT == ("udp", "tcp", "udplite")
_REQUEST, _TCP = CLASS.index("request"), TRANSPORT.index("tcp")
_PLAIN, _RELAY = CARRIER.index("plain"), CANDIDATE_TYPE.index("relay")
_WEB = 443
"""Encrypted connections to this port are hardly ever a relay's, and there are many."""


@record
class Selection:
    """What is wanted of one capture."""

    said: str
    "In words."
    frames: Ints
    "Frame numbers, ascending."
    flows: npt.NDArray[np.uint32]
    "Keys of flows (`wire.channels.KEY` words each)."
    everything: bool = False
    "Every packet of the capture."


def of_frames(frames: Ints, said: str) -> Selection:
    """These frames and no others."""
    return Selection(said, np.unique(frames), np.zeros((0, KEY), np.uint32))


def of_all(said: str) -> Selection:
    """The whole capture."""
    return Selection(said, np.zeros(0, np.int64), np.zeros((0, KEY), np.uint32), everything=True)


def of_session(tables: Tables, source: Vantage, number: int, *, media: bool) -> Selection:
    """All that belongs to a session.

    Parameters
    ----------
    media
        Whether media and data are wanted; without them STUN, handshakes of DTLS and everything on TCP are left.

    Raises
    ------
    UsageError
        There is no such session.
    """
    row = np.flatnonzero(tables.sessions["session_id"] == number)
    if not len(row):
        raise UsageError(f"there is no session {number}; the trace has {len(tables.sessions)}")
    numbers = _generations(tables.sessions, number)
    there = np.isin(tables.sessions["session_id"], numbers)
    start, end = int(tables.sessions["start"][there].min()) - BEFORE, int(tables.sessions["end"][there].max()) + AFTER
    flows = source.flows
    outer = np.flatnonzero(flows["carrier"] == _PLAIN)
    messages, legs = _own(tables.messages, source), source.extra["leg"]
    mine = np.isin(messages["session_id"], numbers)
    wanted = np.zeros(len(flows), np.bool_)
    wanted[legs[mine]] = True

    hosts = _hosts(tables, numbers)
    addresses = flows.pools.endpoints.addresses
    asks = (messages["class"] == _REQUEST) & (messages["session_id"] == MISSING)
    asks &= np.isin(addresses[messages["src"]], hosts) & (messages["time"] >= start) & (messages["time"] <= end)
    wanted[legs[asks]] = True

    wanted[outer] |= _is_among(flows, outer, _ways(tables, source, numbers))
    ports = flows.pools.endpoints.words[:, 4]
    for near, far in (("src", "dst"), ("dst", "src")):
        hidden = (flows["opaque"][outer] > 0) & np.isin(addresses[flows[near][outer]], hosts)
        hidden &= (ports[flows[far][outer]] != _WEB) & (flows["last_time"][outer] >= start)
        wanted[outer] |= hidden & (flows["first_time"][outer] <= end)

    wanted[outer] |= _is_among(flows, outer, _pairs_of(flows, np.flatnonzero(wanted)))
    frames = [_findings_of(tables, source, numbers), _quotes(flows, np.flatnonzero(wanted), source)]
    frames.append(np.array([1, source.packets][: min(2, source.packets)], np.int64))
    frames.append(messages["frame"][wanted[legs]])
    if not media:
        there = np.isin(tables.dtls["session_id"], numbers) & (tables.dtls["vantage"] == _name(flows, source))
        frames.append(tables.dtls["frame"][there])
        wanted &= flows["transport"] == _TCP
    others = ", ".join(f"session {one}" for one in numbers.tolist() if one != number)
    said = f"session {number}" + (f" (with {others}, restarts of one another)" if others else "")
    said += "" if media else ", without media and data"
    return Selection(said, np.unique(np.concatenate(frames)), _keys(flows, np.flatnonzero(wanted)))


def _generations(sessions: Table, number: int) -> Ints:
    """The session, and those that it restarted or that restarted it."""
    found = {number}
    links = [
        (own, before)
        for own, before in zip(sessions["session_id"].tolist(), sessions["restart_of"].tolist(), strict=True)
        if before > 0
    ]
    while more := {one for link in links if not found.isdisjoint(link) for one in link} - found:
        found |= more
    return np.array(sorted(found), np.int64)


def _own(table: Table, source: Vantage) -> Table:
    """The rows of a joined table that are of one capture, in their order."""
    return table.take(np.flatnonzero(table["vantage"] == _name(table, source)))


def _name(table: Table, source: Vantage) -> int:
    return table.pools.texts.number(source.name)


def _hosts(tables: Tables, numbers: Ints) -> Ints:
    """Addresses (numbers of `Endpoints.addresses`) that the two agents have, those at relays left out."""
    candidates = tables.candidates.take(np.isin(tables.candidates["session_id"], numbers))
    pairs = tables.pairs.take(np.isin(tables.pairs["session_id"], numbers))
    own = candidates["type"] != _RELAY
    ends = [candidates["address"][own], candidates["base"][own]]
    ends += [pairs[end][pairs[f"{end}_type"] != _RELAY] for end in ("src", "dst")]
    known = np.concatenate(ends)
    return np.unique(tables.flows.pools.endpoints.addresses[known[known >= 0]])


def _ways(tables: Tables, source: Vantage, numbers: Ints) -> set[tuple[int, int]]:
    """Source and destination, as captured, of what travels on the session's pairs and to the relays it uses."""
    pairs = tables.pairs.take(np.isin(tables.pairs["session_id"], numbers))
    ends = _pairs_of(pairs, np.arange(len(pairs)))
    flows = _own(tables.flows, source)
    on = np.flatnonzero(_is_among(flows, np.arange(len(flows)), ends))
    carried = on[flows["carrier"][on] != _PLAIN]
    ends |= _both(flows["carrying_src"][carried].tolist(), flows["carrying_dst"][carried].tolist())
    granted = tables.allocations
    ids = {str(number) for number in numbers.tolist()}
    mine = [not ids.isdisjoint((text or "").split(", ")) for text in granted.values("session_ids")]
    used = np.flatnonzero(np.array(mine, np.bool_))
    return ends | _both(granted["client"][used].tolist(), granted["server"][used].tolist())


def _pairs_of(table: Table, rows: Any) -> set[tuple[int, int]]:
    return _both(table["src"][rows].tolist(), table["dst"][rows].tolist())


def _both(src: list[int], dst: list[int]) -> set[tuple[int, int]]:
    """Two ends, in either order."""
    return {*zip(src, dst, strict=True), *zip(dst, src, strict=True)}


def _is_among(table: Table, rows: Any, ends: set[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """Which rows have such ends."""
    known = np.array(sorted(ends), np.int64).reshape(-1, 2)
    wide = np.int64(1 << 32)
    own = table["src"][rows].astype(np.int64) * wide + table["dst"][rows]
    return np.isin(own, known[:, 0] * wide + known[:, 1])


def _quotes(flows: Table, rows: Any, source: Vantage) -> Ints:
    """Frames of ICMP errors that quote what went in these flows."""
    ends = _pairs_of(flows, rows)
    return np.array([quote.frame for quote in source.quotes if (quote.src, quote.dst) in ends], np.int64)


def _findings_of(tables: Tables, source: Vantage, numbers: Ints) -> Ints:
    """Frames that findings about the sessions show."""
    findings = tables.findings
    mine = np.isin(findings["session_id"], numbers) & (findings["vantage"] == _name(findings, source))
    return np.array([frame for frames in findings["frames"][mine] for frame in frames], np.int64)


def _keys(flows: Table, rows: Any) -> npt.NDArray[np.uint32]:
    """The flows as the packet walk knows them."""
    words = flows.pools.endpoints.words
    src, dst = words[flows["src"][rows]], words[flows["dst"][rows]]
    ports = src[:, 4] << np.uint32(16) | dst[:, 4]
    return np.column_stack([src[:, :4], dst[:, :4], ports, _PROTOCOLS[flows["transport"][rows]]]).astype(np.uint32)
