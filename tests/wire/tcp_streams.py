"""Streams of messages, and ways for the network and the capture to mistreat them."""

from dataclasses import dataclass, field
from itertools import pairwise
from struct import pack

import packets as p

from stunpcap.wire.streams import Streams

CHECK = p.stun_request(id=b"check-check-")
ALLOCATE = p.stun_request(b"\0\x19\0\4\x11\0\0\0", b"allocate-id.", 0x0003)
ALLOCATED = p.stun_request(b"", b"allocate-id.", 0x0103)
MEDIA = p.rtp(40)
PEER = b"\0\x12\0\x08\0\1\xb9\2" + bytes(4)


def number(index):
    return b"%012d" % index


def send(inside, id=b"send-send-id", kind=0x0016):
    data = pack(">HH", 0x0013, len(inside)) + inside + bytes(-len(inside) % 4)
    return p.stun_request(PEER + data, id, kind)


def channel(inside=MEDIA, channel=0x4001):
    return p.channel_data(inside, channel)


def native(units):
    """STUN and ChannelData one behind the other."""
    return b"".join(unit + bytes(-len(unit) % 4) for unit in units)


def counted(units):
    """RFC 4571."""
    return b"".join(pack(">H", len(unit)) + unit for unit in units)


@dataclass
class Segment:
    seq: int
    payload: bytes
    length: int = -1
    flow: int = 0
    first: int = -1

    def __post_init__(self):
        if self.length < 0:
            self.length = len(self.payload)


def cut(data, places, isn=1000, flow=0, known=True):
    """A stream cut into segments at the given places."""
    edges = [0, *sorted({place for place in places if 0 < place < len(data)}), len(data)]
    return [
        Segment(isn + begin & 0xFFFFFFFF, data[begin:end], flow=flow, first=isn if known else -1)
        for begin, end in pairwise(edges)
    ]


@dataclass
class Result:
    units: list = field(default_factory=list)
    gaps: int = 0
    strays: int = 0

    @property
    def payloads(self):
        return [unit.payload for unit in self.units]

    @property
    def frames(self):
        return [unit.mark[0] for unit in self.units]


def run(segments):
    streams = Streams()
    units = []
    for frame, one in enumerate(segments, 1):
        reverse = one.flow ^ 1
        units += streams.add(one.flow, reverse, (frame, frame), one.seq, one.first, one.payload, one.length)
    units += streams.finish()
    return Result(units, streams.gaps.count, streams.strays.count)


def mistreat(data, rng, losses, known=True, pieces=None):
    """Segments with random edges, some twice or with other edges, out of order within a window, some lost."""
    isn = rng.choice([0, 7, 2**32 - 5, 2**32 - 300, rng.randrange(2**32)])
    places = [rng.randrange(len(data)) for _ in range(rng.randrange(pieces or len(data)))]
    segments = cut(data, places, isn, known=known)
    for _ in range(rng.randrange(4)):
        begin = rng.randrange(len(data))
        again = data[begin : begin + rng.randrange(1, 200)]
        segments.insert(
            rng.randrange(len(segments) + 1), Segment(isn + begin & 0xFFFFFFFF, again, first=segments[0].first)
        )
    keyed = sorted((n + rng.random() * rng.choice([0, 3, 30]), n) for n in range(len(segments)))
    segments = [segments[n] for _, n in keyed]
    for _ in range(losses):
        if len(segments) > 1:
            del segments[rng.randrange(len(segments))]
    return segments


def is_part(found, wanted):
    """Whether `found` are some of `wanted`, in order, whole or their beginnings."""
    rest = iter(wanted)
    return all(any(one.length == len(w) and w.startswith(one.payload) for w in rest) for one in found)
