"""The frame `dtls`: a row for each record of a handshake, an alert, or of the first protected ones.

A retransmission is the same piece of the handshake in a new record; the same record seen twice is a duplicate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, first_of, group
from stunpcap.media.binding import Binding
from stunpcap.media.words import ALERTS, HANDSHAKES, LEVELS, VERSIONS
from stunpcap.record import record
from stunpcap.schema import CONTENT
from stunpcap.sorting import distinct
from stunpcap.table import MISSING, Pools, Table
from stunpcap.vantage import Vantage
from stunpcap.wire import demux, dtls

AT_ONCE = 2_000_000_000
"""Nanoseconds within which the same record is the same packet captured again, and no new connection."""
CONTENTS = {20 + code: code for code in range(7)} | {dtls.HIDDEN: CONTENT.index("hidden")}
UNKNOWN = CONTENT.index("unknown")


@record
class Records:
    """The records of all captures, in order of time at each."""

    table: Table
    raw: Ints
    """Columns of `wire.dtls`."""


def build_records(vantages: list[Vantage], binding: Binding, pools: Pools) -> Records:
    """The frame and what it was made from."""
    raws, parts = [], []
    for vantage in vantages:
        aside = vantage.aside
        kept = np.flatnonzero(np.isin(aside.kind, (demux.HANDSHAKE, demux.BOTH)))
        kept = kept[np.argsort(aside.time_ns[kept], kind="stable")]
        raw = dtls.records_of(vantage.payload, aside.offset[kept], aside.captured[kept], aside.length[kept])
        row = kept[raw[:, dtls.DATAGRAM]]
        flow = aside.flow[row]
        raws.append(raw)
        parts.append(
            {name: vantage.flows[name][flow] for name in ("src", "dst", "transport", "carrier")}
            | {
                "vantage": np.full(len(row), pools.texts.number(vantage.name)),
                "frame": aside.frame[row],
                "time": aside.time_ns[row],
                "size_bytes": aside.length[row],
            }
        )
    raw = np.concatenate(raws) if raws else np.zeros((0, dtls.COLUMNS), np.int64)
    columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]} if parts else {}
    columns |= _shown(raw, pools)
    table = Table("dtls", len(raw), pools, columns)
    asked = [table[name].astype(np.int64) for name in ("vantage", "src", "dst", "transport")]
    bound = binding.bind(asked, table["time"])
    table["session_id"], table["pair_id"] = bound.session_id, bound.pair_id
    _mark_repeated(table, raw)
    return Records(table, raw)


def _texts(values: Any, pools: Pools, say: Callable[[int], str], absent: int = MISSING) -> Any:
    """A text for each number; few of them are different."""
    few, places = distinct(values)
    numbers = [absent if value < 0 else pools.texts.number(say(value)) for value in few.tolist()]
    return np.array(numbers, np.int64)[places]


def handshake_text(types: int, messages: int) -> str:
    """Names of the messages of a record."""
    shown = min(messages, dtls.MOST_MESSAGES)
    kinds = [types >> (8 * k) & 0xFF for k in range(shown)]
    names = [HANDSHAKES.get(kind, str(kind)) for kind in kinds]
    return ", ".join([*names, *["…"] * (messages > shown)])


def _shown(raw: Ints, pools: Pools) -> dict[str, Any]:
    content = np.full(len(raw), UNKNOWN, np.int64)
    for wire, code in CONTENTS.items():
        content[raw[:, dtls.CONTENT] == wire] = code
    epoch = raw[:, dtls.EPOCH]
    clear = epoch == 0
    messages = raw[:, dtls.MESSAGES]
    texts = np.full(len(raw), MISSING, np.int64)
    for count in distinct(messages[messages > 0])[0].tolist():
        rows = np.flatnonzero(messages == count)
        texts[rows] = _texts(raw[rows, dtls.TYPES], pools, lambda types, count=count: handshake_text(types, count))  # type: ignore[misc]
    hidden = content == CONTENT.index("hidden")
    secret = (content == CONTENT.index("handshake")) & (epoch > 0) | hidden & (epoch == 2)
    texts[secret] = pools.texts.number("encrypted")
    version = np.where(raw[:, dtls.CHOSEN] >= 0, raw[:, dtls.CHOSEN], raw[:, dtls.VERSION])
    alert = _texts(raw[:, dtls.ALERT], pools, lambda code: ALERTS.get(code, str(code)))
    alert[(content == CONTENT.index("alert")) & ~clear] = pools.texts.number("encrypted")
    return {
        "content": content,
        "version": _texts(version, pools, lambda number: VERSIONS.get(number, f"{number:#06x}")),
        "epoch": epoch,
        "sequence": raw[:, dtls.SEQUENCE],
        "handshake": texts,
        "message_seq": raw[:, dtls.MESSAGE_SEQ],
        "fragment_offset": raw[:, dtls.FRAGMENT_OFFSET],
        "fragment_bytes": raw[:, dtls.FRAGMENT_BYTES],
        "message_bytes": raw[:, dtls.MESSAGE_BYTES],
        "alert_level": _texts(raw[:, dtls.LEVEL], pools, lambda level: LEVELS.get(level, str(level))),
        "alert": alert,
        "defect": _texts(raw[:, dtls.DEFECT], pools, lambda code: dtls.DEFECTS[code]),
        "record_bytes": raw[:, dtls.LENGTH],
    }


def _mark_repeated(table: Table, raw: Ints) -> None:
    """Find duplicates and retransmissions; rows are in order of time at each vantage."""
    if not len(table):
        return
    sender, _ = group(*(table[name] for name in ("vantage", "src", "dst", "transport")))
    order = np.lexsort((np.arange(len(table)), table["time"]))
    # The same record: its number where that can be read, else what it begins with.
    same, count = group(
        sender,
        raw[:, dtls.CONTENT],
        raw[:, dtls.EPOCH],
        raw[:, dtls.SEQUENCE],
        raw[:, dtls.LENGTH],
        raw[:, dtls.RANDOM],
    )
    first = first_of(same, count, order)[same]
    marked = (raw[:, dtls.SEQUENCE] >= 0) | (raw[:, dtls.RANDOM] >= 0)
    apart = (table["frame"] != table["frame"][first]) | (table["carrier"] != table["carrier"][first])
    again = marked & apart & (table["time"] - table["time"][first] <= AT_ONCE)
    table["duplicate"] = again
    # The same piece in another record; of what is encrypted only Finished of DTLS 1.2 can be told, by its length.
    content, epoch = raw[:, dtls.CONTENT], raw[:, dtls.EPOCH]
    piece = (epoch == 0) & (content == dtls.HANDSHAKE) & (raw[:, dtls.MESSAGES] > 0)
    piece |= (epoch == 0) & (content == dtls.CHANGE_CIPHER_SPEC)
    piece |= (epoch == 1) & (content == dtls.HANDSHAKE)
    rows = np.flatnonzero(piece & ~again)
    if not len(rows):
        return
    rows = rows[np.argsort(table["time"][rows], kind="stable")]
    # A ClientHello with another random is another handshake: what follows it is no repetition.
    opens = (raw[rows, dtls.TYPES] & 0xFF == dtls.CLIENT_HELLO) & (raw[rows, dtls.RANDOM] >= 0)
    hello, hellos = group(sender[rows], np.where(opens, raw[rows, dtls.RANDOM], -1))
    fresh = np.zeros(len(rows), np.bool_)
    fresh[first_of(hello, hellos)] = True
    fresh &= opens
    low, high = (method(table["src"][rows], table["dst"][rows]) for method in (np.minimum, np.maximum))
    both, _ = group(table["vantage"][rows], low, high, table["transport"][rows])
    by_both = np.lexsort((np.arange(len(rows)), both))
    turn = np.empty(len(rows), np.int64)
    turn[by_both] = np.cumsum(fresh[by_both])
    turn[opens] = turn[first_of(hello, hellos)[hello]][opens]
    keys = [raw[rows, column] for column in (dtls.CONTENT, dtls.EPOCH, dtls.TYPES, dtls.MESSAGE_SEQ)]
    keys += [raw[rows, column] for column in (dtls.FRAGMENT_OFFSET, dtls.FRAGMENT_BYTES, dtls.LENGTH)]
    same, count = group(sender[rows], turn, *keys)
    lead = first_of(same, count)[same]
    table["retransmission"][rows[lead != np.arange(len(rows))]] = True
