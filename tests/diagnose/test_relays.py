"""What TURN servers refuse, forget and let expire: told where it harmed, and only there."""

from __future__ import annotations

import pytest

from tests.diagnose.calls import causes, checks, found, lab, only
from tests.diagnose.relayed import CHALLENGED, asked, bound, granted, permitted, relayed, sent

DIRECT = checks("C > P", "d", 25)
"""Checks past the relay, in vain: there is a session, and it fails."""
DIRECT_WORKS = checks("C > P", "d", 25, answer="P > C success ID mapped=C", and_="controlling use")
BACK_WORKS = checks("P > C", "e", 25, user="a:b", answer="C > P success ID mapped=P", and_="controlled")
BACK_WORKS += "".join(f"{at}.5 C > P rtp\n{at}.6 P > C rtp\n" for at in range(1, 17))
HEALTHY = [
    *("turn-udp/offerer", "turn-tcp/server", "turn-short-lifetime/server", "turn-long/offerer", "aioice-turn/server"),
    *("media-turn/offerer", "nats-symmetric-turn/server", "asymmetric-dead-turn/offerer"),
]
TURN = [
    *("turn-unauthorized", "turn-forbidden", "turn-refused", "turn-mismatch", "turn-allocation-expired"),
    *("turn-server-lost", "turn-permission-missing", "turn-channel-expired"),
]


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_relays_have_no_finding(name: str) -> None:
    trace = lab(name)
    assert not [one for rule in TURN for one in found(trace, rule)]


# turn-unauthorized


@pytest.mark.rule("turn-unauthorized", "fires")
def test_wrong_password() -> None:
    trace = lab("turn-wrong-password/offerer")
    hit = only(trace, "turn-unauthorized")
    assert causes(trace) == ["turn-unauthorized"]
    assert (hit["severity"], hit["confidence"]) == ("error", "high")
    assert hit["dst"] == "203.0.113.5:3478" and "'lab'" in hit["summary"]


@pytest.mark.rule("turn-unauthorized", "fires")
def test_wrong_password_seen_at_the_server_names_both_clients_once() -> None:
    hit = only(lab("turn-wrong-password/server"), "turn-unauthorized")
    assert hit["session_id"] is None and hit["severity"] == "error"
    assert "203.0.113.10:" in hit["summary"] and "203.0.113.20:" in hit["summary"]


@pytest.mark.rule("turn-unauthorized", "fires")
def test_expired_temporary_user_is_named() -> None:
    """The user name is a time, 10 s before the capture begins (1700000000)."""
    refused = asked(0.02, "allocate", "a2", "", "error ID code=401").replace("user=ann", "user=1699999990:ann")
    hit = only(relayed(CHALLENGED, refused, DIRECT), "turn-unauthorized")
    assert "2023-11-14T22:13:10" in hit["advice"] and "before the request" in hit["advice"]


@pytest.mark.rule("turn-unauthorized", "fires")
def test_nonce_that_is_stale_at_once() -> None:
    stale = [asked(0.02 + 0.1 * n, "allocate", f"a{n + 2}", "", "error ID code=438") for n in range(3)]
    hit = only(relayed(CHALLENGED, *stale, DIRECT), "turn-unauthorized")
    assert "438" in hit["summary"] and "behind one address" in hit["advice"]


@pytest.mark.rule("turn-unauthorized", "quiet")
def test_first_challenge_is_normal() -> None:
    assert not found(relayed(granted(), permitted()), "turn-unauthorized")


@pytest.mark.rule("turn-unauthorized", "near miss")
def test_one_stale_nonce_for_several_requests_under_way_is_normal() -> None:
    """Three requests leave before the first 438 comes back, then each is repeated with the new nonce."""
    old = [
        f"0.2 C > S create-permission request p{n} user=ann realm=example key=a:b:c peer={n}.0.0.1:1" for n in (1, 2)
    ]
    old += [f"0.21 S > C create-permission error p{n} code=438" for n in (1, 2)]
    new = [asked(0.3 + n / 100, "create-permission", f"q{n}", f"peer={n}.0.0.1:1", "success ID") for n in (1, 2)]
    assert not found(relayed(granted(), "\n".join(old), *new), "turn-unauthorized")


@pytest.mark.rule("turn-unauthorized", "near miss")
def test_wrong_credentials_that_were_put_right_are_no_finding() -> None:
    wrong = asked(0.02, "allocate", "a2", "", "error ID code=401")
    right = asked(0.5, "allocate", "a3", "", "success ID relayed=R mapped=N lifetime=600")
    assert not found(relayed(CHALLENGED, wrong, right, DIRECT), "turn-unauthorized")


# turn-forbidden


@pytest.mark.rule("turn-forbidden", "fires")
def test_every_peer_is_forbidden() -> None:
    trace = lab("turn-forbidden/offerer")
    hit = only(trace, "turn-forbidden")
    assert causes(trace) == ["turn-forbidden"] and hit["severity"] == "error"
    assert "203.0.113.20" in hit["summary"] and "denied-peer-ip" in hit["advice"]


@pytest.mark.rule("turn-forbidden", "quiet")
def test_permitted_peers() -> None:
    assert not found(relayed(granted(), permitted(), DIRECT), "turn-forbidden")


@pytest.mark.rule("turn-forbidden", "near miss")
def test_forbidding_a_private_address_while_allowing_the_public_one_is_no_error() -> None:
    private = asked(0.2, "create-permission", "p9", "peer=10.9.9.9:1", "error ID code=403")
    hit = only(relayed(granted(), permitted(), private, DIRECT), "turn-forbidden")
    assert hit["severity"] == "warning" and "while it allows 198.51.100.7" in hit["summary"]


# turn-refused


@pytest.mark.rule("turn-refused", "fires")
def test_quota() -> None:
    trace = lab("turn-quota/answerer")
    hit = only(trace, "turn-refused")
    assert causes(trace) == ["turn-refused"] and hit["severity"] == "error"
    assert "486 Allocation Quota Reached" in hit["summary"] and "user-quota" in hit["advice"]


@pytest.mark.rule("turn-refused", "fires")
@pytest.mark.parametrize(
    ("code", "word"), [(508, "min-port"), (440, "family"), (442, "no-udp-relay"), (441, "credentials")]
)
def test_each_code_has_its_advice(code: int, word: str) -> None:
    trace = relayed(CHALLENGED, asked(0.02, "allocate", "a2", "", f"error ID code={code}"), DIRECT)
    hit = only(trace, "turn-refused")
    assert f" {code} " in hit["summary"] and word in hit["advice"]
    assert causes(trace) == ["turn-refused"]


@pytest.mark.rule("turn-refused", "quiet")
def test_nothing_refused() -> None:
    assert not found(relayed(granted(), permitted(), DIRECT), "turn-refused")


@pytest.mark.rule("turn-refused", "near miss")
def test_another_server_made_it_good() -> None:
    """486 from one server, a relay from the other: a warning, since the agent has its relay."""
    other = asked(0.5, "allocate", "a3", "", "success ID relayed=R mapped=N lifetime=600", server="T")
    hit = only(
        relayed(CHALLENGED, asked(0.02, "allocate", "a2", "", "error ID code=486"), other, DIRECT), "turn-refused"
    )
    assert hit["severity"] == "warning"


@pytest.mark.rule("turn-refused", "near miss")
def test_try_alternate_that_was_followed_is_no_finding() -> None:
    other = asked(0.5, "allocate", "a3", "", "success ID relayed=R mapped=N lifetime=600", server="T")
    trace = relayed(CHALLENGED, asked(0.02, "allocate", "a2", "", "error ID code=300"), other, DIRECT)
    assert not found(trace, "turn-refused")


def test_a_refusal_on_a_call_that_connects_is_a_warning() -> None:
    trace = relayed(CHALLENGED, asked(0.02, "allocate", "a2", "", "error ID code=486"), DIRECT_WORKS, BACK_WORKS)
    assert causes(trace) == [""]
    assert only(trace, "turn-refused")["severity"] == "warning"


# turn-mismatch


@pytest.mark.rule("turn-mismatch", "fires")
@pytest.mark.parametrize("place", ["offerer", "nat-a-outside", "server"])
def test_rebinding_names_the_address_before(place: str) -> None:
    """The port before is what the NAT gave the allocation; the label's NAT gives 20000 to 29999 afterwards."""
    trace = lab(f"turn-mismatch/{place}")
    hit = only(trace, "turn-mismatch")
    assert causes(trace) == ["turn-mismatch"]
    assert (hit["severity"], hit["confidence"]) == ("error", "high")
    before = trace.table("allocations").values("mapped")[0]
    assert before in hit["summary"]
    assert not found(trace, "turn-allocation-expired") and not found(trace, "turn-server-lost")


@pytest.mark.rule("turn-mismatch", "quiet")
def test_refreshes_that_are_granted() -> None:
    again = asked(300, "refresh", "r1", "", "success ID lifetime=600")
    assert not found(relayed(granted(), again, end=400), "turn-mismatch")


@pytest.mark.rule("turn-mismatch", "near miss")
def test_giving_back_what_is_gone_is_no_finding() -> None:
    gone = asked(30, "refresh", "r1", "lifetime=0", "error ID code=437")
    assert not found(relayed(granted(), DIRECT, gone), "turn-mismatch")


# turn-allocation-expired


@pytest.mark.rule("turn-allocation-expired", "fires")
@pytest.mark.parametrize("place", ["offerer", "nat-a-outside", "server"])
def test_refresh_dropped(place: str) -> None:
    trace = lab(f"turn-allocation-expired/{place}")
    hit = only(trace, "turn-allocation-expired")
    assert causes(trace) == ["turn-allocation-expired"] and hit["severity"] == "error"
    assert "lifetime is 20 s" in hit["summary"]
    assert hit["confidence"] == ("high" if place == "offerer" else "medium")  # only there are the requests seen
    assert not found(trace, "turn-server-lost")


@pytest.mark.rule("turn-allocation-expired", "quiet")
def test_refreshed_in_time() -> None:
    assert not found(lab("turn-short-lifetime/offerer"), "turn-allocation-expired")


@pytest.mark.rule("turn-allocation-expired", "near miss")
def test_expired_and_not_used_any_more() -> None:
    trace = relayed(granted(20), permitted(), sent("send P", 1, 15, 0.7), end=60)
    assert trace.table("allocations").values("state") == ["expired"]
    assert not found(trace, "turn-allocation-expired")


@pytest.mark.rule("turn-allocation-expired", "near miss")
def test_server_that_goes_on_relaying_has_its_own_idea_of_the_lifetime() -> None:
    trace = relayed(granted(20), permitted(), sent("send P", 1, 50, 0.7, answered=True), end=60)
    assert not found(trace, "turn-allocation-expired")


# turn-server-lost


@pytest.mark.rule("turn-server-lost", "fires")
@pytest.mark.parametrize("place", ["offerer", "answerer", "server"])
def test_server_killed(place: str) -> None:
    trace = lab(f"turn-killed/{place}")
    hit = only(trace, "turn-server-lost")
    assert causes(trace) == ["turn-server-lost"] and hit["severity"] == "error"
    assert "port unreachable" in hit["summary"] and "203.0.113.5:3478" in hit["summary"]


@pytest.mark.rule("turn-server-lost", "fires")
def test_server_that_falls_silent() -> None:
    silent = "".join(
        f"{20 + at} C > S refresh request r1 user=ann realm=example key=a:b:c\n" for at in (0, 0.5, 1.5, 3.5)
    )
    through = sent("send P", 1, 15, 1, answered=True) + sent("send P", 15, 40, 1, name="j")
    trace = relayed(granted(), permitted(), through, silent)
    hit = only(trace, "turn-server-lost")
    assert hit["confidence"] == "medium" and "the way to it is cut" in hit["summary"]


@pytest.mark.rule("turn-server-lost", "quiet")
def test_server_that_answers() -> None:
    assert not found(lab("turn-udp/offerer", "turn-udp/answerer", "turn-udp/server"), "turn-server-lost")


@pytest.mark.rule("turn-server-lost", "near miss")
def test_relay_given_back_without_an_answer_is_how_calls_end() -> None:
    close = "30 C > S refresh request r1 user=ann realm=example key=a:b:c lifetime=0\n"
    assert not found(relayed(granted(), permitted(), DIRECT, close, end=90), "turn-server-lost")


# turn-permission-missing


@pytest.mark.rule("turn-permission-missing", "fires")
def test_permission_never_asked_for() -> None:
    """Peer Q has no permission: that of P is for P's address only (RFC 8656 section 9)."""
    trace = relayed(granted(), permitted(), sent("send Q", 1, 30, 0.7))
    hit = only(trace, "turn-permission-missing")
    assert causes(trace) == ["turn-permission-missing"]
    assert (hit["severity"], hit["src"], hit["dst"]) == ("error", "192.0.2.1:49152", "198.51.100.8:8000")
    assert "never asked" in hit["summary"]


@pytest.mark.rule("turn-permission-missing", "fires")
def test_permission_not_refreshed() -> None:
    """Granted at 0.11 s, so it ends at 300.11 s; answers come until then, and checks go on to 360 s."""
    trace = relayed(
        *(granted(3600), permitted()),
        *(sent("send P", 1, 300, 5, answered=True), sent("send P", 301, 360, 2, name="j")),
        end=400,
    )
    hit = only(trace, "turn-permission-missing")
    assert hit["confidence"] == "high" and "ended" in hit["summary"] and "300 s" in hit["advice"]
    assert str(hit["time"]).startswith("2023-11-14T22:18:20.1")  # 1700000000 is 22:13:20


@pytest.mark.rule("turn-permission-missing", "quiet")
def test_permission_for_all_ports_of_an_address() -> None:
    trace = relayed(granted(), permitted(peer="198.51.100.8:1"), sent("send Q", 1, 30, 0.7))
    assert not found(trace, "turn-permission-missing")


@pytest.mark.rule("turn-permission-missing", "near miss")
def test_refused_permission_is_not_a_missing_one() -> None:
    refused = asked(0.2, "create-permission", "p2", "peer=Q", "error ID code=403")
    trace = relayed(granted(), refused, sent("send Q", 1, 30, 0.7))
    assert not found(trace, "turn-permission-missing")
    assert causes(trace) == ["turn-forbidden"]


@pytest.mark.rule("turn-permission-missing", "near miss")
def test_peer_that_answers_through_the_relay_after_300_s_is_permitted() -> None:
    """As a server that counts otherwise would have it."""
    trace = relayed(granted(3600), permitted(), sent("send P", 1, 360, 5, answered=True), end=400)
    assert not found(trace, "turn-permission-missing")


# turn-channel-expired


@pytest.mark.rule("turn-channel-expired", "fires")
def test_channel_never_bound() -> None:
    trace = relayed(granted(), permitted(), sent("channel 0x4001", 1, 30, 0.7))
    hit = only(trace, "turn-channel-expired")
    assert "0x4001" in hit["summary"] and "never bound" in hit["summary"] and hit["dst"] == "192.0.2.1:3478"


@pytest.mark.rule("turn-channel-expired", "fires")
def test_channel_not_bound_again() -> None:
    """Bound at 0.11 s for 600 s; the permission is kept alive beside it."""
    renewed = [permitted(at, name=f"p{at}") for at in (200, 400, 600)]
    trace = relayed(
        *(granted(3600), bound(), *renewed),
        *(sent("channel 0x4000", 1, 600, 5, answered=True), sent("channel 0x4000", 601, 660, 2, name="j")),
        end=700,
    )
    hit = only(trace, "turn-channel-expired")
    assert causes(trace) == ["turn-channel-expired"]
    assert hit["confidence"] == "high" and "198.51.100.7:7000" in hit["summary"] and "600 s" in hit["advice"]
    assert not found(trace, "turn-permission-missing")


@pytest.mark.rule("turn-channel-expired", "quiet")
def test_channel_bound_again() -> None:
    again = [bound(at, name=f"b{at}") for at in (250, 500)]
    trace = relayed(granted(3600), bound(), *again, sent("channel 0x4000", 1, 660, 5, answered=True), end=700)
    assert not found(trace, "turn-channel-expired")


@pytest.mark.rule("turn-channel-expired", "near miss")
def test_channel_of_an_allocation_that_is_gone_is_not_what_failed() -> None:
    """A new port behind the NAT goes on with the old channel: 437 says what is wrong."""
    assert not found(lab("turn-mismatch/server"), "turn-channel-expired")
    assert not found(lab("turn-allocation-expired/offerer"), "turn-channel-expired")


def test_credentials_that_end_in_mid_call() -> None:
    """Refresh is refused with 401 at 15 s, the relay of 20 s expires, the client goes on."""
    refused = asked(15, "refresh", "r1", "lifetime=20", "error ID code=401")
    through = sent("send P", 1, 19, 1, answered=True) + sent("send P", 20, 40, 1, name="j")
    trace = relayed(granted(20), permitted(), through, refused)
    hit = only(trace, "turn-allocation-expired")
    assert "refused to refresh it (401" in hit["summary"] and "for the whole call" in hit["advice"]
    assert found(trace, "turn-unauthorized") and causes(trace) == ["turn-allocation-expired"]
