"""Pages that several tests look at, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

import stunpcap
from benchmarks.generate import generate
from tests.ice.transcript import transcript
from tests.places import LAB
from tests.report.pages import CALL, FILE


def page_of(*paths: Path) -> str:
    page = stunpcap.read(*paths).to_html()
    assert page is not None
    return page


@pytest.fixture(scope="session")
def dead() -> str:
    """The motivating case, from both sides."""
    return page_of(*(LAB / "asymmetric-dead" / f"{name}.pcap" for name in ("offerer", "answerer")))


@pytest.fixture(scope="session")
def hostile_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture in which, and by whose name, nobody means well."""
    path = tmp_path_factory.mktemp("hostile") / FILE
    path.write_bytes(transcript(CALL).capture())
    return path


@pytest.fixture(scope="session")
def hostile(hostile_file: Path) -> str:
    return page_of(hostile_file)


@pytest.fixture(scope="session")
def many_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thousand sessions."""
    path = tmp_path_factory.mktemp("many") / "many.pcap"
    generate("sessions", path, 1000)
    return path


@pytest.fixture(scope="session")
def many(many_file: Path) -> str:
    return page_of(many_file)
