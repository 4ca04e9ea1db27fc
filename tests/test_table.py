"""Tables and the pools behind them: numbering, looking up, picking rows."""

from __future__ import annotations

import ipaddress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stunpcap.schema import Kind
from stunpcap.table import (
    COOKIE,
    MISSING,
    NAT,
    V4_PREFIX,
    Endpoints,
    Pools,
    Table,
    Texts,
    empty,
    hex_id,
    missing,
    when,
)


def words(address: str, port: int) -> list[int]:
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv4Address):
        return [0, 0, V4_PREFIX, int(parsed), port]
    return [int(parsed) >> shift & 0xFFFFFFFF for shift in (96, 64, 32, 0)] + [port]


def test_texts_are_numbered_in_order_of_first_use() -> None:
    texts = Texts()
    assert texts.numbers(["b", "a", "b", ""]).tolist() == [0, 1, 0, 2]
    assert texts.number("a") == 1
    assert texts.values == ["b", "a", ""]
    assert texts.numbers([]).tolist() == []


ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)


@given(st.lists(st.tuples(ADDRESSES, st.integers(0, 65535)), max_size=12), st.integers(0, 12))
def test_endpoints_come_back(chosen: list[tuple[str, int]], cut: int) -> None:
    """In two calls as in one: the same endpoint has the same number, and its text is that of the standard library."""
    pool = Endpoints()
    rows = np.array([words(*one) for one in chosen], np.uint32).reshape(-1, 5)
    numbers = [*pool.numbers(rows[:cut]).tolist(), *pool.numbers(rows[cut:]).tolist()]
    seen: dict[bytes, int] = {}
    for (address, port), row, number in zip(chosen, rows, numbers, strict=True):
        assert seen.setdefault(row.tobytes(), number) == number
        parsed = ipaddress.ip_address(address)
        mapped = parsed.version == 6 and int(parsed) >> 32 == V4_PREFIX
        shown = str(ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)) if mapped else address
        assert pool.address(number) == shown
        assert pool.port(number) == port
        assert pool.text(number) == (f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}")
        assert bool(pool.is_v6[number]) == (":" in shown)
    assert len(pool) == len(seen) == len(set(numbers))
    assert [seen[key] for key in seen] == list(range(len(seen))), "in order of first use"


def test_endpoints_with_the_same_address() -> None:
    pool = Endpoints()
    rows = [words("192.0.2.1", 1), words("2001:db8::1", 1), words("192.0.2.1", 2), words("192.0.2.2", 1)]
    pool.numbers(np.array(rows, np.uint32))
    assert pool.addresses.tolist() == [0, 1, 0, 3]
    assert pool.is_v6.tolist() == [False, True, False, False]


def test_nothing_numbered() -> None:
    pool = Endpoints()
    assert pool.numbers(np.zeros((0, 5), np.uint32)).tolist() == []
    assert pool.addresses.tolist() == []
    assert pool.is_v6.tolist() == []


def table() -> Table:
    pools = Pools()
    return Table("defects", 3, pools, {"packets": np.array([5, 6, 7]), "defect": pools.texts.numbers(["x", "y", "x"])})


def test_columns_that_were_not_given_are_missing() -> None:
    one = table()
    assert len(one) == 3
    assert one["frame"].tolist() == [MISSING] * 3
    assert one.values("defect") == ["x", "y", "x"]
    assert one.values("layer") == [None] * 3
    assert next(one.records()) == {
        "vantage": None,
        "layer": None,
        "frame": None,
        "offset": None,
        "packets": 5,
        "defect": "x",
    }
    assert missing(Kind.ID, 2).shape == (2, 4)
    assert missing(Kind.TIME, 1).tolist() == [NAT]


@pytest.mark.parametrize(
    ("index", "packets"),
    [([2, 0], [7, 5]), ([], []), ([1, 1], [6, 6]), ([True, False, True], [5, 7]), ([False] * 3, [])],
)
def test_take(index: list[int], packets: list[int]) -> None:
    picked = table().take(np.array(index, bool if index and isinstance(index[0], bool) else np.int64))
    assert len(picked) == len(packets)
    assert picked["packets"].tolist() == packets
    assert len(picked.to_frame()) == len(packets)


def test_set_a_column() -> None:
    one = table()
    one["layer"] = np.array([0, 1, MISSING])
    assert one.values("layer") == ["file", "link", None]
    assert one["layer"].dtype == np.int8
    assert one.code("layer", "link") == 1


def test_empty() -> None:
    assert list(empty("messages", Pools()).records()) == []


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (2**63 - 1, "2262-04-11T23:47:16.854775807Z"),
        (-(2**63) + 1, "1677-09-21T00:12:43.145224193Z"),
    ],
)
def test_when(nanoseconds: int, text: str) -> None:
    assert when(nanoseconds) == text
    if -(2**62) < nanoseconds < 2**62:
        assert text.startswith(str(np.datetime64(nanoseconds, "ns")))


def test_hex_id() -> None:
    assert hex_id([COOKIE, 0x01020304, 5, 6]) == "010203040000000500000006"
    assert hex_id([1, 2, 3, 4]) == "00000001000000020000000300000004"
