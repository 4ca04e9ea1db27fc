"""The topology: which nodes and links there are, and how working and dead directions are drawn."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes

import stunpcap
from stunpcap.errors import UsageError
from stunpcap.plots import topology, topology_data
from tests.ice.transcript import one, read, rows, transcript
from tests.places import LAB

NATTED = """
    A = 192.168.1.1:1000
    N = 203.0.113.1:5555
    B = 198.51.100.2:2000
    S = 198.51.100.9:3478
    0.00  A > S  request g1
    0.01  S > A  success g1 mapped=N
    1.00  A > B  request t1 user=bbbb:aaaa prio=1 controlling use
    1.02  B > A  success t1 mapped=N
    1.10  B > A  request t2 user=aaaa:bbbb prio=1 controlled
    1.11  A > B  success t2 mapped=B
    9     end
"""


def drawn(ax: Axes, *beginnings: str) -> list[str]:
    """Names of what is drawn, of those that begin so."""
    names = [str(artist.get_gid()) for artist in (*ax.lines, *ax.patches, *ax.texts) if artist.get_gid()]
    return [name for name in names if name.startswith(beginnings)]


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_links_of_a_call_behind_a_nat() -> None:
    links = topology_data(read(NATTED))
    there = one(links, kind="checks", direction="a-to-b")
    assert (there["src"], there["via"], there["dst"]) == ("192.168.1.1:1000", "203.0.113.1:5555", "198.51.100.2:2000")
    assert (there["state"], there["requests_sent"], there["responses_received"]) == ("succeeded", 1, 1)
    assert there["selected"]
    back = one(links, kind="checks", direction="b-to-a")
    assert (back["src"], back["via"], back["dst"]) == ("198.51.100.2:2000", "", "192.168.1.1:1000")
    asked = one(links, kind="requests")
    assert (asked["src"], asked["dst"], asked["responses_received"]) == ("192.168.1.1:1000", "198.51.100.9:3478", 1)
    nat = one(links, kind="nat")
    assert (nat["src"], nat["dst"]) == ("192.168.1.1:1000", "203.0.113.1:5555")


def test_everything_has_its_box_and_each_direction_its_arrow() -> None:
    ax = topology(read(NATTED))
    assert set(drawn(ax, "base ", "outside ", "server ")) == {
        "base 192.168.1.1:1000",
        "base 198.51.100.2:2000",
        "outside 203.0.113.1:5555",
        "server 198.51.100.9:3478",
    }
    assert sorted(drawn(ax, "a-to-b", "b-to-a")) == ["a-to-b succeeded", "b-to-a succeeded"]
    assert drawn(ax, "cross") == []
    assert set(drawn(ax, "agent", "NAT")) == {"agent A", "agent B", "NAT A"}
    assert {"agent A aaaa controlling", "agent B bbbb controlled", "NAT of A"} <= set(texts(ax))
    assert sum("1/1" in text for text in texts(ax)) == 3


def test_a_dead_direction_ends_in_a_cross() -> None:
    checks = "\n".join(f"{n} A > B request t{n} user=bbbb:aaaa prio=1 controlling" for n in range(5))
    trace = read(f"A = 10.0.0.1:1000\nB = 10.0.0.2:2000\n{checks}\n90 end")
    link = one(topology_data(trace))
    assert (link["state"], link["requests_sent"], link["responses_received"]) == ("failed", 5, 0)
    ax = topology(trace)
    assert drawn(ax, "a-to-b", "b-to-a") == ["a-to-b failed"]
    assert drawn(ax, "cross") == ["cross"]
    assert any(text.endswith("0/5") for text in texts(ax))


def test_two_arrows_of_a_pair_lie_side_by_side() -> None:
    ax = topology(
        read("""
            A = 10.0.0.1:1000
            B = 10.0.0.2:2000
            0.0  A > B  request t1 user=bbbb:aaaa prio=1 controlling
            0.1  B > A  success t1 mapped=A
            0.2  B > A  request t2 user=aaaa:bbbb prio=1 controlled
            0.3  A > B  success t2 mapped=B
            9    end
        """)
    )
    heights: dict[str, float] = {
        str(line.get_gid()): float(line.get_ydata()[0])  # type: ignore[index]
        for line in ax.lines
        if str(line.get_gid()).startswith(("a-to-b", "b-to-a"))
    }
    assert len(heights) == 2
    assert len(set(heights.values())) == 2


def test_many_pairs_are_cut_to_the_important_ones() -> None:
    ends = "\n".join(f"B{n} = 10.0.1.{n}:2000" for n in range(1, 15))
    checks = "\n".join(f"0.{n:02d} A > B{n} request t{n} user=bbbb:aaaa prio=1 controlling" for n in range(1, 15))
    trace = read(f"A = 10.0.0.1:1000\n{ends}\n{checks}\n0.5 B9 > A success t9 mapped=A\n90 end")
    links = topology_data(trace)
    assert len(links) == 8
    assert "10.0.1.9:2000" in set(links["dst"])
    assert len(topology_data(trace, limit=14)) == 14
    assert "6 more pairs not drawn" in " ".join(texts(topology(trace)))


def label(scenario: str) -> dict[str, Any]:
    return tomllib.loads((LAB / scenario / "expect.toml").read_text())


def captures(scenario: str, *names: str) -> list[Path]:
    return [LAB / scenario / f"{name}.pcap" for name in names]


def hosts(ends: Any) -> set[str]:
    return {str(end).rpartition(":")[0] for end in ends}


def test_the_case_it_was_born_from() -> None:
    """Dead is answerer -> nat-a, says the label; alive is what the NAT rewrites, towards the answerer."""
    nodes = label("asymmetric-dead")["nodes"]
    links = topology_data(stunpcap.read(*captures("asymmetric-dead", "offerer", "answerer")))
    checks = links[links["kind"] == "checks"]
    dead = checks[checks["path"] == "lost"]
    assert hosts(dead["src"]) == set(nodes["answerer"])
    assert hosts(dead["dst"]) < set(nodes["nat-a"])
    rewritten = checks[checks["via"] != ""]
    assert hosts(rewritten["src"]) == set(nodes["offerer"])
    assert hosts(rewritten["via"]) == hosts(dead["dst"])
    ax = topology(stunpcap.read(*captures("asymmetric-dead", "offerer", "answerer")))
    assert set(drawn(ax, "agent", "NAT")) == {"agent A", "agent B", "NAT B"}
    said = " ".join(texts(ax))
    assert "captured here: answerer" in said
    assert "captured here: offerer" in said


def test_a_relayed_call_goes_from_relay_to_relay() -> None:
    nodes = label("turn-udp")["nodes"]
    links = topology_data(stunpcap.read(*captures("turn-udp", "server")))
    selected = links[links["selected"]]
    assert hosts(selected["src"]) | hosts(selected["dst"]) == set(nodes["server"])
    relayed = links[(links["kind"] == "relay")]
    assert set(relayed["dst"]) == set(selected["src"]) | set(selected["dst"])
    assert len(links[links["kind"] == "requests"]) == 2


def test_a_silent_server_is_crossed_out() -> None:
    nodes = label("stun-dead")["nodes"]
    trace = stunpcap.read(*captures("stun-dead", "offerer"))
    asked = one(topology_data(trace), kind="requests")
    assert hosts([asked["dst"]]) == set(nodes["server"])
    assert (asked["state"], asked["responses_received"]) == ("failed", 0)
    assert "requests failed" in drawn(topology(trace), "requests")


def test_refusals_are_said_a_challenge_is_none() -> None:
    head = """
        A = 192.168.1.1:1000
        B = 198.51.100.2:2000
        S = 203.0.113.5:3478
        R = 203.0.113.5:6000
        0.00  A > S  allocate request g1
        0.01  S > A  allocate error g1 code=401
        0.02  A > S  allocate request g2 user=me realm=r
    """
    rest = "\n1.0 A > B request t1 user=bbbb:aaaa prio=1 controlling\n90 end"
    granted = "0.03 S > A allocate success g2 relayed=R mapped=A lifetime=600"
    forbidden = "0.04 A > S create-permission request g3 peer=B user=me\n0.05 S > A create-permission error g3 code=403"
    outcome = one(topology_data(read(f"{head}\n{granted}\n{rest}")), kind="requests")["outcome"]
    assert outcome == "2 of 2 answered"
    trace = read(f"{head}\n{granted}\n{forbidden}\n{rest}")
    assert one(topology_data(trace), kind="requests")["outcome"] == "3 of 3 answered, 1 refused"
    assert any(text.endswith("3/3, 1 refused") for text in texts(topology(trace)))


@pytest.mark.parametrize(
    "scenario", ["direct", "dead-interface", "ice-tcp", "nats-symmetric-turn", "turn-forbidden", "same-nat-hairpin"]
)
def test_labels_do_not_leave_the_picture_and_boxes_stay_apart(scenario: str) -> None:
    for path in sorted((LAB / scenario).glob("*er.pcap")):
        ax = topology(stunpcap.read(path))
        ax.figure.canvas.draw()
        boxes = [
            patch.get_window_extent()
            for patch in ax.patches
            if str(patch.get_gid()).startswith(("base ", "outside ", "server ", "relay "))
        ]
        for number, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[number + 1 :]), path
        frame = ax.figure.bbox
        for text in ax.texts:
            extent = text.get_window_extent()
            assert frame.x0 - 1 <= extent.x0, text.get_text()
            assert extent.x1 <= frame.x1 + 1, text.get_text()


def test_wire_text_stays_text() -> None:
    trace = read("""
        A = 10.0.0.1:1000
        B = 10.0.0.2:2000
        0.0  A > B  request t1 user=bbbb:$x^2$\x1b[31m prio=1 controlling
        9    end
    """)
    ax = topology(trace)
    ax.figure.canvas.draw()
    assert any("$" in text for text in texts(ax))
    for text in ax.texts:
        assert "\x1b" not in text.get_text()
        assert "$" not in text.get_text() or not text.get_parse_math()


def test_nothing_to_draw() -> None:
    trace = transcript("A = 10.0.0.1:1000\nB = 10.0.0.2:2000\n0 A > B rtp").read()
    assert rows(topology_data(trace)) == []
    (said,) = texts(topology(trace))
    assert "No topology" in said


def test_what_there_is_not() -> None:
    with pytest.raises(UsageError, match="there is no session 7"):
        topology_data(read(NATTED), session=7)
    with pytest.raises(UsageError, match="there is no vantage 'x'"):
        topology(read(NATTED), vantage="x")
