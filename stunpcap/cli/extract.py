"""`stunpcap extract`: packets of a selection as pcapng, with findings as comments."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from stunpcap.cli.options import SESSION, TRACES, open_trace, reading_options
from stunpcap.cli.output import complain, write


@click.command(short_help="Packets of a session or finding, commented.")
@TRACES
@SESSION
@click.option("--finding", metavar="NAME", help="The frames that show this finding.")
@click.option("--frames", metavar="1,2,5-9", help="These frames.")
@click.option("--vantage", metavar="NAME", help="Which capture, if there are several.")
@click.option("--no-media", is_flag=True, help="Leave out media and data of the session.")
@click.option("-o", "--output", metavar="FILE", required=True, help="The pcapng to write; - for standard output.")
@reading_options
def extract(
    traces: tuple[str, ...],
    session: int | None,
    finding: str | None,
    frames: str | None,
    vantage: str | None,
    no_media: bool,
    output: str,
    names: tuple[str, ...],
    passwords: tuple[str, ...],
    passwords_file: Path | None,
) -> int:
    """Write packets of a capture as pcapng, with the findings as comments beside the frames that show them.

    --session takes all that belongs to a session: its checks, what its agents asked STUN and TURN servers, the relays
    that carry it, ICMP errors that quote it, DTLS and media. --finding and --frames take single frames; --session then
    says whose finding is meant. Without any of them all packets are written. Times, link types and interfaces stay as
    they were. In Wireshark, `frame.comment` shows the frames with comments, `frame.packet_id` the frame number that a
    packet had.

    The capture is read twice, so it cannot be standard input.

    \b
    Examples:
      stunpcap extract call.pcapng --session 3 -o session-3.pcapng
      stunpcap extract call.pcapng --finding one-way-nat -o evidence.pcapng
      stunpcap extract call.pcapng --frames 1-20,42 -o some.pcapng
      stunpcap extract call.pcapng.gz --session 3 --no-media -o - | tshark -r -
    """
    numbers = None if frames is None else _numbers(frames)
    if "-" in traces:
        raise click.UsageError("the capture is read twice: save standard input to a file first")
    if output == "-" and sys.stdout.isatty():
        raise click.UsageError("a pcapng is not for terminals: -o FILE, or a pipe")
    trace = open_trace(traces, names, passwords, passwords_file)
    written = trace.to_pcap(
        sys.stdout.buffer if output == "-" else output,
        session=session,
        finding=finding,
        frames=numbers,
        vantage=vantage,
        media=not no_media,
    )
    from stunpcap.summary.terminal import safe
    from stunpcap.words import many

    said = f"{many(written.packets, 'packet')}, {written.commented:,} with comments"
    if output == "-":
        sys.stdout.buffer.flush()
        complain(said)
    else:
        write(f"{safe(output)} ({said})\n")
    return 0


def _numbers(text: str) -> list[int]:
    """`1,2,5-9` as numbers."""
    found: list[int] = []
    for piece in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,12})(?:\s*-\s*(\d{1,12}))?\s*", piece)
        if not match or int(match[2] or match[1]) - int(match[1]) > 10_000_000:
            raise click.UsageError(f"--frames {text} must look like 1,2,5-9")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return found
