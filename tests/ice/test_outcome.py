"""How sessions end: roles, the nominated pair, time to connect, DTLS and media, state, tags."""

from __future__ import annotations

import pytest

from tests.ice.transcript import one, read, rows

NAMES = """
    A = 10.0.0.1:1000
    B = 10.0.0.2:2000
    C = 10.0.0.3:3000
    R = 10.0.0.254:0
"""
A_TO_B = "user=bbbb:aaaa controlling prio=100"
B_TO_A = "user=aaaa:bbbb controlled prio=100"


def session(text, form="pcap"):
    return one(read(NAMES + text, form).sessions)


def checks(times, name="t", src="A", dst="B", attributes=A_TO_B, answered=True, rtt=0.02):
    """Checks at these times, each with an id of its own."""
    lines = ""
    for time in times:
        lines += f"{time} {src} > {dst} request {name}{time} {attributes}\n"
        lines += f"{time + rtt} {dst} > {src} success {name}{time} mapped={src}\n" if answered else ""
    return lines


BACK = {"name": "u", "src": "B", "dst": "A", "attributes": B_TO_A}
CONNECT = checks([0]) + checks([0.1], **BACK) + checks([0.2], "n", attributes=A_TO_B + " use")


# Nomination and roles


def test_a_session_from_check_to_nomination():
    found = session(CONNECT)
    assert found["state"] == "connected"
    assert (found["nominated_src"], found["nominated_dst"]) == ("10.0.0.1:1000", "10.0.0.2:2000")
    assert found["time_to_connect_s"] == pytest.approx(0.22)
    assert (found["end"] - found["start"]).total_seconds() == pytest.approx(0.22)
    assert found["first_frame"] == 1
    assert found["tags"] == ""


def test_nominated_src_is_a_s_side_whoever_nominates():
    """The first check is B's: then B is the session's first agent."""
    found = session(checks([0], **BACK) + checks([0.2], "n", attributes=A_TO_B + " use"))
    assert found["ufrag_a"] == "bbbb"
    assert (found["nominated_src"], found["nominated_dst"]) == ("10.0.0.2:2000", "10.0.0.1:1000")
    assert found["controlling"] == "aaaa"


def test_aggressive_nomination_of_several_pairs():
    """RFC 5245 section 8.1.1.2: all succeed with USE-CANDIDATE; that which goes on is the one."""
    use = A_TO_B + " use"
    found = session(
        checks([0], "x", dst="C", attributes=use)
        + checks([0.1], "y", attributes=use)
        + checks([2, 4, 6], "z", attributes=use)
    )
    assert found["nominated_dst"] == "10.0.0.2:2000"
    assert found["pairs"] == 2
    assert found["time_to_connect_s"] == pytest.approx(0.02), "the first of them connected"


def test_a_nomination_on_a_pair_that_fails_the_other_way_does_not_connect():
    """B's checks on it go unanswered: the pair is not valid for B."""
    found = session(checks([0], attributes=A_TO_B + " use") + checks([1, 2, 3, 4], **BACK, answered=False) + "20 end")
    assert found["nominated_src"] is None
    assert found["state"] != "connected"


def test_role_change_after_487():
    found = session(f"""
        0.0  A > B  request t1 {A_TO_B}
        0.1  B > A  error t1 code=487
        0.2  A > B  request t2 user=bbbb:aaaa controlled prio=1
        0.3  B > A  success t2 mapped=A
        0.4  B > A  request t3 user=aaaa:bbbb controlling prio=1 use
        0.5  A > B  success t3 mapped=B
    """)
    assert (found["role_changes"], found["controlling"], found["state"]) == (1, "bbbb", "connected")


def test_role_conflict_that_nobody_repairs():
    lines = "".join(f"{n} A > B request t{n} {A_TO_B}\n {n}.1 B > A error t{n} code=487\n" for n in range(5))
    found = session(lines + checks([0.5, 1.5], "u", "B", "A", "user=aaaa:bbbb controlling prio=1 use") + "20 end")
    assert found["role_changes"] == 0
    assert found["controlling"] == ""
    assert found["state"] == "failed"


def test_the_controlling_agent_may_not_be_heard():
    assert session(checks([0], **BACK, answered=False))["controlling"] == "aaaa"


def test_roles_may_be_unknown():
    assert session(checks([0], attributes="user=bbbb:aaaa prio=1"))["controlling"] == ""


# State


def test_checking_while_nobody_nominates():
    """FAILURES `never-nominated`."""
    found = session(checks([0, 1, 2]) + checks([0.5, 1.5], **BACK) + "60 end")
    assert (found["state"], found["nominated_src"]) == ("checking", None)
    assert found["time_to_connect_s"] is None


def test_checking_while_checks_go_on():
    assert session(checks([0, 0.5, 1], answered=False))["state"] == "checking"


def test_failed_once_all_pairs_have():
    assert session(checks([0, 0.5, 1, 2], answered=False) + "60 end")["state"] == "failed"


def test_not_failed_while_one_pair_is_tried():
    lines = checks([0, 0.5], answered=False) + checks([15, 15.5, 16], "w", dst="C", answered=False)
    assert session(lines)["state"] == "checking"


def test_rejected_everywhere_is_failed():
    lines = "".join(f"{n} A > B request t{n} {A_TO_B}\n {n}.1 R > A icmp 3/3 quotes=t{n}\n" for n in range(4))
    assert session(lines + "60 end")["state"] == "failed"


def test_disconnected_where_consent_dies():
    """Answered until 10 s, then silence for 15 s (RFC 7675: consent lasts 30 s)."""
    found = session(CONNECT + checks([5, 10], "c") + checks([15, 20, 25], "d", answered=False) + "40 end")
    assert found["state"] == "disconnected"


def test_disconnected_in_the_other_direction():
    lines = CONNECT + checks(range(5, 40, 5), "c") + checks([7], "v", "B", "A", B_TO_A)
    lost = checks([12, 17, 22], "w", "B", "A", B_TO_A, answered=False)
    assert session(lines + lost + "40 end")["state"] == "disconnected"


def test_a_lost_consent_check_or_two_are_no_disconnection():
    lines = checks([5], "c") + checks([10, 15], "d", answered=False) + checks([20, 25], "e")
    assert session(CONNECT + lines + "40 end")["state"] == "connected"


def test_the_end_of_the_capture_is_no_disconnection():
    assert session(CONNECT + checks([5, 10], "c") + "10.1 A > B request last " + A_TO_B)["state"] == "connected"


def test_another_pair_that_dies_does_not_disconnect():
    lines = CONNECT + checks([1], "x", dst="C") + checks([6, 11, 16], "y", dst="C", answered=False)
    assert session(lines + checks([5, 10, 15, 20], "c") + "40 end")["state"] == "connected"


# DTLS and media


def dtls(*lines):
    return session(CONNECT + "".join(f"{1 + n / 10} {line}\n" for n, line in enumerate(lines)))


def test_dtls():
    assert dtls()["dtls"] == "none"
    assert dtls("A > B dtls-hello")["dtls"] == "started"
    assert dtls("A > B dtls-hello", "B > A dtls-hello")["dtls"] == "started"
    assert dtls("A > B dtls-hello", "B > A dtls-alert")["dtls"] == "failed"
    assert dtls("A > B dtls-hello", "A > B dtls-protected", "B > A dtls-protected")["dtls"] == "done"
    assert dtls("A > B dtls-hello", "B > A dtls-hello", "A > B dtls-protected")["dtls"] == "started"


def test_dtls_beside_the_pair_is_not_the_sessions():
    assert dtls("A > C dtls-hello", "C > A dtls-hello")["dtls"] == "none"


def test_media_by_direction():
    found = dtls("A > B rtp", "A > B rtp", "B > A rtp", "C > A rtp", "A > B dtls-protected")
    assert (found["media_ab_packets"], found["media_ba_packets"]) == (3, 1)
    mirrored = session(
        checks([0], **BACK)
        + checks([0.2], "n", attributes=A_TO_B + " use")
        + "1 A > B rtp\n 1.1 A > B rtp\n 2 B > A rtp"
    )
    assert mirrored["ufrag_a"] == "bbbb"
    assert (mirrored["media_ab_packets"], mirrored["media_ba_packets"]) == (1, 2)


def test_of_several_captures_the_one_that_saw_most_counts():
    trace = read(one=NAMES + CONNECT + "1 A > B rtp", two=NAMES + CONNECT + "1 A > B rtp\n 2 A > B rtp")
    assert one(trace.sessions)["media_ab_packets"] == 2


def test_media_on_endpoints_used_again_counts_for_the_last():
    again = checks([10], "z", attributes="user=dddd:cccc controlling prio=1 use")
    trace = read(NAMES + CONNECT + again + "11 A > B rtp\n 12 B > A rtp")
    assert [(row["media_ab_packets"], row["media_ba_packets"]) for row in rows(trace.sessions)] == [(0, 0), (1, 1)]


def test_media_both_ways_shows_a_connection_that_began_before_the_capture():
    assert session(checks([0, 2.5]) + "1 A > B rtp\n 1.1 B > A rtp")["state"] == "connected"


# Tags


def test_ice_lite():
    """RFC 8445 section 2.5: a lite agent only answers."""
    found = session(checks([0]) + checks([0.2], "n", attributes=A_TO_B + " use"))
    assert found["tags"] == "one agent only answers"
    assert found["state"] == "connected"


def test_only_requests():
    assert session(checks([0, 1], answered=False) + checks([0.5], **BACK, answered=False))["tags"] == "only requests"


def test_one_way_capture():
    """What A sent: its checks, and its answers to checks that were not captured."""
    found = session(
        checks([0, 2.5], answered=False) + "0.1 A > B success u1 mapped=B\n 3 A > B success u2 mapped=B\n 9 end"
    )
    assert found["tags"] == "one-way capture"
    assert found["state"] == "checking", "not failed: whether B answered cannot be known"


def test_vantages_are_named():
    trace = read(left=NAMES + CONNECT, right=NAMES + CONNECT, other=NAMES + "0 A > C request z user=x:y prio=1")
    assert [row["vantages"] for row in rows(trace.sessions)] == ["left, right", "other"]


def test_select_keeps_a_session_whole():
    trace = read(NAMES + CONNECT + "5 A > C request z user=dddd:cccc prio=1").select(session=1)
    assert len(trace.sessions) == 1
    assert set(trace.pairs["session_id"]) == set(trace.transactions["session_id"]) == {1}
