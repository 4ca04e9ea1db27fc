"""The frame `icmp`: errors that quote a packet of UDP or TCP, and the pair whose path that tells of.

Whatever an error quotes, a check, DTLS or media, it says what became of packets between two ends.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap.media.binding import Binding
from stunpcap.table import Pools, Table
from stunpcap.vantage import Vantage
from stunpcap.wire.icmp import NOT_FATAL, icmp_name


def build_icmp(vantages: list[Vantage], binding: Binding, pools: Pools) -> Table:
    """A row for each ICMP error, in order of capture and time."""
    quotes = [(pools.texts.number(vantage.name), quote) for vantage in vantages for quote in vantage.quotes]
    address_of = pools.endpoints.addresses
    columns: dict[str, Any] = {
        "vantage": np.array([number for number, _ in quotes], np.int64),
        "src": np.array([quote.src for _, quote in quotes], np.int64),
        "dst": np.array([quote.dst for _, quote in quotes], np.int64),
        "transport": np.array([quote.transport for _, quote in quotes], np.int64),
        "frame": np.array([quote.frame for _, quote in quotes], np.int64),
        "time": np.array([quote.time_ns for _, quote in quotes], np.int64),
        "sender": np.array([quote.sender for _, quote in quotes], np.int64),
        "error": pools.texts.numbers(icmp_name(quote.version, quote.type, quote.code) for _, quote in quotes),
        "quoted": np.array([quote.quoted for _, quote in quotes], np.int8),
        "refused": np.array([(quote.version, quote.type) not in NOT_FATAL for _, quote in quotes], np.bool_),
    }
    columns["from_dst"] = address_of[columns["sender"]] == address_of[columns["dst"]]
    bound = binding.bind([columns[name] for name in ("vantage", "src", "dst", "transport")], columns["time"])
    columns |= {"session_id": bound.session_id, "pair_id": bound.pair_id}
    return Table("icmp", len(quotes), pools, columns)
