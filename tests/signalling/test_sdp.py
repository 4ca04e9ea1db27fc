"""Descriptions: what of SDP matters to ICE and DTLS, with places for what does not fit."""

from __future__ import annotations

import pytest

from stunpcap.signalling import sdp
from stunpcap.signalling.model import Description, Gathering, Secret

OFFER = """v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=ice-options:trickle renomination
a=fingerprint:sha-256 AA:BB
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:PASSWORDPASSWORDPASSWORD
a=setup:actpass
a=mid:0
a=candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host
a=end-of-candidates
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
a=ice-ufrag:efgh
a=ice-pwd:SECONDSECONDSECONDSECOND
a=mid:1
"""


def read(text: str) -> tuple[Description, Gathering]:
    here = Gathering("x.sdp", "SDP")
    sdp.read(text, here)
    return here.descriptions[0], here


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_facts(ends: str) -> None:
    one, here = read(OFFER.replace("\n", ends)) if ends != "\r" else read(OFFER)
    assert (one.bundle, one.ice_options, one.ice_lite) == (("0", "1"), ("trickle", "renomination"), False)
    first, second = one.sections
    assert (first.mid, first.media, first.setup, first.fingerprint) == ("0", "audio", "actpass", "sha-256 AA:BB")
    assert first.end_of_candidates and not second.end_of_candidates
    assert [(ufrag, pwd and pwd.reveal()) for ufrag, pwd in one.credentials()] == [
        ("abcd", "PASSWORDPASSWORDPASSWORD"),
        ("efgh", "SECONDSECONDSECONDSECOND"),
    ]
    (candidate,) = here.candidates
    assert (candidate.mid, candidate.ufrag, candidate.origin.line) == ("0", "abcd", 14)
    assert here.flaws == []


def test_what_holds_for_the_session_holds_for_its_media() -> None:
    text = "v=0\no=-\ns=-\na=ice-lite\na=ice-ufrag:abcd\na=ice-pwd:P\na=setup:passive\nm=audio 9 X 0\na=mid:a\n"
    one, _ = read(text)
    assert one.ice_lite
    assert [(section.ufrag, section.setup) for section in one.sections] == [("abcd", "passive")]


def test_a_line_that_does_not_belong_stops_nothing() -> None:
    one, here = read(OFFER.replace("a=setup:actpass", "nonsense"))
    assert len(one.sections) == 2
    assert [(flaw.words, flaw.origin.line) for flaw in here.flaws] == [
        ("a line that is none of SDP (x=value) in a description", 12)
    ]


def test_characters_that_ice_does_not_allow() -> None:
    _, here = read(OFFER.replace("ice-ufrag:abcd", "ice-ufrag:ab cd"))
    assert "RFC 8839" in here.flaws[0].words


def test_two_in_one_file() -> None:
    _, here = read(OFFER + OFFER)
    assert [one.origin.line for one in here.descriptions] == [1, OFFER.count("\n") + 1]


def test_recognised() -> None:
    for text in (OFFER, OFFER.replace("\n", "\r\n"), "\ufeff" + OFFER, "\n" + OFFER):
        assert sdp.recognise(text.encode())
    for text in ("v=0", "v=0\nhello\n", "a=candidate:1", "version v=0\no="):
        assert not sdp.recognise(text.encode())


def test_secrets_have_no_text() -> None:
    secret = Secret("PASSWORD")
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r}", repr([secret]), repr(read(OFFER)[0])):
        assert "PASSWORD" not in shown
    assert secret.reveal() == "PASSWORD" and secret == Secret("PASSWORD") and len({secret, Secret("PASSWORD")}) == 1
