"""What a ladder consists of: lanes, one a party, and steps, one an arrow, in order of time.

Texts that came from a wire are kept as they are; whoever draws them escapes them.
"""

from __future__ import annotations

from stunpcap.record import record

FATES = {
    "seen": "captured, and nothing says that it failed",
    "lost": "evidence says that it did not arrive",
    "no-answer": "no answer seen: whether it arrived is not known",
    "ignored": "arrived, but no answer was seen",
    "rejected": "an ICMP error came back",
    "discarded": "an answer from or to another address: it must be discarded",
    "open": "no answer yet when the capture ended",
}
"""What became of the packet of a step -> the same in words."""

CROSSED = ("lost", "no-answer", "ignored", "rejected", "discarded")
"""Fates that end in a cross."""

NEVER_ARRIVED = ("lost", "rejected")
"""Fates whose arrow ends before it reaches the other lane."""


@record
class Lane:
    """One column of the diagram: an address of an agent, a NAT, or a server."""

    name: str
    "Short name: `A`, `A2`, `NAT A`, `TURN`, `B`."
    kind: str
    "`agent`, `nat` or `server`."
    agent: str
    "`A` or `B`; empty for a server."
    ufrag: str
    "Username fragment of the agent; empty for a server, and where it is not known."
    role: str
    "`controlling` or `controlled`; empty likewise."
    addresses: tuple[str, ...]
    said: str
    "What it is, in words."
    here: bool
    "The capture was taken there."


@record
class Step:
    """One arrow, or a fold: a line that stands for many that were alike."""

    time_ns: int | None
    "None where the captures do not tell when."
    offset_s: float | None
    "Seconds since the first step."
    frame: int | None
    source: int
    "Number of the lane."
    target: int
    ends: int
    "Lane that the arrow points to: the target, or the NAT or relay in front of it where the packet did not arrive."
    via: tuple[int, ...]
    "Lanes in between, in order: NATs that rewrote the packet, relays that passed it on."
    event: str
    "What it is, as in `stunpcap.plots.styles.PACKETS`; or `fold`, `tcp`, `tls`."
    fate: str
    "A key of `FATES`."
    label: str
    src: str
    "Sender as captured."
    dst: str
    stands_for: int
    "How many requests: 1, or more for a fold."
    until_s: float | None
    "Of a fold and of a request sent again: seconds until the last one."
    transaction_id: str
    answers: int | None
    "Of an answer: the frame of its request."


@record
class Ladder:
    """A session, or the requests of one client, as one capture saw it."""

    session_id: int | None
    vantage: str
    others: tuple[str, ...]
    "Further captures that saw the session."
    sessions: int
    "How many sessions the trace has."
    said: str
    "How the session ended, in words."
    start_ns: int | None
    lanes: tuple[Lane, ...]
    steps: tuple[Step, ...]
    left_out: int
    "Requests that no step stands for."
    notes: tuple[str, ...]
