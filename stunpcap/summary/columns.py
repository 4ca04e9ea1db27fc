"""From columns to the objects of a summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from stunpcap.ice.columns import Ints

T = TypeVar("T")


def from_columns(kind: type[T], columns: dict[str, list[Any]]) -> list[T]:
    """Records, one a row, from columns named like its fields; there may be more columns."""
    named = [columns[field.name] for field in fields(kind)]  # type: ignore[arg-type]
    return [kind(*row) for row in zip(*named, strict=True)]


def bounds(groups: Ints, count: int) -> Ints:
    """Where each of the groups (0 to `count` - 1) begins, and where the last one ends; rows are in order of groups."""
    return np.searchsorted(groups, np.arange(count + 1))


def split(ends: Ints, values: Sequence[T]) -> list[tuple[T, ...]]:
    """Values in order of their groups, group by group."""
    return [tuple(values[begin:end]) for begin, end in pairwise(ends.tolist())]
