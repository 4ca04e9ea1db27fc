"""The frame `handshakes`: what each DTLS handshake came to, as far as its records tell.

A handshake begins with a ClientHello that has a new random; what else goes between the same two ends belongs to the one
that began last.  How its end is told: `docs/media.md`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, count_in, find, first_of, group, last_of, maximum_in, minimum_in, pick
from stunpcap.media.flights import incomplete, last_flights
from stunpcap.media.records import Records
from stunpcap.media.words import SERVERS
from stunpcap.schema import CONTENT, ENDED_BY, HANDSHAKE_STATE, STREAM_KIND
from stunpcap.table import MISSING, NAT, Pools, Table
from stunpcap.wire import dtls
from stunpcap.wire.counters import SHORT

NEVER = int(np.iinfo(np.int64).max)
STATE = {name: code for code, name in enumerate(HANDSHAKE_STATE)}
ENDED = {name: code for code, name in enumerate(ENDED_BY)}
CLIENT, SERVER = 0, 1


def build_handshakes(records: Records, streams: Table, pools: Pools) -> Table:
    """The frame; fills `handshake_id` of the records."""
    table, raw = records.table, records.raw
    number, both = _handshakes(table, raw)
    rows = np.flatnonzero(number >= 0)
    count = int(number.max(initial=-1)) + 1
    table["handshake_id"] = np.where(number >= 0, number + 1, MISSING)
    rows = rows[~table["duplicate"][rows]]
    rows = rows[np.argsort(table["time"][rows], kind="stable")]
    of = number[rows]
    client, server, side = _ends(table, raw, rows, of, count)
    place = 2 * of + side
    content, epoch, time = table["content"][rows], table["epoch"][rows], table["time"][rows]
    hidden = content == CONTENT.index("hidden")
    keyed = ~hidden & (epoch > 0) & np.isin(content, [CONTENT.index("handshake"), CONTENT.index("application-data")])
    finish = keyed | (hidden & (epoch != 2)) | (hidden & (side == CLIENT))
    shown = minimum_in(place[finish], 2 * count, time[finish], NEVER).reshape(count, 2)
    heard = (count_in(place, 2 * count) > 0).reshape(count, 2)
    final = _final(both, rows, of, count)
    clear_data = _first_data(table, rows, streams, of, side, final & ~(count_in(of, count, hidden) > 0))
    shown, heard = np.minimum(shown, clear_data), heard | (clear_data < NEVER)
    done: Any = ((shown < NEVER) | ~heard).all(axis=1) & (shown < NEVER).any(axis=1)
    finished = np.where(shown < NEVER, shown, NAT).max(axis=1)
    kind = raw[rows, dtls.TYPES] & 0xFF
    holds = (raw[rows, dtls.MESSAGES] > 0) & (table["fragment_offset"][rows] <= 0)
    client_hello, server_hello = (holds & (kind == what) for what in (dtls.CLIENT_HELLO, dtls.SERVER_HELLO))
    answered = heard[:, SERVER] & (
        count_in(place, 2 * count, (~hidden | (epoch == 2)) & (side == SERVER)).reshape(count, 2)[:, SERVER] > 0
    )
    again = table["retransmission"][rows]
    answers = minimum_in(of[side == SERVER], count, time[side == SERVER], NEVER)
    repeated = np.asarray(again & (time > answers[of]))
    stalled = count_in(of, count, repeated) > 0
    is_alert = content == CONTENT.index("alert")
    alert = first_of(of[is_alert], count)
    alert = pick(rows[is_alert], alert)
    state = np.full(count, STATE["started"], np.int8)
    state[answered] = STATE["answered"]
    state[answered & stalled] = STATE["stalled"]
    state[done] = STATE["done"]
    in_clear = is_alert & (epoch == 0)
    refused = count_in(of, count, in_clear | (is_alert & ~done[of])) > 0
    state[refused] = STATE["failed"]
    finished = np.where(state == STATE["done"], finished, NAT)
    lead, last = first_of(of, count), last_of(of, count)
    data = _data(table, rows, streams, of, side, final)
    quiet = (data == 0).any(axis=1)
    tail = rows[last] if count else rows
    ended = np.full(count, MISSING, np.int8)
    short = hidden & (epoch != 2) & (table["record_bytes"][rows] <= SHORT)
    ended[(count_in(of, count, short) > 0) & quiet & (table["content"][tail] == CONTENT.index("hidden"))] = ENDED[
        "short-records"
    ]
    ended[(count_in(of, count, is_alert & (epoch > 0)) > 0) & quiet] = ENDED["protected-alert"]
    ended[refused & (count_in(of, count, in_clear) > 0)] = ENDED["alert"]
    repeats = _repeats(table, raw, rows, place, again, count)
    clear = (raw[rows, dtls.MESSAGES] > 0) | (epoch == 2) & hidden | keyed
    largest = maximum_in(place[clear], 2 * count, table["size_bytes"][rows][clear], 0).reshape(count, 2)
    telling = clear | is_alert | short
    tail = pick(rows[telling], last_of(of[telling], count))
    lasts = pick(table["frame"][rows], pick(np.flatnonzero(clear), last_of(place[clear], 2 * count))).reshape(count, 2)
    chosen = pick(table["version"][rows], _first(of, count, server_hello))
    offered = pick(table["version"][rows], _first(of, count, client_hello))
    anything = pick(table["version"][rows], _first(of, count, side == SERVER))
    version = np.where(chosen >= 0, chosen, np.where(offered >= 0, offered, anything))
    lowest = pools.texts.number("1.3")
    version[count_in(of, count, hidden) > 0] = lowest
    first_row = rows[lead] if count else rows
    return Table(
        "handshakes",
        count,
        pools,
        {
            "handshake_id": np.arange(1, count + 1),
            **{name: table[name][first_row] for name in ("session_id", "pair_id", "vantage", "transport", "carrier")},
            "client": client,
            "server": server,
            "version": version,
            "state": state,
            "started": time[lead],
            "finished": finished,
            "duration_s": np.where(finished > NAT, (finished - time[lead]) / 1e9, np.nan),
            "client_hellos": count_in(of, count, client_hello),
            "server_hellos": count_in(of, count, server_hello),
            "client_flights_repeated": repeats[:, CLIENT],
            "server_flights_repeated": repeats[:, SERVER],
            "last_flight": last_flights(table, rows, of, side, count, pools),
            "largest_client_bytes": largest[:, CLIENT],
            "largest_server_bytes": largest[:, SERVER],
            "incomplete": incomplete(table, raw, rows, place, count, pools),
            "alert": pick(table["alert"], alert),
            "alert_src": pick(table["src"], alert),
            "alert_frame": pick(table["frame"], alert),
            "ended_by": ended,
            "client_data_packets": data[:, CLIENT],
            "server_data_packets": data[:, SERVER],
            "first_frame": table["frame"][first_row],
            "last_frame": pick(table["frame"], tail),
            "client_frame": lasts[:, CLIENT],
            "server_frame": lasts[:, SERVER],
        },
    )


def _first(of: Ints, count: int, mask: Any) -> Ints:
    """For each handshake its first row of those in the mask."""
    where: Ints = pick(np.flatnonzero(mask), first_of(of[mask], count))
    return where


def _handshakes(table: Table, raw: Ints) -> tuple[Ints, Ints]:
    """For each record the number of its handshake, -1 for none, and of the two ends between which it went."""
    if not len(table):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    low, high = (method(table["src"], table["dst"]) for method in (np.minimum, np.maximum))
    both, n_both = group(table["vantage"], low, high, table["transport"])
    opens = (raw[:, dtls.MESSAGES] > 0) & (raw[:, dtls.TYPES] & 0xFF == dtls.CLIENT_HELLO)
    opens &= (raw[:, dtls.RANDOM] >= 0) & (raw[:, dtls.CONTENT] == dtls.HANDSHAKE)
    order = np.lexsort((np.arange(len(table)), table["time"], both))
    hello, hellos = group(both, table["src"], np.where(opens, raw[:, dtls.RANDOM], -1))
    lead = first_of(hello, hellos, order)
    fresh = np.zeros(len(table), np.bool_)
    fresh[lead] = True
    fresh &= opens
    total = np.cumsum(fresh[order])
    starts = np.flatnonzero(np.diff(both[order], prepend=-1))
    base: Ints = total[starts] - fresh[order][starts]
    turn = np.empty(len(table), np.int64)
    turn[order] = total - base[np.cumsum(np.diff(both[order], prepend=-1) != 0) - 1]
    turn[opens] = turn[lead[hello]][opens]
    turn = np.maximum(turn, 1)
    # Where no handshake was captured, only what followed it, there is nothing to tell.
    any_clear = np.zeros(n_both, np.bool_)
    clear = (raw[:, dtls.EPOCH] == 0) & (raw[:, dtls.CONTENT] != dtls.HIDDEN)
    tells = clear | (raw[:, dtls.EPOCH] == 2) | (raw[:, dtls.CONTENT] == dtls.HANDSHAKE)
    any_clear[both[tells]] = True
    rows = np.flatnonzero(any_clear[both])
    number = np.full(len(table), -1, np.int64)
    if len(rows):
        named, count = group(both[rows], turn[rows])
        first = minimum_in(named, count, table["time"][rows], NEVER)
        rank = np.empty(count, np.int64)
        rank[np.argsort(first, kind="stable")] = np.arange(count)
        number[rows] = rank[named]
    return number, both


def _ends(table: Table, raw: Ints, rows: Ints, of: Ints, count: int) -> tuple[Ints, Ints, Ints]:
    """Client and server of each handshake, -1 if unknown, and of each record which of them sent it."""
    src, dst = table["src"][rows].astype(np.int64), table["dst"][rows].astype(np.int64)
    kind = np.where(raw[rows, dtls.MESSAGES] > 0, raw[rows, dtls.TYPES] & 0xFF, -1)
    asks, serves = kind == dtls.CLIENT_HELLO, np.isin(kind, SERVERS)
    from_hello, from_server = _first(of, count, asks), _first(of, count, serves)
    client = np.where(from_hello >= 0, pick(src, from_hello), pick(dst, from_server))
    server = np.where(from_hello >= 0, pick(dst, from_hello), pick(src, from_server))
    lead = first_of(of, count)
    assumed = np.where(client >= 0, client, pick(src, lead))
    return client, server, (src != assumed[of]).astype(np.int64)


def _repeats(table: Table, raw: Ints, rows: Ints, place: Ints, again: Any, count: int) -> Ints:
    """How often each end repeated a flight: as often as the piece that it repeated most."""
    hit = np.flatnonzero(again)
    names = (dtls.CONTENT, dtls.EPOCH, dtls.MESSAGE_SEQ, dtls.FRAGMENT_OFFSET, dtls.LENGTH)
    piece, pieces = group(place[hit], *(raw[rows[hit], name] for name in names))
    lead = first_of(piece, pieces)
    return maximum_in(place[hit][lead], 2 * count, count_in(piece, pieces), 0).reshape(count, 2)


def _final(both: Ints, rows: Ints, of: Ints, count: int) -> Any:
    """Whether each handshake is the last one between its two ends."""
    result = np.zeros(count, np.bool_)
    if count:
        last = last_of(both[rows], int(both.max()) + 1)
        result[of[last[last >= 0]]] = True
    return result


def _first_data(table: Table, rows: Ints, streams: Table, of: Ints, side: Ints, asked: Any) -> Ints:
    """When the first application data went from each end, after the first record of those handshakes that are asked
    for: whoever sends some has the keys."""
    count = len(asked)
    result = np.full((count, 2), NEVER, np.int64)
    data = np.flatnonzero(streams["kind"] == STREAM_KIND.index("data"))
    data = data[np.argsort(-streams["first_time"][data], kind="stable")]
    lead = first_of(of, count)
    ends = {name: table[name][rows[lead]] for name in ("vantage", "src", "dst", "transport")} if count else {}
    for way in (0, 1) if count and len(data) else ():
        names = ("vantage", "dst", "src", "transport") if way else tuple(ends)
        found = find([ends[name] for name in names], [streams[name][data] for name in ends])
        time = pick(streams["first_time"][data], found, NEVER)
        fits = asked & (time >= table["time"][rows[lead]])
        result[fits, side[lead[fits]] ^ way] = time[fits]
    return result


def _data(table: Table, rows: Ints, streams: Table, of: Ints, side: Ints, final: Any) -> Ints:
    """Packets of data and media from each end; the last handshake between two ends has them all."""
    count = len(final)
    result = np.zeros((count, 2), np.int64)
    if not count or not len(streams):
        return result
    names = ("vantage", "src", "dst", "transport")
    ways, _ = group(*(np.concatenate([streams[name], table[name][rows]]) for name in names))
    # What a relay passes on is there twice where it was captured on both sides.
    stream, n_streams = group(ways[: len(streams)], streams["kind"], streams["ssrc"])
    packets = maximum_in(stream, n_streams, streams["packets"], 0)
    most = np.bincount(ways[first_of(stream, n_streams)], packets, int(ways.max()) + 1).astype(np.int64)
    place = 2 * of + side
    seen, n_seen = group(place, ways[len(streams) :])
    pointed = first_of(seen, n_seen)
    np.maximum.at(result.reshape(-1), place[pointed], most[ways[len(streams) :]][pointed])
    result[~final] = 0
    return result
