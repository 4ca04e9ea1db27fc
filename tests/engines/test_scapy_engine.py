"""The engine scapy: link types and layers of its users, and how it fails."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

pytest.importorskip("scapy")

from scapy.config import conf
from scapy.fields import IntField, ShortField
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import CookedLinux, Ether
from scapy.packet import Packet, bind_layers, split_layers
from scapy.utils import PcapNgWriter, wrpcap

import stunpcap
from stunpcap.errors import CaptureError
from tests.places import LAB, ROOT

STUN = bytes.fromhex("000100082112a442") + bytes(range(12)) + bytes.fromhex("80220004") + b"test"


class OwnLink(Packet):
    """A link layer that only its inventor knows."""

    name = "own link"
    fields_desc: ClassVar = [ShortField("port", 7)]

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        return IP


class OwnTunnel(Packet):
    """Four bytes between UDP and STUN."""

    name = "own tunnel"
    fields_desc: ClassVar = [IntField("stream", 1)]


def messages(trace: stunpcap.Trace) -> list[tuple[str, str, str]]:
    return [(row["src"], row["dst"], row["software"]) for row in trace.table("messages").records()]


def test_link_type_of_a_user(tmp_path: Path) -> None:
    path = tmp_path / "own.pcap"
    packet = OwnLink() / IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=5000, dport=6000) / STUN
    wrpcap(str(path), [packet], linktype=147)
    assert messages(stunpcap.read(path)) == []
    assert messages(stunpcap.read(path, engine="scapy")) == []
    conf.l2types.register(147, OwnLink)
    try:
        assert messages(stunpcap.read(path, engine="scapy")) == [("192.0.2.1:5000", "192.0.2.2:6000", "test")]
    finally:
        del conf.l2types.num2layer[147], conf.l2types.layer2num[OwnLink]


@pytest.mark.parametrize("network", [IP(src="192.0.2.1", dst="192.0.2.2"), IPv6(src="2001:db8::1", dst="2001:db8::2")])
def test_layer_of_a_user_between_udp_and_stun(network: Packet, tmp_path: Path) -> None:
    path = tmp_path / "tunnel.pcap"
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    wrpcap(str(path), [ether / network / UDP(sport=5000, dport=9999) / struct.pack(">I", 5) / STUN])
    assert messages(stunpcap.read(path)) == []
    bind_layers(UDP, OwnTunnel, dport=9999)
    try:
        trace = stunpcap.read(path, engine="scapy")
    finally:
        split_layers(UDP, OwnTunnel, dport=9999)
    assert [(dst.rpartition(":")[2], software) for _, dst, software in messages(trace)] == [("9999", "test")]
    (flow,) = trace.table("flows").records()
    assert (flow["stun"], flow["bytes"]) == (1, len(STUN))


def test_directions_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "cooked.pcap"
    inside = IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=5000, dport=6000) / STUN
    wrpcap(str(path), [CookedLinux(pkttype=4) / inside, CookedLinux(pkttype=0) / inside])
    ours, theirs = (stunpcap.read(path, engine=engine).sources[0] for engine in ("native", "scapy"))
    assert theirs.extra["direction"].tolist() == ours.extra["direction"].tolist() == [2, 1]
    noted = tmp_path / "noted.pcapng"
    packet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / inside
    packet.comments = [b"look here"]
    with PcapNgWriter(str(noted)) as writer:
        writer.write([packet])
    assert stunpcap.read(noted, engine="scapy").comments["noted"] == {1: ["look here"]}


def test_packets_without_ip_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "none.pcap"
    wrpcap(str(path), [Ether(type=0x88CC) / b"12345"] * 3)
    (vantage,) = stunpcap.read(path, engine="scapy").sources
    assert vantage.packets == 3 and sum(vantage.not_ip.values()) == 3


def test_no_capture(tmp_path: Path) -> None:
    for content in (b"hello, this is no capture at all", b"\xd4\xc3\xb2\xa1"):
        (tmp_path / "text").write_bytes(content)
        with pytest.raises(CaptureError, match="scapy cannot read it"):
            stunpcap.read(tmp_path / "text", engine="scapy")


@pytest.mark.parametrize("cut", [25, 40, 100, 1001])
def test_cut_files(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "offerer.pcap"
    path.write_bytes((LAB / "direct" / "offerer.pcap").read_bytes()[:cut])
    ours, theirs = stunpcap.read(path), stunpcap.read(path, engine="scapy")
    assert messages(theirs) == messages(ours)


def test_compressed(tmp_path: Path) -> None:
    import lzma

    path = tmp_path / "offerer.pcap.xz"
    path.write_bytes(lzma.compress((LAB / "direct" / "offerer.pcap").read_bytes()))
    theirs = stunpcap.read(path, engine="scapy")
    assert messages(theirs) == messages(stunpcap.read(path))
    assert "xz" in theirs.sources[0].format


def test_nothing_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, stunpcap; stunpcap.read('captures/direct/offerer.pcap').tables;"
        "print([name for name in ('scapy', 'pyshark', 'lxml', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("package", ["scapy", "pyshark"])
def test_a_missing_package_says_how_to_get_it(package: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from stunpcap.cli import main\n"
        f"sys.exit(main(['summary', '--engine', {package!r}, 'captures/direct/offerer.pcap']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and f'pip install "stunpcap[{package}]"' in done.stderr
