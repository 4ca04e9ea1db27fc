"""What nobody can look into: TURN over TLS or DTLS."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose.clients import clients_said
from stunpcap.diagnose.facts import Facts, groups
from stunpcap.diagnose.finding import INFERRED, INFO, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.ice.columns import Ints
from stunpcap.schema import OPAQUE
from stunpcap.wire.tls import TURN_PORTS

HTTPS = 443


@rule("opaque-turn-tls", INFO, "RFC 8656 section 2.1")
def opaque_turn_tls(facts: Facts) -> Iterator[Hit]:
    """A connection in TLS or DTLS to what is probably a TURN server: what is inside cannot be seen.

    Evidence: a ClientHello to a port at which TURN servers are found, and no STUN in the clear on that connection. On
    port 443 only if the same host was asked as a STUN or TURN server otherwise.

    Likely cause: `turns:` in `iceServers`, which is how calls get through strict firewalls. It is no fault.

    Not to be confused with: a call that failed. ICE checks, candidates and media through this relay leave no trace
    here, and that none is seen means nothing.

    What to try: for a diagnosis, capture at the peer or at the relay's outside, or let one agent use `turn:` without
    TLS for once; or give the connection's keys to an engine that can decrypt it.
    """
    flows, port_of = facts["flows"], facts.pools.endpoints.port
    if not (flows["opaque"] > 0).any():
        return
    table, address_of = facts["transactions"], facts.host_of
    asking = facts.has("transactions", "kind", "gather", "allocate", "keepalive")
    known = set(address_of[table["dst"][asking]].tolist())
    mine = flows["opaque"] > 0
    for row in np.flatnonzero(mine).tolist():
        dst = int(flows["dst"][row])
        mine[row] = port_of(dst) in TURN_PORTS and (port_of(dst) != HTTPS or int(address_of[dst]) in known)
    for rows in groups(mine, flows["dst"], flows["opaque"]):
        # Several captures may have seen the same connections, with a NAT between them: the one with most counts.
        places, count = np.unique(flows["vantage"][rows], return_counts=True)
        yield _opaque(facts, rows[flows["vantage"][rows] == places[np.argmax(count)]])


def _opaque(facts: Facts, rows: Ints) -> Hit:
    flows = facts["flows"]
    lead, server = int(rows[0]), facts.text(int(flows["dst"][rows[0]]))
    kind = OPAQUE[int(flows["opaque"][lead])].upper()
    name = _asked_for(facts, rows)
    clients = clients_said(facts, flows["src"][rows].tolist())
    connections = f"{len(rows)} {kind} connection{'s' if len(rows) > 1 else ''}"
    return Hit(
        summary=f"{connections} from {clients} to {server}{name}: probably TURN over {kind}. What is inside cannot be "
        "seen: neither checks nor relayed addresses, nor whether they failed.",
        evidence=[
            facts.shown_by(
                f"{int(flows['packets'][row])} packets from {facts.text(int(flows['src'][row]))}, none of them STUN in "
                "the clear",
                "flows",
                row,
                int(flows["first_frame"][row]),
            )
            for row in rows[:3].tolist()
        ],
        advice=(
            f"To see inside, capture beyond the relay (at the peer, or the outside of {server}), or name the server "
            'once without TLS:\n    iceServers: [{urls: "turn:SERVER:3478", username: "USER", credential: "PASSWORD"}]',
        ),
        ground=INFERRED,
        src=int(flows["src"][lead]),
        dst=int(flows["dst"][lead]),
        time=int(flows["first_time"][lead]),
    )


def _asked_for(facts: Facts, rows: Ints) -> str:
    """The name that a ClientHello asked for, in brackets; nothing if it asked for none."""
    names = {facts.word(int(number)) for number in facts["flows"]["server_name"][rows]} - {""}
    return f" ({', '.join(sorted(map(repr, names)))})" if names else ""
