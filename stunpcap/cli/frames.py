"""The commands that print a frame: `stunpcap pairs` and the like."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stunpcap.cli.options import FAIL_ON, SESSION, TRACES, failing, open_trace, reading_options
from stunpcap.cli.output import write, write_lines
from stunpcap.schema import FRAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stunpcap.table import Table

ENDINGS = {".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}

HELP = {
    "messages": (
        "Every STUN message.",
        "Print every STUN message: a row each.",
        "stunpcap messages call.pcapng --columns frame,src,dst,class,method,error_code",
    ),
    "transactions": (
        "Every request and what became of it.",
        "Print every request with what became of it: answered, refused, or left without an answer.",
        "stunpcap transactions call.pcapng --json | jq 'select(.outcome == \"unanswered\")'",
    ),
    "sessions": (
        "Two agents each, and how it ended.",
        "Print the sessions: two agents each, and how it ended.",
        "stunpcap sessions call.pcapng --format csv",
    ),
    "pairs": (
        "Candidate pairs, a row for each direction.",
        "Print the candidate pairs: a row for each direction, with its checks and what came of them.",
        "stunpcap pairs call.pcapng --session 2",
    ),
    "stages": (
        "The course of each session, stage by stage.",
        "Print the course of each session: gathering, checks, ICE, DTLS, media and its end, each with its status.",
        "stunpcap stages call.pcapng --session 1",
    ),
    "icmp": (
        "ICMP errors, and the pairs they are about.",
        "Print the ICMP errors: who refused which packet, whatever it held, and of which pair.",
        "stunpcap icmp call.pcapng --columns frame,error,sender,src,dst,quoted",
    ),
    "evidence": (
        "What tells whether packets arrived.",
        "Print the evidence on each direction of each pair: what tells that packets arrived, or that they did not.",
        "stunpcap evidence offerer.pcap answerer.pcap --columns src,dst,evidence,says,strength,first_frame",
    ),
    "candidates": (
        "Addresses of the agents and their types.",
        "Print the candidates: addresses of the agents, their types, and how those are known.",
        "stunpcap candidates call.pcapng --session 1",
    ),
    "mappings": (
        "How others saw local addresses (NAT).",
        "Print address mappings: how others saw each local address, and what that says of NATs.",
        "stunpcap mappings call.pcapng",
    ),
    "allocations": (
        "What TURN servers granted and refused.",
        "Print the allocations: what each client asked a TURN server for, what it got, and how it ended.",
        "stunpcap allocations call.pcapng --columns client,server,relayed,state,error_code",
    ),
    "permissions": (
        "Which peers a TURN relay let through.",
        "Print the permissions: which peer addresses each TURN allocation let through, and when.",
        "stunpcap permissions call.pcapng --json",
    ),
    "channels": (
        "TURN channels and their peers.",
        "Print the channels of TURN allocations: which peer each number stood for, and when.",
        "stunpcap channels call.pcapng",
    ),
    "flows": (
        "All UDP and TCP flows, by what they hold.",
        "Print all UDP and TCP flows, a row for each direction, with packets by what they hold.",
        "stunpcap flows call.pcapng --columns src,dst,packets,rtp",
    ),
    "dtls": (
        "DTLS records of handshakes and alerts.",
        "Print the records of DTLS handshakes: messages, fragments, retransmissions, alerts.",
        "stunpcap dtls call.pcapng --columns frame,src,dst,content,handshake,alert",
    ),
    "handshakes": (
        "DTLS handshakes and what they came to.",
        "Print the DTLS handshakes: who began, which version, how far they got, and what ended them.",
        "stunpcap handshakes call.pcapng --json | jq 'select(.state != \"done\")'",
    ),
    "streams": (
        "RTP, RTCP and data, a row for each SSRC.",
        "Print the media streams: a row for each direction and SSRC, and for DTLS application data.",
        "stunpcap streams call.pcapng --session 1",
    ),
    "activity": (
        "Packets and bytes in each second.",
        "Print how much media and STUN went in each direction and second.",
        "stunpcap activity call.pcapng --session 1 -o activity.csv",
    ),
    "names": (
        "Names asked for over mDNS.",
        "Print the `.local` names that were asked for over mDNS, by whom, and whether anybody answered.",
        "stunpcap names call.pcapng",
    ),
    "descriptions": (
        "Offers and answers, from files beside captures.",
        "Print the offers and answers in files given with --with: ICE and DTLS parameters, and whose they are.",
        "stunpcap descriptions call.pcapng --with internals.json",
    ),
    "stats": (
        "What a browser counted on each pair (getStats).",
        "Print what a browser counted on each candidate pair, from files given with --with, as `pairs` has it.",
        "stunpcap stats call.pcapng --with internals.json --json",
    ),
    "signalling": (
        "Files beside captures, and their clocks.",
        "Print what each file given with --with tells, of which session, and how its clock differs.",
        "stunpcap signalling call.pcapng --with console.log --with stats.json",
    ),
    "findings": (
        "What went wrong, why, and what would mend it.",
        "Print the findings: what went wrong, in which direction, how sure that is, and what would mend it.",
        "stunpcap findings call.pcapng --json | jq -r 'select(.severity == \"error\") | .summary'",
    ),
    "vantages": (
        "The captures: size, times, place.",
        "Print the captures themselves: size, times, and where each was taken.",
        "stunpcap vantages alice.pcap bob.pcap",
    ),
    "defects": (
        "What was damaged, odd or not read.",
        "Print what was damaged, odd or could not be read, in files, packets and messages.",
        "stunpcap defects call.pcapng",
    ),
}
"""Frame -> what its command does in short, in a sentence, and an example."""

_MORE = """On a terminal the table shows the columns that matter most and fit. CSV and JSON (one object a line) hold all
columns, unless --columns names some. docs/frames.md says what each means: {columns}.

\b
Examples:
  stunpcap {name} call.pcapng
  stunpcap {name} call.pcapng -o {name}.parquet
  {example}
"""


def _make(name: str) -> click.Command:
    """The command for one frame."""

    @TRACES
    @SESSION
    @click.option(
        "--format",
        "form",
        type=click.Choice(["table", "csv", "json"]),
        help="What to print; default: a table, or what the ending of the output file says.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
    @click.option(
        "-o",
        "--output",
        metavar="FILE",
        type=click.Path(path_type=str),
        help="Write to a file: .csv, .json or .jsonl, or .parquet.",
    )
    @click.option("--columns", metavar="A,B,...", help="These columns only, in this order.")
    @click.option("--all-columns", is_flag=True, help="All columns in the table, however wide it gets.")
    @reading_options
    def command(
        traces: tuple[str, ...],
        session: int | None,
        form: str | None,
        as_json: bool,
        output: str | None,
        columns: str | None,
        all_columns: bool,
        names: tuple[str, ...],
        passwords: tuple[str, ...],
        passwords_file: Path | None,
        fail_on: str = "never",
    ) -> int:
        chosen = _chosen_columns(name, columns, all_columns)
        chosen_form = _chosen_form(form, as_json, output, traces)
        trace = open_trace(traces, names, passwords, passwords_file)
        table = (trace.select(session=session) if session is not None else trace).table(name)
        _print(table, chosen, chosen_form, output)
        return failing(table, fail_on) if name == "findings" else 0

    short, what, example = HELP[name]
    every = ", ".join(column.name for column in FRAMES[name])
    text = f"{what}\n\n{_MORE.format(name=name, example=example, columns=every)}"
    return click.command(name, help=text, short_help=short)(FAIL_ON(command) if name == "findings" else command)


def _chosen_columns(frame: str, columns: str | None, all_columns: bool) -> list[str] | None:
    every = [column.name for column in FRAMES[frame]]
    if columns is None:
        return every if all_columns else None
    if all_columns:
        raise click.UsageError("--columns and --all-columns exclude each other")
    chosen = [name.strip() for name in columns.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in every]
    if unknown or not chosen:
        wrong = f"there is no column {', '.join(unknown)}" if unknown else "--columns names no column"
        raise click.UsageError(f"{wrong}; {frame} has {', '.join(every)}")
    return chosen


def _chosen_form(form: str | None, as_json: bool, output: str | None, traces: tuple[str, ...]) -> str:
    """The format asked for, or told by the ending of the output file."""
    if as_json:
        if form not in (None, "json"):
            raise click.UsageError(f"--json and --format {form} exclude each other")
        form = "json"
    if output is None:
        return form or "table"
    if any(
        trace != "-" and Path(output).exists() and Path(trace).exists() and Path(output).samefile(trace)
        for trace in traces
    ):
        raise click.UsageError(f"--output: {output} is the capture itself")
    if form is None:
        form = ENDINGS.get(Path(output).suffix.lower())
    if form is None:
        raise click.UsageError(f"--output: {output} must end with {', '.join(ENDINGS)}, or give --format")
    return form


def _print(table: Table, columns: Sequence[str] | None, form: str, output: str | None) -> None:
    from stunpcap.cli import export
    from stunpcap.cli.tables import draw_table
    from stunpcap.summary.terminal import Paper, paper_for

    every = columns or list(table.schema)
    try:
        if form == "parquet":
            assert output is not None
            export.write_parquet(table, every, output)
            return
        if output is not None:
            with Path(output).open("w", encoding="utf-8", newline="") as file:
                if form == "table":
                    file.writelines(f"{line}\n" for line in draw_table(table, columns, Paper(), fit=False))
                else:
                    file.writelines(
                        export.csv_lines(table, every) if form == "csv" else export.json_lines(table, every)
                    )
            return
    except OSError as error:
        raise click.UsageError(f"--output: {output} cannot be written: {error.strerror or error}") from error
    if form == "table":
        paper = paper_for(sys.stdout, narrowest=20, widest=10_000)
        write_lines(draw_table(table, columns, paper, fit=sys.stdout.isatty()))
    else:
        for text in export.csv_lines(table, every) if form == "csv" else export.json_lines(table, every):
            write(text)


def __getattr__(name: str) -> click.Command:
    """The command of a frame, made when it is asked for."""
    if name not in HELP:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _make(name)
