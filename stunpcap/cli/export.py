"""A table as CSV, JSON lines or Parquet, a slice at a time.

JSON and Parquet hold texts exactly as they were captured.  CSV is what people look at in a terminal, so there control
characters are escaped; a row is always one line.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from stunpcap.summary.terminal import safe
from stunpcap.table import Table

SLICE = 10_000
"""Rows turned into text at a time."""


def records(table: Table) -> Iterator[dict[str, Any]]:
    """The rows, without ever holding all of them as Python objects."""
    for start in range(0, len(table), SLICE):
        yield from table.take(np.arange(start, min(start + SLICE, len(table)))).records()


def csv_lines(table: Table, columns: Sequence[str]) -> Iterator[str]:
    """CSV with a header; what is missing is empty, flags are true and false."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in records(table):
        writer.writerow([_field(row[name]) for name in columns])
        yield _take(buffer)
    yield _take(buffer)


def json_lines(table: Table, columns: Sequence[str]) -> Iterator[str]:
    """One JSON object a row."""
    for row in records(table):
        yield json.dumps({name: row[name] for name in columns}, allow_nan=False) + "\n"


def write_parquet(table: Table, columns: Sequence[str], path: str) -> None:
    """The frame, with its dtypes, as Parquet."""
    table.to_frame()[list(columns)].to_parquet(path, index=False)


def _field(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return safe(value) if isinstance(value, str) else value


def _take(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
