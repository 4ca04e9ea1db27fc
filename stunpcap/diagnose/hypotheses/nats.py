"""Rules about NATs and asymmetric routing: packets that arrive, and not from where they were sent.

The case that stunpcap was made for is here: `one-way-nat`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose import advice
from stunpcap.diagnose.addresses import Mask
from stunpcap.diagnose.facts import Facts, groups
from stunpcap.diagnose.finding import ERROR, GUESS, INFERRED, SEEN, WARNING, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import checks, frames_of, unanswered
from stunpcap.schema import OUTCOME, TRANSACTION_KIND
from stunpcap.table import MISSING

CHECKS = [TRANSACTION_KIND.index(kind) for kind in ("check", "consent")]
OTHER_ADDRESS = OUTCOME.index("other-address")


def _from_elsewhere(facts: Facts) -> Mask:
    """Checks whose answer came from another address than the one asked."""
    table = facts["transactions"]
    elsewhere = (table["outcome"] == OTHER_ADDRESS) & np.isin(table["kind"], CHECKS) & (table["session_id"] > 0)
    elsewhere &= (table["response_src"] >= 0) & (table["response_src"] != table["dst"])
    return elsewhere


@rule("one-way-nat", ERROR, "RFC 8445 section 7.2.5.2.1", "RFC 8445 section 7.3.1.3", "RFC 4787")
def one_way_nat(facts: Facts) -> Iterator[Hit]:
    """A NAT rewrites what one agent sends, and the other agent's packets reach it without passing that NAT.

    Evidence: a check to the agent's own address arrives, for it is answered; but the answer comes from another
    address, and so do this agent's own checks. Routing is asymmetric: there is one way to the agent, and another, with
    a NAT on it, back.

    Likely cause: two routers between the networks. The one that the agent has as its default route does NAT; the other
    agent's network has a route past it.

    Not to be confused with: an ordinary NAT, where nobody reaches the agent's own address from outside; `one-way-loss`,
    where packets of one direction do not arrive at all. An agent that hears its peer from an unexpected address adds
    it as a peer-reflexive candidate and checks back to it, which usually rescues the call: the finding says why it
    did not.

    What to try: route the way back as the way there, past the NAT, or except this traffic from NAT; or let the other
    network reach the NAT's outside address. A TURN relay that both reach works without touching the routers. A STUN
    server helps only if packets to the NAT's outside address arrive.
    """
    table, pairs = facts["transactions"], facts["pairs"]
    for rows in groups(_from_elsewhere(facts), table["session_id"], table["src"], table["response_src"]):
        first = int(rows[0])
        session = int(table["session_id"][first])
        here, asked, seen = (int(table[name][first]) for name in ("src", "dst", "response_src"))
        b, x, y = facts.text(here), facts.text(asked), facts.text(seen)
        in_named, back = (facts.row_between(session, *ends) for ends in ((seen, here), (here, seen)))
        arrived = int(pairs["requests_sent"][in_named]) if in_named >= 0 else 0
        evidence = [
            facts.shown_by(
                f"{checks(len(rows))} from {b} to {x}: each answer came from {y}",
                "transactions",
                first,
                *frames_of(table, "request_frame", rows[:3]),
                *frames_of(table, "response_frame", rows[:3]),
            )
        ]
        if arrived:
            evidence.append(
                facts.show(
                    f"the agent at {x} sends its own checks, too, and they arrive from {y} ({arrived})",
                    in_named,
                    *frames_of(table, "request_frame", facts.checks_of(in_named)[:3]),
                )
            )
        tried = back >= 0 and int(pairs["requests_sent"][back]) > 0
        arrivals = facts.checks_of(in_named) if in_named >= 0 else table["first_time"][:0]
        came = int(table["first_time"][arrivals].min(initial=int(table["response_time"][rows].min())))
        if tried and facts.working[session - 1] and int(pairs["first_time"][back]) < came:
            continue  # it was checked before anything came from it: an address of that host which was offered
        rescued = tried and int(pairs["responses_received"][back]) > 0
        working = bool(facts.working[session - 1])
        if rescued and working:
            end = f"A peer-reflexive pair rescued the call: checks from {b} to {y} are answered."
        elif tried:
            evidence.append(unanswered(facts, back))
            end = (
                f"The peer-reflexive pair that rescues such calls failed: nothing that {b} sends to {y} is answered: "
                f"there is no way from {facts.host(here)} to the NAT's outside address."
            )
        elif arrived:
            end = (
                f"Nothing was ever sent from {b} to {y}: the agent at {b} answers those checks, and ignores the "
                "peer-reflexive candidate that it should have made of them (RFC 8445 section 7.3.1.3)."
            )
        else:
            end = f"No check from {y} arrived, so that no peer-reflexive pair could rescue the call."
        alone = "" if working or _asked_server(facts, session) else " Only host candidates were tried."
        yield Hit(
            summary=f"{facts.host(asked)} is reached directly, but what it sends comes through a NAT, from {y}; "
            f"{_outcome(facts, here, rescued and working, tried, arrived > 0)}",
            story=f"A check that {b} sends to {x} arrives, and its answer comes from {y}, where nobody was asked: "
            f"ICE must discard it (RFC 8445 section 7.2.5.2.1). {end}{alone}",
            evidence=evidence,
            advice=() if working else _mend(facts, here, asked, seen, tried, arrived > 0),
            # Where another pair carries the call, a host with several addresses looks the same.
            ground=GUESS if working else SEEN if arrived else INFERRED,
            severity=WARNING if working else ERROR,
            session=session,
            pair=int(pairs["pair_id"][back if back >= 0 else in_named]) if max(back, in_named) >= 0 else MISSING,
            src=here,
            dst=seen,
            time=int(table["first_time"][first]),
            rows=_between(facts, session, here, (asked, seen)),
        )


def _between(facts: Facts, session: int, here: int, there: tuple[int, int]) -> tuple[int, ...]:
    """Rows of `pairs` of a session between an endpoint and the hosts of two others, whatever their ports."""
    pairs, host = facts["pairs"], facts.host_of
    mine = pairs["session_id"] == session
    ours, theirs = (np.isin(host[pairs[end]], host[list(there)]) for end in ("dst", "src"))
    own, back = (host[pairs[end]] == host[here] for end in ("src", "dst"))
    return tuple(np.flatnonzero(mine & ((own & ours) | (back & theirs))).tolist())


def _outcome(facts: Facts, here: int, rescued: bool, tried: bool, arrived: bool) -> str:
    """What became of the call, in half a sentence."""
    if rescued:
        return "a peer-reflexive pair made it work all the same."
    if tried:
        return f"what {facts.host(here)} sends back to there is lost."
    if arrived:
        return f"the agent at {facts.host(here)} never sends anything back to there."
    return "nothing from there arrived but those answers."


def _asked_server(facts: Facts, session: int) -> bool:
    """Whether any agent of a session was seen to ask a STUN or TURN server."""
    candidates = facts["candidates"]
    known_from = facts.has("candidates", "known_from", "gathering", "relay")
    return bool((known_from & (candidates["session_id"] == session)).any())


def _mend(facts: Facts, here: int, asked: int, seen: int, tried: bool, arrived: bool) -> advice.Steps:
    """Steps for `one-way-nat`, by why the peer-reflexive pair did not rescue the call."""
    b, x, y = facts.host(here), facts.host(asked), facts.host(seen)
    routes = (
        f"Route the answers back the way the requests came: give {x}'s network a route to {b} that does not pass the "
        f"NAT {y}, or except traffic from {x} to {b} from NAT there.",
    )
    if tried or not arrived:
        return advice.joined(
            routes,
            (
                f"Or open the way from {b}'s network to the NAT's outside address {y}: a route, and UDP let through. "
                "Then the peer-reflexive pair works, without any change to the application.",
            ),
            advice.turn_relay(
                f"it works without touching the routers. A STUN server would not help: it would name {y}, to which "
                "packets are already seen to die"
            ),
        )
    return advice.joined(
        routes,
        (
            f"Or use an agent at {b} that makes peer-reflexive candidates of the checks it receives, as RFC 8445 "
            "demands.",
        ),
        advice.stun_server(f"then {y} is signalled as a candidate, which this agent does check"),
    )


@rule("asymmetric-response", ERROR, "RFC 8445 section 7.2.5.2.1", "RFC 8489 section 6.3.1")
def asymmetric_response(facts: Facts) -> Iterator[Hit]:
    """Answers come from, or go to, another address than their check; the agent must discard them.

    Evidence: a response with the id of a check, which does not mirror the check's addresses.

    Likely cause: a NAT on the way back that was not on the way there, or a host with several addresses that answers
    from the wrong one.

    Not to be confused with: a response that was captured at a second place behind a NAT, which is why two captures
    are correlated apart.

    What to try: see `one-way-nat`, which says what the path does. Agents on hosts with several addresses must bind a
    socket to each.
    """
    table = facts["transactions"]
    odd = (table["outcome"] == OTHER_ADDRESS) & np.isin(table["kind"], CHECKS) & (table["session_id"] > 0)
    connected = facts.working
    for rows in groups(odd, table["session_id"], table["src"], table["dst"]):
        first = int(rows[0])
        session = int(table["session_id"][first])
        src, dst, answered_from, answered_to = (
            int(table[name][first]) for name in ("src", "dst", "response_src", "response_dst")
        )
        where = (
            f"the answers come from {facts.text(answered_from)}"
            if answered_from != dst
            else f"the answers go to {facts.text(answered_to)}"
        )
        working = bool(connected[session - 1])
        yield Hit(
            summary=f"{checks(len(rows)).capitalize()} from {facts.text(src)} to {facts.text(dst)}: {where}, and ICE "
            f"must discard them.{' Another pair connected the call.' if working else ''}",
            evidence=[
                facts.shown_by(
                    f"request to {facts.text(dst)}, {where}",
                    "transactions",
                    first,
                    *frames_of(table, "request_frame", rows[:3]),
                    *frames_of(table, "response_frame", rows[:3]),
                )
            ],
            advice=() if working else ("See one-way-nat: stunpcap explain one-way-nat",),
            ground=SEEN,
            severity=WARNING if working else ERROR,
            session=session,
            src=answered_from if answered_from != dst else dst,
            dst=answered_to if answered_from == dst else src,
            time=int(table["first_time"][first]),
            rows=(int(facts.directed.of_transaction[first]),),
        )
