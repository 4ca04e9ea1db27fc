"""The engine `scapy`: files, link layers and everything up to IP as scapy reads them.

The innermost IP packet that scapy finds goes into our scanner, and STUN is decoded by us.  What its users have taught
scapy counts: link types of their own (`conf.l2types.register`), and layers of their own between UDP and STUN
(`bind_layers`): of these the STUN message inside is taken, and what stands before it left out.
"""

from __future__ import annotations

import contextlib
import logging
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from stunpcap.capture.records import Defect, Interface
from stunpcap.engines.feeding import Feeder, Found, as_file, format_of
from stunpcap.errors import CaptureError, DecodeError, EngineError
from stunpcap.stun.recognise import HEADER, recognise
from stunpcap.table import Pools
from stunpcap.vantage import Progress, Vantage, assemble
from stunpcap.wire.layers import cooked_direction

MISSING_PACKAGE = 'engine="scapy" needs the package scapy: pip install "stunpcap[scapy]"'
DIRECTIONS = {1: 1, 2: 2}
"""Packet flags of pcapng."""


def read_with_scapy(
    path: str | os.PathLike[str] | IO[bytes], name: str, pools: Pools, progress: Progress | None = None
) -> Vantage:
    """Read one capture to its end.

    Raises
    ------
    CaptureError
        scapy cannot read it.
    EngineError
        scapy is missing.
    """
    feeder = Feeder()
    with as_file(path) as (file, called, compression), _quietly():
        layers = _Layers()
        found = Found(called, f"{format_of(file)}, by scapy", compression)
        size = file.stat().st_size
        with _opened(file, called) as capture:
            frame = 0
            while True:
                try:
                    packet = capture.read_packet()
                except EOFError:
                    break
                except Exception as error:  # its readers raise whatever the bytes lead to
                    if not frame:
                        raise CaptureError(called, f"scapy cannot read it: {_words(error)}") from error
                    found.defects.append(Defect(capture.f.tell(), frame, f"scapy: {_words(error)}"))
                    break
                frame += 1
                time_ns = round(packet.time * 10**9)
                if comments := getattr(packet, "comments", None):
                    found.comments[frame] = [text.decode(errors="replace") for text in comments]
                inside, length = layers.innermost(packet)
                captured = len(packet.original)
                direction = layers.direction(packet)
                feeder.add(frame, time_ns, captured, inside, length, direction, packet.lastlayer().name)
                if progress is not None and frame % 1000 == 0:
                    progress(min(capture.f.tell(), size), size)
            found.interfaces = [Interface(number) for number in _link_types(capture)]
    return assemble(found, feeder.finish(), name, pools)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without what scapy has to say of this machine's interfaces, and of link types that it does not know."""
    log = logging.getLogger("scapy")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


@contextlib.contextmanager
def _opened(file: Path, called: str) -> Iterator[Any]:
    from scapy.error import Scapy_Exception
    from scapy.utils import PcapReader

    with file.open("rb") as stream:  # given by name, it would stay open where scapy refuses it
        try:
            capture = PcapReader(stream)
        except (Scapy_Exception, EOFError, OSError, struct.error, ValueError) as error:
            raise CaptureError(called, f"scapy cannot read it: {_words(error)}") from error
        yield capture


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _link_types(capture: Any) -> list[int]:
    """Link types of a capture: one in pcap, one for each interface in pcapng."""
    interfaces = getattr(capture, "interfaces", None)
    if interfaces is None:
        return [int(capture.linktype)]
    return [int(interface[0]) for interface in interfaces]


class _Layers:
    """scapy's layers, imported when this is made."""

    def __init__(self) -> None:
        try:
            import scapy.layers.all  # noqa: F401 - every link type and tunnel that scapy knows
            from scapy.layers.inet import ICMP, IP, UDP
            from scapy.layers.inet6 import IPv6, _ICMPv6
            from scapy.packet import NoPayload
        except ImportError as error:
            raise EngineError(MISSING_PACKAGE) from error
        self._ip, self._icmp, self._udp, self._none = (IP, IPv6), (ICMP, _ICMPv6), UDP, NoPayload

    def innermost(self, packet: Any) -> tuple[bytes, int]:
        """The innermost IP packet, and its length on the wire; nothing if there is no IP."""
        ip, layer = None, packet
        while not isinstance(layer, self._none):
            if isinstance(layer, self._icmp):  # what is above is a quote
                break
            if isinstance(layer, self._ip):
                ip = layer
            layer = layer.payload
        if ip is None:
            return b"", 0
        raw = bytes(ip.original)
        wire = getattr(packet, "wirelen", None) or len(packet.original)
        beyond = max(0, int(wire) - len(packet.original))
        return self._unwrapped(ip, raw), len(raw) + beyond

    def _unwrapped(self, ip: Any, raw: bytes) -> bytes:
        """The packet without what a user's layers took from between UDP and a STUN message."""
        udp = ip.payload
        while not isinstance(udp, (self._udp, self._none)):
            udp = udp.payload
        layer = udp.payload.payload
        while not isinstance(layer, self._none):
            data = bytes(layer.original)
            if len(data) >= HEADER and _is_stun(data):
                head = raw[: raw.index(bytes(udp.original)[:8]) + 8] if bytes(udp.original)[:8] in raw else b""
                return _shortened(head, data) if head else raw
            layer = layer.payload
        return raw

    def direction(self, packet: Any) -> int:
        """1 if the capturing host received it, 2 if it sent it, 0 if nobody knows."""
        kind = getattr(packet, "direction", None)
        if isinstance(kind, int) and kind in DIRECTIONS:
            return DIRECTIONS[kind]
        if packet.name in ("cooked linux", "cooked linux v2"):
            return int(cooked_direction(packet.pkttype))
        return 0


def _is_stun(data: bytes) -> bool:
    try:
        recognise(data, len(data))
    except DecodeError:
        return False
    return True


def _shortened(head: bytes, data: bytes) -> bytes:
    """An IP packet that ends with a UDP header, with other data behind it and lengths that fit."""
    packet = bytearray(head + data)
    struct.pack_into(">H", packet, len(head) - 4, 8 + len(data))
    if packet[0] >> 4 == 4:
        struct.pack_into(">H", packet, 2, len(packet))
    else:
        struct.pack_into(">H", packet, 4, len(packet) - 40)
    return bytes(packet)
