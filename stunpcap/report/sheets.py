"""Tables of a report: chosen rows and columns of the frames, with what their columns mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stunpcap.plots.styles import OUTCOMES, SESSION_STATES
from stunpcap.report.model import Cell, Head, Sheet
from stunpcap.schema import Kind, column
from stunpcap.summary.words import clock, octets, seconds
from stunpcap.table import Table
from stunpcap.words import error_words

NUMBERS = (Kind.COUNT, Kind.INTEGER, Kind.UNSIGNED, Kind.SECONDS)
CODES = (Kind.ENDPOINT, Kind.ID)
_TONES: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("transactions", "outcome"): OUTCOMES,
    ("sessions", "state"): SESSION_STATES,
}
_CODE_TEXTS = {"ufrag", "username", "realm", "software", "vantage"}

TRANSACTIONS = (
    "vantage", "request_frame", "first_time", "kind", "src", "dst", "transmissions", "outcome", "response_frame",
    "response_src", "rtt_s", "error_code", "icmp", "mapped",
)  # fmt: skip
CANDIDATES = ("ufrag", "type", "address", "base", "server", "known_from", "priority", "checked", "first_time")
ALLOCATIONS = (
    "vantage", "client", "server", "transport", "relayed", "mapped", "state", "error_code", "created", "lifetime_s",
    "ended", "permissions", "channels", "packets_sent", "packets_received", "username", "realm", "software",
)  # fmt: skip
PERMISSIONS = (
    "vantage", "client", "server", "relayed", "peer", "state", "error_code", "created", "ended", "first_frame",
    "last_frame",
)  # fmt: skip
FLOWS = (
    "vantage", "src", "dst", "transport", "carrier", "packets", "bytes", "stun", "dtls", "rtp", "rtcp", "channel",
    "other", "first_time", "last_time", "first_frame",
)  # fmt: skip
HANDSHAKES = (
    "vantage", "client", "server", "version", "state", "duration_s", "client_hellos", "server_hellos", "last_flight",
    "alert", "first_frame", "last_frame",
)  # fmt: skip
MAPPINGS = ("vantage", "base", "dst", "mapped", "translated", "port_kept", "behaviour", "first_frame")
DEFECTS = ("vantage", "layer", "frame", "offset", "packets", "defect")
NAMED = {
    "vantage": "capture", "request_frame": "frame", "response_frame": "answer in frame", "first_time": "time (UTC)",
    "last_time": "last (UTC)", "rtt_s": "round trip", "response_src": "answer from", "error_code": "error",
    "known_from": "known from", "lifetime_s": "lifetime", "packets_sent": "packets out",
    "packets_received": "packets in", "first_frame": "first frame", "last_frame": "last frame",
    "port_kept": "port kept", "duration_s": "took", "mapped": "seen as",
    "client_hellos": "ClientHellos", "server_hellos": "ServerHellos", "last_flight": "last flight",
    "created": "granted (UTC)", "ended": "ended (UTC)", "dst": "to", "src": "from",
}  # fmt: skip
"""Column -> its head, where that is not its name."""


def sheet(
    name: str,
    title: str,
    table: Table,
    columns: Sequence[str],
    *,
    most: int,
    several: bool,
    note: str = "",
    folded: bool = False,
) -> Sheet | None:
    """Columns of a frame's rows as a table; None if there are no rows.

    Parameters
    ----------
    most
        Rows at most.
    several
        There are several captures: say in which one.
    """
    if not len(table):
        return None
    cut = table if len(table) <= most else table.take(_first(most))
    records = list(cut.records())
    chosen = [
        one for one in columns if (several or one != "vantage") and any(row[one] not in (None, "") for row in records)
    ]
    heads = tuple(_head(table.name, one) for one in chosen)
    rows = tuple(tuple(_cell(table.name, one, row[one]) for one in chosen) for row in records)
    if len(table) > most:
        note = f"{most:,} of {len(table):,} rows. {note}".strip()
    return Sheet(name, title, heads, rows, note, folded)


def _first(most: int) -> Any:
    import numpy as np

    return np.arange(most)


def _head(frame: str, name: str) -> Head:
    declared = column(frame, name)
    number = declared.kind in NUMBERS or declared.kind is Kind.TIME
    code = declared.kind in CODES or name in _CODE_TEXTS
    return Head(NAMED.get(name, name.replace("_", " ")), declared.meaning.replace("`", ""), number, code)


def _cell(frame: str, name: str, value: Any) -> Cell:
    if value is None or value == "":
        return Cell("")
    if (frame, name) in _TONES:
        return Cell(str(value), tone=_TONES[frame, name][value].tone)
    kind = column(frame, name).kind
    if name == "error_code":
        return Cell(error_words(value) if value >= 0 else "without a code", value)
    if name == "lifetime_s":
        return Cell(f"{value:,} s", value)
    if kind is Kind.SECONDS:
        return Cell(seconds(value), value)
    if kind is Kind.TIME:
        return Cell(f"{clock(value)}{value[19:23]}", order(value))
    if kind is Kind.FLAG:
        return Cell("yes" if value else "no")
    if name == "bytes":
        return Cell(octets(value), value)
    if kind in NUMBERS:
        return Cell(str(value) if "frame" in name or name in ("priority", "offset") else f"{value:,}", value)
    return Cell(str(value))


def order(time: str) -> float:
    """An ISO time as a number to sort by, in seconds: of the clock's whole range, to the microsecond."""
    days = int(time[:4]) * 372 + int(time[5:7]) * 31 + int(time[8:10])
    return days * 86400 + int(time[11:13]) * 3600 + int(time[14:16]) * 60 + float(time[17:26])


def present(sheets: Iterable[Sheet | None]) -> tuple[Sheet, ...]:
    """Those that have rows."""
    return tuple(one for one in sheets if one is not None)
