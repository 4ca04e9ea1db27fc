"""Sessions with their agents and pairs, the worst first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from stunpcap.ice.columns import group
from stunpcap.summary.evidence import Evidence, collect, note_silence
from stunpcap.summary.findings import Found
from stunpcap.summary.model import Agent, Direction, Pair, Session
from stunpcap.summary.model_captures import Capture
from stunpcap.summary.words import direction_outcome, session_said
from stunpcap.table import Table

WORST_FIRST = ("failed", "disconnected", "checking", "connected")
MOST_FRAMES = 16
"""Frames in one display filter."""

Row = dict[str, Any]

UNKNOWN_PEER = "0.0.0.0"
"""Stands for the peer behind a TURN channel whose binding was not captured (docs/turn.md)."""


def build_sessions(
    sessions: Table,
    pairs: Table,
    transactions: Table,
    captures: tuple[Capture, ...],
    findings: Mapping[int | None, tuple[Found, ...]],
) -> tuple[Session, ...]:
    """All sessions of the tables, failed ones first."""
    local = {one.vantage: frozenset(one.at.split(", ")) for one in captures if one.place == "endpoint"}
    evidence = _evidence(pairs, transactions)
    rows_of: dict[int, list[tuple[Row, Evidence]]] = {}
    for row, seen in zip(pairs.records(), evidence, strict=True):
        rows_of.setdefault(row["session_id"], []).append((row, seen))
    records = list(sessions.records())
    restarted = {row["restart_of"]: row["session_id"] for row in records if row["restart_of"]}
    built = [
        _session(row, rows_of.get(row["session_id"], []), restarted, local, findings.get(row["session_id"], ()))
        for row in records
    ]
    return tuple(sorted(built, key=lambda session: (WORST_FIRST.index(session.state), session.session_id)))


def host(endpoint: str) -> str:
    """The address of an endpoint, without port and brackets."""
    return endpoint.rpartition(":")[0].strip("[]")


def _evidence(pairs: Table, transactions: Table) -> list[Evidence]:
    """What the transactions show of each row of `pairs`."""
    names = ("session_id", "vantage", "src", "dst", "transport")
    keys, _ = group(*(np.concatenate([pairs[name], transactions[name]]) for name in names))
    row_of_key = np.full(int(keys.max(initial=-1)) + 1, -1, np.int64)
    row_of_key[keys[: len(pairs)]] = np.arange(len(pairs))
    row_of = row_of_key[keys[len(pairs) :]]
    rows = np.flatnonzero(row_of >= 0)
    found = collect(transactions, rows, row_of[rows], len(pairs))
    note_silence(transactions, rows, row_of[rows], pairs["last_answer_time"], found)
    return found


def _session(
    row: Row,
    directed: list[tuple[Row, Evidence]],
    restarted: dict[int, int],
    local: dict[str, frozenset[str]],
    findings: tuple[Found, ...],
) -> Session:
    sides = _sides(row, [pair for pair, _ in directed])
    pairs = _pairs(directed, sides, (row["nominated_src"], row["nominated_dst"]))
    worked = {pair.pair_id: _worked(pair) for pair in pairs}
    worked |= {pair.pair_id: 2 for pair in pairs if _worked(pair) == 2}
    one_way, both_ways = (list(worked.values()).count(number) for number in (1, 2))
    count = row["pairs"]
    frames = _frames(pairs)
    return Session(
        session_id=row["session_id"],
        state=row["state"],
        said=session_said(row, count, one_way, both_ways),
        agents=_agents(row, directed, sides, pairs, local),
        start=row["start"],
        end=row["end"],
        duration_s=_between(row["start"], row["end"]),
        generation=row["generation"],
        restart_of=row["restart_of"],
        restarted_by=restarted.get(row["session_id"]),
        pair_count=count,
        checks=row["checks"],
        nominated_a=row["nominated_src"],
        nominated_b=row["nominated_dst"],
        time_to_connect_s=row["time_to_connect_s"],
        dtls=row["dtls"],
        media_ab_packets=row["media_ab_packets"],
        media_ba_packets=row["media_ba_packets"],
        role_changes=row["role_changes"],
        vantages=tuple(filter(None, (row["vantages"] or "").split(", "))),
        tags=tuple(filter(None, (row["tags"] or "").split(", "))),
        first_frame=row["first_frame"],
        pairs=pairs,
        root_cause=row["root_cause"] or "",
        findings=findings,
        frames=frames,
        filters={vantage: f"frame.number in {{{', '.join(map(str, some))}}}" for vantage, some in frames.items()},
    )


def _worked(pair: Pair) -> int:
    """In how many directions checks succeeded."""
    return sum(way is not None and way.state == "succeeded" for way in (pair.a_to_b, pair.b_to_a))


def _between(start: str, end: str) -> float:
    """Seconds between two ISO times of nanoseconds."""
    moments = np.array([start.rstrip("Z"), end.rstrip("Z")], "datetime64[ns]").view(np.int64)
    return float(moments[1] - moments[0]) / 1e9


def _sides(row: Row, directed: list[Row]) -> list[int]:
    """For each directed row who sent: 0 for A, 1 for B.

    The ufrag tells.  Agents without one are told by their addresses: A sent the first check.
    """
    a, b = row["ufrag_a"], row["ufrag_b"]
    named = a != b
    hosts: tuple[set[str], set[str]] = (set(), set())
    sides: list[int] = []
    for pair in directed:
        src, dst = host(pair["src"]), host(pair["dst"])
        if named and pair["ufrag"] in (a, b):
            side = int(pair["ufrag"] == b)
        else:
            side = int(src not in hosts[0] and (dst in hosts[0] or src in hosts[1]))
        hosts[side].add(src)
        hosts[1 - side].add(dst)
        sides.append(side)
    return sides


def _agents(
    row: Row,
    directed: list[tuple[Row, Evidence]],
    sides: list[int],
    pairs: Iterable[Pair],
    local: dict[str, frozenset[str]],
) -> tuple[Agent, Agent]:
    hosts = [
        dict.fromkeys(host(end) for end in ends if host(end) != UNKNOWN_PEER)
        for ends in zip(*((pair.a, pair.b) for pair in pairs), strict=True)
    ]
    hosts = hosts or [{}, {}]
    a, b = (_agent(number, row, directed, sides, hosts, local) for number in (0, 1))
    return a, b


def _agent(
    number: int,
    row: Row,
    directed: list[tuple[Row, Evidence]],
    sides: list[int],
    hosts: list[dict[str, None]],
    local: dict[str, frozenset[str]],
) -> Agent:
    name = "AB"[number]
    seen_by = {pair["vantage"] for pair, _ in directed}
    ufrag = row[f"ufrag_{name.lower()}"]
    claimed = [pair["role"] for (pair, _), side in zip(directed, sides, strict=True) if side == number and pair["role"]]
    role = claimed[-1] if claimed else None
    if row["controlling"] and ufrag and row["ufrag_a"] != row["ufrag_b"]:
        role = "controlling" if row["controlling"] == ufrag else "controlled"
    here = tuple(
        vantage
        for vantage, at in local.items()
        if vantage in seen_by and at.intersection(hosts[number]) and not at.intersection(hosts[1 - number])
    )
    return Agent(name, ufrag, role, tuple(hosts[number]), here)


def _pairs(
    directed: list[tuple[Row, Evidence]], sides: list[int], selected: tuple[str | None, str | None]
) -> tuple[Pair, ...]:
    """Rows put together to pairs, by vantage; those that worked, or show something, first."""
    by_pair: dict[tuple[str, int], list[tuple[Row, Evidence, int]]] = {}
    ends: dict[int, tuple[str, str]] = {}
    for (row, seen), side in zip(directed, sides, strict=True):
        by_pair.setdefault((row["vantage"], row["pair_id"]), []).append((row, seen, side))
        ends.setdefault(row["pair_id"], (row["dst"], row["src"]) if side else (row["src"], row["dst"]))
    found = []
    for (vantage, pair_id), rows in by_pair.items():
        a, b = ends[pair_id]
        lost = {row["src"] for row, _, _ in rows if row["path"] == "lost"}
        ways = {row["src"]: _direction(row, seen, row["dst"] in lost) for row, seen, _ in rows}
        row = rows[0][0]
        types = (row["src_type"], row["dst_type"]) if row["src"] == a else (row["dst_type"], row["src_type"])
        found.append(
            Pair(
                pair_id=pair_id,
                vantage=vantage,
                transport=row["transport"],
                carrier=row["carrier"],
                a=a,
                a_type=types[0],
                b=b,
                b_type=types[1],
                nominated=row["nominated"],
                selected=row["nominated"] and (a, b) == selected,
                a_to_b=ways.get(a),
                b_to_a=ways.get(b) if a != b else None,
            )
        )
    order = list(dict.fromkeys(pair.vantage for pair in found))
    return tuple(sorted(found, key=lambda pair: (order.index(pair.vantage), _rank(pair), pair.pair_id)))


def _rank(pair: Pair) -> int:
    """What is looked at first: the nominated pair, those with a success, those with any answer, then the silent."""
    ways = [way for way in (pair.a_to_b, pair.b_to_a) if way]
    if pair.nominated:
        return -1 if pair.selected else 0
    if any(way.state == "succeeded" for way in ways):
        return 1
    told = (way.responses_received + way.errors_received + way.icmp_received + way.other_address for way in ways)
    return 2 if any(told) else 3


def _direction(row: Row, seen: Evidence, back_is_lost: bool) -> Direction:
    errors, icmp = seen.error_answers(), tuple(seen.icmp)
    answered_from, answered_to = tuple(seen.answered_from), tuple(seen.answered_to)
    same = (
        "src",
        "dst",
        "state",
        "path",
        "requests_sent",
        "consent_requests_sent",
        "transmissions",
        "responses_received",
        "errors_received",
        "icmp_received",
        "other_address",
        "unanswered",
        "unfinished",
        "rtt_min_s",
        "rtt_median_s",
        "first_frame",
    )
    return Direction(
        **{name: row[name] for name in same},
        outcome=direction_outcome(row, errors, icmp, answered_from, answered_to, seen.silent_at_end, back_is_lost),
        seen_as=row["mapped"],
        errors=errors,
        icmp=icmp,
        answered_from=answered_from,
        answered_to=answered_to,
        silent_at_end=seen.silent_at_end,
        frames=tuple(seen.frames),
    )


def _frames(pairs: tuple[Pair, ...]) -> dict[str, tuple[int, ...]]:
    """For each vantage the frames to open first: those of directions that failed, then of the others."""
    chosen: dict[str, list[int]] = {}
    ways = [(pair, way) for pair in pairs for way in (pair.a_to_b, pair.b_to_a) if way]
    for pair, way in sorted(ways, key=lambda item: item[1].state == "succeeded"):
        frames = chosen.setdefault(pair.vantage, [])
        if len(frames) < MOST_FRAMES:
            frames += [frame for frame in way.frames if frame not in frames]
    return {vantage: tuple(sorted(frames[:MOST_FRAMES])) for vantage, frames in chosen.items() if frames}
