"""Kernels run as they stand or compiled, by choice or for want of numba, and come to the same."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stunpcap import kernels
from tests.places import LAB, ROOT, lab_captures

CAPTURE = LAB / "asymmetric-dead" / "answerer.pcap"


def total(data: Any, values: Any) -> int:
    """The bytes and the values added up."""
    result = 0
    for position in range(len(data)):
        result += int(data[position])
    for position in range(len(values)):
        result += int(values[position])
    return result


@pytest.mark.parametrize(
    ("policy", "few", "many"), [("auto", False, True), ("always", True, True), ("never", False, False)]
)
def test_policy(monkeypatch: pytest.MonkeyPatch, policy: str, few: bool, many: bool) -> None:
    monkeypatch.setenv("STUNPCAP_COMPILE", policy)
    assert kernels.wanted(0, 100) is few
    assert kernels.wanted(99, 100) is few
    assert kernels.wanted(100, 100) is many


def test_automatic_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STUNPCAP_COMPILE", raising=False)
    assert [kernels.wanted(work, 10) for work in (9, 10)] == [False, True]


def test_as_it_stands() -> None:
    kernel = kernels.kernel(total)
    assert kernel(memoryview(b"\1\2"), [3]) == kernel.run(False, memoryview(b"\1\2"), [3]) == 6
    assert kernel.__doc__ == total.__doc__


def test_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    """One warning that names the cost, and the same result."""
    monkeypatch.setitem(sys.modules, "numba", None)
    kernel = kernels.kernel(total)
    with pytest.warns(RuntimeWarning, match=r"numba is missing.*slower"):
        assert kernel.run(True, memoryview(b"\1\2"), np.array([3])) == 6
    assert kernel.run(True, memoryview(b"\1\2"), np.array([4])) == 7, "and no second warning"


def test_compiled_code_is_given_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(
        kernels, "_numba", lambda: SimpleNamespace(njit=lambda **_: lambda f: lambda *a: given.extend(a) or f(*a))
    )
    assert kernels.kernel(total).run(True, memoryview(b"\1\2"), np.array([3])) == 6
    assert [type(one) for one in given] == [np.ndarray, np.ndarray]
    assert given[0].dtype == np.uint8


def test_where_compiled_code_cannot_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """numba refuses to cache where neither the package nor the user's cache can be written: then without, once said."""

    def njit(**options: bool) -> Any:
        def decorate(function: Any) -> Any:
            if options.get("cache"):
                raise RuntimeError("cannot cache function: no locator available")
            return function

        return decorate

    monkeypatch.setattr(kernels, "_numba", lambda: SimpleNamespace(njit=njit))
    monkeypatch.setattr(kernels, "_CACHED", True)
    with pytest.warns(RuntimeWarning, match="NUMBA_CACHE_DIR"):
        assert kernels.kernel(total).run(True, memoryview(b"\1"), np.array([3])) == 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kernels.kernel(total).run(True, memoryview(b"\1"), np.array([3])) == 4


WHOLE = """
import sys
{first}
import stunpcap
trace = stunpcap.read({path!r})
for name in ("messages", "transactions", "sessions", "pairs", "candidates", "flows", "mappings", "defects"):
    for record in trace.table(name).records():
        print(name, record)
print("numba:", "numba" in sys.modules and sys.modules["numba"] is not None)
"""


def frames(path: Path, policy: str, first: str = "") -> tuple[str, str, str]:
    code = WHOLE.format(path=str(path), first=first)
    command = [sys.executable, "-W", "default", "-c", code]
    environment = {**os.environ, "STUNPCAP_COMPILE": policy}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    text, _, used = done.stdout.rpartition("numba: ")
    return text, used.strip(), done.stderr


def test_a_whole_capture_either_way() -> None:
    plain, used, said = frames(CAPTURE, "never")
    assert len(plain.splitlines()) > 100
    assert (used, said) == ("False", "")
    assert frames(CAPTURE, "auto")[:2] == (plain, "False"), "a small capture does not import numba"
    compiled, used, said = frames(CAPTURE, "always")
    assert (compiled, used) == (plain, "True")
    assert said in ("", "stunpcap: compiling its loops, once for this installation; some fifteen seconds\n")
    assert frames(CAPTURE, "always") == (plain, "True", ""), "the second time everything is kept"
    missing, used, said = frames(CAPTURE, "always", "sys.modules['numba'] = None")
    assert (missing, used) == (plain, "False")
    assert "RuntimeWarning: numba is missing" in said


EVERYTHING = """
import sys
import stunpcap
from stunpcap.schema import FRAMES
for path in sys.argv[1:]:
    tables = stunpcap.read(path).tables
    for name in FRAMES:
        print(path, name)
        for record in getattr(tables, name).records():
            print(record)
"""
OF_EACH_KIND = (
    "asymmetric-dead/answerer.pcap",
    "capture-snaplen",
    "capture-vlan",
    "icmp-port-unreachable",
    "ice-tcp",
    "aioice-turn",
    "dtls-large-lost",
)
"""Captures that between them reach most of what kernels do."""


def test_frames_are_the_same_plain_compiled_and_checked() -> None:
    """Checked: the compiled code, and whatever reads or writes outside of what it was given raises."""
    paths = [path for name in OF_EACH_KIND for path in lab_captures() if str(path.relative_to(LAB)).startswith(name)]
    assert len(paths) >= len(OF_EACH_KIND)
    views = []
    for policy in ("never", "always", "checked"):
        environment = {**os.environ, "STUNPCAP_COMPILE": policy}
        command = [sys.executable, "-c", EVERYTHING, *map(str, paths)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        views.append(done.stdout)
    assert len(views[0].splitlines()) > 1000
    assert views[0] == views[1] == views[2]


BEYOND = """
import sys
import numpy as np
from stunpcap.kernels import kernel
from stunpcap.wire.words import u16
@kernel
def read(b, o):
    return u16(b, o)
assert read.run(True, memoryview(b"abc"), 1) == 0x6263
try:
    read.run(True, memoryview(b"abc"), 2)
except IndexError:
    sys.exit(7)
"""


def test_checked_code_raises_where_python_does(tmp_path: Path) -> None:
    """In a helper that became part of the kernel, too."""
    script = tmp_path / "beyond.py"
    script.write_text(BEYOND, encoding="utf-8")
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "STUNPCAP_COMPILE": "checked", "PYTHONPATH": paths}
    assert subprocess.run([sys.executable, str(script)], env=environment, check=False).returncode == 7


def test_code_is_made_anew_where_any_kernel_changed() -> None:
    package = Path(kernels.__file__).parent
    holding = {path for path in package.rglob("*.py") if "\n@kernel\n" in path.read_text(encoding="utf-8")}
    assert package / "wire" / "walk.py" in holding
    assert {path.parent.name for path in holding} <= set(kernels.FLOORS)
