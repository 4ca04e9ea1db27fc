"""The signalling server of a scenario that has its signalling in the capture.

A program: it listens on the address given, port 8080, and passes each text message on to every other
client. No compression, so that a capture shows the messages as they were sent.
"""

from __future__ import annotations

import asyncio
import sys

from websockets.asyncio.server import ServerConnection, serve

clients: set[ServerConnection] = set()


async def client(connection: ServerConnection) -> None:
    """Pass on what one client says."""
    clients.add(connection)
    try:
        async for message in connection:
            for other in clients - {connection}:
                await other.send(message)
    finally:
        clients.discard(connection)


async def main(address: str) -> None:
    """Listen until killed."""
    async with serve(client, address, 8080, compression=None, server_header="lab"):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
