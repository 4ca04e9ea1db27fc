"""Firefox, driven over WebDriver BiDi, as an agent of the lab (a program inside the agent's namespace).

The browser listens for its driver on the namespace's own loopback, so the driver has to live there too. The page
runs the same script as Chromium's (`page.js`), which reports events through a BiDi channel.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import lines  # type: ignore[import-not-found, unused-ignore]
import websockets

SCRIPT = Path(__file__).with_name("page.js")
PREFS: dict[str, Any] = {
    # Addresses as they are, in place of .local names.
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    # Nothing that the call does not need may go out.
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.trr.mode": 5,
    "network.dns.disablePrefetch": True,
    "network.manage-offline-status": False,
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "services.settings.server": "data:,",
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.server": "",
    "extensions.update.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "media.gmp-manager.url": "data:,",
    "dom.push.connection.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.aboutwelcome.enabled": False,
    "remote.active-protocols": 1,
}
LISTENING = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")


class Browser:
    """A Firefox with one page."""

    def __init__(self) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="stunlab"))
        self.process: asyncio.subprocess.Process
        self.socket: Any = None
        self.ids = itertools.count(1)
        self.waiting: dict[int, asyncio.Future[Any]] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.context = ""
        self.version = ""

    async def start(self, prefs: dict[str, Any]) -> None:
        """Start the browser, open a blank page and put the script into it."""
        profile = self.scratch / "profile"
        profile.mkdir()
        written = {**PREFS, **prefs}.items()
        (profile / "user.js").write_text(
            "".join(f'user_pref("{name}", {json.dumps(value)});\n' for name, value in written)
        )
        blank = self.scratch / "blank.html"
        blank.write_text("<!doctype html><title>lab</title>")
        self.process = await asyncio.create_subprocess_exec(
            "firefox-esr", "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "HOME": str(self.scratch), "MOZ_CRASHREPORTER_DISABLE": "1"},
        )  # fmt: skip
        url = await asyncio.wait_for(self._listening(), 60)
        self.spawn(self._drain())
        self.socket = await websockets.connect(f"{url}/session", max_size=None, proxy=None)
        self.spawn(self._read())
        begun = await self.call("session.new", {"capabilities": {}})
        self.version = begun["capabilities"]["browserVersion"]
        await self.call("session.subscribe", {"events": ["script.message"]})
        tree = await self.call("browsingContext.getTree", {})
        self.context = tree["contexts"][0]["context"]
        await self.call(
            "browsingContext.navigate", {"context": self.context, "url": blank.as_uri(), "wait": "complete"}
        )
        channel = {"type": "channel", "value": {"channel": "lab"}}
        await self.run("channel => { window.labEmit = event => channel(JSON.stringify(event)); }", channel)
        await self.run(f"() => {{ {SCRIPT.read_text()} }}")

    def spawn(self, coroutine: Any) -> None:
        """Run a coroutine beside the verbs."""
        self.tasks.add(asyncio.get_running_loop().create_task(coroutine))

    async def _listening(self) -> str:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            found = LISTENING.search(line)
            if found:
                return found[1].decode()
        raise RuntimeError("Firefox ended before it listened for a driver")

    async def _drain(self) -> None:
        assert self.process.stderr is not None
        while await self.process.stderr.read(65536):
            pass

    async def _read(self) -> None:
        try:
            async for text in self.socket:
                said = json.loads(text)
                if said.get("method") == "script.message":
                    lines.write(json.loads(said["params"]["data"]["value"]))
                elif said.get("id") in self.waiting:
                    waiting = self.waiting.pop(said["id"])
                    if "error" in said:
                        waiting.set_exception(RuntimeError(f"{said['error']}: {said.get('message')}"))
                    else:
                        waiting.set_result(said["result"])
        except websockets.ConnectionClosed:
            pass
        for waiting in self.waiting.values():
            waiting.cancel()

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        """Ask one thing of the browser."""
        number = next(self.ids)
        waiting = self.waiting[number] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        return await waiting

    async def run(self, function: str, *arguments: dict[str, Any]) -> Any:
        """Call a function in the page; what it returns must be a string or nothing."""
        params = {
            "functionDeclaration": function,
            "awaitPromise": True,
            "target": {"context": self.context},
            "arguments": list(arguments),
            "userActivation": True,
        }
        done = await self.call("script.callFunction", params)
        if done["type"] == "exception":
            raise RuntimeError(done["exceptionDetails"]["text"])
        return done["result"].get("value")

    async def verb(self, name: str, argument: Any = None) -> Any:
        """Call one of the page's own verbs."""
        given = {"type": "string", "value": json.dumps(argument)}
        text = await self.run(f"async text => JSON.stringify(await window.lab.{name}(JSON.parse(text)) ?? null)", given)
        return json.loads(text)

    async def close(self) -> None:
        """End the browser."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        shutil.rmtree(self.scratch, ignore_errors=True)


class Agent:
    """The lab's verbs."""

    def __init__(self) -> None:
        self.browser = Browser()

    async def launch(self, options: dict[str, Any]) -> None:
        """Start the browser."""
        await self.browser.start(options.get("prefs", {}))

    async def open(self, config: dict[str, Any]) -> None:
        """Make the peer connection."""
        given = {
            "rtc": {"iceServers": config["iceServers"], "iceTransportPolicy": config["policy"]},
            "media": config["media"],
            "permission": config["permission"],
            "options": config["options"],
            "offerer": config["offerer"],
        }
        await self.browser.verb("open", given)

    async def begin(self, restart: bool) -> None:
        """Make an offer."""
        await self.browser.verb("begin", restart)

    async def signal(self, message: dict[str, Any]) -> None:
        """Take a message from the other side."""
        await self.browser.verb("signal", message)

    async def look(self, _argument: None) -> dict[str, Any]:
        """Return the truth as it is now."""
        return {"implementation": f"Firefox {self.browser.version}", **await self.browser.verb("look")}

    async def finish(self, _argument: None) -> dict[str, Any]:
        """Return the truth and close."""
        return {"implementation": f"Firefox {self.browser.version}", **await self.browser.verb("finish")}

    async def close_tab(self, _argument: None) -> None:
        """Close the tab with the call; another one keeps the browser alive."""
        await self.browser.call("browsingContext.create", {"type": "tab"})
        await self.browser.call("browsingContext.close", {"context": self.browser.context})

    async def process(self, _argument: None) -> int:
        """Return the browser's process id."""
        return self.browser.process.pid


async def serve() -> None:
    """Serve the lab until it is done, then end the browser."""
    agent = Agent()
    names = ("launch", "open", "begin", "signal", "look", "finish", "close_tab", "process")
    try:
        await lines.serve({name: getattr(agent, name) for name in names})
    finally:
        await agent.browser.close()


if __name__ == "__main__":
    asyncio.run(serve())
