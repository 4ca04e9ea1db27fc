"""Whose media and DTLS is: after ICE restarts, between candidates that are no pair, in captures without a handshake."""

from __future__ import annotations

import json
from typing import Any

import pytest

import stunpcap
from stunpcap.trace import Trace
from tests.ice.transcript import read
from tests.places import LAB

NAMES = """
    A = 10.0.0.1:1000
    B = 10.0.0.2:2000
    A2 = 10.0.0.1:1002
    B2 = 10.0.0.2:2002
    C = 10.0.0.3:3000
"""
OLD, NEW = ("bbbb", "aaaa"), ("dddd", "cccc")


def checks(time: float, users: tuple[str, str], a: str = "A", b: str = "B", answered: bool = True) -> list[str]:
    """Both agents check, A nominates; `users` are the ufrags of B and A."""
    to_b, to_a = f"user={users[0]}:{users[1]} controlling prio=9 use", f"user={users[1]}:{users[0]} controlled prio=9"
    lines = [f"{time} {a} > {b} request a{time} {to_b}", f"{time + 0.1} {b} > {a} request b{time} {to_a}"]
    answers = [
        f"{time + 0.2} {b} > {a} success a{time} mapped={a}",
        f"{time + 0.3} {a} > {b} success b{time} mapped={b}",
    ]
    return lines + answers * answered


def every(start: int, end: int, way: str = "A > B", what: str = "rtp") -> list[str]:
    """A packet in the middle of each second."""
    return [f"{second}.5 {way} {what}" for second in range(start, end)]


def hidden(size: int, epoch: int = 3) -> str:
    """A record of DTLS 1.3 with a unified header (RFC 9147 section 4): 001CSLEE, a number of two bytes, a length."""
    return f"raw hex={0x2C | epoch:02x}0007{size:04x}{'5a' * size}"


def told(*parts: list[str], end: float = 60) -> Trace:
    lines = sorted((line for part in parts for line in part), key=lambda line: float(line.split()[0]))
    return read(NAMES + "\n".join(lines) + f"\n{end} end")


def sessions(trace: Trace) -> list[tuple[Any, ...]]:
    """Generation, state of DTLS, media from A and from B: of each session."""
    names = ("generation", "dtls", "media_ab_packets", "media_ba_packets")
    return [tuple(row[name] for name in names) for row in trace.table("sessions").records()]


DONE = ["1 A > B dtls-hello", "1.1 B > A dtls-protected", "1.2 A > B dtls-protected"]


# After an ICE restart (RFC 8445 section 9)


def test_media_on_the_same_ends_counts_by_its_time() -> None:
    """The new generation is nominated at 10.2 s: what goes before is of the old one."""
    trace = told(checks(0, OLD), DONE, checks(10, NEW), every(2, 9), every(12, 15, "B > A"))
    assert sessions(trace) == [(0, "done", 8, 1), (1, "done", 0, 3)]
    assert trace.table("activity").values("session_id")[-1] == 2


def test_a_restart_that_nobody_answers_takes_nothing_over() -> None:
    trace = told(checks(0, OLD), DONE, checks(10, NEW, answered=False), every(2, 30), every(2, 30, "B > A"))
    assert sessions(trace) == [(0, "done", 29, 29), (1, "done", 0, 0)]
    states = trace.table("sessions").values("state")
    assert states[0] == "connected" and states[1] != "connected", "the association before it connects no pair"


def test_media_on_new_ends_belongs_to_the_new_session() -> None:
    new = checks(10, NEW, "A2", "B2")
    trace = told(checks(0, OLD), DONE, new, every(2, 13), every(12, 20, "A2 > B2"))
    assert sessions(trace) == [(0, "done", 12, 1), (1, "done", 8, 0)]


def test_two_restarts_in_a_row() -> None:
    trace = told(checks(0, OLD), DONE, checks(10, NEW), checks(20, ("ffff", "eeee")), every(21, 24))
    assert sessions(trace) == [(0, "done", 1, 1), (1, "done", 0, 0), (2, "done", 3, 0)]


@pytest.mark.parametrize(("first", "then"), [(DONE[:1], "started"), ([], "none")])
def test_what_the_handshake_came_to_goes_on(first: list[str], then: str) -> None:
    trace = told(checks(0, OLD), first, checks(10, NEW))
    assert [row[1] for row in sessions(trace)] == [then, then]


def test_a_new_handshake_tells_more_than_the_old_one() -> None:
    trace = told(checks(0, OLD), DONE, checks(10, NEW, "A2", "B2"), ["11 A2 > B2 dtls-hello"])
    assert [row[1] for row in sessions(trace)] == ["done", "started"]


def test_dtls_13_goes_on_over_ends_that_saw_no_handshake() -> None:
    """RFC 9147 section 4: only the lengths tell its records there; other bytes stay what they are."""
    moved = every(12, 15, "A2 > B2", hidden(33)) + every(12, 14, "B2 > A2", hidden(45))
    noise = every(12, 30, "A > B", "raw hex=2f0007002a" + "5a" * 33)
    trace = told(checks(0, OLD), checks(10, NEW, "A2", "B2"), moved, noise)
    assert sessions(trace) == [(0, "none", 0, 0), (1, "done", 3, 2)]
    assert {row["src"]: (row["dtls"], row["other"]) for row in trace.table("flows").records() if row["dtls"]} == {
        "10.0.0.1:1002": (3, 0),
        "10.0.0.2:2002": (2, 0),
    }


def test_alerts_and_acks_are_no_data() -> None:
    """RFC 9147 section 7: an alert has 2 bytes, an ACK of k records 2 + 16 k; type and tag add 17."""
    small = [line for k in range(4) for line in every(12 + k, 13 + k, "A > B", hidden(19 + 16 * k))]
    assert sessions(told(checks(0, OLD), small, every(20, 23, "A > B", hidden(33)))) == [(0, "done", 3, 0)]


def test_a_lab_restart_as_the_browsers_counted_it() -> None:
    """`packetsSent` of a candidate pair are packets of DTLS and media, handshake and alerts included."""
    truth = json.loads((LAB / "ice-restart" / "truth.json").read_text())
    stats = [one for one in truth["offerer"]["stats"] if one["type"] == "candidate-pair" and one["packetsSent"]]
    theirs = [(pair["packetsSent"], pair["packetsReceived"]) for pair in stats]
    trace = stunpcap.read(LAB / "ice-restart" / "offerer.pcap")
    rows = list(trace.table("sessions").records())
    assert [row["dtls"] for row in rows] == ["done", "done"]
    media = [(row["media_ba_packets"], row["media_ab_packets"]) for row in rows]
    media[1] = media[1] if rows[1]["nominated_dst"].startswith("192.168.10.10") else media[1][::-1]
    flows = {(row["src"], row["dst"]): row["dtls"] for row in trace.table("flows").records()}
    for ours, (sent, received), row in zip(media, theirs, rows, strict=True):
        ends = sorted((row["nominated_src"], row["nominated_dst"]))  # the offerer is 192.168.10.10
        most = flows[ends[0], ends[1]], flows[ends[1], ends[0]]
        # What went after the statistics were taken is an alert and a last packet.
        assert ours[0] - 1 <= sent <= most[0] and ours[1] - 1 <= received <= most[1], (ours, sent, received, most)
        assert min(ours) > 10


# Candidates that were never checked as a pair


CROSSED = (checks(0, OLD), checks(3, OLD, "A2", "B2"))


def streams(trace: Trace) -> list[tuple[Any, ...]]:
    names = ("session_id", "pair_id", "on_nominated", "src", "packets")
    return [tuple(row[name] for name in names) for row in trace.table("streams").records()]


def test_media_between_candidates_that_are_no_pair() -> None:
    trace = told(*CROSSED, every(5, 35, "A > B2"))
    assert streams(trace) == [(1, None, "no", "10.0.0.1:1000", 30)]
    assert sessions(trace) == [(0, "none", 30, 0)]
    assert "media-off-pair" in trace.table("findings").values("name")


def test_nobody_is_a_candidate_of_both_agents() -> None:
    """Not to a stranger, and not from one candidate of an agent to another."""
    trace = told(*CROSSED, every(5, 8, "A > C"), every(5, 8, "C > B"), every(5, 8, "A > A2"))
    assert {row[:3] for row in streams(trace)} == {(None, None, None)}
    assert sessions(trace) == [(0, "none", 0, 0)]


def test_candidates_of_two_sessions_in_turn() -> None:
    """The same four ends: what goes is of the session that began last."""
    later = (checks(20, NEW), checks(23, NEW, "A2", "B2"))
    trace = told(*CROSSED, *later, every(5, 8, "A > B2"), every(30, 32, "A > B2"))
    assert [row[2] for row in sessions(trace)] == [3, 2]


def test_a_server_that_is_a_candidate_of_many() -> None:
    """Of two ends the one that few sessions have tells; where many have both, nobody can tell."""
    lines = []
    for number in range(100):
        ends = (f"10.1.0.{number}:1000", "192.0.2.1:443"), (f"10.1.0.{number}:1001", "192.0.2.1:444")
        for at, (client, server) in enumerate(ends):
            lines += checks(number + at / 2, (f"s{number}", f"c{number}"), client, server)
            lines += checks(number + at / 2 + 0.25, (f"t{number}", f"d{number}"), f"10.2.0.1:{at + 1}", server)
    trace = read("\n".join([*lines, "150 10.1.0.7:1000 > 192.0.2.1:444 rtp", "151 10.2.0.1:1 > 192.0.2.1:444 rtp"]))
    own = {row["ufrag_a"]: row for row in trace.table("sessions").records() if row["media_ab_packets"]}
    assert set(own) == {"c7"}


# Captures without a handshake


def test_from_the_middle_of_a_call() -> None:
    """Records with keys: both ends have them; then it is connected, though no nomination was captured."""
    plain = [line.removesuffix(" use") for line in checks(0, OLD)]
    trace = told(plain, every(1, 4, "A > B", "dtls-protected"), every(1, 3, "B > A", "dtls-protected"))
    assert sessions(trace) == [(0, "done", 3, 2)]
    assert trace.table("sessions").values("state") == ["connected"]


def test_a_capture_that_saw_the_handshake_and_one_that_did_not() -> None:
    lines = NAMES + "\n".join([*checks(0, OLD), "1 A > B dtls-hello"])
    late = NAMES + "\n".join([*checks(0, OLD), *every(4, 6, "A > B", "dtls-protected")])
    trace = read(early=lines, late=late)
    assert sessions(trace) == [(0, "done", 2, 0)]


def test_application_data_ends_a_handshake_of_which_pieces_are_missing() -> None:
    trace = told(checks(0, OLD), DONE)
    (row,) = trace.table("handshakes").records()
    assert (row["state"], row["ended_by"]) == ("done", None)
    assert row["finished"] > row["started"] and row["duration_s"] == pytest.approx(0.2)


def test_data_of_an_earlier_association_does_not_end_a_new_handshake() -> None:
    """The stream began before it: what of it is new cannot be told."""
    trace = told(checks(0, OLD), every(1, 9, "A > B", "dtls-protected"), ["20 A > B dtls-hello", "21 A > B dtls-hello"])
    assert trace.table("handshakes").values("state") == ["started"]
