"""What must never be printed: how it is told from what may be.

Addresses of STUN and TURN servers stay; whatever could be a token in them, and passwords in texts, do not.
"""

from __future__ import annotations

import re

_SERVER = re.compile(
    r"(?i)(?P<scheme>stuns?|turns?):(?://)?(?:[^@/\s?]{0,200}@)?(?P<host>\[[0-9a-f:.]+\]|[^\s:/?#@\"',\]}]+)(?::(?P<port>\d{1,5}))?"
)
_TRANSPORT = re.compile(r"(?i)\?(?:[^\s,\"'\]}]{0,300}?&)?transport=(udp|tcp)\b")
_HIDDEN = re.compile(
    r"(?i)(?P<key>ice-pwd|\b(?:pwd|password|passwd|credential|secret|token|access_token|authorization|api_?key|key)\b)"
    r"(?P<sep>\\?[\"']?\s*[:=]\s*\\?[\"']?)(?P<value>(?:Bearer |Basic )?[^\s\"'\\,;&}\]]+)"
)
MOST = 200


def without_token(url: str) -> str:
    """The address of a STUN or TURN server as RFC 7064 and 7065 write it, without user, path or query."""
    match = _SERVER.search(url)
    if not match:
        return ""
    transport = _TRANSPORT.match(url, match.end())
    port = f":{match['port']}" if match["port"] else ""
    way = f"?transport={transport[1].lower()}" if transport else ""
    return f"{match['scheme'].lower()}:{match['host']}{port}{way}"


def servers_in(text: str) -> list[str]:
    """Every address of a STUN or TURN server in a text, without tokens."""
    found = (
        without_token(match.string[match.start() : match.start() + MOST])
        for match in _SERVER.finditer(text)
        if not text[max(0, match.start() - 1) : match.start()].isalnum()
    )
    return [url for url in dict.fromkeys(found) if url]


def scrub(text: str) -> str:
    """A text that may be shown: a line at most, without values of what is named like a secret."""
    shown = _HIDDEN.sub(lambda match: f"{match['key']}{match['sep']}…", text[: 20 * MOST])
    shown = re.sub(r"(?i)\bhttps?://\S+|\bwss?://\S+", lambda match: re.split(r"[?#]", match[0])[0], shown)
    shown = " ".join(shown.split())
    return shown if len(shown) <= MOST else f"{shown[: MOST - 1]}…"
