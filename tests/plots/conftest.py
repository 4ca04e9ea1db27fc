"""Plots are drawn without a screen, and none stays open."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import pytest

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def no_figure_stays_open() -> Iterator[None]:
    from matplotlib import pyplot

    yield
    pyplot.close("all")
