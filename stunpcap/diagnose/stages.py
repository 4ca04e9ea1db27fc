"""Which stage of a call each hypothesis may explain, and which of two that explain the same comes first: one table.

The order breaks ties only, between hypotheses that pass the same tests and explain as much: what a router or a server
said in so many words stands before what follows from silence; what names the place of the fault before what names only
its effect; and what broke a session that had worked before what might have kept it from working.
"""

from __future__ import annotations

from stunpcap.schema import STAGE
from stunpcap.table import MISSING

_CHECKS, _ICE, _DTLS, _MEDIA = (STAGE.index(name) for name in ("checks", "ice", "dtls", "media"))
START = frozenset({_CHECKS, _ICE})
"""ICE never had a pair."""
LATER = frozenset({_MEDIA})
"""The pair in use died, or carries nothing in one direction."""
NONE = frozenset({MISSING})
"""Nothing failed so far: the pair in use still works, and is about to be left."""

ORDER: dict[str, frozenset[int]] = {
    # What took a relay or a path away.
    "turn-mismatch": START | LATER,
    "turn-allocation-expired": START | LATER,
    "turn-permission-missing": START | LATER,
    "turn-channel-expired": START | LATER,
    "turn-connection-lost": LATER,
    "turn-server-lost": START | LATER,
    "ice-restart-incomplete": START | LATER | NONE,
    # The checks arrived, and somebody said what was wrong with them.
    "bad-credentials": START,
    "credentials-mismatch": START,
    "bad-request": START,
    "role-conflict": START,
    # The path, where packets prove what happens to them.
    "one-way-nat": START,
    "relay-ports-closed": START,
    "announced-address-unreachable": START,
    "icmp-rejected": START | LATER,
    "agent-silent": START | LATER,
    "consent-refused": LATER,
    "consent-lost": LATER,
    "one-way-loss": START,
    "asymmetric-response": START,
    # TCP is tried beside UDP, as a way around.
    "ice-tcp-refused": START,
    # Ways around a path that does not work, and why they were not there.
    "turn-unauthorized": START | LATER,
    "turn-forbidden": START | LATER,
    "turn-refused": START | LATER,
    "udp-blocked": START,
    "stun-server-unreachable": START,
    "stun-behind-nat": START,
    "no-relay-hairpin": START,
    "no-hairpin": START,
    "relay-needed": START,
    "never-checked": START,
    "mdns-unresolved": START,
    "host-only": START,
    "no-answer": START,
    # ICE found a path, and stopped there.
    "never-nominated": START,
    # The path was there, and what it was for did not come.
    "dtls-alert": frozenset({_DTLS}),
    "dtls-one-way": frozenset({_DTLS}),
    "dtls-stalled": frozenset({_DTLS}),
    "dtls-never-started": frozenset({_DTLS}),
    "media-one-way": LATER,
}
"""Name of a finding that may be a cause -> the stages that it may explain."""
EXPLAINS = ORDER
RANK = {name: number for number, name in enumerate(ORDER)}

ENDS = ("hung-up", "agent-gone")
"""How a call ended: no fault, and what explains a call whose other agent went on, for want of a word."""
FALLBACK = "no-answer"
"""Says only what is certain, however little that explains."""
BESIDE = {"host-only", "relay-needed", "stun-server-unreachable", "turn-unauthorized", "turn-refused", "turn-forbidden"}
"""Errors that follow from no other: what was not there to go around the cause."""
