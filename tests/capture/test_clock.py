"""Time stamps against Python's own big integers, for every resolution there is."""

import numpy as np
import pytest

from stunpcap.capture.clock import split

TICKS = [0, 1, 999_999_999, 2**31, 2**32 - 1, 2**32, 1_700_000_000_123_456_789, 2**63 - 1, 2**63, 2**64 - 1]


@pytest.mark.parametrize("resolution", range(256))
def test_split(resolution):
    exponent = resolution & 0x7F
    unit = 2**exponent if resolution & 0x80 else 10**exponent
    seconds, rest = split(np.array(TICKS, np.uint64), resolution)
    for ticks, s, ns in zip(TICKS, seconds.tolist(), rest.tolist(), strict=True):
        assert s == min(ticks // unit, 2**40)
        assert ns == ticks % unit * 10**9 // unit
