"""A wire that delays, loses or tags frames: a program that forwards between two interfaces.

The kernel at hand has neither netem nor VLAN devices, so a small switch does it. Arguments: the two
interfaces, delay and jitter in milliseconds, loss from 0 to 1, the seed, and a VLAN id (0 is none). With a
VLAN id there is a third interface in the middle, `trunk-a` and `trunk-b` being its two ends: frames cross
it with an 802.1Q tag, and that is where the capture is taken.
"""

from __future__ import annotations

import heapq
import itertools
import random
import selectors
import socket
import sys
import time

ETH_P_ALL = 3
PACKET_OUTGOING = 4
PACKET_IGNORE_OUTGOING = 23
SOL_PACKET = 263


def interface(name: str) -> socket.socket:
    """A raw socket on an interface, in promiscuous mode, that does not hear what it sends."""
    one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    one.bind((name, 0))
    one.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    # struct packet_mreq: index, PACKET_MR_PROMISC, no address.
    index = socket.if_nametoindex(name)
    one.setsockopt(SOL_PACKET, 1, index.to_bytes(4, sys.byteorder) + (1).to_bytes(2, sys.byteorder) + bytes(10))
    one.setblocking(False)
    return one


def main(argv: list[str]) -> None:
    """Forward until killed."""
    names, delay, jitter, loss, seed = argv[:2], float(argv[2]), float(argv[3]), float(argv[4]), int(argv[5])
    vlan = int(argv[6])
    ends = [interface(name) for name in names]
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    tag = b""
    if vlan:
        trunk = [interface("trunk-a"), interface("trunk-b")]
        tag = b"\x81\x00" + vlan.to_bytes(2, "big")
        # An access port tags what it takes in and puts it on the trunk; at the other end it comes off.
        other = {ends[0]: trunk[0], trunk[1]: ends[1], ends[1]: trunk[1], trunk[0]: ends[0]}
    chance = random.Random(seed)
    selector = selectors.DefaultSelector()
    for one in other:
        selector.register(one, selectors.EVENT_READ)
    queue: list[tuple[float, int, socket.socket, bytes]] = []
    order = itertools.count()
    while True:
        wait = max(0.0, queue[0][0] - time.monotonic()) if queue else None
        for key, _ in selector.select(wait):
            source = key.fileobj
            assert isinstance(source, socket.socket)
            frame = source.recv(65536)
            if tag and source in ends:
                frame = frame[:12] + tag + frame[12:]
            if loss and frame[12:14] == b"\x08\x00" and chance.random() < loss:
                continue
            due = time.monotonic() + (delay + jitter * chance.random()) / 1000
            heapq.heappush(queue, (due, next(order), other[source], frame))
        while queue and queue[0][0] <= time.monotonic():
            _, _, sink, frame = heapq.heappop(queue)
            sink.send(frame)


if __name__ == "__main__":
    main(sys.argv[1:])
