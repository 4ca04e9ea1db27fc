"""What attribute values are decoded into: named tuples, each with a text fit for one line."""

from __future__ import annotations

from typing import NamedTuple


class Address(NamedTuple):
    """A transport address; its text is `192.0.2.1:5000` or `[2001:db8::1]:5000`."""

    host: str
    "IP address as text, IPv6 in its compressed form."
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class ErrorValue(NamedTuple):
    """ERROR-CODE, RFC 8489 section 14.8."""

    code: int
    "Class times 100 plus number."
    reason: str
    "The sender's own words; may be empty."

    def __str__(self) -> str:
        return f"{self.code} {self.reason}".rstrip()


class FamilyError(NamedTuple):
    """ADDRESS-ERROR-CODE, RFC 8656 section 18.12: why one of two address families was not allocated."""

    family: str
    code: int
    reason: str

    def __str__(self) -> str:
        return f"{self.family}: {self.code} {self.reason}".rstrip()


class Icmp(NamedTuple):
    """ICMP, RFC 8656 section 18.13: an ICMP error that the relay received for a packet to the peer."""

    type: int
    code: int
    data: int
    "Error data, such as the next hop's MTU."

    def __str__(self) -> str:
        return f"type {self.type}, code {self.code}, data {self.data}"


class ChangeRequest(NamedTuple):
    """CHANGE-REQUEST, RFC 5780 section 7.2."""

    change_ip: bool
    change_port: bool

    def __str__(self) -> str:
        wanted = [name for name, flag in (("ip", self.change_ip), ("port", self.change_port)) if flag]
        return "change " + " and ".join(wanted) if wanted else "change nothing"


class TransmitCounter(NamedTuple):
    """TRANSACTION_TRANSMIT_COUNTER, RFC 7982 section 3.1."""

    requests: int
    "How often the client has sent the request, this one included."
    responses: int
    "How often the server has sent the response, this one included; 0 in requests."

    def __str__(self) -> str:
        return f"request {self.requests}, response {self.responses}"


class NetworkInfo(NamedTuple):
    """GOOG-NETWORK-INFO: libwebrtc's number and cost of the sender's local network."""

    network_id: int
    cost: int
    "0 cheapest (ethernet), 10 wifi, 900 cellular, up to 999."

    def __str__(self) -> str:
        return f"network {self.network_id}, cost {self.cost}"


class PasswordAlgorithm(NamedTuple):
    """One entry of PASSWORD-ALGORITHM(S), RFC 8489 sections 14.11 and 14.12."""

    number: int
    parameters: bytes

    def __str__(self) -> str:
        name = {1: "MD5", 2: "SHA-256"}.get(self.number, f"0x{self.number:04x}")
        return f"{name} {self.parameters.hex()}".rstrip()


class EcnCheck(NamedTuple):
    """ECN-CHECK, RFC 6679 section 7.2.2."""

    valid: bool
    "Whether `ecn` tells anything (the V bit)."
    ecn: int
    "The ECN field that the request arrived with."

    def __str__(self) -> str:
        return f"ECN {self.ecn:02b}" if self.valid else "ECN unknown"


class SequenceNumber(NamedTuple):
    """MS-Sequence Number of Microsoft's TURN: which connection, and the how manieth message on it."""

    connection_id: str
    "Hex; empty if the message leaves it out."
    number: int

    def __str__(self) -> str:
        return f"{self.number} on {self.connection_id}" if self.connection_id else str(self.number)


class ServiceQuality(NamedTuple):
    """MS-Service Quality of Microsoft's TURN: what the allocation is to carry."""

    stream: str
    reliable: bool

    def __str__(self) -> str:
        return f"{self.stream}, {'reliable' if self.reliable else 'best effort'}"


Value = (
    bool
    | int
    | str
    | bytes
    | Address
    | ErrorValue
    | FamilyError
    | Icmp
    | ChangeRequest
    | TransmitCounter
    | NetworkInfo
    | PasswordAlgorithm
    | EcnCheck
    | SequenceNumber
    | ServiceQuality
    | tuple[int, ...]
    | tuple[PasswordAlgorithm, ...]
)
