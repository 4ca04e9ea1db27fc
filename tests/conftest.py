"""What all tests have in common: chance.

Property tests are random where a person runs them, for then they find something new each time; in CI (the variable
`CI`) they are the same in every run, so that a change is judged by what it changed.  `python -m tests.fuzz` is where
chance belongs.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, database=None, print_blob=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
