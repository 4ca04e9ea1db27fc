"""Makes `capture_writers` importable by the tests of this directory, and finds the captures to try."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
