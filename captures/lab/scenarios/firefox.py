"""Firefox, among its like and against Chromium: healthy calls, the motivating case, and how it gives up."""

from __future__ import annotations

from captures.lab.model import Agent, Edit, Expect, Scenario, Step, Until, Vantage
from captures.lab.servers import COTURN, NAT_A, SERVER, stun, turn
from captures.lab.topologies import asymmetric, filter_from_now_on, forward_rules, lan, routed, two_nats

GROUP = "Firefox"

FIREFOX = Agent(kind="firefox")
CHROMIUM = Agent()
NAT_OUTSIDE = Vantage("nat-a-outside", "nat-a", "core", "outside the NAT router, towards edge-b")
ROUTER_A = Vantage("router-a", "router", "lan-a", "at the router, towards the offerer")
A_TO_B = 'iifname "lan-a" oifname "lan-b" meta l4proto udp'
NO_NAT = ("one-way-nat", "symmetric-nat", "asymmetric-response", "bad-credentials", "role-conflict")
QUIET = ("icmp-rejected", "bad-credentials", "bad-request", "role-conflict", "one-way-loss", "no-answer")
NOT_DEAD = ("icmp-rejected", "bad-credentials", "bad-request", "role-conflict", "symmetric-nat")
FAILED = Until("failed", hold=4.0, timeout=60.0)


def healthy(name: str, offerer: Agent, answerer: Agent, title: str) -> Scenario:
    """A direct call."""
    return Scenario(
        name=name,
        title=title,
        story=f"A healthy direct call: {title}.",
        topology=lan(),
        offerer=offerer,
        answerer=answerer,
        expect=Expect("connected", never=QUIET),
    )


def asymmetric_dead(name: str, offerer: Agent, answerer: Agent, title: str) -> Scenario:
    """The motivating case, failing."""
    return Scenario(
        name=name,
        title=f"the motivating case, failing: {title}",
        story=f"""
As `asymmetric-dead`: {title}. Firefox gives up some seconds before Chromium does, and then answers the other's
checks with 400.
""",
        topology=asymmetric(way_back=False),
        offerer=offerer,
        answerer=answerer,
        vantages=(NAT_OUTSIDE,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="one-way-nat",
            direction="answerer -> nat-a",
            also=("asymmetric-response", "host-only"),
            never=NOT_DEAD,
            mended_by="firefox-asymmetric-rescued",
            change="open the way from the answerer's network to the NAT's outside address",
        ),
    )


def one_way(name: str, offerer: Agent, answerer: Agent, title: str) -> Scenario:
    """One direction dropped."""
    return Scenario(
        name=name,
        title=f"one-way drop: {title}",
        story=f"As `one-way-drop`: {title}.",
        topology=routed(forward_rules(f"{A_TO_B} drop")),
        offerer=offerer,
        answerer=answerer,
        vantages=(ROUTER_A,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="one-way-loss",
            direction="offerer -> answerer",
            never=(*NO_NAT, "icmp-rejected", "bad-request", "relay-needed"),
            mended_by="firefox-chromium",
            change="let the router forward UDP both ways",
        ),
    )


SCENARIOS = (
    healthy("firefox-firefox", FIREFOX, FIREFOX, "Firefox at both ends"),
    healthy("firefox-chromium", FIREFOX, CHROMIUM, "Firefox offers, Chromium answers"),
    healthy("chromium-firefox", CHROMIUM, FIREFOX, "Chromium offers, Firefox answers"),
    asymmetric_dead("firefox-chromium-asymmetric", FIREFOX, CHROMIUM, "Firefox offers, Chromium answers"),
    asymmetric_dead("chromium-firefox-asymmetric", CHROMIUM, FIREFOX, "Chromium offers, Firefox answers"),
    asymmetric_dead("firefox-asymmetric-dead", FIREFOX, FIREFOX, "Firefox at both ends"),
    Scenario(
        name="firefox-asymmetric-rescued",
        title="the motivating case, rescued: Firefox offers, Chromium answers",
        story="As `asymmetric-rescued`, with Firefox as the offerer.",
        topology=asymmetric(way_back=True),
        offerer=FIREFOX,
        vantages=(NAT_OUTSIDE,),
        expect=Expect("connected", also=("asymmetric-response",), never=(*NOT_DEAD, "relay-needed")),
    ),
    Scenario(
        name="chromium-firefox-rescued",
        title="the motivating case, rescued: Chromium offers, Firefox answers",
        story="As `asymmetric-rescued`, with Firefox as the answerer.",
        topology=asymmetric(way_back=True),
        answerer=FIREFOX,
        vantages=(NAT_OUTSIDE,),
        expect=Expect("connected", also=("asymmetric-response",), never=(*NOT_DEAD, "relay-needed")),
    ),
    one_way("firefox-one-way-drop", FIREFOX, CHROMIUM, "Firefox offers, Chromium answers"),
    one_way("chromium-firefox-one-way-drop", CHROMIUM, FIREFOX, "Chromium offers, Firefox answers"),
    Scenario(
        name="firefox-no-candidates",
        title="Firefox is told no candidate of the other side",
        story="""
The answerer's candidates are lost in signalling. Firefox, the offerer, has nobody to check and gives up after five
seconds. The answerer's checks die at the offerer's NAT, since nothing went out there to open it.
""",
        topology=two_nats(),
        servers=(COTURN,),
        offerer=Agent(kind="firefox", ice_servers=(stun(),)),
        answerer=Agent(ice_servers=(stun(),)),
        edits=(Edit("offerer", "candidate", drop=True),),
        vantages=(NAT_A,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="never-checked",
            never=(
                "one-way-nat",
                "bad-credentials",
                "bad-request",
                "role-conflict",
                "agent-gone",
                "symmetric-nat",
                "relay-needed",
            ),
            unseen="that the answerer's candidates were lost: its checks die at the NAT, and the offerer sends none",
            mended_by="firefox-nats-stun",
            change="carry the answerer's candidates to the offerer",
        ),
    ),
    Scenario(
        name="firefox-turn",
        title="Firefox through a TURN relay",
        story="Firefox and Chromium, relayed candidates only.",
        topology=two_nats(random_a=True, random_b=True),
        servers=(COTURN,),
        offerer=Agent(kind="firefox", ice_servers=(turn(),), policy="relay"),
        answerer=Agent(ice_servers=(turn(),), policy="relay"),
        vantages=(SERVER, NAT_A),
        expect=Expect("connected", never=(*QUIET, "turn-unauthorized", "turn-refused", "relay-needed")),
    ),
    Scenario(
        name="firefox-consent-lost",
        title="the path dies in mid-call, Firefox against Chromium",
        story="Six seconds after the connection the router begins to drop all UDP.",
        topology=routed(),
        offerer=FIREFOX,
        vantages=(ROUTER_A,),
        steps=(Step(6.0, "exec", "router", filter_from_now_on("meta l4proto udp drop"), after="connected"),),
        until=Until("failed", hold=4.0, timeout=90.0),
        expect=Expect(
            "failed",
            root_cause="consent-lost",
            never=("one-way-nat", "bad-credentials", "bad-request", "role-conflict", "agent-gone"),
            mended_by="firefox-chromium",
            change="keep the path open",
        ),
    ),
    Scenario(
        name="firefox-dtls-large-lost",
        title="large UDP packets are dropped, Firefox against Chromium",
        story="As `dtls-large-lost`, with Firefox as the offerer: a path that carries no packet above 500 bytes.",
        topology=routed(forward_rules("meta l4proto udp meta length > 500 drop")),
        offerer=FIREFOX,
        vantages=(ROUTER_A,),
        until=Until(name="never", timeout=25.0),
        expect=Expect(
            "connected",
            ended=("*", "*"),
            ice=("connected", "connected"),
            root_cause="dtls-stalled",
            never=(*NO_NAT, "one-way-loss", "no-answer"),
            mended_by="firefox-chromium",
            change="let the path carry packets of 1280 bytes",
        ),
    ),
    Scenario(
        name="firefox-media",
        title="audio and video, Firefox against Chromium",
        story="A healthy call with audio and video from both sides.",
        topology=routed(),
        offerer=Agent(kind="firefox", media=("audio", "video")),
        answerer=Agent(media=("audio", "video")),
        until=Until(hold=5.0),
        expect=Expect("connected", never=(*QUIET, "media-one-way", "consent-missing")),
    ),
)
