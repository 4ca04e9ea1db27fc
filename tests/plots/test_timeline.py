"""The timeline: events counted by hand, in the lane and at the time they belong to."""

from __future__ import annotations

import dataclasses
import itertools
import tomllib
from typing import Any

import numpy as np
import pytest

import stunpcap
from stunpcap.plots.canvas import offscreen
from stunpcap.schema import CONTENT
from stunpcap.table import Table
from stunpcap.trace import Trace
from tests.ice.transcript import EPOCH, one, read, rows
from tests.places import LAB

CALL = """
    A = 10.0.0.1:1000
    B = 10.0.0.2:2000
    N = 10.0.9.9:2000
    S = 192.0.2.9:3478
    R = 10.0.0.254:0
    1.000  A > S  request g1
    1.500  A > S  request g1
    1.530  S > A  success g1 mapped=198.51.100.1:4000
    1.600  A > S  allocate request a1
    1.630  S > A  allocate error a1 code=401
    2.000  A > B  request t1 user=bbbb:aaaa prio=5 controlling
    2.020  B > A  success t1 mapped=A
    2.100  B > A  request t2 user=aaaa:bbbb prio=5 controlled
    2.200  B > A  request t2 user=aaaa:bbbb prio=5 controlled
    2.210  A > B  success t2 mapped=B
    2.300  A > B  request t3 user=bbbb:aaaa prio=5 controlling use
    2.330  B > A  success t3 mapped=A
    3.000  A > B  request t4 user=bbbb:aaaa prio=5 controlling
    3.010  R > A  icmp 3/1 quotes=t4
    4.000  B > A  request t5 user=aaaa:bbbb prio=5 controlled
    4.010  A > B  error t5 code=401
    5.000  A > B  request t6 user=bbbb:aaaa prio=5 controlling
    5.050  N > A  success t6 mapped=A
    90.0   end
"""


def lanes(data: Any) -> list[tuple[str, str, str, str]]:
    first = data.drop_duplicates("lane")
    return list(zip(first["group"], first["direction"], first["src"], first["dst"], strict=True))


def test_what_happened_when_and_where() -> None:
    data = stunpcap.plots.timeline_data(read(CALL))
    a, b, s = "10.0.0.1:1000", "10.0.0.2:2000", "192.0.2.9:3478"
    assert lanes(data) == [
        ("gathering", "", a, s),
        ("turn", "", a, s),
        ("pair", "a-to-b", a, b),
        ("pair", "b-to-a", b, a),
    ]
    told = [(row["lane"], row["kind"], round(row["time_s"], 3), row["consent"], row["frame"]) for row in rows(data)]
    assert told == [
        (0, "gather", -1.0, False, 1),
        (0, "gather", -0.5, False, 2),
        (0, "answer", -0.47, False, 3),
        (1, "turn", -0.4, False, 4),
        (1, "error", -0.37, False, 5),
        (2, "check", 0.0, False, 6),
        (2, "answer", 0.02, False, 7),
        (2, "nomination", 0.3, False, 11),
        (2, "answer", 0.33, False, 12),
        (2, "consent", 1.0, True, 13),
        (2, "icmp", 1.01, True, 14),
        (2, "consent", 3.0, True, 17),
        (2, "stray", 3.05, True, 18),
        (3, "check", 0.1, False, 8),
        (3, "check", 0.2, False, 9),
        (3, "answer", 0.21, False, 10),
        (3, "consent", 2.0, True, 15),
        (3, "error", 2.01, True, 16),
    ]


def artists(ax: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for line in (*ax.lines, *ax.collections):
        if line.get_gid():
            found.setdefault(str(line.get_gid()), []).append(line)
    return found


def marks(line: Any) -> int:
    """Strokes are three points each, the last one missing; markers one."""
    x = np.asarray(line.get_xdata(), float)
    return int(np.isnan(x).sum()) or len(x)


def test_everything_is_drawn_once() -> None:
    ax = stunpcap.plots.timeline(read(CALL))
    drawn = {kind: [marks(line) for line in lines] for kind, lines in artists(ax).items()}
    assert drawn == {
        "gather": [2],
        "turn": [1],
        "check": [3],
        "nomination": [1, 1],  # a stroke, and a star on the first
        "consent": [3],
        "answer": [4],
        "error": [2],
        "icmp": [1],
        "stray": [1],
    }
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[0] == "STUN  10.0.0.1:1000 → 192.0.2.9:3478"
    assert labels[1].startswith("TURN") and labels[2].startswith("★ A→B") and labels[3].startswith("★ B→A")
    results = [text.get_text() for text in ax.texts]
    # A→B: t1, t3 answered of t1, t3, t4, t6; B→A: t2 answered of t2, t5.
    assert "✓ 1/2" in results and any(text.endswith("2/4") for text in results)
    assert any(text.endswith("1/2") for text in results)


def test_sent_stands_above_the_line_and_what_came_back_below() -> None:
    ax = stunpcap.plots.timeline(read(CALL))
    (check,), (answer,) = artists(ax)["check"], artists(ax)["answer"]
    ups, downs = (np.asarray(line.get_ydata(), float).reshape(-1, 3) for line in (check, answer))
    assert (ups[:, 1] < ups[:, 0]).all() and (downs[:, 1] > downs[:, 0]).all()
    bottom, top = ax.get_ylim()
    assert bottom > top  # lanes count downwards


def test_of_several_captures_one_is_shown() -> None:
    captures = sorted((LAB / "asymmetric-dead").glob("*.pcap"))
    trace = stunpcap.read(*captures)
    assert stunpcap.plots.timeline_data(trace)["vantage"].nunique() == 1
    assert set(stunpcap.plots.timeline_data(trace, vantage="offerer")["vantage"]) == {"offerer"}
    note = stunpcap.plots.timeline(trace, vantage="offerer").get_legend().get_title().get_text()
    assert "as captured at offerer" in note


def test_a_capture_at_an_agent_is_preferred() -> None:
    """Label of nats-symmetric-turn: two captures at the agents, the others at routers and at the server."""
    trace = stunpcap.read(*sorted((LAB / "nats-symmetric-turn").glob("*.pcap")))
    assert set(stunpcap.plots.timeline_data(trace)["vantage"]) <= {"offerer", "answerer"}


def test_the_dead_direction_has_no_answers() -> None:
    """The label says which direction is dead: checks sent that way are many, and none is answered."""
    label = tomllib.loads((LAB / "one-way-drop" / "expect.toml").read_text())
    source, target = label["direction"].split(" -> ")
    (sender,), (receiver,) = label["nodes"][source], label["nodes"][target]
    data = stunpcap.plots.timeline_data(stunpcap.read(LAB / "one-way-drop" / f"{source}.pcap"))
    dead = data[data["src"].str.startswith(f"{sender}:") & data["dst"].str.startswith(f"{receiver}:")]
    assert (dead["kind"] == "answer").sum() == 0 and len(dead) > 100
    back = data[data["src"].str.startswith(f"{receiver}:")]
    assert (back["kind"] == "answer").sum() > 100


def test_without_checks_requests_to_servers_remain() -> None:
    trace = read("""
        A = 10.0.0.1:1000
        S = 192.0.2.9:3478
        7.000  A > S  request g1
        7.030  S > A  success g1 mapped=198.51.100.1:4000
        60     end
    """)
    data = stunpcap.plots.timeline_data(trace)
    assert [(row["kind"], round(row["time_s"], 3)) for row in rows(data)] == [("gather", 0.0), ("answer", 0.03)]
    assert stunpcap.plots.timeline(trace).get_title("left").startswith("Requests to servers")


def with_media(trace: Trace) -> Trace:
    """The same with DTLS and media, as their frames declare them."""
    tables = trace.tables
    a, b = (int(tables.pairs[name][0]) for name in ("src", "dst"))
    name = int(tables.pairs["vantage"][0])
    seconds = np.array([3, 4, 5, 20, 3])
    rtp = np.array([10, 20, 30, 40, 5])
    activity = {
        "session_id": np.ones(5, np.int64),
        "vantage": np.full(5, name),
        "src": np.array([a, a, a, a, b]),
        "dst": np.array([b, b, b, b, a]),
        "time": (EPOCH + seconds) * 10**9,
        "rtp_packets": rtp,
        "media_bytes": rtp * 125,
    }
    dtls = {
        "session_id": np.ones(3, np.int64),
        "vantage": np.full(3, name),
        "src": np.array([a, b, a]),
        "dst": np.array([b, a, b]),
        "time": EPOCH * 10**9 + np.array([2_400, 2_450, 6_000]) * 10**6,
        "content": np.array([CONTENT.index(one) for one in ("handshake", "handshake", "alert")]),
        "frame": np.array([30, 31, 32]),
    }
    same = Trace(trace.sources, tables.pairs.pools)
    same.__dict__["tables"] = dataclasses.replace(
        tables,
        activity=Table("activity", 5, tables.pairs.pools, activity),
        dtls=Table("dtls", 3, tables.pairs.pools, dtls),
    )
    return same


def test_handshake_and_media_stand_in_the_lanes_of_their_direction() -> None:
    trace = with_media(read(CALL))
    data = stunpcap.plots.timeline_data(trace)
    media = [
        (row["direction"], row["time_s"], row["end_s"], row["packets"]) for row in rows(data[data["kind"] == "media"])
    ]
    # The first check was at 2 s; a pause of 14 s ends a stretch.
    assert media == [("a-to-b", 1.0, 4.0, 60), ("a-to-b", 18.0, 19.0, 40), ("b-to-a", 1.0, 2.0, 5)]
    assert one(data, kind="alert")["direction"] == "a-to-b"
    assert len(data[data["kind"] == "dtls"]) == 2
    assert {"media", "dtls", "alert"} <= set(artists(stunpcap.plots.timeline(trace)))


@pytest.mark.parametrize("number", [1, 30, 100])
def test_lanes_keep_their_size(number: int) -> None:
    lines = [
        f"A{i} = 10.0.{i // 250}.{i % 250 + 1}:1000\nB{i} = 10.9.{i // 250}.{i % 250 + 1}:2000" for i in range(number)
    ]
    for i in range(number):
        lines.append(f"{i * 0.01:.2f} A{i} > B{i} request x{i} user=bbbb:aaaa prio=5 controlling")
        lines.append(f"{i * 0.01 + 0.003:.3f} B{i} > A{i} request y{i} user=aaaa:bbbb prio=5 controlled")
    trace = read("\n".join([*lines, "90 end"]))
    with offscreen():
        ax = stunpcap.plots.timeline(trace)
    ax.figure.canvas.draw()
    shown = min(2 * number, 80)
    assert len(ax.get_yticklabels()) == shown
    assert {label.get_fontsize() for label in ax.get_yticklabels()} == {8.0}
    per_lane = ax.get_window_extent().height / ax.figure.dpi / shown
    assert per_lane >= 0.3
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert all(below.y1 <= above.y0 + 1 for above, below in itertools.pairwise(boxes))
    if number == 100:
        assert "120 lanes more not drawn" in ax.get_legend().get_title().get_text()
