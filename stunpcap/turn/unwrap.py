"""What TURN carries becomes datagrams again: the data of Send and Data indications, and of ChannelData.

This is the syntactic half: everything is found, told by kind, counted and decoded, by the same kernels as datagrams
that came plain, relays behind relays included.  Which two addresses it travelled between depends on what the server
had allocated; `stunpcap.turn.addresses` finds that out later, from the messages.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap import kernels
from stunpcap.kernels import kernel
from stunpcap.record import record
from stunpcap.room import below
from stunpcap.schema import CARRIER
from stunpcap.stun.columns import decode_messages
from stunpcap.table import MISSING, Pools
from stunpcap.wire import demux
from stunpcap.wire.channels import DEEPEST, channel_header
from stunpcap.wire.counters import COUNTERS, count_packet, count_relayed
from stunpcap.wire.datagrams import ASIDE, Aside, Datagrams
from stunpcap.wire.following import NOTE, Following, note_unit

Ints = npt.NDArray[np.int64]
PLAIN, SEND, DATA, CHANNEL = range(len(CARRIER))
COMPILE_ABOVE = 20_000
"""Relayed datagrams from which on compiled code is faster."""


@record
class Carried:
    """The flows inside others.  They are numbered on from the last flow that came plain."""

    parent: Ints
    """The flow that carries each; always one with a lower number."""
    carrier: Ints
    """Codes of `schema.CARRIER`."""
    channel: Ints
    """The channel's number; -1 for indications."""
    peer: Ints
    """Endpoint number of the peer that the indications name; -1 for channels."""
    counters: Ints
    """As `wire.counters` has them."""

    def __len__(self) -> int:
        return len(self.parent)


_CARRIED = tuple(column.name for column in fields(Carried))


@record
class Unwrapped:
    """Every message of a capture, whatever carried it."""

    columns: dict[str, Any]
    """As from `stun.columns.decode_messages`, in order of frames, and what carries a message before what it holds;
    further `flow` (the innermost one), `leg` (the outermost), `depth` (how many relays it is inside of), and of the
    carrying packet `frame`, `time`, `ttl`, `direction` and `ip_id`; `room` is how many bytes there were from the
    message's first byte on."""
    carried: Carried
    aside: Aside
    """DTLS handshakes and mDNS, those inside TURN included."""
    streams: Ints
    activity: Ints
    """Of all flows, as `wire.following` has them."""


@kernel
def count_inside(
    b: Any,
    offset: Any,
    captured: Any,
    length: Any,
    flow: Any,
    time_ns: Any,
    frame: Any,
    ttl: Any,
    direction: Any,
    counters: Any,
    kind: Any,
    notes: Any,
) -> int:
    """Tell what each piece of relayed data is, and count it in its flow; returns how many are noted for its streams."""
    n_notes = 0
    for i in range(len(offset)):
        to = int(flow[i])
        at = int(offset[i])
        size = int(length[i])
        new = int(counters[to, 0]) == 0
        count_packet(counters, to, new, size, int(time_ns[i]), int(frame[i]), int(ttl[i]), int(direction[i]))
        what = count_relayed(b, at, at + int(captured[i]), size, counters, to)
        kind[i] = what
        stop = at + int(captured[i])
        n_notes = note_unit(b, at, stop, size, what, to, int(time_ns[i]), int(frame[i]), notes, n_notes)
    return n_notes


def unwrap(kept: Datagrams, pools: Pools) -> Unwrapped:
    """Decode all messages of a capture, and those in the data that they and ChannelData carry.

    Datagrams of kind CHANNEL are opened, too: a reader of streams may leave that to this function.
    """
    first = len(kept.flow_keys)
    number = kept.channel_keys[:, 1]
    levels = [
        Carried(
            parent=kept.channel_keys[:, 0],
            carrier=np.full(len(number), CHANNEL),
            channel=number,
            peer=np.full(len(number), MISSING),
            counters=kept.channel_counters,
        )
    ]
    flows = first + len(number)
    parts: list[dict[str, Any]] = []
    uses = [(kept.streams, kept.activity)]
    asides = [kept.aside]
    inside = kept
    for depth in range(DEEPEST + 1):
        stun = np.isin(inside.kind, (demux.STUN, demux.CLASSIC, demux.MS_TURN, demux.STUN_CUT))
        decoded = _decode(_rows(inside, np.flatnonzero(stun)), pools)
        parts.append(decoded)
        channels = _rows(inside, np.flatnonzero(inside.kind == demux.CHANNEL))
        pieces, carried, use = _open(channels, decoded, pools, flows)
        if not len(carried) or depth == DEEPEST:
            break
        uses.append(use)
        asides.append(_aside(pieces))
        inside = replace(inside, **pieces)
        levels.append(carried)
        flows += len(carried)
    columns = {name: below([part[name] for part in parts]) for name in parts[0]}
    carried = Carried(*(below([getattr(level, name) for level in levels]) for name in _CARRIED))
    depths, legs = nesting(carried.parent, first)
    columns["depth"], columns["leg"] = depths[columns["flow"]], legs[columns["flow"]]
    if len(parts) > 1:
        order = np.lexsort((columns["offset"], columns["frame"]))  # what is inside lies behind its carrier's header
        columns = {name: values[order] for name, values in columns.items()}
    aside = Aside(*(below([getattr(one, name) for one in asides]) for name in ASIDE))
    streams, activity = (below(both) for both in zip(*uses, strict=True))
    return Unwrapped(columns, carried, aside, streams, activity)


def _aside(pieces: dict[str, Any]) -> Aside:
    """Those of relayed data that hold DTLS handshakes."""
    rows = np.flatnonzero(np.isin(pieces["kind"], (demux.HANDSHAKE, demux.BOTH)))
    return Aside(**{name: np.asarray(pieces[name], np.int64)[rows] for name in ASIDE})


_ROWS = ("frame", "time_ns", "flow", "offset", "captured", "length", "kind", "ttl", "direction", "ip_id")


def _rows(kept: Datagrams, index: Ints) -> Datagrams:
    """Some of the datagrams."""
    if len(index) == len(kept.frame):
        return kept
    return replace(kept, **{name: getattr(kept, name)[index] for name in _ROWS})


def _decode(kept: Datagrams, pools: Pools) -> dict[str, Any]:
    decoded = decode_messages(kept, pools)
    rows = decoded.pop("datagram")
    if len(rows) == len(kept.frame) and bool((rows[1:] > rows[:-1]).all()):
        rows = slice(None)  # each holds one message, as nearly always: nothing to copy
    names = {"flow": "flow", "frame": "frame", "time": "time_ns"} | {k: k for k in ("ttl", "direction", "ip_id")}
    decoded |= {ours: getattr(kept, theirs)[rows] for ours, theirs in names.items()}
    decoded["room"] = kept.length[rows] - (decoded["offset"] - kept.offset[rows])
    return decoded


def _open(
    channels: Datagrams, decoded: dict[str, Any], pools: Pools, first: int
) -> tuple[dict[str, Any], Carried, tuple[Ints, Ints]]:
    """Find the data in messages and ChannelData of one level, and count it: the next level, its flows, their use."""
    names = pools.texts.numbers(("send", "data"))
    rows = np.flatnonzero((decoded["data_at"] >= 0) & (decoded["peer"] >= 0) & np.isin(decoded["method"], names))
    at, true = decoded["data_at"][rows], decoded["data_length"][rows]
    head = np.array([_header(channels.payload, at) for at in channels.offset.tolist()], np.int64).reshape(-1, 2)
    skip = channel_header_of(head[:, 0])
    end = np.concatenate([decoded["offset"][rows] + decoded["captured"][rows], channels.offset + channels.captured])
    offset = np.concatenate([at, channels.offset + skip])
    length = np.maximum(0, np.concatenate([true, head[:, 1] + 4 - skip]))
    captured = np.clip(end - offset, 0, length)
    of_messages = {"frame": "frame", "time_ns": "time", "ttl": "ttl", "direction": "direction", "ip_id": "ip_id"}
    pieces: dict[str, Any] = {
        name: np.concatenate([decoded[theirs][rows], getattr(channels, name)]) for name, theirs in of_messages.items()
    }
    is_send = decoded["method"][rows] == names[0]
    carrier = np.concatenate([np.where(is_send, SEND, DATA), np.full(len(head), CHANNEL)])
    target = np.concatenate([decoded["peer"][rows].astype(np.int64), head[:, 0]])
    parent = np.concatenate([decoded["flow"][rows], channels.flow])
    keys, firsts, flow = np.unique(np.stack([parent, carrier, target]), axis=1, return_index=True, return_inverse=True)
    order = np.argsort(firsts, kind="stable")  # flows are numbered in order of their first packet
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    flow, keys = position[flow.reshape(-1)], keys[:, order]
    counters = np.zeros((len(order), COUNTERS), np.int64)
    kind = np.zeros(len(offset), np.int64)
    notes = np.empty((len(offset), NOTE), np.int64)
    fast = kernels.wanted(len(offset), COMPILE_ABOVE)
    noted = count_inside.run(
        fast,
        memoryview(channels.payload),
        *(offset, captured, length, flow, pieces["time_ns"], pieces["frame"], pieces["ttl"], pieces["direction"]),
        *(counters, kind, notes),
    )
    following = Following()
    following.take(notes[:noted], counters, fast)
    pieces |= {"offset": offset, "captured": captured, "length": length, "flow": flow + first, "kind": kind}
    is_channel = keys[1] == CHANNEL
    return (
        pieces,
        Carried(
            parent=keys[0],
            carrier=keys[1],
            channel=np.where(is_channel, keys[2], -1),
            peer=np.where(is_channel, MISSING, keys[2]),
            counters=counters,
        ),
        following.finish(np.arange(len(order)) + first),
    )


def _header(payload: bytes, at: int) -> tuple[int, int]:
    """Number and length of ChannelData."""
    return int.from_bytes(payload[at : at + 2]), int.from_bytes(payload[at + 2 : at + 4])


def channel_header_of(numbers: Ints) -> Ints:
    """`channel_header` of many."""
    return np.array([channel_header(number) for number in numbers.tolist()], np.int64)


def nesting(parent: Ints, first: int) -> tuple[Ints, Ints]:
    """For each flow inside how many others it is, and the outermost of these.

    `parent` are the carrying flows of those from number `first` on.
    """
    depth = np.zeros(first + len(parent), np.int64)
    outermost = np.arange(first + len(parent))
    for number, carrying in enumerate(parent.tolist(), first):
        depth[number] = depth[carrying] + 1
        outermost[number] = outermost[carrying]
    return depth, outermost
