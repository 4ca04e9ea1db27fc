"""Checks of sessions as columns, and what rules about them ask: who sent, what became of it, which frames show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stunpcap.diagnose.addresses import Mask
from stunpcap.diagnose.facts import Facts
from stunpcap.ice.columns import Ints, translate
from stunpcap.ice.transactions import OUT
from stunpcap.record import record
from stunpcap.schema import CLASS
from stunpcap.stun.defects import Defect
from stunpcap.table import MISSING

if TYPE_CHECKING:
    from stunpcap.stun.message import Message

SHOWN = 3
"""Transactions of which frames are named."""


@record
class Checks:
    """A row for each transaction that is a check of a session, in the order of `transactions`."""

    rows: Ints
    """Row of `transactions`."""
    pair: Ints
    """Row of `pairs`."""
    session: Ints
    """`session_id`."""
    side: Ints
    """Who sent it: 0 for A, 1 for B."""
    vantage: Ints
    outcome: Ints
    error_code: Ints
    first_time: Ints
    last_time: Ints
    response_time: Ints
    transmissions: Ints
    nominating: Mask

    @property
    def agent(self) -> Ints:
        """A number for each agent of each session."""
        agents: Ints = self.session * 2 + self.side
        return agents

    @property
    def succeeded(self) -> Mask:
        """Which were answered with success, as far as is known from here."""
        return self.outcome == OUT["success"]

    @property
    def silent(self) -> Mask:
        """Which had no answer; those that were still open at the end included."""
        return np.isin(self.outcome, [OUT["unanswered"], OUT["unfinished"]])


def checks_of(facts: Facts) -> Checks:
    """The checks of all sessions."""
    table = facts["transactions"]
    rows = np.flatnonzero(facts.directed.of_transaction >= 0)
    pair = facts.directed.of_transaction[rows]
    return Checks(
        rows,
        pair,
        facts["pairs"]["session_id"][pair],
        np.maximum(np.asarray(facts.side, np.int64)[pair], 0),
        table["vantage"][rows],
        table["outcome"][rows],
        table["error_code"][rows],
        table["first_time"][rows],
        table["last_time"][rows],
        table["response_time"][rows],
        table["transmissions"][rows],
        table["nominating"][rows],
    )


def checks_at(facts: Facts, checks: Checks, row: int) -> Ints:
    """Which of the checks belong to a row of `pairs`, in order of time."""
    return np.searchsorted(checks.rows, facts.checks_of(row))


class Index:
    """Rows by a key, for rules that look up a few of many."""

    def __init__(self, keys: Any) -> None:
        keys = np.asarray(keys, np.int64)
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def __getitem__(self, key: int) -> Ints:
        """The rows with a key, in order."""
        first, last = np.searchsorted(self._keys, [key, key + 1])
        return self._order[first:last]


def frames_of(facts: Facts, rows: Ints, most: int = SHOWN) -> list[int]:
    """Frames of the first of some transactions and of the last one: requests and responses."""
    table = facts["transactions"]
    chosen = np.concatenate([rows[:most], rows[-1:]])
    return [int(table[column][row]) for row in chosen.tolist() for column in ("request_frame", "response_frame")]


def ends_of(facts: Facts) -> tuple[dict[int, int], dict[int, int]]:
    """First and last time of each capture, by its number in columns `vantage`."""
    numbers = facts["vantages"]["vantage"].tolist()
    return (
        dict(zip(numbers, facts["vantages"]["first_time"].tolist(), strict=True)),
        dict(zip(numbers, facts["vantages"]["last_time"].tolist(), strict=True)),
    )


def end_at(facts: Facts, vantage: Any) -> Ints:
    """For each number of a capture the time of its last packet."""
    return translate(vantage, ends_of(facts)[1])


def start_at(facts: Facts, vantage: Any) -> Ints:
    """For each number of a capture the time of its first packet."""
    return translate(vantage, ends_of(facts)[0])


def succeeded_by(facts: Facts) -> dict[int, int]:
    """Sessions that were restarted, and the session that came after."""
    sessions = facts["sessions"]
    later = np.flatnonzero(sessions["restart_of"] >= 1)
    return dict(zip(sessions["restart_of"][later].tolist(), sessions["session_id"][later].tolist(), strict=True))


def tagged(facts: Facts, word: str) -> Mask:
    """Which sessions have a tag."""
    tags = facts["sessions"]["tags"]
    distinct, places = np.unique(tags, return_inverse=True)
    holds = np.array([word in facts.word(number).split(", ") for number in distinct.tolist()], np.bool_)
    found: Mask = holds[places] if len(tags) else np.zeros(0, np.bool_)
    return found


def cut_short(facts: Facts) -> Mask:
    """Sessions with messages of which the capture holds the beginning only: an attribute may be missing."""
    messages = facts["messages"]
    flags = np.concatenate([source.extra["flags"] for source in facts.sources])
    found = np.zeros(len(facts["sessions"]) + 1, np.bool_)
    found[np.maximum(messages["session_id"][(flags & int(Defect.CUT)) > 0], 0)] = True
    return found[1:]


def message_in(facts: Facts, vantage: int, frame: int, cls: str) -> Message | None:
    """The first message of a class in a frame of a capture, in full."""
    from stunpcap.stun.message import Message  # few captures need one

    for source in facts.sources:
        if source.name == facts.name_of(vantage):
            first, last = np.searchsorted(source.messages["frame"], [frame, frame + 1])
            here = source.messages["class"][first:last] == CLASS.index(cls)
            for row in (first + np.flatnonzero(here))[:1].tolist():
                offset, size = source.offsets[row].tolist()
                return Message.parse(source.payload[offset : offset + size])
    return None


def at_one_place(checks: Checks, at: Ints) -> Ints:
    """Of some checks those of the capture that has most of them: two captures see the same packets."""
    found: Ints = at[checks.vantage[at] == most_common(checks.vantage[at])]
    return found


def most_common(rows: Ints) -> int:
    """The row that occurs most often; of several the first."""
    values, counts = np.unique(rows, return_counts=True)
    return int(values[np.argmax(counts)]) if len(values) else MISSING
