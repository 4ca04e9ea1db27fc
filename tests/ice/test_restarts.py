"""ICE restarts, and what only looks like one (RFC 8445 section 9)."""

from __future__ import annotations

from tests.ice.transcript import id_of, one, read, rows

NAMES = """
    A = 10.0.0.1:1000
    B = 10.0.0.2:2000
    A2 = 10.0.0.1:1002
    B2 = 10.0.0.2:2002
    C = 10.0.0.3:3000
"""


def generations(trace):
    return [(row["ufrag_a"], row["ufrag_b"], row["generation"], row["restart_of"]) for row in rows(trace.sessions)]


FIRST = """
    0.00  A > B  request t1 user=b0:a0 controlling=7 prio=1 use
    0.02  B > A  success t1 mapped=A
"""


def test_new_ufrags_on_the_same_endpoints():
    trace = read(
        f"{NAMES}{FIRST} 10 A > B request t2 user=b1:a1 controlling=8 prio=1 use\n 10.02 B > A success t2 mapped=A"
    )
    assert generations(trace) == [("a0", "b0", 0, None), ("a1", "b1", 1, 1)]


def test_new_endpoints_but_the_same_tie_breaker():
    trace = read(f"{NAMES}{FIRST} 10 A2 > B2 request t2 user=b1:a1 controlling=7 prio=1 use")
    assert generations(trace) == [("a0", "b0", 0, None), ("a1", "b1", 1, 1)]


def test_a_restart_of_one_side_only():
    trace = read(f"{NAMES}{FIRST} 10 A2 > B2 request t2 user=b0:a1 controlling=8 prio=1 use")
    assert generations(trace) == [("a0", "b0", 0, None), ("a1", "b0", 1, 1)]


def test_three_generations():
    trace = read(f"""{NAMES}{FIRST}
        10  A > B    request t2 user=b1:a1 controlling=7 prio=1
        20  A2 > B2  request t3 user=b2:a2 controlling=7 prio=1
    """)
    assert [row[2:] for row in generations(trace)] == [(0, None), (1, 1), (2, 2)]


def test_another_call_between_the_same_hosts_is_no_restart():
    trace = read(f"{NAMES}{FIRST} 10 A2 > B2 request t2 user=b1:a1 controlling=8 prio=1")
    assert [row[2] for row in generations(trace)] == [0, 0]


def test_agents_that_all_say_the_same_tie_breaker_are_not_one():
    """Some implementations say 0."""
    trace = read(f"""{NAMES}
        0   A > B    request t1 user=b0:a0 controlling=0 prio=1
        10  A2 > B2  request t2 user=b1:a1 controlling=0 prio=1
    """)
    assert [row[2] for row in generations(trace)] == [0, 0]


def test_a_second_call_within_a_second_is_no_restart():
    trace = read(f"{NAMES}{FIRST} 0.5 A2 > B2 request t2 user=b1:a1 controlling=7 prio=1")
    assert [row[2] for row in generations(trace)] == [0, 0]


def test_forking_is_no_restart():
    """One offer, two who answer: one ufrag, two remote parties."""
    trace = read(f"""{NAMES}{FIRST}
        2.00  A > C  request t2 user=c0:a0 controlling=7 prio=1
        2.02  C > A  success t2 mapped=A
    """)
    assert generations(trace) == [("a0", "b0", 0, None), ("a0", "c0", 0, None)]


def test_forking_to_one_host_is_no_restart_either():
    """Both who answer are at one address (a NAT, a media server); both calls go on."""
    later = "".join(f"{5 * n} A > B request k{n} user=b0:a0 controlling=7 prio=1\n" for n in range(1, 12))
    other = "".join(f"{5 * n + 2} A > B2 request m{n} user=c0:a0 controlling=7 prio=1\n" for n in range(12))
    trace = read(f"{NAMES}{FIRST}{later}{other}")
    assert [row[2] for row in generations(trace)] == [0, 0]


def test_a_restart_that_the_other_side_knows_nothing_of():
    """The old generation goes on; ufrag of one and tie-breaker of the other tell that they are the same two agents."""
    later = "".join(f"{5 * n} A > B request k{n} user=b0:a0 controlling=7 prio=1\n" for n in range(1, 12))
    new = "".join(f"{5 * n + 2} A2 > B request m{n} user=b0:a1 controlling=7 prio=1\n" for n in range(12))
    trace = read(f"{NAMES}{FIRST}{later}{new}")
    assert generations(trace) == [("a0", "b0", 0, None), ("a1", "b0", 1, 1)]


TRANSITION = f"""{NAMES}{FIRST}
    10.00  {{sender}}  request t2 user={{username}} prio=1
    10.10  A2 > B   request t3 user=b1:a1 controlling=7 prio=1 use
    10.12  B > A2   success t3 mapped=A2
    10.13  B > A2   request t4 user=a1:b1 controlled prio=1
    10.14  A2 > B   success t4 mapped=B
"""


def test_checks_with_the_new_ufrag_to_old_candidates_belong_to_the_new_generation():
    """A restarts, and checks B under its old ufrag until B's new one is signalled (captures/ice-restart)."""
    trace = read(TRANSITION.format(sender="A2 > B", username="b0:a1"))
    assert generations(trace) == [("a0", "b0", 0, None), ("a1", "b1", 1, 1)]
    assert one(trace.transactions, transaction_id=id_of("t2"))["session_id"] == 2
    assert {(row["src"], row["ufrag"]) for row in rows(trace.pairs) if row["session_id"] == 2} == {
        ("10.0.0.1:1002", "a1"),
        ("10.0.0.2:2000", "b1"),
    }


def test_and_so_from_the_other_side():
    """B has the new offer, and checks A's new candidates while its own answer is not made yet."""
    trace = read(TRANSITION.format(sender="B > A2", username="a1:b0"))
    assert [row[2:] for row in generations(trace)] == [(0, None), (1, 1)]
    assert {row["ufrag_a"] for row in rows(trace.sessions)} | {row["ufrag_b"] for row in rows(trace.sessions)} == {
        "a0", "b0", "a1", "b1",
    }  # fmt: skip
    second = {row["src"]: row["ufrag"] for row in rows(trace.pairs) if row["session_id"] == 2}
    assert second == {"10.0.0.1:1002": "a1", "10.0.0.2:2000": "b1"}


def test_both_transitions_at_once_leave_the_first_generation_alone():
    trace = read(
        TRANSITION.format(sender="A2 > B", username="b0:a1")
        + "10.05 B > A request t5 user=a0:b1 prio=1\n 10.2 A > B request t6 user=b0:a0 prio=1"
    )
    assert generations(trace) == [("a0", "b0", 0, None), ("a1", "b1", 1, 1)]
    assert one(trace.transactions, transaction_id=id_of("t1"))["session_id"] == 1
    assert one(trace.transactions, transaction_id=id_of("t6"))["session_id"] == 1
    assert one(trace.transactions, transaction_id=id_of("t5"))["session_id"] == 2


def test_every_check_keeps_a_session_however_ufrags_are_mixed():
    """Each of four ufrags with each of four others: nothing of the sort exists, and nothing gets lost."""
    lines = "".join(f"{3 * (7 * n % 16)} A > B request t{n} user=b{n // 4}:a{n % 4} prio=1\n" for n in range(16))
    trace = read(NAMES + lines)
    numbers = trace.transactions["session_id"]
    assert numbers.notna().all()
    assert sorted(set(numbers)) == list(range(1, len(trace.sessions) + 1))
    assert trace.sessions["checks"].sum() == 16
