"""What came after ICE, put together: the frames `dtls`, `handshakes`, `streams`, `activity`, `names`, `icmp`, and what
they say of each session."""

from __future__ import annotations

from stunpcap.ice.columns import Ints
from stunpcap.ice.pairs import Directed
from stunpcap.ice.sessions import Agents
from stunpcap.media.binding import Binding
from stunpcap.media.followed import Followed, what_followed
from stunpcap.media.handshakes import build_handshakes
from stunpcap.media.names import build_names
from stunpcap.media.records import build_records
from stunpcap.media.refusals import build_icmp
from stunpcap.media.use import build_activity, build_streams
from stunpcap.record import record
from stunpcap.table import Pools, Table
from stunpcap.vantage import Vantage


@record
class Media:
    """These frames by name, and what followed in each session."""

    tables: dict[str, Table]
    followed: Followed
    sender: Ints
    """For each row of `activity` which agent sent: 0 for A, 1 for B, -1 where there is no session."""


def build_media(vantages: list[Vantage], directed: Directed, agents: Agents, candidates: Table, pools: Pools) -> Media:
    """Tell what came after ICE; pairs, agents and candidates say whose each address is."""
    binding = Binding(directed, agents, candidates)
    streams = build_streams(vantages, binding, pools)
    records = build_records(vantages, binding, pools)
    handshakes = build_handshakes(records, streams, pools)
    activity = build_activity(vantages, binding, pools)
    tables = {
        "dtls": records.table,
        "handshakes": handshakes,
        "streams": streams,
        "activity": activity.table,
        "names": build_names(vantages, pools),
        "icmp": build_icmp(vantages, binding, pools),
    }
    return Media(tables, what_followed(records, handshakes, activity, agents.count), activity.side)
