"""The command that draws the README's pictures works, and its pictures are small and name nothing of this machine."""

from __future__ import annotations

import runpy
from typing import Any

from tests.places import ROOT


def test_pictures_of_the_readme_can_be_drawn() -> None:
    script: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "pictures.py"))
    made = script["pictures"]()
    assert len(made) == 3
    for name, text in made.items():
        assert text.startswith("<svg") and len(text) < 100_000, name
        assert str(ROOT) not in text
        assert (script["FOLDER"] / name).is_file(), "run python docs/pictures.py"
