"""What all tests have in common: chance.

Property tests are random where a person runs them, for then they find something new each time; in CI (the variable
`CI`) they are the same in every run, so that a change is judged by what it changed.  `python -m tests.fuzz` is where
chance belongs.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, database=None, print_blob=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


NOT_YET = frozenset(Path(__file__).with_name("not_yet_held.txt").read_text(encoding="utf-8").split("\n"))
"""Tests that do not hold yet on calls the corpus gained with new agents and networks, or since a closed call has a
state of its own.  Each is work to do; whoever mends one takes its line out."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let those run, and be told apart, without failing the run."""
    for item in items:
        if item.nodeid in NOT_YET:
            item.add_marker(pytest.mark.xfail(reason="not held yet: tests/not_yet_held.txt", strict=False))
