"""`stunpcap notebook`: the notebook that tells which pairs failed, for the captures at hand."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from stunpcap.cli.options import SESSION, TRACES
from stunpcap.cli.output import complain, write

PARAMETERS = "parameters"
"""Tag of the cell that is written anew; papermill looks for the same."""
HOW_TO_GET_JUPYTER = "pip install 'stunpcap[notebook]'"


@click.command(short_help="A notebook about these captures.")
@TRACES
@SESSION
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write it; default: named after the first capture, in this directory.",
)
@click.option("--execute", "run", is_flag=True, help="Run it, so that it holds its plots and tables.")
@click.option("--no-open", "closed", is_flag=True, help="Only write it.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def notebook(
    traces: tuple[str, ...], session: int | None, output: Path | None, run: bool, closed: bool, force: bool
) -> None:
    """Write a Jupyter notebook that shows which candidate pairs failed, in which direction, and why.

    It reads the captures by itself, so it can be changed and run again. On a terminal it is opened in JupyterLab, or in
    Jupyter Notebook, if one of them is installed. The captures are set in its first cell, tagged for papermill:
    relative to the notebook if they lie beside or below it, else with their full path.

    \b
    Examples:
      stunpcap notebook call.pcapng
      stunpcap notebook alice.pcap bob.pcap -o call.ipynb --session 2
      stunpcap notebook call.pcapng --execute --no-open
    """
    from stunpcap.cli.progress import Reading
    from stunpcap.trace import read
    from stunpcap.vantage import default_name

    if "-" in traces:
        raise click.UsageError("a notebook reads its captures itself: save standard input as a file first")
    path = output or Path(f"{default_name(traces[0])}.ipynb")
    if path.suffix != ".ipynb":
        raise click.UsageError(f"{path} should end with .ipynb")
    if not path.parent.is_dir():
        raise click.UsageError(f"{path} cannot be written: there is no directory {path.parent}")
    if path.exists() and not force:
        raise click.UsageError(f"{path} exists: choose another name with -o, or write over it with --force")
    # What cannot be read, or is not there, is said now and not in the notebook.
    with Reading() as reading:
        trace = read(*traces, progress=reading.report)
    if session is not None:
        trace.select(session=session)

    made = filled(traces, path.parent, session)
    if run:
        from stunpcap.cli.kernel import execute

        made = execute(made, path.parent.absolute())
    save(made, path)
    write(f"{path}\n")
    if not closed:
        _open(path)


def template() -> dict[str, Any]:
    """The notebook as it comes with the package, not run."""
    found: dict[str, Any] = json.loads((files("stunpcap") / "templates" / "which_pairs.ipynb").read_text("utf-8"))
    return found


def filled(traces: Sequence[str], folder: Path, session: int | None = None) -> dict[str, Any]:
    """The notebook for some captures, not run.

    Parameters
    ----------
    traces
        Paths of the captures, as seen from the working directory.
    folder
        Where the notebook will be, and its kernel start.
    session
        The number of the session to show; None: the one that went worst.
    """
    paths = [_literal(_seen_from(folder, trace)) for trace in traces]
    made = template()
    (cell,) = (cell for cell in made["cells"] if PARAMETERS in cell["metadata"].get("tags", ()))
    lines = "".join(cell["source"]).splitlines()
    values = {"TRACE": paths[0] if len(paths) == 1 else f"[{', '.join(paths)}]", "SESSION": str(session)}
    comments = {line.partition(" = ")[0]: line.partition("  #")[2] for line in lines}
    text = "\n".join(f"{name} = {value}  #{comments[name]}" for name, value in values.items())
    cell["source"] = text.splitlines(keepends=True)
    return made


def _seen_from(folder: Path, trace: str) -> str:
    """A capture's path for a notebook in a folder: relative where it lies in it or below."""
    here, there = Path(os.path.abspath(folder)), Path(os.path.abspath(trace))  # noqa: PTH100
    return there.relative_to(here).as_posix() if there.is_relative_to(here) else str(there)


def _literal(text: str) -> str:
    """A text as Python writes it, in double quotes as formatters have it."""
    written = repr(text)
    return f'"{written[1:-1]}"' if written[0] == "'" and '"' not in written else written


def save(made: dict[str, Any], path: Path) -> None:
    """Write a notebook as Jupyter does, so that saving it there changes nothing else.

    Raises
    ------
    click.ClickException
        It cannot be written.
    """
    text = json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error


def _open(path: Path) -> None:
    """Open a notebook on a terminal, and wait until Jupyter is closed; elsewhere nobody could close it."""
    import subprocess
    from importlib.util import find_spec

    program = next((name for name in ("jupyterlab", "notebook") if find_spec(name)), None)
    if program is None:
        complain(f"to open it: {HOW_TO_GET_JUPYTER}, then jupyter lab {path}")
    elif sys.stdin.isatty() and sys.stdout.isatty():
        sys.stdout.flush()
        subprocess.run([sys.executable, "-m", program, str(path)], check=False)
