"""Datagrams that are kept: any number of them, in order of frames, each value whole."""

import numpy as np

from stunpcap.wire import demux
from stunpcap.wire.keeping import COLUMNS, ROOM, Columns, Kept
from stunpcap.wire.walk import ROW, ROW_KIND, ROW_START, ROW_STOP


def test_columns_grow_and_come_in_order():
    """Largest values included; parts of any size, later frames before earlier ones."""
    rng = np.random.default_rng(1)
    columns, given = Columns(), {name: [] for name in COLUMNS}
    for part in (0, 1, 7, ROOM, 3 * ROOM + 5, 2):
        values = {
            name: rng.integers(0, np.iinfo(dtype).max, part, dtype, endpoint=True) for name, dtype in COLUMNS.items()
        }
        columns.add(values, part)
        for name, column in values.items():
            given[name] += column.tolist()
    order = np.argsort(given["frame"], kind="stable")
    found = columns.finish(None)
    for name, dtype in COLUMNS.items():
        assert found[name].dtype == dtype and found[name].flags.c_contiguous
        assert found[name].tolist() == [given[name][row] for row in order], name


def test_flows_by_number():
    columns = Columns()
    columns.add({name: np.arange(3) for name in COLUMNS}, 3)
    assert columns.finish(np.array([2, 0, 1]))["flow"].tolist() == [2, 0, 1]


def test_payloads_of_both_lie_in_one():
    kinds = [demux.STUN, demux.HANDSHAKE, demux.MDNS, demux.CLASSIC, demux.STUN_CUT]
    data = bytes(range(100))
    rows = np.zeros((len(kinds), ROW), np.int64)
    rows[:, ROW_KIND] = kinds
    rows[:, ROW_START] = [50, 10, 0, 90, 20]
    rows[:, ROW_STOP] = [60, 13, 1, 100, 20]
    kept = Kept()
    for frame in (1, 6):
        kept.take(memoryview(data), rows, frame + np.arange(5), np.arange(5))
    payload, stun, others = kept.payload(), kept.stun.finish(None), kept.others.finish(None)
    assert (stun["frame"].tolist(), others["frame"].tolist()) == ([1, 4, 5, 6, 9, 10], [2, 3, 7, 8])
    for columns in (stun, others):
        for frame, at, size in zip(columns["frame"], columns["offset"], columns["captured"], strict=True):
            start, stop = rows[(frame - 1) % 5, [ROW_START, ROW_STOP]]
            assert payload[at : at + size] == data[start:stop]
