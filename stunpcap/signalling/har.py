"""HAR files: WebSocket messages (`_webSocketMessages`, as Chrome exports them) and bodies of requests and responses.

What the browser sent is its own, what it received the other's.  Direction decides, not words in messages.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from stunpcap.signalling.documents import load
from stunpcap.signalling.harvest import harvest_text
from stunpcap.signalling.model import LOCAL, REMOTE, Gathering
from stunpcap.signalling.times import keep_time, time_of
from stunpcap.table import NAT

FORMAT = "HAR"
_BEGINS = re.compile(rb"(\xef\xbb\xbf)?\s*\{\s*\"log\"\s*:\s*\{")
_WORTH = re.compile(r"candidate|\bv=0|\"sdp\"|iceServers|ice-ufrag")


def recognise(head: bytes) -> bool:
    """An object with `log` that has a creator, a version or entries."""
    return bool(_BEGINS.match(head)) and any(word in head for word in (b'"creator"', b'"entries"', b'"version"'))


def read(text: str, here: Gathering) -> None:
    """All messages and bodies, in the file's order."""
    document = load(text, here)
    log = document.get("log") if isinstance(document, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        here.flaw("a HAR file without entries")
        return
    here.line = here.offset = -1
    for number, entry in enumerate(entries):
        if isinstance(entry, dict):
            _entry(entry, f"entry {number}", here)


def _entry(entry: dict[str, Any], place: str, here: Gathering) -> None:
    started = time_of(entry.get("startedDateTime"))
    for message in _list(entry.get("_webSocketMessages")):
        if not isinstance(message, dict):
            continue
        how = message.get("type")
        text = message.get("data")
        if isinstance(text, str) and message.get("opcode") == 2:
            text = _decoded(text)
        _take(text, LOCAL if how == "send" else REMOTE, time_of(message.get("time")), str(how), here)
    request, response = entry.get("request"), entry.get("response")
    body = request.get("postData") if isinstance(request, dict) else None
    if isinstance(body, dict):
        _take(body.get("text"), LOCAL, started, "request", here)
    content = response.get("content") if isinstance(response, dict) else None
    if isinstance(content, dict):
        text = content.get("text")
        if isinstance(text, str) and content.get("encoding") == "base64":
            text = _decoded(text)
        took = entry.get("time")
        ended = started + round(took * 10**6) if started != NAT and isinstance(took, int | float) else started
        _take(text, REMOTE, ended, "response", here)


def _take(text: object, side: str, time: int, how: str, here: Gathering) -> None:
    if not isinstance(text, str) or not _WORTH.search(text):
        return
    here.time, here.side, here.how = NAT, side, how
    keep_time(here, time, "utc")
    if not harvest_text(text, here):
        for line in text.splitlines():
            harvest_text(line, here)


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
