"""The registry of rules: what a rule is, and all there are.

A rule's docstring is its documentation: `stunpcap explain` and docs/findings.md are drawn from it.  It opens with one
line that says what the finding means, and has four paragraphs that begin with the words in `PARTS`.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterator

from stunpcap.diagnose.facts import Facts
from stunpcap.diagnose.finding import Hit
from stunpcap.record import record
from stunpcap.schema import SEVERITY

PARTS = ("Evidence:", "Likely cause:", "Not to be confused with:", "What to try:")
FAMILIES = {
    "paths": "Paths: packets that do not arrive",
    "nats": "Asymmetric routing: NAT in one direction",
    "mappings": "What NATs make of addresses",
    "traversal": "NAT traversal: addresses that cannot work, and ways around",
    "interfaces": "Interfaces and address families that lead nowhere",
    "gathering": "Gathering: servers that do not answer, blocked UDP",
    "mdns": "Gathering: names in place of addresses",
    "relays": "TURN: what servers refuse",
    "rebinding": "TURN: clients that the server does not know",
    "allocations": "TURN: relays that stop relaying",
    "connections": "TURN: connections that break",
    "reflexive": "STUN: servers that see the wrong address",
    "relay_paths": "TURN: relayed addresses that nobody reaches",
    "agents": "Agents that are silent, or refuse",
    "grants": "TURN: permissions and channels",
    "opaque_turn": "TURN: what cannot be seen",
    "checks": "ICE itself: checks that are refused",
    "credentials": "ICE itself: credentials",
    "nominations": "ICE itself: nominations",
    "restarts": "ICE itself: restarts",
    "timing": "ICE itself: timing of checks",
    "consent": "What came after ICE: consent",
    "ending": "The end of a call",
    "alerts": "What came after ICE: DTLS alerts",
    "handshake": "What came after ICE: DTLS",
    "media_flow": "What came after ICE: media",
    "capturing": "The capture itself",
    "no_stun": "The capture itself: no STUN",
}
"""Module of `stunpcap.diagnose.hypotheses` -> what its rules are about, in the order of the documentation."""

Judge = Callable[[Facts], Iterator[Hit]]


@record
class Rule:
    """One rule."""

    name: str
    severity: int
    "What it is unless a hit says otherwise."
    family: str
    judge: Judge
    sections: tuple[str, ...]
    "RFC sections it rests on."

    @property
    def title(self) -> str:
        """What the finding means, in a line."""
        return _documentation(self)[0]

    @property
    def parts(self) -> dict[str, str]:
        """Word of `PARTS` without its colon -> paragraph."""
        return _documentation(self)[1]


_RULES: dict[str, Rule] = {}


def rule(name: str, severity: int, *sections: str) -> Callable[[Judge], Judge]:
    """Register a function as the rule of a name."""

    def register(judge: Judge) -> Judge:
        _RULES[name] = Rule(name, severity, judge.__module__.rpartition(".")[2], judge, sections)
        return judge

    return register


@functools.cache
def _documentation(rule: Rule) -> tuple[str, dict[str, str]]:
    """Title and paragraphs of a rule's docstring; read when asked for, since no capture needs them."""
    name, text = rule.name, inspect.getdoc(rule.judge) or ""
    title, *paragraphs = (" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
    parts = {}
    for paragraph in paragraphs:
        part = next((part for part in PARTS if paragraph.startswith(part)), None)
        if part is None:
            raise ValueError(f"{name}: a paragraph begins with none of {PARTS}: {paragraph[:40]}")
        parts[part.removesuffix(":")] = paragraph.removeprefix(part).strip()
    if len(parts) != len(PARTS):
        raise ValueError(f"{name}: its docstring has {', '.join(parts)}, and not all of {PARTS}")
    return title, parts


def all_rules() -> dict[str, Rule]:
    """Every rule by name, family after family."""
    for family in FAMILIES:
        importlib.import_module(f"stunpcap.diagnose.hypotheses.{family}")
    order = list(FAMILIES)
    return dict(sorted(_RULES.items(), key=lambda item: order.index(item[1].family)))


def severity_of(found: Rule) -> str:
    """A rule's own severity in a word."""
    return SEVERITY[found.severity]
