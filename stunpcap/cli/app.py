"""The command line as a whole: the group, its help, and where its commands are found."""

from __future__ import annotations

import importlib

import click

from stunpcap import __version__

COMMANDS = {
    "summary": ("stunpcap.cli.overview:summary", "What happened: sessions, pairs, directions."),
    "findings": ("stunpcap.cli.frames:findings", "What went wrong, why, and what would mend it."),
    "sessions": ("stunpcap.cli.frames:sessions", "Two agents each, and how it ended."),
    "stages": ("stunpcap.cli.frames:stages", "The course of each session, stage by stage."),
    "pairs": ("stunpcap.cli.frames:pairs", "Candidate pairs, a row for each direction."),
    "evidence": ("stunpcap.cli.frames:evidence", "What tells whether packets arrived."),
    "candidates": ("stunpcap.cli.frames:candidates", "Addresses of the agents and their types."),
    "allocations": ("stunpcap.cli.frames:allocations", "What TURN servers granted and refused."),
    "permissions": ("stunpcap.cli.frames:permissions", "Which peers a TURN relay let through."),
    "channels": ("stunpcap.cli.frames:channels", "TURN channels and their peers."),
    "mappings": ("stunpcap.cli.frames:mappings", "How others saw local addresses (NAT)."),
    "transactions": ("stunpcap.cli.frames:transactions", "Every request and what became of it."),
    "messages": ("stunpcap.cli.frames:messages", "Every STUN message."),
    "icmp": ("stunpcap.cli.frames:icmp", "ICMP errors, and the pairs they are about."),
    "flows": ("stunpcap.cli.frames:flows", "All UDP and TCP flows, by what they hold."),
    "dtls": ("stunpcap.cli.frames:dtls", "DTLS records of handshakes and alerts."),
    "handshakes": ("stunpcap.cli.frames:handshakes", "DTLS handshakes and what they came to."),
    "streams": ("stunpcap.cli.frames:streams", "RTP, RTCP and data, a row for each SSRC."),
    "activity": ("stunpcap.cli.frames:activity", "Packets and bytes in each second."),
    "names": ("stunpcap.cli.frames:names", "Names asked for over mDNS."),
    "descriptions": ("stunpcap.cli.frames:descriptions", "Offers and answers, from files beside captures."),
    "stats": ("stunpcap.cli.frames:stats", "What a browser counted on each pair (getStats)."),
    "signalling": ("stunpcap.cli.frames:signalling", "Files beside captures, and their clocks."),
    "vantages": ("stunpcap.cli.frames:vantages", "The captures: size, times, place."),
    "defects": ("stunpcap.cli.frames:defects", "What was damaged, odd or not read."),
    "ladder": ("stunpcap.cli.ladder:ladder", "The course of a session as a sequence diagram."),
    "report": ("stunpcap.cli.report:report", "A post-mortem report: HTML, Markdown or PDF."),
    "notebook": ("stunpcap.cli.notebook:notebook", "A notebook about these captures."),
    "live": ("stunpcap.cli.live:live", "Calls while they are captured."),
    "extract": ("stunpcap.cli.extract:extract", "Packets of a session or finding, commented."),
    "show": ("stunpcap.cli.show:show", "All STUN messages of one frame in full."),
    "explain": ("stunpcap.cli.explain:explain", "What a finding means."),
    "completion": ("stunpcap.cli.completion:completion", "Completion for bash, zsh or fish."),
}
"""Command -> where it is, and what the help says of it; in the order of the help.

The help imports none of them, so it stands here once more; tests hold it to what the command itself says."""


class Lazy(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, as the help lists them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in COMMANDS.items()])


@click.group(
    cls=Lazy,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", prog_name="stunpcap", message="%(prog)s %(version)s")
@click.pass_context
def app(ctx: click.Context) -> None:
    """Find out from packet captures of WebRTC calls which ICE candidate pairs failed, in which direction, and how.

    A TRACE is a pcap or pcapng file, compressed or not, or - for standard input. Several at once are several places
    where the same calls were captured.

    \b
    Try first:
      stunpcap summary call.pcapng      what happened, the failed sessions first
      stunpcap pairs call.pcapng        candidate pairs and directions as a table
      stunpcap show call.pcapng 12      the STUN message in frame 12, in full
      stunpcap explain one-way-nat      what a finding means, and what to try

    Exit status: 0 fine, 1 findings as grave as --fail-on names, 2 a call that makes no sense, 3 a capture that cannot
    be read.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(2)
