"""How complete the captures are, and what that takes from findings that rest on something missing.

What was not captured is not absent.  A capture of one direction tells nothing by silence; one that lacks packets in its
middle tells less; and who was never heard of may not have been captured.
"""

from __future__ import annotations

import functools

import numpy as np

from stunpcap.diagnose.facts import SECOND, Facts
from stunpcap.diagnose.finding import GUESS, HIGH, INFERRED, LOW, MEDIUM, SILENCE, Hit
from stunpcap.ice.columns import Ints, count_in, find, group
from stunpcap.ice.transactions import OUT
from stunpcap.record import record
from stunpcap.schema import PLACE

EDGE = SECOND // 2
"""Answers so soon after the beginning may be to requests from before it."""
MISSED = 2
"""Answers without requests in the middle of a capture, from which on packets were missed."""
LOST = 10
SHARE, MUCH = 0.02, 0.1
"""The part of all answers that lack their request, or of the other way about, from which on silence tells little."""


@record
class OneDirection:
    """What shows that a capture holds one direction only."""

    answers: Ints
    """Transactions: answers to requests that were not captured."""
    senders: Ints
    """Endpoints whose packets were."""


class Completeness:
    """What each capture misses."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    @functools.cached_property
    def orphans(self) -> dict[int, tuple[int, int]]:
        """Capture -> answers in its middle to requests that were not captured, and all answers on the same ways.

        Only ways count on which requests were captured before: others may be captured in one direction only.
        """
        facts = self.facts
        table = facts["transactions"]
        if not len(table):
            return {}
        orphan = table["outcome"] == OUT["orphan"]
        way, count = group(table["vantage"], table["src"], table["dst"], table["transport"])
        answered = np.isin(table["outcome"], [OUT["success"], OUT["error"]])
        some = count_in(way, count, answered) > 0
        starts = dict(zip(facts["vantages"]["vantage"].tolist(), facts["vantages"]["first_time"].tolist(), strict=True))
        found: dict[int, tuple[int, int]] = {}
        for number, start in starts.items():
            here = (table["vantage"] == number) & some[way] & (table["first_time"] > start + EDGE)
            missing, all_ = int(np.count_nonzero(here & orphan)), int(np.count_nonzero(here & (orphan | answered)))
            if missing >= MISSED and missing >= SHARE * all_:
                found[number] = missing, all_
        return found

    @functools.cached_property
    def gaps(self) -> dict[int, tuple[int, int]]:
        """Capture -> RTP packets that its own host must have sent and that it lacks, and all that it must have sent.

        What is captured at its sender cannot have been lost on the way: a gap in the sequence numbers is the capture's.
        """
        facts = self.facts
        streams, host = facts["streams"], facts.host_of
        found: dict[int, tuple[int, int]] = {}
        for number, place in facts.places.items():
            if place.place != PLACE.index("endpoint"):
                continue
            mine = (streams["vantage"] == number) & (streams["expected"] > 0)
            mine &= np.isin(host[streams["src"]], list(place.local))
            sent, seen = int(streams["expected"][mine].sum()), int(streams["packets"][mine].sum())
            if sent - seen >= LOST and sent - seen >= SHARE * sent:
                found[number] = sent - seen, sent
        return found

    @functools.cached_property
    def dropped(self) -> dict[int, tuple[int, int]]:
        """Capture -> packets that it says itself were dropped, and all that it would hold."""
        table = self.facts["vantages"]
        columns = (table[name].tolist() for name in ("vantage", "dropped", "packets"))
        return {number: (lost, lost + held) for number, lost, held in zip(*columns, strict=True) if lost > 0}

    @functools.cached_property
    def one_direction(self) -> dict[int, OneDirection]:
        """Captures that hold one direction only of all that carries STUN, though the other existed."""
        facts = self.facts
        flows, table = facts["flows"], facts["transactions"]
        stun = np.flatnonzero(facts.has("flows", "carrier", "plain") & (flows["stun"] + flows["channel"] > 0))
        way = [flows[name] for name in ("vantage", "src", "dst", "transport")]
        mirror = [flows[name][stun] for name in ("vantage", "dst", "src", "transport")]
        paired = find(mirror, way) >= 0
        orphan = table["outcome"] == OUT["orphan"]
        found: dict[int, OneDirection] = {}
        for number in facts["vantages"]["vantage"][facts["vantages"]["stun_messages"] > 0].tolist():
            here = flows["vantage"][stun] == number
            answers = np.flatnonzero(orphan & (table["vantage"] == number))
            if here.any() and not paired[here].any() and len(answers):
                found[number] = OneDirection(answers, flows["src"][stun[here]])
        return found

    def _one_side(self, rows: tuple[int, ...]) -> bool:
        """Whether nothing of the other agent passes where this was captured, and that is not the sender's own host.

        Then its packets may take another way.
        """
        facts, at = self.facts, np.array(rows)
        pairs = facts["pairs"]
        # What goes through a relay is captured at its client, or at the server.
        if facts.at_src[at].any() or (pairs["carrier"][at] != 0).any():
            return False
        session, here = pairs["session_id"][at[0]], np.isin(pairs["vantage"], pairs["vantage"][at])
        mine = (pairs["session_id"] == session) & here & (pairs["requests_sent"] > 0)
        return len(set(facts.side[mine].tolist())) < 2

    def limit(self, hit: Hit, vantage: str) -> int:
        """The most that a finding may be sure of, by what the captures miss; only what rests on silence is touched."""
        if hit.ground not in (SILENCE, GUESS, INFERRED):
            return HIGH
        if hit.rows and hit.ground is SILENCE and self._one_side(hit.rows):
            return LOW
        number = self.facts.pools.texts.number(vantage)
        if number in self.one_direction:
            return LOW
        for lacking in (self.orphans, self.gaps, self.dropped):
            if number in lacking:
                missing, all_ = lacking[number]
                return LOW if missing >= MUCH * all_ else MEDIUM
        return HIGH
