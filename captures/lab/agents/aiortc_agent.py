"""An aiortc peer connection as an agent of the lab (run as a program inside a namespace).

Its option `refuse_after` makes it answer no check any more so many seconds after the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from importlib.metadata import version
from typing import Any

import lines  # type: ignore[import-not-found, unused-ignore]
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.mediastreams import AudioStreamTrack
from aiortc.sdp import candidate_from_sdp


class Agent:
    """One peer connection."""

    def __init__(self) -> None:
        self.pc: RTCPeerConnection
        self.config: dict[str, Any] = {}
        self.channel: RTCDataChannel | None = None
        self.descriptions: list[dict[str, Any]] = []
        self.received = 0
        self.pairs: dict[str, dict[str, Any]] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    async def open(self, config: dict[str, Any]) -> None:
        """Make the peer connection."""
        self.config = config
        servers = [RTCIceServer(s["urls"], s.get("username"), s.get("credential")) for s in config["iceServers"]]
        # Without a list aiortc would ask a public STUN server.
        self.pc = pc = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        for name in ("iceConnectionState", "connectionState", "iceGatheringState", "signalingState"):
            pc.on(name.lower() + "change", lambda name=name: lines.state(name, getattr(pc, name)))
        pc.on("datachannel", self.use_channel)
        pc.on("track", self.consume)
        self.spawn(self.watch())

    def spawn(self, coroutine: Any) -> None:
        """Run a coroutine beside the verbs."""
        self.tasks.add(asyncio.get_running_loop().create_task(coroutine))

    def consume(self, track: Any) -> None:
        """Take what arrives, so that the receiver runs."""

        async def loop() -> None:
            with contextlib.suppress(Exception):
                while True:
                    await track.recv()

        self.spawn(loop())

    def use_channel(self, channel: RTCDataChannel) -> None:
        """Send a short message twice a second while the channel is open."""
        self.channel = channel

        async def loop() -> None:
            while channel.readyState == "open":
                channel.send("x" * 100)
                await asyncio.sleep(0.5)

        def opened() -> None:
            lines.state("channel", "open")
            self.spawn(loop())

        channel.on("open", opened)
        channel.on("close", lambda: lines.state("channel", "closed"))
        channel.on("message", lambda _message: setattr(self, "received", self.received + 1))
        if channel.readyState == "open":
            opened()

    def add_media(self) -> None:
        """Add synthetic tracks."""
        for kind in self.config["media"]:
            self.pc.addTrack(AudioStreamTrack() if kind == "audio" else VideoStreamTrack())

    async def describe(self, description: RTCSessionDescription) -> None:
        """Set the local description, which gathers, and send what came of it."""
        await self.pc.setLocalDescription(description)
        local = self.pc.localDescription
        self.descriptions.append({"t": lines.now(), "side": "local", "type": local.type, "sdp": local.sdp})
        lines.signal({"type": local.type, "sdp": local.sdp})

    async def begin(self, restart: bool) -> None:
        """Make an offer."""
        if restart:
            raise NotImplementedError("aiortc does not restart ICE")
        self.add_media()
        self.use_channel(self.pc.createDataChannel("lab"))
        await self.describe(await self.pc.createOffer())

    async def signal(self, message: dict[str, Any]) -> None:
        """Take a message from the other side."""
        if message["type"] == "candidate":
            given = message["candidate"]
            if given["candidate"]:
                candidate = candidate_from_sdp(given["candidate"].removeprefix("candidate:"))
                candidate.sdpMid, candidate.sdpMLineIndex = given["sdpMid"], given["sdpMLineIndex"]
                await self.pc.addIceCandidate(candidate)
            return
        self.descriptions.append({"t": lines.now(), "side": "remote", **message})
        await self.pc.setRemoteDescription(RTCSessionDescription(message["sdp"], message["type"]))
        if message["type"] == "offer":
            self.add_media()
            await self.describe(await self.pc.createAnswer())

    def look(self) -> None:
        """Note the state of every candidate pair, since aioice forgets them when it closes."""
        transport = self.pc.sctp.transport.transport if self.pc.sctp else None
        if transport is None:
            return
        for pair in transport._connection._check_list:
            key = f"{pair.local_addr[0]}:{pair.local_addr[1]}>{pair.remote_addr[0]}:{pair.remote_addr[1]}"
            self.pairs[key] = {
                "local": str(pair.local_candidate.to_sdp()),
                "remote": str(pair.remote_candidate.to_sdp()),
                "state": pair.state.name.lower().replace("_", "-"),
                "nominated": pair.nominated,
                "remoteNominated": pair.remote_nominated,
                "lastSeen": lines.now(),
            }

    async def refuse(self, seconds: float) -> None:
        """Wait for the connection and so many seconds more, then answer no check."""
        while self.pc.connectionState != "connected":
            await asyncio.sleep(0.1)
        await asyncio.sleep(seconds)
        self.pc.sctp.transport.transport._connection.request_received = lambda *_: None

    async def watch(self) -> None:
        """Look five times a second."""
        if "refuse_after" in self.config["options"]:
            self.spawn(self.refuse(self.config["options"]["refuse_after"]))
        while True:
            self.look()
            await asyncio.sleep(0.2)

    async def truth(self, _argument: None) -> dict[str, Any]:
        """Return the truth as it is now."""
        self.look()
        names = ("iceConnectionState", "connectionState", "iceGatheringState", "signalingState")
        states = {name: getattr(self.pc, name) for name in names}
        states["channel"] = self.channel.readyState if self.channel else "none"
        report = await self.pc.getStats()
        stats = [{k: v for k, v in vars(entry).items() if k != "timestamp"} for entry in report.values()]
        return {
            "implementation": f"aiortc {version('aiortc')} (aioice {version('aioice')})",
            "states": states,
            "statsTime": lines.now(),
            "pairs": list(self.pairs.values()),
            "descriptions": self.descriptions,
            "messagesReceived": self.received,
            "stats": stats,
        }

    async def finish(self, argument: None) -> dict[str, Any]:
        """Return the truth and close."""
        truth = await self.truth(argument)
        for task in self.tasks:
            task.cancel()
        await self.pc.close()
        return truth


def main() -> None:
    """Serve the lab."""
    agent = Agent()
    verbs = {"open": agent.open, "begin": agent.begin, "signal": agent.signal}
    verbs |= {"look": agent.truth, "finish": agent.finish}
    asyncio.run(lines.serve(verbs))


if __name__ == "__main__":
    main()
