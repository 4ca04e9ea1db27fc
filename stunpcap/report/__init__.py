"""The post-mortem report: a trace in, one HTML page, Markdown text or PDF out.

    facts -> `build` (plain data, `model`) -> `html`, `markdown`, `pdf`

Everything said is decided before anything is laid out, so that page and ticket tell the same.  Importing this package
imports nothing: Jinja, matplotlib and pandas come with the first report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stunpcap.report.build import build_report
    from stunpcap.report.html import to_html
    from stunpcap.report.markdown import to_markdown
    from stunpcap.report.model import Report
    from stunpcap.report.pdf import to_pdf
    from stunpcap.report.writing import write_file

__all__ = ["Report", "build_report", "to_html", "to_markdown", "to_pdf", "write_file"]

_HOME = {
    "Report": "model",
    "build_report": "build",
    "to_html": "html",
    "to_markdown": "markdown",
    "to_pdf": "pdf",
    "write_file": "writing",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        import importlib

        return getattr(importlib.import_module(f"stunpcap.report.{_HOME[name]}"), name)
    raise AttributeError(f"module 'stunpcap.report' has no attribute {name!r}")
