"""An agent in a process of its own inside a namespace, spoken to in lines of JSON.

Requests are `{"id", "verb", "argument"}`; replies `{"id", "result"}` or `{"id", "error"}`; events have no id.
The programs themselves import nothing of the lab, since they run under whatever interpreter has their
libraries.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from captures.lab.agents.base import Emit, Event
from captures.lab.agents.signals import send
from captures.lab.model import Agent

HERE = Path(__file__).parent
DRIVEN = {"firefox": "firefox", "janus": "janus"}
"""Kinds whose program drives another one, and what the path of that one holds."""


def node_modules() -> Path:
    """Where npm packages for the lab are looked for: STUNLAB_NODE_MODULES, or a folder in the cache."""
    given = os.environ.get("STUNLAB_NODE_MODULES")
    return Path(given) if given else Path.home() / ".cache" / "stunlab" / "node_modules"


def program(kind: str) -> list[str]:
    """Return the command line of an implementation's program."""
    if kind == "webrtcbin":
        # GObject bindings come from Debian and are only there for Debian's own interpreter.
        return ["/usr/bin/python3", str(HERE / "webrtcbin_agent.py")]
    if kind in ("werift", "datachannel"):
        return ["node", str(HERE / f"{kind}_agent.cjs")]
    return [sys.executable, str(HERE / f"{kind}_agent.py")]


class ProcessAgent:
    """Handle of a program that speaks JSON lines."""

    def __init__(self, role: str, agent: Agent, namespace: str, emit: Emit) -> None:
        self.role, self.agent, self.namespace, self.emit = role, agent, namespace, emit
        self._process: asyncio.subprocess.Process | None = None
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._left: dict[str, Any] | None = None

    async def launch(self) -> None:
        """Start the program in its namespace."""
        self._process = await asyncio.create_subprocess_exec(
            "ip", "netns", "exec", self.namespace, *program(self.agent.kind),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24,
            env={**os.environ, "NODE_PATH": str(node_modules())},
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read())
        await self._call("launch", self.agent.options)

    async def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        async for line in self._process.stdout:
            if not line.startswith(b"{"):
                continue
            said: Event = json.loads(line)
            if "id" not in said:
                self.emit(self.role, said)
                continue
            waiting = self._waiting.pop(said["id"], None)
            if waiting is None or waiting.done():
                continue
            if "error" in said:
                waiting.set_exception(RuntimeError(f"{self.role}: {said['error']}"))
            else:
                waiting.set_result(said.get("result"))
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(RuntimeError(f"{self.role}: the {self.agent.kind} program ended"))

    async def _call(self, verb: str, argument: Any) -> Any:
        assert self._process is not None and self._process.stdin is not None
        number = next(self._ids)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": number, "verb": verb, "argument": argument})
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()
        return await waiting

    async def open(self) -> None:
        """Make the peer connection."""
        config = {
            "iceServers": list(self.agent.ice_servers),
            "policy": self.agent.policy,
            "media": list(self.agent.media),
            "options": self.agent.options,
            "permission": self.agent.all_interfaces,
            "offerer": self.role == "offerer",
        }
        await self._call("open", config)

    async def begin(self, restart: bool = False) -> None:
        """Make an offer."""
        await self._call("begin", restart)

    async def signal(self, message: Event) -> None:
        """Take a message from the other side."""
        await self._call("signal", message)

    async def leave(self, how: str) -> None:
        """Close the connection or a browser's page, kill the program, or stop it."""
        assert self._process is not None
        self._left = await self._call("finish" if how == "close" else "look", None)
        if how == "close-tab":
            await self._call("close_tab", None)
        elif how != "close":
            number = signal.SIGKILL if how == "kill" else signal.SIGSTOP
            if self.agent.kind in DRIVEN:
                send(self.namespace, DRIVEN[self.agent.kind], number)
            else:
                self._process.send_signal(number)

    async def finish(self) -> dict[str, Any]:
        """Return the truth; the program closes its connection before it answers."""
        if self._left is not None:
            return self._left
        truth: dict[str, Any] = await self._call("finish", None)
        return truth

    async def kill(self) -> None:
        """End the program."""
        if self._process is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 3)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        if self._reader is not None:
            self._reader.cancel()
