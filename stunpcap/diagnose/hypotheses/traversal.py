"""Rules about getting past NATs: candidates that are missing, or that cannot work from where they are checked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose import advice
from stunpcap.diagnose.addresses import Mask
from stunpcap.diagnose.facts import Facts, groups
from stunpcap.diagnose.finding import ERROR, GUESS, INFERRED, INFO, RANGE, SEEN, SILENCE, WARNING, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import agent, checks, foremost, others, unanswered, way
from stunpcap.ice.columns import Ints, count_in, find, first_of, group
from stunpcap.schema import TRANSACTION_KIND
from stunpcap.sorting import values_in

ASKS_SERVER = [
    TRANSACTION_KIND.index(kind)
    for kind in ("gather", "keepalive", "allocate", "refresh", "permission", "channel-bind")
]
MOST_CALLS = 20
"""Sessions of an agent's address: one with more is a media server's, which agents reach as it stands."""


def _silent(facts: Facts) -> Mask:
    """Rows of pairs whose checks nobody answered."""
    pairs = facts["pairs"]
    heard = pairs["responses_received"] + pairs["errors_received"] + pairs["other_address"]
    quiet: Mask = (pairs["requests_sent"] > 0) & (heard == 0)
    return quiet


def _lively(facts: Facts) -> Mask:
    """Sessions in which some check was answered."""
    pairs = facts["pairs"]
    heard = pairs["responses_received"] + pairs["errors_received"] + pairs["other_address"] > 0
    found: Mask = count_in(pairs["session_id"] - 1, len(facts["sessions"]), heard) > 0
    return found


def _relayed(facts: Facts) -> Mask:
    """Sessions in which a relay was offered, or tried."""
    count = len(facts["sessions"])
    pairs, candidates = facts["pairs"], facts["candidates"]
    relay = count_in(candidates["session_id"] - 1, count, facts.has("candidates", "type", "relay")) > 0
    relay |= count_in(pairs["session_id"] - 1, count, ~facts.has("pairs", "carrier", "plain")) > 0
    found: Mask = relay
    return found


def _gave_up(facts: Facts) -> Mask:
    """Sessions in which some pair failed."""
    pairs = facts["pairs"]
    failed = facts.has("pairs", "state", "failed")
    found: Mask = count_in(pairs["session_id"] - 1, len(facts["sessions"]), failed) > 0
    return found


@rule("relay-needed", ERROR, "RFC 8445 section 5.1.1.2", "RFC 8656", "RFC 5128")
def relay_needed(facts: Facts) -> Iterator[Hit]:
    """The addresses that STUN gave were tried and are dead, and no relay was offered.

    Evidence: an agent knows its outside address from a STUN server, or its checks are seen outside its NAT; checks to
    the other agent's addresses, the outside one included, have no answer in any direction; no agent has a relay
    candidate.

    Likely cause: NATs that map by destination at one end, and filter by it at the other; or a firewall that lets no
    UDP in. No pair of direct candidates can work then.

    Not to be confused with: `host-only`, where no STUN server was asked, so that the outside addresses were never
    tried; `one-way-loss`, where one direction works.

    What to try: a TURN relay for at least one side. A STUN server does not help: it answered, and what it told is of
    no use here.
    """
    pairs, candidates = facts["pairs"], facts["candidates"]
    count = len(facts["sessions"])
    number = pairs["session_id"] - 1
    private = facts.is_private
    target = facts.pools.endpoints.addresses[pairs["dst"]]
    agent_of = number * 2 + facts.side
    distinct, _ = group(agent_of, target)
    first = np.unique(distinct, return_index=True)[1]
    several = count_in(agent_of[first], 2 * count)[agent_of] > 1
    reflexive = _silent(facts) & (~private[pairs["dst"]] | several)
    tried = (count_in(agent_of, 2 * count, reflexive) > 0).reshape(count, 2)
    checks_at_all = (count_in(agent_of, 2 * count, pairs["requests_sent"] > 0) > 0).reshape(count, 2)
    knows = count_in(candidates["session_id"] - 1, count, facts.has("candidates", "type", "srflx")) > 0
    # Every agent that is seen to check has tried the other's outside address; and has one, or both were seen outside.
    exhausted = (tried | ~checks_at_all).all(axis=1) & (knows | checks_at_all.all(axis=1))
    dead = facts.not_working & _gave_up(facts) & ~_lively(facts) & ~_relayed(facts) & exhausted
    dead &= ~_unexplained(facts)
    for rows in groups(reflexive & facts.in_session("pairs", dead), pairs["session_id"]):
        open_to = rows[~private[pairs["dst"][rows]]]
        lead = foremost(facts, open_to if len(open_to) else rows)
        session = int(pairs["session_id"][lead])
        varies = _ports_vary(facts, session)
        why = (
            f" The NAT {varies} takes another port for each destination, so that nobody can use what a server told."
            if varies
            else ""
        )
        yield Hit(
            summary="No direct path is left, and no relay was offered: "
            f"{checks(int(pairs['requests_sent'][rows].sum()))} to addresses outside the NATs, such as those "
            f"{way(facts, lead)}, have no answer in any direction.{why}",
            evidence=[unanswered(facts, row) for row in rows[:4].tolist()],
            advice=advice.turn_relay(
                "direct candidates are seen to be dead. STUN alone will not do: the outside addresses are known, were "
                "tried, and nothing gets through to them"
            ),
            ground=SEEN if varies else SILENCE,
            rows=tuple(rows.tolist()),
            session=session,
            pair=int(pairs["pair_id"][lead]),
            time=int(pairs["first_time"][rows].min()),
        )


def _unexplained(facts: Facts) -> Mask:
    """Sessions with a target that may be a relay, for all that is known: then none may be said to be missing.

    An agent's own address and its reflexive one are two; a third host with a port of its own may be anything.
    """
    pairs, host = facts["pairs"], facts.host_of
    port = facts.pools.endpoints.words[:, 4].astype(np.int64)
    asked = pairs["requests_sent"] > 0
    agent = 2 * (pairs["session_id"] - 1) + facts.side
    count = 2 * len(facts["sessions"])
    known, n = group(agent[asked], host[pairs["dst"][asked]])
    hosts = count_in(agent[asked][first_of(known, n)], count)
    ports, m = group(agent[asked], port[pairs["dst"][asked]])
    several = count_in(agent[asked][first_of(ports, m)], count)
    found: Mask = ((hosts > 2) & (several > 1)).reshape(-1, 2).any(axis=1)
    return found


def _ports_vary(facts: Facts, session: int) -> str:
    """The outside address of an agent that is seen with other ports than the one that is checked; else empty."""
    pairs = facts["pairs"]
    rows = np.flatnonzero(pairs["session_id"] == session)
    address_of = facts.pools.endpoints.addresses
    for side in (0, 1):
        own = rows[facts.side[rows] == side]
        asked = rows[facts.side[rows] == 1 - side]
        for row in own:
            same = asked[address_of[pairs["dst"][asked]] == address_of[pairs["src"][row]]]
            if len(same) and not np.isin(pairs["src"][row], pairs["dst"][same]):
                return facts.host(int(pairs["src"][row]))
    return ""


@rule("host-only", WARNING, "RFC 8445 section 5.1.1.1", "RFC 8445 section 5.1.1.2")
def host_only(facts: Facts) -> Iterator[Hit]:
    """An agent offered its own addresses only: it never asked a STUN or TURN server.

    Evidence: checks of the agent, and no request of it to any server, in a capture taken at that agent. Or: checked
    from outside a NAT, all that the agent has offered are addresses of its own network.

    Likely cause: `iceServers` is empty, or names no server that this network reaches: in a closed network the public
    ones cannot be reached.

    Not to be confused with: `stun-server-unreachable`, where it asked and had no answer. In one network, host
    candidates are all that is needed: on a call that works this is information, no fault. Of a media server, at whose
    address many calls end, it is said only where one fails.

    What to try: a STUN server that both agents reach, named in `iceServers`; a TURN relay where direct packets are
    seen to die.
    """
    yield from _asked_nobody(facts)
    yield from _offered_own_only(facts)


def _asked_nobody(facts: Facts) -> Iterator[Hit]:
    """Agents at which was captured, and that asked no server."""
    pairs, count = facts["pairs"], len(facts["sessions"])
    # Where a pair worked, host candidates were enough.
    sent = facts.at_src & (pairs["requests_sent"] > 0) & facts.has("pairs", "carrier", "plain")
    sent &= facts.in_session("pairs", ~facts.once_connected)
    rows = np.flatnonzero(sent)
    if not len(rows):
        return
    session, place, base = pairs["session_id"], pairs["vantage"], facts.pools.endpoints.addresses[pairs["src"]]
    troubled = facts.not_working & _gave_up(facts)
    who = 2 * (session - 1) + facts.side
    asked = rows[find((place[rows], base[rows]), _asking(facts)) >= 0]
    told = np.repeat(_relayed(facts), 2) | (count_in(who[asked], 2 * count) > 0)
    hosts, several = group(place[rows], base[rows])
    served = count_in(hosts[first_of(*group(hosts, session[rows]))], several) > MOST_CALLS
    told[who[rows[served[hosts] & ~troubled[session[rows] - 1]]]] = True
    sent[rows] = ~told[who[rows]]
    for rows in groups(sent, session, facts.side):
        number = int(session[rows[0]])
        lead = foremost(facts, rows)
        works = not troubled[number - 1]
        behind_nat = _behind_nat(facts, rows)
        host = facts.host(int(pairs["src"][lead]))
        outside = " It is behind a NAT, so that nobody outside can use them." if behind_nat and not works else ""
        yield Hit(
            summary=f"Agent {agent(facts, lead)} at {host} offered only its own addresses: it asked no STUN or TURN "
            f"server.{outside}",
            evidence=[
                facts.show(
                    f"checks {way(facts, lead)}, and no request of that address to any server in the whole capture",
                    lead,
                    int(pairs["first_frame"][lead]),
                )
            ],
            advice=()
            if works
            else advice.stun_server("then each agent learns how it is seen from outside, and offers that"),
            ground=INFERRED if behind_nat or works else GUESS,
            severity=INFO if works else ERROR,
            session=number,
            src=int(pairs["src"][lead]),
            time=int(pairs["first_time"][rows].min()),
        )


def _asking(facts: Facts) -> tuple[Ints, Ints]:
    """Captures, and in them the addresses that asked a server, or may have done so in TLS or DTLS."""
    table, flows, address_of = facts["transactions"], facts["flows"], facts.pools.endpoints.addresses
    asks, hidden = np.isin(table["kind"], ASKS_SERVER), facts.has("flows", "opaque", "tls", "dtls")
    return (
        np.concatenate([table["vantage"][asks], flows["vantage"][hidden]]),
        np.concatenate([address_of[table["src"][asks]], address_of[flows["src"][hidden]]]),
    )


def _behind_nat(facts: Facts, rows: Ints) -> bool:
    """Whether the sender of rows of pairs must be behind a NAT: it is seen so, or reaches for the open internet."""
    pairs, private = facts["pairs"], facts.is_private
    src, dst = pairs["src"][rows], pairs["dst"][rows]
    return bool(facts.is_translated[src].any() or (private[src] & ~private[dst]).any())


def _asked_in_vain(facts: Facts) -> Mask:
    """Sessions of which an agent asked a server that did not answer: then that is why it has nothing else to offer."""
    pairs, table = facts["pairs"], facts["transactions"]
    address_of = facts.pools.endpoints.addresses
    silent = facts.has("transactions", "outcome", "unanswered", "unfinished", "icmp") & np.isin(
        table["kind"], ASKS_SERVER
    )
    asking = values_in(address_of[table["src"][silent]])
    found: Mask = (
        count_in(pairs["session_id"] - 1, len(facts["sessions"]), np.isin(address_of[pairs["src"]], asking)) > 0
    )
    return found


def _offered_own_only(facts: Facts) -> Iterator[Hit]:
    """Agents that are checked from outside at addresses of their own network only."""
    pairs, private = facts["pairs"], facts.is_private
    outside = ~private[pairs["src"]] | facts.is_translated[pairs["src"]]
    quiet = _silent(facts) & facts.has("pairs", "carrier", "plain")
    dead = facts.not_working & _gave_up(facts) & ~_lively(facts) & ~_relayed(facts)
    dead &= ~_asked_in_vain(facts)
    for rows in groups(quiet & facts.in_session("pairs", dead), pairs["session_id"], pairs["vantage"], facts.side):
        if not outside[rows].any() or not private[pairs["dst"][rows]].all():
            continue
        if len(values_in(facts.host_of[pairs["dst"][rows]])) > 1:
            continue  # the second may be what a server told: in a closed network that is private, too
        lead = foremost(facts, rows)
        whom = "B" if agent(facts, lead) == "A" else "A"
        yield Hit(
            summary=f"Agent {whom} offered only addresses of its own network: all that "
            f"{facts.text(int(pairs['src'][lead]))}, outside of it, could check is "
            f"{facts.text(int(pairs['dst'][lead]))}{others(facts, rows)}.",
            evidence=[unanswered(facts, row) for row in rows[:3].tolist()],
            advice=advice.stun_server(f"then agent {whom} offers the address that it is seen as from outside"),
            rows=tuple(rows.tolist()),
            # In a closed network private addresses may be routed; a sender at a public one reaches none of them.
            ground=GUESS if private[pairs["src"][lead]] else RANGE,
            severity=ERROR,
            session=int(pairs["session_id"][lead]),
            pair=int(pairs["pair_id"][lead]),
            time=int(pairs["first_time"][rows].min()),
        )


@rule("unroutable-candidate", WARNING, "RFC 1918", "RFC 6598", "RFC 8445 section 5.1.1.1")
def unroutable_candidate(facts: Facts) -> Iterator[Hit]:
    """Checks go to an address that only its own network can route, from outside of that.

    Evidence: the target is private, link-local, of a carrier's NAT or of a container bridge; the sender is outside, or
    is itself behind a NAT; all checks die.

    Likely cause: host candidates of an agent in another network. They are always offered, and normally others work
    beside them.

    Not to be confused with: closed networks that route private addresses between sites: there they may work, and
    nothing here says that they cannot.

    What to try: other candidates, from a STUN server or a TURN relay, see `host-only` and `relay-needed`.
    """
    pairs, private = facts["pairs"], facts.is_private
    outside = ~private[pairs["src"]] | facts.is_translated[pairs["src"]]
    dead = _silent(facts) & private[pairs["dst"]] & outside & facts.has("pairs", "state", "failed")
    for rows in groups(dead & facts.in_session("pairs", facts.not_working), pairs["session_id"], facts.side):
        lead = foremost(facts, rows)
        dst = int(pairs["dst"][lead])
        yield Hit(
            summary=f"{facts.text(dst)} cannot be reached from where it is checked: a private address, checked "
            f"from {facts.text(int(pairs['src'][lead]))}, outside of its network or behind a NAT{others(facts, rows)}.",
            evidence=[unanswered(facts, row) for row in rows[:3].tolist()],
            advice=("Offer candidates that can be reached from there: from a STUN server, or a TURN relay.",),
            ground=RANGE,
            session=int(pairs["session_id"][lead]),
            pair=int(pairs["pair_id"][lead]),
            src=int(pairs["src"][lead]),
            dst=dst,
            time=int(pairs["first_time"][rows].min()),
        )
