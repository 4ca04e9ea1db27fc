"""Every frame: its columns, what they hold, in which unit, and what they mean.

This is the only place where columns are declared.  Tables are built, turned into pandas, documented
(`docs/frames.md`) and tested from it.  The kind of a column says both how it is kept inside (NumPy, see
`stunpcap.table`) and what a user gets (pandas).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.Enum):
    """How a column is kept inside, and the dtype that a frame shows."""

    CATEGORY = "category"
    ENDPOINT = "endpoint"
    TEXT = "text"
    ID = "transaction id"
    TIME = "time"
    SECONDS = "seconds"
    INTEGER = "integer or missing"
    COUNT = "count"
    UNSIGNED = "unsigned 64-bit or missing"
    FLAG = "flag"


DTYPES = {
    Kind.CATEGORY: "category",
    Kind.ENDPOINT: "str",
    Kind.TEXT: "str",
    Kind.ID: "str",
    Kind.TIME: "datetime64[ns, UTC]",
    Kind.SECONDS: "float64",
    Kind.INTEGER: "Int64",
    Kind.COUNT: "int64",
    Kind.UNSIGNED: "UInt64",
    Kind.FLAG: "bool",
}
"""Kind -> pandas dtype."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of one frame."""

    name: str
    kind: Kind
    meaning: str
    levels: tuple[str, ...] = ()
    """All values of a category, in the order of their codes."""

    def code(self, level: str) -> int:
        """The internal code of a category's level."""
        return self.levels.index(level)


TRANSPORT = ("udp", "tcp", "udplite")
CARRIER = ("plain", "send", "data", "channel")
CLASS = ("request", "indication", "success", "error")
ROLE = ("controlling", "controlled")
INTEGRITY = ("absent", "present", "valid", "invalid")
FINGERPRINT = ("absent", "valid", "invalid")
TRANSACTION_KIND = (
    "check",
    "consent",
    "gather",
    "keepalive",
    "allocate",
    "refresh",
    "permission",
    "channel-bind",
    "connect",
    "connection-bind",
    "connection-attempt",
    "shared-secret",
    "other",
)
OUTCOME = ("success", "error", "icmp", "other-address", "unanswered", "unfinished", "orphan")
CANDIDATE_TYPE = ("host", "srflx", "prflx", "relay", "unknown")
PAIR_STATE = ("succeeded", "failed", "in-progress")
PATH = ("delivered", "lost", "rejected", "rewritten", "unknown")
SESSION_STATE = ("connected", "failed", "checking", "disconnected")
DTLS = ("none", "started", "done", "failed")
KNOWN_FROM = ("gathering", "check", "mapped", "relay", "signalling")
PLACE = ("endpoint", "between", "unknown")
CONFIDENCE = ("high", "medium", "low")
MAPPING = (
    "none",
    "endpoint-independent",
    "address-dependent",
    "address-and-port-dependent",
    "unknown",
)
LAYER = ("file", "link", "network", "transport", "stun")


_VANTAGE = Column("vantage", Kind.TEXT, "which capture: the stem of the file's name, unless another was given")
_SESSION = Column("session_id", Kind.INTEGER, "the session it belongs to; missing if to none")
_SRC = Column("src", Kind.ENDPOINT, "sender's address and port")
_DST = Column("dst", Kind.ENDPOINT, "receiver's address and port")
_TRANSPORT = Column("transport", Kind.CATEGORY, "transport protocol", TRANSPORT)
_CARRIER = Column(
    "carrier",
    Kind.CATEGORY,
    "how it travelled: `plain`, or inside TURN: in a `send` or `data` indication or a `channel`; then `src` and "
    "`dst` are the relayed and the peer's address",
    CARRIER,
)
_FIRST = Column("first_time", Kind.TIME, "time of the first packet")
_LAST = Column("last_time", Kind.TIME, "time of the last packet")

FRAMES: dict[str, tuple[Column, ...]] = {
    "messages": (
        _VANTAGE,
        Column("frame", Kind.COUNT, "frame number as Wireshark counts, from 1 in each capture"),
        Column("time", Kind.TIME, "when the packet was captured"),
        _SRC,
        _DST,
        _TRANSPORT,
        _CARRIER,
        Column("class", Kind.CATEGORY, "class of the message (RFC 8489 section 5)", CLASS),
        Column("method", Kind.TEXT, "method: `binding`, `allocate`, …; `0x…` if unknown"),
        Column("transaction_id", Kind.ID, "transaction id in hex: 24 digits, 32 in classic STUN"),
        Column("size_bytes", Kind.COUNT, "length of the message, header included, as it says itself"),
        Column("username", Kind.TEXT, "USERNAME; in a check `receiver-ufrag:sender-ufrag`"),
        Column("role", Kind.CATEGORY, "the sender's ICE role, from ICE-CONTROLLING or ICE-CONTROLLED", ROLE),
        Column("tie_breaker", Kind.UNSIGNED, "tie-breaker that came with the role"),
        Column("priority", Kind.INTEGER, "PRIORITY: what a peer-reflexive candidate learned from this check would get"),
        Column("use_candidate", Kind.FLAG, "the sender nominates this pair (USE-CANDIDATE, or libwebrtc's NOMINATION)"),
        Column(
            "mapped",
            Kind.ENDPOINT,
            "the requester's address as the responder saw it (XOR-MAPPED-ADDRESS, MAPPED-ADDRESS)",
        ),
        Column("relayed", Kind.ENDPOINT, "XOR-RELAYED-ADDRESS: the address a TURN server allocated"),
        Column("peer", Kind.ENDPOINT, "first XOR-PEER-ADDRESS"),
        Column("error_code", Kind.INTEGER, "code of an error response"),
        Column("error_reason", Kind.TEXT, "reason phrase of an error response, as the server wrote it"),
        Column("lifetime_s", Kind.INTEGER, "LIFETIME in seconds"),
        Column("channel", Kind.INTEGER, "CHANNEL-NUMBER"),
        Column("realm", Kind.TEXT, "REALM"),
        Column("software", Kind.TEXT, "SOFTWARE, or SERVER in classic STUN"),
        Column(
            "integrity",
            Kind.CATEGORY,
            "MESSAGE-INTEGRITY, -SHA256 or libwebrtc's short one; `present` if there was no password to check it with",
            INTEGRITY,
        ),
        Column("fingerprint", Kind.CATEGORY, "FINGERPRINT (CRC-32)", FINGERPRINT),
        Column("ttl", Kind.INTEGER, "time to live or hop limit of the packet"),
        Column("classic", Kind.FLAG, "no magic cookie: RFC 3489 or a variant of it"),
        Column("defects", Kind.TEXT, "what is wrong with the message, separated by `; `; empty if nothing"),
        _SESSION,
        Column(
            "duplicate", Kind.FLAG, "the same packet captured a second time (interface `any`, mirror port): not counted"
        ),
        Column(
            "retransmit_count", Kind.INTEGER, "libwebrtc's 0xFF00: checks without answer so far; echoed in the response"
        ),
    ),
    "transactions": (
        _SESSION,
        Column("kind", Kind.CATEGORY, "what the request was for", TRANSACTION_KIND),
        _VANTAGE,
        Column("transaction_id", Kind.ID, "transaction id in hex"),
        _SRC,
        _DST,
        _TRANSPORT,
        _CARRIER,
        Column("method", Kind.TEXT, "method of the request"),
        Column("transmissions", Kind.COUNT, "request packets captured, the first included"),
        _FIRST,
        _LAST,
        Column("response_time", Kind.TIME, "time of the first response"),
        Column("rtt_s", Kind.SECONDS, "round trip; missing where retransmissions make it ambiguous (Karn)"),
        Column(
            "outcome",
            Kind.CATEGORY,
            "what was captured of it: `other-address`: a response with this id came from, or went to, an address that "
            "does not mirror the request; `unfinished`: the capture ended before the agent would have given up; "
            "`orphan`: a response whose request was not captured",
            OUTCOME,
        ),
        Column("error_code", Kind.INTEGER, "code of the error response"),
        Column("response_src", Kind.ENDPOINT, "where the response came from"),
        Column("response_dst", Kind.ENDPOINT, "where the response went to"),
        Column("mapped", Kind.ENDPOINT, "the requester's address as the response gives it"),
        Column("icmp", Kind.TEXT, "ICMP error that quotes a transmission, and who sent it"),
        Column("request_frame", Kind.INTEGER, "frame of the first transmission"),
        Column("response_frame", Kind.INTEGER, "frame of the first response"),
        Column("icmp_frame", Kind.INTEGER, "frame of the ICMP error"),
        Column("nominating", Kind.FLAG, "the request carried USE-CANDIDATE"),
        Column("role", Kind.CATEGORY, "role the sender claimed", ROLE),
        Column("username", Kind.TEXT, "USERNAME of the request"),
        Column("responses", Kind.COUNT, "response packets captured, duplicates not counted"),
        Column(
            "unheard",
            Kind.FLAG,
            "the request was repeated over a second after its response had been captured: that did not arrive",
        ),
    ),
    "sessions": (
        Column("session_id", Kind.COUNT, "number of the session, from 1, in order of time"),
        Column("ufrag_a", Kind.TEXT, "username fragment of agent A, who sent the first check captured"),
        Column("ufrag_b", Kind.TEXT, "username fragment of agent B"),
        Column(
            "controlling", Kind.TEXT, "username fragment of the agent that was controlling in the end; empty if unclear"
        ),
        Column("generation", Kind.COUNT, "0 for the first session of two agents, one more for each ICE restart"),
        Column("start", Kind.TIME, "first check"),
        Column("end", Kind.TIME, "last packet of a check"),
        Column("state", Kind.CATEGORY, "how it ended", SESSION_STATE),
        Column("pairs", Kind.COUNT, "candidate pairs on which checks were seen, both directions as one"),
        Column("nominated_src", Kind.ENDPOINT, "nominated pair: A's side"),
        Column("nominated_dst", Kind.ENDPOINT, "nominated pair: B's side"),
        Column("time_to_connect_s", Kind.SECONDS, "from the first check to the answer to the first nomination"),
        Column("dtls", Kind.CATEGORY, "what the DTLS handshake on the session's pairs came to", DTLS),
        Column(
            "media_ab_packets", Kind.COUNT, "RTP, RTCP and DTLS application packets from A to B on the session's pairs"
        ),
        Column("media_ba_packets", Kind.COUNT, "the same from B to A"),
        Column("checks", Kind.COUNT, "transactions of both directions, consent included"),
        Column("restart_of", Kind.INTEGER, "the session that this one restarted"),
        Column("role_changes", Kind.COUNT, "how often an agent changed its role"),
        Column("vantages", Kind.TEXT, "captures that saw it, separated by `, `"),
        Column("first_frame", Kind.INTEGER, "frame of the first check, in the first of these captures"),
        Column(
            "tags",
            Kind.TEXT,
            "what is special: `no username`, `one agent only answers` (ICE-lite, say), `one-way capture`, `only "
            "requests`, `only responses`; separated by `, `",
        ),
    ),
    "pairs": (
        _SESSION,
        Column("pair_id", Kind.COUNT, "the same for both directions"),
        _VANTAGE,
        _SRC,
        _DST,
        Column(
            "src_type", Kind.CATEGORY, "type of the candidate `src`, as far as the capture can know it", CANDIDATE_TYPE
        ),
        Column("dst_type", Kind.CATEGORY, "type of the candidate `dst`", CANDIDATE_TYPE),
        _TRANSPORT,
        _CARRIER,
        Column(
            "requests_sent",
            Kind.COUNT,
            "checks, consent included: distinct transactions (getStats' requestsSent, as libwebrtc counts it)",
        ),
        Column("transmissions", Kind.COUNT, "packets of these checks, retransmissions included"),
        Column("responses_received", Kind.COUNT, "success responses that mirror their request (W3C responsesReceived)"),
        Column("errors_received", Kind.COUNT, "error responses"),
        Column("icmp_received", Kind.COUNT, "checks answered by an ICMP error"),
        Column("unanswered", Kind.COUNT, "checks without any answer although the agent had time to wait for it"),
        Column("rtt_min_s", Kind.SECONDS, "shortest round trip"),
        Column("rtt_median_s", Kind.SECONDS, "median round trip"),
        Column("state", Kind.CATEGORY, "what the checks from `src` to `dst` came to", PAIR_STATE),
        Column("nominated", Kind.FLAG, "a check with USE-CANDIDATE succeeded on this pair, in either direction"),
        Column(
            "path",
            Kind.CATEGORY,
            "what happened to packets from `src` to `dst`: `rewritten` where they arrived with another source",
            PATH,
        ),
        _FIRST,
        _LAST,
        Column("first_frame", Kind.INTEGER, "frame of the first check"),
        Column("consent_requests_sent", Kind.COUNT, "those of `requests_sent` that only renewed consent (RFC 7675)"),
        Column("other_address", Kind.COUNT, "checks whose answer came from, or went to, another address"),
        Column("unfinished", Kind.COUNT, "checks still open when the capture ended"),
        Column("mapped", Kind.ENDPOINT, "the address `src` was seen as by `dst`"),
        Column("ufrag", Kind.TEXT, "username fragment of the agent at `src`"),
        Column("role", Kind.CATEGORY, "role the agent at `src` claimed last", ROLE),
        Column("last_answer_time", Kind.TIME, "time of the last answer that mirrors its check"),
    ),
    "candidates": (
        _SESSION,
        Column("ufrag", Kind.TEXT, "username fragment of the agent it belongs to"),
        Column("address", Kind.ENDPOINT, "transport address of the candidate"),
        Column("type", Kind.CATEGORY, "type, never guessed from the range of an address", CANDIDATE_TYPE),
        Column("base", Kind.ENDPOINT, "for reflexive candidates the local address behind it (RFC 8445 section 4)"),
        Column("server", Kind.ENDPOINT, "STUN or TURN server, or the peer, that told the address"),
        Column(
            "known_from",
            Kind.CATEGORY,
            "`gathering`: an answer of a server; `check`: the source or target of checks; `mapped`: an answer to a "
            "check; `relay`: an allocation",
            KNOWN_FROM,
        ),
        Column("priority", Kind.INTEGER, "priority, where the capture tells it (PRIORITY of its checks, for prflx)"),
        Column("checked", Kind.FLAG, "the other agent sent checks to it"),
        _FIRST,
        _TRANSPORT,
    ),
    "flows": (
        _VANTAGE,
        _SRC,
        _DST,
        _TRANSPORT,
        Column("packets", Kind.COUNT, "packets in this direction"),
        Column("bytes", Kind.COUNT, "bytes of UDP or TCP payload, as the headers give it"),
        Column(
            "stun",
            Kind.COUNT,
            "packets with STUN messages; on TCP this and the next four count messages and framed packets, of which a "
            "segment may hold several",
        ),
        Column("dtls", Kind.COUNT, "packets with DTLS records"),
        Column("rtp", Kind.COUNT, "RTP packets, SRTP included"),
        Column("rtcp", Kind.COUNT, "RTCP packets, SRTCP included"),
        Column("channel", Kind.COUNT, "TURN ChannelData"),
        Column("other", Kind.COUNT, "anything else; on TCP also segments without data"),
        _FIRST,
        _LAST,
        Column("first_frame", Kind.COUNT, "frame of the first packet"),
        Column("ttl_min", Kind.INTEGER, "smallest time to live seen"),
        Column("ttl_max", Kind.INTEGER, "largest time to live seen"),
        Column("syn", Kind.COUNT, "TCP segments that ask for a connection (SYN), retransmissions included"),
        Column("syn_ack", Kind.COUNT, "TCP segments that accept one (SYN and ACK)"),
        Column("rst", Kind.COUNT, "TCP segments that refuse or break one (RST)"),
    ),
    "mappings": (
        _VANTAGE,
        _SESSION,
        Column("base", Kind.ENDPOINT, "local address of the agent: source of the requests as captured"),
        Column("dst", Kind.ENDPOINT, "who was asked"),
        Column("mapped", Kind.ENDPOINT, "how the asked one saw `base`"),
        Column("translated", Kind.FLAG, "`mapped` differs from `base`"),
        Column("port_kept", Kind.FLAG, "same port outside as inside"),
        Column(
            "behaviour",
            Kind.CATEGORY,
            "mapping behaviour of the NATs in front of `base`, over all destinations asked (RFC 4787 section 4.1)",
            MAPPING,
        ),
        _FIRST,
        Column("first_frame", Kind.INTEGER, "frame of the first answer that tells it"),
    ),
    "vantages": (
        _VANTAGE,
        Column("path", Kind.TEXT, "the capture as it was named"),
        Column("format", Kind.TEXT, "file format and compression"),
        Column("packets", Kind.COUNT, "packets read"),
        Column("bytes", Kind.COUNT, "captured bytes"),
        _FIRST,
        _LAST,
        Column("stun_messages", Kind.COUNT, "STUN messages found, quoted ones not counted"),
        Column("link_types", Kind.TEXT, "link types of its interfaces"),
        Column("place", Kind.CATEGORY, "where it was taken: at an endpoint of the calls, or between them", PLACE),
        Column("at", Kind.TEXT, "the address or addresses of the endpoint it was taken at"),
        Column("confidence", Kind.CATEGORY, "how sure the place is", CONFIDENCE),
        Column("evidence", Kind.TEXT, "what the place was concluded from"),
    ),
    "defects": (
        _VANTAGE,
        Column("layer", Kind.CATEGORY, "where it was found", LAYER),
        Column("frame", Kind.INTEGER, "first frame it concerns"),
        Column("offset", Kind.INTEGER, "byte offset in the (decompressed) capture, or in the message for STUN"),
        Column("packets", Kind.COUNT, "how many packets it concerns"),
        Column("defect", Kind.TEXT, "what is wrong, or what could not be read"),
    ),
}
"""Frame name -> columns, in order."""


def column(frame: str, name: str) -> Column:
    """The declaration of one column."""
    for candidate in FRAMES[frame]:
        if candidate.name == name:
            return candidate
    raise KeyError(f"{frame}.{name}")
