"""From the name of an engine to the function that reads with it; what an engine needs is imported only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stunpcap.engines.options import ENGINES, Options
from stunpcap.errors import UsageError
from stunpcap.vantage import read_vantage

if TYPE_CHECKING:
    from stunpcap.engines.options import Reader


def reader(engine: str, options: Options) -> Reader:
    """The function that reads one capture with an engine: path, name, pools, progress.

    Raises
    ------
    UsageError
        There is no such engine, or it does not know an option.
    EngineError
        The package or the program behind it is missing or too old.
    """
    if engine not in ENGINES:
        raise UsageError(f"there is no engine {engine!r}; there are {', '.join(ENGINES)}")
    if options.given and engine != "pyshark":
        raise UsageError(f'{options.given[0]} is an option of engine="pyshark"; the engine here is {engine!r}')
    if engine == "pyshark":
        from stunpcap.engines.with_pyshark import prepare

        return prepare(options)
    if engine == "scapy":
        from stunpcap.engines.with_scapy import read_with_scapy

        return read_with_scapy
    return read_vantage
