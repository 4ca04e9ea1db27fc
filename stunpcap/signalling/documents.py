"""JSON documents, whole or cut: what stands before the damage is kept.

A file that ends in the middle, as exports do that were stopped, is closed where its last complete value ended.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from stunpcap.signalling.model import Gathering

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],"]', re.S)
DEEPEST = 200
_CLOSING = {"{": "}", "[": "]"}


def load(text: str, here: Gathering) -> Any:
    """The value of a document; None if nothing can be made of it.  Damage is a flaw with its place."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        at = error.pos
        words = f"JSON that cannot be read: {error.msg}"
    except UnicodeEncodeError:  # lone surrogates
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return None
    here.line, here.offset = text.count("\n", 0, at) + 1, len(text[:at].encode("utf-8", "replace"))
    here.flaw(words)
    try:
        return json.loads(_closed(text))
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(_closed(text[:at]))
    except (ValueError, RecursionError):
        return None


def _closed(text: str) -> str:
    """The text up to its last complete value, with what is open closed."""
    stack: list[str] = []
    cut = depth = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in ("{", "["):
            stack.append(_CLOSING[token])
            if len(stack) > DEEPEST:
                break
        elif token in ("}", "]"):
            if not stack or stack.pop() != token:
                break
            cut, depth = match.end(), len(stack)
        elif token == ",":
            cut, depth = match.start(), len(stack)
        elif token == '"':  # of a string that does not end
            break
    # Since the last complete value nothing has been closed: what was open then is open still.
    return text[:cut] + "".join(reversed(stack[:depth]))
