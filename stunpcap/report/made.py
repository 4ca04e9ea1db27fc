"""How a report was made: version, call, captures with their checksums.  No time of the making, no directory."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from stunpcap import __version__
from stunpcap.report.model import Cell, Head, Made, Sheet
from stunpcap.summary.model import Summary
from stunpcap.summary.words import clock, seconds

if TYPE_CHECKING:
    from stunpcap.trace import Trace

_BLOCK = 1 << 20


def file_name(path: str) -> str:
    """The name of a file without its directories, which are nobody's business."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1] or path if path != "-" else "standard input"


def made_of(trace: Trace, summary: Summary, call: str) -> Made:
    """Version, call and captures.

    Parameters
    ----------
    call
        How the report was asked for; empty: from Python.
    """
    rows, checksums = [], []
    for capture in summary.captures:
        size, digest = _checksum(capture.path)
        begin = f"{capture.first_time[:10]} {clock(capture.first_time)}" if capture.first_time else ""
        rows.append(
            (
                Cell(capture.vantage),
                Cell(file_name(capture.path)),
                Cell(capture.format),
                Cell(capture.link_types),
                Cell("" if size is None else f"{size:,} bytes", size),
                Cell(f"{capture.packets:,}", capture.packets),
                Cell(f"{capture.stun_messages:,}", capture.stun_messages),
                Cell(begin),
                Cell(seconds(capture.duration_s), capture.duration_s),
            )
        )
        if digest:
            checksums.append((file_name(capture.path), digest))
    heads = (
        Head("capture", code=True),
        Head("file", code=True),
        Head("format"),
        Head("link types"),
        Head("size", "of the file", number=True),
        Head("packets", number=True),
        Head("STUN messages", number=True),
        Head("begins (UTC)", "by the clock of who captured"),
        Head("lasts", number=True),
    )
    sheet = Sheet("captures", "Captures", heads, tuple(rows))
    return Made(__version__, call, sheet, tuple(checksums))


def _checksum(path: str) -> tuple[int | None, str]:
    """Size and SHA-256 of a capture that is a file; nothing of one that was piped or is gone."""
    try:
        if not Path(path).is_file():
            return None, ""
        digest, size = hashlib.sha256(), 0
        with Path(path).open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
    except (OSError, ValueError):
        return None, ""
    return size, digest.hexdigest()
