"""Times of log lines, and of JSON."""

from __future__ import annotations

import pytest

from stunpcap.signalling.model import NO_CLOCK, NO_ZONE, OF_DAY, UTC, Gathering
from stunpcap.signalling.times import keep_time, time_in, time_of
from stunpcap.table import NAT

MS = 1_700_000_000_123
NS = MS * 10**6


@pytest.mark.parametrize(
    ("line", "time", "kind"),
    [
        ("2023-11-14T22:13:20.123Z hello", NS, UTC),
        ("[2023-11-14T23:13:20.123+01:00] hello", NS, UTC),
        ("2023-11-14T17:13:20.123-0500 hello", NS, UTC),
        ("2023-11-14 22:13:20,123 DEBUG aioice", NS, NO_ZONE),
        ("2023-11-14 22:13:20.123456789 x", NS + 456_789, NO_ZONE),
        ("1700000000123 hello", NS, UTC),
        ("[1700000000.123] hello", NS, UTC),
        ("app.js:12 1700000000123.5 hello", NS + 500_000, UTC),
        ("22:13:20.123 app.js:42 hello", 80_000_123_000_000, OF_DAY),
        ("[22:13:20] hello", 80_000_000_000_000, OF_DAY),
        ("[4040:5050:1114/221320.123456:INFO:CONSOLE(12)] hello", 80_000_123_456_000, OF_DAY),
        ("hello", NAT, NO_CLOCK),
        ("2023-13-40T99:99:99Z", NAT, NO_CLOCK),
        ("candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host", NAT, NO_CLOCK),
    ],
)
def test_lines(line: str, time: int, kind: str) -> None:
    assert time_in(line) == (time, kind)


@pytest.mark.parametrize("value", [MS, MS / 1000, MS * 1000, "2023-11-14T22:13:20.123Z"])
def test_values(value: object) -> None:
    assert abs(time_of(value) - NS) < 1000


@pytest.mark.parametrize("value", [None, True, 12, -1, "soon", [], 1e30])
def test_what_is_no_time(value: object) -> None:
    assert time_of(value) == NAT


def test_the_weakest_counts() -> None:
    here = Gathering("x", "log")
    for kind, clock in ((UTC, UTC), (OF_DAY, OF_DAY), (UTC, OF_DAY)):
        keep_time(here, 5, kind)
        assert here.clock == clock
    keep_time(here, NAT, NO_CLOCK)
    assert (here.time, here.clock) == (5, OF_DAY)
