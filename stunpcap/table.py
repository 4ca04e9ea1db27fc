"""Tables: the NumPy side of the frames.

Everything between reading and showing works on these columns, so that a summary never imports pandas.  Categories
are small integers, addresses and texts are numbers into pools, times are integer nanoseconds; `to_frame` turns a
table into what `stunpcap.schema` promises.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stunpcap.schema import DTYPES, FRAMES, Column, Kind
from stunpcap.sorting import distinct, first_rows, rank

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
NAT = int(np.iinfo(np.int64).min)
"""A missing time, as NumPy has it."""
MISSING = -1
"""A missing number, text, address or category."""
NO_NUMBER = 2**64 - 1
"""A missing unsigned number."""

_STORED: dict[Kind, tuple[type[np.generic], Any]] = {
    Kind.CATEGORY: (np.int8, MISSING),
    Kind.ENDPOINT: (np.int32, MISSING),
    Kind.TEXT: (np.int32, MISSING),
    Kind.ID: (np.uint32, 0),
    Kind.TIME: (np.int64, NAT),
    Kind.SECONDS: (np.float64, np.nan),
    Kind.INTEGER: (np.int64, MISSING),
    Kind.COUNT: (np.int64, 0),
    Kind.UNSIGNED: (np.uint64, NO_NUMBER),
    Kind.FLAG: (np.bool_, False),
    Kind.FRAMES: (np.object_, ()),
}

COOKIE = 0x2112A442
V4_PREFIX = 0xFFFF
"""Third word of an IPv4 address written as ::ffff:a.b.c.d."""


def in_halves(words: Array) -> tuple[Array, Array]:
    """Rows of four 32-bit words (addresses, transaction ids) as two numbers of 64 bits each, to sort and group by."""
    wide, shift = words.astype(np.uint64), np.uint64(32)
    return wide[:, 0] << shift | wide[:, 1], wide[:, 2] << shift | wide[:, 3]


class Texts:
    """Distinct strings, numbered in order of first use."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The number of a string, new or known."""
        known = self._numbers.get(text)
        if known is None:
            known = self._numbers[text] = len(self.values)
            self.values.append(text)
        return known

    def numbers(self, texts: Iterable[str]) -> npt.NDArray[np.int32]:
        """Numbers of many strings."""
        return np.fromiter((self.number(text) for text in texts), np.int32)


class Endpoints:
    """Distinct transport addresses, numbered; each is five 32-bit words: the address (IPv4 mapped) and the port."""

    def __init__(self) -> None:
        self.words: npt.NDArray[np.uint32] = np.zeros((0, 5), np.uint32)
        self._v4: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)
        """Address and port of every IPv4 endpoint, in order, and the endpoints' numbers."""
        self._v4_numbers: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self._others: dict[bytes, int] = {}
        self._texts: dict[int, str] = {}
        self._addresses: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._is_v6: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)

    def __len__(self) -> int:
        return len(self.words)

    def numbers(self, words: npt.NDArray[np.uint32]) -> npt.NDArray[np.int32]:
        """Numbers of n addresses, given as an (n, 5) array; new ones are numbered in order of first use."""
        if not len(words):
            return np.zeros(0, np.int32)
        rows = np.ascontiguousarray(words, np.uint32)
        is_v4 = (rows[:, 2] == V4_PREFIX) & (rows[:, 0] == 0) & (rows[:, 1] == 0)
        v4, others = np.flatnonzero(is_v4), np.flatnonzero(~is_v4)
        keys, places = distinct(rows[v4, 3].astype(np.uint64) << np.uint64(32) | rows[v4, 4])
        known = np.full(len(keys), MISSING, np.int32)
        at = np.searchsorted(self._v4, keys)
        there = np.flatnonzero(at < len(self._v4))
        there = there[self._v4[at[there]] == keys[there]]
        known[there] = self._v4_numbers[at[there]]
        new = np.flatnonzero(known == MISSING)
        seen: dict[bytes, list[int]] = {}
        for row in others.tolist():
            seen.setdefault(rows[row].tobytes(), []).append(row)
        unknown = [key for key in seen if key not in self._others]
        fresh = np.concatenate(
            [v4[first_rows(places, len(keys))[new]], np.array([seen[key][0] for key in unknown], np.int64)]
        )
        order = np.argsort(fresh)
        given = np.empty(len(fresh), np.int32)
        given[order] = np.arange(len(self.words), len(self.words) + len(fresh))
        self.words = np.concatenate([self.words, rows[fresh[order]]]) if len(fresh) else self.words
        if len(new):
            known[new] = given[: len(new)]
            merged, numbered = np.concatenate([self._v4, keys[new]]), np.concatenate([self._v4_numbers, known[new]])
            order = np.argsort(merged)
            self._v4, self._v4_numbers = merged[order], numbered[order]
        self._others |= zip(unknown, given[len(new) :].tolist(), strict=True)
        result = np.empty(len(rows), np.int32)
        result[v4] = known[places]
        for key, uses in seen.items():
            result[uses] = self._others[key]
        return result

    def address(self, number: int) -> str:
        """The address alone, as text."""
        a, b, c, d, _port = (int(word) for word in self.words[number])
        if (a, b, c) == (0, 0, V4_PREFIX):
            return f"{d >> 24}.{d >> 16 & 255}.{d >> 8 & 255}.{d & 255}"
        return str(ipaddress.IPv6Address(a << 96 | b << 64 | c << 32 | d))

    def port(self, number: int) -> int:
        """The port alone."""
        return int(self.words[number, 4])

    def text(self, number: int) -> str:
        """`192.0.2.1:5000` or `[2001:db8::1]:5000`."""
        return self._texts.get(number) or self.texts([number])[0]

    def texts(self, numbers: Sequence[int]) -> list[str]:
        """The same for many; faster than one by one."""
        fresh = [number for number in dict.fromkeys(numbers) if number not in self._texts]
        for number, (a, b, c, d, port) in zip(fresh, self.words[fresh].tolist(), strict=True):
            if (a, b, c) == (0, 0, V4_PREFIX):
                self._texts[number] = f"{d >> 24}.{d >> 16 & 255}.{d >> 8 & 255}.{d & 255}:{port}"
            else:
                self._texts[number] = f"[{self.address(number)}]:{port}"
        return [self._texts[number] for number in numbers]

    @property
    def addresses(self) -> npt.NDArray[np.int64]:
        """For each endpoint the number of the first endpoint with the same address, whatever its port."""
        if len(self._addresses) != len(self.words):
            (upper, _), (lower, several) = map(rank, in_halves(self.words))
            numbers, count = rank(upper * several + lower)
            self._addresses = first_rows(numbers, count)[numbers]
        return self._addresses

    @property
    def is_v6(self) -> npt.NDArray[np.bool_]:
        """Which endpoints have an IPv6 address."""
        if len(self._is_v6) != len(self.words):
            self._is_v6 = np.any(self.words[:, :3] != np.array([0, 0, V4_PREFIX], np.uint32), axis=1)
        return self._is_v6


@dataclass(slots=True, eq=False, repr=False)
class Pools:
    """What the numbers in the columns of one trace stand for."""

    endpoints: Endpoints = field(default_factory=Endpoints)
    texts: Texts = field(default_factory=Texts)


def missing(kind: Kind, rows: int) -> Array:
    """A column of `rows` missing values."""
    dtype, value = _STORED[kind]
    if kind is Kind.FRAMES:
        return in_cells([value] * rows)
    return np.full((rows, 4) if kind is Kind.ID else rows, value, dtype)


def in_cells(values: Sequence[tuple[int, ...]]) -> Array:
    """Tuples as a column, one a cell: NumPy would make two dimensions of tuples of the same length."""
    return np.fromiter(values, np.object_, len(values))


class Table:
    """One frame as NumPy columns; columns that were not given are missing throughout."""

    def __init__(self, name: str, rows: int, pools: Pools, columns: Mapping[str, Array]) -> None:
        self.name = name
        self.rows = rows
        self.pools = pools
        self.schema = {column.name: column for column in FRAMES[name]}
        unknown = set(columns) - set(self.schema)
        if unknown:
            raise KeyError(f"{name} has no column {', '.join(sorted(unknown))}")
        self._columns = {
            column.name: np.asarray(columns[column.name], _STORED[column.kind][0])
            if column.name in columns
            else missing(column.kind, rows)
            for column in FRAMES[name]
        }

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, column: str) -> Array:
        return self._columns[column]

    def __setitem__(self, column: str, values: Array) -> None:
        self._columns[column] = np.asarray(values, _STORED[self.schema[column].kind][0])

    def take(self, index: Array) -> Table:
        """The rows at `index` (numbers or a mask)."""
        rows = np.flatnonzero(index) if index.dtype == np.bool_ else index
        # Much faster than indexing where a cell has several words.
        picked = {name: values.take(rows, axis=0) for name, values in self._columns.items()}
        return Table(self.name, len(rows), self.pools, picked)

    def code(self, column: str, level: str) -> int:
        """The number that stands for a category's level."""
        return self.schema[column].code(level)

    def values(self, column: str) -> list[Any]:
        """One column as Python values; what is missing is None."""
        return self._values(self.schema[column], self._columns[column])

    def records(self) -> Iterator[dict[str, Any]]:
        """Rows as dictionaries of Python values; what is missing is None."""
        names = list(self.schema)
        for row in zip(*(self.values(name) for name in names), strict=True):
            yield dict(zip(names, row, strict=True))

    def _values(self, declared: Column, stored: Array) -> list[Any]:
        """What is stored as Python values."""
        plain: list[Any] = stored.tolist()
        match declared.kind:
            case Kind.CATEGORY:
                return [declared.levels[number] if number >= 0 else None for number in plain]
            case Kind.TEXT:
                known = self.pools.texts.values
                return [known[number] if number >= 0 else None for number in plain]
            case Kind.ENDPOINT:
                there = [number for number in plain if number >= 0]
                texts = dict(zip(there, self.pools.endpoints.texts(there), strict=True))
                return [texts.get(number) for number in plain]
            case Kind.ID:
                return [hex_id(words) for words in plain]
            case Kind.TIME:
                moments = (np.datetime_as_string(stored.view("datetime64[ns]")).astype(object) + "Z").tolist()
                return [None if moment == "NaTZ" else moment for moment in moments]
            case Kind.SECONDS:
                return [None if value != value else value for value in plain]
            case Kind.INTEGER | Kind.UNSIGNED:
                absent = MISSING if declared.kind is Kind.INTEGER else NO_NUMBER
                return [None if value == absent else value for value in plain]
            case Kind.FRAMES:
                return [list(frames) for frames in plain]
            case _:
                return plain

    def to_frame(self) -> pd.DataFrame:
        """The public frame, with the dtypes that the schema promises."""
        import pandas as pd

        return pd.DataFrame({name: self._series(declared) for name, declared in self.schema.items()})

    def _series(self, declared: Column) -> Any:
        import pandas as pd

        stored = self._columns[declared.name]
        match declared.kind:
            case Kind.CATEGORY:
                return pd.Categorical.from_codes(stored.tolist(), categories=pd.Index(declared.levels))
            case Kind.ENDPOINT | Kind.TEXT:
                used, inverse = distinct(stored)
                texts = np.array(self._values(declared, used), object)
                return pd.Series(texts[inverse] if len(used) else [], dtype="str")
            case Kind.ID:
                return pd.Series([hex_id(words) for words in stored.tolist()], dtype="str")
            case Kind.TIME:
                return pd.Series(stored.view("datetime64[ns]")).dt.tz_localize("UTC")
            case Kind.INTEGER | Kind.UNSIGNED:
                absent = stored == (MISSING if declared.kind is Kind.INTEGER else NO_NUMBER)
                return pd.arrays.IntegerArray(stored.copy(), absent)
            case Kind.FRAMES:
                return pd.Series([list(frames) for frames in stored], dtype=object)
            case _:
                return pd.Series(stored, dtype=DTYPES[declared.kind])


def hex_id(words: list[int]) -> str:
    """A transaction id as text: 24 hex digits, or 32 where the first word is no magic cookie."""
    first, a, b, c = words
    return f"{a:08x}{b:08x}{c:08x}" if first == COOKIE else f"{first:08x}{a:08x}{b:08x}{c:08x}"


def when(nanoseconds: int) -> str:
    """A time as ISO 8601 text with nanoseconds, UTC."""
    seconds, fraction = divmod(nanoseconds, 10**9)
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return f"{moment.isoformat()}.{fraction:09d}Z"


def empty(name: str, pools: Pools) -> Table:
    """A table without rows: same columns, same dtypes."""
    return Table(name, 0, pools, {})
