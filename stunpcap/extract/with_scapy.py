"""Packets as scapy has them; scapy is imported when the first is made."""

from __future__ import annotations

from typing import Any

from stunpcap.capture.records import Interface
from stunpcap.errors import EngineError
from stunpcap.extract.packets import Packet

MISSING_PACKAGE = 'to_scapy() needs the package scapy: pip install "stunpcap[scapy]"'


def as_scapy(packet: Packet, interface: Interface) -> Any:
    """A packet dissected from its link layer on, with time, length on the wire, and what it was captured at.

    Raises
    ------
    EngineError
        scapy is missing.
    """
    try:
        import scapy.layers.all  # noqa: F401 - so that link types are known
        from scapy.config import conf
        from scapy.packet import Raw
        from scapy.utils import EDecimal
    except ImportError as error:
        raise EngineError(MISSING_PACKAGE) from error
    kind = conf.l2types.num2layer.get(interface.linktype, Raw)
    try:
        made = kind(packet.data)
    except Exception:  # its layers raise whatever the bytes lead to; scapy's own readers do the same
        made = Raw(packet.data)
    made.time = EDecimal(packet.time_ns) / 10**9
    made.wirelen = packet.wire_length
    made.sniffed_on = interface.name or None
    return made
