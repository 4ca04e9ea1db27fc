"""Many clients in trouble at one TURN server: rules take time in proportion.  Bounds are many times what it takes."""

from __future__ import annotations

import time

from tests.diagnose.calls import found
from tests.ice.transcript import read

CLIENTS = 1000
SERVER, DEAD, PEER = "192.0.2.1:3478", "192.0.2.77:3478", "198.51.100.7:7000"
LOGIN = "user=ann realm=example key=ann:example:secret"


def troubled(number: int) -> list[tuple[float, str]]:
    """A client with a dead STUN server, a relay that is refused to one in four, and checks in vain."""
    client, start = f"10.0.{number >> 8}.{number & 255}:{1024 + number}", number * 0.05
    lines = [(start + at, f"{client} > {DEAD} request g{number}") for at in (0, 0.5, 1.5, 3.5)]
    lines.append((start, f"{client} > {SERVER} allocate request a{number} {LOGIN}"))
    told = (
        f"success a{number} relayed=192.0.2.1:{10000 + number} lifetime=20"
        if number % 4
        else f"error a{number} code=486"
    )
    lines.append((start + 0.01, f"{SERVER} > {client} allocate {told}"))
    through = f"{client} > {SERVER} send {PEER} : request"
    sent = (1, 11, 21, 31) if number % 4 else ()
    return lines + [(start + at, f"{through} s{number}_{at} user=b{number}:a{number} prio=1") for at in sent]


def test_many_clients_in_trouble() -> None:
    lines = sorted(line for number in range(CLIENTS) for line in troubled(number))
    text = "\n".join(f"{at:.3f} {words} ipid={number % 60000}" for number, (at, words) in enumerate(lines))
    trace = read(f"{text}\n{CLIENTS * 0.05 + 120} end\n")
    start = time.process_time()
    assert len(trace.table("findings")) > CLIENTS
    assert time.process_time() - start < 15
    # One in four has no relay, and no check either that would make a session: one finding for all of them.
    refused = CLIENTS // 4
    assert len(found(trace, "stun-server-unreachable")) == CLIENTS - refused + 1
    assert f"and {refused - 1} more" in found(trace, "turn-refused")[0]["summary"]
