"""Run the notebooks of this directory anew: `python notebooks/execute.py [NOTEBOOK...]`.

Each runs in a new kernel and is stored with its outputs, without times of the run, so that the same
packages give the same file.  Number 3 is made from the template that `stunpcap notebook` fills.
`--to DIRECTORY` writes elsewhere.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import click

from stunpcap.cli.kernel import execute, tidy
from stunpcap.cli.notebook import save, template

HERE = Path(__file__).resolve().parent
FROM_TEMPLATE = "3-which-pairs-failed.ipynb"


def source(name: str) -> dict[str, Any]:
    """A notebook that is to be run."""
    if name == FROM_TEMPLATE:
        return template()
    found: dict[str, Any] = json.loads((HERE / name).read_text(encoding="utf-8"))
    return found


def lighter(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with its pictures in 64 colours: a third of the size, to the eye the same."""
    import base64
    import io

    from PIL import Image

    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                picture = Image.open(
                    io.BytesIO(base64.b64decode(output["data"]["image/png"]))
                ).convert("RGB")
                file = io.BytesIO()
                picture.quantize(64, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
                output["data"]["image/png"] = base64.b64encode(file.getvalue()).decode("ascii")
    return notebook


def main() -> int:
    """Run those that are named, or all; 1 if one fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="NOTEBOOK")
    parser.add_argument("--to", type=Path, default=HERE, metavar="DIRECTORY")
    given = parser.parse_args()
    names = [Path(name).name for name in given.names] or sorted(
        path.name for path in HERE.glob("*.ipynb")
    )
    failed = False
    for name in names:
        try:
            save(lighter(execute(tidy(source(name)), HERE)), given.to / name)
            print(name, flush=True)
        except click.ClickException as error:
            print(f"{name}: {error.message}", file=sys.stderr)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
