"""TURN as transcripts: what is inside becomes messages with the right addresses, and grants end when they end.

Packets are built field by field, with nothing of the decoder.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stunpcap

CLIENT, SERVER, RELAYED, PEER = ("10.0.0.2", 5000), ("192.0.2.1", 3478), ("192.0.2.1", 49152), ("198.51.100.7", 7000)
COOKIE = 0x2112A442
MAPPED, USERNAME, INTEGRITY, ERROR, LIFETIME, CHANNEL, PEER_ADDRESS, DATA, REALM, NONCE, RELAYED_ADDRESS, XOR_MAPPED = (
    *(0x0001, 0x0006, 0x0008, 0x0009, 0x000D, 0x000C, 0x0012, 0x0013, 0x0014, 0x0015, 0x0016, 0x0020),
)
TOKEN, PRIORITY, FAMILY_ERROR, ALTERNATE, TICKET, CONNECTION = 0x0022, 0x0024, 0x8001, 0x8023, 0x8030, 0x002A
EVEN_PORT, CONTROLLING = 0x0018, 0x802A
ALLOCATE, REFRESH, SEND, DATA_IND, PERMISSION, BIND = 0x003, 0x004, 0x006, 0x007, 0x008, 0x009
CONNECT, CONNECTION_BIND, ATTEMPT = 0x00A, 0x00B, 0x00C
REQUEST, INDICATION, SUCCESS, FAILURE = 0x000, 0x010, 0x100, 0x110
CREDENTIALS = ((USERNAME, b"ann"), (REALM, b"example"), (NONCE, b"n"), (INTEGRITY, bytes(20)))

End = tuple[str, int]


def attribute(kind: int, value: bytes) -> bytes:
    return pack(">HH", kind, len(value)) + value + bytes(-len(value) % 4)


def stun(kind: int, number: int, *attributes: tuple[int, bytes]) -> bytes:
    body = b"".join(attribute(*one) for one in attributes)
    return pack(">HHI", kind, len(body), COOKIE) + number.to_bytes(12) + body


def xored(end: End) -> bytes:
    address = ipaddress.ip_address(end[0])
    key = COOKIE.to_bytes(4) if address.version == 4 else COOKIE.to_bytes(4) + bytes(12)
    value = bytes(a ^ b for a, b in zip(address.packed, key, strict=True))
    return pack(">HH", 1 if address.version == 4 else 2, end[1] ^ COOKIE >> 16) + value


def code(number: int) -> tuple[int, bytes]:
    return ERROR, pack(">HBB", 0, number // 100, number % 100)


def lifetime(seconds: int) -> tuple[int, bytes]:
    return LIFETIME, pack(">I", seconds)


def peer(*ends: End) -> tuple[tuple[int, bytes], ...]:
    return tuple((PEER_ADDRESS, xored(end)) for end in ends)


def check(number: int = 77, name: bytes = b"bbbb:aaaa") -> bytes:
    return stun(1, number, (USERNAME, name), (PRIORITY, pack(">I", 1)), (CONTROLLING, bytes(8)))


def answer(seen: End, number: int = 77) -> bytes:
    return stun(0x101, number, (XOR_MAPPED, xored(seen)))


def channel_data(data: bytes, number: int = 0x4000) -> bytes:
    return pack(">HH", number, len(data)) + data


def udp(payload: bytes, src: End, dst: End) -> bytes:
    head = pack(">HHHH", src[1], dst[1], 8 + len(payload), 0)
    a, b = ipaddress.ip_address(src[0]), ipaddress.ip_address(dst[0])
    if a.version == 6:
        return pack(">IHBB", 6 << 28, 8 + len(payload), 17, 64) + a.packed + b.packed + head + payload
    total = 28 + len(payload)
    return pack(">BBHHHBBH", 0x45, 0, total, 0, 0, 64, 17, 0) + a.packed + b.packed + head + payload


class Transcript:
    """Packets between a client and its server, or whom else, at given seconds."""

    def __init__(self) -> None:
        self.packets: list[tuple[float, bytes]] = []
        self.number = 1000

    def up(self, at: float, payload: bytes, src: End = CLIENT, dst: End = SERVER) -> Transcript:
        self.packets.append((at, udp(payload, src, dst)))
        return self

    def down(self, at: float, payload: bytes, src: End = SERVER, dst: End = CLIENT) -> Transcript:
        return self.up(at, payload, src, dst)

    def ask(self, at: float, method: int, asks: Any, kind: int, told: Any, client: End = CLIENT) -> Transcript:
        """A request with credentials, and its answer 10 ms later; kind 0: none."""
        self.number += 1
        self.up(at, stun(method, self.number, *asks, *CREDENTIALS), client)
        if kind:
            self.down(at + 0.01, stun(method | kind, self.number, *told), dst=client)
        return self

    def allocate(self, at: float = 0, seconds: int = 600, relayed: End = RELAYED) -> Transcript:
        """With the challenge first."""
        self.number += 1
        self.up(at, stun(ALLOCATE, self.number)).down(at + 0.01, stun(ALLOCATE | FAILURE, self.number, code(401)))
        told = [(RELAYED_ADDRESS, xored(relayed)), (XOR_MAPPED, xored(CLIENT)), lifetime(seconds)]
        return self.ask(at + 0.02, ALLOCATE, [], SUCCESS, told)

    def permit(self, at: float, *ends: End) -> Transcript:
        return self.ask(at, PERMISSION, peer(*ends), SUCCESS, [])

    def bind(self, at: float, end: End = PEER, number: int = 0x4000) -> Transcript:
        return self.ask(at, BIND, [(CHANNEL, pack(">HH", number, 0)), *peer(end)], SUCCESS, [])

    def read(self, folder: Path, until: float = 0) -> stunpcap.Trace:
        self.packets.sort(key=lambda packet: packet[0])
        if until:
            self.packets.append((until, udp(b"later", ("203.0.113.9", 9), ("203.0.113.9", 9))))
        with (folder / "t.pcap").open("wb") as file:
            file.write(pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 101))
            for at, packet in self.packets:
                second, micro = divmod(round(at * 1_000_000), 1_000_000)
                file.write(pack("<IIII", 1_600_000_000 + second, micro, len(packet), len(packet)) + packet)
        return stunpcap.read(folder / "t.pcap")


def rows(trace: stunpcap.Trace, frame: str, *columns: str) -> list[Any]:
    table = trace.table(frame)
    found = list(zip(*(table.values(column) for column in columns), strict=True))
    return [row[0] for row in found] if len(columns) == 1 else found


def relayed_rows(trace: stunpcap.Trace) -> list[Any]:
    return [row for row in rows(trace, "messages", "carrier", "src", "dst", "class") if row[0] != "plain"]


def text(end: End) -> str:
    return f"[{end[0]}]:{end[1]}" if ":" in end[0] else f"{end[0]}:{end[1]}"


def seconds(moment: str | None) -> float | None:
    """Seconds since the beginning of a transcript."""
    if moment is None:
        return None
    clock, fraction = moment[11:].rstrip("Z").split(".")
    h, m, s = map(int, clock.split(":"))
    return (h * 3600 + m * 60 + s - 44800) % 86400 + int(fraction) / 1e9  # 1600000000 is 12:26:40


@pytest.mark.parametrize("policy", ["never", "always"])
def test_all_carriers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str) -> None:
    monkeypatch.setenv("STUNPCAP_COMPILE", policy)
    t = Transcript().allocate().permit(0.1, PEER)
    t.up(0.2, stun(SEND | INDICATION, 5, *peer(PEER), (DATA, check(1))))
    t.down(0.3, stun(DATA_IND | INDICATION, 6, *peer(PEER), (DATA, answer(RELAYED, 1))))
    t.bind(0.4)
    t.up(0.5, channel_data(check(2))).down(0.6, channel_data(answer(RELAYED, 2)))
    t.up(0.7, channel_data(b"\x80\x6f" + bytes(30))).down(
        0.8, channel_data(b"\x17\xfe\xfd" + bytes(8) + b"\0\x05hello")
    )
    trace = t.read(tmp_path)
    r, p = text(RELAYED), text(PEER)
    assert relayed_rows(trace) == [
        ("send", r, p, "request"),
        ("data", p, r, "success"),
        ("channel", r, p, "request"),
        ("channel", p, r, "success"),
    ]
    found = rows(trace, "flows", "carrier", "src", "dst", "packets", "stun", "rtp", "dtls", "carrying_src")
    assert sorted(row for row in found if row[0] != "plain") == [
        ("channel", r, p, 2, 1, 1, 0, text(CLIENT)),
        ("channel", p, r, 2, 1, 0, 1, text(SERVER)),
        ("data", p, r, 1, 1, 0, 0, text(SERVER)),
        ("send", r, p, 1, 1, 0, 0, text(CLIENT)),
    ]
    (pair,) = rows(trace, "pairs", "src", "dst", "src_type", "requests_sent", "responses_received", "state")
    assert pair == (r, p, "relay", 2, 2, "succeeded")
    (allocation,) = rows(
        trace, "allocations", "relayed", "state", "challenges", "error_code", "packets_sent", "channels"
    )
    assert allocation == (r, "active", 1, None, 3, 1)
    assert ("relay", r, text(CLIENT), text(SERVER)) in rows(trace, "candidates", "type", "address", "base", "server")


def test_a_channel_is_whose_it_was_then(tmp_path: Path) -> None:
    other = ("198.51.100.8", 8000)
    t = Transcript().allocate(seconds=3600).bind(1).up(2, channel_data(check(1)))
    t.bind(700, other).up(701, channel_data(check(2)))
    trace = t.read(tmp_path)
    assert [row[2] for row in relayed_rows(trace)] == [text(PEER), text(other)]
    assert rows(trace, "channels", "peer", "state") == [(text(PEER), "expired"), (text(other), "active")]


def test_permissions_last_300_seconds_and_channels_600(tmp_path: Path) -> None:
    """To the second, from the answer on; binding a channel renews the permission, too."""
    t = Transcript().allocate(seconds=3600).permit(1, PEER, ("198.51.100.9", 1)).bind(100).permit(350, PEER)
    trace = t.read(tmp_path, until=2000)
    permissions = rows(trace, "permissions", "peer", "created", "refreshed", "refreshes", "expires", "ended", "state")
    assert [
        (row[0], *map(seconds, (row[1], row[2])), row[3], *map(seconds, row[4:6]), row[6]) for row in permissions
    ] == [
        ("198.51.100.7:0", 1.01, 350.01, 2, 650.01, 650.01, "expired"),
        ("198.51.100.9:0", 1.01, None, 0, 301.01, 301.01, "expired"),
    ]
    (channel,) = rows(trace, "channels", "created", "expires", "state")
    assert (seconds(channel[0]), seconds(channel[1]), channel[2]) == (100.01, 700.01, "expired")


@pytest.mark.parametrize(
    ("last", "state"), [(299.0, ["active"]), (301.5, ["expired", "active"])], ids=["in time", "too late"]
)
def test_a_permission_that_lapsed_begins_anew(tmp_path: Path, last: float, state: list[str]) -> None:
    trace = Transcript().allocate(seconds=3600).permit(1, PEER).permit(last, PEER).read(tmp_path)
    assert rows(trace, "permissions", "state") == state


def test_how_allocations_end(tmp_path: Path) -> None:
    refresh = Transcript().allocate(seconds=60).ask(50, REFRESH, [lifetime(60)], SUCCESS, [lifetime(60)])
    for transcript, until, state, ended in (
        (Transcript().allocate(seconds=60), 59, "active", None),
        (Transcript().allocate(seconds=60), 61, "expired", 60.03),
        (refresh, 111, "expired", 110.01),
        (Transcript().allocate().ask(5, REFRESH, [lifetime(0)], SUCCESS, [lifetime(0)]), 60, "deleted", 5.01),
        (Transcript().allocate().ask(5, REFRESH, [lifetime(60)], 0, []), 60, "lost", 0.03),
        (Transcript().allocate().ask(5, REFRESH, [lifetime(60)], FAILURE, [code(437)]), 60, "lost", 5.01),
    ):
        (row,) = rows(transcript.read(tmp_path, until=until), "allocations", "state", "ended", "lifetime_s")
        assert (row[0], seconds(row[1])) == (state, ended)


@pytest.mark.parametrize("number", [300, 401, 441, 442, 486, 508])
def test_refusals(tmp_path: Path, number: int) -> None:
    told = [code(number), (ALTERNATE, pack(">HH", 1, 3478) + bytes([203, 0, 113, 4]))][: 2 if number == 300 else 1]
    t = Transcript().up(0, stun(ALLOCATE, 1)).down(0.01, stun(ALLOCATE | FAILURE, 1, code(401)))
    trace = t.ask(0.02, ALLOCATE, [], FAILURE, told).read(tmp_path)
    columns = ("state", "error_code", "challenges", "refusals", "alternate_server", "relayed")
    expected = ("refused", number, 1, 1, "203.0.113.4:3478" if number == 300 else None, None)
    assert rows(trace, "allocations", *columns) == [expected]


def test_stale_nonces_and_forbidden_peers(tmp_path: Path) -> None:
    t = Transcript().allocate().ask(1, PERMISSION, peer(PEER), FAILURE, [code(438)]).permit(2, PEER)
    t.ask(3, PERMISSION, peer(("10.9.9.9", 1)), FAILURE, [code(403)])
    trace = t.read(tmp_path)
    assert rows(trace, "allocations", "state", "error_code", "stale_nonces", "refusals") == [("active", 403, 1, 1)]
    assert rows(trace, "permissions", "peer", "state", "error_code") == [
        ("198.51.100.7:0", "active", None),
        ("10.9.9.9:0", "refused", 403),
    ]


def test_both_families_and_reservations(tmp_path: Path) -> None:
    six, peer6 = ("2001:db8::1", 49152), ("2001:db8::7", 7000)
    told = [(RELAYED_ADDRESS, xored(RELAYED)), (RELAYED_ADDRESS, xored(six)), lifetime(600), (TOKEN, b"reserved")]
    t = Transcript().ask(0, ALLOCATE, [(EVEN_PORT, b"\x80")], SUCCESS, told)
    t.up(1, stun(SEND | INDICATION, 5, *peer(PEER), (DATA, check(1))))
    xor6 = pack(">HH", 2, peer6[1] ^ COOKIE >> 16) + bytes(
        a ^ b for a, b in zip(ipaddress.ip_address(peer6[0]).packed, pack(">I", COOKIE) + (6).to_bytes(12), strict=True)
    )
    t.up(2, stun(SEND | INDICATION, 6, (PEER_ADDRESS, xor6), (DATA, check(2))))
    trace = t.read(tmp_path)
    assert [row[1] for row in relayed_rows(trace)] == [text(RELAYED), rows(trace, "allocations", "relayed_other")[0]]
    assert rows(trace, "allocations", "even_port", "reservation_token") == [(True, b"reserved".hex())]
    refused = [(RELAYED_ADDRESS, xored(RELAYED)), (FAMILY_ERROR, pack(">BBBB", 2, 0, 4, 40)), lifetime(600)]
    trace = Transcript().ask(0, ALLOCATE, [], SUCCESS, refused).read(tmp_path)
    assert rows(trace, "allocations", "family_error_code", "relayed_other") == [(440, None)]


def test_moving_with_a_ticket(tmp_path: Path) -> None:
    new = ("10.0.0.3", 6000)
    told = [(RELAYED_ADDRESS, xored(RELAYED)), lifetime(600), (TICKET, b"ticket")]
    t = Transcript().ask(0, ALLOCATE, [(TICKET, b"")], SUCCESS, told)
    t.ask(5, REFRESH, [(TICKET, b"ticket")], SUCCESS, [lifetime(600), (TICKET, b"next")], client=new)
    t.up(6, stun(SEND | INDICATION, 6, *peer(PEER), (DATA, check())), src=new)
    trace = t.read(tmp_path)
    assert rows(trace, "allocations", "client", "moved_from", "refreshes") == [(text(new), text(CLIENT), 1)]
    assert relayed_rows(trace) == [("send", text(RELAYED), text(PEER), "request")]


def test_tcp_connections_to_peers(tmp_path: Path) -> None:
    t = Transcript().allocate().ask(1, CONNECT, peer(PEER), SUCCESS, [(CONNECTION, pack(">I", 9))])
    t.ask(2, CONNECTION_BIND, [(CONNECTION, pack(">I", 9))], SUCCESS, [], client=("10.0.0.2", 5001))
    t.down(3, stun(ATTEMPT | INDICATION, 8, *peer(PEER), (CONNECTION, pack(">I", 10))))
    t.ask(4, CONNECT, peer(PEER), FAILURE, [code(447)])
    trace = t.read(tmp_path)
    assert rows(trace, "allocations", "client", "connections", "error_code") == [(text(CLIENT), 3, 447)]


def test_a_relay_behind_a_relay(tmp_path: Path) -> None:
    far, far_relayed = ("203.0.113.50", 3478), ("203.0.113.50", 50000)

    def inside(payload: bytes) -> bytes:
        return stun(SEND | INDICATION, 9, *peer(far), (DATA, payload))

    def back(payload: bytes) -> bytes:
        return stun(DATA_IND | INDICATION, 9, *peer(far), (DATA, payload))

    t = Transcript().allocate().permit(0.1, far).up(1, inside(stun(ALLOCATE, 50, *CREDENTIALS)))
    t.down(1.1, back(stun(ALLOCATE | SUCCESS, 50, (RELAYED_ADDRESS, xored(far_relayed)), lifetime(600))))
    t.up(1.2, inside(stun(BIND, 51, (CHANNEL, b"\x40\x05\0\0"), *peer(PEER), *CREDENTIALS)))
    t.down(1.3, back(stun(BIND | SUCCESS, 51)))
    t.up(2, inside(channel_data(check(1), 0x4005))).down(2.1, back(channel_data(answer(far_relayed, 1), 0x4005)))
    trace = t.read(tmp_path)
    checks = [row for row in rows(trace, "messages", "method", "src", "dst", "carrier") if row[0] == "binding"]
    assert checks == [
        ("binding", text(far_relayed), text(PEER), "channel"),
        ("binding", text(PEER), text(far_relayed), "channel"),
    ]
    assert rows(trace, "allocations", "client", "server", "depth") == [
        (text(CLIENT), text(SERVER), 0),
        (text(RELAYED), text(far), 1),
    ]
    assert rows(trace, "pairs", "src", "dst", "state") == [(text(far_relayed), text(PEER), "succeeded")]


def test_unknown_allocations(tmp_path: Path) -> None:
    """No message is lost where the capture does not tell the addresses; answers tell some of them."""
    sent = stun(SEND | INDICATION, 5, *peer(PEER), (DATA, check(1)))
    trace = Transcript().up(0, sent).up(1, channel_data(check(2), 0x4003)).read(tmp_path)
    assert [row[1:3] for row in relayed_rows(trace)] == [("192.0.2.1:0", text(PEER)), ("192.0.2.1:0", "0.0.0.0:16387")]
    t = Transcript().up(0, sent).down(1, channel_data(answer(RELAYED, 1))).up(2, channel_data(answer(PEER, 3)))
    assert [row[1:3] for row in relayed_rows(t.read(tmp_path))] == [
        (text(RELAYED), text(PEER)),
        (text(PEER), text(RELAYED)),
        (text(RELAYED), text(PEER)),
    ]
    later = Transcript().up(0, channel_data(check(1))).allocate(5).bind(6)
    assert relayed_rows(later.read(tmp_path)) == [("channel", text(RELAYED), text(PEER), "request")]


def test_both_legs_of_a_relay(tmp_path: Path) -> None:
    """At the server: the check comes in a channel and goes on plain; the peer's answer and check the other way."""
    t = Transcript().allocate().bind(0.1)
    t.up(1, channel_data(check(1))).up(1.001, check(1), RELAYED, PEER)
    t.up(1.1, answer(RELAYED, 1), PEER, RELAYED).down(1.101, channel_data(answer(RELAYED, 1)))
    t.up(2, channel_data(check(2)))  # the relay drops this one
    t.up(3, check(3, b"aaaa:bbbb"), PEER, RELAYED).down(3.001, channel_data(check(3, b"aaaa:bbbb")))
    trace = t.read(tmp_path, until=60)
    assert rows(trace, "pairs", "src", "dst", "requests_sent", "transmissions", "responses_received", "unanswered") == [
        (text(RELAYED), text(PEER), 2, 2, 1, 1),
        (text(PEER), text(RELAYED), 1, 1, 0, 1),
    ]
    assert sum(rows(trace, "messages", "duplicate")) == 3


def test_google_ping(tmp_path: Path) -> None:
    """libwebrtc's short checks belong to the pair that they are sent on."""
    t = Transcript().allocate().bind(0.1).up(1, channel_data(check(1))).down(1.1, channel_data(answer(RELAYED, 1)))
    t.up(2, channel_data(stun(0x0200, 9))).down(2.1, channel_data(stun(0x0300, 9)))
    trace = t.read(tmp_path)
    kinds = [
        row for row in rows(trace, "transactions", "method", "kind", "outcome") if row[0] in ("binding", "goog-ping")
    ]
    assert kinds == [("binding", "check", "success"), ("goog-ping", "check", "success")]
    assert rows(trace, "pairs", "requests_sent") == [2]


def test_microsoft_framing(tmp_path: Path) -> None:
    relay = ("192.0.2.1", 3479)
    framed = pack(">HH", 0xFF10, 8 + len(check())) + bytes(8) + check()
    trace = Transcript().up(0, framed, dst=relay).read(tmp_path)
    assert relayed_rows(trace) == [("channel", text(CLIENT), text(relay), "request")]


PAYLOADS = st.recursive(
    st.one_of(st.binary(max_size=40), st.just(check()), st.just(answer(RELAYED)), st.just(stun(ALLOCATE, 3))),
    lambda inside: st.one_of(
        st.builds(channel_data, inside, st.sampled_from([0x4000, 0x4FFF, 0x5000, 0xFF10, 0x3FFF])),
        st.builds(
            lambda data, kind, more: stun(kind, 4, *peer(PEER), (DATA, data))[: None if more else -3],
            inside,
            st.sampled_from([SEND | INDICATION, DATA_IND | INDICATION, SEND, 0x0115]),
            st.booleans(),
        ),
        st.builds(
            lambda data, size: pack(">HHHH", 0x16, size, 0x2112, 0xA442) + bytes(12) + data, inside, st.integers(0, 200)
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(PAYLOADS, st.booleans()), min_size=1, max_size=8))
def test_nothing_raises(tmp_path_factory: pytest.TempPathFactory, payloads: list[tuple[bytes, bool]]) -> None:
    t = Transcript().allocate().bind(0.1)
    for number, (payload, up) in enumerate(payloads):
        (t.up if up else t.down)(1 + number, payload)
    trace = t.read(tmp_path_factory.getbasetemp())
    for frame in ("messages", "flows", "pairs", "allocations", "permissions", "channels"):
        list(trace.table(frame).records())
    assert all(row is not None for row in rows(trace, "messages", "src"))
