"""Tidy frames: what plots draw, with declared columns in declared order, also where there are no rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

Columns = Mapping[str, str | tuple[str, ...]]
"""Column -> its dtype; the levels of a category."""


def tidy(data: Any, columns: Columns) -> pd.DataFrame:
    """Rows or a frame, with these columns and dtypes."""
    dtypes: dict[str, Any] = {
        name: dtype if isinstance(dtype, str) else pd.CategoricalDtype(list(dtype)) for name, dtype in columns.items()
    }
    frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame(data, columns=list(columns))
    return frame[list(columns)].astype(dtypes).reset_index(drop=True)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dictionaries."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def thinned(rows: pd.DataFrame, steps: int, by: Iterable[str]) -> pd.DataFrame:
    """At most one row for each of so many parts of the time (`time_s`), for each combination of `by`."""
    time = rows["time_s"].to_numpy()
    span = float(time.max() - time.min()) if len(time) else 0.0
    part = np.floor((time - time.min()) / (span / steps)) if span > 0 else np.zeros(len(time))
    return rows[~rows[list(by)].assign(part=part).duplicated()]
