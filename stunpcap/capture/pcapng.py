"""pcapng: sections of blocks, each with its length before and after it, read one after the other.

Packets are walked over by a kernel; it stops at every block that changes how the following ones are to be read
(section headers, interfaces), at those that Wireshark gives a frame number although they hold no packet, and at
damage.  The length that a section header states is not trusted, since many writers leave it wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from stunpcap.capture.clock import DEFAULT_RESOLUTION, Clocks
from stunpcap.capture.ending import note_end, zeros
from stunpcap.capture.notes import Notes
from stunpcap.capture.options import COMMENT, options, text
from stunpcap.capture.records import Block, Interface
from stunpcap.capture.rows import Rows
from stunpcap.capture.window import Window
from stunpcap.capture.words import BAD, FULL, LONGEST, NEED, ZEROS, half, word
from stunpcap.kernels import kernel

MAGIC = b"\x0a\x0d\x0d\x0a"
ORDERS = {b"\x1a\x2b\x3c\x4d": True, b"\x4d\x3c\x2b\x1a": False}
"""Byte-order magics: whether the section is big-endian."""

SECTION_HEADER, INTERFACE, OLD_PACKET, SIMPLE_PACKET, STATISTICS, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 5, 6
FRAMES_WITHOUT_PACKET = (9, 0xBAD, 0x4000_0BAD, 0x204, 0x208, 0x216, 0x217, 0x221, 0x222)
"""systemd journal, custom, and Sysdig event blocks: Wireshark lists them among the packets."""
IF_NAME, IF_DESCRIPTION, IF_TSRESOL, IF_TSOFFSET = 2, 3, 9, 14
EPB_DROPCOUNT, ISB_IFDROP, ISB_OSDROP = 4, 5, 7

MOST_INTERFACES = 1 << 16
MOST_DROPPED = 1 << 48
"""Whoever says more does not know."""

SECTION, NEW_INTERFACE, NO_PACKET, NO_INTERFACE, TRAILER, SHORT, COUNTS = 10, 11, 12, 13, 14, 15, 16
"""Further codes with which the walk stops."""


class PcapngReader:
    """Reads one capture whose first bytes, in the window, are `MAGIC`."""

    def __init__(self, window: Window, notes: Notes, rows: Rows) -> None:
        self._window = window
        self._notes = notes
        self._rows = rows
        self._clocks = Clocks(MOST_INTERFACES)
        self._big = False
        self._base = 0
        """Index of the section's first interface among all."""
        self._snaplen = 0
        """Of the section's first interface, to which simple packets belong."""
        self._forgiven = -1
        """Offset of a block whose trailing length was found wrong and is not looked at again."""

    def blocks(self) -> Iterator[Block]:
        """The packets; ends where the stream or the first damage that cannot be passed is."""
        window, rows, notes = self._window, self._rows, self._notes
        while True:
            window.at, rows.row, code, value = walk.run(
                window.fast, window.data, window.at, len(window.data), self._big, len(notes.interfaces) - self._base,
                self._base, self._snaplen, self._forgiven - window.position, rows.row, rows.room, rows.offset,
                rows.caplen, rows.wirelen, rows.time, rows.low, rows.interface, rows.direction, rows.look,
            )  # fmt: skip
            if code == NEW_INTERFACE and len(notes.interfaces) < MOST_INTERFACES:
                self._interface(value)
                continue
            if code == COUNTS:
                self._statistics(value)
                continue
            if len(rows):
                yield self._hand_on()
            if code == FULL:
                continue
            if code == NEED:
                if not window.move(value):
                    note_end(window, notes)
                    return
            elif code == SECTION:
                if not self._section():
                    return
            elif not self._pass(code, value):
                return

    def _pass(self, code: int, value: int) -> bool:
        """Get past a block that holds no packet that could be kept; False if nothing sensible can follow."""
        window, notes = self._window, self._notes
        if code == NO_PACKET:
            notes.frame += 1
            window.at += value
            return True
        if code == NO_INTERFACE:
            problem = "a packet of an interface that the section does not describe, left out (and others like it)"
            notes.defect(window.offset, problem, once=True)
            window.at += value
            return True
        if code == SHORT:
            problem = "a packet that is longer than the block that holds it, left out (and others like it)"
            notes.defect(window.offset, problem, once=True)
            window.at += value
            return True
        if code == TRAILER and self._plausible(value):
            notes.defect(window.offset, "a block whose two lengths disagree; the first one leads on to the next block")
            self._forgiven = window.offset
            return True
        if code == TRAILER:
            notes.defect(window.offset, "a block whose two lengths disagree: damaged here")
        elif code == ZEROS:
            notes.defect(window.offset, zeros(window))
        elif code == BAD:
            notes.defect(window.offset, f"a block of {value:,} bytes cannot be: damaged here or shortly before")
        else:
            notes.defect(window.offset, f"more than {MOST_INTERFACES:,} interfaces: reading stops here")
        return False

    def _plausible(self, length: int) -> bool:
        """Whether after the block at the cursor comes one whose lengths agree, or the end of the stream."""
        window = self._window
        if window.left < length + 12 and not window.move(length + 12):
            return window.left == length
        following = word(window.data, window.at + length + 4, self._big)
        if following < 12 or following % 4 or following > LONGEST:
            return False
        if window.left < length + following and not window.move(length + following):
            return False
        return word(window.data, window.at + length + following - 4, self._big) == following

    def _section(self) -> bool:
        """Begin the section whose header is at the cursor; False if it cannot be had."""
        window, notes = self._window, self._notes
        if window.left < 28 and not window.move(28):
            note_end(window, notes)
            return False
        big = ORDERS.get(bytes(window.data[window.at + 8 : window.at + 12]))
        length = 0 if big is None else word(window.data, window.at + 4, big)
        if big is None or length < 28 or length % 4 or length > LONGEST:
            notes.defect(window.offset, "a section header that makes no sense: damaged here")
            return False
        if window.left < length and not window.move(length):
            note_end(window, notes)
            return False
        data, at = window.data, window.at
        if word(data, at + length - 4, big) != length:
            notes.defect(window.offset, "a section header whose two lengths disagree")
        major, minor = half(data, at + 12, big), half(data, at + 14, big)
        if (major, minor) not in ((1, 0), (1, 2)):
            notes.defect(window.offset, f"version {major}.{minor} of pcapng, read as if it were 1.0")
        self._big = big
        self._base = len(notes.interfaces)
        self._snaplen = 0
        self._options(at + 24, at + length - 4, 0)
        window.at += length
        return True

    def _interface(self, length: int) -> None:
        """Add the interface described at the cursor."""
        window, notes = self._window, self._notes
        at = window.at
        found = self._options(at + 16, at + length - 4, 0)
        linktype, snaplen = half(window.data, at + 8, self._big), word(window.data, at + 12, self._big)
        resolution, shift = found.get(IF_TSRESOL, b""), found.get(IF_TSOFFSET, b"")
        self._clocks.add(
            resolution[0] if resolution else DEFAULT_RESOLUTION,
            struct.unpack(">q" if self._big else "<q", shift)[0] if len(shift) == 8 else 0,
        )
        if len(notes.interfaces) == self._base:
            self._snaplen = snaplen
        name, description = text(found.get(IF_NAME, b"")), text(found.get(IF_DESCRIPTION, b""))
        notes.interfaces.append(Interface(linktype, snaplen, name, description))
        window.at += length

    def _statistics(self, length: int) -> None:
        """Take what the statistics at the cursor say of packets that were dropped; they count from the beginning on."""
        window = self._window
        which = word(window.data, window.at + 8, self._big) if length >= 24 else MOST_INTERFACES
        if which < len(self._notes.interfaces) - self._base:
            found = self._options(window.at + 20, window.at + length - 4, 0)
            told = [found[code] for code in (ISB_IFDROP, ISB_OSDROP) if len(found.get(code, b"")) == 8]
            if told:
                count = sum(int.from_bytes(value, "big" if self._big else "little") for value in told)
                self._notes.drops[self._base + which] = min(count, MOST_DROPPED)
        window.at += length

    def _options(self, at: int, end: int, frame: int) -> dict[int, bytes]:
        """The last of each option between two places of the buffer; comments are noted for the frame."""
        window, notes = self._window, self._notes
        found: dict[int, bytes] = {}
        try:
            for code, value in options(window.data, at, end, self._big):
                if code == COMMENT:
                    notes.comment(frame, text(value), window.position + at)
                found[code] = value
        except ValueError as error:
            notes.defect(window.position + at, f"{error}; what follows it in the block is ignored", frame=frame or None)
        return found

    def _hand_on(self) -> Block:
        """The pending rows as a block, with their times made and their comments read."""
        window, rows, notes = self._window, self._rows, self._notes
        pending = rows.pending
        high = rows.time[pending]
        unknown = np.flatnonzero(high < 0)
        if len(unknown):
            at = window.position + int(rows.offset[pending][unknown[0]])
            problem = "simple packet blocks carry no time: theirs is that of the packet before"
            notes.defect(at, problem, frame=notes.frame + int(unknown[0]), once=True)
        rows.time[pending], beyond = self._clocks.nanoseconds(high, rows.low[pending], rows.interface[pending])
        if beyond >= 0:
            at = window.position + int(rows.offset[pending][beyond])
            problem = "a time outside of the years 1677 to 2262: taken to be that of the packet before"
            notes.defect(at, problem, frame=notes.frame + beyond, once=True)
        look = rows.look[pending]
        for row in np.flatnonzero(look):
            at = int(rows.offset[pending][row])
            after = at + int(rows.caplen[pending][row]) + -int(rows.caplen[pending][row]) % 4
            found = self._options(after, at + int(look[row]), notes.frame + 1 + int(row))
            lost = found.get(EPB_DROPCOUNT, b"")
            if len(lost) == 8:
                count = int.from_bytes(lost, "big" if self._big else "little")
                notes.lost = min(max(0, notes.lost) + count, MOST_DROPPED)
        return rows.hand_on(window, notes)


@kernel
def walk(  # type: ignore[no-untyped-def]
    data, at, end, big, interfaces, base, snaplen, forgiven, row, room, offset, caplen, wirelen, high, low, interface,
    direction, look,
):  # fmt: skip
    """Walk over blocks, packets into the columns; returns cursor, row, code and value.

    `high` and `low` are the halves of the time stamp (high is -1 without one); `look` is how far from the packet's
    first byte the options end that Python should see, 0 if there is nothing to see.
    """
    quiet = True
    while row < room:
        if at + 12 > end:
            return at, row, NEED, 12
        kind = word(data, at, big)
        length = word(data, at + 4, big)
        if kind == SECTION_HEADER:
            return at, row, SECTION, 0
        if kind == 0 and length == 0:
            return at, row, ZEROS, 0
        if length < 12 or length > LONGEST or length % 4 != 0:
            return at, row, BAD, length
        if at + length > end:
            return at, row, NEED, length
        if word(data, at + length - 4, big) != length and at != forgiven:
            return at, row, TRAILER, length
        stop = at + length - 4
        if kind in (ENHANCED_PACKET, OLD_PACKET):
            if length < 32:
                return at, row, SHORT, length
            which = word(data, at + 8, big) if kind == ENHANCED_PACKET else half(data, at + 8, big)
            captured = word(data, at + 20, big)
            wire = word(data, at + 24, big)
            if captured > stop - at - 28:
                return at, row, SHORT, length
            if which >= interfaces:
                return at, row, NO_INTERFACE, length
            offset[row] = at + 28
            high[row] = word(data, at + 12, big)
            low[row] = word(data, at + 16, big)
            interface[row] = base + which
            direction[row] = 0
            look[row] = 0
            here = at + 28 + (captured + 3) // 4 * 4
            while here + 4 <= stop:
                code = half(data, here, big)
                size = half(data, here + 2, big)
                here += 4
                if code == 0:
                    break
                if size > stop - here or code == 1:
                    look[row] = stop - (at + 28)
                if size > stop - here:
                    break
                # Drop counts of zero say something once, and are not worth a look each time.
                if code == 4 and size == 8 and (quiet or word(data, here, big) + word(data, here + 4, big)):
                    quiet = False
                    look[row] = stop - (at + 28)
                if code == 2 and size == 4:
                    flags = word(data, here, big) % 4
                    direction[row] = flags if flags < 3 else 0
                here += (size + 3) // 4 * 4
        elif kind == SIMPLE_PACKET:
            if length < 16:
                return at, row, SHORT, length
            if interfaces == 0:
                return at, row, NO_INTERFACE, length
            wire = word(data, at + 8, big)
            captured = wire if snaplen == 0 else min(wire, snaplen)
            if captured > stop - at - 12:
                return at, row, SHORT, length
            offset[row] = at + 12
            high[row] = -1
            low[row] = 0
            interface[row] = base
            direction[row] = 0
            look[row] = 0
        elif kind == INTERFACE:
            if length < 20:
                return at, row, BAD, length
            return at, row, NEW_INTERFACE, length
        elif kind == STATISTICS:
            return at, row, COUNTS, length
        elif kind in FRAMES_WITHOUT_PACKET:
            return at, row, NO_PACKET, length
        else:
            at += length
            continue
        caplen[row] = captured
        wirelen[row] = max(wire, captured)
        row += 1
        at += length
    return at, row, FULL, 0
