"""All STUN messages of a capture at once, as columns.

The bulk decoder: the loops of `stunpcap.stun.decode` find and read the messages in the kept payloads, so many at a time
that their wide rows stay in the processor's cache; what they say is kept in narrow columns, and texts and addresses are
numbered once for each distinct value.  `stun.Message` reads the same bytes on its own and is the check of both
(tests/stun/test_columns.py); all take types and defects from the same tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap import kernels
from stunpcap.room import Columns
from stunpcap.sorting import distinct
from stunpcap.stun import rules
from stunpcap.stun.bulk import check_fingerprints, distinct_texts
from stunpcap.stun.decode import (
    CAPTURED,
    CHANNEL,
    CODE,
    D_CUT,
    D_LENGTH_BEYOND,
    D_TRAILING,
    DATA_SPAN,
    DATAGRAM,
    ERROR_CODE,
    FINGERPRINT_AT,
    FLAGS,
    HAS_MAPPED,
    HAS_MORE,
    HAS_PEER,
    HAS_PLAIN_MAPPED,
    HAS_RELAYED,
    ID,
    INTEGRITY,
    LIFE,
    MALFORMED,
    MAPPED,
    MS_REALM,
    NEEDS_LOOK,
    OFFSET,
    PEER,
    PLAIN_MAPPED,
    PRIO,
    REALM,
    REALM_TEXT,
    REASON_TEXT,
    RELAYED,
    RETRANSMIT,
    ROLE,
    SIZE,
    SOFTWARE,
    SOFTWARE_TEXT,
    TIE_BREAKER,
    TRANSMIT,
    TYPE,
    USE,
    USER_TEXT,
    USERNAME,
    VARIANT,
    WIDTH,
    ZERO,
    decode,
    find,
)
from stunpcap.stun.defects import SENTENCES, Defect
from stunpcap.stun.recognise import HEADER
from stunpcap.stun.registry import CLASSES, classify, find_attribute
from stunpcap.stun.values import BadValue
from stunpcap.table import COOKIE, MISSING, Pools
from stunpcap.wire.datagrams import Datagrams

Ints = npt.NDArray[np.int64]

COMPILE_ABOVE = 20_000
"""Messages from which on compiled code is faster, its loading included."""
KEPT_ABOVE = 4_000
"""The same where machine code is kept."""
CHUNK = 8192
"""Messages decoded at a time: their wide rows take 4 MB."""
ABSENT, VALID, INVALID = range(3)
"""What became of a FINGERPRINT."""

_PLAIN: dict[str, tuple[int, Any]] = {
    "datagram": (DATAGRAM, np.int64),
    "offset": (OFFSET, np.int64),
    "captured": (CAPTURED, np.int32),
    "size_bytes": (SIZE, np.int64),
    "role": (ROLE, np.int8),
    "priority": (PRIO, np.int64),
    "error_code": (CODE, np.int64),
    "lifetime_s": (LIFE, np.int64),
    "channel": (CHANNEL, np.int64),
    "use_candidate": (USE, np.bool_),
    "integrity": (INTEGRITY, np.int8),
    "flags": (FLAGS, np.int64),
    "retransmit_count": (RETRANSMIT, np.int64),
    "transmit_counter": (TRANSMIT, np.int32),
    "data_at": (DATA_SPAN, np.int64),
    "data_length": (DATA_SPAN + 1, np.int32),
    "has_more": (HAS_MORE, np.bool_),
    "variant": (VARIANT, np.int8),
    "type": (TYPE, np.int32),
}
"""Columns that are kept as the kernel writes them, and how narrow."""
_DENSE = {name: dtype for name, (_, dtype) in _PLAIN.items()} | {
    "fingerprint": np.int8,
    "classic": np.bool_,
    "malformed": np.bool_,
    "tie_breaker": np.uint64,
    "transaction_id": np.dtype((np.uint32, 4)),
}
"""All columns that have a value for each message; malformed: XOR-MAPPED-ADDRESS is there, but cannot be read."""
_ADDRESSES = {
    "mapped": (HAS_MAPPED, MAPPED),
    "mapped_plain": (HAS_PLAIN_MAPPED, PLAIN_MAPPED),
    "relayed": (HAS_RELAYED, RELAYED),
    "peer": (HAS_PEER, PEER),
}
_TEXTS = {
    "username": (USER_TEXT, USERNAME),
    "error_reason": (REASON_TEXT, ERROR_CODE),
    "realm": (REALM_TEXT, REALM),
    "software": (SOFTWARE_TEXT, SOFTWARE),
}


def decode_messages(kept: Datagrams, pools: Pools) -> dict[str, Any]:
    """Decode every STUN message of a capture.

    Returns
    -------
    dict
        Columns by name, each with one entry a message: `datagram` (row of `kept`), `offset` and `captured` (where its
        bytes lie in `kept.payload`), `data_at` and `data_length` (where the value of DATA begins, and its true length;
        -1 if there is none), `has_more` (it has attributes that only `stun.Message` reads), and everything of the
        `messages` frame that the message itself tells.
    """
    read = _Reading(len(kept.frame))
    buffer = memoryview(kept.payload)
    fast = kernels.wanted(len(kept.frame), COMPILE_ABOVE, KEPT_ABOVE)
    spans = rules.rules()
    # Jumbograms, and what segmentation offload leaves in one piece, may hold more messages than a chunk.
    chunk = max(CHUNK, int(np.max(kept.captured, initial=0)) // HEADER + 1)
    scratch = np.empty((WIDTH, chunk), np.int64)
    begin = 0
    while begin < len(kept.frame):
        some = slice(begin, begin + CHUNK)
        sizes: list[Any] = [
            np.asarray(one[some], np.int64) for one in (kept.offset, kept.captured, kept.length, kept.kind)
        ]
        out: Any = scratch
        seen: Any = np.full(len(spans.rows), -1, np.int64)
        if fast:
            out[ROLE:], out[ZERO, :] = -1, 0
        else:
            room = min(chunk, int(sizes[1].sum()) // HEADER + 1)
            out = [[0 if column in ZERO else -1] * room for column in range(WIDTH)]
            sizes, seen = [one.tolist() for one in sizes], seen.tolist()
        taken, count = find.run(fast, buffer, *sizes, out)
        decode.run(fast, buffer, count, spans.index, spans.rows, seen, out)
        rows = np.array([column[:count] for column in out], np.int64) if not fast else out[:, :count]
        rows[DATAGRAM] += begin
        read.take(kept.payload, rows, fast)
        begin += taken
    return read.finish(kept.payload, pools)


class _Reading:
    """What was decoded so far, in narrow columns."""

    def __init__(self, expected: int) -> None:
        """Room for the messages of that many datagrams; hardly ever does one hold several."""
        self._dense = Columns(_DENSE, expected)
        self._sparse: dict[str, list[tuple[Ints, Any]]] = {name: [] for name in (*_ADDRESSES, *_TEXTS)}

    def take(self, payload: bytes, out: Ints, fast: bool) -> None:
        """Keep the rows of some messages."""
        fingerprint = _fingerprints(payload, out, fast)
        wrong = (fingerprint == INVALID) & (out[FINGERPRINT_AT] != MALFORMED)
        out[FLAGS] |= np.where(wrong, int(Defect.FINGERPRINT_WRONG), 0)
        _look_into(payload, out)
        first = self._dense.rows
        high, low = (out[TIE_BREAKER : TIE_BREAKER + 2] & 0xFFFFFFFF).astype(np.uint64)  # -1: NO_NUMBER
        plain = {name: out[column] for name, (column, _) in _PLAIN.items()}
        more = {
            "fingerprint": fingerprint,
            "classic": out[ID] != COOKIE,
            "malformed": out[HAS_MAPPED] == MALFORMED,
            "tie_breaker": high << np.uint64(32) | low,
            "transaction_id": out[ID : ID + 4].T,
        }
        self._dense.add(plain | more, out.shape[1])
        for name, (has, column) in _ADDRESSES.items():
            rows = np.flatnonzero(out[has] == 1)
            if len(rows):
                self._sparse[name].append((first + rows, out[column : column + 5, rows].T.astype(np.uint32)))
        for name, (column, _) in _TEXTS.items():
            rows = np.flatnonzero(out[column] >= 0)
            if len(rows):
                self._sparse[name].append((first + rows, out[column : column + 2, rows].T))

    def finish(self, payload: bytes, pools: Pools) -> dict[str, Any]:
        """All columns, texts and addresses as numbers into the pools."""
        columns = self._dense.used()
        variant = columns.pop("variant")
        columns["class"], columns["method"] = _types(variant, columns.pop("type"), pools)
        for name in _ADDRESSES:
            rows, words = self._found(name, 5)
            columns[name] = self._spread(rows, pools.endpoints.numbers(words))
        for name, (_, kind) in _TEXTS.items():
            rows, spans = self._found(name, 2)
            columns[name] = self._spread(rows, _texts(payload, spans, variant[rows], kind, pools))
        ms_turn = variant == rules.MS_TURN  # there MAPPED-ADDRESS is the relayed address
        tells = columns.pop("malformed") | ms_turn | (columns["mapped"] >= 0)
        columns["mapped"] = np.where(tells, columns["mapped"], columns["mapped_plain"])
        columns["relayed"] = np.where(ms_turn, columns["mapped_plain"], columns["relayed"])
        return columns

    def _found(self, name: str, width: int) -> tuple[Ints, Any]:
        """The messages that have this attribute, and what they say."""
        if not self._sparse[name]:
            return np.zeros(0, np.int64), np.zeros((0, width), np.int64)
        rows, values = (np.concatenate(parts) for parts in zip(*self._sparse[name], strict=True))
        return rows, values

    def _spread(self, rows: Ints, numbers: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """A column with these numbers in these rows."""
        column = np.full(self._dense.rows, MISSING, np.int32)
        column[rows] = numbers
        return column


VARIANT_NAMES = {rules.CLASSIC: "classic", rules.MS_TURN: "ms-turn", rules.ZOOM: "zoom"}


def _types(variant: Any, kind: Any, pools: Pools) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32]]:
    """Class codes and method names, looked up once for each distinct message type and variant."""
    keys, which = distinct(variant.astype(np.int32) << 16 | kind)
    known = [classify(key & 0xFFFF, VARIANT_NAMES.get(key >> 16, "")) for key in keys.tolist()]
    classes = np.array([CLASSES.index(name) for name, _ in known], np.int8)
    return classes[which], pools.texts.numbers(method for _, method in known)[which]


def _texts(payload: bytes, spans: Ints, variant: Any, kind: int, pools: Pools) -> npt.NDArray[np.int32]:
    """Texts of attributes of type `kind`, made once for each distinct value and variant."""
    at, size = spans[:, 0], spans[:, 1]
    if kernels.wanted(len(spans), COMPILE_ABOVE, KEPT_ABOVE):
        which: Ints
        first, which = distinct_texts(memoryview(payload), at, size, variant)
        texts = zip(*(values[first].tolist() for values in (at, size, variant)), strict=True)
        made = (_text(kind, variant, payload[at : at + size]) for at, size, variant in texts)
        return pools.texts.numbers(made)[which]
    known: dict[tuple[int, bytes], int] = {}
    numbers = np.empty(len(spans), np.int32)
    for row, (begin, length, of_variant) in enumerate(zip(at.tolist(), size.tolist(), variant.tolist(), strict=True)):
        key = (of_variant, payload[begin : begin + length])
        number = known.get(key)
        if number is None:
            number = known[key] = pools.texts.number(_text(kind, *key))
        numbers[row] = number
    return numbers


def _text(kind: int, variant: int, raw: bytes) -> str:
    """One text as the registry's decoder reads it; bytes that are none as `0x…`."""
    if kind == REALM and variant == rules.MS_TURN:
        kind = MS_REALM  # which has another number in Microsoft's messages
    known = find_attribute(kind, VARIANT_NAMES.get(variant, ""))
    if known is None or kind == ERROR_CODE:
        return raw.decode(errors="backslashreplace")
    try:
        value = known.decoder(raw, b"")
    except BadValue as bad:
        value = bad.value or ""
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def _fingerprints(payload: bytes, out: Ints, fast: bool) -> npt.NDArray[np.int8]:
    """ABSENT, VALID or INVALID (RFC 8489 section 14.7)."""
    status = np.where(out[FINGERPRINT_AT] == MALFORMED, np.int8(INVALID), np.int8(ABSENT))
    rows = np.flatnonzero(out[FINGERPRINT_AT] > MALFORMED)
    valid = check_fingerprints(payload, out[OFFSET, rows], out[FINGERPRINT_AT, rows], fast)
    status[rows] = np.where(valid, VALID, INVALID)
    return status


def _look_into(payload: bytes, out: Ints) -> None:
    """Complete the flags: where the kernel could not tell, the full decoder does."""
    for row in np.flatnonzero(out[FLAGS] & NEEDS_LOOK).tolist():
        from stunpcap.stun.message import Message

        at, size, flags = (int(out[column, row]) for column in (OFFSET, CAPTURED, FLAGS))
        context = flags & (D_CUT | D_LENGTH_BEYOND | D_TRAILING)
        out[FLAGS, row] = Message.parse(payload[at : at + size]).defect_flags & ~(D_CUT | D_LENGTH_BEYOND) | context


def defect_texts(flags: Ints, pools: Pools) -> npt.NDArray[np.int32]:
    """Defects in words, for each message; an empty text where there is none."""
    values, which = distinct(flags)
    words = ("; ".join(text for defect, text in SENTENCES.items() if value & defect) for value in values.tolist())
    return pools.texts.numbers(words)[which]
