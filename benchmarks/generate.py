"""Make the captures that are measured: `python -m benchmarks.generate KIND FILE --packets N`.

- `media`: four calls, RTP both ways (video and audio), some RTCP and DTLS, and 0.2 % STUN: the first checks, the
  nomination, then consent.
- `server`: a STUN server: many clients ask, are answered, ask again; some requests are lost and sent again.
- `sessions`: many sessions on a media server's one port: most connect and carry a little media, the rest fail.

The same seed gives the same bytes.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import stun
from benchmarks.packets import Packets, big, constant, packets, write

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
START = 1_700_000_000 * SECOND
LETTERS = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", np.uint8)
VIDEO, AUDIO = 96, 111
HOST_PRIORITY = 0x6EFFFEFF
EPHEMERAL = 49_152
"""Ports from here on belong to no protocol that a dissector would look for."""


def address(text: str) -> int:
    """An IPv4 address as a number."""
    a, b, c, d = map(int, text.split("."))
    return a << 24 | b << 16 | c << 8 | d


def ufrags(rng: np.random.Generator, rows: int) -> Any:
    """Four letters a row."""
    return LETTERS[rng.integers(0, 64, (rows, 4))]


def checks(
    rng: np.random.Generator,
    time_ns: Any,
    sender: tuple[Any, Any],
    receiver: tuple[Any, Any],
    names: tuple[Any, Any],
    controlling: bool,
    nominate: bool = False,
    rtt_ns: Any = 20 * MILLISECOND,
    answered: Any = True,
    ttls: tuple[int, int] = (64, 57),
) -> list[Packets]:
    """Connectivity checks and the answers to them; names are the ufrags of sender and receiver, a row a check."""
    rows = len(time_ns)
    transaction = stun.ids(rng, rows)
    mine, theirs = (np.broadcast_to(name, (rows, 4)) for name in names)
    passwords = [bytes(name) * 6 for name in theirs]
    role = stun.ICE_CONTROLLING if controlling else stun.ICE_CONTROLLED
    tie = np.tile(mine, (1, 2))
    attributes = [
        stun.attribute(stun.USERNAME, np.concatenate([theirs, constant(b":", rows), mine], axis=1)),
        stun.attribute(role, tie),
        *([stun.attribute(stun.USE_CANDIDATE, np.zeros((rows, 0), np.uint8))] if nominate else []),
        stun.attribute(stun.PRIORITY, big(np.full(rows, HOST_PRIORITY), 4)),
    ]
    request = stun.messages(stun.REQUEST, transaction, attributes, passwords)
    here, there = np.broadcast_to(answered, rows), np.broadcast_to(time_ns + rtt_ns, rows)
    answer = stun.messages(stun.SUCCESS, transaction, [stun.mapped(*sender, rows)], passwords)
    back = [np.broadcast_to(np.asarray(value), rows)[here] for value in (*receiver, *sender)]
    return [
        packets(time_ns, *sender, *receiver, request, ttl=ttls[0]),
        packets(there[here], *back, answer[here], ttl=ttls[1]),
    ]


def stream(
    rng: np.random.Generator,
    time_ns: Any,
    src: tuple[Any, Any],
    dst: tuple[Any, Any],
    payload_type: int,
    sizes: tuple[int, int],
    ttl: int,
) -> Packets:
    """One RTP stream."""
    rows = len(time_ns)
    sequence = np.arange(rows)
    ticks = (time_ns - START) // (SECOND // 90_000 if payload_type == VIDEO else SECOND // 48_000)
    ssrc = rng.bytes(4)
    head = [constant(bytes([0x90, payload_type]), rows), big(sequence, 2), big(ticks, 4), constant(ssrc, rows)]
    return packets(time_ns, *src, *dst, np.concatenate(head, axis=1), rng.integers(*sizes, rows), ttl)


def datagrams(time_ns: Any, src: tuple[Any, Any], dst: tuple[Any, Any], head: bytes, sizes: Any, ttl: int) -> Packets:
    """Packets that all begin with the same bytes."""
    return packets(time_ns, *src, *dst, constant(head, len(time_ns)), sizes, ttl)


def handshake(time_ns: int, a: tuple[int, int], b: tuple[int, int], rng: np.random.Generator) -> list[Packets]:
    """A DTLS 1.2 handshake, short but well formed, B being the client."""

    def record(kind: int, epoch: int, body: bytes) -> bytes:
        return bytes([kind]) + b"\xfe\xfd" + epoch.to_bytes(2) + bytes(6) + len(body).to_bytes(2) + body

    def message(kind: int, number: int, body: bytes) -> bytes:
        return record(
            22, 0, bytes([kind]) + len(body).to_bytes(3) + number.to_bytes(2) + bytes(3) + len(body).to_bytes(3) + body
        )

    hello = b"\xfe\xfd" + rng.bytes(32)
    finished = record(20, 0, b"\1") + record(22, 1, rng.bytes(40))
    flights = [
        (b, a, message(1, 0, hello + b"\0\0\0\2\xc0\x2b\1\0")),
        (a, b, message(2, 0, hello + b"\0\xc0\x2b\0") + message(14, 1, b"")),
        (b, a, finished),
        (a, b, finished),
    ]
    return [
        datagrams(np.array([time_ns + 20 * MILLISECOND * number]), src, dst, data, len(data), 64 if src == a else 57)
        for number, (src, dst, data) in enumerate(flights)
    ]


def media(rng: np.random.Generator, count: int, calls: int = 4) -> list[Packets]:
    """Calls with media both ways, as captured at one end."""
    groups: list[Packets] = []
    for call in range(calls):
        mine = count // calls + (call < count % calls)
        a = (address("10.0.0.10"), 50_000 + call)
        b = (address("203.0.113.20") + call, EPHEMERAL + 7 * call)
        names = tuple(ufrags(rng, 2))
        consents = max(1, round(mine * 0.002 / 4) - 2)
        begin, interval = START + call * 350 * MILLISECOND, 5 * SECOND
        span = consents * interval
        made = []
        for src, dst, own, controlling in ((a, b, names, True), (b, a, names[::-1], False)):
            first = np.array([begin + (0 if controlling else 5 * MILLISECOND)])
            later = begin + SECOND + np.arange(consents) * interval + rng.integers(0, SECOND, consents)
            ttls = (64, 57) if controlling else (57, 64)
            made += checks(rng, first, src, dst, own, controlling, ttls=ttls)
            made += checks(rng, first + 50 * MILLISECOND, src, dst, own, controlling, controlling, ttls=ttls)
            made += checks(rng, later, src, dst, own, controlling, controlling, ttls=ttls)
        made += handshake(begin + 100 * MILLISECOND, a, b, rng)
        left = max(0, mine - sum(len(group.head) for group in made))
        shares = rng.multinomial(left // 2, [0.60, 0.385, 0.01, 0.005])
        for number, (src, dst, ttl) in enumerate(((a, b, 64), (b, a, 57))):
            shares[0] += number * (left % 2)
            when = [begin + 300 * MILLISECOND + np.sort(rng.integers(0, span, share)) for share in shares]
            made.append(stream(rng, when[0], src, dst, VIDEO, (620, 1180), ttl))
            made.append(stream(rng, when[1], src, dst, AUDIO, (60, 180), ttl))
            made.append(datagrams(when[2], src, dst, b"\x81\xc9\0\7", 32, ttl))
            data = b"\x17\xfe\xfd\0\1" + bytes(6) + (61).to_bytes(2)
            made.append(datagrams(when[3], src, dst, data, 13 + 61, ttl))
        groups += made
    return groups


def server(rng: np.random.Generator, count: int) -> list[Packets]:
    """A STUN server as it sees itself; each client asks four times on average, and a few requests are lost."""
    asked = round(count / 2.015)
    lost = count - 2 * asked
    clients = max(1, asked // 4)
    who = rng.integers(0, clients, asked)
    home = rng.permutation(clients)
    src, sport = address("11.0.0.0") + home[who] * 7, EPHEMERAL + home[who] * 13 % 16_000
    here = (address("198.51.100.10"), 3478)
    when = START + np.sort(rng.integers(0, max(1, asked) * 200_000, asked))
    transaction = stun.ids(rng, asked)
    software = constant(b"benchmark server 1.0", asked)
    request = stun.messages(stun.REQUEST, transaction, [])
    answer = stun.messages(
        stun.SUCCESS, transaction, [stun.mapped(src, sport, asked), stun.attribute(stun.SOFTWARE, software)]
    )
    again = rng.permutation(asked)[: max(0, lost)]
    earlier = packets(when[again] - 500 * MILLISECOND, src[again], sport[again], *here, request[again], ttl=50)
    return [
        earlier,
        packets(when, src, sport, *here, request, ttl=50),
        packets(when + 100_000, *here, src, sport, answer),
    ]


def sessions(rng: np.random.Generator, count: int) -> list[Packets]:
    """`count` sessions on one port of a media server that is full ICE: 80 % connect, the others fail in three ways."""
    clients = np.stack([address("11.0.0.0") + np.arange(count) * 5, EPHEMERAL + np.arange(count) * 17 % 16_000])
    here = (address("198.51.100.10"), 10_000)
    mine, theirs = ufrags(rng, count), ufrags(rng, count)
    begin = START + np.sort(rng.integers(0, count * 20 * MILLISECOND, count))
    kind = rng.choice(4, count, p=[0.8, 0.08, 0.06, 0.06])
    groups: list[Packets] = []
    # all is well; the server ignores what it is asked; what the server sends is lost; so is what the client sends
    for number, client_answered, server_answered in (
        (0, True, True),
        (1, False, True),
        (2, True, False),
        (3, None, False),
    ):
        rows = np.flatnonzero(kind == number)
        tries = 3 if number == 0 else 12
        for attempt in range(tries):
            when = begin[rows] + attempt * (100 if number == 0 else 1000) * MILLISECOND
            client = (clients[0, rows], clients[1, rows])
            own, other = mine[rows], theirs[rows]
            if client_answered is not None:
                groups += checks(
                    rng,
                    when,
                    client,
                    here,
                    (own, other),
                    True,
                    number == 0 and attempt > 0,
                    answered=client_answered,
                    ttls=(50, 64),
                    rtt_ns=100_000,
                )
            groups += checks(
                rng, when + MILLISECOND, here, client, (other, own), False, answered=server_answered, ttls=(64, 50)
            )
        if number == 0:
            for packet in range(10):
                when = begin[rows] + 400 * MILLISECOND + packet * 20 * MILLISECOND
                for src, dst, ttl in ((client, here, 50), (here, client, 64)):
                    head = bytes([0x90, AUDIO]) + packet.to_bytes(2) + (packet * 960).to_bytes(4) + b"\0\0\1\1"
                    groups.append(datagrams(when, src, dst, head, 120, ttl))
    return groups


MAKERS = {"media": media, "server": server, "sessions": sessions}


def generate(kind: str, path: Path, count: int, seed: int = 1) -> int:
    """Write a capture; returns its number of packets (for `sessions`, `count` is that of the sessions)."""
    rng = np.random.default_rng([seed, *kind.encode()])
    return write(path, MAKERS[kind](rng, count), rng)


def messages(kind: str, count: int, seed: int = 1) -> int:
    """How many STUN messages such a capture holds."""
    rng = np.random.default_rng([seed, *kind.encode()])
    cookie = np.frombuffer(stun.COOKIE.to_bytes(4), np.uint8)
    groups = [group.head for group in MAKERS[kind](rng, count) if len(group.head)]
    return sum(len(head) for head in groups if np.array_equal(head[0, 4:8], cookie))


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=MAKERS)
    parser.add_argument("file", type=Path)
    parser.add_argument("--packets", type=int, default=1_000_000, metavar="N", help="packets; sessions, for `sessions`")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    begin = time.perf_counter()
    written = generate(given.kind, given.file, given.packets, given.seed)
    took = time.perf_counter() - begin
    found = messages(given.kind, given.packets, given.seed)
    print(f"{written} packets, {found} STUN messages, {given.file.stat().st_size:,} bytes, {took:.1f} s: {given.file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
