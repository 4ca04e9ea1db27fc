"""`stunpcap ladder`: the course of one session as a sequence diagram."""

from __future__ import annotations

from pathlib import Path

import click

from stunpcap.cli.options import SESSION, TRACES, open_trace, reading_options
from stunpcap.cli.output import write, write_json


@click.command(short_help="The course of a session as a sequence diagram.")
@TRACES
@SESSION
@click.option("--vantage", metavar="NAME", help="Which capture; default: the one that saw most of the session.")
@click.option("--full", is_flag=True, help="Every request, instead of those that tell the story.")
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=1), help="How many arrows at most; default: about 40, or all."
)
@click.option(
    "--width",
    metavar="COLUMNS",
    type=click.IntRange(min=80, max=200),
    help="How wide it is drawn; default: as the window, or 80.",
)
@click.option("--json", "as_json", is_flag=True, help="The lanes and steps as one JSON object, for programs.")
@reading_options
def ladder(
    traces: tuple[str, ...],
    session: int | None,
    vantage: str | None,
    full: bool,
    limit: int | None,
    width: int | None,
    as_json: bool,
    names: tuple[str, ...],
    passwords: tuple[str, ...],
    passwords_file: Path | None,
) -> None:
    """Draw who sent what to whom: agents, NATs and servers side by side, one arrow a message, in order of time.

    Without --session it is the worst session. What tells nothing new is folded into one line: checks that went like the
    one before, retransmissions. An arrow that ends in a cross failed; a cross before the lane means that evidence says
    that the packet did not arrive, a dashed line that nobody can tell. Answers are drawn from where they came.

    \b
    Examples:
      stunpcap ladder call.pcapng
      stunpcap ladder --session 3 --full call.pcapng | less -S
      stunpcap ladder alice.pcap bob.pcap --vantage bob
      stunpcap ladder --json call.pcapng | jq '.steps[] | select(.fate == "lost")'
    """
    import sys
    from dataclasses import replace

    from stunpcap.ladder import build_ladder
    from stunpcap.ladder.text import MARKS, NARROWEST, WIDEST, draw_ladder
    from stunpcap.summary.terminal import can_show, paper_for

    trace = open_trace(traces, names, passwords, passwords_file)
    found = build_ladder(trace, session=session, vantage=vantage, full=full, limit=limit)
    if as_json:
        write_json(found)
        return
    paper = paper_for(sys.stdout, narrowest=NARROWEST, widest=WIDEST)
    marks = "".join(both[0] for both in MARKS.values())
    paper = replace(paper, width=width or paper.width, unicode=paper.unicode and can_show(marks, sys.stdout))
    write(draw_ladder(found, paper))
