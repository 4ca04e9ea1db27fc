"""The frames of what came after ICE, put together: `dtls`, `handshakes`, `streams`, `activity`, `names`."""

from __future__ import annotations

import numpy as np

from stunpcap.media.binding import Binding
from stunpcap.media.handshakes import build_handshakes
from stunpcap.media.names import build_names
from stunpcap.media.records import build_records
from stunpcap.media.use import build_activity, build_streams
from stunpcap.table import Pools, Table
from stunpcap.vantage import Vantage


def tell_handshakes(sessions: Table, handshakes: Table) -> None:
    """Say in the sessions what their handshakes came to (in place); the flows told as much as they could."""
    for state in ("failed", "done"):
        mine = handshakes["session_id"][handshakes["state"] == handshakes.code("state", state)]
        sessions["dtls"][np.isin(sessions["session_id"], mine)] = sessions.code("dtls", state)


def build_media(vantages: list[Vantage], pairs: Table, pools: Pools) -> dict[str, Table]:
    """These frames, by name; `pairs` says whose each address is."""
    binding = Binding(pairs)
    streams = build_streams(vantages, binding, pools)
    records = build_records(vantages, binding, pools)
    return {
        "dtls": records.table,
        "handshakes": build_handshakes(records, streams, pools),
        "streams": streams,
        "activity": build_activity(vantages, binding, pools),
        "names": build_names(vantages, pools),
    }
