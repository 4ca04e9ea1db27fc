"""Writing to standard output and standard error, whatever their encoding."""

from __future__ import annotations

import codecs
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
    import orjson

    indented = sys.stdout.isatty()
    try:
        codecs.register_error("escape for JSON", _escape)
        encoded = orjson.dumps(found, option=orjson.OPT_INDENT_2 if indented else None)
        text = encoded.decode("ascii", "escape for JSON")
    except orjson.JSONEncodeError:  # names of files may hold bytes that are no text
        import json

        from stunpcap.summary.model import shallow

        text = json.dumps(found, default=shallow, indent=2 if indented else None, allow_nan=False)
    write(text.replace("\x7f", "\\u007f") + "\n")  # DEL moves a terminal's cursor


def _escape(error: UnicodeError) -> tuple[str, int]:
    """What stands in JSON for characters that are not ASCII, and where these end."""
    import json

    assert isinstance(error, UnicodeDecodeError)
    end = error.start
    while end < len(error.object) and error.object[end] >= 0x80:
        end += 1
    return json.dumps(error.object[error.start : end].decode())[1:-1], end


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
