"""Every error that stunpcap raises on purpose.

Whatever the input, callers need to catch `StunpcapError` only: a reader, decoder or rule that meets bad bytes
either keeps what it could read and notes a defect, or raises one of these with the place where it stopped.
"""

from __future__ import annotations


class StunpcapError(Exception):
    """Base of all errors raised by this package."""


class CaptureError(StunpcapError):
    """A capture that cannot be read at all.

    Parameters
    ----------
    path
        The file as the user named it ("-" for standard input).
    problem
        What is wrong, in one clause.
    offset
        Byte offset in the (decompressed) capture, where there is one.
    """

    def __init__(self, path: str, problem: str, offset: int | None = None) -> None:
        self.path = path
        self.problem = problem
        self.offset = offset
        at = "" if offset is None else f" at byte {offset:,}"
        super().__init__(f"{path}: {problem}{at}")


class SourceError(StunpcapError):
    """A file given beside captures (SDP, a log, a dump) of which nothing can be read.

    Parameters
    ----------
    path
        The file as the user named it.
    problem
        What is wrong, in one clause.
    line, offset
        Where, if that is known: the line from 1, the byte from 0.
    """

    def __init__(self, path: str, problem: str, line: int = -1, offset: int = -1) -> None:
        self.path = path
        self.problem = problem
        self.line = line
        self.offset = offset
        at = f" in line {line:,}" if line > 0 else ""
        at += f" at byte {offset:,}" if offset >= 0 else ""
        super().__init__(f"{path}: {problem}{at}")


class DecodeError(StunpcapError):
    """Bytes that are no STUN message.

    Parameters
    ----------
    problem
        What is wrong, in one clause.
    place
        The field or attribute that was being read.
    offset
        Byte offset from the start of the message.
    """

    def __init__(self, problem: str, place: str, offset: int) -> None:
        self.problem = problem
        self.place = place
        self.offset = offset
        super().__init__(f"{problem} ({place}, byte {offset})")


class UsageError(StunpcapError):
    """A call that cannot mean anything: an unknown frame number, session or name."""


class EngineError(StunpcapError):
    """An engine that cannot work here: a package or a program that it needs is missing or too old."""
