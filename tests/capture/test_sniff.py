"""Every row of the table has a sample, and no other row takes it."""

import base64
import gzip
import struct

import pytest
from capture_writers import PCAP, PCAPNG, load

from stunpcap.capture.sniff import KINDS, looks_like, text_of
from stunpcap.errors import CaptureError

ERF = b"".join(
    struct.pack("<IIBB", 0, 1_700_000_000 + n, 2, 4) + struct.pack(">HHH", 40, 0, 24) + bytes(24) for n in range(4)
)
ETL = struct.pack("<I", 0x10000) + bytes(0x64) + struct.pack("<I", 0x10000) + bytes(200)

SAMPLES = {
    "a file of zeros": bytes(500),
    "the beginning of a capture": PCAP[:20],
    "a snoop capture": b"snoop\0\0\0\0\0\0\2\0\0\0\4",
    "a Bluetooth capture": b"btsnoop\0\0\0\0\1\0\0\3\xea",
    "a capture of Microsoft Network Monitor": b"GMBU\0\2\1\0",
    "a capture of Sniffer": b"TRSNIFF data    \x1a\0",
    "a capture of OmniPeek": b"\x7fver\0\0\0\4",
    "a capture of Observer": b"ObserverPktBufferVersion=09.00",
    "a capture of Visual Networks": b"\5VNF\0\1",
    "a capture of 5View": b"\xaa\xaa\xaa\xaa\1\0",
    "a capture of K12": b"\0\0\2\0\x12\5\0\x10\0",
    "a capture of AIX iptrace": b"iptrace 2.0\0\0",
    "a Vector BLF log": b"LOGG\x90\0\0\0",
    "a capture in Endace's ERF": ERF,
    "an export of the systemd journal": b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1467516000000000\n",
    "a Windows event trace": ETL,
    "RTP packets as saved by rtptools": b"#!rtpplay1.0 192.0.2.1/5000\n\0\1\2\xff",
    "a recording of Janus": b"MJR00002\0\x30{}",
    "a pcapng that was changed on the way": b"\n\r\n" + PCAPNG[4:],
    "a binary file that was converted": PCAP.decode("ascii", "replace").encode(),
    "a capture in Base64": base64.b64encode(PCAP),
    "a zip archive": b"PK\3\4\x14\0\0\0",
    "a 7z archive": b"7z\xbc\xaf\x27\x1c\0\4",
    "a rar archive": b"Rar!\x1a\7\1\0",
    "a tar archive": b"call.pcap" + bytes(248) + b"ustar\0" + bytes(249) + PCAP,
    "the output of compress": b"\x1f\x9d\x90\xd4",
    "compressed LZMA data": b"\x5d\0\0\x80\0" + b"\xff" * 8,
    "the old lz4 format": b"\2\x21\x4c\x18\0\1",
    "compressed once more": b"\x1f\x8b\x08\0" + bytes(6),
    "a program (ELF)": b"\x7fELF\2\1\1" + bytes(9),
    "a program for Windows": b"MZ\x90\0\3",
    "a PDF document": b"%PDF-1.7\n%\xe2\xe3",
    "a picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "an SQLite database": b"SQLite format 3\0\x10\0",
    "a Parquet file": b"PAR1\x15\0",
    "a Windows event log": b"ElfFile\0\0\0",
    "a Matroska or WebM recording": b"\x1a\x45\xdf\xa3\x9f",
    "an MP4 recording": b"\0\0\0\x20ftypisom\0\0\2\0",
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "an HTML page": b"\n<!DOCTYPE html>\n<html><head><title>Sign in</title>",
    "packets exported as PDML": b'<?xml version="1.0"?>\n<pdml version="0">',
    "an XML document": b'<?xml version="1.0"?>\n<testsuites/>',
    "packets exported as JSON": b'[{"_index": "packets", "_source": {"layers": {}}}]',
    "packets exported for Elasticsearch": b'{"index":{"_index":"packets-2024"}}\n{"timestamp":"1","layers":{}}',
    "a HAR recording": b'{"log": {"version": "1.2", "creator": {"name": "WebInspector"}, "pages": []}}',
    "a dump of webrtc-internals": b'{\n "getUserMedia": [],\n "PeerConnections": {}\n}',
    "statistics of getStats()": b'[{"type": "candidate-pair", "state": "failed"}]',
    "a session description in JSON": b'{"type": "offer", "sdp": "v=0\\r\\n"}',
    "JSON": b'{"iceServers": []}',
    "a session description (SDP)": b"v=0\r\no=- 4611 2 IN IP4 127.0.0.1\r\ns=-\r\n",
    "ICE candidates as text": b"a=candidate:1 1 udp 2122260223 192.0.2.1 54321 typ host\n",
    "the printed output of tcpdump": b"12:34:56.789012 IP 192.0.2.1.5000 > 192.0.2.2.3478: UDP, length 20\n",
    "the printed output of tshark": "    1   0.000000    192.0.2.1 → 192.0.2.2    STUN 62 Binding Request".encode(),
    "packets exported as CSV": b'"No.","Time","Source","Destination"\n',
    "TLS keys": b"# made by a browser\nCLIENT_RANDOM 00ff 11ee\n",
    "a hex dump": b"0000  00 01 00 00 21 12 a4 42 00 00 00 00 00 00 00 00   ....!..B\n",
    "PEM data": b"-----BEGIN CERTIFICATE-----\nMIIB",
    "a script": b"#!/bin/sh\ntcpdump -w call.pcap\n",
    "a capture that something was put in front of": b"\x01\x02\x03" + PCAP,
}  # fmt: skip
GENERAL = ("JSON", "an XML document", "a script", "a capture that something was put in front of")


def name_of(kind):
    return next(name for name in SAMPLES if kind.name.startswith(name))


def test_every_kind_has_a_sample():
    assert sorted(map(name_of, KINDS)) == sorted(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sniffer_on_each_sample(name):
    head = SAMPLES[name]
    found = [name_of(kind) for kind in KINDS if kind.matches(head, text_of(head))]
    assert found[0] == name
    assert all(other in GENERAL for other in found[1:])
    if name == "compressed once more":
        head = gzip.compress(gzip.compress(PCAP))
    with pytest.raises(CaptureError, match="looks like") as caught:
        load(head)
    assert name in str(caught.value)


@pytest.mark.parametrize("raw", [PCAP, PCAPNG])
def test_no_sniffer_takes_a_capture(raw):
    taking = [kind for kind in KINDS if kind.matches(raw, text_of(raw))]
    assert [kind.name for kind in taking] == ["the beginning of a capture that ends within its file header"]


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"", "holds nothing"),
        (b"\x01\x02\xfe", "begins with the bytes 01 02 fe"),
        (b"dear \x1b[31mlog,\nall is red", r"text that begins with 'dear \x1b[31mlog,'"),
        ("\ufeffgrüße".encode(), r"text that begins with 'gr\xfc\xdfe'"),
        ("plain".encode("utf-16"), "text that begins with 'plain'"),
        (SAMPLES["a snoop capture"], 'engine="pyshark"'),
        ("ä".encode() * 40_000 + b"\xc3", "text"),
    ],
)
def test_one_line(head, words):
    line = looks_like(head)
    assert words in line and len(line.splitlines()) == 1


def test_compressed_text_says_so():
    with pytest.raises(CaptureError, match=r"JSON, once decompressed \(gzip\)"):
        load(gzip.compress(b'{"a": 1}'))
