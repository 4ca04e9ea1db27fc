"""What a summary says of relays, on captures of the lab whose scenarios say what happened there."""

from __future__ import annotations

import json

import pytest

from stunpcap.cli import main
from tests.places import LAB

SAID = {
    ("turn-forbidden", "offerer"): ("403 Forbidden to permissions for 192.168.20.20", "given back by the client"),
    ("turn-wrong-password", "offerer"): ("never granted", "401 Unauthorized (frame"),
    ("turn-quota", "offerer"): ("never granted", "486"),
    ("turn-mismatch", "offerer"): ("437", "knew nothing of it any more"),
    ("turn-killed", "offerer"): ("lost: the server was last heard of",),
    ("turn-allocation-expired", "offerer"): ("not refreshed in time (lifetime 20 s",),
    ("turn-udp", "server"): ("; session 1 (frame",),
}
"""(scenario, capture) -> what the summary has to say of its relays."""


@pytest.mark.parametrize("where", sorted(SAID), ids="/".join)
def test_what_relays_refused_and_why(where: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    scenario, capture = where
    assert main(["summary", str(LAB / scenario / f"{capture}.pcap")]) == 0
    told = " ".join(capsys.readouterr().out.partition("Relays (TURN)")[2].split())
    for words in SAID[where]:
        assert words in told


def test_a_call_without_relays_has_no_such_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", str(LAB / "direct" / "offerer.pcap")]) == 0
    assert "Relays" not in capsys.readouterr().out


def test_programs_get_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "--json", str(LAB / "turn-forbidden" / "offerer.pcap")]) == 0
    (relay,) = json.loads(capsys.readouterr().out)["relays"]
    assert (relay["client"], relay["server"], relay["sessions"]) == ("192.168.10.10:33087", "203.0.113.5:3478", [1])
    assert relay["refused"][0].startswith("refused: 403 Forbidden")
