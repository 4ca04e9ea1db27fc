"""The arguments that all commands share, and reading the captures they name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stunpcap.cli.output import complain
from stunpcap.engines.options import ENGINES
from stunpcap.schema import SEVERITY

if TYPE_CHECKING:
    from stunpcap.table import Table
    from stunpcap.trace import Trace

F = TypeVar("F", bound=Callable[..., Any])

TRACES = click.argument(
    "traces", metavar="TRACE...", nargs=-1, required=True, type=click.Path(allow_dash=True, path_type=str)
)
SESSION = click.option("--session", metavar="N", type=click.IntRange(min=1), help="Only the session of this number.")


def _keep(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """Keep how to read for `open_trace`, so that no command has to hand it on."""
    context.meta[f"stunpcap.{option.name}"] = value
    return value


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
    click.option(
        "--with",
        "signalling",
        metavar="FILE",
        multiple=True,
        type=click.Path(path_type=str),
        callback=_keep,
        expose_value=False,
        help="A file that tells of the same calls: SDP, a log with candidates, getStats(), a dump of webrtc-internals, "
        "rtcstats or about:webrtc, a HAR file. Repeatable.",
    ),
    click.option(
        "--engine",
        metavar="NAME",
        type=click.Choice(ENGINES),
        default=ENGINES[0],
        show_default=True,
        callback=_keep,
        expose_value=False,
        help="Who dissects: native (stunpcap itself), pyshark (tshark) or scapy. The next three go with pyshark.",
    ),
    click.option(
        "--keylog",
        metavar="FILE",
        type=click.Path(path_type=Path),
        callback=_keep,
        expose_value=False,
        help="Key log (SSLKEYLOGFILE) to look into TLS and DTLS with, such as TURN over TLS.",
    ),
    click.option(
        "--display-filter",
        metavar="FILTER",
        callback=_keep,
        expose_value=False,
        help="Only packets that match, in Wireshark's language.",
    ),
    click.option(
        "--decode-as",
        metavar="WHERE,PROTOCOL",
        multiple=True,
        callback=_keep,
        expose_value=False,
        help="Where tshark is to expect which protocol: tcp.port==5555,stun. Repeatable.",
    ),
)


FAIL_ON = click.option(
    "--fail-on",
    type=click.Choice(["never", *reversed(SEVERITY)]),
    default="never",
    show_default=True,
    help="Exit with status 1 if there is a finding of this severity or a graver one.",
)


def failing(findings: Table, fail_on: str) -> int:
    """The exit status that findings give."""
    return int(fail_on != "never" and bool((findings["severity"] <= SEVERITY.index(fail_on)).any()))


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
    kept = click.get_current_context().meta
    how = _engine(kept)
    told: tuple[str, ...] = kept.get("stunpcap.signalling") or ()
    with Reading() as reading:
        trace = read(*traces, names=names or None, passwords=secrets, signalling=told, progress=reading.report, **how)
    for source in trace.told:
        for flaw in source.flaws:
            line = f", in line {flaw.origin.line:,}" if flaw.origin.line > 0 else ""
            at = f", at byte {flaw.origin.offset:,}" if flaw.origin.offset >= 0 else ""
            complain(f"warning: {source.name}: {flaw.words}{line}{at}")
    for capture in trace.sources:
        for offset, frame, problem in capture.file_defects:
            after = f" after frame {frame}" if frame else ""
            complain(f"warning: {capture.path}: {problem}, at byte {offset:,}{after}")
    return trace


def _engine(kept: dict[str, Any]) -> dict[str, Any]:
    """How to read, as `read` takes it."""
    how: dict[str, Any] = {name: kept.get(f"stunpcap.{name}") for name in ("engine", "keylog", "display_filter")}
    how["engine"] = how["engine"] or ENGINES[0]
    if given := [(name, how[name]) for name in ("keylog", "display_filter") if how[name]]:
        _needs_pyshark(given[0][0], how["engine"])
    where: dict[str, str] = {}
    for text in kept.get("stunpcap.decode_as") or ():
        _needs_pyshark("decode_as", how["engine"])
        place, comma, protocol = text.rpartition(",")
        if not comma or not place.strip() or not protocol.strip():
            raise click.UsageError(f"--decode-as {text} must look like tcp.port==5555,stun")
        where[place.strip()] = protocol.strip()
    return {**how, "decode_as": where or None}


def _needs_pyshark(option: str, engine: str) -> None:
    if engine != "pyshark":
        raise click.UsageError(f"--{option.replace('_', '-')} works with --engine pyshark only")


def _passwords(given: tuple[str, ...], file: Path | None) -> dict[str, str]:
    secrets: dict[str, str] = {}
    if file is not None:
        import json

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
