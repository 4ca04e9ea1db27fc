"""The bulk decoder against `stun.Message`, which reads the same bytes on its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stunpcap.errors import DecodeError
from stunpcap.stun.columns import decode_messages
from stunpcap.stun.defects import Defect
from stunpcap.stun.message import Message
from stunpcap.stun.recognise import recognise
from stunpcap.table import Pools, Table
from stunpcap.vantage import Vantage, default_name, read_vantage
from stunpcap.wire import demux
from stunpcap.wire.datagrams import Datagrams
from tests.places import lab_captures, name_of, shared_captures

SAME = (
    *("username", "realm", "software", "priority", "use_candidate", "role", "tie_breaker", "mapped", "relayed", "peer"),
    *("error_code", "error_reason", "lifetime_s", "channel", "integrity", "fingerprint", "classic"),
    *("transaction_id", "method"),
)


def assert_same(row: dict[str, Any], flags: int, message: Message, more: bool) -> None:
    """One row of the columns says what the message says."""
    for name in SAME:
        told = getattr(message, name)
        told = str(told) if name in ("mapped", "relayed", "peer") and told is not None else told
        assert row[name] == told, name
    assert row["class"] == message.cls
    assert row["size_bytes"] == message.length + 20
    ignored = Defect.TRAILING_BYTES if more else 0  # the columns know that a further message follows
    assert Defect(flags & ~ignored) == Defect(message.defect_flags & ~ignored)


@pytest.mark.parametrize("path", [*lab_captures(), *shared_captures()], ids=name_of)
def test_every_message_of_every_capture(path: Path) -> None:
    vantage = read_vantage(path, default_name(path), Pools())
    rows = list(vantage.messages.records())
    follows = _followed(vantage)
    for number, row in enumerate(rows):
        offset, captured = vantage.offsets[number].tolist()
        room = int(vantage.extra["room"][number])
        message = Message.parse(vantage.payload[offset : offset + captured], wire_length=room)
        assert_same(row, int(vantage.extra["flags"][number]), message, follows[number])


def _followed(vantage: Vantage) -> list[bool]:
    """For each message whether another one follows in the same datagram."""
    offsets = vantage.offsets
    frames = vantage.messages["frame"]
    ends = offsets[:-1].sum(axis=1) == offsets[1:, 0]
    return [*(ends & (frames[1:] == frames[:-1])).tolist(), False] if len(frames) else []


def datagrams(*payloads: bytes, cut: int = 0) -> Datagrams:
    """Payloads as the scanner would keep them; each was `cut` bytes longer on the wire."""
    kinds = {"": demux.STUN, "classic": demux.CLASSIC, "zoom": demux.CLASSIC, "ms-turn": demux.MS_TURN}
    sizes = np.array([len(payload) for payload in payloads], np.int64)
    zeros = np.zeros(len(payloads), np.int64)
    return Datagrams(
        frame=zeros + 1,
        time_ns=zeros,
        flow=zeros,
        offset=np.cumsum(sizes) - sizes,
        captured=sizes,
        length=sizes + cut,
        kind=np.array([kinds[recognise(p, len(p) + cut)[1]] for p in payloads], np.int64),
        ttl=zeros,
        direction=zeros,
        ip_id=zeros,
        payload=b"".join(payloads),
        flow_keys=np.zeros((0, 10), np.uint32),
        flow_counters=np.zeros((0, 18), np.int64),
        icmp=[],
        packets=len(payloads),
        captured_bytes=0,
        first_time=0,
        last_time=0,
        oddities={},
        ethertypes={},
        protocols={},
    )


def decoded(*payloads: bytes, cut: int = 0) -> tuple[list[dict[str, Any]], list[int]]:
    """Rows and defect flags of the bulk decoder."""
    pools = Pools()
    columns = decode_messages(datagrams(*payloads, cut=cut), pools)
    flags = columns["flags"].tolist()
    known = {name: values for name, values in columns.items() if name in {*SAME, "class", "size_bytes"}}
    return list(Table("messages", len(flags), pools, known).records()), flags


def test_how_zoom_saw_its_client() -> None:
    body = bytes.fromhex("01030008 0001c001 c6336402")
    payload = b"\0\2" + len(body).to_bytes(2) + bytes.fromhex("1845589a049d6523142743e224714a8c") + body
    (row,), (flags,) = decoded(payload)
    assert (row["mapped"], row["class"], flags) == ("198.51.100.2:49153", "success", 0)


TYPES = st.sampled_from(
    [0x0001, 0x0101, 0x0111, 0x0003, 0x0103, 0x0113, 0x0004, 0x0016, 0x0017, 0x0115, 0x0200, 0x0011]
)
ATTRIBUTES = st.sampled_from(
    [
        *(0x0001, 0x0006, 0x0008, 0x0009, 0x000C, 0x000D, 0x000F, 0x0011, 0x0012, 0x0013, 0x0014, 0x0015, 0x0016),
        *(0x001C, 0x0020, 0x0022, 0x0024, 0x0025, 0x0101, 0x0103, 0x4000, 0x7777, 0x8001, 0x8002, 0x8020, 0x8022),
        *(0x8025, 0x8028, 0x8029, 0x802A, 0xC001, 0xC057, 0xC060, 0xFF00),
    ]
)
LENGTHS = st.sampled_from([0, 1, 2, 4, 5, 8, 12, 16, 20, 24, 32, 36])


@st.composite
def stun_like(draw: st.DrawFn) -> bytes:
    """Messages whose parts are plausible one by one and often wrong together."""
    body = b""
    for kind, length in draw(st.lists(st.tuples(ATTRIBUTES, LENGTHS), max_size=8)):
        value = draw(
            st.one_of(
                st.binary(min_size=length, max_size=length),
                st.just(bytes([0, 1, 0, 80, 10, 0, 0, 1])[:length].ljust(length, b"\0")),
                st.just(b"\x72\xc6\x4b\xc6"[:length].ljust(length, b"a")),
            )
        )
        body += kind.to_bytes(2) + length.to_bytes(2) + value + bytes(-length % draw(st.sampled_from([4, 4, 4, 1])))
    wrong = draw(st.sampled_from([0, 0, 0, 0, 4, -4, 1, 60]))
    cookie = draw(st.sampled_from([bytes.fromhex("2112a442")] * 4 + [b"abcd"]))
    length = max(0, len(body) + wrong)
    return draw(TYPES).to_bytes(2) + length.to_bytes(2) + cookie + draw(st.binary(min_size=12, max_size=12)) + body


ROLES_AT_ODDS = bytes.fromhex("000100102112a442" + 12 * "00" + "80290008" + 8 * "00" + "802a0000")


@settings(max_examples=600, deadline=None)
@example(ROLES_AT_ODDS, 0)
@given(stun_like(), st.sampled_from([0, 0, 0, 1, 7, 40]))
def test_agrees_on_whatever_is_stun(data: bytes, cut: int) -> None:
    try:
        message = Message.parse(data, wire_length=len(data) + cut)
    except DecodeError:
        return
    rows, flags = decoded(data, cut=cut)
    assert_same(rows[0], flags[0], message, len(rows) > 1)


def test_truncated_at_every_byte() -> None:
    path = next(path for path in lab_captures() if path.parent.name == "direct")
    vantage = read_vantage(path, "direct", Pools())
    offset, size = vantage.offsets[0].tolist()
    whole = vantage.payload[offset : offset + size]
    for end in range(20, size):
        rows, flags = decoded(whole[:end], cut=size - end)
        assert_same(rows[0], flags[0], Message.parse(whole[:end], wire_length=size), False)
        assert flags[0] & Defect.CUT


def test_several_messages_in_a_datagram() -> None:
    path = next(path for path in lab_captures() if path.parent.name == "direct")
    vantage = read_vantage(path, "direct", Pools())
    parts = [vantage.payload[at : at + size] for at, size in vantage.offsets[:3].tolist()]
    rows, flags = decoded(b"".join(parts))
    assert [row["transaction_id"] for row in rows] == [Message.parse(part).transaction_id for part in parts]
    assert flags == [0, 0, 0]
    rows, flags = decoded(parts[0] + b"rest")
    assert (len(rows), flags) == (1, [int(Defect.TRAILING_BYTES)])


@pytest.mark.parametrize("policy", ["never", "always"])
def test_datagrams_longer_than_a_chunk(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What segmentation offload leaves in one piece is longer than 64 kB: it may hold more messages than a chunk."""
    monkeypatch.setenv("STUNPCAP_COMPILE", policy)
    one = bytes.fromhex("000100002112a442") + bytes(range(12))
    for tail, count in ((bytes(200_000), 1), (one * 10_000, 10_001)):
        rows, _ = decoded(one + tail)
        assert len(rows) == count


def test_compiled_and_plain_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [path for path in [*lab_captures(), *shared_captures()] if path.stat().st_size < 400_000][:12]
    for path in paths:
        views = []
        for policy in ("never", "always"):
            monkeypatch.setenv("STUNPCAP_COMPILE", policy)
            vantage = read_vantage(path, "x", Pools())
            views.append(([*vantage.messages.records()], vantage.extra["flags"].tolist()))
        assert views[0] == views[1], path.name
