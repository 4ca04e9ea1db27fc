"""NATs at both ends: what host candidates, STUN and TURN can do about each kind."""

from __future__ import annotations

from captures.lab.model import Agent, Expect, Link, Node, Scenario, Topology, Until
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

# One router with two networks behind it that may not talk to each other directly, and port ranges of
# which it knows whose they are: what leaves for its own outside address comes back in (hairpin), or not.
HAIRPIN_NAT = """
table ip nat {
  chain pre {
    type nat hook prerouting priority -100
    ip daddr 203.0.113.10 udp dport 40000-44999 dnat to 192.168.10.10
    ip daddr 203.0.113.10 udp dport 50000-54999 dnat to 192.168.20.20
  }
  chain post {
    type nat hook postrouting priority 100
    oifname "public" masquerade
    ct status dnat snat to 203.0.113.10
  }
}
table inet filter {
  chain forward {
    type filter hook forward priority 0
    ct status dnat accept
    iifname "lan-a" oifname "lan-b" drop
    iifname "lan-b" oifname "lan-a" drop
  }
}
"""
NO_HAIRPIN_NAT = """
table ip nat {
  chain post {
    type nat hook postrouting priority 100
    oifname "public" masquerade
  }
}
table inet filter {
  chain input {
    type filter hook input priority 0
    meta l4proto udp drop
  }
  chain forward {
    type filter hook forward priority 0
    iifname "lan-a" oifname "lan-b" drop
    iifname "lan-b" oifname "lan-a" drop
  }
}
"""


def same_nat(rules: str, note: str) -> Topology:
    """Both agents behind one NAT, in two networks that it keeps apart."""
    return Topology(
        (
            Node(
                "offerer",
                (Link("lan-a", ("192.168.10.10/24",)),),
                ("default via 192.168.10.1",),
                ports="40000 44999",
            ),
            Node(
                "answerer",
                (Link("lan-b", ("192.168.20.20/24",)),),
                ("default via 192.168.20.1",),
                ports="50000 54999",
            ),
            Node(
                "nat",
                (
                    Link("lan-a", ("192.168.10.1/24",)),
                    Link("lan-b", ("192.168.20.1/24",)),
                    Link("public", ("203.0.113.10/24",)),
                ),
                ("default via 203.0.113.1",),
                forward=True,
                rules=rules,
            ),
            Node("isp", (Link("public", ("203.0.113.1/24",)),), ("blackhole default",), forward=True),
            Node("server", (Link("public", ("203.0.113.5/24",)),), ("default via 203.0.113.1",)),
        ),
        f"""
  offerer 192.168.10.10 --- lan-a --- .1 +-----+
                                         | nat | 203.0.113.10 --- public 203.0.113.0/24 --- .5 server
  answerer 192.168.20.20 -- lan-b --- .1 +-----+

  nat: keeps lan-a and lan-b apart; {note}
""",
    )


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
            unseen="in one agent's capture alone, that the mapping varies; the one outside the NAT shows it",
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
            unseen="in one agent's capture alone, that the mapping varies; the one outside the NAT shows it",
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
    Scenario(
        name="same-nat-hairpin",
        title="both behind one NAT that hairpins",
        story="""
Both agents sit behind one NAT, in networks that it keeps apart. Checks to its own outside address are
turned round (hairpin), so the server-reflexive candidates work.
""",
        topology=same_nat(HAIRPIN_NAT, "turns round what is sent to its outside address"),
        servers=(COTURN,),
        offerer=STUN,
        answerer=STUN,
        expect=Expect("connected", never=("no-hairpin", "relay-needed", "role-conflict")),
    ),
    Scenario(
        name="same-nat-no-hairpin",
        title="both behind one NAT that does not hairpin",
        story="""
As `same-nat-hairpin`, but the NAT drops what its own networks send to its outside address. The host
candidates are kept apart as before, so no pair is left.
""",
        topology=same_nat(NO_HAIRPIN_NAT, "drops what they send to its outside address"),
        servers=(COTURN,),
        offerer=STUN,
        answerer=STUN,
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="no-hairpin",
            never=("bad-credentials", "role-conflict", "one-way-nat", "symmetric-nat", "host-only"),
            mended_by="same-nat-hairpin",
            change="let the NAT hairpin (or offer a TURN relay, or let the networks talk directly)",
        ),
    ),
)
