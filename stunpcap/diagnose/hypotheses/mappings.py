"""Rules about what NATs make of addresses: mappings that vary, no hairpin, routers that rewrite inside messages."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose import advice
from stunpcap.diagnose.facts import Facts, groups
from stunpcap.diagnose.finding import ERROR, GUESS, INFERRED, SEEN, SILENCE, WARNING, Evidence, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import checks, unanswered
from stunpcap.schema import FINGERPRINT, MAPPING
from stunpcap.sorting import values_in
from stunpcap.table import MISSING


@rule("symmetric-nat", WARNING, "RFC 4787 section 4.1", "RFC 5780")
def symmetric_nat(facts: Facts) -> Iterator[Hit]:
    """A NAT gives one local address a different outside port, or address, for each destination.

    Evidence: several servers or peers say that they see one local address under different outside ones. Or, captured
    outside the NAT: checks of one agent come from as many ports of one address as it has targets, one for each.

    Likely cause: a NAT with address-dependent, or address-and-port-dependent mapping (RFC 4787 section 4.1), called
    symmetric: many company firewalls and mobile networks.

    Not to be confused with: an agent that has several sockets, which checks every target from each of them; a NAT that
    was restarted, or rebound after silence.

    What to try: what a STUN server tells is of no use to anybody else behind such a NAT. If the other side's NAT or
    firewall lets in only what it was asked for, only a TURN relay helps; so does a NAT set to endpoint-independent
    mapping.
    """
    yield from _told_mappings(facts)
    yield from _seen_outside(facts)


def _told_mappings(facts: Facts) -> Iterator[Hit]:
    """Different outside addresses of one base, as others told them."""
    mappings = facts["mappings"]
    varies = np.isin(mappings["behaviour"], [MAPPING.index(name) for name in MAPPING if name.endswith("-dependent")])
    varies &= mappings["behaviour"] != MAPPING.index("endpoint-independent")
    for rows in groups(varies, mappings["vantage"], mappings["base"]):
        first = int(rows[0])
        base = int(mappings["base"][first])
        behaviour = MAPPING[int(mappings["behaviour"][first])]
        # One of each address told: who agrees with whom is not what matters.
        distinct = rows[np.sort(np.unique(mappings["mapped"][rows], return_index=True)[1])]
        told = [(int(mappings["dst"][row]), int(mappings["mapped"][row]), int(row)) for row in distinct]
        servers = rows[mappings["session_id"][rows] < 1]
        agreed = len(values_in(mappings["mapped"][servers])) < 2
        for session in sorted(facts.sessions_at(base)) or [MISSING]:
            yield Hit(
                summary=f"{facts.text(base)} is behind a NAT with {behaviour} mapping: "
                + ", ".join(f"{facts.text(dst)} sees {facts.text(mapped)}" for dst, mapped, _ in told[:3])
                + ".",
                evidence=[
                    facts.shown_by(
                        f"{facts.text(dst)} says that {facts.text(base)} arrives as {facts.text(mapped)}",
                        "mappings",
                        row,
                        int(mappings["first_frame"][row]),
                    )
                    for dst, mapped, row in told[:4]
                ],
                advice=_behind_symmetric(facts, base),
                # A peer may have been told through a relay, or late, after the NAT forgot: servers are surer.
                ground=GUESS if agreed else INFERRED,
                session=session,
                src=base,
                time=int(mappings["first_time"][first]),
            )


def _seen_outside(facts: Facts) -> Iterator[Hit]:
    """Captured outside a NAT: as many source ports of one address as targets, each for one target only."""
    pairs, address_of = facts["pairs"], facts.pools.endpoints.addresses
    sent = (pairs["requests_sent"] > 0) & ~facts.at_src & facts.has("pairs", "carrier", "plain")
    for rows in groups(sent, pairs["session_id"], pairs["vantage"], facts.side, address_of[pairs["src"]]):
        sources, targets = set(pairs["src"][rows].tolist()), set(pairs["dst"][rows].tolist())
        if len(sources) < 2 or len(sources) != len(targets) or len(rows) != len(sources):
            continue
        first = int(rows[0])
        outside = facts.host(int(pairs["src"][first]))
        yield Hit(
            summary=f"{outside} is a NAT that takes another port for each destination: checks of one agent come from "
            + ", ".join(
                f"{facts.text(int(pairs['src'][row]))} to {facts.text(int(pairs['dst'][row]))}" for row in rows[:3]
            )
            + ".",
            evidence=[
                facts.show(
                    f"{checks(int(pairs['requests_sent'][row]))} from {facts.text(int(pairs['src'][row]))}, all "
                    f"to {facts.text(int(pairs['dst'][row]))}",
                    int(row),
                    int(pairs["first_frame"][row]),
                )
                for row in rows[:4]
            ],
            advice=_behind_symmetric(facts, int(pairs["src"][first])),
            ground=INFERRED,
            session=int(pairs["session_id"][first]),
            src=int(pairs["src"][first]),
            time=int(pairs["first_time"][rows].min()),
        )


def _behind_symmetric(facts: Facts, base: int) -> advice.Steps:
    return (
        f"Set the NAT in front of {facts.host(base)} to endpoint-independent mapping, if it is yours.",
        *advice.turn_relay("nobody can use what a STUN server tells an agent behind such a NAT"),
    )


@rule("no-hairpin", WARNING, "RFC 4787 section 6", "RFC 5128 section 3.3.2")
def no_hairpin(facts: Facts) -> Iterator[Hit]:
    """Both agents are behind one NAT, which does not send back inside what is addressed to its outside.

    Evidence: what a server told one agent, and what it checks of the other, have the same outside address; none of
    those checks is answered.

    Likely cause: both agents are in networks behind the same NAT, and it does not hairpin. Their own addresses would
    work, if their networks can reach each other.

    Not to be confused with: `relay-needed`, where the outside addresses belong to different NATs.

    What to try: open the way between the two inside networks, so that host candidates work; or let the NAT hairpin
    (NAT loopback, NAT reflection); or a TURN relay, which both reach from inside.
    """
    pairs, candidates = facts["pairs"], facts["candidates"]
    address_of = facts.pools.endpoints.addresses
    told = facts.has("candidates", "type", "srflx") & (candidates["address"] >= 0)
    # What a server behind a NAT of its own tells is no address of the agent's (`stun-behind-nat`).
    told &= ~np.isin(address_of[candidates["address"]], address_of[facts["mappings"]["mapped"][facts.inside_mappings]])
    outside = set(
        zip(
            candidates["session_id"][told].tolist(),
            candidates["ufrag"][told].tolist(),
            address_of[candidates["address"][told]].tolist(),
            strict=True,
        )
    )
    if not outside:
        return
    target = address_of[pairs["dst"]]
    keys = zip(pairs["session_id"].tolist(), pairs["ufrag"].tolist(), target.tolist(), strict=True)
    same = np.fromiter((key in outside for key in keys), np.bool_, len(pairs))
    silent = (pairs["responses_received"] + pairs["errors_received"] == 0) & (pairs["requests_sent"] > 1)
    for rows in groups(same & silent, pairs["session_id"], facts.side):
        lead = int(rows[0])
        session = int(pairs["session_id"][lead])
        if (same & ~silent & (pairs["session_id"] == session)).any():
            continue
        failed = bool(facts.not_working[session - 1])
        nat = facts.host(int(pairs["dst"][lead]))
        here = facts.host(int(pairs["src"][lead]))
        own = candidates["first_time"][told & (candidates["session_id"] == session)]
        yield Hit(
            summary=f"Both agents are behind the NAT {nat}, and it does not hairpin: checks from {here} to its outside "
            f"address {facts.text(int(pairs['dst'][lead]))} are not answered"
            f"{', and their own addresses do not reach each other either' if failed else ''}.",
            evidence=[
                *(unanswered(facts, row) for row in rows[:3].tolist()),
                facts.show(f"a server told {here} that it is seen as {nat}, too ({len(own)} candidates)", lead),
            ],
            advice=(
                f"Open the way between the inside networks of the two agents, so that {here} and the other reach each "
                "other without the NAT.",
                f"Or let the NAT {nat} hairpin (NAT loopback, NAT reflection).",
                *advice.turn_relay("both reach it from inside"),
            )
            if failed
            else (),
            ground=SILENCE,
            rows=tuple(rows.tolist()),
            severity=ERROR if failed else WARNING,
            session=session,
            pair=int(pairs["pair_id"][lead]),
            time=int(pairs["first_time"][lead]),
        )


@rule("alg-rewrite", WARNING, "RFC 8489 section 14.2", "RFC 8489 section 14.7")
def alg_rewrite(facts: Facts) -> Iterator[Hit]:
    """A router changes STUN messages on their way.

    Evidence: MAPPED-ADDRESS and XOR-MAPPED-ADDRESS of one response differ, since a router found the one in the clear
    and rewrote it; or FINGERPRINT does not fit messages that are otherwise well formed.

    Likely cause: an application layer gateway (ALG) for SIP or STUN in a router, or a firewall that inspects them.

    Not to be confused with: a snap length that cut messages, whose FINGERPRINT is then not checked; a sender that
    computes FINGERPRINT wrongly, which then is wrong at every place of capture; Microsoft's relays, whose
    MAPPED-ADDRESS is the relayed address.

    What to try: switch the ALG off (often called SIP ALG, or protocol inspection), or use TURN over TLS, which it
    cannot read.
    """
    messages = facts["messages"]
    plain = np.concatenate([source.extra["mapped_plain"] for source in facts.sources] or [np.zeros(0, np.int64)])
    both = (plain >= 0) & (messages["mapped"] >= 0) & ~messages["classic"] & (plain != messages["mapped"])
    both &= plain != messages["relayed"]  # what Microsoft's relays mean by MAPPED-ADDRESS
    broken = (messages["fingerprint"] == FINGERPRINT.index("invalid")) & ~messages["duplicate"]
    for changed, said in ((both, "MAPPED-ADDRESS differs from XOR-MAPPED-ADDRESS"), (broken, "FINGERPRINT is wrong")):
        for rows in groups(changed, messages["vantage"], messages["src"], messages["dst"]):
            first = int(rows[0])
            src, dst = int(messages["src"][first]), int(messages["dst"][first])
            detail = (
                f" ({facts.text(int(plain[first]))} against {facts.text(int(messages['mapped'][first]))})"
                if both[first]
                else ""
            )
            session = int(messages["session_id"][first])
            yield Hit(
                summary=f"STUN messages from {facts.text(src)} to {facts.text(dst)} were changed on their way: "
                f"{said}{detail} in {len(rows)} of them.",
                evidence=[
                    Evidence(
                        f"{said}{detail}",
                        facts.name_of(int(messages["vantage"][first])),
                        tuple(messages["frame"][rows[:6]].tolist()),
                    )
                ],
                advice=(
                    f"On the routers between {facts.host(src)} and {facts.host(dst)}, switch off SIP ALG and "
                    "inspection of STUN; or use TURN over TLS, which nobody on the way can read.",
                ),
                ground=SEEN if both[first] else INFERRED if len(rows) > 1 else GUESS,
                session=session if session > 0 else MISSING,
                src=src,
                dst=dst,
                time=int(messages["time"][first]),
            )
