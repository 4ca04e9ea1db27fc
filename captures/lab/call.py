"""One call: agents started, signalling carried, steps taken in time, truth collected.

Signalling between the agents goes through this process, message by message, so that a scenario can
alter, drop or hold back any of it without a packet of it in the capture.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

from captures.lab import agents
from captures.lab.agents.base import AgentHandle, Event
from captures.lab.model import ANSWERER, OFFERER, Edit, Scenario, Step
from captures.lab.network import LabError, Network
from captures.lab.tools import Background

OTHER = {OFFERER: ANSWERER, ANSWERER: OFFERER}
CONNECTED = {"connected", "completed"}


LEAVING = ("close", "close-tab", "kill", "freeze")
CREDENTIALS = re.compile(r"^a=ice-(ufrag|pwd):(.*?)\r?$", re.M)


def stale(first: dict[str, str], sdp: str) -> str:
    """Put earlier credentials back into a description."""
    return CREDENTIALS.sub(lambda found: f"a=ice-{found[1]}:{first[found[1]]}\r", sdp)


def alter(edit: Edit, message: Event, first: dict[str, str]) -> Event | None:
    """Return the message as the edit leaves it; None if it is dropped.

    `first` holds the credentials of the sender's first description.
    """
    if edit.stale:
        return {**message, "sdp": stale(first, message["sdp"])} if "sdp" in message else message
    pattern = re.compile(edit.find, re.M)
    if message["type"] == "candidate":
        line = message["candidate"]["candidate"]
        if not pattern.search(line):
            return message
        if edit.drop:
            return None
        return {
            **message,
            "candidate": {**message["candidate"], "candidate": pattern.sub(edit.replace, line)},
        }
    if "sdp" not in message:
        return message
    if edit.drop:
        lines = message["sdp"].split("\r\n")
        kept = [line for line in lines if not (line.startswith("a=candidate") and pattern.search(line))]
        return {**message, "sdp": "\r\n".join(kept)}
    return {**message, "sdp": pattern.sub(edit.replace, message["sdp"])}


class Call:
    """The call of one scenario."""

    def __init__(self, scenario: Scenario, network: Network, background: Background) -> None:
        self.scenario, self.network, self.background = scenario, network, background
        self.handles: dict[str, AgentHandle] = {}
        self.states: dict[str, dict[str, str]] = {OFFERER: {}, ANSWERER: {}}
        self.ever: dict[str, set[tuple[str, str]]] = {OFFERER: set(), ANSWERER: set()}
        self.events: list[Event] = []
        self.signalling: list[Event] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._inbox = {OFFERER: asyncio.Queue[Event](), ANSWERER: asyncio.Queue[Event]()}
        self._first: dict[str, dict[str, str]] = {OFFERER: {}, ANSWERER: {}}
        self._generation = {OFFERER: 0, ANSWERER: 0}

    def emit(self, role: str, event: Event) -> None:
        """Take an event from an agent."""
        if event["kind"] == "signal":
            message = event["message"]
            entry = {"t": event["t"], "from": role, "message": message}
            self.signalling.append(entry)
            if event.get("carried", True):
                self._carry(role, message, entry)
            return
        self.events.append({"who": role, **event})
        if event["kind"] == "state":
            self.states[role][event["name"]] = event["value"]
            self.ever[role].add((event["name"], event["value"]))

    def _carry(self, role: str, message: Event, entry: Event) -> None:
        to = OTHER[role]
        altered: Event | None = message
        if "sdp" in message and not self._first[role]:
            self._first[role] = dict(CREDENTIALS.findall(message["sdp"]))
        for edit in self.scenario.edits:
            if edit.to == to and edit.generation in (None, self._generation[role]) and altered is not None:
                altered = alter(edit, altered, self._first[role])
        if message["type"] != "candidate":
            self._generation[role] += 1
        if altered is None:
            entry["dropped"] = True
            return
        if altered != message:
            entry["delivered"] = altered
        hold = self.scenario.delay.get(to, 0.0)
        if message["type"] == "candidate":
            hold = max(hold, self.scenario.candidate_delay.get(to, 0.0))
        if hold:
            entry["heldSeconds"] = hold
        self._spawn(self._deliver(to, altered, hold))

    async def _deliver(self, to: str, message: Event, hold: float) -> None:
        await asyncio.sleep(hold)
        await self._inbox[to].put(message)

    async def _feed(self, role: str) -> None:
        while True:
            message = await self._inbox[role].get()
            await self.handles[role].signal(message)

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)

    def _check_tasks(self) -> None:
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.discard(task)
            task.result()

    def _reached(self) -> bool:
        until = self.scenario.until
        wanted = CONNECTED if until.state == "connected" else {until.state}
        hits = {role: self.states[role].get(until.name) in wanted for role in (OFFERER, ANSWERER)}
        if until.who in hits:
            return hits[until.who]
        return any(hits.values()) if until.who == "either" else all(hits.values())

    def _connected(self) -> bool:
        return all(self.states[role].get("iceConnectionState") in CONNECTED for role in (OFFERER, ANSWERER))

    async def run(self) -> dict[str, Any]:
        """Make the call and return the truth."""
        nodes = {OFFERER: self.scenario.offerer_node, ANSWERER: self.scenario.answerer_node}
        described = {OFFERER: self.scenario.offerer, ANSWERER: self.scenario.answerer}
        for role, agent in described.items():
            self.handles[role] = agents.make(role, agent, self.network.namespace(nodes[role]), self.emit)
        try:
            await asyncio.gather(*(handle.launch() for handle in self.handles.values()))
            late = [v for v in self.scenario.vantages if v.start]
            for handle in self.handles.values():
                await handle.open()
            for role in self.handles:
                self._spawn(self._feed(role))
            await asyncio.sleep(0.5)
            for step in self.scenario.steps:
                if step.seconds < 0:
                    await self._step(step)
                    await asyncio.sleep(-step.seconds)
            started = time.monotonic()
            self._spawn(self._take_steps(started))
            for vantage in late:
                self._spawn(self._capture_late(vantage.start, vantage.name))
            await self.handles[OFFERER].begin()
            await self._wait(started)
            return await self._finish()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*(handle.kill() for handle in self.handles.values()), return_exceptions=True)

    async def _capture_late(self, seconds: float, name: str) -> None:
        await asyncio.sleep(seconds)
        self.background.capture(next(v for v in self.scenario.vantages if v.name == name))

    async def _wait(self, started: float) -> None:
        until = self.scenario.until
        while time.monotonic() - started < until.timeout:
            await asyncio.sleep(0.1)
            self._check_tasks()
            if until.name == "never" or time.monotonic() - started < until.not_before:
                continue
            if self._reached():
                await asyncio.sleep(until.hold)
                break

    async def _take_steps(self, started: float) -> None:
        early = sorted(
            (s for s in self.scenario.steps if s.after == "start" and s.seconds >= 0), key=lambda s: s.seconds
        )
        later = sorted((s for s in self.scenario.steps if s.after == "connected"), key=lambda s: s.seconds)
        for step in early:
            await asyncio.sleep(max(0.0, started + step.seconds - time.monotonic()))
            await self._step(step)
        while later and not self._connected():
            await asyncio.sleep(0.05)
        connected = time.monotonic()
        for step in later:
            await asyncio.sleep(max(0.0, connected + step.seconds - time.monotonic()))
            await self._step(step)

    async def _step(self, step: Step) -> None:
        self.events.append({"who": "lab", "kind": "step", "t": int(time.time() * 1000), "do": step.do,
                            "what": step.what, "command": step.command})  # fmt: skip
        if step.do == "exec":
            self.network.exec(step.what, "sh", "-c", step.command)
        elif step.do == "restart":
            await self.handles[step.what].begin(restart=True)
        elif step.do in LEAVING:
            await self.handles[step.what].leave(step.do)
        elif step.do == "stop-server":
            self.background.stop_server(step.what)
        else:
            self.background.turn(next(s for s in self.scenario.servers if s.node == step.what))

    async def _finish(self) -> dict[str, Any]:
        roles = (OFFERER, ANSWERER)
        finished = await asyncio.gather(*(self.handles[role].finish() for role in roles))
        truth: dict[str, Any] = {"scenario": self.scenario.name, **dict(zip(roles, finished, strict=True))}
        truth["events"] = sorted(self.events, key=lambda event: float(event["t"]))
        truth["signalling"] = self.signalling
        errors = [event for event in self.events if event["kind"] == "error"]
        if errors:
            truth["errors"] = errors
        return truth


def check(scenario: Scenario, truth: dict[str, Any]) -> list[str]:
    """Say where the agents' own account differs from what the scenario was built to do."""
    problems = []
    label = scenario.expect
    for number, role in enumerate((OFFERER, ANSWERER)):
        wanted = {
            "connectionState": label.ended[number] or label.state,
            "iceConnectionState": label.ice[number],
        }
        for name, value in wanted.items():
            said = truth[role]["states"].get(name, "")
            if value not in ("*", said) and not {said, value} <= CONNECTED:
                problems.append(f"{role} ended with {name} {said!r}, expected {value!r}")
    return problems


def make_call(scenario: Scenario, network: Network, background: Background) -> dict[str, Any]:
    """Make the call of a scenario in a network that is up; at most a few minutes.

    Raises
    ------
    LabError
        The agents did something other than the scenario expects.
    """

    async def bounded() -> dict[str, Any]:
        limit = scenario.until.timeout + scenario.until.hold + 60
        return await asyncio.wait_for(Call(scenario, network, background).run(), limit)

    try:
        return asyncio.run(bounded())
    except TimeoutError as error:
        raise LabError("the call did not end in time") from error
