"""The captures of the lab and from the wild: the same as Wireshark, plain or compiled, in small blocks or large."""

import csv
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from scanning import SHARED, captures_at_hand, needs_shared, needs_tshark, rows, scan_file, tshark

from stunpcap.capture import open_capture
from stunpcap.stun.columns import decode_messages
from stunpcap.table import Pools, hex_id
from stunpcap.wire import layers, segments
from stunpcap.wire.counters import N_CHANNEL, N_DTLS, N_OTHER, N_RTCP, N_RTP, N_STUN, PACKETS
from stunpcap.wire.demux import STUN, STUN_CUT
from stunpcap.wire.scan import Scanner

WILD = sorted(path.name for path in SHARED.iterdir() if ".pcap" in path.name) if SHARED.is_dir() else []

# (file, messages that only we have): why, and who is right.
ONLY_OURS = {
    "nDPI__stun_wa_call.pcapng": (104, "WhatsApp's methods above 0xff, which Wireshark refuses: STUN by form"),
    "nDPI__wa_video.pcap": (65, "the same"),
    "peafowl__whatsapp.pcap": (5, "the same"),
}


@needs_shared
@pytest.mark.parametrize("name", WILD)
def test_messages_of_wireshark(name):
    """Every STUN message that Wireshark sees directly in UDP or TCP is ours, and no other but those listed."""
    kept, _ = scan_file(SHARED / name)
    columns = decode_messages(kept, Pools())
    frames = kept.frame[columns["datagram"]].tolist()
    direct = (kept.flow[columns["datagram"]] < len(kept.flow_keys)).tolist()
    ids = map(hex_id, columns["transaction_id"].tolist())
    ours = Counter(key for key, is_direct in zip(zip(frames, ids, strict=True), direct, strict=True) if is_direct)
    theirs = Counter()
    quotes = set()
    with (SHARED / "wireshark" / f"{name}.tsv").open() as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["context"] == "direct" and row["class"] != "channeldata":
                theirs[int(row["frame"]), row["txid"]] += 1
            elif row["context"] == "icmp-quote":
                quotes.add((int(row["frame"]), row["txid"]))
    assert theirs - ours == Counter()
    extra = ours - theirs
    assert extra.total() == ONLY_OURS.get(name, (0, ""))[0]
    kinds = {row.frame: int.from_bytes(row.payload[:2]) for row in rows(kept)}
    for frame, _ in extra:
        assert kinds[frame] & 0x3E00, "the method's upper bits, without which Wireshark would take it"
    assert quotes <= {(error.frame, error.payload[at:20].hex()) for error in kept.icmp for at in (4, 8)}


@needs_shared
@needs_tshark
@pytest.mark.parametrize("name", WILD)
def test_nothing_else_becomes_stun(name):
    """What tshark takes for another protocol is no STUN for us, and ChannelData, DTLS, RTP are none of the others."""
    kept, _ = scan_file(SHARED / name)
    protocols = tshark(SHARED / name, "frame.protocols")
    refused = 0
    for row in rows(kept):
        shown = protocols[row.frame - 1][0][0].split(":")
        if "stun" not in shown and "classicstun" not in shown:
            refused += 1
            assert shown[-1] == "data", shown
    assert refused == ONLY_OURS.get(name, (0, ""))[0]


def results(path, monkeypatch, policy, block_bytes=8 << 20):
    monkeypatch.setenv("STUNPCAP_COMPILE", policy)
    kept, scanner = scan_file(path, block_bytes)
    return kept, scanner._tally


def pieces(kept, payload):
    places = zip(kept.offset.tolist(), kept.captured.tolist(), strict=True)
    return [payload[at : at + size] for at, size in places]


def assert_same(one, other):
    """The same but for where payloads lie: in the order in which streams and fragments became whole."""
    assert pieces(one, one.payload) == pieces(other, other.payload)
    assert pieces(one.aside, one.payload) == pieces(other.aside, other.payload)
    for name in one.__dataclass_fields__:
        if name not in ("aside", "offset", "payload"):
            assert_equal(name, getattr(one, name), getattr(other, name))
    for name in one.aside.__dataclass_fields__:
        if name != "offset":
            assert_equal(name, getattr(one.aside, name), getattr(other.aside, name))


def assert_equal(name, left, right):
    if isinstance(left, np.ndarray):
        assert left.dtype == right.dtype
        assert np.array_equal(left, right), name
    else:
        assert left == right, name


@pytest.mark.parametrize("path", captures_at_hand(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_plain_and_compiled_agree(path, monkeypatch):
    plain, plain_tally = results(path, monkeypatch, "never")
    fast, fast_tally = results(path, monkeypatch, "always")
    assert_same(plain, fast)
    assert plain_tally.tolist() == fast_tally.tolist()
    assert plain_tally.sum() >= plain.packets, "what comes out of other packets counts, too"
    small, _ = results(path, monkeypatch, "never", 5000)
    assert_same(plain, small)
    kinds = plain.flow_counters[:, [N_STUN, N_DTLS, N_RTP, N_RTCP, N_CHANNEL, N_OTHER]].sum(axis=1)
    # On TCP it is messages that are counted, several to a segment or one over many.
    datagrams = (plain.flow_keys[:, 9] != layers.TCP) | (
        plain.flow_counters[:, N_OTHER] == plain.flow_counters[:, PACKETS]
    )
    assert np.array_equal(kinds[datagrams], plain.flow_counters[datagrams, PACKETS])
    assert (plain.flow_tcp[~datagrams, segments.STATE] == segments.OURS).all()


@needs_shared
@pytest.mark.parametrize("name", ["nDPI__stun_google_meet.pcapng", "nDPI__stun.pcap", "TracePcap__teams.pcap"])
def test_cut_by_the_snap_length(name):
    """The same datagrams, as far as they go; what is STUN in full is never something else when cut."""
    whole = defaultdict(list)
    for row in rows(scan_file(SHARED / name)[0]):
        whole[row.frame, row.flow, row.length].append(row)  # on TCP there may be several in a frame
    for snap in (0, 14, 15, 33, 34, 41, 42, 45, 49, 50, 54, 61, 62, 66, 70, 82, 100, 128, 200):
        scanner = Scanner()
        with open_capture(SHARED / name) as capture:
            for block in capture.blocks():
                scanner.feed(replace(block, caplen=np.minimum(block.caplen, snap)), capture.interfaces)
        kept = scanner.finish()
        for row in rows(kept):
            fulls = whole[row.frame, row.flow, row.length]
            full = next(one for one in fulls if one.payload.startswith(row.payload))
            assert row.ttl == full.ttl
            assert row.kind in (full.kind, STUN, STUN_CUT)
        decode_messages(kept, Pools())
        assert sum(count for text, (_, count, _) in kept.oddities.items() if "snap" in text) or snap > 49
        if snap <= 42:
            assert not len(kept.frame)
