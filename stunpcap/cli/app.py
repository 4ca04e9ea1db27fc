"""The command line as a whole: the group, its help, and where its commands are found."""

from __future__ import annotations

import importlib

import click

from stunpcap import __version__

COMMANDS = {
    "summary": "stunpcap.cli.overview:summary",
    "findings": "stunpcap.cli.frames:findings",
    "sessions": "stunpcap.cli.frames:sessions",
    "pairs": "stunpcap.cli.frames:pairs",
    "evidence": "stunpcap.cli.frames:evidence",
    "candidates": "stunpcap.cli.frames:candidates",
    "allocations": "stunpcap.cli.frames:allocations",
    "permissions": "stunpcap.cli.frames:permissions",
    "channels": "stunpcap.cli.frames:channels",
    "mappings": "stunpcap.cli.frames:mappings",
    "transactions": "stunpcap.cli.frames:transactions",
    "messages": "stunpcap.cli.frames:messages",
    "flows": "stunpcap.cli.frames:flows",
    "dtls": "stunpcap.cli.frames:dtls",
    "handshakes": "stunpcap.cli.frames:handshakes",
    "streams": "stunpcap.cli.frames:streams",
    "activity": "stunpcap.cli.frames:activity",
    "names": "stunpcap.cli.frames:names",
    "vantages": "stunpcap.cli.frames:vantages",
    "defects": "stunpcap.cli.frames:defects",
    "ladder": "stunpcap.cli.ladder:ladder",
    "show": "stunpcap.cli.show:show",
    "explain": "stunpcap.cli.explain:explain",
    "completion": "stunpcap.cli.completion:completion",
}
"""Command -> where it is; in the order of the help."""


class Lazy(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, as the help lists them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command


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
