"""A trace as plain data: what `stunpcap summary --json` prints, and what every overview is drawn from.

`summarise` turns tables into dataclasses; the text for a terminal (`stunpcap.summary.text`) and the HTML for a notebook
(`stunpcap.notebook`) only lay them out.  Nothing here imports pandas.
"""

from __future__ import annotations

from stunpcap.summary.build import summarise
from stunpcap.summary.model import Summary

__all__ = ["Summary", "summarise"]
