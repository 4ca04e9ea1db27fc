"""Three engines, the same messages: every capture of the lab and from the wild, field by field.

Where they differ, a table says why, and who is right; a difference that is gone has to leave its table.  scapy's engine
takes STUN from our decoder: with it, files, links, tunnels and IP are compared.  tshark's engine takes messages and
fields from tshark alone.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import stunpcap
from stunpcap.schema import FRAMES
from tests.places import LAB, lab_captures, name_of, shared_captures
from tests.wireshark_view import AFTER_INTEGRITY, NOMINATION, OURS_ONLY, OVERRUN, PADDED_USERNAME

Record = dict[str, Any]

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
ALL = [*lab_captures(), *shared_captures()]

MS_TURN = (
    "Microsoft's TURN has types and attributes of its own, unpadded (MS-TURN 2.2): tshark reads those of RFC 8656 into "
    "it, we are right"
)
WHATEVER_THE_VARIANT = ("vantage", "frame", "time", "transport", "carrier", "transaction_id", "size_bytes", "ttl")
"""Columns that do not depend on types and attributes."""

NUL = (
    "the length of the text counts a NUL byte or two behind it (coturn): they are part of the value, which we give as "
    "it was written; the strings of tshark end there"
)
COTURN = ("turn-long", "turn-mismatch", "turn-quota", "turn-allocation-expired", "turn-short-lifetime")
FRAMED = (
    "tshark takes the frames of RFC 4571 around DTLS for the length of STUN messages, and swallows what follows: all "
    "of them lie whole in the stream"
)

DIFFERENT: dict[tuple[str, str], str] = {
    ("nDPI__stun_signal.pcapng", "use_candidate"): NOMINATION,
    ("nDPI__stun.pcap", "username"): PADDED_USERNAME,
    ("srtp_decoder__WebRTC_PCMA_Turn_SDES_Call_1.pcap", "software"): AFTER_INTEGRITY,
    ("srtp_decoder__WebRTC_PCMA_p2p_SDES_Call_1.pcap", "software"): AFTER_INTEGRITY,
    ("srtp_decoder__wifi-tcp_to_3g.pcap", "software"): AFTER_INTEGRITY,
    ("zeek-spicy-stun__stun-attribute-length-ffff.pcap", "mapped"): OVERRUN,
}
"""(capture, column) -> why tshark's value is another one, and who is right."""

MISSED = OURS_ONLY | {f"ice-tcp/{vantage}.pcap": (11, FRAMED) for vantage in ("answerer", "offerer", "router-a")}
"""Messages that tshark does not see: how many, and why they are messages."""


def read(path: Path, engine: str) -> list[Record]:
    """All messages of a capture as they were read, before anything is correlated."""
    (vantage,) = stunpcap.read(path, engine=engine).sources
    return list(vantage.messages.records())


def differences(ours: Record, theirs: Record) -> dict[str, tuple[Any, Any]]:
    """Columns in which two records of one message differ."""
    return {name: (value, theirs[name]) for name, value in ours.items() if value != theirs[name]}


def is_ms_turn(path: Path) -> bool:
    return path.name in ("TracePcap__teams.pcap", "arkime__stun.pcap")


def compare(path: Path, ours: list[Record], theirs: list[Record]) -> None:
    """Hold tshark's messages against ours."""
    waiting: dict[tuple[int, str], list[Record]] = defaultdict(list)
    for record in ours:
        waiting[record["frame"], record["transaction_id"]].append(record)
    problems = []
    explained = set()
    for record in theirs:
        same = waiting[record["frame"], record["transaction_id"]]
        if not same:
            problems.append(f"frame {record['frame']}: only tshark has {record['class']} {record['method']}")
            continue
        mine = same.pop(0)
        if is_ms_turn(path) and mine["method"] != "binding":
            explained.add(MS_TURN)
            mine, record = ({name: one[name] for name in WHATEVER_THE_VARIANT} for one in (mine, record))
        for name, (own, other) in differences(mine, record).items():
            if (name_of(path), name) in DIFFERENT:
                explained.add(name)
            elif name == "error_reason" and path.parent.name in COTURN and own.rstrip("\0") == other:
                pass  # NUL
            else:
                problems.append(f"frame {record['frame']} {name}: ours {own!r}, tshark's {other!r}")
    assert not problems, "\n".join(problems[:40])
    extra = [record for left in waiting.values() for record in left]
    assert len(extra) == MISSED.get(name_of(path), (0, ""))[0], [(one["frame"], one["method"]) for one in extra]
    expected = {name for file, name in DIFFERENT if file == name_of(path)} | ({MS_TURN} if is_ms_turn(path) else set())
    assert explained == expected, "a difference that is gone leaves the list"


@needs_tshark
@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_three_engines_see_the_same(path: Path) -> None:
    pytest.importorskip("scapy")
    pytest.importorskip("pyshark")
    ours = read(path, "native")
    assert read(path, "scapy") == ours
    compare(path, ours, read(path, "pyshark"))


ONWARD = (
    *("asymmetric-dead/answerer.pcap", "asymmetric-rescued/offerer.pcap", "ice-restart/offerer.pcap"),
    *(
        "icmp-admin-prohibited/offerer.pcap",
        "turn-udp/server.pcap",
        "turn-tcp/offerer.pcap",
        "turn-forbidden/offerer.pcap",
    ),
    *("media-one-way/answerer.pcap", "capture-vlan/trunk.pcap", "capture-any/router-any.pcap", "lossy/offerer.pcap"),
)


@needs_tshark
@pytest.mark.parametrize("name", ONWARD)
@pytest.mark.parametrize("engine", ["pyshark", "scapy"])
def test_what_follows_from_the_messages_is_the_same(name: str, engine: str) -> None:
    pytest.importorskip(engine)
    ours, theirs = stunpcap.read(LAB / name), stunpcap.read(LAB / name, engine=engine)
    for frame in FRAMES:
        if frame not in ("vantages", "defects"):  # which say how they were read
            assert list(theirs.table(frame).records()) == list(ours.table(frame).records()), frame
    assert len(ours.table("messages"))


def test_there_are_captures() -> None:
    assert len(ALL) > 250
