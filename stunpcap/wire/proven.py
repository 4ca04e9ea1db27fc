"""Whether what looks like RTP is RTP: one packet proves nothing, since any byte of 128 to 191 begins like it.

QUIC, IKE, tinc, NFS and whatever is encrypted would be told as media.  So a flow has RTP if one of its ends speaks STUN
or DTLS from that address and port, as WebRTC does, be it with somebody else; if a stream in it goes on, with its
sequence numbers in order (RFC 3550 appendix A.1, with a probation of three packets); or if the other direction has.
Elsewhere its packets count as other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap.wire.counters import N_DTLS, N_OTHER, N_RTCP, N_RTP, N_STUN
from stunpcap.wire.following import A_BYTES, A_FLOW, A_RTCP, A_RTP, ANY, FLOW, KEY, PACKETS, RTP, TYPES, expected
from stunpcap.wire.opaque import others_of

Ints = npt.NDArray[np.int64]

PROBATION = 3
"""Packets that a stream must have."""
MOST_LOST = 20
"""A stream of which fewer than one in so many packets came is none: numbers drawn by lot look like that."""
RTCP_TYPES = sum(1 << (kind & 31) for kind in range(200, 208))
"""Packet types of RTCP (RFC 3550, 4585, 3611), as streams have them."""


def unproven(keys: Any, counters: Any, streams: Ints) -> npt.NDArray[np.bool_]:
    """Which flows have what looks like RTP or RTCP, and nothing that proves it.

    `keys` are those of 5-tuples; what is inside TURN comes after them in the counters, and is not asked.
    """
    count = len(keys)
    looks = counters[:count, N_RTP] + counters[:count, N_RTCP] > 0
    suspect = np.flatnonzero(looks & (counters[:count, N_STUN] + counters[:count, N_DTLS] == 0))
    found = np.zeros(len(counters), np.bool_)
    if not len(suspect):
        return found
    came, should = streams[:, PACKETS], expected(streams)
    goes_on = (came >= PROBATION) & (should >= PROBATION) & (should <= MOST_LOST * came)
    is_rtcp = (streams[:, KEY] >> 32 == RTP + 1) & (streams[:, KEY] & ANY == 0)
    goes_on |= is_rtcp & (came >= PROBATION) & (streams[:, TYPES] & ~RTCP_TYPES == 0)
    proven = np.zeros(len(counters), np.bool_)
    proven[streams[goes_on, FLOW]] = True
    suspect = suspect[~proven[suspect]]
    if len(suspect):
        speaks = np.flatnonzero(counters[:count, N_STUN] + counters[:count, N_DTLS] > 0)
        speakers = np.concatenate(_ends(keys[speaks]))
        src, dst = (np.isin(ends, speakers) for ends in _ends(keys[suspect]))
        suspect = suspect[~(src | dst)]
    if len(suspect):
        other = others_of(keys, suspect)
        found[suspect[(other < 0) | ~proven[other]]] = True
    return found


def _ends(keys: Any) -> tuple[Any, Any]:
    """Address and port of both ends, each as one value."""
    ports = keys[:, 8]
    source = np.column_stack([keys[:, :4], ports >> np.uint32(16)])
    target = np.column_stack([keys[:, 4:8], ports & np.uint32(0xFFFF)])
    one, other = (np.ascontiguousarray(ends, np.uint32).view("V20").reshape(-1) for ends in (source, target))
    return one, other


def without(flows: npt.NDArray[np.bool_], counters: Any, streams: Ints, activity: Ints) -> tuple[Any, Ints, Ints]:
    """Counters, streams and activity without the RTP of these flows."""
    if not flows.any():
        return counters, streams, activity
    counters = counters.copy()
    counters[flows, N_OTHER] += counters[flows, N_RTP] + counters[flows, N_RTCP]
    counters[flows, N_RTP] = counters[flows, N_RTCP] = 0
    activity = activity.copy()
    those = flows[activity[:, A_FLOW]]
    for column in (A_RTP, A_RTCP, A_BYTES):  # there is no data of DTLS either
        activity[those, column] = 0
    return counters, streams[~flows[streams[:, FLOW]]], activity[~those | activity[:, A_RTP:].any(axis=1)]
