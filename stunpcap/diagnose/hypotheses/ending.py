"""Rules about the end of calls: who ended one, and how that shows.

An end is no fault, and never the cause of what came before it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.course.ending import HOW
from stunpcap.diagnose.exchanges import checks_of, frames_of, most_common
from stunpcap.diagnose.facts import SECOND, Facts, groups
from stunpcap.diagnose.finding import INFERRED, INFO, SAID, SEEN, WARNING, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import seconds
from stunpcap.ice.columns import Ints
from stunpcap.words import error_words, many

GOES_ON = 5 * SECOND
"""The other agent was not told if it goes on sending for so long."""
FAILED = 5 * SECOND
"""Agents that fail do so after silence of several seconds: Firefox after eleven, Chromium after fifteen."""
REFUSED = 400
SIGNS = {
    HOW["close-notify"]: "a DTLS alert after the handshake, or a record as long as one (close_notify)",
    HOW["refresh-0"]: "it gives its relay back (Refresh with lifetime 0)",
}


@rule("hung-up", INFO, "RFC 8446 section 6.1", "RFC 8656 section 7.1")
def hung_up(facts: Facts) -> Iterator[Hit]:
    """One agent ended the call, or had given it up.

    Evidence: on the pair in use a DTLS alert after the handshake, or a Refresh with lifetime 0 for the relay in use,
    and nothing of that agent follows. Or: an agent begins to answer checks with 400 after long silence, as Firefox does
    once its ICE has failed or was closed.

    Likely cause: somebody hung up, left the page, or the application closed the connection. It is no fault; what comes
    after it (checks without an answer, port unreachable, refusals) is its effect.

    Not to be confused with: `agent-gone`, where only the host says that the port is closed; `consent-lost`, where an
    agent falls silent without a sign; `bad-request`, where checks are refused from the beginning.

    What to try: nothing. If nobody hung up, look into the log of the agent named for why it closed.
    """
    for number, one in sorted(facts.course.endings.items()):
        if one.how not in SIGNS:
            continue
        end = _end_of(facts, number, one.side)
        went_on, unaware = _went_on(facts, number, one.time)
        yield Hit(
            summary=f"The agent at {facts.text(end)} ended the call: {SIGNS[one.how]}{went_on}",
            evidence=(facts.shown_in(f"{SIGNS[one.how]}", one.vantage, one.frame),),
            advice=("Tell the other side over signalling when a call ends: it went on without knowing.",)
            if unaware
            else (),
            ground=SEEN,
            severity=WARNING if unaware else INFO,
            session=number + 1,
            src=end,
            time=one.time,
        )
    yield from _gave_up(facts)


def _gave_up(facts: Facts) -> Iterator[Hit]:
    """Agents that answer 400 after they had been silent: they have given the session up."""
    checks, table = checks_of(facts), facts["transactions"]
    for at in groups(checks.error_code == REFUSED, checks.session, checks.side, checks.vantage):
        row = most_common(checks.pair[at])
        number, side, vantage = int(checks.session[at[0]]), int(checks.side[at[0]]), int(checks.vantage[at[0]])
        same = (checks.session == number) & (checks.side == side) & (checks.vantage == vantage)
        first = int(checks.first_time[at].min())
        before = np.flatnonzero(same & checks.silent & (checks.first_time < first))
        if len(before) < 3 or first - int(checks.first_time[before].min()) < FAILED:
            continue
        src, dst = int(facts["pairs"]["src"][row]), int(facts["pairs"]["dst"][row])
        after = seconds(first - int(checks.first_time[before].min()))
        rows: Ints = checks.rows[at]
        yield Hit(
            summary=f"{facts.text(dst)} had given up: after {after} of checks without a response it answers those of "
            f"{facts.text(src)} with {error_words(REFUSED)}, as Firefox does once its ICE has failed.",
            evidence=(
                facts.show(
                    f"{many(len(before), 'check')} without a response before the first {REFUSED}",
                    row,
                    *table["request_frame"][checks.rows[before[:2]]].tolist(),
                ),
                facts.show(
                    f"{many(len(rows), 'check')} answered with {error_words(REFUSED)}", row, *frames_of(facts, rows)
                ),
            ),
            ground=INFERRED,
            session=number,
            pair=int(facts["pairs"]["pair_id"][row]),
            src=dst,
            time=first,
        )


@rule("agent-gone", INFO, "RFC 1122 section 4.1.3.1")
def agent_gone(facts: Facts) -> Iterator[Hit]:
    """An agent closed its socket while the other went on: its own host says so.

    Evidence: ICMP port unreachable from the host of one end of the pair in use, quoting whatever was sent there,
    shortly after that agent had still been heard; and nothing of it follows.

    Likely cause: the call was ended there: hung up, a tab closed, the program ended or killed.

    Not to be confused with: `icmp-rejected`, where the pair never worked; `consent-lost`, where the agent had been
    silent for long before; `hung-up`, where the agent says itself that it ends.

    What to try: nothing, if somebody hung up. If not, look at why the program at that address ended; and let signalling
    tell the other side, which went on sending.
    """
    for number, one in sorted(facts.course.endings.items()):
        if one.how != HOW["port-unreachable"]:
            continue
        end = _end_of(facts, number, one.side)
        went_on, unaware = _went_on(facts, number, one.time)
        yield Hit(
            summary=f"The agent at {facts.text(end)} is gone: its host answers port unreachable, shortly after the "
            f"agent was still heard{went_on}",
            evidence=(facts.shown_in(f"port unreachable from {facts.host(end)}", one.vantage, one.frame),),
            advice=(
                f"If nobody hung up there, look at why the program at {facts.host(end)} ended (log, crash reports), "
                "and tell the other side over signalling when a call ends.",
            )
            if unaware
            else (),
            ground=SAID,
            severity=WARNING if unaware else INFO,
            session=number + 1,
            src=end,
            time=one.time,
        )


def _went_on(facts: Facts, number: int, time: int) -> tuple[str, bool]:
    """The end of a sentence: for how long the other agent went on checking; and whether that was long."""
    lasted = int(facts["sessions"]["end"][number]) - time
    unaware = lasted >= GOES_ON
    return (f"; the other agent went on for {seconds(lasted)}." if unaware else "."), unaware


def _end_of(facts: Facts, number: int, side: int) -> int:
    """The endpoint of an agent on the pair in use."""
    used = facts.course.used
    return int(used.b[number] if side else used.a[number])
