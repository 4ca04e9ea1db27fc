"""A trace as plain data: what `stunpcap summary --json` prints, and what every overview is drawn from.

`summarise` turns tables into records; the text for a terminal (`stunpcap.summary.text`) and the HTML for a notebook
(`stunpcap.notebook`) only lay them out.  Nothing here imports pandas, and this module not even NumPy: the command's
error messages need `stunpcap.summary.terminal` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stunpcap.summary.build import summarise
    from stunpcap.summary.model import Summary

__all__ = ["Summary", "summarise"]

_HOME = {"Summary": "stunpcap.summary.model", "summarise": "stunpcap.summary.build"}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        import importlib

        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'stunpcap.summary' has no attribute {name!r}")
