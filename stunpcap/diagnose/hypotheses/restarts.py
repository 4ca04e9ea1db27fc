"""Rules about ICE restarts: new credentials in mid-call, at both ends or at one only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose.exchanges import Index, at_one_place, checks_of
from stunpcap.diagnose.facts import SECOND, Facts
from stunpcap.diagnose.finding import ERROR, INFO, SEEN, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import seconds
from stunpcap.ice.columns import Ints, first_of
from stunpcap.table import MISSING
from stunpcap.words import many

GOES_ON = 3 * SECOND
"""What an agent still sends with the old name so long after the restart is no remnant."""


@rule("ice-restart", INFO, "RFC 8445 section 9")
def ice_restart(facts: Facts) -> Iterator[Hit]:
    """The agents restarted ICE: both took new credentials.

    Evidence: a session of the same two agents with two new username fragments.

    Likely cause: the application asked for it (`restartIce()`), mostly since the network changed or the connection was
    reported as disconnected.

    Not to be confused with: a second call between the same hosts, which has other ports as a rule;
    `ice-restart-incomplete`, where one side only changed.

    What to try: nothing, if the new generation connected; else look at what its own findings say.
    """
    sessions, first = facts["sessions"], _first_rows(facts)
    for number, before, shared in _restarts(facts):
        if shared:
            continue
        begun = int(sessions["start"][number - 1])
        after = seconds(begun - int(sessions["start"][before - 1]))
        took = float(sessions["time_to_connect_s"][number - 1])
        outcome = f"it connects in {seconds(round(took * SECOND))}" if took == took else "it does not connect"
        yield Hit(
            summary=f"ICE restart {after} after the first check of session {before}; {outcome}.",
            evidence=(
                facts.show(
                    f"new username fragments {facts.word(int(sessions['ufrag_a'][number - 1]))} and "
                    f"{facts.word(int(sessions['ufrag_b'][number - 1]))}",
                    int(first[number - 1]),
                    int(sessions["first_frame"][number - 1]),
                ),
            ),
            ground=SEEN,
            session=number,
            time=begun,
        )


@rule("ice-restart-incomplete", ERROR, "RFC 8445 section 9", "RFC 8839 section 4.4.1.1")
def ice_restart_incomplete(facts: Facts) -> Iterator[Hit]:
    """One agent restarted ICE, and the other goes on with the old credentials.

    Evidence: new checks name one new username fragment and one old; the agent with the old one never checks with the
    new name of the other, and goes on with the old one's for seconds.

    Likely cause: the new offer, or its answer, got lost or was changed on its way; an agent that does not know ICE
    restarts; an application that sent new candidates without the new description.

    Not to be confused with: `ice-restart`, where both changed; a client that calls a server again which has one name
    for all: there the old session stops.

    What to try: follow the offer with the new `a=ice-ufrag` through signalling to the other agent, and its answer back.
    """
    checks, pairs, sessions = checks_of(facts), facts["pairs"], facts["sessions"]
    by_session, first = Index(checks.session), _first_rows(facts)
    ufrag = pairs["ufrag"][checks.pair]
    for number, before, shared in _restarts(facts):
        if len(shared) != 1:
            continue
        kept = next(iter(shared))
        begun = int(sessions["start"][number - 1])
        answers_only = not (ufrag[by_session[number]] == kept).any()
        old = by_session[before]
        old = old[(ufrag[old] == kept) & (checks.first_time[old] > begun + GOES_ON)]
        if not answers_only or not len(old):
            continue
        old = at_one_place(checks, old)
        row = int(first[number - 1])
        src, dst = int(pairs["src"][row]), int(pairs["dst"][row])
        a, b = int(sessions["ufrag_a"][number - 1]), int(sessions["ufrag_b"][number - 1])
        fresh = facts.word(b if a == kept else a)
        gone = {int(sessions[name][before - 1]) for name in ("ufrag_a", "ufrag_b")} - {kept}
        stale = facts.word(next(iter(gone), MISSING))
        table = facts["transactions"]
        yield Hit(
            summary=f"The agent at {facts.text(src)} restarted ICE as {fresh}, and the one at {facts.text(dst)} knows "
            f"nothing of it: it goes on checking {stale}.",
            evidence=(
                facts.show(
                    f"checks name {fresh}, which is new, and {facts.word(kept)}, which is not",
                    row,
                    int(sessions["first_frame"][number - 1]),
                ),
                facts.show(
                    f"{many(len(old), 'check')} of {facts.word(kept)} still name {stale}, over {seconds(GOES_ON)} "
                    f"after that, and none names {fresh}",
                    int(checks.pair[old[0]]),
                    *table["request_frame"][checks.rows[old[:3]]].tolist(),
                    int(table["request_frame"][checks.rows[old[-1]]]),
                ),
            ),
            advice=(
                f"Follow the description with `a=ice-ufrag:{fresh}` through signalling to the agent at "
                f"{facts.host(dst)}: it did not arrive, or was not set as its remote description.",
                "See that the answer to it has new credentials, too, and is set at the other side.",
            ),
            ground=SEEN,
            session=number,
            pair=int(pairs["pair_id"][row]),
            src=src,
            dst=dst,
            time=begun,
        )


def _restarts(facts: Facts) -> Iterator[tuple[int, int, set[int]]]:
    """Each session that restarted another: both numbers, and the ufrags that they share."""
    sessions = facts["sessions"]
    for row in np.flatnonzero(sessions["restart_of"] >= 1).tolist():
        before = int(sessions["restart_of"][row])
        new, old = ({int(sessions[name][at]) for name in ("ufrag_a", "ufrag_b")} for at in (row, before - 1))
        yield row + 1, before, (new & old) - {MISSING}


def _first_rows(facts: Facts) -> Ints:
    """For each session, from 0 on, the row of `pairs` with its first check."""
    pairs = facts["pairs"]
    return first_of(pairs["session_id"] - 1, len(facts["sessions"]), np.argsort(pairs["first_time"], kind="stable"))
