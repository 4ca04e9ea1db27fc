"""Addresses, relays and routes that look as if they led somewhere: VPNs, carrier NATs, servers behind NATs."""

from __future__ import annotations

from captures.lab.model import Agent, Expect, Link, Node, Scenario, Topology, Turn, Until, Vantage
from captures.lab.servers import COTURN, NAT_A, NAT_B, PUBLIC, SERVER, stun, turn
from captures.lab.topologies import PRIVATE, behind_nat, forward_rules, two_nats, with_rules

GROUP = "Addresses and relays out of reach"

FAILED = Until("failed", hold=1.0, timeout=70.0)
STUN = Agent(ice_servers=(stun(),))
TURN = Agent(ice_servers=(turn(),))
RELAY = Agent(ice_servers=(turn(),), policy="relay")
QUIET = ("bad-credentials", "role-conflict", "one-way-nat", "turn-unauthorized")
NO_NAT = ("one-way-nat", "symmetric-nat", "asymmetric-response", "bad-credentials", "role-conflict")


def vpn(*, split: bool, upstream: str = "", note: str = "") -> Topology:
    """The offerer's way to the answerer leads into a tunnel whose far end drops everything."""
    links = (Link("lan-a", ("192.168.10.10/24",)), Link("vpn", ("10.8.0.2/24",)))
    if split:
        routes = ("default via 192.168.10.1", "192.168.20.0/24 via 10.8.0.1")
        told = "The offerer sends what is for 192.168.20.0/24 into the VPN, everything else to the router."
    else:
        links = links[::-1]
        routes = ("default via 10.8.0.1",)
        told = "The offerer sends everything but its own network's into the VPN."
    return Topology(
        (
            Node("offerer", links, routes),
            Node("vpn-end", (Link("vpn", ("10.8.0.1/24",)),), ("blackhole default",), forward=True),
            Node(
                "router",
                (Link("lan-a", ("192.168.10.1/24",)), Link("lan-b", ("192.168.20.1/24",))),
                (upstream,) if upstream else ("blackhole default",),
                forward=True,
                rules="" if split else forward_rules('iifname "lan-b" ct state new drop'),
            ),
            Node("answerer", (Link("lan-b", ("192.168.20.20/24",)),), ("default via 192.168.20.1",)),
        ),
        f"""
  offerer .10 --- lan-a 192.168.10.0/24 --- .1 router .1 --- lan-b 192.168.20.0/24 --- .20 answerer
     |
     +--- .2 vpn 10.8.0.0/24 .1 --- vpn-end (drops everything)

  {told}
  router: {note or "drops what it has no way for, as 10.8.0.0/24"}
""",
    )


VPN = Vantage("offerer-vpn", "offerer", "vpn", "on the offerer's VPN interface")


def server_behind_nat(*, hide_source: bool = False) -> Topology:
    """The server's host has a private address behind a one-to-one NAT; agents behind NATs of their own."""
    hide = 'oifname "dmz" masquerade' if hide_source else ""
    rules = f"""
table ip nat {{
  chain pre {{
    type nat hook prerouting priority -100
    iifname "public" ip daddr {PUBLIC} dnat to 10.0.0.5
  }}
  chain post {{
    type nat hook postrouting priority 100
    oifname "public" ip saddr 10.0.0.5 snat to {PUBLIC}
    {hide}
  }}
}}
"""
    how = "one to one"
    if hide_source:
        how = "one to one, and gives what comes in its own inside address as source"
    random = not hide_source
    kind = "a port of its own for each destination" if random else "one port for all destinations"
    return Topology(
        (
            *behind_nat("offerer", random=random),
            *behind_nat("answerer"),
            Node("isp", (Link("public", ("203.0.113.1/24",)),), ("blackhole default",), forward=True),
            Node(
                "nat-s",
                (Link("public", (f"{PUBLIC}/24",)), Link("dmz", ("10.0.0.1/24",))),
                ("default via 203.0.113.1",),
                forward=True,
                rules=rules,
            ),
            Node("server", (Link("dmz", ("10.0.0.5/24",)),), ("default via 10.0.0.1",)),
        ),
        f"""
  offerer 192.168.10.10 --- lan-a --- .1 nat-a 203.0.113.10 ---+
                                                               |--- public 203.0.113.0/24 --- .1 isp
  answerer 192.168.20.20 -- lan-b --- .1 nat-b 203.0.113.20 ---+        |
                                                                        +--- .5 nat-s 10.0.0.1 --- dmz --- .5 server
  nat-a: {kind}
  nat-b: one port for all destinations
  nat-s: {how}
  isp: drops what is sent to private addresses
""",
    )


DMZ = Vantage("server", "server", "dmz", "on the server's interface, behind its NAT")
INSIDE = "10.0.0.5"

HAIRPIN = """
table ip nat {
  chain pre {
    type nat hook prerouting priority -100
    ip daddr 203.0.113.10 udp dport 40000-44999 dnat to 100.64.0.10
    ip daddr 203.0.113.10 udp dport 50000-54999 dnat to 100.64.0.20
  }
  chain post {
    type nat hook postrouting priority 100
    oifname "public" masquerade
    ct status dnat snat to 203.0.113.10
  }
}
"""
NO_HAIRPIN = """
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
}
"""


def carrier(rules: str, note: str) -> Topology:
    """Two homes with a NAT each, behind one carrier's NAT (RFC 6598 addresses between)."""

    def home(side: str, letter: str, third: int, ports: str) -> tuple[Node, Node]:
        net = f"lan-{letter}"
        filtered = f"""
table ip nat {{
  chain post {{
    type nat hook postrouting priority 100
    oifname "access" masquerade
  }}
}}
table inet filter {{
  chain input {{
    type filter hook input priority 0
    iifname "access" ct state new drop
  }}
  chain forward {{
    type filter hook forward priority 0
    iifname "access" ct state new drop
    oifname "access" ip daddr {PRIVATE} drop
  }}
}}
"""
        return (
            Node(
                side,
                (Link(net, (f"192.168.{third}.{third}/24",)),),
                (f"default via 192.168.{third}.1",),
                ports=ports,
            ),
            Node(
                f"home-{letter}",
                (Link(net, (f"192.168.{third}.1/24",)), Link("access", (f"100.64.0.{third}/24",))),
                ("default via 100.64.0.1",),
                forward=True,
                rules=filtered,
            ),
        )

    return Topology(
        (
            *home("offerer", "a", 10, "40000 44999"),
            *home("answerer", "b", 20, "50000 54999"),
            Node(
                "cgn",
                (Link("access", ("100.64.0.1/24",)), Link("public", ("203.0.113.10/24",))),
                ("default via 203.0.113.1",),
                forward=True,
                rules=rules,
            ),
            Node("isp", (Link("public", ("203.0.113.1/24",)),), ("blackhole default",), forward=True),
            Node("server", (Link("public", (f"{PUBLIC}/24",)),), ("default via 203.0.113.1",)),
        ),
        f"""
  offerer 192.168.10.10 -- lan-a -- .1 home-a 100.64.0.10 ---+
                                                             |-- access -- 100.64.0.1 cgn 203.0.113.10 -- public
  answerer 192.168.20.20 - lan-b -- .1 home-b 100.64.0.20 ---+                                              |
                                                                                              203.0.113.5 server
  home-a, home-b: one port for all destinations; drop what is for private networks elsewhere
  cgn: one port for all destinations; {note}
""",
    )


CGN = (
    Vantage("home-a-outside", "home-a", "access", "outside the offerer's home router, towards the carrier's NAT"),
    Vantage("cgn-outside", "cgn", "public", "outside the carrier's NAT"),
)

RELAY_RANGE = 'iifname "public" udp dport 49152-65535'


def closed_range(verdict: str, note: str) -> Topology:
    """A TURN server whose firewall lets nobody reach the relayed addresses."""
    return with_rules(
        two_nats(random_a=True), "server", forward_rules(f"{RELAY_RANGE} {verdict}", hook="input"), f"server: {note}"
    )


SCENARIOS = (
    Scenario(
        name="vpn-dead",
        title="the default route leads into a VPN whose far end is dead",
        story="""
A VPN client has taken the offerer's default route, and nobody is at the tunnel's far end. The offerer gathers both
its addresses; its checks from either go into the tunnel (where the capture is taken), and nothing comes back. The
router in between is a stateful firewall before the offerer's network, and drops the answerer's checks: nothing went
out there before.
""",
        topology=vpn(split=False, note="drops what lan-b begins, and what it has no way for, as 10.8.0.0/24"),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="no-answer",
            never=(*NO_NAT, "icmp-rejected", "relay-ports-closed", "agent-gone"),
            mended_by="routed",
            change="end the VPN, or bring its far end back",
        ),
    ),
    Scenario(
        name="vpn-split-dead",
        title="the route to the answerer's network leads into a dead VPN",
        story="""
A VPN's route covers the answerer's network, and nobody is at the tunnel's far end. The answerer's checks reach the
offerer over the ordinary way. The offerer's answers and checks go into the tunnel and die. On the offerer's
ordinary interface checks arrive, and nothing leaves.
""",
        topology=vpn(split=True),
        vantages=(VPN,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="one-way-loss",
            direction="offerer -> answerer",
            unseen="in the capture on the offerer's ordinary interface, that its answers leave by the VPN's",
            never=(*NO_NAT, "icmp-rejected", "bad-request", "agent-gone"),
            mended_by="routed",
            change="take the VPN's route away, or bring its far end back",
        ),
    ),
    Scenario(
        name="vpn-dead-unreachable",
        title="a dead VPN, and a router that answers for a few pairs only",
        story="""
As `vpn-split-dead`, and the offerer gathers on both interfaces. The router answers the answerer's checks to the
VPN's address with ICMP net unreachable, as its rate limit allows; everything that the offerer sends dies in the
tunnel in silence.
""",
        topology=vpn(
            split=True,
            upstream="unreachable 10.8.0.0/24",
            note="answers what is for 10.8.0.0/24 with ICMP unreachable",
        ),
        offerer=Agent(all_interfaces=True),
        vantages=(VPN,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="one-way-loss",
            direction="offerer -> answerer",
            unseen="in the capture on the offerer's ordinary interface, that its answers leave by the VPN's",
            never=(*NO_NAT, "bad-request", "agent-gone"),
            mended_by="routed",
            change="take the VPN's route away, or bring its far end back",
        ),
    ),
    Scenario(
        name="relay-ports-dropped",
        title="the TURN server's firewall drops what is for relayed addresses",
        story="""
The server grants the offerer an allocation, but the firewall of its host drops UDP to the ports that it relays on.
The relay's own packets leave; what the answerer sends to the relayed address dies. The offerer's NAT gives each
destination a port of its own, so that nothing but the relay could have helped.
""",
        topology=closed_range("drop", "drops UDP to ports 49152 to 65535, those of its relays"),
        servers=(COTURN,),
        offerer=TURN,
        answerer=STUN,
        vantages=(SERVER,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="relay-ports-closed",
            direction="answerer -> server",
            also=("symmetric-nat",),
            unseen="in one agent's capture alone, that the NAT's mapping varies",
            never=(
                *QUIET,
                "turn-forbidden",
                "turn-server-lost",
                "stun-server-unreachable",
                "host-only",
                "relay-needed",
            ),
            mended_by="nat-symmetric-one-end-turn",
            change="open the relay's UDP ports (49152 to 65535) to the world at the server's firewall",
        ),
    ),
    Scenario(
        name="relay-ports-rejected",
        title="the TURN server's firewall rejects what is for relayed addresses",
        story="""
As `relay-ports-dropped`, but the server's host answers with ICMP, administratively prohibited.
""",
        topology=closed_range(
            "reject with icmp type admin-prohibited", "rejects UDP to ports 49152 to 65535, those of its relays"
        ),
        servers=(COTURN,),
        offerer=TURN,
        answerer=STUN,
        vantages=(SERVER,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="relay-ports-closed",
            direction="answerer -> server",
            also=("symmetric-nat",),
            unseen="in one agent's capture alone, that the NAT's mapping varies",
            never=(
                *QUIET,
                "turn-forbidden",
                "turn-server-lost",
                "stun-server-unreachable",
                "host-only",
                "relay-needed",
            ),
            mended_by="nat-symmetric-one-end-turn",
            change="open the relay's UDP ports (49152 to 65535) to the world at the server's firewall",
        ),
    ),
    Scenario(
        name="turn-announces-private",
        title="a TURN server behind a one-to-one NAT hands out its private address",
        story="""
The server's host has a private address behind a one-to-one NAT, as a cloud's machines do, and coturn was not told
its `external-ip`: the relayed address it grants is 10.0.0.5. The provider drops the answerer's checks to it. The
relay's own packets come from 203.0.113.5, from where the answerer's NAT awaits nothing.
""",
        topology=server_behind_nat(),
        servers=(Turn("server", INSIDE),),
        offerer=TURN,
        answerer=STUN,
        vantages=(DMZ, NAT_B),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="announced-address-unreachable",
            also=("symmetric-nat",),
            unseen="in one agent's capture alone, that the NAT's mapping varies",
            never=(*QUIET, "turn-forbidden", "turn-server-lost", "relay-ports-closed", "host-only", "relay-needed"),
            mended_by="turn-announces-public",
            change="tell coturn its outside address (`external-ip=203.0.113.5/10.0.0.5`)",
        ),
    ),
    Scenario(
        name="turn-announces-public",
        title="a TURN server behind a one-to-one NAT hands out its public address",
        story="As `turn-announces-private`, with `external-ip` set: the relayed address is 203.0.113.5.",
        topology=server_behind_nat(),
        servers=(Turn("server", INSIDE, (f"--external-ip={PUBLIC}/{INSIDE}",)),),
        offerer=TURN,
        answerer=STUN,
        vantages=(DMZ,),
        expect=Expect("connected", never=(*QUIET, "announced-address-unreachable", "relay-ports-closed", "host-only")),
    ),
    Scenario(
        name="stun-behind-nat",
        title="a STUN server that sees an inside address in place of the agents'",
        story="""
The STUN server runs in a cluster, whose edge gives everything that comes in its own inside address as source. Both
agents are told 10.0.0.1 as their server-reflexive address, with a port, and offer that. Checks to it die.
""",
        topology=server_behind_nat(hide_source=True),
        servers=(Turn("server", INSIDE),),
        offerer=STUN,
        answerer=STUN,
        vantages=(DMZ, NAT_A),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="stun-behind-nat",
            never=(*QUIET, "stun-server-unreachable", "host-only", "symmetric-nat", "relay-ports-closed"),
            mended_by="nats-stun",
            change="let the STUN server see the agents' own outside addresses",
        ),
    ),
    Scenario(
        name="relay-no-hairpin",
        title="relay to relay through one server, which drops what it sends to itself",
        story="""
Both agents use relayed candidates only, of one server. Its host's firewall drops UDP from its own address to
itself, so that neither relay reaches the other. Permissions are granted, everything else works.
""",
        topology=with_rules(
            two_nats(random_a=True, random_b=True),
            "server",
            forward_rules(f"ip saddr {PUBLIC} ip daddr {PUBLIC} meta l4proto udp drop", hook="input"),
            "server: drops UDP that it sends to its own address",
        ),
        servers=(COTURN,),
        offerer=RELAY,
        answerer=RELAY,
        vantages=(SERVER,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="no-relay-hairpin",
            never=(*QUIET, "turn-forbidden", "turn-server-lost", "icmp-rejected", "host-only", "relay-needed"),
            mended_by="turn-udp",
            change="let the server's relays reach each other",
        ),
    ),
    Scenario(
        name="relay-hairpin-forbidden",
        title="relay to relay through one server, which denies its own address as a peer",
        story="""
As `relay-no-hairpin`, but it is the server's configuration that denies its own address (`denied-peer-ip`): each
CreatePermission for it is answered with 403.
""",
        topology=two_nats(random_a=True, random_b=True),
        servers=(Turn("server", PUBLIC, (f"--denied-peer-ip={PUBLIC}",)),),
        offerer=RELAY,
        answerer=RELAY,
        vantages=(SERVER,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="turn-forbidden",
            never=(*QUIET, "turn-server-lost", "icmp-rejected", "host-only", "relay-needed", "relay-ports-closed"),
            mended_by="turn-udp",
            change="let the server relay to its own address (`allowed-peer-ip`), or use two servers",
        ),
    ),
    Scenario(
        name="cgnat-no-hairpin",
        title="two homes behind one carrier's NAT that does not hairpin",
        story="""
Each agent sits behind a home NAT, and both homes behind one carrier's NAT. The STUN server sees the carrier's one
address for both. The carrier's NAT drops what its own customers send to that address.
""",
        topology=carrier(NO_HAIRPIN, "drops what its customers send to its outside address"),
        servers=(COTURN,),
        offerer=STUN,
        answerer=STUN,
        vantages=CGN,
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="no-hairpin",
            never=(*QUIET, "symmetric-nat", "host-only", "stun-server-unreachable", "icmp-rejected"),
            mended_by="cgnat-hairpin",
            change="let the carrier's NAT hairpin (or offer a TURN relay)",
        ),
    ),
    Scenario(
        name="cgnat-hairpin",
        title="two homes behind one carrier's NAT that hairpins",
        story="As `cgnat-no-hairpin`, but the carrier's NAT turns round what is for its own outside address.",
        topology=carrier(HAIRPIN, "turns round what its customers send to its outside address"),
        servers=(COTURN,),
        offerer=STUN,
        answerer=STUN,
        vantages=CGN,
        expect=Expect("connected", never=(*QUIET, "no-hairpin", "relay-needed", "symmetric-nat", "host-only")),
    ),
)
