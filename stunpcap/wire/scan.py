"""From blocks of packets to flows and the datagrams worth keeping.

The loop of `stunpcap.wire.walk` goes over the packets; here are the tables that it fills, and everything that is too
rare to be compiled.  What is kept grows with the STUN messages, the flows, and the seconds in which these were in use,
never with the packets.
"""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap import kernels
from stunpcap.capture.records import Block, Interface
from stunpcap.capture.sniff import ELSEWHERE
from stunpcap.sorting import in_order
from stunpcap.wire import demux, layers
from stunpcap.wire.channels import KEY
from stunpcap.wire.counters import (
    ACTIVE,
    COUNTERS,
    FIRST_FRAME,
)
from stunpcap.wire.cutting import Unit
from stunpcap.wire.datagrams import Aside, Datagrams, IcmpError
from stunpcap.wire.following import NOTE, Following
from stunpcap.wire.fragments import BROKEN, MISSING, REPEATED, Reassembled, Reassembler, split_fragment
from stunpcap.wire.gather import gather
from stunpcap.wire.hashing import free_slots, new_seed, rehash
from stunpcap.wire.linktypes import LLC, RAW, link_type
from stunpcap.wire.opaque import HELLO, Opaque
from stunpcap.wire.segments import (
    FRAMING,
    NEXT,
    OURS,
    REVERSE,
    SEGMENT,
    TCP_COLUMNS,
)
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
    SPECIAL_AT,
    SPECIAL_DETAIL,
    SPECIAL_DIRECTION,
    SPECIAL_INTERFACE,
    SPECIAL_LENGTH,
    SPECIAL_PACKET,
    SPECIAL_SRC,
    SPECIAL_STATUS,
    SPECIAL_STOP,
    STATE,
    scan,
    scan_units,
)

Ints = npt.NDArray[np.int64]

STUN_KINDS = [kind for kind in range(demux.MDNS + 1) if demux.is_stun(kind)]
COMPILE_ABOVE = 60_000
"""Packets from which on compiled code is faster, its loading included."""
KEPT_ABOVE = 6_000
"""The same where machine code is kept."""

_ODDITIES = {
    layers.CUT: ("network", "packet cut by the snap length before its UDP or TCP payload"),
    layers.MALFORMED: ("network", "malformed header"),
    layers.ENCRYPTED: ("link", "encrypted 802.11 frame"),
    layers.LINK_FRAGMENT: ("link", "fragment of an 802.11 frame"),
}
_ENDINGS = {
    MISSING: "IP fragments of a packet are missing",
    REPEATED: "IP fragment captured again after its packet was whole",
    BROKEN: "malformed IP fragment",
}
UNKNOWN_LINK = "link type {} is not known to this reader: packets not looked into; " + ELSEWHERE
UNSEEN = "payload cut by the snap length to so little that nobody can tell what it is"
TUNNEL_CUT = "tunnel cut by the snap length before the UDP or TCP payload inside: counted as the tunnel's own flow"
HEADER_CUT = "STUN header cut by the snap length"
GAPS = "TCP segments missing on connections that carry STUN, {} bytes in all"
STRAYS = "TCP stream in which boundaries between messages got lost: what follows is read from the next certain one on"


@dataclass(frozen=True, slots=True)
class _Packet:
    """A packet within, or made of, others: it is scanned on its own, under the frame it came with."""

    data: memoryview
    wire_length: int
    layer: int
    frame: int
    time_ns: int
    direction: int


class Scanner:
    """Takes the blocks of one capture and gathers what is worth keeping."""

    def __init__(self) -> None:
        self.packets = 0
        self._bytes = 0
        self._first_time = 0
        self._last_time = 0
        self._scratch: list[int] = [0] * layers.ALL_FIELDS
        self._key: list[int] = [0] * KEY
        self._seed = new_seed()
        self._streams = Streams()
        self._following = Following()
        self._tcp = np.zeros((0, TCP_COLUMNS), np.int64)
        self._grow_flows(256, np.zeros((0, KEY), np.uint32), np.zeros((0, COUNTERS), np.int64), 0)
        self._tally = np.zeros(16, np.int64)
        self._ethertypes = np.zeros(0x10000, np.int64)
        self._not_ip: dict[str, int] = {}
        self._protocols = np.zeros(256, np.int64)
        self._rows: list[Ints] = []
        self._frames: list[Ints] = []
        self._times: list[Ints] = []
        self._payload: list[bytes] = []
        self._icmp: list[IcmpError] = []
        self._opaque = Opaque()
        self._oddities: dict[str, tuple[str, int, int]] = {}
        self._reassembler = Reassembler()
        self._waiting: deque[_Packet] = deque()

    def _grow_flows(self, capacity: int, keys: Any, counters: Any, count: int) -> None:
        self._flows = count
        self._keys = np.zeros((capacity, KEY), np.uint32)
        self._keys[:count] = keys[:count]
        self._counters = np.zeros((capacity, COUNTERS), np.int64)
        self._counters[:count] = counters[:count]
        tcp, self._tcp = self._tcp, np.zeros((capacity, TCP_COLUMNS), np.int64)
        self._tcp[:count] = tcp[:count]
        self._slots = free_slots(capacity)
        rehash.run(kernels.wanted(count, 50_000, 2_000), self._slots, self._keys, KEY, count, self._seed)

    def feed(self, block: Block, interfaces: list[Interface], expected_packets: int = 0) -> None:
        """Take one block.  `expected_packets` of the whole capture decides whether compiled code pays."""
        if not len(block):
            return
        fast = kernels.wanted(max(self.packets + len(block), expected_packets), COMPILE_ABOVE, KEPT_ABOVE)
        starts_at = np.array([link_type(interface.linktype).layer for interface in interfaces], np.int64)
        columns = (block.offset, block.caplen, block.wirelen, block.time_ns, block.interface, block.direction)
        specials = self._scan(block.data, columns, starts_at, block.first_frame, fast)
        for special in self._count(specials, block.first_frame, interfaces).tolist():
            packet = special[SPECIAL_PACKET]
            self._look_into(block.data, special, block.first_frame + packet, int(block.time_ns[packet]))
            self._scan_waiting()
        if not self.packets:
            self._first_time = self._last_time = int(block.time_ns[0])
        self.packets += len(block)
        self._bytes += int(block.caplen.sum())
        self._first_time = min(self._first_time, int(block.time_ns.min()))
        self._last_time = max(self._last_time, int(block.time_ns.max()))

    def _scan(
        self,
        data: memoryview,
        columns: tuple[Any, ...],
        starts_at: Ints,
        first_frame: int,
        fast: bool,
    ) -> Ints:
        """Scan packets; returns the rows of those that the kernel leaves to Python."""
        count = len(columns[0])
        rows = np.empty((count + MORE_ROWS, ROW), np.int64)
        segments = np.empty((count, SEGMENT), np.int64)
        specials = np.empty((count, SPECIAL), np.int64)
        hellos = np.empty((count, HELLO), np.int64)
        notes = np.empty((count + MORE_ROWS, NOTE), np.int64)
        state = np.zeros(STATE, np.int64)
        state[N_FLOWS] = self._flows
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
                first_frame,
                begin,
                scratch,
                key,
                self._seed,
                self._slots,
                self._keys,
                self._counters,
                state,
                self._tcp,
                rows,
                segments,
                specials,
                hellos,
                notes,
                self._following.sizes,
                self._tally,
                self._ethertypes,
                self._protocols,
            )
            self._flows = int(state[N_FLOWS])
            if begin >= count:
                break
            self._grow_flows(len(self._keys) * 4, self._keys, self._counters, self._flows)
        self._following.take(notes[: state[N_NOTES]], self._counters, fast)
        kept = rows[: state[N_ROWS]]
        self._keep(data, kept, first_frame + kept[:, ROW_PACKET], columns[3][kept[:, ROW_PACKET]])
        self._put_together(data, segments[: state[N_SEGMENTS]], columns[3], first_frame, fast)
        self._opaque.note(data, hellos[: state[N_HELLOS]])
        if state[N_UNSEEN]:
            self._odd("transport", UNSEEN, first_frame + int(state[FIRST_UNSEEN]), int(state[N_UNSEEN]))
        if state[N_TUNNEL_CUT]:
            self._odd("network", TUNNEL_CUT, first_frame + int(state[FIRST_TUNNEL_CUT]), int(state[N_TUNNEL_CUT]))
        return specials[: state[N_SPECIALS]]

    def _count(self, specials: Ints, first_frame: int, interfaces: list[Interface]) -> Ints:
        """Count and name packets that nobody can follow; returns the others."""
        status = specials[:, SPECIAL_STATUS]
        lost = specials[status > layers.AGGREGATE][:, : SPECIAL_DETAIL + 1]
        if len(lost):
            lost[:, SPECIAL_INTERFACE] *= lost[:, SPECIAL_STATUS] == layers.UNKNOWN_LINK  # matters only there
            lost[:, SPECIAL_DETAIL] *= lost[:, SPECIAL_STATUS] <= layers.NOT_IP
            kinds, first, counts = np.unique(lost[:, SPECIAL_STATUS:], axis=0, return_index=True, return_counts=True)
            for (kind, interface, detail), at, count in zip(
                kinds.tolist(), first.tolist(), counts.tolist(), strict=True
            ):
                if kind == layers.NOT_IP:
                    text = f"{layers.NOT_IP_NAMES[detail >> 16]} {detail & 0xFFFF:#06x}"
                    self._not_ip[text] = self._not_ip.get(text, 0) + count
                    continue
                if kind == layers.UNKNOWN_LINK:
                    name = link_type(interfaces[interface].linktype).name
                    name += f" (DLT {detail - 1})" if detail else ""
                    layer, text = "link", UNKNOWN_LINK.format(name)
                else:
                    layer, text = _ODDITIES[kind]
                self._odd(layer, text, first_frame + int(lost[at, SPECIAL_PACKET]), count)
        return specials[status <= layers.AGGREGATE]

    def _put_together(self, data: memoryview, segments: Ints, times: Ints, first_frame: int, fast: bool) -> None:
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
            mark = (first_frame + packet, int(times[packet]), ttl, direction, ip_id)
            units += self._streams.add(flow, reverse, mark, seq, first, data[start:stop].tobytes(), length)
        self._take_units(units, fast)
        for flow, reverse in touched.items():
            if self._tcp[flow, TCP_STATE] == OURS:
                self._tcp[flow, [FRAMING, NEXT]] = self._streams.idle(flow, reverse)

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
        state = np.zeros(STATE, np.int64)
        state[N_FLOWS] = self._flows
        key: Any = np.zeros(KEY, np.int64) if fast else self._key
        begin = 0
        while True:
            flows = (self._seed, self._slots, self._keys, self._counters)
            begin = scan_units.run(fast, payload, table, marks, begin, key, *flows, state, rows, notes)
            self._flows = int(state[N_FLOWS])
            if begin >= len(units):
                break
            self._grow_flows(len(self._keys) * 4, self._keys, self._counters, self._flows)
        self._following.take(notes[: state[N_NOTES]], self._counters, fast)
        kept = rows[: state[N_ROWS]]
        self._keep(payload, kept, marks[kept[:, ROW_PACKET], 0], marks[kept[:, ROW_PACKET], 1])

    def _keep(self, data: memoryview, rows: Ints, frames: Ints, times: Ints) -> None:
        if not len(rows):
            return
        cut = np.flatnonzero(rows[:, ROW_KIND] == demux.STUN_CUT)
        if len(cut):
            self._odd("transport", HEADER_CUT, int(frames[cut].min()), len(cut))
        self._payload.append(gather(data, rows[:, ROW_START], rows[:, ROW_STOP]))
        self._rows.append(rows.copy())
        self._frames.append(frames)
        self._times.append(times)

    def _look_into(self, data: memoryview, special: list[int], frame: int, time_ns: int) -> None:
        """What the kernel leaves to Python: fragments, ICMP errors, several packets in one 802.11 frame."""
        status, at, stop = special[SPECIAL_STATUS], special[SPECIAL_AT], special[SPECIAL_STOP]
        length, direction = special[SPECIAL_LENGTH], special[SPECIAL_DIRECTION]
        if status == layers.FRAGMENT:
            self._take(self._reassembler.add(data[at:stop], length, frame, time_ns, direction))
        elif status == layers.ICMP_ERROR:
            self._note_icmp(data[at:stop], special, frame, time_ns)
        else:
            self._open_aggregate(data[at:stop], length, frame, time_ns, direction)

    def _odd(self, layer: str, text: str, frame: int, count: int = 1) -> None:
        _, before, first = self._oddities.get(text, (layer, 0, frame))
        self._oddities[text] = (layer, before + count, min(first, frame))

    def _take(self, ended: list[Reassembled]) -> None:
        """Packets put together from fragments take the same road as others."""
        for one in ended:
            if one.ending in _ENDINGS:
                self._odd("network", _ENDINGS[one.ending], one.frame)
            if one.packet:
                data = memoryview(one.packet)
                self._waiting.append(_Packet(data, one.wire_length, RAW, one.frame, one.time_ns, one.direction))

    def _open_aggregate(self, data: memoryview, length: int, frame: int, time_ns: int, direction: int) -> None:
        """The subframes of an A-MSDU (IEEE 802.11 section 9.3.2.2): addresses, length, LLC; padded to four bytes."""
        at = 0
        while at + 14 <= len(data):
            size = int.from_bytes(data[at + 12 : at + 14])
            if not size:
                return
            inside = data[at + 14 : at + 14 + size]
            self._waiting.append(_Packet(inside, min(size, length - at - 14), LLC, frame, time_ns, direction))
            at = (at + 14 + size + 3) & ~3
        if length > len(data) and at + 14 <= length:
            self._odd(*_ODDITIES[layers.CUT], frame)

    def _scan_waiting(self) -> None:
        """Scan packets that came out of others, and what comes out of these in turn; a loop, for they may nest."""
        one = np.ones(1, np.int64)
        while self._waiting:
            packet = self._waiting.popleft()
            columns = (
                0 * one,
                len(packet.data) * one,
                packet.wire_length * one,
                packet.time_ns * one,
                np.zeros(1, np.int32),
                np.full(1, packet.direction, np.int8),
            )
            specials = self._scan(packet.data, columns, packet.layer * one, packet.frame, False)
            for special in self._count(specials, packet.frame, []).tolist():
                self._look_into(packet.data, special, packet.frame, packet.time_ns)

    def _note_icmp(self, quote: memoryview, special: list[int], frame: int, time_ns: int) -> None:
        f = [0] * layers.ALL_FIELDS
        # A quote is nearly always shorter than what it quotes.
        beyond = len(quote) + 0x10000
        status = layers.dissect(quote, 0, len(quote), beyond, RAW, f)
        if status == layers.FRAGMENT:
            fragment = split_fragment(quote[f[layers.IP_AT] : f[layers.STOP]], 0)
            if fragment is not None and fragment.at == 0:
                quote = memoryview(fragment.header + fragment.payload)
                status = layers.dissect(quote, 0, len(quote), beyond, RAW, f)
        ports_only = status == layers.CUT and f[layers.DETAIL] == layers.TCP
        if status != layers.DATAGRAM and not ports_only:
            self._odd("network", "ICMP error whose quote is too short or carries no UDP or TCP", frame)
            return
        detail = special[SPECIAL_DETAIL]
        self._icmp.append(
            IcmpError(
                frame=frame,
                time_ns=time_ns,
                version=6 if detail >> 16 == layers.ICMPV6 else 4,
                type=detail >> 8 & 0xFF,
                code=detail & 0xFF,
                sender=tuple(special[SPECIAL_SRC : SPECIAL_SRC + 4]),
                quoted=(*f[:8], f[layers.SPORT] << 16 | f[layers.DPORT], f[layers.PROTO]),
                payload=bytes(quote[f[layers.START] : f[layers.STOP]]),
            )
        )

    def _number_flows(self) -> tuple[Ints, Ints, Ints]:
        """The final number of each row of the flow table: channels come last; which rows are flows and channels."""
        is_channel = self._keys[: self._flows, 9] >> np.uint32(16) > 0
        flows, channels = np.flatnonzero(~is_channel), np.flatnonzero(is_channel)
        # Those on TCP come when their streams are put together, be that in the kernel or after it.
        channels = channels[np.argsort(self._counters[channels, FIRST_FRAME], kind="stable")]
        number = np.empty(self._flows, np.int64)
        number[np.concatenate([flows, channels])] = np.arange(self._flows)
        return number, flows, channels

    def so_far(self, now_ns: int) -> Datagrams:
        """What `finish` would give if capturing ended now (a time as packets have it); the scanner goes on after it."""
        self._payload = [b"".join(self._payload)]
        for parts in (self._rows, self._frames, self._times):
            parts[:] = [np.concatenate(parts)] if parts else []
        kept = copy.deepcopy(self).finish()
        return replace(kept, last_time=max(kept.last_time, now_ns))

    def finish(self) -> Datagrams:
        """Everything that was kept, in order of frames."""
        while unfinished := self._reassembler.finish():  # what comes out may hold fragments itself
            self._take(unfinished)
            self._scan_waiting()
        units = self._streams.finish()
        self._take_units(units, kernels.wanted(len(units), COMPILE_ABOVE, KEPT_ABOVE))
        gaps, strays = self._streams.gaps, self._streams.strays
        if gaps.count:
            self._odd("transport", GAPS.format(gaps.size), gaps.mark[0], gaps.count)
        if strays.count:
            self._odd("transport", STRAYS, strays.mark[0], strays.count)
        rows = np.concatenate(self._rows) if self._rows else np.zeros((0, ROW), np.int64)
        frames = np.concatenate(self._frames) if self._frames else np.zeros(0, np.int64)
        times = np.concatenate(self._times) if self._times else np.zeros(0, np.int64)
        payload = b"".join(self._payload)
        if (frames[1:] < frames[:-1]).any():  # what came out of streams and fragments was kept when it was whole
            order = in_order(frames)
            stop = np.cumsum(rows[:, ROW_STOP] - rows[:, ROW_START])[order]
            rows, frames, times = rows[order], frames[order], times[order]
            payload = gather(memoryview(payload), stop - (rows[:, ROW_STOP] - rows[:, ROW_START]), stop)
        captured = rows[:, ROW_STOP] - rows[:, ROW_START]
        offset = np.cumsum(captured) - captured
        is_stun = np.isin(rows[:, ROW_KIND], STUN_KINDS)
        stun, others = np.flatnonzero(is_stun), np.flatnonzero(~is_stun)
        number, flows, channels = self._number_flows()
        tables = (table[: self._flows] for table in (self._keys, self._counters, self._tcp))
        opaque, server_names = self._opaque.finish(*tables)
        flow_tcp = self._tcp[flows]
        paired = flow_tcp[:, REVERSE] > 0
        flow_tcp[paired, REVERSE] = number[flow_tcp[paired, REVERSE] - 1] + 1
        of_all = {
            "frame": frames,
            "time_ns": times,
            "flow": number[rows[:, ROW_FLOW]],
            "offset": offset,
            "captured": captured,
            "length": rows[:, ROW_LENGTH],
            "kind": rows[:, ROW_KIND],
        }
        streams, activity = self._following.finish(number)
        self._counters[:, ACTIVE:] = 0  # places in tables that are gone now
        return Datagrams(
            **{name: values[stun] for name, values in of_all.items()},
            aside=Aside(**{name: values[others] for name, values in of_all.items()}),
            streams=streams,
            activity=activity,
            ttl=rows[stun, ROW_TTL],
            direction=rows[stun, ROW_DIRECTION],
            ip_id=rows[stun, ROW_IP_ID],
            payload=payload,
            flow_keys=self._keys[flows],
            flow_counters=self._counters[flows],
            flow_tcp=flow_tcp,
            flow_opaque=opaque[flows],
            server_names={int(number[flow]): name for flow, name in server_names.items()},
            channel_keys=np.column_stack([number[self._keys[channels, 8]], self._keys[channels, 9] >> np.uint32(16)]),
            channel_counters=self._counters[channels],
            icmp=self._icmp,
            packets=self.packets,
            captured_bytes=self._bytes,
            first_time=self._first_time,
            last_time=self._last_time,
            oddities=self._oddities,
            ethertypes={int(k): int(self._ethertypes[k]) for k in np.flatnonzero(self._ethertypes)},
            protocols={int(k): int(self._protocols[k]) for k in np.flatnonzero(self._protocols)},
            not_ip=self._not_ip,
        )
