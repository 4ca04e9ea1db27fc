"""Rules about relays that stop relaying: allocations that expired, and servers that went away."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose import servers
from stunpcap.diagnose.addresses import Mask
from stunpcap.diagnose.clients import at_client, clients_said, harm_to_relay, relay_cases, relay_said, seen
from stunpcap.diagnose.facts import SECOND, Facts
from stunpcap.diagnose.finding import ERROR, SAID, SEEN, SILENCE, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.turn_requests import MISMATCH, STALE, Requests, code_words, method_words
from stunpcap.diagnose.wording import seconds
from stunpcap.ice.columns import Ints, find, group, maximum_in, pick
from stunpcap.record import record
from stunpcap.schema import ALLOCATION_STATE, CARRIER
from stunpcap.table import MISSING, NAT

GRACE = 5 * SECOND
"""How much later than its lifetime says a server may let an allocation go, and packets be under way."""
ASKED = 3
"""Transmissions without answer, from which on it is no chance loss."""
EXPIRED = ALLOCATION_STATE.index("expired")


@record
class Traffic:
    """For each row of `allocations` when its packets were last seen; NaT where none was."""

    out: Ints
    "Relayed data from the client."
    back: Ints
    "Relayed data to the client."
    heard: Ints
    "Anything from the server."


def traffic(facts: Facts) -> Traffic:
    """When each allocation was last used."""
    relays, flows = facts["allocations"], facts["flows"]
    plain = flows["carrier"] == CARRIER.index("plain")
    own = [relays[name] for name in ("vantage", "client", "server")]
    inside = [flows[name][~plain] for name in ("vantage", "carrying_src", "carrying_dst")]
    outside = [flows[name][plain] for name in ("vantage", "src", "dst")]
    return Traffic(
        out=_latest(own, inside, flows["last_time"][~plain]),
        back=_latest([own[0], own[2], own[1]], inside, flows["last_time"][~plain]),
        heard=_latest([own[0], own[2], own[1]], outside, flows["last_time"][plain]),
    )


def _latest(wanted: list[Ints], known: list[Ints], times: Ints) -> Ints:
    """The latest of the times of those rows that have the wanted keys."""
    if not len(wanted[0]) or not len(times):
        return np.full(len(wanted[0]), NAT, np.int64)
    number, count = group(*(np.concatenate(both) for both in zip(wanted, known, strict=True)))
    return maximum_in(number[len(wanted[0]) :], count, times, NAT)[number[: len(wanted[0])]]


def _renewed(facts: Facts) -> Mask:
    """Allocations after which the same client got another one from the same server, on the same 5-tuple."""
    relays = facts["allocations"]
    keys = [relays[name] for name in ("vantage", "client", "server", "transport")]
    good = np.flatnonzero(relays["created"] > NAT)
    last = pick(good, find(keys, [key[good] for key in keys]))
    return last > np.arange(len(relays))


@rule("turn-allocation-expired", ERROR, "RFC 8656 section 3.2", "RFC 8656 section 7")
def turn_allocation_expired(facts: Facts) -> Iterator[Hit]:
    """A relay's lifetime ran out without a Refresh that was answered, and its client went on sending through it.

    Evidence: the lifetime that the server granted last is over, no Refresh was answered since, the client still sends
    through the relay, and nothing comes back through it any more.

    Likely cause: Refresh requests are lost or dropped on the way; a server that refuses them (credentials that have
    expired: see `turn-unauthorized`); a client that sends none, or too late (it slept, its timers were throttled).

    Not to be confused with: `turn-mismatch`, where the server says that it does not know the client's address;
    `turn-server-lost`, where the server answers nothing at all; a client that is done with its relay and lets it go.

    What to try: let Refresh requests through, and see that the client sends them in time. Restart ICE to get a new
    relay.
    """
    relays = facts["allocations"]
    if not len(relays):
        return
    seen_last = traffic(facts)
    expired = facts.has("allocations", "state", "expired") & ~_renewed(facts) & (relays["created"] > NAT)
    expired &= (seen_last.out > relays["ended"] + GRACE) & (seen_last.back <= relays["ended"] + GRACE)
    rows = np.flatnonzero(expired)
    if not len(rows):
        return
    lost, _ = _troubles(facts, seen_last)
    in_vain = _refreshes_in_vain(facts, rows)
    for case in relay_cases(facts, rows[~np.isin(rows, list(lost))]):
        lead = int(case.rows[0])
        client, relayed = facts.text(int(relays["client"][lead])), relay_said(facts, lead)
        lifetime, server = int(relays["lifetime_s"][lead]), facts.text(case.server)
        refresh = in_vain.get(lead, [])
        why = _why(facts, refresh, lead)
        over = seconds(int(seen_last.out[lead] - relays["ended"][lead]))
        yield Hit(
            summary=f"The relay {relayed} of {client} expired: its lifetime is {lifetime} s, {why}; the client sent "
            f"through it for {over} more, and nothing came back.",
            evidence=[
                *seen(
                    facts,
                    "allocations",
                    (
                        (
                            f"relay {relay_said(facts, row)} granted for "
                            f"{int(relays['lifetime_s'][row])} s, refreshed {int(relays['refreshes'][row])} times",
                            row,
                            [int(relays["first_frame"][row])],
                        )
                        for row in case.rows.tolist()
                    ),
                ),
                *seen(facts, "transactions", (_vain(facts, row) for row in refresh)),
            ],
            advice=servers.let_refresh_through(client, server, lifetime, _refusal(facts, refresh)),
            ground=SEEN if refresh else SILENCE,
            severity=harm_to_relay(facts, case.session, relays["relayed"][case.everywhere].tolist()),
            session=case.session,
            src=int(relays["client"][lead]),
            dst=case.server,
            time=int(relays["ended"][lead]),
        )


def _vain(facts: Facts, row: int) -> tuple[str, int, list[int]]:
    """A request without answer, as evidence."""
    table = facts["transactions"]
    method, count = method_words(facts.word(int(table["method"][row]))), int(table["transmissions"][row])
    said = f"{method} request from {facts.text(int(table['src'][row]))} sent {count} time{'s' if count > 1 else ''}, "
    icmp = int(table["icmp"][row])
    code = int(table["error_code"][row])
    said += f"ICMP {facts.word(icmp)}" if icmp >= 0 else code_words(code) if code >= 0 else "no answer"
    return said, row, [int(table[name][row]) for name in ("request_frame", "response_frame", "icmp_frame")]


def _refusal(facts: Facts, refresh: list[int]) -> int:
    """The code that Refresh requests were refused with last; -1 if they had no answer."""
    codes = [int(facts["transactions"]["error_code"][row]) for row in refresh]
    return next((code for code in reversed(codes) if code >= 0), MISSING)


def _why(facts: Facts, refresh: list[int], relay: int) -> str:
    """Why an allocation was not refreshed, as far as the capture tells."""
    code = _refusal(facts, refresh)
    if code >= 0:
        return f"the server refused to refresh it ({code_words(code)})"
    if refresh:
        sent = sum(int(facts["transactions"]["transmissions"][row]) for row in refresh)
        return f"{sent} packets with Refresh requests had no answer"
    which = "Refresh request" if facts["allocations"]["refreshed"][relay] == NAT else "further Refresh request"
    who = "the client sent no" if at_client(facts, "allocations", relay) else "no"
    return f"{who} {which}{'' if who != 'no' else ' was captured'}"


def _refreshes_in_vain(facts: Facts, rows: Ints) -> dict[int, list[int]]:
    """Row of `allocations` -> Refresh requests that were not granted, those that give it back aside."""
    relays, table = facts["allocations"], facts["transactions"]
    dead = facts.has("transactions", "kind", "refresh") & (table["error_code"] != STALE)
    dead &= ~facts.has("transactions", "outcome", "success", "other-address", "orphan")
    mine = np.flatnonzero(dead & np.isin(table["src"], relays["client"][rows]))
    mine = mine[Requests(facts).asked("lifetime_s", mine) != 0]
    found: dict[int, list[int]] = {}
    which = find(
        [table[name][mine] for name in ("vantage", "src", "dst")],
        [relays[name][rows] for name in ("vantage", "client", "server")],
    )
    for row, position in zip(mine.tolist(), which.tolist(), strict=True):
        if position >= 0:
            found.setdefault(int(rows[position]), []).append(row)
    return found


def _answered(facts: Facts) -> Mask:
    return facts.has("transactions", "outcome", "success", "error", "other-address", "orphan")


def _troubles(facts: Facts, seen_last: Traffic) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Rows of `allocations` whose server fell silent, with the requests in vain; and checks that its port rejected."""
    relays, table = facts["allocations"], facts["transactions"]
    granted = (relays["created"] > NAT) & (relays["error_code"] != MISMATCH) & ~_renewed(facts)
    granted &= facts.has("allocations", "state", "active", "lost", "expired")
    rows = np.flatnonzero(granted)
    kinds = ("gather", "keepalive", "allocate", "refresh", "permission", "channel-bind")
    dead = facts.has("transactions", "kind", *kinds) & facts.has("transactions", "carrier", "plain")
    dead &= (table["session_id"] < 0) & ~_answered(facts)
    mine = np.flatnonzero(dead & np.isin(table["src"], relays["client"][rows]))
    which = find(
        [table[name][mine] for name in ("vantage", "src", "dst")],
        [relays[name][rows] for name in ("vantage", "client", "server")],
    )
    mine, which = mine[which >= 0], rows[which[which >= 0]]
    after = table["first_time"][mine] > seen_last.heard[which]
    # What was asked before it expired, or in vain for longer than that takes, tells of the server; what comes later
    # may be dropped because there is no such allocation any more.
    after &= (
        (relays["ended"][which] == NAT)
        | (relays["state"][which] != EXPIRED)
        | (seen_last.heard[which] < relays["ended"][which] - GRACE)
    )
    closing = Requests(facts).asked("lifetime_s", mine) == 0
    lost: dict[int, list[int]] = {}
    given_back = set(mine[closing].tolist())
    for row, relay in zip(mine[after].tolist(), which[after].tolist(), strict=True):
        lost.setdefault(relay, []).append(row)
    lost = {
        relay: asked
        for relay, asked in lost.items()
        if any(
            row not in given_back and (table["icmp"][row] >= 0 or table["transmissions"][row] >= ASKED) for row in asked
        )
    }
    rejected = facts.has("transactions", "carrier", "plain") & (table["icmp"] >= 0) & (table["session_id"] >= 0)
    return lost, _rejected(facts, rows, np.flatnonzero(rejected))


def _rejected(facts: Facts, rows: Ints, checks: Ints) -> dict[int, list[int]]:
    """Row of `allocations` -> checks to its relayed address that drew ICMP port unreachable from the relay's host."""
    relays, table = facts["allocations"], facts["transactions"]
    which = find([table["dst"][checks]], [relays["relayed"][rows]])
    found: dict[int, list[int]] = {}
    for check, position in zip(checks[which >= 0].tolist(), which[which >= 0].tolist(), strict=True):
        relay = int(rows[position])
        said = facts.word(int(table["icmp"][check]))
        ended = int(relays["ended"][relay])
        live = int(relays["created"][relay]) <= table["last_time"][check] and (
            int(relays["state"][relay]) != EXPIRED or int(table["last_time"][check]) < ended
        )
        if live and said.startswith("port unreachable") and said.endswith(f" {facts.host(int(table['dst'][check]))}"):
            found.setdefault(relay, []).append(check)
    return found


@rule("turn-server-lost", ERROR, "RFC 8656 section 3.2", "RFC 8489 section 6.2.1")
def turn_server_lost(facts: Facts) -> Iterator[Hit]:
    """A TURN server that had granted a relay stops answering.

    Evidence: after an allocation was granted nothing more comes from the server, and requests to it (Refresh,
    keepalives) are repeated in vain or draw an ICMP error; or the relayed address itself draws ICMP port unreachable
    while its allocation is still in force.

    Likely cause: the server's program was stopped or crashed (ICMP port unreachable from its own host says so), its
    host is down, or the way to it was cut in mid-call.

    Not to be confused with: `turn-mismatch`, where it answers that it knows nothing of the allocation;
    `turn-allocation-expired`, where it still answers other requests; the end of a call, when a relay is given back and
    the other side's last packets draw ICMP.

    What to try: look at the server and its log at that time; keep it running, have a second one, and restart ICE when
    the connection is lost.
    """
    relays, table = facts["allocations"], facts["transactions"]
    if not len(relays):
        return
    lost, rejected = _troubles(facts, traffic(facts))
    for case in relay_cases(facts, np.array(sorted(lost | rejected), np.int64)):
        lead = next((row for row in case.rows.tolist() if row in lost), int(case.rows[0]))
        silent = [row for relay in case.everywhere.tolist() for row in lost.get(relay, [])]
        refused = [row for relay in case.everywhere.tolist() for row in rejected.get(relay, [])]
        icmp = [row for row in (*silent, *refused) if table["icmp"][row] >= 0]
        server, client = facts.text(case.server), clients_said(facts, relays["client"][case.rows].tolist())
        sent = sum(int(table["transmissions"][row]) for row in lost.get(lead, []))
        said = (
            f"answers {client} no more: {sent} request packets in vain"
            if lead in lost
            else f"does not relay for {client} any more: {relay_said(facts, lead)} is closed"
        )
        came = f", ICMP {facts.word(int(table['icmp'][icmp[0]]))}" if icmp else ""
        what = "its program is not running" if icmp else "it is down, or the way to it is cut"
        start = min(int(table["first_time"][row]) for row in (*silent, *refused))
        after = seconds(start - int(relays["created"][lead]))
        yield Hit(
            summary=f"The TURN server {server}, which had granted a relay {after} before, {said}{came}. "
            f"So {what}; all relays that it gave are gone.",
            evidence=[
                *seen(facts, "transactions", (_vain(facts, row) for row in silent)),
                *seen(facts, "transactions", (_vain(facts, row) for row in refused)),
            ],
            advice=servers.keep_running(server, facts.host(case.server)),
            ground=SAID if icmp else SILENCE,
            severity=harm_to_relay(facts, case.session, relays["relayed"][case.everywhere].tolist()),
            session=case.session,
            src=int(relays["client"][lead]),
            dst=case.server,
            time=start,
        )
