"""pcapng time stamps into nanoseconds since 1970: exact integers for every resolution.

A stamp is 64 bits of ticks, a tick is 10^-n or 2^-n seconds, and each interface may shift by whole seconds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stunpcap.capture.records import IntColumn

DEFAULT_RESOLUTION = 6
"""`if_tsresol` where an interface does not tell: microseconds."""
LATEST_S = 2**63 // 10**9
"""Seconds that 63 bits of nanoseconds can hold (the year 2262)."""

Ticks = npt.NDArray[np.uint64]


class Clocks:
    """The clocks of all interfaces of a capture, by index; at most `most` of them."""

    def __init__(self, most: int) -> None:
        # Not lists: they would be made into arrays again for every block.  Pages never written take no memory.
        self._resolution = np.zeros(most, np.int64)
        self._shift = np.zeros(most, np.int64)
        self._count = 0
        self._kinds: set[int] = set()
        self._shifted = False
        self._last = 0

    def add(self, resolution: int, offset_s: int) -> None:
        """The clock of the next interface: `if_tsresol` and `if_tsoffset`."""
        self._resolution[self._count] = resolution
        self._shift[self._count] = max(-2 * LATEST_S, min(2 * LATEST_S, offset_s))
        self._count += 1
        self._kinds.add(resolution)
        self._shifted = self._shifted or offset_s != 0

    def nanoseconds(self, high: IntColumn, low: IntColumn, interface: npt.NDArray[np.int32]) -> tuple[IntColumn, int]:
        """Times from both halves of the stamps, a negative `high` meaning that there is none.

        A packet without a time, or with one beyond the years that nanoseconds can count, gets that of the packet
        before it (the first ones 0).  Also returns the row of the first one beyond, -1 if there is none.
        """
        known = high >= 0
        ticks = (np.where(known, high, 0).astype(np.uint64) << np.uint64(32)) | low.astype(np.uint64)
        if len(self._kinds) == 1:
            seconds, rest = split(ticks, next(iter(self._kinds)))
        else:
            resolution = self._resolution[interface]
            seconds, rest = np.zeros(len(ticks), np.int64), np.zeros(len(ticks), np.int64)
            for code in np.unique(resolution):
                here = resolution == code
                seconds[here], rest[here] = split(ticks[here], int(code))
        if self._shifted:
            seconds += self._shift[interface]
        beyond = known & (np.abs(seconds) >= LATEST_S)
        usable = known & ~beyond
        if usable.all():
            time = seconds * 1_000_000_000 + rest
        else:
            time = np.where(usable, seconds, 0) * 1_000_000_000 + np.where(usable, rest, 0)
            time = _carried(time, usable, self._last)
        self._last = int(time[-1])
        return time, int(beyond.argmax()) if beyond.any() else -1


def split(ticks: Ticks, resolution: int) -> tuple[IntColumn, IntColumn]:
    """Whole seconds (at most 2^40) and the nanoseconds beyond them."""
    exponent = resolution & 0x7F
    most = np.uint64(1 << 40)
    if resolution & 0x80:
        if exponent < 32:
            seconds = ticks >> np.uint64(exponent)
            nanoseconds = (ticks & np.uint64((1 << exponent) - 1)) * np.uint64(10**9) >> np.uint64(exponent)
        else:
            # floor(f * 10^9 / 2^n) with f in two halves of 32 bits, so that no product has more than 64
            seconds = ticks >> np.uint64(exponent) if exponent < 64 else np.zeros_like(ticks)
            fraction = ticks & np.uint64((1 << min(exponent, 64)) - 1)
            upper = (fraction >> np.uint64(32)) * np.uint64(10**9)
            lower = (fraction & np.uint64(0xFFFF_FFFF)) * np.uint64(10**9) >> np.uint64(32)
            nanoseconds = upper + lower >> np.uint64(exponent - 32) if exponent < 96 else np.zeros_like(ticks)
    elif exponent <= 9:
        seconds = ticks // np.uint64(10**exponent)
        nanoseconds = ticks % np.uint64(10**exponent) * np.uint64(10 ** (9 - exponent))
    else:
        whole = ticks // np.uint64(10 ** (exponent - 9)) if exponent <= 28 else np.zeros_like(ticks)
        seconds, nanoseconds = whole // np.uint64(10**9), whole % np.uint64(10**9)
    return np.minimum(seconds, most).astype(np.int64), nanoseconds.astype(np.int64)


def _carried(time: IntColumn, usable: npt.NDArray[np.bool_], before: int) -> IntColumn:
    """Each unusable time replaced by the last usable one, or by `before` if there is none."""
    last = np.maximum.accumulate(np.where(usable, np.arange(len(time)), -1))
    return np.where(last >= 0, time[np.maximum(last, 0)], before)
