"""DTLS records, RTP and RTCP of all captures, of the lab and from the wild, against Wireshark's dissectors.

Wireshark 4.0 and older do not know the unified header of DTLS 1.3, so what is compared are records with the header of
DTLS 1.2.  Whatever differs in a capture stands in a table below, with the reason and who is right.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import stunpcap
from stunpcap.media.words import HANDSHAKES
from stunpcap.trace import Trace
from tests.places import lab_captures, name_of, shared_captures
from tests.wire.scanning import TSHARK, needs_tshark

CAPTURES = [*lab_captures(), *shared_captures()]
FIELDS = (
    *("frame.number", "icmp.type", "icmpv6.type", "udp.srcport"),
    *("dtls.record.content_type", "dtls.record.epoch", "dtls.record.sequence_number", "dtls.handshake.type"),
    *("rtp.ssrc", "rtp.p_type", "data.data", "frame.protocols"),
)
OPTIONS = ("--enable-heuristic", "rtp_udp", "--enable-heuristic", "rtp_stun", "--enable-heuristic", "dtls_stun")
"""Media and DTLS wherever they look like it, also in what a TURN server relays."""
KEPT = {"20": "change-cipher-spec", "21": "alert", "22": "handshake"}


@dataclass
class View:
    """What somebody sees in a capture, how often."""

    records: Counter[tuple[int, str, int, int]] = field(default_factory=Counter)
    """Frame, content type, epoch, number."""
    messages: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Frame, handshake message in the clear."""
    data: int = 0
    """Datagrams with application data under the header of DTLS 1.2."""
    rtp: Counter[int] = field(default_factory=Counter)
    """SSRC -> packets."""
    types: set[tuple[int, str]] = field(default_factory=set)
    """SSRC and payload type."""
    rtcp: int = 0
    """Packets."""


def wireshark(path: Path) -> View:
    """One run for all that is compared."""
    shown = 'dtls || rtp || rtcp || data || frame.protocols contains "rtcp"'
    command = [str(TSHARK), "-n", "-r", str(path), "-Y", shown, "-T", "fields", *OPTIONS]
    command += [part for name in FIELDS for part in ("-e", name)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=100, env={**os.environ, "LC_ALL": "C"}
    )
    assert "filter" not in done.stderr and "aren't valid" not in done.stderr, done.stderr
    view = View()
    for line in done.stdout.splitlines():
        cells = dict(zip(FIELDS, (cell.split(",") if cell else [] for cell in line.split("\t")), strict=True))
        if cells["icmp.type"] or cells["icmpv6.type"]:
            continue  # an ICMP error quotes the packet, nobody sent it then
        frame = int(cells["frame.number"][0])
        kinds, epochs, numbers = (cells[f"dtls.record.{name}"] for name in ("content_type", "epoch", "sequence_number"))
        for kind, epoch, number in zip(kinds, epochs, numbers, strict=False):
            if kind in KEPT:
                view.records[frame, KEPT[kind], int(epoch), int(number)] += 1
        view.data += any(kind == "23" and epoch != "0" for kind, epoch in zip(kinds, epochs, strict=False))
        for kind in cells["dtls.handshake.type"]:
            view.messages[frame, HANDSHAKES.get(int(kind), kind)] += 1
        for ssrc, payload in zip(cells["rtp.ssrc"], cells["rtp.p_type"], strict=False):
            view.rtp[int(ssrc, 16)] += 1
            view.types.add((int(ssrc, 16), payload))
        view.rtcp += "rtcp" in cells["frame.protocols"][0].split(":")
        for data in map(bytes.fromhex, cells["data.data"]):
            # Wireshark leaves SRTCP alone; it is told by its first two bytes (RFC 5761 section 4).
            view.rtcp += len(data) >= 8 and data[0] >> 6 == 2 and 192 <= data[1] <= 223
    return view


def ours(trace: Trace) -> View:
    view = View()
    for row in trace.table("dtls").records():
        if row["content"] in KEPT.values():
            view.records[row["frame"], row["content"], row["epoch"], row["sequence"]] += 1
        if row["epoch"] == 0 and row["handshake"]:
            for name in row["handshake"].split(", "):
                # Wireshark takes a HelloRetryRequest for the ServerHello that it is on the wire.
                view.messages[row["frame"], "server-hello" if name == "hello-retry-request" else name] += 1
    for row in trace.table("streams").records():
        if row["kind"] == "rtp":
            view.rtp[row["ssrc"]] += row["packets"]
            view.types |= {(row["ssrc"], kind) for kind in row["payload_types"].split(", ")}
        elif row["kind"] == "rtcp":
            view.rtcp += row["packets"]
        elif "hidden" not in trace.table("dtls").values("content"):
            view.data += row["packets"]
    return view


FRAMED = "RTP, RTCP and DTLS over TCP (RFC 4571): Wireshark does not look behind that framing; we do, and are right"
ICE_TCP = {"records": (0, 29, FRAMED), "messages": (0, 24, FRAMED), "data": (0, 49, FRAMED)}
PADDED = "SRTP with the padding bit, whose last byte is encrypted: Wireshark takes it for impossible; we are right"
OTHERS = "other programs' packets that begin as RTP or RTCP do; of RTCP we ask that its length fits: nobody can be sure"
ZOOM = (
    "Zoom's own handshake, with a message type of TLS that DTLS does not send: Wireshark rejects it, we name its type"
)
TORN = "TCP segments lost, repeated, out of order: Wireshark reads them as they come, we put them in order first"
DIFFERENT: dict[str, dict[str, tuple[int, int, str]]] = {
    **dict.fromkeys((f"ice-tcp/{name}.pcap" for name in ("offerer", "answerer", "router-a")), ICE_TCP),
    "nDPI__stun.pcap": {"records": (0, 1, ZOOM), "messages": (0, 1, ZOOM)},
    "nDPI__stun_google_meet.pcapng": {"rtp": (0, 17, PADDED)},
    "nDPI__stun_signal.pcapng": {"rtp": (0, 1, PADDED)},
    "srtp_decoder__WebRTC_PCMA_p2p_SDES_Call_1.pcap": {"rtp": (0, 24, FRAMED), "rtcp": (0, 2, FRAMED)},
    "srtp_decoder__tcp_call_02_03_client_s2.pcap": {"rtp": (0, 28, TORN), "rtcp": (1, 0, TORN)},
    "mercury__emix.pcap": {"rtcp": (3, 0, OTHERS)},
}
"""Capture -> what differs: how much only Wireshark finds, how much only we do, and who is right."""


def only(theirs: Counter[object] | set[object] | int, mine: Counter[object] | set[object] | int) -> tuple[int, int]:
    """How much one finds that the other does not."""
    match theirs, mine:
        case (int(), int()):
            return max(0, theirs - mine), max(0, mine - theirs)
        case (Counter(), Counter()):
            return (theirs - mine).total(), (mine - theirs).total()
        case _:
            return len(theirs - mine), len(mine - theirs)  # type: ignore[operator, arg-type]


@pytest.fixture(scope="module")
def views() -> Iterator[dict[Path, Future[View]]]:
    """Wireshark's views, which take most of the time: made beside ours."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {path: pool.submit(wireshark, path) for path in CAPTURES}


@needs_tshark
@pytest.mark.parametrize("path", CAPTURES, ids=name_of)
def test_dtls_and_media(path: Path, views: dict[Path, Future[View]]) -> None:
    """Records, handshake messages, application data, RTP by SSRC, payload types, RTCP."""
    trace = stunpcap.read(path)
    theirs, mine = views[path].result(), ours(trace)
    if "hidden" in trace.table("dtls").values("content"):
        theirs.data = 0  # and ours is not counted: of DTLS 1.3 Wireshark sees none
    known = DIFFERENT.get(name_of(path), {})
    for name in ("records", "messages", "data", "rtp", "types", "rtcp"):
        found = only(getattr(theirs, name), getattr(mine, name))
        assert found == known.get(name, (0, 0))[:2], (name, found)


@needs_tshark
def test_there_is_something_to_compare(views: dict[Path, Future[View]]) -> None:
    """Not all views are empty for want of a field, say."""
    lab = [views[path].result() for path in lab_captures()]
    for name in ("records", "messages", "rtp"):
        assert sum(getattr(view, name).total() for view in lab) > 100, name
    assert sum(view.rtcp for view in lab) > 100 and sum(view.data for view in lab) > 100
