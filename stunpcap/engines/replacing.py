"""Another dissector's messages in place of ours.

Ours tell where a message belongs: its flow, what carries it, its bytes.  Theirs tell which messages there are, and what
is in them.  They are tied together by frame and transaction id, in order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stunpcap.engines.dissected import Dissected, StunLayer
from stunpcap.engines.feeding import address_words
from stunpcap.engines.wireshark_fields import values_of
from stunpcap.schema import FRAMES, Kind
from stunpcap.table import MISSING, NO_NUMBER, Pools, Table, missing
from stunpcap.vantage import EXTRA, Vantage

THEIRS = (
    *("class", "method", "transaction_id", "size_bytes", "username", "role", "tie_breaker", "priority"),
    *("use_candidate", "mapped", "relayed", "peer", "error_code", "error_reason", "lifetime_s", "channel", "realm"),
    *("software", "integrity", "fingerprint", "classic", "retransmit_count"),
)
"""Columns of `messages` that come from the dissector's fields; where a message lies, and `defects`, are ours."""

_KINDS = {column.name: column for column in FRAMES["messages"]}


def replace_messages(vantage: Vantage, holding: Sequence[Dissected], pools: Pools) -> Vantage:
    """The capture with the messages of a dissector instead of our own."""
    found = [(one, *pair) for one in holding for layer in one.stun for pair in layer.messages()]
    rows = _tie(vantage, found)
    values = [values_of(layer) for _, layer, _ in found]
    ours = [row for row in rows if row >= 0]
    if len(ours) < len(rows):
        vantage, rows = _with_new(vantage, found, rows, pools)
    index = np.array(rows, np.int64)
    messages = vantage.messages.take(index)
    for name in THEIRS:
        messages[name] = _column(name, [value[name] for value in values], pools)
    plain = messages["carrier"] == _KINDS["carrier"].code("plain")
    for name, end in (("src", 0), ("dst", 1)):
        told = [((one.source, one.target)[end], one.ports[end]) for one, _, _ in found]
        messages[name] = np.where(plain, _endpoints(told, pools), messages[name])
    messages["frame"] = np.array([one.frame for one, _, _ in found], np.int64)
    messages["time"] = np.array([one.time_ns for one, _, _ in found], np.int64)
    messages["ttl"] = np.array([one.ttl for one, _, _ in found], np.int64)
    extra = {name: vantage.extra[name][index] for name in EXTRA}
    extra["mapped_plain"] = _endpoints([value["mapped_plain"] for value in values], pools)
    counts = [value["transmit_counter"] for value in values]
    extra["transmit_counter"] = np.array([MISSING if count is None else count & 0xFFFF for count in counts], np.int64)
    return replace(vantage, messages=messages, offsets=vantage.offsets[index].reshape(-1, 2), extra=extra)


def _tie(vantage: Vantage, found: Sequence[tuple[Dissected, StunLayer, int]]) -> list[int]:
    """For each of their messages the row of ours, -1 if we have none."""
    waiting: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    identities = vantage.messages["transaction_id"].astype(">u4")
    for row, frame in enumerate(vantage.messages["frame"].tolist()):
        waiting[frame, identities[row, 1:].tobytes()].append(row)
    rows = []
    for one, layer, _ in found:
        same = waiting.get((one.frame, layer.data[8:20]))
        rows.append(same.pop(0) if same else -1)
    return rows


def _with_new(
    vantage: Vantage, found: Sequence[tuple[Dissected, StunLayer, int]], rows: list[int], pools: Pools
) -> tuple[Vantage, list[int]]:
    """Add rows for messages that we do not have; they belong to the flow of their packet."""
    flows = {
        (src, dst): flow
        for flow, (src, dst) in reversed(
            list(enumerate(zip(vantage.flows["src"].tolist(), vantage.flows["dst"].tolist(), strict=True)))
        )
    }
    new = [number for number, row in enumerate(rows) if row < 0]
    ends = [_endpoints([((found[n][0].source, found[n][0].target)[k], found[n][0].ports[k]) for n in new], pools)
            for k in range(2)]  # fmt: skip
    own = np.array([flows.get(pair, 0) for pair in zip(*(end.tolist() for end in ends), strict=True)], np.int64)
    pieces = [found[n][1].data for n in new]
    sizes = np.array([len(piece) for piece in pieces], np.int64)
    count, before = len(new), len(vantage.messages)
    columns: dict[str, Any] = {
        name: missing(column.kind, count) for name, column in _KINDS.items() if name != "defects"
    }
    for name in ("vantage", "src", "dst", "transport", "carrier"):
        columns[name] = vantage.flows[name][own]
    columns["defects"] = pools.texts.numbers([""] * count)
    offsets = np.stack([np.cumsum(sizes) - sizes + len(vantage.payload), sizes], axis=1)
    extra = {
        name: np.zeros(count, vantage.extra[name].dtype) if name in ("depth", "flags", "has_more", "direction")
        else np.full(count, MISSING, vantage.extra[name].dtype)
        for name in EXTRA
    }  # fmt: skip
    extra["flow"] = extra["leg"] = own
    extra["room"] = sizes
    extra["ip_id"] = np.array([found[n][0].ident for n in new], np.int64)
    extra["direction"] = np.array([found[n][0].direction for n in new], np.int64)
    joined = {name: np.concatenate([vantage.messages[name], columns[name]]) for name in _KINDS}
    grown = replace(
        vantage,
        messages=Table("messages", before + count, pools, joined),
        offsets=np.concatenate([vantage.offsets.reshape(-1, 2), offsets]),
        extra={name: np.concatenate([vantage.extra[name], extra[name]]) for name in EXTRA},
        payload=vantage.payload + b"".join(pieces),
    )
    numbers = dict(zip(new, range(before, before + count), strict=True))
    return grown, [numbers.get(number, row) for number, row in enumerate(rows)]


def _column(name: str, values: Sequence[Any], pools: Pools) -> Any:
    """Python values as a column of `messages`."""
    column = _KINDS[name]
    match column.kind:
        case Kind.CATEGORY:
            return np.array([MISSING if value is None else column.code(value) for value in values], np.int8)
        case Kind.TEXT:
            return np.array([MISSING if value is None else pools.texts.number(value) for value in values], np.int32)
        case Kind.ENDPOINT:
            return _endpoints(values, pools)
        case Kind.ID:
            return np.frombuffer(bytes.fromhex("".join(values)), ">u4").astype(np.uint32).reshape(-1, 4)
        case Kind.UNSIGNED:
            return np.array([NO_NUMBER if value is None else value for value in values], np.uint64)
        case Kind.FLAG:
            return np.array(values, np.bool_)
        case _:
            return np.array([MISSING if value is None else value for value in values], np.int64)


def _endpoints(values: Sequence[tuple[str, int] | None], pools: Pools) -> Any:
    """Addresses and ports as numbers of endpoints."""
    words = np.array([[*address_words(value[0]), value[1]] for value in values if value is not None], np.uint32)
    present = np.array([value is not None for value in values], np.bool_)
    numbers = np.full(len(values), MISSING, np.int32)
    numbers[present] = pools.endpoints.numbers(words.reshape(-1, 5))
    return numbers
