"""What the captures could not show: the conditions under which everything else in a report is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from stunpcap.report.findings import is_limit
from stunpcap.schema import CONFIDENCE, PATH, column
from stunpcap.summary.model import Session, Summary
from stunpcap.summary.text import damage_said, place_said
from stunpcap.summary.words import listed
from stunpcap.words import many

if TYPE_CHECKING:
    from stunpcap.trace import Trace

DAMAGE = 6


def limits_of(trace: Trace, summary: Summary, told: Sequence[Session]) -> tuple[str, ...]:
    """Sentences; `told` are the sessions told in full."""
    return tuple(_captures(summary)) + tuple(_findings(summary, told)) + tuple(_sessions(trace, summary, told))


def _captures(summary: Summary) -> Iterator[str]:
    for capture in summary.captures:
        yield f"{capture.vantage}: {place_said(capture)}."
    if len(summary.captures) == 1 and summary.sessions:
        yield (
            "There is one capture: what left that place and whether it arrived is told by answers alone, and what was "
            "lost before it does not exist for it. A second capture at the other agent, read together with this one, "
            "would tell."
        )
    elif len(summary.captures) > 1:
        yield "The clocks of the captures are not set to each other: nothing is concluded from their difference."
    for damage in sorted(summary.defects, key=lambda one: one.layer != "file")[:DAMAGE]:
        yield f"{damage.vantage}: {damage_said(damage)}."
    if len(summary.defects) > DAMAGE:
        yield f"{len(summary.defects) - DAMAGE} more things were damaged, odd or not read: stunpcap defects."


def _findings(summary: Summary, told: Sequence[Session]) -> Iterator[str]:
    for found in dict.fromkeys((*summary.findings, *(one for session in told for one in session.findings))):
        if is_limit(found) and summary.sessions:
            yield f"{found.name}: {found.summary}"
    for one in summary.opaque[:3]:
        yield (
            f"{one.client} to {one.server} is hidden by {one.hidden_by.upper()}: checks through a relay there would "
            "not show."
        )
    if summary.count("opaque") > 3:
        yield f"{summary.count('opaque') - 3:,} more connections to ports of TURN servers are hidden: stunpcap flows."


def _sessions(trace: Trace, summary: Summary, told: Sequence[Session]) -> Iterator[str]:
    numbers = [session.session_id for session in told]
    pairs = trace.tables.pairs
    mine = np.isin(pairs["session_id"], numbers)
    of = "" if len(told) == len(summary.sessions) == 1 else " of the sessions told in full"
    total = int(np.count_nonzero(mine))
    unknown = int(np.count_nonzero(mine & (pairs["path"] == PATH.index("unknown"))))
    if unknown:
        yield f"In {unknown:,} of {many(total, 'direction')}{of} nothing tells whether packets arrived."
    weak = mine & (pairs["path_confidence"] > CONFIDENCE.index("high")) & (pairs["path"] != PATH.index("unknown"))
    if weak.any():
        said = int(np.count_nonzero(weak))
        yield f"In {said:,} of {many(total, 'direction')}{of} the evidence on that is of medium or low confidence."
    candidates = trace.tables.candidates
    there = np.isin(candidates["session_id"], numbers)
    no_type = there & (candidates["type"] == column("candidates", "type").code("unknown"))
    if no_type.any():
        yield (
            f"The type of {many(int(np.count_nonzero(no_type)), 'candidate')}{of} is not known: their gathering was "
            "not captured. Candidates that were signalled and never checked do not show at all."
        )
    bases = [one.base for one in summary.mappings if one.behaviour == "unknown"]
    if bases:
        some = listed(bases, 4, summary.behaviours["unknown"])
        yield f"What kind of NAT stands before {some} is not known: only one destination told the outside address."
    unsure = [one for session in told for one in session.findings if one.part == "cause" and one.confidence == "low"]
    if unsure:
        names = listed(sorted({found.name for found in unsure}), 4)
        yield f"The cause named ({names}) is of low confidence: it is one of several that fit."
    if told and not (trace.tables.messages["integrity"] == column("messages", "integrity").code("valid")).any():
        yield "No password was given, so whether checks were signed with the right one is told by the answers alone."
    if any(session.media_ab_packets or session.media_ba_packets for session in told):
        yield "Media is encrypted: that packets went says nothing of what was in them."
