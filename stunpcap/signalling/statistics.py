"""JSON that an application saved: getStats() results (array, object by id, series), descriptions, candidates.

A series tells the last state of each object; what had gone before its end is told as it was last.
"""

from __future__ import annotations

import json
import re

from stunpcap.signalling.documents import load
from stunpcap.signalling.harvest import harvest
from stunpcap.signalling.model import Gathering

FORMAT = "getStats"
DESCRIBED = "JSON"
_BEGINS = re.compile(rb"(\xef\xbb\xbf)?\s*(\{\s*\"|\[\s*[\[{\"]|\"\s*(v=0|\{))")
_WORTH = re.compile(
    rb"\"(candidate-?pair|local-?candidate|remote-?candidate|transport)\"|\"sdp\"\s*:|\"candidate\"\s*:|\"iceServers\"|"
    rb"v=0(\\r)?\\n|candidate:\S+ \d|\"(usernameFragment|ufrag)\"\s*:"
)
_STATISTICS = re.compile(rb"\"type\"\s*:\s*\"(candidate-?pair|local-?candidate|remote-?candidate|transport)\"")


def recognise(head: bytes) -> bool:
    """JSON with one of the words that such objects have."""
    return _BEGINS.match(head) is not None and _WORTH.search(head) is not None


def read(text: str, here: Gathering) -> None:
    """The document, or one after the other where each line is one."""
    if _STATISTICS.search(text[: 1 << 20].encode("utf-8", "replace")):
        here.format = FORMAT
    flaws = len(here.flaws)
    value = load(text, here)
    if len(here.flaws) > flaws and _lines(text, here, flaws):
        return
    here.line = here.offset = -1
    harvest(value, here)


def _lines(text: str, here: Gathering, flaws: int) -> bool:
    """JSON lines: every line but the last, which may be cut, is a value."""
    parts = text.splitlines()
    if len(parts) < 2:
        return False
    values = []
    for number, part in enumerate(parts):
        if not part.strip():
            continue
        try:
            values.append((number, json.loads(part)))
        except (ValueError, RecursionError):
            if number < len(parts) - 1 or not values:
                return False
    if all(not isinstance(value, dict | list) for _, value in values):
        return False
    del here.flaws[flaws:]
    for number, value in values:
        here.line, here.offset = number + 1, -1
        harvest(value, here)
    if len(values) < sum(1 for part in parts if part.strip()):
        here.line = len(parts)
        here.flaw("the last line is cut")
    return True
