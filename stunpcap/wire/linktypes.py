"""Link types: where dissection of a packet begins, and what the others are called.

Numbers are the LINKTYPE_ values of capture files (https://www.tcpdump.org/linktypes.html).
"""

from __future__ import annotations

from stunpcap.record import record

(
    NOTHING,
    ETHERNET,
    SLL,
    SLL2,
    RAW,
    NULL,
    PPP,
    PPPOE,
    HDLC,
    WIFI,
    RADIOTAP,
    AVS,
    PRISM,
    PPI,
    LLC,
    MPLS,
    ETHERTYPE,
    IPV4,
    IPV6,
    PROTOCOL,
    PPP_DIRECTION,
) = range(21)
"""Layers that `stunpcap.wire.layers.dissect` can stand at.  NOTHING: a link type it does not know."""


@record
class LinkType:
    """One link type of capture files."""

    number: int
    name: str
    layer: int = NOTHING


_TABLE = (
    LinkType(0, "NULL", NULL),
    LinkType(1, "ETHERNET", ETHERNET),
    LinkType(6, "IEEE802_5"),
    LinkType(9, "PPP", PPP),
    LinkType(12, "RAW", RAW),
    LinkType(14, "RAW", RAW),
    LinkType(50, "PPP_HDLC", PPP),
    LinkType(51, "PPP_ETHER", PPPOE),
    LinkType(100, "ATM_RFC1483"),
    LinkType(101, "RAW", RAW),
    LinkType(104, "C_HDLC", HDLC),
    LinkType(105, "IEEE802_11", WIFI),
    LinkType(107, "FRELAY"),
    LinkType(108, "LOOP", NULL),
    LinkType(113, "LINUX_SLL", SLL),
    LinkType(117, "PFLOG"),
    LinkType(119, "IEEE802_11_PRISM", PRISM),
    LinkType(122, "IP_OVER_FC"),
    LinkType(127, "IEEE802_11_RADIOTAP", RADIOTAP),
    LinkType(143, "DOCSIS"),
    LinkType(147, "USER0"),
    LinkType(163, "IEEE802_11_AVS", AVS),
    LinkType(166, "PPP_PPPD", PPP_DIRECTION),
    LinkType(187, "BLUETOOTH_HCI_H4"),
    LinkType(189, "USB_LINUX"),
    LinkType(192, "PPI", PPI),
    LinkType(195, "IEEE802_15_4_WITHFCS"),
    LinkType(201, "BLUETOOTH_HCI_H4_WITH_PHDR"),
    LinkType(204, "PPP_WITH_DIR", PPP_DIRECTION),
    LinkType(219, "MPLS", MPLS),
    LinkType(220, "USB_LINUX_MMAPPED"),
    LinkType(227, "CAN_SOCKETCAN"),
    LinkType(228, "IPV4", RAW),
    LinkType(229, "IPV6", RAW),
    LinkType(239, "NFLOG"),
    LinkType(249, "USBPCAP"),
    LinkType(252, "WIRESHARK_UPPER_PDU"),
    LinkType(253, "NETLINK"),
    LinkType(258, "PKTAP"),
    LinkType(276, "LINUX_SLL2", SLL2),
)

LINK_TYPES = {link.number: link for link in _TABLE}


def link_type(number: int) -> LinkType:
    """The link type of that number, known or not."""
    return LINK_TYPES.get(number) or LinkType(number, str(number))
