"""The words of DTLS: names of handshake messages and alerts, as the registries of TLS have them."""

from __future__ import annotations

HANDSHAKES = {
    0: "hello-request",
    1: "client-hello",
    2: "server-hello",
    3: "hello-verify-request",
    4: "new-session-ticket",
    5: "end-of-early-data",
    6: "hello-retry-request",
    8: "encrypted-extensions",
    9: "request-connection-id",
    10: "new-connection-id",
    11: "certificate",
    12: "server-key-exchange",
    13: "certificate-request",
    14: "server-hello-done",
    15: "certificate-verify",
    16: "client-key-exchange",
    20: "finished",
    21: "certificate-url",
    22: "certificate-status",
    23: "supplemental-data",
    24: "key-update",
    25: "compressed-certificate",
    254: "message-hash",
}
"""Type of a handshake message -> its name (TLS HandshakeType registry; 6 is reserved there for this use)."""
SERVERS = (2, 3, 6, 12, 13, 14)
"""Messages that only a server sends."""
ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    52: "too_many_cids_requested",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value",
    115: "unknown_psk_identity",
    116: "certificate_required",
    117: "general_error",
    120: "no_application_protocol",
    121: "ech_required",
}
"""Code of an alert -> its name (TLS Alerts registry)."""
LEVELS = {1: "warning", 2: "fatal"}
VERSIONS = {0xFEFF: "1.0", 0xFEFD: "1.2", 0xFEFC: "1.3", 0x0100: "0.9"}
"""Version as on the wire -> as written; 0.9 is what OpenSSL had before RFC 4347."""
