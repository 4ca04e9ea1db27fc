"""Pieces are put together the same way by Python and by compiled code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stunpcap.wire.gather import copy_pieces, gather

DATA = bytes(range(50))


@given(st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25)), max_size=20))
def test_pieces(spans: list[tuple[int, int]]) -> None:
    start = np.array([at for at, _ in spans], np.int64)
    stop = start + np.array([size for _, size in spans], np.int64)
    expected = b"".join(DATA[at : at + size] for at, size in spans)
    assert bytes(gather(memoryview(DATA), start, stop)) == expected
    out = np.zeros(len(expected), np.uint8)
    copy_pieces(memoryview(DATA), start, stop, out)
    assert out.tobytes() == expected


def test_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr("stunpcap.kernels.wanted", lambda *_: True)
    start = np.array([40, 3, 3], np.int64)
    assert bytes(gather(memoryview(DATA), start, start + 4)) == DATA[40:44] + 2 * DATA[3:7]
