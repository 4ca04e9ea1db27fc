"""Networks that several scenarios share, each with its drawing.

Addresses follow one plan: 192.168.10.0/24 behind the offerer's router, 192.168.20.0/24 behind the
answerer's, 203.0.113.0/24 the public network between, 10.20.0.0/24 and 172.30.0.0/24 where a closed
network is meant.
"""

from __future__ import annotations

from dataclasses import replace

from captures.lab.model import Link, Node, Topology


def masquerade(outside: str, *, random: bool = False, extra: str = "") -> str:
    """Rules of a NAT router whose outside interface is `outside`.

    Without `random` a local port keeps its number for every destination; with it, each destination
    sees another. New connections from outside are dropped, also to the router itself: an early check
    would otherwise make an entry in its table that takes the port.
    """
    how = "masquerade random,fully-random" if random else "masquerade"
    return f"""
table ip nat {{
  chain post {{
    type nat hook postrouting priority 100
    oifname "{outside}" {how}
  }}
}}
table inet filter {{
  chain input {{
    type filter hook input priority 0
    iifname "{outside}" ct state new drop
  }}
  chain forward {{
    type filter hook forward priority 0
    iifname "{outside}" ct state new drop
    {extra}
  }}
}}
"""


def forward_rules(*rules: str, hook: str = "forward") -> str:
    """A ruleset of plain filter rules on one hook."""
    body = "\n    ".join(rules)
    return f"""
table inet filter {{
  chain {hook} {{
    type filter hook {hook} priority 0
    {body}
  }}
}}
"""


def filter_from_now_on(rule: str) -> str:
    """A command that puts one more filter rule in force on a router, for use in mid-call."""
    chain = "add chain inet cut forward { type filter hook forward priority 0; }"
    return f"nft add table inet cut && nft '{chain}' && nft 'add rule inet cut forward {rule}'"


def forget_mappings(udp: str = "meta l4proto udp") -> str:
    """A command for a NAT router in mid-call: forget all mappings, and give new ports from now on."""
    return f"nft insert rule ip nat post oifname public {udp} masquerade to :20000-29999 && conntrack -F"


def with_rules(topology: Topology, node: str, rules: str, note: str) -> Topology:
    """The same network, with a ruleset on one node and a line about it below the drawing."""
    nodes = tuple(replace(one, rules=rules) if one.name == node else one for one in topology.nodes)
    return replace(topology, nodes=nodes, drawing=f"{topology.drawing}\n  {note}\n")


def lan() -> Topology:
    """Both agents in one network."""
    return Topology(
        (
            Node("offerer", (Link("lan", ("192.168.10.10/24",)),), ("default via 192.168.10.1",)),
            Node("answerer", (Link("lan", ("192.168.10.20/24",)),), ("default via 192.168.10.1",)),
        ),
        """
  offerer 192.168.10.10 ----- lan 192.168.10.0/24 ----- 192.168.10.20 answerer
""",
    )


def asymmetric(*, way_back: bool, stateful: bool = False) -> Topology:
    """The offerer's default route leads through a NAT; the answerer reaches it past the NAT."""
    edge = "" if way_back else forward_rules('iifname "lan-b" oifname "core" ip saddr != 10.20.0.5 drop')
    note = "lets traffic pass both ways" if way_back else "drops what lan-b sends to core, but for the server"
    if stateful:
        edge = forward_rules('iifname "core" oifname "lan-b" ct state new drop')
        note = "lets in only what belongs to something that went out there"
    return Topology(
        (
            Node("offerer", (Link("lan-a", ("192.168.10.10/24",)),), ("default via 192.168.10.1",)),
            Node(
                "nat-a",
                (Link("lan-a", ("192.168.10.1/24",)), Link("core", ("172.30.0.2/24",))),
                ("default via 172.30.0.1",),
                forward=True,
                rules=masquerade("core"),
            ),
            Node(
                "edge-b",
                (Link("core", ("172.30.0.1/24",)), Link("lan-b", ("10.20.0.1/24",))),
                forward=True,
                rules=edge,
            ),
            Node(
                "side-router",
                (Link("lan-a", ("192.168.10.2/24",)), Link("lan-b", ("10.20.0.2/24",))),
                forward=True,
            ),
            Node(
                "answerer",
                (Link("lan-b", ("10.20.0.20/24",)),),
                ("default via 10.20.0.1", "192.168.10.0/24 via 10.20.0.2"),
            ),
            Node("server", (Link("lan-b", ("10.20.0.5/24",)),), ("default via 10.20.0.1",)),
        ),
        f"""
  lan-a 192.168.10.0/24                                          lan-b 10.20.0.0/24
        |                                                              |
        |--- .1 nat-a 172.30.0.2 --- core --- 172.30.0.1 edge-b .1 ----|
        |       (masquerade)         172.30.0.0/24                     |--- .5 server
        |                                                              |
        |--- .2 side-router (no NAT) .2 -------------------------------|
        |                                                              |
  offerer .10                                                     answerer .20
  default via nat-a                                 192.168.10.0/24 via side-router
                                                    everything else via edge-b

  edge-b {note}.
""",
    )


def routed(rules: str = "", *, ipv6: bool = False, mtu: int = 1500) -> Topology:
    """Two networks and a router between them that may filter; no NAT."""
    six = ("2001:db8:10::10/64", "2001:db8:10::1/64", "2001:db8:20::1/64", "2001:db8:20::20/64")
    v6 = [(address,) if ipv6 else () for address in six]
    default_a = ("default via 192.168.10.1", *(("default via 2001:db8:10::1",) if ipv6 else ()))
    default_b = ("default via 192.168.20.1", *(("default via 2001:db8:20::1",) if ipv6 else ()))
    drawing = """
  offerer .10 --- lan-a 192.168.10.0/24 --- .1 router .1 --- lan-b 192.168.20.0/24 --- .20 answerer
"""
    if ipv6:
        drawing += "  and in IPv6 ::10, 2001:db8:10::/64, ::1, ::1, 2001:db8:20::/64, ::20\n"
    return Topology(
        (
            Node("offerer", (Link("lan-a", ("192.168.10.10/24", *v6[0])),), default_a),
            Node(
                "router",
                (Link("lan-a", ("192.168.10.1/24", *v6[1])), Link("lan-b", ("192.168.20.1/24", *v6[2]), mtu)),
                forward=True,
                rules=rules,
            ),
            Node("answerer", (Link("lan-b", ("192.168.20.20/24", *v6[3])),), default_b),
        ),
        drawing,
    )


PRIVATE = "{ 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 }"


def _public() -> tuple[Node, Node]:
    # The provider drops private destinations in silence, as most do; the server needs its default
    # route, since coturn dies where a peer's network is unreachable.
    isp = Node(
        "isp",
        (Link("public", ("203.0.113.1/24",)),),
        ("blackhole default",),
        forward=True,
    )
    server = Node("server", (Link("public", ("203.0.113.5/24",)),), ("default via 203.0.113.1",))
    return isp, server


def behind_nat(
    side: str, *, random: bool = False, extra: str = "", rules: str = "", before: str = ""
) -> tuple[Node, Node]:
    """One agent and its NAT router; `side` is "offerer" or "answerer"."""
    letter, third, outside, host = ("a", 10, 10, 10) if side == "offerer" else ("b", 20, 20, 20)
    net = f"lan-{letter}"
    nat = Node(
        f"nat-{letter}",
        (Link(net, (f"192.168.{third}.1/24",)), Link("public", (f"203.0.113.{outside}/24",))),
        ("default via 203.0.113.1",),
        forward=True,
        rules=before + (rules or masquerade("public", random=random, extra=extra)),
    )
    agent = Node(side, (Link(net, (f"192.168.{third}.{host}/24",)),), (f"default via 192.168.{third}.1",))
    return agent, nat


def two_nats(
    *, random_a: bool = False, random_b: bool = False, extra_a: str = "", extra_b: str = "", rules_b: str = ""
) -> Topology:
    """Each agent behind a NAT of its own, a server on the public network between them."""
    kind_a = "a port of its own for each destination" if random_a else "one port for all destinations"
    kind_b = "a port of its own for each destination" if random_b else "one port for all destinations"
    if rules_b:
        kind_b = "one to one, open to all"
    note_a, note_b = (f"; {extra}" if extra else "" for extra in (extra_a, extra_b))
    return Topology(
        (
            *behind_nat("offerer", random=random_a, extra=extra_a),
            *behind_nat("answerer", random=random_b, extra=extra_b, rules=rules_b),
            *_public(),
        ),
        f"""
  offerer 192.168.10.10 --- lan-a --- .1 nat-a 203.0.113.10 ---+
                                                               |--- public 203.0.113.0/24 --- .5 server
  answerer 192.168.20.20 -- lan-b --- .1 nat-b 203.0.113.20 ---+                          --- .1 isp

  nat-a: {kind_a}{note_a}
  nat-b: {kind_b}{note_b}
  isp: drops what is sent to private addresses
""",
    )


def one_nat(*, random: bool = False, extra: str = "") -> Topology:
    """The offerer behind a NAT, the answerer and a server on the public network."""
    note = f"; {extra}" if extra else ""
    return Topology(
        (
            *behind_nat("offerer", random=random, extra=extra),
            Node("answerer", (Link("public", ("203.0.113.80/24",)),), ("default via 203.0.113.1",)),
            *_public(),
        ),
        f"""
  offerer 192.168.10.10 --- lan-a --- .1 nat-a 203.0.113.10 --- public 203.0.113.0/24 --- .80 answerer
                                                                     |--- .5 server
                                                                     |--- .1 isp (drops)
  nat-a: {"a port of its own for each destination" if random else "one port for all destinations"}{note}
""",
    )
