"""docs/cli.md, written from the commands themselves.

python -m stunpcap.cli.reference > docs/cli.md
"""

from __future__ import annotations

import inspect
import sys

import click

from stunpcap.cli.app import app


def reference() -> str:
    """The page as Markdown: each command with its help, arguments and options."""
    # With the settings of a run: click keeps the help option that the first context asked for.
    ctx = click.Context(app, info_name="stunpcap", **app.context_settings)
    parts = ["# The command `stunpcap`", _help(app), _options(app, ctx), _BEHAVIOUR]
    for name in app.list_commands(ctx):
        command = app.get_command(ctx, name)
        assert command is not None
        own = click.Context(command, info_name=name, parent=ctx)
        usage = " ".join(command.collect_usage_pieces(own))
        parts += [f"## `stunpcap {name}`", f"```\nstunpcap {name} {usage}\n```", _help(command), _options(command, own)]
    return "\n\n".join(part for part in parts if part) + "\n"


_BEHAVIOUR = """## What holds for all commands

- Errors are one line on standard error. Damage to a capture is, too, and the result is printed all the same.
- Tables are for people: on a terminal they fit its width, piped a row is one line and nothing is cut. Programs are
  better served by `--json` and CSV, which always hold all columns.
- Colour appears on a terminal only, and not if `NO_COLOR` is set. Piped text is 80 columns wide, or `COLUMNS`.
- What came from the network is made harmless before it is printed: control characters are escaped (`\\x1b`), in CSV as
  well. JSON and Parquet hold it as it was captured.
- Exit status: 0 fine; 1 findings at or above the severity that `--fail-on` names (default: never); 2 a call that makes
  no sense, or output that cannot be written; 3 a capture that cannot be read; 70 a fault of stunpcap itself (with
  `STUNPCAP_TRACEBACK=1` it shows where); 130 stopped with Ctrl-C."""


def _help(command: click.Command) -> str:
    """The help as Markdown: click's unwrapped blocks become code."""
    parts = []
    for block in inspect.cleandoc(command.help or "").split("\n\n"):
        first, *rest = block.split("\n")
        if first.strip() == "\b":
            title, *lines = rest
            parts.append(f"{title}\n\n```\n{inspect.cleandoc(chr(10).join(lines))}\n```")
        else:
            parts.append(" ".join(line.strip() for line in block.split("\n")))
    return "\n\n".join(parts)


def _options(command: click.Command, ctx: click.Context) -> str:
    rows = []
    for parameter in command.get_params(ctx):
        if not isinstance(parameter, click.Option) or parameter.hidden or "--help" in parameter.opts:
            continue
        names = ", ".join([*parameter.opts, *parameter.secondary_opts])
        takes = "" if parameter.is_flag or parameter.count else f" {parameter.make_metavar(ctx)}"
        rows.append(f"| `{names}{takes}` | {_cell(parameter.help or '')} |".replace("|csv|json]", "\\|csv\\|json]"))
    return "\n".join(["| option | |", "| --- | --- |", *rows]) if rows else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.stdout.write(reference())
