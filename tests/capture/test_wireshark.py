"""Frame numbers, times and lengths against tshark, on real captures and on what editcap makes of them."""

import shutil
import subprocess

import pytest
from capture_writers import REAL, enhanced, everything, interface, load, option, section

from stunpcap.capture import open_capture

pytestmark = pytest.mark.skipif(
    not (shutil.which("tshark") and shutil.which("editcap")), reason="tshark and editcap are not installed"
)
FIELDS = (
    "frame.number",
    "frame.time_epoch",
    "frame.cap_len",
    "frame.len",
    "frame.packet_flags_direction",
    "frame.comment",
)
DIRECTIONS = {"": 0, "0x00000000": 0, "0x00000001": 1, "0x00000002": 2}


def wireshark(path):
    arguments = [part for field in FIELDS for part in ("-e", field)]
    command = ["tshark", "-n", "-r", str(path), "--disable-protocol", "eth", "-T", "fields", *arguments]
    rows, comments = [], {}
    for line in subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines():
        number, time, caplen, length, direction, comment = line.split("\t")
        seconds, fraction = time.split(".")
        rows.append(
            (int(number), int(seconds) * 10**9 + int(fraction), int(caplen), int(length), DIRECTIONS[direction])
        )
        if comment:
            comments[int(number)] = comment
    return rows, comments


def check(path):
    rows, comments = wireshark(path)
    with open_capture(path) as capture:
        assert [(p.frame, p.time_ns, p.caplen, p.wirelen, p.direction) for p in everything(capture)] == rows
    assert not capture.defects
    assert {frame: ",".join(texts) for frame, texts in capture.comments.items() if frame} == comments
    return capture


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_real_captures(path):
    check(path)


SOME = [path for path in REAL if path.stat().st_size < 40_000][::3]


@pytest.mark.parametrize("path", SOME, ids=lambda path: path.name)
@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "modpcap", "suse6_3pcap", "pcapng"])
def test_converted(path, kind, tmp_path):
    target = tmp_path / "converted"
    subprocess.run(["editcap", "-F", kind, "-s", "100", str(path), str(target)], check=True, capture_output=True)
    check(target)


def test_comments_made_by_editcap(tmp_path):
    raw = section() + interface(options=option(1, b"kept")) + enhanced() * 6
    (tmp_path / "a").write_bytes(raw)
    notes = ["-a", "2:second", "-a", "5:fünfter, zuletzt", "--capture-comment", "of all"]
    command = ["editcap", "-F", "pcapng", *notes, str(tmp_path / "a"), str(tmp_path / "b")]
    subprocess.run(command, check=True, capture_output=True)
    packets, capture = load((tmp_path / "b").read_bytes())
    assert capture.comments[2] == ["second"] and capture.comments[5] == ["fünfter, zuletzt"]
    assert set(capture.comments[0]) >= {"of all", "kept"}
    assert packets == load(raw)[0]
