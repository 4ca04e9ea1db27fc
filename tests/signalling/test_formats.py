"""Every format of the same call tells the same, is recognised by its own reader, and by no other."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from stunpcap.signalling.model import Source
from stunpcap.signalling.sources import READERS, read_source
from tests.places import LAB
from tests.signalling.samples import (
    about_webrtc,
    aioice_log,
    console_log,
    get_stats,
    har,
    internals,
    rtcstats,
    sdp,
    truth_of,
)

TRUTH = truth_of("nats-stun")
WHO = "answerer"
WHOLE = {
    "console": ("log", console_log(TRUTH, WHO)),
    "console, times of day": ("log", console_log(TRUTH, WHO, clock="day")),
    "internals, new": ("webrtc-internals", internals(TRUTH, WHO, "new")),
    "internals, M117": ("webrtc-internals", internals(TRUTH, WHO, "middle")),
    "internals, old": ("webrtc-internals", internals(TRUTH, WHO, "old")),
    "HAR": ("HAR", har(TRUTH, WHO)),
    "rtcstats": ("rtcstats", rtcstats(TRUTH, WHO)),
    "rtcstats in full": ("rtcstats", rtcstats(TRUTH, WHO, compressed=False)),
    "about:webrtc": ("about:webrtc", about_webrtc(TRUTH, WHO)),
}
"""Formats that hold the whole of the signalling."""
PARTS = {
    "SDP": ("SDP", sdp(TRUTH, WHO)),
    "getStats": ("getStats", get_stats(TRUTH, WHO)),
    "getStats as an object": ("getStats", get_stats(TRUTH, WHO, "object")),
    "getStats, a series": ("getStats", get_stats(TRUTH, WHO, "series")),
    "aioice": ("aioice log", aioice_log(LAB / "aioice-direct" / "offerer.pcap", "192.168.10.10")),
    "one candidate": ("log", "candidate:1 1 udp 2122260223 192.168.10.10 43013 typ host\n"),
    "a description in JSON": (
        "JSON",
        '{"type": "offer", "sdp": "v=0\\r\\no=-\\r\\nm=audio 9 X 0\\r\\na=ice-ufrag:abcd"}',
    ),
}
SAMPLES = {**WHOLE, **PARTS}


def read(tmp_path: Path, text: str, name: str = "sample") -> Source:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_source(path)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_reader_that_is_chosen(tmp_path: Path, name: str) -> None:
    wanted, text = SAMPLES[name]
    assert read(tmp_path, text).format == wanted


@pytest.mark.parametrize("name", SAMPLES)
def test_nobody_else_recognises_it(name: str) -> None:
    """`log` takes whatever holds a candidate, and JSON whatever is JSON; both come last of those that fit."""
    wanted, text = SAMPLES[name]
    found = [own for own, reader in READERS if reader.recognise(text.encode())]
    assert found[0] in (wanted, "JSON")
    assert set(found) - {"log", "JSON", found[0]} == set()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "{}",
        "[]",
        '{"a": 1}',
        "<html><body>hello</body></html>",
        "RTCStats",
        "\0\1\2",
        '{"log": 5}',
        "v=1\n",
    ],
)
def test_nobody_recognises_what_is_none(text: str) -> None:
    assert [name for name, reader in READERS if reader.recognise(text.encode())] == []


def test_captures_are_not_recognised() -> None:
    for path in sorted(LAB.glob("*/offerer.pcap"))[::20]:
        assert [name for name, reader in READERS if reader.recognise(path.read_bytes()[: 1 << 16])] == []


@pytest.mark.parametrize("name", WHOLE)
def test_all_tell_the_same(tmp_path: Path, name: str) -> None:
    source = read(tmp_path, WHOLE[name][1])
    sides = {"local": {"mmzO"}, "remote": {"m3dy"}}
    assert {one.side: {ufrag for ufrag, _ in one.credentials()} for one in source.descriptions} == sides
    if "about" not in name:
        assert {one.side: one.type for one in source.descriptions} == {"local": "answer", "remote": "offer"}
    told = {(one.side, one.type, one.address, one.port, one.raddr) for one in source.candidates}
    assert told == {
        ("remote", "host", "192.168.10.10", 43013, ""),
        ("remote", "srflx", "203.0.113.10", 43013, "192.168.10.10"),
        ("local", "host", "192.168.20.20", 59480, ""),
        ("local", "srflx", "203.0.113.20", 59480, "192.168.20.20"),
        ("local", "host", "192.168.20.20", 9, ""),
    }
    assert source.flaws == ()


@pytest.mark.parametrize("name", [name for name in SAMPLES if "internals" in name or "rtcstats" in name])
def test_dumps_tell_servers_events_and_statistics(tmp_path: Path, name: str) -> None:
    source = read(tmp_path, SAMPLES[name][1])
    urls = {url for one in source.configurations for server in one.servers for url in server.urls}
    assert urls == {"stun:203.0.113.5:3478", "turn:203.0.113.5:3478?transport=udp"}
    states = [one.detail for one in source.events if one.what == "iceconnectionstatechange"]
    assert states == ["checking", "connected"]
    truth = {one["id"]: one for one in TRUTH[WHO]["stats"]}
    pairs = {one.id.split("_", 1)[1] if "old" in name else one.id: one for one in source.statistics}
    for key, one in pairs.items():
        if one.type == "candidate-pair" and key in truth:
            assert one.values["requestsSent"] == truth[key]["requestsSent"]
            assert one.values["state"] == truth[key]["state"]
    assert sum(one.type == "candidate-pair" for one in source.statistics) == 2


def test_urls_of_servers_in_a_dump(tmp_path: Path) -> None:
    source = read(tmp_path, internals(TRUTH, WHO, "middle"))
    assert {one.url for one in source.candidates} == {"stun:203.0.113.5:3478"}


def test_a_series_keeps_what_had_gone(tmp_path: Path) -> None:
    source = read(tmp_path, get_stats(TRUTH, WHO, "series"))
    gone = {one["id"] for one in TRUTH[WHO]["vanished"]}
    assert gone <= {one.id for one in source.statistics}


def test_compressed_files(tmp_path: Path) -> None:
    path = tmp_path / "dump.gz"
    path.write_bytes(gzip.compress(internals(TRUTH, WHO).encode()))
    assert read_source(path).format == "webrtc-internals"


def test_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "powershell.log"
    path.write_bytes(console_log(TRUTH, WHO).encode("utf-16"))
    assert len(read_source(path).candidates) == 5
    path.write_bytes(b"\xef\xbb\xbf" + sdp(TRUTH, WHO).encode())
    assert read_source(path).format == "SDP"


def test_legacy_states_and_dates(tmp_path: Path) -> None:
    """A dump of 2017: `ICEConnectionStateConnected`, dates of the reader's own country."""
    text = (
        '{"getUserMedia": [], "PeerConnections": {"1-1": {"rtcConfiguration": "servers: [stun:a.test], '
        'iceTransportType: kAll", "updateLog": [{"time": "10/12/2017, 3:15:01 PM", "type": "iceConnectionStateChange", '
        '"value": "ICEConnectionStateConnected"}, {"time": "10/12/2017, 3:15:02 PM", "type": "addIceCandidate", '
        '"value": "mid: audio, candidate: candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host"}], "stats": {}}}}'
    )
    source = read(tmp_path, text)
    assert next((one.what, one.detail) for one in source.events) == ("iceconnectionstatechange", "connected")
    assert (source.candidates[0].mid, source.candidates[0].side, source.clock) == ("audio", "remote", "no time zone")
    assert source.candidates[0].time == 1_507_821_302 * 10**9
    assert source.configurations[0].servers[0].urls == ("stun:a.test",)


def test_ice_parameters_of_a_server(tmp_path: Path) -> None:
    """mediasoup hands out parameters and candidates as objects."""
    text = (
        '{"id": "x", "iceParameters": {"iceLite": true, "usernameFragment": "abcdefgh", "password": "PASSWORD"}, '
        '"iceCandidates": [{"foundation": "udpcandidate", "priority": 1076302079, "ip": "192.0.2.9", '
        '"protocol": "udp", "port": 40001, "type": "host"}]}'
    )
    source = read(tmp_path, text)
    (one,) = source.descriptions
    assert one.ice_lite and [ufrag for ufrag, _ in one.credentials()] == ["abcdefgh"]
    assert [(c.address, c.port, c.ufrag) for c in source.candidates] == [("192.0.2.9", 40001, "abcdefgh")]


def test_firefox_reports(tmp_path: Path) -> None:
    """The reports behind about:webrtc, as JSON."""
    text = (
        '{"reports": [{"pcid": "7 (id=7 url=https://a.test/?token=T)", "timestamp": 1700000000123, "offerer": true, '
        '"iceCandidatePairStats": [{"id": "p", "type": "candidate-pair", "localCandidateId": "l", '
        '"remoteCandidateId": "r", "state": "succeeded", "selected": true}], "iceCandidateStats": ['
        '{"id": "l", "type": "local-candidate", "address": "192.0.2.1", "port": 5, "candidateType": "host"}, '
        '{"id": "r", "type": "remote-candidate", "address": "192.0.2.2", "port": 6, "candidateType": "host"}], '
        '"sdpHistory": [{"isLocal": true, "timestamp": 1700000000000, "sdp": "v=0\\r\\no=-\\r\\nm=audio 9 X 0\\r\\n'
        'a=ice-ufrag:abcd"}], "rawLocalCandidates": ["candidate:1 1 UDP 7 192.0.2.1 5 typ host"]}]}'
    )
    source = read(tmp_path, text)
    assert source.format == "about:webrtc"
    assert (source.descriptions[0].type, source.descriptions[0].side) == ("offer", "local")
    assert [(one.type, one.agent) for one in source.statistics][-1] == ("candidate-pair", "7")
    assert source.candidates[0].side == "local"
