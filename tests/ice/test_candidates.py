"""Candidates, and NAT mappings in RFC 4787's words: only what the capture can know."""

from __future__ import annotations

import pytest

from tests.ice.transcript import one, read, rows

NAMES = """
    A = 10.0.0.1:1000
    B = 198.51.100.2:2000
    A' = 203.0.113.1:4000
    A'' = 203.0.113.1:4001
    S = 192.0.2.10:3478
    T = 192.0.2.20:3478
    T2 = 192.0.2.20:3479
    Y = 192.0.2.20:50000
"""
A_TO_B = "user=bbbb:aaaa controlling prio=1853824767"
B_TO_A = "user=aaaa:bbbb controlled prio=100"
ASK = "0.00 A > S request g1\n 0.02 S > A success g1 mapped=A' ttl=50\n"
CHECK = f"1.00 A > B request t1 {A_TO_B}\n 1.02 B > A success t1 mapped={{}} ttl=50\n"


def candidate(text, address, form="pcap"):
    return one(read(NAMES + text, form).candidates, address=address)


def test_a_host_candidate_is_one_whose_packets_nothing_can_have_rewritten():
    """A's packets have a fresh time to live, B's have passed routers."""
    text = CHECK.format("A")
    found = candidate(text, "10.0.0.1:1000")
    assert (found["type"], found["base"], found["ufrag"]) == ("host", "10.0.0.1:1000", "aaaa")
    assert not found["checked"]
    far = candidate(text, "198.51.100.2:2000")
    assert (far["type"], far["base"], far["known_from"], far["checked"]) == ("unknown", None, "check", True)


def test_between_routers_nothing_is_known_to_be_a_host():
    text = f"0 A > B request t1 {A_TO_B} ttl=60\n 0.1 B > A success t1 mapped=A ttl=60"
    trace = read(NAMES + text)
    assert set(trace.candidates["type"]) == {"unknown"}
    assert set(trace.pairs["src_type"]) == {"unknown"}


def test_outside_a_nat_a_server_seeing_the_source_unchanged_makes_no_host():
    """Captured between NAT and server: that A' is somebody's own address is not known."""
    text = """
        0.00  A' > S  request g1 ttl=63
        0.02  S > A'  success g1 mapped=A' ttl=60
        1.00  A' > B  request t1 user=bbbb:aaaa controlling prio=1 ttl=63
        1.02  B > A'  success t1 mapped=A' ttl=60
    """
    found = candidate(text, "203.0.113.1:4000")
    assert (found["type"], found["base"]) == ("unknown", None)
    assert (found["known_from"], found["server"]) == ("gathering", "192.0.2.10:3478")


def test_server_reflexive():
    found = candidate(ASK + CHECK.format("A'"), "203.0.113.1:4000")
    assert (found["type"], found["base"], found["server"]) == ("srflx", "10.0.0.1:1000", "192.0.2.10:3478")
    assert found["known_from"] == "gathering"
    assert found["ufrag"] == "aaaa"


def test_server_reflexive_seen_from_both_sides_of_the_nat():
    """The capture outside the NAT says "unchanged", the one inside "translated": that tells more."""
    inside = NAMES + ASK + CHECK.format("A'")
    outside = NAMES + (ASK + CHECK.format("A'")).replace("A > ", "A' > ").replace("> A ", "> A' ")
    for vantages in ({"inside": inside, "outside": outside}, {"outside": outside, "inside": inside}):
        found = one(read(**vantages).candidates, address="203.0.113.1:4000")
        assert (found["type"], found["base"]) == ("srflx", "10.0.0.1:1000")


def test_gathered_without_being_checked_is_listed_with_its_base():
    found = candidate(ASK + CHECK.format("A"), "203.0.113.1:4000")
    assert (found["type"], found["base"], found["checked"]) == ("srflx", "10.0.0.1:1000", False)


def test_checked_candidates():
    text = ASK + CHECK.format("A'") + f"1.1 B > A' request t2 {B_TO_A} ttl=50"
    assert candidate(text, "203.0.113.1:4000")["checked"]


def test_peer_reflexive_with_the_priority_of_its_check():
    """RFC 8445 section 7.2.5.3.1: the answer tells an address that is no candidate; PRIORITY is for it."""
    found = candidate(CHECK.format("A'"), "203.0.113.1:4000")
    assert (found["type"], found["base"], found["server"]) == ("prflx", "10.0.0.1:1000", "198.51.100.2:2000")
    assert (found["known_from"], found["priority"]) == ("mapped", 1853824767)


def test_relayed():
    text = """
        0.00  A > T  allocate request g1
        0.02  T > A  allocate success g1 mapped=A' relayed=Y ttl=50
    """
    found = candidate(text + CHECK.format("A'"), "192.0.2.20:50000")
    assert (found["type"], found["base"], found["server"]) == ("relay", "10.0.0.1:1000", "192.0.2.20:3478")
    assert found["known_from"] == "relay"
    assert candidate(text + CHECK.format("A'"), "203.0.113.1:4000")["type"] == "srflx"


def test_a_relay_shared_by_two_clients_keeps_their_bases_apart():
    """Microsoft's relays give all their clients one address."""
    trace = read(f"""{NAMES}
        A2 = 10.0.0.1:1001
        0.00  A > T   allocate request g1
        0.01  A2 > T  allocate request g2
        0.02  T > A   allocate success g1 mapped=A' relayed=Y ttl=50
        0.03  T > A2  allocate success g2 mapped=A'' relayed=Y ttl=50
        1.00  A > B   request t1 user=bbbb:aaaa prio=1
        1.10  A2 > B  request t2 user=dddd:cccc prio=1
        1.20  B > A   success t1 mapped=A' ttl=50
    """)
    relays = {row["session_id"]: row["base"] for row in rows(trace.candidates) if row["type"] == "relay"}
    assert relays == {1: "10.0.0.1:1000", 2: "10.0.0.1:1001"}


def test_checks_to_a_relay_know_its_type():
    trace = read(f"""{NAMES}
        0.00  A > T  allocate request g1
        0.02  T > A  allocate success g1 mapped=A' relayed=Y
        1.00  A > B  request t1 {A_TO_B}
        1.01  B > Y  request t2 {B_TO_A}
    """)
    assert one(trace.pairs, src="198.51.100.2:2000")["dst_type"] == "relay"


def test_a_servers_address_is_no_host_candidate():
    """Checks that come from a server's address may be relayed, however fresh they are."""
    text = f"""
        0.00  A > T  request g1 out
        0.02  T > A  success g1 mapped=A' in
        1.00  Y > A  request t2 {B_TO_A} in
        1.01  A > Y  success t2 mapped=Y out
        1.02  A > Y  request t3 {A_TO_B} out
    """
    assert candidate(text, "192.0.2.20:50000", "cooked")["type"] == "unknown"
    fresh = text.replace(" in", "").replace(" out", "")
    assert candidate(fresh, "192.0.2.20:50000")["type"] == "unknown"
    assert candidate(fresh, "10.0.0.1:1000")["type"] == "host"


def test_every_server_counts_as_one():
    """The second of two servers told nothing new."""
    text = """
        0.00  A > S  request g1
        0.02  S > A  success g1 mapped=A'
        0.03  A > T  request g2
        0.04  T > A  success g2 mapped=A'
        1.00  Y > A  request t2 user=aaaa:bbbb prio=1
    """
    assert candidate(text, "192.0.2.20:50000")["type"] == "unknown"


def test_pairs_show_the_types():
    pair = one(read(NAMES + ASK + CHECK.format("A'")).pairs)
    assert (pair["src_type"], pair["dst_type"]) == ("host", "unknown")


# Mappings


def asked(*answers):
    """A asks these servers in turn and is told these addresses."""
    lines = ""
    for n, (server, mapped) in enumerate(answers):
        lines += f"{n} A > {server} request g{n}\n {n}.02 {server} > A success g{n} mapped={mapped}\n"
    return rows(read(NAMES + lines).mappings)


@pytest.mark.parametrize(
    ("answers", "behaviour"),
    [
        ([("S", "A")], "none"),
        ([("S", "A"), ("T", "A")], "none"),
        ([("S", "A'")], "unknown"),
        ([("S", "A'"), ("T", "A'")], "endpoint-independent"),
        ([("S", "A'"), ("T", "A''")], "address-dependent"),
        ([("T", "A'"), ("T2", "A''")], "address-and-port-dependent"),
        ([("S", "A'"), ("T", "A''"), ("T2", "A''")], "address-dependent"),
        ([("T", "A'"), ("T2", "A'")], "unknown"),
        ([("T", "A'"), ("T2", "A'"), ("S", "A'")], "endpoint-independent"),
        ([("T", "A'"), ("T2", "A''"), ("S", "A'")], "address-and-port-dependent"),
        ([("S", "A'"), ("B", "A")], "unknown"),
        ([("S", "A'"), ("T", "A'"), ("B", "A")], "endpoint-independent"),
        ([("S", "A'"), ("S", "A''")], "unknown"),
        ([("S", "A'"), ("T", "A'"), ("S", "A''")], "endpoint-independent"),
    ],
    ids=[
        "no NAT",
        "no NAT, twice",
        "one server tells nothing of the behaviour",
        "two servers see the same",
        "two servers see different ports",
        "two ports of one server see different ports",
        "by address, the same for both ports",
        "two ports of one address alone cannot tell",
        "two addresses and two ports see the same",
        "ports of one address differ",
        "somebody inside sees it untouched",
        "somebody inside does not count",
        "a mapping that changed in time",
        "a mapping that changed in time does not count",
    ],
)
def test_mapping_behaviour(answers, behaviour):
    assert {row["behaviour"] for row in asked(*answers)} == {behaviour}


def test_mappings_by_base():
    """One socket behind a NAT, another one not: each has its own behaviour."""
    trace = read(f"""{NAMES}
        A2 = 10.9.9.9:1000
        0.0  A > S   request g1
        0.1  S > A   success g1 mapped=A'
        0.2  A2 > S  request g2
        0.3  S > A2  success g2 mapped=A2
        0.4  A > T   request g3
        0.5  T > A   success g3 mapped=A'
    """)
    assert [(row["base"], row["behaviour"]) for row in rows(trace.mappings)] == [
        ("10.0.0.1:1000", "endpoint-independent"),
        ("10.9.9.9:1000", "none"),
        ("10.0.0.1:1000", "endpoint-independent"),
    ]


def test_ports_kept():
    kept, other = rows(
        read(f"""{NAMES}
            K = 203.0.113.1:1000
            0.0  A > S  request g1
            0.1  S > A  success g1 mapped=K
            0.2  A > T  request g2
            0.3  T > A  success g2 mapped=A'
        """).mappings
    )
    assert (kept["translated"], kept["port_kept"]) == (True, True)
    assert (other["translated"], other["port_kept"]) == (True, False)
    assert (kept["dst"], kept["mapped"], kept["first_frame"]) == ("192.0.2.10:3478", "203.0.113.1:1000", 2)


def test_checks_tell_mappings_too():
    found = one(read(NAMES + CHECK.format("A'")).mappings)
    assert (found["session_id"], found["dst"], found["behaviour"]) == (1, "198.51.100.2:2000", "unknown")


def test_each_answer_once():
    assert len(asked(("S", "A'"), ("S", "A'"), ("S", "A'"))) == 1
