"""From transactions to what they show of a directed pair: errors, ICMP, other addresses, and frames to open."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stunpcap.ice.columns import Ints, count_in, first_of, group
from stunpcap.ice.transactions import OUT
from stunpcap.schema import OUTCOME
from stunpcap.sorting import in_order
from stunpcap.summary.model import ErrorAnswer
from stunpcap.table import MISSING, NAT, Table
from stunpcap.words import error_words


@dataclass(slots=True, eq=False, repr=False)
class Evidence:
    """What the transactions of one directed pair, or of one kind to one server, show."""

    errors: dict[int, int] = field(default_factory=dict)
    "Code -> how many; -1 for an error response without a code."
    icmp: dict[str, int] = field(default_factory=dict)
    answered_from: dict[str, None] = field(default_factory=dict)
    answered_to: dict[str, None] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    frames: list[int] = field(default_factory=list)
    silent_at_end: int = 0

    def error_answers(self) -> tuple[ErrorAnswer, ...]:
        """The errors, with their names."""
        return tuple(
            ErrorAnswer(code, error_words(code).partition(" ")[2], count) for code, count in sorted(self.errors.items())
        )

    def add_frames(self, *frames: int) -> None:
        """Note frames, once each."""
        self.frames += [frame for frame in frames if frame > 0 and frame not in self.frames]


def collect(table: Table, rows: Ints, groups: Ints, count: int) -> list[Evidence]:
    """What the transactions in `rows` show, put together by their groups (0 to count - 1).

    Parameters
    ----------
    table
        The transactions.
    groups
        A group for each of `rows`.
    """
    found = [Evidence() for _ in range(count)]
    if not len(rows):
        return found
    texts, endpoints = table.pools.texts.values, table.pools.endpoints
    outcome = table["outcome"][rows]
    other = outcome == OUT["other-address"]
    source = np.where(other, table["response_src"][rows], MISSING)
    target = np.where(other, table["response_dst"][rows], MISSING)
    # An orphan with a code is an error response, too, to a check that was not captured.
    code = np.where(np.isin(outcome, [OUT["error"], OUT["orphan"]]), table["error_code"][rows], MISSING)
    kinds, n_kinds = group(groups, outcome, code, source, target, table["icmp"][rows])
    firsts = first_of(kinds, n_kinds, in_order(table["first_time"][rows]))
    in_time = in_order(table["first_time"][rows[firsts]])
    at = firsts[in_time]
    names = ("icmp", "src", "dst", "request_frame", "response_frame", "icmp_frame")
    columns = [groups[at], outcome[at], code[at], count_in(kinds, n_kinds)[in_time], source[at], target[at]]
    columns += [table[name][rows[at]] for name in names]
    for number, result, error, size, answer_src, answer_dst, icmp, src, dst, *frames in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        entry, name = found[number], OUTCOME[result]
        entry.outcomes[name] = entry.outcomes.get(name, 0) + size
        if name == "error" or error >= 0:
            entry.errors[error] = entry.errors.get(error, 0) + size
        if icmp >= 0:
            entry.icmp[texts[icmp]] = entry.icmp.get(texts[icmp], 0) + size
        if name == "other-address":
            if answer_src != dst:
                entry.answered_from[endpoints.text(answer_src)] = None
            if answer_dst != src:
                entry.answered_to[endpoints.text(answer_dst)] = None
        # What was still open at the end shows nothing where there is anything else.
        if len(entry.frames) < 8 and (name != "unfinished" or not entry.frames):
            entry.add_frames(*frames)
    return found


def note_silence(table: Table, rows: Ints, groups: Ints, last_answer: Ints, found: list[Evidence]) -> None:
    """Count the checks that had no answer any more after the last that had one; note the first of them."""
    if not len(rows):
        return
    silent = np.isin(table["outcome"][rows], [OUT["unanswered"], OUT["unfinished"], OUT["icmp"]])
    after = np.flatnonzero(silent & (last_answer[groups] > NAT) & (table["first_time"][rows] > last_answer[groups]))
    after = after[np.argsort(table["first_time"][rows[after]], kind="stable")]
    count = count_in(groups[after], len(found))
    first = first_of(groups[after], len(found))
    for number in np.flatnonzero(count).tolist():
        found[number].silent_at_end = int(count[number])
        found[number].add_frames(int(table["request_frame"][rows[after[first[number]]]]))
