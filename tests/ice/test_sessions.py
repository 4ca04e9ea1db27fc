"""Which checks belong to one pair of agents, and who sent them (RFC 8445 section 7.2.2: USERNAME)."""

from __future__ import annotations

import pytest

from stunpcap.ice.sessions import split_username
from tests.ice.transcript import id_of, one, read, rows

NAMES = """
    A = 10.0.0.1:1000
    B = 10.0.0.2:2000
    A' = 203.0.113.1:4000
    S = 192.0.2.10:3478
"""
A_TO_B = "user=bbbb:aaaa controlling prio=100"
B_TO_A = "user=aaaa:bbbb controlled prio=100"


@pytest.mark.parametrize(
    ("username", "ufrags"),
    [
        ("bbbb:aaaa", ("bbbb", "aaaa")),
        ("bbbb:1:aaaa:1", ("bbbb", "aaaa")),
        ("bbbb:1:aaaa:2", None),
        ("bbbb:", None),
        (":aaaa", None),
        ("alice", None),
        ("", None),
        ("a:b:c", None),
        ("a/+9:b=+", ("a/+9", "b=+")),
    ],
)
def test_split_username(username, ufrags):
    assert split_username(username) == ufrags


def test_both_directions_are_one_session():
    trace = read(f"""{NAMES}
        0.00  A > B  request t1 {A_TO_B}
        0.02  B > A  success t1 mapped=A
        0.03  B > A  request t2 {B_TO_A}
        0.04  A > B  success t2 mapped=B
    """)
    session = one(trace.sessions)
    assert (session["ufrag_a"], session["ufrag_b"]) == ("aaaa", "bbbb")
    assert session["controlling"] == "aaaa"
    assert session["checks"] == 2
    assert session["pairs"] == 1
    assert list(trace.messages["session_id"]) == [1, 1, 1, 1]
    assert [(row["src"], row["ufrag"], row["role"]) for row in rows(trace.pairs)] == [
        ("10.0.0.1:1000", "aaaa", "controlling"),
        ("10.0.0.2:2000", "bbbb", "controlled"),
    ]


def test_through_a_nat():
    """Both sides of it in one capture: two pairs of addresses, one session."""
    trace = read(f"""{NAMES}
        0.000  A > B   request t1 {A_TO_B}
        0.001  A' > B  request t1 {A_TO_B}
        0.020  B > A'  success t1 mapped=A'
        0.021  B > A   success t1 mapped=A'
        0.030  B > A'  request t2 {B_TO_A}
        0.040  A' > B  success t2 mapped=B
    """)
    assert one(trace.sessions)["pairs"] == 2
    assert set(trace.pairs["session_id"]) == {1}


def test_microsoft_names_the_component_too():
    trace = read(f"""{NAMES}
        0.00  A > B  request t1 user=bbbb:1:aaaa:1 controlling prio=1
        0.02  B > A  request t2 user=aaaa:1:bbbb:1 controlled prio=1
    """)
    session = one(trace.sessions)
    assert (session["ufrag_a"], session["ufrag_b"]) == ("aaaa", "bbbb")


def test_checks_of_one_side_only():
    trace = read(f"{NAMES} 0 A > B request t1 {A_TO_B}\n 60 end")
    session = one(trace.sessions)
    assert (session["ufrag_a"], session["ufrag_b"]) == ("aaaa", "bbbb")
    assert session["tags"] == "only requests"
    assert session["controlling"] == "aaaa"


def test_agents_without_username():
    """Told by their addresses; what shares an endpoint is one session, others are others."""
    trace = read(f"""{NAMES}
        A2 = 10.0.0.1:1001
        C = 10.0.0.3:3000
        D = 10.0.0.4:4000
        0.00  A > B   request t1 controlling prio=1
        0.01  B > A   success t1 mapped=A
        0.02  A2 > B  request t2 controlling prio=1
        0.03  B > A   request t3 controlled prio=1
        0.04  C > D   request t4 controlling prio=1
    """)
    first, second = rows(trace.sessions)
    assert (first["checks"], second["checks"]) == (3, 1)
    assert first["ufrag_a"] is None
    assert first["tags"] == "no username"
    sides = {(row["src"], row["role"]) for row in rows(trace.pairs) if row["session_id"] == 1}
    assert sides == {
        ("10.0.0.1:1000", "controlling"),
        ("10.0.0.1:1001", "controlling"),
        ("10.0.0.2:2000", "controlled"),
    }


def test_responses_alone_follow_the_addresses_of_a_session():
    """The requests B > A were not captured; that A answered them was."""
    trace = read(f"""{NAMES}
        0.00  A > B  request t1 {A_TO_B}
        0.03  A > B  success t9 mapped=B
        60    end
    """)
    orphan = one(trace.transactions, outcome="orphan")
    assert orphan["session_id"] == 1
    assert orphan["kind"] == "check"
    assert one(trace.pairs, src="10.0.0.2:2000")["ufrag"] == "bbbb"


def test_responses_of_a_server_belong_to_no_session():
    trace = read(f"{NAMES} 0 A > B request t1 {A_TO_B}\n 0.03 S > A success t9 mapped=A'")
    assert one(trace.transactions, outcome="orphan")["session_id"] is None


def test_orphans_after_a_restart_stay_in_their_generation():
    """Same addresses, new ufrags: time decides which generation an answer without request belongs to."""
    trace = read(f"""{NAMES}
        0.00   A > B  request t1 {A_TO_B}
        0.02   B > A  success t1 mapped=A
        1.00   A > B  success t8 mapped=B
        10.00  A > B  request t2 user=dddd:cccc controlling prio=1
        10.02  B > A  success t2 mapped=A
        11.00  A > B  success t9 mapped=B
    """)
    assert one(trace.transactions, transaction_id=id_of("t8"))["session_id"] == 1
    assert one(trace.transactions, transaction_id=id_of("t9"))["session_id"] == 2


def test_an_orphan_before_the_first_check_belongs_to_it():
    trace = read(f"{NAMES} 0 A > B success t0 mapped=B\n 1 A > B request t1 {A_TO_B}\n 1.1 B > A success t1 mapped=A")
    assert one(trace.sessions)["checks"] == 2


def test_goog_ping_belongs_to_its_pair():
    """libwebrtc's short consent checks carry no USERNAME."""
    trace = read(f"""{NAMES}
        0.00  A > B  request t1 {A_TO_B} use
        0.02  B > A  success t1 mapped=A
        2.00  A > B  goog-ping request t2
        2.02  B > A  goog-ping success t2
        3.00  B > A  goog-ping request t3
        3.02  A > B  goog-ping success t3
    """)
    assert one(trace.sessions)["checks"] == 3
    a, b = one(trace.pairs, src="10.0.0.1:1000"), one(trace.pairs, src="10.0.0.2:2000")
    assert (a["ufrag"], a["requests_sent"], a["consent_requests_sent"]) == ("aaaa", 2, 1)
    assert (b["ufrag"], b["requests_sent"], b["consent_requests_sent"]) == ("bbbb", 1, 1)


def test_two_calls_between_the_same_hosts_at_the_same_time():
    trace = read(f"""{NAMES}
        A2 = 10.0.0.1:1001
        B2 = 10.0.0.2:2001
        0.0  A > B    request t1 {A_TO_B}
        0.1  B > A    success t1 mapped=A
        0.2  A2 > B2  request t2 user=dddd:cccc controlling=99 prio=1
        0.3  B2 > A2  success t2 mapped=A2
        5.0  A > B    request t3 {A_TO_B}
        5.2  A2 > B2  request t4 user=dddd:cccc controlling=99 prio=1
    """)
    assert [(row["ufrag_a"], row["checks"], row["generation"]) for row in rows(trace.sessions)] == [
        ("aaaa", 2, 0),
        ("cccc", 2, 0),
    ]


def test_an_agent_that_talks_to_itself():
    """Equal ufrags name nobody: then addresses tell the two sides."""
    trace = read(f"""{NAMES}
        0.00  A > B  request t1 user=x:x controlling prio=1
        0.02  B > A  success t1 mapped=A
        0.03  B > A  request t2 user=x:x controlled prio=1
    """)
    roles = {row["src"]: row["role"] for row in rows(trace.pairs)}
    assert roles == {"10.0.0.1:1000": "controlling", "10.0.0.2:2000": "controlled"}
    assert set(trace.candidates["address"]) == {"10.0.0.1:1000", "10.0.0.2:2000"}


def test_source_and_target_may_be_the_same():
    trace = read(f"{NAMES} 0 A > A request t1 {A_TO_B}\n 0.02 A > A success t1 mapped=A\n 60 end")
    assert len(trace.pairs) == 1
    assert one(trace.transactions)["outcome"] == "success"


def test_two_vantages_see_one_session():
    """Clocks an hour apart, and roles seen twice: nothing is counted double."""
    at_a = f"""{NAMES}
        0.000  A > B  request t1 {A_TO_B}
        0.020  B > A  error t1 code=487
        0.030  A > B  request t2 user=bbbb:aaaa controlled prio=1
        0.050  B > A  success t2 mapped=A
        0.060  B > A  request t3 user=aaaa:bbbb controlling prio=1 use
        0.061  A > B  success t3 mapped=B
        5.000  B > A  request t4 user=aaaa:bbbb controlling prio=1
        5.001  A > B  success t4 mapped=B
    """
    at_b = f"""{NAMES}
        3600.010  A > B  request t1 {A_TO_B}
        3600.011  B > A  error t1 code=487
        3600.040  A > B  request t2 user=bbbb:aaaa controlled prio=1
        3600.041  B > A  success t2 mapped=A
        3600.050  B > A  request t3 user=aaaa:bbbb controlling prio=1 use
        3600.071  A > B  success t3 mapped=B
        3604.990  B > A  request t4 user=aaaa:bbbb controlling prio=1
        3605.010  A > B  success t4 mapped=B
    """
    trace = read(at_a=at_a, at_b=at_b)
    session = one(trace.sessions)
    assert session["vantages"] == "at_a, at_b"
    assert session["role_changes"] == 1
    assert session["controlling"] == "bbbb"
    assert session["time_to_connect_s"] == pytest.approx(0.061)
    assert session["pairs"] == 1
    assert [row["consent_requests_sent"] for row in rows(trace.pairs)] == [0, 1, 0, 1]
    assert [row["requests_sent"] for row in rows(trace.pairs)] == [2, 2, 2, 2]


def test_sessions_are_numbered_in_order_of_time():
    trace = read(f"{NAMES} 5 A > B request t1 {A_TO_B}\n 1 A > S request t2 user=dddd:cccc prio=1")
    assert [(row["session_id"], row["ufrag_a"]) for row in rows(trace.sessions)] == [(1, "cccc"), (2, "aaaa")]


def test_a_binary_user_name_names_nobody():
    """Game consoles' NAT tests: classic requests whose USERNAME is 00 00 00 01, shown as digits."""
    ask = "00010008" + "0a" * 16 + "0006000400000001"
    answer = "0101000c" + "0a" * 16 + "00010008000103e80a000001"
    trace = read(f"""
        A = 10.0.0.1:1000
        S = 192.0.2.9:3478
        0   A > S  raw hex={ask}
        0.1 S > A  raw hex={answer}
        9   end
    """)
    assert set(trace.messages["username"].dropna()) == {"0x00000001"}
    assert len(trace.sessions) == 0
    assert set(trace.transactions["kind"]) == {"gather"}
