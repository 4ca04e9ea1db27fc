"""Another call in the same file."""

from __future__ import annotations

from dataclasses import replace

from tests.diagnose.properties.renaming import Renaming, elsewhere, names_in
from tests.diagnose.properties.tapes import Tape, Tapes


def joined(tapes: Tapes, other: Tape) -> Tapes:
    """The first capture with the packets of another call among its own, at addresses that are not in it.

    The other call begins when this one does, and does not outlast it: a capture that goes on for longer knows more.
    """
    moved = Renaming(address=elsewhere(names_in((other,)).addresses, names_in(tapes).addresses)).apply((other,))[0]
    first, *rest = tapes
    shift = min(one.time_ns for one in first.packets) - min(one.time_ns for one in moved.packets)
    guests = [
        replace(one, time_ns=one.time_ns + shift, interface=one.interface + len(first.interfaces))
        for one in moved.packets
    ]
    end = max(one.time_ns for one in first.packets)
    packets = sorted(
        [*first.packets, *(one for one in guests if one.time_ns <= end)], key=lambda packet: packet.time_ns
    )
    return replace(first.with_packets(packets), interfaces=first.interfaces + moved.interfaces), *rest


def shifted(tapes: Tapes, by_ns: int) -> Tapes:
    """The same at another time."""
    return tuple(tape.with_packets(replace(one, time_ns=one.time_ns + by_ns) for one in tape.packets) for tape in tapes)
