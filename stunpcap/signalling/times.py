"""When a line of a log was written, as it says itself: ISO 8601, seconds or milliseconds since 1970, or a time of day.

A time without a date counts from midnight of 1970-01-01, one without a zone as if it were UTC: what is missing is the
business of whoever compares clocks.
"""

from __future__ import annotations

import datetime
import re

from stunpcap.signalling.model import NO_CLOCK, NO_ZONE, OF_DAY, UTC, Gathering
from stunpcap.table import NAT

_LOOK = 120
"""Characters at the beginning of a line in which its time is looked for."""
_ISO = re.compile(r"(?<!\d)(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s?(Z|UTC|[+-]\d\d:?\d\d)?")
_MILLISECONDS = re.compile(r"(?<![\d.:])(1\d{12})(?:\.(\d{1,6}))?(?![\d.])")
_SECONDS = re.compile(r"(?<![\d.:])(1\d{9})\.(\d{3,9})(?!\d)")
_OF_DAY = re.compile(r"(?<![\d:.])([01]?\d|2[0-3]):([0-5]\d):([0-5]\d)(?:[.,](\d{1,9}))?(?![\d:])")
_CHROMIUM = re.compile(r"(?<!\d)\d{4}/(\d\d)(\d\d)(\d\d)\.(\d{3,6})(?=:)")
_RANK = (NO_CLOCK, OF_DAY, NO_ZONE, UTC)
_YEARS = 10**18, 4 * 10**18
"""Nanoseconds of 2001 and 2096: what an epoch may be."""


def time_in(text: str) -> tuple[int, str]:
    """The time at the beginning of a line, and what it means; `NAT` if there is none."""
    head = text[:_LOOK]
    if match := _ISO.search(head):
        time = _moment([int(match[number]) for number in range(1, 7)], match[7], match[8])
        if time != NAT:
            return time, UTC if match[8] else NO_ZONE
    if match := _MILLISECONDS.search(head):
        return int(match[1]) * 10**6 + int((match[2] or "").ljust(6, "0")), UTC
    if match := _SECONDS.search(head):
        return int(match[1]) * 10**9 + int(match[2].ljust(9, "0")), UTC
    if match := _CHROMIUM.search(head) or _OF_DAY.search(head):
        hours, minutes, seconds = (int(match[number]) for number in (1, 2, 3))
        if hours < 24 and minutes < 60 and seconds < 60:
            return (hours * 3600 + minutes * 60 + seconds) * 10**9 + int((match[4] or "").ljust(9, "0")), OF_DAY
    return NAT, NO_CLOCK


def time_of(value: object) -> int:
    """A time as JSON has it: milliseconds or seconds since 1970, or ISO 8601; `NAT` if it is none."""
    if isinstance(value, str):
        time, kind = time_in(value[:40])
        return time if kind in (UTC, NO_ZONE) else NAT
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NAT
    for unit in (10**6, 10**9, 10**3, 1):
        if _YEARS[0] < value * unit < _YEARS[1]:
            whole = int(value)
            return whole * unit + round((value - whole) * unit)
    return NAT


def keep_time(here: Gathering, time: int, kind: str) -> None:
    """What is read next happened then; the source's clock is the weakest of what its times mean."""
    if time == NAT:
        return
    here.time = time
    if here.clock == NO_CLOCK or _RANK.index(kind) < _RANK.index(here.clock):
        here.clock = kind


def _moment(parts: list[int], fraction: str | None, zone: str | None) -> int:
    year, month, day, hour, minute, second = parts
    try:
        moment = datetime.datetime(year, month, day, hour, minute, min(second, 59), tzinfo=datetime.UTC)
    except ValueError:
        return NAT
    seconds = int((moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)).total_seconds())
    if zone and zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        seconds -= (1 if zone[0] == "+" else -1) * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)
    return seconds * 10**9 + int((fraction or "").ljust(9, "0"))
