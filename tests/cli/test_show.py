"""`stunpcap show`: the messages of a frame, as `stun.Message` has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import stunpcap
from tests.places import LAB

DEAD = LAB / "asymmetric-dead" / "answerer.pcap"
OUTSIDE = LAB / "asymmetric-dead" / "nat-a-outside.pcap"
Run = Callable[..., Any]


def test_a_message_in_full(run: Run) -> None:
    done = run("show", DEAD, 3)
    assert done.status == 0
    assert done.lines[0].startswith("Frame 3, 20")
    assert done.lines[0].endswith(" udp 10.20.0.20:41475 to 192.168.10.10:58121")
    assert str(stunpcap.read(DEAD).message(3)) in done.out


def test_which_capture(run: Run) -> None:
    done = run("show", DEAD, OUTSIDE, 3)
    assert done.status == 2
    assert "say which vantage you mean" in done.err
    for name in ("answerer", "nat-a-outside"):
        done = run("show", DEAD, OUTSIDE, 3, "--vantage", name)
        assert done.lines[0].startswith(f"Frame 3 in {name}, ")


def test_as_json(run: Run) -> None:
    [shown] = map(json.loads, run("show", "--json", DEAD, 3).out.splitlines())
    message = stunpcap.read(DEAD).message(3)
    assert shown["transaction_id"] == message.transaction_id
    assert [attribute["name"] for attribute in shown["attributes"]] == [a.name for a in message.attributes]


def test_what_the_password_says(run: Run) -> None:
    receiver = run("messages", "--json", "--columns", "username", DEAD).out.split('"')[3].split(":")[0]
    assert "MESSAGE-INTEGRITY is invalid" in run("show", "--password", f"{receiver}=guess", DEAD, 3).out
