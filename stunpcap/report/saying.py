"""What figures show, in words: their text alternatives, with the numbers that a sighted reader takes from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stunpcap.ladder.model import CROSSED, Ladder
from stunpcap.plots.choose import BothWays, Way, shown_state
from stunpcap.plots.styles import PAIR_STATES
from stunpcap.summary.model import Session, Summary
from stunpcap.summary.words import listed, seconds
from stunpcap.words import many

if TYPE_CHECKING:
    from stunpcap.trace import Trace

ARRIVED = ("delivered", "rewritten")
DEAD = ("lost", "rejected")


def matrix_said(pairs: Sequence[BothWays]) -> str:
    """How many directions came to what."""
    said = [f"{many(len(pairs), 'candidate pair')}."]
    for words, ways in (("From A to B", [one.a_to_b for one in pairs]), ("From B to A", [one.b_to_a for one in pairs])):
        states = [shown_state(way.seen) if way else "none" for way in ways]
        parts = [f"{states.count(state)} {style.label}" for state, style in PAIR_STATES.items() if state in states]
        checks = sum(way.seen.requests_sent for way in ways if way)
        answered = sum(way.seen.responses_received for way in ways if way)
        said.append(f"{words}: {'; '.join(parts)} ({answered:,} of {many(checks, 'check')} answered).")
    return " ".join(said)


def timeline_said(session: Session, pairs: Sequence[BothWays], vantage: str) -> str:
    """How much went each way, and for how long."""
    parts = []
    for words, ways in (("from A to B", [one.a_to_b for one in pairs]), ("from B to A", [one.b_to_a for one in pairs])):
        packets = sum(way.seen.transmissions for way in ways if way)
        answers = sum(way.seen.responses_received for way in ways if way)
        parts.append(f"{many(packets, 'packet')} with checks {words}, {many(answers, 'answer')} to them")
    return f"{'; '.join(parts)}; within {seconds(session.duration_s)}, as captured at {vantage}."


def ladder_said(found: Ladder) -> str:
    """How many arrows there are, between whom, and how many failed."""
    lanes = listed([lane.name for lane in found.lanes], 8)
    arrows = [step for step in found.steps if step.event != "fold"]
    crossed = sum(step.fate in CROSSED for step in arrows)
    failed = f"{crossed} of them {'ends' if crossed == 1 else 'end'} in a cross" if crossed else "none ends in a cross"
    rest = f"; {many(found.left_out, 'request')} left out" if found.left_out else ""
    return f"{many(len(arrows), 'arrow')} between {lanes}, {failed}{rest}; as captured at {found.vantage}."


def topology_said(pairs: Sequence[BothWays]) -> str:
    """Which directions work and which are dead."""
    ways = [way for both in pairs for way in (both.a_to_b, both.b_to_a) if way]
    said = []
    for words, paths in (
        ("packets arrived", ARRIVED),
        ("packets did not arrive", DEAD),
        ("it is not known whether packets arrived", ("unknown",)),
    ):
        some = [way for way in ways if way.seen.path in paths]
        if some:
            said.append(f"{words} in {many(len(some), 'direction')}{_which(some)}")
    words = "; ".join(said) or "no checks"
    return f"{words[:1].upper()}{words[1:]}."


def _which(ways: Sequence[Way]) -> str:
    return f" ({listed([f'{way.seen.src} to {way.seen.dst}' for way in ways], 3)})" if ways else ""


def media_said(trace: Trace, session: int) -> str:
    """How many packets of media and data went each way, and in how many seconds."""
    from stunpcap.plots import media_data

    data = media_data(trace, session=session)
    packets = data[["rtp_packets", "rtcp_packets", "data_packets"]].sum(axis=1)
    parts = []
    for direction, words in (("a-to-b", "from A to B"), ("b-to-a", "from B to A")):
        mine = (data["direction"] == direction).to_numpy()
        busy = len(set(data["time_s"][mine & (packets > 0).to_numpy()]))
        parts.append(f"{many(int(packets[mine].sum()), 'packet')} {words} in {many(busy, 'second')}")
    return f"Media and data: {'; '.join(parts)}."


def overview_said(summary: Summary) -> str:
    """How many sessions ended how, and why."""
    states = ", ".join(f"{number:,} {state}" for state, number in summary.states.items())
    causes: dict[str, int] = {}
    for session in summary.sessions:
        if session.root_cause:
            causes[session.root_cause] = causes.get(session.root_cause, 0) + 1
    most = sorted(causes.items(), key=lambda item: (-item[1], item[0]))
    why = f" Explained by: {listed([f'{name} ({number:,})' for name, number in most], 6)}." if most else ""
    return f"{many(len(summary.sessions), 'session')}: {states}.{why}"


def has_media(trace: Trace, session: int) -> bool:
    """Whether media or data of a session was captured."""
    table = trace.tables.activity
    mine = table["session_id"] == session
    return bool(np.any(table["media_bytes"][mine] > 0))
