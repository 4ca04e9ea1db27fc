"""Directed candidate pairs: counters (W3C getStats), state, and what became of packets (docs: DESIGN, `path`)."""

from __future__ import annotations

import pytest

from tests.ice.transcript import read, rows

NAMES = """
    A = 10.0.0.1:1000
    B = 10.0.0.2:2000
    A' = 203.0.113.1:4000
    R = 10.0.0.254:0
"""
A_TO_B = "user=bbbb:aaaa controlling prio=100"
B_TO_A = "user=aaaa:bbbb controlled prio=100"


def ways(text, form="pcap", **options):
    """The rows A > B and B > A."""
    pairs = rows(read(NAMES + text, form, **options).pairs)
    found = {row["src"]: row for row in pairs}
    assert len(found) == len(pairs)
    return found.get("10.0.0.1:1000"), found.get("10.0.0.2:2000")


BOTH = f"""
    0.00  A > B  request t1 {A_TO_B}
    0.02  B > A  success t1 mapped=A
    0.03  B > A  request t2 {B_TO_A}
    0.07  A > B  success t2 mapped=B
"""


def test_counters_of_both_directions():
    a, b = ways(
        BOTH
        + f"""
        0.10  A > B  request t3 {A_TO_B}
        0.60  A > B  request t3 {A_TO_B}
        0.62  B > A  success t3 mapped=A
        0.70  A > B  request t4 {A_TO_B}
        0.72  B > A  error t4 code=487
        0.80  A > B  request t5 {A_TO_B}
        0.81  R > A  icmp 3/1 quotes=t5
        0.90  A > B  request t6 {A_TO_B}
        0.91  A' > A success t6 mapped=A
        1.00  A > B  request t7 {A_TO_B}
        9.00  A > B  request t8 {A_TO_B}
        9.40  end
        """
    )
    assert a["requests_sent"] == 7
    assert a["transmissions"] == 8
    assert (a["responses_received"], a["errors_received"], a["icmp_received"]) == (2, 1, 1)
    assert (a["other_address"], a["unanswered"], a["unfinished"]) == (1, 1, 1)
    assert (b["requests_sent"], b["responses_received"]) == (1, 1)
    assert a["pair_id"] == b["pair_id"] == 1
    assert (a["first_frame"], b["first_frame"]) == (1, 3)
    assert a["rtt_min_s"] == a["rtt_median_s"] == pytest.approx(0.02)
    assert b["rtt_median_s"] == pytest.approx(0.04)


def test_the_median_of_an_even_number_of_round_trips():
    lines = "".join(
        f"{n} A > B request t{n} {A_TO_B}\n {n + rtt} B > A success t{n} mapped=A\n"
        for n, rtt in enumerate((0.01, 0.02, 0.04, 0.5))
    )
    a, _ = ways(lines)
    assert (a["rtt_min_s"], a["rtt_median_s"]) == (pytest.approx(0.01), pytest.approx(0.03))


def test_each_capture_has_its_rows_under_one_pair():
    trace = read(one=NAMES + BOTH, two=NAMES + BOTH)
    assert [(row["vantage"], row["pair_id"]) for row in rows(trace.pairs)] == [
        ("one", 1), ("one", 1), ("two", 1), ("two", 1),
    ]  # fmt: skip


# State and path


def test_a_healthy_pair():
    a, b = ways(BOTH)
    assert (a["state"], b["state"]) == ("succeeded", "succeeded")
    assert (a["path"], b["path"]) == ("delivered", "delivered")
    assert (a["mapped"], b["mapped"]) == ("10.0.0.1:1000", "10.0.0.2:2000")


SILENCE = "".join(f"{n} A > B request t{n} {A_TO_B}\n" for n in range(1, 8))


def test_silence_from_both():
    """Nothing tells the direction that died."""
    a, b = ways(SILENCE + "20 end")
    assert (a["state"], a["path"]) == ("failed", "unknown")
    assert b is None


def test_one_way_loss_seen_from_the_side_that_hears():
    """FAILURES `one-way-loss`: A's checks unanswered while B's arrive and are answered: A > B is dead."""
    cry = "".join(
        f"{time} B > A request u1 {B_TO_A}\n {time + 0.001} A > B success u1 mapped=B\n"
        for time in (0.5, 1.0, 2.0, 4.0)
    )
    a, b = ways(SILENCE + cry + "60 end")
    assert (a["path"], a["state"]) == ("lost", "failed")
    assert b["path"] == "delivered"
    assert b["state"] == "failed", "B repeats what was answered: the answers do not arrive"
    assert b["responses_received"] == 1


def test_one_way_loss_before_the_other_side_was_heard_is_not_yet_known():
    """Early checks die because the peer has no credentials yet: no loss."""
    a, b = ways(f"0 A > B request t1 {A_TO_B}\n 5 B > A request t2 {B_TO_A}\n 5.1 A > B success t2 mapped=B\n 60 end")
    assert a["path"] == "unknown"
    assert b["path"] == "delivered"


def test_answers_that_were_not_heard_prove_loss_without_any_check_that_way():
    """A checks once before B's address was known to work; B repeats an answered check."""
    a, b = ways(f"""
        0.0  A > B  request t1 {A_TO_B}
        1.0  B > A  request t2 {B_TO_A}
        1.1  A > B  success t2 mapped=B
        2.5  B > A  request t2 {B_TO_A}
        2.6  A > B  success t2 mapped=B
        60   end
    """)
    assert (a["path"], b["path"]) == ("lost", "delivered")
    assert b["state"] == "failed"


def test_one_way_loss_seen_at_the_side_that_hears_nothing():
    """At A, which sends and receives nothing: the same as silence from both."""
    a, b = ways(SILENCE.replace(A_TO_B, A_TO_B + " out") + "20 end", "cooked")
    assert (a["path"], a["state"], b) == ("unknown", "failed", None)


def test_checks_that_reach_the_capture_at_their_receiver_were_delivered():
    """B hears and does not answer: the network did its part."""
    a, _ = ways(SILENCE.replace(A_TO_B, A_TO_B + " in") + "20 end", "cooked")
    assert (a["path"], a["state"]) == ("delivered", "failed")


def test_rejected_by_icmp():
    lines = "".join(f"{n} A > B request t{n} {A_TO_B}\n {n}.01 R > A icmp 3/13 quotes=t{n}\n" for n in range(4))
    a, _ = ways(lines + "20 end")
    assert (a["path"], a["state"], a["icmp_received"]) == ("rejected", "failed", 4)


def test_source_quench_rejects_nothing():
    a, _ = ways(f"0 A > B request t1 {A_TO_B}\n 0.1 R > A icmp 4/0 quotes=t1\n 20 end")
    assert a["path"] == "unknown"


def test_rewritten_source():
    a, b = ways(BOTH.replace("success t1 mapped=A", "success t1 mapped=A'"))
    assert (a["path"], a["mapped"]) == ("rewritten", "203.0.113.1:4000")
    assert b["path"] == "delivered"


def test_an_answer_from_elsewhere_proves_arrival_and_tells_rewriting():
    """The check arrived; the answer cannot be used (RFC 8445 section 7.2.5.2.1)."""
    a, _ = ways(f"0 A > B request t1 {A_TO_B}\n 0.1 A' > A success t1 mapped=A\n 20 end")
    assert (a["path"], a["state"], a["other_address"]) == ("delivered", "failed", 1)
    a, _ = ways(f"0 A > B request t1 {A_TO_B}\n 0.1 R > A success t1 mapped=A'\n 20 end")
    assert (a["path"], a["mapped"]) == ("rewritten", "203.0.113.1:4000")


def test_error_responses_arrive_too():
    a, _ = ways(f"0 A > B request t1 {A_TO_B}\n 0.1 B > A error t1 code=401\n 20 end")
    assert (a["path"], a["state"], a["errors_received"]) == ("delivered", "failed", 1)


def test_a_role_conflict_and_then_success():
    a, _ = ways(f"""
        0.0  A > B  request t1 {A_TO_B}
        0.1  B > A  error t1 code=487
        0.2  A > B  request t2 user=bbbb:aaaa controlled prio=1
        0.3  B > A  success t2 mapped=A
        20   end
    """)
    assert (a["state"], a["role"]) == ("succeeded", "controlled")


def test_in_progress_while_checks_go_on():
    """Three seconds are not enough to fail; ten are, though the agent may go on."""
    every = "".join(f"{n / 2} A > B request t{n} {A_TO_B}\n" for n in range(6))
    assert ways(every)[0]["state"] == "in-progress"
    every = "".join(f"{n / 2} A > B request t{n} {A_TO_B}\n" for n in range(30))
    assert ways(every)[0]["state"] == "failed"


def test_stopped_checks_have_failed():
    assert ways(f"0 A > B request t1 {A_TO_B}\n 1.5 A > B request t2 {A_TO_B}\n 6 end")[0]["state"] == "failed"


# One-sided captures


HEALTHY_ONE_WAY = "".join(
    f"{2.5 * n} A > B request t{n} {A_TO_B}\n {2.5 * n + 0.1} A > B success u{n} mapped=B\n" for n in range(5)
)


def test_only_what_a_sent_was_captured():
    """A's answers without B's checks: what B sends is not in the capture, so silence proves nothing."""
    a, b = ways(HEALTHY_ONE_WAY + "20 end")
    assert (a["state"], a["path"]) == ("in-progress", "unknown")
    assert b["state"] == "succeeded"
    assert b["path"] == "unknown", "A answers checks of B, but whether they came this way was not captured"
    assert (b["requests_sent"], b["transmissions"], b["responses_received"]) == (0, 0, 5)


def test_only_what_a_sent_was_captured_and_a_repeats_itself():
    """Whoever retransmits to the end was not answered, wherever the answers went."""
    repeats = "".join(f"{time} A > B request t1 {A_TO_B}\n" for time in (0, 0.5, 1.5, 3.5, 7.5))
    a, _ = ways(repeats + "0.1 A > B success u1 mapped=B\n 60 end")
    assert (a["state"], a["path"]) == ("failed", "unknown")


def test_only_responses():
    trace = read(f"{NAMES} 0 B > A success t1 mapped=A'\n 1 B > A success t2 mapped=A'\n 20 end")
    assert len(trace.pairs) == 0, "nothing tells that these were checks"
    a, b = ways(f"0 B > A request t0 {B_TO_A}\n 0.1 B > A success t1 mapped=A'\n 20 end")
    assert (a["requests_sent"], a["responses_received"], a["path"]) == (0, 1, "rewritten")
    assert b["requests_sent"] == 1


# Nomination


def test_nomination_concerns_both_directions_of_one_pair():
    trace = read(f"""{NAMES}
        C = 10.0.0.3:3000
        0.00  A > B  request t1 {A_TO_B} use
        0.02  B > A  success t1 mapped=A
        0.03  B > A  request t2 {B_TO_A}
        0.04  A > B  success t2 mapped=B
        0.05  A > C  request t3 {A_TO_B}
        0.06  C > A  success t3 mapped=A
    """)
    assert [row["nominated"] for row in rows(trace.pairs)] == [True, True, False]


def test_libwebrtcs_nomination_attribute():
    a, _ = ways(f"0 A > B request t1 {A_TO_B} nomination=1\n 0.02 B > A success t1 mapped=A")
    assert a["nominated"]


@pytest.mark.parametrize("answer", ["", "0.1 B > A error t1 code=487", "0.1 A' > A success t1 mapped=A"])
def test_an_unanswered_nomination_counts_for_nothing(answer):
    a, _ = ways(f"0 A > B request t1 {A_TO_B} use\n {answer}\n 20 end")
    assert not a["nominated"]


def test_a_nomination_whose_answer_was_not_heard_does_not_count():
    """A repeats it long after B's answer: A never knew."""
    times = (0, 0.5, 1.5, 3.5)
    lines = "".join(f"{t} A > B request t1 {A_TO_B} use\n {t + 0.01} B > A success t1 mapped=A\n" for t in times)
    a, _ = ways(lines + "60 end")
    assert not a["nominated"]
    assert a["state"] == "failed"


def test_empty_frames_have_all_columns():
    trace = read("0 end")
    assert "path" in trace.pairs.columns
    assert len(trace.pairs) == len(trace.mappings) == 0
