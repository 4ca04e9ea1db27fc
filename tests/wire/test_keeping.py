"""Datagrams that are kept: any number of them, in order of frames, each value whole."""

import numpy as np

from stunpcap.room import ROOM, Columns
from stunpcap.wire import demux
from stunpcap.wire.keeping import COLUMNS, Kept, by_frames
from stunpcap.wire.walk import ROW, ROW_KIND, ROW_START, ROW_STOP


def test_columns_grow_and_come_in_order():
    """Largest values included; parts of any size, later frames before earlier ones."""
    rng = np.random.default_rng(1)
    columns, given = Columns(COLUMNS), {name: [] for name in COLUMNS}
    for part in (0, 1, 7, ROOM, 3 * ROOM + 5, 2):
        values = {
            name: rng.integers(0, np.iinfo(dtype).max, part, dtype, endpoint=True) for name, dtype in COLUMNS.items()
        }
        columns.add(values, part)
        for name, column in values.items():
            given[name] += column.tolist()
    order = np.argsort(given["frame"], kind="stable")
    found = by_frames(columns, None)
    for name, dtype in COLUMNS.items():
        assert found[name].dtype == dtype and found[name].flags.c_contiguous
        assert found[name].tolist() == [given[name][row] for row in order], name


def test_columns_of_several_words():
    columns = Columns({"flag": np.bool_, "id": np.dtype((np.uint32, 4)), "time": np.int64}, 3)
    ids = np.arange(4 * (ROOM + 5), dtype=np.uint32).reshape(-1, 4)
    for part in np.array_split(ids, 9):
        columns.add({"flag": part[:, 0] % 3 == 0, "id": part, "time": part[:, 1]}, len(part))
    found = columns.used()
    assert list(map(len, found.values())) == [ROOM + 5] * 3
    assert (found["id"] == ids).all() and found["id"].dtype == np.uint32
    assert (found["flag"] == (ids[:, 0] % 3 == 0)).all() and (found["time"] == ids[:, 1]).all()


def test_flows_by_number():
    columns = Columns(COLUMNS)
    columns.add({name: np.arange(3) for name in COLUMNS}, 3)
    assert by_frames(columns, np.array([2, 0, 1]))["flow"].tolist() == [2, 0, 1]


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
    payload, stun, others = kept.payload(), by_frames(kept.stun, None), by_frames(kept.others, None)
    assert (stun["frame"].tolist(), others["frame"].tolist()) == ([1, 4, 5, 6, 9, 10], [2, 3, 7, 8])
    for columns in (stun, others):
        for frame, at, size in zip(columns["frame"], columns["offset"], columns["captured"], strict=True):
            start, stop = rows[(frame - 1) % 5, [ROW_START, ROW_STOP]]
            assert payload[at : at + size] == data[start:stop]
