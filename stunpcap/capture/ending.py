"""How a capture ends when it does not end well."""

from __future__ import annotations

from stunpcap.capture.notes import Notes
from stunpcap.capture.window import Window

CUT = "ends in the middle of a record (file still being written, or cut off)"
ZERO_TAIL = "is filled with zeros from here on (space reserved but never written, or lost in a crash)"
ZERO_HOLE = "zeros where a record should begin: damaged here"


def note_end(window: Window, notes: Notes) -> None:
    """Say what is wrong with the end of a stream that could not give another whole record, if anything is."""
    rest = window.data[window.at :]
    if rest and not any(rest):
        notes.defect(window.offset, ZERO_TAIL)
    elif window.source.damage:
        notes.defect(window.position + len(window.data), window.source.damage)
    elif rest:
        notes.defect(window.offset, CUT)


def zeros(window: Window) -> str:
    """What the zeros at the cursor are: the tail of the file, as far as can be seen in this buffer, or a hole."""
    return ZERO_HOLE if bytes(window.data[window.at :]).strip(b"\0") else ZERO_TAIL
