"""What a file looks like that is no capture: one table, one row a kind, each with how it is recognised.

Only for the one line that tells a person why a file cannot be read; the first row that fits is taken.  A row says
whether Wireshark reads that kind, for then the pyshark engine does.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Callable

from stunpcap.capture.notes import ELSEWHERE
from stunpcap.record import record

HEAD = 1 << 16
"""Bytes that are looked at."""


@record
class Kind:
    """A kind of file; it is one if its first bytes are any of `magic`, or if `test` says so of bytes and text."""

    name: str
    magic: tuple[bytes, ...] = ()
    test: Callable[[bytes, str], object] | None = None
    wireshark: bool = False

    def matches(self, head: bytes, text: str) -> bool:
        return head.startswith(self.magic) if self.test is None else bool(self.test(head, text))


def _starts(*words: str) -> Callable[[bytes, str], object]:
    return lambda head, text: text.startswith(words)


def _json(*words: str) -> Callable[[bytes, str], object]:
    return lambda head, text: text.startswith(("{", "[")) and all(f'"{word}"' in text for word in words)


def _lines(pattern: str) -> Callable[[bytes, str], object]:
    """The first line matches."""
    compiled = re.compile(pattern)
    return lambda head, text: compiled.match(text)


def _at(place: int, magic: bytes) -> Callable[[bytes, str], object]:
    return lambda head, text: head[place : place + len(magic)] == magic


def _base64(head: bytes, text: str) -> bool:
    try:
        begin = base64.b64decode(text[:16], validate=True)
    except (binascii.Error, ValueError):
        return False
    return begin.startswith(CAPTURE_MAGICS)


def _inside(head: bytes, text: str) -> bool:
    """A file header of pcap (version 2.4) or pcapng not at the beginning."""
    return any(head.find(magic, 1) > 0 for magic in (b"\xd4\xc3\xb2\xa1\x02\0\x04\0", b"\xa1\xb2\xc3\xd4\0\x02\0\x04"))


def _erf(head: bytes, text: str) -> bool:
    """Three records one after the other (or as many as there are), each with a known type and times within a day."""
    at, first, count = 0, 0, 0
    while count < 3 and len(head) - at >= 16:
        seconds, kind = struct.unpack_from("<4xIB", head, at)
        length, wire = struct.unpack_from(">H2xH", head, at + 10)
        first = first or seconds
        if kind & 0x7F not in range(1, 49) or length < 16 or not wire or not 0 < first <= seconds + 1 < first + 86400:
            return False
        at += length
        count += 1
    return count == 3 or (count > 0 and at == len(head))


def _etl(head: bytes, text: str) -> bool:
    """Its first buffer says its own size twice: at its start and in the log file header."""
    if len(head) < 0x6C:
        return False
    size, again = struct.unpack_from("<I", head)[0], struct.unpack_from("<I", head, 0x68)[0]
    return bool(size == again and size % 1024 == 0 and 1024 <= size <= 16 << 20)


CAPTURE_MAGICS = (
    b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x34\xcd\xb2\xa1",
    b"\xa1\xb2\xcd\x34", b"\xac\x01\x00\x1c", b"\x1c\x00\x01\xac", b"\xab\x01\x00\x1c", b"\x1c\x00\x01\xab",
    b"\x0a\x0d\x0d\x0a",
)  # fmt: skip

KINDS = (
    Kind("a file of zeros (space reserved but never written)", test=lambda head, text: head and not any(head)),
    Kind("the beginning of a capture that ends within its file header", CAPTURE_MAGICS),
    # captures of other kinds
    Kind("a snoop capture", (b"snoop\0\0\0",), wireshark=True),
    Kind("a Bluetooth capture (btsnoop)", (b"btsnoop\0",), wireshark=True),
    Kind("a capture of Microsoft Network Monitor", (b"GMBU", b"RTSS"), wireshark=True),
    Kind("a capture of Sniffer", (b"TRSNIFF data    \x1a", b"XCP\0"), wireshark=True),
    Kind("a capture of OmniPeek", (b"\x7fver",), wireshark=True),
    Kind("a capture of Observer", (b"ObserverPktBuffe",), wireshark=True),
    Kind("a capture of Visual Networks", (b"\x05VNF",), wireshark=True),
    Kind("a capture of 5View", (b"\xaa\xaa\xaa\xaa",), wireshark=True),
    Kind("a capture of K12", (b"\0\0\2\0\x12\5\0\x10",), wireshark=True),
    Kind("a capture of AIX iptrace", (b"iptrace 1.0", b"iptrace 2.0"), wireshark=True),
    Kind("a Vector BLF log", (b"LOGG",), wireshark=True),
    Kind("a capture in Endace's ERF", test=_erf, wireshark=True),
    Kind("an export of the systemd journal", (b"__CURSOR=",), wireshark=True),
    Kind("a Windows event trace (etl2pcapng makes a capture of it)", test=_etl),
    Kind("RTP packets as saved by rtptools", (b"#!rtpplay1.0",)),
    Kind("a recording of Janus", (b"MJR0",)),
    # captures that something was done to
    Kind("a pcapng that was changed on the way: line ends were converted", (b"\n\r\n", b"\r\n\r\r\r\n", b"\n\r\r\r\n")),
    Kind("a binary file that was converted as if it were text", test=lambda head, text: b"\xef\xbf\xbd" in head[:16]),
    Kind("a capture in Base64 (decode it first)", test=_base64),
    # archives and compressions that are not looked into
    Kind("a zip archive (unpack it first)", (b"PK\x03\x04", b"PK\x05\x06")),
    Kind("a 7z archive (unpack it first)", (b"7z\xbc\xaf\x27\x1c",)),
    Kind("a rar archive (unpack it first)", (b"Rar!\x1a\x07",)),
    Kind("a tar archive (unpack it first)", test=_at(257, b"ustar")),
    Kind("the output of compress (unpack it first)", (b"\x1f\x9d",)),
    Kind("compressed LZMA data (unpack it first)", (b"\x5d\0\0",)),
    Kind("the old lz4 format (unpack it first)", (b"\x02\x21\x4c\x18",)),
    Kind(
        "compressed once more: unpack it first",
        (b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh", b"\x04\x22\x4d\x18"),
    ),
    # other binary files
    Kind("a program (ELF)", (b"\x7fELF",)),
    Kind("a program for Windows", (b"MZ",)),
    Kind("a PDF document", (b"%PDF-",)),
    Kind("a picture", (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8")),
    Kind("an SQLite database", (b"SQLite format 3\0",)),
    Kind("a Parquet file", (b"PAR1",)),
    Kind("a Windows event log", (b"ElfFile\0",)),
    Kind("a Matroska or WebM recording", (b"\x1a\x45\xdf\xa3",)),
    Kind("an MP4 recording", test=_at(4, b"ftyp")),
    # texts
    Kind("a Git LFS pointer (git lfs pull gets the file itself)", test=_starts("version https://git-lfs.")),
    Kind("an HTML page (was a download page saved instead of the file?)", test=_lines(r"(?i)<!doctype html|<html")),
    Kind("packets exported as PDML or PSML", test=lambda head, text: re.search(r"<(pdml|psml)\b", text[:2000])),
    Kind("an XML document", test=_starts("<?xml")),
    Kind("packets exported as JSON by Wireshark", test=_json("_source", "layers")),
    Kind("packets exported for Elasticsearch by tshark", test=_lines(r'\{"(index"|timestamp".*"layers")')),
    Kind("a HAR recording of web requests", test=_json("log", "creator")),
    Kind("a dump of webrtc-internals", test=_lines(r'\{\s*"(getUserMedia|PeerConnections)"')),
    Kind("statistics of getStats()", test=_json("candidate-pair")),
    Kind("a session description in JSON", test=_json("type", "sdp")),
    Kind("JSON", test=_lines(r'\{\s*["}]|\[\s*["{\[\d\]-]')),
    Kind("a session description (SDP)", test=_lines(r"v=0\r?\n")),
    Kind("ICE candidates as text", test=_lines(r"(a=)?candidate:")),
    Kind("the printed output of tcpdump (its option -w writes a capture)",
         test=_lines(r"(\d{4}-\d\d-\d\d )?(\d\d:\d\d:\d\d|\d{9,})\.\d+ +(\S+ +(In|Out|[PBM]) +)?(IP6?|ARP|[\da-f]+:)")),
    Kind("the printed output of tshark (its option -w writes a capture)", test=_lines(r"\d+ +\d+\.\d+ +\S+ +(→|->) ")),
    Kind("packets exported as CSV by Wireshark", test=_starts('"No."')),
    Kind("TLS keys", test=_lines(r"(#.*\n)*(CLIENT_(HANDSHAKE_TRAFFIC_SECRET|RANDOM|TRAFFIC_SECRET_0)|SERVER_\w+) ")),
    Kind("a hex dump (text2pcap may make a capture of it)",
         test=_lines(r"\s*(0x)?[0-9a-fA-F]{4,8}:?\s+([0-9a-fA-F]{2,4}[ \t]+){4}")),
    Kind("PEM data", test=_starts("-----BEGIN ")),
    Kind("a script", test=_starts("#!")),
    Kind("a capture that something was put in front of", test=_inside),
)  # fmt: skip


def kind_of(head: bytes) -> Kind | None:
    """The kind of a file that begins with `head`, None if it is none of the table."""
    text = text_of(head)
    return next((kind for kind in KINDS if kind.matches(head, text)), None)


def looks_like(head: bytes) -> str:
    """One clause on what a file that begins with `head` is, instead of a capture."""
    if not head:
        return "holds nothing"
    kind = kind_of(head)
    if kind is not None:
        hint = f" ({ELSEWHERE})" if kind.wireshark else ""
        return f"is no pcap or pcapng: it looks like {kind.name}{hint}"
    text = text_of(head)
    if text:
        line = ascii(text.splitlines()[0][:40])
        return f"is no pcap or pcapng: it looks like text that begins with {line}"
    return f"is no pcap or pcapng: it begins with the bytes {head[:8].hex(' ')}"


def text_of(head: bytes) -> str:
    """The text that `head` is, without marks and spaces before it; "" if it is none."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "ignore").strip()
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # not merely a character cut in two by the end
            return ""
        text = head[: error.start].decode()
    if any(ord(character) < 32 and character not in "\t\n\r\f\x1b\b" for character in text):
        return ""
    return text.lstrip("\ufeff \t\r\n").rstrip()
