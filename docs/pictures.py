"""Draw the pictures of the README into `docs/pictures/`: `python docs/pictures.py` draws them all.

They come from captures of this repository.  They suit light and dark pages.  The same version
of matplotlib gives the same bytes.
"""

from __future__ import annotations

from pathlib import Path

import stunpcap
from stunpcap.plots.canvas import offscreen
from stunpcap.plots.render import css_properties

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"
DEAD = ROOT / "captures" / "asymmetric-dead"
PICTURES = {
    "pair-matrix": ("pair_matrix", ("offerer", "answerer"), "Candidate pairs: both directions of each, none works"),
    "timeline": ("timeline", ("answerer",), "Checks and answers over time: one direction has no answers"),
    "ladder": ("ladder", ("answerer",), "The exchange between the agents: failed messages end in a cross"),
}
"""Name of the file -> plot, captures of `asymmetric-dead`, and what it shows."""
COLOURS = f":root{{{css_properties()}}}@media(prefers-color-scheme:dark){{:root{{{css_properties(dark=True)}}}}}"
"""A picture follows its reader from light to dark."""


def pictures() -> dict[str, str]:
    """Each picture as SVG, by the name of its file."""
    made = {}
    with offscreen():
        for name, (plot, vantages, title) in PICTURES.items():
            trace = stunpcap.read(*(DEAD / f"{vantage}.pcap" for vantage in vantages))
            figure = getattr(stunpcap.plots, plot)(trace).figure
            head, _, rest = stunpcap.plots.to_svg(figure, title=title, themed=True).partition(">")
            made[f"{name}.svg"] = f"{head}><style>{COLOURS}</style>{rest}"
    return made


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pictures().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
