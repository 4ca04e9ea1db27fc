"""Hot loops: plain Python on small inputs, compiled by numba on large ones.

A `kernel` is a function over buffers and arrays that uses nothing but integers.  It runs as it stands when there
is little to do, so that a small capture starts at once and never imports numba, and compiled (once an installation)
when the work is worth it.  Both ways are the same source, hence the same results.  What was compiled is kept as machine
code that needs no numba (`stunpcap.native`); where that cannot be, numba loads it from its own cache.

Rules for kernels: buffers are indexed for bytes and never sliced; scalars read from arrays are wrapped in `int()`
(a NumPy scalar is slow and overflows in plain mode); no value may leave 63 bits; helpers called by a kernel are
marked `inner`.  `STUNPCAP_COMPILE=never|always|auto` overrides the choice (tests run both); `always` is numba itself,
without the kept code.  `checked` is the same with numba's bounds checks: a kernel that reads or writes outside of what
it was given ends with an IndexError, as it does where Python runs it, instead of going on with somebody else's memory.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np

from stunpcap import native

FLOORS = ("capture", "wire", "stun", "turn")
"""Packages with kernels, their helpers, and the tables that these read."""

P = ParamSpec("P")
R = TypeVar("R")

_LOADING = threading.Lock()
"""A capture is read in one thread and scanned in another; LLVM is for one at a time."""
CHECKED = os.environ.get("STUNPCAP_COMPILE") == "checked"
"""Whether compiled code checks its bounds: for the whole process, since helpers are compiled once for all kernels."""
_INNER: list[Callable[..., Any]] = []
_CACHED = True
"""Whether compiled code can be kept on disk, as far as is known."""


def inner(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a helper that kernels call; it stays a plain function."""
    _INNER.append(function)
    return function


def _policy() -> str:
    return os.environ.get("STUNPCAP_COMPILE", "auto")


def wanted(work: int, threshold: int, kept_threshold: int | None = None) -> bool:
    """Whether `work` items are worth compiled code.

    `threshold` is where that begins to pay, `kept_threshold` where it does once machine code is kept on disk.
    """
    policy = _policy()
    if policy in ("always", "checked", "never") or work >= threshold:
        return policy != "never"
    return kept_threshold is not None and work >= kept_threshold and native.folder(fingerprint()).is_dir()


class Kernel(Generic[R]):
    """A function with two lives: called, it runs as it stands; `run(True, ...)` runs it compiled."""

    def __init__(self, function: Callable[..., R]) -> None:
        self.function = function
        self._name = f"{function.__module__}.{function.__qualname__}"
        self.__doc__ = function.__doc__
        self._compiled: Callable[..., R] | None = None
        self._kept: dict[native.Signature | None, Callable[..., R] | None] = {}

    def __call__(self, *args: Any) -> R:
        return self.function(*args)

    def run(self, fast: bool, *args: Any) -> R:
        """Run compiled if `fast` (and numba is installed), else as it stands.

        Buffers are given as memoryviews; the compiled function gets them as uint8 arrays.
        """
        if not fast:
            return self.function(*args)
        arrays = tuple(np.frombuffer(a, np.uint8) if isinstance(a, memoryview) else a for a in args)
        if _policy() not in ("always", "checked"):
            kinds = native.signature(arrays)
            if kinds not in self._kept:
                with _LOADING:
                    self._kept[kinds] = self._machine_code(kinds)
            kept = self._kept[kinds]
            if kept is not None:
                return kept(*arrays)
        if self._compiled is None:
            with _LOADING:
                self._compiled = self._compile()
        if self._compiled is self.function:
            return self.function(*args)
        return self._compiled(*arrays)

    def _machine_code(self, kinds: native.Signature | None) -> Callable[..., R] | None:
        """Code that needs no numba any more; None if there is none, nor can be."""
        if not kinds:
            return None
        found = native.load(self._name, kinds, fingerprint())
        if found is None and _has_numba():
            _announce()
            found = native.keep(self._name, self.function, kinds, fingerprint(), _numba())
        return found

    def _compile(self) -> Callable[..., R]:
        try:
            numba = _numba()
        except ImportError:
            warnings.warn("numba is missing: large captures are read far slower", RuntimeWarning, stacklevel=4)
            return self.function
        # numba keeps compiled code under the function's name, and makes it anew if that function's file has changed;
        # of changed helpers and tables in other files it knows nothing.
        self.function.__qualname__ += f"-{fingerprint()}" + "-checked" * CHECKED
        try:
            compiled: Callable[..., R] = numba.njit(cache=True, nogil=True, boundscheck=CHECKED)(self.function)
        except RuntimeError:  # neither the package's directory nor the user's cache can be written
            global _CACHED
            if _CACHED:
                _CACHED = False
                warnings.warn(
                    "compiled code cannot be kept, and is made anew each time: "
                    "let NUMBA_CACHE_DIR name a directory that can be written",
                    RuntimeWarning,
                    stacklevel=4,
                )
            compiled = numba.njit(nogil=True, boundscheck=CHECKED)(self.function)
        kept = getattr(getattr(getattr(compiled, "_cache", None), "_cache_file", None), "_index_path", "")
        if not (kept and os.path.exists(kept)):  # noqa: PTH110 (numba has it as text)
            _announce()
        return compiled


def kernel(function: Callable[..., R]) -> Kernel[R]:
    """Make a function a `Kernel`."""
    return Kernel(function)


def _has_numba() -> bool:
    import importlib.util

    return importlib.util.find_spec("numba") is not None


_ANNOUNCED = False


def _announce() -> None:
    """Say once that compiling takes its time: fifteen seconds of silence are long."""
    global _ANNOUNCED
    if not _ANNOUNCED:
        _ANNOUNCED = True
        print("stunpcap: compiling its loops, once for this installation; some fifteen seconds", file=sys.stderr)


@functools.cache
def fingerprint() -> str:
    """A short hash of the modules that compiled code is made from, and of those that make it."""
    import hashlib
    from pathlib import Path

    home = Path(__file__).parent
    digest = hashlib.sha256()
    for path in (
        Path(__file__),
        home / "native.py",
        *(p for floor in FLOORS for p in sorted((home / floor).glob("*.py"))),
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


_REGISTERED: set[Callable[..., Any]] = set()


def _numba() -> Any:
    """Import numba and make every `inner` function known to it.  The first import a process is not cheap.

    Helpers become part of the loop that calls them: to call them with arrays takes a tenth of the walk.
    """
    import numba
    from numba.extending import register_jitable

    for function in _INNER:
        if function not in _REGISTERED:
            _REGISTERED.add(function)
            register_jitable(forceinline=True, boundscheck=CHECKED)(function)
    return numba
