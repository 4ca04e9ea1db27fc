"""Where tests find captures: those of this repository, and those that lie beside it on a developer's machine."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAB = ROOT / "captures"
SHARED = ROOT.parent / "shared" / "captures"
ENDINGS = (".pcap", ".pcapng", ".pcap.gz", ".pcapng.gz")


def lab_captures() -> list[Path]:
    """All captures of this repository."""
    return sorted(path for path in LAB.glob("*/*") if path.name.endswith(ENDINGS))


def shared_captures() -> list[Path]:
    """Captures from the wild; none in a plain clone."""
    return sorted(path for path in SHARED.glob("*") if path.name.endswith(ENDINGS)) if SHARED.is_dir() else []


needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the captures from the wild are not part of a clone")


def name_of(path: Path) -> str:
    """A short test id."""
    return f"{path.parent.name}/{path.name}" if path.is_relative_to(LAB) else path.name
