"""What is counted of a flow: packets and bytes, the kinds of their payloads, times, and where they were going.

A flow is one direction of a 5-tuple, or of one channel of a TURN server inside it (`stunpcap.wire.channels`): both are
counted by the same few lines, so that media in a relay is counted as media anywhere else.
"""

from __future__ import annotations

from typing import Any

from stunpcap.kernels import inner
from stunpcap.wire import demux
from stunpcap.wire.words import Buffer, u16

# Columns of the flow counters.
(
    PACKETS,
    BYTES,
    N_STUN,
    N_DTLS,
    N_RTP,
    N_RTCP,
    N_CHANNEL,
    N_OTHER,
    FIRST_TIME,
    LAST_TIME,
    FIRST_FRAME,
    TTL_MIN,
    TTL_MAX,
    INBOUND,
    OUTBOUND,
    DTLS_PROTECTED,
    KEPT_CLEAR,
    KEPT_PROTECTED,
    ACTIVE,
    LEAD,
) = range(20)
"""Of DTLS: datagrams with protected records, and those kept.  The last two are rows of `stunpcap.wire.following`,
plus one: what went last, and the stream found first."""
COUNTERS = 20
MOST_CLEAR = 512
"""Datagrams with records in the clear that are kept of a flow: a handshake that is never answered takes a few dozen."""
MOST_PROTECTED = 64
"""The same for protected records that may be data; those that are none, alerts and ACKs, are few and tell the end."""

SHORT = 19
"""A protected alert of DTLS 1.3: two bytes, the hidden type, the tag of 16 bytes.  An ACK of nothing is as long."""
ACKED = 16
"""What an ACK is longer for each record (RFC 9147 section 7).  No SCTP packet is as long: that is a multiple of four
bytes, three less than an ACK beyond that (RFC 9260 section 3)."""


@inner
def count_dtls(b: Buffer, o: int, stop: int, counters: Any, flow: int) -> int:
    """Look at the records of a DTLS datagram: whether there is application data, and protected records.

    Hidden are those of DTLS 1.3, whose type nobody sees; but those of epoch 2 are of the handshake, and the first with
    data are of epoch 3 (RFC 9147 section 6.1).  Alerts and ACKs are told from data by their length.

    Returns
    -------
    int
        A kind of `stunpcap.wire.demux`: whether to keep it, and whether it has data.
    """
    data = False
    hidden = False
    protected = False
    clear = False
    kept = False
    while o < stop:
        kind = int(b[o])
        if kind & 0xE0 == 0x20:  # DTLS 1.3 unified header (RFC 9147 section 4): protected, its type hidden
            protected = True
            hidden = True
            at = o + (3 if kind & 8 else 2)
            if kind & 0x14 != 4 or at + 2 > stop:  # a connection id of unknown length, or no length: the rest is it
                data = data or (kind & 3 != 2 and (stop - at - SHORT) % ACKED != 0)
                break
            data = data or (kind & 3 != 2 and (u16(b, at) - SHORT) % ACKED != 0)
            o = at + 2 + u16(b, at)
            continue
        if o + 13 > stop:
            clear = clear or counters[flow, N_DTLS] == 1  # cut by the snap length
            break
        epoch = u16(b, o + 3)
        protected = protected or epoch > 0
        data = data or (kind == 23 and epoch > 0)
        kept = kept or (kind != 23 and epoch > 0)
        clear = clear or epoch == 0
        o += 13 + u16(b, o + 11)
    counters[flow, DTLS_PROTECTED] += protected
    if clear and counters[flow, KEPT_CLEAR] < MOST_CLEAR:
        counters[flow, KEPT_CLEAR] += 1
    elif (kept or hidden) and counters[flow, KEPT_PROTECTED] < (MOST_CLEAR if hidden and not data else MOST_PROTECTED):
        counters[flow, KEPT_PROTECTED] += 1
    else:
        return demux.DATA if data else demux.DTLS
    return demux.BOTH if data else demux.HANDSHAKE


@inner
def count_packet(
    counters: Any, flow: int, new: bool, size: int, time_ns: int, frame: int, ttl: int, toward: int
) -> None:
    """Count one datagram of `size` bytes; `toward` is 1 if it was received by the capturing host, 2 if sent."""
    if new:
        counters[flow, FIRST_TIME] = time_ns
        counters[flow, LAST_TIME] = time_ns
        counters[flow, FIRST_FRAME] = frame
        counters[flow, TTL_MIN] = ttl
        counters[flow, TTL_MAX] = ttl
    counters[flow, PACKETS] += 1
    counters[flow, BYTES] += size
    counters[flow, FIRST_TIME] = min(int(counters[flow, FIRST_TIME]), time_ns)
    counters[flow, LAST_TIME] = max(int(counters[flow, LAST_TIME]), time_ns)
    counters[flow, TTL_MIN] = min(int(counters[flow, TTL_MIN]), ttl)
    counters[flow, TTL_MAX] = max(int(counters[flow, TTL_MAX]), ttl)
    if toward == 1:
        counters[flow, INBOUND] += 1
    elif toward == 2:
        counters[flow, OUTBOUND] += 1


@inner
def count_payload(
    b: Buffer, o: int, stop: int, length: int, sport: int, dport: int, dtls_before: int, counters: Any, flow: int
) -> int:
    """Count a payload in its flow by its kind, and return that; of DTLS what `count_dtls` makes of it."""
    kind = demux.demux(b, o, stop, length, sport, dport, dtls_before)
    if kind == demux.OTHER and counters[flow, N_STUN] > 0 and demux.is_hidden(b, o, stop, length):
        kind = demux.DTLS
    if kind == demux.RTP:
        counters[flow, N_RTP] += 1
    elif kind == demux.OTHER:
        counters[flow, N_OTHER] += 1
    elif kind == demux.RTCP:
        counters[flow, N_RTCP] += 1
    elif kind == demux.CHANNEL:
        counters[flow, N_CHANNEL] += 1
    elif kind == demux.DTLS:
        counters[flow, N_DTLS] += 1
        kind = count_dtls(b, o, stop, counters, flow)
    else:
        counters[flow, N_STUN] += 1
    return kind


@inner
def count_relayed(b: Buffer, o: int, stop: int, length: int, counters: Any, flow: int) -> int:
    """The same for relayed data, whose ports are not known here.

    DTLS 1.3 need not have begun in this flow, it may have come by another carrier: relays are for WebRTC, where nothing
    else begins like it (RFC 9443 section 3).
    """
    return count_payload(b, o, stop, length, 0, 0, 1, counters, flow)
