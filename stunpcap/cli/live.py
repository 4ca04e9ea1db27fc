"""`stunpcap live`: calls while they are captured."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from stunpcap.cli.options import FAIL_ON, failing
from stunpcap.cli.output import complain, write

if TYPE_CHECKING:
    from stunpcap.watch.live import Live


@click.command(short_help="Calls while they are captured.")
@click.argument("stream", metavar="[-]", required=False)
@click.option("-i", "--interface", metavar="IF", help="Capture here, with tcpdump or dumpcap.")
@click.option("-w", "--write", "keep", metavar="FILE", type=click.Path(path_type=Path), help="Keep the capture.")
@click.option("--filter", "capture_filter", metavar="BPF", default="", help="Capture this only, such as 'udp or icmp'.")
@click.option("--duration", metavar="SECONDS", type=click.FloatRange(min=0), help="Stop after so long.")
@FAIL_ON
def live(
    stream: str | None,
    interface: str | None,
    keep: Path | None,
    capture_filter: str,
    duration: float | None,
    fail_on: str,
) -> int:
    """Show sessions and directed pairs while calls are captured, and the verdict as soon as it is known.

    Capture at an interface (-i), or pipe a pcap or pcapng in (-). On a terminal a table changes in place; elsewhere a
    line is printed for whatever changed. Silence counts: that a check has no answer is known once its agent would have
    given up, though no packet comes.

    Ctrl-C ends the capture and prints the summary; the exit status is then 0, or what --fail-on says. It needs tcpdump
    or dumpcap, and the right to capture: root, or for dumpcap the group wireshark.

    \b
    Examples:
      stunpcap live -i eth0
      stunpcap live -i any -w call.pcap --filter 'udp or icmp or icmp6'
      ssh router tcpdump -i eth1 -U -w - udp | stunpcap live -
      stunpcap live -i eth0 --duration 60 --fail-on error
    """
    if (stream is None) == (interface is None):
        raise click.UsageError("say where to capture: -i IF, or - for a capture on standard input")
    if stream not in (None, "-"):
        raise click.UsageError(f"{stream} is no stream: stunpcap summary reads files")
    if stream == "-" and sys.stdin.isatty():
        raise click.UsageError("standard input is a terminal: pipe a capture into it")
    from stunpcap.watch.live import live as watch

    # Whoever ends this with SIGTERM wants it to end in good order, too.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
    calls = watch(stream or str(interface), write=keep, capture_filter=capture_filter, duration_s=duration)
    try:
        return _shown(calls, fail_on)
    finally:
        calls.stop()
        if calls.problem:
            complain(f"warning: {calls.problem}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _shown(calls: Live, fail_on: str) -> int:
    from stunpcap.cli.screen import screen_for
    from stunpcap.errors import UsageError
    from stunpcap.summary import summarise
    from stunpcap.summary.terminal import paper_for
    from stunpcap.summary.text import command_hints, draw

    trace = None
    try:
        with screen_for(sys.stdout) as screen:
            for trace in calls:
                screen.show(summarise(trace))
    except KeyboardInterrupt:
        calls.stop()
        try:
            trace = calls.now()
        except UsageError:
            trace = None
    if trace is None:
        complain("no packet was captured")
        return 0
    path = trace.sources[0].path
    for offset, frame, problem in trace.sources[0].file_defects:
        complain(f"warning: {path}: {problem}, at byte {offset:,}" + (f" after frame {frame}" if frame else ""))
    write("\n" + draw(summarise(trace), paper_for(sys.stdout), command_hints([path] if Path(path).is_file() else [])))
    return failing(trace.table("findings"), fail_on)
