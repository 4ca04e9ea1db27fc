"""Every kind of evidence on what became of packets from one address to another: one table.

`stunpcap.ice.evidence` and `stunpcap.ice.across` find it in captures, `stunpcap.ice.directions` weighs it, the frame
`evidence` shows it, and `docs/evidence.md` is drawn from here.
"""

from __future__ import annotations

from stunpcap.record import record

SAYS = ("delivered", "rewritten", "passed", "unheard", "lost", "rejected")
"""What evidence can say of the packets from `src` to `dst`."""
STRENGTH = ("high", "medium", "low")

MEANING = {
    "delivered": "they arrived at `dst`",
    "rewritten": "they arrived with another source than `src`",
    "passed": "they came as far as another capture on the way; no more than that",
    "unheard": "the agent at `dst` could not use them: they were lost, or arrived as from somebody else",
    "lost": "they did not arrive",
    "rejected": "somebody on the way, or the host `dst`, refused them",
}


@record
class Evidence:
    """One kind of evidence."""

    name: str
    says: str
    strength: str
    """The most it is worth."""
    weaker: str
    """When it is worth less, in words; empty if never."""
    meaning: str
    section: str
    """Where the rule is from; empty for plain reasoning."""


KINDS = (
    Evidence(
        "answered",
        "delivered",
        "high",
        "",
        "a check from `src` to `dst` was answered, with success or an error, from where it went to where it came from",
        "RFC 8489 section 6.3.1",
    ),
    Evidence(
        "answered-elsewhere",
        "delivered",
        "high",
        "",
        "an answer with the check's transaction id came from, or went to, an address that does not mirror the check: "
        "the agent must discard it, but somebody received the check",
        "RFC 8445 section 7.2.5.2.1",
    ),
    Evidence(
        "mapped",
        "rewritten",
        "high",
        "",
        "an answer's mapped address, which is where `dst` saw the check come from, is not `src`",
        "RFC 8489 section 14.2",
    ),
    Evidence(
        "seen-as",
        "rewritten",
        "high",
        "",
        "the answer to a check goes to another address than the check came from here: that is its source at `dst` "
        "(`as_src`)",
        "RFC 8445 section 7.3.1.3",
    ),
    Evidence(
        "answer-rewritten",
        "rewritten",
        "high",
        "",
        "an answer from `src` to a check of `dst` comes from another address (`as_src`) than was asked",
        "RFC 8445 section 7.2.5.2.1",
    ),
    Evidence(
        "orphan-answer",
        "delivered",
        "low",
        "",
        "`dst` answers checks of `src` that were not captured: they arrived, by this way or by another",
        "",
    ),
    Evidence(
        "received-here",
        "delivered",
        "medium",
        "",
        "the capture was taken at `dst`, or on its own link, as far as the time to live can tell: packets in it have "
        "arrived there. The host's own firewall comes after the capture, so the agent may not have had them",
        "",
    ),
    Evidence(
        "last-check-received",
        "delivered",
        "high",
        "",
        "`dst` names the check as the last one it received (libwebrtc's attribute 0xC058)",
        "libwebrtc",
    ),
    Evidence(
        "counted-answers",
        "delivered",
        "medium",
        "",
        "libwebrtc's attribute 0xFF00 counts checks since the last answer; it is 0 again in a later check. So checks "
        "of its sender arrived, and so did the answers: evidence for both directions",
        "libwebrtc",
    ),
    Evidence(
        "handshake",
        "delivered",
        "high",
        "",
        "both sides sent protected DTLS packets on these addresses: neither can before it has the other's handshake "
        "messages",
        "RFC 9147 section 5, RFC 6347 section 4.2",
    ),
    Evidence(
        "heard",
        "delivered",
        "medium",
        "low for one or two answers",
        "`dst`, whose checks `src` answered, never repeated them, and let two seconds or more go by before the next "
        "one, as an agent does that has its answers",
        "RFC 7675 section 5.1",
    ),
    Evidence(
        "triggered",
        "delivered",
        "low",
        "",
        "the first check from `dst` to `src` follows the first one from `src` to `dst` within 100 ms, as a triggered "
        "check does",
        "RFC 8445 section 7.3.1.4",
    ),
    Evidence(
        "unheard",
        "unheard",
        "medium",
        "low for one or two transactions, if other answers were heard: packets get lost everywhere",
        "`dst` repeats a check over a second after the success response from `src` to it had been captured",
        "RFC 8489 section 6.2.1",
    ),
    Evidence(
        "restless",
        "unheard",
        "medium",
        "",
        "`dst` goes on checking at least 20 times in 5 s, for 5 s or longer, although its checks were answered "
        "with success, as an agent does that hears no answer",
        "RFC 8445 section 14",
    ),
    Evidence(
        "uncounted-answers",
        "unheard",
        "high",
        "",
        "`dst` counts more checks without answer (0xFF00) than it has sent since an answer from `src` was captured, "
        "a second before or earlier",
        "libwebrtc",
    ),
    Evidence(
        "one-sided",
        "lost",
        "medium",
        "low unless at least eight checks of `dst` were answered, over half a second or more, while three or more "
        "were not",
        "checks from `src` stay without answer, and go on so, while checks from `dst` on the same pair arrive and are "
        "answered: the agent at `dst` is alive and has all that it needs to answer. It is never strong: the agent may "
        "be silent for reasons of its own (wrong credentials), and where a NAT rewrites checks on their way, answers "
        "go astray in the same manner",
        "RFC 8445 section 7.3",
    ),
    Evidence(
        "missed-transmissions",
        "lost",
        "low",
        "",
        "the answer says that it is the n-th to a later transmission than the n-th (TRANSACTION_TRANSMIT_COUNTER)",
        "RFC 7982 section 3",
    ),
    Evidence(
        "icmp",
        "rejected",
        "high",
        "low for one or two where other checks were answered: that is how calls end",
        "an ICMP error that says the packet is lost quotes a check that was never answered",
        "RFC 8445 section 7.2.5.2.4",
    ),
    Evidence(
        "crossed",
        "delivered",
        "high",
        "",
        "the same message was captured at `dst`, too (`other_vantage`)",
        "",
    ),
    Evidence(
        "crossed-rewritten",
        "rewritten",
        "high",
        "",
        "the same message was captured at `dst`, too, where it came from another address (`as_src`)",
        "",
    ),
    Evidence(
        "passed-by",
        "passed",
        "high",
        "",
        "the same message was captured further on its way, too, as from `as_src` to `as_dst`",
        "",
    ),
    Evidence(
        "vanished",
        "lost",
        "high",
        "medium if the other capture is not at `dst`, but earlier messages had come by it; low for one or two messages",
        "messages captured here, and none of them in the capture at `dst`, which was running: messages before and "
        "after are in both. Only those count that were sent after the last one that crossed",
        "",
    ),
    Evidence(
        "media-vanished",
        "lost",
        "medium",
        "",
        "media or DTLS captured here, and none at all in the capture at `dst`, although checks crossed",
        "",
    ),
)
"""Every kind, in the order in which the pages show them."""

NAMES = tuple(kind.name for kind in KINDS)
