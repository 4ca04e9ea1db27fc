"""A report as one HTML page that needs nothing else and allows nothing else.

Jinja escapes every text (`autoescape`), and before that each text's control characters become visible (`finalize`), so
no template has to remember either.  The page's content security policy names its one style sheet and its one script by
their hashes and forbids the rest, inline styles and the network included.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stunpcap.plots.render import css_properties
from stunpcap.plots.styles import TONES
from stunpcap.report.build import DETAILS, build_report
from stunpcap.report.model import Report
from stunpcap.report.places import TEMPLATES
from stunpcap.stun.render import printable

if TYPE_CHECKING:
    from stunpcap.trace import Trace


def to_html(
    trace: Trace,
    *,
    session: int | None = None,
    details: int = DETAILS,
    call: str = "",
    say: Callable[[str], None] | None = None,
) -> str:
    """The post-mortem report of a trace as a page; parameters as for `build_report`."""
    return page(build_report(trace, session=session, details=details, call=call, say=say))


def page(report: Report) -> str:
    """A report as HTML; the same report gives the same text."""
    style = _tidy("\n".join((_colours(), _read("page.css"), report.styles)))
    script = _tidy(_read("page.js"))
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    text = (
        _environment()
        .get_template("page.html")
        .render(report=report, policy=policy, style=Markup(style), script=Markup(script))
    )
    return _tidy(text) + "\n"


def _tidy(text: str) -> str:
    """Without empty lines and blanks at line ends, which templates leave behind."""
    return "\n".join(line.rstrip() for line in text.split("\n") if line.strip())


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawing"] = Markup
    environment.globals["newline"] = Markup("\n")
    environment.globals["glyph"] = {name: tone.glyph for name, tone in TONES.items()}
    return environment


def _visible(value: Any) -> Any:
    """Whatever is put into a template: markup of ours as it is, text with its control characters made visible."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _colours() -> str:
    """The colours of `stunpcap.plots.styles` as custom properties: light, dark, and light again on paper."""
    light, dark = css_properties(), css_properties(dark=True)
    return f":root{{color-scheme:light dark;{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
