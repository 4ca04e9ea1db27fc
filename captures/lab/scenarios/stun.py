"""STUN servers that are silent, absent, or named at one end only."""

from __future__ import annotations

from captures.lab.model import Agent, Expect, Scenario, Until
from captures.lab.servers import COTURN, NAT_A, NAT_B, stun
from captures.lab.topologies import forward_rules, two_nats, with_rules

GROUP = "STUN servers"

FAILED = Until("failed", hold=1.0, timeout=70.0)
STUN = Agent(ice_servers=(stun(),))
QUIET = ("icmp-rejected", "bad-credentials", "role-conflict", "one-way-nat")

SCENARIOS = (
    Scenario(
        name="stun-dead",
        title="the STUN server is silent",
        story="""
Both agents name a STUN server whose host drops every packet. Gathering is held up by retransmissions, no
server-reflexive candidate comes of it, and the host candidates alone cannot cross the NATs.
""",
        topology=with_rules(
            two_nats(),
            "server",
            forward_rules("meta l4proto udp drop", hook="input"),
            "server: drops all UDP",
        ),
        offerer=STUN,
        answerer=STUN,
        vantages=(NAT_A,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="stun-server-unreachable",
            never=(*QUIET, "symmetric-nat", "host-only"),
            mended_by="nats-stun",
            change="make the STUN server answer",
        ),
    ),
    Scenario(
        name="stun-rejected",
        title="nothing listens on the STUN server's port",
        story="As `stun-dead`, but the server's host answers with ICMP port unreachable: no program listens.",
        topology=two_nats(),
        offerer=STUN,
        answerer=STUN,
        vantages=(NAT_A,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="stun-server-unreachable",
            never=("bad-credentials", "role-conflict", "one-way-nat", "symmetric-nat", "host-only"),
            mended_by="nats-stun",
            change="make the STUN server answer",
        ),
    ),
    Scenario(
        name="stun-one-side",
        title="only the offerer names a STUN server",
        story="""
The offerer offers its outside address, the answerer only its private one. The answerer's checks reach the
offerer's NAT from an address the offerer never sent to, and are dropped there; the offerer's go to a
private address that leads nowhere.
""",
        topology=two_nats(),
        servers=(COTURN,),
        offerer=STUN,
        vantages=(NAT_A, NAT_B),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="host-only",
            also=("unroutable-candidate",),
            never=(*QUIET, "symmetric-nat", "stun-server-unreachable"),
            mended_by="nats-stun",
            change="name the STUN server at the answerer too",
        ),
    ),
)
