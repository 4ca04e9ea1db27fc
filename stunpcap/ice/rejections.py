"""ICMP errors tied to the requests that they quote.

Where the quote holds a transaction id that decides.  Routers that quote no more than RFC 792 demands, eight bytes,
leave only the addresses: then the last open request on them is meant.  Quoted responses belong to no request.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints
from stunpcap.ice.timers import TRANSACTION_TIMEOUT
from stunpcap.stun.registry import split_type
from stunpcap.table import MISSING, Pools, Table
from stunpcap.vantage import Quote
from stunpcap.wire.icmp import NOT_FATAL, icmp_name


def attach_icmp(
    quotes: list[tuple[int, Quote]],
    ids: Ints,
    by_id: dict[int, list[int]],
    messages: Table,
    requests: Ints,
    of_message: Ints,
    pools: Pools,
    total: int,
) -> tuple[Ints, Ints, Any]:
    """For each transaction the words and the frame of its first ICMP error, and whether the packet is certainly lost.

    Parameters
    ----------
    quotes, ids
        Vantage and quote, and the number of the quoted id.
    by_id
        First request row of each transaction, by number of the id.
    requests
        Rows of all requests, in order of time.
    """
    text = np.full(total, MISSING, np.int64)
    frame = np.full(total, MISSING, np.int64)
    fatal = np.zeros(total, np.bool_)
    short = _ShortQuotes(messages, requests) if any(quote.message_type < 0 for _, quote in quotes) else None
    src, dst, time = messages["src"], messages["dst"], messages["time"]
    for (vantage, quote), number in zip(quotes, ids.tolist(), strict=True):
        if quote.message_type < 0:
            row = short.find(vantage, quote) if short else MISSING
        elif split_type(quote.message_type)[0] == "request":
            # A NAT translates the quote back, but not every NAT does: the id decides, addresses only choose.
            rows = [row for row in by_id.get(number, ()) if time[row] <= quote.time_ns]
            row = max(rows, key=lambda row: (dst[row] == quote.dst, src[row] == quote.src, time[row]), default=MISSING)
        else:
            continue
        if row == MISSING:
            continue
        transaction = int(of_message[row])
        lost = (quote.version, quote.type) not in NOT_FATAL
        if text[transaction] == MISSING or (lost and not fatal[transaction]):
            sender = pools.endpoints.address(quote.sender)
            words = f"{icmp_name(quote.version, quote.type, quote.code)} from {sender}"
            text[transaction] = pools.texts.number(words)
            frame[transaction] = quote.frame
        fatal[transaction] |= lost
    return text, frame, fatal


class _ShortQuotes:
    """Finds the request that a quote means which holds no transaction id: the last one on its addresses."""

    def __init__(self, messages: Table, requests: Ints) -> None:
        self._time = messages["time"]
        self._rows: dict[tuple[int, int, int], list[int]] = {}
        columns = (requests, *(messages[name][requests] for name in ("vantage", "src", "dst")))
        for row, vantage, src, dst in zip(*(column.tolist() for column in columns), strict=True):
            self._rows.setdefault((vantage, src, dst), []).append(row)

    def find(self, vantage: int, quote: Quote) -> int:
        rows = self._rows.get((vantage, quote.src, quote.dst), [])
        row = next((row for row in reversed(rows) if self._time[row] <= quote.time_ns), MISSING)
        # What was sent much later is something else: media, say.
        return row if row != MISSING and quote.time_ns - self._time[row] <= TRANSACTION_TIMEOUT else MISSING
