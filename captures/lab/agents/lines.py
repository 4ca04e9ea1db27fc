"""The programs' side of the JSON lines that `process` speaks: verbs in, results and events out.

Kept to the standard library, because the programs run under whatever interpreter has their libraries.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

Verb = Callable[[Any], Awaitable[Any]]


def now() -> int:
    """Milliseconds since 1970, as a browser's Date.now()."""
    return int(time.time() * 1000)


def write(said: dict[str, Any]) -> None:
    """Write one line to the lab."""
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def state(name: str, value: str) -> None:
    """Report a change of state."""
    write({"kind": "state", "t": now(), "name": name, "value": value})


def signal(message: dict[str, Any]) -> None:
    """Give a message to be carried to the other side."""
    write({"kind": "signal", "t": now(), "message": message})


def error(text: str) -> None:
    """Report something that went wrong without ending the program."""
    write({"kind": "error", "t": now(), "text": text})


async def serve(verbs: dict[str, Verb]) -> None:
    """Answer requests one after the other until standard input ends."""
    loop = asyncio.get_running_loop()
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            return
        asked = json.loads(line)
        verb = verbs.get(asked["verb"])
        try:
            result = await verb(asked["argument"]) if verb else None
            write({"id": asked["id"], "result": result})
        except Exception as problem:
            write({"id": asked["id"], "error": f"{type(problem).__name__}: {problem}"})
