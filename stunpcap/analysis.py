"""From captures to the tables of a trace: the one place where the floors are put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from stunpcap.course.beginning import find_beginning
from stunpcap.course.connections import find_broken
from stunpcap.course.ending import find_endings
from stunpcap.course.in_use import find_in_use
from stunpcap.course.liveness import find_liveness
from stunpcap.course.sessions import Course, build_sessions
from stunpcap.course.stages import build_stages
from stunpcap.diagnose.facts import Facts
from stunpcap.diagnose.run import diagnose
from stunpcap.ice.candidates import build_candidates, build_mappings
from stunpcap.ice.columns import maximum_in
from stunpcap.ice.duplicates import mark_duplicates
from stunpcap.ice.pairs import Directed, build_pairs
from stunpcap.ice.place import Place, find_place
from stunpcap.ice.sessions import Agents, find_sessions
from stunpcap.ice.transactions import Correlated, correlate
from stunpcap.media.build import Media, build_media
from stunpcap.record import record
from stunpcap.room import below
from stunpcap.schema import FRAMES, LAYER
from stunpcap.stun.defects import SENTENCES
from stunpcap.table import MISSING, NAT, Pools, Table, empty
from stunpcap.turn.relays import follow_relays, mark_legs
from stunpcap.turn.tables import allocation_table, grant_table
from stunpcap.vantage import EXTRA, Vantage

if TYPE_CHECKING:
    from stunpcap.signalling.join import Joined
    from stunpcap.signalling.model import Source
    from stunpcap.stun.message import Message


_TOLD = ("descriptions", "stats", "signalling")
"""Frames that stay empty unless there is signalling beside the captures."""
_STRANGER = "nothing of it is in the captures: no username fragment, address or transaction id; is it of another call?"


@record
class Tables:
    """Every table of a trace."""

    messages: Table
    transactions: Table
    sessions: Table
    pairs: Table
    evidence: Table
    stages: Table
    candidates: Table
    allocations: Table
    permissions: Table
    channels: Table
    flows: Table
    dtls: Table
    handshakes: Table
    streams: Table
    activity: Table
    names: Table
    mappings: Table
    icmp: Table
    descriptions: Table
    stats: Table
    signalling: Table
    findings: Table
    vantages: Table
    defects: Table

    def of_session(self, number: int) -> Tables:
        """The same with the rows of one session only; captures, their defects and names asked over mDNS stay."""
        pairs = self.pairs.take(self.pairs["session_id"] == number)
        own = {
            name: getattr(self, name).take(getattr(self, name)["session_id"] == number)
            for name in (
                *("messages", "transactions", "sessions", "evidence", "stages", "candidates", "mappings", "icmp"),
                *("dtls", "handshakes", "streams", "activity", "descriptions", "stats"),
            )
        }
        ids = self.allocations.values("session_ids")
        mine = np.array([str(number) in (text or "").split(", ") for text in ids], np.bool_)
        own["allocations"] = self.allocations.take(mine)
        for name in ("permissions", "channels"):
            table = getattr(self, name)
            own[name] = table.take(np.isin(table["allocation_id"], own["allocations"]["allocation_id"]))
        wanted = {(a, b) for a, b in zip(pairs["src"].tolist(), pairs["dst"].tolist(), strict=True)}
        ends = zip(self.flows["src"].tolist(), self.flows["dst"].tolist(), strict=True)
        used = np.array([(a, b) in wanted or (b, a) in wanted for a, b in ends], np.bool_)
        about = self.findings["session_id"]
        findings = self.findings.take((about == number) | (about == MISSING))
        rest = {name: getattr(self, name) for name in FRAMES if name not in own}
        return Tables(**{**rest, **own, "pairs": pairs, "flows": self.flows.take(used), "findings": findings})


assert [field.name for field in fields(Tables)] == list(FRAMES)


def analyse(
    vantages: Sequence[Vantage], pools: Pools, passwords: Mapping[str, str], sources: Sequence[Source] = ()
) -> Tables:
    """Correlate what the captures hold, and what the sources beside them tell."""
    messages = _join("messages", [vantage.messages for vantage in vantages], pools)
    extra = {name: below([vantage.extra[name] for vantage in vantages]) for name in EXTRA}
    numbers = [pools.texts.number(vantage.name) for vantage in vantages]
    places = {number: find_place(vantage, pools) for number, vantage in zip(numbers, vantages, strict=True)}
    ends = {number: vantage.last_time for number, vantage in zip(numbers, vantages, strict=True)}

    mark_duplicates(messages, extra["ip_id"])
    bytes_of = _reader(vantages)
    relays = follow_relays(vantages, messages, extra, lambda row: _parse(bytes_of(row)), pools)
    vantages = relays.vantages
    mark_legs(messages, extra["leg"], extra["depth"])
    flows = _join("flows", [vantage.flows for vantage in vantages], pools)
    correlated = correlate(list(vantages), messages, extra["transmit_counter"], pools)
    agents = find_sessions(correlated, messages, pools)
    directed = build_pairs(correlated, agents, messages, list(vantages), places, pools)
    candidates = build_candidates(correlated, agents, directed, messages, places, pools)
    joined = None
    if sources:
        from stunpcap.signalling.join import Joined  # few captures have company

        joined = Joined(sources, agents, correlated, directed, messages, pools)
        candidates = joined.candidates(candidates)
        passwords = {**joined.passwords, **passwords}
    media = build_media(list(vantages), directed, agents, candidates, pools)
    granted = sorted(relays.allocations.all, key=lambda one: (one.asked, one.first_frame))
    allocations = allocation_table(granted, _sessions_of(candidates), pools)
    course = _course(
        correlated,
        agents,
        directed,
        messages,
        flows,
        {**media.tables, "allocations": allocations},
        media,
        vantages,
        pools,
    )
    sessions = build_sessions(correlated, agents, directed, media.followed, course, pools)
    mappings = build_mappings(correlated, agents, pools)

    session_of = np.where(agents.of_transaction >= 0, agents.of_transaction + 1, MISSING)
    correlated.table["session_id"] = session_of
    of_message = correlated.of_message
    messages["session_id"] = np.where(of_message >= 0, session_of[of_message] if len(session_of) else MISSING, MISSING)
    if passwords:
        from stunpcap.ice.authenticity import verify  # with hashlib, which takes time to import

        verify(messages, correlated, bytes_of, passwords)
    tables = {
        "messages": messages,
        "transactions": correlated.table,
        "sessions": sessions,
        "pairs": directed.table,
        "evidence": directed.evidence,
        "candidates": candidates,
        "allocations": allocations,
        "permissions": grant_table("permissions", granted, ends, pools),
        "channels": grant_table("channels", granted, ends, pools),
        "flows": flows,
        **media.tables,
        "mappings": mappings,
        "vantages": _vantages(vantages, messages, places, numbers, pools),
        "defects": _defects(vantages, joined, pools),
    }
    told = joined.finish(tables, bytes_of) if joined else {name: empty(name, pools) for name in _TOLD}
    tables |= told
    tables["stages"] = build_stages(tables, directed, course, media.sender, ends, pools)
    findings = diagnose(Facts(tables, directed, course, of_message, places, vantages, pools))
    return Tables(**tables, findings=findings)


def _course(
    correlated: Correlated,
    agents: Agents,
    directed: Directed,
    messages: Table,
    flows: Table,
    tables: dict[str, Table],
    media: Media,
    vantages: Sequence[Vantage],
    pools: Pools,
) -> Course:
    """What happened in each session, before anything is explained."""
    used = find_in_use(correlated, directed, agents, media)
    live = find_liveness(correlated, directed, used, flows)
    starts = {pools.texts.number(vantage.name): vantage.first_time for vantage in vantages}
    beginning = find_beginning(correlated, agents, messages, starts)
    broken = find_broken(used, flows)
    ended = find_endings(directed, used, live, agents.restart_of, tables)
    # Whoever has said that it ends may let its connection break.
    broken = {number: one for number, one in broken.items() if number not in ended}
    mine = live.in_use
    number = directed.table["session_id"][mine] - 1
    good_until = maximum_in(number, agents.count, directed.table["last_answer_time"][mine], NAT)
    return Course(used, live, broken, ended, good_until, beginning.session, beginning.agent)


def _sessions_of(candidates: Table) -> dict[int, set[int]]:
    """Endpoint -> the sessions that have it among their candidates, or as the base of one."""
    found: dict[int, set[int]] = {}
    for column in ("address", "base"):
        for end, session in zip(candidates[column].tolist(), candidates["session_id"].tolist(), strict=True):
            found.setdefault(end, set()).add(session)
    return found


def _join(name: str, tables: list[Table], pools: Pools) -> Table:
    """One table below the other; that of a single capture has its columns, to be read only."""
    joined = {column.name: below([table[column.name] for table in tables]) for column in FRAMES[name]}
    return Table(name, sum(map(len, tables)), pools, joined)


def _reader(vantages: Sequence[Vantage]) -> Any:
    """A function that gives the bytes of the message in a row of the joined table."""
    starts = np.cumsum([0] + [len(vantage.messages) for vantage in vantages])

    def bytes_of(row: int) -> bytes:
        which = int(np.searchsorted(starts, row, side="right")) - 1
        vantage = vantages[which]
        offset, size = vantage.offsets[row - starts[which]].tolist()
        return vantage.payload[offset : offset + size]

    return bytes_of


def _parse(data: bytes) -> Message:
    from stunpcap.stun.message import Message  # few captures have one that is too rare for columns

    return Message.parse(data)


def _vantages(
    vantages: Sequence[Vantage], messages: Table, places: dict[int, Place], numbers: list[int], pools: Pools
) -> Table:
    found = [places[number] for number in numbers]
    at = [", ".join(sorted(pools.endpoints.address(number) for number in place.local)) for place in found]
    return Table(
        "vantages",
        len(vantages),
        pools,
        {
            "vantage": np.array(numbers),
            "path": pools.texts.numbers(vantage.path for vantage in vantages),
            "format": pools.texts.numbers(vantage.format for vantage in vantages),
            "packets": np.array([vantage.packets for vantage in vantages]),
            "bytes": np.array([vantage.captured_bytes for vantage in vantages]),
            "first_time": np.array([vantage.first_time for vantage in vantages]),
            "last_time": np.array([vantage.last_time for vantage in vantages]),
            "dropped": np.array([MISSING if vantage.dropped is None else vantage.dropped for vantage in vantages]),
            "stun_messages": np.array([len(vantage.messages) for vantage in vantages]),
            "link_types": pools.texts.numbers(", ".join(vantage.link_types) for vantage in vantages),
            "place": np.array([place.place for place in found]),
            "at": pools.texts.numbers(at),
            "confidence": np.array([place.confidence for place in found]),
            "evidence": pools.texts.numbers(place.evidence for place in found),
        },
    )


def _defects(vantages: Sequence[Vantage], joined: Joined | None, pools: Pools) -> Table:
    """What was wrong with the files, with packets, and with messages: one row a kind and capture."""
    rows: list[tuple[str, str, int, int, int, str]] = []
    for vantage in vantages:
        rows += [
            (vantage.name, "file", frame if frame else MISSING, offset, 0, words)
            for offset, frame, words in vantage.file_defects
        ]
        rows += [
            (vantage.name, layer, first, MISSING, count, words)
            for words, (layer, count, first) in sorted(vantage.oddities.items(), key=lambda item: item[1][2])
        ]
        flags = vantage.extra["flags"]
        for defect, sentence in SENTENCES.items():
            hit = np.flatnonzero(flags & int(defect))
            if len(hit):
                first = int(vantage.messages["frame"][hit[0]])
                rows.append((vantage.name, "stun", first, MISSING, len(hit), sentence))
    for source in joined.sources if joined else ():
        for flaw in source.flaws:
            line = f" (line {flaw.origin.line:,})" if flaw.origin.line > 0 else ""
            rows.append((source.name, "signalling", MISSING, flaw.origin.offset, 0, f"{flaw.words}{line}"))
    for source in joined.strangers() if joined else ():
        rows.append((source.name, "signalling", MISSING, MISSING, 0, _STRANGER))
    return Table(
        "defects",
        len(rows),
        pools,
        {
            "vantage": pools.texts.numbers(row[0] for row in rows),
            "layer": np.array([LAYER.index(row[1]) for row in rows], np.int8),
            "frame": np.array([row[2] for row in rows], np.int64),
            "offset": np.array([row[3] for row in rows], np.int64),
            "packets": np.array([row[4] for row in rows], np.int64),
            "defect": pools.texts.numbers(row[5] for row in rows),
        },
    )
