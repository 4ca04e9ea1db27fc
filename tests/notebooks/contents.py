"""What is in a notebook: its JSON, its outputs, and what they say as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.places import ROOT

NOTEBOOKS = ROOT / "notebooks"
Notebook = dict[str, Any]


def load(path: Path) -> Notebook:
    """A notebook as its JSON has it."""
    found: Notebook = json.loads(path.read_text(encoding="utf-8"))
    return found


def text(value: str | list[str]) -> str:
    """Multi-line text, which notebooks may hold as a list of lines."""
    return value if isinstance(value, str) else "".join(value)


def outputs(notebook: Notebook) -> Iterator[dict[str, Any]]:
    """All outputs of all cells."""
    for cell in notebook["cells"]:
        yield from cell.get("outputs", ())


def printed(notebook: Notebook) -> str:
    """Everything that its cells printed or showed as text."""
    parts = []
    for output in outputs(notebook):
        data = output.get("data", {})
        parts += [text(output[name]) for name in ("text",) if name in output]
        parts += [text(data[name]) for name in ("text/plain", "text/html") if name in data]
    return "\n".join(parts)
