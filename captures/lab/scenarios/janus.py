"""Janus, a media server: full and lite, at home and behind a one-to-one NAT."""

from __future__ import annotations

from dataclasses import replace

from captures.lab.model import Agent, Expect, Link, Node, Scenario, Step, Topology, Turn, Until, Vantage
from captures.lab.servers import NAT_A, PUBLIC, stun
from captures.lab.topologies import behind_nat, filter_from_now_on, forward_rules, routed

GROUP = "Janus"

CLIENT = Agent(media=("audio",))
FULL = Agent(kind="janus")
TRICKLE = Agent(kind="janus", options={"nat": {"full_trickle": True}})
LITE = Agent(kind="janus", options={"nat": {"ice_lite": True}})
MAPPED = Agent(kind="janus", options={"nat": {"ice_lite": True, "nat_1_1_mapping": PUBLIC}})
ROUTER_A = Vantage("router-a", "router", "lan-a", "at the router, towards the offerer")
A_TO_B = 'iifname "lan-a" oifname "lan-b" meta l4proto udp'
B_TO_A = 'iifname "lan-b" oifname "lan-a" meta l4proto udp'
QUIET = ("icmp-rejected", "bad-credentials", "bad-request", "role-conflict", "one-way-loss", "no-answer", "one-way-nat")
NOT_DEAD = ("icmp-rejected", "bad-credentials", "bad-request", "role-conflict", "one-way-nat", "symmetric-nat")
FAILED = Until("failed", who="offerer", hold=2.0, timeout=60.0)
INSIDE = "10.0.0.80"


def cloud(*, open_client: bool = False) -> Topology:
    """A client, behind a NAT or not, and a media server with a private address behind a one-to-one NAT."""
    client = behind_nat("offerer")
    way = "192.168.10.10 --- lan-a --- .1 nat-a 203.0.113.10"
    if open_client:
        client = (Node("offerer", (Link("public", ("203.0.113.80/24",)),), ("default via 203.0.113.1",)),)
        way = "203.0.113.80"
    rules = f"""
table ip nat {{
  chain pre {{
    type nat hook prerouting priority -100
    iifname "public" ip daddr {PUBLIC} dnat to {INSIDE}
  }}
  chain post {{
    type nat hook postrouting priority 100
    oifname "public" ip saddr {INSIDE} snat to {PUBLIC}
  }}
}}
"""
    known = "" if open_client else "\n  nat-a: one port for all destinations"
    return Topology(
        (
            *client,
            Node("isp", (Link("public", ("203.0.113.1/24",)),), ("blackhole default",), forward=True),
            Node(
                "nat-s",
                (Link("public", (f"{PUBLIC}/24",)), Link("dmz", ("10.0.0.1/24",))),
                ("default via 203.0.113.1",),
                forward=True,
                rules=rules,
            ),
            Node("answerer", (Link("dmz", (f"{INSIDE}/24",)),), ("default via 10.0.0.1",)),
        ),
        f"""
  offerer {way} --- public 203.0.113.0/24 --- .1 isp
                                                  |
  answerer {INSIDE} --- dmz --- 10.0.0.1 nat-s .5 +

  The answerer's host runs Janus, and a STUN server.{known}
  nat-s: one to one
  isp: drops what is sent to private addresses
""",
    )


def healthy(name: str, answerer: Agent, title: str) -> Scenario:
    """A client and a Janus that reach each other."""
    return Scenario(
        name=name,
        title=title,
        story=f"A healthy call to Janus's echo test: {title}.",
        topology=routed(),
        offerer=CLIENT,
        answerer=answerer,
        expect=Expect("connected", never=(*QUIET, "host-only", "relay-needed", "announced-address-unreachable")),
    )


SCENARIOS = (
    healthy("janus-full", FULL, "Chromium calls Janus, which checks as any agent does"),
    healthy("janus-trickle", TRICKLE, "Chromium calls Janus, which trickles its candidates"),
    healthy("janus-lite", LITE, "Chromium calls Janus, which is ICE-lite"),
    replace(
        healthy("janus-lite-firefox", LITE, "Firefox calls Janus, which is ICE-lite"),
        offerer=replace(CLIENT, kind="firefox"),
    ),
    Scenario(
        name="janus-announces-private",
        title="Janus, ICE-lite in a cloud, announces its private address",
        story="""
Janus runs in a cloud: its host has a private address behind a one-to-one NAT, and Janus was not told the outside
one. The client reaches the host at 203.0.113.5 (a STUN server runs there, too), but is told to check 10.0.0.80, which
leads nowhere. Janus, lite as it calls itself, sends each candidate of the client's one check in three transmissions;
they come from 203.0.113.5, from where the client's NAT awaits nothing.
""",
        topology=cloud(),
        servers=(Turn("answerer", INSIDE),),
        offerer=replace(CLIENT, ice_servers=(stun(),)),
        answerer=LITE,
        vantages=(NAT_A,),
        until=FAILED,
        expect=Expect(
            "failed",
            ended=("failed", "*"),
            root_cause="announced-address-unreachable",
            direction="offerer -> answerer",
            never=(*NOT_DEAD, "host-only", "relay-needed", "stun-server-unreachable"),
            mended_by="janus-announces-public",
            change="tell Janus its outside address (`nat_1_1_mapping`)",
        ),
    ),
    Scenario(
        name="janus-announces-public",
        title="Janus, ICE-lite in a cloud, announces its public address",
        story="As `janus-announces-private`, with `nat_1_1_mapping` set.",
        topology=cloud(),
        servers=(Turn("answerer", INSIDE),),
        offerer=replace(CLIENT, ice_servers=(stun(),)),
        answerer=MAPPED,
        vantages=(NAT_A,),
        expect=Expect("connected", never=(*QUIET, "announced-address-unreachable", "relay-needed", "host-only")),
    ),
    Scenario(
        name="janus-private-rescued",
        title="Janus in a cloud announces its private address, and its own checks rescue the call",
        story="""
As `janus-announces-private`, but Janus is no lite agent, and the client has a public address that lets everything in.
Janus's checks reach it from 203.0.113.5, and this peer-reflexive address carries the call.
""",
        topology=cloud(open_client=True),
        servers=(Turn("answerer", INSIDE),),
        offerer=replace(CLIENT, ice_servers=(stun(),)),
        answerer=FULL,
        expect=Expect("connected", never=(*NOT_DEAD, "relay-needed", "host-only", "stun-server-unreachable")),
    ),
    Scenario(
        name="janus-lite-port-closed",
        title="the firewall before an ICE-lite Janus drops what comes in",
        story="""
The client's checks to Janus die at the router. Janus, lite as it calls itself, sends one check of its own accord, in
three transmissions; it arrives, and the client's answers die as its checks do.
""",
        topology=routed(forward_rules(f"{A_TO_B} drop")),
        offerer=CLIENT,
        answerer=LITE,
        vantages=(ROUTER_A,),
        until=FAILED,
        expect=Expect(
            "failed",
            ended=("failed", "*"),
            root_cause="one-way-loss",
            direction="offerer -> answerer",
            never=NOT_DEAD,
            mended_by="janus-lite",
            change="open Janus's UDP ports",
        ),
    ),
    Scenario(
        name="janus-lite-answers-lost",
        title="the answers of an ICE-lite Janus are dropped",
        story="The client's checks reach Janus, which answers each; the router drops the answers.",
        topology=routed(forward_rules(f"{B_TO_A} drop")),
        offerer=CLIENT,
        answerer=LITE,
        vantages=(ROUTER_A,),
        until=FAILED,
        expect=Expect(
            "failed",
            ended=("failed", "*"),
            root_cause="one-way-loss",
            direction="answerer -> offerer",
            unseen="at the offerer, which direction is dead",
            never=(*NOT_DEAD, "agent-silent"),
            mended_by="janus-lite",
            change="let Janus's packets through",
        ),
    ),
    Scenario(
        name="janus-killed",
        title="Janus is killed in mid-call",
        story="Five seconds into the call Janus is killed. Its host answers with ICMP port unreachable.",
        topology=routed(),
        offerer=CLIENT,
        answerer=LITE,
        steps=(Step(5.0, "kill", "answerer", after="connected"),),
        until=Until("disconnected", who="offerer", hold=4.0, timeout=60.0, not_before=6.0),
        expect=Expect(
            "closed",
            ended=("disconnected", "*"),
            root_cause="agent-gone",
            never=("one-way-nat", "bad-credentials", "role-conflict", "consent-lost", "icmp-rejected", "hung-up"),
        ),
    ),
    Scenario(
        name="janus-consent-lost",
        title="the path to Janus dies in mid-call",
        story="Six seconds into the call the router begins to drop UDP from the offerer to Janus.",
        topology=routed(),
        offerer=CLIENT,
        answerer=FULL,
        vantages=(ROUTER_A,),
        steps=(Step(6.0, "exec", "router", filter_from_now_on(f"{A_TO_B} drop"), after="connected"),),
        until=FAILED,
        expect=Expect(
            "failed",
            ended=("failed", "*"),
            root_cause="consent-lost",
            direction="offerer -> answerer",
            never=(*NOT_DEAD, "agent-gone", "hung-up"),
            mended_by="janus-full",
            change="keep the path from the offerer to Janus open",
        ),
    ),
)
