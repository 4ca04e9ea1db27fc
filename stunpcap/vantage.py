"""One capture, read: its messages and flows as tables, its ICMP errors, and what was wrong with it.

This is where bytes end.  Everything below works on the tables.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from stunpcap.capture import open_capture
from stunpcap.capture.records import Defect, Interface
from stunpcap.record import record
from stunpcap.room import below
from stunpcap.schema import FRAMES, QUOTED, TRANSPORT
from stunpcap.stun.columns import defect_texts
from stunpcap.stun.recognise import HEADER, recognise
from stunpcap.table import MISSING, NAT, Pools, Table
from stunpcap.turn.unwrap import Carried, nesting, unwrap
from stunpcap.wire import acknowledged, counters, layers, segments
from stunpcap.wire.datagrams import Aside, Datagrams, IcmpError
from stunpcap.wire.linktypes import link_type
from stunpcap.wire.proven import unproven, without
from stunpcap.wire.scan import Scanner

EXTRA = ("flow", "leg", "depth", "ip_id", "direction", "room", "mapped_plain", "transmit_counter", "flags", "has_more")
"""Columns of messages that no frame shows.  `flow` is a row of the flows, `leg` the one that carries it in the end;
`depth` how many relays the message is inside of; `room` how many bytes there were from its first byte on; `has_more`
that it has attributes too rare for columns."""
NO_STUN = -2
Progress = Callable[[int, "int | None"], None]

_TRANSPORT_CODES = np.full(256, -1, np.int8)
_TRANSPORT_CODES[[layers.UDP, layers.TCP, layers.UDPLITE]] = [TRANSPORT.index(t) for t in ("udp", "tcp", "udplite")]


class Origin(Protocol):
    """What is known of a capture besides its packets; a `Capture` is one."""

    @property
    def name(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def compression(self) -> str: ...
    @property
    def interfaces(self) -> Sequence[Interface]: ...
    @property
    def defects(self) -> Sequence[Defect]: ...
    @property
    def comments(self) -> dict[int, list[str]]: ...
    @property
    def dropped(self) -> int | None: ...


@record
class Quote:
    """A datagram quoted by an ICMP error."""

    frame: int
    time_ns: int
    version: int
    type: int
    code: int
    sender: int
    """Endpoint number of who sent the error; its port is 0."""
    src: int
    dst: int
    message_type: int
    """Message type of the quoted STUN message; -1 if the quote is too short to tell, `NO_STUN` if it is none."""
    id: tuple[int, int, int, int]
    """The four words of its transaction id; zeros if the quote is too short."""
    transport: int
    quoted: int
    """What the datagram held: index of `schema.QUOTED`."""


@record
class Vantage:
    """What one capture held."""

    name: str
    path: str
    format: str
    messages: Table
    offsets: Any
    """For each message where its bytes begin in `payload`, and how many there are: an (n, 2) array."""
    extra: dict[str, Any]
    """Columns that no frame shows: those of `EXTRA`."""
    payload: bytes
    flows: Table
    flow_counters: Any
    """The scanner's own counters, a row a flow."""
    carried: Carried
    """What the last rows of `flows` are: flows inside TURN."""
    quotes: list[Quote]
    aside: Aside
    """Datagrams with DTLS handshakes or mDNS; their bytes are in `payload`, their flows rows of `flows`."""
    streams: Any
    """Streams of RTP, RTCP and data in the flows, columns as in `wire.following`."""
    activity: Any
    """What went in each flow and second, likewise."""
    packets: int
    captured_bytes: int
    first_time: int
    last_time: int
    link_types: tuple[str, ...]
    oddities: dict[str, tuple[str, int, int]]
    file_defects: tuple[tuple[int, int, str], ...]
    """Damage to the file: offset, frame, words."""
    comments: dict[int, list[str]]
    ethertypes: dict[int, int]
    """Packets of EtherTypes that are not IP."""
    protocols: dict[int, int]
    """IP packets of other protocols than UDP and TCP."""
    not_ip: dict[str, int]
    """Packets of link layers that are not IP, by name."""
    dropped: int | None = None
    """Packets dropped while capturing, as the file says."""


def read_vantage(
    path: str | os.PathLike[str] | IO[bytes], name: str, pools: Pools, progress: Progress | None = None
) -> Vantage:
    """Read one capture to its end.

    Raises
    ------
    CaptureError
        It cannot be opened or is no capture.
    """
    scanner = Scanner()
    with open_capture(path, progress=progress) as capture:
        size = _size(path)
        for block in capture.blocks():
            done = block.position + int(block.offset[-1] + block.caplen[-1]) if len(block) else 0
            expected = (scanner.packets + len(block)) * size // max(1, done)
            scanner.feed(block, capture.interfaces, expected)
        kept = scanner.finish()
        return assemble(capture, kept, name, pools)


def default_name(path: str | os.PathLike[str] | IO[bytes]) -> str:
    """The stem of a file's name, without the endings of capture formats and compressions."""
    text = str(getattr(path, "name", "stream")) if hasattr(path, "read") else os.fspath(path)
    if text == "-":
        return "stdin"
    stem = Path(text).name
    for ending in (".gz", ".zst", ".xz", ".bz2", ".lz4"):
        stem = stem.removesuffix(ending)
    return Path(stem).stem or stem


def _size(path: str | os.PathLike[str] | IO[bytes]) -> int:
    if hasattr(path, "read") or path == "-":
        return 0
    return Path(path).stat().st_size


def assemble(capture: Origin, kept: Datagrams, name: str, pools: Pools) -> Vantage:
    """The tables of a capture that was scanned to its end, whoever read its packets."""
    unwrapped = unwrap(kept, pools)
    counted = below([kept.flow_counters, unwrapped.carried.counters][: 2 if len(unwrapped.carried) else 1])
    strangers = unproven(kept.flow_keys, counted, unwrapped.streams)
    flow_counters, streams, activity = without(strangers, counted, unwrapped.streams, unwrapped.activity)
    flows = _flows(kept, unwrapped.carried, flow_counters, name, pools)
    decoded = unwrapped.columns
    flow = decoded["flow"]
    count = len(flow)
    columns = {
        "vantage": np.full(count, pools.texts.number(name)),
        **{key: flows[key][flow] for key in ("src", "dst", "transport", "carrier")},
        "defects": defect_texts(decoded["flags"], pools),
        **{key: values for key, values in decoded.items() if key in _SHOWN},
    }
    return Vantage(
        name=name,
        path=capture.name,
        format=f"{capture.format}, {capture.compression}" if capture.compression else capture.format,
        messages=Table("messages", count, pools, columns),
        offsets=np.stack([decoded["offset"], decoded["captured"]], axis=1),
        extra={key: decoded[key] for key in EXTRA},
        payload=kept.payload,
        flows=flows,
        flow_counters=flow_counters,
        carried=unwrapped.carried,
        aside=unwrapped.aside,
        streams=streams,
        activity=activity,
        quotes=_quotes(kept.icmp, pools),
        packets=kept.packets,
        captured_bytes=kept.captured_bytes,
        first_time=kept.first_time,
        last_time=kept.last_time,
        link_types=tuple(sorted({link_type(interface.linktype).name for interface in capture.interfaces})),
        oddities=kept.oddities,
        file_defects=tuple((defect.offset, defect.frame, defect.problem) for defect in capture.defects),
        comments=capture.comments,
        ethertypes=kept.ethertypes,
        protocols=kept.protocols,
        not_ip=kept.not_ip,
        dropped=capture.dropped,
    )


_SHOWN = {column.name for column in FRAMES["messages"]}


_OF_TCP = {
    "syn": (segments.SYN, 0),
    "syn_ack": (segments.SYN_ACK, 0),
    "rst": (segments.RST, 0),
    "fin": (segments.FIN, 0),
    "retransmissions": (acknowledged.AGAIN, 0),
    "zero_window": (acknowledged.ZERO_WINDOW, 0),
    "unacked_bytes": (acknowledged.UNACKED, MISSING),
    "missing_bytes": (acknowledged.MISSING, MISSING),
    "last_data_time": (acknowledged.LAST_DATA, NAT),
}
"""Where the flows' columns come from, and what those inside TURN have."""


def _flows(kept: Datagrams, carried: Carried, counted: Any, name: str, pools: Pools) -> Table:
    """The flows.

    Those inside TURN have the addresses of the flow that carries them for the time being; so that relayed data and
    its carrier are not counted twice, they are told apart by `carrier`.
    """
    keys = kept.flow_keys
    ports = keys[:, 8]
    src = pools.endpoints.numbers(np.column_stack([keys[:, :4], ports >> np.uint32(16)]))
    dst = pools.endpoints.numbers(np.column_stack([keys[:, 4:8], ports & np.uint32(0xFFFF)]))
    depth, outermost = nesting(carried.parent, len(keys))
    transport = _TRANSPORT_CODES[keys[:, 9]][outermost]
    transport[len(keys) :] = TRANSPORT.index("udp")  # whatever carries them, what is inside are datagrams
    server_name = np.full(len(counted), MISSING)
    for flow, text in kept.server_names.items():
        server_name[flow] = pools.texts.number(text)
    columns = {
        "vantage": np.full(len(counted), pools.texts.number(name)),
        "src": src[outermost],
        "dst": dst[outermost],
        "transport": transport,
        "packets": counted[:, counters.PACKETS],
        "bytes": counted[:, counters.BYTES],
        "stun": counted[:, counters.N_STUN],
        "dtls": counted[:, counters.N_DTLS],
        "rtp": counted[:, counters.N_RTP],
        "rtcp": counted[:, counters.N_RTCP],
        "channel": counted[:, counters.N_CHANNEL],
        "other": counted[:, counters.N_OTHER],
        "first_time": counted[:, counters.FIRST_TIME],
        "last_time": counted[:, counters.LAST_TIME],
        "first_frame": counted[:, counters.FIRST_FRAME],
        "ttl_min": counted[:, counters.TTL_MIN],
        "ttl_max": counted[:, counters.TTL_MAX],
        "carrier": np.concatenate([np.zeros(len(keys), np.int64), carried.carrier]),
        "carrying_src": np.where(depth > 0, src[outermost], MISSING),
        "carrying_dst": np.where(depth > 0, dst[outermost], MISSING),
        "channel_number": np.concatenate([np.full(len(keys), MISSING), carried.channel]),
        **{
            name: np.concatenate([kept.flow_tcp[:, column], np.full(len(carried), nothing)])
            for name, (column, nothing) in _OF_TCP.items()
        },
        "opaque": np.concatenate([kept.flow_opaque, np.zeros(len(carried), np.int64)]),
        "server_name": server_name,
    }
    return Table("flows", len(counted), pools, columns)


def _quotes(errors: list[IcmpError], pools: Pools) -> list[Quote]:
    """ICMP errors that quote UDP or TCP, whatever is in it: each tells of the path of its two ends."""
    found = []
    for error in errors:
        transport = int(_TRANSPORT_CODES[error.quoted[9]])
        if transport < 0:
            continue
        kind, words, quoted = NO_STUN, _NO_ID, "tcp"
        if error.quoted[9] != layers.TCP:
            stun, words = _quoted_id(error.payload)
            kind = NO_STUN if stun is None else stun
            quoted = "stun" if stun is not None else _held(error.payload)
        port = error.quoted[8]
        rows = np.array(
            [[*error.sender, 0], [*error.quoted[:4], port >> 16], [*error.quoted[4:8], port & 0xFFFF]], np.uint32
        )
        sender, src, dst = (int(number) for number in pools.endpoints.numbers(rows))
        found.append(
            Quote(
                *(error.frame, error.time_ns, error.version, error.type, error.code, sender, src, dst, kind, words),
                transport,
                QUOTED.index(quoted),
            )
        )
    return found


def _held(payload: bytes) -> str:
    """What a datagram holds that is not STUN, by its first byte (RFC 7983)."""
    first = payload[0] if payload else 0
    if 20 <= first <= 63:
        return "dtls"
    return "channel" if 64 <= first <= 79 else "rtp" if 128 <= first <= 191 else "other"


_NO_ID = (0, 0, 0, 0)


def _quoted_id(payload: bytes) -> tuple[int | None, tuple[int, int, int, int]]:
    """Message type and id words of a quoted payload; type -1 if it is too short, None if it is no STUN."""
    from stunpcap.errors import DecodeError

    if len(payload) < HEADER:
        return (None if payload[:1] > b"\x3f" else -1), _NO_ID
    try:
        # A quote rarely holds the whole datagram: what is missing does not count against it.
        recognise(payload, max(len(payload), HEADER + int.from_bytes(payload[2:4])))
    except DecodeError:
        return None, _NO_ID
    a, b, c, d = (int.from_bytes(payload[at : at + 4]) for at in range(4, HEADER, 4))
    return int.from_bytes(payload[:2]), (a, b, c, d)
