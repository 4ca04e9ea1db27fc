"""A healthy call, and the case it all began with: NAT in one direction only, asymmetric routing."""

from __future__ import annotations

from captures.lab.model import Expect, Scenario, Until, Vantage
from captures.lab.topologies import asymmetric, lan

GROUP = "Direct, and the motivating case"

NAT_OUTSIDE = Vantage("nat-a-outside", "nat-a", "core", "outside the NAT router, towards edge-b")
FAILED = Until("failed", hold=1.0, timeout=60.0)

SCENARIOS = (
    Scenario(
        name="direct",
        title="both agents in one network, nothing in the way",
        story="The healthy call everything else is compared with. A data channel, a few messages, the end.",
        topology=lan(),
        expect=Expect("connected", never=("host-only",)),
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
)
