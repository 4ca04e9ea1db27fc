"""A path that loses, rejects or delays, without any NAT."""

from __future__ import annotations

from captures.lab.model import Agent, Expect, Link, Node, Scenario, Topology, Until, Vantage
from captures.lab.topologies import forward_rules, routed, with_rules

GROUP = "Paths that lose, reject or delay"

FAILED = Until("failed", hold=1.0, timeout=60.0)
ROUTER_A = Vantage("router-a", "router", "lan-a", "at the router, towards the offerer")
ROUTER_B = Vantage("router-b", "router", "lan-b", "at the router, towards the answerer")
A_TO_B = 'iifname "lan-a" oifname "lan-b" meta l4proto udp'
NO_NAT = ("one-way-nat", "symmetric-nat", "asymmetric-response", "bad-credentials", "role-conflict")
CHANGE = "let the router forward UDP both ways"

VPN = Topology(
    (
        Node(
            "offerer",
            (Link("lan-a", ("192.168.10.10/24",)), Link("vpn", ("10.8.0.2/24",))),
            ("default via 192.168.10.1", "default via 10.8.0.1 table 8"),
            policy=("from 10.8.0.2 table 8",),
        ),
        Node("vpn-end", (Link("vpn", ("10.8.0.1/24",)),), ("blackhole default",), forward=True),
        Node(
            "router",
            (Link("lan-a", ("192.168.10.1/24",)), Link("lan-b", ("192.168.20.1/24",))),
            forward=True,
        ),
        Node("answerer", (Link("lan-b", ("192.168.20.20/24",)),), ("default via 192.168.20.1",)),
    ),
    """
  offerer .10 --- lan-a 192.168.10.0/24 --- .1 router .1 --- lan-b 192.168.20.0/24 --- .20 answerer
     |
     +--- .2 vpn 10.8.0.0/24 .1 --- vpn-end (drops everything)

  The offerer sends what it sends from 10.8.0.2 to the VPN (a policy route).
""",
)

SCENARIOS = (
    Scenario(
        name="routed",
        title="two networks and a router between them",
        story="The healthy twin of the scenarios with a router that filters.",
        topology=routed(),
        vantages=(ROUTER_A,),
        expect=Expect("connected", never=(*NO_NAT, "one-way-loss", "no-answer", "icmp-rejected")),
    ),
    Scenario(
        name="one-way-drop",
        title="the router drops UDP from the offerer to the answerer",
        story="""
The answerer's checks reach the offerer, who answers them and checks back; neither the answers nor the
checks arrive. Nothing is rejected, the router is silent.
""",
        topology=routed(forward_rules(f"{A_TO_B} drop")),
        vantages=(ROUTER_A, ROUTER_B),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="one-way-loss",
            direction="offerer -> answerer",
            never=(*NO_NAT, "icmp-rejected", "relay-needed"),
            mended_by="routed",
            change=CHANGE,
        ),
    ),
    Scenario(
        name="both-ways-drop",
        title="the router drops UDP both ways",
        story="Nothing at all arrives on either side: one capture alone cannot tell the direction.",
        topology=routed(forward_rules("meta l4proto udp drop")),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="no-answer",
            never=(*NO_NAT, "icmp-rejected", "one-way-loss"),
            mended_by="routed",
            change=CHANGE,
        ),
    ),
    Scenario(
        name="icmp-admin-prohibited",
        title="the router rejects UDP: administratively prohibited",
        story="The router answers each check of either side with ICMP type 3, code 13.",
        topology=routed(forward_rules("meta l4proto udp reject with icmp type admin-prohibited")),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="icmp-rejected",
            never=(*NO_NAT, "one-way-loss"),
            mended_by="routed",
            change=CHANGE,
        ),
    ),
    Scenario(
        name="icmp-port-unreachable",
        title="the answerer's own firewall rejects: port unreachable",
        story="""
The answerer's host answers each UDP packet with ICMP type 3, code 3. Its own checks leave, but the answers
to them are rejected as well.
""",
        topology=with_rules(
            routed(),
            "answerer",
            forward_rules("meta l4proto udp reject with icmp type port-unreachable", hook="input"),
            "The answerer's own firewall rejects all UDP that comes in.",
        ),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="icmp-rejected",
            direction="offerer -> answerer",
            never=NO_NAT,
            mended_by="routed",
            change="let the answerer's host accept UDP",
        ),
    ),
    Scenario(
        name="host-firewall",
        title="the answerer's own firewall drops UDP in silence",
        story="""
The answerer's host drops all UDP that comes in. Its own checks leave and are answered, but the answers do
not reach the agent. The capture on its interface is taken before the firewall and shows them arriving.
""",
        topology=with_rules(
            routed(),
            "answerer",
            forward_rules("meta l4proto udp drop", hook="input"),
            "The answerer's own firewall drops all UDP that comes in.",
        ),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="one-way-loss",
            direction="offerer -> answerer",
            unseen="at the answerer, that what arrives on its interface does not reach the agent",
            never=(*NO_NAT, "icmp-rejected", "relay-needed"),
            mended_by="routed",
            change="let the answerer's host accept UDP",
        ),
    ),
    Scenario(
        name="ipv6",
        title="IPv6 and IPv4 both work",
        story="A healthy call between hosts with both families; the agents prefer IPv6.",
        topology=routed(ipv6=True),
        offerer=Agent(all_interfaces=True),
        answerer=Agent(all_interfaces=True),
        expect=Expect("connected", never=(*NO_NAT, "ipv6-path-broken", "no-answer")),
    ),
    Scenario(
        name="ipv6-broken",
        title="IPv6 path broken, IPv4 works",
        story="The router drops all IPv6 in silence. The call is carried by IPv4.",
        topology=routed(forward_rules("meta nfproto ipv6 drop"), ipv6=True),
        offerer=Agent(all_interfaces=True),
        answerer=Agent(all_interfaces=True),
        expect=Expect("connected", also=("ipv6-path-broken",), never=(*NO_NAT, "relay-needed")),
    ),
    Scenario(
        name="dead-interface",
        title="a VPN interface that leads nowhere",
        story="""
The offerer has a second interface, like a VPN's, and gathers candidates on both. What it sends from the
VPN's address dies at the VPN's far end; the answerer has no way to that address. The other interface works.
""",
        topology=VPN,
        offerer=Agent(all_interfaces=True),
        vantages=(Vantage("offerer-vpn", "offerer", "vpn", "on the offerer's VPN interface"),),
        expect=Expect("connected", also=("dead-interface",), never=(*NO_NAT, "relay-needed")),
    ),
)
