"""Rarer things: refused consent, mismatched credentials, families without a common one, names nobody knows."""

from __future__ import annotations

from captures.lab.model import Agent, Edit, Expect, Link, Node, Scenario, Step, Topology, Turn, Until, Vantage
from captures.lab.servers import COTURN, NAT_A, NAT_B, PUBLIC, SERVER, stun, turns
from captures.lab.topologies import behind_nat, filter_from_now_on, forward_rules, lan, masquerade, routed, two_nats

GROUP = "Rarer failures"

FAILED = Until("failed", hold=1.0, timeout=90.0)
STUN = Agent(ice_servers=(stun(),))
LIBJUICE = Agent(kind="datachannel")
ROUTER_A = Vantage("router-a", "router", "lan-a", "at the router, towards the offerer")
A_TO_B = 'iifname "lan-a" oifname "lan-b" meta l4proto udp'
PATH_FINE = ("one-way-loss", "one-way-nat", "icmp-rejected", "relay-needed", "symmetric-nat")
QUIET = ("icmp-rejected", "bad-credentials", "role-conflict", "one-way-nat")
HEALTHY = (*QUIET, "one-way-loss", "no-answer", "bad-request")
STALE = (Edit("offerer", "a=ice-ufrag:.*?\\r?$", "a=ice-ufrag:olduser1\r"),
         Edit("offerer", "a=ice-pwd:.*?\\r?$", "a=ice-pwd:oldpasswordoldpassword12\r"))  # fmt: skip

# The offerer has IPv4 only, the answerer IPv6 only; a server speaks both.
FAMILIES = Topology(
    (
        Node("offerer", (Link("lan-a", ("192.168.10.10/24",)),), ("default via 192.168.10.1",)),
        Node(
            "router",
            (
                Link("lan-a", ("192.168.10.1/24",)),
                Link("lan-b", ("2001:db8:20::1/64",)),
                Link("lan-s", ("203.0.113.1/24", "2001:db8:5::1/64")),
            ),
            forward=True,
        ),
        Node("answerer", (Link("lan-b", ("2001:db8:20::20/64",)),), ("default via 2001:db8:20::1",)),
        Node(
            "server",
            (Link("lan-s", ("203.0.113.5/24", "2001:db8:5::5/64")),),
            ("default via 203.0.113.1", "default via 2001:db8:5::1"),
        ),
    ),
    """
  offerer 192.168.10.10 ------- lan-a --- .1 router --- lan-s --- server 203.0.113.5, 2001:db8:5::5
                                              |
  answerer 2001:db8:20::20 ---- lan-b --- ::1 +
""",
)

# Source addresses are taken from a pool by destination (RFC 4787: IP address pooling "arbitrary").
POOL = masquerade("public").replace(
    'oifname "public" masquerade',
    f'oifname "public" ip daddr {PUBLIC} snat to 203.0.113.10\n    oifname "public" snat to 203.0.113.11',
)


def pool() -> Topology:
    """As `two_nats`, with two outside addresses at the offerer's NAT."""
    offerer, _ = behind_nat("offerer")
    base = two_nats()
    nat = Node(
        "nat-a",
        (Link("lan-a", ("192.168.10.1/24",)), Link("public", ("203.0.113.10/24", "203.0.113.11/24"))),
        ("default via 203.0.113.1",),
        forward=True,
        rules=POOL,
    )
    nodes = (offerer, nat, *base.nodes[2:])
    return Topology(
        nodes,
        base.drawing.replace(
            "nat-a: one port for all destinations",
            "nat-a: two outside addresses, .10 for the server, .11 for everybody else; the port stays",
        ),
    )


# libjuice's one socket is bound to no address: the kernel chooses the source by the route.
MULTIHOMED = Topology(
    (
        Node(
            "offerer",
            (Link("lan-a", ("192.168.10.10/24",)), Link("lan-c", ("192.168.30.10/24",))),
            ("default via 192.168.10.1", "192.168.20.0/24 via 192.168.30.1"),
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

  The offerer's route to 192.168.20.0/24 leads over lan-c.
""",
)


def with_resolver(topology: Topology) -> Topology:
    """The same network, with the server as both agents' name server."""
    nodes = tuple(
        Node(n.name, n.links, n.routes, n.forward, n.rules, n.policy, n.ports, PUBLIC)
        if n.name in ("offerer", "answerer")
        else n
        for n in topology.nodes
    )
    return Topology(nodes, topology.drawing + "  The agents ask 203.0.113.5 for names; it knows none.\n")


SCENARIOS = (
    Scenario(
        name="consent-refused",
        title="a peer that is alive stops answering consent checks",
        story="""
Five seconds into the call aiortc, the answerer, is made to ignore checks. It goes on sending data and checks of its
own, which the offerer answers. The offerer's consent expires.
""",
        topology=routed(),
        answerer=Agent(kind="aiortc", options={"refuse_after": 5.0}),
        vantages=(ROUTER_A,),
        until=Until("failed", who="offerer", hold=1.0, timeout=70.0),
        expect=Expect(
            "failed",
            ended=("failed", "*"),
            root_cause="consent-refused",
            never=(*PATH_FINE, "bad-credentials", "role-conflict", "agent-gone", "agent-silent"),
            mended_by="aiortc-chromium",
            change="let the answerer answer consent checks",
        ),
    ),
    Scenario(
        name="consent-refused-aioice",
        title="a peer that is alive stops answering consent checks, bare ICE agents",
        story="""
As `consent-refused`, with two bare ICE agents: the answerer sends ten datagrams a second, and answers no check any
more.
""",
        topology=routed(),
        offerer=Agent(kind="aioice"),
        answerer=Agent(kind="aioice", options={"refuse_after": 5.0}),
        until=Until("failed", who="offerer", hold=1.0, timeout=70.0),
        expect=Expect(
            "failed",
            ended=("failed", "*"),
            root_cause="consent-refused",
            never=(*PATH_FINE, "bad-credentials", "role-conflict", "agent-gone", "agent-silent"),
            mended_by="aioice-direct",
            change="let the answerer answer consent checks",
        ),
    ),
    Scenario(
        name="stale-credentials",
        title="the offerer believes in the answerer's credentials of an earlier call",
        story="""
The offerer's application kept the answerer's credentials of an earlier call. Both agents check, on the same two
addresses and ports; the answerer, who drops wrong checks in silence, is called by another name than it calls
itself. The offerer, too, drops in silence.
""",
        topology=lan(),
        offerer=Agent(
            kind="aioice",
            options={"remote_ufrag": "old4", "remote_password": "oldpasswordoldpassword", "silent": True},
        ),
        answerer=Agent(kind="aioice", options={"silent": True}),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="credentials-mismatch",
            unseen="whose credentials are the stale ones",
            never=(*PATH_FINE, "role-conflict", "bad-request"),
            mended_by="aioice-direct",
            change="give the offerer the credentials of this call",
        ),
    ),
    Scenario(
        name="stale-credentials-libjuice",
        title="stale credentials between libjuice and libjuice",
        story="""
The answer reaches the offerer with user name and password of another call. libjuice drops checks that name somebody
else, and sends no error.
""",
        topology=lan(),
        offerer=LIBJUICE,
        answerer=LIBJUICE,
        edits=STALE,
        until=Until("failed", who="either", hold=2.0, timeout=90.0),
        expect=Expect(
            "failed",
            ended=("*", "*"),
            root_cause="credentials-mismatch",
            unseen="whose credentials are the stale ones",
            never=(*PATH_FINE, "role-conflict", "bad-request"),
            mended_by="libjuice-libjuice",
            change="carry the answer's credentials unaltered",
        ),
    ),
    Scenario(
        name="no-common-family",
        title="one agent has IPv4 only, the other IPv6 only",
        story="""
The offerer has IPv4 addresses only, the answerer IPv6 addresses only. Both reach a STUN server that speaks both and
learn their addresses from it; not one pair can be made of them, and no check is sent.
""",
        topology=FAMILIES,
        servers=(Turn("server", PUBLIC, ("-L", "2001:db8:5::5")),),
        offerer=Agent(ice_servers=(stun(),), all_interfaces=True),
        answerer=Agent(ice_servers=(stun("[2001:db8:5::5]"),), all_interfaces=True),
        vantages=(Vantage("server", "server", "lan-s", "on the server's interface"),),
        until=Until("failed", hold=1.0, timeout=25.0),
        expect=Expect(
            "none",
            ended=("*", "*"),
            root_cause="never-checked",
            never=(*PATH_FINE, "no-answer", "bad-credentials", "stun-server-unreachable", "ipv6-path-broken"),
            mended_by="ipv6",
            change="give both agents addresses of one family (or a TURN relay that has both)",
        ),
    ),
    Scenario(
        name="turn-tls-refused",
        title="the browser refuses the TURN server's certificate",
        story="""
The TURN server is named with TLS only, and its certificate is its own make. Both browsers refuse it with an alert:
no allocation. The NATs are symmetric, so nothing but the relay could have helped.
""",
        topology=two_nats(random_a=True, random_b=True),
        servers=(Turn("server", PUBLIC, tls=True),),
        offerer=Agent(ice_servers=(turns(),)),
        answerer=Agent(ice_servers=(turns(),)),
        vantages=(SERVER,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="turn-tls-refused",
            never=(*QUIET, "turn-unauthorized", "stun-server-unreachable"),
            mended_by="turn-tls",
            change="give the server a certificate that the browsers accept",
        ),
    ),
    Scenario(
        name="server-name-unknown",
        title="the STUN and TURN server's name does not exist",
        story="""
Both agents name their STUN server as `stun.example.net`; the name server says that there is no such name. The host
candidates alone cannot cross the NATs.
""",
        topology=with_resolver(two_nats()),
        dns=("server", PUBLIC, "nxdomain"),
        offerer=Agent(ice_servers=(stun("stun.example.net"),)),
        answerer=Agent(ice_servers=(stun("stun.example.net"),)),
        vantages=(NAT_A,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="server-name-unresolved",
            never=(*QUIET, "symmetric-nat", "stun-server-unreachable", "relay-needed"),
            mended_by="nats-stun",
            change="name a STUN server that exists",
        ),
    ),
    Scenario(
        name="server-name-silent",
        title="the name server does not answer",
        story="As `server-name-unknown`, but the name server answers nothing.",
        topology=with_resolver(two_nats()),
        dns=("server", PUBLIC, "silent"),
        offerer=Agent(ice_servers=(stun("stun.example.net"),)),
        answerer=Agent(ice_servers=(stun("stun.example.net"),)),
        vantages=(NAT_A,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="server-name-unresolved",
            never=(*QUIET, "symmetric-nat", "stun-server-unreachable", "relay-needed"),
            mended_by="nats-stun",
            change="make the name server answer",
        ),
    ),
    Scenario(
        name="nat-pool",
        title="the offerer's NAT has two outside addresses and chooses by destination",
        story="""
The offerer's NAT keeps its ports, but has two outside addresses: the STUN server sees 203.0.113.10, everybody else
203.0.113.11. The answerer's NAT lets in only what comes from an address and port it has sent to.
""",
        topology=pool(),
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
        name="path-gap",
        title="the path is dead for nine seconds in mid-call",
        story="""
Five seconds into a call with audio the router drops all UDP, and nine seconds later it lets it pass again.
The agents report `disconnected` for a while, and the call goes on.
""",
        topology=routed(),
        offerer=Agent(media=("audio",)),
        answerer=Agent(media=("audio",)),
        steps=(
            Step(5.0, "exec", "router", filter_from_now_on("meta l4proto udp drop"), after="connected"),
            Step(14.0, "exec", "router", "nft delete table inet cut", after="connected"),
        ),
        until=Until(not_before=17.0, hold=6.0),
        expect=Expect(
            "connected",
            never=(
                "consent-lost",
                "one-way-loss",
                "one-way-nat",
                "media-one-way",
                "agent-gone",
                "hung-up",
                "relay-needed",
            ),
        ),
    ),
    Scenario(
        name="policed",
        title="a router polices UDP to 120 packets a second",
        story="""
The router lets 120 packets of UDP a second pass and drops the rest: a call with audio and video connects and loses
much of its media.
""",
        topology=routed(forward_rules("meta l4proto udp limit rate over 120/second burst 30 packets drop")),
        offerer=Agent(media=("audio", "video")),
        answerer=Agent(media=("audio", "video")),
        vantages=(ROUTER_A,),
        until=Until(hold=5.0, timeout=60.0),
        expect=Expect(
            "connected",
            never=(
                "one-way-loss",
                "one-way-nat",
                "media-one-way",
                "agent-gone",
                "hung-up",
                "relay-needed",
                "consent-lost",
            ),
        ),
    ),
    Scenario(
        name="libjuice-chromium",
        title="libdatachannel (libjuice) offers, Chromium answers",
        story="A healthy direct call between libdatachannel, with its own ICE agent libjuice, and Chromium.",
        topology=lan(),
        offerer=LIBJUICE,
        expect=Expect("connected", never=HEALTHY),
    ),
    Scenario(
        name="libjuice-libjuice",
        title="libdatachannel (libjuice) at both ends",
        story="A healthy direct call between two of libdatachannel's peers.",
        topology=lan(),
        offerer=LIBJUICE,
        answerer=LIBJUICE,
        expect=Expect("connected", never=HEALTHY),
    ),
    Scenario(
        name="libjuice-one-way-drop",
        title="one-way drop, libjuice against Chromium",
        story="""
As `one-way-drop`, with libdatachannel (libjuice) as the offerer. It is more patient than Chromium: it goes on
checking for half a minute after Chromium has given up, and then closes the connection.
""",
        topology=routed(forward_rules(f"{A_TO_B} drop")),
        offerer=LIBJUICE,
        vantages=(ROUTER_A,),
        until=Until("failed", name="iceConnectionState", who="offerer", hold=1.0, timeout=70.0),
        expect=Expect(
            "failed",
            ended=("closed", "failed"),
            root_cause="one-way-loss",
            direction="offerer -> answerer",
            never=("one-way-nat", "symmetric-nat", "bad-credentials", "role-conflict", "icmp-rejected", "relay-needed"),
            mended_by="libjuice-chromium",
            change="let the router forward UDP both ways",
        ),
    ),
    Scenario(
        name="multihomed",
        title="a host with two interfaces answers from the other one's address",
        story="""
The offerer has two interfaces. libjuice sends from one socket that is bound to no address, and so the kernel gives
each packet the address of the interface that its route leads over: what was sent to 192.168.10.10 is answered from
192.168.30.10, and discarded. The other address's pair carries the call.
""",
        topology=MULTIHOMED,
        offerer=LIBJUICE,
        vantages=(Vantage("offerer-lan-c", "offerer", "lan-c", "on the offerer's second interface"),),
        expect=Expect(
            "connected",
            also=("asymmetric-response",),
            never=("one-way-nat", "symmetric-nat", "bad-credentials", "role-conflict", "icmp-rejected", "relay-needed"),
        ),
    ),
)
