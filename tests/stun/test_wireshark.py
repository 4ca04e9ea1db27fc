"""Every UDP message of the captures from the wild, against Wireshark's view of it.

Payloads come from tshark, so nothing of this package but the decoder is tried here.
"""

from __future__ import annotations

import collections
import csv
import functools
import shutil
import subprocess
from pathlib import Path

import pytest

from stunpcap.errors import DecodeError
from stunpcap.stun.message import Message

FILES = [
    "TracePcap__teams.pcap",
    "arkime__stun.pcap",
    "mercury__emix.pcap",
    "nDPI__stun.pcap",
    "nDPI__stun_classic.pcap",
    "nDPI__stun_dtls_rtp.pcapng",
    "nDPI__stun_dtls_unidirectional_server.pcap",
    "nDPI__stun_google_meet.pcapng",
    "nDPI__stun_msteams_unidir.pcapng",
    "nDPI__stun_signal.pcapng",
    "nDPI__stun_tcp_multiple_msgs_same_pkt.pcap",
    "nDPI__stun_wa_call.pcapng",
    "nDPI__wa_video.pcap",
    "nDPI__zoom_p2p.pcapng",
    "nfstream__stun_facebook.pcapng",
    "peafowl__whatsapp.pcap",
    "srtp_decoder__WebRTC_PCMA_Turn_SDES_Call_1.pcap",
    "srtp_decoder__WebRTC_PCMA_p2p_SDES_Call_1.pcap",
    "srtp_decoder__tcp_call_02_03_client_s2.pcap",
    "srtp_decoder__wifi-tcp_to_3g.pcap",
    "zeek-spicy-stun__stun-attribute-length-ffff.pcap",
    "zeek-spicy-stun__stun-ice-testcall.pcap",
    "zeek-spicy-stun__stun-malformed-error.pcap",
    "zeek__webrtc-stun.pcap",
]

# STUN by form that Wireshark does not show: WhatsApp's types, whose method is above 0xff (its quirk 4).
WHATSAPP_TYPES = range(0x0800, 0x0806)

# The one message whose attributes are read differently. Its first attribute claims 65,535 bytes, which runs over the
# end; Wireshark's view lists a second one inside the first.
OVERRUN = ("zeek-spicy-stun__stun-attribute-length-ffff.pcap", 2)


@functools.cache
def payloads(capture: Path) -> dict[int, tuple[str, bytes]]:
    """UDP payloads by frame, each with the innermost protocol that Wireshark takes it for."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    fields = [part for name in ("frame.number", "frame.protocols", "udp.payload") for part in ("-e", name)]
    command = [
        "tshark",
        "-n",
        "-r",
        str(capture),
        "-Y",
        "udp && !icmp && !icmpv6",
        "-T",
        "fields",
        "-E",
        "occurrence=l",
    ]
    out = subprocess.run([*command, *fields], capture_output=True, text=True, check=False).stdout  # damaged: status 2
    rows = [line.split("\t") for line in out.splitlines()]
    return {
        int(frame): (protocols.split(":udp:")[-1].split(":")[0], bytes.fromhex(payload))
        for frame, protocols, payload in rows
        if payload
    }


def wireshark(captures: Path, name: str) -> dict[int, dict[str, str]]:
    with (captures / "wireshark" / f"{name}.tsv").open(encoding="utf-8", errors="replace", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    wanted = [
        row
        for row in rows
        if row["context"] == "direct" and row["transport"] == "udp" and row["class"] != "channeldata"
    ]
    return {int(row["frame"]): row for row in wanted}


def address(text: str) -> str:
    """Turn `IP PORT;IP PORT` into the first one, as this package writes it."""
    if not text:
        return ""
    host, port = text.split(";")[0].split(" ")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def text(value: object) -> str:
    return "" if value is None else str(value)


def test_all_captures_are_listed(captures: Path) -> None:
    assert sorted(path.name.removesuffix(".tsv") for path in (captures / "wireshark").iterdir()) == FILES


@pytest.mark.parametrize("name", FILES)
def test_messages_equal_wireshark_s(captures: Path, name: str) -> None:
    theirs = wireshark(captures, name)
    found = payloads(captures / name)
    ours: dict[int, Message] = {}
    for frame, (_, payload) in found.items():
        try:
            ours[frame] = Message.parse(payload)
        except DecodeError:
            continue
    shown = {frame: message for frame, message in ours.items() if message.type not in WHATSAPP_TYPES}
    assert set(shown) == set(theirs)
    for frame, message in shown.items():
        row = theirs[frame]
        assert f"0x{message.type:04x}" == row["type"]
        assert message.transaction_id == row["txid"]
        assert str(message.length) == row["length"]
        if message.variant == "ms-turn":
            # Wireshark expects padding, so from the first odd length on it reads other attributes than were sent.
            # That all of them are known and end at the end shows who is right.
            assert message.found == ()
            assert all(a.known for a in message.attributes)
            continue
        if (name, frame) == OVERRUN:
            assert [a.type for a in message.attributes] == [1]
            continue
        assert ",".join(f"0x{a.type:04x}" for a in message.attributes) == row["attrs"]
        assert ",".join(str(a.length) for a in message.attributes) == row["attr_lens"]
        if message.data_value is not None:  # its view mixes in the attributes of the message inside
            continue
        assert text(message.username) == row["username"]
        assert text(message.priority) == row["priority"]
        assert text(message.error_code) == row["error_code"]
        assert text(message.get("XOR-MAPPED-ADDRESS")) == address(row["xor_mapped"])
        assert text(message.get("MAPPED-ADDRESS")) == address(row["mapped"])
        assert text(message.relayed) == address(row["xor_relayed"])
        assert text(message.peer) == address(row["xor_peer"])
        assert text(message.lifetime_s) == row["lifetime"]
        assert {"absent": "", "valid": "1", "invalid": "0"}[message.fingerprint] == row["crc32_status"]
        assert ("1" if message.get("USE-CANDIDATE") else "") == row["use_candidate"]
        if row["controlling"] or row["controlled"]:
            assert message.tie_breaker == int((row["controlling"] or row["controlled"]).replace(":", ""), 16)


# Traffic among the captures that is no STUN, as Wireshark names it; each has to be there.
OTHERS = {"dns", "mdns", "ssdp", "dhcp", "dhcpv6", "ntp", "quic", "rtp", "rtcp", "dtls", "nbns", "nbdgm", "llmnr"} | {
    *("tftp", "cldap", "wg", "udpencap", "bt-dht", "teredo", "data"),
}


def test_nothing_else_in_the_captures_is_taken_for_stun(captures: Path) -> None:
    refused: collections.Counter[str] = collections.Counter()
    for name in FILES:
        theirs = wireshark(captures, name)
        for frame, (protocol, payload) in payloads(captures / name).items():
            if frame in theirs:
                continue
            try:
                message = Message.parse(payload)
            except DecodeError:
                refused[protocol] += 1
                continue
            assert message.type in WHATSAPP_TYPES
    assert refused.keys() >= OTHERS
    assert refused.total() > 5000
