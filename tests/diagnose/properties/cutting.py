"""Packets taken away: the end or the beginning, some at random, one direction, the tail of each packet."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

from tests.diagnose.properties.headers import source_of
from tests.diagnose.properties.tapes import Tapes

NANOSECONDS = 1_000_000_000


def until(tapes: Tapes, end_ns: int) -> Tapes:
    """What was captured up to a time."""
    return tuple(tape.keep(lambda packet: packet.time_ns <= end_ns) for tape in tapes)


def until_packets(tapes: Tapes, begin_ns: int, count: int) -> Tapes:
    """What was captured up to a number of packets from a time on, of all captures together."""
    times = sorted(packet.time_ns for tape in tapes for packet in tape.packets if packet.time_ns >= begin_ns)
    return until(tapes, times[min(count, len(times)) - 1]) if times else tapes


def since(tapes: Tapes, begin_ns: int) -> Tapes:
    """What was captured from a time on."""
    return tuple(tape.keep(lambda packet: packet.time_ns >= begin_ns) for tape in tapes)


def thinned(tapes: Tapes, share: float, seed: int) -> Tapes:
    """Without a share of the packets, chosen at random, and each time the same for a seed."""
    chosen = random.Random(seed)
    return tuple(tape.keep(lambda packet: chosen.random() >= share) for tape in tapes)


def snapped(tapes: Tapes, length: int) -> Tapes:
    """As captured with a snap length."""
    return tuple(
        replace(
            tape.with_packets(replace(one, data=one.data[:length]) for one in tape.packets),
            interfaces=tuple(one._replace(snaplen=length) for one in tape.interfaces),
        )
        for tape in tapes
    )


def senders(tapes: Tapes, least: int = 3, most: int = 4) -> list[str]:
    """The addresses that sent the most packets."""
    counts = Counter(
        source
        for tape in tapes
        for packet in tape.packets
        if (source := source_of(packet.data, tape.link_type(packet)))
    )
    return [address for address, count in counts.most_common(most) if count >= least]


def only_from(tapes: Tapes, address: str) -> Tapes:
    """The packets of one sender."""
    return tuple(
        tape.keep(lambda packet, tape=tape: source_of(packet.data, tape.link_type(packet)) == address)  # type: ignore[misc]
        for tape in tapes
    )
