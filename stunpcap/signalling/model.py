"""What any source can tell, whatever its format: descriptions, candidates, events, statistics, and where each stood.

Secrets (ICE passwords, TURN credentials) are held as `Secret`, which no text form shows.  Times are nanoseconds on the
source's own clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from stunpcap.record import record
from stunpcap.table import MISSING, NAT

LOCAL, REMOTE = "local", "remote"
"""Whose a description or candidate is, as seen by the agent that the source speaks for; "" where it does not say."""

NO_CLOCK, OF_DAY, NO_ZONE, UTC = "none", "time of day", "no time zone", "utc"
"""What a source's times mean."""


class Secret:
    """A text that is used and never shown; whoever needs it asks for it by name."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "<secret>"


@record
class Origin:
    """Where in which file something stood."""

    file: str
    line: int = MISSING
    """From 1; missing where lines mean nothing."""
    offset: int = MISSING
    """Of the first byte of the line or value."""


@record
class OfferedCandidate:
    """A candidate as it was signalled (RFC 8839 section 5.1), or as `RTCIceCandidate` shows it."""

    foundation: str
    component: int
    transport: str
    """As written, in small letters: `udp`, `tcp`, `ssltcp`."""
    priority: int
    address: str
    """An IP address, or a name: browsers hide host addresses behind names that end with `.local`."""
    port: int
    type: str
    """`host`, `srflx`, `prflx`, `relay`; others as written."""
    raddr: str = ""
    rport: int = MISSING
    tcptype: str = ""
    generation: int = MISSING
    ufrag: str = ""
    network_id: int = MISSING
    network_cost: int = MISSING
    mid: str = ""
    url: str = ""
    """The server that it was gathered from, without what might be a token."""
    side: str = ""
    agent: str = ""
    time: int = NAT
    origin: Origin = field(default_factory=lambda: Origin(""))
    signalled: bool = True
    """False: no more than the agent's statistics tell of it."""

    @property
    def hidden(self) -> bool:
        """The address is a name."""
        return self.address.endswith(".local")


@record
class Section:
    """A media section of a description (`m=`), with what holds for it, be it said there or for the whole session."""

    mid: str
    media: str
    ufrag: str
    pwd: Secret | None
    setup: str
    fingerprint: str
    end_of_candidates: bool
    candidates: tuple[OfferedCandidate, ...]


@record
class Description:
    """An offer or answer: what of it matters to ICE and DTLS."""

    type: str
    """`offer`, `answer`, `pranswer`; "" where the source does not say."""
    sections: tuple[Section, ...]
    ice_lite: bool = False
    ice_options: tuple[str, ...] = ()
    bundle: tuple[str, ...] = ()
    """The mids of the first group with the semantics BUNDLE."""
    side: str = ""
    agent: str = ""
    time: int = NAT
    how: str = ""
    """What was done with it, as the source names it: `setLocalDescription`, `send`, …"""
    origin: Origin = field(default_factory=lambda: Origin(""))

    def credentials(self) -> Iterator[tuple[str, Secret | None]]:
        """Each username fragment with its password, once."""
        seen: dict[str, Secret | None] = {}
        for section in self.sections:
            if section.ufrag and (section.ufrag not in seen or seen[section.ufrag] is None):
                seen[section.ufrag] = section.pwd
        yield from seen.items()


@record
class Server:
    """One entry of `iceServers`."""

    urls: tuple[str, ...]
    """Without anything that might be a token."""
    username: str = ""
    credential: Secret | None = None


@record
class Configuration:
    """What a peer connection was configured with."""

    servers: tuple[Server, ...]
    ice_transport_policy: str = ""
    bundle_policy: str = ""
    agent: str = ""
    time: int = NAT
    origin: Origin = field(default_factory=lambda: Origin(""))


@record
class Event:
    """Something that happened, as the source has it."""

    time: int
    what: str
    """The W3C's name of the event or call: `iceconnectionstatechange`, `addIceCandidate`, …"""
    detail: str
    """A state, or a few words; secrets are left out."""
    agent: str = ""
    origin: Origin = field(default_factory=lambda: Origin(""))


@record
class Exchanged:
    """A STUN message that a log names by its transaction id."""

    transaction_id: str
    kind: str
    """`request`, `success`, `error`, `indication`."""
    sent: bool
    time: int
    origin: Origin


@record
class Statistic:
    """One object of getStats(), as it was last."""

    id: str
    type: str
    """`candidate-pair`, `local-candidate`, `remote-candidate`, `transport`."""
    values: Mapping[str, object]
    """W3C names to numbers, texts and truth values."""
    agent: str = ""
    time: int = NAT
    origin: Origin = field(default_factory=lambda: Origin(""))


@record
class Flaw:
    """What was wrong with a source, or could not be read of it."""

    words: str
    origin: Origin


@record
class Source:
    """All that one file told."""

    name: str
    """The file as the user named it."""
    format: str
    descriptions: tuple[Description, ...]
    candidates: tuple[OfferedCandidate, ...]
    """Those of descriptions included."""
    configurations: tuple[Configuration, ...]
    events: tuple[Event, ...]
    statistics: tuple[Statistic, ...]
    exchanged: tuple[Exchanged, ...]
    flaws: tuple[Flaw, ...]
    clock: str

    @property
    def empty(self) -> bool:
        """It told nothing of use."""
        return not (self.descriptions or self.candidates or self.statistics or self.exchanged or self.configurations)

    def agents(self) -> list[str]:
        """The peer connections it tells of, in order; "" stands for one without a name."""
        names: dict[str, None] = {}
        for part in (self.descriptions, self.candidates, self.statistics, self.events, self.configurations):
            names |= dict.fromkeys(one.agent for one in part)
        return list(names) or [""]


@dataclass(slots=True, eq=False, repr=False)
class Gathering:
    """A source in the making: what readers add to, and what holds for what they add next."""

    file: str
    format: str
    clock: str = NO_CLOCK
    agent: str = ""
    side: str = ""
    how: str = ""
    time: int = NAT
    line: int = MISSING
    offset: int = MISSING
    descriptions: list[Description] = field(default_factory=list)
    candidates: list[OfferedCandidate] = field(default_factory=list)
    configurations: list[Configuration] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    statistics: dict[tuple[str, str], Statistic] = field(default_factory=dict)
    """Agent and id -> the last state of it."""
    exchanged: list[Exchanged] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    url_of_port: dict[tuple[str, int], str] = field(default_factory=dict)

    def here(self) -> Origin:
        """The place that is being read."""
        return Origin(self.file, self.line, self.offset)

    def flaw(self, words: str) -> None:
        """Note that something could not be read here; of very many the first hundred."""
        if len(self.flaws) < MOST_FLAWS:
            self.flaws.append(Flaw(words, self.here()))

    def event(self, what: str, detail: str = "") -> None:
        """Note that something happened now."""
        self.events.append(Event(self.time, what, detail, self.agent, self.here()))

    def found(self) -> int:
        """How much there is so far."""
        parts = (self.descriptions, self.candidates, self.configurations, self.statistics, self.exchanged)
        return sum(len(part) for part in parts)

    def source(self) -> Source:
        """What was gathered."""
        return Source(
            self.file,
            self.format,
            tuple(self.descriptions),
            tuple(self.candidates),
            tuple(self.configurations),
            tuple(self.events),
            tuple(self.statistics.values()),
            tuple(self.exchanged),
            tuple(self.flaws),
            self.clock,
        )


MOST_FLAWS = 100
