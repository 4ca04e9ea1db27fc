"""Which of a session's findings explains it, and which follow from that.

The order is this table, and nothing else: of the errors of one session the first in it is the cause.  What a router
or a server said in so many words stands before what follows from silence; what names the place of the fault before
what names only its effect; and what broke a session that had worked before what might have kept it from working.
"""

from __future__ import annotations

from collections.abc import Sequence

from stunpcap.diagnose.finding import ERROR, LOW, Finding
from stunpcap.schema import PART

ORDER = (
    # A session that had worked: what took its relay or its path away.
    "turn-mismatch",
    "turn-allocation-expired",
    "turn-permission-missing",
    "turn-channel-expired",
    "turn-server-lost",
    "ice-restart-incomplete",
    "consent-lost",
    # The checks arrived, and somebody said what was wrong with them.
    "bad-credentials",
    "bad-request",
    "role-conflict",
    # The path, where packets prove what happens to them.
    "one-way-nat",
    "icmp-rejected",
    "one-way-loss",
    "asymmetric-response",
    # TCP is tried beside UDP, as a way around.
    "ice-tcp-refused",
    # Ways around a path that does not work, and why they were not there.
    "turn-unauthorized",
    "turn-forbidden",
    "turn-refused",
    "udp-blocked",
    "stun-server-unreachable",
    "no-hairpin",
    "relay-needed",
    "mdns-unresolved",
    "host-only",
    "no-answer",
    # ICE found a path, and stopped there.
    "never-nominated",
    # The path was there, and what it was for did not come.
    "dtls-alert",
    "dtls-one-way",
    "dtls-stalled",
    "dtls-never-started",
    "media-one-way",
)
"""Names of findings that may be a cause, the first explains the others."""
RANK = {name: number for number, name in enumerate(ORDER)}

FALLBACK = "no-answer"
"""Says only what is certain, however little that explains."""
BESIDE = {"host-only", "relay-needed", "stun-server-unreachable", "turn-unauthorized", "turn-refused", "turn-forbidden"}
"""Errors that follow from no other: what was not there to go around the cause."""

CAUSE, CONSEQUENCE, NOTE = range(len(PART))


def explain(findings: Sequence[Finding]) -> dict[int, Finding]:
    """Mark cause, consequences and side notes among findings; the cause of each session that has one."""
    causes: dict[int, Finding] = {}
    for finding in findings:
        session = finding.hit.session
        if session < 1 or finding.severity != ERROR or finding.name not in RANK:
            continue
        best = causes.get(session)
        if best is None or _rank(finding) < _rank(best):
            causes[session] = finding
    for finding in findings:
        cause = causes.get(finding.hit.session)
        if finding is cause:
            finding.part = CAUSE
        elif cause is not None and finding.severity == ERROR and finding.name not in BESIDE:
            finding.part = CONSEQUENCE
        else:
            finding.part = NOTE
    return causes


def _rank(finding: Finding) -> tuple[bool, int, int]:
    """What is little more than a guess last; then the order of explanation; of the same name the surer one."""
    return finding.hit.confidence == LOW and finding.name != FALLBACK, RANK[finding.name], finding.hit.confidence
