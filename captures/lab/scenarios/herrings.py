"""Red herrings: calls in which something looks like the cause, and another thing is (or nothing)."""

from __future__ import annotations

from dataclasses import replace

from captures.lab.model import Agent, Expect, Link, Node, Scenario, Step, Topology, Turn, Until, Vantage
from captures.lab.servers import COTURN, NAT_A, NAT_B, PUBLIC, SERVER, stun, turn
from captures.lab.topologies import filter_from_now_on, forward_rules, masquerade, routed, two_nats, with_rules

GROUP = "Red herrings"

FAILED = Until("failed", hold=1.0, timeout=70.0)
STUN = Agent(ice_servers=(stun(),))
TURN = Agent(ice_servers=(turn(),))
FIREFOX = Agent(kind="firefox")
AUDIO = Agent(media=("audio",))
ROUTER_A = Vantage("router-a", "router", "lan-a", "at the router, towards the offerer")
QUIET = ("bad-credentials", "role-conflict", "one-way-nat", "turn-unauthorized")
ONE_PORT = "one port for all destinations"
OWN_PORTS = "a port of its own for each destination"


def colliding(*, random: bool) -> Topology:
    """Two homes that use the same private network; at each agent's own home a device has the other's address."""

    def home(side: str, device: str, letter: str, mine: int, theirs: int, outside: int) -> tuple[Node, Node, Node]:
        net = f"lan-{letter}"
        return (
            Node(side, (Link(net, (f"192.168.1.{mine}/24",)),), ("default via 192.168.1.1",)),
            Node(device, (Link(net, (f"192.168.1.{theirs}/24",)),), ("default via 192.168.1.1",)),
            Node(
                f"nat-{letter}",
                (Link(net, ("192.168.1.1/24",)), Link("public", (f"203.0.113.{outside}/24",))),
                ("default via 203.0.113.1",),
                forward=True,
                rules=masquerade("public", random=random),
            ),
        )

    isp, server = two_nats().nodes[-2:]
    return Topology(
        (
            *home("offerer", "printer", "a", 10, 20, 10),
            *home("answerer", "camera", "b", 20, 10, 20),
            isp,
            server,
        ),
        f"""
  offerer 192.168.1.10 ---+- lan-a --- .1 nat-a 203.0.113.10 ---+
  printer 192.168.1.20 ---+                                     |
                                                                |--- public 203.0.113.0/24 --- .5 server
  answerer 192.168.1.20 --+- lan-b --- .1 nat-b 203.0.113.20 ---+                          --- .1 isp
  camera 192.168.1.10 ----+

  nat-a, nat-b: {OWN_PORTS if random else ONE_PORT}
  isp: drops what is sent to private addresses
""",
    )


def two_interfaces() -> Topology:
    """The offerer reaches the router over two networks."""
    return Topology(
        (
            Node(
                "offerer",
                (Link("lan-a", ("192.168.10.10/24",)), Link("lan-c", ("192.168.30.10/24",))),
                (
                    "default via 192.168.10.1",
                    "default via 192.168.30.1 metric 200",
                    "default via 192.168.30.1 table 30",
                ),
                policy=("from 192.168.30.10 table 30",),
            ),
            Node(
                "router",
                (
                    Link("lan-a", ("192.168.10.1/24",)),
                    Link("lan-c", ("192.168.30.1/24",)),
                    Link("lan-b", ("192.168.20.1/24",)),
                ),
                forward=True,
            ),
            Node("answerer", (Link("lan-b", ("192.168.20.20/24",)),), ("default via 192.168.20.1",)),
        ),
        """
  offerer .10 --- lan-a 192.168.10.0/24 --- .1 router .1 --- lan-b 192.168.20.0/24 --- .20 answerer
     |                                         |
     +----- .10 lan-c 192.168.30.0/24 --- .1 --+

  The offerer sends from each address over that address's own network.
""",
    )


LAN_C = Vantage("offerer-lan-c", "offerer", "lan-c", "on the offerer's second interface")
SECOND = Node("server-2", (Link("public", ("203.0.113.6/24",)),), ("default via 203.0.113.1",))


def with_second_server(topology: Topology) -> Topology:
    """The same network with one more server."""
    return Topology((*topology.nodes, SECOND), f"{topology.drawing}  server-2: 203.0.113.6 on the public network\n")


RELAY_EGRESS = f"ip daddr {PUBLIC} udp dport 49152-65535 drop"

SCENARIOS = (
    Scenario(
        name="colliding-networks",
        title="both homes use the same private network, and another device has the peer's address",
        story="""
Both homes use 192.168.1.0/24. A check to the other's private address goes to a device at home that has the same
address, and that answers with ICMP port unreachable. The server-reflexive addresses carry the call.
""",
        topology=colliding(random=False),
        servers=(COTURN,),
        offerer=STUN,
        answerer=STUN,
        vantages=(NAT_A,),
        expect=Expect("connected", never=(*QUIET, "agent-gone", "relay-needed", "symmetric-nat", "agent-silent")),
    ),
    Scenario(
        name="colliding-networks-symmetric",
        title="colliding private networks behind symmetric NATs",
        story="""
As `colliding-networks`, but both NATs give each destination a port of its own. The ICMP errors of a printer and a
camera, which have the other agent's private address, are no part of the cause.
""",
        topology=colliding(random=True),
        servers=(COTURN,),
        offerer=STUN,
        answerer=STUN,
        vantages=(NAT_A, NAT_B),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="relay-needed",
            also=("symmetric-nat",),
            unseen="in one agent's capture alone, that the mapping varies; the one outside the NAT shows it",
            never=(*QUIET, "agent-gone", "host-only", "stun-server-unreachable"),
            mended_by="nats-symmetric-turn",
            change="offer a TURN relay that both agents reach",
        ),
    ),
    Scenario(
        name="relay-egress-blocked",
        title="the answerer's own router lets nothing out to the relay's ports",
        story="""
The server's relay ports are open, but the answerer's router lets no UDP out to ports 49152 to 65535 of the server, as
company firewalls do. The offerer's NAT gives each destination a port of its own, so that only the relay could have
helped. To both agents it looks as if the server's relay range were closed.
""",
        topology=two_nats(random_a=True, extra_b=RELAY_EGRESS),
        servers=(COTURN,),
        offerer=TURN,
        answerer=STUN,
        vantages=(SERVER, NAT_B),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="no-answer",
            direction="answerer -> server",
            also=("symmetric-nat",),
            unseen="in the agents' captures, whether the answerer's side drops or the server; the server's shows it",
            never=(*QUIET, "turn-forbidden", "turn-server-lost", "host-only", "stun-server-unreachable"),
            mended_by="nat-symmetric-one-end-turn",
            change="let the answerer's router send UDP to the relay's ports",
        ),
    ),
    Scenario(
        name="stun-blocked-midway",
        title="a firewall begins to drop STUN alone in mid-call",
        story="""
Six seconds into a call with audio the router begins to drop whatever carries STUN's magic cookie, both
ways. Media goes on until consent expires. Neither agent refuses anything.
""",
        topology=routed(),
        offerer=AUDIO,
        answerer=AUDIO,
        steps=(
            Step(
                6.0,
                "exec",
                "router",
                filter_from_now_on("udp length > 20 @th,96,32 0x2112a442 drop"),
                after="connected",
            ),
        ),
        until=Until("failed", hold=1.0, timeout=70.0),
        expect=Expect(
            "failed",
            root_cause="consent-lost",
            never=(
                "one-way-nat",
                "bad-credentials",
                "role-conflict",
                "agent-gone",
                "agent-silent",
                "consent-refused",
                "media-one-way",
                "hung-up",
            ),
            mended_by="media-call",
            change="let STUN pass for as long as the call lasts",
        ),
    ),
    Scenario(
        name="interface-lost",
        title="the interface that carries the call goes down, and another takes over",
        story="""
The offerer has two interfaces and gathers on both. Five seconds into the call the first one goes down; the call goes
on over the second.
""",
        topology=two_interfaces(),
        offerer=Agent(all_interfaces=True),
        vantages=(LAN_C,),
        steps=(Step(5.0, "exec", "offerer", "ip link set lan-a down", after="connected"),),
        until=Until(not_before=16.0, hold=6.0, timeout=60.0),
        expect=Expect(
            "connected",
            also=("pair-switched",),
            never=(*QUIET, "agent-gone", "hung-up", "relay-needed", "no-answer"),
        ),
    ),
    Scenario(
        name="relayed-despite-icmp",
        title="the direct way is rejected with ICMP, a relay carries the call",
        story="""
The offerer's router answers whatever is not for the server with ICMP, administratively prohibited. Both agents reach
a TURN server, whose relay carries the call.
""",
        topology=two_nats(
            random_a=True,
            random_b=True,
            extra_a=f'iifname "lan-a" ip daddr != {PUBLIC} reject with icmp type admin-prohibited',
        ),
        servers=(COTURN,),
        offerer=TURN,
        answerer=TURN,
        vantages=(SERVER,),
        expect=Expect(
            "connected", never=(*QUIET, "relay-needed", "host-only", "relay-ports-closed", "no-relay-hairpin")
        ),
    ),
    Scenario(
        name="turn-alternate",
        title="the TURN server sends its clients to another one",
        story="""
The server answers each Allocate with 300, try alternate, and names 203.0.113.6, which grants the allocations. A
healthy call.
""",
        topology=with_second_server(two_nats(random_a=True, random_b=True)),
        servers=(
            Turn("server", PUBLIC, ("--alternate-server=203.0.113.6:3478",)),
            Turn("server-2", "203.0.113.6"),
        ),
        offerer=replace(TURN, policy="relay"),
        answerer=replace(TURN, policy="relay"),
        vantages=(SERVER, NAT_A),
        expect=Expect("connected", never=(*QUIET, "relay-needed", "turn-server-lost", "no-answer", "host-only")),
    ),
    Scenario(
        name="firefox-relay-ports-dropped",
        title="closed relay ports, Firefox against Chromium",
        story="As `relay-ports-dropped`, with Firefox as the offerer, who has the relay.",
        topology=with_rules(
            two_nats(random_a=True),
            "server",
            forward_rules('iifname "public" udp dport 49152-65535 drop', hook="input"),
            "server: drops UDP to ports 49152 to 65535, those of its relays",
        ),
        servers=(COTURN,),
        offerer=replace(FIREFOX, ice_servers=(turn(),)),
        answerer=STUN,
        vantages=(SERVER,),
        until=Until("failed", hold=4.0, timeout=70.0),
        expect=Expect(
            "failed",
            root_cause="relay-ports-closed",
            direction="answerer -> server",
            also=("symmetric-nat",),
            unseen="in one agent's capture alone, that the NAT's mapping varies",
            never=(*QUIET, "bad-request", "turn-forbidden", "turn-server-lost", "host-only", "relay-needed"),
            mended_by="nat-symmetric-one-end-turn",
            change="open the relay's UDP ports (49152 to 65535) to the world at the server's firewall",
        ),
    ),
    Scenario(
        name="firefox-nats-stun",
        title="NATs at both ends and STUN, Firefox against Chromium",
        story="As `nats-stun`, with Firefox as the offerer.",
        topology=two_nats(),
        servers=(COTURN,),
        offerer=replace(FIREFOX, ice_servers=(stun(),)),
        answerer=STUN,
        vantages=(NAT_A, SERVER),
        expect=Expect("connected", never=(*QUIET, "bad-request", "symmetric-nat", "relay-needed", "host-only")),
    ),
    Scenario(
        name="firefox-nats-symmetric",
        title="symmetric NATs at both ends and STUN, Firefox at both ends",
        story="As `nats-symmetric-stun`, with Firefox at both ends.",
        topology=two_nats(random_a=True, random_b=True),
        servers=(COTURN,),
        offerer=replace(FIREFOX, ice_servers=(stun(),)),
        answerer=replace(FIREFOX, ice_servers=(stun(),)),
        vantages=(NAT_A, SERVER),
        until=Until("failed", hold=4.0, timeout=70.0),
        expect=Expect(
            "failed",
            root_cause="relay-needed",
            also=("symmetric-nat",),
            unseen="in one agent's capture alone, that the mapping varies; the one outside the NAT shows it",
            never=(*QUIET, "bad-request", "stun-server-unreachable", "host-only"),
            mended_by="firefox-turn",
            change="offer a TURN relay that both agents reach",
        ),
    ),
)
