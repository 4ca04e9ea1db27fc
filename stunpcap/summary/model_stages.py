"""The stages of a session, as a summary tells them."""

from __future__ import annotations

from stunpcap.record import record


@record
class Stage:
    """One stage of a session: a row of the frame `stages`."""

    stage: str
    agent: str
    src: str | None
    dst: str | None
    status: str
    since: str | None
    until: str | None
    vantage: str | None
    first_frame: int | None
    last_frame: int | None
    why: str
