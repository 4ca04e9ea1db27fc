"""Where to look: frames of one capture as a display filter for Wireshark, ready to be copied."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from stunpcap.report.model import Look, Shown

MOST = 40
"""Frames in one filter."""
_FRAMES = re.compile(r", frames? (\d+(?:, \d+)*)(, …)?: ")


def look_at(vantage: str, frames: Iterable[int]) -> Look:
    """The filter that shows these frames, in order."""
    some = tuple(sorted({frame for frame in frames if frame > 0}))[:MOST]
    if not some:
        return Look(vantage, (), "")
    if len(some) == 1:
        return Look(vantage, some, f"frame.number == {some[0]}")
    return Look(vantage, some, f"frame.number in {{{', '.join(map(str, some))}}}")


def shown(line: str, vantages: Sequence[str]) -> Shown:
    """A line of evidence, which begins with its capture and frames, as what was said and where to look.

    Names of captures may hold anything, so the line is held against those there are, the longest first.
    """
    for name in sorted(vantages, key=len, reverse=True):
        if not line.startswith(name):
            continue
        if found := _FRAMES.match(line, len(name)):
            return Shown(line[found.end() :], look_at(name, map(int, found.group(1).split(", "))))
        if line.startswith(": ", len(name)):
            return Shown(line[len(name) + 2 :], Look(name, (), ""))
    return Shown(line, Look("", (), ""))


def by_capture(evidence: Iterable[Shown], vantage: str, frames: Sequence[int]) -> tuple[Look, ...]:
    """One filter for each capture that a finding rests on."""
    found: dict[str, list[int]] = {vantage: list(frames)} if frames else {}
    for one in evidence:
        if one.look.frames:
            found.setdefault(one.look.vantage, []).extend(one.look.frames)
    return tuple(look_at(name, numbers) for name, numbers in found.items())
