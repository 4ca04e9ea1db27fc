"""ICE itself: what agents refuse, who they think the other one is, who nominates, and how long they try."""

from __future__ import annotations

import io
import time
from struct import pack, unpack_from

import pytest

import stunpcap
from tests.diagnose.calls import ENDS, call, causes, checks, found, lab, only
from tests.ice.transcript import read, transcript

GOOD_A = "B > A success ID mapped=A"
GOOD_B = "A > B success ID mapped=B"
REFUSED = "A > B error ID code=401"
A_LEADS = checks("A > B", "a", answer=GOOD_A, and_="controlling use")
B_FOLLOWS = checks("B > A", "b", user="a:b", answer=GOOD_B, and_="controlled")
HEALTHY = (A_LEADS, B_FOLLOWS)


def ends(hit: dict[str, object]) -> tuple[str, str]:
    """Sender and receiver, without ports."""
    return str(hit["src"]).rpartition(":")[0], str(hit["dst"]).rpartition(":")[0]


@pytest.mark.parametrize(
    "name",
    [
        *("bad-credentials", "bad-request", "role-conflict", "ice-tcp-refused", "never-nominated", "late-nomination"),
        *("pair-switched", "ice-restart", "ice-restart-incomplete", "slow-checks", "early-checks", "gave-up-early"),
    ],
)
def test_a_healthy_call_has_nothing_of_it(name: str) -> None:
    for vantage in ("offerer", "answerer"):
        assert not found(lab(f"routed/{vantage}"), name)
    assert not found(call(*HEALTHY, end=15), name)


# Credentials


@pytest.mark.rule("bad-credentials", "fires")
@pytest.mark.parametrize("scenario", ["wrong-password", "wrong-password-aioice"])
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_a_wrong_password_is_named_with_who_has_it(scenario: str, vantage: str) -> None:
    """The answerer was told a wrong password: its checks are refused."""
    trace = lab(f"{scenario}/{vantage}")
    hit = only(trace, "bad-credentials")
    assert causes(trace) == ["bad-credentials"]
    assert ends(hit) == ("192.168.10.20", "192.168.10.10")
    assert (hit["severity"], hit["confidence"]) == ("error", "high")
    assert "401" in hit["summary"] and "a=ice-pwd" in hit["advice"]


@pytest.mark.rule("bad-credentials", "fires")
def test_a_wrong_fragment_is_named_with_the_right_one() -> None:
    """The answerer addresses XXXX: two sessions, and both say that it is the answerer who was told wrong."""
    trace = lab("wrong-ufrag/offerer")
    assert causes(trace) == ["bad-credentials", "bad-credentials"]
    one, other = found(trace, "bad-credentials")
    assert "XXXX" in one["summary"] and "p1Mk" in one["summary"]
    assert all("192.168.10.20:51347" in hit["advice"] and "told a wrong" in hit["advice"] for hit in (one, other))


@pytest.mark.rule("credentials-mismatch", "fires")
@pytest.mark.rule("bad-credentials", "near miss")
def test_a_wrong_fragment_without_any_answer() -> None:
    """Agents that drop such checks in silence: the two names for one agent tell."""
    trace = call(checks("A > B", "a", user="x:a"), checks("B > A", "b", user="a:b"))
    assert set(causes(trace)) == {"credentials-mismatch"} and not found(trace, "bad-credentials")
    one = found(trace, "credentials-mismatch")[0]
    assert "they name it x, and it calls itself b" in one["summary"]
    assert one["confidence"] == "medium"


@pytest.mark.rule("credentials-mismatch", "quiet")
def test_names_that_fit_are_no_mismatch() -> None:
    assert not found(call(checks("A > B", "a"), checks("B > A", "b", user="a:b")), "credentials-mismatch")


@pytest.mark.rule("credentials-mismatch", "near miss")
def test_who_says_so_with_401_needs_no_guess() -> None:
    assert not found(lab("wrong-ufrag/offerer"), "credentials-mismatch")


@pytest.mark.rule("bad-credentials", "fires")
def test_a_password_that_does_not_fit() -> None:
    """RFC 8445 section 7.2.2: a check is keyed with the password of the agent that is asked."""
    text = "A = 10.0.0.1:1000\nB = 10.0.0.2:2000\n" + "\n".join(
        f"{number / 2} A > B request a{number} user=b:a prio=1 key=stale" for number in range(9)
    )
    trace = read(text + "\n60 end", passwords={"b": "right"})
    hit = only(trace, "bad-credentials")
    assert "MESSAGE-INTEGRITY" in hit["summary"] and hit["severity"] == "error"
    assert not found(read(text + "\n60 end", passwords={"b": "stale"}), "bad-credentials")


@pytest.mark.rule("bad-credentials", "quiet")
def test_no_credentials_are_wrong_where_nobody_answers() -> None:
    assert not found(call(checks("A > B", "a"), checks("B > A", "b", user="a:b")), "bad-credentials")


@pytest.mark.rule("bad-credentials", "near miss")
def test_a_refusal_that_is_followed_by_success_was_no_fault() -> None:
    early = checks("A > B", "x", 3, start=-3, answer="B > A error ID code=401")
    assert not found(call(early, *HEALTHY), "bad-credentials")


@pytest.mark.rule("bad-credentials", "near miss")
def test_the_challenge_of_a_turn_server_is_none() -> None:
    assert not found(lab("turn-udp/offerer"), "bad-credentials")


@pytest.mark.rule("bad-credentials", "near miss")
def test_two_names_one_after_the_other_are_no_wrong_name() -> None:
    """B knew a first, and a2 when the other's checks had stopped: an attempt that was made again."""
    later = checks("B > A", "b", user="a2:b2", start=30)
    assert not found(call(checks("A > B", "a", 10), later), "bad-credentials")


# Form


@pytest.mark.rule("bad-request", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_a_check_without_username_is_a_bad_request(vantage: str) -> None:
    trace = lab(f"bad-request/{vantage}")
    hit = only(trace, "bad-request")
    assert causes(trace) == ["bad-request"]
    assert ends(hit) == ("192.168.10.20", "192.168.10.10")
    assert "no USERNAME" in hit["summary"] and "stunpcap show" in hit["advice"]


@pytest.mark.rule("bad-request", "fires")
def test_an_unknown_attribute_is_named() -> None:
    refused = checks("A > B", "a", answer="B > A error ID code=420 unknown=0024", and_="use")
    hit = only(call(refused, B_FOLLOWS), "bad-request")
    assert "420" in hit["summary"] and "0x0024" in hit["evidence"]


@pytest.mark.rule("bad-request", "quiet")
def test_no_bad_request_where_the_secret_is_wrong() -> None:
    assert not found(call(checks("B > A", "b", user="a:b", answer=REFUSED)), "bad-request")


@pytest.mark.rule("bad-request", "near miss")
def test_a_request_that_was_mended_is_no_bad_request() -> None:
    first = checks("A > B", "x", 2, start=-2, answer="B > A error ID code=420 unknown=0024", and_="use")
    assert not found(call(first, *HEALTHY), "bad-request")


# Roles


@pytest.mark.rule("role-conflict", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_a_role_conflict_that_nobody_repairs_is_the_cause(vantage: str) -> None:
    trace = lab(f"role-conflict/{vantage}")
    hit = only(trace, "role-conflict")
    assert causes(trace) == ["role-conflict"]
    assert (hit["severity"], hit["confidence"]) == ("error", "high")
    assert hit["src"].startswith("192.168.10.20:") and "487" in hit["summary"]


@pytest.mark.rule("role-conflict", "fires")
@pytest.mark.parametrize("scenario", ["role-conflict-repaired", "role-conflict-chromium"])
def test_a_role_conflict_that_is_repaired_is_a_warning(scenario: str) -> None:
    trace = lab(f"{scenario}/offerer")
    assert only(trace, "role-conflict")["severity"] == "warning"
    assert causes(trace) == [""]


@pytest.mark.rule("role-conflict", "fires")
def test_the_same_role_without_a_refusal() -> None:
    """RFC 8445 section 7.3.1.1: with the larger tie-breaker at the other end one changes without a word."""
    changed = checks("B > A", "c", 10, start=7.0, user="a:b", answer=GOOD_B, and_="controlled")
    same = checks("B > A", "b", 4, user="a:b", answer=GOOD_B, and_="controlling")
    assert only(call(A_LEADS, same, changed), "role-conflict")["severity"] == "warning"


@pytest.mark.rule("role-conflict", "quiet")
def test_no_conflict_of_two_roles() -> None:
    assert not found(call(*HEALTHY), "role-conflict")


@pytest.mark.rule("role-conflict", "near miss")
def test_a_change_of_role_at_a_restart_is_no_conflict() -> None:
    """Each generation has its own roles (RFC 8445 section 9)."""
    second = (
        checks("A > B", "c", start=20, user="d:c", answer=GOOD_A, and_="controlled"),
        checks("B > A", "d", start=20, user="c:d", answer=GOOD_B, and_="controlling use"),
    )
    assert not found(call(*HEALTHY, *second), "role-conflict")


# TCP candidates

TCP = "A = 10.0.0.1:1000\nB = 10.0.0.2:2000\nC = 10.0.0.1:41000\nD = 10.0.0.2:52000\nW = 10.0.0.9:52000\n"


def tcp(*lines: str) -> str:
    asked = [f"{number / 2} A > B request a{number} user=b:a prio=1" for number in range(40)]
    timed = sorted([*asked, *lines], key=lambda line: float(line.split()[0]))
    return TCP + "\n".join(timed) + "\n60 end\n"


@pytest.mark.rule("ice-tcp-refused", "fires")
def test_a_reset_from_a_passive_candidate() -> None:
    trace = lab("ice-tcp-refused/answerer")
    hit = only(trace, "ice-tcp-refused")
    assert causes(trace) == ["ice-tcp-refused"]
    assert ends(hit) == ("192.168.20.20", "192.168.10.10") and "reset" in hit["summary"]


@pytest.mark.rule("ice-tcp-refused", "fires")
def test_a_silent_passive_candidate_explains_nothing() -> None:
    """Silence over TCP says no more than silence over UDP."""
    trace = read(tcp(*(f"{at} C > D syn" for at in (1.0, 2.0, 4.0))))
    assert only(trace, "ice-tcp-refused")["confidence"] == "low"
    assert causes(trace) == ["no-answer"]


@pytest.mark.rule("ice-tcp-refused", "quiet")
def test_no_refusal_of_a_connection_that_is_accepted() -> None:
    assert not found(read(tcp("1.0 C > D syn", "1.01 D > C syn-ack")), "ice-tcp-refused")
    assert not found(lab("ice-tcp/answerer"), "ice-tcp-refused")


@pytest.mark.rule("ice-tcp-refused", "near miss")
def test_a_reset_from_another_host_is_no_candidate() -> None:
    assert not found(read(tcp("1.0 C > W syn", "1.01 W > C rst")), "ice-tcp-refused")


@pytest.mark.rule("ice-tcp-refused", "near miss")
def test_a_reset_long_after_the_checks_is_no_candidate() -> None:
    assert not found(read(tcp("50.0 C > D syn", "50.01 D > C rst")), "ice-tcp-refused")


# Nominations

A_ASKS = checks("A > B", "a", 4, answer=GOOD_A, and_="controlling")
B_ASKS = checks("B > A", "b", 4, user="a:b", answer=GOOD_B, and_="controlled")


@pytest.mark.rule("never-nominated", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_nobody_nominates(vantage: str) -> None:
    trace = lab(f"never-nominated/{vantage}")
    hit = only(trace, "never-nominated")
    assert causes(trace) == ["never-nominated"]
    assert hit["src"].startswith("192.168.10.10:"), "the controlling agent"


@pytest.mark.rule("never-nominated", "fires")
def test_the_longer_nobody_nominates_the_surer() -> None:
    assert only(call(A_ASKS, B_ASKS, end=60), "never-nominated")["confidence"] == "high"
    assert only(call(A_ASKS, B_ASKS, end=6), "never-nominated")["confidence"] == "medium"


@pytest.mark.rule("never-nominated", "quiet")
def test_a_nomination_is_one() -> None:
    assert not found(call(*HEALTHY), "never-nominated")


@pytest.mark.rule("never-nominated", "near miss")
def test_a_capture_that_ends_with_the_checks_does_not_tell() -> None:
    assert not found(call(A_ASKS, B_ASKS, end=2.5), "never-nominated")


@pytest.mark.rule("never-nominated", "near miss")
def test_a_pair_that_works_one_way_waits_for_no_nomination() -> None:
    assert not found(call(A_ASKS, checks("B > A", "b", user="a:b", and_="controlled")), "never-nominated")


@pytest.mark.rule("never-nominated", "near miss")
def test_messages_that_were_cut_may_have_lost_the_nomination() -> None:
    lines = sorted((A_ASKS + B_ASKS).splitlines(), key=lambda line: float(line.split()[0]))
    whole = transcript(ENDS + "\n".join(lines) + "\n60 end").capture()
    assert found(stunpcap.read(io.BytesIO(whole)), "never-nominated")
    assert not found(stunpcap.read(io.BytesIO(snapped(whole, 90))), "never-nominated")


@pytest.mark.rule("never-nominated", "near miss")
def test_consent_of_a_session_that_was_up_before_shows_the_pair_in_use() -> None:
    late = (
        checks("A > B", "a", 9, every=5, answer=GOOD_A, and_="controlling"),
        checks("B > A", "b", 9, start=2, every=5, user="a:b", answer=GOOD_B, and_="controlled"),
    )
    trace = call(*late, end=60)
    assert not found(trace, "never-nominated")
    session = next(trace.table("sessions").records())
    assert (session["state"], session["selected_by"]) == ("connected", "consent")


def snapped(capture: bytes, size: int) -> bytes:
    """A pcap capture as with a snap length."""
    result, at = capture[:24], 24
    while at < len(capture):
        second, part, length, wire = unpack_from("<IIII", capture, at)
        kept = min(size, length)
        result += pack("<IIII", second, part, kept, wire) + capture[at + 16 : at + 16 + kept]
        at += 16 + length
    return result


@pytest.mark.rule("late-nomination", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_a_nomination_that_takes_ten_seconds(vantage: str) -> None:
    trace = lab(f"late-nomination/{vantage}")
    assert "10 s after" in only(trace, "late-nomination")["summary"]
    assert causes(trace) == [""]


def nominating(at: float) -> str:
    return checks("A > B", "n", 3, start=at, answer=GOOD_A, and_="controlling use")


@pytest.mark.rule("late-nomination", "quiet")
def test_a_prompt_nomination() -> None:
    assert not found(call(A_ASKS, B_ASKS, nominating(2.9)), "late-nomination")


@pytest.mark.rule("late-nomination", "near miss")
def test_a_late_first_success_is_no_late_nomination() -> None:
    silent = checks("A > B", "a", 14, and_="controlling")
    assert not found(call(silent, nominating(10), checks("B > A", "b", user="a:b", start=10, answer=GOOD_B)),
                     "late-nomination")  # fmt: skip


@pytest.mark.rule("pair-switched", "fires")
@pytest.mark.parametrize("vantage", ["answerer", "nat-a-outside"])
def test_a_nat_that_gives_a_new_port_makes_a_new_pair(vantage: str) -> None:
    trace = lab(f"nat-rebinding/{vantage}")
    assert only(trace, "pair-switched")["severity"] == "info"
    assert causes(trace) == [""]


SECOND_PAIR = "A = 192.168.1.10:1000\nB = 10.20.0.20:2000\nC = 192.168.1.11:3000\n"


def on_second_pair(at: float) -> str:
    return checks("C > B", "c", 3, start=at, answer="B > C success ID mapped=C", and_="controlling use") + checks(
        "B > C", "d", 3, start=at, user="a:b", answer="C > B success ID mapped=B", and_="controlled"
    )


@pytest.mark.rule("pair-switched", "quiet")
def test_one_pair_is_no_switch() -> None:
    assert not found(call(*HEALTHY), "pair-switched")


@pytest.mark.rule("pair-switched", "near miss")
def test_two_nominations_in_the_first_moments_are_no_switch() -> None:
    assert not found(call(*HEALTHY, on_second_pair(1.0), ends=SECOND_PAIR), "pair-switched")
    assert found(call(*HEALTHY, on_second_pair(9.0), ends=SECOND_PAIR), "pair-switched")


# Restarts


def restarted(user_a: str, user_b: str, start: float = 8.0) -> tuple[str, ...]:
    return (
        checks("A > B", "e", start=start, user=user_a, answer=GOOD_A, and_="controlling use"),
        checks("B > A", "f", start=start, user=user_b, answer=GOOD_B, and_="controlled"),
    )


FIRST = (
    checks("A > B", "a", 8, answer=GOOD_A, and_="controlling use"),
    checks("B > A", "b", 8, user="a:b", answer=GOOD_B, and_="controlled"),
)


@pytest.mark.rule("ice-restart", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_a_restart_of_both(vantage: str) -> None:
    trace = lab(f"ice-restart/{vantage}")
    hit = only(trace, "ice-restart")
    assert (hit["severity"], hit["session_id"]) == ("info", 2)
    assert not found(trace, "ice-restart-incomplete")


@pytest.mark.rule("ice-restart", "fires")
def test_a_restart_on_the_same_ports() -> None:
    assert "new username fragments" in only(call(*FIRST, *restarted("d:c", "c:d")), "ice-restart")["evidence"]


@pytest.mark.rule("ice-restart", "quiet")
def test_no_restart_without_new_names() -> None:
    assert not found(call(*FIRST, *restarted("b:a", "a:b")), "ice-restart")


@pytest.mark.rule("ice-restart", "near miss")
def test_a_restart_of_one_side_is_none_of_both() -> None:
    assert not found(lab("ice-restart-incomplete/offerer"), "ice-restart")


@pytest.mark.rule("ice-restart-incomplete", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_a_restart_that_one_side_does_not_know_of(vantage: str) -> None:
    trace = lab(f"ice-restart-incomplete/{vantage}")
    hit = only(trace, "ice-restart-incomplete")
    assert causes(trace) == ["", "ice-restart-incomplete"]
    assert ends(hit) == ("192.168.10.10", "192.168.20.20") and hit["severity"] == "error"


@pytest.mark.rule("ice-restart-incomplete", "quiet")
def test_a_complete_restart_is_not_incomplete() -> None:
    assert not found(call(*FIRST, *restarted("d:c", "c:d")), "ice-restart-incomplete")


@pytest.mark.rule("ice-restart-incomplete", "near miss")
def test_a_client_that_calls_a_server_again_restarts_nothing() -> None:
    """The server has one name for all, and the client a new one for each call: the old session has ended."""
    again = checks("A > B", "e", start=20, user="b:c", answer=GOOD_A, and_="controlling use")
    first = checks("A > B", "a", 8, answer=GOOD_A, and_="controlling use")
    assert not found(call(first, again), "ice-restart-incomplete")


# Time


@pytest.mark.rule("slow-checks", "fires")
@pytest.mark.parametrize("scenario", ["lossy", "patient"])
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_loss_and_a_late_path_make_checks_slow(scenario: str, vantage: str) -> None:
    trace = lab(f"{scenario}/{vantage}")
    assert only(trace, "slow-checks")["severity"] == "warning"
    assert causes(trace) == [""]


@pytest.mark.rule("slow-checks", "quiet")
def test_a_long_path_is_not_slow_in_itself() -> None:
    """300 ms each way, and every check answered."""
    assert not found(lab("slow-path/offerer"), "slow-checks")


@pytest.mark.rule("slow-checks", "near miss")
def test_one_check_lost_of_twenty_is_not_slow() -> None:
    hole = "7.35 A > B request lost user=b:a prio=1 controlling\n"
    assert not found(call(*HEALTHY, hole), "slow-checks")


@pytest.mark.rule("slow-checks", "near miss")
def test_what_is_lost_at_the_end_is_not_slow() -> None:
    assert not found(lab("consent-lost/offerer"), "slow-checks")


LATE_B = (
    checks("A > B", "a", 10, start=2.0, answer=GOOD_A, and_="controlling use"),
    checks("B > A", "b", 10, start=1.9, user="a:b", answer=GOOD_B, and_="controlled"),
)


@pytest.mark.rule("early-checks", "fires")
def test_checks_before_the_other_agent_is_ready() -> None:
    hit = only(call(checks("A > B", "x", 3, every=0.5, and_="controlling use"), *LATE_B), "early-checks")
    assert hit["severity"] == "info" and "no fault" in hit["summary"]


@pytest.mark.rule("early-checks", "quiet")
def test_no_early_checks_where_all_are_answered() -> None:
    assert not found(call(*LATE_B), "early-checks")


@pytest.mark.rule("early-checks", "near miss")
def test_checks_lost_while_the_other_agent_checks_are_not_early() -> None:
    ready = checks("B > A", "y", 2, user="a:b", answer=GOOD_B, and_="controlled")
    lost = checks("A > B", "x", 3, start=0.1, every=0.5, and_="controlling use")
    assert not found(call(lost, ready, *LATE_B), "early-checks")


@pytest.mark.rule("early-checks", "near miss")
def test_checks_that_are_never_answered_are_not_early() -> None:
    assert not found(call(checks("A > B", "x", 5)), "early-checks")


@pytest.mark.rule("gave-up-early", "fires")
def test_giving_up_after_a_few_seconds() -> None:
    hit = only(call(checks("A > B", "a", 5)), "gave-up-early")
    assert "39.5 s" in hit["summary"] and hit["confidence"] == "medium"


@pytest.mark.rule("gave-up-early", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_giving_up_with_the_end_of_the_capture_is_a_guess(vantage: str) -> None:
    """Nothing follows the last transmission, not even the end of the silence after it."""
    hit = only(lab(f"gave-up-early/{vantage}"), "gave-up-early")
    assert hit["confidence"] == "low" and "unless it is the capture" in hit["summary"]


@pytest.mark.rule("gave-up-early", "quiet")
def test_a_patient_agent() -> None:
    assert not found(lab("patient/offerer"), "gave-up-early")
    assert not found(call(checks("A > B", "a", 50)), "gave-up-early")


@pytest.mark.rule("gave-up-early", "near miss")
def test_fifteen_seconds_are_a_browser_s_habit() -> None:
    assert not found(lab("both-ways-drop/offerer"), "gave-up-early")


@pytest.mark.rule("gave-up-early", "near miss")
def test_who_is_refused_has_reason_to_stop() -> None:
    assert not found(call(checks("A > B", "a", 5, answer="B > A error ID code=401")), "gave-up-early")


SERVER = "192.0.2.1:443"


def client(number: int) -> str:
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}:{1024 + number}"


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("bad-credentials", ("0 C > S request a user=sN:N prio=1", "0.1 S > C error a code=401")),
        ("credentials-mismatch", ("0 C > S request a user=xN:N prio=1", "0 S > C request b user=N:sN prio=1",
                             "1 C > S request c user=xN:N prio=1", "1 S > C request d user=N:sN prio=1")),
        ("bad-request", ("0 C > S request a user=sN:N prio=1", "0.1 S > C error a code=420 unknown=0024")),
        ("role-conflict", ("0 C > S request a user=sN:N prio=1 controlling", "0.1 S > C error a code=487")),
        ("consent-lost", ("0 C > S request a user=sN:N prio=1 controlling use", "0.1 S > C success a mapped=C",
                          "20 C > S request b user=sN:N prio=1", "30 C > S request c user=sN:N prio=1")),
        ("consent-missing", ("0 C > S request a user=sN:N prio=1 controlling use", "0.1 S > C success a mapped=C",
                             *["1 C > S rtp"] * 9, "25 C > S rtp")),
    ],
)  # fmt: skip
def test_many_findings_take_time_in_proportion(name: str, lines: tuple[str, ...]) -> None:
    """A bound that is many times what it takes; looking through everything for each finding takes longer."""
    count = 2000
    text = []
    for number in range(count):
        for line in lines:
            at, src, _, dst, *what = line.split()
            if what[0] in ("request", "success", "error"):
                what[1] += str(number)
            ends = {"C": client(number), "S": SERVER}
            rest = " ".join(what).replace("mapped=C", f"mapped={ends['C']}").replace("N", f"c{number}")
            text.append((number * 0.5 + float(at), f"{ends[src]} > {ends[dst]} {rest}"))
    trace = read("\n".join(f"{at:.3f} {line}" for at, line in sorted(text)) + f"\n{count} end")
    start = time.process_time()
    assert len(found(trace, name)) >= count
    assert time.process_time() - start < 6
