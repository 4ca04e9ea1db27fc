"""The course of a call: restart, late signalling, names, TCP, a mapping that changes."""

from __future__ import annotations

from captures.lab.model import Agent, Edit, Expect, Scenario, Step, Until, Vantage
from captures.lab.servers import COTURN, NAT_A, stun
from captures.lab.topologies import forget_mappings, forward_rules, lan, one_nat, routed

GROUP = "The course of a call"

STUN = Agent(ice_servers=(stun(),))
ICE_TCP = Agent(kind="webrtcbin")
ROUTER_A = Vantage("router-a", "router", "lan-a", "at the router, towards the offerer")
PATH_FINE = ("one-way-loss", "one-way-nat", "icmp-rejected", "relay-needed")


SCENARIOS = (
    Scenario(
        name="ice-restart",
        title="ICE restart in mid-call",
        story="Five seconds into a healthy call the offerer restarts ICE: new credentials, a new generation.",
        topology=routed(),
        steps=(Step(5.0, "restart", "offerer", after="connected"),),
        until=Until(hold=5.0, not_before=7.0),
        expect=Expect("connected", also=("ice-restart",), never=(*PATH_FINE, "ice-restart-incomplete")),
    ),
    Scenario(
        name="ice-restart-incomplete",
        title="ICE restart that only one side knows of",
        story="""
Five seconds into the call the offerer restarts ICE, but its new credentials are replaced by the old ones on
their way: the answerer sees no restart and goes on with the old. The call lives on over the old pair, while
the offerer's checks with its new name are answered, but never returned.
""",
        topology=routed(),
        edits=(Edit("answerer", "", stale=True, generation=1),),
        steps=(Step(5.0, "restart", "offerer", after="connected"),),
        until=Until(name="never", timeout=25.0),
        expect=Expect(
            "connected",
            root_cause="ice-restart-incomplete",
            never=PATH_FINE,
            mended_by="ice-restart",
            change="carry the new credentials of the restart to the answerer",
        ),
    ),
    Scenario(
        name="late-trickle",
        title="candidates come eight seconds late",
        story="""
The descriptions travel at once, the candidates of both sides are held back for eight seconds. A healthy
call that merely starts late.
""",
        topology=lan(),
        candidate_delay={"offerer": 8.0, "answerer": 8.0},
        expect=Expect("connected", never=(*PATH_FINE, "bad-credentials", "no-answer")),
    ),
    Scenario(
        name="late-answer",
        title="the answer comes four seconds late",
        story="""
The answer and the answerer's candidates reach the offerer four seconds late. Until then the offerer does
not know the answerer's credentials, while the answerer is checking already.
""",
        topology=lan(),
        delay={"offerer": 4.0},
        expect=Expect("connected", never=(*PATH_FINE, "bad-credentials")),
    ),
    Scenario(
        name="mdns-lan",
        title=".local names, resolved",
        story="Host addresses hide behind .local names, which each side asks for by multicast and gets.",
        topology=lan(),
        offerer=Agent(mdns=True),
        answerer=Agent(mdns=True),
        expect=Expect("connected", never=(*PATH_FINE, "mdns-unresolved")),
    ),
    Scenario(
        name="mdns-unresolved",
        title=".local names that nobody resolves",
        story="""
Host addresses hide behind .local names. Multicast does not cross the router, so neither side finds the
other's address, and not one check is sent.
""",
        topology=routed(),
        offerer=Agent(mdns=True),
        answerer=Agent(mdns=True),
        until=Until("failed", hold=1.0, timeout=25.0),
        expect=Expect(
            "none",
            ended=("new", "new"),
            root_cause="mdns-unresolved",
            never=(*PATH_FINE, "bad-credentials"),
            mended_by="routed",
            change="offer addresses instead of .local names (or name a STUN server)",
        ),
    ),
    Scenario(
        name="nat-rebinding",
        title="the NAT changes its mapping in mid-call",
        story="""
Six seconds into the call the offerer's NAT forgets its mappings and gives new ports. The answerer sees the
offerer's packets come from a new port, checks it, and the call goes on there.
""",
        topology=one_nat(),
        servers=(COTURN,),
        offerer=STUN,
        answerer=STUN,
        vantages=(NAT_A,),
        steps=(Step(6.0, "exec", "nat-a", forget_mappings(), after="connected"),),
        until=Until(hold=14.0, not_before=22.0, timeout=60.0),
        expect=Expect("connected", also=("pair-switched",), never=("bad-credentials", "relay-needed")),
    ),
    Scenario(
        name="ice-tcp",
        title="UDP dropped, ICE over TCP carries the call",
        story="""
The router drops UDP. GStreamer's webrtcbin (libnice) offers passive TCP candidates, and the browser
connects to one.
""",
        topology=routed(forward_rules("meta l4proto udp drop")),
        offerer=ICE_TCP,
        vantages=(ROUTER_A,),
        expect=Expect("connected", never=("bad-credentials", "role-conflict", "ice-tcp-refused")),
    ),
    Scenario(
        name="ice-tcp-refused",
        title="UDP dropped, TCP reset",
        story="As `ice-tcp`, but the router answers each SYN with a reset.",
        topology=routed(forward_rules("meta l4proto udp drop", "meta l4proto tcp reject with tcp reset")),
        offerer=ICE_TCP,
        vantages=(ROUTER_A,),
        until=Until("failed", who="answerer", hold=1.0, timeout=60.0),
        expect=Expect(
            "failed",
            ended=("*", "failed"),
            root_cause="ice-tcp-refused",
            never=("bad-credentials", "role-conflict", "one-way-nat"),
            mended_by="ice-tcp",
            change="let TCP through to the passive candidates",
        ),
    ),
)
