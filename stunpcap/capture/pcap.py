"""pcap: a file header, then packets with their lengths, and nothing between them to find one's way by.

Both byte orders; microseconds and nanoseconds; the modified format of the patched libpcap (Kuznetzov), whose
records carry the direction; Ixia's.  Lengths are the only structure, so the first one that cannot be is where
reading ends.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from stunpcap.capture.ending import note_end, zeros
from stunpcap.capture.notes import Notes
from stunpcap.capture.records import INBOUND, OUTBOUND, Block, Interface
from stunpcap.capture.rows import Rows
from stunpcap.capture.window import Window
from stunpcap.capture.words import BAD, FULL, LONGEST, NEED, ZEROS, word
from stunpcap.kernels import kernel
from stunpcap.record import record

HEADER = 24
LONGEST_PACKET = 262_144
"""Captured bytes of a packet that every reader of pcap accepts; beyond it only up to the file's own snap length."""


@record
class Variant:
    """One of the magics."""

    format: str
    scale: int = 1000
    """Nanoseconds in one unit of the fraction."""
    record: int = 16
    """Bytes of a record's header."""
    skip: int = 0
    """Bytes between file header and first record."""


VARIANTS = {
    0xA1B2C3D4: Variant("pcap"),
    0xA1B23C4D: Variant("pcap (nanoseconds)", scale=1),
    0xA1B2CD34: Variant("pcap (modified)", record=24),
    0x1C0001AC: Variant("pcap (Ixia)", skip=4),
    0x1C0001AB: Variant("pcap (Ixia)", skip=4),
}


def variant_of(head: bytes) -> tuple[Variant, bool] | None:
    """The variant of a file that begins with `head` and whether its numbers are big-endian; None if it is no pcap."""
    if len(head) >= 4:
        for order, big in (("<I", False), (">I", True)):
            variant = VARIANTS.get(struct.unpack_from(order, head)[0])
            if variant is not None:
                return variant, big
    return None


def read(window: Window, notes: Notes, rows: Rows, variant: Variant, big: bool) -> Iterator[Block]:
    """The packets of a pcap whose file header (`HEADER` + `variant.skip` bytes) is in the window."""
    major, minor, _, _, snaplen, network = struct.unpack_from(">HHIIII" if big else "<HHIIII", window.data, 4)
    # The upper six bits tell the length of the frame check sequence that each packet ends with.
    notes.interfaces.append(Interface(linktype=network & 0x03FF_FFFF, snaplen=snaplen))
    window.at = HEADER + variant.skip
    header = variant.record
    if header == 24 and _fitting(window, big, 28) > _fitting(window, big, 24):
        header = 28  # SuSE's libpcap: the same magic with a longer record
    limit = max(LONGEST_PACKET, min(snaplen, LONGEST))
    # Before version 2.4 the lengths stood in either order: the captured one is the smaller one.
    either = (major, minor) < (2, 4)
    while True:
        start = rows.row
        window.at, rows.row, code, value, odd = walk.run(
            window.fast, window.data, window.at, len(window.data), big, header, variant.scale, limit, either,
            rows.row, rows.room, rows.offset, rows.caplen, rows.wirelen, rows.time, rows.direction,
        )  # fmt: skip
        if odd >= 0:
            offset = window.position + int(rows.offset[odd]) - header
            problem = "a time whose fraction is a second or more, taken as it stands (and others like it)"
            notes.defect(offset, problem, frame=notes.frame + odd - start, once=True)
        if len(rows):
            yield rows.hand_on(window, notes)
        if code == FULL:
            continue
        if code == NEED and window.move(value):
            continue
        if code == BAD:
            notes.defect(window.offset, f"a record of {value:,} bytes cannot be: damaged here or shortly before")
        elif code == ZEROS:
            notes.defect(window.offset, zeros(window))
        else:
            note_end(window, notes)
        return


def _fitting(window: Window, big: bool, header: int, most: int = 16) -> int:
    """How many records with such a header make sense one after the other, from the cursor on."""
    data, at = window.data, window.at
    for count in range(most):
        if at + header > len(data):
            return count
        captured, wire = word(data, at + 8, big), word(data, at + 12, big)
        if captured > min(wire, LONGEST_PACKET) or wire > LONGEST_PACKET:
            return count
        at += header + captured
    return most


@kernel
def walk(data, at, end, big, header, scale, limit, either, row, room, offset, caplen, wirelen, time, direction):  # type: ignore[no-untyped-def]
    """Walk over records into the columns; returns cursor, row, code, value, and a row with an odd time or -1."""
    odd = -1
    while row < room:
        if at + header > end:
            return at, row, NEED, header, odd
        seconds = word(data, at, big)
        fraction = word(data, at + 4, big)
        captured = word(data, at + 8, big)
        wire = word(data, at + 12, big)
        if captured == 0 and wire == 0 and seconds == 0 and fraction == 0:
            return at, row, ZEROS, 0, odd
        if either and captured > wire:
            captured, wire = wire, captured
        if captured > limit:
            return at, row, BAD, captured, odd
        if at + header + captured > end:
            return at, row, NEED, header + captured, odd
        if fraction * scale >= 1_000_000_000 and odd < 0:
            odd = row
        offset[row] = at + header
        caplen[row] = captured
        wirelen[row] = max(wire, captured)
        time[row] = seconds * 1_000_000_000 + fraction * scale
        if header > 16:
            # Linux's packet type: this host, broadcast, multicast, another host, outgoing.  Without the number of an
            # interface before it, another program converted the file and filled all of this with zeros.
            kind = data[at + 22] if word(data, at + 16, big) else 3
            direction[row] = OUTBOUND if kind == 4 else INBOUND if kind < 3 else 0
        row += 1
        at += header + captured
    return at, row, FULL, 0, odd
