"""The pair matrix: which pair, which direction, counted by hand from transcripts and labels."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

import stunpcap
from stunpcap.plots.canvas import offscreen
from stunpcap.plots.styles import PAIR_STATES
from stunpcap.trace import Trace
from tests.ice.transcript import one, read, rows
from tests.places import LAB

TWO_PAIRS = """
    A = 10.0.0.1:1000
    B = 10.0.0.2:2000
    C = [2001:db8:85a3:1111:2222:8a2e:370:7334]:50001
    D = [2001:db8:85a3:1111:2222:8a2e:370:7335]:50002
    0.000  A > B  request t1 user=bbbb:aaaa prio=5 controlling use
    0.020  B > A  success t1 mapped=A
    0.100  B > A  request t2 user=aaaa:bbbb prio=5 controlled
    0.110  A > B  success t2 mapped=B
    0.200  C > D  request t3 user=bbbb:aaaa prio=5 controlling
    0.700  C > D  request t3 user=bbbb:aaaa prio=5 controlling
    1.700  C > D  request t4 user=bbbb:aaaa prio=5 controlling
    60.0   end
"""


def halves(ax: Any) -> list[tuple[str, Rectangle]]:
    """The coloured half cells with what they stand for."""
    return [
        (str(patch.get_gid()), patch)
        for patch in ax.patches
        if str(patch.get_gid()).startswith(("a-to-b", "b-to-a")) and isinstance(patch, Rectangle)
    ]


def words(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_each_pair_has_both_directions() -> None:
    data = stunpcap.plots.pair_matrix_data(read(TWO_PAIRS))
    told = {(row["src"][:8], row["direction"]): row for row in rows(data)}
    there, back = told["10.0.0.1", "a-to-b"], told["10.0.0.2", "b-to-a"]
    assert (there["state"], there["requests_sent"], there["responses_received"]) == ("succeeded", 1, 1)
    assert (back["state"], back["requests_sent"], back["responses_received"]) == ("succeeded", 1, 1)
    assert there["nominated"] and back["nominated"] and there["selected"]
    six = one(data, direction="a-to-b", a="[2001:db8:85a3:1111:2222:8a2e:370:7334]:50001")
    assert (six["state"], six["requests_sent"], six["responses_received"]) == ("failed", 2, 0)
    silent = one(data, direction="b-to-a", a="[2001:db8:85a3:1111:2222:8a2e:370:7334]:50001")
    assert (silent["state"], silent["path"], silent["requests_sent"]) == ("none", "unknown", 0)
    assert silent["src"] == "[2001:db8:85a3:1111:2222:8a2e:370:7335]:50002"
    assert not six["nominated"]


def test_each_half_cell_shows_its_state() -> None:
    ax = stunpcap.plots.pair_matrix(read(TWO_PAIRS))
    assert Counter(name for name, _ in halves(ax)) == {
        "a-to-b succeeded": 1,
        "b-to-a succeeded": 1,
        "a-to-b failed": 1,
        "b-to-a none": 1,
    }
    for name, patch in halves(ax):
        style = PAIR_STATES[name.split()[1]]
        assert to_hex(patch.get_facecolor()) == style.hue.fill
        assert (patch.get_hatch() or "") == style.hatch
    assert sum(patch.get_gid() == "nominated" for patch in ax.patches) == 1
    assert sum(patch.get_gid() == "empty" for patch in ax.patches) == 4
    assert {"A→B ✓ 1/1", "B→A ✓ 1/1", "A→B ✗ 0/2", "B→A · –"} <= set(words(ax))


def test_long_addresses_stand_in_full_with_their_types() -> None:
    ax = stunpcap.plots.pair_matrix(read(TWO_PAIRS))
    ax.figure.canvas.draw()
    labels = [label.get_text() for label in (*ax.get_xticklabels(), *ax.get_yticklabels())]
    for end in ("10.0.0.1:1000", "[2001:db8:85a3:1111:2222:8a2e:370:7334]:50001"):
        assert any(label.endswith(f"\n{end}") for label in labels)
    assert {label.split("\n")[0] for label in labels} <= {"host", "srflx", "prflx", "relay", "type ?"}


def test_the_case_it_was_born_from() -> None:
    """Label: everything from the answerer to the outside of the offerer's NAT dies; its own checks arrive."""
    trace = stunpcap.read(LAB / "asymmetric-dead" / "answerer.pcap")
    data = stunpcap.plots.pair_matrix_data(trace)
    dead = one(data, src="10.20.0.20:41475", dst="172.30.0.2:58121")
    assert (dead["state"], dead["path"], dead["responses_received"]) == ("failed", "lost", 0)
    back = one(data, src="172.30.0.2:58121", dst="10.20.0.20:41475")
    assert (back["state"], back["path"]) == ("arrived", "delivered")
    states = Counter(name for name, _ in halves(stunpcap.plots.pair_matrix(trace)))
    assert not any("succeeded" in name for name in states)


def test_of_several_captures_the_one_at_the_sender_tells() -> None:
    captures = sorted((LAB / "asymmetric-dead").glob("*.pcap"))
    trace = stunpcap.read(*captures)
    data = stunpcap.plots.pair_matrix_data(trace)
    assert one(data, src="10.20.0.20:41475", dst="172.30.0.2:58121")["vantage"] == "answerer"
    assert one(data, src="192.168.10.10:58121", dst="10.20.0.20:41475")["vantage"] == "offerer"
    only = stunpcap.plots.pair_matrix_data(trace, vantage="nat-a-outside")
    assert set(only["vantage"]) <= {"nat-a-outside", ""} and len(only)


def test_what_worked_and_fell_silent_is_no_success() -> None:
    """Label of consent-lost: the path dies during the call."""
    trace = stunpcap.read(LAB / "consent-lost" / "offerer.pcap")
    assert "silent" in set(stunpcap.plots.pair_matrix_data(trace)["state"])


def many(candidates: int) -> Trace:
    """Checks between each two of so many candidates, one in three answered."""
    lines = [
        f"{side}{i} = 10.{net}.{i}.20:{4000 + i}" for net, side in enumerate("AB", start=1) for i in range(candidates)
    ]
    for i in range(candidates):
        for j in range(candidates):
            time, name = 0.01 * (i * candidates + j), f"t{i}.{j}"
            lines.append(f"{time:.3f} A{i} > B{j} request {name} user=bbbb:aaaa prio=5 controlling")
            if (i + j) % 3 == 0:
                lines.append(f"{time + 0.004:.3f} B{j} > A{i} success {name} mapped=A{i}")
    return read("\n".join([*lines, "90 end"]))


@pytest.mark.parametrize("candidates", [1, 12])
def test_from_one_pair_to_a_hundred_and_forty_four(candidates: int) -> None:
    trace = many(candidates)
    with offscreen():
        ax = stunpcap.plots.pair_matrix(trace)
    ax.figure.canvas.draw()
    answered = sum((i + j) % 3 == 0 for i in range(candidates) for j in range(candidates))
    states = Counter(name for name, _ in halves(ax))
    assert states["a-to-b succeeded"] == answered
    assert states["a-to-b succeeded"] + states["a-to-b failed"] == candidates**2
    assert states["b-to-a none"] == candidates**2
    assert ax.get_yticklabels()[0].get_fontsize() == 8
    inside_the_figure(ax)


def inside_the_figure(ax: Any) -> None:
    """No label, legend or title is cut off, and no number stands outside of its half cell."""
    renderer = ax.figure.canvas.get_renderer()
    whole = ax.figure.bbox.padded(1)
    box = ax.get_tightbbox(renderer)
    assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1
    cells = [patch.get_window_extent(renderer) for _, patch in halves(ax)]
    for text in ax.texts:
        if text.get_text().startswith(("A→B", "B→A")):
            box = text.get_window_extent(renderer)
            middle = np.array([(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2])
            (cell,) = [cell for cell in cells if cell.contains(*middle)]
            assert cell.x0 - 1 <= box.x0 and box.x1 <= cell.x1 + 1


def test_no_more_candidates_than_can_be_read() -> None:
    trace = many(26)
    assert len(stunpcap.plots.pair_matrix_data(trace)) == 2 * 26**2
    with offscreen():
        ax = stunpcap.plots.pair_matrix(trace)
    assert len(ax.get_yticklabels()) == 24
    assert "2 candidates more of A not drawn" in ax.get_legend().get_title().get_text().replace("\n", " ")


@pytest.mark.parametrize("scenario", ["asymmetric-dead", "ipv6-broken", "consent-lost", "nats-symmetric-turn"])
def test_nothing_is_cut_off(scenario: str) -> None:
    with offscreen():
        ax = stunpcap.plots.pair_matrix(stunpcap.read(LAB / scenario / "offerer.pcap"))
    ax.figure.canvas.draw()
    inside_the_figure(ax)
