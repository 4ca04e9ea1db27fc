"""Many sessions take time in proportion, whatever they have in common.  Bounds are many times what it takes."""

from __future__ import annotations

import random
import time

import pytest

import stunpcap
from benchmarks.generate import generate
from tests.ice.transcript import read

COUNT = 3000


def seconds(trace: stunpcap.Trace) -> float:
    """How long correlation takes, in processor time."""
    start = time.process_time()
    assert len(trace.tables.transactions)
    return time.process_time() - start


@pytest.fixture(scope="module", autouse=True)
def warm():
    """Whatever is imported or compiled at first use."""
    seconds(read("0 10.0.0.1:1 > 10.0.0.2:2 request t1 user=b:a prio=1"))


def test_many_sessions(tmp_path):
    """Most of the generator's sessions connect, on one port of a media server; `benchmarks/` has more of them."""
    generate("sessions", tmp_path / "many.pcap", 1000)
    trace = stunpcap.read(tmp_path / "many.pcap")
    assert seconds(trace) < 4
    assert len(trace.tables.sessions) == 1000
    states = trace.sessions["state"].value_counts()
    assert states["connected"] > states["failed"] > 0
    assert set(trace.sessions["generation"]) == {0}


def client(number: int) -> str:
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}:{1024 + number}"


SERVER = "192.0.2.1:443"


@pytest.mark.parametrize(
    "line",
    [
        "{t} {client} > {server} request t{n} user=srv:c{n} prio=1",
        "{t} {client} > {server} request t{n} user=s{half}:c{n} prio=1",
        "{t} 10.0.0.1:99 > {server} request t{n} user=s{row}:c{column} prio=1",
        "{t} {client} > {server} request t{n} controlling prio=1",
        "{t} {server} > {client} success t{n} mapped={client}",
        "{t} 10.0.0.1:99 > {server} request same user=s:c prio=1",
        "{t} 10.0.0.1:99 > {server} request same classic",
        "{t} {client} > {server} request same",
        "{t} {server} > {client} success same mapped={client}",
    ],
    ids=[
        "one ufrag of the server for all",
        "one ufrag for every two",
        "every ufrag of one side with every one of the other",
        "no USERNAME",
        "answers alone",
        "one id for ever",
        "one classic id for ever",
        "one id for all clients",
        "one id in all answers",
    ],
)
def test_much_in_common(line):
    chance = random.Random(1)
    lines = [
        line.format(t=n * 0.5, n=n, client=client(n), server=SERVER, half=n // 2, row=n // 60, column=n % 60)
        for n in range(COUNT)
    ]
    chance.shuffle(lines)
    assert seconds(read("\n".join(lines))) < 4


def test_many_icmp_errors():
    lines = "\n".join(
        f"{n} 10.0.0.1:99 > {SERVER} request same\n"
        f"{n}.1 10.0.0.254:0 > 10.0.0.1:99 icmp 3/1 quotes=same bytes={n % 2 * 99}"
        for n in range(COUNT // 2)
    )
    assert seconds(read(lines)) < 4


def test_many_transmissions_with_counters():
    lines = "\n".join(
        f"{n} {client(n)} > {SERVER} request t{n} counter=1/0\n {n}.1 {client(n)} > {SERVER} request t{n} counter=2/0\n"
        f"{n}.2 {SERVER} > {client(n)} success t{n} counter=2/1"
        for n in range(COUNT)
    )
    assert seconds(read(lines)) < 4
