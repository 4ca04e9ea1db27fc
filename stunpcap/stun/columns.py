"""All STUN messages of a capture at once, as columns.

The bulk decoder: the loops of `stunpcap.stun.decode` find and read the messages in the kept payloads; here their rows
become columns, and texts are made once for each distinct value.  `stun.Message` reads the same bytes on its own and is
the check of both (tests/stun/test_columns.py); all take types and defects from the same tables.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap import kernels
from stunpcap.sorting import distinct
from stunpcap.stun import rules
from stunpcap.stun.bulk import checksums, crc_tables, distinct_texts
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
    FOUND,
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
    decode,
    find,
)
from stunpcap.stun.defects import SENTENCES, Defect
from stunpcap.stun.registry import CLASSES, classify, find_attribute
from stunpcap.stun.values import FINGERPRINT_XOR, BadValue
from stunpcap.table import COOKIE, MISSING, Pools
from stunpcap.wire.datagrams import Datagrams

Ints = npt.NDArray[np.int64]

COMPILE_ABOVE = 20_000
"""Messages from which on compiled code is faster, its loading included."""
KEPT_ABOVE = 4_000
"""The same where machine code is kept."""
CHUNK = 1 << 16
"""Messages decoded at a time, so that the wide rows stay small."""


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
    buffer = memoryview(kept.payload)
    fast = kernels.wanted(len(kept.frame), COMPILE_ABOVE, KEPT_ABOVE)
    spans = rules.rules()
    columns = [np.ascontiguousarray(one) for one in (kept.offset, kept.captured, kept.length, kept.kind)]
    parts: list[dict[str, Any]] = []
    begin = 0
    while begin < len(kept.frame):
        found = np.empty((CHUNK, FOUND), np.int64)
        begin, count = find.run(fast, buffer, *columns, begin, found)
        out = np.empty((count, WIDTH), np.int64)
        seen = np.full(len(spans.rows), -1, np.int64)
        decode.run(fast, buffer, found[:count], spans.index, spans.rows, seen, out)
        parts.append(_columns(kept.payload, out, pools))
    if not parts:
        parts.append(_columns(b"", np.empty((0, WIDTH), np.int64), pools))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _columns(payload: bytes, out: Ints, pools: Pools) -> dict[str, Any]:
    """One chunk of decoded rows as narrow columns."""
    fingerprint = _fingerprints(payload, out)
    wrong = (fingerprint == 2) & (out[:, FINGERPRINT_AT] != MALFORMED)
    out[:, FLAGS] |= np.where(wrong, int(Defect.FINGERPRINT_WRONG), 0)
    kinds, methods = _types(out, pools)
    mapped = _addresses(out, HAS_MAPPED, MAPPED, pools)
    plain = _addresses(out, HAS_PLAIN_MAPPED, PLAIN_MAPPED, pools)
    relayed = _addresses(out, HAS_RELAYED, RELAYED, pools)
    ms_turn = out[:, VARIANT] == rules.MS_TURN  # there MAPPED-ADDRESS is the relayed address
    high, low = ((out[:, TIE_BREAKER + k] & 0xFFFFFFFF).astype(np.uint64) for k in range(2))  # -1: NO_NUMBER
    return {
        "datagram": out[:, DATAGRAM],
        "offset": out[:, OFFSET],
        "captured": out[:, CAPTURED],
        "class": kinds,
        "method": methods,
        "transaction_id": out[:, ID : ID + 4].astype(np.uint32),
        "size_bytes": out[:, SIZE],
        "username": _texts(payload, out, USER_TEXT, USERNAME, pools),
        "role": out[:, ROLE].astype(np.int8),
        "tie_breaker": high << np.uint64(32) | low,
        "priority": out[:, PRIO],
        "use_candidate": out[:, USE] == 1,
        "mapped": np.where((out[:, HAS_MAPPED] != 0) | ms_turn, mapped, plain),
        "mapped_plain": plain,
        "relayed": np.where(ms_turn, plain, relayed),
        "peer": _addresses(out, HAS_PEER, PEER, pools),
        "error_code": out[:, CODE],
        "error_reason": _texts(payload, out, REASON_TEXT, ERROR_CODE, pools),
        "lifetime_s": out[:, LIFE],
        "channel": out[:, CHANNEL],
        "realm": _realms(payload, out, pools),
        "software": _texts(payload, out, SOFTWARE_TEXT, SOFTWARE, pools),
        "integrity": (out[:, INTEGRITY] == 1).astype(np.int8),
        "fingerprint": fingerprint.astype(np.int8),
        "classic": out[:, ID] != COOKIE,
        "flags": _looked_into(payload, out),
        "retransmit_count": out[:, RETRANSMIT],
        "transmit_counter": out[:, TRANSMIT],
        "data_at": out[:, DATA_SPAN],
        "data_length": out[:, DATA_SPAN + 1],
        "has_more": out[:, HAS_MORE] != 0,
    }


VARIANT_NAMES = {rules.CLASSIC: "classic", rules.MS_TURN: "ms-turn", rules.ZOOM: "zoom"}


def _types(out: Ints, pools: Pools) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32]]:
    """Class codes and method names, looked up once for each distinct message type and variant."""
    cls = np.empty(len(out), np.int8)
    method = np.empty(len(out), np.int32)
    keys = out[:, VARIANT] << 16 | out[:, TYPE]
    for key in distinct(keys)[0]:
        kind, name = classify(int(key) & 0xFFFF, VARIANT_NAMES.get(int(key) >> 16, ""))
        cls[keys == key] = CLASSES.index(kind)
        method[keys == key] = pools.texts.number(name)
    return cls, method


def _addresses(out: Ints, has: int, column: int, pools: Pools) -> npt.NDArray[np.int32]:
    numbers = np.full(len(out), MISSING, np.int32)
    present = out[:, has] == 1
    numbers[present] = pools.endpoints.numbers(out[present, column : column + 5].astype(np.uint32))
    return numbers


def _texts(payload: bytes, out: Ints, column: int, kind: int, pools: Pools) -> npt.NDArray[np.int32]:
    """Texts of attributes of type `kind`, made once for each distinct value and variant."""
    numbers = np.full(len(out), MISSING, np.int32)
    rows = np.flatnonzero(out[:, column] >= 0)
    columns = (out[rows, column], out[rows, column + 1], out[rows, VARIANT])
    if kernels.wanted(len(rows), COMPILE_ABOVE, KEPT_ABOVE):
        first, which = distinct_texts(memoryview(payload), *columns)
        texts = zip(*(values[first].tolist() for values in columns), strict=True)
        made = [pools.texts.number(_text(kind, variant, payload[at : at + size])) for at, size, variant in texts]
        numbers[rows] = np.array(made, np.int32)[which]
        return numbers
    known: dict[tuple[int, bytes], int] = {}
    for row, at, size, variant in zip(rows.tolist(), *(values.tolist() for values in columns), strict=True):
        key = (variant, payload[at : at + size])
        number = known.get(key)
        if number is None:
            number = known[key] = pools.texts.number(_text(kind, *key))
        numbers[row] = number
    return numbers


def _realms(payload: bytes, out: Ints, pools: Pools) -> npt.NDArray[np.int32]:
    """REALM, which has another number in Microsoft's messages."""
    ms = out[:, VARIANT] == rules.MS_TURN
    if not ms.any():
        return _texts(payload, out, REALM_TEXT, REALM, pools)
    ours, theirs = out.copy(), out.copy()
    ours[ms, REALM_TEXT] = theirs[~ms, REALM_TEXT] = -1
    return np.maximum(
        _texts(payload, ours, REALM_TEXT, REALM, pools), _texts(payload, theirs, REALM_TEXT, MS_REALM, pools)
    )


def _text(kind: int, variant: int, raw: bytes) -> str:
    """One text as the registry's decoder reads it; bytes that are none as `hex:…`."""
    known = find_attribute(kind, VARIANT_NAMES.get(variant, ""))
    if known is None or kind == ERROR_CODE:
        return raw.decode(errors="backslashreplace")
    try:
        value = known.decoder(raw, b"")
    except BadValue as bad:
        value = bad.value or ""
    return f"hex:{value.hex()}" if isinstance(value, bytes) else str(value)


def _fingerprints(payload: bytes, out: Ints) -> Ints:
    """0 absent, 1 valid, 2 invalid (RFC 8489 section 14.7)."""
    status = np.where(out[:, FINGERPRINT_AT] == MALFORMED, 2, 0)
    rows = np.flatnonzero(out[:, FINGERPRINT_AT] > MALFORMED)
    start, size = out[rows, OFFSET], out[rows, FINGERPRINT_AT]
    view, found = memoryview(payload), np.empty(len(rows), np.int64)
    if kernels.wanted(len(rows), COMPILE_ABOVE, KEPT_ABOVE):
        checksums.run(True, view, start, size, crc_tables(), found)
    else:
        for row, (at, covered) in enumerate(zip(start.tolist(), size.tolist(), strict=True)):
            found[row] = zlib.crc32(view[at : at + covered])
    value = np.frombuffer(payload, np.uint8)[(start + size)[:, None] + np.arange(4, 8)]
    told = np.ascontiguousarray(value).view(">u4").reshape(-1)
    status[rows] = np.where(found ^ FINGERPRINT_XOR == told, 1, 2)
    return status


def _looked_into(payload: bytes, out: Ints) -> Ints:
    """Defect flags; where the kernel could not tell, the full decoder does."""
    flags = out[:, FLAGS].copy()
    for row in np.flatnonzero(flags & NEEDS_LOOK):
        from stunpcap.stun.message import Message

        at, size = int(out[row, OFFSET]), int(out[row, CAPTURED])
        context = flags[row] & (D_CUT | D_LENGTH_BEYOND | D_TRAILING)
        flags[row] = Message.parse(payload[at : at + size]).defect_flags & ~(D_CUT | D_LENGTH_BEYOND) | context
    return flags


def defect_texts(flags: Ints, pools: Pools) -> npt.NDArray[np.int32]:
    """Defects in words, for each message; an empty text where there is none."""
    numbers = np.empty(len(flags), np.int32)
    for value in distinct(flags)[0]:
        words = "; ".join(sentence for defect, sentence in SENTENCES.items() if int(value) & defect)
        numbers[flags == value] = pools.texts.number(words)
    return numbers
