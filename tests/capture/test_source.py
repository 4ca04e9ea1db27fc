"""Where bytes come from: compressions, pipes, streams, and what goes wrong with them."""

import gzip
import io
import os
import subprocess
import sys
import threading
import tracemalloc
import zlib

import numpy as np
import pytest
import zstandard
from capture_writers import (
    COMPRESS,
    PCAP,
    SMALL,
    enhanced,
    everything,
    interface,
    load,
    pcap_header,
    problems,
    record,
    section,
)

from stunpcap.capture import open_capture
from stunpcap.errors import CaptureError, UsageError

MEDIUM = pcap_header() + b"".join(record(os.urandom(n % 1400)) for n in range(1500))


@pytest.mark.parametrize("name", COMPRESS)
@pytest.mark.parametrize("raw", [PCAP, MEDIUM], ids=["small", "medium"])
def test_compressions(name, raw):
    packets, capture = load(COMPRESS[name](raw))
    assert packets == load(raw)[0]
    assert (capture.format, capture.compression, capture.defects) == ("pcap", name, [])


@pytest.mark.parametrize("name", COMPRESS)
def test_several_members(name):
    compress = COMPRESS[name]
    raw = compress(MEDIUM[:5]) + compress(MEDIUM[5:70_000]) + compress(b"") + compress(MEDIUM[70_000:])
    packets, capture = load(raw)
    assert packets == load(MEDIUM)[0] and not capture.defects
    padded, capture = load(raw + bytes(100_000))
    assert padded == packets and not capture.defects


@pytest.mark.parametrize("name", COMPRESS)
def test_something_after_the_end(name):
    packets, capture = load(COMPRESS[name](PCAP) + b"and then this")
    assert packets == load(PCAP)[0]
    assert "something else" in problems(capture)[0]


@pytest.mark.parametrize("name", COMPRESS)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.999])
def test_compressed_file_cut_off(name, part):
    whole = COMPRESS[name](MEDIUM)
    complete, _ = load(MEDIUM)
    try:
        packets, capture = load(whole[: int(len(whole) * part)])
    except CaptureError as error:
        assert name == "bzip2"  # whose only block is as long as the file
        assert "cut off" in str(error)
        return
    assert packets == complete[: len(packets)]
    if name != "bzip2":
        # zstd and lz4 decode by the block, of up to 128 KiB and 64 KiB
        assert len(packets) >= len(complete) * part - 200
    [defect] = capture.defects
    assert "cut off" in defect.problem and defect.frame == len(packets)


def test_gzip_gives_everything_up_to_the_damage():
    stored = bytearray(gzip.compress(MEDIUM, compresslevel=0))  # blocks of up to 65535 bytes as they are
    compress = zlib.compressobj(9, zlib.DEFLATED, 31)
    first = compress.compress(MEDIUM[:500_000]) + compress.flush(zlib.Z_FULL_FLUSH)
    packets, capture = load(first + b"\7" + bytes(stored[1000:9000]))  # 7: a last block of the kind that does not exist
    complete, _ = load(MEDIUM)
    assert packets == load(MEDIUM[:500_000])[0] == complete[: len(packets)]
    [defect] = capture.defects
    assert (defect.offset, defect.frame) == (500_000, len(packets)) and "gzip data is damaged" in defect.problem


def test_wrong_checksum_of_gzip():
    raw = bytearray(gzip.compress(PCAP))
    raw[-6] ^= 1
    packets, capture = load(bytes(raw))
    assert packets == load(PCAP)[0] and "damaged" in problems(capture)[0]


def test_damaged_from_the_start():
    with pytest.raises(CaptureError, match="gzip data is damaged"):
        load(b"\x1f\x8b\x08\x00" + bytes(20) + b"\xff" * 100)


def test_zstd_with_skippable_frames():
    skippable = b"\x53\x2a\x4d\x18\x06\0\0\0abcdef"
    compress = zstandard.ZstdCompressor(write_content_size=False).compress
    raw = skippable + compress(MEDIUM[:9999]) + skippable + compress(MEDIUM[9999:]) + b"\x50\x2a\x4d\x18\0\0\0\0"
    packets, capture = load(raw)
    assert packets == load(MEDIUM)[0] and not capture.defects


@pytest.mark.parametrize("name", COMPRESS)
def test_bomb_streams_through(name, monkeypatch):
    monkeypatch.setenv("STUNPCAP_COMPILE", "never")  # compiling would count, too
    zeros = record(bytes(250_000)) * 10
    raw = COMPRESS[name](pcap_header(snaplen=262144) + zeros * 30)  # 75 MB
    tracemalloc.start()
    with open_capture(io.BytesIO(raw), block_bytes=1 << 20) as capture:
        assert sum(len(block) for block in capture.blocks()) == 300
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not capture.defects
    assert peak < 16 << 20


def test_pipe():
    reading, writing = os.pipe()

    def write():
        with os.fdopen(writing, "wb") as file:
            for at in range(0, len(MEDIUM), 1001):
                file.write(MEDIUM[at : at + 1001])
                file.flush()

    thread = threading.Thread(target=write)
    thread.start()
    sizes = []
    with os.fdopen(reading, "rb", buffering=0) as file:
        capture = open_capture(file, progress=lambda done, size: sizes.append((done, size)), block_bytes=1 << 18)
        packets = everything(capture)
    thread.join()
    assert packets == load(MEDIUM)[0] and not capture.defects
    assert sizes[-1] == (len(MEDIUM), None) and len(sizes) > 2


@pytest.mark.parametrize("name", ["", *COMPRESS])
def test_standard_input(name):
    code = (
        "from stunpcap.capture import open_capture\n"
        "with open_capture('-') as capture:\n"
        "    print(capture.name, capture.compression, sum(len(b) for b in capture.blocks()), capture.defects)"
    )
    raw = COMPRESS[name](MEDIUM) if name else MEDIUM
    done = subprocess.run([sys.executable, "-c", code], input=raw, capture_output=True, check=True)
    assert done.stdout.decode().split() == ["-", *([name] if name else []), "1500", "[]"]


class OnlyRead:
    """A stream as some libraries have them: `read` and nothing else, and no more than it likes to give."""

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def read(self, size):
        return self._data.read(min(size, 7))


@pytest.mark.parametrize("name", ["", *COMPRESS])
def test_stream_that_only_reads(name):
    with open_capture(OnlyRead(COMPRESS[name](PCAP) if name else PCAP)) as capture:
        assert everything(capture) == load(PCAP)[0]
    assert capture.name == "(stream)"


def test_stream_stays_open_and_file_is_closed(tmp_path):
    stream = io.BytesIO(PCAP)
    with open_capture(stream) as capture:
        everything(capture)
    assert not stream.closed
    path = tmp_path / "a.pcap"
    path.write_bytes(PCAP)
    with open_capture(path) as capture:
        blocks = capture.blocks()
    assert capture.name == str(path)
    assert sum(len(block) for block in blocks) == 8  # it was in the first block, read when opened
    with open_capture(path, block_bytes=64) as capture:
        blocks = capture.blocks()
    assert sum(len(block) for block in blocks) < 8
    assert "cannot be read further" in problems(capture)[0]


class Failing(io.BytesIO):
    def readinto(self, view):
        got = super().readinto(view[:100])
        if not got:
            raise OSError(5, "Input/output error")
        return got


def test_disk_that_fails():
    packets, capture = (lambda c: (everything(c), c))(open_capture(Failing(PCAP[:150])))
    assert packets == load(PCAP[:150])[0]
    assert problems(capture) == ["the file cannot be read further: Input/output error"]


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("size", [1, 12, 64, 100, 4096])
def test_block_size_changes_nothing(kind, size):
    assert load(SMALL[kind], size)[0] == load(SMALL[kind])[0]


def test_block_size_changes_nothing_on_a_longer_one():
    raw = section() + interface() + b"".join(enhanced(os.urandom(n % 300), ticks=n) for n in range(2000))
    assert load(raw, 64)[0] == load(raw, 1000)[0] == load(raw)[0]


def test_many_packets_of_no_bytes():
    raw = pcap_header() + record(b"", wirelen=9) * 200_000
    with open_capture(io.BytesIO(raw)) as capture:
        blocks = list(capture.blocks())
    assert max(len(block) for block in blocks) <= 65536
    assert np.array_equal(np.concatenate([b.first_frame + np.arange(len(b)) for b in blocks]), np.arange(1, 200_001))


def test_records_longer_than_a_block_are_read_in_linear_time():
    class Counting(io.BytesIO):
        asked = 0

        def readinto(self, view):
            Counting.asked += 1
            return super().readinto(view)

    raw = pcap_header() + record(bytes(200_000)) * 20
    with open_capture(Counting(raw), block_bytes=64) as capture:
        assert len(everything(capture)) == 20
    assert Counting.asked < 200


def test_progress(tmp_path):
    path = tmp_path / "a.pcap.gz"
    path.write_bytes(gzip.compress(MEDIUM))
    seen = []
    with open_capture(path, block_bytes=1 << 16, progress=lambda done, size: seen.append((done, size))) as capture:
        everything(capture)
    size = path.stat().st_size
    assert len(seen) > 10 and seen == sorted(seen)
    assert seen[-1] == (size, size)


def test_file_still_growing(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(PCAP)
    with open_capture(path) as capture, path.open("ab") as file:
        file.write(record() + record()[:10])
        file.flush()
        assert len(everything(capture)) >= 8


@pytest.mark.parametrize("cut", [1, 15, 16, 40])
def test_ends_in_the_middle(cut):
    packets, capture = load(PCAP[:-cut])
    assert packets == load(PCAP)[0][:7]
    [defect] = capture.defects
    assert (defect.frame, defect.offset) == (7, len(PCAP) - 51) and "middle of a record" in defect.problem


def test_cannot_be_opened(tmp_path):
    with pytest.raises(CaptureError, match=r"missing.pcap: cannot be opened: No such file"):
        open_capture(tmp_path / "missing.pcap")
    with pytest.raises(CaptureError, match="directory"):
        open_capture(tmp_path)
    with pytest.raises(CaptureError, match="null"):
        open_capture("a\0b")


def test_empty(tmp_path):
    path = tmp_path / "empty.pcap"
    path.touch()
    with pytest.raises(CaptureError, match="is empty"):
        open_capture(path)


@pytest.mark.parametrize("name", COMPRESS)
def test_nothing_compressed(name):
    with pytest.raises(CaptureError, match="holds nothing"):
        load(COMPRESS[name](b""))


def test_misuse(tmp_path):
    for stream in (io.StringIO("text"), 3, None):
        with pytest.raises(UsageError):
            open_capture(stream)
    with pytest.raises(UsageError):
        open_capture(io.BytesIO(PCAP), block_bytes=0)
    with open_capture(io.BytesIO(PCAP)) as capture:
        capture.blocks()
        with pytest.raises(UsageError, match="once"):
            capture.blocks()


def test_import_is_light():
    code = (
        "import sys, stunpcap.capture\n"
        "print(sorted({'pandas', 'numba', 'lz4', 'zstandard', 'lzma', 'bz2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"
