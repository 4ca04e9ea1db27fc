"""Machine code that is kept does what its source does, without numba, and is used only if it is what was kept."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stunpcap import kernels, native
from tests.places import LAB, ROOT, name_of
from tests.test_kernels import frames

numba = pytest.importorskip("numba")

DATA = np.array([7, 0, 255], np.uint8)
CAPTURES = [
    LAB / "asymmetric-dead" / "answerer.pcap",
    LAB / "turn-tcp" / "answerer.pcap",
    LAB / "ice-tcp" / "offerer.pcap",
]
TABLE = np.array([[1, -2], [3, 2**40]], np.int64)


def total(data: Any, table: Any, more: int) -> int:
    """All that is given added up."""
    result = more
    for position in range(len(data)):
        result += int(data[position])
    for row in range(len(table)):
        for column in range(table.shape[1]):
            result += int(table[row, column])
    return result


def ends(data: Any) -> tuple[int, int]:
    """The first and the last."""
    return int(data[0]), int(data[len(data) - 1])


def clear(data: Any) -> None:
    """Write zeros."""
    for position in range(len(data)):
        data[position] = 0


def allocate(count: int) -> int:
    """Needs memory, hence something from outside."""
    return len(np.zeros(count))


def keep(function: Any, *args: Any) -> Any:
    kinds = native.signature(args)
    assert kinds is not None
    return native.keep(function.__name__, function, kinds, "sources", numba)


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    return native.folder("sources")


def test_kinds_of_arguments() -> None:
    assert native.signature((DATA, TABLE, 3, True)) == ("1|u1", "2<i8", "i", "i")
    assert native.signature((TABLE[:, 0],)) is None, "items that do not lie one behind the other"
    assert native.signature(([1, 2],)) is None


def test_what_is_kept_does_the_same() -> None:
    assert keep(total, DATA, TABLE, 1)(DATA, TABLE, 1) == total(DATA, TABLE, 1) == 1 + 262 + 2 + 2**40
    assert keep(total, DATA, TABLE, 1)(DATA[:0], TABLE[:1], -5) == -6
    assert keep(ends, DATA)(DATA) == (7, 255)
    given = DATA.copy()
    assert keep(clear, given)(given) is None
    assert not given.any()


def test_loaded_again(place: Path) -> None:
    kinds = native.signature((DATA,))
    assert kinds is not None
    assert native.load("ends", kinds, "sources") is None, "nothing is kept yet"
    keep(ends, DATA)
    loaded = native.load("ends", kinds, "sources")
    assert loaded is not None
    assert loaded(DATA) == (7, 255)
    assert native.load("ends", kinds, "other sources") is None
    assert native.load("ends", ("1<i8",), "sources") is None, "another kind of argument"
    assert [path.parent for path in place.parent.rglob("*.o")] == [place]


@pytest.mark.parametrize("at", [0, 30, 90, -1])
def test_damaged_code_is_not_run(place: Path, at: int) -> None:
    keep(ends, DATA)
    (path,) = place.iterdir()
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    assert native.load("ends", ("1|u1",), "sources") is None
    path.write_bytes(path.read_bytes()[:-10])
    assert native.load("ends", ("1|u1",), "sources") is None
    path.write_bytes(b"")
    assert native.load("ends", ("1|u1",), "sources") is None


def test_code_that_needs_others_is_not_kept(place: Path) -> None:
    assert native.keep("allocate", allocate, ("i",), "sources", numba) is None
    assert not place.exists()


def test_code_of_old_sources_goes(place: Path) -> None:
    keep(ends, DATA)
    native.keep("ends", ends, ("1|u1",), "newer", numba)
    assert [path.name for path in place.parent.iterdir()] == ["newer"]


def test_where_nothing_can_be_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.parent.parent.mkdir(exist_ok=True)
    place.parent.write_text("in the way")
    assert keep(ends, DATA) is None
    kernel = kernels.kernel(ends)
    monkeypatch.setattr(kernels, "_ANNOUNCED", True)
    assert kernel.run(True, DATA) == (7, 255), "numba compiles it then"


READ = """
from stunpcap.wire import scan
scan.COMPILE_ABOVE = 1
import stunpcap
len(stunpcap.read({path!r}).messages)
"""


def test_the_packet_walk_is_kept(place: Path) -> None:
    """It needs nothing from outside, whatever this version of numba and LLVM leave in it."""
    command = [sys.executable, "-c", READ.format(path=str(CAPTURES[0]))]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(place.parent.parent), "STUNPCAP_COMPILE": "auto"}
    said = [
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stderr
        for _ in range(2)
    ]
    assert "once for this installation" in said[0]
    assert said[1] == ""
    assert [*place.parent.rglob("stunpcap.wire.walk.scan-*.o")]


def test_a_kernel_uses_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUNPCAP_COMPILE", "auto")
    monkeypatch.setattr(kernels, "_ANNOUNCED", False)
    assert kernels.kernel(ends).run(True, memoryview(b"\7\1")) == (7, 1)
    assert "once for this installation" in capsys.readouterr().err
    monkeypatch.setattr(kernels, "_numba", None)  # whoever calls it fails
    monkeypatch.setattr(kernels, "_ANNOUNCED", False)
    assert kernels.kernel(ends).run(True, memoryview(b"\7\2")) == (7, 2)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("path", CAPTURES, ids=name_of)
def test_a_whole_capture(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every frame is the same; the second time numba is not even imported."""
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    every = "from stunpcap import kernels; kernels.wanted = lambda *_: True"
    plain, _, _ = frames(path, "never")
    first, _, said = frames(path, "auto", every)
    assert first == plain
    assert said in ("", "stunpcap: compiling its loops, once for this installation; some fifteen seconds\n")
    assert frames(path, "auto", every) == (plain, "False", "")


def test_light_to_import() -> None:
    code = "import sys, stunpcap.native; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not re.search(r"\b(numba|llvmlite)\b", done.stdout)
