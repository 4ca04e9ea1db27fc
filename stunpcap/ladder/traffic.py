"""What passed besides STUN: TCP connections, TLS that hides a relay, DTLS flights, the first media each way."""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.analysis import Tables
from stunpcap.ladder.model import Step
from stunpcap.ladder.parties import Parties, Route
from stunpcap.ladder.steps import Known, is_here, way_of
from stunpcap.ladder.words import moment
from stunpcap.schema import OPAQUE, TRANSPORT
from stunpcap.summary.model import Session
from stunpcap.table import NAT, Table
from stunpcap.words import many

FLIGHTS = 8
"""DTLS flights that are told of a story."""
_SPOKEN = ("handshake", "alert", "change-cipher-spec")
_TCP = TRANSPORT.index("tcp")


def tcp_steps(tables: Tables, parties: Parties, vantage: int, known: Known) -> list[Step]:
    """Connections between the parties: asked for, accepted, refused, or hidden by TLS."""
    flows = tables.flows
    rows = np.flatnonzero((flows["vantage"] == vantage) & (flows["transport"] == _TCP))
    ends = tables.transactions.pools.endpoints
    found = []
    for at in rows.tolist():
        src, dst = ends.text(int(flows["src"][at])), ends.text(int(flows["dst"][at]))
        route = parties.route(src, dst)
        if route is None:
            continue
        said = []
        syn, ack, rst = (int(flows[name][at]) for name in ("syn", "syn_ack", "rst"))
        back = np.flatnonzero((flows["src"][rows] == flows["dst"][at]) & (flows["dst"][rows] == flows["src"][at]))
        answered = bool(len(back)) and int(flows["packets"][rows[back]].sum()) > 0
        if syn:
            said.append("TCP SYN" if syn == 1 else f"TCP SYN, sent {syn} times")
        elif ack:
            said.append("TCP SYN and ACK")
        elif rst:
            said.append("TCP RST: refused or broken")
        hidden = OPAQUE[int(flows["opaque"][at])] if flows["opaque"][at] >= 0 else ""
        if hidden and (syn or not ack):
            said.append(f"then {hidden.upper()}: what is inside cannot be seen")
        if not said:
            continue
        fate = "seen" if answered or not syn else "no-answer"
        label = ", ".join(said) + ("" if fate == "seen" else ": no answer seen")
        event = "tls" if hidden else "tcp"
        found.append(_step(known, route, src, dst, event, fate, label, flows, at, "first_time", "first_frame"))
    return found


def traffic_steps(
    tables: Tables, parties: Parties, vantage: int, known: Known, session: Session, *, full: bool
) -> list[Step]:
    """DTLS flights and the first media of a session."""
    steps = _flights(tables.dtls, parties, vantage, known, session, None if full else FLIGHTS)
    return steps + _media(tables.streams, parties, vantage, known, session)


def _flights(
    dtls: Table, parties: Parties, vantage: int, known: Known, session: Session, most: int | None
) -> list[Step]:
    """Handshake records of one end in a row are a flight; what is sent again is told once."""
    told = (dtls["handshake"] >= 0) | np.isin(dtls["content"], [dtls.code("content", name) for name in _SPOKEN])
    picked = (dtls["session_id"] == session.session_id) & (dtls["vantage"] == vantage) & told & ~dtls["duplicate"]
    rows = np.flatnonzero(picked)
    rows = rows[np.argsort(dtls["time"][rows], kind="stable")]
    said = dtls.take(rows)
    flights: list[dict[str, Any]] = []
    columns = ("src", "dst", "content", "handshake", "alert", "retransmission", "frame")
    for place, (src, dst, content, handshake, alert, again, frame) in enumerate(
        zip(*(said.values(name) for name in columns), strict=True)
    ):
        last = flights[-1] if flights else None
        if last is None or (last["src"], last["dst"], last["again"]) != (src, dst, again) or content == "alert":
            repeated = next((flight for flight in flights if again and flight["src"] == src and flight["again"]), None)
            if repeated is not None:
                repeated["packets"] += 1
                repeated["until"] = int(dtls["time"][rows[place]])
                continue
            last = {"src": src, "dst": dst, "again": again, "names": [], "frame": frame, "at": place, "packets": 0}
            flights.append(last)
        last["names"] = list(dict.fromkeys([*last["names"], *_names(content, handshake, alert)]))
        last["until"] = int(dtls["time"][rows[place]])
        last["packets"] += 1
    steps = []
    for flight in flights if most is None else flights[:most]:
        route = parties.route(flight["src"], flight["dst"])
        if route is None:
            continue
        names = flight["names"]
        label = "DTLS handshake, encrypted" if names == ["encrypted"] else f"DTLS {', '.join(names)}"
        if flight["again"]:
            label += f": sent again, {many(flight['packets'], 'record')} until {moment(known.offset(flight['until']))}"
        heard = any(other["src"] == flight["dst"] for other in flights)
        fate = "seen" if heard else "ignored" if is_here(flight["dst"], known) else "no-answer"
        label += "" if heard else ": no answer seen"
        at = int(rows[flight["at"]])
        steps.append(_step(known, route, flight["src"], flight["dst"], "dtls", fate, label, dtls, at, "time", "frame"))
    return steps


def _names(content: str, handshake: str | None, alert: str | None) -> list[str]:
    """What a record says, in the words of the RFC."""
    if content == "alert":
        return [f"alert {alert or 'unknown'}"]
    if content == "change-cipher-spec":
        return ["ChangeCipherSpec"]
    names = (handshake or "encrypted").split(", ")
    return ["encrypted" if name == "encrypted" else _message(name) for name in names]


def _message(name: str) -> str:
    """`client-hello` as the RFC writes it: ClientHello."""
    return "".join(part.capitalize() for part in name.split("-"))


def _media(streams: Table, parties: Parties, vantage: int, known: Known, session: Session) -> list[Step]:
    """The first packet of media or data of each direction, and how much followed."""
    picked = (streams["session_id"] == session.session_id) & (streams["vantage"] == vantage)
    rows = np.flatnonzero(picked)
    rows = rows[np.argsort(streams["first_time"][rows], kind="stable")]
    said = streams.take(rows)
    by_way: dict[tuple[str, str, str], list[int]] = {}
    for row, src, dst, kind in zip(
        rows.tolist(), said.values("src"), said.values("dst"), said.values("kind"), strict=True
    ):
        if kind != "rtcp":
            by_way.setdefault((src, dst, kind), []).append(row)
    steps = []
    for (src, dst, kind), some in by_way.items():
        route = parties.route(src, dst)
        times = [int(streams["last_time"][row]) for row in some]
        if route is None or max(times) == NAT:
            continue
        packets = int(sum(int(streams["packets"][row]) for row in some))
        name = "first RTP" if kind == "rtp" else "first application data"
        label = f"{name}; {many(packets, 'packet')} until {moment(known.offset(max(times)))}"
        steps.append(
            _step(known, route, src, dst, "media", "seen", label, streams, some[0], "first_time", "first_frame")
        )
    return steps


def _step(
    known: Known,
    route: Route,
    src: str,
    dst: str,
    event: str,
    fate: str,
    label: str,
    table: Table,
    at: int,
    time: str,
    frame: str,
) -> Step:
    time_ns = int(table[time][at])
    return Step(
        time_ns=time_ns,
        offset_s=known.offset(time_ns),
        frame=int(table[frame][at]),
        source=route.source,
        target=route.target,
        **way_of(route, fate),
        event=event,
        fate=fate,
        label=label,
        src=src,
        dst=dst,
        stands_for=0,
        until_s=None,
        transaction_id="",
        answers=None,
    )
