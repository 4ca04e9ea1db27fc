"""What the ends of a handshake said last, and which of their messages are incomplete: as texts.

Many handshakes say the same, so a text is made once for each way of saying it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, count_in, first_of, group
from stunpcap.sorting import ordered_by
from stunpcap.table import Pools, Table
from stunpcap.wire import dtls

WHO = ("client", "server")
REACH = 1 << 25
"""More than any place in a handshake message, which has 24 bits for it."""


def last_flights(table: Table, rows: Ints, of: Ints, side: Ints, count: int, pools: Pools) -> Ints:
    """For each handshake the messages of each end since the other end was last heard before.

    `rows` of the table are in order of time; `of` and `side` tell the handshake and the sender of each.
    """
    says = np.flatnonzero(table["handshake"][rows] >= 0)
    order = says[ordered_by(of[says])]
    new = np.ones(len(order), np.bool_)
    new[1:] = (np.diff(of[order]) != 0) | (np.diff(side[order]) != 0)
    run = np.cumsum(new) - 1
    place = 2 * of[order] + side[order]
    final = np.full(2 * count, -1, np.int64)
    final[place] = run
    told = final[place] == run
    place, text = place[told], table["handshake"][rows][order[told]].astype(np.int64)
    said, n_said = group(place, text)
    once = np.sort(first_of(said, n_said))
    once = once[ordered_by(place[once])]
    place, text = place[once], text[once]
    way, ways = _sequences(place, text, 2 * count)
    lead = first_of(way, ways)
    begin = np.searchsorted(place, np.arange(2 * count + 1))
    words = []
    for at in lead.tolist():
        texts = [pools.texts.values[number] for number in text[begin[at] : begin[at + 1]].tolist()]
        words.append(", ".join(dict.fromkeys(name for one in texts for name in one.split(", "))))
    both, several = group(way[0::2], way[1::2]) if count else (np.zeros(0, np.int64), 0)
    chosen = first_of(both, several)
    parts = zip(way[0::2][chosen].tolist(), way[1::2][chosen].tolist(), strict=True)
    shown = [
        "; ".join(f"{who}: {words[number]}" for who, number in zip(WHO, numbers, strict=True) if words[number])
        for numbers in parts
    ]
    result: Ints = pools.texts.numbers(shown).astype(np.int64)[both]
    return result


def _sequences(place: Ints, text: Ints, places: int) -> tuple[Ints, int]:
    """For each place which sequence of texts it has, rows of a place being together; and how many there are."""
    length = count_in(place, places)
    begin = np.cumsum(length) - length
    way, ways = np.zeros(places, np.int64), min(places, 1)
    for k in range(int(length.max(initial=0))):
        longer = np.flatnonzero(length > k)
        further, several = group(way[longer], text[begin[longer] + k])
        way[longer] = ways + further
        ways += several
    return group(way)


def incomplete(table: Table, raw: Ints, rows: Ints, place: Ints, count: int, pools: Pools) -> Ints:
    """Messages of which pieces are missing; left out where records hold several messages, which are not all known."""
    several = count_in(place, 2 * count, raw[rows, dtls.MESSAGES] > 1) > 0
    pieces = np.flatnonzero((raw[rows, dtls.MESSAGES] == 1) & (raw[rows, dtls.DEFECT] == dtls.FINE) & ~several[place])
    result = np.full(count, pools.texts.number(""), np.int64)
    if not len(pieces):
        return result
    names = (dtls.MESSAGE_SEQ, dtls.TYPES, dtls.MESSAGE_BYTES)
    keys = [raw[rows[pieces], name] for name in names]
    begin = raw[rows[pieces], dtls.FRAGMENT_OFFSET]
    end = begin + raw[rows[pieces], dtls.FRAGMENT_BYTES]
    message, messages = group(place[pieces], *keys)
    order = ordered_by(message, begin, end)
    have = np.zeros(messages, np.int64)
    # What is covered: each piece adds what lies beyond all before it.
    shift = message[order] * REACH
    covered = np.maximum.accumulate(shift + end[order])
    before = np.concatenate([[0], covered[:-1]])
    np.add.at(have, message[order], np.maximum(0, shift + end[order] - np.maximum(shift + begin[order], before)))
    lead = first_of(message, messages)
    total = keys[2][lead]
    lacking = np.flatnonzero(have < total)
    at = pieces[lead[lacking]]
    result_of = place[at] // 2
    said: Any = [place[at] % 2, table["handshake"][rows[at]], have[lacking], total[lacking]]
    same, distinct = group(*said)
    texts = [
        f"{WHO[who]} {pools.texts.values[name]} {here} of {whole} bytes"
        for who, name, here, whole in np.column_stack([column[first_of(same, distinct)] for column in said]).tolist()
    ]
    parts: dict[int, list[str]] = {}
    for number, which in zip(result_of.tolist(), same.tolist(), strict=True):
        parts.setdefault(number, []).append(texts[which])
    result[list(parts)] = pools.texts.numbers("; ".join(words) for words in parts.values())
    return result
