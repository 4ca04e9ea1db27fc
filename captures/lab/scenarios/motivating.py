"""A healthy call, and the case it all began with: NAT in one direction only, asymmetric routing."""

from __future__ import annotations

from captures.lab.model import Agent, Expect, Scenario, Turn, Until, Vantage
from captures.lab.servers import stun, turn
from captures.lab.topologies import asymmetric, lan

GROUP = "Direct, and the motivating case"

NAT_OUTSIDE = Vantage("nat-a-outside", "nat-a", "core", "outside the NAT router, towards edge-b")
SERVER = "10.20.0.5"
COTURN = Turn("server", SERVER)
STUN = Agent(ice_servers=(stun(SERVER),))
TURN = Agent(ice_servers=(turn(SERVER),))
FAILED = Until("failed", hold=1.0, timeout=60.0)

SCENARIOS = (
    Scenario(
        name="direct",
        title="both agents in one network, nothing in the way",
        story="The healthy call everything else is compared with. A data channel, a few messages, the end.",
        topology=lan(),
        expect=Expect(
            "connected",
            never=(
                "one-way-loss",
                "no-answer",
                "one-way-nat",
                "relay-needed",
                "icmp-rejected",
                "consent-lost",
            ),
        ),
    ),
    Scenario(
        name="asymmetric-dead",
        title="NAT one way, asymmetric routing, no way back to the NAT",
        story="""
The answerer's checks reach the offerer's private address through the side router. The offerer's answers
take its default route, through the NAT, and come back from 172.30.0.2, where nobody was asked: the
answerer must discard them. The offerer's own checks arrive from 172.30.0.2 as well; the answerer answers
them and checks back to that address, but edge-b lets nothing of that out. So no pair ever succeeds, though
packets arrive in both directions. All candidates are host candidates, since no STUN server was named.
""",
        topology=asymmetric(way_back=False),
        vantages=(NAT_OUTSIDE,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="one-way-nat",
            direction="answerer -> nat-a",
            also=("asymmetric-response", "host-only"),
            never=("icmp-rejected", "bad-credentials", "role-conflict", "symmetric-nat"),
            mended_by="asymmetric-rescued",
            change="open the way from the answerer's network to the NAT's outside address",
        ),
    ),
    Scenario(
        name="asymmetric-rescued",
        title="NAT one way, asymmetric routing, rescued by a peer-reflexive pair",
        story="""
As `asymmetric-dead`, but edge-b lets the answerer's packets out to the NAT's outside address. The answers
to the answerer's direct checks still come from the wrong address and are discarded. The offerer's own check
arrives from 172.30.0.2, the answerer answers it and checks back to that address, and this peer-reflexive
pair carries the call.
""",
        topology=asymmetric(way_back=True),
        vantages=(NAT_OUTSIDE,),
        expect=Expect(
            "connected",
            also=("asymmetric-response",),
            never=("icmp-rejected", "bad-credentials", "role-conflict", "symmetric-nat", "relay-needed"),
        ),
    ),
    Scenario(
        name="asymmetric-dead-stun",
        title="the failing form with a STUN server: it does not help",
        story="""
As `asymmetric-dead`, with a STUN server that both agents reach. The offerer learns its outside address and
offers it, but that is the very address to which nothing of the answerer's gets through.
""",
        topology=asymmetric(way_back=False),
        servers=(COTURN,),
        offerer=STUN,
        answerer=STUN,
        vantages=(NAT_OUTSIDE,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="one-way-nat",
            direction="answerer -> nat-a",
            also=("asymmetric-response",),
            never=(
                "icmp-rejected",
                "bad-credentials",
                "role-conflict",
                "symmetric-nat",
                "stun-server-unreachable",
                "host-only",
            ),
            mended_by="asymmetric-dead-turn",
            change="offer a TURN relay that both agents reach (or open the way to the NAT's outside address)",
        ),
    ),
    Scenario(
        name="asymmetric-dead-turn",
        title="the failing form with a TURN relay: it helps",
        story="As `asymmetric-dead`, with a TURN relay that both agents reach. It carries the call.",
        topology=asymmetric(way_back=False),
        servers=(COTURN,),
        offerer=TURN,
        answerer=TURN,
        vantages=(NAT_OUTSIDE, Vantage("server", "server", "lan-b", "on the server's interface")),
        expect=Expect("connected", never=("bad-credentials", "role-conflict", "turn-unauthorized", "relay-needed")),
    ),
    Scenario(
        name="asymmetric-rescued-stun",
        title="the rescued form with a STUN server",
        story="""
As `asymmetric-rescued`, with a STUN server: the offerer's server-reflexive candidate is the NAT's outside
address, which a peer-reflexive pair had to find out without it.
""",
        topology=asymmetric(way_back=True),
        servers=(COTURN,),
        offerer=STUN,
        answerer=STUN,
        vantages=(NAT_OUTSIDE,),
        expect=Expect(
            "connected",
            never=(
                "icmp-rejected",
                "bad-credentials",
                "role-conflict",
                "symmetric-nat",
                "relay-needed",
                "host-only",
            ),
        ),
    ),
    Scenario(
        name="asymmetric-firewall",
        title="NAT one way, and a stateful firewall that lets nothing of it in",
        story="""
The routes of `asymmetric-rescued`, but edge-b is a stateful firewall. The answerer's checks go past it,
through the side router, so it takes whatever comes from the NAT for uninvited: the offerer's answers and
checks never arrive. The answerer hears nothing at all.
""",
        topology=asymmetric(way_back=True, stateful=True),
        vantages=(NAT_OUTSIDE,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="one-way-loss",
            direction="offerer -> answerer",
            unseen="at the agents, that the offerer's packets take another way and are rewritten",
            never=("icmp-rejected", "bad-credentials", "role-conflict", "symmetric-nat"),
            mended_by="asymmetric-rescued",
            change="let the firewall accept what comes from the NAT's outside address",
        ),
    ),
    Scenario(
        name="asymmetric-ignores-prflx",
        title="NAT one way, and an agent that ignores peer-reflexive candidates",
        story="""
The network of `asymmetric-rescued`, with bare ICE agents. The answerer answers the check that arrives from
the NAT's outside address, but does not check back to an address nobody signalled. The offerer has a pair
that works, the answerer has none.
""",
        topology=asymmetric(way_back=True),
        offerer=Agent(kind="aioice"),
        answerer=Agent(kind="aioice", options={"ignore_prflx": True}),
        vantages=(NAT_OUTSIDE,),
        until=Until("failed", who="answerer", hold=12.0, timeout=110.0),
        expect=Expect(
            "failed",
            ended=("*", "failed"),
            root_cause="one-way-nat",
            also=("asymmetric-response", "host-only"),
            never=("icmp-rejected", "bad-credentials", "role-conflict", "symmetric-nat", "one-way-loss"),
            mended_by="asymmetric-rescued",
            change="let the answerer check back to the address a check came from (or name a STUN server)",
        ),
    ),
)
