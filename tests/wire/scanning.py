"""Running the scanner over packets, files and tshark over the same."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from struct import pack

import numpy as np
import pytest

from stunpcap.capture import Block, Interface, open_capture
from stunpcap.wire.scan import Scanner

TSHARK = shutil.which("tshark")
HERE = Path(__file__).resolve().parents[2]
SHARED = HERE.parent / "shared" / "captures"
needs_tshark = pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no captures from the wild here")
GUARD = b"\xa5" * 64
"""Stands between packets: whoever reads on meets it instead of zeros."""


def block_of(packets, linktype=1, snap=1 << 20, guard=GUARD, first_frame=1, directions=None, step_ns=10**6):
    """A block of packets, cut at `snap` (one for all or a list), with the guard between them, and its interface."""
    snaps = [snap] * len(packets) if isinstance(snap, int) else snap
    kept = [packet[:size] for packet, size in zip(packets, snaps, strict=True)]
    sizes = np.array([len(packet) for packet in kept], np.int64)
    starts = np.cumsum(sizes + len(guard)) - sizes
    block = Block(
        memoryview(b"".join(guard + packet for packet in kept) + guard),
        0,
        first_frame,
        starts,
        sizes,
        np.array([len(packet) for packet in packets], np.int64),
        np.arange(len(packets), dtype=np.int64) * step_ns + 10**18,
        np.zeros(len(packets), np.int32),
        np.zeros(len(packets), np.int8) if directions is None else np.array(directions, np.int8),
    )
    return block, [Interface(linktype)]


def scan_packets(packets, linktype=1, **options):
    scanner = Scanner()
    scanner.feed(*block_of(packets, linktype, **options))
    return scanner.finish()


def scan_file(path, block_bytes=8 << 20):
    scanner = Scanner()
    with open_capture(path, block_bytes=block_bytes) as capture:
        for block in capture.blocks():
            scanner.feed(block, capture.interfaces)
    return scanner.finish(), scanner


def captures_at_hand():
    """Every capture of the lab and, where they are, those from the wild."""
    found = sorted((HERE / "captures").glob("*/*.pcap*"))
    if SHARED.is_dir():
        found += sorted(path for path in SHARED.iterdir() if ".pcap" in path.name)
    return found


def address(words):
    words = [int(word) for word in words]
    if words[:3] == [0, 0, 0xFFFF]:
        return str(ip_address(words[3]))
    return str(ip_address(words[0] << 96 | words[1] << 64 | words[2] << 32 | words[3]))


@dataclass(frozen=True)
class Flow:
    src: str
    sport: int
    dst: str
    dport: int
    protocol: int


def flow_of(key):
    return Flow(address(key[:4]), int(key[8]) >> 16, address(key[4:8]), int(key[8]) & 0xFFFF, int(key[9]))


def flows(kept):
    return [flow_of(key) for key in kept.flow_keys]


@dataclass(frozen=True)
class Row:
    frame: int
    flow: Flow
    payload: bytes
    length: int
    kind: int
    ttl: int
    direction: int


def rows(kept):
    """The datagrams that were kept, but for those that ChannelData holds."""
    return [
        Row(
            int(kept.frame[i]),
            flow_of(kept.flow_keys[kept.flow[i]]),
            kept.payload[int(kept.offset[i]) : int(kept.offset[i] + kept.captured[i])],
            int(kept.length[i]),
            int(kept.kind[i]),
            int(kept.ttl[i]),
            int(kept.direction[i]),
        )
        for i in range(len(kept.frame))
        if kept.flow[i] < len(kept.flow_keys)
    ]


def write_pcap(path, packets, linktype, snap=1 << 18):
    """A little-endian pcap file, written field by field."""
    with path.open("wb") as file:
        file.write(pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, linktype))
        for number, packet in enumerate(packets):
            file.write(pack("<IIII", 10**9, number, len(packet[:snap]), len(packet)) + packet[:snap])
    return path


def tshark(path, *fields, options=()):
    """For each frame a list with, for each field, its values in order."""
    command = [TSHARK, "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|", *options]
    for field in fields:
        command += ["-e", field]
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return [[cell.split("|") if cell else [] for cell in line.split("\t")] for line in done.stdout.splitlines()]
