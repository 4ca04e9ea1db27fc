"""Round trips, gathering, many sessions, media: numbers counted by hand, found again in frames and artists."""

from __future__ import annotations

import dataclasses
import io
from collections import Counter
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import stunpcap
from stunpcap.errors import UsageError
from stunpcap.plots.canvas import offscreen
from stunpcap.schema import SESSION_STATE
from stunpcap.table import Table
from stunpcap.trace import Trace
from tests.ice.transcript import EPOCH, one, read, rows, transcript
from tests.places import LAB

CALL = """
    A = 10.0.0.1:1000
    B = 10.0.0.2:2000
    0.000  A > B  request t1 user=bbbb:aaaa prio=5 controlling ttl=64 out
    0.020  B > A  success t1 mapped=A ttl=60 in
    1.000  A > B  request t2 user=bbbb:aaaa prio=5 controlling ttl=64 out
    1.040  B > A  success t2 mapped=A ttl=60 in
    1.100  B > A  request t3 user=aaaa:bbbb prio=5 controlled ttl=60 in
    1.101  A > B  success t3 mapped=B ttl=64 out
    2.000  A > B  request t4 user=bbbb:aaaa prio=5 controlling ttl=64 out
    2.500  A > B  request t4 user=bbbb:aaaa prio=5 controlling ttl=64 out
    2.540  B > A  success t4 mapped=A ttl=60 in
    60.0   end
"""


# Round trips


def test_round_trips_and_where_they_were_measured() -> None:
    data = stunpcap.plots.rtt_data(read(CALL, form="cooked"))
    told = [
        (row["direction"], row["measured_at"], round(row["time_s"], 3), round(row["rtt_s"], 3)) for row in rows(data)
    ]
    assert told == [
        ("a-to-b", "sender", 0.0, 0.02),
        ("a-to-b", "sender", 1.0, 0.04),
        ("b-to-a", "receiver", 1.1, 0.001),
        # t4 was sent twice: which one was answered cannot be told (Karn)
    ]


def test_round_trips_at_the_receiver_are_left_out() -> None:
    ax = stunpcap.plots.rtt(read(CALL, form="cooked"))
    (line,) = [line for line in ax.lines if line.get_gid()]
    assert np.asarray(line.get_ydata(), float) == pytest.approx([20.0, 40.0])
    assert ax.get_ylabel() == "round trip (ms)"
    assert "1 measured at the receiver are left out" in ax.get_legend().get_title().get_text()
    _, side = ax.figure.axes
    medians = [line for line in side.lines if len(set(line.get_ydata())) == 1 and line.get_ydata()[0] == 30.0]
    assert len(medians) == 1


def test_the_distribution_is_left_out_beside_axes_that_were_given() -> None:
    ax = Figure().add_subplot()
    stunpcap.plots.rtt(read(CALL), ax=ax)
    assert ax.figure.axes == [ax]


def test_slow_answers_of_the_lab_are_slow() -> None:
    """slow-path was built with 600 ms there and back; this capture was taken at the offerer, 192.168.10.10."""
    data = stunpcap.plots.rtt_data(stunpcap.read(LAB / "slow-path" / "offerer.pcap"))
    sent = data[data["src"].str.startswith("192.168.10.10:")]
    assert len(sent) and sent["rtt_s"].min() > 0.5


# Gathering

ASKED = """
    A = 10.0.0.1:1000
    B = 10.0.0.2:2000
    X = 10.7.7.7:7000
    S = 192.0.2.9:3478
    T = 192.0.2.10:3478
    0.000  A > S  request g1
    0.500  A > S  request g1
    0.530  S > A  success g1 mapped=198.51.100.1:4000
    0.600  A > T  allocate request a1
    0.630  T > A  allocate error a1 code=401
    0.640  A > T  allocate request a2 user=u realm=r
    0.660  T > A  allocate success a2 mapped=198.51.100.1:4000 relayed=192.0.2.10:50000 lifetime=600
    0.700  X > S  request g2
    1.000  A > B  request t1 user=bbbb:aaaa prio=5 controlling
    1.020  B > A  success t1 mapped=A
    90.0   end
"""


def test_what_was_asked_of_whom() -> None:
    data = stunpcap.plots.gathering_data(read(ASKED))
    told = [
        (row["client"], row["server"], row["kind"], round(row["time_s"], 3), row["outcome"], row["transmissions"])
        for row in rows(data)
    ]
    a, s, t = "10.0.0.1:1000", "192.0.2.9:3478", "192.0.2.10:3478"
    assert told == [
        (a, s, "gather", 0.0, "success", 2),
        (a, t, "allocate", 0.6, "error", 1),
        (a, t, "allocate", 0.64, "success", 1),
        ("10.7.7.7:7000", s, "gather", 0.7, "unanswered", 1),
    ]
    first = rows(data)[0]
    assert (first["last_s"], first["response_s"], first["mapped"]) == (0.5, 0.53, "198.51.100.1:4000")
    assert rows(data)[2]["relayed"] == "192.0.2.10:50000"
    assert rows(data)[1]["relayed"] is None and rows(data)[1]["error_code"] == 401


def test_of_a_session_only_its_own_agents_count() -> None:
    data = stunpcap.plots.gathering_data(read(ASKED), session=1)
    assert set(data["client"]) == {"10.0.0.1:1000"}
    assert one(data, kind="gather")["time_s"] == -1.0


def test_each_request_is_drawn_with_what_became_of_it() -> None:
    ax = stunpcap.plots.gathering(read(ASKED))
    drawn = {line.get_gid(): len(line.get_xdata()) for line in ax.lines if len(line.get_xdata())}
    assert drawn == {"success": 2, "error": 1, "unanswered": 1, "again": 1}
    results = [text.get_text() for text in ax.texts]
    assert results[0] == "✓ 1/1; seen as 198.51.100.1:4000"
    assert results[1].startswith("✓ 1/2; relayed 192.0.2.10:50000; 401 ")
    assert results[2] == "✗ 0/1"
    assert ax.get_title("left") == "4 requests to 2 servers in all"


# Many sessions


def sessions(trace: Trace, states: list[str], causes: list[str] | None = None) -> Trace:
    """A trace with as many sessions, ten seconds apart."""
    tables, count = trace.tables, len(states)
    start = (EPOCH + 10 * np.arange(count)) * 10**9
    columns = {
        "session_id": np.arange(1, count + 1),
        "start": start,
        "end": start + 5 * 10**9,
        "state": np.array([SESSION_STATE.index(state) for state in states]),
        "root_cause": tables.sessions.pools.texts.numbers(causes or [""] * count),
        "time_to_connect_s": np.where(np.array(states) == "connected", 0.25, np.nan),
        "dtls": np.zeros(count, np.int64),
    }
    same = Trace(trace.sources, tables.pairs.pools)
    same.__dict__["tables"] = dataclasses.replace(
        tables, sessions=Table("sessions", count, tables.sessions.pools, columns)
    )
    return same


def bars(ax: Any) -> Counter[str]:
    """How much the bars of each kind amount to."""
    found: Counter[str] = Counter()
    for patch in ax.patches:
        if patch.get_gid():
            found[patch.get_gid()] += round(patch.get_height())
    return found


def test_few_sessions_have_a_line_each() -> None:
    trace = sessions(read(CALL), ["connected", "failed", "checking"], ["", "one-way-loss", ""])
    data = stunpcap.plots.sessions_overview_data(trace)
    assert list(data["start_s"]) == [0.0, 10.0, 20.0] and set(data["duration_s"]) == {5.0}
    ax = stunpcap.plots.sessions_overview(trace)
    assert [text.get_text() for text in ax.texts] == [
        "✓ connected after 0.25 s",
        "✗ failed: one-way-loss",
        "… checking",
    ]
    widths = [(round(patch.get_x()), round(patch.get_width())) for patch in ax.patches if patch.get_gid()]
    assert widths == [(0, 5), (10, 5), (20, 5)]
    assert ax.get_title("left") == "3 sessions: 1 failed, 1 checking, 1 connected"


def test_thousands_of_sessions_are_counted() -> None:
    states = ["connected"] * 2000 + ["failed"] * 700 + ["disconnected"] * 200 + ["checking"] * 100
    causes = [""] * 2000 + ["a"] * 400 + ["b"] * 200 + [f"c{i % 9}" for i in range(300)] + [""] * 100
    with offscreen():
        ax = stunpcap.plots.sessions_overview(sessions(read(CALL), states, causes))
    ax.figure.canvas.draw()
    assert bars(ax) == {"connected": 2000, "failed": 700, "disconnected": 200, "checking": 100}
    assert ax.get_xlabel().startswith("hours since")
    main, side = ax.figure.axes
    assert main is ax
    labels = [label.get_text() for label in side.get_yticklabels()]
    assert labels[:6] == ["✗ failed", "✗ disconnected", "… checking", "✓ connected", "a", "b"]
    assert labels[-1] == "5 other causes"
    numbers = [text.get_text() for text in side.texts]
    assert numbers[:2] == ["700 (23%)", "200 (7%)"] and "400 (13%)" in numbers
    # Nothing is cut off at the right.
    edges = [text.get_window_extent().x1 for text in side.texts]
    assert max(edges) <= ax.figure.bbox.x1


# Media


def with_activity(trace: Trace, told: list[tuple[str, str, int, int, int]]) -> Trace:
    """A trace with so many RTP packets and bytes from an end to an end in a second."""
    tables = trace.tables
    ends = dict(zip(tables.pairs.values("src"), tables.pairs["src"].tolist(), strict=True))
    columns = {
        "session_id": np.full(len(told), int(tables.sessions["session_id"][0])),
        "vantage": np.full(len(told), int(tables.pairs["vantage"][0])),
        "src": np.array([ends[row[0]] for row in told]),
        "dst": np.array([ends[row[1]] for row in told]),
        "time": np.array([(EPOCH + row[2]) * 10**9 for row in told]),
        "rtp_packets": np.array([row[3] for row in told]),
        "media_bytes": np.array([row[4] for row in told]),
    }
    same = Trace(trace.sources, tables.pairs.pools)
    same.__dict__["tables"] = dataclasses.replace(
        tables, activity=Table("activity", len(told), tables.pairs.pools, columns)
    )
    return same


A, B = "10.0.0.1:1000", "10.0.0.2:2000"


@pytest.fixture
def call_with_media() -> Trace:
    return with_activity(
        read(CALL), [(A, B, 3, 50, 10_000), (A, B, 4, 60, 12_500), (A, B, 6, 10, 1_000), (B, A, 3, 30, 5_000)]
    )


def test_rates_of_each_direction(call_with_media: Trace) -> None:
    data = stunpcap.plots.media_data(call_with_media)
    told = [(row["direction"], row["time_s"], row["packets_s"], row["kbit_s"]) for row in rows(data)]
    # 10,000 bytes in a second are 80 kbit/s; seconds without packets are zero, not missing.
    assert told == [
        ("a-to-b", 3.0, 50, 80.0),
        ("a-to-b", 4.0, 60, 100.0),
        ("a-to-b", 5.0, 0, 0.0),
        ("a-to-b", 6.0, 10, 8.0),
        ("b-to-a", 3.0, 30, 40.0),
        ("b-to-a", 4.0, 0, 0.0),
        ("b-to-a", 5.0, 0, 0.0),
        ("b-to-a", 6.0, 0, 0.0),
    ]


def test_years_of_silence_take_no_memory() -> None:
    years = 100_000_000
    data = stunpcap.plots.media_data(with_activity(read(CALL), [(A, B, 3, 50, 10_000), (A, B, 3 + years, 60, 12_500)]))
    assert list(zip(data["time_s"], data["packets_s"], strict=True)) == [
        (3.0, 50), (4.0, 0), (3.0 + years, 60), (4.0 + years, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(("unit", "there", "back"), [("kbit/s", 100.0, -40.0), ("packets/s", 60.0, -30.0)])
def test_one_direction_stands_above_the_other_below(
    call_with_media: Trace, unit: Any, there: float, back: float
) -> None:
    ax = stunpcap.plots.media(call_with_media, unit=unit)
    ax.figure.canvas.draw()
    heights = {
        str(area.get_gid()).split()[0]: area.get_paths()[0].vertices[:, 1] for area in ax.collections if area.get_gid()
    }
    assert heights["a-to-b"].max() == there and heights["b-to-a"].min() == back
    assert ax.get_ylabel() == unit
    assert ax.get_ylim()[0] == -ax.get_ylim()[1]
    assert not any("-" in label.get_text() or "\u2212" in label.get_text() for label in ax.get_yticklabels())


def test_there_is_no_such_unit(call_with_media: Trace) -> None:
    with pytest.raises(UsageError, match="no unit 'furlongs'"):
        stunpcap.plots.media(call_with_media, unit="furlongs")  # type: ignore[arg-type]


def test_media_of_two_captures_are_those_of_one() -> None:
    files = [io.BytesIO(transcript(CALL).capture(form)) for form in ("pcap", "cooked")]  # one alone would count once
    trace = stunpcap.read(*files, names=["here", "there"])
    other = with_activity(trace, [(A, B, 3, 50, 10_000)])
    assert set(stunpcap.plots.media_data(other)["vantage"]) == {"here"}
    assert len(stunpcap.plots.media_data(other, vantage="there")) == 0
