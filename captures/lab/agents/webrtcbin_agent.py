"""GStreamer's webrtcbin, and with it libnice, as an agent of the lab (a program, Debian's interpreter)."""

from __future__ import annotations

import asyncio
import re
import threading
from typing import Any

import gi  # type: ignore[import-not-found, unused-ignore]
import lines  # type: ignore[import-not-found, unused-ignore]

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # type: ignore  # noqa: E402

STATES = {
    "ice-connection-state": "iceConnectionState",
    "connection-state": "connectionState",
    "ice-gathering-state": "iceGatheringState",
    "signaling-state": "signalingState",
}
TYPES = {"offer": GstWebRTC.WebRTCSDPType.OFFER, "answer": GstWebRTC.WebRTCSDPType.ANSWER}


class Agent:
    """One webrtcbin in a pipeline; GLib's loop runs in a thread of its own."""

    def __init__(self) -> None:
        Gst.init(None)
        self.pipe: Any = None
        self.bin: Any = None
        self.channel: Any = None
        self.descriptions: list[dict[str, Any]] = []
        self.received = 0
        self.channel_state = "none"
        self.kept: list[Any] = []

    async def open(self, config: dict[str, Any]) -> None:
        """Make the pipeline."""
        threading.Thread(target=GLib.MainLoop().run, daemon=True).start()
        self.pipe = Gst.Pipeline.new("lab")
        self.bin = Gst.ElementFactory.make("webrtcbin", "agent")
        self.bin.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.pipe.add(self.bin)
        # Looking for a router by UPnP would tell the capture what kernel the machine runs.
        ice = self.bin.get_property("ice-agent")
        nice = ice.get_property("agent")
        nice.set_property("upnp", False)
        self.kept.append((ice, nice))
        for server in config["iceServers"]:
            scheme, rest = server["urls"].split(":", 1)
            if scheme == "stun":
                self.bin.set_property("stun-server", f"stun://{rest}")
            else:
                login = f"{server['username']}:{server['credential']}"
                self.bin.emit("add-turn-server", f"turn://{login}@{rest}")
        for name, shown in STATES.items():
            self.bin.connect(f"notify::{name}", self.changed, name, shown)
        self.bin.connect("on-ice-candidate", self.found)
        self.bin.connect("on-data-channel", lambda _bin, channel: self.use_channel(channel, True))
        self.pipe.set_state(Gst.State.PLAYING)

    def changed(self, _bin: Any, _spec: Any, name: str, shown: str) -> None:
        """Report a state."""
        lines.state(shown, self.bin.get_property(name).value_nick)

    def found(self, _bin: Any, index: int, candidate: str) -> None:
        """Report a candidate; an empty one marks the end."""
        if candidate:
            given = {"candidate": candidate, "sdpMLineIndex": index, "sdpMid": None}
            lines.signal({"type": "candidate", "candidate": given})

    def use_channel(self, channel: Any, opened: bool = False) -> None:
        """Send a short message twice a second while the channel is open."""
        self.channel, self.channel_state = channel, "connecting"

        def tick() -> bool:
            if self.channel_state == "open":
                channel.emit("send-string", "x" * 100)
            return self.channel_state == "open"

        def became(state: str) -> None:
            if self.channel_state != state:
                self.channel_state = state
                lines.state("channel", state)
                if state == "open":
                    GLib.timeout_add(500, tick)

        def heard(*_: Any) -> None:
            self.received += 1

        channel.connect("on-open", lambda *_: became("open"))
        channel.connect("on-close", lambda *_: became("closed"))
        channel.connect("on-message-string", heard)
        if opened:
            became("open")

    def ask(self, signal: str, *arguments: Any, take: str = "") -> Any:
        """Emit a signal that answers with a promise, wait, and return one field (or all as text)."""
        promise = Gst.Promise.new()
        self.bin.emit(signal, *arguments, promise)
        promise.wait()
        reply = promise.get_reply()
        # What a reply holds dies with it, and Python's view of it would point nowhere.
        self.kept.append((promise, reply))
        if reply is None:
            return None
        return reply.get_value(take) if take else reply.to_string()

    def describe(self, kind: str) -> None:
        """Make a description, set it and send it."""
        made = self.ask(f"create-{kind}", None, take=kind)
        text = made.sdp.as_text()
        self.descriptions.append({"t": lines.now(), "side": "local", "type": kind, "sdp": text})
        # First this: candidates come while the description is being set, and must not overtake it.
        lines.signal({"type": kind, "sdp": text})
        self.ask("set-local-description", made)

    async def begin(self, restart: bool) -> None:
        """Make an offer."""
        if restart:
            raise NotImplementedError("webrtcbin does not restart ICE")
        await asyncio.sleep(0.3)
        self.use_channel(self.bin.emit("create-data-channel", "lab", None))
        self.describe("offer")

    async def signal(self, message: dict[str, Any]) -> None:
        """Take a message from the other side."""
        if message["type"] == "candidate":
            given = message["candidate"]
            if given["candidate"]:
                self.bin.emit("add-ice-candidate", given["sdpMLineIndex"] or 0, given["candidate"])
            return
        self.descriptions.append({"t": lines.now(), "side": "remote", **message})
        _, parsed = GstSdp.SDPMessage.new_from_text(message["sdp"])
        description = GstWebRTC.WebRTCSessionDescription.new(TYPES[message["type"]], parsed)
        self.ask("set-remote-description", description)
        # aiortc and the lab's own edits put candidates into the description itself.
        for line in re.findall(r"^a=(candidate:.*?)\r?$", message["sdp"], re.M):
            self.bin.emit("add-ice-candidate", 0, line)
        if message["type"] == "offer":
            self.describe("answer")

    async def finish(self, _argument: None) -> dict[str, Any]:
        """Return the truth and close."""
        states = {shown: self.bin.get_property(name).value_nick for name, shown in STATES.items()}
        states["channel"] = self.channel_state
        try:
            stats = self.ask("get-stats", None)
        except Exception as problem:
            stats = f"not to be had: {problem}"
        truth = {
            "implementation": f"webrtcbin, {Gst.version_string()} (libnice)",
            "states": states,
            "statsTime": lines.now(),
            "statsText": stats,
            "descriptions": self.descriptions,
            "messagesReceived": self.received,
        }
        self.pipe.set_state(Gst.State.NULL)
        return truth


def main() -> None:
    """Serve the lab."""
    agent = Agent()
    verbs = {"open": agent.open, "begin": agent.begin, "signal": agent.signal, "finish": agent.finish}
    asyncio.run(lines.serve(verbs))


if __name__ == "__main__":
    main()
