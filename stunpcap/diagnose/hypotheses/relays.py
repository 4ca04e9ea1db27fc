"""Rules about what a TURN server refuses: credentials, peers, and all that has a code of its own.

A refusal that a later request of the same kind mended is none: a first 401 asks for credentials, a 438 for a fresh
nonce, and a 300 or 486 may be made good by another server.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose import servers
from stunpcap.diagnose.clients import Case, cases, clients_said, seen
from stunpcap.diagnose.facts import SECOND, Facts
from stunpcap.diagnose.finding import ERROR, INFO, SAID, WARNING, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.turn_requests import (
    CHALLENGE,
    FORBIDDEN,
    MISMATCH,
    STALE,
    Requests,
    code_words,
    hosts,
    method_words,
)
from stunpcap.ice.columns import Ints
from stunpcap.sorting import among
from stunpcap.stun.registry import ERROR_BY_CODE
from stunpcap.table import MISSING

AGAIN = 5 * SECOND
"""A nonce that is stale again so soon after the server gave it was never good."""
TRY_ALTERNATE = 300


@rule("turn-unauthorized", ERROR, "RFC 8489 section 9.2.5", "RFC 8656 section 5")
def turn_unauthorized(facts: Facts) -> Iterator[Hit]:
    """The TURN server does not take the client's credentials.

    Evidence: 401 to a request that carried credentials, or 438 to a request with the very nonce that the server had
    just given; and no later request of that kind succeeds. So there is no relay candidate, or the relay is lost when
    its lifetime is over.

    Likely cause: a wrong user name, password or realm in `iceServers`; temporary credentials that have expired, or were
    made with another secret; several servers behind one address that do not share nonces.

    Not to be confused with: the first 401, which every client gets as a challenge; a single 438, which asks for the
    same request with a fresh nonce; `bad-credentials`, where the other agent refuses a check.

    What to try: compare user, realm and password with the server's; for temporary credentials the secret, and the
    clocks of who makes them and of the server.
    """
    requests = Requests(facts)
    refused = requests.with_code(CHALLENGE)
    stale = requests.with_code(STALE)
    if not len(refused) + len(stale):
        return
    table = facts["transactions"]
    wrong = requests.with_credentials(refused)
    rows = requests.lasting(np.sort(np.concatenate([wrong, _stale_again(facts, requests.with_credentials(stale))])))
    for case in cases(facts, rows):
        lead = int(case.rows[0])
        code = int(table["error_code"][lead])
        server, client = facts.text(case.server), clients_said(facts, table["src"][case.rows].tolist())
        user, realm = (requests.asked_once(name, lead) for name in ("username", "realm"))
        shown = f" as user {user!r}" if user else ""
        kind = method_words(facts.word(int(table["method"][lead])))
        said = (
            f"it answers {code_words(code)} to requests that carry them{requests.reason(lead)}"
            if code == CHALLENGE
            else "it answers 438 Stale Nonce to the very nonce that it gave just before"
        )
        yield Hit(
            summary=f"The TURN server {server} does not take the credentials of {client}{shown}: {said}. "
            + ("There is no relay candidate." if kind == "Allocate" else f"The {kind} request is refused."),
            evidence=seen(
                facts,
                "transactions",
                (requests.answer(row, " with credentials") for row in case.rows.tolist()),
            ),
            advice=servers.credentials(server, user, realm, int(table["first_time"][lead]))
            if code == CHALLENGE
            else servers.fresh_nonces(server),
            ground=SAID,
            severity=requests.harm(case),
            session=case.session,
            src=int(table["src"][lead]),
            dst=case.server,
            time=int(table["first_time"][lead]),
        )


def _stale_again(facts: Facts, rows: Ints) -> Ints:
    """438 to a request that was sent after another 438 had come to the same client, and soon after."""
    table = facts["transactions"]
    order = rows[np.lexsort((table["first_time"][rows], *(table[name][rows] for name in ("dst", "src", "vantage"))))]
    before, after = order[:-1], order[1:]
    same = np.ones(len(after), np.bool_)
    for name in ("vantage", "src", "dst"):
        same &= table[name][before] == table[name][after]
    gap = table["first_time"][after] - table["response_time"][before]
    return after[same & (gap >= 0) & (gap < AGAIN)]


@rule("turn-forbidden", ERROR, "RFC 8656 section 10.2", "RFC 8656 section 9")
def turn_forbidden(facts: Facts) -> Iterator[Hit]:
    """The TURN server forbids the client to send to a peer.

    Evidence: 403 Forbidden to CreatePermission, ChannelBind or Connect, with the peer's address in the request. Checks
    through the relay to that peer are never sent, and what the peer sends to the relayed address is dropped.

    Likely cause: rules of the server that deny whole ranges of peer addresses (private ones, often, or its own).

    Not to be confused with: a server that forbids only addresses which it could not reach anyway, while it allows
    another one of the same peer: that is as it should be, and a side note here. `turn-unauthorized` is about who asks,
    this about whom he wants to reach.

    What to try: allow the peers' addresses in the server's configuration; the relay's own address too, where both
    agents use the same relay.
    """
    requests = Requests(facts)
    refused = requests.with_code(FORBIDDEN)
    if not len(refused):
        return
    table = facts["transactions"]
    rows = refused[~requests.grants(refused) | ~requests.same_peer_granted(refused)]
    for case in cases(facts, rows):
        lead = int(case.rows[0])
        server, client = facts.text(case.server), clients_said(facts, table["src"][case.rows].tolist())
        peers = hosts(facts, requests.asked("peer", case.rows))
        allowed = requests.allowed(case)
        what = f"to send to {', '.join(peers)}" if peers else "a relayed address"
        more = f", while it allows {', '.join(allowed[:3])}" if allowed else ""
        severity = requests.relay_harm(case)
        if allowed:
            severity = WARNING if severity == ERROR else INFO
        yield Hit(
            summary=f"The TURN server {server} forbids {client} {what}: "
            f"{code_words(FORBIDDEN)}{requests.reason(lead)}{more}.",
            evidence=seen(
                facts,
                "transactions",
                (requests.answer(row) for row in case.rows.tolist()),
            ),
            advice=servers.allow_peers(server, ", ".join(peers) or "PEERS"),
            ground=SAID,
            severity=severity,
            session=case.session,
            src=int(table["src"][lead]),
            dst=case.server,
            time=int(table["first_time"][lead]),
        )


@rule("turn-refused", ERROR, "RFC 8656 section 19", "RFC 8489 section 14.8")
def turn_refused(facts: Facts) -> Iterator[Hit]:
    """The TURN server refuses what it is asked for, by a code that says why.

    Evidence: an error response to a TURN request other than 401, 403, 437 and 438, and no later request of that kind
    succeeds: 486 the user's quota is used up, 508 the server's own is, 440, 442 and 443 an address family or transport
    that it does not do, 441 another user than the allocation's, 300 another server to go to, and others.

    Likely cause: it is in the code. For 486: many clients share one user name, or went without giving back their
    allocations, which count until they expire.

    Not to be confused with: `turn-unauthorized`, where credentials are wrong; `turn-forbidden`, where the peer is.

    What to try: what the code names. Raise the quota, give each client a user of its own, widen the range of ports.
    """
    requests = Requests(facts)
    table = facts["transactions"]
    codes = table["error_code"]
    others = requests.of_turn & (codes >= 0) & ~among(codes, (CHALLENGE, FORBIDDEN, MISMATCH, STALE))
    rows = np.flatnonzero(others)
    if not len(rows):
        return
    rows = requests.lasting(rows)
    rows = rows[~requests.grants(rows) | ~requests.any_peer_granted(rows)]
    for whole in cases(facts, rows):
        for code in dict.fromkeys(codes[whole.rows].tolist()):
            case = _only(facts, whole, code)
            if code == TRY_ALTERNATE and requests.granted_elsewhere(case.rows):
                continue  # the client went where it was sent
            yield _refused(facts, requests, case, code)


def _only(facts: Facts, case: Case, code: int) -> Case:
    codes = facts["transactions"]["error_code"]
    rows, everywhere = (rows[codes[rows] == code] for rows in (case.rows, case.everywhere))
    return Case(case.session, case.server, rows, everywhere)


def _refused(facts: Facts, requests: Requests, case: Case, code: int) -> Hit:
    table = facts["transactions"]
    lead = int(case.rows[0])
    server, client = facts.text(case.server), clients_said(facts, table["src"][case.rows].tolist())
    user = requests.asked_once("username", lead)
    kind = method_words(facts.word(int(table["method"][lead])))
    alternate = _alternate(facts, case) if code == TRY_ALTERNATE else ""
    to = f" to {alternate}" if alternate else ""
    shown = f" (user {user!r})" if user else ""
    known = ERROR_BY_CODE.get(code)
    meaning = f" {known.meaning}" if known else ""
    return Hit(
        summary=f"The TURN server {server} refuses the {kind} request of {client}{shown}: "
        f"{code_words(code)}{requests.reason(lead)}{to}.{meaning}",
        evidence=seen(
            facts,
            "transactions",
            (requests.answer(row) for row in case.rows.tolist()),
        ),
        advice=servers.refused(code, server, alternate),
        ground=SAID,
        # Where else the client went may not pass here.
        severity=WARNING if code == TRY_ALTERNATE and case.session == MISSING else requests.harm(case),
        session=case.session,
        src=int(table["src"][lead]),
        dst=case.server,
        time=int(table["first_time"][lead]),
    )


def _alternate(facts: Facts, case: Case) -> str:
    """Where the server sends these clients instead."""
    relays = facts["allocations"]
    mine = np.isin(relays["client"], facts["transactions"]["src"][case.rows]) & (relays["alternate_server"] >= 0)
    return facts.text(int(relays["alternate_server"][mine][0])) if mine.any() else ""
