"""Pictures as files: the same bytes for the same figure, readable by machines, safe in a page."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from PIL import Image

import stunpcap
from stunpcap.plots.canvas import offscreen
from stunpcap.plots.render import css_properties, to_png, to_svg
from stunpcap.plots.styles import HUES, PAPER
from tests.ice.transcript import read
from tests.places import LAB

DEAD = LAB / "asymmetric-dead" / "answerer.pcap"
SVG = "{http://www.w3.org/2000/svg}"
PROGRAM = (
    "import hashlib, sys, stunpcap\n"
    "from stunpcap.plots.canvas import offscreen\n"
    "with offscreen():\n"
    "    for name in ('pair_matrix', 'timeline', 'gathering'):\n"
    f"        figure = getattr(stunpcap.plots, name)(stunpcap.read({str(DEAD)!r})).figure\n"
    "        print(hashlib.sha256(stunpcap.plots.to_svg(figure, title='x').encode()).hexdigest())\n"
    "        print(hashlib.sha256(stunpcap.plots.to_png(figure)).hexdigest())\n"
)


def svg(**options: object) -> str:
    with offscreen():
        return to_svg(stunpcap.plots.pair_matrix(stunpcap.read(DEAD)).figure, **options)  # type: ignore[arg-type]


def test_the_same_figure_gives_the_same_bytes_in_another_process() -> None:
    said = [
        subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert said[0] == said[1] and len(said[0].split()) == 6


def test_a_picture_names_neither_date_nor_program() -> None:
    text = svg(title="Pairs")
    assert not re.search(r"\b20\d\d-\d\d-\d\d|matplotlib|<metadata|<!DOCTYPE|<\?xml", text, re.IGNORECASE)
    with offscreen():
        image = Image.open(io.BytesIO(to_png(stunpcap.plots.pair_matrix(stunpcap.read(DEAD)).figure)))
    assert image.format == "PNG" and not {"Software", "Creation Time"} & set(image.info)


def test_text_stays_text_and_figures_are_named() -> None:
    root = ET.fromstring(svg(title="Pairs <of> a & b", description="Two pairs, both dead."))
    assert root.get("role") == "img" and root.get("aria-label") == "Pairs <of> a & b"
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert root[0].text == "Pairs <of> a & b" and root[1].text == "Two pairs, both dead."
    words = {element.text for element in root.iter(f"{SVG}text")} | {one.text for one in root.iter(f"{SVG}tspan")}
    assert "A→B ✗ 0/242" in words
    assert ET.fromstring(svg()).get("aria-hidden") == "true"


def test_hostile_text_is_escaped() -> None:
    trace = read("""
        A = 10.0.0.1:1000
        B = 10.0.0.2:2000
        0.000  A > B  request t1 user=<script>alert(1)</script>:"><b prio=5 controlling
        60.0   end
    """)
    with offscreen():
        text = to_svg(stunpcap.plots.pair_matrix(trace).figure, title="</title><script>")
    assert "<script" not in text
    root = ET.fromstring(text)
    shown = "".join(text for text in root.itertext())
    assert '"><b' in shown


def test_colours_can_follow_the_page() -> None:
    plain, themed = svg(), svg(themed=True)
    assert "var(" not in plain
    named = set(re.findall(r"var\((--[\w-]+),(#[0-9a-f]{6})\)", themed))
    declared = dict(part.split(":") for part in css_properties().split(";"))
    assert named and all(declared[name] == colour for name, colour in named)
    assert ("--paper", PAPER) in named and ("--red-fill", HUES["red"].fill) in named
    # Nothing keeps a colour that would not turn dark with the page.
    left = set(re.findall(r"(?<!,)#[0-9a-f]{6}\b", themed))
    assert left == set()
    dark = dict(part.split(":") for part in css_properties(dark=True).split(";"))
    assert dark.keys() == declared.keys() and dark["--red-ink"] == HUES["red"].dark_ink


def test_ids_of_several_figures_do_not_meet() -> None:
    one, other = svg(prefix="a-"), svg(prefix="b-")
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (one, other)]
    assert ids[0] and not ids[0] & ids[1]
    for text, known in zip((one, other), ids, strict=True):
        assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)) <= {
            pair for name in known for pair in ((name, ""), ("", name))
        }


@pytest.mark.parametrize("name", ["pair_matrix", "timeline"])
def test_pictures_are_small(name: str) -> None:
    with offscreen():
        figure = getattr(stunpcap.plots, name)(stunpcap.read(DEAD)).figure
    assert len(to_svg(figure)) < 80_000
