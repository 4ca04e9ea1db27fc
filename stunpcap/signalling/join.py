"""Sources and captures brought together, once the captures' pairs and candidates are known.

`Joined` is made while a trace is analysed; it gives the candidates anew, the passwords, the side that is ours, and in
the end the frames that only sources have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from stunpcap.ice.pairs import Directed
from stunpcap.ice.sessions import Agents
from stunpcap.ice.transactions import Correlated
from stunpcap.signalling import frames, statframe
from stunpcap.signalling.clocks import Clocks, Wire, bounded, exact
from stunpcap.signalling.model import Source
from stunpcap.signalling.offered import Offer, endpoint, enrich, fill_times
from stunpcap.signalling.proofs import Proofs
from stunpcap.signalling.sides import Told, by_ufrag, named, passwords_of, sides_of, ufrags_of
from stunpcap.table import MISSING, Pools, Table, hex_id

FRAMES = ("descriptions", "stats", "signalling")
"""The frames that are made here."""


class Joined:
    """What the sources say about the sessions of a trace."""

    def __init__(
        self,
        sources: Sequence[Source],
        agents: Agents,
        correlated: Correlated,
        directed: Directed,
        messages: Table,
        pools: Pools,
    ) -> None:
        self.sources = sources
        self.known = by_ufrag(sources)
        self.passwords = passwords_of(self.known, sources)
        self._agents, self._correlated, self._directed, self._pools = agents, correlated, directed, pools
        self._messages = messages
        self.clocks = Clocks()
        self.sessions = self._sessions()
        self._offers: list[list[Offer]] = []

    def candidates(self, table: Table) -> Table:
        """The candidates with what was offered; types in `pairs` change with them."""
        enriched, self._offers = enrich(table, self._directed, self._agents, self.known, self._pools)
        return enriched

    def finish(self, tables: dict[str, Table], bytes_of: Callable[[int], bytes]) -> dict[str, Table]:
        """The frames made from sources; fills `sessions.local_ufrag`, too."""
        texts = self._pools.texts
        a, b = (tables["sessions"].values(name) for name in ("ufrag_a", "ufrag_b"))
        ours = [sides_of(self.known, one or "", other or "") for one, other in zip(a, b, strict=True)]
        tables["sessions"]["local_ufrag"] = np.array([texts.number(one) if one else MISSING for one in ours], np.int32)
        self._compare_clocks(tables["handshakes"])
        fill_times(tables["candidates"], self._offers, self.clocks)
        proofs = Proofs(tables["messages"], bytes_of)
        return {
            "descriptions": frames.descriptions(self, proofs, self._agents, self._pools),
            "stats": statframe.statistics(self, tables, self._agents, self._directed, self._pools),
            "signalling": frames.signalling(self, self._pools),
        }

    def strangers(self) -> list[Source]:
        """Sources of which nothing is in the captures: those of another call."""
        return [
            source
            for source in self.sources
            if not any(self.sessions.get((source.name, agent)) for agent in source.agents())
        ]

    def _sessions(self) -> dict[tuple[str, str], set[int]]:
        """File and connection -> its sessions, from 1: by username fragments, else by addresses, else by messages."""
        texts = self._pools.texts.values
        of_ufrag: dict[str, set[int]] = {}
        for side in (self._agents.ufrag_a, self._agents.ufrag_b):
            for session, number in enumerate(side.tolist(), 1):
                if number >= 0:
                    of_ufrag.setdefault(texts[number], set()).add(session)
        of_end: dict[int, set[int]] = {}
        pairs = self._directed.table
        for name in ("src", "dst"):
            for end, session in zip(pairs[name].tolist(), pairs["session_id"].tolist(), strict=True):
                of_end.setdefault(end, set()).add(session)
        found: dict[tuple[str, str], set[int]] = {}
        for source in self.sources:
            for agent in source.agents():
                own = self._named(source, agent)
                both = [of_ufrag[ufrag] for ufrag in own if ufrag in of_ufrag]
                known = set().union(*both)
                # A connection that knows both sides of one session is of no other that shares a side with it.
                twice = {one for one in known if sum(one in sessions for sessions in both) > 1}
                sessions = twice or known
                if not sessions:
                    for candidate in source.candidates:
                        if candidate.agent == agent:
                            at = endpoint(candidate.address, candidate.port, self._pools)
                            sessions = sessions | of_end.get(at, set())
                found[source.name, agent] = sessions or self._by_messages(source)
        return found

    def _by_messages(self, source: Source) -> set[int]:
        """The sessions of the messages that a log names; who sent their requests is whom it speaks for."""
        wanted = {one.transaction_id: one.sent for one in source.exchanged if one.kind == "request"}
        if not wanted:
            return set()
        texts, found = self._pools.texts.values, set()
        table, agents = self._correlated.table, self._agents
        rows = zip(
            table["transaction_id"].tolist(), agents.of_transaction.tolist(), agents.sender.tolist(), strict=True
        )
        for words, session, side in rows:
            if session < 0 or (sent := wanted.get(hex_id(words))) is None:
                continue
            found.add(session + 1)
            number = int((agents.ufrag_a, agents.ufrag_b)[side ^ (not sent)][session]) if side >= 0 else MISSING
            if number >= 0:
                self.known.setdefault(texts[number], Told()).local_in.add((source.name, ""))
        return found

    @staticmethod
    def _named(source: Source, agent: str) -> list[str]:
        """Username fragments that a connection names, each once."""
        ufrags = [ufrag for one in source.descriptions if one.agent == agent for ufrag, _ in one.credentials()]
        ufrags += [one.ufrag for one in named(source) if one.agent == agent and one.ufrag]
        ufrags += [ufrag for one in source.statistics if one.agent == agent for ufrag, _ in ufrags_of(one)]
        return list(dict.fromkeys(ufrags))

    def _compare_clocks(self, handshakes: Table) -> None:
        for source in self.sources:
            offset = exact(source, self._messages)
            for agent in source.agents():
                if not source.exchanged or offset is None:
                    own = [one for one in source.candidates if one.agent == agent]
                    ends = [endpoint(one.address, one.port, self._pools) for one in own]
                    offset = bounded(source, agent, own, ends, self._wire(source, agent, handshakes))
                if offset is not None:
                    self.clocks.set(source, agent, offset)

    def _wire(self, source: Source, agent: str, handshakes: Table) -> Wire:
        """What the captures have of a connection."""
        sessions = tuple(self.sessions.get((source.name, agent), ()))
        texts, ours, ufrags = self._pools.texts.values, [], {}
        for session in sessions:
            numbers = int(self._agents.ufrag_a[session - 1]), int(self._agents.ufrag_b[session - 1])
            a, b = (texts[number] if number >= 0 else "" for number in numbers)
            ufrags[session] = a, b
            for side, ufrag in enumerate((a, b)):
                told = self.known.get(ufrag) if ufrag else None
                if told and (source.name, agent) in told.local_in:
                    ours.append((session, side))
        return Wire(self._correlated, self._directed, handshakes, sessions, tuple(ours), ufrags)
