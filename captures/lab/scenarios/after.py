"""What can fail after ICE: DTLS and media; and healthy calls with media."""

from __future__ import annotations

from dataclasses import replace

from captures.lab.model import Agent, Edit, Expect, Scenario, Step, Until, Vantage
from captures.lab.servers import COTURN, turn
from captures.lab.topologies import filter_from_now_on, forward_rules, routed, two_nats

GROUP = "DTLS and media"

ROUTER_A = Vantage("router-a", "router", "lan-a", "at the router, towards the offerer")
A_TO_B = 'iifname "lan-a" oifname "lan-b" meta l4proto udp'
DTLS = "@th,64,8 20-63"
RTP = "@th,64,8 128-191"
AV = Agent(media=("audio", "video"))
STUCK = Until(name="never", timeout=25.0)
ICE_FINE = ("one-way-loss", "no-answer", "one-way-nat", "bad-credentials", "role-conflict")
ICE_UP = ("connected", "connected")

SCENARIOS = (
    Scenario(
        name="media-call",
        title="audio and video, both ways",
        story="A healthy call with audio and video from both sides, some seconds long.",
        topology=routed(),
        offerer=AV,
        answerer=AV,
        until=Until(hold=8.0),
        expect=Expect("connected", never=("one-way-loss", "no-answer", "media-one-way", "consent-missing")),
    ),
    Scenario(
        name="media-turn",
        title="audio and video through a TURN relay",
        story="As `media-call`, with relayed candidates only: RTP and RTCP travel as ChannelData.",
        topology=two_nats(random_a=True, random_b=True),
        servers=(COTURN,),
        offerer=replace(AV, ice_servers=(turn(),), policy="relay"),
        answerer=replace(AV, ice_servers=(turn(),), policy="relay"),
        until=Until(hold=5.0),
        expect=Expect("connected", never=("one-way-loss", "no-answer", "media-one-way", "relay-needed")),
    ),
    Scenario(
        name="media-one-way",
        title="RTP from the offerer is dropped",
        story="""
The router drops RTP and RTCP from the offerer to the answerer and lets STUN and DTLS pass. Both agents
report a connection; the answerer sees and hears nothing.
""",
        topology=routed(forward_rules(f"{A_TO_B} {RTP} drop")),
        offerer=AV,
        answerer=AV,
        vantages=(ROUTER_A,),
        until=Until(hold=8.0),
        expect=Expect(
            "connected",
            root_cause="media-one-way",
            direction="offerer -> answerer",
            never=ICE_FINE,
            mended_by="media-call",
            change="let the router forward RTP from the offerer",
        ),
    ),
    Scenario(
        name="dtls-one-way",
        title="DTLS from the offerer is dropped",
        story="""
ICE succeeds. The answerer is the DTLS client; its ClientHello arrives, but the router drops every DTLS
record from the offerer, and no ServerHello ever comes back.
""",
        topology=routed(forward_rules(f"{A_TO_B} {DTLS} drop")),
        vantages=(ROUTER_A,),
        until=STUCK,
        expect=Expect(
            "connected",
            ended=("*", "*"),
            ice=ICE_UP,
            root_cause="dtls-one-way",
            direction="offerer -> answerer",
            never=ICE_FINE,
            mended_by="routed",
            change="let the router forward DTLS from the offerer",
        ),
    ),
    Scenario(
        name="dtls-large-lost",
        title="large UDP packets are dropped",
        story="""
The router drops IP packets of more than 700 bytes in silence, as a tunnel with too small an MTU does. Checks
pass; the handshake's large flights do not and are repeated.
""",
        topology=routed(forward_rules("meta l4proto udp meta length > 700 drop")),
        vantages=(ROUTER_A,),
        until=STUCK,
        expect=Expect(
            "connected",
            ended=("*", "*"),
            ice=ICE_UP,
            root_cause="dtls-stalled",
            never=ICE_FINE,
            mended_by="routed",
            change="let the path carry packets of 1280 bytes",
        ),
    ),
    Scenario(
        name="dtls-role-clash",
        title="both sides wait for the other's ClientHello",
        story="""
Signalling is altered on the way: each agent is told that the other will be the DTLS client. ICE succeeds,
and both wait.
""",
        topology=routed(),
        edits=(
            Edit("answerer", "a=setup:actpass", "a=setup:active"),
            Edit("offerer", "a=setup:passive", "a=setup:active"),
        ),
        until=STUCK,
        expect=Expect(
            "connected",
            ended=("*", "*"),
            ice=ICE_UP,
            root_cause="dtls-never-started",
            never=ICE_FINE,
            mended_by="routed",
            change="let exactly one side be the DTLS client (a=setup)",
        ),
    ),
    Scenario(
        name="dtls-wrong-fingerprint",
        title="the certificate is not the one that was signalled",
        story="""
The fingerprint in the answer is altered on its way to the offerer. The offerer refuses the answerer's
certificate.
""",
        topology=routed(),
        edits=(Edit("offerer", "a=fingerprint:sha-256 ..:..:", "a=fingerprint:sha-256 00:00:"),),
        until=Until("failed", hold=3.0, timeout=25.0, who="either"),
        expect=Expect(
            "connected",
            ended=("*", "*"),
            root_cause="dtls-alert",
            unseen="the alert, which DTLS 1.3 encrypts: two short records end the handshake, no data follows",
            never=ICE_FINE,
            mended_by="routed",
            change="signal the fingerprint of the certificate in use",
        ),
    ),
    Scenario(
        name="dtls-alert",
        title="the certificate is not the one that was signalled, DTLS 1.2",
        story="""
aiortc offers, Chromium answers, and the fingerprint in the offer is altered on its way. Chromium, the DTLS
client, refuses aiortc's certificate with an alert, which DTLS 1.2 sends in the clear.
""",
        topology=routed(),
        offerer=Agent(kind="aiortc"),
        edits=(Edit("answerer", "a=fingerprint:(sha-...) ..:..:", r"a=fingerprint:\1 00:00:"),),
        until=Until("failed", hold=3.0, timeout=25.0, who="either"),
        expect=Expect(
            "connected",
            ended=("*", "*"),
            root_cause="dtls-alert",
            never=ICE_FINE,
            mended_by="aiortc-chromium",
            change="signal the fingerprint of the certificate in use",
        ),
    ),
    Scenario(
        name="consent-lost",
        title="the path dies in mid-call, both ways",
        story="""
Six seconds after the connection the router begins to drop all UDP. Consent checks stay unanswered, the
agents report `disconnected` and later `failed`.
""",
        topology=routed(),
        steps=(Step(6.0, "exec", "router", filter_from_now_on("meta l4proto udp drop"), after="connected"),),
        until=Until("failed", hold=1.0, timeout=90.0),
        expect=Expect(
            "failed",
            root_cause="consent-lost",
            never=("one-way-nat", "bad-credentials", "role-conflict"),
            mended_by="routed",
            change="keep the path open",
        ),
    ),
    Scenario(
        name="consent-lost-one-way",
        title="the path dies in mid-call, one way",
        story="""
Six seconds after the connection the router begins to drop UDP from the offerer to the answerer. The
answerer's consent checks still arrive and are answered, and the answers die.
""",
        topology=routed(),
        vantages=(ROUTER_A,),
        steps=(Step(6.0, "exec", "router", filter_from_now_on(f"{A_TO_B} drop"), after="connected"),),
        until=Until("failed", hold=1.0, timeout=90.0),
        expect=Expect(
            "failed",
            root_cause="consent-lost",
            direction="offerer -> answerer",
            never=("one-way-nat", "bad-credentials", "role-conflict"),
            mended_by="routed",
            change="keep the path from the offerer to the answerer open",
        ),
    ),
    Scenario(
        name="consent-missing",
        title="data flows, consent checks do not",
        story="""
Two bare ICE agents connect, and then neither asks for consent any more, though both send ten datagrams a
second.
""",
        topology=routed(),
        offerer=Agent(kind="aioice", options={"no_consent": True}),
        answerer=Agent(kind="aioice", options={"no_consent": True}),
        until=Until(hold=45.0),
        expect=Expect("connected", also=("consent-missing",), never=ICE_FINE),
    ),
)  # fmt: skip
