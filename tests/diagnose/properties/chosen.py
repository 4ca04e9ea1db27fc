"""The part that the test runs: captures of every kind of call, and a handful of changes of each."""

from __future__ import annotations

from collections.abc import Sequence

from tests.diagnose.properties.places import Place
from tests.diagnose.properties.running import Task

PLACES = (
    "asymmetric-dead/answerer",
    "asymmetric-dead/together",
    "asymmetric-rescued/offerer",
    "aiortc-asymmetric-dead/answerer",
    "bad-request/offerer",
    "both-ways-drop/answerer",
    "consent-lost/offerer",
    "direct/offerer",
    "dtls-one-way/answerer",
    "host-firewall/offerer",
    "icmp-admin-prohibited/answerer",
    "ice-tcp/offerer",
    "lossy/answerer",
    "nats-host-only/nat-a-outside",
    "nats-symmetric-stun/offerer",
    "nats-symmetric-turn/together",
    "one-way-drop/offerer",
    "one-way-drop/together",
    "slow-path/offerer",
    "turn-allocation-expired/offerer",
    "turn-udp/server",
    "udp-blocked/offerer",
)
PIECES = (
    "first 2 s",
    "first 5 s",
    "first 30 packets",
    "begun after 0 s",
    "begun after 2 s",
    "20% missing, seed 1",
    "only from",
    "snap length 96",
    "with one-way-drop",
    "with media-call",
    "private and public",
    "A and B",
    "ports permuted",
)


def chosen(properties: Sequence[str]) -> list[Task]:
    """What the test runs."""
    return [Task(Place(*name.split("/")), tuple(properties), PIECES) for name in PLACES]
