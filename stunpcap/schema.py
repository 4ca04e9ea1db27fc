"""Every frame: its columns, what they hold, in which unit, and what they mean.

This is the only place where columns are declared.  Tables are built, turned into pandas, documented
(`docs/frames.md`) and tested from it.  The kind of a column says both how it is kept inside (NumPy, see
`stunpcap.table`) and what a user gets (pandas).
"""

from __future__ import annotations

import enum

from stunpcap.evidence import NAMES, SAYS, STRENGTH
from stunpcap.record import record


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
    FRAMES = "frame numbers"


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
    Kind.FRAMES: "object",
}
"""Kind -> pandas dtype."""


@record
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
SESSION_STATE = ("connected", "failed", "checking", "disconnected", "closed")
SELECTED_BY = ("nomination", "dtls", "media", "consent")
ENDED_HOW = ("close-notify", "refresh-0", "port-unreachable")
STAGE = ("gathering", "checks", "ice", "dtls", "media", "end")
STAGE_STATUS = ("ok", "failed", "open", "not-reached", "unseen")
DTLS = ("none", "started", "done", "failed")
KNOWN_FROM = ("gathering", "check", "mapped", "relay", "signalling")
PLACE = ("endpoint", "between", "unknown")
CONFIDENCE = STRENGTH
MAPPING = (
    "none",
    "endpoint-independent",
    "address-dependent",
    "address-and-port-dependent",
    "unknown",
)
ALLOCATION_STATE = ("active", "refused", "expired", "deleted", "lost")
GRANT_STATE = ("active", "expired", "refused", "unanswered")
OPAQUE = ("", "tls", "dtls")
QUOTED = ("stun", "dtls", "rtp", "channel", "tcp", "other")
SEVERITY = ("error", "warning", "info")
PART = ("cause", "consequence", "note", "ruled-out", "possible")
LAYER = ("file", "link", "network", "transport", "stun", "signalling")
SIDE = ("local", "remote")
DESCRIPTION = ("offer", "answer", "pranswer")
PROOF = ("valid", "invalid")
STAT_STATE = ("frozen", "waiting", "in-progress", "failed", "succeeded", "cancelled")
CONTENT = (
    "change-cipher-spec",
    "alert",
    "handshake",
    "application-data",
    "heartbeat",
    "connection-id",
    "ack",
    "hidden",
    "unknown",
)
HANDSHAKE_STATE = ("started", "answered", "stalled", "done", "failed")
ENDED_BY = ("alert", "protected-alert", "short-records")
STREAM_KIND = ("rtp", "rtcp", "data")
ANSWER = ("no", "yes")


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
_PAIR = Column(
    "pair_id",
    Kind.INTEGER,
    "the candidate pair of the session that has these two ends; missing if they were never checked as a pair",
)
_ALLOCATION = Column("allocation_id", Kind.COUNT, "number of the allocation, from 1, in order of time")
_CLIENT = Column("client", Kind.ENDPOINT, "TURN client's address and port, as captured")
_SERVER = Column("server", Kind.ENDPOINT, "TURN server's address and port")
_WAY = (_SESSION, _PAIR, _VANTAGE, _SRC, _DST, _TRANSPORT, _CARRIER)
_FILE = Column("file", Kind.TEXT, "the file beside the captures, as it was named")
_AGENT = Column("agent", Kind.TEXT, "which peer connection, as the file names it; empty where it names none")
_GRANT = (_ALLOCATION, _VANTAGE, _CLIENT, _SERVER, Column("relayed", Kind.ENDPOINT, "relayed address"))
_GRANTED = (
    Column("created", Kind.TIME, "answer to the first request for it that was granted"),
    Column("refreshed", Kind.TIME, "last refresh that was granted"),
    Column("refreshes", Kind.COUNT, "refreshes that were granted"),
    Column("expires", Kind.TIME, "when it expires without another refresh"),
    Column("ended", Kind.TIME, "when it expired, or its allocation ended, if that was before the end of the capture"),
    Column(
        "state",
        Kind.CATEGORY,
        "`active` to the end of the allocation or the capture; `expired` before that; `refused`: never granted; "
        "`unanswered`: asked for, and no answer was captured",
        GRANT_STATE,
    ),
    Column("error_code", Kind.INTEGER, "code of the last refusal"),
    Column("refusals", Kind.COUNT, "requests for it that were refused"),
    Column("unanswered", Kind.COUNT, "requests for it that had no answer"),
    Column("first_frame", Kind.INTEGER, "frame of the first request for it"),
    Column("last_frame", Kind.INTEGER, "frame of the last request for it, or its answer"),
)

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
            "duplicate",
            Kind.FLAG,
            "the same packet captured a second time (interface `any`, mirror port), or on the other side of the relay "
            "that passed it on: not counted",
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
        Column(
            "state",
            Kind.CATEGORY,
            "how it ended; `closed`: it worked until an agent ended it (`ended_by`); `disconnected`: it worked, and "
            "then the pair in use fell silent",
            SESSION_STATE,
        ),
        Column("pairs", Kind.COUNT, "candidate pairs on which checks were seen, both directions as one"),
        Column("nominated_src", Kind.ENDPOINT, "nominated pair: A's side"),
        Column("nominated_dst", Kind.ENDPOINT, "nominated pair: B's side"),
        Column("selected_src", Kind.ENDPOINT, "the pair in use: A's side"),
        Column("selected_dst", Kind.ENDPOINT, "the pair in use: B's side"),
        Column(
            "selected_by",
            Kind.CATEGORY,
            "how the pair in use is known: its nomination, a DTLS handshake or media on it, or consent checks that are "
            "answered both ways",
            SELECTED_BY,
        ),
        Column("ended_by", Kind.TEXT, "username fragment of the agent that ended it; empty if none did, or unknown"),
        Column(
            "ended_how",
            Kind.CATEGORY,
            "how that is known: a DTLS alert after the handshake, a Refresh with lifetime 0, or ICMP port unreachable "
            "from the agent's own host",
            ENDED_HOW,
        ),
        Column("ended_time", Kind.TIME, "when"),
        Column("begin_seen", Kind.FLAG, "the capture shows how it began, and not only what came later"),
        Column("failed_stage", Kind.CATEGORY, "the first stage that failed; missing if none did", STAGE),
        Column("time_to_connect_s", Kind.SECONDS, "from the first check to the answer to the first nomination"),
        Column(
            "dtls",
            Kind.CATEGORY,
            "what the DTLS handshake between its candidates came to; after an ICE restart without another handshake "
            "that of the session before, which goes on",
            DTLS,
        ),
        Column(
            "media_ab_packets",
            Kind.COUNT,
            "RTP, RTCP and DTLS application packets from A to B, between candidates while they were this session's",
        ),
        Column("media_ba_packets", Kind.COUNT, "the same from B to A"),
        Column(
            "root_cause",
            Kind.TEXT,
            "name of the finding that explains why it failed, or why no media flows; empty when healthy, and where "
            "nothing explains it",
        ),
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
        Column(
            "local_ufrag", Kind.TEXT, "username fragment of the agent whose own account was given with `signalling`"
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
        Column(
            "path_confidence",
            Kind.CATEGORY,
            "how sure `path` is: evidence against it lowers it; missing where the path is unknown",
            CONFIDENCE,
        ),
        Column("last_delivered_time", Kind.TIME, "last proof that a packet from `src` reached `dst`"),
        Column("path_lost_time", Kind.TIME, "first sign after that proof, or at all, that packets do not arrive"),
    ),
    "evidence": (
        _SESSION,
        Column("pair_id", Kind.COUNT, "the pair: the same for both directions"),
        _VANTAGE,
        _SRC,
        _DST,
        Column("evidence", Kind.CATEGORY, "what was found; docs/evidence.md explains each kind", NAMES),
        Column("says", Kind.CATEGORY, "what it says of packets from `src` to `dst`", SAYS),
        Column("strength", Kind.CATEGORY, "what it is worth here", STRENGTH),
        Column("count", Kind.COUNT, "how many packets, or transactions, show it"),
        _FIRST,
        _LAST,
        Column("first_frame", Kind.INTEGER, "first frame that shows it; missing where no frame is known"),
        Column("last_frame", Kind.INTEGER, "last frame that shows it"),
        Column("other_vantage", Kind.TEXT, "the other capture that it needs"),
        Column("as_src", Kind.ENDPOINT, "source of the packets as the other capture, or an answer, has it"),
        Column("as_dst", Kind.ENDPOINT, "destination of the packets as the other capture, or an answer, has it"),
    ),
    "stages": (
        _SESSION,
        Column("stage", Kind.CATEGORY, "stage of the call, in their order", STAGE),
        Column("agent", Kind.TEXT, "`A` or `B`: who gathers, sends or ends it; empty where it is about both"),
        _SRC,
        _DST,
        Column(
            "status",
            Kind.CATEGORY,
            "`open`: the capture ended first; `not-reached`: a stage before it failed; `unseen`: not visible here",
            STAGE_STATUS,
        ),
        Column("since", Kind.TIME, "since when it is so"),
        Column("until", Kind.TIME, "last sign of it"),
        Column("vantage", Kind.TEXT, "the capture that the frames are in"),
        Column("first_frame", Kind.INTEGER, "first frame that shows it"),
        Column("last_frame", Kind.INTEGER, "last frame that shows it"),
        Column("why", Kind.TEXT, "in a few words why"),
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
            "check; `relay`: an allocation; `signalling`: it was offered, and nothing captured tells as much",
            KNOWN_FROM,
        ),
        Column("priority", Kind.INTEGER, "priority, as offered, or as the capture tells it (PRIORITY of its checks)"),
        Column("checked", Kind.FLAG, "the other agent sent checks to it"),
        _FIRST,
        _TRANSPORT,
        Column("offered", Kind.FLAG, "it is in the signalling that was given"),
        Column("name", Kind.TEXT, "the `.local` name that it was offered under instead of its address"),
        Column("foundation", Kind.TEXT, "foundation, as offered"),
        Column("raddr", Kind.ENDPOINT, "related address, as offered: the base of srflx, the mapped address of relay"),
        Column("tcptype", Kind.TEXT, "`active`, `passive` or `so` of an offered TCP candidate"),
        Column("generation", Kind.INTEGER, "generation, as libwebrtc counts it"),
        Column("mid", Kind.TEXT, "media section it was offered for"),
        Column("network_id", Kind.INTEGER, "number of the network interface, as libwebrtc gives it"),
        Column("network_cost", Kind.INTEGER, "cost of that network: 10 Wi-Fi, 50 unknown, 900 cellular"),
        Column("url", Kind.TEXT, "address of the STUN or TURN server that it was gathered from, as the browser says"),
        Column("offered_time", Kind.TIME, "when its own agent told of it, on the clock of the captures"),
        Column("added_time", Kind.TIME, "when the other agent was given it, on the clock of the captures"),
    ),
    "allocations": (
        _CLIENT,
        _SERVER,
        Column("transport", Kind.CATEGORY, "transport protocol between client and server", TRANSPORT),
        Column("relayed", Kind.ENDPOINT, "the relayed address that the server gave"),
        Column("mapped", Kind.ENDPOINT, "the client's address as the server saw it"),
        Column("created", Kind.TIME, "answer to the Allocate request that was granted; missing if none was captured"),
        Column("lifetime_s", Kind.INTEGER, "lifetime that the server granted last"),
        Column("refreshed", Kind.TIME, "last refresh that was granted"),
        Column("ended", Kind.TIME, "when it was refused, deleted or expired, or the server was last heard of"),
        Column(
            "state",
            Kind.CATEGORY,
            "how it ended: `active` to the end of the capture; `refused`: never granted; `expired`: not refreshed in "
            "time; `deleted` by the client; `lost`: the server did not answer any more, or knew nothing of it",
            ALLOCATION_STATE,
        ),
        Column(
            "error_code",
            Kind.INTEGER,
            "code of the last request that was refused, whatever it asked for; the first 401, which only asks for "
            "credentials, and 438, which asks for a fresh nonce, are no refusals",
        ),
        Column("permissions", Kind.COUNT, "peer addresses that the client was given a permission for"),
        Column("channels", Kind.COUNT, "channels that were bound"),
        Column("bytes_sent", Kind.COUNT, "data from the client to its peers, as captured between client and server"),
        Column("bytes_received", Kind.COUNT, "data from peers to the client, as captured between client and server"),
        _VANTAGE,
        _ALLOCATION,
        Column("requested", Kind.TIME, "first request"),
        Column("relayed_other", Kind.ENDPOINT, "the second relayed address, where both IPv4 and IPv6 were granted"),
        Column("expires", Kind.TIME, "when it expires without another refresh"),
        Column("refreshes", Kind.COUNT, "refreshes that were granted"),
        Column("challenges", Kind.COUNT, "requests without credentials that were answered with 401, as is normal"),
        Column("stale_nonces", Kind.COUNT, "requests answered with 438: to be repeated with the new nonce"),
        Column("refusals", Kind.COUNT, "requests of any kind that were refused"),
        Column("unanswered", Kind.COUNT, "requests of any kind without answer although there was time for it"),
        Column("icmp", Kind.TEXT, "ICMP error that quotes a request, and who sent it"),
        Column("packets_sent", Kind.COUNT, "datagrams from the client to its peers"),
        Column("packets_received", Kind.COUNT, "datagrams from peers to the client"),
        Column("username", Kind.TEXT, "the user whose credentials were shown"),
        Column("realm", Kind.TEXT, "realm of the credentials"),
        Column("software", Kind.TEXT, "SOFTWARE of the server"),
        Column("alternate_server", Kind.ENDPOINT, "where the server sent the client instead (300 Try Alternate)"),
        Column("even_port", Kind.FLAG, "the client asked for an even port (EVEN-PORT)"),
        Column("reservation_token", Kind.TEXT, "RESERVATION-TOKEN for, or from, the next higher port, in hex"),
        Column(
            "family_error_code", Kind.INTEGER, "why one of two address families was not granted (ADDRESS-ERROR-CODE)"
        ),
        Column("moved_from", Kind.ENDPOINT, "the client's address before it moved with a MOBILITY-TICKET (RFC 8016)"),
        Column("connections", Kind.COUNT, "TCP connections to peers (RFC 6062)"),
        Column("depth", Kind.COUNT, "how many other relays lie between client and server"),
        Column("session_ids", Kind.TEXT, "sessions whose candidates it provides, separated by `, `"),
        Column("first_frame", Kind.INTEGER, "frame of the first request"),
        Column("last_frame", Kind.INTEGER, "frame of the last message about it"),
        Column("error_frame", Kind.INTEGER, "frame of the last refusal"),
    ),
    "permissions": (
        *_GRANT,
        Column("peer", Kind.ENDPOINT, "peer's address, with port 0: a permission is for all its ports"),
        *_GRANTED,
    ),
    "channels": (
        *_GRANT,
        Column("peer", Kind.ENDPOINT, "peer's address and port"),
        *_GRANTED,
        Column("channel", Kind.INTEGER, "channel number"),
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
        Column("fin", Kind.COUNT, "TCP segments that end one (FIN), retransmissions included"),
        Column(
            "retransmissions",
            Kind.COUNT,
            "TCP segments with data all of which had been captured before, packets captured twice and keep-alives not "
            "counted",
        ),
        Column("zero_window", Kind.COUNT, "TCP acknowledgements that leave no room for data (window 0)"),
        Column(
            "unacked_bytes",
            Kind.INTEGER,
            "TCP: bytes captured that the other direction had not acknowledged at the end; missing if that direction "
            "was not captured",
        ),
        Column(
            "missing_bytes",
            Kind.INTEGER,
            "TCP: bytes that the other direction acknowledged, hence arrived, and that were not captured; from the "
            "first segment captured on; missing likewise",
        ),
        Column("last_data_time", Kind.TIME, "TCP: time of the last segment with data"),
        Column(
            "carrier",
            Kind.CATEGORY,
            "`plain`, or inside TURN: then the packets count in the row of the flow that carries them, too",
            CARRIER,
        ),
        Column("carrying_src", Kind.ENDPOINT, "inside TURN: source of the packets that carry it"),
        Column("carrying_dst", Kind.ENDPOINT, "inside TURN: destination of the packets that carry it"),
        Column("channel_number", Kind.INTEGER, "number of the channel it travelled in"),
        Column(
            "opaque",
            Kind.CATEGORY,
            "`tls`, `dtls`: nobody can look inside; a ClientHello was seen in either direction, and no STUN in the "
            "clear; `dtls` only to ports of TURN servers (3478, 3479, 5349, 443)",
            OPAQUE,
        ),
        Column("server_name", Kind.TEXT, "name of the server that the ClientHello of such a connection asks for (SNI)"),
    ),
    "dtls": (
        _SESSION,
        _PAIR,
        _VANTAGE,
        Column("frame", Kind.COUNT, "frame number of the datagram"),
        Column("time", Kind.TIME, "when it was captured"),
        _SRC,
        _DST,
        _TRANSPORT,
        _CARRIER,
        Column(
            "content",
            Kind.CATEGORY,
            "content type of the record; `hidden` behind the unified header of DTLS 1.3 (RFC 9147 section 4)",
            CONTENT,
        ),
        Column(
            "version",
            Kind.TEXT,
            "`1.0`, `1.2`, `1.3`: of a hello what it chooses or offers at most, else what the record says (`1.2` also "
            "in the clear records of DTLS 1.3)",
        ),
        Column("epoch", Kind.INTEGER, "epoch: 0 in the clear; of `hidden` records its two lowest bits"),
        Column("sequence", Kind.INTEGER, "sequence number of the record; missing where it is encrypted"),
        Column(
            "handshake",
            Kind.TEXT,
            "handshake messages in it, separated by `, `: `client-hello`, …; `encrypted` if they cannot be seen",
        ),
        Column("message_seq", Kind.INTEGER, "number of the first of these messages"),
        Column("fragment_offset", Kind.INTEGER, "where in that message the record's piece begins"),
        Column("fragment_bytes", Kind.INTEGER, "length of that piece"),
        Column("message_bytes", Kind.INTEGER, "length of that whole message"),
        Column("size_bytes", Kind.COUNT, "length of the datagram's payload"),
        Column("alert_level", Kind.TEXT, "`warning` or `fatal`, of an alert in the clear"),
        Column("alert", Kind.TEXT, "name of an alert in the clear; a number if it has none; `encrypted`"),
        Column(
            "retransmission",
            Kind.FLAG,
            "the same piece of the handshake from the same sender as before, in a new record: no answer to the first "
            "had arrived in time",
        ),
        Column(
            "duplicate",
            Kind.FLAG,
            "the same record captured a second time, or on the other side of the relay that passed it on: not counted",
        ),
        Column("defect", Kind.TEXT, "what is wrong with the record; empty if nothing"),
        Column("handshake_id", Kind.INTEGER, "row of `handshakes` that it belongs to, from 1"),
        Column("record_bytes", Kind.COUNT, "length of the record after its header, as that gives it"),
    ),
    "handshakes": (
        Column("handshake_id", Kind.COUNT, "number of the handshake, from 1, in order of time"),
        _SESSION,
        _PAIR,
        _VANTAGE,
        Column("client", Kind.ENDPOINT, "who sent the ClientHello, or must have"),
        Column("server", Kind.ENDPOINT, "the other end"),
        _TRANSPORT,
        _CARRIER,
        Column("version", Kind.TEXT, "version that the server chose; what the client offers at most if it did not"),
        Column(
            "state",
            Kind.CATEGORY,
            "`started`: a ClientHello, and nothing came back; `answered`: the server's messages were captured, the end "
            "was not; `stalled`: so, and a flight was repeated after them; `done`: both ends have shown that they have "
            "the keys; `failed`: an alert ended it",
            HANDSHAKE_STATE,
        ),
        Column("started", Kind.TIME, "first record"),
        Column("finished", Kind.TIME, "first record that shows that it is done"),
        Column("duration_s", Kind.SECONDS, "from `started` to `finished`"),
        Column("client_hellos", Kind.COUNT, "ClientHellos captured, repeated ones and the one with a cookie included"),
        Column("server_hellos", Kind.COUNT, "ServerHellos captured, repeated ones included"),
        Column("client_flights_repeated", Kind.COUNT, "how often the client sent a flight again"),
        Column("server_flights_repeated", Kind.COUNT, "how often the server sent a flight again"),
        Column(
            "last_flight",
            Kind.TEXT,
            "the last handshake messages of each end: `client: …; server: …`, empty if it sent none",
        ),
        Column("largest_client_bytes", Kind.COUNT, "largest datagram with handshake records from the client"),
        Column("largest_server_bytes", Kind.COUNT, "the same from the server"),
        Column(
            "incomplete",
            Kind.TEXT,
            "handshake messages of which pieces were not captured: `server certificate 1000 of 2300 bytes`, separated "
            "by `; `; empty if none",
        ),
        Column("alert", Kind.TEXT, "the alert that ended it, or the first; `encrypted` if its name cannot be seen"),
        Column("alert_src", Kind.ENDPOINT, "who sent that alert"),
        Column("alert_frame", Kind.INTEGER, "frame of that alert"),
        Column(
            "ended_by",
            Kind.CATEGORY,
            "what ended it where it carried neither data nor media: an `alert`; a `protected-alert`, whose name cannot "
            "be seen; `short-records`: in DTLS 1.3, records that may be alerts are the last that was sent",
            ENDED_BY,
        ),
        Column(
            "client_data_packets",
            Kind.COUNT,
            "datagrams with application data, or RTP and RTCP, from the client after it",
        ),
        Column("server_data_packets", Kind.COUNT, "the same from the server"),
        Column("first_frame", Kind.INTEGER, "frame of the first record"),
        Column("last_frame", Kind.INTEGER, "frame of the last record that is not application data"),
        Column("client_frame", Kind.INTEGER, "frame of the client's last handshake record"),
        Column("server_frame", Kind.INTEGER, "frame of the server's last handshake record"),
    ),
    "streams": (
        *_WAY,
        Column(
            "kind",
            Kind.CATEGORY,
            "`rtp` and `rtcp` (SRTP and SRTCP included; told apart as in RFC 5761), `data`: application data of DTLS, "
            "which is SCTP in WebRTC; a row for all of a flow",
            STREAM_KIND,
        ),
        Column("ssrc", Kind.INTEGER, "SSRC of the sender; missing for data, and in the row for all beyond the 64th"),
        Column(
            "payload_types",
            Kind.TEXT,
            "payload types seen, or of RTCP the packet types that come first; separated by `, `",
        ),
        Column("packets", Kind.COUNT, "packets captured"),
        Column("bytes", Kind.COUNT, "bytes of UDP payload, or of what carries it"),
        Column(
            "expected",
            Kind.INTEGER,
            "RTP packets that the sequence numbers say were sent (RFC 3550 appendix A.3), from first to last",
        ),
        _FIRST,
        _LAST,
        Column("first_frame", Kind.INTEGER, "frame of the first packet"),
        Column("last_frame", Kind.INTEGER, "frame of the last packet"),
        Column(
            "on_nominated",
            Kind.CATEGORY,
            "whether the pair was nominated, `no` also where the ends never were one; missing if no nominated pair of "
            "the session is known",
            ANSWER,
        ),
    ),
    "activity": (
        *_WAY,
        Column("time", Kind.TIME, "the second, by the clock of the capture"),
        Column("rtp_packets", Kind.COUNT, "RTP packets in that second"),
        Column("rtcp_packets", Kind.COUNT, "RTCP packets"),
        Column("data_packets", Kind.COUNT, "packets with application data of DTLS"),
        Column("stun_packets", Kind.COUNT, "packets with STUN"),
        Column("media_bytes", Kind.COUNT, "bytes of the RTP and the data packets"),
    ),
    "names": (
        _VANTAGE,
        Column("name", Kind.TEXT, "name ending with `.local` (mDNS, RFC 6762)"),
        Column("asked_by", Kind.ENDPOINT, "who asked; missing if it was only announced"),
        Column("asked", Kind.COUNT, "how often it was asked for by that one"),
        Column("first_time", Kind.TIME, "first question, or announcement"),
        Column("answered", Kind.FLAG, "an answer for the name was captured after the first question, from whomever"),
        Column("address", Kind.TEXT, "the address or addresses that the answers give, separated by `, `"),
        Column("answer_time", Kind.TIME, "first answer"),
        Column("first_frame", Kind.INTEGER, "frame of the first question, or announcement"),
        Column("answer_frame", Kind.INTEGER, "frame of the first answer"),
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
    "icmp": (
        _VANTAGE,
        Column("frame", Kind.COUNT, "frame number of the ICMP error"),
        Column("time", Kind.TIME, "when it was captured"),
        Column("sender", Kind.ENDPOINT, "who sent it: a router, or the host itself; its port is 0"),
        Column("error", Kind.TEXT, "its name, with type and code: `port unreachable (3/3)`"),
        _SRC,
        _DST,
        _TRANSPORT,
        Column("quoted", Kind.CATEGORY, "what the packet held that it quotes: the one from `src` to `dst`", QUOTED),
        Column("refused", Kind.FLAG, "the quoted packet did not arrive; not so for redirect and source quench"),
        Column("from_dst", Kind.FLAG, "the host `dst` sent the error itself"),
        _SESSION,
        _PAIR,
    ),
    "descriptions": (
        _FILE,
        _AGENT,
        Column("session_id", Kind.INTEGER, "the session one of whose agents has this username fragment"),
        Column("type", Kind.CATEGORY, "type of the description; missing where the file does not say", DESCRIPTION),
        Column("side", Kind.CATEGORY, "whose it is, as seen by the agent that the file speaks for", SIDE),
        Column("time", Kind.TIME, "when it was set, sent or received, on the clock of the captures if that is known"),
        Column("how", Kind.TEXT, "what was done with it, as the file says: `setLocalDescription`, `send`, …"),
        Column("ufrag", Kind.TEXT, "username fragment (`a=ice-ufrag`)"),
        Column(
            "password",
            Kind.CATEGORY,
            "whether checks to this agent were made with the password of this description; missing where it has none, "
            "or no such check was captured. The password itself is shown nowhere",
            PROOF,
        ),
        Column("mids", Kind.TEXT, "media sections with this username fragment, separated by `, `"),
        Column("bundle", Kind.TEXT, "media sections that share one transport (`a=group:BUNDLE`)"),
        Column("setup", Kind.TEXT, "DTLS role: `actpass`, `active`, `passive`"),
        Column("fingerprint", Kind.TEXT, "hash of the certificate (`a=fingerprint`)"),
        Column("ice_lite", Kind.FLAG, "the agent is ICE-lite"),
        Column("ice_options", Kind.TEXT, "`trickle`, `renomination`, …, separated by `, `"),
        Column("candidates", Kind.COUNT, "candidates in the description itself"),
        Column("end_of_candidates", Kind.FLAG, "it says that there will be no more"),
        Column("line", Kind.INTEGER, "line of the file; missing where lines mean nothing"),
    ),
    "stats": (
        _FILE,
        _AGENT,
        _SESSION,
        Column("pair_id", Kind.INTEGER, "the candidate pair of the captures that this is; missing if none"),
        Column("src", Kind.ENDPOINT, "where the agent's checks leave from: the base of its candidate, as in `pairs`"),
        Column("dst", Kind.ENDPOINT, "the other agent's candidate"),
        Column("src_type", Kind.CATEGORY, "type of the agent's candidate, as it says itself", CANDIDATE_TYPE),
        Column("dst_type", Kind.CATEGORY, "type of the other's candidate, as this agent knows it", CANDIDATE_TYPE),
        _TRANSPORT,
        Column("state", Kind.CATEGORY, "state of the pair", STAT_STATE),
        Column("nominated", Kind.FLAG, "the agent holds the pair for nominated"),
        Column("selected", Kind.FLAG, "the agent sends on this pair"),
        Column("requests_sent", Kind.INTEGER, "checks (requestsSent)"),
        Column("responses_received", Kind.INTEGER, "answers to them (responsesReceived)"),
        Column("requests_received", Kind.INTEGER, "checks of the other agent (requestsReceived)"),
        Column("responses_sent", Kind.INTEGER, "answers to those (responsesSent)"),
        Column("consent_requests_sent", Kind.INTEGER, "checks after the first answer (consentRequestsSent)"),
        Column("packets_sent", Kind.INTEGER, "packets of DTLS and media (packetsSent)"),
        Column("packets_received", Kind.INTEGER, "the same received (packetsReceived)"),
        Column("bytes_sent", Kind.INTEGER, "their bytes (bytesSent)"),
        Column("bytes_received", Kind.INTEGER, "the same received (bytesReceived)"),
        Column("rtt_s", Kind.SECONDS, "last round trip (currentRoundTripTime)"),
        Column("rtt_total_s", Kind.SECONDS, "sum of all round trips (totalRoundTripTime)"),
        Column("priority", Kind.UNSIGNED, "priority of the pair"),
        Column("local", Kind.ENDPOINT, "the agent's candidate, where that is another address than `src`"),
        Column("url", Kind.TEXT, "address of the server that the agent's candidate was gathered from"),
        Column("relay_protocol", Kind.TEXT, "`udp`, `tcp` or `tls`: how the agent reaches its TURN server"),
        Column("network_type", Kind.TEXT, "network of the agent's candidate, where the browser says"),
        Column("dtls_state", Kind.TEXT, "state of DTLS on the transport"),
        Column("ufrag", Kind.TEXT, "username fragment of the agent whose statistics these are"),
        Column("time", Kind.TIME, "when the statistics were taken, on the clock of the captures if that is known"),
    ),
    "signalling": (
        _FILE,
        _AGENT,
        Column("format", Kind.TEXT, "what kind of file it is"),
        Column("sessions", Kind.TEXT, "sessions of the captures that it tells of, separated by `, `"),
        Column("local_ufrags", Kind.TEXT, "username fragments of the agent that it speaks for, separated by `, `"),
        Column("servers", Kind.TEXT, "configured STUN and TURN servers, without credentials, separated by `, `"),
        Column("ice_transport_policy", Kind.TEXT, "`all`, or `relay`: only relayed candidates are used"),
        Column("descriptions", Kind.COUNT, "descriptions in it"),
        Column("candidates", Kind.COUNT, "candidates in it, those of descriptions included"),
        Column("statistics", Kind.COUNT, "objects of getStats() in it"),
        Column("events", Kind.COUNT, "calls and events in it"),
        Column("clock", Kind.TEXT, "what its times mean: `utc`, `no time zone`, `time of day`, or `none`"),
        Column("clock_offset_s", Kind.SECONDS, "to be added to its times to get those of the captures"),
        Column("clock_error_s", Kind.SECONDS, "by how much that may be wrong; missing where only one side is bounded"),
        Column("clock_from", Kind.TEXT, "what the offset was worked out from"),
    ),
    "findings": (
        Column("name", Kind.TEXT, "what was found; `stunpcap explain NAME` tells what it means"),
        Column("severity", Kind.CATEGORY, "`error`: media cannot flow, or stops; `warning`: it may", SEVERITY),
        Column("confidence", Kind.CATEGORY, "how sure, from the kind of evidence and the capture's limits", CONFIDENCE),
        _SESSION,
        Column("pair_id", Kind.INTEGER, "the candidate pair, or the foremost of several; missing if about none"),
        Column("src", Kind.ENDPOINT, "the direction that it is about: from here; missing if about none"),
        Column("dst", Kind.ENDPOINT, "to here"),
        Column("summary", Kind.TEXT, "what happened, in a sentence"),
        Column("story", Kind.TEXT, "the same at length: why that is so; empty if there is no more to tell"),
        Column("advice", Kind.TEXT, "what would mend it, a step a line; lines of configuration are indented"),
        Column("frames", Kind.FRAMES, "frames that show it, in `vantage`"),
        Column("time", Kind.TIME, "when it first showed"),
        Column(
            "part",
            Kind.CATEGORY,
            "`cause`: explains why the session failed; `consequence`: follows from the cause; `note`: beside it; "
            "`ruled-out`: considered, and refuted by these frames; `possible`: not refuted, and `advice` says what "
            "would decide",
            PART,
        ),
        Column("vantage", Kind.TEXT, "the capture that `frames` are in"),
        Column("evidence", Kind.TEXT, "what was seen, a line each, with captures and frames"),
    ),
    "vantages": (
        _VANTAGE,
        Column("path", Kind.TEXT, "the capture as it was named"),
        Column("format", Kind.TEXT, "file format and compression"),
        Column("packets", Kind.COUNT, "packets read"),
        Column("bytes", Kind.COUNT, "captured bytes"),
        _FIRST,
        _LAST,
        Column(
            "dropped",
            Kind.INTEGER,
            "packets that were dropped while capturing, as a pcapng says itself (interface statistics, drop counts of "
            "packets); missing if the file does not say",
        ),
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
