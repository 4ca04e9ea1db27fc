"""What else might explain a session, and what of that the capture rules out: the differential diagnosis.

Each rival is one function.  It looks for what cannot be if the rival were true, and says by which frames; where nothing
rules it out it stays possible, and the function says which look, or which capture, would decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from stunpcap.diagnose.facts import SECOND, Facts
from stunpcap.diagnose.finding import Evidence, Finding
from stunpcap.evidence import NAMES
from stunpcap.ice.columns import Ints
from stunpcap.record import record
from stunpcap.schema import MAPPING
from stunpcap.table import MISSING, NAT

VANISHED, CROSSED = NAMES.index("vanished"), NAMES.index("crossed")
AFTER = 2 * SECOND


@record
class Ruling:
    """What became of one rival."""

    name: str
    out: bool
    said: str
    evidence: tuple[Evidence, ...]
    likely: bool = False
    """It explains what was seen just as well."""
    decide: str = ""
    """Which look or capture would decide; of those that are still possible."""


Rival = Callable[[Facts, Finding, Ints], Ruling | None]


def rivals_of(facts: Facts, cause: Finding) -> Iterator[Ruling]:
    """The rivals of a cause that are worth a word, each ruled out or still possible."""
    rows = np.array(cause.hit.rows, np.int64)
    for rival in RIVALS.get(cause.name, ()):
        ruling = rival(facts, cause, rows)
        if ruling is not None:
            yield ruling


def _lead(facts: Facts, rows: Ints) -> int:
    """The row with most packets."""
    return int(rows[np.argmax(facts["pairs"]["transmissions"][rows])]) if len(rows) else MISSING


def _one_way_nat(facts: Facts, cause: Finding, rows: Ints) -> Ruling | None:
    """Packets that arrive from a translated address look lost to their sender."""
    row = _lead(facts, rows)
    if row < 0:
        return None
    pairs = facts["pairs"]
    src, dst = int(pairs["src"][row]), int(pairs["dst"][row])
    known, pair = facts["evidence"], int(pairs["pair_id"][row])
    mine = (known["session_id"] == cause.hit.session) & (known["pair_id"] == pair) & (known["src"] == src)
    gone = np.flatnonzero(mine & (known["evidence"] == VANISHED))
    if len(gone):
        name = facts.name_of(int(known["vantage"][gone[0]]))
        other = facts.word(int(known["other_vantage"][gone[0]]))
        said = f"the packets that leave do not arrive at {other} from any address"
        frames = tuple(int(known[end][gone[0]]) for end in ("first_frame", "last_frame"))
        return Ruling("one-way-nat", True, f"Not a NAT: {said}.", (Evidence(said, name, frames),))
    if facts.at_dst[row]:
        said = f"captured at {facts.host(dst)}, they arrive from {facts.text(src)} itself"
        shown = facts.show(said, row, int(pairs["first_frame"][row]))
        return Ruling("one-way-nat", True, f"Not a NAT: {said}.", (shown,))
    said = f"packets from {facts.text(src)} may arrive from another address, and the replies to that get lost"
    return Ruling(
        "one-way-nat",
        False,
        f"Still possible: {said}.",
        (facts.show("nothing here tells how they arrive", row, int(pairs["first_frame"][row])),),
        likely=bool(facts.at_src[row]),
        decide=f"Capture at {facts.host(dst)}: do checks arrive there, and from which address?",
    )


def _agent_silent(facts: Facts, cause: Finding, rows: Ints) -> Ruling | None:
    """The other agent is not there, or does not hear."""
    row = _lead(facts, rows)
    if row < 0:
        return None
    pairs = facts["pairs"]
    dst, begun = int(pairs["dst"][row]), int(pairs["first_time"][row])
    side = int(facts.side[row])
    theirs = (pairs["session_id"] == cause.hit.session) & (facts.side == 1 - side) & (pairs["requests_sent"] > 0)
    theirs &= (pairs["vantage"] == pairs["vantage"][row]) & (pairs["last_time"] > begun)
    heard = np.flatnonzero(theirs)
    if len(heard):
        at = int(heard[np.argmax(pairs["requests_sent"][heard])])
        own = facts.checks_of(at)
        said = f"the agent at {facts.text(int(pairs['src'][at]))} sends checks of its own at the same time"
        shown = facts.show(said, at, *facts["transactions"]["request_frame"][own[:2]].tolist())
        return Ruling("agent-silent", True, f"The other agent is there: {said}.", (shown,))
    said = f"the agent at {facts.text(dst)} may not be running, or may not know of this session yet"
    return Ruling(
        "agent-silent",
        False,
        f"Still possible: {said}.",
        (facts.show(f"no packet of it was captured after the first check to {facts.text(dst)}", row),),
        likely=cause.name == "relay-needed",
        decide=f"Look into the log of the agent at {facts.host(dst)}: did it get the other side's description and "
        "candidates?",
    )


def _credentials(facts: Facts, cause: Finding, rows: Ints) -> Ruling | None:
    """The agents may not know each other's credentials; those that name each other rightly do."""
    pairs = facts["pairs"]
    mine = (pairs["session_id"] == cause.hit.session) & (pairs["requests_sent"] > 0) & (pairs["ufrag"] >= 0)
    first = [np.flatnonzero(mine & (facts.side == side)) for side in (0, 1)]
    if not all(map(len, first)):
        return None
    said = "the checks of both name each other's username fragments rightly"
    shown = tuple(facts.show(said, int(own[0]), int(pairs["first_frame"][own[0]])) for own in first)
    return Ruling("credentials-mismatch", True, f"Not the credentials: {said}.", shown)


def _either_direction(facts: Facts, cause: Finding, rows: Ints) -> Ruling | None:
    """Silence looks the same whether the request or the answer was lost."""
    row = _lead(facts, rows)
    if row < 0:
        return None
    pairs = facts["pairs"]
    ends = [facts.host(int(pairs[end][row])) for end in ("src", "dst")]
    here = facts.at_src[row]
    place = ends[1] if here else f"{ends[0]} and at {ends[1]}"
    return Ruling(
        "one-way-loss",
        False,
        "Still possible: one direction alone is dead; silence looks the same whether checks or responses are lost.",
        (facts.show("nothing here tells whether the checks arrive", row, int(pairs["first_frame"][row])),),
        decide=f"Capture at {place}: do the checks arrive, and are they answered?",
    )


def _symmetric(facts: Facts, cause: Finding, rows: Ints) -> Ruling | None:
    """A mapping that varies by destination; two destinations that saw the same rule it out."""
    mappings = facts["mappings"]
    independent = mappings["behaviour"] == MAPPING.index("endpoint-independent")
    pairs = facts["pairs"]
    bases = set(pairs["src"][rows].tolist())
    for base in sorted(bases):
        seen = np.flatnonzero(independent & (mappings["base"] == base) & mappings["translated"])
        if len(seen) < 2:
            continue
        told = facts.text(int(mappings["mapped"][seen[0]]))
        said = f"{len(seen)} destinations see {facts.text(base)} as {told}"
        frames = mappings["first_frame"][seen[:3]].tolist()
        shown = facts.shown_by(said, "mappings", int(seen[0]), *frames)
        return Ruling("symmetric-nat", True, f"Not a symmetric NAT at {facts.host(base)}: {said}.", (shown,))
    return None


def _agent_gone(facts: Facts, cause: Finding, rows: Ints) -> Ruling | None:
    """The other agent may have gone; who is still heard has not."""
    live, pairs = facts.course.live, facts["pairs"]
    dead = rows[live.dead[rows]] if len(rows) else rows
    if not len(dead):
        return None
    row = int(dead[0])
    dst, good, heard = int(pairs["dst"][row]), int(live.good[row]), int(live.heard[row])
    if heard > max(good, NAT) + AFTER:
        back = int(facts.reverse[row])
        own = facts.checks_of(back) if back >= 0 else facts.checks_of(row)[:0]
        late = own[facts["transactions"]["first_time"][own] > good]
        said = f"{facts.text(dst)} goes on sending after that"
        shown = facts.show(said, row, *facts["transactions"]["request_frame"][late[-2:]].tolist())
        return Ruling("agent-gone", True, f"The other agent is not gone: {said}.", (shown,))
    said = f"the agent at {facts.text(dst)} may have ended without a sign"
    return Ruling(
        "agent-gone",
        False,
        f"Still possible: {said}.",
        (facts.show(f"nothing of {facts.text(dst)} was captured after its last packet", row),),
        decide=f"Look into the log of the agent at {facts.host(dst)}, or capture there: does it still send?",
    )


def _passes_direct(facts: Facts, cause: Finding, rows: Ints) -> Ruling | None:
    """Packets that are answered were not lost."""
    shown = tuple(cause.hit.evidence[:1])
    said = "the checks arrive, for they are answered; it is the address of the responses that is wrong"
    return Ruling("one-way-loss", True, f"Not lost on the way there: {said}.", shown)


def _announced(facts: Facts, cause: Finding, rows: Ints) -> Ruling | None:
    """A server that announces an address of its inside looks like an agent without a STUN server."""
    row = _lead(facts, rows)
    if row < 0:
        return None
    dst = int(facts["pairs"]["dst"][row])
    return Ruling(
        "announced-address-unreachable",
        False,
        f"Still possible: {facts.text(dst)} is a media server's, which announces an address of its inside.",
        (facts.show(f"all that is offered there is {facts.host(dst)}", row, int(facts["pairs"]["first_frame"][row])),),
        likely=True,
        decide="If it is a server: set its public address there (`nat_1_1_mapping`, `announcedIp`, `node_ip`).",
    )


def _roles(facts: Facts, cause: Finding, rows: Ints) -> Ruling | None:
    """Two agents that claim different roles have no conflict."""
    pairs = facts["pairs"]
    mine = (pairs["session_id"] == cause.hit.session) & (pairs["role"] >= 0)
    first = [np.flatnonzero(mine & (facts.side == side)) for side in (0, 1)]
    if not all(map(len, first)) or pairs["role"][first[0][0]] == pairs["role"][first[1][0]]:
        return None
    said = "one agent claims to be controlling, the other controlled"
    shown = tuple(facts.show(said, int(own[0]), int(pairs["first_frame"][own[0]])) for own in first)
    return Ruling("role-conflict", True, f"No role conflict: {said}.", shown)


RIVALS: dict[str, tuple[Rival, ...]] = {
    "one-way-loss": (_one_way_nat, _agent_silent, _credentials),
    "no-answer": (_either_direction, _agent_silent, _credentials, _symmetric),
    "one-way-nat": (_passes_direct, _credentials),
    "relay-needed": (_symmetric, _credentials, _agent_silent),
    "host-only": (_announced, _credentials),
    "consent-lost": (_agent_gone,),
    "never-nominated": (_roles,),
    "icmp-rejected": (_credentials,),
}
"""Cause -> its rivals, the likeliest first."""
