"""The names a label may use: the findings of the catalogue of failures, as this corpus knows them."""

PATHS = (
    "one-way-loss", "no-answer", "asymmetric-response", "one-way-nat", "symmetric-nat", "relay-needed",
    "icmp-rejected", "no-hairpin", "alg-rewrite", "ipv6-path-broken", "dead-interface",
    "unroutable-candidate", "slow-checks", "early-checks",
)  # fmt: skip
SERVERS = (
    "host-only", "stun-server-unreachable", "turn-unauthorized", "turn-forbidden", "turn-mismatch",
    "turn-refused", "turn-permission-missing", "turn-channel-expired", "turn-allocation-expired",
    "turn-server-lost", "udp-blocked", "mdns-unresolved", "opaque-turn-tls",
)  # fmt: skip
ICE = (
    "role-conflict", "bad-credentials", "bad-request", "never-nominated", "late-nomination",
    "gave-up-early", "ice-restart", "ice-restart-incomplete", "consent-lost", "consent-missing",
    "pair-switched", "ice-tcp-refused",
)  # fmt: skip
AFTER = (
    "dtls-never-started", "dtls-one-way", "dtls-stalled", "dtls-alert", "media-one-way", "media-off-pair",
)  # fmt: skip
CAPTURE = (
    "one-sided-capture", "truncated-packets", "duplicate-packets", "capture-started-late",
    "capture-ended-early", "no-stun",
)  # fmt: skip
SECOND = (
    "announced-address-unreachable", "relay-ports-closed", "turn-connection-lost", "agent-silent", "agent-gone",
    "hung-up", "consent-refused", "credentials-mismatch", "never-checked", "stun-behind-nat",
    "no-relay-hairpin", "turn-tls-refused", "server-name-unresolved", "missing-packets",
)  # fmt: skip
"""What real calls called for later."""
FINDINGS = frozenset(PATHS + SERVERS + ICE + AFTER + CAPTURE + SECOND)
STATES = frozenset(("connected", "failed", "disconnected", "checking", "closed", "none"))
