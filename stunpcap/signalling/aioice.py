"""Debug logs of aioice and aiortc: STUN messages with whole transaction ids, checks by state, descriptions.

A transaction id is found again in the capture, which gives the exact offset between the two clocks.
"""

from __future__ import annotations

import re

from stunpcap.signalling import log
from stunpcap.signalling.model import Exchanged, Gathering
from stunpcap.signalling.times import keep_time, time_in
from stunpcap.table import NAT

FORMAT = "aioice log"
_HEAD = re.compile(
    rb"Check CandidatePair\(|Message\(message_method=Method\.|RTCIceTransport\((controlling|controlled)\)"
    rb"|RTCPeerConnection\(\) (iceConnectionState|connectionState|iceGatheringState|setLocalDescription)"
)
_MESSAGE = re.compile(
    r"(?P<way>[<>]) \((?P<address>[^)]{1,80})\) Message\(message_method=Method\.\w+, "
    r"message_class=Class\.(?P<class>\w+), transaction_id=(?P<id>[0-9a-f]{24}|b'(?:[^'\\]|\\.){0,60}')"
)
_CHECK = re.compile(r"Check CandidatePair\((.{3,120}?)\) State\.(\w+) -> State\.(\w+)")
_KIND = {"REQUEST": "request", "RESPONSE": "success", "ERROR": "error", "INDICATION": "indication"}


def recognise(head: bytes) -> bool:
    """One of the lines that these libraries alone write."""
    return _HEAD.search(head) is not None


def read(text: str, here: Gathering) -> None:
    """The lines of a log, and of them what only these libraries write."""
    log.read(text, here)
    place = 0
    for number, line in enumerate(text.split("\n"), 1):
        here.line, here.offset = number, place
        place += len(line.encode("utf-8", "replace")) + 1
        if "Message(message_" in line and (match := _MESSAGE.search(line)):
            here.time = NAT
            keep_time(here, *time_in(line))
            here.exchanged.append(
                Exchanged(
                    _identity(match["id"]),
                    _KIND.get(match["class"], match["class"].lower()),
                    match["way"] == ">",
                    here.time,
                    here.here(),
                )
            )
        elif "Check CandidatePair" in line and (match := _CHECK.search(line)):
            here.time = NAT
            keep_time(here, *time_in(line))
            here.event("check", f"{match[1]} {match[3].lower()}")


def _identity(text: str) -> str:
    """Hex; versions before 0.7 wrote the bytes as Python does."""
    if not text.startswith("b'"):
        return text
    try:
        return text[2:-1].encode("latin-1").decode("unicode_escape").encode("latin-1").hex()
    except (UnicodeError, ValueError):
        return ""
