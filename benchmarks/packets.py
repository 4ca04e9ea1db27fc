"""Packets by the million: columns of times, addresses and first bytes in, a pcap out.

Ethernet, IPv4 with a right checksum, UDP without one.  What a packet holds beyond its first bytes is random, as
encrypted media is.  Everything is written in blocks, so the size of a capture is not bounded by memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HEADERS = 16 + 14 + 20 + 8
"""Record header, Ethernet, IPv4 and UDP."""
BLOCK = 50_000
PCAP = bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000")
MACS = bytes.fromhex("020000000002 020000000001 0800")


@dataclass(frozen=True, slots=True)
class Packets:
    """Packets whose payloads begin alike: n rows in every column."""

    time_ns: Any
    src: Any
    """IPv4 addresses as numbers."""
    sport: Any
    dst: Any
    dport: Any
    length: Any
    """Payload bytes."""
    head: Any
    """First bytes of each payload, an (n, k) array; k is at most the smallest length."""
    ttl: Any = 64


def packets(
    time_ns: Any, src: Any, sport: Any, dst: Any, dport: Any, head: Any, length: Any = None, ttl: Any = 64
) -> Packets:
    """Packets from columns or single values."""
    rows = len(head)

    def column(value: Any) -> Any:
        return np.broadcast_to(np.asarray(value, np.int64), rows)

    ends = [column(value) for value in (src, sport, dst, dport)]
    size = column(head.shape[1] if length is None else length)
    return Packets(column(time_ns), *ends, length=size, head=np.asarray(head, np.uint8), ttl=column(ttl))


def big(values: Any, size: int) -> Any:
    """Numbers as bytes in network order: (n,) becomes (n, size)."""
    wide = np.ascontiguousarray(values, np.int64).astype(">u8").view(np.uint8).reshape(-1, 8)
    return wide[:, 8 - size :]


def little(values: Any) -> Any:
    """Numbers as four bytes, least significant first."""
    return np.ascontiguousarray(values, np.int64).astype("<u4").view(np.uint8).reshape(-1, 4)


def constant(data: bytes, rows: int) -> Any:
    """The same bytes in every row."""
    return np.broadcast_to(np.frombuffer(data, np.uint8), (rows, len(data)))


def write(path: Path, groups: list[Packets], rng: np.random.Generator) -> int:
    """Write all packets in order of time; returns how many there are."""
    time = np.concatenate([group.time_ns for group in groups])
    which = np.repeat(np.arange(len(groups)), [len(group.head) for group in groups])
    row = np.concatenate([np.arange(len(group.head)) for group in groups])
    order = np.argsort(time, kind="stable")
    with path.open("wb") as file:
        file.write(PCAP)
        for start in range(0, len(order), BLOCK):
            picked = order[start : start + BLOCK]
            file.write(_block(groups, which[picked], row[picked], start, rng))
    return len(order)


def _block(groups: list[Packets], which: Any, row: Any, number: int, rng: np.random.Generator) -> bytes:
    names = ("time_ns", "src", "sport", "dst", "dport", "length", "ttl")
    columns = {name: np.empty(len(which), np.int64) for name in names}
    members = [np.flatnonzero(which == group) for group in range(len(groups))]
    for group, mine in zip(groups, members, strict=True):
        for name in names:
            columns[name][mine] = getattr(group, name)[row[mine]]
    length = columns["length"]
    ends = np.cumsum(length + HEADERS)
    starts = ends - length - HEADERS
    data = np.frombuffer(bytearray(rng.bytes(int(ends[-1]))), np.uint8)
    data[starts[:, None] + np.arange(HEADERS)] = _headers(columns, number)
    for group, mine in zip(groups, members, strict=True):
        if len(mine):
            width = group.head.shape[1]
            data[starts[mine, None] + np.arange(HEADERS, HEADERS + width)] = group.head[row[mine]]
    return data.tobytes()


def _headers(columns: dict[str, Any], number: int) -> Any:
    rows, length = len(columns["length"]), columns["length"]
    micros = columns["time_ns"] // 1000
    record = [micros // 1_000_000, micros % 1_000_000, length + HEADERS - 16, length + HEADERS - 16]
    ip = np.concatenate(
        [
            constant(b"\x45\0", rows),
            big(length + 28, 2),
            big((number + np.arange(rows)) % 65536, 2),
            constant(b"\x40\0", rows),
            big(columns["ttl"], 1),
            constant(b"\x11\0\0", rows),
            big(columns["src"], 4),
            big(columns["dst"], 4),
        ],
        axis=1,
    )
    total = ip.reshape(rows, 10, 2).astype(np.int64) @ np.array([256, 1])
    total = total.sum(axis=1)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    ip[:, 10:12] = big(~total & 0xFFFF, 2)
    udp = [big(columns["sport"], 2), big(columns["dport"], 2), big(length + 8, 2), constant(b"\0\0", rows)]
    return np.concatenate([*map(little, record), constant(MACS, rows), ip, *udp], axis=1)
