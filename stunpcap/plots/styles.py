"""How things look, wherever they are shown: one table for plots, the report, notebooks and the terminal.

Colour never carries meaning alone.  Each row differs from the others of its table by marker, hatch, line or glyph as
well, and colours that stand side by side differ in lightness, so that they survive colour blindness and a printer
without colour.  Inks are dark (on dark ground: light) enough to be read as text, fills light enough to be written on.

Nothing is imported here: the terminal needs this table and must not wait for a plotting library.
"""

from __future__ import annotations

from stunpcap.record import record


@record
class Hue:
    """One colour on light and on dark ground, as `#rrggbb`: for text and lines, and for areas that are written on."""

    ink: str
    fill: str
    dark_ink: str
    dark_fill: str


HUES = {
    "green": Hue("#0b6b57", "#c4e8de", "#4fd1b0", "#0a3d45"),
    "red": Hue("#b3261e", "#eb9c8e", "#ff8a7a", "#a03226"),
    "amber": Hue("#8a5a00", "#f7dd9c", "#e8b34a", "#574010"),
    "blue": Hue("#0b5cad", "#c3dcf6", "#79b8ff", "#0f345e"),
    "purple": Hue("#7a3e9d", "#d6bbe6", "#d2a8ff", "#6a3f91"),
    "orange": Hue("#a84300", "#efa777", "#ffa657", "#8f4d1d"),
    "grey": Hue("#5f6670", "#ececee", "#a3abb5", "#2d3239"),
    "black": Hue("#1f2328", "#c9ccd1", "#e6edf3", "#454c54"),
}
"""Name -> colour."""

PAPER, DARK_PAPER = "#ffffff", "#0d1117"
"""Light and dark ground.  The contrast of every ink to its ground is 4.5 or more, and so is that of text on a fill."""
INK, DARK_INK = HUES["black"].ink, HUES["black"].dark_ink


@record
class Tone:
    """How good news is: the symbol in front of it, with its stand-in in ASCII, and its colour."""

    glyph: str
    ascii: str
    hue: Hue
    sgr: str
    """Parameters of the terminal's escape sequence for colour; empty for none."""


TONES = {
    "good": Tone("✓", "+", HUES["green"], "32"),
    "bad": Tone("✗", "x", HUES["red"], "31"),
    "open": Tone("…", "~", HUES["amber"], "33"),
    "warn": Tone("!", "!", HUES["amber"], "33"),
    "none": Tone("·", "-", HUES["grey"], "2"),
}


@record
class Style:
    """How one value of a closed set is shown."""

    label: str
    """Words for a legend."""
    tone: str
    """Row of `TONES`."""
    hue: Hue
    marker: str
    """As matplotlib names markers."""
    hatch: str = ""
    """As matplotlib names hatches; empty for none."""
    line: str = "-"
    """As matplotlib names line styles."""
    glyph: str = ""
    """Symbol of its own in text, where it has one; see `symbol`."""
    ascii: str = ""
    """What stands for `glyph` where the encoding lacks it."""

    def symbol(self, *, unicode: bool = True) -> str:
        """The symbol that stands before it in text: its own, or its tone's."""
        own = self.glyph if unicode else self.ascii
        return own or (TONES[self.tone].glyph if unicode else TONES[self.tone].ascii)

    def ink(self, *, dark: bool = False) -> str:
        """Colour of text, lines and markers."""
        return self.hue.dark_ink if dark else self.hue.ink

    def fill(self, *, dark: bool = False) -> str:
        """Colour of areas."""
        return self.hue.dark_fill if dark else self.hue.fill


_GREEN, _RED, _AMBER, _BLUE = HUES["green"], HUES["red"], HUES["amber"], HUES["blue"]
_PURPLE, _ORANGE, _GREY, _BLACK = HUES["purple"], HUES["orange"], HUES["grey"], HUES["black"]

PAIR_STATES = {
    "succeeded": Style("succeeded", "good", _GREEN, "o"),
    "silent": Style("succeeded, then no answers", "warn", _PURPLE, "D", "--", "-."),
    "failed": Style("failed", "bad", _RED, "X", "////", "--"),
    "arrived": Style("failed, though packets arrived", "bad", _ORANGE, "P", "\\\\", "--"),
    "in-progress": Style("in progress", "open", _AMBER, "s", "..", ":"),
    "none": Style("no check seen", "none", _GREY, ".", "", "-"),
}
"""`pairs.state`, told apart further: `silent` where checks succeeded and at least the last two had no answer; `arrived`
where they failed though packets arrived (the answers did not get back); and `none`, where no check was seen."""

PATHS = {
    "delivered": Style("packets arrived", "good", _GREEN, "o"),
    "lost": Style("packets lost", "bad", _RED, "X", "////", "--", "✗", "x"),
    "rejected": Style("rejected with ICMP", "bad", _ORANGE, "P", "xxxx", "-.", "⊘", "#"),
    "rewritten": Style("arrived from another address", "good", _BLUE, "D", "\\\\", "-", "≈", "="),
    "unknown": Style("unknown", "none", _GREY, "s", "..", ":", "?", "?"),
}
"""`pairs.path`."""

OUTCOMES = {
    "success": Style("answered", "good", _GREEN, "o"),
    "error": Style("error response", "bad", _ORANGE, "X", "xxxx", "-.", "!", "!"),
    "icmp": Style("ICMP error", "bad", _PURPLE, "P", "++", "-.", "⊘", "#"),
    "other-address": Style("answer from or to another address", "bad", _BLUE, "D", "\\\\", "--", "≠", "="),
    "unanswered": Style("no answer", "bad", _RED, "x", "////", "--"),
    "unfinished": Style("open when the capture ended", "open", _AMBER, "s", "..", ":"),
    "orphan": Style("request not captured", "none", _GREY, "v", "", ":", "?", "?"),
}
"""`transactions.outcome`."""

PACKETS = {
    "check": Style("check", "none", _BLACK, "|", "", "-", "→", ">"),
    "consent": Style("consent check", "none", _BLACK, ".", "", ":", "»", ">"),
    "nomination": Style("nominating check", "none", _BLUE, "*", "", "-", "★", "*"),
    "answer": Style("answer", "good", _GREEN, "o", "", "-", "✓", "+"),
    "stray": Style("answer from or to another address", "bad", _BLUE, "D", "\\\\", "--", "≠", "="),
    "error": Style("error response", "bad", _ORANGE, "X", "xxxx", "-.", "!", "!"),
    "icmp": Style("ICMP error", "bad", _PURPLE, "P", "++", "-.", "⊘", "#"),
    "gather": Style("request to a STUN server", "none", _BLACK, "^", "", "-", "?", "?"),
    "turn": Style("request to a TURN server", "none", _PURPLE, "v", "", "-", "?", "?"),
    "dtls": Style("DTLS handshake", "none", _AMBER, "s", "....", "-.", "◇", "D"),
    "alert": Style("DTLS alert", "bad", _RED, "H", "----", "--", "!", "!"),
    "media": Style("media or data", "good", _BLUE, ">", "", "-", "▶", "M"),
}
"""What a packet is, to a person who looks at a timeline or a ladder."""

SEVERITIES = {
    "error": Style("error", "bad", _RED, "X", "////", "-"),
    "warning": Style("warning", "warn", _AMBER, "^", "..", "--"),
    "info": Style("information", "none", _BLUE, "o", "", ":", "i", "i"),
}
"""`findings.severity`."""

SESSION_STATES = {
    "connected": Style("connected", "good", _GREEN, "o"),
    "failed": Style("failed", "bad", _RED, "X", "////", "--"),
    "checking": Style("checking", "open", _AMBER, "s", "..", ":"),
    "disconnected": Style("disconnected", "bad", _PURPLE, "D", "\\\\", "-."),
    "closed": Style("closed", "good", _BLUE, "P", "xx", "-"),
}
"""`sessions.state`."""

CANDIDATES = {
    "host": Style("host", "none", _BLACK, "o", "", "-", "h", "h"),
    "srflx": Style("srflx", "none", _BLUE, "^", "\\\\", "--", "s", "s"),
    "prflx": Style("prflx", "none", _ORANGE, "v", "////", "-.", "p", "p"),
    "relay": Style("relay", "none", _PURPLE, "s", "xx", "-", "r", "r"),
    "unknown": Style("type ?", "none", _GREY, ".", "..", ":", "?", "?"),
}
"""`candidates.type`."""

SERIES = tuple(
    Style(str(number), "none", hue, marker, hatch, line)
    for number, (hue, marker, hatch, line) in enumerate(
        (
            (_BLUE, "o", "", "-"),
            (_ORANGE, "s", "////", "--"),
            (_GREEN, "^", "..", "-."),
            (_PURPLE, "D", "\\\\", ":"),
            (_BLACK, "v", "xx", "-"),
            (_AMBER, "P", "++", "--"),
            (_RED, "X", "--", "-."),
        ),
        start=1,
    )
)
"""For things that are many and have no order, as pairs have; one after the other."""

TABLES = {
    "pair state": PAIR_STATES,
    "path": PATHS,
    "outcome": OUTCOMES,
    "packet": PACKETS,
    "severity": SEVERITIES,
    "session state": SESSION_STATES,
    "candidate type": CANDIDATES,
}
"""Every table, by what it is about."""
