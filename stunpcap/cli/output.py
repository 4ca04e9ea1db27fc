"""Writing to standard output and standard error, whatever their encoding."""

from __future__ import annotations

import sys
from collections.abc import Iterable


class ReaderGoneError(Exception):
    """Whoever reads standard output has closed it.

    Not a `BrokenPipeError`, which click would take, to exit with 1.
    """


def write(text: str) -> None:
    """Print text as it stands; characters that the encoding lacks are escaped."""
    try:
        try:
            sys.stdout.write(text)
        except UnicodeEncodeError:
            encoding = sys.stdout.encoding or "ascii"
            sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    except BrokenPipeError:
        raise ReaderGoneError from None


def write_lines(lines: Iterable[str]) -> None:
    """Print lines."""
    for line in lines:
        write(line + "\n")


def complain(problem: str) -> None:
    """One line on standard error, whatever is in the text."""
    from stunpcap.summary.terminal import safe

    line = f"stunpcap: {safe(' '.join(problem.split()))}\n"
    try:
        sys.stderr.write(line)
    except UnicodeEncodeError:
        sys.stderr.write(line.encode("ascii", "backslashreplace").decode())
