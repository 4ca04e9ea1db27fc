"""`stunpcap summary`: what happened in a capture."""

from __future__ import annotations

from pathlib import Path

import click

from stunpcap.cli.options import FAIL_ON, SESSION, TRACES, failing, open_trace, reading_options
from stunpcap.cli.output import write, write_json


@click.command(short_help="What happened: sessions, pairs, directions.")
@TRACES
@SESSION
@FAIL_ON
@click.option("--json", "as_json", is_flag=True, help="The same facts as one JSON object, for programs.")
@reading_options
def summary(
    traces: tuple[str, ...],
    session: int | None,
    as_json: bool,
    fail_on: str,
    names: tuple[str, ...],
    passwords: tuple[str, ...],
    passwords_file: Path | None,
) -> int:
    """Tell what happened: sessions, failed ones first, why they failed, and what would mend it.

    Each session leads with its verdict, if one explains it, and what became of each candidate pair follows: a line for
    the checks from A to B and one for those from B to A, how many were sent and answered, what was captured instead of
    an answer, and what happened to the packets on their way. Then come the evidence, by frame number, what would mend
    it, and what else was found. `frames` is a display filter for Wireshark that shows the packets meant.

    Of what clients of a large server there are beside sessions, --json lists 1,000 of a kind: addresses that trouble
    ICE most, relays that failed, the gravest findings. Numbers count all, `left_out` says how many are not listed;
    `stunpcap mappings`, `transactions`, `allocations`, `flows` and `findings` print all.

    \b
    Examples:
      stunpcap summary call.pcapng
      stunpcap summary --session 3 call.pcapng
      stunpcap summary alice.pcap bob.pcap        two captures of the same calls
      ssh router tcpdump -w - udp | stunpcap summary -
      stunpcap summary --fail-on error call.pcapng && echo healthy
      stunpcap summary --json call.pcapng | jq '.sessions[] | {session_id, state}'
    """
    import sys

    from stunpcap.summary import summarise

    trace = open_trace(traces, names, passwords, passwords_file)
    found = summarise(trace, session=session)
    chosen = trace if session is None else trace.select(session=session)
    status = failing(chosen.table("findings"), fail_on)
    if as_json:
        write_json(found)
        return status
    from stunpcap.summary.terminal import paper_for
    from stunpcap.summary.text import command_hints, draw

    write(draw(found, paper_for(sys.stdout), command_hints(traces)))
    return status
