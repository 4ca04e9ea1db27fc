"""What happened when, lane by lane: the frame that `timeline` draws.

A lane is a direction: from one end of a candidate pair to the other, or from a client to a server.  Requests stand in
the lane they were sent on, and so does all that came back for them.  Times of different captures are never mixed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stunpcap.ice.columns import group
from stunpcap.plots.choose import (
    BothWays,
    asked_servers,
    both_ways,
    check_vantage,
    choose_session,
    main_vantage,
    session_of,
    shown_state,
    start_of,
)
from stunpcap.plots.styles import PACKETS
from stunpcap.plots.tidy import Columns, tidy
from stunpcap.table import NAT, Table

if TYPE_CHECKING:
    from stunpcap.trace import Trace

GROUPS = ("gathering", "turn", "pair")
TO_STUN_SERVERS = ("gather", "keepalive", "shared-secret", "other")
"""Kinds of transactions that may go to a server that is no TURN server."""
ANSWERS = {"success": "answer", "error": "error", "other-address": "stray"}
"""Outcome of a transaction -> what its response is."""

HANDSHAKE = ("handshake", "change-cipher-spec", "alert")
"""Content of DTLS records that a timeline shows."""
SECOND = 10**9
PAUSE = 2 * SECOND

COLUMNS: Columns = {
    "lane": "int64",
    "group": GROUPS,
    "pair_id": "Int64",
    "direction": "str",
    "src": "str",
    "dst": "str",
    "vantage": "str",
    "kind": tuple(PACKETS),
    "consent": "bool",
    "time_s": "float64",
    "end_s": "float64",
    "packets": "int64",
    "frame": "Int64",
}
KEY = ["vantage", "transaction_id", "src", "dst"]


def timeline_data(trace: Trace, *, session: int | None = None, vantage: str | None = None) -> pd.DataFrame:
    """What `timeline` draws: a row for each packet, or stretch of packets, in the order of lanes and time.

    Parameters
    ----------
    trace
        One or several captures, read.
    session
        Which session; default: the one that a summary tells first, a failed one if there is any.
    vantage
        Which capture; default: one taken at an agent if there is one, and of these the one that holds most of the
        session.  Several are not put together, since their clocks are not compared.

    Returns
    -------
    pandas.DataFrame
        `lane` counts lanes from 0; `group` says what a lane is: `gathering` and `turn` lanes lead to servers, `pair`
        lanes from one candidate to another (`direction` is `a-to-b` or `b-to-a`).  `kind` says what a packet is;
        `consent`, that it renews consent or answers such a check.  `time_s` is seconds since the session's first check
        (without a session: since the first request to a server); `end_s` is missing but for stretches (media).

    Raises
    ------
    UsageError
        There is no such session or capture.
    """
    check_vantage(trace, vantage)
    number = choose_session(trace, session)
    tables = trace.tables
    transactions = [asked_servers(trace, number)]
    lanes: dict[tuple[str, str], tuple[int, str]] = {}
    if number is not None:
        vantage = vantage or main_vantage(trace, number)
        own = tables.transactions.take(tables.transactions["session_id"] == number)
        transactions.append(own)
        lanes = lanes_of(both_ways(trace, session_of(trace, number), vantage))
    told = pd.concat([table.to_frame() for table in transactions], ignore_index=True)
    if vantage is None and len(told):
        vantage = str(told["vantage"].iloc[0])
    told = told[told["vantage"] == vantage].reset_index(drop=True)
    if told.empty:
        return tidy([], COLUMNS)
    senders = np.unique(np.concatenate([table["src"] for table in transactions]))
    parts = [_sent(tables.messages, told, senders), _came_back(told), _rejected(trace, told)]
    if number is not None:
        parts += [_handshake(tables.dtls, number, str(vantage)), _media(tables.activity, number, str(vantage))]
    events = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    events["packets"] = events["packets"].fillna(1).astype("int64") if "packets" in events else 1
    events = events[events["ns"] != NAT]
    start = start_of(trace, number) if number is not None else int(events["ns"].min()) if len(events) else 0
    events["time_s"] = (events["ns"] - start) / 1e9
    events["end_s"] = (events["end_ns"] - start) / 1e9 if "end_ns" in events else np.nan
    return _in_lanes(events, lanes)


def lanes_of(pairs: list[BothWays]) -> dict[tuple[str, str], tuple[int, str]]:
    """Source and destination -> pair and direction, in the order in which they are shown."""
    found = {}
    for both in pairs:
        a, b = both.pair.a, both.pair.b
        found[a, b] = (both.pair.pair_id, "a-to-b")
        found.setdefault((b, a), (both.pair.pair_id, "b-to-a"))
    return found


def _sent(messages: Table, told: pd.DataFrame, senders: Any) -> pd.DataFrame:
    """Every transmission of the requests of these transactions."""
    vantage = messages.pools.texts.number(str(told["vantage"].iloc[0]))
    requests = messages.take(
        (messages["class"] == messages.code("class", "request"))
        & ~messages["duplicate"]
        & (messages["vantage"] == vantage)
        & np.isin(messages["src"], senders)
    )
    keys = told[[*KEY, "kind"]].drop_duplicates(KEY)
    columns = pd.DataFrame(
        {
            "ns": requests["time"],
            "frame": requests["frame"],
            "nominating": requests["use_candidate"],
            "vantage": requests.values("vantage"),
            "transaction_id": requests.values("transaction_id"),
            "src": requests.values("src"),
            "dst": requests.values("dst"),
        }
    )
    found = columns.merge(keys, on=KEY)
    asked = found["kind"].astype(str)
    found["consent"] = asked == "consent"
    check = np.where(found["nominating"], "nomination", np.where(found["consent"], "consent", "check"))
    found["event"] = np.where(
        asked.isin(("check", "consent")), check, np.where(asked.isin(TO_STUN_SERVERS), "gather", "turn")
    )
    found["asked"] = asked
    return found


def _came_back(told: pd.DataFrame) -> pd.DataFrame:
    """The first response of each transaction, in the lane of its request."""
    answered = told[told["response_time"].notna()]
    outcome = answered["outcome"].astype(str)
    orphan = np.where(answered["error_code"].notna(), "error", "answer")
    return pd.DataFrame(
        {
            "ns": answered["response_time"].astype("int64"),
            "frame": answered["response_frame"],
            "vantage": answered["vantage"],
            "src": answered["src"],
            "dst": answered["dst"],
            "event": np.where(outcome == "orphan", orphan, outcome.map(ANSWERS).fillna("answer")),
            "consent": answered["kind"] == "consent",
            "asked": answered["kind"].astype(str),
        }
    )


def _rejected(trace: Trace, told: pd.DataFrame) -> pd.DataFrame:
    """ICMP errors, in the lane of the request that they quote."""
    times = {(one.name, quote.frame): quote.time_ns for one in trace.sources for quote in one.quotes}
    hit = told[told["icmp_frame"].notna()]
    at = [times.get(key, NAT) for key in zip(hit["vantage"], hit["icmp_frame"], strict=True)]
    return pd.DataFrame(
        {
            "ns": np.array(at, np.int64),
            "frame": hit["icmp_frame"],
            "vantage": hit["vantage"],
            "src": hit["src"],
            "dst": hit["dst"],
            "event": "icmp",
            "consent": hit["kind"] == "consent",
            "asked": hit["kind"].astype(str),
        }
    )


def _of(table: Table, number: int, vantage: str) -> Table:
    """Rows of one session and capture."""
    name = table.pools.texts.number(vantage)
    return table.take((table["session_id"] == number) & (table["vantage"] == name))


def _handshake(table: Table, number: int, vantage: str) -> pd.DataFrame:
    """Records of the DTLS handshake and alerts."""
    own = _of(table, number, vantage)
    content = np.array(own.values("content"), object)
    wanted = np.isin(content, HANDSHAKE) & ~own["duplicate"]
    own, content = own.take(wanted), content[wanted]
    return pd.DataFrame(
        {
            "ns": own["time"],
            "frame": own["frame"],
            "vantage": vantage,
            "src": own.values("src"),
            "dst": own.values("dst"),
            "event": np.where(content == "alert", "alert", "dtls"),
            "consent": False,
            "asked": "check",
        }
    )


def _media(table: Table, number: int, vantage: str) -> pd.DataFrame:
    """Stretches of seconds with media or data; a pause of up to `PAUSE` does not end one."""
    own = _of(table, number, vantage)
    packets = own["rtp_packets"] + own["rtcp_packets"] + own["data_packets"]
    own, packets = own.take(packets > 0), packets[packets > 0]
    flow, _ = group(own["src"], own["dst"])
    order = np.lexsort((own["time"], flow))
    flow, time, packets = flow[order], own["time"][order], packets[order]
    starts = np.ones(len(order), np.bool_)
    starts[1:] = (flow[1:] != flow[:-1]) | (time[1:] - time[:-1] > PAUSE)
    stretch = np.cumsum(starts) - 1
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(order)) - 1 if len(first) else first
    of = own.take(order[first])
    return pd.DataFrame(
        {
            "ns": time[first],
            "end_ns": time[last] + SECOND,
            "packets": np.bincount(stretch, packets, len(first)).astype(np.int64),
            "vantage": vantage,
            "src": of.values("src"),
            "dst": of.values("dst"),
            "event": "media",
            "consent": False,
            "asked": "check",
        }
    )


def _in_lanes(events: pd.DataFrame, lanes: dict[tuple[str, str], tuple[int, str]]) -> pd.DataFrame:
    """Events with their lanes: servers first, by when they were asked, then pairs in their order."""
    events = events.sort_values("ns", kind="stable", ignore_index=True)
    to_pair = events["asked"].isin(("check", "consent"))
    to_stun = events["asked"].isin(TO_STUN_SERVERS)
    events["group"] = np.where(to_pair, "pair", np.where(to_stun, "gathering", "turn"))
    of_lane = events.groupby(["group", "src", "dst"], sort=False).ngroup()
    firsts = events[["group", "src", "dst"]].assign(number=of_lane).drop_duplicates("number")
    order = {ends: at for at, ends in enumerate(lanes)}
    known = [
        (GROUPS.index(kind), order.get((src, dst), len(order)) if kind == "pair" else 0, number)
        for kind, src, dst, number in firsts.itertuples(index=False)
    ]
    lane_of = {number: lane for lane, (_, _, number) in enumerate(sorted(known))}
    told = {
        number: lanes.get((src, dst), (None, "")) if kind == "pair" else (None, "")
        for kind, src, dst, number in firsts.itertuples(index=False)
    }
    events["lane"] = of_lane.map(lane_of)
    events["pair_id"] = of_lane.map({number: pair for number, (pair, _) in told.items()}).astype("Int64")
    events["direction"] = of_lane.map({number: direction for number, (_, direction) in told.items()})
    events["kind"] = events["event"]
    return tidy(events, COLUMNS).sort_values(["lane", "time_s"], kind="stable", ignore_index=True)


def verdicts(pairs: list[BothWays]) -> dict[tuple[str, str], tuple[str, int, int]]:
    """Source and destination of a pair's direction -> state as shown, answers, and checks."""
    found = {}
    for both in pairs:
        for way in (both.a_to_b, both.b_to_a):
            if way is not None:
                seen = way.seen
                found[seen.src, seen.dst] = (shown_state(seen), seen.responses_received, seen.requests_sent)
    return found
