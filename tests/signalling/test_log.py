"""Logs as applications and consoles write them."""

from __future__ import annotations

import json

import pytest

from stunpcap.signalling import log
from stunpcap.signalling.model import Gathering
from tests.signalling.test_candidate import HOST, MDNS, SRFLX
from tests.signalling.test_sdp import OFFER

WRITTEN_OUT = OFFER.replace("\n", "\\r\\n")


def read(text: str) -> Gathering:
    here = Gathering("x.log", "log")
    log.read(text, here)
    return here


def test_the_motivating_case() -> None:
    """`console.log(event.candidate)`, and nothing more."""
    here = read(
        f'12:00:01.500 main.js:7 RTCIceCandidate {{candidate: "{HOST}", sdpMid: "0", sdpMLineIndex: 0, '
        f'foundation: "1", usernameFragment: "m3dy", …}}\n12:00:01.600 main.js:7 null\n'
    )
    (one,) = here.candidates
    assert (one.type, one.mid, one.ufrag, one.origin.line) == ("host", "0", "m3dy", 1)
    assert (one.time, here.clock) == (43_201_500_000_000, "time of day")


@pytest.mark.parametrize(
    ("words", "side"),
    [
        ("onicecandidate ", "local"),
        ("sending candidate ", "local"),
        ("addIceCandidate: ", "remote"),
        ("got remote candidate ", "remote"),
        ("received from peer ", "remote"),
        ("ICE ", ""),
        ("sent to remote: ", ""),
    ],
)
def test_whose_it_is_follows_from_the_words_before(words: str, side: str) -> None:
    for text in (words + HOST, words + json.dumps({"candidate": HOST, "sdpMid": "0"})):
        (one,) = read(text + "\n").candidates
        assert one.side == side


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"type": "offer", "sdp": OFFER}),
        json.dumps({"kind": "signal", "payload": json.dumps({"type": "offer", "sdp": OFFER})}),
        json.dumps({"description": {"type": "offer", "sdp": OFFER.replace("\n", "\r\n")}}, indent=2),
        "42" + json.dumps(["message", {"type": "offer", "sdp": OFFER}]),
        f'RTCSessionDescription {{type: "offer", sdp: "{WRITTEN_OUT}"}}',
        f"RTCSessionDescription {{ type: 'offer', sdp: '{WRITTEN_OUT}' }}",
        f"the offer\n{OFFER}",
        f"the offer:\n{OFFER}\nand so on",
    ],
)
def test_descriptions_in_all_their_forms(text: str) -> None:
    here = read(f"2023-11-14T22:13:20Z setLocalDescription {text}\n2023-11-14T22:13:25Z {MDNS}\n")
    (one,) = here.descriptions
    assert (one.type, one.bundle, [ufrag for ufrag, _ in one.credentials()]) == ("offer", ("0", "1"), ["abcd", "efgh"])
    assert one.side == "local" and one.time == 1_700_000_000 * 10**9
    assert [candidate.type for candidate in here.candidates] == ["host", "host"]
    assert here.candidates[-1].hidden, "what comes after is read, too"


def test_states_are_events() -> None:
    here = read(
        "1700000000000 iceConnectionState: checking\n1700000000100 ICE connection state changed to connected\n"
        "1700000000200 onconnectionstatechange failed\n1700000000300 connectionState is fine\n"
    )
    assert [(one.what, one.detail) for one in here.events] == [
        ("iceconnectionstatechange", "checking"),
        ("iceconnectionstatechange", "connected"),
        ("connectionstatechange", "failed"),
    ]


def test_configured_servers() -> None:
    text = json.dumps({"iceServers": [{"urls": "turn:t.test?transport=tcp", "username": "u", "credential": "SECRET"}]})
    (one,) = read(f"new RTCPeerConnection({text})").configurations
    assert [server.urls for server in one.servers] == [("turn:t.test?transport=tcp",)]
    assert one.servers[0].credential is not None and one.servers[0].credential.reveal() == "SECRET"


def test_places_are_lines_and_bytes() -> None:
    here = read(f"schöne Zeilen\n{SRFLX}\n")
    assert (here.candidates[0].origin.line, here.candidates[0].origin.offset) == (2, 15)


def test_what_is_no_signalling_leaves_nothing() -> None:
    here = read('{"a": 1}\n{"b": [1, 2\nthe candidate: nobody\nv=0 is a version\n' + "x" * 100_000)
    assert here.found() == 0 and here.flaws == []
