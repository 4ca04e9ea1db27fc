"""Whatever the bytes are: packets up to the damage or a CaptureError, and the same packets compiled or not."""

import io
from types import SimpleNamespace

import pytest
from capture_writers import COMPRESS, PCAP, PCAPNG, REAL, SMALL, enhanced, everything, interface, load, record, section
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stunpcap.capture import open_capture
from stunpcap.capture.notes import Notes
from stunpcap.capture.rows import Rows
from stunpcap.capture.window import SPARE
from stunpcap.errors import CaptureError


def attempt(data, block_bytes=1 << 12):
    try:
        return load(data, block_bytes)
    except CaptureError as error:
        assert len(str(error).splitlines()) == 1
        return None


@pytest.mark.parametrize("compression", ["", *COMPRESS])
@pytest.mark.parametrize("kind", SMALL)
def test_cut_at_every_byte(kind, compression):
    whole = COMPRESS[compression](SMALL[kind]) if compression else SMALL[kind]
    complete, _ = load(whole)
    counts = []
    for size in range(len(whole)):
        found = attempt(whole[:size])
        if found is None:
            counts.append(-1)
            continue
        packets, capture = found
        assert packets == complete[: len(packets)]
        counts.append(len(packets))
        if compression:
            assert capture.defects, size
        else:
            assert all(defect.offset <= size for defect in capture.defects)
    assert counts == sorted(counts)
    if not compression:
        assert set(counts) == {-1, *range(len(complete))}


CORRUPT = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6)


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(sorted(SMALL)), changes=CORRUPT, block_bytes=st.sampled_from([16, 64, 4096]))
def test_changed_bytes(kind, changes, block_bytes):
    data = bytearray(SMALL[kind])
    for place, value in changes:
        data[int(place * len(data))] = value
    found = attempt(bytes(data), block_bytes)
    if found is not None:
        first = min((int(place * len(data)) for place, _ in changes), default=len(data))
        intact = load(SMALL[kind][:first])[0] if first >= 28 else []
        # all that ends before the first change, but for what a comment or a time of a later block could alter
        assert [p.data for p in found[0]][: len(intact)] == [p.data for p in intact]
        assert found[0] == attempt(bytes(data))[0]


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(sorted(COMPRESS)), changes=CORRUPT)
def test_changed_bytes_compressed(name, changes):
    data = bytearray(COMPRESS[name](PCAPNG))
    for place, value in changes:
        data[int(place * len(data))] = value
    attempt(bytes(data))


@settings(max_examples=200, deadline=None)
@given(
    head=st.sampled_from([b"", PCAP[:24], PCAPNG[:28], PCAPNG[:80], b"\x28\xb5\x2f\xfd"]), tail=st.binary(max_size=300)
)
@example(head=b"", tail=b"\xff\xfe\0\xd8")
def test_any_bytes(head, tail):
    attempt(head + tail)


@settings(max_examples=100, deadline=None)
@given(head=st.sampled_from([PCAP[:24], PCAPNG[:80]]), tail=st.binary(max_size=300), size=st.integers(1, 70))
def test_any_bytes_compiled(head, tail, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STUNPCAP_COMPILE", "never")
        plain = load(head + tail, size)
        patch.setenv("STUNPCAP_COMPILE", "always")
        compiled = load(head + tail, size)
    assert plain[0] == compiled[0] and plain[1].defects == compiled[1].defects


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_compiled_is_equal_on_real_captures(path, monkeypatch):
    found = []
    for policy in ("never", "always"):
        monkeypatch.setenv("STUNPCAP_COMPILE", policy)
        with open_capture(path) as capture:
            found.append((everything(capture), capture.defects, capture.comments, capture.interfaces))
    assert found[0] == found[1]


def test_blocks_stay_valid_while_they_are_kept():
    raw = section() + interface() + b"".join(enhanced(bytes([n % 256]) * 100) for n in range(3000))
    kept = []
    with open_capture(io.BytesIO(raw), block_bytes=4096) as capture:
        for number, block in enumerate(capture.blocks()):
            if number % 3 == 0:
                kept.append(block)
    for block in kept:
        for row in range(len(block)):
            at = int(block.offset[row])
            assert bytes(block.data[at : at + 100]) == bytes([(block.first_frame + row - 1) % 256]) * 100


def test_buffers_are_used_again():
    raw = PCAP[:24] + record(bytes(1000)) * 500
    seen = set()
    with open_capture(io.BytesIO(raw), block_bytes=1 << 14) as capture:
        for block in capture.blocks():
            seen.add(id(block.data.obj))
    assert len(seen) <= SPARE


def test_columns_are_used_again_when_nobody_looks():
    """Neither those of a block that is kept, nor those of a slice of one."""
    rows = Rows(1 << 10)
    window, notes = SimpleNamespace(data=memoryview(b""), position=0), Notes()

    def hand_on(value):
        rows.offset[0], rows.row = value, 1
        return rows.hand_on(window, notes)

    kept = [hand_on(value) for value in range(10)]
    assert [int(block.offset[0]) for block in kept] == list(range(10))
    part = kept[9].offset[:1]
    kept.clear()
    addresses = {hand_on(value).offset.__array_interface__["data"][0] for value in range(50)}
    assert len(addresses) < 4 and int(part[0]) == 9
