"""Verdicts that differ from a label and are still what an honest engineer would say from that capture alone.

Each has its reason, which follows from how the network was built and from where the capture was taken, not from what
stunpcap happens to say.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Accepted:
    """What else may be said at a place."""

    causes: tuple[str, ...]
    "Root causes; an empty text: none."
    reason: str
    states: tuple[str, ...] = ()
    "States besides the label's."
    any_direction: bool = False
    "The right cause, and no direction or another."


ACCEPTED: dict[str, Accepted] = {}
"""`scenario/vantage`, in which * stands for anything -> what is acceptable there; the first that fits counts."""
