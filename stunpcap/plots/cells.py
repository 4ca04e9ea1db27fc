"""What became of each candidate pair, direction by direction: the frame that `pair_matrix` draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stunpcap.plots.choose import BothWays, Way, both_ways, check_vantage, choose_session, session_of, shown_state
from stunpcap.plots.styles import PAIR_STATES
from stunpcap.plots.tidy import Columns, tidy
from stunpcap.schema import CANDIDATE_TYPE, PATH

if TYPE_CHECKING:
    import pandas as pd

    from stunpcap.trace import Trace

COLUMNS: Columns = {
    "session_id": "int64",
    "pair_id": "int64",
    "a": "str",
    "a_type": CANDIDATE_TYPE,
    "b": "str",
    "b_type": CANDIDATE_TYPE,
    "transport": "str",
    "direction": ("a-to-b", "b-to-a"),
    "src": "str",
    "dst": "str",
    "state": tuple(PAIR_STATES),
    "path": PATH,
    "requests_sent": "int64",
    "responses_received": "int64",
    "outcome": "str",
    "nominated": "bool",
    "selected": "bool",
    "vantage": "str",
    "first_frame": "Int64",
}
"""What `pair_matrix_data` returns."""


def pair_matrix_data(trace: Trace, *, session: int | None = None, vantage: str | None = None) -> pd.DataFrame:
    """What `pair_matrix` draws: a row for each candidate pair and direction.

    Parameters
    ----------
    trace
        One or several captures, read.
    session
        Which session; default: the one that a summary tells first, a failed one if there is any.
    vantage
        Which capture; default: for each direction the capture at its sender if there is one, which knows what was sent
        and which answers came back; else one in which the direction came to a result; else the one with most checks.

    Returns
    -------
    pandas.DataFrame
        `a` and `b` are the two agents' candidates; `direction` is `a-to-b` or `b-to-a`, from `src` to `dst`.  `state`
        and `path` are as in the frame `pairs`, but that `state` is `silent` where checks succeeded and the last ones
        had no answer, `arrived` where they failed though packets arrived, and `none` where no check was seen.
        `requests_sent` and `responses_received` count checks and answers, and `outcome` says the same in words.

    Raises
    ------
    UsageError
        There is no such session or capture.
    """
    check_vantage(trace, vantage)
    number = choose_session(trace, session)
    rows = [] if number is None else _rows(number, both_ways(trace, session_of(trace, number), vantage))
    return tidy(rows, COLUMNS)


def _rows(number: int, pairs: list[BothWays]) -> list[dict[str, Any]]:
    rows = []
    for both in pairs:
        a, b = both.pair.a, both.pair.b
        for direction, src, dst, way in (("a-to-b", a, b, both.a_to_b), ("b-to-a", b, a, both.b_to_a)):
            rows.append(
                {
                    "session_id": number,
                    "pair_id": both.pair.pair_id,
                    "a": a,
                    "a_type": both.a_type,
                    "b": b,
                    "b_type": both.b_type,
                    "transport": both.pair.transport,
                    "direction": direction,
                    "src": src,
                    "dst": dst,
                    "nominated": both.nominated,
                    "selected": both.selected,
                    **_way(way),
                }
            )
    return rows


def _way(way: Way | None) -> dict[str, Any]:
    if way is None:
        return {
            "state": "none",
            "path": "unknown",
            "requests_sent": 0,
            "responses_received": 0,
            "outcome": "no check seen",
            "vantage": "",
            "first_frame": None,
        }
    seen = way.seen
    same = ("path", "requests_sent", "responses_received", "outcome", "first_frame")
    said = {name: getattr(seen, name) for name in same}
    return {"vantage": way.vantage, "state": shown_state(seen), **said}
