"""ICE itself: credentials, roles, nomination, patience."""

from __future__ import annotations

from captures.lab.model import Agent, Edit, Expect, Scenario, Step, Until
from captures.lab.topologies import forward_rules, lan, routed

GROUP = "ICE itself"

PATH_FINE = ("one-way-loss", "one-way-nat", "icmp-rejected", "relay-needed")


def aioice(**options: object) -> Agent:
    """A bare aioice agent with options that make it misbehave."""
    return Agent(kind="aioice", options=dict(options))


SCENARIOS = (
    Scenario(
        name="wrong-password",
        title="the answerer is told a wrong ICE password",
        story="""
The offer's ice-pwd is altered on its way to the answerer. The answerer's checks fail the offerer's
integrity check and are refused with 401; the offerer's own checks succeed, and it waits for DTLS.
""",
        topology=lan(),
        edits=(Edit("answerer", "^a=ice-pwd:....", "a=ice-pwd:XXXX"),),
        until=Until("failed", who="answerer", hold=0.0, timeout=60.0),
        expect=Expect(
            "failed",
            ended=("*", "failed"),
            root_cause="bad-credentials",
            direction="answerer -> offerer",
            never=(*PATH_FINE, "role-conflict"),
            mended_by="direct",
            change="carry the offer's ice-pwd unaltered",
        ),
    ),
    Scenario(
        name="wrong-ufrag",
        title="the answerer is told a wrong ICE user fragment",
        story="""
The offer's ice-ufrag is altered on its way to the answerer, in the description and in the candidates: the
answerer's checks name an agent that does not exist, and the offerer's checks name one that the answerer
does not expect. Each refuses the other's with 401.
""",
        topology=lan(),
        edits=(
            Edit("answerer", "^a=ice-ufrag:.*?$", "a=ice-ufrag:XXXX"),
            Edit("answerer", r"ufrag \S+", "ufrag XXXX"),
        ),
        until=Until("failed", hold=0.0, timeout=60.0),
        expect=Expect(
            "failed",
            root_cause="bad-credentials",
            never=(*PATH_FINE, "role-conflict"),
            mended_by="direct",
            change="carry the offer's ice-ufrag unaltered",
        ),
    ),
    Scenario(
        name="wrong-password-aioice",
        title="a wrong ICE password, bare ICE agents",
        story="""
As `wrong-password`, with aioice at both ends: it answers a check it cannot verify with 401.
""",
        topology=lan(),
        offerer=aioice(),
        answerer=aioice(remote_password="thisisnotthepassword00"),
        until=Until("failed", who="answerer", hold=1.0, timeout=110.0),
        expect=Expect(
            "failed",
            ended=("*", "failed"),
            root_cause="bad-credentials",
            direction="answerer -> offerer",
            never=(*PATH_FINE, "role-conflict"),
            mended_by="aioice-direct",
            change="give the answerer the offerer's password",
        ),
    ),
    Scenario(
        name="aioice-direct",
        title="two bare ICE agents, healthy",
        story="ICE and data without DTLS, by aioice at both ends.",
        topology=lan(),
        offerer=aioice(),
        answerer=aioice(),
        expect=Expect("connected", never=(*PATH_FINE, "role-conflict", "bad-credentials")),
    ),
    Scenario(
        name="role-conflict-repaired",
        title="both agents start as controlling, repaired",
        story="Both agents start as controlling. One is answered with 487 and changes its role.",
        topology=lan(),
        offerer=aioice(tie_breaker=2**63),
        answerer=aioice(controlling=True, tie_breaker=2**62),
        expect=Expect("connected", also=("role-conflict",), never=(*PATH_FINE, "bad-credentials")),
    ),
    Scenario(
        name="role-conflict-chromium",
        title="both browsers start as controlling, repaired",
        story="""
The offer is altered to say that the offerer is an ICE-lite agent. The answerer, a full one, therefore takes
the controlling role, as the offerer has done; the browsers repair it.
""",
        topology=lan(),
        edits=(Edit("answerer", "^t=0 0", "t=0 0\r\na=ice-lite"),),
        expect=Expect("connected", also=("role-conflict",), never=(*PATH_FINE, "bad-credentials")),
    ),
    Scenario(
        name="role-conflict",
        title="both agents insist on controlling",
        story="""
Both agents start as controlling and neither gives way. The offerer's tie-breaker is the larger: it answers
each of the answerer's checks with 487. The answerer does not change its role, and gives up.
""",
        topology=lan(),
        offerer=aioice(tie_breaker=2**63, keep_role=True),
        answerer=aioice(controlling=True, tie_breaker=2**62, keep_role=True),
        until=Until("failed", who="answerer", hold=1.0, timeout=60.0),
        expect=Expect(
            "failed",
            ended=("*", "failed"),
            root_cause="role-conflict",
            never=(*PATH_FINE, "bad-credentials"),
            mended_by="role-conflict-repaired",
            change="let the agent with the smaller tie-breaker change its role on 487",
        ),
    ),
    Scenario(
        name="never-nominated",
        title="checks succeed both ways, nobody nominates",
        story="""
The controlling agent checks, sees every check succeed, and never sends USE-CANDIDATE. Both sides wait.
""",
        topology=lan(),
        offerer=aioice(never_nominate=True),
        answerer=aioice(),
        until=Until(name="never", timeout=20.0),
        expect=Expect(
            "checking",
            root_cause="never-nominated",
            never=(*PATH_FINE, "bad-credentials", "role-conflict"),
            mended_by="aioice-direct",
            change="nominate a pair that has succeeded",
        ),
    ),
    Scenario(
        name="late-nomination",
        title="the controlling agent takes ten seconds to nominate",
        story="Checks succeed at once; the controlling agent nominates ten seconds later.",
        topology=lan(),
        offerer=aioice(nominate_after=10),
        answerer=aioice(),
        until=Until(hold=5.0, timeout=40.0),
        expect=Expect("connected", also=("late-nomination",), never=(*PATH_FINE, "never-nominated")),
    ),
    Scenario(
        name="gave-up-early",
        title="the path opens after ten seconds, the agents gave up after four",
        story="""
The router drops UDP for the first ten seconds, as one that is still busy with its link would. Both agents
repeat a check twice and then give up, long before the path is open.
""",
        topology=routed(forward_rules("meta l4proto udp drop")),
        offerer=aioice(retries=2),
        answerer=aioice(retries=2),
        steps=(Step(10.0, "exec", "router", "nft flush ruleset"),),
        until=Until("failed", hold=10.0, timeout=30.0),
        expect=Expect(
            "failed",
            root_cause="no-answer",
            also=("gave-up-early",),
            never=(*PATH_FINE, "bad-credentials", "role-conflict"),
            mended_by="patient",
            change="keep checking until the transaction times out",
        ),
    ),
    Scenario(
        name="patient",
        title="the path opens after ten seconds, the agents are patient",
        story="As `gave-up-early`, with agents that repeat an unanswered check as often as they should.",
        topology=routed(forward_rules("meta l4proto udp drop")),
        offerer=aioice(),
        answerer=aioice(),
        steps=(Step(10.0, "exec", "router", "nft flush ruleset"),),
        until=Until(hold=6.0, timeout=70.0),
        expect=Expect("connected", also=("slow-checks",), never=(*PATH_FINE, "gave-up-early", "no-answer")),
    ),
    Scenario(
        name="bad-request",
        title="checks without USERNAME are refused with 400",
        story="""
The answerer leaves USERNAME out of its checks. The offerer refuses each with 400; its own checks succeed.
""",
        topology=lan(),
        offerer=aioice(),
        answerer=aioice(no_username=True),
        until=Until("failed", who="answerer", hold=1.0, timeout=110.0),
        expect=Expect(
            "failed",
            ended=("*", "failed"),
            root_cause="bad-request",
            direction="answerer -> offerer",
            never=(*PATH_FINE, "role-conflict"),
            mended_by="aioice-direct",
            change="send USERNAME with every check",
        ),
    ),
)
