"""Every code point of STUN that stunpcap knows: methods, attributes, error codes.

Three tables, and nothing about a code point is written down anywhere else. All look-ups are derived from them, both
decoders read them, the documentation is drawn from them, and a test holds them against IANA's registry both ways.

Some numbers mean different things in different messages. Such a row has a `context`; the row without one is the
meaning that IANA has for it. Contexts: `classic` (RFC 3489, no magic cookie), `ms-turn` (the TURN draft of 2005 that
Microsoft kept, see docs/stun.md), `zoom` (cookie-less messages of Zoom), and `ice` (requests with a PRIORITY).
"""

from __future__ import annotations

from collections.abc import Container

from stunpcap.record import record
from stunpcap.stun import values
from stunpcap.stun.values import Decoder

CLASSES = ("request", "indication", "success", "error")


def message_type(cls: str, method: int) -> int:
    """Join class and method into a message type.

    The 12 bits of the method lie around the two of the class, RFC 8489 section 5, figure 3: M11-M7 C1 M6-M4 C0 M3-M0.
    """
    number = CLASSES.index(cls)
    return (
        (method & 0xF80) << 2 | (method & 0x070) << 1 | (method & 0x00F) | (number & 0b10) << 7 | (number & 0b01) << 4
    )


def split_type(type: int) -> tuple[str, int]:
    """Take a message type (its 14 bits) apart into class and method; see `message_type`."""
    return CLASSES[type >> 7 & 0b10 | type >> 4 & 0b01], type >> 2 & 0xF80 | type >> 1 & 0x070 | type & 0x00F


@record
class Method:
    """A STUN method."""

    value: int
    "12 bits, as split from the message type."
    name: str
    source: str
    "The document that defines it."


@record
class Attribute:
    """A STUN attribute."""

    type: int
    "16 bits; below 0x8000 a receiver must understand it (RFC 8489 section 14)."
    name: str
    source: str
    "The document that defines it, or who uses it."
    decoder: Decoder = values.unpack_raw
    lengths: Container[int] = range(0x10000)
    "The value lengths, in bytes, that the source allows; `decoder` is called for no other."
    reserved: int = 0
    "Bits among the value's first four bytes (as one big-endian number) that must be zero."
    repeats: bool = False
    "Whether more than one in a message means something."
    context: str = ""


@record
class ErrorCode:
    """A STUN error code."""

    code: int
    name: str
    meaning: str
    "What it means to somebody whose call failed."
    source: str


METHODS = (
    Method(0x001, "binding", "RFC 8489"),
    Method(0x002, "shared-secret", "RFC 3489"),
    Method(0x003, "allocate", "RFC 8656"),
    Method(0x004, "refresh", "RFC 8656"),
    Method(0x006, "send", "RFC 8656"),
    Method(0x007, "data", "RFC 8656"),
    Method(0x008, "create-permission", "RFC 8656"),
    Method(0x009, "channel-bind", "RFC 8656"),
    Method(0x00A, "connect", "RFC 6062"),
    Method(0x00B, "connection-bind", "RFC 6062"),
    Method(0x00C, "connection-attempt", "RFC 6062"),
    Method(0x080, "goog-ping", "libwebrtc"),
    # Named after the message types as they are seen on the wire: WhatsApp does not use the class bits.
    Method(0x200, "whatsapp-0800", "WhatsApp, undocumented"),
    Method(0x201, "whatsapp-0801", "WhatsApp, undocumented"),
    Method(0x202, "whatsapp-0802", "WhatsApp, undocumented"),
    Method(0x203, "whatsapp-0803", "WhatsApp, undocumented"),
    Method(0x204, "whatsapp-0804", "WhatsApp, undocumented"),
    Method(0x205, "whatsapp-0805", "WhatsApp, undocumented"),
)

# Message types that do not follow the arithmetic above, as (class, method), for each variant of STUN.
VARIANT_TYPES: dict[str, dict[int, tuple[str, str]]] = {
    # RFC 3489 section 11.1. Its types happen to follow the later arithmetic.
    "classic": {
        0x0001: ("request", "binding"),
        0x0101: ("success", "binding"),
        0x0111: ("error", "binding"),
        0x0002: ("request", "shared-secret"),
        0x0102: ("success", "shared-secret"),
        0x0112: ("error", "shared-secret"),
    },
    # draft-rosenberg-midcom-turn-08 section 9.1, [MS-TURN] 2.2.1.
    "ms-turn": {
        0x0003: ("request", "allocate"),
        0x0103: ("success", "allocate"),
        0x0113: ("error", "allocate"),
        0x0004: ("request", "send"),
        0x0104: ("success", "send"),
        0x0114: ("error", "send"),
        0x0115: ("indication", "data"),
        0x0006: ("request", "set-active-destination"),
        0x0106: ("success", "set-active-destination"),
        0x0116: ("error", "set-active-destination"),
    },
    # Seen on the wire: 0x0001 is answered by 0x0002.
    "zoom": {0x0001: ("request", "binding"), 0x0002: ("success", "binding")},
}

_ADDRESS = (8, 20)
_TOP_BYTE = 0xFF000000
_LOW_24 = 0x00FFFFFF
_TEXT = range(764)  # fewer than 128 characters of UTF-8, RFC 8489 sections 14.9, 14.10, 14.14

_A = Attribute

ATTRIBUTES = (
    # Comprehension-required
    _A(0x0001, "MAPPED-ADDRESS", "RFC 8489 14.1", values.unpack_address, _ADDRESS, _TOP_BYTE),
    _A(0x0002, "RESPONSE-ADDRESS", "RFC 3489 11.2.2", values.unpack_address, _ADDRESS, _TOP_BYTE),
    _A(0x0003, "CHANGE-REQUEST", "RFC 5780 7.2", values.unpack_change_request, (4,), 0xFFFFFFF9),
    _A(0x0004, "SOURCE-ADDRESS", "RFC 3489 11.2.5", values.unpack_address, _ADDRESS, _TOP_BYTE),
    _A(0x0005, "CHANGED-ADDRESS", "RFC 3489 11.2.3", values.unpack_address, _ADDRESS, _TOP_BYTE),
    _A(0x0006, "USERNAME", "RFC 8489 14.3", values.unpack_text, range(514)),
    _A(0x0006, "USERNAME", "RFC 3489 11.2.6", values.unpack_opaque_text, context="classic"),
    _A(0x0006, "USERNAME", "MS-TURN 2.2.2.2", values.unpack_opaque_text, context="ms-turn"),
    _A(0x0007, "PASSWORD", "RFC 3489 11.2.7", values.unpack_opaque_text),
    _A(0x0008, "MESSAGE-INTEGRITY", "RFC 8489 14.5", values.unpack_hex, (20,)),
    _A(0x0008, "MESSAGE-INTEGRITY", "MS-TURN 2.2.2.3", values.unpack_hex, (20, 32), context="ms-turn"),
    _A(0x0009, "ERROR-CODE", "RFC 8489 14.8", values.unpack_error, range(4, 768), 0xFFFFF800),
    _A(0x000A, "UNKNOWN-ATTRIBUTES", "RFC 8489 14.13", values.unpack_u16_list, range(0, 0x10000, 2)),
    _A(0x000B, "REFLECTED-FROM", "RFC 3489 11.2.11", values.unpack_address, _ADDRESS, _TOP_BYTE),
    _A(0x000C, "CHANNEL-NUMBER", "RFC 8656 18.1", values.unpack_u16_head, (4,), 0x0000FFFF),
    _A(0x000D, "LIFETIME", "RFC 8656 18.2", values.unpack_uint, (4,)),
    _A(0x000E, "ALTERNATE-SERVER", "MS-TURN 2.2.2.7", values.unpack_address, _ADDRESS, context="ms-turn"),
    _A(0x000F, "MAGIC-COOKIE", "MS-TURN 2.2.2.8", values.unpack_hex, (4,), context="ms-turn"),
    _A(0x0010, "BANDWIDTH", "RFC 8656 20, MS-TURN 2.2.2.9", values.unpack_uint, (4,)),
    _A(0x0011, "DESTINATION-ADDRESS", "MS-TURN 2.2.2.10", values.unpack_address, _ADDRESS, context="ms-turn"),
    _A(0x0012, "XOR-PEER-ADDRESS", "RFC 8656 18.3", values.unpack_xor_address, _ADDRESS, _TOP_BYTE, repeats=True),
    _A(0x0012, "REMOTE-ADDRESS", "MS-TURN 2.2.2.11", values.unpack_address, _ADDRESS, context="ms-turn"),
    _A(0x0013, "DATA", "RFC 8656 18.4"),
    _A(0x0014, "REALM", "RFC 8489 14.9", values.unpack_text, _TEXT),
    _A(0x0014, "NONCE", "MS-TURN 2.2.2.13", values.unpack_opaque_text, context="ms-turn"),
    _A(0x0015, "NONCE", "RFC 8489 14.10", values.unpack_opaque_text, _TEXT),
    _A(0x0015, "REALM", "MS-TURN 2.2.2.14", values.unpack_text, context="ms-turn"),
    _A(0x0016, "XOR-RELAYED-ADDRESS", "RFC 8656 18.5", values.unpack_xor_address, _ADDRESS, _TOP_BYTE, repeats=True),
    _A(0x0017, "REQUESTED-ADDRESS-FAMILY", "RFC 8656 18.6", values.unpack_family, (4,), _LOW_24),
    _A(0x0018, "EVEN-PORT", "RFC 8656 18.7", values.unpack_even_port, (1,), 0x7F000000),
    _A(0x0019, "REQUESTED-TRANSPORT", "RFC 8656 18.8", values.unpack_transport, (4,), _LOW_24),
    _A(0x001A, "DONT-FRAGMENT", "RFC 8656 18.9", values.unpack_flag, (0,)),
    _A(0x001B, "ACCESS-TOKEN", "RFC 7635 6.2"),
    _A(0x001C, "MESSAGE-INTEGRITY-SHA256", "RFC 8489 14.6", values.unpack_hex, range(16, 33, 4)),
    _A(0x001D, "PASSWORD-ALGORITHM", "RFC 8489 14.12", values.unpack_algorithm, range(4, 0x10000)),
    _A(0x001E, "USERHASH", "RFC 8489 14.4", values.unpack_hex, (32,)),
    _A(0x0020, "XOR-MAPPED-ADDRESS", "RFC 8489 14.2", values.unpack_xor_address, _ADDRESS, _TOP_BYTE),
    _A(0x0021, "TIMER-VAL", "RFC 8656 20", values.unpack_uint, (4,)),
    _A(0x0021, "XOR-ONLY", "draft-ietf-behave-rfc3489bis-02", values.unpack_flag, (0,), context="classic"),
    _A(0x0022, "RESERVATION-TOKEN", "RFC 8656 18.10", values.unpack_hex, (8,)),
    _A(0x0024, "PRIORITY", "RFC 8445 16.1", values.unpack_uint, (4,)),
    _A(0x0025, "USE-CANDIDATE", "RFC 8445 16.1", values.unpack_flag, (0,)),
    _A(0x0026, "PADDING", "RFC 5780 7.6"),
    _A(0x0027, "RESPONSE-PORT", "RFC 5780 7.5", values.unpack_u16_head, (2, 4)),
    _A(0x002A, "CONNECTION-ID", "RFC 6062 6.2.1", values.unpack_uint, (4,)),
    # Private use in the comprehension-required range
    _A(0x0101, "ZOOM-0101", "Zoom, undocumented", values.unpack_padded_text),
    _A(
        0x0103,
        "ZOOM-0103",
        "Zoom, undocumented: how the server saw the client",
        values.unpack_address,
        _ADDRESS,
        _TOP_BYTE,
    ),
    _A(0x4000, "WHATSAPP-4000", "WhatsApp, undocumented", repeats=True),
    _A(0x4001, "WHATSAPP-4001", "WhatsApp, undocumented", repeats=True),
    _A(0x4002, "WHATSAPP-4002", "WhatsApp, undocumented", repeats=True),
    _A(0x4003, "WHATSAPP-4003", "WhatsApp, undocumented", repeats=True),
    _A(0x4004, "WHATSAPP-4004", "WhatsApp, undocumented", repeats=True),
    _A(0x4005, "WHATSAPP-4005", "WhatsApp, undocumented", repeats=True),
    _A(0x4006, "WHATSAPP-4006", "WhatsApp, undocumented", repeats=True),
    _A(0x4007, "WHATSAPP-4007", "WhatsApp, undocumented", repeats=True),
    # Comprehension-optional, assigned by IETF review
    _A(0x8000, "ADDITIONAL-ADDRESS-FAMILY", "RFC 8656 18.11", values.unpack_family, (4,), _LOW_24),
    _A(0x8001, "ADDRESS-ERROR-CODE", "RFC 8656 18.12", values.unpack_family_error, range(4, 768), 0x00FFF800),
    _A(0x8002, "PASSWORD-ALGORITHMS", "RFC 8489 14.11", values.unpack_algorithms),
    _A(0x8003, "ALTERNATE-DOMAIN", "RFC 8489 14.16", values.unpack_text, range(256)),
    _A(0x8004, "ICMP", "RFC 8656 18.13", values.unpack_icmp, (8,), 0xFFFF0000),
    _A(0x8006, "MS-8006", "Microsoft, undocumented"),
    _A(0x8008, "MS-VERSION", "MS-TURN 2.2.2.17", values.unpack_uint, (4,)),
    _A(0x8020, "XOR-MAPPED-ADDRESS", "draft-ietf-behave-rfc3489bis-02", values.unpack_xor_address, _ADDRESS),
    _A(0x8022, "SOFTWARE", "RFC 8489 14.14", values.unpack_text, _TEXT),
    _A(0x8022, "SERVER", "draft-ietf-behave-rfc3489bis-02", values.unpack_padded_text, context="classic"),
    _A(0x8022, "SOFTWARE", "MS-TURN, seen on the wire", values.unpack_padded_text, context="ms-turn"),
    _A(0x8023, "ALTERNATE-SERVER", "RFC 8489 14.15", values.unpack_address, _ADDRESS, _TOP_BYTE),
    _A(0x8025, "TRANSACTION_TRANSMIT_COUNTER", "RFC 7982 3.1", values.unpack_counter, (4,), 0xFFFF0000),
    _A(0x8027, "CACHE-TIMEOUT", "RFC 5780 7.1", values.unpack_uint, (4,)),
    _A(0x8028, "FINGERPRINT", "RFC 8489 14.7", values.unpack_uint, (4,)),
    _A(0x8029, "ICE-CONTROLLED", "RFC 8445 16.1", values.unpack_uint, (8,)),
    _A(0x802A, "ICE-CONTROLLING", "RFC 8445 16.1", values.unpack_uint, (8,)),
    _A(0x802B, "RESPONSE-ORIGIN", "RFC 5780 7.3", values.unpack_address, _ADDRESS, _TOP_BYTE),
    _A(0x802C, "OTHER-ADDRESS", "RFC 5780 7.4", values.unpack_address, _ADDRESS, _TOP_BYTE),
    _A(0x802D, "ECN-CHECK", "RFC 6679 7.2.2", values.unpack_ecn, (4,)),
    _A(0x802E, "THIRD-PARTY-AUTHORIZATION", "RFC 7635 6.1", values.unpack_text),
    _A(0x802F, "ORIGIN", "draft-ietf-tram-stun-origin", values.unpack_text, repeats=True),
    _A(0x8030, "MOBILITY-TICKET", "RFC 8016 4.1"),
    _A(0x8032, "MS-ALTERNATE-HOST-NAME", "MS-TURN 2.2.2", values.unpack_padded_text),
    _A(0x8033, "MS-8033", "Microsoft, undocumented"),
    _A(0x8036, "MS-8036", "Microsoft, undocumented"),
    _A(0x8037, "MS-APP-ID", "MS-TURN 2.2.2", values.unpack_uint, (4,)),
    _A(0x8039, "MS-SECURE-TAG", "MS-TURN 2.2.2"),
    _A(0x8050, "MS-SEQUENCE-NUMBER", "MS-TURN 2.2.2", values.unpack_ms_sequence, (4, 24)),
    _A(0x8050, "SECONDARY-ADDRESS", "Vovida's server", values.unpack_address, _ADDRESS, context="classic"),
    _A(0x8054, "MS-CANDIDATE-IDENTIFIER", "MS-ICE2 2.2.2", values.unpack_padded_text),
    _A(0x8055, "MS-SERVICE-QUALITY", "MS-TURN 2.2.2.22", values.unpack_ms_quality, (4,)),
    _A(0x8056, "MS-BANDWIDTH-ACM", "MS-TURNBWM"),
    _A(0x8057, "MS-BANDWIDTH-RSV-ID", "MS-TURNBWM", values.unpack_hex),
    _A(0x8058, "MS-BANDWIDTH-RSV-AMOUNT", "MS-TURNBWM"),
    _A(0x8059, "MS-REMOTE-SITE-ADDR", "MS-TURNBWM"),
    _A(0x805A, "MS-REMOTE-RELAY-SITE", "MS-TURNBWM"),
    _A(0x805B, "MS-LOCAL-SITE-ADDR", "MS-TURNBWM"),
    _A(0x805C, "MS-LOCAL-RELAY-SITE", "MS-TURNBWM"),
    _A(0x805D, "MS-REMOTE-SITE-ADDR-RP", "MS-TURNBWM"),
    _A(0x805E, "MS-REMOTE-RELAY-SITE-RP", "MS-TURNBWM"),
    _A(0x805F, "MS-LOCAL-SITE-ADDR-RP", "MS-TURNBWM"),
    _A(0x8060, "MS-LOCAL-RELAY-SITE-RP", "MS-TURNBWM"),
    _A(0x8061, "MS-SIP-DIALOG-ID", "MS-TURNBWM", values.unpack_hex),
    _A(0x8062, "MS-SIP-CALL-ID", "MS-TURNBWM", values.unpack_hex),
    _A(0x8068, "MS-LOCATION-PROFILE", "MS-TURNBWM"),
    _A(0x8070, "MS-IMPLEMENTATION-VERSION", "MS-ICE2 2.2.2", values.unpack_uint, (4,)),
    _A(0x8090, "MS-ALTERNATE-MAPPED-ADDRESS", "MS-TURN 2.2.2.23", values.unpack_address, _ADDRESS),
    _A(0x8095, "MS-MULTIPLEXED-TURN-SESSION-ID", "MS-TURN 2.2.2", values.unpack_hex, (8,)),
    # Comprehension-optional, assigned by expert review or taken
    _A(0xC000, "CISCO-STUN-FLOWDATA", "IANA: Dan Wing"),
    _A(0xC001, "ENF-FLOW-DESCRIPTION", "IANA: Pål-Erik Martinsen"),
    _A(0xC001, "NOMINATION", "libwebrtc", values.unpack_uint, (4,), context="ice"),
    _A(0xC001, "CONNECTION-REQUEST-BINDING", "TR-069 annex G", values.unpack_padded_text, context="classic"),
    _A(0xC002, "ENF-NETWORK-STATUS", "IANA: Pål-Erik Martinsen"),
    _A(0xC002, "BINDING-CHANGE", "TR-069 annex G", values.unpack_flag, (0,), context="classic"),
    _A(0xC003, "CISCO-WEBEX-FLOW-INFO", "Cisco, undocumented"),
    _A(0xC056, "CITRIX-TRANSACTION-ID", "Citrix, undocumented", values.unpack_hex),
    _A(0xC057, "GOOG-NETWORK-INFO", "libwebrtc", values.unpack_network_info, (4,)),
    _A(0xC058, "GOOG-LAST-ICE-CHECK-RECEIVED", "libwebrtc", values.unpack_hex),
    _A(0xC059, "GOOG-MISC-INFO", "libwebrtc", values.unpack_u16_list, range(0, 0x10000, 2)),
    _A(0xC05A, "GOOG-OBSOLETE-1", "libwebrtc"),
    _A(0xC05B, "GOOG-CONNECTION-ID", "libwebrtc"),
    _A(0xC05C, "GOOG-DELTA", "libwebrtc"),
    _A(0xC05D, "GOOG-DELTA-ACK", "libwebrtc", values.unpack_uint, (8,)),
    _A(0xC05E, "GOOG-DELTA-SYNC-REQ", "libwebrtc"),
    _A(0xC060, "GOOG-MESSAGE-INTEGRITY-32", "libwebrtc", values.unpack_hex, (4,)),
    _A(0xC070, "DTLS-IN-STUN", "libwebrtc, IANA: Philipp Hancke"),
    _A(0xC071, "DTLS-IN-STUN-ACKNOWLEDGEMENT", "libwebrtc, IANA: Philipp Hancke"),
    _A(0xFF00, "GOOG-RETRANSMIT-COUNT", "libwebrtc", values.unpack_uint, (4,)),
    _A(0xFF04, "GOOG-MULTI-MAPPING", "libwebrtc"),
    _A(0xFF05, "GOOG-LOGGING-ID", "libwebrtc", values.unpack_padded_text),
)

_E = ErrorCode

ERROR_CODES = (
    _E(300, "Try Alternate", "The server sends the client elsewhere: to the address in ALTERNATE-SERVER.", "RFC 8489"),
    _E(400, "Bad Request", "The request is malformed, or lacks its credentials.", "RFC 8489"),
    _E(
        401,
        "Unauthorized",
        "Credentials are missing or wrong. To a first request without any it is the normal challenge; to one that "
        "carried them it means a wrong user name or password.",
        "RFC 8489",
    ),
    _E(
        403,
        "Forbidden",
        "The relay's rules do not allow this peer address, or the user is not allowed what it asked for.",
        "RFC 8656",
    ),
    _E(405, "Mobility Forbidden", "The relay does not let an allocation move to another client address.", "RFC 8016"),
    _E(
        420,
        "Unknown Attribute",
        "The request has an attribute that the receiver must understand and does not; see UNKNOWN-ATTRIBUTES.",
        "RFC 8489",
    ),
    _E(
        430,
        "Stale Credentials",
        "The temporary user name has expired and a new one is needed; before 2008 only.",
        "RFC 3489",
    ),
    _E(431, "Integrity Check Failure", "The HMAC does not match: wrong password; before 2008 only.", "RFC 3489"),
    _E(432, "Missing Username", "The request has an HMAC but no USERNAME; before 2008 only.", "RFC 3489"),
    _E(433, "Use TLS", "The shared secret may be asked for over TLS only; before 2008 only.", "RFC 3489"),
    _E(434, "Missing Realm", "The request has no REALM; before 2008 only.", "draft-rosenberg-midcom-turn-08"),
    _E(435, "Missing Nonce", "The request has no NONCE; before 2008 only.", "draft-rosenberg-midcom-turn-08"),
    _E(
        436,
        "Unknown Username",
        "The server does not know the user; before 2008 only.",
        "draft-rosenberg-midcom-turn-08",
    ),
    _E(
        437,
        "Allocation Mismatch",
        "For this client address and port the relay has no allocation where one is needed, or has one where none may "
        "be. Often the NAT gave the client another port.",
        "RFC 8656",
    ),
    _E(
        438,
        "Stale Nonce",
        "The nonce is too old. The client should repeat the request with the new one; if this comes again and again, "
        "it does not.",
        "RFC 8489",
    ),
    _E(
        440,
        "Address Family not Supported",
        "The relay has no relayed address of the family asked for (mostly: no IPv6).",
        "RFC 8656",
    ),
    _E(
        441,
        "Wrong Credentials",
        "The credentials are not those that the allocation was made with.",
        "RFC 8656",
    ),
    _E(442, "Unsupported Transport Protocol", "The relay does not relay over the transport asked for.", "RFC 8656"),
    _E(
        443,
        "Peer Address Family Mismatch",
        "The peer's address is IPv4 and the relayed one IPv6, or the reverse: this pair can never work.",
        "RFC 8656",
    ),
    _E(446, "Connection Already Exists", "The relay already has a TCP connection to this peer.", "RFC 6062"),
    _E(447, "Connection Timeout or Failure", "The relay could not open its TCP connection to the peer.", "RFC 6062"),
    _E(
        486,
        "Allocation Quota Reached",
        "This user has as many allocations as the relay grants; old ones may not have been given back.",
        "RFC 8656",
    ),
    _E(
        487,
        "Role Conflict",
        "Both agents think that they control, or neither does; the one told so has to change its role.",
        "RFC 8445",
    ),
    _E(500, "Server Error", "The server failed for the moment; the client may try again.", "RFC 8489"),
    _E(508, "Insufficient Capacity", "The relay has no free port or bandwidth left.", "RFC 8656"),
    _E(
        600,
        "Global Failure",
        "The server will not serve this request, nor will any other; before 2008 only.",
        "RFC 3489",
    ),
)

METHOD_BY_VALUE = {method.value: method for method in METHODS}
METHOD_BY_NAME = {method.name: method for method in METHODS}
ATTRIBUTE_BY_TYPE = {attribute.type: attribute for attribute in ATTRIBUTES if not attribute.context}
ATTRIBUTE_IN_CONTEXT = {(attribute.context, attribute.type): attribute for attribute in ATTRIBUTES if attribute.context}
# Where one name stands for several numbers, the row without context counts, and of two such the lower number.
ATTRIBUTE_BY_NAME = {row.name: row for row in sorted(ATTRIBUTES, key=lambda row: (not row.context, -row.type))}
TYPES_BY_NAME: dict[str, tuple[int, ...]] = {
    name: tuple(sorted({row.type for row in ATTRIBUTES if row.name == name})) for name in ATTRIBUTE_BY_NAME
}
ERROR_BY_CODE = {error.code: error for error in ERROR_CODES}

# Contexts to look attributes up in, by the variant of the message, most telling first.
VARIANT_CONTEXTS: dict[str, tuple[str, ...]] = {
    "": (),
    "classic": ("classic",),
    "zoom": ("zoom", "classic"),
    "ms-turn": ("ms-turn",),
}

# What a message without cookie may hold at most; anything else in it, and it is no STUN (docs/stun.md): RFC 3489,
# the drafts up to 2005 with the ICE and Microsoft attributes of that time, TR-069, Google's ICE before the RFC.
CLASSIC_ATTRIBUTES = frozenset(range(0x0001, 0x000C)) | {
    *(0x0020, 0x0021, 0x0024, 0x0025),
    *(0x8020, 0x8022, 0x8028, 0x8029, 0x802A, 0x8050, 0x8054, 0x8070),
    *(0xC001, 0xC002, 0xFF00),
}
ZOOM_ATTRIBUTES = frozenset({0x0101, 0x0103})
MS_TURN_COOKIE = bytes.fromhex("000f000472c64bc6")  # its first attribute: MAGIC-COOKIE and its fixed value


def method_name(value: int) -> str:
    """Name a method by its 12 bits; `0x…` if it is unknown."""
    known = METHOD_BY_VALUE.get(value)
    return known.name if known else f"0x{value:03x}"


def classify(type: int, variant: str = "") -> tuple[str, str]:
    """Class and method name of a message type.

    Parameters
    ----------
    type
        The message type, 14 bits.
    variant
        "" for the arithmetic of RFC 8489, or a key of `VARIANT_TYPES`.
    """
    known = VARIANT_TYPES.get(variant, {}).get(type)
    if known:
        return known
    cls, method = split_type(type)
    return cls, method_name(method)


def attribute(name: str) -> Attribute:
    """Look up an attribute by name: the row without context, or the only one. `KeyError` if there is none."""
    return ATTRIBUTE_BY_NAME[name]


def find_attribute(type: int, *contexts: str) -> Attribute | None:
    """Look up an attribute by type.

    Parameters
    ----------
    type
        The attribute type.
    contexts
        What kind of message it stands in, most telling first; see the module's text.
    """
    for context in contexts:
        found = ATTRIBUTE_IN_CONTEXT.get((context, type))
        if found:
            return found
    return ATTRIBUTE_BY_TYPE.get(type)
