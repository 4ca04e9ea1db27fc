"""A bare aioice connection as an agent of the lab, without DTLS (run as a program inside a namespace).

Its options make a real agent misbehave in ways a browser cannot be brought to, each by overriding one
decision and nothing of what goes on the wire:

- `controlling`: the role it starts with, whatever it should be
- `keep_role`: do not give way in a role conflict
- `tie_breaker`: the number it draws
- `never_nominate`: check, but do not nominate
- `remote_password`, `remote_ufrag`: believe in these instead of the signalled ones
- `no_consent`: send data without consent checks
- `nominate_after`: nominate only so many seconds after the check succeeded
- `retries`: repeat an unanswered request so many times (7 transmissions are the default)
- `ignore_prflx`: answer checks from unknown addresses, but do not check back
- `no_username`: leave USERNAME out of its checks
- `silent`: drop checks whose credentials are wrong, in place of answering 401
- `refuse_after`: answer no check any more so many seconds after the connection
"""

from __future__ import annotations

import asyncio
import contextlib
from importlib.metadata import version
from typing import Any

import aioice
import lines  # type: ignore[import-not-found, unused-ignore]
from aioice import stun
from aioice.ice import CandidatePair


class Wayward(aioice.Connection):
    """A connection that can be told to keep its role, or never to nominate."""

    def __init__(self, options: dict[str, Any], **given: Any) -> None:
        super().__init__(**given)
        self.options = options
        self.tries: dict[int, int] = {}
        self.refuses = False
        if "tie_breaker" in options:
            self._tie_breaker = options["tie_breaker"]
        if "retries" in options:
            stun.RETRY_MAX = options["retries"]
        if options.get("never_nominate") or "nominate_after" in options:
            # The regular way to nominate, with the one nomination seemingly under way already.
            self.remote_is_lite = True
            self._nominating = {1}

    def switch_role(self, ice_controlling: bool) -> None:
        """Give way in a role conflict, or not."""
        if not self.options.get("keep_role"):
            super().switch_role(ice_controlling)

    async def check_start(self, pair: CandidatePair) -> None:
        """Check a pair; where 487 does not change the role, try every half second and then give up."""
        if self.options.get("keep_role"):
            tries = self.tries[id(pair)] = self.tries.get(id(pair), 0) + 1
            if tries > 1:
                await asyncio.sleep(0.5)
            if tries > 20:
                self.check_state(pair, CandidatePair.State.FAILED)
                self.check_complete(pair)
                return
        await super().check_start(pair)
        if "nominate_after" in self.options and self.ice_controlling and not pair.nominated:
            await asyncio.sleep(self.options["nominate_after"])
            request = self.build_request(pair, nominate=True)
            key = (self.remote_password or "").encode()
            await pair.protocol.request(request, pair.remote_addr, integrity_key=key)
            pair.nominated = True
            self.check_complete(pair)

    def check_incoming(self, message: stun.Message, addr: tuple[str, int], protocol: Any) -> None:
        """Act on a check that was answered, or not if it came from an address nobody signalled."""
        known = {(candidate._network_host, candidate.port) for candidate in self._remote_candidates}
        if not self.options.get("ignore_prflx") or addr in known:
            super().check_incoming(message, addr, protocol)

    def request_received(self, message: stun.Message, addr: tuple[str, int], protocol: Any) -> None:
        """Answer a check, or drop it if told so."""
        if self.refuses:
            return
        if self.options.get("silent"):
            name = message.attributes.get("USERNAME", "")
            key = self.local_password.encode()
            if not (self._valid_username(name) and message.check_message_integrity(key)):
                return
        super().request_received(message, addr, protocol)

    def build_request(self, pair: CandidatePair, nominate: bool) -> stun.Message:
        """Make a check, without USERNAME if told so."""
        request = super().build_request(pair, nominate)
        if self.options.get("no_username"):
            del request.attributes["USERNAME"]
        return request

    def _check_list_maybe_fail(self) -> None:
        if not self.options.get("never_nominate") and "nominate_after" not in self.options:
            super()._check_list_maybe_fail()


class Agent:
    """One ICE connection."""

    def __init__(self) -> None:
        self.ice: Wayward
        self.options: dict[str, Any] = {}
        self.offerer = False
        self.states = {"connectionState": "new", "iceConnectionState": "new"}
        self.pairs: dict[str, dict[str, Any]] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.sent: list[dict[str, Any]] = []
        self.received = 0

    def become(self, value: str) -> None:
        """Report a state; without DTLS both states are the same."""
        for name in self.states:
            if self.states[name] != value:
                self.states[name] = value
                lines.state(name, value)

    async def open(self, config: dict[str, Any]) -> None:
        """Make the connection."""
        self.options, self.offerer = config["options"], config["offerer"]
        given: dict[str, Any] = {"ice_controlling": self.options.get("controlling", self.offerer)}
        for server in config["iceServers"]:
            scheme, host, rest = server["urls"].split(":")
            address = (host, int(rest.split("?")[0]))
            if scheme == "stun":
                given["stun_server"] = address
            else:
                given |= {"turn_server": address, "turn_username": server["username"]}
                given["turn_password"] = server["credential"]
                given["turn_transport"] = "tcp" if "transport=tcp" in rest else "udp"
        if config["policy"] == "relay":
            given["transport_policy"] = aioice.TransportPolicy.RELAY
        self.ice = Wayward(self.options, **given)
        self.spawn(self.watch())

    def spawn(self, coroutine: Any) -> None:
        """Run a coroutine beside the verbs."""
        self.tasks.add(asyncio.get_running_loop().create_task(coroutine))

    async def describe(self) -> None:
        """Gather and tell the other side."""
        await self.ice.gather_candidates()
        candidates = [candidate.to_sdp() for candidate in self.ice.local_candidates]
        message = {"type": "ice", "ufrag": self.ice.local_username, "pwd": self.ice.local_password}
        lines.signal({**message, "candidates": candidates})

    async def begin(self, _restart: bool) -> None:
        """Speak first."""
        await self.describe()

    async def signal(self, message: dict[str, Any]) -> None:
        """Take the other side's credentials and candidates, and connect."""
        self.ice.remote_username = self.options.get("remote_ufrag", message["ufrag"])
        self.ice.remote_password = self.options.get("remote_password", message["pwd"])
        for line in message["candidates"]:
            await self.ice.add_remote_candidate(aioice.Candidate.from_sdp(line))
        await self.ice.add_remote_candidate(None)
        if not self.offerer:
            await self.describe()
        self.spawn(self.connect())

    async def connect(self) -> None:
        """Check, then send and receive until the connection is lost."""
        self.become("checking")
        try:
            await self.ice.connect()
        except ConnectionError:
            self.become("failed")
            return
        self.become("connected")
        if self.options.get("no_consent") and self.ice._query_consent_task is not None:
            self.ice._query_consent_task.cancel()
        if "refuse_after" in self.options:
            self.spawn(self.refuse(self.options["refuse_after"]))
        self.spawn(self.send())
        with contextlib.suppress(ConnectionError):
            while True:
                await self.ice.recv()
                self.received += 1
        self.become("failed")

    async def refuse(self, seconds: float) -> None:
        """Answer no check after so many seconds."""
        await asyncio.sleep(seconds)
        self.ice.refuses = True

    async def send(self) -> None:
        """Send a short datagram ten times a second."""
        with contextlib.suppress(ConnectionError):
            while True:
                await self.ice.send(b"x" * 100)
                await asyncio.sleep(0.1)

    def look(self) -> None:
        """Note the state of every pair."""
        for pair in self.ice._check_list:
            key = f"{pair.local_addr[0]}:{pair.local_addr[1]}>{pair.remote_addr[0]}:{pair.remote_addr[1]}"
            self.pairs[key] = {
                "local": pair.local_candidate.to_sdp(),
                "remote": pair.remote_candidate.to_sdp(),
                "state": pair.state.name.lower().replace("_", "-"),
                "nominated": pair.nominated,
                "remoteNominated": pair.remote_nominated,
                "lastSeen": lines.now(),
            }

    async def watch(self) -> None:
        """Look five times a second."""
        while True:
            self.look()
            await asyncio.sleep(0.2)

    async def finish(self, _argument: None) -> dict[str, Any]:
        """Return the truth and close."""
        self.look()
        truth = {
            "implementation": f"aioice {version('aioice')}",
            "states": dict(self.states),
            "statsTime": lines.now(),
            "pairs": list(self.pairs.values()),
            "controlling": self.ice.ice_controlling,
            "options": self.options,
            "messagesReceived": self.received,
        }
        for task in self.tasks:
            task.cancel()
        await self.ice.close()
        return truth


def main() -> None:
    """Serve the lab."""
    agent = Agent()
    verbs = {"open": agent.open, "begin": agent.begin, "signal": agent.signal, "finish": agent.finish}
    asyncio.run(lines.serve(verbs))


if __name__ == "__main__":
    main()
