"""The rule about captures without STUN: what they hold instead, and what to capture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose.facts import Facts
from stunpcap.diagnose.finding import INFO, SEEN, Evidence, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.schema import CARRIER
from stunpcap.words import many

SHOWN = 4
PORTS = {
    53: "DNS",
    67: "DHCP",
    80: "HTTP",
    123: "NTP",
    443: "TLS or QUIC",
    1900: "SSDP",
    5060: "SIP",
    5061: "SIP over TLS",
    5353: "mDNS",
    8080: "HTTP or WebSocket",
    8443: "HTTPS or WebSocket",
}
"""What is usually behind a port; said as a guess."""


@rule("no-stun", INFO)
def no_stun(facts: Facts) -> Iterator[Hit]:
    """There is no STUN in the capture: nothing of ICE to analyse.

    Evidence: not one STUN message, in the clear or inside TURN, in all its packets.

    Likely cause: it was taken where only signalling passes, on the wrong interface or with a filter; the call never got
    as far as ICE; or everything goes through a VPN or a TURN server over TLS.

    Not to be confused with: `opaque-turn-tls`, where the way to a TURN server was recognised.

    What to try: capture all UDP, and TCP to the TURN servers, at the host of one agent, from before the call begins.
    """
    vantages = facts["vantages"]
    for row in np.flatnonzero(vantages["stun_messages"] == 0).tolist():
        name, packets = facts.name_of(int(vantages["vantage"][row])), int(vantages["packets"][row])
        held = _held(facts, int(vantages["vantage"][row]))
        what = f"it holds {', '.join(held)}" if held else "it holds no UDP and no TCP" if packets else "it is empty"
        yield Hit(
            summary=f"No STUN in {name}: {what}.",
            evidence=(Evidence(f"{many(packets, 'packet')}, none of them STUN", name),),
            advice=(
                "Capture at the host of an agent, all UDP and ICMP and no filter on ports, from before the call begins "
                "until it has failed: tcpdump -i any -s 0 -w call.pcap 'udp or icmp or icmp6 or tcp port 3478'",
                "If this was taken there, see that it was the interface of the call, and that the application asks for "
                "a connection at all: chrome://webrtc-internals tells.",
            ),
            ground=SEEN,
            time=int(vantages["first_time"][row]),
        )


def _held(facts: Facts, vantage: int) -> list[str]:
    """What a capture holds instead of STUN, most packets first."""
    flows, endpoints = facts["flows"], facts.pools.endpoints
    here = np.flatnonzero((flows["vantage"] == vantage) & (flows["carrier"] == CARRIER.index("plain")))
    packets: dict[str, int] = {}
    for row in here.tolist():
        transport = flows.schema["transport"].levels[int(flows["transport"][row])].upper()
        ports = [endpoints.port(int(flows[end][row])) for end in ("dst", "src")]
        known = next((PORTS[port] for port in ports if port in PORTS), "")
        opaque = flows["opaque"][row] > 0
        media = "DTLS" if flows["dtls"][row] else "RTP" if flows["rtp"][row] + flows["rtcp"][row] else ""
        if media:
            what = f"{media} over {transport}"
        elif known:
            what = f"{transport} to port {next(port for port in ports if port in PORTS)} ({known})"
        else:
            what = f"{'TLS over ' if opaque else 'other '}{transport}"
        packets[what] = packets.get(what, 0) + int(flows["packets"][row])
    for source in facts.sources:
        if source.name == facts.name_of(vantage):
            packets |= {what: number for what, number in source.not_ip.items() if number}
    return [f"{many(number, 'packet')} of {what}" for what, number in sorted(packets.items(), key=lambda one: -one[1])][
        :SHOWN
    ]
