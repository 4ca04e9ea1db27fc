"""The arguments that all commands share, and reading the captures they name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stunpcap.cli.output import complain

if TYPE_CHECKING:
    from stunpcap.trace import Trace

F = TypeVar("F", bound=Callable[..., Any])

TRACES = click.argument(
    "traces", metavar="TRACE...", nargs=-1, required=True, type=click.Path(allow_dash=True, path_type=str)
)
SESSION = click.option("--session", metavar="N", type=click.IntRange(min=1), help="Only the session of this number.")
_SHARED = (
    click.option(
        "--name",
        "names",
        metavar="NAME",
        multiple=True,
        help="What to call a capture, once for each; default: the file's name without its ending.",
    ),
    click.option(
        "--password",
        "passwords",
        metavar="USER=SECRET",
        multiple=True,
        help="Password of an ICE ufrag or a TURN user, to check MESSAGE-INTEGRITY with. Repeatable.",
    ),
    click.option(
        "--passwords",
        "passwords_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help='The same from a JSON file: {"user": "secret", ...}.',
    ),
)


def reading_options(command: F) -> F:
    """Add the options that say how captures are read."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


def open_trace(
    traces: tuple[str, ...], names: tuple[str, ...], passwords: tuple[str, ...], passwords_file: Path | None
) -> Trace:
    """Read the captures; damage to files goes to standard error, one line each."""
    from stunpcap.cli.progress import Reading
    from stunpcap.trace import read

    secrets = _passwords(passwords, passwords_file)
    with Reading() as reading:
        trace = read(*traces, names=names or None, passwords=secrets, progress=reading.report)
    for source in trace.sources:
        for offset, frame, problem in source.file_defects:
            after = f" after frame {frame}" if frame else ""
            complain(f"warning: {source.path}: {problem}, at byte {offset:,}{after}")
    return trace


def _passwords(given: tuple[str, ...], file: Path | None) -> dict[str, str]:
    secrets: dict[str, str] = {}
    if file is not None:
        try:
            loaded = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise click.UsageError(f"--passwords: {file} cannot be read: {reason}") from error
        if not isinstance(loaded, dict) or not all(isinstance(value, str) for value in loaded.values()):
            raise click.UsageError(f'--passwords: {file} must hold a JSON object like {{"user": "secret"}}')
        secrets |= loaded
    for number, text in enumerate(given, 1):
        user, equals, secret = text.partition("=")
        if not equals or not user:
            # The text itself may be the secret: it is not repeated.
            raise click.UsageError(f"--password number {number} must look like USER=SECRET")
        secrets[user] = secret
    return secrets
