"""What the lab asks of every agent, whatever it is made of.

An agent emits events (dicts): `{"kind": "signal", "message": {...}}` to be carried to the other side, and
`{"kind": "state", "name": ..., "value": ..., "t": ms since 1970}`. Signalling messages are
`{"type": "offer" | "answer" | "ice", ...}` and `{"type": "candidate", "candidate": {...}}`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

Event = dict[str, Any]
Emit = Callable[[str, Event], None]
"""Called with the agent's role and the event."""


class AgentHandle(Protocol):
    """The verbs of an agent."""

    async def launch(self) -> None:
        """Start the program; nothing may be sent yet."""

    async def open(self) -> None:
        """Make the peer connection."""

    async def begin(self, restart: bool = False) -> None:
        """Make an offer."""

    async def signal(self, message: Event) -> None:
        """Take a message that came from the other side."""

    async def leave(self, how: str) -> None:
        """End the call from this side without a word to the lab's signalling.

        `close` closes the peer connection, `close-tab` the page, `kill` kills the program, `freeze` stops it. What
        the agent knew right before is what `finish` returns afterwards.
        """

    async def finish(self) -> dict[str, Any]:
        """Return the truth and close the peer connection at once."""

    async def kill(self) -> None:
        """End the program."""
