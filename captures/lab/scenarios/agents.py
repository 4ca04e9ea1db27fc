"""Other ICE implementations, among themselves and against a browser."""

from __future__ import annotations

from captures.lab.model import Agent, Expect, Scenario, Step, Until, Vantage
from captures.lab.servers import COTURN, NAT_A, SERVER, stun, turn
from captures.lab.topologies import asymmetric, filter_from_now_on, forward_rules, lan, routed, two_nats

GROUP = "Other implementations"

FAILED = Until("failed", hold=1.0, timeout=90.0)
NAT_OUTSIDE = Vantage("nat-a-outside", "nat-a", "core", "outside the NAT router, towards edge-b")
AIORTC = Agent(kind="aiortc")
LIBNICE = Agent(kind="webrtcbin")
WERIFT = Agent(kind="werift")
QUIET = ("icmp-rejected", "bad-credentials", "role-conflict", "one-way-loss", "no-answer")
A_TO_B = 'iifname "lan-a" oifname "lan-b" meta l4proto udp'
NO_NAT = ("one-way-nat", "symmetric-nat", "asymmetric-response", "bad-credentials", "role-conflict")


def healthy(name: str, offerer: Agent, answerer: Agent, title: str) -> Scenario:
    """A direct call between two implementations."""
    return Scenario(
        name=name,
        title=title,
        story=f"A healthy direct call: {title}.",
        topology=lan(),
        offerer=offerer,
        answerer=answerer,
        expect=Expect("connected", never=QUIET),
    )


SCENARIOS = (
    healthy("aiortc-aiortc", AIORTC, AIORTC, "aiortc at both ends"),
    healthy("aiortc-chromium", AIORTC, Agent(), "aiortc offers, Chromium answers"),
    healthy("libnice-chromium", LIBNICE, Agent(), "GStreamer with libnice offers, Chromium answers"),
    healthy("libnice-libnice", LIBNICE, LIBNICE, "GStreamer with libnice at both ends"),
    healthy("werift-chromium", WERIFT, Agent(), "werift offers, Chromium answers"),
    healthy("werift-aiortc", WERIFT, AIORTC, "werift offers, aiortc answers"),
    Scenario(
        name="libnice-aiortc",
        title="GStreamer and aiortc have no cipher suite in common",
        story="""
GStreamer 1.22 offers with an RSA certificate, aiortc answers and offers suites for ECDSA certificates only.
ICE succeeds, and GStreamer refuses the ClientHello with a handshake failure alert. Nothing was done to
bring this about: these two do not get on.
""",
        topology=lan(),
        offerer=LIBNICE,
        answerer=AIORTC,
        until=Until("failed", hold=8.0, timeout=30.0),
        expect=Expect("connected", ended=("failed", "failed"), root_cause="dtls-alert", never=QUIET),
    ),
    Scenario(
        name="aiortc-asymmetric-dead",
        title="the motivating case with aiortc, failing",
        story="""
As `asymmetric-dead`, with aiortc at both ends: it repeats each check with the same transaction id and gives
a pair up when the transaction has timed out.
""",
        topology=asymmetric(way_back=False),
        offerer=AIORTC,
        answerer=AIORTC,
        vantages=(NAT_OUTSIDE,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="one-way-nat",
            direction="answerer -> nat-a",
            also=("asymmetric-response", "host-only"),
            never=("icmp-rejected", "bad-credentials", "role-conflict", "symmetric-nat"),
            mended_by="aiortc-asymmetric-rescued",
            change="open the way from the answerer's network to the NAT's outside address",
        ),
    ),
    Scenario(
        name="aiortc-asymmetric-rescued",
        title="the motivating case with aiortc, rescued",
        story="As `asymmetric-rescued`, with aiortc at both ends.",
        topology=asymmetric(way_back=True),
        offerer=AIORTC,
        answerer=AIORTC,
        vantages=(NAT_OUTSIDE,),
        expect=Expect(
            "connected",
            also=("asymmetric-response",),
            never=("icmp-rejected", "bad-credentials", "role-conflict", "symmetric-nat", "relay-needed"),
        ),
    ),
    Scenario(
        name="aiortc-one-way-drop",
        title="one-way drop with aiortc",
        story="As `one-way-drop`, with aiortc at both ends: retransmissions keep their transaction id.",
        topology=routed(forward_rules(f"{A_TO_B} drop")),
        offerer=AIORTC,
        answerer=AIORTC,
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="one-way-loss",
            direction="offerer -> answerer",
            never=(*NO_NAT, "icmp-rejected", "relay-needed"),
            mended_by="routed",
            change="let the router forward UDP both ways",
        ),
    ),
    Scenario(
        name="libnice-one-way-drop",
        title="one-way drop, libnice against Chromium",
        story="""
As `one-way-drop`, with GStreamer's webrtcbin (libnice) as the offerer. The router drops everything in that
direction, TCP as well: libnice would otherwise connect over that.
""",
        topology=routed(forward_rules('iifname "lan-a" oifname "lan-b" drop')),
        offerer=LIBNICE,
        until=Until("failed", who="offerer", hold=1.0, timeout=60.0),
        expect=Expect(
            "failed",
            ended=("failed", "*"),
            root_cause="one-way-loss",
            direction="offerer -> answerer",
            never=(*NO_NAT, "icmp-rejected", "relay-needed"),
            mended_by="libnice-chromium",
            change="let the router forward both ways",
        ),
    ),
    Scenario(
        name="aioice-turn",
        title="relay to relay, bare ICE agents",
        story="As `turn-udp`, with aioice at both ends and its own TURN client.",
        topology=two_nats(random_a=True, random_b=True),
        servers=(COTURN,),
        offerer=Agent(kind="aioice", ice_servers=(turn(),), policy="relay"),
        answerer=Agent(kind="aioice", ice_servers=(turn(),), policy="relay"),
        vantages=(SERVER,),
        expect=Expect("connected", never=(*QUIET, "turn-unauthorized", "relay-needed")),
    ),
    Scenario(
        name="libnice-nats-stun",
        title="NATs at both ends and STUN, libnice against Chromium",
        story="As `nats-stun`, with GStreamer's webrtcbin (libnice) as the offerer.",
        topology=two_nats(),
        servers=(COTURN,),
        offerer=Agent(kind="webrtcbin", ice_servers=(stun(),)),
        answerer=Agent(ice_servers=(stun(),)),
        vantages=(NAT_A, SERVER),
        expect=Expect("connected", never=("icmp-rejected", "bad-credentials", "symmetric-nat", "relay-needed")),
    ),
    Scenario(
        name="aiortc-nats-symmetric",
        title="symmetric NATs at both ends and STUN, aiortc",
        story="As `nats-symmetric-stun`, with aiortc at both ends.",
        topology=two_nats(random_a=True, random_b=True),
        servers=(COTURN,),
        offerer=Agent(kind="aiortc", ice_servers=(stun(),)),
        answerer=Agent(kind="aiortc", ice_servers=(stun(),)),
        vantages=(NAT_A, SERVER),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="relay-needed",
            also=("symmetric-nat",),
            unseen="in one agent's capture alone, that the mapping varies; the one outside the NAT shows it",
            never=("icmp-rejected", "bad-credentials", "role-conflict", "one-way-nat", "host-only"),
            mended_by="nats-symmetric-turn",
            change="offer a TURN relay that both agents reach",
        ),
    ),
    Scenario(
        name="aioice-consent-lost",
        title="the path dies in mid-call, bare ICE agents",
        story="""
As `consent-lost`, with aioice: consent checks about every five seconds, none repeated, and the connection
is given up after six of them in a row went unanswered.
""",
        topology=routed(),
        offerer=Agent(kind="aioice"),
        answerer=Agent(kind="aioice"),
        steps=(Step(12.0, "exec", "router", filter_from_now_on("meta l4proto udp drop"), after="connected"),),
        until=Until("failed", hold=1.0, timeout=90.0),
        expect=Expect(
            "failed",
            root_cause="consent-lost",
            never=("one-way-nat", "bad-credentials", "role-conflict"),
            mended_by="aioice-direct",
            change="keep the path open",
        ),
    ),
)
