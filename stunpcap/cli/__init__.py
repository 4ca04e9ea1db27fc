"""The command `stunpcap`: what a person types, and what comes out, on standard output and as exit status.

`main` is the entry point.  It prints one line for whatever goes wrong, never a traceback, and says nothing when
whoever reads its output has seen enough (a broken pipe).  Commands live in modules of their own and import what they
need when they run, so that `stunpcap --help` stays light.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys

OK = 0
USAGE = 2
UNREADABLE = 3
INTERRUPTED = 130
INTERNAL = 70
"""Exit status: fine; a call that makes no sense, or output that cannot be written; a capture that cannot be read;
stopped with Ctrl-C; a fault of stunpcap itself.  1 is kept for findings."""


def main(argv: list[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv
        Arguments without the name of the program; default: those of the process.

    Returns
    -------
    int
        The exit status.
    """
    _run_lightly()
    try:
        status = _run(sys.argv[1:] if argv is None else argv)
        if status is None:
            _close_quietly()
            return OK
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # What is still buffered must not raise again when the interpreter closes standard output.
        _close_quietly()
        return OK
    except KeyboardInterrupt:
        return INTERRUPTED


def _run_lightly() -> None:
    """Leave out what costs a short-lived process more than it brings.

    NumPy's linear algebra would start a thread for each core, and nothing here uses it.  The search for cycles goes
    over everything imported so far again and again, and next to nothing here is in cycles; nor is it worth a last
    search, when the process ends and all its memory goes anyway: that took a sixth of the time of a small capture.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(max(100_000, gc.get_threshold()[0]), *gc.get_threshold()[1:])
    atexit.unregister(gc.freeze)  # once, however often this is called
    atexit.register(gc.freeze)


def _run(argv: list[str]) -> int | None:
    """The exit status; None if nobody reads standard output any more."""
    import click

    from stunpcap.cli.app import app
    from stunpcap.cli.output import ReaderGoneError
    from stunpcap.errors import CaptureError, SourceError, StunpcapError

    try:
        result = app.main(args=list(argv), prog_name="stunpcap", standalone_mode=False)
        return result if isinstance(result, int) else OK
    except click.UsageError as error:
        where = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        return _complain(error.format_message().rstrip(".") + where, USAGE)
    except click.ClickException as error:
        return _complain(error.format_message(), USAGE)
    except click.exceptions.Abort:
        return INTERRUPTED
    except (CaptureError, SourceError) as error:
        return _complain(str(error), UNREADABLE)
    except StunpcapError as error:
        return _complain(str(error), USAGE)
    except SystemExit as error:  # click's shell completion ends so
        return error.code if isinstance(error.code, int) else OK
    except ReaderGoneError:
        return None
    except Exception as error:
        if os.environ.get("STUNPCAP_TRACEBACK"):
            raise
        where = " (set STUNPCAP_TRACEBACK=1 to see where)"
        return _complain(f"internal error: {type(error).__name__}: {error}{where}", INTERNAL)


def _complain(problem: str, status: int) -> int:
    from stunpcap.cli.output import complain

    complain(problem)
    return status


def _close_quietly() -> None:
    try:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())
        os.close(devnull)
    except (OSError, ValueError):  # standard output is no file: nothing will be flushed into a pipe
        pass
