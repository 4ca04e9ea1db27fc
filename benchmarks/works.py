"""What is measured: the captures, the programs, and how much of each capture a program is given."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FIELDS = (
    "frame.number",
    "frame.time_epoch",
    "ip.src",
    "udp.srcport",
    "ip.dst",
    "udp.dstport",
    "stun.type",
    "stun.id",
    "stun.att.username",
    "stun.att.ipv4",
)
COOKIE_FILTER = "udp[12:4] = 0x2112a442"
STUNPCAP = str(Path(sys.executable).with_name("stunpcap"))
TINY = 400
"""Packets of the capture that shows what starting a program takes."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A program that is measured."""

    name: str
    command: Callable[[str], list[str]]
    version: list[str]
    share: float = 1.0
    """The part of the packets it is given; the rest is reckoned."""
    module: str = ""
    """What Python has to have for it."""


def _peer(name: str) -> Callable[[str], list[str]]:
    return lambda path: [sys.executable, "-m", "benchmarks.peers", name, path]


def _ask(name: str) -> list[str]:
    return [sys.executable, "-c", f"import importlib.metadata as m; print('{name}', m.version('{name}'))"]


OURS = Contestant(
    "stunpcap summary --json", lambda path: [STUNPCAP, "summary", "--json", path], [STUNPCAP, "--version"]
)
HELP = Contestant("stunpcap --help", lambda _: [STUNPCAP, "--help"], [STUNPCAP, "--version"])
TCPDUMP = Contestant(
    "tcpdump, filter on the cookie",
    lambda path: ["tcpdump", "-n", "-r", path, "-w", "-", COOKIE_FILTER],  # writing is what it does fastest
    ["tcpdump", "--version"],
)
CAT = Contestant("cat", lambda path: ["cat", path], ["cat", "--version"])
TSHARK = Contestant(
    "tshark -Y stun -T fields, ten of them",
    lambda path: ["tshark", "-n", "-r", path, "-Y", "stun", "-T", "fields", *(w for f in FIELDS for w in ("-e", f))],
    ["tshark", "--version"],
    share=0.2,
)
TSHARK_ALONE = Contestant("tshark -r", lambda path: ["tshark", "-n", "-r", path], ["tshark", "--version"])
DPKT = Contestant("dpkt, the cookie looked for", _peer("dpkt"), _ask("dpkt"), 0.1, "dpkt")
PYSHARK = Contestant("pyshark, display filter stun", _peer("pyshark"), _ask("pyshark"), 0.05, "pyshark")
SCAPY = Contestant("scapy, the cookie looked for", _peer("scapy"), _ask("scapy"), 0.01, "scapy")
PYSHARK_ON_STUN = Contestant(PYSHARK.name, PYSHARK.command, PYSHARK.version, 0.004, "pyshark")


@dataclass(frozen=True, slots=True)
class Work:
    """A capture of one kind, and who takes part."""

    title: str
    kind: str
    count: int
    """Packets; sessions, for `sessions`."""
    contestants: tuple[Contestant, ...]
    """The first is what the others are compared with."""
    growing: tuple[Contestant, ...] = ()
    """Those that get the double and fourfold capture, too."""


WORKS = {
    "media": Work(
        "A media capture: a million packets, 0.2 % STUN",
        "media",
        1_000_000,
        (OURS, TSHARK, TCPDUMP, CAT, DPKT, PYSHARK, SCAPY),
        (OURS, TCPDUMP),
    ),
    "server": Work(
        "A STUN server: half a million messages, 62,000 clients",
        "server",
        500_000,
        (OURS, TSHARK, TCPDUMP, DPKT, PYSHARK_ON_STUN, SCAPY),
        (OURS,),
    ),
    "sessions": Work(
        "A media server: 10,000 sessions, of which a fifth fail",
        "sessions",
        10_000,
        (OURS, TSHARK, TCPDUMP),
        (OURS,),
    ),
    "tiny": Work("A tiny capture: 400 packets", "media", TINY, (OURS, HELP, TSHARK_ALONE, TCPDUMP)),
}
"""What to measure, by the name it is asked for by.  Whom to add to one: a `Contestant`."""
GROWTH = (2, 4)
