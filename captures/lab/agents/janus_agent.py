"""Janus, a media server, as an answering agent of the lab: its echo test (a program inside the agent's namespace).

Janus is driven over its HTTP interface on the namespace's own loopback. Options:

- `nat`: settings of the `nat` section of its configuration, such as `ice_lite`, `full_trickle`, `nat_1_1_mapping`
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import lines  # type: ignore[import-not-found, unused-ignore]

API = "http://127.0.0.1:8088/janus"
ADMIN = "http://127.0.0.1:7088/admin"
SECRET = "lab"
ICE_STATES = {
    "disconnected": "new",
    "gathering": "new",
    "connecting": "checking",
    "connected": "connected",
    "ready": "connected",
    "failed": "failed",
}
"""libnice's states in a browser's words."""
UNUSED = (
    "audiobridge", "duktape", "lua", "nosip", "recordplay", "sip", "streaming", "textroom", "videocall",
    "videoroom", "voicemail",
)  # fmt: skip


def setting(value: Any) -> str:
    """A value in the configuration's syntax."""
    return json.dumps(value)


def configure(folder: Path, nat: dict[str, Any]) -> None:
    """Write a configuration that starts the echo test alone."""
    lib = next(Path("/usr/lib").glob("*/janus"))
    unused = ",".join(f"libjanus_{name}.so" for name in UNUSED)
    lines_of_nat = "\n".join(f"  {name} = {setting(value)}" for name, value in nat.items())
    (folder / "janus.jcfg").write_text(f"""
general: {{
  configs_folder = "{folder}"
  plugins_folder = "{lib}/plugins"
  transports_folder = "{lib}/transports"
  events_folder = "{lib}/events"
  loggers_folder = "{lib}/loggers"
  debug_level = 4
  admin_secret = "{SECRET}"
}}
nat: {{
{lines_of_nat}
}}
plugins: {{
  disable = "{unused}"
}}
transports: {{
  disable = "libjanus_websockets.so,libjanus_pfunix.so,libjanus_rabbitmq.so,libjanus_mqtt.so,libjanus_nanomsg.so"
}}
""")
    (folder / "janus.plugin.echotest.jcfg").write_text("general: {\n}\n")
    (folder / "janus.transport.http.jcfg").write_text("""
general: {
  json = "compact"
  base_path = "/janus"
  http = true
  port = 8088
  ip = "127.0.0.1"
}
admin: {
  admin_base_path = "/admin"
  admin_http = true
  admin_port = 7088
  admin_ip = "127.0.0.1"
}
""")


def ask(url: str, body: dict[str, Any] | None = None) -> Any:
    """Send one request and return what came back."""
    data = None if body is None else json.dumps({"transaction": secrets.token_hex(6), **body}).encode()
    # A proxy of the machine's own must not be asked for the loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, data), timeout=60) as reply:
        return json.load(reply)


class Agent:
    """A Janus with one session and one handle."""

    def __init__(self) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="stunlab"))
        self.process: asyncio.subprocess.Process
        self.session = self.handle = ""
        self.session_id = self.handle_id = 0
        self.states = {"iceConnectionState": "new", "connectionState": "new"}
        self.descriptions: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.info: dict[str, Any] = {}
        self.version = ""
        self.tasks: set[asyncio.Task[None]] = set()

    def spawn(self, coroutine: Any) -> None:
        """Run a coroutine beside the verbs."""
        self.tasks.add(asyncio.get_running_loop().create_task(coroutine))

    async def launch(self, options: dict[str, Any]) -> None:
        """Start Janus and wait until it answers."""
        configure(self.scratch, options.get("nat", {}))
        log = (self.scratch / "log").open("wb")
        self.process = await asyncio.create_subprocess_exec(
            "janus", "-F", str(self.scratch), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
        )
        for _ in range(100):
            try:
                about = await asyncio.to_thread(ask, f"{API}/info")
            except OSError:
                await asyncio.sleep(0.1)
            else:
                self.version = about["version_string"]
                return
        raise RuntimeError(f"Janus does not answer: {(self.scratch / 'log').read_text(errors='replace')[-2000:]}")

    async def open(self, _config: dict[str, Any]) -> None:
        """Attach to the echo test."""
        made = await asyncio.to_thread(ask, API, {"janus": "create"})
        self.session_id = made["data"]["id"]
        self.session = f"{API}/{self.session_id}"
        attach = {"janus": "attach", "plugin": "janus.plugin.echotest"}
        self.handle_id = (await asyncio.to_thread(ask, self.session, attach))["data"]["id"]
        self.handle = f"{self.session}/{self.handle_id}"
        self.spawn(self.listen())
        self.spawn(self.watch())

    def become(self, name: str, value: str) -> None:
        """Report a state."""
        if self.states[name] != value:
            self.states[name] = value
            lines.state(name, value)

    async def listen(self) -> None:
        """Take events as they come, and one with nothing in it every half minute."""
        while True:
            event = await asyncio.to_thread(ask, self.session)
            self.take(event)

    def take(self, event: dict[str, Any]) -> None:
        """Act on one event."""
        if event["janus"] == "keepalive":
            return
        self.events.append({"t": lines.now(), **event})
        if "jsep" in event:
            jsep = event["jsep"]
            self.descriptions.append({"t": lines.now(), "side": "local", "type": jsep["type"], "sdp": jsep["sdp"]})
            lines.signal({"type": jsep["type"], "sdp": jsep["sdp"]})
        elif event["janus"] == "trickle" and "candidate" in event["candidate"]:
            lines.signal({"type": "candidate", "candidate": event["candidate"]})
        elif event["janus"] == "webrtcup":
            self.become("connectionState", "connected")
        elif event["janus"] == "hangup":
            failed = self.states["connectionState"] in ("new", "connecting") or "ICE" in event.get("reason", "")
            self.become("connectionState", "failed" if failed else "closed")

    async def watch(self) -> None:
        """Ask Janus for the handle's inside twice a second."""
        while True:
            await self.inspect()
            await asyncio.sleep(0.5)

    async def inspect(self) -> None:
        """Note what Janus knows of the handle; it forgets all when the call is over."""
        body = {"janus": "handle_info", "admin_secret": SECRET}
        told = await asyncio.to_thread(ask, f"{ADMIN}/{self.session_id}/{self.handle_id}", body)
        info = told.get("info", {})
        ice = (info.get("webrtc") or {}).get("ice") or {}
        if ice:
            self.info = {"lastSeen": lines.now(), **info}
            state = ICE_STATES.get(ice.get("state", ""), "")
            if state:
                self.become("iceConnectionState", state)

    async def begin(self, _restart: bool) -> None:
        """Janus's echo test does not offer."""
        raise NotImplementedError("the echo test only answers")

    async def signal(self, message: dict[str, Any]) -> None:
        """Take a message from the other side."""
        if message["type"] == "candidate":
            given = message["candidate"]
            told = given if given["candidate"] else {"completed": True}
            await asyncio.to_thread(ask, self.handle, {"janus": "trickle", "candidate": told})
            return
        self.descriptions.append({"t": lines.now(), "side": "remote", **message})
        body = {"janus": "message", "body": {"audio": True, "video": True}, "jsep": {**message, "trickle": True}}
        await asyncio.to_thread(ask, self.handle, body)

    async def look(self, _argument: None) -> dict[str, Any]:
        """Return the truth as it is now."""
        if self.states["connectionState"] not in ("failed", "closed"):
            await self.inspect()
        return {
            "implementation": f"Janus {self.version}",
            "states": dict(self.states),
            "statsTime": lines.now(),
            "descriptions": self.descriptions,
            "janusEvents": self.events,
            "handleInfo": self.info,
        }

    async def finish(self, _argument: None) -> dict[str, Any]:
        """Return the truth and hang up."""
        truth = await self.look(None)
        await asyncio.to_thread(ask, self.handle, {"janus": "hangup"})
        return truth

    async def close(self) -> None:
        """End Janus."""
        for task in self.tasks:
            task.cancel()
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        shutil.rmtree(self.scratch, ignore_errors=True)


async def serve() -> None:
    """Serve the lab until it is done, then end Janus."""
    agent = Agent()
    names = ("launch", "open", "begin", "signal", "look", "finish")
    try:
        await lines.serve({name: getattr(agent, name) for name in names})
    finally:
        await agent.close()


if __name__ == "__main__":
    asyncio.run(serve())
