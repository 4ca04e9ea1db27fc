"""What all sources together say of each username fragment: its candidates, its passwords, whether it is our own side.

Whatever names no username fragment itself belongs to the description that its source told of last, before or after it,
for the same connection and side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from stunpcap.signalling.model import LOCAL, REMOTE, OfferedCandidate, Secret, Source, Statistic
from stunpcap.table import MISSING


@dataclass(slots=True, eq=False, repr=False)
class Told:
    """What is known of one username fragment."""

    candidates: list[tuple[Source, OfferedCandidate]] = field(default_factory=list)
    passwords: list[tuple[bool, Secret]] = field(default_factory=list)
    """Whether the agent itself said so, and the password."""
    local_in: set[tuple[str, str]] = field(default_factory=set)
    """File and connection that speak for this agent."""
    mentioned_in: set[tuple[str, str]] = field(default_factory=set)

    @property
    def password(self) -> str:
        """The password that checks to this agent should be made with: as it says itself, if that is known."""
        for own in (True, False):
            for said, secret in self.passwords:
                if said == own:
                    return secret.reveal()
        return ""


def by_ufrag(sources: Iterable[Source]) -> dict[str, Told]:
    """Username fragment -> what is known of it; "" for candidates of nobody knows whom."""
    known: dict[str, Told] = {}
    for source in sources:
        speaks = (source.name, "")
        for description in source.descriptions:
            for ufrag, secret in description.credentials():
                told = known.setdefault(ufrag, Told())
                speaks = source.name, description.agent
                told.mentioned_in.add(speaks)
                if description.side == LOCAL:
                    told.local_in.add(speaks)
                if secret is not None:
                    told.passwords.append((description.side == LOCAL, secret))
        for candidate in named(source):
            told = known.setdefault(candidate.ufrag, Told())
            told.candidates.append((source, candidate))
            if candidate.ufrag:
                told.mentioned_in.add((source.name, candidate.agent))
                if candidate.side == LOCAL:
                    told.local_in.add((source.name, candidate.agent))
        for candidate in counted(source):
            known.setdefault(candidate.ufrag, Told()).candidates.append((source, candidate))
        for statistic in source.statistics:
            for ufrag, is_local in ufrags_of(statistic):
                told = known.setdefault(ufrag, Told())
                told.mentioned_in.add((source.name, statistic.agent))
                if is_local:
                    told.local_in.add((source.name, statistic.agent))
    return known


def counted(source: Source) -> Iterator[OfferedCandidate]:
    """The candidates that statistics tell of: their types are what the agent itself takes them for."""
    own = {
        one.agent: str(one.values["iceLocalUsernameFragment"])
        for one in source.statistics
        if one.type == "transport" and one.values.get("iceLocalUsernameFragment")
    }
    for one in source.statistics:
        local = one.type == "local-candidate"
        if not local and one.type != "remote-candidate":
            continue
        texts = {key: value for key, value in one.values.items() if isinstance(value, str)}
        numbers = {key: value for key, value in one.values.items() if isinstance(value, int)}
        address, kind = texts.get("address", texts.get("ip", "")), texts.get("candidateType", "")
        if not address or kind not in ("host", "srflx", "prflx", "relay") or not 0 < numbers.get("port", 0) < 65536:
            continue
        yield OfferedCandidate(
            texts.get("foundation", ""),
            1,
            texts.get("protocol", "udp").lower(),
            numbers.get("priority", MISSING),
            address,
            numbers["port"],
            kind,
            texts.get("relatedAddress", ""),
            numbers.get("relatedPort", MISSING),
            texts.get("tcpType", ""),
            ufrag=texts.get("usernameFragment", "") or (own.get(one.agent, "") if local else ""),
            url=texts.get("url", ""),
            side=LOCAL if local else REMOTE,
            agent=one.agent,
            origin=one.origin,
            signalled=False,
        )


def ufrags_of(statistic: Statistic) -> Iterator[tuple[str, bool]]:
    """Username fragments that a statistic names, and whether they are the agent's own."""
    for name, own in (
        ("iceLocalUsernameFragment", True),
        ("usernameFragment", statistic.type == "local-candidate"),
    ):
        value = statistic.values.get(name)
        if isinstance(value, str) and value:
            yield value, own


def named(source: Source) -> Iterator[OfferedCandidate]:
    """The candidates of a source, each with the username fragment that it belongs to, as far as that is known."""
    spoken: dict[tuple[str, str, str], list[tuple[int, int, str]]] = {}
    for description in source.descriptions:
        for section in description.sections:
            for mid in {section.mid, ""}:
                key = description.agent, description.side, mid
                if section.ufrag:
                    spoken.setdefault(key, []).append((description.time, description.origin.line, section.ufrag))
    for candidate in source.candidates:
        if candidate.ufrag:
            yield candidate
            continue
        keys = [(candidate.agent, candidate.side, mid) for mid in (candidate.mid, "")]
        said = next((spoken[key] for key in keys if key in spoken), [])
        if not candidate.side and len({ufrag for _, _, ufrag in said}) > 1:
            said = []  # an offer and an answer: nobody knows whose it is
        if said:
            place = candidate.time, candidate.origin.line
            before = [ufrag for time, line, ufrag in said if (time, line) <= place]
            yield replace(candidate, ufrag=before[-1] if before else said[0][2])
        else:
            yield candidate


def passwords_of(known: Mapping[str, Told], sources: Iterable[Source]) -> dict[str, str]:
    """By username fragment (ICE) and user name (TURN), to check MESSAGE-INTEGRITY with."""
    found = {ufrag: told.password for ufrag, told in known.items() if ufrag and told.password}
    for source in sources:
        for configuration in source.configurations:
            for server in configuration.servers:
                if server.username and server.credential is not None:
                    found.setdefault(server.username, server.credential.reveal())
    return found


def sides_of(known: Mapping[str, Told], ufrag_a: str, ufrag_b: str) -> str:
    """Which of two agents is our own: the one that a file speaks for, if none speaks for the other."""
    a = bool(ufrag_a in known and known[ufrag_a].local_in)
    b = bool(ufrag_b in known and known[ufrag_b].local_in)
    return "" if a == b else ufrag_a if a else ufrag_b
