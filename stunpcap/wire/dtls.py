"""The records of DTLS datagrams (RFC 6347, RFC 9147): everything that can be seen of them without keys.

A record says its type, version, epoch and number; one of the handshake in the clear further which messages it holds and
which pieces of these.  Whatever is cut or impossible becomes a defect of its record, and ends its datagram.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap import kernels
from stunpcap.kernels import inner, kernel
from stunpcap.wire.words import Buffer, u16, u32

Ints = npt.NDArray[np.int64]

(
    DATAGRAM,
    CONTENT,
    VERSION,
    EPOCH,
    SEQUENCE,
    LENGTH,
    TYPES,
    MESSAGES,
    MESSAGE_SEQ,
    FRAGMENT_OFFSET,
    FRAGMENT_BYTES,
    MESSAGE_BYTES,
    CHOSEN,
    RANDOM,
    LEVEL,
    ALERT,
    DEFECT,
) = range(17)
COLUMNS = 17
"""Columns of records; -1 where there is nothing.  CONTENT: the type as on the wire, HIDDEN for unified headers.  TYPES:
the first seven messages of a handshake record, a byte each, the first lowest.  CHOSEN: the version that a hello chooses
or offers at most.  RANDOM: a part of the hello's random; of hidden
records, what they begin with."""
HIDDEN = 32
CHANGE_CIPHER_SPEC, ALERT_TYPE, HANDSHAKE, APPLICATION_DATA, HEARTBEAT, CONNECTION_ID, ACK = range(20, 27)
CLIENT_HELLO, SERVER_HELLO, HELLO_VERIFY, HELLO_RETRY = 1, 2, 3, 6
"""Messages; a ServerHello that is a HelloRetryRequest (RFC 8446 section 4.1.3) is told by its random."""
RETRY_RANDOM = 0xCF21AD74
"""How that random begins."""
MOST_MESSAGES = 7
MOST_RECORDS = 64
"""Records of a datagram that are looked at: a flight of a handshake in one datagram has ten at most."""
FINE, CUT, TOO_LONG, BAD_FRAGMENT, BAD_HELLO, EMPTY, TOO_MANY, BAD_ALERT, NOT_A_RECORD = range(9)
DEFECTS = (
    "",
    "cut by the snap length",
    "longer than its datagram",
    "handshake message with impossible lengths",
    "hello with impossible lengths",
    "empty record",
    "more than 64 records: the others are not read",
    "alert of impossible length",
    "bytes that are no record follow",
)
COMPILE_ABOVE = 3_000
"""Datagrams from which on compiled code is faster."""


@inner
def read_hello(b: Buffer, o: int, stop: int, client: bool, out: Any, n: int) -> int:
    """Read version and random of a hello's body; returns a defect."""
    if o + 35 > stop:
        return BAD_HELLO
    out[n, CHOSEN] = u16(b, o)
    out[n, RANDOM] = u32(b, o + 2) << 31 | u32(b, o + 6) >> 1
    if not client and u32(b, o + 2) == RETRY_RANDOM:
        out[n, TYPES] = (int(out[n, TYPES]) & ~0xFF) | HELLO_RETRY
    o += 34
    o += 1 + int(b[o])
    if client:
        if o >= stop:
            return BAD_HELLO
        o += 1 + int(b[o])  # cookie
        if o + 2 > stop:
            return BAD_HELLO
        o += 2 + u16(b, o)  # cipher suites
        if o >= stop:
            return BAD_HELLO
        o += 1 + int(b[o])  # compression
    else:
        o += 3
    if o + 2 > stop:
        return FINE if o == stop else BAD_HELLO
    o += 2
    while o + 4 <= stop:
        kind, size = u16(b, o), u16(b, o + 2)
        o += 4
        if o + size > stop:
            return FINE  # of a fragment only the beginning is here
        if kind == 43:  # supported_versions
            if not client and size == 2:
                out[n, CHOSEN] = u16(b, o)
            at = o + 1
            while client and at + 2 <= o + size:
                offered = u16(b, at)
                # Versions count downwards; others are GREASE.
                if offered >> 8 == 0xFE and offered < int(out[n, CHOSEN]):
                    out[n, CHOSEN] = offered
                at += 2
        o += size
    return FINE


@inner
def read_handshake(b: Buffer, o: int, stop: int, end: int, out: Any, n: int) -> int:
    """Read the messages of a record in the clear between `o` and `end`, captured up to `stop`; returns a defect."""
    types = 0
    count = 0
    defect = FINE
    while o < end:
        if o + 12 > stop:
            defect = CUT if stop < end else BAD_FRAGMENT
            break
        kind = int(b[o])
        size = int(b[o + 1]) << 16 | u16(b, o + 2)
        at = int(b[o + 6]) << 16 | u16(b, o + 7)
        piece = int(b[o + 9]) << 16 | u16(b, o + 10)
        if at + piece > size or o + 12 + piece > end:
            defect = BAD_FRAGMENT
        if count == 0:
            out[n, MESSAGE_SEQ] = u16(b, o + 4)
            out[n, FRAGMENT_OFFSET] = at
            out[n, FRAGMENT_BYTES] = piece
            out[n, MESSAGE_BYTES] = size
        if count < MOST_MESSAGES:
            types |= kind << (8 * count)
        count += 1
        if defect == BAD_FRAGMENT:
            break
        out[n, TYPES] = types
        if kind in (CLIENT_HELLO, SERVER_HELLO) and at == 0 and count == 1:
            wrong = read_hello(b, o + 12, min(stop, o + 12 + piece), kind == CLIENT_HELLO, out, n)
            types = int(out[n, TYPES])
            if wrong != FINE and piece == size:
                defect = CUT if stop < end else wrong
        o += 12 + piece
    out[n, TYPES] = types
    out[n, MESSAGES] = count
    return defect


@kernel
def read_records(b: Any, offset: Any, captured: Any, length: Any, begin: int, out: Any, state: Any) -> int:
    """Read the records of datagrams from `begin` on; returns where it stopped, `state` how many records there are."""
    n = 0
    i = begin
    while i < len(offset) and n + MOST_RECORDS + 1 <= len(out):
        o = int(offset[i])
        stop = o + int(captured[i])
        end = o + int(length[i])
        records = 0
        while o < stop:
            for k in range(COLUMNS):
                out[n, k] = -1
            out[n, DATAGRAM] = i
            out[n, DEFECT] = FINE
            out[n, LENGTH] = 0
            out[n, MESSAGES] = 0
            kind = int(b[o])
            head = 13
            if kind & 0xE0 == 0x20:
                out[n, CONTENT] = HIDDEN
                out[n, EPOCH] = kind & 3
                out[n, VERSION] = 0xFEFC
                head = 1 + (2 if kind & 8 else 1)
                if kind & 0x14 == 4:
                    if o + head + 2 > stop:
                        out[n, DEFECT] = CUT
                        n += 1
                        break
                    out[n, LENGTH] = u16(b, o + head)
                    head += 2
                else:  # a connection id of unknown length, or no length: the rest is it
                    out[n, LENGTH] = max(0, end - o - head)
            elif o + 13 > stop:
                out[n, CONTENT] = kind
                out[n, DEFECT] = CUT if stop < end else NOT_A_RECORD
                n += 1
                break
            elif records > 0 and not (20 <= kind <= 26 and (b[o + 1] == 0xFE or u16(b, o + 1) == 0x0100)):
                out[n, CONTENT] = kind
                out[n, DEFECT] = NOT_A_RECORD
                n += 1
                break
            else:
                out[n, CONTENT] = kind
                out[n, VERSION] = u16(b, o + 1)
                out[n, EPOCH] = u16(b, o + 3)
                out[n, SEQUENCE] = u16(b, o + 5) << 32 | u32(b, o + 7)
                out[n, LENGTH] = u16(b, o + 11)
            if records == MOST_RECORDS:
                out[n, DEFECT] = TOO_MANY
                n += 1
                break
            size = int(out[n, LENGTH])
            o += head
            if kind & 0xE0 == 0x20 and o + 8 <= stop:
                out[n, RANDOM] = u32(b, o) << 31 | u32(b, o + 4) >> 1
            if o + size > end:
                out[n, DEFECT] = TOO_LONG
            elif o + size > stop:
                out[n, DEFECT] = CUT
            elif size == 0:
                out[n, DEFECT] = EMPTY
            if out[n, EPOCH] == 0 and out[n, CONTENT] == HANDSHAKE and size:
                defect = read_handshake(b, o, min(stop, o + size), min(end, o + size), out, n)
                if out[n, DEFECT] == FINE:
                    out[n, DEFECT] = defect
            elif out[n, EPOCH] == 0 and out[n, CONTENT] == ALERT_TYPE:
                if o + 2 <= min(stop, o + size):
                    out[n, LEVEL] = b[o]
                    out[n, ALERT] = b[o + 1]
                if size != 2 and out[n, DEFECT] == FINE:
                    out[n, DEFECT] = BAD_ALERT
            n += 1
            records += 1
            o += size
        i += 1
    state[0] = n
    return i


def records_of(payload: bytes, offset: Ints, captured: Ints, length: Ints) -> Ints:
    """The records of all these datagrams, in order."""
    fast = kernels.wanted(len(offset), COMPILE_ABOVE)
    state = np.zeros(1, np.int64)
    found = [np.zeros((0, COLUMNS), np.int64)]
    begin = 0
    while begin < len(offset):
        out = np.empty((4 * min(len(offset) - begin, 50_000) + MOST_RECORDS + 1, COLUMNS), np.int64)
        begin = read_records.run(fast, memoryview(payload), offset, captured, length, begin, out, state)
        found.append(out[: state[0]].copy())
    return np.concatenate(found)
