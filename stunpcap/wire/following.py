"""What goes on in a flow over time: its streams of RTP, RTCP and data, and what went in each second.

A stream is a row for each flow, kind and SSRC; activity is a row for each flow and second in which anything went.  Only
so many rows are made for a flow: what looks like RTP with a new SSRC in each packet costs little more than a call.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap.kernels import inner, kernel
from stunpcap.room import larger
from stunpcap.sorting import in_order, ordered_by
from stunpcap.wire import demux
from stunpcap.wire.counters import ACTIVE, LEAD
from stunpcap.wire.words import Buffer, u16, u32

Ints = npt.NDArray[np.int64]

RTP, RTCP, DATA = range(3)
"""Kinds of streams, in the order of `schema.STREAM_KIND`."""
(
    FLOW,
    KEY,
    NEXT,
    PACKETS,
    BYTES,
    FIRST_TIME,
    LAST_TIME,
    FIRST_FRAME,
    LAST_FRAME,
    BASE,
    HIGHEST,
    JUMP,
    BEFORE,
    TYPES,
) = range(14)
"""Columns of streams.  KEY: the SSRC, and the kind above it.  NEXT: the next in its list, plus one.  BASE, HIGHEST:
first and highest extended sequence number; JUMP: the one that would prove a jump; BEFORE: packets expected before the
last jump (RFC 3550 appendix A.1).  TYPES: four columns of 32 payload types each."""
HEADS = TYPES + 4
KNOWN = HEADS + 8
"""The first stream of a flow further has the heads of eight lists of them, and how many there are."""
STREAM = KNOWN + 1
RECENT = 4096
"""Streams that are found without going through the lists of their flows: a power of two, a place for each hash."""
MOST_STREAMS = 64
"""SSRCs of a flow that are told apart; all others share a row of each kind."""
ANY = 1 << 40
"""Key of the row that they share."""
STUN, NOTHING = 1 << 42, 1 << 43
"""In place of a key: what is no stream, and counts only as activity."""
(U_FLOW, U_KEY, U_LENGTH, U_NUMBER, U_TIME, U_FRAME) = range(6)
NOTE = 6
"""Columns of what the walk notes of each payload.  U_NUMBER: sequence number above the payload type, or packet type."""

(A_FLOW, A_START, A_RTP, A_RTCP, A_DATA, A_STUN, A_BYTES) = range(7)
"""Columns of activity; A_START is the time at which the second begins."""
ACTIVITY = 7
SECOND = 1_000_000_000
(N_STREAMS, N_ACTIVITY, N_BACK) = range(3)
"""How many rows there are of each, and how often a flow went back to an earlier second, which makes several of that."""
SIZES = 3

MAX_DROPOUT = 3000
MAX_MISORDER = 100
"""How far a sequence number may jump ahead or lag behind (RFC 3550 appendix A.1)."""


@inner
def bucket(key: int) -> int:
    """Which of the lists of its flow a stream is in."""
    return (key ^ key >> 3 ^ key >> 9 ^ key >> 17 ^ key >> 25 ^ key >> 32) & 7


@inner
def find_stream(key: int, lead: int, streams: Any) -> int:
    """The row of a stream of the flow whose first one is `lead`; -1 if there is none."""
    row = int(streams[lead, HEADS + bucket(key)]) - 1
    while row >= 0 and streams[row, KEY] != key:
        row = int(streams[row, NEXT]) - 1
    return row


@inner
def stream_of(
    key: int, flow: int, time_ns: int, frame: int, counters: Any, streams: Any, sizes: Any, recent: Any
) -> int:
    """The row of a stream, new or known."""
    h = (key ^ key >> 32) + flow * 0x45D9F3B
    place = (h ^ h >> 15) & (RECENT - 1)
    row = int(recent[place])
    if row < sizes[N_STREAMS] and streams[row, KEY] == key and streams[row, FLOW] == flow:
        return row
    lead = int(counters[flow, LEAD]) - 1
    row = -1
    if lead < 0:
        lead = int(sizes[N_STREAMS])
        counters[flow, LEAD] = lead + 1
    else:
        row = find_stream(key, lead, streams)
        if row < 0 and streams[lead, KNOWN] >= MOST_STREAMS:
            key = (key >> 32 & 3) << 32 | ANY
            row = find_stream(key, lead, streams)
    if row < 0:
        row = int(sizes[N_STREAMS])
        sizes[N_STREAMS] += 1
        streams[row, FLOW] = flow
        streams[row, KEY] = key
        streams[row, FIRST_TIME] = time_ns
        streams[row, LAST_TIME] = time_ns
        streams[row, FIRST_FRAME] = frame
        streams[row, BASE] = -1
        streams[row, JUMP] = -1
        streams[row, NEXT] = streams[lead, HEADS + bucket(key)]
        streams[lead, HEADS + bucket(key)] = row + 1
        streams[lead, KNOWN] += 1
    recent[place] = row
    return row


@inner
def count_sequence(streams: Any, row: int, number: int) -> None:
    """Follow the sequence number of a stream as RFC 3550 appendix A.1 does, without its probation."""
    base = int(streams[row, BASE])
    highest = int(streams[row, HIGHEST])
    ahead = (number - highest) & 0xFFFF
    if base < 0:
        streams[row, BASE] = number
        streams[row, HIGHEST] = number
    elif ahead < MAX_DROPOUT:
        streams[row, HIGHEST] = highest + ahead
    elif ahead <= 0x10000 - MAX_MISORDER:
        if streams[row, JUMP] == number:  # two in a row: the sender began anew
            streams[row, BEFORE] += highest - base + 1
            streams[row, BASE] = max(0, number - 1)
            streams[row, HIGHEST] = number
        streams[row, JUMP] = (number + 1) & 0xFFFF


@inner
def what_goes(b: Buffer, o: int, stop: int, kind: int) -> tuple[int, int]:
    """Key and number of a payload, as notes have them; the key of what is not followed is -1."""
    if kind == demux.RTP:
        return u32(b, o + 8) if stop - o >= 12 else ANY, u16(b, o + 2) << 8 | int(b[o + 1]) & 0x7F
    if kind == demux.OTHER or kind == demux.CHANNEL or kind == demux.MDNS:
        return -1, 0
    if kind == demux.RTCP:
        return RTCP << 32 | (u32(b, o + 4) if stop - o >= 8 else ANY), int(b[o + 1]) & 31  # 192 to 223
    if demux.is_data(kind):
        return DATA << 32, 0
    return STUN if demux.is_stun(kind) else NOTHING, 0


@inner
def note_unit(
    b: Buffer, o: int, stop: int, length: int, kind: int, flow: int, time_ns: int, frame: int, notes: Any, at: int
) -> int:
    """Note a payload for `follow`; returns how many are noted then."""
    key, number = what_goes(b, o, stop, kind)
    if key < 0:
        return at
    notes[at, U_FLOW] = flow
    notes[at, U_KEY] = key
    notes[at, U_LENGTH] = length
    notes[at, U_NUMBER] = number
    notes[at, U_TIME] = time_ns
    notes[at, U_FRAME] = frame
    return at + 1


@inner
def follow_unit(
    key: int,
    number: int,
    length: int,
    flow: int,
    time_ns: int,
    frame: int,
    counters: Any,
    streams: Any,
    activity: Any,
    sizes: Any,
    recent: Any,
) -> None:
    """Count a payload in its stream and second; there must be room for one more row of both."""
    row = int(counters[flow, ACTIVE]) - 1
    start = int(activity[row, A_START])
    if row < 0 or time_ns < start or time_ns >= start + SECOND:
        if row >= 0 and time_ns < start:
            sizes[N_BACK] += 1
        row = int(sizes[N_ACTIVITY])
        sizes[N_ACTIVITY] += 1
        activity[row, A_FLOW] = flow
        activity[row, A_START] = time_ns - time_ns % SECOND
        for k in range(A_RTP, ACTIVITY):
            activity[row, k] = 0
        counters[flow, ACTIVE] = row + 1
    if key >= STUN:
        activity[row, A_STUN] += key == STUN
        return
    kind = key >> 32 & 3
    activity[row, A_RTP + kind] += 1
    if kind != RTCP:
        activity[row, A_BYTES] += length
    row = stream_of(key, flow, time_ns, frame, counters, streams, sizes, recent)
    streams[row, PACKETS] += 1
    streams[row, BYTES] += length
    streams[row, LAST_FRAME] = frame
    streams[row, FIRST_TIME] = min(int(streams[row, FIRST_TIME]), time_ns)
    streams[row, LAST_TIME] = max(int(streams[row, LAST_TIME]), time_ns)
    if kind == RTP:
        streams[row, TYPES + (number >> 5 & 3)] |= 1 << (number & 31)
        if key < ANY:
            count_sequence(streams, row, number >> 8)
    elif kind == RTCP:
        streams[row, TYPES] |= 1 << number


@kernel
def follow(
    notes: Any, begin: int, stop: int, counters: Any, streams: Any, activity: Any, sizes: Any, recent: Any
) -> int:
    """Count what was noted in its stream and second; returns where it stopped: at the end, or a table was full."""
    i = begin
    while i < stop and int(sizes[N_STREAMS]) < len(streams) and int(sizes[N_ACTIVITY]) < len(activity):
        flow, key, length = int(notes[i, U_FLOW]), int(notes[i, U_KEY]), int(notes[i, U_LENGTH])
        number, time_ns, frame = int(notes[i, U_NUMBER]), int(notes[i, U_TIME]), int(notes[i, U_FRAME])
        follow_unit(key, number, length, flow, time_ns, frame, counters, streams, activity, sizes, recent)
        i += 1
    return i


class Following:
    """Streams and activity of one capture, while it is read."""

    def __init__(self) -> None:
        self.streams = new_streams(256)
        self.activity = new_activity(256)
        self.sizes = np.zeros(SIZES, np.int64)
        self.recent = np.zeros(RECENT, np.int32)

    def tables(self) -> tuple[Any, ...]:
        return self.streams, self.activity, self.sizes, self.recent

    def take(self, notes: Ints, counters: Any, fast: bool) -> None:
        """Count what was noted."""
        at = follow.run(fast, notes, 0, len(notes), counters, *self.tables())
        while at < len(notes):
            self.make_room(counters)
            at = follow.run(fast, notes, at, len(notes), counters, *self.tables())

    def make_room(self, counters: Any) -> None:
        """Make the tables larger that are full, if any; activity may only need to be put together."""
        n_streams, n_activity = self.sizes[[N_STREAMS, N_ACTIVITY]].tolist()
        if n_streams >= len(self.streams):
            self.streams = larger(self.streams, n_streams)
        if n_activity >= len(self.activity):
            if not self.sizes[N_BACK]:
                self.activity = larger(self.activity, n_activity)
                return
            merged = merge_activity(self.activity)
            if len(merged) * 2 > n_activity:
                self.activity = new_activity(4 * n_activity)
            self.activity[: len(merged)] = merged
            self.sizes[N_ACTIVITY] = len(merged)
            counters[:, ACTIVE] = 0

    def finish(self, number: Ints) -> tuple[Ints, Ints]:
        """The streams and the activity, their flows numbered anew; nothing can be taken after it."""
        streams, activity = self.streams[: self.sizes[N_STREAMS]], self.activity[: self.sizes[N_ACTIVITY]]
        streams[:, FLOW], activity[:, A_FLOW] = number[streams[:, FLOW]], number[activity[:, A_FLOW]]
        streams[:, [NEXT, *range(HEADS, STREAM)]] = 0
        streams = streams[ordered_by(streams[:, FLOW], streams[:, FIRST_FRAME], streams[:, KEY])]
        return streams, merge_activity(activity)


def new_streams(rows: int) -> Ints:
    return np.zeros((rows, STREAM), np.int64)


def new_activity(rows: int) -> Ints:
    return np.zeros((rows, ACTIVITY), np.int64)


def merge_activity(rows: Ints) -> Ints:
    """One row for each flow and second, ordered by these: packets out of order make several."""
    if not len(rows):
        return rows
    key = rows[:, A_START] // SECOND
    key -= key.min()
    key += rows[:, A_FLOW] * (int(key.max()) + 1)  # seconds since 1970 and flows stay far below 63 bits together
    order = in_order(key)
    key = key[order]
    again = np.flatnonzero(key[1:] == key[:-1]) + 1
    rows = rows.take(order, axis=0)
    if not len(again):
        return rows
    new = np.ones(len(rows), np.bool_)
    new[again] = False
    merged = rows[new]
    into = (np.cumsum(new) - 1)[again]
    for column in range(A_RTP, ACTIVITY):
        np.add.at(merged[:, column], into, rows[again, column])
    return merged


def expected(streams: Ints) -> Ints:
    """Packets that each stream of RTP should have had, by its sequence numbers; -1 where that is unknown."""
    known = (streams[:, KEY] < ANY) & (streams[:, KEY] >> 32 == RTP) & (streams[:, BASE] >= 0)
    counted = streams[:, BEFORE] + streams[:, HIGHEST] - streams[:, BASE] + 1
    return np.where(known, counted, -1)
