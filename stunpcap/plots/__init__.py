"""Plots: a trace in, matplotlib's `Axes` out; each preceded by a function that gives the frame it draws.

    import stunpcap
    trace = stunpcap.read("answerer.pcapng")
    stunpcap.plots.pair_matrix(trace)
    stunpcap.plots.pair_matrix_data(trace)

Importing this package imports nothing: matplotlib and pandas come with the first plot or frame.  No module here has
the name of a function, since importing it would put the module in the function's place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stunpcap.plots.cells import pair_matrix_data
    from stunpcap.plots.events import timeline_data
    from stunpcap.plots.ladder_plot import ladder
    from stunpcap.plots.ladder_rows import ladder_data
    from stunpcap.plots.lanes import timeline
    from stunpcap.plots.many import sessions_overview, sessions_overview_data
    from stunpcap.plots.matrix import pair_matrix
    from stunpcap.plots.rates import media, media_data
    from stunpcap.plots.render import to_png, to_svg
    from stunpcap.plots.roundtrips import rtt, rtt_data
    from stunpcap.plots.servers import gathering, gathering_data
    from stunpcap.plots.topology_links import topology_data
    from stunpcap.plots.topology_plot import topology

__all__ = [
    "gathering",
    "gathering_data",
    "ladder",
    "ladder_data",
    "media",
    "media_data",
    "pair_matrix",
    "pair_matrix_data",
    "rtt",
    "rtt_data",
    "sessions_overview",
    "sessions_overview_data",
    "timeline",
    "timeline_data",
    "to_png",
    "to_svg",
    "topology",
    "topology_data",
]

_HOME = {
    "gathering": "servers",
    "gathering_data": "servers",
    "ladder": "ladder_plot",
    "ladder_data": "ladder_rows",
    "media": "rates",
    "media_data": "rates",
    "pair_matrix": "matrix",
    "pair_matrix_data": "cells",
    "rtt": "roundtrips",
    "rtt_data": "roundtrips",
    "sessions_overview": "many",
    "sessions_overview_data": "many",
    "timeline": "lanes",
    "timeline_data": "events",
    "to_png": "render",
    "to_svg": "render",
    "topology": "topology_plot",
    "topology_data": "topology_links",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        import importlib

        return getattr(importlib.import_module(f"stunpcap.plots.{_HOME[name]}"), name)
    raise AttributeError(f"module 'stunpcap.plots' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
