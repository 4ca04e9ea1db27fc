"""TCP segments in the packet walk: connections counted, and those that carry STUN told from all others.

`watch` is called by the scan kernel for segments.  A connection is undecided until one of its segments begins like
STUN, in any framing; from then on its segments go to `stunpcap.wire.streams`, both directions.  After a few segments
without that it is somebody else's, and costs one comparison a segment.  While nothing is decided only those segments go
to the streams that may belong to a first message: the beginning of one, or what overtook it.
"""

from __future__ import annotations

from typing import Any

from stunpcap.kernels import inner
from stunpcap.wire import layers
from stunpcap.wire.framing import DECIDES, FAR, NO_FRAME, UNKNOWN, chain_ends, counted_size, framing_at, native_size
from stunpcap.wire.layers import Buffer, Fields
from stunpcap.wire.words import u32

(SYN, SYN_ACK, RST, FIN, STATE, TRIED, FIRST, REVERSE, FRAMING, NEXT) = range(10)
TCP_COLUMNS = 10
"""Columns of what is known of a direction: segments with these flags; its state; segments with data that decided
nothing; sequence number of its first byte and number of the other direction, each plus one, 0 if not known.  FRAMING:
that of a stream of which nothing waits, so that the kernel may go on at sequence number NEXT on its own; else 0."""
UNDECIDED, OURS, OTHERS = range(3)
FLAGS = 0x07
"""SYN, RST and FIN: segments with one of them are looked at in any connection."""
TRIES = 16
"""Segments with data after which a connection whose beginning was captured is not ours."""
TRIES_IN_THE_MIDDLE = 4096
"""The same without its beginning: media may go on for long before the next check."""

(
    SEGMENT_PACKET,
    SEGMENT_FLOW,
    SEGMENT_REVERSE,
    SEGMENT_SEQ,
    SEGMENT_FIRST,
    SEGMENT_START,
    SEGMENT_STOP,
    SEGMENT_LENGTH,
    SEGMENT_TTL,
    SEGMENT_DIRECTION,
    SEGMENT_IP_ID,
    SEGMENT_FRAMING,
    SEGMENT_NEXT,
) = range(13)
SEGMENT = 13
"""Columns of the segments handed on.  FRAMING and NEXT: how far the kernel had come on its own; 0 if it had not."""


@inner
def pair_up(tcp: Any, flow: int, other: int) -> None:
    """A new direction whose counterpart is known already."""
    tcp[flow, REVERSE] = other + 1
    tcp[other, REVERSE] = flow + 1
    tcp[flow, STATE] = tcp[other, STATE]


@inner
def note_flags(b: Buffer, head: int, tcp: Any, flow: int) -> None:
    """Count SYN, FIN and RST; a SYN with another sequence number begins another connection on the same ports."""
    flags = int(b[head + 13])
    if flags & 0x04:
        tcp[flow, RST] += 1
    if flags & 0x01:
        tcp[flow, FIN] += 1
    if flags & 0x02:
        answer = flags & 0x10 != 0
        tcp[flow, SYN_ACK if answer else SYN] += 1
        first = ((u32(b, head + 4) + 1) & 0xFFFFFFFF) + 1
        other = int(tcp[flow, REVERSE]) - 1
        if int(tcp[flow, FIRST]) != first:
            tcp[flow, FIRST] = first
            tcp[flow, STATE] = UNDECIDED
            tcp[flow, TRIED] = 0
            tcp[flow, FRAMING] = 0
            if other >= 0 and not answer:
                tcp[other, FIRST] = 0
                tcp[other, STATE] = UNDECIDED
                tcp[other, TRIED] = 0
                tcp[other, FRAMING] = 0
        if other >= 0 and answer and tcp[other, FIRST] == 0 and tcp[other, TRIED] == 0:
            tcp[other, FIRST] = u32(b, head + 8) + 1


@inner
def watch(b: Buffer, f: Fields, tcp: Any, flow: int) -> bool:
    """Take notice of a segment; returns whether it goes to the streams."""
    head = f[layers.DETAIL]
    if b[head + 13] & FLAGS:
        note_flags(b, head, tcp, flow)
    length = f[layers.LENGTH]
    state = int(tcp[flow, STATE])
    if length <= 0 or state == OTHERS:
        return False
    if state == OURS:
        return True
    o, stop = f[layers.START], f[layers.STOP]
    if framing_at(b, o, stop) != UNKNOWN:
        tcp[flow, STATE] = OURS
        other = int(tcp[flow, REVERSE]) - 1
        if other >= 0:
            tcp[other, STATE] = OURS
        return True
    tcp[flow, TRIED] += 1
    seen = tcp[flow, SYN] + tcp[flow, SYN_ACK] > 0
    if int(tcp[flow, TRIED]) > (TRIES if seen else TRIES_IN_THE_MIDDLE):
        tcp[flow, STATE] = OTHERS
        return False
    first = int(tcp[flow, FIRST])
    if first == 0:
        return False
    if sequence(b, head) + 1 != first:
        return True
    short = length == stop - o and length < DECIDES
    if short and (native_size(b, o, stop) != NO_FRAME or counted_size(b, o, stop) != NO_FRAME):
        return True
    tcp[flow, FIRST] = 0  # left out: what follows is the middle of a stream
    return False


@inner
def sequence(b: Buffer, head: int) -> int:
    """Sequence number of a segment's first byte of data; a SYN takes one of its own."""
    return (u32(b, head + 4) + (1 if b[head + 13] & 0x02 else 0)) & 0xFFFFFFFF


@inner
def note_segment(b: Buffer, f: Fields, tcp: Any, flow: int, packet: int, toward: int, segments: Any, n: int) -> None:
    """Write the row of a segment that is handed on."""
    segments[n, SEGMENT_PACKET] = packet
    segments[n, SEGMENT_FLOW] = flow
    segments[n, SEGMENT_REVERSE] = int(tcp[flow, REVERSE]) - 1
    segments[n, SEGMENT_SEQ] = sequence(b, f[layers.DETAIL])
    segments[n, SEGMENT_FIRST] = int(tcp[flow, FIRST]) - 1
    segments[n, SEGMENT_START] = f[layers.START]
    segments[n, SEGMENT_STOP] = f[layers.STOP]
    segments[n, SEGMENT_LENGTH] = f[layers.LENGTH]
    segments[n, SEGMENT_TTL] = f[layers.TTL]
    segments[n, SEGMENT_DIRECTION] = toward
    segments[n, SEGMENT_IP_ID] = f[layers.IP_ID]
    segments[n, SEGMENT_FRAMING] = tcp[flow, FRAMING]
    segments[n, SEGMENT_NEXT] = tcp[flow, NEXT]
    tcp[flow, FRAMING] = 0


@inner
def ahead(b: Buffer, f: Fields, tcp: Any, flow: int) -> int:
    """How far the kernel can go in a segment on its own: to its end, not at all if nothing in it is new, or -1.

    The segment is the next of a stream of which nothing waits, and frames fill it to the last byte; or all of it was
    there before.  All else is for `stunpcap.wire.streams`.
    """
    framing = int(tcp[flow, FRAMING])
    if framing == 0:
        return -1
    o, stop = f[layers.START], f[layers.STOP]
    early = ((sequence(b, f[layers.DETAIL]) - int(tcp[flow, NEXT]) + 0x80000000) & 0xFFFFFFFF) - 0x80000000
    if early + f[layers.LENGTH] <= 0 and early > -FAR:
        return o
    if early != 0 or stop - o < f[layers.LENGTH] or not chain_ends(b, o, stop, framing):
        return -1
    return -1 if b[o] == 0x01 and b[o + 1] == 0x0B else stop  # ConnectionBind: another framing may follow
