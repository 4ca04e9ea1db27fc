"""`stunpcap show`: the messages of one frame in full."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stunpcap.cli.options import TRACES, open_trace, reading_options
from stunpcap.cli.output import write

if TYPE_CHECKING:
    from stunpcap.stun.message import Message
    from stunpcap.trace import Trace


@click.command(short_help="All STUN messages of one frame in full.")
@TRACES
@click.argument("frame", type=click.IntRange(min=1))
@click.option("--vantage", metavar="NAME", help="Which capture, where several have STUN in that frame.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, one object a message.")
@reading_options
def show(
    traces: tuple[str, ...],
    frame: int,
    vantage: str | None,
    as_json: bool,
    names: tuple[str, ...],
    passwords: tuple[str, ...],
    passwords_file: Path | None,
) -> None:
    """Show all STUN messages in one frame: every attribute in order, and what is wrong with them.

    FRAME is Wireshark's frame number; the other commands print them.

    \b
    Examples:
      stunpcap show call.pcapng 12
      stunpcap show alice.pcap bob.pcap 12 --vantage bob
      stunpcap show --password 8hhY=asd88fgpdd777uzjYhagZg call.pcapng 12
    """
    trace = open_trace(traces, names, passwords, passwords_file)
    messages = trace.messages_in(frame, vantage=vantage)
    rows = _rows(trace, frame, vantage)
    if as_json:
        import json

        for message, row in zip(messages, rows, strict=True):
            write(json.dumps(_as_dict(message, row)) + "\n")
        return
    from stunpcap.summary.terminal import safe

    for number, (message, row) in enumerate(zip(messages, rows, strict=True)):
        if number:
            write("\n")
        where = f" in {safe(row['vantage'])}" if len(trace.sources) > 1 else ""
        write(f"Frame {frame}{where}, {row['time']}, {row['transport']} {safe(row['src'])} to {safe(row['dst'])}\n")
        write(f"{message}\n")
        if row["integrity"] in ("valid", "invalid"):
            write(f"  with the password given MESSAGE-INTEGRITY is {row['integrity']}\n")
        if row["duplicate"]:
            write("  this packet was captured before: it is not counted again\n")


def _rows(trace: Trace, frame: int, vantage: str | None) -> list[dict[str, Any]]:
    """The rows of the frame `messages` that belong to the messages, in the same order."""
    table = trace.table("messages")
    rows = list(table.take(table["frame"] == frame).records())
    return [row for row in rows if vantage in (None, row["vantage"])]


def _as_dict(message: Message, row: dict[str, Any]) -> dict[str, Any]:
    """The row, and behind it every attribute with what it means in words."""
    from stunpcap.stun.render import show_value

    return {
        **row,
        "variant": message.variant,
        "defects": list(message.defects),
        "attributes": [
            {
                "type": attribute.type,
                "name": attribute.name,
                "length": attribute.length,
                "value": show_value(attribute, attribute.decoded(message)),
                "ignored": attribute.ignored,
            }
            for attribute in message.attributes
        ],
    }
