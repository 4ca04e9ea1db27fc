"""Packets out again, as pcapng: one section, its interfaces, and a block for each packet with its comments.

Only what a reader needs to see the packets as they were: link types, names of interfaces, times to the nanosecond, the
direction, and beside each packet the number that it had where it came from (`epb_packetid`).  See the pcapng draft,
sections 4.1 to 4.3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import IO

from stunpcap.capture.records import Interface

NANOSECONDS = 9
"""`if_tsresol`: units of 10^-9 s."""
LONGEST_TEXT = 60_000
"""Bytes of a text; the length of an option has 16 bits."""
_COMMENT, _APPLICATION, _FLAGS, _PACKET_ID = 1, 4, 2, 5
_NAME, _DESCRIPTION, _RESOLUTION, _OFFSET = 2, 3, 9, 14


class PcapngWriter:
    """Writes packets to a binary stream.

    Parameters
    ----------
    file
        Where to; it stays open.
    application
        Who writes, with the version.
    comments
        What is said of the whole.
    earliest_ns
        A time that no packet is before; pcapng knows no times before 1970 but through an offset of its interfaces.
    """

    def __init__(self, file: IO[bytes], application: str, comments: Sequence[str], earliest_ns: int = 0) -> None:
        self._file = file
        self._interfaces = 0
        self._shift_s = min(0, earliest_ns // 10**9)
        told = [(_COMMENT, _text(comment)) for comment in comments] + [(_APPLICATION, _text(application))]
        # The length of the section is not known ahead: all ones say so.
        self._block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1), told)

    def interfaces(self, known: Sequence[Interface]) -> None:
        """Describe the interfaces, in order, that have not been described yet."""
        for one in known[self._interfaces :]:
            told = [(code, _text(text)) for code, text in ((_NAME, one.name), (_DESCRIPTION, one.description)) if text]
            told.append((_RESOLUTION, bytes([NANOSECONDS])))
            if self._shift_s:
                told.append((_OFFSET, struct.pack("<q", self._shift_s)))
            self._block(1, struct.pack("<HHI", one.linktype & 0xFFFF, 0, one.snaplen & 0xFFFF_FFFF), told)
        self._interfaces = max(self._interfaces, len(known))

    def packet(
        self,
        data: bytes,
        wire_length: int,
        time_ns: int,
        *,
        interface: int = 0,
        direction: int = 0,
        number: int | None = None,
        comments: Iterable[str] = (),
    ) -> None:
        """Write one packet; `number` is the frame number that it had."""
        told = [(_COMMENT, _text(comment)) for comment in comments]
        if direction:
            told.append((_FLAGS, struct.pack("<I", direction)))
        if number is not None:
            told.append((_PACKET_ID, struct.pack("<Q", number)))
        high, low = divmod(time_ns - self._shift_s * 10**9, 1 << 32)
        fixed = struct.pack("<IIIII", interface, high, low, len(data), max(wire_length, len(data)) & 0xFFFF_FFFF)
        self._block(6, fixed + data + bytes(-len(data) % 4), told)

    def _block(self, kind: int, body: bytes, told: Sequence[tuple[int, bytes]]) -> None:
        if told:
            pieces = [struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in told]
            body += b"".join([*pieces, bytes(4)])
        length = struct.pack("<I", len(body) + 12)
        self._file.write(struct.pack("<I", kind) + length + body + length)


def _text(text: str) -> bytes:
    """Text as an option has it; cut where it is too long, between characters."""
    return text.encode("utf-8", "replace")[:LONGEST_TEXT].decode("utf-8", "ignore").encode()
