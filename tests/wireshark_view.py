"""Where Wireshark's view of a capture differs from ours, and who is right: shared by all tests that compare them."""

from __future__ import annotations

REFUSED = "WhatsApp's types 0x0800-0x0805: Wireshark refuses methods above 0xff"
OURS_ONLY = {
    "TracePcap__teams.pcap": (6, "checks in Microsoft's Data indications (0x0115), which Wireshark never opens"),
    "nDPI__stun_wa_call.pcapng": (104, REFUSED),
    "nDPI__wa_video.pcap": (65, REFUSED),
    "peafowl__whatsapp.pcap": (5, REFUSED),
}
"""Messages that Wireshark does not list: how many, and why they are messages."""

AFTER_INTEGRITY = "stands behind MESSAGE-INTEGRITY, where RFC 8489 section 9 has it ignored: we do, Wireshark shows it"
MS_REALM = "Microsoft numbers REALM 0x0015 (MS-TURN 2.2.2.14), which Wireshark reads as a NONCE"
NOMINATION = "libwebrtc nominates with 0xC001 here, which Wireshark does not know"
PADDED_USERNAME = (
    "USERNAME whose length counts its padding, too: three NUL bytes, which are part of the value; Wireshark's exported "
    "view writes all in hex, and its string ends at the first"
)
OVERRUN = "the address claims to be 65535 bytes long; Wireshark starts over in the middle of it, we keep it as damaged"
