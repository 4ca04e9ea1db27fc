"""What a summary tells of the captures themselves; the same kind of records as in `stunpcap.summary.model`."""

from __future__ import annotations

from stunpcap.record import record


@record
class Traffic:
    """What a capture holds besides STUN, in packets."""

    udp_flows: int
    tcp_flows: int
    udp: int
    tcp: int
    stun: int
    dtls: int
    rtp: int
    rtcp: int
    channel: int
    other: int
    not_ip: dict[str, int]
    "Packets that are no IP, by the name of what they are."
    protocols: dict[str, int]
    "IP packets that are neither UDP nor TCP, by protocol."
    busiest: tuple[Conversation, ...]
    "The conversations with most packets."


@record
class Conversation:
    """Both directions of a 5-tuple."""

    transport: str
    a: str
    b: str
    a_to_b_packets: int
    b_to_a_packets: int
    bytes: int
    first_frame: int
    holds: str
    "What most of its packets are: stun, dtls, rtp, …; or what its port stands for."


@record
class Capture:
    """One capture and where it was taken."""

    vantage: str
    path: str
    format: str
    link_types: str
    packets: int
    bytes: int
    first_time: str | None
    last_time: str | None
    duration_s: float
    stun_messages: int
    place: str
    at: str
    confidence: str
    evidence: str
    traffic: Traffic


@record
class Damage:
    """Something wrong with a file, its packets or messages: a row of the frame `defects`."""

    vantage: str
    layer: str
    frame: int | None
    offset: int | None
    packets: int
    defect: str
