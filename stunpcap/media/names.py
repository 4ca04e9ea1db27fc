"""Names asked over mDNS (RFC 6762): who asked for which `.local` name, and whether anybody answered.

Only questions and address records matter here; whatever is malformed ends its message.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from ipaddress import ip_address

import numpy as np

from stunpcap.table import MISSING, NAT, Pools, Table
from stunpcap.vantage import Vantage
from stunpcap.wire import demux

LONGEST = 255
MOST_RECORDS = 200
MOST_NAMES = 10_000
"""Names of a capture, with those who ask for them, that are followed; a host has a handful."""
MOST_ADDRESSES = 16
"""Addresses of a name that are told."""
A, AAAA = 1, 28


def read_name(data: bytes, at: int) -> tuple[str, int]:
    """A domain name and where it ends; pointers lead backwards only, so that none leads in a circle (RFC 1035 section
    4.1.4).

    Raises
    ------
    ValueError
        There is no name.
    """
    labels: list[str] = []
    end, bound, size = -1, at, 0
    while True:
        if at >= len(data):
            raise ValueError("cut")
        length = data[at]
        if length >= 0xC0:
            if at + 2 > len(data):
                raise ValueError("cut")
            target = (length & 0x3F) << 8 | data[at + 1]
            end = at + 2 if end < 0 else end
            if target >= bound:
                raise ValueError("a pointer that leads forwards")
            at = bound = target
            continue
        if length > 63:
            raise ValueError("no label")
        at += 1
        if not length:
            return ".".join(labels), at if end < 0 else end
        size += length + 1
        if at + length > len(data) or size > LONGEST:
            raise ValueError("cut or too long")
        labels.append(data[at : at + length].decode("utf-8", "backslashreplace"))
        at += length


def read_message(data: bytes) -> tuple[list[str], list[tuple[str, str]]]:
    """The names that a message asks for, and the addresses that it gives: those ending with `.local`."""
    asked: list[str] = []
    given: list[tuple[str, str]] = []
    if len(data) < 12:
        return asked, given
    questions, *records = (int.from_bytes(data[k : k + 2]) for k in (4, 6, 8, 10))
    # In a probe, addresses in the authority section are claimed, not yet given (RFC 6762 section 8.2).
    given_until = 0 if not data[2] & 0x80 else sum(records)
    at = 12
    try:
        for _ in range(min(questions, MOST_RECORDS)):
            name, at = read_name(data, at)
            kind, at = int.from_bytes(data[at : at + 2]), at + 4
            if at > len(data):
                return asked, given
            if _is_local(name) and kind in (A, AAAA, 255) and name not in asked and not data[2] & 0x80:
                asked.append(name)
        for _ in range(min(given_until, MOST_RECORDS)):
            name, at = read_name(data, at)
            kind, size = int.from_bytes(data[at : at + 2]), int.from_bytes(data[at + 8 : at + 10])
            value = data[at + 10 : at + 10 + size]
            at += 10 + size
            if at > len(data):
                break
            if _is_local(name) and (kind, size) in ((A, 4), (AAAA, 16)):
                given.append((name, str(ip_address(value))))
    except ValueError:
        pass
    return asked, given


def _is_local(name: str) -> bool:
    return name.lower().endswith(".local") and len(name) > len(".local")


def build_names(vantages: list[Vantage], pools: Pools) -> Table:
    """A row for each name and who asked for it; for names that were only announced one without."""
    rows: list[tuple[int, ...]] = []
    for vantage in vantages:
        rows += _names(vantage, pools)
    columns = np.array(rows, np.int64).reshape(-1, len(_COLUMNS))
    return Table("names", len(rows), pools, {name: columns[:, k] for k, name in enumerate(_COLUMNS)})


_COLUMNS = (
    *("vantage", "name", "asked_by", "asked", "first_time", "answered", "address", "answer_time"),
    *("first_frame", "answer_frame"),
)


@dataclass(slots=True, eq=False, repr=False)
class _Answers:
    """What was answered for a name."""

    at: list[tuple[int, int]] = field(default_factory=list)
    """Time and frame of each datagram with an answer."""
    last: dict[str, int] = field(default_factory=dict)
    """Address -> when it was given last."""

    def add(self, time: int, frame: int, address: str) -> None:
        """Note an answer."""
        if not self.at or self.at[-1] != (time, frame):
            self.at.append((time, frame))
        if address in self.last or len(self.last) < MOST_ADDRESSES:
            self.last[address] = max(time, self.last.get(address, time))

    def since(self, time: int) -> tuple[int, int, str] | None:
        """The first answer from then on: its time and frame, and all addresses given."""
        k = bisect_left(self.at, (time, -1))
        if k == len(self.at):
            return None
        return *self.at[k], ", ".join(address for address, last in self.last.items() if last >= time)


def _names(vantage: Vantage, pools: Pools) -> list[tuple[int, ...]]:
    aside = vantage.aside
    asked: dict[tuple[str, int], list[int]] = {}
    answers: dict[str, _Answers] = {}
    nobody = _Answers()
    rows = np.flatnonzero(aside.kind == demux.MDNS)
    for row in rows[np.argsort(aside.time_ns[rows], kind="stable")].tolist():
        begin = int(aside.offset[row])
        questions, given = read_message(vantage.payload[begin : begin + int(aside.captured[row])])
        time, frame = int(aside.time_ns[row]), int(aside.frame[row])
        src = int(vantage.flows["src"][aside.flow[row]])
        for name in questions:
            if (name.lower(), src) in asked or len(asked) < MOST_NAMES:
                asked.setdefault((name.lower(), src), [0, time, frame])[0] += 1
        for name, address in given:
            if name.lower() in answers or len(answers) < MOST_NAMES:
                answers.setdefault(name.lower(), _Answers()).add(time, frame, address)
    announced = {name for name, _ in asked}
    for name, several in answers.items():
        if name not in announced:
            asked[name, MISSING] = [0, *several.at[0]]
    result: list[tuple[int, ...]] = []
    for (name, by), (times, first, frame) in sorted(asked.items(), key=lambda item: item[1][2]):
        answer = answers.get(name, nobody).since(first)
        result.append(
            (
                *(pools.texts.number(vantage.name), pools.texts.number(name), by, times, first),
                int(answer is not None and times > 0),
                pools.texts.number(answer[2]) if answer else MISSING,
                answer[0] if answer else NAT,
                frame,
                answer[1] if answer else MISSING,
            )
        )
    return result
