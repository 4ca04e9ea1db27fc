"""Any log of an application or a console: candidates, descriptions, JSON, states, each with the time of its line.

Chrome's and Firefox's console exports are such logs.  Whose a candidate or description is follows from the words before
it on the line, where those say it.
"""

from __future__ import annotations

import json
import re

from stunpcap.signalling import sdp
from stunpcap.signalling.candidate import WORDS, candidates_in
from stunpcap.signalling.harvest import harvest, side_in
from stunpcap.signalling.model import Gathering
from stunpcap.signalling.times import keep_time, time_in
from stunpcap.table import NAT

FORMAT = "log"
_CANDIDATE = re.compile(
    rb"candidate:\S{1,64} \d{1,3} [A-Za-z-]{1,16} \d"
    rb"|\S{1,64} \d{1,3} [A-Za-z]{1,16} \d{1,10} \S{1,255} \d{1,5} typ (host|srflx|prflx|relay)\b"
)
_DESCRIPTION = re.compile(rb"(^|[\s\"'`:])v=0(\r?\n|\\\\?r|\\\\?n)")
_OBJECT = re.compile(rb"\{\s*\\?\"(type|sdp|candidate|iceServers|urls)\\?\"")
INTERESTING = re.compile(
    r"candidate|v=0|\bsdp\b|iceServers|ufrag|typ (?:host|srflx|prflx|relay)|(?:onnection|athering)[ _]?[Ss]tate"
)
_SEARCHED = ("candidate", "v=0", "sdp", "iceServers", "ufrag", " typ ", "onnection", "athering")
_OPENED = ("{\n", "[\n", "{\r\n", "[\r\n")
"""One of the first is in each line that `INTERESTING` finds, and they are found much faster; after one of the others
JSON may go on over several lines."""
_STATE = re.compile(
    r"(?i)\b(?:on)?(ice[ _]?connection|connection|ice[ _]?gathering|signaling)[ _]?state(?:change)?\b[^\w\n]{0,6}"
    r"(?:changed?|is|now|to|event)?[^\w\n]{0,6}(?:to )?"
    r"(new|checking|connecting|connected|completed|disconnected|failed|closed|gathering|complete|stable|have-[\w-]+)\b"
)
_WRITTEN_OUT = re.compile(r"v=0(?:\\r)?\\n(?:[^\"'`\\]|\\[rn/\"])*")
_TYPE = re.compile(r"""(?i)\btype\\?["']?\s*[:=]\s*\\?["']?(offer|answer|pranswer)\b|\b(offer|answer|pranswer)\b""")
_MID = re.compile(r"""\bsdpMid\\?["']?\s*[:=]\s*\\?["']?([\w.-]{1,64})""")
_UFRAG = re.compile(r"""\b(?:usernameFragment|ufrag)\\?["']?\s*[:=]\s*\\?["']?([A-Za-z0-9+/]{4,256})""")
_URL = re.compile(r"""\burl\\?["']?\s*[:=]\s*\\?["']?((?:stun|turn)s?:[^\s"'\\,}]+)""")
_BEGINS = re.compile(r"\{|v=0|candidate:\S{1,64} \d|\S{1,64} typ ")
_SDP_LINE = re.compile(r"\s*[a-z]=")
MOST_JSON_LINES, MOST_FAILED, MOST_AHEAD = 5_000, 20, 100_000
"""Lines that one JSON value may have, how often its end may be mistaken, and lines looked ahead at in the whole log."""
_decode = json.JSONDecoder().raw_decode


def recognise(head: bytes) -> bool:
    """Somewhere in its beginning there is a candidate, a description, or the JSON of one."""
    return any(pattern.search(head) for pattern in (_CANDIDATE, _DESCRIPTION, _OBJECT))


def read(text: str, here: Gathering) -> None:
    """Read a log from beginning to end."""
    Lines(text, here).read()


class Lines:
    """A log being read; a line may lead to the lines after it."""

    def __init__(self, text: str, here: Gathering) -> None:
        self._text = text
        self._here = here
        self._at = 0
        self._number = 0
        self._bytes = 0
        self._ascii = text.isascii()
        self._ahead = MOST_AHEAD
        self._before = self._latest = ""
        """The line before the one at hand, which often alone says what follows; and that one."""

    def read(self) -> None:
        """All lines that may hold something."""
        text = self._text
        found = {word: text.find(word) for word in (*_SEARCHED, *_OPENED)}
        found = {word: place for word, place in found.items() if place >= 0}
        while found:
            place = min(found.values())
            self._skip(place)
            line = self._next()
            if line is None:
                return
            if INTERESTING.search(line) or line.endswith(_OPENED):
                self._line(line)
            for word in [word for word, place in found.items() if place < self._at]:
                found[word] = text.find(word, self._at)
                if found[word] < 0:
                    del found[word]

    def _skip(self, place: int) -> None:
        """Go on to the line that a place is in."""
        start = max(self._text.rfind("\n", self._at, place) + 1, self._at)
        if start > self._at:
            passed = self._text[self._at : start]
            self._number += passed.count("\n")
            self._bytes += len(passed) if self._ascii else len(passed.encode("utf-8", "replace"))
            self._latest = passed[passed.rfind("\n", 0, -1) + 1 :]
            self._at = start

    def _next(self) -> str | None:
        if self._at >= len(self._text):
            return None
        self._before = self._latest
        end = self._text.find("\n", self._at)
        end = len(self._text) if end < 0 else end + 1
        line = self._latest = self._text[self._at : end]
        self._here.line, self._here.offset = self._number + 1, self._bytes
        self._at, self._number = end, self._number + 1
        self._bytes += len(line) if self._ascii else len(line.encode("utf-8", "replace"))
        return line

    def _line(self, line: str) -> None:
        here = self._here
        line_above = self._before if line.strip() in ("v=0", "{", "[") else ""
        time, kind = time_in(line_above or line)
        here.time = NAT
        keep_time(here, time, kind)
        begins = _BEGINS.search(line)
        here.side, here.how = side_in(line_above or line[: begins.start() if begins else 0]), ""
        line, taken = self._json(line)
        if taken:
            return
        if "v=0" in line and self._description(line):
            return
        if any(word in line for word in WORDS):
            here.candidates += candidates_in(
                line, here, mid=_in(_MID, line), ufrag=_in(_UFRAG, line), url=_in(_URL, line)
            )
        elif match := _STATE.search(line):
            here.event(match[1].lower().replace(" ", "").replace("_", "") + "statechange", match[2].lower())

    def _json(self, line: str) -> tuple[str, bool]:
        """Take JSON that begins on this line; it may end on another.  Gives what of the line is left to look at."""
        here, start = self._here, 0
        before = here.found() + len(here.events)
        left = line
        for _ in range(8):
            at = line.find("{", start)
            bracket = line.find("[{", start)
            at = bracket if 0 <= bracket < at else at
            if at < 0:
                break
            try:
                value, end = _decode(line, at)
            except RecursionError:
                break
            except ValueError:
                if at + 1 == len(line.rstrip()) and (found := self._over_lines(line, at)):
                    value, end = found
                    line = left = ""
                else:
                    start = at + 1
                    continue
            kept = here.found()
            harvest(value, here)
            if here.found() > kept:
                left = left.replace(line[at:end], " ", 1)
            start = end
            if not line:
                break
        return left, here.found() + len(here.events) > before and not INTERESTING.search(left)

    def _over_lines(self, line: str, at: int) -> tuple[object, int] | None:
        """JSON in several lines, the first of which ends with its opening bracket."""
        saved = self._at, self._number, self._bytes
        place = self._here.line, self._here.offset
        text, depth = line[at:], 0
        parts = [text]
        depth = text.count("{") + text.count("[") - text.count("}") - text.count("]")
        failed = 0
        for _ in range(MOST_JSON_LINES):
            following = self._next() if self._ahead > 0 else None
            if following is None or failed > MOST_FAILED:
                break
            self._ahead -= 1
            parts.append(following)
            depth += following.count("{") + following.count("[") - following.count("}") - following.count("]")
            if depth <= 0:
                try:
                    value, end = _decode("".join(parts), 0)
                except (ValueError, RecursionError):
                    failed += 1
                    continue
                self._here.line, self._here.offset = place
                return value, end
        self._at, self._number, self._bytes = saved
        self._here.line, self._here.offset = place
        return None

    def _description(self, line: str) -> bool:
        """Take a description that is written out on this line, or begins on it."""
        here = self._here
        at = line.find("v=0")
        told = line[:at] if line[:at].strip() else self._before
        types = [one[1] or one[2] for one in _TYPE.finditer(told)]
        types = types or [one[1] for one in _TYPE.finditer(line[at:]) if one[1]]
        kind = types[-1].lower() if types else ""
        if match := _WRITTEN_OUT.search(line.replace("\\\\", "\\")):
            return sdp.describe(sdp.unescaped(match[0]), kind, here) is not None
        if line[at:].strip() not in ("v=0", 'v=0"'):
            return False
        lines = [line[at:]]
        place = here.line, here.offset
        while True:
            saved = self._at, self._number, self._bytes
            following = self._next()
            if following is None or not _SDP_LINE.match(following):
                self._at, self._number, self._bytes = saved
                break
            lines.append(following)
        here.line, here.offset = place
        return sdp.describe("".join(lines), kind, here) is not None


def _in(pattern: re.Pattern[str], line: str) -> str:
    match = pattern.search(line)
    return match[1] if match else ""
