"""What agents tell of their own accord: attributes that count checks, and name the last one that was received.

Few agents send them.  They are read from the messages that have them, all at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, find, pick
from stunpcap.ice.timers import SECOND
from stunpcap.ice.transactions import REQUEST, SUCCESS, Correlated
from stunpcap.ice.ways import NEVER, Clues, until
from stunpcap.stun.registry import attribute
from stunpcap.table import NAT, Table
from stunpcap.vantage import Vantage

LAST_CHECK = attribute("GOOG-LAST-ICE-CHECK-RECEIVED").type
ID_SIZE = 12
MOST_ATTRIBUTES = 64
"""Nobody looks further into one message."""


def note_hints(
    clues: Clues, rows: Ints, way: Ints, correlated: Correlated, messages: Table, vantages: list[Vantage]
) -> None:
    """Note them.

    Parameters
    ----------
    rows, way
        Transactions that are checks, and the way of each.
    """
    if not len(rows):  # no checks, no ways: nothing that a hint could be about
        return
    way_of = np.full(len(correlated.table) + 1, -1, np.int64)
    way_of[rows] = way
    _counts(clues, rows, way, way_of, correlated, messages)
    _last_checks(clues, way_of, correlated, messages, vantages)
    _transmissions(clues, way_of, correlated, messages, vantages)


def _counts(clues: Clues, rows: Ints, way: Ints, way_of: Ints, correlated: Correlated, messages: Table) -> None:
    """libwebrtc's count of checks since the last answer, in requests."""
    count = messages["retransmit_count"]
    says = np.flatnonzero((count >= 0) & (messages["class"] == REQUEST) & ~messages["duplicate"])
    says = says[way_of[correlated.of_message[says]] >= 0]
    if not len(says):
        return
    table = correlated.table
    on, time, frame = way_of[correlated.of_message[says]], messages["time"][says], messages["frame"][says]
    sent = table["first_time"][rows]
    answered = np.flatnonzero(table["response_time"][rows] > NAT)
    answer = table["response_time"][rows[answered]]
    order = np.lexsort((answer, way[answered]))
    answer, answer_way = answer[order], way[answered][order]
    # The last answer that had a second's time to get there, and the checks sent since it passed here.
    number = until(answer_way, answer, on, time - SECOND)
    start = np.searchsorted(answer_way, on)
    last = np.where(number > 0, pick(answer, np.where(number > 0, start + number - 1, -1), NAT), NAT)
    before = until(way, sent, on, time) - 1
    since = before - until(way, sent, on, last)
    back = clues.ways.back[on]
    missed = (last > NAT) & (count[says] > since)
    clues.add("uncounted-answers", back[missed], time[missed], frame[missed])
    again = (count[says] == 0) & (before > 0)
    both = np.concatenate([on[again], back[again]])
    clues.add("counted-answers", both, np.tile(time[again], 2), np.tile(frame[again], 2))


def _last_checks(clues: Clues, way_of: Ints, correlated: Correlated, messages: Table, vantages: list[Vantage]) -> None:
    """Ids of checks that the sender of a message names as received."""
    found = [_named_ids(vantage) for vantage in vantages]
    start = np.cumsum([0, *(len(vantage.messages) for vantage in vantages)])
    says = np.concatenate([at + where for at, (where, _) in zip(start[:-1], found, strict=True)])
    if not len(says):
        return
    ids = np.concatenate([words for _, words in found])
    table = correlated.table
    known = table["transaction_id"][:, 1:].astype(np.int64)
    check = find((messages["vantage"][says], *ids.T), (table["vantage"], *(known[:, word] for word in range(3))))
    on = way_of[check]
    speaker = way_of[correlated.of_message[says]]
    is_request = messages["class"][says] == REQUEST
    speaker = np.where((speaker >= 0) & ~is_request, clues.ways.back[speaker], speaker)
    # Whoever names it must be who was asked, in the same session, and by then it must have been sent.
    side = (on >= 0) & (speaker >= 0)
    side &= clues.ways.session[on] == clues.ways.session[speaker]
    side &= (clues.ways.back[on] == speaker) & (pick(table["first_time"], check, NEVER) <= messages["time"][says])
    clues.add("last-check-received", on[side], messages["time"][says][side], messages["frame"][says][side])


def _named_ids(vantage: Vantage) -> tuple[Ints, Ints]:
    """Messages of one capture that have the attribute, and the three words of the id in it."""
    rows = np.flatnonzero(vantage.extra["has_more"])
    none = np.zeros((0, 3), np.int64)
    if not len(rows):
        return rows, none
    data = np.frombuffer(vantage.payload, np.uint8)
    at, size = vantage.offsets[rows].astype(np.int64).T
    end, place = at + size, at + 20
    wanted: list[Any] = []
    for _ in range(MOST_ATTRIBUTES):
        inside = place + 4 <= end
        rows, end, place = rows[inside], end[inside], place[inside]
        if not len(rows):
            break
        kind, length = _u16(data, place), _u16(data, place + 2)
        hit = (kind == LAST_CHECK) & (length == ID_SIZE) & (place + 4 + ID_SIZE <= end)
        wanted.append((rows[hit], place[hit] + 4))
        place = place + 4 + (length + 3) // 4 * 4
    rows = np.concatenate([one for one, _ in wanted]) if wanted else rows[:0]
    place = np.concatenate([one for _, one in wanted]) if wanted else place[:0]
    words = [_u16(data, place + 4 * word) << 16 | _u16(data, place + 4 * word + 2) for word in range(3)]
    return rows, np.stack(words, axis=1) if len(rows) else none


def _u16(data: Any, place: Ints) -> Ints:
    result: Ints = data[place].astype(np.int64) << 8 | data[place + 1]
    return result


def _transmissions(
    clues: Clues, way_of: Ints, correlated: Correlated, messages: Table, vantages: list[Vantage]
) -> None:
    """Answers that say how many transmissions came before (RFC 7982): those beyond their own number did not."""
    counter = np.concatenate([vantage.extra["transmit_counter"] for vantage in vantages])
    says = np.flatnonzero((counter > 0) & (messages["class"] >= SUCCESS) & ~messages["duplicate"])
    says = says[way_of[correlated.of_message[says]] >= 0]
    asked, answered = counter[says] >> 8 & 0xFF, counter[says] & 0xFF
    missed = (answered > 0) & (asked > answered)
    says = says[missed]
    clues.add(
        "missed-transmissions",
        way_of[correlated.of_message[says]],
        messages["time"][says],
        messages["frame"][says],
        counts=(asked - answered)[missed],
    )
