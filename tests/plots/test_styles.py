"""The one table of styles: complete, legible, and never told apart by colour alone."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest

from stunpcap import schema
from stunpcap.plots import styles
from stunpcap.plots.styles import HUES, TABLES, TONES, Style


def linear(colour: str) -> tuple[float, float, float]:
    """Linear light of an sRGB colour (IEC 61966-2-1)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return red, green, blue


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio, as WCAG 2 defines it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


# Viénot, Brettel and Mollon (1999): what people without one kind of cone see, in linear light.
DEUTERANOPIA = ((0.29275, 0.70725, 0.0), (0.29275, 0.70725, 0.0), (-0.02234, 0.02234, 1.0))
PROTANOPIA = ((0.11238, 0.88762, 0.0), (0.11238, 0.88762, 0.0), (0.00401, -0.00401, 1.0))


@pytest.mark.parametrize(
    ("table", "levels"),
    [
        ("pair state", (*schema.PAIR_STATE, "silent", "arrived", "none")),
        ("path", schema.PATH),
        ("outcome", schema.OUTCOME),
        ("session state", schema.SESSION_STATE),
        ("candidate type", schema.CANDIDATE_TYPE),
    ],
)
def test_every_level_of_a_category_has_a_style(table: str, levels: tuple[str, ...]) -> None:
    assert set(TABLES[table]) == set(levels)


@pytest.mark.parametrize("name", HUES)
def test_inks_and_fills_are_legible(name: str) -> None:
    hue = HUES[name]
    # WCAG 2, level AA, for text: 4.5.
    assert contrast(hue.ink, styles.PAPER) >= 4.5
    assert contrast(hue.dark_ink, styles.DARK_PAPER) >= 4.5
    assert contrast(hue.fill, styles.INK) >= 4.5
    assert contrast(hue.dark_fill, styles.DARK_INK) >= 4.5


@pytest.mark.parametrize("table", TABLES)
def test_rows_differ_without_colour(table: str) -> None:
    def shape(style: Style) -> tuple[str, ...]:
        return style.marker, style.hatch, style.line

    for (one, a), (other, b) in itertools.combinations(TABLES[table].items(), 2):
        assert shape(a) != shape(b), f"{one} and {other}"
        assert a.label != b.label


@pytest.mark.parametrize("table", ["pair state", "path", "session state"])
@pytest.mark.parametrize("dark", [False, True])
def test_success_and_failure_differ_for_everybody(table: str, dark: bool) -> None:
    rows = TABLES[table].values()
    for good, bad in itertools.product(rows, rows):
        if (good.tone, bad.tone) == ("good", "bad"):
            fills = good.fill(dark=dark), bad.fill(dark=dark)
            assert contrast(*fills) >= 1.15, "the same grey in print"
            for matrix in (DEUTERANOPIA, PROTANOPIA):
                seen = [[sum(a * b for a, b in zip(row, linear(one), strict=True)) for row in matrix] for one in fills]
                # Roughly as a screen encodes it, so that steps in the dark count as they are seen.
                screen = [[max(part, 0.0) ** (1 / 2.2) for part in one] for one in seen]
                assert max(abs(a - b) for a, b in zip(*screen, strict=True)) > 0.07


@pytest.mark.parametrize("table", TABLES)
def test_symbols_have_stand_ins(table: str) -> None:
    for style in TABLES[table].values():
        assert style.tone in TONES
        assert len(style.symbol()) == 1
        assert style.symbol(unicode=False).isascii() and len(style.symbol(unicode=False)) == 1
        assert bool(style.glyph) == bool(style.ascii)


def test_styles_import_nothing_heavy() -> None:
    code = (
        "import stunpcap.plots.styles, sys\n"
        "print(*(n for n in ('numpy', 'pandas', 'matplotlib', 'stunpcap.trace') if n in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
