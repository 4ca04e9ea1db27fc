"""Attributes of TURN messages that are too rare for columns, read from the one message that has them."""

from __future__ import annotations

from dataclasses import field
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, TypeVar

from stunpcap.record import record
from stunpcap.stun.valuetypes import Address, FamilyError
from stunpcap.table import V4_PREFIX

if TYPE_CHECKING:
    from stunpcap.stun.message import Message

_T = TypeVar("_T")


@record
class Rare:
    """What one message says beyond the columns."""

    relayed: list[Address] = field(default_factory=list)
    peers: list[Address] = field(default_factory=list)
    alternate: Address | None = None
    even_port: bool = False
    token: str = ""
    ticket: str = ""
    connection: int = -1
    family_error: int = -1


def rare_values(message: Message) -> Rare:
    """Read a message's rare attributes; what is malformed is as if it were not there."""
    connections = _all(message, "CONNECTION-ID", int)
    codes = [error.code for error in _all(message, "ADDRESS-ERROR-CODE", FamilyError)]
    alternates = _all(message, "ALTERNATE-SERVER", Address)
    tokens, tickets = _all(message, "RESERVATION-TOKEN", str), message.getall("MOBILITY-TICKET")
    return Rare(
        relayed=_all(message, "XOR-RELAYED-ADDRESS", Address),
        peers=_all(message, "XOR-PEER-ADDRESS", Address),
        alternate=alternates[0] if alternates else None,
        even_port=bool(message.getall("EVEN-PORT")),
        token=tokens[0] if tokens else "",
        ticket=tickets[0].hex() if tickets and isinstance(tickets[0], bytes) else "",
        connection=connections[0] if connections else -1,
        family_error=codes[0] if codes else -1,
    )


def address_words(address: IPv4Address | IPv6Address, port: int) -> tuple[int, int, int, int, int]:
    """An address as the pools have it."""
    if isinstance(address, IPv4Address):
        return 0, 0, V4_PREFIX, int(address), port
    a, b, c, d = (int(address) >> shift & 0xFFFFFFFF for shift in (96, 64, 32, 0))
    return a, b, c, d, port


def _all(message: Message, name: str, kind: type[_T]) -> list[_T]:
    return [value for value in message.getall(name) if isinstance(value, kind)]
