"""Whatever a capture lacks, holds twice, or holds in another order: nothing raises, and the counters agree.

The packets are those of lab captures, dropped, repeated and shuffled.
"""

from __future__ import annotations

import functools
import io
import re
from struct import pack, unpack_from

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import stunpcap
from stunpcap.table import NAT
from stunpcap.trace import Trace
from tests.ice.transcript import rows
from tests.places import LAB

NAMES = [
    "asymmetric-dead/offerer.pcap",
    "asymmetric-rescued-stun/nat-a-outside.pcap",
    "capture-any/router-any.pcap",
    "ice-restart/answerer.pcap",
    "icmp-port-unreachable/answerer.pcap",
    "role-conflict/offerer.pcap",
]
MOST = 120
"""Packets of each capture that take part: the first ones, where the session begins."""


@functools.cache
def packets(name: str) -> tuple[bytes, list[bytes]]:
    """File header and records of a classic little-endian pcap file."""
    data = (LAB / name).read_bytes()
    assert data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1")
    records, at = [], 24
    while at < len(data) and len(records) < MOST:
        size = 16 + unpack_from("<I", data, at + 8)[0]
        records.append(data[at : at + size])
        at += size
    return data[:24], records


def read(*captures: tuple[bytes, list[bytes]]) -> Trace:
    streams = [io.BytesIO(head + b"".join(records)) for head, records in captures]
    return stunpcap.read(*streams, names=[f"capture{n}" for n in range(len(captures))])


def shifted(record: bytes, seconds: int) -> bytes:
    return pack("<I", unpack_from("<I", record)[0] + seconds) + record[4:]


def check(trace: Trace) -> None:
    """What must hold of every trace."""
    messages, transactions, pairs = trace.table("messages"), trace.table("transactions"), trace.table("pairs")
    sessions, candidates = trace.table("sessions"), trace.table("candidates")
    outcome = np.array(transactions.values("outcome"), object)
    orphan = outcome == "orphan"

    # Every request and response belongs to exactly one transaction.
    once = ~messages["duplicate"]
    cls = np.array(messages.values("class"), object)
    assert transactions["transmissions"].sum() == np.count_nonzero(once & (cls == "request"))
    assert transactions["responses"].sum() == np.count_nonzero(once & np.isin(cls, ["success", "error"]))
    assert ((transactions["transmissions"] == 0) == orphan).all()
    assert ((transactions["request_frame"] < 0) == orphan).all()
    answered = transactions["response_time"] > NAT
    assert (answered == (transactions["responses"] > 0)).all()
    assert (answered == (transactions["response_frame"] >= 0)).all()
    assert answered[np.isin(outcome, ["success", "error", "other-address", "orphan"])].all()
    assert (transactions["first_time"] <= transactions["last_time"]).all()
    rtt = transactions["rtt_s"]
    assert (rtt[~np.isnan(rtt)] >= 0).all()
    assert np.isin(outcome[~np.isnan(rtt)], ["success", "error"]).all()

    # Pairs count the transactions of sessions, each once.
    member = transactions["session_id"] > 0
    sent = sum(
        np.count_nonzero(member & (outcome == name))
        for name in ("success", "error", "icmp", "other-address", "unanswered", "unfinished")
    )
    assert pairs["requests_sent"].sum() == sent == np.count_nonzero(member & ~orphan)
    assert pairs["transmissions"].sum() == transactions["transmissions"][member].sum()
    assert sessions["checks"].sum() == np.count_nonzero(member)
    for row in rows(trace.pairs):
        same = member & (transactions["session_id"] == row["session_id"])
        same &= np.array(transactions.values("vantage"), object) == row["vantage"]
        same &= np.array(transactions.values("src"), object) == row["src"]
        same &= np.array(transactions.values("dst"), object) == row["dst"]
        unseen = np.count_nonzero(same & orphan)
        assert row["requests_sent"] == np.count_nonzero(same & ~orphan)
        assert row["responses_received"] + row["errors_received"] <= row["requests_sent"] + unseen
        assert row["consent_requests_sent"] <= row["requests_sent"]
        assert row["unanswered"] + row["unfinished"] + row["other_address"] <= row["requests_sent"]
        assert row["first_time"] <= row["last_time"]
        if row["state"] == "succeeded":
            assert row["responses_received"]
            if np.count_nonzero(same & (outcome == "success")):
                assert row["path"] in ("delivered", "rewritten")
        assert (row["path"] == "unknown") == (row["path_confidence"] is None)

    # Numbers of sessions are 1, 2, 3, … in order of time; generations follow earlier sessions.
    assert sessions["session_id"].tolist() == list(range(1, len(sessions) + 1))
    assert (np.diff(sessions["start"]) >= 0).all()
    restarted = sessions["restart_of"]
    again = restarted > 0
    assert (restarted[again] < sessions["session_id"][again]).all()
    assert (sessions["generation"][again] == sessions["generation"][restarted[again] - 1] + 1).all()
    assert set(messages["session_id"].tolist()) - {-1} <= set(sessions["session_id"].tolist())
    assert set(candidates["session_id"].tolist()) == set(pairs["session_id"].tolist())
    for one in rows(trace.candidates):
        assert (one["type"] == "unknown") == (one["base"] is None)


odd = st.fixed_dictionaries(
    {
        "keep": st.lists(st.integers(0, MOST - 1), min_size=0, max_size=MOST),
        "again": st.lists(st.integers(0, MOST - 1), max_size=10),
        "back": st.sampled_from([0, 0, -5, -3600]),
        "order": st.sampled_from(["as it was", "as drawn", "reversed"]),
    }
)


@pytest.mark.parametrize("name", NAMES)
@given(how=odd)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_selection_of_packets(name, how):
    head, records = packets(name)
    places = [place % len(records) for place in how["keep"]] + [place % len(records) for place in how["again"]]
    if how["order"] == "as it was":
        places.sort()
    elif how["order"] == "reversed":
        places.sort(reverse=True)
    half = len(places) // 2
    kept = [shifted(records[place], how["back"] if n >= half else 0) for n, place in enumerate(places)]
    check(read((head, kept)))


@pytest.mark.parametrize("name", NAMES)
@given(left=st.sets(st.integers(0, MOST - 1)), right=st.sets(st.integers(0, MOST - 1)), hours=st.integers(-2, 2))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_two_vantages_with_clocks_of_their_own(name, left, right, hours):
    head, records = packets(name)
    check(
        read(
            (head, [record for n, record in enumerate(records) if n in left]),
            (head, [shifted(record, 3600 * hours) for n, record in enumerate(records) if n in right]),
        )
    )


@pytest.mark.parametrize("name", NAMES)
def test_whole_captures(name):
    check(stunpcap.read(LAB / name))


@pytest.mark.parametrize("name", NAMES)
def test_order_of_packets_with_their_times_does_not_matter(name):
    """Two queues, a merged file: the same packets with the same times tell the same story.

    All but media: records of DTLS 1.3 are known by the handshake that came before them in the file.
    """
    head, records = packets(name)
    told = read((head, records)), read((head, records[::-1]))
    for frame in ("transactions", "pairs", "sessions"):
        one, other = (
            sorted(
                str({key: value for key, value in row.items() if not re.search("frame|dtls|media", key)})
                for row in rows(getattr(trace, frame))
            )
            for trace in told
        )
        assert one == other
