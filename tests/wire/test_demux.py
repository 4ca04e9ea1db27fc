"""What a payload is (RFC 7983), by what it looks like and by what it must not be taken for."""

import packets as p
import pytest
from scanning import rows, scan_packets

from stunpcap.wire.counters import DTLS_PROTECTED, N_CHANNEL, N_DTLS, N_OTHER, N_STUN
from stunpcap.wire.demux import (
    CHANNEL,
    CLASSIC,
    DTLS,
    MS_TURN,
    OTHER,
    RTCP,
    RTP,
    STUN,
    STUN_CUT,
    ZOOM_ATTRIBUTES,
    demux,
)
from stunpcap.wire.following import A_DATA

ID16 = bytes(range(1, 17))
MAPPED = b"\0\1\0\x08\0\1\x13\x88\xc0\0\2\1"


def classic(body=b"", kind=1, id=ID16, length=None):
    return kind.to_bytes(2) + (len(body) if length is None else length).to_bytes(2) + id + body


def kind_of(payload, length=None, sport=p.SPORT, dport=p.DPORT, before=0):
    guarded = memoryview(b"\x21\x12\xa4\x42" + payload + b"\x21\x12\xa4\x42")
    length = len(payload) if length is None else length
    return demux(guarded, 4, 4 + len(payload), length, sport, dport, before)


DNS = bytes.fromhex("1234010000010000000000000377777706676f6f676c6503636f6d0000010001")
QUIC_LONG = bytes.fromhex("c300000001088394c8f03e5157080000449e") + bytes(1180)
QUIC_SHORT = bytes.fromhex("4a8394c8f03e515708") + bytes(80)
GQUIC = b"\x0d" + bytes(8) + b"Q043" + bytes(30)
NTP = b"\xe3\x00\x03\xfa" + bytes(44)
NTP_SERVER = b"\x24\x02\x03\xe8" + bytes(44)
SSDP = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n"
MDNS = bytes.fromhex("000084000000000100000000") + b"\x05local\0\0\x0c\0\1" + bytes(20)
RESPONSE = bytes.fromhex("8010818000010001000000000377777706676f6f676c6503636f6d0000010001c00c") + bytes(30)


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (p.stun_request(), STUN),
        (p.stun_request(b""), STUN),
        (p.stun_request(kind=0x0101), STUN),
        (p.stun_request(kind=0x3FFF), STUN),
        (p.stun_request(kind=0x4001), OTHER),
        (p.stun_request(trailing=b"xyz"), STUN),
        (p.stun_request()[:19], OTHER),
        (classic(), CLASSIC),
        (classic(MAPPED, 0x0101), CLASSIC),
        (classic(b"", 0x0101), OTHER),
        (classic(MAPPED, 0x0003), OTHER),
        (classic(MAPPED, 0x0101, bytes(16)), OTHER),
        (classic(MAPPED, 0x0101) + b"x", OTHER),
        (classic(MAPPED + b"x", 0x0101), OTHER),
        (classic(MAPPED, 0x0101, length=8), OTHER),
        (classic(b"\0\1\0\x0c" + MAPPED[4:], 0x0101), OTHER),
        (classic(b"\x7f\xff\0\0"), OTHER),
        (classic(ZOOM_ATTRIBUTES[0].to_bytes(2) + bytes(2)), CLASSIC),
        (classic(ZOOM_ATTRIBUTES[0].to_bytes(2) + bytes(2), 0x0101), OTHER),
        (classic(b"\0\x0f\0\4\x72\xc6\x4b\xc6", 0x0115), MS_TURN),
        (classic(b"\0\x0f\0\4\x72\xc6\x4b\xc7", 0x0115), OTHER),
        (p.stun_request(b"\0\x0f\0\4\x72\xc6\x4b\xc6", kind=3), MS_TURN),
        (p.dtls(), DTLS),
        (p.dtls(version=0xFEFF), DTLS),
        (p.dtls(version=0x0100), DTLS),
        (p.dtls(version=0x0303), OTHER),
        (p.dtls(25), DTLS),
        (p.dtls(19), OTHER),
        (p.dtls(27), OTHER),
        (p.dtls()[:12], OTHER),
        (p.dtls(size=40)[:-1], OTHER),
        (p.dtls() + p.dtls(20), DTLS),
        (b"\x2f" + bytes(40), OTHER),
        (p.rtp(), RTP),
        (p.rtp(kind=0xEF), RTP),
        (p.rtp(0), RTP),
        (p.rtp(first=0xB0), RTP),
        (p.rtp(0, first=0x82), OTHER),
        (p.rtp()[:11], OTHER),
        (p.rtp(first=0xC0), OTHER),
        (p.rtp(first=0x7F), OTHER),
        (p.rtcp(), RTCP),
        (p.rtcp(205) + bytes(14), RTCP),
        (p.rtcp(223), RTCP),
        (p.rtcp()[:7], OTHER),
        (p.rtcp()[:-1], OTHER),
        (p.channel_data(), CHANNEL),
        (p.channel_data(pad=True), CHANNEL),
        (p.channel_data(b""), CHANNEL),
        (p.channel_data(number=0x4FFF), CHANNEL),
        (p.channel_data(number=0x5000), OTHER),
        (p.channel_data()[:-1], OTHER),
        (p.channel_data() + bytes(4), OTHER),
        (DNS, OTHER),
        (QUIC_LONG, OTHER),
        (QUIC_SHORT, OTHER),
        (GQUIC, OTHER),
        (NTP, OTHER),
        (NTP_SERVER, OTHER),
        (SSDP, OTHER),
        (MDNS, OTHER),
        (b"", OTHER),
        (b"\0", OTHER),
        (bytes(3), OTHER),
        (bytes(4), OTHER),
        (bytes(200), OTHER),
        (b"\xff" * 200, OTHER),
    ],
)
def test_kind(payload, kind):
    assert kind_of(payload) == kind


@pytest.mark.parametrize("port", [53, 5353, 5355, 67, 68, 123, 137, 138, 161, 162, 1900])
@pytest.mark.parametrize("payload", [RESPONSE, p.rtp(), p.rtcp(), p.dtls(), p.channel_data(), SSDP])
def test_ports_of_other_protocols(port, payload):
    assert kind_of(payload, dport=port) == OTHER
    assert kind_of(payload, sport=port) == OTHER
    assert kind_of(p.stun_request(), dport=port) == STUN, "STUN on any port"


def test_dtls_13():
    """Its encrypted records can be told only in a flow that had DTLS before; that flow is per direction."""
    record = b"\x2f\x01\x02\0\x20" + bytes(32)
    assert kind_of(record, before=1) == DTLS
    kept = scan_packets([p.ipv4(p.udp(x)) for x in (record, p.dtls(), record)], 101)
    assert kept.flow_counters[0, [N_DTLS, N_OTHER, DTLS_PROTECTED]].tolist() == [2, 1, 1]
    assert kept.activity[0, A_DATA] == 1


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (b"\x2f\1\2\0\x20" + bytes(32), True),
        (b"\x27\1\0\x20" + bytes(32), True),  # a number of one byte
        (b"\x2f\1\2\0\x20" + bytes(32) + b"\x2e\1\2\0\3abc", True),
        (b"\x2f\1\2\0\x20" + bytes(31), False),
        (b"\x2f\1\2\0\x20" + bytes(33), False),
        (b"\x3f\1\2\0\x20" + bytes(32), False),  # a connection id: nobody knows its length
        (b"\x2b\1\2" + bytes(32), False),  # no length
        (b"\x4f\1\2\0\x20" + bytes(32), False),
    ],
)
def test_dtls_13_beside_stun(record, told):
    """Where ICE was, lengths that fit tell it without a handshake: that was on another pair, or not captured."""
    for before in ([], [p.stun_request()]):
        kept = scan_packets([p.ipv4(p.udp(x)) for x in (*before, record)], 101)
        assert kept.flow_counters[0, N_DTLS] == (told and bool(before))


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("snap", range(28, 34))
def test_nothing_is_told_of_bytes_that_were_not_captured(snap, compiled, monkeypatch):
    """A snap length may leave nothing of a datagram; what lies behind it in memory is another packet, or nobody's."""
    monkeypatch.setenv("STUNPCAP_COMPILE", "always" if compiled else "never")
    record = b"\x2f\1\2\0\x20" + bytes(32)
    for guard in (b"", b"\x2f\1\2\0\x20" * 8):
        packets = [p.ipv4(p.udp(x)) for x in (p.stun_request(), record)]
        kept = scan_packets(packets, 101, snap=[1 << 20, snap], guard=guard)
        told = snap - 28 >= 4  # the first word, as for every other kind
        assert kept.flow_counters[0, [N_STUN, N_DTLS, N_OTHER]].tolist() == [1, told, not told]


@pytest.mark.parametrize("compiled", [False, True])
def test_channels_of_which_nothing_was_captured(compiled, monkeypatch):
    """ChannelData cut right behind its header, on a channel that carried STUN."""
    monkeypatch.setenv("STUNPCAP_COMPILE", "always" if compiled else "never")
    packets = [p.ipv4(p.udp(p.channel_data(x))) for x in (p.stun_request(), b"\x2f\1\2\0\x20" + bytes(32))]
    for snap in range(28, 38):
        for guard in (b"", b"\x2f\1\2\0\x20" * 8):
            kept = scan_packets(packets, 101, snap=[1 << 20, snap], guard=guard)
            assert kept.flow_counters[0, N_CHANNEL] == 1 + (snap >= 32)
            assert kept.channel_counters[0, N_DTLS] == (snap >= 36)


def test_dtls_records():
    """Counted by datagram: application data, and anything protected."""
    cases = [
        (p.dtls(22), (0, 0)),
        (p.dtls(22) + p.dtls(22, epoch=1), (0, 1)),
        (p.dtls(23, epoch=1) * 3, (1, 1)),
        (p.dtls(21, size=2), (0, 0)),
        (p.dtls(21, epoch=1, size=2), (0, 1)),
        (p.dtls(22) + p.dtls(21, size=2) + b"\x15", (0, 0)),
        (p.dtls(22) + b"\x2f" + bytes(20), (1, 1)),
        (p.dtls(22) + b"\x2f\0\0\0\x21" + bytes(33), (1, 1)),  # the smallest SCTP packet: 12 + 4 bytes
        (p.dtls(22) + b"\x2f\0\0\0\x13" + bytes(19), (0, 1)),  # an alert, or an ACK of nothing
        (p.dtls(22) + b"\x2f\0\0\0\x33" + bytes(51), (0, 1)),  # an ACK of two records
        (p.dtls(22) + b"\x2f\0\0\0\x13" + bytes(19) + b"\x2f\0\0\0\x21" + bytes(33), (1, 1)),
    ]
    for payload, counted in cases:
        kept = scan_packets([p.ipv4(p.udp(payload))], 101)
        assert (kept.activity[0, A_DATA], kept.flow_counters[0, DTLS_PROTECTED]) == counted


@pytest.mark.parametrize(
    ("payload", "at_least"),
    [(p.stun_request(), 20), (p.dtls(), 4), (p.rtp(), 4), (p.rtcp(), 4), (p.channel_data(), 4)],
)
def test_cut(payload, at_least):
    """A payload cut by the snap length is still what it was, as long as enough of it is there; never something else."""
    whole = kind_of(payload)
    for size in range(len(payload)):
        kind = kind_of(payload[:size], len(payload))
        if whole == STUN:
            assert kind == (STUN if size >= 20 else STUN_CUT if size >= 8 else OTHER)
        else:
            assert kind == (whole if size >= at_least else OTHER)


def test_header_cut_is_counted_and_named():
    packet = p.ethernet(p.ipv4(p.udp()))
    for snap in range(42, 62):
        kept = scan_packets([packet] * 3, snap=snap, first_frame=4)
        if snap >= 50:
            assert kept.oddities == {"STUN header cut by the snap length": ("transport", 3, 4)}
            assert kept.flow_counters[0, [N_STUN, N_OTHER]].tolist() == [3, 0]
            assert {row.kind for row in rows(kept)} == {STUN_CUT}
        else:
            ((text, odd),) = kept.oddities.items()
            assert text.startswith("payload cut by the snap length") and odd == ("transport", 3, 4)
            assert kept.flow_counters[0, [N_STUN, N_OTHER]].tolist() == [0, 3]
