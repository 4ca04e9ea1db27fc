"""Captures of servers: what grows with their clients is bounded and counted, what belongs to a session is whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stunpcap.cli import main
from stunpcap.summary import crowd, summarise
from stunpcap.summary.terminal import Paper
from stunpcap.summary.text import draw
from tests.ice.transcript import read, transcript

CALL = """
    A = 10.0.0.1:1000
    B = 10.0.0.2:2000
    S = 192.0.2.1:3478
    50.0   A > S  request own1
    50.1   S > A  success own1 mapped=A
    51.0   A > B  request t1 user=bbbb:aaaa controlling use
    51.1   B > A  success t1 mapped=A
    51.2   B > A  request t2 user=aaaa:bbbb controlled
    51.3   A > B  success t2 mapped=B
    99.0   end
"""
"""A call whose offerer asked the server after everybody else."""


TURN, RELAY = "192.0.2.3:3478", "192.0.2.3"


def client(number: int) -> str:
    return f"10.1.{number // 250}.{number % 250 + 1}:5000"


def asking(number: int, server: str = "192.0.2.1:3478", mapped: str = "", answered: bool = True) -> list[str]:
    """A client that asks a server, and its answer: at 1 s the first, 1 ms after each other."""
    time, me, name = 1 + number / 1000, client(number), f"{number}at{server.split(':')[0][8:]}"
    lines = [f"{time:.4f} {me} > {server} request {name}"]
    answer = f"{time + 0.0005:.4f} {server} > {me} success {name} mapped={mapped or me}"
    return [*lines, answer] if answered else lines


def many(count: int, **how: Any) -> list[str]:
    return [line for number in range(count) for line in asking(number, **how)]


def squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists hold three entries."""
    monkeypatch.setattr(crowd, "LISTED", 3)


def test_a_thousand_and_three_clients(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "server.pcap"
    path.write_bytes(transcript("\n".join([*many(1003), "90.0 end"])).capture())
    assert main(["summary", "--json", str(path)]) == 0
    found = json.loads(capsys.readouterr().out)
    [server] = found["servers"]
    [asked] = server["asked"]
    everybody = [client(number) for number in range(1003)]
    assert server["clients"] == everybody[:1000]
    assert server["client_count"] == asked["requests"] == 1003
    assert (asked["mapped"], asked["mapped_count"]) == (everybody[:1000], 1003)
    assert asked["outcome"] == f"1,003 answered: seen as {everybody[0]}, {everybody[1]} and 1,001 more"
    assert [one["base"] for one in found["mappings"]] == everybody[:1000]
    assert found["behaviours"] == {"none": 1003}
    assert found["left_out"] == {"mappings": 3, "servers.clients": 3, "servers.asked.mapped": 3}
    assert main(["summary", str(path)]) == 0
    said = squeezed(capsys.readouterr().out)
    assert f"asked by {everybody[0]}, {everybody[1]}, {everybody[2]} and 1,000 more" in said


def test_nothing_is_left_out_of_few() -> None:
    found = summarise(read("\n".join([CALL, *many(4)])))
    assert found.left_out == {}
    assert found.behaviours == {"none": 6}
    assert len(found.mappings) == 6
    [server] = found.servers
    assert (len(server.clients), server.client_count) == (5, 5)


@pytest.mark.usefixtures("three")
def test_mappings_that_trouble_ice_and_those_of_sessions() -> None:
    """A NAT that maps by destination is listed before clients that are not translated, a session's in any case."""
    other = "192.0.2.2:3478"
    nat = [*asking(7, mapped="198.51.100.7:7001"), *asking(7, other, mapped="198.51.100.7:7002")]
    once = asking(8, mapped="198.51.100.7:8001")
    found = summarise(read("\n".join([CALL, *many(6), *nat, *once])))
    assert found.behaviours == {"address-dependent": 1, "unknown": 1, "none": 8}
    told = {mapping.base: mapping.behaviour for mapping in found.mappings}
    assert list(told.values()) == ["address-dependent", "unknown", "none", "none", "none"]
    assert {client(7), client(8), "10.0.0.1:1000", "10.0.0.2:2000", client(0)} == set(told)
    assert found.left_out["mappings"] == 5


@pytest.mark.usefixtures("three")
def test_agents_of_sessions_are_among_the_clients() -> None:
    found = summarise(read("\n".join([CALL, *many(6)])))
    [server] = found.servers
    assert server.clients == (client(0), client(1), "10.0.0.1:1000")
    assert (server.client_count, found.left_out["servers.clients"]) == (7, 4)


@pytest.mark.usefixtures("three")
def test_a_session_is_chosen_before_anything_is_left_out() -> None:
    """Two calls; of each its own mappings, its own server's answer, its own relay, and nothing of the other."""
    relayed = """
        70.0   10.0.3.1:1000 > 192.0.2.3:3478  allocate request relay
        70.1   192.0.2.3:3478 > 10.0.3.1:1000  allocate success relay relayed=192.0.2.3:50000 mapped=10.0.3.1:1000
        71.0   192.0.2.3:50000 > 10.0.3.2:2000  request u1 user=dddd:cccc controlling
        71.1   10.0.3.2:2000 > 192.0.2.3:50000  success u1 mapped=192.0.2.3:50000
        72.0   10.0.3.1:1000 > 10.0.3.2:2000  request u2 user=dddd:cccc controlling
        72.1   10.0.3.2:2000 > 10.0.3.1:1000  success u2 mapped=10.0.3.1:1000
    """
    granted = []
    for number in range(6):
        granted.append(f"{2 + number}.0 {client(number)} > {TURN} allocate request r{number}")
        granted.append(
            f"{2 + number}.1 {TURN} > {client(number)} allocate success r{number} relayed={RELAY}:{number + 1}"
        )
    trace = read("\n".join([CALL, *many(6), relayed, *granted, "120.0 end"]))
    whole = summarise(trace)
    assert whole.left_out["relays"] == 3
    first, second = (summarise(trace, session=number) for number in (1, 2))
    assert {mapping.base for mapping in first.mappings} == {"10.0.0.1:1000", "10.0.0.2:2000"}
    assert [server.server for server in first.servers] == ["192.0.2.1:3478"]
    assert "10.0.0.1:1000" in first.servers[0].clients
    assert first.servers[0].client_count == 7
    assert (first.relays, first.relay_states) == ((), {})
    assert [server.server for server in second.servers] == ["192.0.2.3:3478"]
    assert [relay.relayed for relay in second.relays] == ["192.0.2.3:50000"]
    assert second.relay_states == {"active": 1}
    assert second.behaviours == {"none": len(second.mappings)}
    assert "mappings" not in first.left_out and "relays" not in second.left_out


@pytest.mark.usefixtures("three")
def test_relays_that_failed_first() -> None:
    lines = []
    for number in range(5):
        lines.append(f"{number}.0 {client(number)} > 192.0.2.3:3478 allocate request r{number}")
        answer = "error" if number == 4 else "success"
        told = "code=486" if number == 4 else f"relayed=192.0.2.3:{40000 + number}"
        lines.append(f"{number}.1 192.0.2.3:3478 > {client(number)} allocate {answer} r{number} {told}")
    found = summarise(read("\n".join([*lines, "60.0 end"])))
    assert [relay.client for relay in found.relays] == [client(4), client(0), client(1)]
    assert found.relay_states == {"refused": 1, "active": 4}
    [server] = found.servers
    [asked] = server.asked
    assert (len(asked.relayed), asked.relayed_count) == (3, 4)
    assert found.left_out == {"relays": 2, "servers.clients": 2, "servers.asked.relayed": 1}


@pytest.mark.usefixtures("three")
def test_servers_that_never_answered_first() -> None:
    lines = [line for n in range(5) for line in asking(n, f"192.0.2.{n + 1}:3478", answered=n != 4)]
    found = summarise(read("\n".join([*lines, "90.0 end"])))
    assert [one.server for one in found.servers] == ["192.0.2.1:3478", "192.0.2.2:3478", "192.0.2.5:3478"]
    assert found.count("servers") == 5
    # The text shows twelve at most; so that it has to say how many more there are, it is told of more.
    text = draw(replace(found, servers=found.servers * 4), Paper())
    assert "and 2 more: the command or frame `transactions`" in text


@pytest.mark.usefixtures("three")
def test_one_base_seen_as_much_by_many() -> None:
    """A client behind a NAT that gives each destination another port; one that asks five and is seen the same."""
    lines = [line for n in range(5) for line in asking(0, f"192.0.2.{n + 1}:3478", mapped=f"198.51.100.1:{7000 + n}")]
    lines += [line for n in range(5) for line in asking(1, f"192.0.2.{n + 1}:3478", mapped="198.51.100.1:9000")]
    found = summarise(read("\n".join([*lines, "90.0 end"])))
    nat, same = found.mappings
    assert [seen.mapped for seen in nat.seen] == ["198.51.100.1:7000", "198.51.100.1:7001", "198.51.100.1:7002"]
    assert [seen.by for seen in nat.seen] == [("192.0.2.1:3478",), ("192.0.2.2:3478",), ("192.0.2.3:3478",)]
    assert nat.seen_count == 5
    [one] = same.seen
    assert one.by == ("192.0.2.1:3478", "192.0.2.2:3478", "192.0.2.3:3478")
    assert one.by_count == 5
    assert (found.left_out["mappings.seen"], found.left_out["mappings.seen.by"]) == (2, 2)
    assert "192.0.2.3:3478 and 2 more" in squeezed(draw(found, Paper(120)))


@pytest.mark.usefixtures("three")
def test_routers_that_reject() -> None:
    lines = []
    for number in range(5):
        lines.append(f"{number}.0 {client(number)} > 192.0.2.1:3478 request q{number}")
        lines.append(f"{number}.1 10.9.9.{number + 1}:0 > {client(number)} icmp 3/3 quotes=q{number}")
    found = summarise(read("\n".join([*lines, "90.0 end"])))
    [asked] = found.servers[0].asked
    assert (len(asked.icmp), asked.icmp_count, found.left_out["servers.asked.icmp"]) == (3, 5, 2)
    assert asked.outcomes == {"icmp": 5}


@pytest.mark.usefixtures("three")
def test_the_gravest_findings_about_no_session() -> None:
    """Five clients behind NATs that map by destination, a warning each, and a server that is dead, an error."""
    lines = [
        line
        for number in range(5)
        for server in (1, 2)
        for line in asking(number, f"192.0.2.{server}:3478", mapped=f"198.51.100.{server}:{7000 + number}")
    ]
    lines += [f"{time} {client(6)} > 192.0.2.3:3478 request dead" for time in (2, 2.5, 3.5, 5.5, 9.5, 17.5, 33.5)]
    trace = read("\n".join([*lines, "90.0 end"]))
    found = summarise(trace)
    names = [one.name for one in found.findings]
    assert len(names) == 3
    assert "stun-server-unreachable" in names
    assert found.count("findings") == len(trace.findings)
    assert found.left_out["findings"] == len(trace.findings) - 3 >= 3


@pytest.mark.usefixtures("three")
def test_connections_in_tls() -> None:
    lines = []
    for number in range(5):
        me = f"10.1.0.{number + 1}:{5000 + number}"
        lines.append(f"{number}.0 {me} > 192.0.2.9:5349 syn")
        lines.append(f"{number}.1 192.0.2.9:5349 > {me} syn-ack")
        lines.append(f"{number}.2 {me} > 192.0.2.9:5349 tls-hello")
    found = summarise(read("\n".join([*lines, "30.0 end"])))
    assert [one.client for one in found.opaque] == ["10.1.0.1:5000", "10.1.0.2:5001", "10.1.0.3:5002"]
    assert (found.hidden, found.left_out) == ({"tls": 5}, {"opaque": 2})
    text = squeezed(draw(found, Paper()))
    assert "what is inside 5 TLS connections that are probably TURN cannot be seen" in text
