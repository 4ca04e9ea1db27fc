"""The rows of a ladder as a frame, for `stunpcap.plots.ladder_data`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from stunpcap.ladder import Ladder, Step, build_ladder
from stunpcap.ladder.model import FATES
from stunpcap.plots.styles import PACKETS
from stunpcap.plots.tidy import Columns, tidy

if TYPE_CHECKING:
    from stunpcap.trace import Trace

COLUMNS: Columns = {
    "session_id": "Int64",
    "vantage": "str",
    "time": "datetime64[ns, UTC]",
    "offset_s": "float64",
    "frame": "Int64",
    "event": (*PACKETS, "fold", "tcp", "tls"),
    "fate": tuple(FATES),
    "source": "str",
    "target": "str",
    "ends": "str",
    "via": "str",
    "src": "str",
    "dst": "str",
    "label": "str",
    "stands_for": "int64",
    "until_s": "float64",
    "transaction_id": "str",
    "answers": "Int64",
}
"""What `ladder_data` returns."""


def ladder_data(
    trace: Trace,
    *,
    session: int | None = None,
    vantage: str | None = None,
    full: bool = False,
    limit: int | None = None,
) -> pd.DataFrame:
    """What `ladder` draws: a row for each arrow.

    Parameters
    ----------
    trace
        One or several captures, read.
    session
        Which session; default: the one that a summary tells first, a failed one if there is any.  Without sessions:
        what was asked of servers.
    vantage
        Which capture; default: the one that saw most of the session.
    full
        Every request, instead of those that tell the story.
    limit
        How many rows at most; default: about 40 of a story, all where `full`.

    Returns
    -------
    pandas.DataFrame
        `event` is what was sent, as in the table of styles; `fold` for a row that stands for `stands_for` requests
        that went alike, until `until_s`; `tcp` and `tls` for connections.  `source`, `target` and `via` are names of
        lanes; `src` and `dst` the addresses as captured; `ends` the lane that the arrow points to.  `fate` is `seen`,
        `lost` (evidence says so), `no-answer` (nobody can tell), `ignored` (it arrived, and no answer was seen),
        `rejected`, `discarded` or `open`.  Offsets are seconds since the first row.

    Raises
    ------
    UsageError
        There is no such session or capture.
    """
    found = build_ladder(trace, session=session, vantage=vantage, full=full, limit=limit)
    return tidy([_row(step, found) for step in found.steps], COLUMNS)


def _row(step: Step, found: Ladder) -> dict[str, Any]:
    name = [lane.name for lane in found.lanes]
    same = ("offset_s", "frame", "event", "fate", "src", "dst", "label", "stands_for", "until_s")
    return {
        "session_id": found.session_id,
        "vantage": found.vantage,
        "time": None if step.time_ns is None else pd.Timestamp(step.time_ns, tz="UTC"),
        "source": name[step.source],
        "target": name[step.target],
        "ends": name[step.ends],
        "via": ", ".join(name[lane] for lane in step.via),
        "transaction_id": step.transaction_id,
        "answers": step.answers,
        **{column: getattr(step, column) for column in same},
    }
