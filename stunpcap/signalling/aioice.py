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
_LINE = re.compile(r"^.*(?:Message\(message_method|Check CandidatePair\().*$", re.M)
_KIND = {"REQUEST": "request", "RESPONSE": "success", "ERROR": "error", "INDICATION": "indication"}


def recognise(head: bytes) -> bool:
    """One of the lines that these libraries alone write."""
    return _HEAD.search(head) is not None


def read(text: str, here: Gathering) -> None:
    """The lines of a log, and of them what only these libraries write."""
    log.read(text, here)
    number, place, at = 1, 0, 0
    for match in _LINE.finditer(text):
        passed = text[at : match.start()]
        number, at = number + passed.count("\n"), match.start()
        place += len(passed.encode("utf-8", "replace"))
        here.line, here.offset, here.time = number, place, NAT
        keep_time(here, *time_in(match[0]))
        if found := _MESSAGE.search(match[0]):
            kind = _KIND.get(found["class"], found["class"].lower())
            sent = found["way"] == ">"
            here.exchanged.append(Exchanged(_identity(found["id"]), kind, sent, here.time, here.here()))
        elif found := _CHECK.search(match[0]):
            here.event("check", f"{found[1]} {found[3].lower()}")


def _identity(text: str) -> str:
    """Hex; versions before 0.7 wrote the bytes as Python does."""
    if not text.startswith("b'"):
        return text
    try:
        return text[2:-1].encode("latin-1").decode("unicode_escape").encode("latin-1").hex()
    except (UnicodeError, ValueError):
        return ""
