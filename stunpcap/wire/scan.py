"""From blocks of packets to flows and the datagrams worth keeping.

The loop of `stunpcap.wire.walk` goes over the packets; here are the tables that it fills, and what becomes of them.
What is kept grows with the STUN messages, the flows, and the seconds in which these were in use, never with the
packets.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap import kernels
from stunpcap.capture.records import Block, Interface
from stunpcap.room import keep_freed
from stunpcap.wire import demux, layers
from stunpcap.wire.channels import KEY
from stunpcap.wire.counters import ACTIVE
from stunpcap.wire.cutting import Unit
from stunpcap.wire.datagrams import ASIDE, Aside, Datagrams
from stunpcap.wire.flowtable import FlowTable
from stunpcap.wire.following import NOTE, Following
from stunpcap.wire.keeping import Kept, by_frames
from stunpcap.wire.linktypes import link_type
from stunpcap.wire.near import ENTRY, NEAR
from stunpcap.wire.oddities import GAPS, HEADER_CUT, STRAYS, TUNNEL_CUT, UNSEEN, Oddities
from stunpcap.wire.opaque import HELLO, Opaque
from stunpcap.wire.rare import Rare
from stunpcap.wire.segments import FRAMING, NEXT, OURS, SEGMENT
from stunpcap.wire.segments import STATE as TCP_STATE
from stunpcap.wire.streams import Streams
from stunpcap.wire.walk import (
    FIRST_TUNNEL_CUT,
    FIRST_UNSEEN,
    MORE_ROWS,
    N_FLOWS,
    N_HELLOS,
    N_NOTES,
    N_ROWS,
    N_SEGMENTS,
    N_SPECIALS,
    N_TUNNEL_CUT,
    N_UNSEEN,
    ROW,
    ROW_DIRECTION,
    ROW_FLOW,
    ROW_IP_ID,
    ROW_KIND,
    ROW_LENGTH,
    ROW_PACKET,
    ROW_START,
    ROW_STOP,
    ROW_TTL,
    SPECIAL,
    SPECIAL_PACKET,
    STATE,
    TALLY,
    scan,
    scan_units,
)

Ints = npt.NDArray[np.int64]

COMPILE_ABOVE = 60_000
"""Packets from which on compiled code is faster, its loading included."""
KEPT_ABOVE = 6_000
"""The same where machine code is kept."""
NOWHERE = np.zeros((0, ENTRY), np.int64)
"""In place of `stunpcap.wire.near`."""


class _Room:
    """What the walk writes of one block; used again for the next, so that it stays in the processor's cache."""

    def __init__(self, packets: int) -> None:
        self.packets = packets
        self.rows = np.empty((packets + MORE_ROWS, ROW), np.int64)
        self.segments = np.empty((packets, SEGMENT), np.int64)
        self.specials = np.empty((packets, SPECIAL), np.int64)
        self.hellos = np.empty((packets, HELLO), np.int64)


class Scanner:
    """Takes the blocks of one capture and gathers what is worth keeping."""

    def __init__(self) -> None:
        self.packets = 0
        self._fast = False
        """Whether compiled code is at hand."""
        self._bytes = 0
        self._first_time = 0
        self._last_time = 0
        self._room = _Room(1)
        self._scratch: list[int] = [0] * layers.ALL_FIELDS
        self._key: list[int] = [0] * KEY
        self._flows = FlowTable()
        self._streams = Streams()
        self._following = Following()
        self._kept = Kept()
        self._near = np.zeros((NEAR, ENTRY), np.int64)
        self._opaque = Opaque()
        self._oddities = Oddities()
        self._rare = Rare(self._oddities)
        self._tally = np.zeros(TALLY, np.int64)
        self._ethertypes = np.zeros(0x10000, np.int64)
        self._protocols = np.zeros(256, np.int64)

    def feed(self, block: Block, interfaces: list[Interface], expected_packets: int = 0) -> None:
        """Take one block.  `expected_packets` of the whole capture decides whether compiled code pays."""
        if not len(block):
            return
        fast = kernels.wanted(max(self.packets + len(block), expected_packets), COMPILE_ABOVE, KEPT_ABOVE)
        if fast and not self.packets:
            keep_freed()
        starts_at = np.array([link_type(interface.linktype).layer for interface in interfaces], np.int64)
        columns = (block.offset, block.caplen, block.wirelen, block.time_ns, block.interface, block.direction)
        frames = np.arange(block.first_frame, block.first_frame + len(block), dtype=np.int64)
        specials = self._scan(block.data, columns, starts_at, frames, fast)
        self._look_into(block.data, specials, frames, block.time_ns, interfaces)
        self._fast = fast
        self._scan_waiting()
        if not self.packets:
            self._first_time = self._last_time = int(block.time_ns[0])
        self.packets += len(block)
        self._bytes += int(block.caplen.sum())
        self._first_time = min(self._first_time, int(block.time_ns.min()))
        self._last_time = max(self._last_time, int(block.time_ns.max()))

    def _scan(self, data: memoryview, columns: tuple[Any, ...], starts_at: Ints, frames: Ints, fast: bool) -> Ints:
        """Scan packets; returns the rows of those that the kernel leaves to Python, good until the next scan."""
        count, times, flows, following = len(columns[0]), columns[3], self._flows, self._following
        if count > self._room.packets:
            self._room = _Room(count)
        room = self._room
        state = np.zeros(STATE, np.int64)
        state[N_FLOWS] = flows.count
        # Lists are several times faster than arrays where Python reads single items.
        scratch: Any = np.zeros(layers.ALL_FIELDS, np.int64) if fast else self._scratch
        key: Any = np.zeros(KEY, np.int64) if fast else self._key
        begin = 0
        while True:
            begin = scan.run(
                fast,
                data,
                *columns,
                starts_at,
                frames,
                begin,
                scratch,
                key,
                flows.seed,
                flows.slots,
                flows.keys,
                flows.counters,
                state,
                flows.tcp,
                flows.holes,
                room.rows,
                room.segments,
                room.specials,
                room.hellos,
                *following.tables(),
                self._near if fast else NOWHERE,
                self._tally,
                self._ethertypes,
                self._protocols,
            )
            flows.count = int(state[N_FLOWS])
            if begin >= count:
                break
            flows.make_room()
            following.make_room(flows.counters)
        rows = room.rows[: state[N_ROWS]]
        self._keep(data, rows, frames[rows[:, ROW_PACKET]], times[rows[:, ROW_PACKET]])
        self._put_together(data, room.segments[: state[N_SEGMENTS]], times, frames, fast)
        self._opaque.note(data, room.hellos[: state[N_HELLOS]])
        if state[N_UNSEEN]:
            self._oddities.note("transport", UNSEEN, int(frames[state[FIRST_UNSEEN]]), int(state[N_UNSEEN]))
        if state[N_TUNNEL_CUT]:
            first = int(frames[state[FIRST_TUNNEL_CUT]])
            self._oddities.note("network", TUNNEL_CUT, first, int(state[N_TUNNEL_CUT]))
        return room.specials[: state[N_SPECIALS]]

    def _put_together(self, data: memoryview, segments: Ints, times: Ints, frames: Ints, fast: bool) -> None:
        """Hand segments to their streams, and take what becomes whole."""
        if not len(segments):
            return
        units = []
        touched = {}
        for segment in segments.tolist():
            packet, flow, reverse, seq, first, start, stop, length, ttl, direction, ip_id, framing, going_on = segment
            if framing:
                self._streams.resume(flow, reverse, first, framing, going_on)
            touched[flow] = reverse
            mark = (int(frames[packet]), int(times[packet]), ttl, direction, ip_id)
            units += self._streams.add(flow, reverse, mark, seq, first, data[start:stop].tobytes(), length)
        self._take_units(units, fast)
        tcp = self._flows.tcp
        for flow, reverse in touched.items():
            if tcp[flow, TCP_STATE] == OURS:
                tcp[flow, [FRAMING, NEXT]] = self._streams.idle(flow, reverse)

    def _take_units(self, units: list[Unit], fast: bool) -> None:
        """Count what came out of streams, and keep what is STUN."""
        if not units:
            return
        payload = memoryview(b"".join(unit.payload for unit in units))
        stops = np.cumsum([len(unit.payload) for unit in units])
        marks = np.array([unit.mark for unit in units], np.int64)
        table = np.zeros((len(units), ROW), np.int64)
        table[:, ROW_PACKET] = np.arange(len(units))
        table[:, ROW_FLOW] = [unit.flow for unit in units]
        table[:, ROW_START] = stops - [len(unit.payload) for unit in units]
        table[:, ROW_STOP] = stops
        table[:, ROW_LENGTH] = [unit.length for unit in units]
        table[:, [ROW_TTL, ROW_DIRECTION, ROW_IP_ID]] = marks[:, 2:]
        rows = np.empty_like(table)
        notes = np.empty((len(units), NOTE), np.int64)
        flows = self._flows
        state = np.zeros(STATE, np.int64)
        state[N_FLOWS] = flows.count
        key: Any = np.zeros(KEY, np.int64) if fast else self._key
        begin = 0
        while True:
            tables = (flows.seed, flows.slots, flows.keys, flows.counters)
            begin = scan_units.run(fast, payload, table, marks, begin, key, *tables, state, rows, notes)
            flows.count = int(state[N_FLOWS])
            if begin >= len(units):
                break
            flows.make_room()
        self._following.take(notes[: state[N_NOTES]], flows.counters, fast)
        kept = rows[: state[N_ROWS]]
        self._keep(payload, kept, marks[kept[:, ROW_PACKET], 0], marks[kept[:, ROW_PACKET], 1])

    def _keep(self, data: memoryview, rows: Ints, frames: Ints, times: Ints) -> None:
        if not len(rows):
            return
        cut = np.flatnonzero(rows[:, ROW_KIND] == demux.STUN_CUT)
        if len(cut):
            self._oddities.note("transport", HEADER_CUT, int(frames[cut].min()), len(cut))
        self._kept.take(data, rows, frames, times)

    def _look_into(
        self, data: memoryview, specials: Ints, frames: Ints, times: Ints, interfaces: list[Interface]
    ) -> None:
        """Count what nobody can follow, and take what the kernel left to Python."""
        for special in self._oddities.count(specials, frames, interfaces).tolist():
            packet = special[SPECIAL_PACKET]
            self._rare.look_into(data, special, int(frames[packet]), int(times[packet]))

    def _scan_waiting(self) -> None:
        """Scan the packets that came out of others, and what comes out of these in turn; a loop, for they may nest."""
        while self._rare.waiting:
            data, columns, starts_at, frames = self._rare.take_waiting()
            specials = self._scan(data, columns, starts_at, frames, self._fast)
            self._look_into(data, specials, frames, columns[3], [])

    def so_far(self, now_ns: int) -> Datagrams:
        """What `finish` would give if capturing ended now (a time as packets have it); the scanner goes on after it."""
        self._room = _Room(1)
        kept = copy.deepcopy(self).finish()
        return replace(kept, last_time=max(kept.last_time, now_ns))

    def finish(self) -> Datagrams:
        """Everything that was kept, in order of frames.  The scanner's tables go with it: nothing can be fed then."""
        while self._rare.end():  # what comes out may hold fragments itself
            self._scan_waiting()
        units = self._streams.finish()
        self._take_units(units, kernels.wanted(len(units), COMPILE_ABOVE, KEPT_ABOVE))
        gaps, strays = self._streams.gaps, self._streams.strays
        if gaps.count:
            self._oddities.note("transport", GAPS.format(gaps.size), gaps.mark[0], gaps.count)
        if strays.count:
            self._oddities.note("transport", STRAYS, strays.mark[0], strays.count)
        flows = self._flows.finish()
        number = flows.number if flows.has_channels else None
        others = by_frames(self._kept.others, number)
        opaque, server_names = self._opaque.finish(flows.keys, flows.counters, flows.tcp)
        streams, activity = self._following.finish(flows.number)
        flows.counters[:, ACTIVE:] = 0  # places in tables that are gone now
        return Datagrams(
            **by_frames(self._kept.stun, number),
            aside=Aside(**{name: others[name] for name in ASIDE}),
            streams=streams,
            activity=activity,
            payload=self._kept.payload(),
            flow_keys=flows.of_flows(flows.keys),
            flow_counters=flows.of_flows(flows.counters),
            flow_tcp=flows.flow_tcp(),
            flow_opaque=flows.of_flows(opaque),
            server_names={int(flows.number[flow]): name for flow, name in server_names.items()},
            channel_keys=flows.channel_keys(),
            channel_counters=flows.counters[flows.channels],
            icmp=sorted(self._rare.icmp, key=lambda error: error.frame),
            packets=self.packets,
            captured_bytes=self._bytes,
            first_time=self._first_time,
            last_time=self._last_time,
            oddities=self._oddities.found,
            ethertypes={int(k): int(self._ethertypes[k]) for k in np.flatnonzero(self._ethertypes)},
            protocols={int(k): int(self._protocols[k]) for k in np.flatnonzero(self._protocols)},
            not_ip=self._oddities.not_ip,
        )
