"""The rule about STUN servers that see a NAT's inside: what they tell is of no use."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose.facts import Facts
from stunpcap.diagnose.finding import ERROR, RANGE, WARNING, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import unanswered
from stunpcap.table import MISSING


@rule("stun-behind-nat", WARNING, "RFC 8489 section 14.2", "RFC 8445 section 5.1.1.2")
def stun_behind_nat(facts: Facts) -> Iterator[Hit]:
    """A STUN server sees clients through a NAT or load balancer of its own, and tells them an address of no use.

    Evidence: the mapped address that it tells is private, and not the client's own, although the server is reached at a
    public one; or another server, or a peer, sees the same client under another address.

    Likely cause: the server runs behind a proxy, a load balancer or in a cluster that translates the source of packets.

    Not to be confused with: `symmetric-nat`, where both addresses are the client's NAT's; a closed network whose server
    is private, too, and sees clients as its neighbours do.

    What to try: let packets reach the server with their source untouched (`externalTrafficPolicy: Local`, host network,
    proxy protocol does not help UDP), or use another server.
    """
    table, pairs, host = facts["mappings"], facts["pairs"], facts.host_of
    told: set[tuple[int, int]] = set()
    for row in facts.inside_mappings.tolist():
        base, server, mapped = (int(table[name][row]) for name in ("base", "dst", "mapped"))
        for session in sorted(facts.sessions_at(base)) or [MISSING]:
            if (session, base) in told:
                continue
            told.add((session, base))
            mine = pairs["session_id"] == session
            mine &= (host[pairs["dst"]] == host[mapped]) | (host[pairs["src"]] == host[base])
            rows = np.flatnonzero(mine)
            broken = session == MISSING or bool(facts.not_working[session - 1])
            yield Hit(
                summary=f"The STUN server {facts.text(server)} tells {facts.text(base)} that it is seen as "
                f"{facts.text(mapped)}, a private address: the server itself stands behind something that translates. "
                "Nobody outside can use that candidate.",
                evidence=[
                    facts.shown_by(
                        f"{facts.text(server)} says that {facts.text(base)} arrives as {facts.text(mapped)}",
                        "mappings",
                        row,
                        int(table["first_frame"][row]),
                    ),
                    *(unanswered(facts, one) for one in rows[:2].tolist() if pairs["responses_received"][one] == 0),
                ],
                advice=(
                    f"Let packets reach the STUN server {facts.host(server)} with their source untouched: no source "
                    "NAT "
                    "in the load balancer or cluster before it (Kubernetes: `externalTrafficPolicy: Local` or host "
                    "network); or name another server.",
                ),
                ground=RANGE,
                severity=ERROR if broken else WARNING,
                rows=tuple(rows.tolist()),
                session=session,
                src=base,
                dst=server,
                time=int(table["first_time"][row]),
            )
