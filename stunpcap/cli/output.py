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


def write_json(found: object) -> None:
    """Print records as one JSON object in ASCII: indented on a terminal, on one line elsewhere."""
    import json

    import orjson

    from stunpcap.summary.model import shallow

    indented = sys.stdout.isatty()
    try:
        text = orjson.dumps(found, option=orjson.OPT_INDENT_2 if indented else None).decode()
    except orjson.JSONEncodeError:  # names of files may hold bytes that are no text
        text = ""
    if not text or not text.isascii() or "\x7f" in text:
        # What would move a terminal's cursor is escaped, as all is that is not ASCII.
        text = json.dumps(found, default=shallow, indent=2 if indented else None, allow_nan=False)
    write(text + "\n")


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
