"""NATs at both ends: what host candidates, STUN and TURN can do about each kind."""

from __future__ import annotations

from captures.lab.model import Agent, Expect, Scenario, Until
from captures.lab.servers import COTURN, NAT_A, NAT_B, SERVER, stun, turn
from captures.lab.topologies import two_nats

GROUP = "NATs at both ends"

FAILED = Until("failed", hold=1.0, timeout=60.0)
STUN = Agent(ice_servers=(stun(),))
TURN = Agent(ice_servers=(turn(),))
ONE_TO_ONE = """
table ip nat {
  chain pre {
    type nat hook prerouting priority -100
    iifname "public" ip protocol udp dnat to 192.168.20.20
  }
  chain post {
    type nat hook postrouting priority 100
    oifname "public" masquerade
  }
}
"""
QUIET = ("icmp-rejected", "bad-credentials", "role-conflict", "one-way-nat")

SCENARIOS = (
    Scenario(
        name="nats-host-only",
        title="NATs at both ends, host candidates only",
        story="""
Each agent offers the address of its own private network only, since no STUN server was named. The other
network has no way to that address: the provider drops every check in silence.
""",
        topology=two_nats(),
        vantages=(NAT_A,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="host-only",
            also=("unroutable-candidate",),
            never=(*QUIET, "symmetric-nat", "stun-server-unreachable"),
            mended_by="nats-stun",
            change="name a STUN server that both agents reach",
        ),
    ),
    Scenario(
        name="nats-stun",
        title="NATs at both ends, STUN",
        story="""
As `nats-host-only`, with a STUN server named at both ends. Both NATs keep one outside port for every
destination, so the server-reflexive candidates work as soon as both sides have sent.
""",
        topology=two_nats(),
        servers=(COTURN,),
        offerer=STUN,
        answerer=STUN,
        vantages=(NAT_A, NAT_B, SERVER),
        expect=Expect("connected", never=(*QUIET, "symmetric-nat", "relay-needed", "host-only")),
    ),
    Scenario(
        name="nats-symmetric-stun",
        title="symmetric NATs at both ends, STUN",
        story="""
Both NATs give each destination a port of its own. What the STUN server sees is not what the peer would see,
and checks to the server-reflexive candidates meet ports that were opened for the server alone.
""",
        topology=two_nats(random_a=True, random_b=True),
        servers=(COTURN,),
        offerer=STUN,
        answerer=STUN,
        vantages=(NAT_A, NAT_B, SERVER),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="relay-needed",
            also=("symmetric-nat",),
            never=(*QUIET, "stun-server-unreachable", "host-only"),
            mended_by="nats-symmetric-turn",
            change="offer a TURN relay that both agents reach",
        ),
    ),
    Scenario(
        name="nats-symmetric-turn",
        title="symmetric NATs at both ends, TURN",
        story="As `nats-symmetric-stun`, with a TURN relay. Its relayed addresses carry the call.",
        topology=two_nats(random_a=True, random_b=True),
        servers=(COTURN,),
        offerer=TURN,
        answerer=TURN,
        vantages=(NAT_A, NAT_B, SERVER),
        expect=Expect("connected", never=(*QUIET, "relay-needed", "host-only", "turn-unauthorized")),
    ),
    Scenario(
        name="nat-symmetric-one-end",
        title="symmetric NAT at the offerer, port-restricted NAT at the answerer, STUN",
        story="""
The offerer's NAT gives each destination a port of its own. The answerer's NAT keeps its port, but lets in
only what comes from an address and port it has sent to. The offerer's checks come from a port nobody knows;
the answerer's go to one that was opened for the server.
""",
        topology=two_nats(random_a=True),
        servers=(COTURN,),
        offerer=STUN,
        answerer=STUN,
        vantages=(NAT_A, NAT_B, SERVER),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="relay-needed",
            also=("symmetric-nat",),
            never=(*QUIET, "stun-server-unreachable", "host-only"),
            mended_by="nat-symmetric-one-end-turn",
            change="offer a TURN relay that both agents reach",
        ),
    ),
    Scenario(
        name="nat-symmetric-one-end-turn",
        title="symmetric NAT at one end, TURN at that end only",
        story="As `nat-symmetric-one-end`, with a TURN relay at the offerer: one relay is enough.",
        topology=two_nats(random_a=True),
        servers=(COTURN,),
        offerer=TURN,
        answerer=STUN,
        vantages=(NAT_A, SERVER),
        expect=Expect("connected", never=(*QUIET, "relay-needed", "host-only")),
    ),
    Scenario(
        name="nat-symmetric-one-end-open",
        title="symmetric NAT at one end, a NAT open to all at the other",
        story="""
As `nat-symmetric-one-end`, but the answerer's NAT is one to one and lets everything in. The offerer's check
arrives from an unannounced port, and the peer-reflexive pair carries the call.
""",
        topology=two_nats(random_a=True, rules_b=ONE_TO_ONE),
        servers=(COTURN,),
        offerer=STUN,
        answerer=STUN,
        vantages=(NAT_A, NAT_B, SERVER),
        expect=Expect("connected", also=("symmetric-nat",), never=(*QUIET, "relay-needed")),
    ),
)
