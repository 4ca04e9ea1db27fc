"""Captures written with nothing but `struct`, so that tests do not depend on the reader to make its input."""

import bz2
import gzip
import io
import lzma
import struct
from pathlib import Path
from typing import NamedTuple

import lz4.frame
import zstandard

from stunpcap.capture import Capture, open_capture

SHARED = Path(__file__).parents[3] / "shared" / "captures"
REAL = sorted(path for path in SHARED.glob("*") if path.suffix in (".pcap", ".pcapng"))


class Packet(NamedTuple):
    frame: int
    time_ns: int
    caplen: int
    wirelen: int
    interface: int
    direction: int
    data: bytes


def everything(capture: Capture) -> list[Packet]:
    """All packets, with the blocks kept until the end, as a consumer may do."""
    blocks = list(capture.blocks())
    found = []
    for block in blocks:
        assert block.data.format == "B" and block.data.readonly
        for row in range(len(block)):
            offset, caplen = int(block.offset[row]), int(block.caplen[row])
            data = bytes(block.data[offset : offset + caplen])
            assert len(data) == caplen <= block.wirelen[row]
            columns = (block.wirelen, block.interface, block.direction)
            found.append(
                Packet(
                    block.first_frame + row,
                    int(block.time_ns[row]),
                    caplen,
                    *(int(column[row]) for column in columns),
                    data,
                )
            )
    assert all(0 <= packet.interface < len(capture.interfaces) for packet in found)
    frames = [packet.frame for packet in found]
    assert frames == sorted(set(frames))
    return found


def load(data: bytes, block_bytes: int = 1 << 16) -> tuple[list[Packet], Capture]:
    """Read a capture that is in memory."""
    with open_capture(io.BytesIO(data), block_bytes=block_bytes) as capture:
        return everything(capture), capture


def problems(capture: Capture) -> list[str]:
    return [defect.problem for defect in capture.defects]


# pcap


def pcap_header(magic=0xA1B2C3D4, e="<", snaplen=65535, linktype=1, version=(2, 4)):
    return struct.pack(e + "IHHiIII", magic, *version, 0, 0, snaplen, linktype)


def record(data=b"abcdef", seconds=1_700_000_000, fraction=5, wirelen=None, caplen=None, e="<", extra=b""):
    caplen = len(data) if caplen is None else caplen
    return struct.pack(e + "IIII", seconds, fraction, caplen, caplen if wirelen is None else wirelen) + extra + data


# pcapng


def block(kind, body, e="<", trailer=None):
    body += bytes(-len(body) % 4)
    length = len(body) + 12
    return struct.pack(e + "II", kind, length) + body + struct.pack(e + "I", length if trailer is None else trailer)


def option(code, value, e="<"):
    return struct.pack(e + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(e="<", options=b"", version=(1, 0), length=-1):
    return block(0x0A0D0D0A, struct.pack(e + "IHHq", 0x1A2B3C4D, *version, length) + options, e)


def interface(linktype=1, snaplen=0, options=b"", e="<"):
    return block(1, struct.pack(e + "HHI", linktype, 0, snaplen) + options, e)


def enhanced(data=b"abcdef", ticks=1_700_000_000_000_005, wirelen=None, which=0, options=b"", e="<", trailer=None):
    wirelen = len(data) if wirelen is None else wirelen
    body = struct.pack(e + "IIIII", which, ticks >> 32, ticks & 0xFFFFFFFF, len(data), wirelen)
    return block(6, body + data + bytes(-len(data) % 4) + options, e, trailer)


def old_packet(data=b"abcdef", ticks=1_700_000_000_000_005, which=0, options=b"", e="<"):
    body = struct.pack(e + "HHIIII", which, 3, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
    return block(2, body + data + bytes(-len(data) % 4) + options, e)


def simple(data=b"abcdef", wirelen=None, e="<"):
    return block(3, struct.pack(e + "I", len(data) if wirelen is None else wirelen) + data, e)


PCAP = pcap_header() + b"".join(record(bytes([n]) * (n * 5), fraction=n) for n in range(8))
PCAPNG = (
    section(options=option(1, b"made by hand"))
    + interface(options=option(2, b"eth0") + option(1, b"the only one"))
    + enhanced(b"\1" * 5, options=option(1, b"look here") + option(2, struct.pack("<I", 1)) + option(0, b""))
    + block(0x77, b"of a kind that nobody knows")
    + enhanced(b"\2" * 9, options=option(2, struct.pack("<I", 2)))
    + section(">")
    + interface(101, e=">", options=option(9, b"\x09", ">"))
    + enhanced(b"\3" * 3, ticks=1_700_000_001_000_000_000, e=">")
    + simple(b"\4" * 7, e=">")
    + old_packet(b"\5" * 4, ticks=1_700_000_002_000_000_000, e=">")
)
SMALL = {"pcap": PCAP, "pcapng": PCAPNG}

COMPRESS = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "lz4": lz4.frame.compress,
}
