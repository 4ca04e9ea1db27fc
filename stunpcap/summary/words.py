"""Facts in plain words: what became of checks, how a session ended, what mappings say.

These sentences say what was captured, never why it happened.
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from collections.abc import Sequence
from typing import Any

from stunpcap.summary.model import ErrorAnswer
from stunpcap.words import many

BEHAVIOUR = {
    "none": "not translated",
    "endpoint-independent": "endpoint-independent mapping (one outside address for all destinations)",
    "address-dependent": "address-dependent mapping (the outside address differs by destination address)",
    "address-and-port-dependent": "address and port-dependent mapping (the outside address differs by destination)",
    "unknown": "mapping behaviour unknown (only one destination told the outside address)",
}
"""Level of `mappings.behaviour` -> a sentence in the words of RFC 4787 section 4.1."""

DTLS_SAID = {"none": "none seen", "started": "started, not finished", "done": "done", "failed": "failed"}
"""Level of `sessions.dtls` -> what is said after `DTLS: `."""

TONES = {"connected": "good", "failed": "bad", "checking": "open", "disconnected": "bad", "closed": "good"}
"""Tone of each state of a session, as `stunpcap.plots.styles` has it, which a summary for programs does without."""
TAGS = {
    "no username": "checks carry no user name",
    "only requests": "only requests were captured",
    "only responses": "only responses were captured",
}
"""What is special about a session, where its tag does not say it all."""

PROTOCOLS = {
    1: "ICMP",
    2: "IGMP",
    41: "IPv6 in IP",
    46: "RSVP",
    47: "GRE",
    50: "ESP",
    51: "AH",
    58: "ICMPv6",
    88: "EIGRP",
    89: "OSPF",
    103: "PIM",
    112: "VRRP",
    132: "SCTP",
}
ETHERTYPES = {
    0x0806: "ARP",
    0x8035: "RARP",
    0x8809: "LACP",
    0x888E: "EAPOL",
    0x88CC: "LLDP",
    0x88E1: "HomePlug",
    0x88F7: "PTP",
    0x893A: "IEEE 1905",
    0x9000: "loopback test",
}
PORTS = {
    53: "DNS",
    67: "DHCP",
    68: "DHCP",
    80: "HTTP",
    123: "NTP",
    137: "NetBIOS",
    443: "HTTPS or QUIC",
    546: "DHCPv6",
    547: "DHCPv6",
    853: "DNS over TLS",
    1900: "SSDP",
    3478: "STUN or TURN",
    5060: "SIP",
    5061: "SIP over TLS",
    5349: "STUN or TURN over TLS",
    5353: "mDNS",
    5355: "LLMNR",
    8080: "HTTP",
    8443: "HTTPS",
}
"""What is usually behind a port; said as a guess."""


def seconds(value: float) -> str:
    """A duration for people: `0.4 ms`, `1.25 s`, `3 min 5 s`."""
    if value < 0.0995:
        return f"{value * 1000:.1f} ms"
    if value < 99.95:
        return f"{value:.2f} s" if value < 9.995 else f"{value:.1f} s"
    whole = round(value)
    hours, rest = divmod(whole, 3600)
    if hours:
        return f"{hours} h {rest // 60} min" if hours < 48 else f"{hours // 24:,} days"
    return f"{rest // 60} min {rest % 60} s"


def octets(number: int) -> str:
    """A size for people: `812 bytes`, `52 kB`, `1.3 MB`."""
    for size, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if number >= size * 0.9995:
            return f"{number / size:.1f} {unit}" if number < size * 9.95 else f"{number / size:,.0f} {unit}"
    return many(number, "byte")


def clock(time: str | None) -> str:
    """The time of day of an ISO time."""
    return time[11:19] if time else "?"


def listed(items: Sequence[str], most: int = 3, of: int = 0) -> str:
    """Some of the items, and how many more there are; `of`: there are so many, not all of which are given."""
    rest = max(of, len(items)) - most
    return ", ".join(items[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def errors_said(errors: Sequence[ErrorAnswer], asked: str) -> str:
    """`error 401 Unauthenticated to 2 checks`."""
    return "; ".join(
        f"error {f'{error.code} {error.name}'.strip() if error.code >= 0 else 'without a code'} "
        f"to {many(error.count, asked)}"
        for error in errors
    )


def direction_outcome(
    row: Dict[str, Any],
    errors: Sequence[ErrorAnswer],
    icmp: Sequence[str],
    answered_from: Sequence[str],
    answered_to: Sequence[str],
    silent_at_end: int,
    back_is_lost: bool,
) -> str:
    """What became of the checks of one direction.

    Parameters
    ----------
    row
        The row of the frame `pairs`.
    silent_at_end
        Checks after the last answer that had none.
    back_is_lost
        Packets in the other direction are lost, answers with them.
    """
    asked, answered = row["requests_sent"], row["responses_received"]
    silent = row["unanswered"] + row["unfinished"]
    said = []
    if row["state"] == "succeeded":
        if not asked:
            said.append("answered (only answers were captured)")
        elif silent_at_end > 1 and row["unanswered"]:
            said.append(f"answered until {clock(row['last_answer_time'])}, then no answer to {silent_at_end:,} checks")
        elif row["unanswered"]:
            said.append(f"answered {answered:,} of {many(asked, 'check')}")
        else:
            said.append("answered")
    elif answered:
        why = "the way back is lost" if back_is_lost else "the answers did not get back"
        said.append(f"answered, but {why}" if asked else "only answers were captured")
    if errors:
        said.append(errors_said(errors, "check"))
    if icmp:
        to = f" to {many(row['icmp_received'], 'check')}" if row["icmp_received"] > 1 else ""
        said.append(f"ICMP {listed(icmp, 2)}{to}")
    answers = "answer" if row["other_address"] == 1 else f"{row['other_address']:,} answers"
    if answered_from:
        said.append(f"{answers} came from another address ({listed(answered_from)})")
    if answered_to:
        said.append(f"{answers} went to another address ({listed(answered_to)})")
    if row["state"] != "succeeded" and silent:
        # Where an ICMP error says why there was no answer, a silent rest adds nothing.
        if row["state"] == "in-progress":
            said.append(f"no answer yet to {many(silent, 'check')}")
        elif not icmp:
            said.append(f"no answer to {many(silent, 'check')}" + _repeated(row, silent))
    if row["path"] == "rewritten" and row["mapped"]:
        said.append(f"arrived as {row['mapped']}")
    return "; ".join(said) or "no answer was captured"


def _repeated(row: Dict[str, Any], silent: int) -> str:
    """How often silent checks were sent, where that is known of all of them."""
    if row["requests_sent"] != silent or row["transmissions"] <= silent:
        return ""
    return f" sent {row['transmissions']} times" if silent == 1 else f" ({row['transmissions']:,} packets)"


def session_said(state: str, connecting: float | None, pairs: int, one_way: int, both_ways: int) -> str:
    """How a session ended.

    Parameters
    ----------
    connecting
        `time_to_connect_s`.
    one_way, both_ways
        On how many pairs checks succeeded in one direction only, or in both.
    """
    match state:
        case "connected" if connecting is not None:
            return f"connected after {seconds(connecting)}"
        case "connected":
            return "connected: DTLS or media show it, no nomination was captured"
        case "closed":
            after = f" after {seconds(connecting)}" if connecting is not None else ""
            return f"connected{after}, then ended by an agent"
        case "disconnected":
            after = f" after {seconds(connecting)}" if connecting is not None else ""
            return f"disconnected: it connected{after}, then the pair in use fell silent"
        case "failed" if both_ways:
            return f"failed: checks succeeded both ways on {_of(both_ways, pairs)}, but none was nominated"
        case "failed" if one_way:
            return f"failed: checks succeeded in one direction only, on {_of(one_way, pairs)}"
        case "failed" if pairs == 1:
            return "failed: no check succeeded on its only pair"
        case "failed":
            return f"failed: no check succeeded on any of {pairs:,} pairs"
        case _ if both_ways:
            return f"checking: checks succeeded both ways on {_of(both_ways, pairs)}, none was nominated so far"
        case _:
            return "checking: no result yet when the capture ended"


def _of(some: int, pairs: int) -> str:
    return "its only pair" if pairs == 1 else f"{some:,} of {pairs:,} pairs"


def asked_outcome(
    outcomes: Dict[str, int],
    errors: Sequence[ErrorAnswer],
    icmp: Sequence[str],
    elsewhere: Sequence[str],
    mapped: tuple[Sequence[str], int],
    relayed: tuple[Sequence[str], int],
) -> str:
    """What became of the requests of one kind to a server; addresses with how many there are."""
    said = []
    if outcomes.get("success"):
        told = f": seen as {listed(mapped[0], 2, mapped[1])}" if mapped[0] else ""
        told += f"{',' if told else ':'} relayed address {listed(relayed[0], 2, relayed[1])}" if relayed[0] else ""
        said.append(f"{outcomes['success']:,} answered{told}")
    if errors:
        said.append(errors_said(errors, "request"))
    if icmp:
        said.append(f"ICMP {listed(icmp, 2)}")
    if outcomes.get("other-address"):
        said.append(f"answer came from or went to another address ({listed(elsewhere)})")
    if outcomes.get("unanswered"):
        said.append(f"no answer to {many(outcomes['unanswered'], 'request')}")
    if outcomes.get("unfinished"):
        said.append(f"{outcomes['unfinished']:,} open when the capture ended")
    if outcomes.get("orphan"):
        said.append(f"{many(outcomes['orphan'], 'answer')} without a captured request")
    return "; ".join(said)
