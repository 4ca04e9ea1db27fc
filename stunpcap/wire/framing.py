"""Where messages begin and end in a TCP stream.

Two framings are known.  NATIVE: STUN messages and ChannelData one behind the other, the latter padded to four bytes
(RFC 8489 section 6.2.2, RFC 8656 section 12.5).  COUNTED: a length of 16 bits in front of each packet (RFC 4571, which
ICE-TCP uses, RFC 6544 section 10.1).  What begins at a boundary tells the framing.  In the middle of a stream
`find_boundary` looks for a place that is one for certain: the checks inside TURN data have the magic cookie, too, and
must not be taken for messages of the connection itself.
"""

from __future__ import annotations

from stunpcap.kernels import inner
from stunpcap.stun import registry
from stunpcap.stun.values import MAGIC_COOKIE as COOKIE
from stunpcap.wire.words import Buffer, u16, u32

UNKNOWN, NATIVE, COUNTED = range(3)
NEED_MORE, NO_FRAME = 0, -1
COOKIE_BYTES = COOKIE.to_bytes(4)
HEADER = 20
BINDING = registry.message_type("request", registry.METHOD_BY_NAME["binding"].value)
METHOD_BITS = 0x3EEF
DATA_ATTRIBUTE = registry.attribute("DATA").type
LONGEST = 4096
"""A message found in the middle of a stream is not longer."""
FAR = 1 << 28
"""Bytes that a stream never jumps: a sequence number farther away belongs to another connection."""
DECIDES = 12
"""Bytes at the beginning of a frame that always tell whether it is one."""


@inner
def native_size(b: Buffer, o: int, stop: int) -> int:
    """Length of the STUN message or ChannelData, padded, that begins at `o`; NEED_MORE or NO_FRAME."""
    if o >= stop:
        return NEED_MORE
    first = int(b[o])
    if first >= 0x50:
        return NO_FRAME
    if first >= 0x40:
        return 4 + ((u16(b, o + 2) + 3) & ~3) if o + 4 <= stop else NEED_MORE
    for k in range(4):
        if o + 4 + k < stop and b[o + 4 + k] != COOKIE >> (24 - 8 * k) & 0xFF:
            return NO_FRAME
    return HEADER + u16(b, o + 2) if o + 8 <= stop else NEED_MORE


@inner
def counted_size(b: Buffer, o: int, stop: int) -> int:
    """Length of the packet that begins at `o` with its own length, these two bytes included; NEED_MORE or NO_FRAME.

    The packet is of a kind that RFC 7983 knows: STUN, which must have the same length, ZRTP, DTLS, RTP.
    """
    if o + 2 > stop:
        return NEED_MORE
    size = u16(b, o)
    if size == 0 or o + 2 >= stop:
        return 2 + size if size == 0 else NEED_MORE
    first = int(b[o + 2])
    if first < 16:
        if size < HEADER:
            return NO_FRAME
        if o + 10 > stop:
            return NEED_MORE
        return 2 + size if u32(b, o + 6) == COOKIE and u16(b, o + 4) + HEADER == size else NO_FRAME
    return 2 + size if first < 64 or 128 <= first < 192 else NO_FRAME


@inner
def frame_size(b: Buffer, o: int, stop: int, framing: int) -> int:
    """Length of the frame that begins at `o`; NEED_MORE or NO_FRAME."""
    return counted_size(b, o, stop) if framing == COUNTED else native_size(b, o, stop)


@inner
def framing_at(b: Buffer, o: int, stop: int) -> int:
    """The framing of a stream that has a boundary at `o`, told by a magic cookie; UNKNOWN if there is none."""
    if o + 10 <= stop and u32(b, o + 6) == COOKIE and b[o + 2] < 0x10 and u16(b, o) == u16(b, o + 4) + HEADER:
        return COUNTED
    if o + 8 <= stop and u32(b, o + 4) == COOKIE and b[o] < 0x40:
        return NATIVE
    if o + 12 <= stop and 0x40 <= b[o] < 0x50 and u32(b, o + 8) == COOKIE and u16(b, o + 2) == u16(b, o + 6) + HEADER:
        return NATIVE
    return UNKNOWN


@inner
def chain_ends(b: Buffer, o: int, stop: int, framing: int) -> bool:
    """Whether whole frames fill the bytes from `o` to `stop` exactly."""
    while o < stop:
        size = frame_size(b, o, stop, framing)
        if size <= 0:
            return False
        o += size
    return o == stop


@inner
def frames_in(b: Buffer, o: int, stop: int, framing: int) -> int:
    """How many frames there are between two boundaries."""
    count = 0
    while o < stop:
        o += frame_size(b, o, stop, framing)
        count += 1
    return count


@inner
def unit_in(b: Buffer, o: int, framing: int) -> tuple[int, int]:
    """Where the message or packet begins in the frame at `o`, and how long it is."""
    if framing == COUNTED:
        return o + 2, u16(b, o)
    return o, (4 if b[o] >= 0x40 else HEADER) + u16(b, o + 2)


def find_boundary(data: bytes, segment: int, framing: int, channels: set[int]) -> tuple[int, int]:
    """Look for a certain frame boundary in the middle of a stream.

    Parameters
    ----------
    data
        Bytes of the stream without gap.
    segment
        Where the last segment begins in them: senders like to begin messages there.  Negative if that is not in them.
    framing
        That of the connection, or UNKNOWN.
    channels
        Channel numbers known to be in use on it.

    Returns
    -------
    at, framing
        The boundary, -1 if there is none, and the framing that goes with it.
    """
    found = segment if framing == NATIVE and _starts_on_channel(data, segment, channels) else -1
    cookie = data.find(COOKIE_BYTES)
    while cookie >= 0:
        at, kind = _around_message(data, cookie - 4, segment, framing)
        if at >= 0:
            return (found, framing) if 0 <= found <= at else (at, kind)
        cookie = data.find(COOKIE_BYTES, cookie + 1)
    return found, framing


def _starts_on_channel(data: bytes, segment: int, channels: set[int]) -> bool:
    """Whether whole frames fill the segment, the first of them on a channel known to be in use: no chance matter."""
    view, stop = memoryview(data), len(data)
    return 0 <= segment <= stop - 4 and u16(view, segment) in channels and chain_ends(view, segment, stop, NATIVE)


def _around_message(data: bytes, at: int, segment: int, framing: int) -> tuple[int, int]:
    """The boundary that a STUN message at `at` proves, and its framing; -1 if it may lie inside TURN data."""
    b = memoryview(data)
    if at < 0 or data[at] >= 0x40:
        return -1, framing
    size = HEADER + u16(b, at + 2)
    if size & 3 or size > LONGEST:
        return -1, framing
    if at >= 2 and u16(b, at - 2) == size:  # a length in front: COUNTED, ChannelData, or the attribute DATA
        in_channel = at >= 4 and 0x40 <= data[at - 4] < 0x50
        if at >= 4 and u16(b, at - 4) == DATA_ATTRIBUTE:
            return -1, framing
        if framing == COUNTED and data[at] < 16:
            return at - 2, COUNTED
        if framing == UNKNOWN and at - 2 == segment and chain_ends(b, at - 2, len(b), COUNTED):
            return at - 2, COUNTED
        if in_channel and (framing == NATIVE or at - 4 == segment):
            return at - 4, NATIVE
        return -1, framing
    own = u16(b, at) & METHOD_BITS != BINDING  # checks are Binding; those may be nested, TURN's own messages are not
    return (at, NATIVE) if own and framing != COUNTED else (-1, framing)
