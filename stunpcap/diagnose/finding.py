"""What a rule says when it fires.

A `Hit` cannot be built without evidence, and evidence not without frames or a capture that it was seen in: whoever has
to defend a finding in front of others needs to know where to look.  A hit says what it rests on (`Ground`) and what it
would explain; how sure it is, and what part it plays, is worked out in `stunpcap.diagnose.trial` and `.verdict`.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

from stunpcap.record import record
from stunpcap.schema import CONFIDENCE, SEVERITY
from stunpcap.table import MISSING, NAT

ERROR, WARNING, INFO = range(len(SEVERITY))
HIGH, MEDIUM, LOW = range(len(CONFIDENCE))


class Ground(enum.Enum):
    """What a finding rests on, the surest first."""

    SAID = "a router, a server or an agent said so in so many words"
    SEEN = "packets show it, where it cannot be otherwise"
    INFERRED = "it follows from what agents did"
    SILENCE = "nothing came, though there was time for it"
    RANGE = "what a range of addresses is meant for"
    GUESS = "it is one of several explanations"


SAID, SEEN, INFERRED, SILENCE, RANGE, GUESS = Ground
CEILING = {SAID: HIGH, SEEN: HIGH, INFERRED: MEDIUM, SILENCE: MEDIUM, RANGE: MEDIUM, GUESS: LOW}
"""The most that a finding can be sure of by what it rests on."""


@record
class Evidence:
    """One thing that was seen."""

    said: str
    "What, in words that end without a full stop."
    vantage: str
    "Name of the capture."
    frames: tuple[int, ...] = ()
    "Where to look; none if it is something that is missing."


@record
class Hit:
    """What a rule found once."""

    summary: str
    "What happened, in a sentence."
    evidence: Sequence[Evidence]
    story: str = ""
    "The same at length, for who wants to know why that is so."
    advice: Sequence[str] = ()
    "Steps; a step may go on over several lines, those of configuration indented."
    ground: Ground = SEEN
    severity: int | None = None
    "If it is not the rule's own."
    session: int = MISSING
    pair: int = MISSING
    src: int = MISSING
    dst: int = MISSING
    time: int = NAT
    "Since when it acts."
    rows: tuple[int, ...] = ()
    "Rows of `pairs` whose failure it would explain; none if it is about the session, or about none."
    checks: int = MISSING
    "How many checks of these rows it explains; all of them unless it says so."

    def __post_init__(self) -> None:
        if not self.evidence:
            raise ValueError(f"a finding without evidence: {self.summary}")


@dataclass(slots=True, eq=False, repr=False)
class Finding:
    """A hit, by which rule, how sure it is, and what part it plays in its session."""

    name: str
    severity: int
    hit: Hit
    part: int = field(default=2)
    "Index of `stunpcap.schema.PART`."
    confidence: int = field(default=LOW)

    @property
    def frames(self) -> tuple[int, ...]:
        """Frames of the capture that shows most of it, in order."""
        vantage = self.vantage
        return tuple(sorted({frame for one in self.hit.evidence if one.vantage == vantage for frame in one.frames}))

    @property
    def vantage(self) -> str:
        """The capture that the first evidence with frames is from."""
        return next((one.vantage for one in self.hit.evidence if one.frames), self.hit.evidence[0].vantage)
