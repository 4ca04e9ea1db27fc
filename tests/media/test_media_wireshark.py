"""DTLS records and RTP streams of the captures of the lab, and those from the wild, against Wireshark's dissectors."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import stunpcap
from tests.wire.scanning import SHARED, needs_tshark
from tests.wire.scanning import captures_at_hand as captures

CLEAR = {"20": "change-cipher-spec", "21": "alert", "22": "handshake"}


def tshark(path: Path, shown: str, *fields: str) -> list[list[str]]:
    import subprocess

    command = ["tshark", "-r", str(path), "-Y", shown, "-T", "fields", "-E", "separator=|"]
    done = subprocess.run(
        [*command, *(part for field in fields for part in ("-e", field))], capture_output=True, text=True, check=False
    )
    return [line.split("|") for line in done.stdout.splitlines()]


@needs_tshark
@pytest.mark.parametrize("path", captures(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_records_in_the_clear(path: Path) -> None:
    """Frame, content type, record number of each record of epoch 0."""
    fields = ("frame.number", "dtls.record.content_type", "dtls.record.epoch", "dtls.record.sequence_number")
    theirs: Counter[tuple[int, str, int]] = Counter()
    for frame, contents, epochs, numbers in tshark(path, "dtls.record && !icmp && !icmpv6", *fields):
        for content, epoch, number in zip(contents.split(","), epochs.split(","), numbers.split(","), strict=False):
            if content in CLEAR and epoch == "0":
                theirs[int(frame), CLEAR[content], int(number)] += 1
    table = stunpcap.read(path).table("dtls")
    ours = Counter(
        (row["frame"], row["content"], row["sequence"])
        for row in table.records()
        if row["epoch"] == 0 and row["content"] in CLEAR.values()
    )
    # Wireshark opens relayed data only where it knows the channel, and no ICE-TCP; what it finds must all be there.
    assert not theirs - ours
    if path.parent != SHARED and not any(table["carrier"]) and not any(table["transport"]):
        assert ours == theirs


@needs_tshark
@pytest.mark.parametrize("path", captures(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_handshake_messages(path: Path) -> None:
    """The types of messages in the clear, by frame."""
    table = stunpcap.read(path).table("dtls")
    for frame, types in tshark(path, "dtls.handshake.type && !icmp", "frame.number", "dtls.handshake.type"):
        mine = np.flatnonzero((table["frame"] == int(frame)) & (table["epoch"] == 0))
        said = ", ".join(table.take(mine).values("handshake")[k] or "" for k in range(len(mine)))
        names = {"1": "client-hello", "2": "server-hello", "3": "hello-verify-request", "11": "certificate"}
        for kind in types.split(","):
            if kind in names:
                # Wireshark takes a HelloRetryRequest for the ServerHello that it is.
                assert re.search(names[kind] + ("|hello-retry-request" if kind == "2" else ""), said)


MEDIA = ["media-call/offerer", "media-one-way/answerer", "media-one-way/offerer"]


@needs_tshark
@pytest.mark.parametrize("name", MEDIA)
def test_streams_of_rtp(name: str) -> None:
    """SSRC, packets and ends."""
    path = Path(__file__).resolve().parents[2] / "captures" / f"{name}.pcap"
    import subprocess

    done = subprocess.run(
        ["tshark", "-o", "rtp.heuristic_rtp:TRUE", "-r", str(path), "-q", "-z", "rtp,streams"],
        capture_output=True,
        text=True,
        check=True,
    )
    pattern = r"(\S+)\s+(\d+)\s+(\S+)\s+(\d+)\s+0x([0-9A-Fa-f]{8})\s.*?\s(\d+)\s+(-?\d+) \("
    theirs = {
        (f"{src}:{sport}", f"{dst}:{dport}", int(ssrc, 16)): (int(packets), int(lost))
        for src, sport, dst, dport, ssrc, packets, lost in re.findall(pattern, done.stdout)
    }
    rows = [row for row in stunpcap.read(path).table("streams").records() if row["kind"] == "rtp"]
    ours = {(row["src"], row["dst"], row["ssrc"]): (row["packets"], row["expected"] - row["packets"]) for row in rows}
    assert ours
    assert ours == theirs
