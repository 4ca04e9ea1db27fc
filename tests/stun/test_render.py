"""What a person sees of a message; captured text must not reach a terminal or a notebook unescaped."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stunpcap.stun.message import Message
from stunpcap.stun.render import printable

Build = Callable[..., bytes]


def test_a_message_in_full(build: Build) -> None:
    message = Message.parse(
        build(
            0x0111,
            (0x0009, b"\0\0\4\x14" + b"Hm"),
            (0x000A, bytes.fromhex("c0577fff")),
            (0x7FFF, bytes(40)),
            (0x000C, bytes.fromhex("40010001")),
            (0x0018, b"\x80"),
            (0x0008, bytes(range(20))),
            (0x8022, b"late"),
        )
    )
    assert str(message) == (
        """\
STUN binding error
  message      binding error (type 0x0111)
  transaction  b7e7a701bc34d686fa87dfae
  length       112 bytes after the header of 20
  integrity    present
  fingerprint  absent
  meaning      420 Unknown Attribute: The request has an attribute that the receiver must understand and does not; """
        """see UNKNOWN-ATTRIBUTES.
  attributes
    0x0009 ERROR-CODE             6  420 Hm (Unknown Attribute)
    0x000a UNKNOWN-ATTRIBUTES     4  GOOG-NETWORK-INFO (0xc057), 0x7fff
    0x7fff 0x7fff                40  """
        + "00" * 32
        + """… (40 bytes)
    0x000c CHANNEL-NUMBER         4  0x4001
    0x0018 EVEN-PORT              1  yes
    0x0008 MESSAGE-INTEGRITY     20  000102030405060708090a0b0c0d0e0f10111213
    0x8022 SOFTWARE (ignored)     4  late
  defects
    an unknown attribute of the comprehension-required range (byte 40)
    reserved bits that are not zero (byte 84)
    an attribute after the message integrity is unprotected and ignored (byte 124)"""
    )


def test_a_message_without_attributes(build: Build) -> None:
    text = str(Message.parse(build(0x0011)))
    assert text.startswith("STUN binding indication\n")
    assert "attributes" not in text
    assert "<ul>" not in Message.parse(build(0x0011))._repr_html_()


def test_html_is_escaped(build: Build) -> None:
    message = Message.parse(build(0x0001, (0x0006, b"<script>alert(1)</script>&\"'"), (0x8022, b"</table>")))
    html = message._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#x27;" in html
    assert html.count("</table>") == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Ünïcode マ", "plain Ünïcode マ"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc\x00", "a\\nb\\tc\\x00"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(
    st.lists(st.tuples(st.sampled_from([0x0006, 0x0009, 0x0014, 0x8022, 0x7FFF]), st.binary(max_size=30)), max_size=4)
)
def test_nothing_captured_reaches_the_screen_raw(pairs: list[tuple[int, bytes]]) -> None:
    body = b"".join(t.to_bytes(2) + len(v).to_bytes(2) + v + bytes(-len(v) % 4) for t, v in pairs)
    message = Message.parse(b"\0\1" + len(body).to_bytes(2) + bytes.fromhex("2112a442") + bytes(12) + body)
    assert all(line.isprintable() for line in str(message).split("\n"))
    assert all(c.isprintable() for c in message._repr_html_())
