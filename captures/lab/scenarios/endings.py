"""How calls end, and what breaks them midway: hung up, killed, frozen, blocked by a rule."""

from __future__ import annotations

from captures.lab.model import Agent, Expect, Scenario, Step, Until, Vantage
from captures.lab.servers import COTURN, NAT_A, NAT_B, SERVER, stun, turn
from captures.lab.topologies import filter_from_now_on, forward_rules, routed, two_nats, with_rules

GROUP = "Calls that end, and agents that fall silent"

ROUTER_A = Vantage("router-a", "router", "lan-a", "at the router, towards the offerer")
A_TO_B = 'iifname "lan-a" oifname "lan-b" meta l4proto udp'
PLAIN = Agent()
AUDIO = Agent(media=("audio",))
STUN = Agent(ice_servers=(stun(),))
RELAY = Agent(ice_servers=(turn(),), policy="relay")
RELAY_TCP = Agent(ice_servers=(turn(transport="tcp"),), policy="relay")
ICE_FINE = (
    "one-way-loss", "no-answer", "one-way-nat", "icmp-rejected", "bad-credentials", "bad-request", "role-conflict",
    "host-only", "relay-needed",
)  # fmt: skip
ENDED = (*ICE_FINE, "consent-lost", "agent-silent")
FAILED = Until("failed", hold=1.0, timeout=90.0)
SURVIVES = Until("disconnected", who="offerer", hold=4.0, timeout=60.0, not_before=6.0)
KEEP = "keep the path open"
GOODBYE = "that the last record, of nineteen bytes, is a close_notify: DTLS 1.3 encrypts it"


def _ends(who: str, how: str) -> tuple[Step, ...]:
    return (Step(5.0, how, who, after="connected"),)  # type: ignore[arg-type]


def cut(name: str, title: str, story: str, rule: str, cause: str, *, direction: str = "", also: tuple[str, ...] = (),
        agents: Agent = PLAIN) -> Scenario:  # fmt: skip
    """A call in whose middle the router gets one more rule."""
    return Scenario(
        name=name,
        title=title,
        story=story,
        topology=routed(),
        offerer=agents,
        answerer=agents,
        vantages=(ROUTER_A,),
        steps=(Step(6.0, "exec", "router", filter_from_now_on(rule), after="connected"),),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause=cause,
            direction=direction,
            also=also,
            never=("one-way-nat", "bad-credentials", "role-conflict", "agent-gone", "hung-up", "host-only"),
            mended_by="media-call" if agents.media else "routed",
            change=KEEP,
        ),
    )


SCENARIOS = (
    Scenario(
        name="browser-killed",
        title="the answerer's browser is killed in mid-call",
        story="""
Five seconds into the call every process of the answerer's browser is killed. Its host is still there, and answers
what the offerer sends with ICMP port unreachable. The offerer notices after some seconds.
""",
        topology=routed(),
        vantages=(ROUTER_A,),
        steps=_ends("answerer", "kill"),
        until=SURVIVES,
        expect=Expect("closed", ended=("disconnected", "*"), root_cause="agent-gone", never=(*ENDED, "hung-up")),
    ),
    Scenario(
        name="browser-killed-media",
        title="the answerer's browser is killed in mid-call, audio",
        story="As `browser-killed`, with audio.",
        topology=routed(),
        offerer=AUDIO,
        answerer=AUDIO,
        steps=_ends("answerer", "kill"),
        until=SURVIVES,
        expect=Expect(
            "closed",
            ended=("disconnected", "*"),
            root_cause="agent-gone",
            never=(*ENDED, "hung-up", "media-one-way"),
        ),
    ),
    Scenario(
        name="tab-closed",
        title="the answerer closes its tab in mid-call",
        story="""
Five seconds into the call the answerer's tab is closed. Chromium ends the page's process at once, and says goodbye
neither in DTLS nor otherwise; the offerer's channel stays open.
""",
        topology=routed(),
        steps=_ends("answerer", "close-tab"),
        until=Until(name="never", timeout=18.0),
        expect=Expect("closed", ended=("*", "*"), root_cause="agent-gone", never=ENDED),
    ),
    Scenario(
        name="closed-one-side",
        title="the answerer closes its peer connection, and signals nothing",
        story="""
Five seconds into the call the answerer's application calls `close()` on its peer connection. Nothing is signalled;
the offerer learns of it from DTLS.
""",
        topology=routed(),
        vantages=(ROUTER_A,),
        steps=_ends("answerer", "close"),
        until=Until(name="never", timeout=18.0),
        expect=Expect("closed", ended=("*", "*"), root_cause="hung-up", unseen=GOODBYE, never=ENDED),
    ),
    Scenario(
        name="closed-one-side-turn",
        title="the answerer closes its peer connection in a relayed call",
        story="As `closed-one-side`, with relayed candidates only: the answerer also gives its allocation back.",
        topology=two_nats(random_a=True, random_b=True),
        servers=(COTURN,),
        offerer=RELAY,
        answerer=RELAY,
        vantages=(SERVER,),
        steps=_ends("answerer", "close"),
        until=Until(name="never", timeout=18.0),
        expect=Expect(
            "closed",
            ended=("*", "*"),
            root_cause="hung-up",
            never=(*ENDED, "turn-allocation-expired", "turn-server-lost", "turn-mismatch"),
        ),
    ),
    Scenario(
        name="firefox-closed",
        title="Firefox closes its peer connection, and signals nothing",
        story="As `closed-one-side`, with Firefox as the answerer.",
        topology=routed(),
        answerer=Agent(kind="firefox"),
        steps=_ends("answerer", "close"),
        until=Until(name="never", timeout=18.0),
        expect=Expect("closed", ended=("*", "*"), root_cause="hung-up", unseen=GOODBYE, never=ENDED),
    ),
    Scenario(
        name="firefox-tab-closed",
        title="Firefox's tab is closed in mid-call",
        story="""
As `tab-closed`, with Firefox as the answerer. Unlike Chromium it takes its leave: the offerer's channel is closed at
once.
""",
        topology=routed(),
        answerer=Agent(kind="firefox"),
        steps=_ends("answerer", "close-tab"),
        until=Until(name="never", timeout=18.0),
        expect=Expect("closed", ended=("*", "*"), root_cause="hung-up", unseen=GOODBYE, never=ENDED),
    ),
    Scenario(
        name="firefox-killed",
        title="Firefox is killed in mid-call",
        story="As `browser-killed`, with Firefox as the answerer.",
        topology=routed(),
        answerer=Agent(kind="firefox"),
        steps=_ends("answerer", "kill"),
        until=SURVIVES,
        expect=Expect("closed", ended=("disconnected", "*"), root_cause="agent-gone", never=(*ENDED, "hung-up")),
    ),
    Scenario(
        name="agent-frozen",
        title="the answerer stops running before it has checked anything",
        story="""
The answerer answers in signalling, and then its whole browser is stopped (SIGSTOP), as a laptop's is that goes to
sleep. The offerer hears of its candidates a second later. Its checks arrive at the answerer's host, whose kernel
takes them, and nothing ever leaves.
""",
        topology=routed(),
        delay={"offerer": 3.0},
        candidate_delay={"answerer": 50.0},
        steps=(Step(2.0, "freeze", "answerer"),),
        until=Until("failed", who="offerer", hold=1.0, timeout=45.0),
        expect=Expect(
            "failed",
            ended=("failed", "*"),
            root_cause="agent-silent",
            unseen="at the offerer, where it looks as if nothing arrived at all",
            never=("one-way-nat", "icmp-rejected", "bad-credentials", "role-conflict", "agent-gone"),
            mended_by="routed",
            change="let the answerer run",
        ),
    ),
    Scenario(
        name="agent-frozen-midway",
        title="the answerer stops running in mid-call",
        story="""
Five seconds into the call the answerer's whole browser is stopped (SIGSTOP). What the offerer sends still arrives
at its host; nothing leaves.
""",
        topology=routed(),
        steps=_ends("answerer", "freeze"),
        until=Until("failed", who="offerer", hold=1.0, timeout=60.0),
        expect=Expect(
            "failed",
            ended=("failed", "*"),
            root_cause="agent-silent",
            also=("consent-lost",),
            unseen="at the offerer, that its checks arrive",
            never=("one-way-nat", "icmp-rejected", "bad-credentials", "role-conflict", "agent-gone", "hung-up"),
            mended_by="routed",
            change="let the answerer run",
        ),
    ),
    Scenario(
        name="output-dropped",
        title="the answerer's own firewall drops what its agent sends",
        story="""
The answerer's host lets UDP in and drops all that its own programs send, before it reaches any interface. The
offerer's checks arrive there, and nothing leaves.
""",
        topology=with_rules(
            routed(),
            "answerer",
            forward_rules("meta l4proto udp drop", hook="output"),
            "The answerer's own firewall drops all UDP that its programs send.",
        ),
        until=FAILED,
        expect=Expect(
            "failed",
            ended=("failed", "*"),
            root_cause="agent-silent",
            unseen="at the offerer, where it looks as if nothing arrived at all",
            never=("one-way-nat", "icmp-rejected", "bad-credentials", "role-conflict", "agent-gone"),
            mended_by="routed",
            change="let the answerer's host send UDP",
        ),
    ),
    cut(
        "cut-one-way-media",
        "a rule added in mid-call drops one direction, with audio",
        "Six seconds into a call with audio the router begins to drop UDP from the offerer.",
        f"{A_TO_B} drop",
        "consent-lost",
        direction="offerer -> answerer",
        agents=AUDIO,
    ),
    cut(
        "cut-icmp",
        "a rule added in mid-call rejects both directions with ICMP",
        """
Six seconds into the call the router begins to answer all UDP with ICMP, administratively prohibited, as far as its
rate limit allows.
""",
        "meta l4proto udp reject with icmp type admin-prohibited",
        "icmp-rejected",
        also=("consent-lost",),
    ),
    cut(
        "cut-icmp-one-way",
        "a rule added in mid-call rejects one direction with ICMP",
        "Six seconds into the call the router begins to answer UDP from the offerer with ICMP, host unreachable.",
        f"{A_TO_B} reject with icmp type host-unreachable",
        "icmp-rejected",
        direction="offerer -> answerer",
        also=("consent-lost",),
    ),
    Scenario(
        name="turn-vanishes",
        title="the TURN server's host goes dark in mid-call",
        story="""
Five seconds into a relayed call the interface of the TURN server's host goes down. Nothing answers any more, and
nothing is rejected by it.
""",
        topology=two_nats(random_a=True, random_b=True),
        servers=(COTURN,),
        offerer=Agent(ice_servers=(turn(),)),
        answerer=Agent(ice_servers=(turn(),)),
        vantages=(NAT_A,),
        steps=(Step(5.0, "exec", "server", "ip link set public down", after="connected"),),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="turn-server-lost",
            never=("bad-credentials", "role-conflict", "one-way-nat", "turn-unauthorized", "host-only", "relay-needed"),
            mended_by="nats-symmetric-turn",
            change="keep the TURN server running",
        ),
    ),
    Scenario(
        name="turn-tcp-forgotten",
        title="a firewall forgets the TCP connection to the TURN server",
        story="""
Six seconds into a call that is relayed over TCP the offerer's router drops everything of the connection to the TURN
server in silence, as a firewall does that has forgotten it. Segments are retransmitted, and nothing comes back.
""",
        topology=two_nats(random_a=True, random_b=True),
        servers=(COTURN,),
        offerer=RELAY_TCP,
        answerer=RELAY,
        vantages=(SERVER, NAT_A),
        steps=(Step(6.0, "exec", "nat-a", filter_from_now_on("tcp dport 3478 drop"), after="connected"),),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="turn-connection-lost",
            direction="offerer -> server",
            never=(
                "bad-credentials",
                "role-conflict",
                "one-way-nat",
                "turn-unauthorized",
                "host-only",
                "relay-needed",
                "turn-server-lost",
                "hung-up",
            ),
            mended_by="turn-tcp",
            change="keep the connection's state in the firewall for as long as the call lasts",
        ),
    ),
    Scenario(
        name="turn-tcp-reset",
        title="a firewall resets the TCP connection to the TURN server",
        story="As `turn-tcp-forgotten`, but the router answers the offerer's segments with a reset.",
        topology=two_nats(random_a=True, random_b=True),
        servers=(COTURN,),
        offerer=RELAY_TCP,
        answerer=RELAY,
        vantages=(SERVER, NAT_A),
        steps=(
            Step(6.0, "exec", "nat-a", filter_from_now_on("tcp dport 3478 reject with tcp reset"), after="connected"),
        ),
        until=Until("failed", who="either", hold=3.0, timeout=60.0),
        expect=Expect(
            "failed",
            ended=("*", "*"),
            root_cause="turn-connection-lost",
            direction="offerer -> server",
            never=(
                "bad-credentials",
                "role-conflict",
                "one-way-nat",
                "turn-unauthorized",
                "host-only",
                "relay-needed",
                "turn-server-lost",
                "hung-up",
            ),
            mended_by="turn-tcp",
            change="keep the connection's state in the firewall for as long as the call lasts",
        ),
    ),
    Scenario(
        name="candidates-late-in-time",
        title="the offerer's candidates come eight seconds late",
        story="""
Each agent's NAT lets in only what its network began. The offerer's candidates reach the answerer eight seconds late;
only then does it check, which opens its NAT. The offerer is still checking.
""",
        topology=two_nats(),
        servers=(COTURN,),
        offerer=STUN,
        answerer=STUN,
        candidate_delay={"answerer": 8.0},
        vantages=(NAT_B,),
        expect=Expect(
            "connected",
            never=("one-way-nat", "bad-credentials", "role-conflict", "icmp-rejected", "relay-needed", "never-checked"),
        ),
    ),
    Scenario(
        name="candidates-too-late",
        title="the offerer's candidates come too late",
        story="""
As `candidates-late-in-time`, but the answerer hears of the offerer's candidates only after the offerer has given
up. It never checks, and its NAT never opens.
""",
        topology=two_nats(),
        servers=(COTURN,),
        offerer=STUN,
        answerer=STUN,
        candidate_delay={"answerer": 60.0},
        vantages=(NAT_B,),
        until=Until("failed", who="offerer", hold=1.0, timeout=50.0),
        expect=Expect(
            "failed",
            ended=("failed", "*"),
            root_cause="never-checked",
            also=("no-answer",),
            unseen="in one capture alone, that the answerer never checks: what the offerer sends dies at its NAT",
            never=("one-way-nat", "bad-credentials", "role-conflict", "icmp-rejected"),
            mended_by="candidates-late-in-time",
            change="signal candidates without delay",
        ),
    ),
)
