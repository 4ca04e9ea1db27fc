"""Captures that are themselves imperfect, of calls like the others; lossy and delayed paths; signalling."""

from __future__ import annotations

from dataclasses import replace

from captures.lab.model import Agent, Expect, Link, Node, Scenario, Topology, Until, Vantage, Wire
from captures.lab.topologies import forward_rules, lan, routed

GROUP = "Loss, signalling, and imperfect captures"

FAILED = Until("failed", hold=1.0, timeout=60.0)
A_TO_B = 'iifname "lan-a" oifname "lan-b" meta l4proto udp'
QUIET = ("one-way-loss", "no-answer", "one-way-nat", "bad-credentials", "role-conflict", "icmp-rejected")

LOSES = "not udp or udp[7] & 3 != {}"
"""A capture filter that leaves out a quarter of all UDP packets, whatever is in them."""
SAMPLED = (
    Vantage("offerer", "offerer", "lan-a", "at the offerer, three of four packets", only=LOSES.format(0)),
    Vantage("answerer", "answerer", "lan-b", "at the answerer, three of four packets", only=LOSES.format(1)),
)


def wired(wire: Wire, note: str) -> Topology:
    """One network in two halves, joined by a wire with faults of its own."""
    return Topology(
        (
            Node("offerer", (Link("lan-a", ("192.168.10.10/24",)),), ("default via 192.168.10.1",)),
            Node("answerer", (Link("lan-b", ("192.168.10.20/24",)),), ("default via 192.168.10.1",)),
        ),
        f"""
  offerer 192.168.10.10 --- lan-a ---[ {wire.name} ]--- lan-b --- 192.168.10.20 answerer

  {wire.name}: {note}
""",
        (wire,),
    )


def at(role: str, name: str, about: str) -> Vantage:
    """A vantage on an agent's interface in `lan`."""
    return Vantage(name, role, "lan", about)


def with_server(rules: str = "") -> Topology:
    """Two networks, a router between them, and a signalling server on the offerer's side."""
    base = routed(rules)
    server = Node("server", (Link("lan-a", ("192.168.10.5/24",)),), ("default via 192.168.10.1",))
    note = "                     |\n                     +--- .5 server (WebSocket signalling, port 8080)\n"
    return Topology((*base.nodes, server), base.drawing + note)


SOCKET = Agent(options={"websocket": "ws://192.168.10.5:8080/"})

SCENARIOS = (
    Scenario(
        name="lossy",
        title="a third of the packets lost, 150 ms each way",
        story="""
The wire between the agents loses a third of the packets in each direction and delays the rest by 150 to
200 ms. Checks succeed only after several attempts; the call comes up all the same.
""",
        topology=wired(
            Wire("wire", ("lan-a", "lan-b"), delay_ms=150, jitter_ms=50, loss=0.33),
            "loses a third of the packets, delays the rest by 150 to 200 ms",
        ),
        until=Until(hold=8.0, timeout=60.0),
        expect=Expect("connected", ended=("*", "*"), also=("slow-checks",), never=QUIET),
    ),
    Scenario(
        name="slow-path",
        title="no loss, 300 ms each way",
        story="A healthy call over a long path: round trips of 600 ms and more, nothing lost.",
        topology=wired(
            Wire("wire", ("lan-a", "lan-b"), delay_ms=300, jitter_ms=20),
            "delays by 300 to 320 ms, loses nothing",
        ),
        until=Until(hold=8.0, timeout=60.0),
        expect=Expect("connected", never=QUIET),
    ),
    Scenario(
        name="signalling-in-capture",
        title="SDP and candidates over a plain WebSocket in the same capture",
        story="""
The browsers signal over a WebSocket without encryption or compression through the server, and the capture
holds that as well as the call.
""",
        topology=with_server(),
        offerer=SOCKET,
        answerer=SOCKET,
        websocket="192.168.10.5",
        expect=Expect("connected", never=QUIET),
    ),
    Scenario(
        name="signalling-in-capture-dead",
        title="the same with a one-way drop between the agents",
        story="""
As `signalling-in-capture`, but the router drops UDP from the offerer to the answerer. Signalling works, and
no media flows.
""",
        topology=with_server(forward_rules(f"{A_TO_B} drop")),
        offerer=SOCKET,
        answerer=SOCKET,
        websocket="192.168.10.5",
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="one-way-loss",
            direction="offerer -> answerer",
            never=("one-way-nat", "bad-credentials", "role-conflict", "icmp-rejected"),
            mended_by="signalling-in-capture",
            change="let the router forward UDP both ways",
        ),
    ),
    Scenario(
        name="capture-snaplen",
        title="a healthy call captured with a snap length of 96 bytes",
        story="Every packet is cut after 96 bytes: STUN requests lose their last attributes.",
        topology=lan(),
        own_vantages=False,
        vantages=(replace(at("offerer", "offerer", "at the offerer, 96 bytes of each packet"), snaplen=96),),
        expect=Expect("connected", also=("truncated-packets",), never=QUIET),
    ),
    Scenario(
        name="capture-one-direction",
        title="a healthy call of which only one direction was captured",
        story="The capture at the offerer holds what it sent, and nothing of what it received.",
        topology=lan(),
        own_vantages=False,
        vantages=(
            replace(at("offerer", "offerer-out", "at the offerer, outgoing packets only"), direction="out"),
            replace(at("answerer", "answerer-in", "at the answerer, incoming packets only"), direction="in"),
        ),
        expect=Expect("connected", also=("one-sided-capture",), never=QUIET),
    ),
    Scenario(
        name="capture-lossy",
        title="a healthy call, of whose capture a quarter is missing",
        story="""
The sniffers write three of four UDP packets (by the last bits of the checksum, each other ones), as a mirror port
does that is overrun. The call itself loses nothing.
""",
        topology=routed(),
        offerer=Agent(media=("audio",)),
        answerer=Agent(media=("audio",)),
        own_vantages=False,
        vantages=SAMPLED,
        expect=Expect("connected", also=("missing-packets",), never=(*QUIET, "consent-lost", "media-one-way")),
    ),
    Scenario(
        name="capture-lossy-one-way-drop",
        title="a one-way drop, of whose capture a quarter is missing",
        story="As `one-way-drop`, and the sniffers write three of four UDP packets.",
        topology=routed(forward_rules(f"{A_TO_B} drop")),
        own_vantages=False,
        vantages=SAMPLED,
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="one-way-loss",
            direction="offerer -> answerer",
            also=("missing-packets",),
            unseen="at the answerer, that packets are missing: nothing of what it sends is ever answered",
            never=("one-way-nat", "bad-credentials", "role-conflict", "icmp-rejected"),
            mended_by="routed",
            change="let the router forward UDP both ways",
        ),
    ),
    Scenario(
        name="capture-late",
        title="a healthy call whose capture began three seconds late",
        story="The capture begins in mid-call: the first checks and the nomination are not in it.",
        topology=lan(),
        own_vantages=False,
        vantages=(replace(at("offerer", "offerer", "at the offerer, from the third second on"), start=3.0),),
        until=Until(hold=12.0),
        expect=Expect("connected", also=("capture-started-late",), never=QUIET),
    ),
    Scenario(
        name="capture-any",
        title="a healthy call captured on the router's interface `any`",
        story="""
The router forwards every packet, and a capture on `any` (Linux cooked) sees each twice: as it comes in and
as it goes out.
""",
        topology=routed(),
        own_vantages=False,
        vantages=(Vantage("router-any", "router", "any", "at the router, on all interfaces at once"),),
        expect=Expect("connected", also=("duplicate-packets",), never=QUIET),
    ),
    Scenario(
        name="capture-vlan",
        title="a healthy call captured on a trunk with VLAN tags",
        story="The two halves of the network are joined by a trunk on which frames carry VLAN tag 42.",
        topology=wired(Wire("trunk", ("lan-a", "lan-b"), vlan=42), "tags frames with VLAN 42 on the trunk"),
        own_vantages=False,
        vantages=(Vantage("trunk", "trunk", "trunk-a", "in the middle of the trunk"),),
        expect=Expect("connected", never=QUIET),
    ),
    Scenario(
        name="capture-router-one-way-drop",
        title="a one-way drop captured on the router's interface `any`",
        story="""
As `one-way-drop`, seen on the router alone: the answerer's packets appear coming in and going out, the
offerer's only coming in.
""",
        topology=routed(forward_rules(f"{A_TO_B} drop")),
        own_vantages=False,
        vantages=(Vantage("router-any", "router", "any", "at the router, on all interfaces at once"),),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="one-way-loss",
            direction="offerer -> answerer",
            also=("duplicate-packets",),
            never=("one-way-nat", "bad-credentials", "role-conflict", "icmp-rejected"),
            mended_by="capture-any",
            change="let the router forward UDP both ways",
        ),
    ),
    Scenario(
        name="capture-ended-early",
        title="a one-way drop whose capture ends after forty packets",
        story="""
As `one-way-drop`, but the captures stop in the middle of the checks, long before an agent gives up.
""",
        topology=routed(forward_rules(f"{A_TO_B} drop")),
        own_vantages=False,
        vantages=(
            Vantage("offerer", "offerer", "lan-a", "at the offerer, the first forty packets", packets=40),
            Vantage("answerer", "answerer", "lan-b", "at the answerer, the first forty packets", packets=40),
        ),
        until=FAILED,
        expect=Expect(
            "checking",
            ended=("failed", "failed"),
            root_cause="one-way-loss",
            direction="offerer -> answerer",
            also=("capture-ended-early",),
            never=("one-way-nat", "bad-credentials", "role-conflict", "icmp-rejected"),
            mended_by="routed",
            change="let the router forward UDP both ways",
        ),
    ),
    Scenario(
        name="capture-no-stun",
        title="a healthy call captured where only its signalling passes",
        story="""
The call of `signalling-in-capture`, captured at the signalling server: WebSocket messages, and not one STUN
packet.
""",
        topology=with_server(),
        offerer=SOCKET,
        answerer=SOCKET,
        websocket="192.168.10.5",
        own_vantages=False,
        vantages=(Vantage("server", "server", "lan-a", "at the signalling server"),),
        expect=Expect("connected", also=("no-stun",), never=(*QUIET, "host-only")),
    ),
)
