"""What several rules say alike: names of ends, numbers of checks, the frames that show a row of pairs."""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.diagnose.facts import SECOND, Facts
from stunpcap.diagnose.finding import Evidence
from stunpcap.ice.columns import Ints
from stunpcap.sorting import values_in
from stunpcap.words import many


def foremost(facts: Facts, rows: Ints) -> int:
    """Of rows of `pairs` the one with most packets: what one would look at first."""
    return int(rows[np.argmax(facts["pairs"]["transmissions"][rows])])


def others(facts: Facts, rows: Ints) -> str:
    """How many more pairs there are than the one that is named, however many captures saw each."""
    more = len(values_in(facts["pairs"]["pair_id"][rows])) - 1
    return "" if more < 1 else f", and the same on {many(more, 'more pair')}"


def checks(number: int) -> str:
    """`1 check`, `7 checks`."""
    return f"{number} check{'' if number == 1 else 's'}"


def way(facts: Facts, row: int) -> str:
    """Both ends of a row of `pairs`, in its direction."""
    pairs = facts["pairs"]
    return f"from {facts.text(int(pairs['src'][row]))} to {facts.text(int(pairs['dst'][row]))}"


def transport(facts: Facts, row: int) -> str:
    """The transport protocol of a row of `pairs`."""
    pairs = facts["pairs"]
    return pairs.schema["transport"].levels[int(pairs["transport"][row])]


def seconds(nanoseconds: int) -> str:
    """A duration for people."""
    value = nanoseconds / SECOND
    return f"{value:.0f} s" if value >= 10 else f"{value:.1f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def agent(facts: Facts, row: int) -> str:
    """`A` or `B`: who sends in a row of `pairs`."""
    return "A" if facts.side[row] == 0 else "B"


def unanswered(facts: Facts, row: int) -> Evidence:
    """The checks of a row that had no answer."""
    pairs, table, own = facts["pairs"], facts["transactions"], facts.checks_of(row)
    frames = table["request_frame"][own]
    sent = int(pairs["requests_sent"][row])
    return facts.show(
        f"{checks(sent)} {way(facts, row)}, none answered", row, *frames[:3].tolist(), *frames[-1:].tolist()
    )


def answered(facts: Facts, row: int) -> Evidence:
    """The checks of a row that were answered."""
    table, own = facts["transactions"], facts.checks_of(row)
    good = own[table["response_frame"][own] > 0]
    count = int(facts["pairs"]["responses_received"][row])
    return facts.show(
        f"{checks(count)} {way(facts, row)} arrived and {'was' if count == 1 else 'were'} answered",
        row,
        *frames_of(table, "request_frame", good[:2]),
        *frames_of(table, "response_frame", good[:2]),
    )


def frames_of(table: Any, column: str, rows: Ints) -> list[int]:
    """Frame numbers of rows."""
    frames: list[int] = table[column][rows].tolist()
    return frames
