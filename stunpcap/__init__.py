"""Which ICE candidate pairs failed, in which direction, and why: from a packet capture.

    import stunpcap
    trace = stunpcap.read("answerer.pcapng")
    trace.pairs
    stunpcap.plots.pair_matrix(trace)

Importing this package is light; NumPy and pandas are imported by what needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stunpcap import plots
    from stunpcap.errors import CaptureError, DecodeError, EngineError, SourceError, StunpcapError, UsageError
    from stunpcap.trace import Trace, read
    from stunpcap.watch.live import live

__version__ = "0.1.0"
__all__ = [
    "CaptureError",
    "DecodeError",
    "EngineError",
    "SourceError",
    "StunpcapError",
    "Trace",
    "UsageError",
    "__version__",
    "live",
    "plots",
    "read",
]

_HOME = {
    "Trace": "stunpcap.trace",
    "read": "stunpcap.trace",
    "live": "stunpcap.watch.live",
    "CaptureError": "stunpcap.errors",
    "DecodeError": "stunpcap.errors",
    "EngineError": "stunpcap.errors",
    "SourceError": "stunpcap.errors",
    "StunpcapError": "stunpcap.errors",
    "UsageError": "stunpcap.errors",
}
_PACKAGES = ("plots",)


def __getattr__(name: str) -> Any:
    if name in (*_HOME, *_PACKAGES):
        import importlib

        if name in _PACKAGES:
            return importlib.import_module(f"stunpcap.{name}")
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'stunpcap' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_PACKAGES})
