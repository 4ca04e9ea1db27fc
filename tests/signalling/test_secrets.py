"""Passwords, credentials and tokens are used and stay where they are: in no output whatever."""

from __future__ import annotations

import pytest

from stunpcap.signalling.secrets import scrub, servers_in, without_token


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("stun:stun.example.test", "stun:stun.example.test"),
        ("STUN:stun.example.test:3478", "stun:stun.example.test:3478"),
        ("turn:t.test:3478?transport=UDP", "turn:t.test:3478?transport=udp"),
        ("turns:t.test?token=TOKEN&transport=tcp", "turns:t.test?transport=tcp"),
        ("turn:user:TOKEN@t.test:3478?transport=udp&auth=TOKEN", "turn:t.test:3478?transport=udp"),
        ("turn:[2001:db8::1]:3478", "turn:[2001:db8::1]:3478"),
        ("stun://stun.example.test/TOKEN", "stun:stun.example.test"),
        ("https://example.test/?token=TOKEN", ""),
        ("TOKEN", ""),
    ],
)
def test_addresses_of_servers(url: str, shown: str) -> None:
    assert without_token(url) == shown


def test_servers_in_a_text() -> None:
    text = "{ iceServers: [stun:a.test:1, turn:b.test:2?transport=tcp], bundlePolicy: balanced } return:c.test"
    assert servers_in(text) == ["stun:a.test:1", "turn:b.test:2?transport=tcp"]


@pytest.mark.parametrize(
    "text",
    [
        "a=ice-pwd:TOKEN",
        "ice-pwd: TOKEN",
        '{"credential":"TOKEN"}',
        '{\\"credential\\": \\"TOKEN\\"}',
        "password=TOKEN&x=1",
        "Authorization: Bearer TOKEN",
        "wss://example.test/ws?access_token=TOKEN",
        "https://example.test/call#TOKEN",
        "pwd TOKEN"[:3],
    ],
)
def test_texts(text: str) -> None:
    assert "TOKEN" not in scrub(text)


def test_texts_are_one_short_line() -> None:
    assert scrub("a\nb\tc") == "a b c"
    assert len(scrub("x" * 5000)) == 200
