"""The rule about DTLS alerts: who refused the handshake, and why."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose.advice import Steps
from stunpcap.diagnose.facts import Facts, groups
from stunpcap.diagnose.finding import ERROR, GUESS, INFERRED, SAID, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.schema import ENDED_BY
from stunpcap.table import MISSING

CERTIFICATE = {
    "bad_certificate",
    "unsupported_certificate",
    "certificate_unknown",
    "certificate_revoked",
    "certificate_expired",
    "unknown_ca",
    "decrypt_error",
}
NOTHING_IN_COMMON = {"handshake_failure", "protocol_version", "insufficient_security", "illegal_parameter"}


@rule("dtls-alert", ERROR, "RFC 6347 section 4.1.2.7", "RFC 8446 section 6")
def dtls_alert(facts: Facts) -> Iterator[Hit]:
    """The DTLS handshake is refused with an alert.

    Evidence: an alert record ends the handshake, and no data follows. In DTLS 1.3 alerts are encrypted: then it is
    records of an alert's length that end the handshake, which is a guess.

    Likely cause: a certificate that is not the one whose fingerprint was signalled (`certificate_unknown`,
    `bad_certificate`); no cipher suite, curve or version in common (`handshake_failure`, `protocol_version`).

    Not to be confused with: `close_notify`, with which connections end; `dtls-stalled`, where records get lost.

    What to try: for certificates compare `a=fingerprint` in the SDP with the certificate that the agent shows; for
    `handshake_failure` compare what both libraries offer.
    """
    table = facts["handshakes"]
    ended = (table["ended_by"] >= 0) | facts.has("handshakes", "state", "failed")
    # A guess from the length of records needs both directions: what followed may be in the one that was not captured.
    both = (table["client_frame"] > 0) & (table["server_frame"] > 0)
    ended &= both | ~facts.has("handshakes", "ended_by", "protected-alert", "short-records")
    surest = np.where(table["ended_by"] < 0, len(ENDED_BY), table["ended_by"])
    for rows in groups(ended & (table["session_id"] >= 1), table["session_id"]):
        row = int(rows[np.lexsort((rows, surest[rows]))[0]])
        client, server = int(table["client"][row]), int(table["server"][row])
        how = ENDED_BY[int(table["ended_by"][row])] if table["ended_by"][row] >= 0 else "alert"
        name = facts.word(int(table["alert"][row]))
        src = int(table["alert_src"][row])
        dst = MISSING if src < 0 else server if src == client else client
        if how == "alert":
            said = f"{facts.text(src) if src >= 0 else 'One of them'} ends the DTLS handshake with the alert {name}"
            shown = f"alert {name}" + (f" from {facts.text(src)} to {facts.text(dst)}" if src >= 0 else "")
        elif how == "protected-alert":
            said = f"{facts.text(src) if src >= 0 else 'One of them'} ends the DTLS handshake with an encrypted alert"
            shown = "an encrypted alert record, and no data after it"
        else:
            said = (
                f"The DTLS handshake between {facts.text(client)} and {facts.text(server)} ends with short records, "
                "which look like an encrypted alert"
            )
            shown = "records as short as an alert are the last of the handshake, and no data follows"
        frame = int(table["alert_frame"][row])
        yield Hit(
            summary=f"{said}.",
            evidence=(
                facts.shown_by(shown, "handshakes", row, frame if frame > 0 else int(table["last_frame"][row])),
                facts.shown_by("the handshake began", "handshakes", row, int(table["first_frame"][row])),
            ),
            advice=_mend_alert(facts, name, src, dst, client, server),
            ground=SAID if how == "alert" else INFERRED if how == "protected-alert" else GUESS,
            session=int(table["session_id"][row]),
            pair=int(table["pair_id"][row]),
            src=src,
            dst=dst,
            time=int(table["started"][row]),
        )


def _mend_alert(facts: Facts, name: str, src: int, dst: int, client: int, server: int) -> Steps:
    ends = (facts.host(src), facts.host(dst)) if src >= 0 else (facts.host(client), facts.host(server))
    if name in NOTHING_IN_COMMON:
        return (
            f"Compare what the DTLS libraries at {ends[0]} and {ends[1]} offer: versions, cipher suites, curves and "
            "types of certificates. One of them is too old or too strict for the other: update it, or allow what the "
            "other one has.",
        )
    certificates = (
        f"Compare `a=fingerprint` in the SDP that {ends[0]} was given with the certificate that {ends[1]} shows in the "
        "handshake: they must belong together.",
        "See that signalling does not hand over the description of another connection, or of an earlier one.",
    )
    if name in CERTIFICATE:
        return certificates
    return (
        *certificates,
        f"Look into the logs of {ends[0]} and {ends[1]}: DTLS libraries write down why they send an alert.",
    )
