"""`stunpcap report`: the post-mortem report as a file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stunpcap.cli.options import FAIL_ON, SESSION, TRACES, failing, open_trace, reading_options
from stunpcap.cli.output import write

if TYPE_CHECKING:
    from stunpcap.trace import Trace

ENDINGS = {".html": "html", ".htm": "html", ".md": "md", ".markdown": "md", ".pdf": "pdf"}
_TOLD = ("engine", "display_filter", "decode_as")
"""Options of reading that change what is told, and hold no secret."""


@click.command(short_help="A post-mortem report: HTML, Markdown or PDF.")
@TRACES
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=str),
    help="Where to write it, - for standard output; default: CAPTURE.report.html in this directory.",
)
@click.option(
    "--format", "form", type=click.Choice(["html", "md", "pdf"]), help="Default: as the file's name ends, else html."
)
@SESSION
@click.option(
    "--details",
    metavar="N",
    type=click.IntRange(min=0),
    help="How many sessions are told in full at most, where there are more than three; default: 8, 3 in Markdown.",
)
@FAIL_ON
@reading_options
def report(
    traces: tuple[str, ...],
    output: str | None,
    form: str | None,
    session: int | None,
    details: int | None,
    fail_on: str,
    names: tuple[str, ...],
    passwords: tuple[str, ...],
    passwords_file: Path | None,
) -> int:
    """Write a post-mortem report: verdict, story, figures, evidence, advice, tables, and what could not be told.

    HTML is one page that loads nothing from anywhere, opens on a phone and prints on A4. Markdown is for tickets. PDF
    is that page, printed by Chromium, Chrome or Edge, if one is in PATH. The same captures give the same bytes.

    \b
    Examples:
      stunpcap report call.pcapng -o post-mortem.html
      stunpcap report alice.pcap bob.pcap -o call.pdf
      stunpcap report --session 3 --format md -o - call.pcapng
    """
    form = _format(output, form)
    if form == "pdf" and output == "-":
        raise click.UsageError("a PDF is written to a file: -o FILE.pdf")
    if form == "pdf":
        from stunpcap.report.pdf import find_browser

        find_browser()  # before all the work
    from stunpcap.cli.progress import Working

    trace = open_trace(traces, names, passwords, passwords_file)
    with Working() as working:
        working.say("correlating")
        made = _made(trace, form, session, details, _call(traces, session, details, names), working.say)
        chosen = trace if session is None else trace.select(session=session)
        status = failing(chosen.table("findings"), fail_on)
    if output == "-":
        write(made.decode())
        return status
    from stunpcap.report import write_file
    from stunpcap.summary.terminal import safe
    from stunpcap.summary.words import octets

    target = output or f"{safe(_stem(traces[0]))}.report.{form}"
    write_file(target, made)
    write(f"{safe(target)} ({octets(len(made))})\n")
    return status


def _format(output: str | None, form: str | None) -> str:
    """The format asked for, or the one that the file's name ends with."""
    if form is not None or output in (None, "-"):
        return form or "html"
    ending = Path(str(output)).suffix.lower()
    if ending not in ENDINGS:
        raise click.UsageError(f"{output}: say --format html, md or pdf, or let the name end so")
    return ENDINGS[ending]


def _made(trace: Trace, form: str, session: int | None, details: int | None, call: str, say: Any) -> bytes:
    from stunpcap.report import to_html, to_markdown, to_pdf

    most: dict[str, Any] = {} if details is None else {"details": details}
    if form == "md":
        return to_markdown(trace, session=session, call=call, say=say, **most).encode()
    page = to_html(trace, session=session, call=call, say=say, **most)
    if form == "html":
        return page.encode()
    say("printing")
    return to_pdf(page)


def _call(traces: tuple[str, ...], session: int | None, details: int | None, names: tuple[str, ...]) -> str:
    """The command, with what changes what is told: no directories, no secrets, not where it was written to."""
    from stunpcap.engines.options import ENGINES
    from stunpcap.report.made import file_name

    words = ["stunpcap", "report"]
    words += ["--session", str(session)] if session is not None else []
    words += ["--details", str(details)] if details is not None else []
    words += [word for name in names for word in ("--name", name)]
    kept = click.get_current_context().meta
    for option in _TOLD:
        value = kept.get(f"stunpcap.{option}")
        for one in value if isinstance(value, tuple) else [value]:
            if one and one != ENGINES[0]:
                words += [f"--{option.replace('_', '-')}", str(one)]
    return shlex.join([*words, *("-" if trace == "-" else file_name(trace) for trace in traces)])


def _stem(trace: str) -> str:
    from stunpcap.vantage import default_name

    return "stdin" if trace == "-" else Path(default_name(trace)).name
