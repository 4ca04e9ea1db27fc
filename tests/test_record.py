"""Records: what they are, what they cost, and that a type checker holds them unchanged."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import asdict, field, fields, replace
from pathlib import Path

import pytest

from stunpcap.record import record
from tests.places import ROOT


@record
class Way:
    """Some steps."""

    name: str
    steps: list[int] = field(default_factory=list)


def test_a_record_is_a_dataclass_that_equals_itself_only() -> None:
    one, other = Way("way"), Way("way")
    assert one == one and one != other and len({one, other}) == 2
    assert one.steps == [] and one.steps is not other.steps
    assert [column.name for column in fields(Way)] == ["name", "steps"]
    assert asdict(replace(one, name="back")) == {"name": "back", "steps": []}
    assert not hasattr(one, "__dict__")


def test_python_compiles_one_function_for_a_record() -> None:
    assert [name for name in ("__init__", "__repr__", "__eq__", "__setattr__") if name in vars(Way)] == ["__init__"]


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_mypy_holds_records_unchanged(tmp_path: Path) -> None:
    code = tmp_path / "changing.py"
    code.write_text(
        "from stunpcap.record import record\n\n@record\nclass One:\n    number: int\n\nOne(1).number = 2\nOne('1')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "", "--cache-dir", str(tmp_path), str(code)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 'changing.py:7: error: Property "number" defined in "One" is read-only' in done.stdout
    assert "changing.py:8: error: Argument 1" in done.stdout
