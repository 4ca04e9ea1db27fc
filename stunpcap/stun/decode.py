"""The loops of the bulk decoder: where messages begin, and what their attributes say, as rows of integers.

Kernels only (see `stunpcap.kernels`).  `find` walks over datagrams, `decode` over the messages found; of each attribute
the first occurrence counts, as RFC 8489 section 14 has it.  `stunpcap.stun.columns` makes columns of the rows.
"""

from __future__ import annotations

from typing import Any

from stunpcap.kernels import inner, kernel
from stunpcap.stun import rules
from stunpcap.stun.defects import Defect
from stunpcap.stun.registry import ATTRIBUTES, attribute
from stunpcap.stun.rules import ADDRESS, CHECK, ERROR, LONGEST, LOOK, MORE, REPEATS, RESERVED, SHORTEST, STEP, TEXT
from stunpcap.table import V4_PREFIX
from stunpcap.wire import demux
from stunpcap.wire.layers import Buffer, has_cookie, u16, u32

# Attribute types by name, as constants that compiled code can see.
MAPPED_ADDRESS = attribute("MAPPED-ADDRESS").type
XOR_RELAYED_ADDRESS = attribute("XOR-RELAYED-ADDRESS").type
XOR_PEER_ADDRESS = attribute("XOR-PEER-ADDRESS").type
USERNAME = attribute("USERNAME").type
MESSAGE_INTEGRITY = attribute("MESSAGE-INTEGRITY").type
MESSAGE_INTEGRITY_SHA256 = attribute("MESSAGE-INTEGRITY-SHA256").type
ERROR_CODE = attribute("ERROR-CODE").type
CHANNEL_NUMBER = attribute("CHANNEL-NUMBER").type
DATA = attribute("DATA").type
LIFETIME = attribute("LIFETIME").type
PRIORITY = attribute("PRIORITY").type
USE_CANDIDATE = attribute("USE-CANDIDATE").type
NOMINATION = attribute("NOMINATION").type
SOFTWARE = attribute("SOFTWARE").type
FINGERPRINT = attribute("FINGERPRINT").type
ICE_CONTROLLED = attribute("ICE-CONTROLLED").type
ICE_CONTROLLING = attribute("ICE-CONTROLLING").type
DESTINATION_ADDRESS = attribute("DESTINATION-ADDRESS").type
ZOOM_0101 = attribute("ZOOM-0101").type
ZOOM_0103 = attribute("ZOOM-0103").type
TRANSMIT_COUNTER = attribute("TRANSACTION_TRANSMIT_COUNTER").type
RETRANSMIT_COUNT = attribute("GOOG-RETRANSMIT-COUNT").type
SHORT_INTEGRITY = attribute("GOOG-MESSAGE-INTEGRITY-32").type
XOR_MAPPED_ADDRESS, OLD_XOR_MAPPED_ADDRESS = sorted(a.type for a in ATTRIBUTES if a.name == "XOR-MAPPED-ADDRESS")
REALM, MS_REALM = sorted(a.type for a in ATTRIBUTES if a.name == "REALM")

# Columns that the decoder writes, one behind the other: `out[CODE][m]` is of message m, in an array as in a list of
# lists, which is several times faster where Python runs this as it stands.  ID has four words, TIE_BREAKER two; texts
# are offset and length, addresses five words.
DATAGRAM, OFFSET, CAPTURED, VARIANT, TYPE, SIZE, ID = range(7)
ROLE, TIE_BREAKER = 10, 11
PRIO, USE, CODE, LIFE, CHANNEL, INTEGRITY, FINGERPRINT_AT, FLAGS, RETRANSMIT, TRANSMIT = range(13, 23)
HAS_MAPPED, HAS_PLAIN_MAPPED, HAS_RELAYED, HAS_PEER = range(23, 27)
USER_TEXT, REASON_TEXT, REALM_TEXT, SOFTWARE_TEXT = range(27, 35, 2)
MAPPED, PLAIN_MAPPED, RELAYED, PEER = range(35, 55, 5)
DATA_SPAN, HAS_MORE = 55, 57
WIDTH = 58
ZERO = (USE, INTEGRITY, HAS_MAPPED, HAS_PLAIN_MAPPED, HAS_RELAYED, HAS_PEER, HAS_MORE)
"""What has to be 0 before; all other columns from ROLE on have to be -1."""

MALFORMED = 2
"""In HAS_MAPPED and FINGERPRINT_AT: there, but not readable."""
NEEDS_LOOK = 1 << 40
"""Private flag: only the full decoder can tell whether a value is well-formed."""

# Defects as plain integers, for compiled code.
D_CUT = int(Defect.CUT)
D_LENGTH_BEYOND = int(Defect.LENGTH_BEYOND_DATAGRAM)
D_UNALIGNED = int(Defect.LENGTH_UNALIGNED)
D_TRAILING = int(Defect.TRAILING_BYTES)
D_OVERRUN = int(Defect.ATTRIBUTE_OVERRUN)
D_STRAY = int(Defect.STRAY_BYTES)
D_AFTER_INTEGRITY = int(Defect.AFTER_INTEGRITY)
D_AFTER_FINGERPRINT = int(Defect.AFTER_FINGERPRINT)
D_DUPLICATE = int(Defect.DUPLICATE)
D_UNKNOWN = int(Defect.UNKNOWN_REQUIRED)
D_VALUE_LENGTH = int(Defect.VALUE_LENGTH)
D_FAMILY = int(Defect.ADDRESS_FAMILY)
D_CODE_RANGE = int(Defect.ERROR_CODE_RANGE)
D_RESERVED = int(Defect.RESERVED_BITS)
D_NO_CODE = int(Defect.NO_ERROR_CODE)


@inner
def has_attribute(b: Buffer, at: int, stop: int, wanted: int) -> bool:
    """Whether the message at `at` has an attribute of that type."""
    o = at + 20
    while o + 4 <= stop:
        if u16(b, o) == wanted:
            return True
        o += 4 + ((u16(b, o + 2) + 3) & ~3)
    return False


@kernel
def find(b: Any, offset: Any, captured: Any, length: Any, kind: Any, out: Any) -> tuple[int, int]:
    """Find the messages in datagrams; returns how many datagrams were gone through, and how many messages found.

    It stops where the messages of the next datagram may not fit any more.  A datagram holds one message; a further one
    right behind it counts if it begins with the cookie, too.
    """
    n = 0
    i = 0
    while i < len(offset):
        at = int(offset[i])
        stop = at + int(captured[i])
        true_stop = at + int(length[i])
        if n + (stop - at) // 20 > len(out[0]):
            break
        k = int(kind[i])
        variant = rules.RFC
        if k == demux.MS_TURN:
            variant = rules.MS_TURN
        elif k == demux.CLASSIC:
            zoom = has_attribute(b, at, stop, ZOOM_0101) or has_attribute(b, at, stop, ZOOM_0103)
            variant = rules.ZOOM if zoom else rules.CLASSIC
        while stop - at >= 20:
            size = 20 + u16(b, at + 2)
            flags = 0
            if at + size > true_stop:
                flags |= D_LENGTH_BEYOND
            if at + size > stop and stop < true_stop:
                flags |= D_CUT
            if size & 3 and variant != rules.MS_TURN:
                flags |= D_UNALIGNED
            following = at + size
            more = following + 20 <= stop and has_cookie(b, following, stop)
            if following < true_stop and not more:
                flags |= D_TRAILING
            out[DATAGRAM][n] = i
            out[OFFSET][n] = at
            out[CAPTURED][n] = min(size, stop - at)
            out[VARIANT][n] = variant
            out[TYPE][n] = u16(b, at)
            out[SIZE][n] = size
            out[FLAGS][n] = flags
            n += 1
            if not more:
                break
            at = following
        i += 1
    return i, n


@inner
def ascii_only(b: Buffer, o: int, size: int) -> bool:
    """Whether no byte has its top bit set."""
    for k in range(size):
        if b[o + k] & 0x80:
            return False
    return True


@inner
def read_address(b: Buffer, o: int, size: int, key_at: int, xor: bool, out: Any, column: int, m: int) -> None:
    """Read a well-formed address value into five words; `key_at` is where the XOR key stands (RFC 8489 14.2)."""
    if size == 8:
        out[column][m] = 0
        out[column + 1][m] = 0
        out[column + 2][m] = V4_PREFIX
        out[column + 3][m] = u32(b, o + 4) ^ (u32(b, key_at) if xor else 0)
    else:
        for k in range(4):
            out[column + k][m] = u32(b, o + 4 + 4 * k) ^ (u32(b, key_at + 4 * k) if xor else 0)
    out[column + 4][m] = u16(b, o + 2) ^ (u16(b, key_at) if xor else 0)


@kernel
def decode(b: Any, count: int, index: Any, spans: Any, seen: Any, out: Any) -> None:
    """Read the first `count` messages, which `find` entered, into the other columns of `out`.

    `index` and `spans` are the registry's rules; `seen` remembers for each of their rows the last message that had the
    attribute, and begins as -1.
    """
    for m in range(count):
        at = int(out[OFFSET][m])
        stop = at + int(out[CAPTURED][m])
        end = at + int(out[SIZE][m])
        variant = int(out[VARIANT][m])
        kind = int(out[TYPE][m])
        flags = int(out[FLAGS][m])
        for k in range(4):
            out[ID + k][m] = u32(b, at + 4 + 4 * k)
        ice = variant == rules.RFC and kind & 0x0110 == 0 and has_attribute(b, at, stop, PRIORITY)
        if ice:
            variant = rules.ICE
        protected = 0
        ended = False
        has_code = False
        o = at + 20
        while o + 4 <= stop:
            kind_of = u16(b, o)
            size = u16(b, o + 2)
            value = o + 4
            o = value + size if variant == rules.MS_TURN else value + ((size + 3) & ~3)
            whole = value + size <= stop
            if value + size > end:
                flags |= D_OVERRUN
            # RFC 8489 section 9: what follows the integrity is ignored, but for FINGERPRINT and the other integrity.
            if protected and kind_of != FINGERPRINT and (protected == 2 or kind_of != MESSAGE_INTEGRITY_SHA256):
                flags |= D_AFTER_INTEGRITY
                continue
            if ended:
                flags |= D_AFTER_FINGERPRINT
            rule = int(index[variant, kind_of])
            if rule < 0:
                if kind_of < 0x8000:
                    flags |= D_UNKNOWN
                continue
            first = int(seen[rule]) != m
            seen[rule] = m
            if not first and not spans[rule, REPEATS]:
                flags |= D_DUPLICATE
            out[HAS_MORE][m] |= int(spans[rule, MORE]) if first else int(spans[rule, REPEATS])

            # What matters by its presence alone.
            if kind_of == MESSAGE_INTEGRITY:
                out[INTEGRITY][m] = 1
                protected = 1
            elif kind_of == MESSAGE_INTEGRITY_SHA256:
                out[INTEGRITY][m] = 1
                if protected == 0 and not has_attribute(b, at, stop, MESSAGE_INTEGRITY):
                    protected = 2
            elif kind_of == FINGERPRINT:
                ended = True
            elif kind_of == ERROR_CODE:
                has_code = True
            elif first and (kind_of == ICE_CONTROLLING or (kind_of == ICE_CONTROLLED and out[ROLE][m] < 0)):
                out[ROLE][m] = 0 if kind_of == ICE_CONTROLLING else 1
                out[TIE_BREAKER][m] = -1  # that of the other role no longer counts
                out[TIE_BREAKER + 1][m] = -1
            elif kind_of == SHORT_INTEGRITY:
                out[INTEGRITY][m] = 1
            elif kind_of == DATA and first:
                out[DATA_SPAN][m] = value
                out[DATA_SPAN + 1][m] = min(size, end - value)

            # Whether its value is well-formed.
            mapped_first = kind_of in (XOR_MAPPED_ADDRESS, OLD_XOR_MAPPED_ADDRESS) and out[HAS_MAPPED][m] == 0
            if not whole:
                if mapped_first:
                    out[HAS_MAPPED][m] = MALFORMED
                continue
            shortest = int(spans[rule, SHORTEST])
            if size < shortest or size > int(spans[rule, LONGEST]) or (size - shortest) % int(spans[rule, STEP]):
                flags |= D_VALUE_LENGTH
                if mapped_first:
                    out[HAS_MAPPED][m] = MALFORMED
                if kind_of == FINGERPRINT and first:
                    out[FINGERPRINT_AT][m] = MALFORMED
                continue
            reserved = int(spans[rule, RESERVED])
            if reserved:
                head = 0
                for k in range(4):
                    head = head * 0x100 + (b[value + k] if k < size else 0)
                if head & reserved:
                    flags |= D_RESERVED
            check = int(spans[rule, CHECK])
            if check == LOOK or (check == TEXT and not ascii_only(b, value, size)):
                flags |= NEEDS_LOOK
            elif check == ADDRESS:
                family = b[value + 1]
                if not ((family == 1 and size == 8) or (family == 2 and size == 20)):
                    flags |= D_FAMILY
                    if mapped_first:
                        out[HAS_MAPPED][m] = MALFORMED
                    continue
            elif check == ERROR:
                code = (b[value + 2] & 7) * 100 + b[value + 3]
                if code < 300 or code > 699 or b[value + 3] > 99:
                    flags |= D_CODE_RANGE
                if not ascii_only(b, value + 4, size - 4):
                    flags |= NEEDS_LOOK

            # The first of each type counts.
            if not first:
                continue
            if kind_of in (XOR_MAPPED_ADDRESS, OLD_XOR_MAPPED_ADDRESS):
                if out[HAS_MAPPED][m] == 0:
                    read_address(b, value, size, at + 4, True, out, MAPPED, m)
                    out[HAS_MAPPED][m] = 1
            elif kind_of == MAPPED_ADDRESS or (
                kind_of == ZOOM_0103 and variant == rules.ZOOM and out[HAS_PLAIN_MAPPED][m] == 0
            ):
                read_address(b, value, size, at + 4, False, out, PLAIN_MAPPED, m)
                out[HAS_PLAIN_MAPPED][m] = 1
            elif kind_of == XOR_RELAYED_ADDRESS:
                read_address(b, value, size, at + 4, True, out, RELAYED, m)
                out[HAS_RELAYED][m] = 1
            elif kind_of == XOR_PEER_ADDRESS or (kind_of == DESTINATION_ADDRESS and variant == rules.MS_TURN):
                if out[HAS_PEER][m] == 0 or kind_of == XOR_PEER_ADDRESS:  # Microsoft's REMOTE-ADDRESS has its number
                    read_address(b, value, size, at + 4, variant != rules.MS_TURN, out, PEER, m)
                    out[HAS_PEER][m] = 1
            elif kind_of == USERNAME:
                out[USER_TEXT][m] = value
                out[USER_TEXT + 1][m] = size
            elif kind_of == FINGERPRINT:
                out[FINGERPRINT_AT][m] = value - 4 - at
            elif kind_of == ERROR_CODE:
                out[CODE][m] = (b[value + 2] & 7) * 100 + b[value + 3]
                out[REASON_TEXT][m] = value + 4
                out[REASON_TEXT + 1][m] = size - 4
            elif kind_of == PRIORITY:
                out[PRIO][m] = u32(b, value)
            elif kind_of == USE_CANDIDATE or (ice and kind_of == NOMINATION and u32(b, value) != 0):
                out[USE][m] = 1
            elif kind_of in (ICE_CONTROLLING, ICE_CONTROLLED):
                if kind_of == ICE_CONTROLLING or out[ROLE][m] == 1:
                    out[TIE_BREAKER][m] = u32(b, value)
                    out[TIE_BREAKER + 1][m] = u32(b, value + 4)
            elif kind_of == LIFETIME:
                out[LIFE][m] = u32(b, value)
            elif kind_of == CHANNEL_NUMBER:
                out[CHANNEL][m] = u16(b, value)
            elif kind_of == SOFTWARE:
                out[SOFTWARE_TEXT][m] = value
                out[SOFTWARE_TEXT + 1][m] = size
            elif kind_of == (MS_REALM if variant == rules.MS_TURN else REALM):
                out[REALM_TEXT][m] = value
                out[REALM_TEXT + 1][m] = size
            elif kind_of == RETRANSMIT_COUNT:
                out[RETRANSMIT][m] = u32(b, value)
            elif kind_of == TRANSMIT_COUNTER:
                out[TRANSMIT][m] = u16(b, value + 2)
        if stop == end:
            if o < end:
                flags |= D_STRAY
            if kind & 0x0110 == 0x0110 and not has_code and not (variant == rules.MS_TURN and kind == 0x0115):
                flags |= D_NO_CODE
        out[VARIANT][m] = variant
        out[FLAGS][m] = flags
