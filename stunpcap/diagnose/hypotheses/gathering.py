"""Rules about gathering: servers that do not answer, and UDP that does not get out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from stunpcap.diagnose import advice, servers
from stunpcap.diagnose.clients import (
    Case,
    at_client,
    at_server,
    cases,
    clients_said,
    harm_to_gathering,
    seen,
)
from stunpcap.diagnose.facts import Facts
from stunpcap.diagnose.finding import ERROR, SAID, SEEN, SILENCE, WARNING, Evidence, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import seconds
from stunpcap.ice.columns import Ints, find
from stunpcap.record import record
from stunpcap.schema import CARRIER, OPAQUE, TRANSPORT
from stunpcap.sorting import values_in
from stunpcap.table import MISSING

EPHEMERAL = 32768
"""Ports from here on are chosen by chance: whoever is asked for a binding there may be a peer as well as a server."""
ASKED = 3
"""Requests or retransmissions without answer, from which on it is no chance loss."""
CERTAIN = 5
TCP = TRANSPORT.index("tcp")


@record
class Silent:
    """A server that never answered a client, and what else is known of it."""

    case: Case
    tcp: int
    "Row of `flows`: TCP from the server to the same client that works; -1 if there is none."
    refused: bool
    "TCP to the same host was tried, and did not work either."
    alone: bool
    "No STUN came in at the client by UDP at all, from nobody."
    another: int
    "A server that gave the same client what this one did not; -1 if there is none."
    heard: bool
    "No session is known, and something else comes in at the very port that asked: so somebody reaches it."

    def blocked(self, facts: Facts) -> bool:
        """Whether it is UDP that does not get through, and not this server that does not answer."""
        own = f" from {facts.host(self.case.server)}"
        icmp = facts["transactions"]["icmp"][self.case.everywhere].tolist()
        return self.alone and self.tcp != MISSING and not any(facts.word(text).endswith(own) for text in icmp)


def _silent(facts: Facts) -> Iterator[Silent]:
    """Servers that were asked to tell or to relay an address and never answered, though they were asked long enough."""
    table, address_of = facts["transactions"], facts.host_of
    plain = facts.has("transactions", "carrier", "plain")
    asking = facts.has("transactions", "kind", "gather", "allocate") & plain
    dead = asking & facts.has("transactions", "outcome", "icmp", "unanswered", "unfinished")
    dead &= facts.has("transactions", "kind", "allocate") | (facts.pools.endpoints.words[table["dst"], 4] < EPHEMERAL)
    if not dead.any():
        return
    hosts = address_of[table["src"]]
    answered = plain & (table["session_id"] < 0) & ((table["response_frame"] > 0) & ~dead)
    keys = (table["vantage"], hosts, table["dst"], table["transport"])
    rows = np.flatnonzero(dead)
    alive = np.flatnonzero(answered)
    heard = find(tuple(key[rows] for key in keys), tuple(key[alive] for key in keys)) >= 0
    heard_from = _senders_to(facts, values_in(table["src"][rows]))
    arrivals, others = _stun_arrives(facts), _servers_that_answer(facts)
    tcp, tried = _tcp_that_works(facts)
    for case in cases(facts, rows[~heard]):
        lead = int(case.rows[0])
        here, host = int(table["vantage"][lead]), int(hosts[lead])
        enough = any(_given_up(facts, row) for row in case.everywhere.tolist())
        alone = (here, host) not in arrivals
        if not enough and (alone or int(table["transmissions"][case.everywhere].sum()) < ASKED):
            continue
        relays = bool(facts.have("transactions", case.rows, "kind", "allocate").any())
        ends = {(int(table["vantage"][row]), int(table["src"][row])) for row in case.rows.tolist()}
        senders = set().union(*(heard_from.get(end, set()) for end in ends))
        by_udp = int(table["transport"][lead]) != TCP
        if by_udp and case.server in senders:
            continue  # it sends something else: a peer that does not speak STUN
        key = (here, host, int(address_of[case.server]))
        yield Silent(
            case,
            tcp=tcp.get(key, MISSING) if by_udp else MISSING,
            refused=by_udp and key in tried and key not in tcp,
            alone=alone,
            another=others.get((here, host, relays), MISSING),
            heard=case.session == MISSING and bool(senders - {case.server}),
        )


def _given_up(facts: Facts, row: int) -> bool:
    table = facts["transactions"]
    if int(table["icmp"][row]) >= 0:
        return True
    repeated = int(table["transmissions"][row]) >= ASKED
    waited = facts.code("transactions", "outcome", "unanswered")[0] == int(table["outcome"][row])
    return repeated or (waited and int(table["transport"][row]) == TCP)


def _stun_arrives(facts: Facts) -> set[tuple[int, int]]:
    """Captures and hosts to which STUN or media came by UDP."""
    flows, address_of = facts["flows"], facts.host_of
    carrying = flows["stun"] + flows["dtls"] + flows["rtp"] + flows["channel"] > 0
    rows = np.flatnonzero(carrying & (flows["carrier"] == CARRIER.index("plain")) & (flows["transport"] != TCP))
    return set(zip(flows["vantage"][rows].tolist(), address_of[flows["dst"][rows]].tolist(), strict=True))


def _senders_to(facts: Facts, ends: Ints) -> dict[tuple[int, int], set[int]]:
    """Capture and one of these ends -> who sent packets to it."""
    flows = facts["flows"]
    rows = np.flatnonzero(np.isin(flows["dst"], ends) & (flows["carrier"] == CARRIER.index("plain")))
    found: dict[tuple[int, int], set[int]] = {}
    for here, end, sender in zip(*(_plain(flows[name][rows]) for name in ("vantage", "dst", "src")), strict=True):
        found.setdefault((here, end), set()).add(sender)
    return found


Way = tuple[int, int, int]
"""Capture, client's and server's host."""


def _tcp_that_works(facts: Facts) -> tuple[dict[Way, int], set[Way]]:
    """Row of `flows` with TCP from a server, accepted or with data; and where clients asked for a connection."""
    flows, address_of = facts["flows"], facts.host_of
    plain = (flows["transport"] == TCP) & (flows["carrier"] == CARRIER.index("plain"))
    works = plain & ((flows["bytes"] > 0) | ((flows["syn_ack"] > 0) & (flows["rst"] == 0)))

    def ways(rows: Ints, client: str, server: str) -> Iterator[Way]:
        ends = (address_of[flows[end][rows]] for end in (client, server))
        return zip(*map(_plain, (flows["vantage"][rows], *ends)), strict=True)

    rows = np.flatnonzero(works)[::-1]
    asked = np.flatnonzero(plain & (flows["syn"] > 0))
    return dict(zip(ways(rows, "dst", "src"), rows.tolist(), strict=True)), set(ways(asked, "src", "dst"))


def _servers_that_answer(facts: Facts) -> dict[tuple[int, int, bool], int]:
    """Capture, client's host, and whether relayed addresses are meant -> a server that gave one, or any address."""
    table, address_of = facts["transactions"], facts.host_of
    good = facts.has("transactions", "outcome", "success") & (table["session_id"] < 0)
    found: dict[tuple[int, int, bool], int] = {}
    for relays, kinds in ((True, ("allocate",)), (False, ("allocate", "gather"))):
        rows = np.flatnonzero(good & facts.has("transactions", "kind", *kinds))
        columns = (table["vantage"][rows], address_of[table["src"][rows]], table["dst"][rows])
        for here, host, server in zip(*map(_plain, columns), strict=True):
            found.setdefault((here, host, relays), server)
    return found


def _plain(column: Any) -> list[int]:
    numbers: list[int] = column.tolist()
    return numbers


@rule("stun-server-unreachable", ERROR, "RFC 8445 section 5.1.1.2", "RFC 8489 section 6.2.1")
def stun_server_unreachable(facts: Facts) -> Iterator[Hit]:
    """A STUN or TURN server that was asked for an address never answers.

    Evidence: Binding requests without USERNAME, or Allocate requests, are sent again and again and nothing comes back
    from that server; or an ICMP error comes back. With no other server that answers there are no server-reflexive or
    relay candidates.

    Likely cause: no server runs there, or on another port; a wrong address in `iceServers`; a firewall on the way, or
    at the server; in a closed network a public server that cannot be reached from there.

    Not to be confused with: `udp-blocked`, where TCP to the same server works; `turn-server-lost`, where it had
    answered before; a single lost request, which the next transmission mends.

    What to try: ask the server from the client's network with another program, start it, correct its address, or open
    its port. In a closed network set up a server of one's own.
    """
    for silent in _silent(facts):
        if not silent.blocked(facts):
            yield _unreachable(facts, silent)


def _unreachable(facts: Facts, silent: Silent) -> Hit:
    table, case = facts["transactions"], silent.case
    lead = int(case.rows[0])
    server, client = facts.text(case.server), clients_said(facts, table["src"][case.rows].tolist())
    host, port = facts.host(case.server), facts.pools.endpoints.port(case.server)
    transport = TRANSPORT[int(table["transport"][lead])]
    held = int((table["last_time"][case.rows] - table["first_time"][case.rows]).max())
    sent = int(table["transmissions"][case.rows].sum())
    icmp = [row for row in case.everywhere.tolist() if int(table["icmp"][row]) >= 0]
    came = f"ICMP {facts.word(int(table['icmp'][icmp[0]]))} came back" if icmp else "nothing came back"
    relays = bool(facts.have("transactions", case.rows, "kind", "allocate").any())
    lone = silent.alone and not icmp and at_client(facts, "transactions", lead)
    certain = int(table["transmissions"][case.rows].max()) >= CERTAIN and transport == "udp"
    said = [f"The STUN or TURN server {server} never answers {client}: {sent} requests{_in(held)}, {came}."]
    if at_server(facts, lead) and not icmp:
        said.append("They arrived there: the server itself is silent.")
    if silent.refused:
        said.append("TCP to it does not work either.")
    said.append(
        f"{'Gathering was held up that long, and no' if held else 'No'} "
        f"{'relay' if relays else 'server-reflexive'} candidates came of it"
        + (f", though {_other(facts, silent)}." if silent.another != MISSING else ".")
    )
    return Hit(
        summary=" ".join(said),
        evidence=seen(facts, "transactions", (_asked(facts, row) for row in case.rows.tolist()))
        + (
            (Evidence(f"no STUN from anybody arrives at {facts.host(int(table['src'][lead]))}", _name(facts, lead)),)
            if lone
            else ()
        ),
        advice=advice.joined(
            servers.reach(transport, host, port, client),
            servers.other_transports(host) if lone and not silent.refused else (),
            advice.stun_server("in a closed network it must be one of your own") if not relays else (),
        ),
        ground=SAID if icmp else SEEN if certain else SILENCE,
        severity=WARNING if silent.another != MISSING or silent.heard else harm_to_gathering(facts, case.session),
        session=case.session,
        src=int(table["src"][lead]),
        dst=case.server,
        time=int(table["first_time"][lead]),
    )


def _in(held: int) -> str:
    return f" in {seconds(held)}" if held else ""


def _other(facts: Facts, silent: Silent) -> str:
    """The server that answers: another one, or the same over TCP."""
    same = silent.another == silent.case.server
    return f"{facts.text(silent.another)} answers{' over TCP' if same else ''}"


def _name(facts: Facts, row: int) -> str:
    return facts.name_of(int(facts["transactions"]["vantage"][row]))


def _asked(facts: Facts, row: int) -> tuple[str, int, list[int]]:
    """One transaction without answer, as evidence."""
    table = facts["transactions"]
    method = facts.word(int(table["method"][row])).capitalize()
    count = int(table["transmissions"][row])
    times = f"sent {count} times in {seconds(int(table['last_time'][row] - table['first_time'][row]))}"
    said = f"{method} request from {facts.text(int(table['src'][row]))} {times if count > 1 else 'sent once'}"
    icmp = int(table["icmp"][row])
    said += f"; ICMP {facts.word(icmp)}" if icmp >= 0 else ", no answer"
    return said, row, [int(table["request_frame"][row]), int(table["icmp_frame"][row])]


@rule("udp-blocked", ERROR, "RFC 8656 section 2.1")
def udp_blocked(facts: Facts) -> Iterator[Hit]:
    """UDP does not get out of a network, while TCP to the same server does.

    Evidence: requests over UDP to a server stay without an answer, no STUN comes in over UDP from anybody else either,
    and a TCP (or TLS) connection between the same two hosts works.

    Likely cause: a firewall that lets only TCP out, as in many offices, hotels and hospitals.

    Not to be confused with: `stun-server-unreachable`, where nothing shows that the server could be reached at all;
    a server that runs with TCP only.

    What to try: let UDP out to the TURN server; where that is not to be had, name the server with TCP and with TLS on
    port 443 as well.
    """
    flows, table, address_of = facts["flows"], facts["transactions"], facts.host_of
    checks = facts.has("transactions", "kind", "check") & facts.has("transactions", "carrier", "plain")
    checks &= table["transport"] != TCP
    tried = set(zip(table["vantage"][checks].tolist(), address_of[table["src"][checks]].tolist(), strict=True))
    for silent in _silent(facts):
        if not silent.blocked(facts):
            continue
        case, lead = silent.case, int(silent.case.rows[0])
        client, server = facts.text(int(table["src"][lead])), facts.text(case.server)
        over = facts.text(int(flows["src"][silent.tcp]))
        sent = int(table["transmissions"][case.rows].sum())
        hidden = " (TLS)" if flows["opaque"][silent.tcp] == OPAQUE.index("tls") else ""
        peers = (int(table["vantage"][lead]), int(address_of[table["src"][lead]])) in tried
        yield Hit(
            summary=f"UDP from {client} gets no answer, neither from the server {server} ({sent} requests) "
            + ("nor from any peer" if peers else "nor, so far, from anybody else")
            + f", while TCP{hidden} to {over} works: UDP is dropped on the client's side"
            + ("." if peers else ", or the server takes TCP only."),
            evidence=[
                *seen(facts, "transactions", (_asked(facts, row) for row in case.rows.tolist())),
                Evidence(f"no STUN from anybody arrives at {facts.host(int(table['src'][lead]))}", _name(facts, lead)),
                facts.shown_by(
                    f"TCP between {over} and {facts.text(int(flows['dst'][silent.tcp]))} works: "
                    f"{int(flows['packets'][silent.tcp])} packets from the server",
                    "flows",
                    silent.tcp,
                    int(flows["first_frame"][silent.tcp]),
                ),
            ],
            advice=advice.joined(
                servers.open_udp(
                    facts.host(int(table["src"][lead])), facts.host(case.server), _port(facts, case.server)
                ),
                servers.other_transports(facts.host(case.server)),
            ),
            ground=SEEN if peers and at_client(facts, "transactions", lead) else SILENCE,
            severity=harm_to_gathering(facts, case.session),
            session=case.session,
            src=int(table["src"][lead]),
            dst=case.server,
            time=int(table["first_time"][lead]),
        )


def _port(facts: Facts, end: int) -> int:
    return facts.pools.endpoints.port(end)
