"""Chromium, driven by Playwright over a pipe, inside a namespace.

The wrapper script is what puts the browser there; the page's own script (`page.js`) holds the peer
connection and reports events through a binding.
"""

from __future__ import annotations

import shutil
import signal
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captures.lab.agents.base import Emit, Event
from captures.lab.agents.signals import send
from captures.lab.model import TLS_KEYS, Agent

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Playwright

SCRIPT = Path(__file__).with_name("page.js")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)
# Casting would look for devices by multicast, and local-network checks would ask a person.
ALWAYS_OFF = (
    "MediaRouter",
    "DialMediaRouteProvider",
    "LocalNetworkAccessChecks",
    "LocalNetworkAccessChecksWebSockets",
)


class Chromium:
    """A browser with one page and one peer connection."""

    def __init__(self, role: str, agent: Agent, namespace: str, emit: Emit) -> None:
        self.role, self.agent, self.namespace, self.emit = role, agent, namespace, emit
        self.scratch = Path(tempfile.mkdtemp(prefix="stunlab"))
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._page: Page | None = None
        self._left: dict[str, Any] | None = None

    async def launch(self) -> None:
        """Start the browser inside its namespace, on a blank page."""
        # Not before it is needed: listing and describing scenarios must do without Playwright.
        from playwright.async_api import async_playwright

        wrapper = self.scratch / "browser"
        wrapper.write_text(f'#!/bin/sh\nexec ip netns exec {self.namespace} /usr/bin/chromium "$@"\n')
        wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
        blank = self.scratch / "blank.html"
        blank.write_text("<!doctype html><title>lab</title>")
        off = list(ALWAYS_OFF)
        if not self.agent.mdns:
            off.append("WebRtcHideLocalIpsWithMdns")
        self._playwright = await async_playwright().start()
        flags = [*FLAGS, f"--disable-features={','.join(off)}"]
        if not self.agent.mdns:
            # Granting media permissions unasked also makes the browser show its addresses.
            flags.append("--use-fake-ui-for-media-stream")
        if self.agent.options.get("any_certificate"):
            flags.append("--ignore-certificate-errors")
        if self.agent.options.get("log_keys"):
            flags.append(f"--ssl-key-log-file={self.scratch / 'keys'}")
        self._browser = await self._playwright.chromium.launch(executable_path=str(wrapper), args=flags)
        self._page = await self._browser.new_page()
        await self._page.expose_binding("labEmit", lambda _source, event: self.emit(self.role, event))
        await self._page.goto(blank.as_uri())
        await self._page.evaluate(SCRIPT.read_text())

    async def _call(self, verb: str, argument: Any = None) -> Any:
        assert self._page is not None
        return await self._page.evaluate(f"argument => window.lab.{verb}(argument)", argument)

    async def open(self) -> None:
        """Make the peer connection."""
        await self._call(
            "open",
            {
                "rtc": {"iceServers": list(self.agent.ice_servers), "iceTransportPolicy": self.agent.policy},
                "media": list(self.agent.media),
                "permission": self.agent.all_interfaces,
                "options": self.agent.options,
                "offerer": self.role == "offerer",
            },
        )

    async def begin(self, restart: bool = False) -> None:
        """Make an offer."""
        await self._call("begin", restart)

    async def signal(self, message: Event) -> None:
        """Take a message from the other side."""
        await self._call("signal", message)

    async def leave(self, how: str) -> None:
        """Close the connection or the page, kill the browser, or stop it."""
        assert self._page is not None
        self._left = await self._truth("finish" if how == "close" else "look")
        if how == "close-tab":
            await self._page.close()
        elif how != "close":
            send(self.namespace, "chromium", signal.SIGKILL if how == "kill" else signal.SIGSTOP)

    async def finish(self) -> dict[str, Any]:
        """Take the statistics and close the connection right after."""
        return self._left if self._left is not None else await self._truth("finish")

    async def _truth(self, verb: str) -> dict[str, Any]:
        truth: dict[str, Any] = await self._call(verb)
        assert self._browser is not None
        said = {"implementation": f"Chromium {self._browser.version}", **truth}
        if self.agent.options.get("log_keys"):
            said[TLS_KEYS] = (self.scratch / "keys").read_text()
        return said

    async def kill(self) -> None:
        """Close the browser and remove its scratch files."""
        try:
            if self._left is not None:
                # A browser that was stopped would never answer.
                send(self.namespace, "chromium", signal.SIGKILL)
            if self._browser is not None:
                await self._browser.close()
            if self._playwright is not None:
                await self._playwright.stop()
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)
