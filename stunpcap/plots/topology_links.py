"""The links of a topology as a frame, for `stunpcap.plots.topology_data`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from stunpcap.plots.choose import check_vantage, choose_session
from stunpcap.plots.styles import PAIR_STATES
from stunpcap.plots.tidy import Columns, tidy
from stunpcap.plots.topology_layout import PAIRS, Link, build_topology
from stunpcap.schema import PATH

if TYPE_CHECKING:
    from stunpcap.trace import Trace

COLUMNS: Columns = {
    "session_id": "int64",
    "kind": ("checks", "requests", "nat", "relay"),
    "src": "str",
    "dst": "str",
    "via": "str",
    "state": tuple(PAIR_STATES),
    "path": PATH,
    "requests_sent": "int64",
    "responses_received": "int64",
    "outcome": "str",
    "pair_id": "Int64",
    "direction": "str",
    "nominated": "bool",
    "selected": "bool",
    "vantage": "str",
}
"""What `topology_data` returns."""


def topology_data(
    trace: Trace, *, session: int | None = None, vantage: str | None = None, limit: int = PAIRS
) -> pd.DataFrame:
    """What `topology` draws: a row for each link.

    Parameters
    ----------
    trace
        One or several captures, read.
    session
        Which session; default: the one that a summary tells first, a failed one if there is any.
    vantage
        Which capture; default: of each direction the one that knows most, as for `pair_matrix_data`.
    limit
        How many pairs at most: the nominated ones first, then those that show something.

    Returns
    -------
    pandas.DataFrame
        `kind` is `checks` (one direction of a pair), `requests` (to a server), `nat` (an address, and how it is seen
        outside) or `relay` (client, server, relayed address).  `via` is the outside address that packets from `src`
        are known to have got on their way.  `state` as in `pair_matrix_data`; counts as in the frame `pairs`.

    Raises
    ------
    UsageError
        There is no such session or capture.
    """
    check_vantage(trace, vantage)
    number = choose_session(trace, session)
    links = () if number is None else build_topology(trace, number, vantage, limit).links
    return tidy([_row(link, number) for link in links], COLUMNS)


def _row(link: Link, number: int | None) -> dict[str, Any]:
    same = ("kind", "src", "dst", "via", "outcome", "pair_id", "direction", "nominated", "selected", "vantage")
    return {
        "session_id": number,
        "state": link.state or None,
        "path": link.path or None,
        "requests_sent": link.sent,
        "responses_received": link.answered,
        **{column: getattr(link, column) for column in same},
    }
