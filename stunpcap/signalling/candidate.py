"""The candidate attribute (RFC 8839 section 5.1), wherever it stands: one grammar for SDP, JSON and logs.

candidate:FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT typ TYPE [raddr …] [rport …] [tcptype …] …
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from stunpcap.signalling.model import Gathering, OfferedCandidate
from stunpcap.signalling.secrets import without_token
from stunpcap.table import MISSING

GRAMMAR = re.compile(
    r"(?:a=)?(?:candidate:)?(?P<foundation>[^\s:\"'=>(\[{,|]{1,64}) (?P<component>\d{1,3}) "
    r"(?P<transport>[A-Za-z-]{1,16}) "
    r"(?P<priority>\d{1,10}) (?P<address>[^\s\"'\\]{1,255}) (?P<port>\d{1,5}) typ (?P<type>[a-z-]{1,16})(?![\w-])"
)
_EXTENSION = re.compile(r" (raddr|rport|tcptype|generation|ufrag|network-id|network-cost) ([^\s\"'\\,}\]|)<]{1,256})")
_OTHER = re.compile(r" [\w-]{1,64} [^\s\"'\\,}\]|)<]{1,256}")
WORDS = ("candidate:", " typ ")
"""Either is in every text that `candidates_in` finds something in."""


def candidates_in(
    text: str, here: Gathering, *, mid: str = "", ufrag: str = "", url: str = ""
) -> list[OfferedCandidate]:
    """Every candidate in a text; a line that names a candidate and cannot be read as one is a flaw."""
    matches = list(GRAMMAR.finditer(text))
    found = [one for match in matches if (one := _candidate(match, text, here, mid, ufrag, url))]
    if not matches and re.search(r"candidate:[^\s\"']{1,64} \d", text):
        here.flaw("a candidate that does not follow RFC 8839")
    return found


def whole(text: str) -> bool:
    """The text is a candidate and nothing else, with `candidate:` before it or without."""
    match = GRAMMAR.match(text.strip())
    return match is not None


def is_address(text: str) -> bool:
    """An IP address, not a name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _candidate(
    match: re.Match[str], text: str, here: Gathering, mid: str, ufrag: str, url: str
) -> OfferedCandidate | None:
    port, priority, component = int(match["port"]), int(match["priority"]), int(match["component"])
    if port > 65535 or priority >= 1 << 32 or not 0 < component <= 256:
        here.flaw("a candidate with a number out of range")
        return None
    more = dict(_extensions(text, match.end()))
    return OfferedCandidate(
        match["foundation"],
        component,
        match["transport"].lower(),
        priority,
        match["address"].strip("[]"),
        port,
        match["type"],
        more.get("raddr", "").strip("[]"),
        _number(more.get("rport"), 65535),
        more.get("tcptype", ""),
        _number(more.get("generation"), 1 << 31),
        more.get("ufrag", "") or ufrag,
        _number(more.get("network-id"), 1 << 31),
        _number(more.get("network-cost"), 1 << 31),
        mid,
        without_token(url),
        here.side,
        here.agent,
        here.time,
        here.here(),
    )


def _extensions(text: str, at: int) -> Iterator[tuple[str, str]]:
    while match := _EXTENSION.match(text, at) or _OTHER.match(text, at):
        if match.lastindex:
            yield match[1], match[2]
        at = match.end()


def _number(text: str | None, most: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and int(text) <= most else MISSING
