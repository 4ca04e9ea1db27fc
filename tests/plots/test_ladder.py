"""The ladder: what its rows say, where its arrows end, and that nothing from a wire is drawn as anything but text."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

import stunpcap
from stunpcap.errors import UsageError
from stunpcap.ladder import build_ladder
from stunpcap.plots import ladder, ladder_data
from tests.ice.transcript import id_of, read, rows, transcript
from tests.places import LAB

ANSWERED = """
    A = 10.0.0.1:1000
    B = 10.0.0.2:2000
    0.000  A > B  request t1 user=bbbb:aaaa prio=1 controlling ttl=64
    0.025  B > A  success t1 mapped=A ttl=60
    0.100  A > B  request t2 user=bbbb:aaaa prio=1 controlling use
    0.130  B > A  success t2 mapped=A ttl=60
    1.0    end
"""

ONE_WAY = """
    A = 10.0.0.1:1000
    B = 10.0.0.2:2000
    0.00  A > B  request a1 user=bbbb:aaaa prio=1 controlling ttl=64
    0.10  B > A  request b1 user=aaaa:bbbb prio=1 controlled ttl=60
    0.11  A > B  success b1 mapped=B ttl=64
    0.50  A > B  request a1 user=bbbb:aaaa prio=1 controlling ttl=64
    0.60  B > A  request b1 user=aaaa:bbbb prio=1 controlled ttl=60
    0.61  A > B  success b1 mapped=B ttl=64
    1.50  A > B  request a1 user=bbbb:aaaa prio=1 controlling ttl=64
    1.60  B > A  request b1 user=aaaa:bbbb prio=1 controlled ttl=60
    1.61  A > B  success b1 mapped=B ttl=64
    3.50  A > B  request a1 user=bbbb:aaaa prio=1 controlling ttl=64
    3.60  B > A  request b1 user=aaaa:bbbb prio=1 controlled ttl=60
    3.61  A > B  success b1 mapped=B ttl=64
    60.0  end
"""
"""Captured at A, whose packets have a fresh time to live: B repeats what A has answered, and answers nothing."""


def table(trace: Any, **options: Any) -> list[dict[str, Any]]:
    return rows(ladder_data(trace, **options))


def lines(ax: Axes, gid: str) -> list[Line2D]:
    return [line for line in ax.lines if line.get_gid() == gid]


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_a_request_and_its_answer_are_two_arrows() -> None:
    first, second, nomination, _last = table(read(ANSWERED))
    assert (first["event"], first["source"], first["target"], first["frame"]) == ("check", "A", "B", 1)
    assert (first["offset_s"], first["fate"], first["transaction_id"]) == (0, "seen", id_of("t1"))
    assert (second["event"], second["source"], second["target"], second["frame"]) == ("answer", "B", "A", 2)
    assert second["offset_s"] == pytest.approx(0.025)
    assert second["answers"] == 1
    assert (nomination["event"], nomination["frame"]) == ("nomination", 3)
    assert "nominating" in nomination["label"]


def test_what_evidence_says_is_lost_ends_before_the_lane() -> None:
    trace = read(ONE_WAY, form="pcap")
    check = next(row for row in table(trace) if row["src"].startswith("10.0.0.1") and row["event"] == "check")
    assert check["fate"] == "lost"
    assert "sent 4 times until 3.5 s" in check["label"]
    answer = next(row for row in table(trace) if row["event"] == "answer")
    assert (answer["fate"], answer["source"]) == ("lost", "A")
    ax = ladder(trace)
    lane = float(lines(ax, "lane B")[0].get_xdata()[0])  # type: ignore[index]
    crosses = [float(cross.get_xdata()[0]) for cross in lines(ax, "cross")]  # type: ignore[index]
    assert crosses
    assert all(cross < lane - 0.1 for cross in crosses)


def test_silence_alone_proves_nothing() -> None:
    trace = read("""
        A = 10.0.0.1:1000
        B = 10.0.0.2:2000
        0.0  A > B  request t1 user=bbbb:aaaa prio=1 controlling
        0.5  A > B  request t1 user=bbbb:aaaa prio=1 controlling
        1.5  A > B  request t1 user=bbbb:aaaa prio=1 controlling
        90   end
    """)
    (only,) = table(trace)
    assert only["fate"] == "no-answer"
    assert "no answer seen" in only["label"]
    assert "lost" not in only["label"]
    ax = ladder(trace)
    assert [line.get_linestyle() for line in lines(ax, "check no-answer")] == ["--"]


def test_checks_that_go_alike_are_folded() -> None:
    checks = "\n".join(f"{0.1 * n:.1f} A > B request t{n} user=bbbb:aaaa prio=1 controlling" for n in range(8))
    trace = read(f"A = 10.0.0.1:1000\nB = 10.0.0.2:2000\n{checks}\n90 end")
    first, fold = table(trace)
    assert (first["event"], first["stands_for"]) == ("check", 1)
    assert (fold["event"], fold["stands_for"]) == ("fold", 7)
    assert fold["until_s"] == pytest.approx(0.7)
    assert fold["label"] == "… 7 more checks, no answer until 0.700 s"
    full = table(trace, full=True)
    assert [row["stands_for"] for row in full] == [1] * 8
    assert [row["frame"] for row in full] == list(range(1, 9))
    assert len(table(trace, full=True, limit=3)) == 3


def test_the_check_that_breaks_a_silence_is_told() -> None:
    trace = read("""
        A = 10.0.0.1:1000
        B = 10.0.0.2:2000
        0.0  A > B  request t1 user=bbbb:aaaa prio=1 controlling
        1.0  A > B  request t2 user=bbbb:aaaa prio=1 controlling
        2.0  A > B  request t3 user=bbbb:aaaa prio=1 controlling
        3.0  A > B  request t4 user=bbbb:aaaa prio=1 controlling
        3.1  B > A  success t4 mapped=A
        90   end
    """)
    assert [(row["event"], row["frame"]) for row in table(trace)] == [
        ("check", 1),
        ("fold", 2),
        ("check", 4),
        ("answer", 5),
    ]


def test_an_answer_from_elsewhere_comes_from_there() -> None:
    trace = read("""
        A = 10.0.0.1:1000
        B = 192.168.1.2:2000
        X = 172.30.0.2:2000
        0.0  A > B  request t1 user=bbbb:aaaa prio=1 controlling
        0.1  X > A  success t1 mapped=A
        90   end
    """)
    asked, answer = table(trace)
    assert asked["dst"] == "192.168.1.2:2000"
    assert (answer["event"], answer["fate"], answer["src"]) == ("stray", "discarded", "172.30.0.2:2000")
    assert answer["source"] != asked["target"]
    assert answer["target"] == asked["source"]
    assert "from 172.30.0.2:2000, but 192.168.1.2:2000 was asked" in answer["label"]


def test_rewriting_is_shown_where_an_answer_tells_it() -> None:
    trace = read("""
        A = 192.168.1.1:1000
        N = 203.0.113.1:5555
        B = 198.51.100.2:2000
        0.0  A > B  request t1 user=bbbb:aaaa prio=1 controlling
        0.1  B > A  success t1 mapped=N
        9    end
    """)
    asked, answer = table(trace)
    assert asked["via"] == "NAT A"
    assert answer["label"] == "success: seen as 203.0.113.1:5555"
    assert answer["via"] == ""
    found = build_ladder(trace)
    assert [lane.name for lane in found.lanes] == ["A", "NAT A", "B"]
    assert found.lanes[1].addresses == ("203.0.113.1:5555",)
    assert len(lines(ladder(trace), "via")) == 1


def test_two_captures_of_one_message_tell_a_nat() -> None:
    head = "A = 10.0.0.1:1000\nB = 192.168.1.2:2000\nX = 172.30.0.2:2000\n"
    trace = read(
        at_b=head + "0.0 B > A request t1 user=aaaa:bbbb prio=1 controlling ttl=64\n90 end",
        at_a=head + "0.0 X > A request t1 user=aaaa:bbbb prio=1 controlling ttl=60\n"
        "0.1 A > X success t1 mapped=X ttl=64\n90 end",
    )
    found = build_ladder(trace, vantage="at_a")
    nat = next(number for number, lane in enumerate(found.lanes) if lane.kind == "nat")
    assert found.lanes[nat].addresses == ("172.30.0.2:2000",)
    check = next(step for step in found.steps if step.event == "check")
    assert check.via == (nat,)
    assert found.lanes[check.source].addresses == ("192.168.1.2:2000",)
    assert build_ladder(read(head + "0.0 X > A request t1 user=aaaa:bbbb prio=1\n90 end")).lanes[0].kind == "agent"


def test_servers_have_lanes_and_refusals_have_codes() -> None:
    trace = read("""
        A = 192.168.1.1:1000
        N = 203.0.113.1:5555
        B = 198.51.100.2:2000
        S = 203.0.113.5:3478
        R = 203.0.113.5:6000
        0.00  A > S  allocate request g1
        0.01  S > A  allocate error g1 code=401
        0.02  A > S  allocate request g2 user=me realm=r
        0.03  S > A  allocate success g2 relayed=R mapped=N lifetime=600
        0.04  A > S  create-permission request g3 peer=B user=me realm=r
        0.05  S > A  create-permission error g3 code=403
        1.00  A > B  request t1 user=bbbb:aaaa prio=1 controlling
        90    end
    """)
    said = table(trace)
    assert [row["label"].split(",")[0] for row in said[:6]] == [
        "Allocate request",
        "error 401 Unauthorized",
        "Allocate request with credentials",
        "success: relayed address 203.0.113.5:6000 for 600 s",
        "CreatePermission request for 198.51.100.2",
        "error 403 Forbidden",
    ]
    assert {row["target"] for row in said if row["event"] == "turn"} == {"TURN"}
    assert [row["event"] for row in said[1:6:4]] == ["error", "error"]


def test_icmp_says_why() -> None:
    trace = read("""
        A = 10.0.0.1:1000
        B = 10.9.0.2:2000
        R = 10.0.0.254:0
        0.0  A > B  request t1 user=bbbb:aaaa prio=1 controlling
        0.1  R > A  icmp 3/13 quotes=t1
        90   end
    """)
    (only,) = table(trace)
    assert only["fate"] == "rejected"
    assert "administratively prohibited (3/13) from 10.0.0.254, frame 2" in only["label"]


def label(scenario: str) -> dict[str, Any]:
    return tomllib.loads((LAB / scenario / "expect.toml").read_text())


def captures(scenario: str, *names: str) -> list[Path]:
    return [LAB / scenario / f"{name}.pcap" for name in names]


def test_the_case_it_was_born_from() -> None:
    """The label names who has which address, and the direction that is dead: answerer -> nat-a."""
    nodes = label("asymmetric-dead")["nodes"]
    outside = [address for address in nodes["nat-a"] if address not in ("192.168.10.1",)]
    said = table(stunpcap.read(*captures("asymmetric-dead", "answerer")))
    (stray,) = [row for row in said if row["fate"] == "discarded"]
    assert stray["src"].rpartition(":")[0] in outside
    lost = [row for row in said if row["fate"] == "lost"]
    assert lost
    assert {row["src"].rpartition(":")[0] for row in lost} == set(nodes["answerer"])
    assert {row["dst"].rpartition(":")[0] for row in lost} == set(outside)
    both = build_ladder(stunpcap.read(*captures("asymmetric-dead", "answerer", "offerer")))
    (nat,) = [lane for lane in both.lanes if lane.kind == "nat"]
    assert {address.rpartition(":")[0] for address in nat.addresses} == set(outside)
    assert {end.rpartition(":")[0] for lane in both.lanes if lane.kind == "agent" for end in lane.addresses} == {
        *nodes["answerer"],
        *nodes["offerer"],
    }


@pytest.mark.parametrize(
    ("scenario", "capture", "words"),
    [
        ("turn-forbidden", "offerer", "error 403 Forbidden"),
        ("turn-wrong-password", "offerer", "error 401"),
        ("turn-quota", "offerer", "error 486"),
        ("role-conflict", "offerer", "error 487 Role Conflict"),
        ("icmp-admin-prohibited", "offerer", "administratively prohibited"),
        ("stun-dead", "offerer", "Binding request"),
        ("turn-tls", "offerer", "what is inside cannot be seen"),
    ],
)
def test_what_a_scenario_is_about_is_told(scenario: str, capture: str, words: str) -> None:
    said = table(stunpcap.read(*captures(scenario, capture)))
    assert any(words in row["label"] for row in said)
    assert len(said) <= 42


SOME = ("direct", "asymmetric-dead", "lossy", "consent-lost", "turn-udp", "turn-killed", "media-turn", "ice-restart")


@pytest.mark.parametrize("scenario", SOME)
def test_no_request_gets_lost_in_a_story(scenario: str) -> None:
    """What is shown, folded and left out is together what was asked."""
    for path in sorted((LAB / scenario).glob("*er.pcap")):
        trace = stunpcap.read(path)
        found = build_ladder(trace)
        transactions = trace.transactions
        mine = transactions[transactions["session_id"] == found.session_id]
        asked = int(mine["request_frame"].notna().sum())
        checks = sum(step.stands_for for step in found.steps if step.transaction_id in set(mine["transaction_id"]))
        assert checks + found.left_out >= asked
        assert checks <= asked
        times = [step.time_ns for step in found.steps if step.time_ns is not None]
        assert times == sorted(times)


def test_wire_text_stays_text() -> None:
    hostile = "$x^2$\x1b[31m"
    trace = read(f"""
        A = 10.0.0.1:1000
        B = 10.0.0.2:2000
        0.0  A > B  request t1 user=bbbb:{hostile} prio=1 controlling
        0.1  B > A  success t1 mapped=A
        9    end
    """)
    ax = ladder(trace)
    ax.figure.canvas.draw()
    assert any("$" in text for text in texts(ax))
    for text in ax.texts:
        assert "\x1b" not in text.get_text()
        if "$" in text.get_text():
            assert not text.get_parse_math()


def test_words_beside_the_arrows_are_those_of_the_frame() -> None:
    trace = read(ANSWERED)
    drawn = texts(ladder(trace))
    for row in table(trace):
        assert row["label"] in drawn
        assert str(row["frame"]) in drawn


def test_nothing_to_draw() -> None:
    trace = transcript("A = 10.0.0.1:1000\nB = 10.0.0.2:2000\n0 A > B rtp").read()
    assert table(trace) == []
    (said,) = texts(ladder(trace))
    assert "No ladder" in said


def test_what_there_is_not() -> None:
    with pytest.raises(UsageError, match="there is no session 7"):
        ladder_data(read(ANSWERED), session=7)
    with pytest.raises(UsageError, match="there is no vantage 'x'"):
        ladder_data(read(ANSWERED), vantage="x")


def test_draws_where_it_is_told_and_in_the_dark() -> None:
    from matplotlib import pyplot

    figure, ax = pyplot.subplots()
    assert ladder(read(ANSWERED), ax=ax, dark=True) is ax
    assert figure.axes == [ax]


CONNECTED = """
    A = 10.0.0.1:1000
    B = 10.0.0.2:2000
    0.0   A > B  request t1 user=bbbb:aaaa prio=1 controlling use
    0.1   B > A  success t1 mapped=A
"""


def test_dtls_and_media_follow_the_checks() -> None:
    trace = read(
        CONNECTED
        + """
        0.2   A > B  dtls-hello
        0.3   B > A  rtp
        0.4   B > A  rtp
        9     end
    """
    )
    hello, media = [row for row in table(trace) if row["event"] in ("dtls", "media")]
    # The transcript's record is all zeros, which in a handshake message is a HelloRequest.
    assert (hello["label"], hello["source"], hello["frame"]) == ("DTLS HelloRequest: no answer seen", "A", 3)
    assert hello["fate"] == "no-answer"
    assert (media["source"], media["target"], media["frame"]) == ("B", "A", 4)
    assert media["label"] == "first RTP; 2 packets until 0.400 s"


def test_an_alert_is_named() -> None:
    said = table(stunpcap.read(*captures("dtls-alert", "offerer")))
    hello = next(row for row in said if row["label"].startswith("DTLS ClientHello"))
    alert = next(row for row in said if row["label"].startswith("DTLS alert"))
    assert hello["frame"] < alert["frame"]
    assert said.index(alert) > [row["event"] for row in said].index("nomination")


def test_folds_say_what_became_of_them() -> None:
    body = "\n".join(
        f"{n} A > B request t{n} user=bbbb:aaaa prio=1 controlling\n"
        + f"{n}.1 B > A {'success' if n % 2 else 'error'} t{n} {'mapped=A' if n % 2 else 'code=487'}"
        for n in range(1, 13)
    )
    trace = read(f"A = 10.0.0.1:1000\nB = 10.0.0.2:2000\n{body}\n90 end")
    said = table(trace)
    (fold,) = [row for row in said if row["event"] == "fold"]
    # The first three runs and the last are told; of the 8 others every other one was answered.
    assert fold["stands_for"] == 8
    assert "4 answered, 4 refused" in fold["label"]
    assert sum(row["stands_for"] for row in said) == 12
