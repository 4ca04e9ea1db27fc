"""Sessions with their agents and pairs, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from stunpcap.ice.columns import Ints, find, last_of, pick
from stunpcap.schema import SESSION_STATE
from stunpcap.sorting import ordered_by
from stunpcap.summary.columns import from_columns
from stunpcap.summary.findings import Found
from stunpcap.summary.model import Agent, Pair, Session
from stunpcap.summary.model_captures import Capture
from stunpcap.summary.pairs import build_pairs
from stunpcap.summary.stages import build_stages
from stunpcap.summary.words import TONES, session_said
from stunpcap.table import Table

WORST_FIRST = ("failed", "disconnected", "checking", "connected", "closed")
MOST_FRAMES = 16
"""Frames in one display filter."""

UNKNOWN_PEER = "0.0.0.0"
"""Stands for the peer behind a TURN channel whose binding was not captured (docs/turn.md)."""

_RANK = np.array([WORST_FIRST.index(state) for state in SESSION_STATE])
_SAME = (
    *("session_id", "state", "start", "end", "generation", "restart_of", "checks", "time_to_connect_s", "dtls"),
    *("media_ab_packets", "media_ba_packets", "role_changes", "first_frame"),
    *("selected_by", "ended_by", "ended_how", "ended_time", "failed_stage"),
)
"""Columns that a session has as they are."""


def build_sessions(
    sessions: Table,
    stages: Table,
    pairs: Table,
    transactions: Table,
    captures: tuple[Capture, ...],
    findings: Mapping[int | None, tuple[Found, ...]],
    number: int | None,
) -> tuple[Session, ...]:
    """All sessions of the tables, failed ones first; or the one of that number."""
    ids = sessions["session_id"]
    later = dict(zip(sessions["restart_of"].tolist(), ids.tolist(), strict=True))
    if number is not None:
        sessions, pairs = sessions.take(ids == number), pairs.take(pairs["session_id"] == number)
    well = sessions["failed_stage"] < 0
    sessions = sessions.take(ordered_by(well, _RANK[sessions["state"]], sessions["session_id"]))
    of = find([pairs["session_id"]], [sessions["session_id"]])
    side = _sides(sessions, pairs, of)
    paired = build_pairs(sessions, pairs, of, side, transactions)
    columns = {name: sessions.values(name) for name in _SAME}
    columns["pairs"], columns["pair_count"] = paired.pairs, sessions.values("pairs")
    columns["stages"] = build_stages(sessions, stages)
    columns["tone"] = [
        "bad" if failed is not None else TONES[state]
        for failed, state in zip(sessions.values("failed_stage"), columns["state"], strict=True)
    ]
    columns["selected_a"], columns["selected_b"] = sessions.values("selected_src"), sessions.values("selected_dst")
    columns["nominated_a"], columns["nominated_b"] = sessions.values("nominated_src"), sessions.values("nominated_dst")
    counts = (columns["pair_count"], paired.one_way, paired.both_ways)
    columns["said"] = list(map(session_said, columns["state"], columns["time_to_connect_s"], *counts))
    columns["duration_s"] = ((sessions["end"] - sessions["start"]) / 1e9).tolist()
    columns["agents"] = list(_agents(sessions, pairs, of, side, paired.pairs, captures))
    columns["restarted_by"] = [later.get(one) for one in columns["session_id"]]
    columns["vantages"], columns["tags"] = (_parts(sessions.values(name)) for name in ("vantages", "tags"))
    columns["root_cause"] = [name or "" for name in sessions.values("root_cause")]
    columns["findings"] = [findings.get(one, ()) for one in columns["session_id"]]
    columns["frames"] = list(map(_frames, paired.pairs))
    columns["filters"] = list(map(_filters, columns["frames"]))
    return tuple(from_columns(Session, columns))


def host(endpoint: str) -> str:
    """The address of an endpoint, without port and brackets."""
    return endpoint.rpartition(":")[0].strip("[]")


def _sides(sessions: Table, pairs: Table, of: Ints) -> Ints:
    """For each row of `pairs` who sent: 0 for A, 1 for B; `of`: its row of `sessions`.

    The ufrag tells.  Agents without one are told by their addresses: A sent the first check.
    """
    a, b, ufrag = sessions["ufrag_a"][of], sessions["ufrag_b"][of], pairs["ufrag"]
    named = (a != b) & ((ufrag == a) | (ufrag == b))
    sides: Ints = (ufrag == b).astype(np.int64)
    address_of = pairs.pools.endpoints.addresses
    known: dict[int, tuple[set[int], set[int]]] = {}
    rows = np.flatnonzero(np.isin(of, of[~named]))
    columns = (rows, named[rows], of[rows], address_of[pairs["src"][rows]], address_of[pairs["dst"][rows]])
    for row, told, session, src, dst in zip(*(column.tolist() for column in columns), strict=True):
        hosts = known.setdefault(session, (set(), set()))
        if not told:
            sides[row] = src not in hosts[0] and (dst in hosts[0] or src in hosts[1])
        hosts[sides[row]].add(src)
        hosts[1 - sides[row]].add(dst)
    return sides


def _agents(
    sessions: Table, pairs: Table, of: Ints, side: Ints, paired: list[tuple[Pair, ...]], captures: tuple[Capture, ...]
) -> Iterator[tuple[Agent, Agent]]:
    """The two agents of each session."""
    local = {one.vantage: frozenset(one.at.split(", ")) for one in captures if one.place == "endpoint"}
    claimed = last_of(of * 2 + side, 2 * len(sessions), np.flatnonzero(pairs["role"] >= 0))
    level = pairs.schema["role"].levels
    roles = [level[code] if code >= 0 else None for code in pick(pairs["role"], claimed).tolist()]
    names = ("ufrag_a", "ufrag_b", "controlling")
    rows = zip(*(sessions.values(name) for name in names), roles[::2], roles[1::2], paired, strict=True)
    for ufrag_a, ufrag_b, controlling, role_a, role_b, here in rows:
        hosts = [dict.fromkeys(map(host, ends)) for ends in ([pair.a for pair in here], [pair.b for pair in here])]
        seen_by = {pair.vantage for pair in here}
        agents = []
        for name, ufrag, role, mine, others in (
            ("A", ufrag_a, role_a, *hosts),
            ("B", ufrag_b, role_b, *hosts[::-1]),
        ):
            mine.pop(UNKNOWN_PEER, None)
            others.pop(UNKNOWN_PEER, None)
            if controlling and ufrag and ufrag_a != ufrag_b:
                role = "controlling" if controlling == ufrag else "controlled"
            at = tuple(
                vantage
                for vantage, some in local.items()
                if vantage in seen_by and not some.isdisjoint(mine) and some.isdisjoint(others)
            )
            agents.append(Agent(name, ufrag, role, tuple(mine), at))
        yield agents[0], agents[1]


def _parts(texts: list[str | None]) -> list[tuple[str, ...]]:
    """Texts taken apart at their commas."""
    known = {text: tuple(filter(None, (text or "").split(", "))) for text in set(texts)}
    return [known[text] for text in texts]


def _frames(pairs: tuple[Pair, ...]) -> dict[str, tuple[int, ...]]:
    """For each vantage the frames to open first: those of directions that failed, then of the others."""
    chosen: dict[str, dict[int, None]] = {}
    ways = [(pair.vantage, way) for pair in pairs for way in (pair.a_to_b, pair.b_to_a) if way]
    ways.sort(key=lambda item: item[1].state == "succeeded")
    for vantage, way in ways:
        frames = chosen.setdefault(vantage, {})
        if len(frames) < MOST_FRAMES:
            frames.update(dict.fromkeys(way.frames))
    return {vantage: tuple(sorted([*frames][:MOST_FRAMES])) for vantage, frames in chosen.items() if frames}


def _filters(frames: dict[str, tuple[int, ...]]) -> dict[str, str]:
    """The display filters that show these frames."""
    return {vantage: f"frame.number in {{{', '.join(map(str, some))}}}" for vantage, some in frames.items()}
