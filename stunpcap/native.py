"""Machine code of compiled kernels, kept on disk and loaded again without numba.

Importing numba takes longer than walking a million packets.  So what it compiles is made into one object for each
kernel and kinds of arguments, which llvmlite alone loads in a few milliseconds.  Objects that need anything from
outside (numba's runtime, Python) are not kept: then numba's own cache has to do.

An object is used only if the sources, llvmlite, numba's version and the processor are those that it was made with.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Signature = tuple[str, ...]
"""For each argument "i" (an integer), or the number of dimensions and the dtype of an array: "2<i8"."""

_ENGINES: list[Any] = []
"""What holds the loaded code; it lives as long as the process."""
_RESULTS = 8
"""Integers that a kernel returns at most."""


def signature(args: tuple[Any, ...]) -> Signature | None:
    """The kinds of arguments; None if some are neither integers nor arrays whose items lie one behind the other."""
    kinds = []
    for one in args:
        if isinstance(one, np.ndarray):
            if not one.flags.c_contiguous:
                return None
            kinds.append(f"{one.ndim}{one.dtype.str}")
        elif isinstance(one, int):
            kinds.append("i")
        else:
            return None
    return tuple(kinds)


def folder(fingerprint: str) -> Path:
    """Where code made from these sources is kept: in NUMBA_CACHE_DIR, beside the package, or in the user's cache."""
    import hashlib

    home = Path(__file__).parent
    places = [home / "__pycache__"]
    named = os.environ.get("NUMBA_CACHE_DIR")
    if named:
        places = [Path(named)]
    elif not os.access(places[0] if places[0].exists() else home, os.W_OK):
        cache = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
        places = [Path(cache) / "stunpcap"]
    where = hashlib.sha256(str(home).encode()).hexdigest()[:8]
    return places[0] / f"stunpcap-{where}" / fingerprint


def load(name: str, kinds: Signature, fingerprint: str) -> Callable[..., Any] | None:
    """The kept code of a kernel for such arguments; None if there is none that fits, or llvmlite is missing."""
    import hashlib

    try:
        kept = _path(name, kinds, fingerprint).read_bytes()
        import llvmlite.binding as llvm
    except (OSError, ImportError):
        return None
    head, _, code = kept.partition(b"\n")
    told = head.split(b" ")
    if len(told) != 4 or told[0] != _made_with().encode() or told[1] != hashlib.sha256(code).hexdigest().encode():
        return None
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target(llvm))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _ENGINES.append(engine)
    address = engine.get_function_address(told[2].decode())
    return _caller(address, kinds, int(told[3])) if address else None


def keep(
    name: str, function: Callable[..., Any], kinds: Signature, fingerprint: str, numba: Any
) -> Callable[..., Any] | None:
    """Compile a kernel for such arguments, keep the code, and load it; None if it cannot be kept."""
    import hashlib
    import shutil
    import tempfile

    try:
        symbol, results, code = _compile(function, kinds, numba)
        path = _path(name, kinds, fingerprint)
        path.parent.mkdir(parents=True, exist_ok=True)
        for other in path.parent.parent.iterdir():
            if other != path.parent:  # made from sources that are no more
                shutil.rmtree(other, ignore_errors=True)
        head = f"{_made_with()} {hashlib.sha256(code).hexdigest()} {symbol} {results}\n"
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(head.encode() + code)
        Path(file.name).chmod(0o644)
        Path(file.name).replace(path)
    except Exception:  # whatever it was (no room, another numba): numba compiles it then, or says what is wrong
        return None
    return load(name, kinds, fingerprint)


class _OutsideError(Exception):
    """The code needs something from outside itself."""


def _path(name: str, kinds: Signature, fingerprint: str) -> Path:
    import hashlib

    return folder(fingerprint) / f"{name}-{hashlib.sha256(' '.join(kinds).encode()).hexdigest()[:8]}.o"


def _made_with() -> str:
    """What code depends on besides its sources, as one word."""
    import hashlib
    import importlib.util

    import llvmlite
    import llvmlite.binding as llvm

    numba = importlib.util.find_spec("numba")
    stamp = os.stat(numba.origin).st_mtime_ns if numba and numba.origin else 0  # noqa: PTH116
    parts = (
        llvmlite.__version__,
        stamp,
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
        sys.platform,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _target(llvm: Any) -> Any:
    return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="small",
    )


def _compile(function: Callable[..., Any], kinds: Signature, numba: Any) -> tuple[str, int, bytes]:
    """The name of the entry in the code, how many integers it returns, and the code."""
    import re

    import llvmlite.binding as llvm

    types, scalar = numba.types, numba.types.int64
    wanted = [scalar if kind == "i" else types.Array(_item(kind, numba), int(kind[0]), "C") for kind in kinds]
    options = {"nogil": True, "error_model": "numpy"}  # the other model's exceptions would need Python
    inside = numba.njit(**options)(function)
    inside.compile(tuple(wanted))
    returned = inside.nopython_signatures[0].return_type
    results = len(returned) if isinstance(returned, types.BaseTuple) else int(returned != types.none)
    if results > _RESULTS:
        raise _OutsideError
    flat: list[Any] = [types.CPointer(scalar)]
    names, call = ["out"], []
    for number, kind in enumerate(kinds):
        if kind == "i":
            flat.append(scalar)
            names.append(f"a{number}")
            call.append(f"a{number}")
            continue
        sizes = [f"n{number}_{axis}" for axis in range(int(kind[0]))]
        flat += [types.CPointer(_item(kind, numba)), *[scalar] * len(sizes)]
        names += [f"p{number}", *sizes]
        call.append(f"carray(p{number}, ({', '.join(sizes)},))")
    lines = [f"def entry({', '.join(names)}):", f"    r = inside({', '.join(call)})"]
    if results == 1:
        lines.append("    out[0] = r")
    else:
        lines += [f"    out[{number}] = r[{number}]" for number in range(results)]
    space: dict[str, Any] = {"inside": inside, "carray": numba.carray}
    exec("\n".join(lines), space)
    outer = numba.njit(types.void(*flat), **options)(space["entry"])
    (text,) = outer.inspect_llvm().values()
    module = llvm.parse_assembly(text)
    ours = [
        one.name
        for one in module.functions
        if not one.is_declaration and re.match(r"_ZN(?!7cpython).*5entry", one.name)
    ]
    if len(ours) != 1:
        raise _OutsideError
    for part in [*module.functions, *module.global_variables]:
        if not part.is_declaration and part.name != ours[0]:
            part.linkage = "internal"
    target = _target(llvm)
    builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
    if _outside(module):
        # The arrays are nobody's, but LLVM does not see that counting references to nothing (null) does nothing.
        text = re.sub(r"^.*\bcall\b[^@\n]*@NRT_(?:inc|dec)ref\([^,)]*\bnull\).*$", "", str(module), flags=re.MULTILINE)
        module = llvm.parse_assembly(text)
        builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=1))
        builder.getModulePassManager().run(module, builder)
    if _outside(module):
        raise _OutsideError
    return ours[0], results, bytes(target.emit_object(module))


def _outside(module: Any) -> list[str]:
    """What the code needs and does not have."""
    return [one.name for one in module.functions if one.is_declaration and not one.name.startswith("llvm.")]


def _item(kind: str, numba: Any) -> Any:
    return numba.from_dtype(np.dtype(kind[1:]))


def _caller(address: int, kinds: Signature, results: int) -> Callable[..., Any]:
    """The code as a function that takes arrays and integers.

    numba passes to a function where its result and its exception would go, then the arguments.
    """
    import ctypes

    slots: list[Any] = [ctypes.c_void_p] * 3
    for kind in kinds:
        slots += [ctypes.c_int64] if kind == "i" else [ctypes.c_void_p, *[ctypes.c_int64] * int(kind[0])]
    entry = ctypes.CFUNCTYPE(ctypes.c_int32, *slots)(address)

    def call(*args: Any) -> Any:
        result, raised, out = ctypes.c_void_p(), ctypes.c_void_p(), (ctypes.c_int64 * _RESULTS)()
        flat: list[int] = []
        for one in args:
            if isinstance(one, np.ndarray):
                flat += [one.__array_interface__["data"][0], *one.shape]
            else:
                flat.append(int(one))
        status = entry(ctypes.addressof(result), ctypes.addressof(raised), ctypes.addressof(out), *flat)
        if status:
            raise SystemError("compiled code failed")
        return tuple(out[:results]) if results > 1 else out[0] if results else None

    return call
