"""The table of columns is whole, and frames keep what it promises, with rows and without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from stunpcap.schema import DTYPES, FRAMES, Column, Kind, column
from stunpcap.table import COOKIE, MISSING, NAT, NO_NUMBER, V4_PREFIX, Pools, Table, empty, in_cells

EVERY = [(frame, one) for frame, columns in FRAMES.items() for one in columns]
every_column = pytest.mark.parametrize(("frame", "one"), EVERY, ids=[f"{frame}.{one.name}" for frame, one in EVERY])
every_frame = pytest.mark.parametrize("frame", FRAMES)

PROMISED = {
    "messages": "vantage frame time src dst transport carrier class method transaction_id size_bytes username role "
    "tie_breaker priority use_candidate mapped relayed peer error_code error_reason lifetime_s channel realm software "
    "integrity fingerprint ttl classic defects",
    "transactions": "session_id kind vantage transaction_id src dst transport carrier method transmissions first_time "
    "last_time response_time rtt_s outcome error_code response_src mapped icmp request_frame response_frame",
    "sessions": "session_id ufrag_a ufrag_b controlling generation start end state pairs nominated_src nominated_dst "
    "time_to_connect_s dtls media_ab_packets media_ba_packets",
    "pairs": "session_id pair_id vantage src dst src_type dst_type transport carrier requests_sent transmissions "
    "responses_received errors_received icmp_received unanswered rtt_min_s rtt_median_s state nominated path "
    "first_time last_time first_frame",
    "candidates": "session_id ufrag address type base server known_from priority checked first_time",
    "allocations": "client server transport relayed mapped created lifetime_s refreshed ended state error_code "
    "permissions channels bytes_sent bytes_received",
    "flows": "vantage src dst transport packets bytes stun dtls rtp rtcp channel other first_time last_time",
}
"""Columns that keep their names and meaning, whatever is added."""
MOMENTS = (
    "start",
    "end",
    "started",
    "finished",
    "requested",
    "created",
    "refreshed",
    "expires",
    "ended",
    "since",
    "until",
)


@every_column
def test_columns_are_declared_in_full(frame: str, one: Column) -> None:
    assert one.name.isidentifier() and one.name == one.name.lower()
    assert len(one.meaning) > 3 and not one.meaning.endswith("."), "a clause, not a sentence"
    assert "\n" not in one.meaning and "|" not in one.meaning, "it becomes a cell of a table"
    assert bool(one.levels) == (one.kind is Kind.CATEGORY)
    assert len(set(one.levels)) == len(one.levels)
    assert column(frame, one.name) is one
    if one.kind is Kind.SECONDS:
        assert one.name.endswith("_s")
    if one.kind is Kind.TIME:
        assert one.name.endswith("time") or one.name in MOMENTS
    for number, level in enumerate(one.levels):
        assert one.code(level) == number


@every_frame
def test_names_are_unique(frame: str) -> None:
    names = [one.name for one in FRAMES[frame]]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("frame", PROMISED)
def test_promised_columns_are_there(frame: str) -> None:
    names = [one.name for one in FRAMES[frame]]
    assert [name for name in names if name in PROMISED[frame].split()] == PROMISED[frame].split()


def test_unknown_columns() -> None:
    with pytest.raises(KeyError, match=r"pairs\.colour"):
        column("pairs", "colour")
    with pytest.raises(KeyError, match="colour"):
        Table("pairs", 0, Pools(), {"colour": np.zeros(0)})


SAMPLES: dict[Kind, tuple[Any, Any]] = {
    # what is stored, and what a frame shows; the last row of each is missing where a kind knows missing values
    Kind.SECONDS: ([0.0, 0.25, np.nan], [0.0, 0.25, None]),
    Kind.INTEGER: ([0, 2**62, MISSING], [0, 2**62, None]),
    Kind.COUNT: ([0, 2**62, 7], [0, 2**62, 7]),
    Kind.UNSIGNED: ([2**63, 2**64 - 2, NO_NUMBER], [2**63, 2**64 - 2, None]),
    Kind.FLAG: ([True, False, True], [True, False, True]),
    Kind.FRAMES: (in_cells([(1, 2), (), (7,)]), [[1, 2], [], [7]]),
    Kind.TIME: (
        [1_700_000_000_123_456_789, -1, NAT],
        ["2023-11-14T22:13:20.123456789Z", "1969-12-31T23:59:59.999999999Z", None],
    ),
    Kind.ID: (
        [[COOKIE, 1, 2, 0xFFFFFFFF], [0xDEADBEEF, 0, 0, 1], [0, 0, 0, 0]],
        ["0000000100000002ffffffff", "deadbeef000000000000000000000001", "0" * 32],
    ),
}
ENDPOINTS = [
    [0, 0, V4_PREFIX, 0xC0000201, 5000],
    [0x20010DB8, 0, 0, 1, 65535],
    [0, 0, V4_PREFIX, 0xC0000201, 5001],
]
SHOWN = ["192.0.2.1:5000", "[2001:db8::1]:65535"]


def sample(one: Column, pools: Pools) -> tuple[Any, list[Any]]:
    if one.kind is Kind.CATEGORY:
        return [0, len(one.levels) - 1, MISSING], [one.levels[0], one.levels[-1], None]
    if one.kind is Kind.ENDPOINT:
        numbers = pools.endpoints.numbers(np.array(ENDPOINTS, np.uint32)).tolist()
        return [numbers[0], numbers[1], MISSING], [*SHOWN, None]
    if one.kind is Kind.TEXT:
        numbers = pools.texts.numbers(["", "schöne 字"]).tolist()
        return [*numbers, MISSING], ["", "schöne 字", None]
    return SAMPLES[one.kind]


def full_table(frame: str) -> tuple[Table, dict[str, list[Any]]]:
    pools = Pools()
    samples = {one.name: sample(one, pools) for one in FRAMES[frame]}
    return (
        Table(frame, 3, pools, {name: np.array(stored) for name, (stored, _) in samples.items()}),
        {name: shown for name, (_, shown) in samples.items()},
    )


def plain(one: Column, value: Any) -> Any:
    """A cell of a frame as `Table.records` would give it."""
    if one.kind is Kind.FRAMES:
        return value
    if pd.isna(value):
        return None
    if one.kind is Kind.TIME:
        return f"{value.tz_localize(None).isoformat(timespec='nanoseconds')}Z"
    return value


@every_frame
def test_values_come_back(frame: str) -> None:
    table, shown = full_table(frame)
    records = list(table.records())
    framed = table.to_frame()
    for one in FRAMES[frame]:
        assert [record[one.name] for record in records] == shown[one.name], one.name
        assert [plain(one, value) for value in framed[one.name].tolist()] == shown[one.name], one.name


@every_frame
@pytest.mark.parametrize("rows", ["none", "some", "missing throughout"])
def test_dtypes(frame: str, rows: str) -> None:
    table = {
        "none": empty(frame, Pools()),
        "some": full_table(frame)[0],
        "missing throughout": Table(frame, 2, Pools(), {}),
    }[rows]
    framed = table.to_frame()
    assert len(framed) == len(table)
    assert list(framed.columns) == [one.name for one in FRAMES[frame]]
    assert {one.name: str(framed[one.name].dtype) for one in FRAMES[frame]} == {
        one.name: DTYPES[one.kind] for one in FRAMES[frame]
    }
    for one in FRAMES[frame]:
        if one.kind is Kind.CATEGORY:
            assert tuple(framed[one.name].cat.categories) == one.levels
        if rows == "missing throughout" and one.kind not in (Kind.COUNT, Kind.FLAG, Kind.ID, Kind.FRAMES):
            assert framed[one.name].isna().all(), one.name


def test_a_frame_stands_alone() -> None:
    """Changing a frame does not change the table that it came from."""
    table, _ = full_table("pairs")
    framed = table.to_frame()
    framed["requests_sent"] = 99
    framed.loc[0, "session_id"] = 5
    assert table["requests_sent"].tolist() == [0, 2**62, 7]
    assert table["session_id"].tolist() == [0, 2**62, MISSING]
