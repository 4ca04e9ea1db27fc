"""Running a notebook in a kernel of its own, and keeping of what comes out only what the cells said.

A notebook is the dictionary that its JSON holds (nbformat 4.5).  The packages that run it, nbclient and ipykernel, are
imported when it is run.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import click

Notebook = dict[str, Any]

CELL_SECONDS = 900
"""How long one cell may take, in seconds."""

COMPILING = "stunpcap: compiling its loops"
"""How the note begins that the first run of an installation prints on standard error (`stunpcap.kernels`)."""

LEFT_OUT = ("execution", "collapsed", "scrolled", "papermill", "ExecuteTime", "jupyter")
"""Metadata of cells that tell of the run, or of the program that showed them."""


def execute(notebook: Notebook, folder: Path) -> Notebook:
    """The notebook with the outputs of all its cells, run from the top in a new kernel.

    Parameters
    ----------
    notebook
        What to run; it stays as it is.
    folder
        Where the kernel starts: relative paths in cells begin there.

    Raises
    ------
    click.ClickException
        nbclient or ipykernel is missing, no kernel starts, or a cell failed.
    """
    try:
        import ipykernel  # noqa: F401
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    except ImportError as error:
        raise click.ClickException(
            f"{error.name} is needed to run a notebook: pip install 'stunpcap[notebook]'"
        ) from error

    # The kernel's debugger would warn of Python's own frozen modules; a window system is not there to be asked for.
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    node = nbformat.reads(json.dumps(notebook), as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(
        node, timeout=CELL_SECONDS, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    try:
        client.execute(stderr=subprocess.DEVNULL)  # what a cell says comes in messages; this is the kernel's own log
    except CellExecutionError as error:
        raise click.ClickException(f"a cell failed: {error.ename}: {error.evalue}") from error
    except (CellTimeoutError, DeadKernelError) as error:
        raise click.ClickException(f"the kernel did not get to the end: {' '.join(str(error).split())}") from error
    except (OSError, RuntimeError) as error:
        raise click.ClickException(f"no kernel could be started: {error}") from error
    done: Notebook = json.loads(nbformat.writes(node))  # type: ignore[no-untyped-call]
    return tidy(done)


def tidy(notebook: Notebook) -> Notebook:
    """The notebook without what differs from run to run: times, versions, the machine's kernel."""
    cells = []
    for cell in notebook["cells"]:
        metadata = {key: value for key, value in cell["metadata"].items() if key not in LEFT_OUT}
        cell = {**cell, "metadata": metadata}
        if cell["cell_type"] == "code":
            cell["outputs"] = [_plain(output) for output in _joined(cell["outputs"])]
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Text that was printed in pieces, as the kernel's timing had it, as one; without the note of the first run."""
    found: list[dict[str, Any]] = []
    for output in outputs:
        if output.get("name") == "stderr" and COMPILING in _text(output["text"]):
            continue
        if output["output_type"] == "stream" and found and found[-1].get("name") == output["name"]:
            found[-1] = {**found[-1], "text": _text(found[-1]["text"]) + _text(output["text"])}
        else:
            found.append(dict(output))
    return found


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "".join(value)


def _plain(output: dict[str, Any]) -> dict[str, Any]:
    """An output without metadata, text in lines; beside a picture no text that stands for it."""
    if "text" in output:
        output = {**output, "text": _text(output["text"]).splitlines(keepends=True)}
    if "data" in output:
        data = output["data"]
        if "image/png" in data:
            data = {"image/png": data["image/png"]}
        output = {**output, "data": data, "metadata": {}}
    return output
