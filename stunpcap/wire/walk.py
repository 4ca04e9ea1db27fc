"""The packet walk: one compiled loop over the packets of a block, and one over what came out of TCP streams.

Each packet is dissected and counted in its flow; what matters later becomes a row: STUN, DTLS
handshakes, mDNS, TCP segments that belong to a stream that may hold these, the server's name in handshakes of TLS and
DTLS, and packets that Python looks into one by one (fragments, ICMP errors).
"""

from __future__ import annotations

from typing import Any

from stunpcap import kernels
from stunpcap.kernels import kernel
from stunpcap.wire import demux, layers
from stunpcap.wire.acknowledged import track
from stunpcap.wire.channels import DEEPEST, KEY, open_channels
from stunpcap.wire.counters import (
    BYTES,
    FIRST_FRAME,
    FIRST_TIME,
    INBOUND,
    LAST_TIME,
    N_DTLS,
    N_OTHER,
    OUTBOUND,
    PACKETS,
    TTL_MAX,
    TTL_MIN,
    count_payload,
)
from stunpcap.wire.following import N_ACTIVITY, N_STREAMS, follow_unit, note_unit, what_goes
from stunpcap.wire.framing import frame_size, frames_in, unit_in
from stunpcap.wire.hashing import find_slot
from stunpcap.wire.linktypes import ETHERNET
from stunpcap.wire.near import FETCH, come_near, fetch, near_flow
from stunpcap.wire.opaque import HELLO_FLOW, HELLO_START, HELLO_STOP
from stunpcap.wire.segments import (
    FLAGS,
    FRAMING,
    NEXT,
    OTHERS,
    OURS,
    TRIED,
    UNDECIDED,
    ahead,
    note_segment,
    pair_up,
    watch,
)
from stunpcap.wire.segments import STATE as TCP_STATE
from stunpcap.wire.tls import HELLO_TRIES, is_client_hello, is_dtls_client_hello, is_turn_port, server_name_at

# Columns of the rows that the kernel notes.
(ROW_PACKET, ROW_FLOW, ROW_START, ROW_STOP, ROW_LENGTH, ROW_KIND, ROW_TTL, ROW_DIRECTION, ROW_IP_ID) = range(9)
ROW = 9
(
    SPECIAL_PACKET,
    SPECIAL_STATUS,
    SPECIAL_INTERFACE,
    SPECIAL_DETAIL,
    SPECIAL_AT,
    SPECIAL_STOP,
    SPECIAL_LENGTH,
    SPECIAL_DIRECTION,
    SPECIAL_SRC,
) = range(9)
SPECIAL = SPECIAL_SRC + 4
(
    N_FLOWS,
    N_ROWS,
    N_SPECIALS,
    N_UNSEEN,
    FIRST_UNSEEN,
    N_TUNNEL_CUT,
    FIRST_TUNNEL_CUT,
    N_SEGMENTS,
    N_HELLOS,
    N_NOTES,
    FETCHED,
) = range(11)
STATE = 11
"""State of a scan.  Unseen: packets of whose payload too little was captured to tell what it is.  Tunnel cut: those in
which the header of what may be a packet in a tunnel was cut."""
TALLY = 16
KEPT_MDNS = 15
"""Where the tally, else of packets by what became of them, has the datagrams of mDNS that were kept."""
MOST_MDNS = 2000
"""So many of them are kept of a capture."""
MORE_ROWS = 1 << 12
"""Rows beyond one a packet: segments of TCP may hold several messages."""


@kernels.inner
def note_row(
    rows: Any,
    n: int,
    packet: int,
    flow: int,
    start: int,
    stop: int,
    length: int,
    kind: int,
    f: layers.Fields,
    toward: int,
) -> None:
    """Write the row of a payload that is kept."""
    rows[n, ROW_PACKET] = packet
    rows[n, ROW_FLOW] = flow
    rows[n, ROW_START] = start
    rows[n, ROW_STOP] = stop
    rows[n, ROW_LENGTH] = length
    rows[n, ROW_KIND] = kind
    rows[n, ROW_TTL] = f[layers.TTL]
    rows[n, ROW_DIRECTION] = toward
    rows[n, ROW_IP_ID] = f[layers.IP_ID]


@kernels.inner
def note_hello(b: Any, f: layers.Fields, flow: int, datagram: bool, hellos: Any, n: int) -> None:
    """Write the row of a ClientHello."""
    start, stop = server_name_at(b, f[layers.START], f[layers.STOP], datagram)
    hellos[n, HELLO_FLOW] = flow
    hellos[n, HELLO_START] = start
    hellos[n, HELLO_STOP] = stop


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
    frames: Any,
    begin: int,
    f: Any,
    key: Any,
    seed: int,
    slots: Any,
    keys: Any,
    counters: Any,
    state: Any,
    tcp: Any,
    holes: Any,
    rows: Any,
    segments: Any,
    specials: Any,
    hellos: Any,
    streams: Any,
    activity: Any,
    sizes: Any,
    recent: Any,
    near: Any,
    tally: Any,
    ethertypes: Any,
    protocols: Any,
) -> int:
    """Walk the packets from `begin` on; returns where it stopped: at the end, or where a table was full.

    `state` begins as zeros but for the flows, `tally` counts packets by what became of them.
    """
    n_flows, n_rows, n_specials = int(state[N_FLOWS]), int(state[N_ROWS]), int(state[N_SPECIALS])
    n_segments, n_hellos = int(state[N_SEGMENTS]), int(state[N_HELLOS])
    limit = min(len(slots) // 2, len(keys))
    has_near = len(near) > 0
    fetched = begin
    i = begin
    while i < len(offset):
        if n_flows + DEEPEST >= limit or sizes[N_STREAMS] >= len(streams) or sizes[N_ACTIVITY] >= len(activity):
            break
        if has_near and i >= fetched:
            state[FETCHED] += fetch(b, offset, i)
            fetched = i + FETCH
        start = int(offset[i])
        stop = start + int(caplen[i])
        time, frame = int(time_ns[i]), int(frames[i])
        layer = int(starts_at[interface[i]])
        flow = -1
        status = layers.DATAGRAM
        if has_near and layer == ETHERNET:
            flow = near_flow(b, start, stop, start + int(wirelen[i]), near, f)
        if flow < 0:
            status = layers.dissect(b, start, stop, start + int(wirelen[i]), layer, f)
        tally[status] += 1
        if status != layers.DATAGRAM:
            if status == layers.NOT_IP and f[layers.DETAIL] < 0x10000:
                ethertypes[f[layers.DETAIL]] += 1
            elif status == layers.OTHER_IP:
                protocols[f[layers.DETAIL]] += 1
            else:
                toward = int(direction[i])
                specials[n_specials, SPECIAL_PACKET] = i
                specials[n_specials, SPECIAL_STATUS] = status
                specials[n_specials, SPECIAL_INTERFACE] = interface[i]
                specials[n_specials, SPECIAL_DETAIL] = f[layers.DETAIL]
                specials[n_specials, SPECIAL_AT] = f[layers.IP_AT]
                specials[n_specials, SPECIAL_STOP] = f[layers.STOP]
                specials[n_specials, SPECIAL_LENGTH] = f[layers.LENGTH]
                specials[n_specials, SPECIAL_DIRECTION] = toward if toward else f[layers.DIRECTION]
                for k in range(4):
                    specials[n_specials, SPECIAL_SRC + k] = f[layers.SRC + k]
                n_specials += 1
            i += 1
            continue

        if flow < 0:
            for k in range(8):
                key[k] = f[k]
            key[8] = f[layers.SPORT] << 16 | f[layers.DPORT]
            key[9] = f[layers.PROTO]
            slot = find_slot(slots, keys, KEY, key, seed)
            flow = int(slots[slot])
            if flow < 0:
                flow = n_flows
                n_flows += 1
                slots[slot] = flow
                for k in range(KEY):
                    keys[flow, k] = key[k]
                counters[flow, FIRST_TIME] = time
                counters[flow, LAST_TIME] = time
                counters[flow, FIRST_FRAME] = frame
                counters[flow, TTL_MIN] = f[layers.TTL]
                counters[flow, TTL_MAX] = f[layers.TTL]
                if f[layers.PROTO] == layers.TCP:
                    for k in range(4):
                        key[k], key[4 + k] = key[4 + k], key[k]
                    key[8] = f[layers.DPORT] << 16 | f[layers.SPORT]
                    other = int(slots[find_slot(slots, keys, KEY, key, seed)])
                    if other >= 0:
                        pair_up(tcp, flow, other)
            if has_near:
                come_near(f, flow, near)
        counters[flow, PACKETS] += 1
        counters[flow, BYTES] += f[layers.LENGTH]
        counters[flow, FIRST_TIME] = min(int(counters[flow, FIRST_TIME]), time)
        counters[flow, LAST_TIME] = max(int(counters[flow, LAST_TIME]), time)
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
            track(b, f, tcp, flow, time, holes)
            if tcp[flow, TCP_STATE] == OTHERS and b[f[layers.DETAIL] + 13] & FLAGS == 0:
                counters[flow, N_OTHER] += 1
                i += 1
                continue
            if (
                tcp[flow, TCP_STATE] == UNDECIDED
                and tcp[flow, TRIED] < HELLO_TRIES
                and is_client_hello(b, f[layers.START], f[layers.STOP])
            ):
                note_hello(b, f, flow, False, hellos, n_hellos)
                n_hellos += 1
            if watch(b, f, tcp, flow):
                o = f[layers.START]
                end = ahead(b, f, tcp, flow)
                most = frames_in(b, o, end, int(tcp[flow, FRAMING]))
                if (
                    end < 0
                    or n_rows + most + len(offset) - i > len(rows)
                    or n_flows + DEEPEST * most >= limit
                    or sizes[N_STREAMS] + most > len(streams)
                    or sizes[N_ACTIVITY] + most > len(activity)
                ):
                    note_segment(b, f, tcp, flow, i, toward, segments, n_segments)
                    n_segments += 1
                    end = o
                framing = int(tcp[flow, FRAMING])
                if end > o:
                    tcp[flow, NEXT] = (int(tcp[flow, NEXT]) + end - o) & 0xFFFFFFFF
                while o < end:
                    start, length = unit_in(b, o, framing)
                    o += frame_size(b, o, end, framing)
                    stop = start + length
                    if length == 0:
                        continue
                    before = int(counters[flow, N_DTLS])
                    kind = count_payload(
                        b, start, stop, length, f[layers.SPORT], f[layers.DPORT], before, counters, flow
                    )
                    holder = flow
                    if kind == demux.CHANNEL:
                        n_flows, holder, kind, start, stop, length = open_channels(
                            b,
                            start,
                            stop,
                            flow,
                            n_flows,
                            layers.TCP,
                            time,
                            frame,
                            f[layers.TTL],
                            toward,
                            key,
                            seed,
                            slots,
                            keys,
                            counters,
                        )
                    if demux.is_kept(kind):
                        note_row(rows, n_rows, i, holder, start, stop, length, kind, f, toward)
                        n_rows += 1
                    what, number = what_goes(b, start, stop, kind)
                    if what >= 0:
                        follow_unit(
                            what, number, length, holder, time, frame, counters, streams, activity, sizes, recent
                        )
            if f[layers.LENGTH] <= 0 or tcp[flow, TCP_STATE] != OURS:
                counters[flow, N_OTHER] += 1
            i += 1
            continue
        kind = count_payload(
            b,
            f[layers.START],
            f[layers.STOP],
            f[layers.LENGTH],
            f[layers.SPORT],
            f[layers.DPORT],
            int(counters[flow, N_DTLS]),
            counters,
            flow,
        )
        if kind == demux.CHANNEL:
            n_flows, flow, kind, f[layers.START], f[layers.STOP], f[layers.LENGTH] = open_channels(
                b,
                f[layers.START],
                f[layers.STOP],
                flow,
                n_flows,
                f[layers.PROTO],
                time,
                frame,
                f[layers.TTL],
                toward,
                key,
                seed,
                slots,
                keys,
                counters,
            )
        elif (
            kind == demux.HANDSHAKE
            and counters[flow, N_DTLS] == 1
            and is_turn_port(f[layers.DPORT])
            and is_dtls_client_hello(b, f[layers.START], f[layers.STOP])
        ):
            note_hello(b, f, flow, True, hellos, n_hellos)
            n_hellos += 1
        if (
            kind == demux.OTHER
            and demux.is_multicast_dns(f[layers.SPORT], f[layers.DPORT])
            and tally[KEPT_MDNS] < MOST_MDNS
        ):
            tally[KEPT_MDNS] += 1
            kind = demux.MDNS
        if kind == demux.OTHER:
            seen = f[layers.STOP] - f[layers.START]
            if seen < 8 and seen < f[layers.LENGTH]:
                if state[N_UNSEEN] == 0:
                    state[FIRST_UNSEEN] = i
                state[N_UNSEEN] += 1
            elif f[layers.DETAIL] == layers.CUT:
                if state[N_TUNNEL_CUT] == 0:
                    state[FIRST_TUNNEL_CUT] = i
                state[N_TUNNEL_CUT] += 1
        else:
            if demux.is_kept(kind):
                note_row(rows, n_rows, i, flow, f[layers.START], f[layers.STOP], f[layers.LENGTH], kind, f, toward)
                n_rows += 1
            what, number = what_goes(b, f[layers.START], f[layers.STOP], kind)
            if what >= 0:
                follow_unit(
                    what, number, f[layers.LENGTH], flow, time, frame, counters, streams, activity, sizes, recent
                )
        i += 1
    state[N_FLOWS], state[N_ROWS], state[N_SPECIALS] = n_flows, n_rows, n_specials
    state[N_SEGMENTS], state[N_HELLOS] = n_segments, n_hellos
    return i


@kernel
def scan_units(
    b: Any,
    units: Any,
    marks: Any,
    begin: int,
    key: Any,
    seed: int,
    slots: Any,
    keys: Any,
    counters: Any,
    state: Any,
    rows: Any,
    notes: Any,
) -> int:
    """Do with what came out of TCP streams as with the payloads of datagrams; returns where it stopped, as `scan` does.

    A unit is a row already, but for its kind; START and STOP are places in `b`.  `marks` begin with frame and time.
    """
    n_flows, n_rows, n_notes = int(state[N_FLOWS]), int(state[N_ROWS]), int(state[N_NOTES])
    limit = min(len(slots) // 2, len(keys))
    i = begin
    while i < len(units):
        if n_flows + DEEPEST >= limit:
            break
        flow = int(units[i, ROW_FLOW])
        start = int(units[i, ROW_START])
        stop = int(units[i, ROW_STOP])
        ports = int(keys[flow, 8] & 0xFFFFFFFF)  # signed in compiled code, too
        length = int(units[i, ROW_LENGTH])
        before = int(counters[flow, N_DTLS])
        kind = count_payload(b, start, stop, length, ports >> 16, ports & 0xFFFF, before, counters, flow)
        if kind == demux.CHANNEL:
            n_flows, flow, kind, start, stop, length = open_channels(
                b,
                start,
                stop,
                flow,
                n_flows,
                layers.TCP,
                int(marks[i, 1]),
                int(marks[i, 0]),
                int(units[i, ROW_TTL]),
                int(units[i, ROW_DIRECTION]),
                key,
                seed,
                slots,
                keys,
                counters,
            )
        time, frame = int(marks[i, 1]), int(marks[i, 0])
        n_notes = note_unit(b, start, stop, length, kind, flow, time, frame, notes, n_notes)
        if demux.is_kept(kind):
            for k in range(ROW):
                rows[n_rows, k] = units[i, k]
            rows[n_rows, ROW_FLOW] = flow
            rows[n_rows, ROW_START] = start
            rows[n_rows, ROW_STOP] = stop
            rows[n_rows, ROW_LENGTH] = length
            rows[n_rows, ROW_KIND] = kind
            n_rows += 1
        i += 1
    state[N_FLOWS], state[N_ROWS], state[N_NOTES] = n_flows, n_rows, n_notes
    return i
