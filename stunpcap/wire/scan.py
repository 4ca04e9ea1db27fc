"""From blocks of packets to flows and the datagrams worth keeping.

One kernel walks the packets of a block: dissects each, counts it in its flow, and notes the rows that matter later
(STUN; fragments and ICMP errors, which Python looks into one by one).  What is kept grows with the STUN messages and
the flows, never with the packets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap import kernels
from stunpcap.capture.records import Block, Interface
from stunpcap.kernels import kernel
from stunpcap.wire import demux, layers
from stunpcap.wire.fragments import Reassembled, Reassembler
from stunpcap.wire.hashing import find_slot, free_slots, rehash
from stunpcap.wire.linktypes import RAW, link_type

Ints = npt.NDArray[np.int64]

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
    DTLS_DATA,
    DTLS_PROTECTED,
    DTLS_ALERTS,
) = range(18)
COUNTERS = 18
KEY = 10
"""Words of a flow's key: source, destination, ports, protocol."""

# Columns of the rows that the kernel notes.
(ROW_PACKET, ROW_FLOW, ROW_START, ROW_STOP, ROW_LENGTH, ROW_KIND, ROW_TTL, ROW_DIRECTION, ROW_IP_ID) = range(9)
ROW = 9
(SPECIAL_PACKET, SPECIAL_STATUS, SPECIAL_AT, SPECIAL_STOP, SPECIAL_DETAIL, SPECIAL_SRC) = range(6)
SPECIAL = SPECIAL_SRC + 4
COMPILE_ABOVE = 60_000
"""Packets from which on compiled code is faster, its loading included."""


@kernels.inner
def count_dtls(b: layers.Buffer, o: int, stop: int, counters: Any, flow: int) -> None:
    """Look at the records of a DTLS datagram: application data, protected records, alerts in the clear."""
    data = False
    protected = False
    alert = False
    while o < stop:
        kind = int(b[o])
        if kind & 0xE0 == 0x20:  # DTLS 1.3 unified header (RFC 9147 section 4): protected, its type hidden
            protected = True
            data = True
            break
        if o + 13 > stop:
            break
        epoch = layers.u16(b, o + 3)
        protected = protected or epoch > 0
        data = data or kind == 23
        alert = alert or (kind == 21 and epoch == 0)
        o += 13 + layers.u16(b, o + 11)
    counters[flow, DTLS_DATA] += data
    counters[flow, DTLS_PROTECTED] += protected
    counters[flow, DTLS_ALERTS] += alert


@kernel
def scan(
    b: Any,
    offset: Any,
    caplen: Any,
    wirelen: Any,
    time_ns: Any,
    interface: Any,
    direction: Any,
    starts_at: Any,
    first_frame: int,
    begin: int,
    f: Any,
    key: Any,
    slots: Any,
    keys: Any,
    counters: Any,
    state: Any,
    rows: Any,
    specials: Any,
    tally: Any,
    ethertypes: Any,
    protocols: Any,
) -> int:
    """Walk the packets from `begin` on; returns where it stopped: at the end, or where the flow table was full.

    `state` is (flows, rows, specials), `tally` counts packets by what became of them.
    """
    n_flows, n_rows, n_specials = int(state[0]), int(state[1]), int(state[2])
    limit = min(len(slots) // 2, len(keys))
    i = begin
    while i < len(offset):
        if n_flows >= limit:
            break
        start = int(offset[i])
        stop = start + int(caplen[i])
        status = layers.dissect(b, start, stop, start + int(wirelen[i]), int(starts_at[interface[i]]), f)
        tally[status] += 1
        if status != layers.DATAGRAM:
            if status == layers.NOT_IP:
                ethertypes[f[layers.DETAIL]] += 1
            elif status == layers.OTHER_IP:
                protocols[f[layers.DETAIL]] += 1
            else:
                specials[n_specials, SPECIAL_PACKET] = i
                specials[n_specials, SPECIAL_STATUS] = status
                specials[n_specials, SPECIAL_AT] = f[layers.IP_AT]
                specials[n_specials, SPECIAL_STOP] = f[layers.STOP] if status == layers.ICMP_ERROR else stop
                specials[n_specials, SPECIAL_DETAIL] = f[layers.DETAIL]
                for k in range(4):
                    specials[n_specials, SPECIAL_SRC + k] = f[layers.SRC + k]
                n_specials += 1
            i += 1
            continue

        for k in range(8):
            key[k] = f[k]
        key[8] = f[layers.SPORT] << 16 | f[layers.DPORT]
        key[9] = f[layers.PROTO]
        slot = find_slot(slots, keys, KEY, key)
        flow = int(slots[slot])
        if flow < 0:
            flow = n_flows
            n_flows += 1
            slots[slot] = flow
            for k in range(KEY):
                keys[flow, k] = key[k]
            counters[flow, FIRST_TIME] = time_ns[i]
            counters[flow, LAST_TIME] = time_ns[i]
            counters[flow, FIRST_FRAME] = first_frame + i
            counters[flow, TTL_MIN] = f[layers.TTL]
            counters[flow, TTL_MAX] = f[layers.TTL]
        counters[flow, PACKETS] += 1
        counters[flow, BYTES] += f[layers.LENGTH]
        counters[flow, FIRST_TIME] = min(int(counters[flow, FIRST_TIME]), int(time_ns[i]))
        counters[flow, LAST_TIME] = max(int(counters[flow, LAST_TIME]), int(time_ns[i]))
        counters[flow, TTL_MIN] = min(int(counters[flow, TTL_MIN]), f[layers.TTL])
        counters[flow, TTL_MAX] = max(int(counters[flow, TTL_MAX]), f[layers.TTL])
        toward = int(direction[i])
        if toward == 0:
            toward = f[layers.DIRECTION]
        if toward == 1:
            counters[flow, INBOUND] += 1
        elif toward == 2:
            counters[flow, OUTBOUND] += 1

        if f[layers.PROTO] == layers.TCP:
            counters[flow, N_OTHER] += 1
            i += 1
            continue
        kind = demux.demux(
            b,
            f[layers.START],
            f[layers.STOP],
            f[layers.LENGTH],
            f[layers.SPORT],
            f[layers.DPORT],
            int(counters[flow, N_DTLS]),
        )
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
            count_dtls(b, f[layers.START], f[layers.STOP], counters, flow)
        else:
            counters[flow, N_STUN] += 1
            rows[n_rows, ROW_PACKET] = i
            rows[n_rows, ROW_FLOW] = flow
            rows[n_rows, ROW_START] = f[layers.START]
            rows[n_rows, ROW_STOP] = f[layers.STOP]
            rows[n_rows, ROW_LENGTH] = f[layers.LENGTH]
            rows[n_rows, ROW_KIND] = kind
            rows[n_rows, ROW_TTL] = f[layers.TTL]
            rows[n_rows, ROW_DIRECTION] = toward
            rows[n_rows, ROW_IP_ID] = f[layers.IP_ID]
            n_rows += 1
        i += 1
    state[0], state[1], state[2] = n_flows, n_rows, n_specials
    return i


@dataclass(frozen=True, slots=True)
class IcmpError:
    """An ICMP error and the datagram that it quotes."""

    frame: int
    time_ns: int
    version: int
    type: int
    code: int
    sender: tuple[int, ...]
    """Four words of the address that sent the error."""
    quoted: tuple[int, ...]
    """The quoted datagram's key: source, destination, ports, protocol, as in the flow table."""
    payload: bytes
    """As much of the quoted payload as was captured."""


@dataclass(frozen=True, slots=True)
class Datagrams:
    """Everything kept of one capture."""

    frame: Ints
    time_ns: Ints
    flow: Ints
    offset: Ints
    """Where each datagram's payload begins in `payload`."""
    captured: Ints
    length: Ints
    """True length of the payload."""
    kind: Ints
    ttl: Ints
    direction: Ints
    ip_id: Ints
    payload: bytes
    flow_keys: npt.NDArray[np.uint32]
    flow_counters: Ints
    icmp: list[IcmpError]
    packets: int
    captured_bytes: int
    first_time: int
    last_time: int
    oddities: dict[str, tuple[str, int, int]]
    """What could not be followed: text -> (layer, packets, first frame)."""
    ethertypes: dict[int, int]
    protocols: dict[int, int]


_ODDITIES = {
    layers.CUT: ("network", "packet cut by the snap length before its UDP or TCP payload"),
    layers.MALFORMED: ("network", "malformed header"),
    layers.ENCRYPTED: ("link", "encrypted 802.11 frame"),
}


class Scanner:
    """Takes the blocks of one capture and gathers what is worth keeping."""

    def __init__(self) -> None:
        self.packets = 0
        self._bytes = 0
        self._first_time = 0
        self._last_time = 0
        self._scratch: list[int] = [0] * layers.ALL_FIELDS
        self._key: list[int] = [0] * KEY
        self._grow_flows(256, np.zeros((0, KEY), np.uint32), np.zeros((0, COUNTERS), np.int64), 0)
        self._tally = np.zeros(16, np.int64)
        self._ethertypes = np.zeros(65536, np.int64)
        self._protocols = np.zeros(256, np.int64)
        self._rows: list[Ints] = []
        self._frames: list[Ints] = []
        self._times: list[Ints] = []
        self._payload: list[bytes] = []
        self._payload_size = 0
        self._icmp: list[IcmpError] = []
        self._oddities: dict[str, tuple[str, int, int]] = {}
        self._reassembler = Reassembler()

    def _grow_flows(self, capacity: int, keys: Any, counters: Any, count: int) -> None:
        self._flows = count
        self._keys = np.zeros((capacity, KEY), np.uint32)
        self._keys[:count] = keys[:count]
        self._counters = np.zeros((capacity, COUNTERS), np.int64)
        self._counters[:count] = counters[:count]
        self._slots = free_slots(capacity)
        rehash.run(kernels.wanted(count, 50_000), self._slots, self._keys, KEY, count)

    def feed(self, block: Block, interfaces: list[Interface], expected_packets: int = 0) -> None:
        """Take one block.  `expected_packets` of the whole capture decides whether compiled code pays."""
        if not len(block):
            return
        fast = kernels.wanted(max(self.packets + len(block), expected_packets), COMPILE_ABOVE)
        starts_at = np.array([link_type(interface.linktype).layer for interface in interfaces], np.int64)
        self._scan(
            block.data,
            (block.offset, block.caplen, block.wirelen, block.time_ns, block.interface, block.direction),
            starts_at,
            block.first_frame,
            fast,
            interfaces,
        )
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
        interfaces: list[Interface],
    ) -> None:
        count = len(columns[0])
        rows = np.empty((count, ROW), np.int64)
        specials = np.empty((count, SPECIAL), np.int64)
        state = np.array([self._flows, 0, 0], np.int64)
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
                self._slots,
                self._keys,
                self._counters,
                state,
                rows,
                specials,
                self._tally,
                self._ethertypes,
                self._protocols,
            )
            self._flows = int(state[0])
            if begin >= count:
                break
            self._grow_flows(len(self._keys) * 4, self._keys, self._counters, self._flows)
        self._keep(data, rows[: state[1]], columns[3], first_frame)
        for special in specials[: state[2]].tolist():
            packet = special[SPECIAL_PACKET]
            self._look_into(
                data, special, first_frame + packet, int(columns[3][packet]), interfaces, int(columns[4][packet])
            )

    def _keep(self, data: memoryview, rows: Ints, times: Ints, first_frame: int) -> None:
        if not len(rows):
            return
        starts, stops = rows[:, ROW_START].tolist(), rows[:, ROW_STOP].tolist()
        self._payload.extend(data[start:stop].tobytes() for start, stop in zip(starts, stops, strict=True))
        sizes = rows[:, ROW_STOP] - rows[:, ROW_START]
        kept = rows.copy()
        kept[:, ROW_START] = self._payload_size + np.cumsum(sizes) - sizes
        kept[:, ROW_STOP] = kept[:, ROW_START] + sizes
        self._payload_size += int(sizes.sum())
        self._rows.append(kept)
        self._frames.append(first_frame + rows[:, ROW_PACKET])
        self._times.append(times[rows[:, ROW_PACKET]])

    def _look_into(
        self,
        data: memoryview,
        special: list[int],
        frame: int,
        time_ns: int,
        interfaces: list[Interface],
        interface: int,
    ) -> None:
        """What the kernel leaves to Python: fragments, ICMP errors, and naming what could not be followed."""
        status, at, stop = special[SPECIAL_STATUS], special[SPECIAL_AT], special[SPECIAL_STOP]
        if status == layers.FRAGMENT:
            whole = self._reassembler.add(data[at:stop], frame, time_ns)
            if whole is not None:
                self._scan_one(whole)
        elif status == layers.ICMP_ERROR:
            self._note_icmp(data[at:stop], special, frame, time_ns)
        elif status == layers.UNKNOWN_LINK:
            name = link_type(interfaces[interface].linktype).name
            self._odd("link", f"link type {name} is not known to this reader: packets not looked into", frame)
        else:
            self._odd(*_ODDITIES[status], frame)

    def _odd(self, layer: str, text: str, frame: int) -> None:
        _, count, first = self._oddities.get(text, (layer, 0, frame))
        self._oddities[text] = (layer, count + 1, min(first, frame))

    def _scan_one(self, whole: Reassembled) -> None:
        """A packet put together from fragments takes the same road, under the frame that completed it."""
        one = np.ones(1, np.int64)
        columns = (
            0 * one,
            len(whole.packet) * one,
            whole.wire_length * one,
            whole.time_ns * one,
            np.zeros(1, np.int32),
            np.zeros(1, np.int8),
        )
        raw = [Interface(linktype=101)]
        self._scan(memoryview(whole.packet), columns, np.array([RAW]), whole.frame, False, raw)

    def _note_icmp(self, quote: memoryview, special: list[int], frame: int, time_ns: int) -> None:
        f = [0] * layers.ALL_FIELDS
        # A quote is nearly always shorter than what it quotes.
        if layers.dissect(quote, 0, len(quote), len(quote) + 0x10000, RAW, f) != layers.DATAGRAM:
            self._odd("network", "ICMP error whose quote is too short or carries no UDP or TCP", frame)
            return
        detail = special[SPECIAL_DETAIL]
        self._icmp.append(
            IcmpError(
                frame=frame,
                time_ns=time_ns,
                version=4 if f[2] == 0xFFFF and not f[0] and not f[1] else 6,
                type=detail >> 8,
                code=detail & 0xFF,
                sender=tuple(special[SPECIAL_SRC : SPECIAL_SRC + 4]),
                quoted=(*f[:8], f[layers.SPORT] << 16 | f[layers.DPORT], f[layers.PROTO]),
                payload=bytes(quote[f[layers.START] : f[layers.STOP]]),
            )
        )

    def finish(self) -> Datagrams:
        """Everything that was kept, in order of frames."""
        for unfinished in self._reassembler.finish():
            self._odd("network", "IP fragments of a packet are missing", unfinished.frame)
            self._scan_one(unfinished)
        rows = np.concatenate(self._rows) if self._rows else np.zeros((0, ROW), np.int64)
        frames = np.concatenate(self._frames) if self._frames else np.zeros(0, np.int64)
        times = np.concatenate(self._times) if self._times else np.zeros(0, np.int64)
        order = np.argsort(frames, kind="stable")
        rows, frames, times = rows[order], frames[order], times[order]
        return Datagrams(
            frame=frames,
            time_ns=times,
            flow=rows[:, ROW_FLOW],
            offset=rows[:, ROW_START],
            captured=rows[:, ROW_STOP] - rows[:, ROW_START],
            length=rows[:, ROW_LENGTH],
            kind=rows[:, ROW_KIND],
            ttl=rows[:, ROW_TTL],
            direction=rows[:, ROW_DIRECTION],
            ip_id=rows[:, ROW_IP_ID],
            payload=b"".join(self._payload),
            flow_keys=self._keys[: self._flows],
            flow_counters=self._counters[: self._flows],
            icmp=self._icmp,
            packets=self.packets,
            captured_bytes=self._bytes,
            first_time=self._first_time,
            last_time=self._last_time,
            oddities=self._oddities,
            ethertypes={int(k): int(self._ethertypes[k]) for k in np.flatnonzero(self._ethertypes)},
            protocols={int(k): int(self._protocols[k]) for k in np.flatnonzero(self._protocols)},
        )
