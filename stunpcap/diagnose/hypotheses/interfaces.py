"""Rules about what does not work in a call that does: interfaces and address families that lead nowhere.

They are warnings: what is dead costs time, and the next call may need it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose.facts import Facts, groups
from stunpcap.diagnose.finding import SILENCE, WARNING, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import agent, checks, foremost, unanswered
from stunpcap.ice.columns import count_in


@rule("dead-interface", WARNING, "RFC 8445 section 5.1.1.1")
def dead_interface(facts: Facts) -> Iterator[Hit]:
    """Nothing sent from one local address is ever answered, while another address of the same agent works.

    Evidence: all checks from one address of an agent stay unanswered, and checks of the same agent to the very same
    target, from another of its addresses, are answered.

    Likely cause: a VPN, a container bridge or a second network card that leads nowhere near the other agent.

    Not to be confused with: `ipv6-path-broken`, where the dead address differs from the working one in its family.

    What to try: nothing, if the call works; checks on it only cost time. Where they delay calls, keep the agent from
    using that interface (in Chromium by its policy for WebRTC's IP handling).
    """
    pairs, address_of = facts["pairs"], facts.pools.endpoints.addresses
    base = address_of[pairs["src"]]
    own = facts.has("pairs", "carrier", "plain")  # a relay's address is not one of the agent's interfaces
    good = (pairs["responses_received"] > 0) & own
    silent = own & (pairs["requests_sent"] > 0) & (pairs["responses_received"] == 0)
    silent &= pairs["errors_received"] + pairs["other_address"] == 0
    silent &= facts.in_session("pairs", facts.working)
    works = (
        {
            (session, side, dst)
            for session, side, dst in zip(
                pairs["session_id"][good].tolist(), facts.side[good].tolist(), pairs["dst"][good].tolist(), strict=True
            )
        }
        if silent.any()
        else set()
    )
    alive = set(zip(pairs["session_id"][good].tolist(), base[good].tolist(), strict=True)) if works else set()
    for rows in groups(silent, pairs["session_id"], facts.side, base):
        session, side = int(pairs["session_id"][rows[0]]), int(facts.side[rows[0]])
        same = [row for row in rows.tolist() if (session, side, int(pairs["dst"][row])) in works]
        if not same or (session, int(base[rows[0]])) in alive:
            continue
        lead = foremost(facts, np.array(same))
        here = facts.host(int(pairs["src"][lead]))
        yield Hit(
            summary=f"Nothing sent from {here} (agent {agent(facts, lead)}) was ever answered, while the same target "
            "answers another address of that agent: this interface leads nowhere.",
            evidence=[unanswered(facts, row) for row in same[:3]],
            advice=(
                f"The call does not need {here}. If its checks delay calls, keep the agent from using that interface.",
            ),
            ground=SILENCE,
            session=session,
            pair=int(pairs["pair_id"][lead]),
            src=int(pairs["src"][lead]),
            dst=int(pairs["dst"][lead]),
            time=int(pairs["first_time"][lead]),
        )


@rule("ipv6-path-broken", WARNING, "RFC 8421")
def ipv6_path_broken(facts: Facts) -> Iterator[Hit]:
    """IPv6 does not get through, IPv4 between the same agents does.

    Evidence: every check over IPv6 is unanswered, and checks over IPv4 of the same session are answered.

    Likely cause: a router or firewall that knows only IPv4, a tunnel that is down, an IPv6 address without a route.

    Not to be confused with: `dead-interface`, where the same family works from another address.

    What to try: nothing for the call itself. Elsewhere each attempt over IPv6 costs time: mend the route, or do not
    announce addresses that lead nowhere.
    """
    pairs = facts["pairs"]
    v6 = facts.pools.endpoints.is_v6[pairs["src"]]
    number, count = pairs["session_id"] - 1, len(facts["sessions"])
    good = pairs["responses_received"] > 0
    tried = (pairs["requests_sent"] > 1) & v6 & ~good
    broken = (
        (count_in(number, count, tried) > 0)
        & (count_in(number, count, good & v6) == 0)
        & (count_in(number, count, good & ~v6) > 0)
    )
    for rows in groups(tried & facts.in_session("pairs", broken), pairs["session_id"]):
        lead = foremost(facts, rows)
        yield Hit(
            summary=f"IPv6 does not get through: {checks(int(pairs['requests_sent'][rows].sum()))}, none answered, "
            "while IPv4 between the same agents works.",
            evidence=[unanswered(facts, row) for row in rows[:3].tolist()],
            advice=(
                f"Look at the route of IPv6 between {facts.host(int(pairs['src'][lead]))} and "
                f"{facts.host(int(pairs['dst'][lead]))}; the call itself does not need it.",
            ),
            ground=SILENCE,
            session=int(pairs["session_id"][lead]),
            pair=int(pairs["pair_id"][lead]),
            src=int(pairs["src"][lead]),
            dst=int(pairs["dst"][lead]),
            time=int(pairs["first_time"][lead]),
        )
