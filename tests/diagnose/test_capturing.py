"""What captures miss: one side, the ends of packets, their own beginning and end, or STUN altogether."""

from __future__ import annotations

import pytest

from stunpcap.trace import Trace
from tests.diagnose.calls import call, causes, checks, found, lab, only
from tests.ice.transcript import read, transcript

GOOD_A = "B > A success ID mapped=A"
GOOD_B = "A > B success ID mapped=B"
HEALTHY = (
    checks("A > B", "a", answer=GOOD_A, and_="controlling use"),
    checks("B > A", "b", user="a:b", answer=GOOD_B, and_="controlled"),
)


@pytest.mark.parametrize(
    "name",
    [
        *("no-stun", "one-sided-capture", "truncated-packets", "duplicate-packets"),
        *("capture-started-late", "capture-ended-early"),
    ],
)
def test_a_whole_capture_of_a_healthy_call_misses_nothing(name: str) -> None:
    for scenario in ("routed/offerer", "nats-stun/server", "turn-udp/server", "media-call/answerer"):
        assert not found(lab(scenario), name), scenario
    assert not found(call(*HEALTHY), name)


@pytest.mark.rule("no-stun", "fires")
def test_a_capture_of_signalling_says_what_it_holds() -> None:
    hit = only(lab("capture-no-stun/server"), "no-stun")
    assert "TCP to port 8080" in hit["summary"] and "tcpdump" in hit["advice"]
    assert hit["severity"] == "info"


@pytest.mark.rule("no-stun", "fires")
def test_a_capture_of_media_alone_says_so() -> None:
    hit = only(
        read("A = 10.0.0.1:1000\nB = 10.0.0.2:2000\n" + "\n".join(f"{n} A > B rtp" for n in range(5))), "no-stun"
    )
    assert "5 packets of RTP over UDP" in hit["summary"]


@pytest.mark.rule("no-stun", "quiet")
def test_stun_is_stun() -> None:
    assert not found(call(checks("A > B", "a", 1)), "no-stun")


@pytest.mark.rule("no-stun", "near miss")
def test_stun_inside_turn_is_stun() -> None:
    assert not found(lab("turn-tcp/offerer"), "no-stun")


def one_way(*parts: str, sender: str) -> Trace:
    """What one of them sent, of a call."""
    lines = [line for part in parts for line in part.splitlines() if line.split()[1:2] == [sender]]
    lines.sort(key=lambda line: float(line.split()[0]))
    return read("A = 192.168.1.10:1000\nB = 10.20.0.20:2000\n" + "\n".join(lines))


@pytest.mark.rule("one-sided-capture", "fires")
@pytest.mark.parametrize("vantage", ["offerer-out", "answerer-in"])
def test_a_capture_of_one_direction(vantage: str) -> None:
    trace = lab(f"capture-one-direction/{vantage}")
    hit = only(trace, "one-sided-capture")
    assert hit["severity"] == "warning" and "192.168.10.10" in hit["summary"]
    assert causes(trace) == [""]


@pytest.mark.rule("one-sided-capture", "fires")
def test_answers_without_requests_show_that_there_was_another_direction() -> None:
    assert only(one_way(*HEALTHY, sender="B"), "one-sided-capture")["confidence"] == "high"


@pytest.mark.rule("one-sided-capture", "quiet")
def test_both_directions_are_not_one_sided() -> None:
    assert not found(call(*HEALTHY), "one-sided-capture")


@pytest.mark.rule("one-sided-capture", "near miss")
def test_a_peer_that_is_silent_makes_no_one_sided_capture() -> None:
    """Nothing shows that there was anything to capture."""
    assert not found(call(checks("A > B", "a")), "one-sided-capture")
    assert not found(lab("both-ways-drop/offerer"), "one-sided-capture")


@pytest.mark.rule("one-sided-capture", "near miss")
def test_some_requests_that_were_not_captured_make_no_one_sided_capture() -> None:
    assert not found(call(*HEALTHY, "20 B > A success gone mapped=A"), "one-sided-capture")


@pytest.mark.rule("truncated-packets", "fires")
def test_a_short_snap_length() -> None:
    hit = only(lab("capture-snaplen/offerer"), "truncated-packets")
    assert hit["summary"].startswith("24 of 24 STUN messages") and "-s 0" in hit["advice"]


@pytest.mark.rule("truncated-packets", "quiet")
def test_whole_packets_are_not_truncated() -> None:
    assert not found(call(*HEALTHY), "truncated-packets")


@pytest.mark.rule("truncated-packets", "near miss")
def test_a_message_that_was_sent_short_was_not_cut_by_the_capture() -> None:
    short = checks("A > B", "a", 5, and_="short=8")
    assert not found(call(short, HEALTHY[1]), "truncated-packets")


@pytest.mark.rule("duplicate-packets", "fires")
def test_the_interface_any_sees_packets_twice() -> None:
    hit = only(lab("capture-any/router-any"), "duplicate-packets")
    assert hit["severity"] == "info" and hit["summary"].startswith("24 of 48 STUN messages")


@pytest.mark.rule("duplicate-packets", "fires")
def test_the_same_packet_again() -> None:
    text = "A = 10.0.0.1:1000\nB = 10.0.0.2:2000\n0 A > B request a user=b:a prio=1\n0.0001 again\n9 end"
    assert "1 of 2" in only(read(text), "duplicate-packets")["summary"]


@pytest.mark.rule("duplicate-packets", "quiet")
def test_packets_seen_once() -> None:
    assert not found(call(*HEALTHY), "duplicate-packets")


@pytest.mark.rule("duplicate-packets", "near miss")
def test_retransmissions_are_no_duplicates() -> None:
    """A new packet with the same transaction id, half a second later."""
    again = "".join(f"{at} A > B request a user=b:a prio=1\n" for at in (0.0, 0.5, 1.5, 3.5))
    assert not found(call(again), "duplicate-packets")


@pytest.mark.rule("duplicate-packets", "near miss")
def test_both_sides_of_a_relay_are_no_duplicates() -> None:
    """The server passes each message on: it is seen on both its sides, once each."""
    assert not found(lab("turn-udp/server"), "duplicate-packets")


@pytest.mark.rule("capture-started-late", "fires")
def test_media_before_the_first_check() -> None:
    trace = lab("capture-late/offerer")
    assert only(trace, "capture-started-late")["severity"] == "info"
    assert causes(trace) == [""]


@pytest.mark.rule("capture-started-late", "fires")
def test_an_answer_before_the_first_request() -> None:
    assert found(call("0 B > A success gone mapped=A", checks("A > B", "a", start=1.0, answer=GOOD_A)),
                 "capture-started-late")  # fmt: skip


@pytest.mark.rule("capture-started-late", "quiet")
def test_a_capture_from_the_beginning() -> None:
    assert not found(lab("late-trickle/offerer"), "capture-started-late")


@pytest.mark.rule("capture-started-late", "near miss")
def test_answers_to_requests_that_go_another_way_are_not_late() -> None:
    """Behind a one-way NAT the answerer's requests never pass its outside."""
    assert not found(lab("aiortc-asymmetric-rescued/nat-a-outside"), "capture-started-late")


@pytest.mark.rule("capture-started-late", "near miss")
def test_media_from_a_new_port_in_mid_call_is_not_late() -> None:
    assert not found(lab("nat-rebinding/answerer"), "capture-started-late")


@pytest.mark.rule("capture-ended-early", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_a_capture_that_ends_in_the_middle_of_checks(vantage: str) -> None:
    assert "still open" in only(lab(f"capture-ended-early/{vantage}"), "capture-ended-early")["summary"]


@pytest.mark.rule("capture-ended-early", "quiet")
def test_a_capture_that_goes_on_after_the_failure() -> None:
    assert not found(call(checks("A > B", "a")), "capture-ended-early")
    assert not found(lab("one-way-drop/offerer"), "capture-ended-early")


@pytest.mark.rule("capture-ended-early", "near miss")
def test_an_open_check_at_the_end_of_a_call_that_works_is_how_calls_end() -> None:
    text = "\n".join(line for part in HEALTHY for line in part.splitlines())
    lines = sorted(text.splitlines(), key=lambda line: float(line.split()[0]))
    trace = transcript(
        "A = 10.0.0.1:1000\nB = 10.0.0.2:2000\n" + "\n".join(lines) + "\n14 A > B request z user=b:a prio=1"
    ).read()
    assert trace.table("transactions").values("outcome").count("unfinished") == 1
    assert not found(trace, "capture-ended-early")
