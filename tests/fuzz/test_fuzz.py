"""The short part, the same in every run; and what longer ones have found, which stays found."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz.mutate import mutate, parse, places, plain_pcap
from tests.fuzz.outputs import OUTPUTS, run
from tests.places import LAB

CRASHERS = sorted((Path(__file__).parent / "crashers").glob("*.pcap"))
SEEDS = (
    *("asymmetric-dead/answerer.pcap", "ice-tcp/offerer.pcap", "aioice-turn/offerer.pcap", "turn-tcp/answerer.pcap"),
    *("icmp-port-unreachable/offerer.pcap", "capture-vlan/trunk.pcap", "dtls-large-lost/answerer.pcap"),
)


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every index is checked."""
    monkeypatch.setenv("STUNPCAP_COMPILE", "never")


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("path", CRASHERS, ids=lambda path: path.stem)
def test_crashers(path: Path, name: str) -> None:
    run(name, path.read_bytes())


@pytest.mark.parametrize("seed", SEEDS)
def test_mutations(seed: str) -> None:
    capture = parse((LAB / seed).read_bytes())
    assert capture
    rng = random.Random(seed)
    for number in range(12):
        data = mutate(rng, capture, most=25)
        run("alone", data)
        run("frames" if number % 4 else "said", data)


def test_what_is_taken_apart_is_what_was_there() -> None:
    capture = parse((LAB / SEEDS[0]).read_bytes())
    assert capture and len(capture.packets) > 50
    again = parse(plain_pcap(capture.packets, capture.link))
    assert again == capture
    kinds = {kind for packet in capture.packets for _, _, kind in places(packet.data, capture.link)}
    assert {"type", "length", "protocol", "message", "attribute", "value"} <= kinds
