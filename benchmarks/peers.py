"""What one does in Python to find the STUN in a capture: `python -m benchmarks.peers dpkt|scapy|pyshark FILE`.

Each prints how many STUN messages it found, as the library's own documentation would have one write it.
"""

from __future__ import annotations

import sys

COOKIE = bytes.fromhex("2112a442")


def with_dpkt(path: str) -> int:
    """Every packet taken apart, the cookie looked for in UDP."""
    import dpkt

    found = 0
    with open(path, "rb") as file:  # noqa: PTH123
        for _, data in dpkt.pcap.Reader(file):
            network = dpkt.ethernet.Ethernet(data).data
            if isinstance(network, dpkt.ip.IP) and isinstance(network.data, dpkt.udp.UDP):
                found += network.data.data[4:8] == COOKIE
    return found


def with_scapy(path: str) -> int:
    """Every packet taken apart, the cookie looked for in UDP."""
    from scapy.layers.inet import UDP
    from scapy.layers.l2 import Ether  # noqa: F401 (knows what is in Ethernet)
    from scapy.utils import PcapReader

    found = 0
    with PcapReader(path) as reader:
        for packet in reader:
            if UDP in packet:
                found += bytes(packet[UDP].payload)[4:8] == COOKIE
    return found


def with_pyshark(path: str) -> int:
    """tshark finds STUN and takes it apart; one object a packet, its type and id read."""
    import pyshark

    found = 0
    with pyshark.FileCapture(path, display_filter="stun", keep_packets=False) as capture:
        for packet in capture:
            found += bool(packet.stun.type) and bool(packet.stun.id)
    return found


PEERS = {"dpkt": with_dpkt, "scapy": with_scapy, "pyshark": with_pyshark}

if __name__ == "__main__":
    print(PEERS[sys.argv[1]](sys.argv[2]))
