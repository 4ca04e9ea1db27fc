"""Rules about what lies behind a relay: ports that a firewall closes, addresses that nobody reaches, no way back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose.addresses import Mask
from stunpcap.diagnose.advice import Steps
from stunpcap.diagnose.facts import Facts, groups
from stunpcap.diagnose.finding import ERROR, INFERRED, RANGE, SAID, SEEN, SILENCE, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import checks, foremost, others, unanswered, way
from stunpcap.ice.columns import pick
from stunpcap.schema import CARRIER
from stunpcap.table import MISSING

PLAIN = CARRIER.index("plain")
SOME = 3


def _silent(facts: Facts) -> Mask:
    """Rows of pairs with several checks and no answer of any kind."""
    pairs = facts["pairs"]
    heard = pairs["responses_received"] + pairs["errors_received"] + pairs["other_address"]
    quiet: Mask = (pairs["transmissions"] >= SOME) & (heard == 0)
    return quiet


@rule("relay-ports-closed", ERROR, "RFC 8656 section 7.2", "RFC 8656 section 5")
def relay_ports_closed(facts: Facts) -> Iterator[Hit]:
    """A relay was granted and sends, and nothing from outside reaches its relayed address.

    Evidence: checks from the relayed address arrive at the peer and are answered, so that the relay and its permission
    work; the peer's own checks to that address, and its answers, are not relayed: silence, or an ICMP error of the
    server's host. Elsewhere the same host answers, as a STUN or TURN server.

    Likely cause: the firewall of the TURN server, or of its cloud, opens its listening port and not the range of its
    relayed ports (UDP 49152 to 65535 as a rule).

    Not to be confused with: `turn-permission-missing`, where the relay never sends to that peer; `one-way-loss`, where
    what the peer sends to other ports of the server dies as well; `announced-address-unreachable`, where the relayed
    address is not the server's.

    What to try: open the server's relay ports to UDP from everywhere: security group, nftables, the host's firewall.
    """
    pairs, icmp = facts["pairs"], facts["icmp"]
    target = facts.is_relayed[pairs["dst"]] & (pairs["carrier"] == PLAIN) & facts.is_server[pairs["dst"]]
    speaks = pick(pairs["transmissions"], facts.reverse, 0) >= SOME
    forwarded = np.isin(pairs["dst"], pairs["dst"][target & ~_silent(facts)])
    closed = target & _silent(facts) & speaks & ~forwarded & facts.in_session("pairs", facts.not_working)
    for rows in groups(closed, pairs["session_id"], facts.side):
        lead = foremost(facts, rows)
        back = int(facts.reverse[lead])
        src, dst = int(pairs["src"][lead]), int(pairs["dst"][lead])
        errors = facts.refusals.of(rows)
        errors = errors[icmp["from_dst"][errors]]
        refused = len(errors) > 0
        said = f", and its host refuses them ({facts.word(int(icmp['error'][errors[0]]))})" if refused else ""
        answered = int(pairs["responses_received"][back])
        evidence = [
            unanswered(facts, lead),
            facts.show(
                f"{checks(int(pairs['requests_sent'][back]))} {way(facts, back)} arrive"
                + (f", {answered} of them answered" if answered else ""),
                back,
                *facts["transactions"]["request_frame"][facts.checks_of(back)[:2]].tolist(),
            ),
        ]
        if refused:
            evidence.append(
                facts.shown_by(
                    f"{facts.word(int(icmp['error'][errors[0]]))} from {facts.host(dst)} itself",
                    "icmp",
                    int(errors[0]),
                    *icmp["frame"][errors[:3]].tolist(),
                )
            )
        # Where the relay's own packets are captured inside TURN too, the server is seen not to forward.
        inside = bool((pairs["carrier"][rows] != PLAIN).any()) or int(pairs["carrier"][back]) != PLAIN
        yield Hit(
            summary=f"Nothing reaches the relayed address {facts.text(dst)}: "
            f"{checks(int(pairs['requests_sent'][lead]))} "
            f"from {facts.text(src)} have no response{said}, while the relay's own checks arrive from there"
            f"{others(facts, rows)}. The TURN server's firewall closes its relay ports.",
            evidence=evidence,
            advice=_open_ports(facts.host(dst), facts.pools.endpoints.port(dst)),
            ground=SAID if refused else SEEN if inside else INFERRED,
            rows=tuple(rows.tolist()),
            session=int(pairs["session_id"][lead]),
            pair=int(pairs["pair_id"][lead]),
            src=src,
            dst=dst,
            time=int(pairs["first_time"][lead]),
        )


def _open_ports(host: str, port: int) -> Steps:
    return (
        f"At the TURN server {host} and its cloud's firewall, open the relay ports to UDP from everywhere: port {port} "
        "is one of them; coturn's range is `min-port=` to `max-port=` (49152 to 65535 unless set).",
        f"Try it from the peer's network while a call is up: nc -u {host} {port}; at the server, tcpdump -n udp port "
        f"{port} shows whether packets arrive.",
    )


@rule("no-relay-hairpin", ERROR, "RFC 8656 section 5", "RFC 4787 section 6")
def no_relay_hairpin(facts: Facts) -> Iterator[Hit]:
    """Both agents use relayed addresses of one TURN server, and it does not pass packets from one to the other.

    Evidence: checks from a relayed address to another one of the same host, inside TURN, have no response, in any
    direction that was captured; the server grants relays and permissions, and answers.

    Likely cause: the server denies its own addresses as peers (coturn: `denied-peer-ip`, loopback peers, or a wrong
    `external-ip`), or a NAT in front of the server does not hairpin.

    Not to be confused with: `turn-forbidden`, where it says so with 403; `relay-ports-closed`, where relays of one
    agent alone are dead.

    What to try: allow the server's own address as a peer; let the NAT in front of it hairpin, or bind the public
    address to the server itself.
    """
    pairs, host = facts["pairs"], facts.host_of
    inside = (pairs["carrier"] != PLAIN) & facts.is_relayed[pairs["src"]] & facts.is_relayed[pairs["dst"]]
    same = inside & (host[pairs["src"]] == host[pairs["dst"]]) if len(pairs) else inside
    works = np.zeros(len(facts["sessions"]) + 1, np.bool_)
    works[pairs["session_id"][same & ~_silent(facts)]] = True
    dead = same & _silent(facts) & ~works[pairs["session_id"]] & facts.in_session("pairs", facts.not_working)
    for rows in groups(dead, pairs["session_id"]):
        lead = foremost(facts, rows)
        src, dst = int(pairs["src"][lead]), int(pairs["dst"][lead])
        yield Hit(
            summary=f"Relay to relay on one server does not work: {checks(int(pairs['requests_sent'][lead]))} "
            f"{way(facts, lead)}"
            f" have no response{others(facts, rows)}. {facts.host(src)} does not pass packets to an address of its "
            "own.",
            evidence=[unanswered(facts, row) for row in rows[:3].tolist()],
            advice=(
                f"At the TURN server {facts.host(src)}, allow its own address as a peer (coturn: `allowed-peer-ip="
                f"{facts.host(dst)}`; look for `denied-peer-ip` and `no-loopback-peers`), and see that `external-ip` "
                "is "
                "right.",
                "If a NAT stands in front of the server, let it hairpin, or give the server the public address itself.",
            ),
            ground=SILENCE,
            rows=tuple(rows.tolist()),
            session=int(pairs["session_id"][lead]),
            pair=int(pairs["pair_id"][lead]),
            src=src,
            dst=dst,
            time=int(pairs["first_time"][rows].min()),
        )


@rule("announced-address-unreachable", ERROR, "RFC 8656 section 7.2", "RFC 1918", "RFC 8445 section 5.1.1.1")
def announced_address_unreachable(facts: Facts) -> Iterator[Hit]:
    """A TURN or media server gives out an address of its inside, which clients outside cannot reach.

    Evidence: the relayed address that a server grants is private, or another than the server's own, while the server
    itself is reached at a public one; and nothing comes through the relay. Or: all that a peer offers is private,
    checks to it die or draw net unreachable from a router, and a server of the same call is reached at a public
    address.

    Likely cause: the server stands behind a 1:1 NAT or in a container and does not know its public address.

    Not to be confused with: `relay-ports-closed`, where the address is right and its ports are closed;
    `unroutable-candidate`, about a private candidate of an ordinary agent, beside others.

    What to try: set the public address at the server: coturn's `external-ip=PUBLIC/PRIVATE`, Janus' `nat_1_1_mapping`,
    mediasoup's `announcedIp`, LiveKit's `node_ip`, Jitsi's `ice4j` mapping.
    """
    relays, pairs = facts["allocations"], facts["pairs"]
    private = facts.is_private
    granted = relays["relayed"] >= 0
    inside = granted & private[relays["relayed"]] & ~private[relays["server"]]
    yield from _seen_at_server(facts)
    told: set[tuple[int, int]] = set()
    for row in np.flatnonzero(inside).tolist():
        relayed, server = int(relays["relayed"][row]), int(relays["server"][row])
        mine = _at_relay(facts, relayed, server)
        mine &= facts.in_session("pairs", facts.not_working)
        for rows in groups(mine, pairs["session_id"]):
            session = int(pairs["session_id"][rows[0]])
            if (session, relayed) in told or not _silent(facts)[rows].all():
                continue
            told.add((session, relayed))
            lead = foremost(facts, rows)
            yield Hit(
                summary=f"The TURN server {facts.text(server)} grants the relayed address {facts.text(relayed)}, "
                "which is "
                "private: no peer outside the server's own network can reach it. "
                f"{checks(int(pairs['requests_sent'][rows].sum())).capitalize()} "
                "through it or to it have no response.",
                evidence=[
                    facts.shown_by(
                        f"{facts.text(server)} grants {facts.text(relayed)}",
                        "allocations",
                        row,
                        int(relays["first_frame"][row]),
                    ),
                    *(unanswered(facts, one) for one in rows[:2].tolist()),
                ],
                advice=(
                    f"At the TURN server, set the address that it announces (turnserver.conf): "
                    f"external-ip={facts.host(server)}/{facts.host(relayed)}",
                    f"See that the relay ports are open at {facts.host(server)}, too, and lead to "
                    f"{facts.host(relayed)}.",
                ),
                ground=RANGE,
                rows=tuple(rows.tolist()),
                session=session,
                pair=int(pairs["pair_id"][lead]),
                src=MISSING,
                dst=relayed,
                time=int(pairs["first_time"][rows].min()),
            )


def _at_relay(facts: Facts, relayed: int, server: int) -> Mask:
    """Rows of pairs with a relayed address at one end, as it was announced, or as it is at the server's own address."""
    pairs, host, port_of = facts["pairs"], facts.host_of, facts.pools.endpoints.words[:, 4]
    same = (host == host[relayed]) | ((host == host[server]) & (port_of == port_of[relayed]))
    found: Mask = same[pairs["dst"]] | same[pairs["src"]]
    return found


def _seen_at_server(facts: Facts) -> Iterator[Hit]:
    """From a peer's side: a relay sends from the server's public address, and is checked at a private one."""
    pairs, private, port_of = facts["pairs"], facts.is_private, facts.pools.endpoints.words[:, 4]
    dead = _silent(facts) & private[pairs["dst"]] & facts.in_session("pairs", facts.not_working)
    relay = facts.is_server[pairs["src"]] & ~private[pairs["src"]]
    if not (dead.any() and relay.any()):
        return
    known = set(zip(pairs["session_id"][relay].tolist(), port_of[pairs["src"][relay]].tolist(), strict=True))
    keys = zip(pairs["session_id"].tolist(), port_of[pairs["dst"]].tolist(), strict=True)
    same = dead & np.fromiter((key in known for key in keys), np.bool_, len(pairs))
    same &= ~facts.is_relayed[pairs["dst"]]
    for rows in groups(same, pairs["session_id"]):
        lead = foremost(facts, rows)
        session, dst = int(pairs["session_id"][lead]), int(pairs["dst"][lead])
        speaks = np.flatnonzero(relay & (pairs["session_id"] == session) & (port_of[pairs["src"]] == port_of[dst]))
        there = int(pairs["src"][speaks[0]])
        mine = np.concatenate([rows, speaks])
        yield Hit(
            summary=f"A relay sends from {facts.text(there)}, and its relayed address was announced as "
            f"{facts.text(dst)}, which is private: checks to that have no response.",
            evidence=[
                facts.show(
                    f"{checks(int(pairs['requests_sent'][speaks[0]]))} come from {facts.text(there)}",
                    int(speaks[0]),
                    int(pairs["first_frame"][speaks[0]]),
                ),
                unanswered(facts, lead),
            ],
            advice=(
                f"At the TURN server, set the address that it announces (turnserver.conf): "
                f"external-ip={facts.host(there)}/{facts.host(dst)}",
            ),
            ground=INFERRED,
            rows=tuple(mine.tolist()),
            session=session,
            pair=int(pairs["pair_id"][lead]),
            dst=dst,
            time=int(pairs["first_time"][rows].min()),
        )
