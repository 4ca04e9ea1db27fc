"""What there is to run over: labelled calls at each place and together, and captures from the wild."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from tests.diagnose.properties.tapes import Tape, Tapes, load
from tests.diagnose.verdicts import captures, label, scenarios
from tests.places import shared_captures

WILD = "wild"
"""What the captures from the wild are called in place of a scenario."""
GUESTS = ("one-way-drop/offerer", "media-call/offerer", "turn-udp/offerer")
"""Calls that join others: one that fails, one that works, one over a relay; of each capture the first two others."""
HAS_SIGNALLING = "signalling-in-capture*"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One call at one place."""

    scenario: str
    vantage: str

    def __str__(self) -> str:
        return f"{self.scenario}/{self.vantage}"

    @property
    def is_labelled(self) -> bool:
        """The truth is known."""
        return self.scenario != WILD

    @property
    def has_signalling(self) -> bool:
        """Descriptions were captured in the clear."""
        return fnmatch(self.scenario, HAS_SIGNALLING)

    def paths(self) -> list[Path]:
        """Its files."""
        if self.is_labelled:
            return captures(self.scenario)[self.vantage]
        return [path for path in shared_captures() if path.name == self.vantage]

    def tapes(self) -> Tapes:
        """Its captures."""
        return tuple(load(path, path.name.partition(".")[0]) for path in self.paths())

    @property
    def truth(self) -> frozenset[str]:
        """Causes that the label allows."""
        if not self.is_labelled:
            return frozenset()
        return frozenset(filter(None, (label(self.scenario)["root_cause"], *label(self.scenario)["also"])))

    @property
    def is_healthy(self) -> bool:
        """The label says that nothing was wrong."""
        if not self.is_labelled:
            return False
        truth = label(self.scenario)
        return not truth["root_cause"] and truth["state"] in ("connected", "closed")


def every_place(patterns: tuple[str, ...] = ()) -> Iterator[Place]:
    """All of them whose scenario, or whose scenario and vantage, fits one of the patterns."""
    found = [Place(scenario, vantage) for scenario in scenarios() for vantage in captures(scenario)]
    found += [Place(WILD, path.name) for path in shared_captures()]
    for place in found:
        if not patterns or any(fnmatch(text, one) for one in patterns for text in (place.scenario, str(place))):
            yield place


@cache
def _guest(name: str) -> Tape:
    scenario, vantage = name.split("/")
    return load(captures(scenario)[vantage][0], name)


def guests(place: Place) -> list[Tape]:
    """Captures of other calls that join this one."""
    return [_guest(name) for name in GUESTS if name.partition("/")[0] != place.scenario][:2]
