"""Every labelled call, at every place where it was captured: state, root cause, direction, and nothing wrong said."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest

from tests.diagnose import verdicts
from tests.diagnose.accepted import ACCEPTED
from tests.diagnose.verdicts import Verdict, captures, judge, judge_all, label, said, scenarios

EVERY = [(scenario, vantage) for scenario in scenarios() for vantage in captures(scenario)]
every_place = pytest.mark.parametrize(("scenario", "vantage"), EVERY, ids=["/".join(one) for one in EVERY])


@every_place
def test_right_or_acceptable(scenario: str, vantage: str) -> None:
    verdict = judge(scenario, vantage)
    assert verdict.mark in ("right", "acceptable"), verdict.why


@every_place
def test_a_healthy_call_has_no_error(scenario: str, vantage: str) -> None:
    if label(scenario)["root_cause"]:
        pytest.skip("not healthy")
    assert judge(scenario, vantage).errors == set()


@pytest.mark.parametrize("scenario", scenarios())
def test_what_else_is_true_of_a_call_is_named_somewhere(scenario: str) -> None:
    named = frozenset().union(*(judge(scenario, vantage).named for vantage in captures(scenario)))
    assert set(label(scenario)["also"]) <= named


@pytest.mark.parametrize("scenario", scenarios())
def test_the_advice_names_what_mended_it(scenario: str) -> None:
    """Where the corpus has the same call mended, by a change that the advice names."""
    mended = label(scenario).get("mended_by")
    if not mended or not label(scenario)["root_cause"]:
        pytest.skip("there is no mended twin")
    vantage = list(captures(scenario))[-1]
    advice = " ".join(
        one["advice"].lower()
        for one in said(scenario, vantage).findings
        if one["severity"] == "error" and one["advice"]
    )
    if not said(scenario, vantage).root_cause:
        pytest.skip("no capture can tell")
    if mended["change"] not in MENDS:
        pytest.skip("a change that is not written down here yet")
    assert advice, "a failure without advice"
    assert MENDS[mended["change"]] in advice, (mended["change"], advice)


MENDS = {
    "keep the path open": "look for what changed",
    "keep the path from the offerer to the answerer open": "look for what changed",
    "open the way from the answerer's network to the NAT's outside address": "open the way from",
    "offer a TURN relay that both agents reach": "set up a turn relay that both agents can reach",
    "offer a TURN relay that both agents reach (or open the way to the NAT's outside address)": "set up a turn relay",
    "let the router forward UDP both ways": "let it through",
    "let the router forward both ways": "let it through",
    "let the firewall accept what comes from the NAT's outside address": "let it through",
    "let the answerer check back to the address a check came from (or name a STUN server)": "set up a stun server",
    "send USERNAME with every check": "username",
    "signal the fingerprint of the certificate in use": "fingerprint",
    "let the path carry packets of 1280 bytes": "mtu",
    "let the router forward DTLS from the offerer": "let",
    "let exactly one side be the DTLS client (a=setup)": "a=setup",
    "let the answerer's host accept UDP": "firewall",
    "carry the new credentials of the restart to the answerer": "ufrag",
    "let TCP through to the passive candidates": "let tcp from",
    "offer addresses instead of .local names (or name a STUN server)": "stun server",
    "let the router forward RTP from the offerer": "let",
    "name a STUN server that both agents reach": "set up a stun server",
    "nominate a pair that has succeeded": "nominat",
    "let the agent with the smaller tie-breaker change its role on 487": "487",
    "let the NAT hairpin (or offer a TURN relay, or let the networks talk directly)": "hairpin",
    "make the STUN server answer": "3478",
    "name the STUN server at the answerer too": "stun server",
    "let the Refresh requests through": "refresh",
    "let the TURN server relay to these peers": "peer",
    "keep the TURN server running": "turn server",
    "keep the NAT's mapping alive (or restart ICE with a new allocation)": "restart ice",
    "raise the user's quota, or give each client a user of its own": "quota",
    "give the agents the right TURN password": "password",
    "name the TURN server with TCP as well": "transport=tcp",
    "carry the offer's ice-pwd unaltered": "ice-pwd",
    "give the answerer the offerer's password": "ice-pwd",
    "carry the offer's ice-ufrag unaltered": "ice-ufrag",
}
"""What mended a call, in the label's words -> what an advice says that names it."""


def test_no_acceptance_is_idle() -> None:
    """What is accepted and does not occur would hide a verdict that gets worse."""
    verdicts_by_place = {f"{one.scenario}/{one.vantage}": one for one in judge_all()}
    idle = [
        pattern
        for pattern in ACCEPTED
        if not any(fnmatch(place, pattern) and one.mark == "acceptable" for place, one in verdicts_by_place.items())
    ]
    assert idle == []


def test_a_wrong_cause_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge itself: a call that is said to be lost one way is not one that was refused."""
    told = said("one-way-drop", "offerer")
    monkeypatch.setattr(verdicts, "said", lambda *_: told)
    assert judge("one-way-drop", "offerer").mark == "right"
    assert judge("icmp-admin-prohibited", "offerer").mark == "wrong"
    assert judge("routed", "offerer").mark == "wrong"
    assert "direction" in judge("host-firewall", "offerer").why or judge("host-firewall", "offerer").mark == "right"


def test_the_page_is_current() -> None:
    wanted = verdicts.page(list(judge_all()))
    assert verdicts.PAGE.read_text(encoding="utf-8") == wanted, "python -m tests.diagnose.verdicts --write"


def test_the_page_shows_what_is_wrong() -> None:
    one = Verdict("direct", "offerer", "failed", "no-answer", "a -> b", "wrong", "why", frozenset(), frozenset())
    assert "| direct | connected | offerer | failed, `no-answer` | a → b | **wrong**: why |" in verdicts.page([one])
