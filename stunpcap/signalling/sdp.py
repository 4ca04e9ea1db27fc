"""Session descriptions (RFC 8866; ICE in them RFC 8839, DTLS RFC 8842): text to `Description`, by line and place.

The grammar is strict, `x=value` a line; line ends are taken as they come, and a line that does not belong is a flaw
that stops nothing.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from stunpcap.record import record
from stunpcap.signalling.candidate import candidates_in
from stunpcap.signalling.model import Description, Gathering, OfferedCandidate, Secret, Section
from stunpcap.table import MISSING

FORMAT = "SDP"
_LINE = re.compile(r"([a-z])=(.*)", re.S)
_ICE_CHARS = re.compile(r"[A-Za-z0-9+/]+\Z")
_BEGINS = re.compile(rb"(\xef\xbb\xbf)?\s*v=0[ \t]*(\r\n|\n|\r)\s*[os]=")
MOST_LINES = 100_000
_ENDS = re.compile("\r\n|\n|\r")


@record
class Line:
    """One line of a description: its letter, what follows, and where it stands."""

    letter: str
    value: str
    number: int


def recognise(head: bytes) -> bool:
    """The file begins as a description does."""
    return _BEGINS.match(head) is not None


def read(text: str, here: Gathering) -> None:
    """All descriptions of a file that holds nothing else."""
    starts = [match.start() for match in re.finditer(r"^v=0\s*$", text, re.M)]
    for start, end in itertools.pairwise([*starts, len(text)]):
        here.line = text.count("\n", 0, start) + 1
        here.offset = len(text[:start].encode("utf-8", "replace"))
        describe(text[start:end], "", here)


def describe(text: str, kind: str, here: Gathering) -> Description | None:
    """Read one description and keep it with its candidates.

    Parameters
    ----------
    kind
        `offer` or `answer`, if known.
    """
    first = here.line
    session: list[Line] = []
    media: list[list[Line]] = []
    for line in _lines(text, here, first):
        if line.letter == "m":
            media.append([])
        (media[-1] if media else session).append(line)
    if not media and not any(line.letter == "a" for line in session):
        here.flaw("a description (SDP) without any media section or attribute")
        return None
    known = _attributes(session)
    sections = tuple(_section(lines, known, here) for lines in media)
    own = _candidates(session, "", known.get("ice-ufrag", ""), here)
    if own or not sections:
        sections = (*sections, _section_of("", "", known, known, own))
    here.line = first
    description = Description(
        kind if kind in ("offer", "answer", "pranswer") else "",
        sections,
        ice_lite="ice-lite" in known,
        ice_options=tuple(
            dict.fromkeys(
                word for lines in (session, *media) for option in _all(lines, "ice-options") for word in option.split()
            )
        ),
        bundle=next((tuple(group.split()[1:]) for group in _all(session, "group") if group.startswith("BUNDLE")), ()),
        side=here.side,
        agent=here.agent,
        time=here.time,
        how=here.how,
        origin=here.here(),
    )
    here.descriptions.append(description)
    for section in description.sections:
        here.candidates += section.candidates
    return description


def _lines(text: str, here: Gathering, first: int) -> Iterator[Line]:
    for number, raw in enumerate(_ENDS.split(text)):
        if number > MOST_LINES:
            here.flaw(f"a description (SDP) of more than {MOST_LINES:,} lines")
            return
        if not raw.strip():
            continue
        here.line = first + number if first > 0 else MISSING
        match = _LINE.fullmatch(raw.strip())
        if match:
            yield Line(match[1], match[2], here.line)
        else:
            here.flaw("a line that is none of SDP (x=value) in a description")


def _all(lines: list[Line], name: str) -> Iterator[str]:
    """Values of an attribute, in order."""
    for line in lines:
        if line.letter == "a":
            key, _, value = line.value.partition(":")
            if key == name:
                yield value.strip()


def _attributes(lines: list[Line]) -> dict[str, str]:
    """The first value of each attribute."""
    found: dict[str, str] = {}
    for line in lines:
        if line.letter == "a":
            key, _, value = line.value.partition(":")
            found.setdefault(key.strip(), value.strip())
    return found


def _section(lines: list[Line], session: dict[str, str], here: Gathering) -> Section:
    own = _attributes(lines)
    for name in ("ice-ufrag", "ice-pwd"):
        if name in own and not _ICE_CHARS.match(own[name]):
            here.line = lines[0].number
            here.flaw(f"a={name} has characters that RFC 8839 does not allow")
    mid = own.get("mid", "")
    candidates = _candidates(lines, mid, own.get("ice-ufrag", session.get("ice-ufrag", "")), here)
    return _section_of(mid, lines[0].value.split(" ")[0], own, session, candidates)


def _section_of(
    mid: str, media: str, own: dict[str, str], session: dict[str, str], candidates: list[OfferedCandidate]
) -> Section:
    def value(name: str) -> str:
        return own.get(name, session.get(name, ""))

    pwd = value("ice-pwd")
    return Section(
        mid,
        media,
        value("ice-ufrag"),
        Secret(pwd) if pwd else None,
        value("setup"),
        value("fingerprint"),
        "end-of-candidates" in own or "end-of-candidates" in session,
        tuple(candidates),
    )


def _candidates(lines: list[Line], mid: str, ufrag: str, here: Gathering) -> list[OfferedCandidate]:
    found = []
    for line in lines:
        if line.letter == "a" and line.value.startswith("candidate:"):
            here.line = line.number
            found += candidates_in(line.value, here, mid=mid, ufrag=ufrag)
    return found


def unescaped(text: str) -> str:
    """A description as logs print it in quotes: `\\r\\n` written out becomes a line end."""
    return text.replace("\\r", "\r").replace("\\n", "\n").replace("\\/", "/").replace('\\"', '"')
