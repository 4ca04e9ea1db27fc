"""Networks that several scenarios share, each with its drawing.

Addresses follow one plan: 192.168.10.0/24 behind the offerer's router, 192.168.20.0/24 behind the
answerer's, 203.0.113.0/24 the public network between, 10.20.0.0/24 and 172.30.0.0/24 where a closed
network is meant.
"""

from __future__ import annotations

from captures.lab.model import Link, Node, Topology

DEFAULT = "default via"


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


def asymmetric(*, way_back: bool) -> Topology:
    """The offerer's default route leads through a NAT; the answerer reaches it past the NAT."""
    edge = "" if way_back else forward_rules('iifname "lan-b" oifname "core" ip saddr != 10.20.0.5 drop')
    note = "lets traffic out both ways" if way_back else "drops what lan-b sends to core, but for the server"
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
