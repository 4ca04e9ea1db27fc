"""The course of a session as a sequence diagram: who takes part, and what passed between them, chosen and worded.

    stunpcap.ladder.build_ladder(trace)

What is drawn from it, in a terminal (`stunpcap.ladder.text`) or as a plot, is the same; nothing here knows how.
"""

from __future__ import annotations

from stunpcap.ladder.build import build_ladder
from stunpcap.ladder.model import Ladder, Lane, Step

__all__ = ["Ladder", "Lane", "Step", "build_ladder"]
