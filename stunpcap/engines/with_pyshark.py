"""The engine `pyshark`: messages as Wireshark dissects them.

Which STUN messages there are, and what they say, comes from tshark.  Its innermost IP packets go through our scanner,
for it has no account of flows, DTLS and media that would do: these are counted as with the native engine.  Messages are
then tied to the flows that they were found in; what came out of TLS or DTLS joins the flow of the connection.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from stunpcap.capture.records import Defect, Interface
from stunpcap.engines.dissected import PROTOCOLS, Dissected, StunLayer, dissect
from stunpcap.engines.feeding import Feeder, Found, address_words, as_file, format_of, ip_packet
from stunpcap.engines.options import Options
from stunpcap.engines.replacing import replace_messages
from stunpcap.engines.tshark import find_tshark, packets
from stunpcap.table import Pools
from stunpcap.vantage import Progress, Vantage, assemble
from stunpcap.wire import counters, demux
from stunpcap.wire.datagrams import Datagrams

if TYPE_CHECKING:
    from stunpcap.engines.options import Reader

LINKS = {
    "eth": 1, "sll": 113, "raw": 101, "ip": 101, "ipv6": 101, "null": 0, "ppp": 9, "mpls": 219, "wlan": 105,
    "radiotap": 127, "prism": 119, "ppi": 192, "hci_h4": 187, "bthci_cmd": 187, "usb": 220, "nflog": 239,
}  # fmt: skip
"""Numbers of link types by tshark's name for the lowest layer."""
BROKEN = "packet too short or too damaged for tshark to give all fields of its headers"
RECORD_HEADER = 16
"""Bytes that a packet takes in a pcap file besides its own: to tell how far tshark has come."""


def prepare(options: Options) -> Reader:
    """Check what is needed, and make the function that reads a capture.

    Raises
    ------
    EngineError
        pyshark or tshark is missing, or tshark is too old, or cannot do what is wanted.
    UsageError
        There is no such key log.
    """
    program = find_tshark(options)

    def read(path: str | os.PathLike[str] | IO[bytes], name: str, pools: Pools, progress: Progress | None) -> Vantage:
        return _read(program, options, path, name, pools, progress)

    return read


def _read(
    program: str,
    options: Options,
    path: str | os.PathLike[str] | IO[bytes],
    name: str,
    pools: Pools,
    progress: Progress | None,
) -> Vantage:
    feeder = Feeder()
    holding: list[Dissected] = []
    links: dict[str, int] = {}
    with as_file(path) as (file, called, compression):
        found = Found(called, f"{format_of(file)}, by tshark", compression)
        size = file.stat().st_size
        done = count = last = 0
        broken: tuple[int, int] | None = None
        for packet in packets(program, file, called, options):
            if isinstance(packet, str):
                if packet:
                    found.defects.append(Defect(min(done, size), last, f"tshark: {packet}"))
                break
            one, whole = dissect(packet)
            if not whole:
                first = broken[1] if broken else one.frame
                broken = (broken[0] + 1 if broken else 1, first)
            feeder.add(one.frame, one.time_ns, one.captured, *_fed(one, options), one.direction, one.protocols[-1])
            links[one.link] = one.frame
            if one.comments:
                found.comments[one.frame] = list(one.comments)
            if one.stun:
                holding.append(replace(one, packet=b"", segment=b""))
            done, last, count = done + one.captured + RECORD_HEADER, one.frame, count + 1
            if progress is not None and count % 1000 == 0:
                progress(min(done, size), size)
    found.interfaces = [Interface(LINKS[link]) for link in links if link in LINKS]
    kept = _with_hidden(feeder.finish(), holding)
    if broken:
        kept.oddities[BROKEN] = ("network", *broken)
    return replace_messages(assemble(found, kept, name, pools), holding, pools)


def _fed(one: Dissected, options: Options) -> tuple[bytes, int]:
    """The packet that the scanner is given, and its length on the wire.

    Where a display filter hides the other fragments, the last one is given what tshark put together.
    """
    if not (one.is_fragment and one.segment and options.display_filter):
        return one.packet, one.wire_length
    ends = (_packed(one.source), _packed(one.target))
    whole = ip_packet(*ends, PROTOCOLS[one.transport], one.ttl, max(one.ident, 0), one.segment)
    return whole, len(whole)


def _packed(address: str) -> bytes:
    words = b"".join(word.to_bytes(4) for word in address_words(address))
    return words if ":" in address else words[12:]


def flow_key(one: Dissected) -> tuple[int, ...]:
    """The key of a packet's flow, as the scanner has it."""
    source, target = one.ports
    return (
        *address_words(one.source),
        *address_words(one.target),
        source << 16 | target,
        PROTOCOLS[one.transport],
    )


def _with_hidden(kept: Datagrams, holding: Sequence[Dissected]) -> Datagrams:
    """Add the STUN that came out of TLS and DTLS, and whatever else only tshark found, to what the scanner found."""
    seen = set(kept.frame.tolist())
    number = {tuple(key): flow for flow, key in enumerate(kept.flow_keys.tolist())}
    rows: list[tuple[int, ...]] = []
    pieces: list[bytes] = []
    offset = len(kept.payload)
    opened = set()
    for one in holding:
        flow = number.get(flow_key(one))
        if flow is None or not (one.hidden or one.frame not in seen):
            continue
        for layer in one.stun:
            if layer.is_channel and not one.hidden:
                continue  # the scanner has counted it in its channel
            kind = demux.CHANNEL if layer.is_channel else demux.CLASSIC if layer.classic else demux.STUN
            rows.append((one.frame, one.time_ns, flow, offset, len(layer.data), _length(layer), kind, one.ttl,
                         one.direction, one.ident))  # fmt: skip
            pieces.append(layer.data)
            offset += len(layer.data)
            if one.hidden:
                kept.flow_counters[flow, counters.N_CHANNEL if layer.is_channel else counters.N_STUN] += 1
                opened.add(flow)
    if not rows:
        return kept
    added = np.array(rows, np.int64)
    names = ("frame", "time_ns", "flow", "offset", "captured", "length", "kind", "ttl", "direction", "ip_id")
    order = np.argsort(np.concatenate([kept.frame, added[:, 0]]), kind="stable")
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(kept, name), added[:, column]])[order] for column, name in enumerate(names)
    }
    opaque = kept.flow_opaque.copy()
    for flow in opened:
        source, target = kept.flow_keys[flow, :4], kept.flow_keys[flow, 4:8]
        ports = int(kept.flow_keys[flow, 8])
        back = (*target.tolist(), *source.tolist(), (ports & 0xFFFF) << 16 | ports >> 16, int(kept.flow_keys[flow, 9]))
        opaque[[flow, number.get(back, flow)]] = 0
    return replace(kept, **columns, payload=kept.payload + b"".join(pieces), flow_opaque=opaque)


def _length(layer: StunLayer) -> int:
    """The true length of a message or ChannelData, by its own header."""
    return max(len(layer.data), int.from_bytes(layer.data[2:4]) + (4 if layer.is_channel else 20))
