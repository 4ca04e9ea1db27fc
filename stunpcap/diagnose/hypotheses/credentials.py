"""Rules about credentials of checks: username fragments and passwords that one agent has of the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from stunpcap.diagnose.advice import Steps
from stunpcap.diagnose.exchanges import at_one_place, checks_of, frames_of, most_common, succeeded_by
from stunpcap.diagnose.facts import Facts, groups
from stunpcap.diagnose.finding import ERROR, INFERRED, SAID, WARNING, Evidence, Ground, Hit
from stunpcap.diagnose.hypotheses.checks import refused
from stunpcap.diagnose.rules import rule
from stunpcap.ice.columns import find, pick
from stunpcap.table import MISSING, NAT
from stunpcap.words import error_words, many

WRONG_CREDENTIALS = (401, 430, 431)
"""Unauthenticated (RFC 8489); stale credentials, integrity check failure (RFC 3489)."""


@dataclass(slots=True, eq=False, repr=False)
class _Case:
    """What speaks for wrong credentials in one session."""

    evidence: list[Evidence] = field(default_factory=list)
    row: int = MISSING
    "Row of `pairs` whose checks were not accepted."
    said: list[str] = field(default_factory=list)
    steps: Steps = ()
    rows: set[int] = field(default_factory=set)
    time: int = NAT
    "When the first of it showed."
    ground: Ground = SAID


@rule("bad-credentials", ERROR, "RFC 8445 section 7.2.2", "RFC 8489 section 9.1.3")
def bad_credentials(facts: Facts) -> Iterator[Hit]:
    """An agent does not accept the other one's checks: username fragment or password are not the ones it gave out.

    Evidence: checks are answered with 401 (or 430, 431 of RFC 3489), and none in that direction succeeds afterwards;
    or a USERNAME names the other agent by a fragment that it does not use itself; or MESSAGE-INTEGRITY does not fit the
    password that was given to stunpcap.

    Likely cause: credentials of another offer, of an earlier ICE generation or of another connection were set as the
    remote description; SDP that was cut or changed on its way; a server that mixes up two of its sessions.

    Not to be confused with: the 401 of a TURN server, which is the normal challenge; `bad-request`, where the form of
    the check is wrong and not its secret; `ice-restart-incomplete`, where the old credentials still work.

    What to try: compare `a=ice-ufrag` and `a=ice-pwd` in the SDP that the refusing agent made with those in the SDP
    that the other one set; look for descriptions that are swapped, stale or applied to the wrong connection.
    """
    cases: dict[int, _Case] = {}
    _refused_credentials(facts, cases)
    told = set(cases)
    _wrong_names(facts, cases)
    _wrong_integrity(facts, cases)
    yield from _hits(facts, {number: case for number, case in cases.items() if number in told or case.ground is SAID})


@rule("credentials-mismatch", ERROR, "RFC 8445 section 7.2.2", "RFC 8445 section 7.3")
def credentials_mismatch(facts: Facts) -> Iterator[Hit]:
    """Both agents check each other, and do not mean the same: each names the other by another username fragment.

    Evidence: on one 5-tuple checks go both ways at the same time, with usernames that do not fit each other; none of
    one direction, at least, has a response. Many agents drop such checks in silence. They show as two sessions.

    Likely cause: one side holds an older description (an ICE restart of which it does not know, a second offer), or
    that of another connection.

    Not to be confused with: `bad-credentials`, where an agent says so with 401; `no-answer` and `one-way-loss`, where
    the names fit and the path is dead; `ice-restart-incomplete`, where the old session still works.

    What to try: follow `a=ice-ufrag` of both descriptions through signalling: each side must hold the other's newest.
    """
    refused: dict[int, _Case] = {}
    _refused_credentials(facts, refused)
    names: dict[int, _Case] = {}
    _wrong_names(facts, names)
    yield from _hits(facts, {number: case for number, case in names.items() if number not in refused})


def _hits(facts: Facts, cases: dict[int, _Case]) -> Iterator[Hit]:
    """What speaks for wrong credentials, as findings."""
    restarted, pairs = succeeded_by(facts), facts["pairs"]
    for number, case in sorted(cases.items()):
        broken = bool(facts.not_working[number - 1])
        if not broken and number in restarted:
            continue  # what is left of the old generation is refused, as it should be
        src, dst = int(pairs["src"][case.row]), int(pairs["dst"][case.row])
        yield Hit(
            summary=f"{facts.text(dst)} does not accept the checks of {facts.text(src)}: {'; '.join(case.said)}.",
            evidence=case.evidence,
            advice=(
                *case.steps,
                f"Give the agent at {facts.host(src)} the credentials of the one at {facts.host(dst)}: compare "
                "`a=ice-ufrag` and `a=ice-pwd` (the password) of the SDP that the second made with those the first one "
                "set as its remote description. They must be the same, and of the same ICE generation.",
                f"If they are, look for signalling that hands {facts.host(src)} the description of another connection, "
                "or changes it on its way.",
            ),
            ground=case.ground,
            severity=ERROR if broken else WARNING,
            session=number,
            pair=int(pairs["pair_id"][case.row]),
            src=src,
            dst=dst,
            time=case.time,
            rows=tuple(sorted(case.rows)),
        )


def _refused_credentials(facts: Facts, cases: dict[int, _Case]) -> None:
    """Checks answered with 401 and the like, and no success of the same agent afterwards."""
    checks, table = checks_of(facts), facts["transactions"]
    for seen in groups(refused(checks, WRONG_CREDENTIALS), checks.session, checks.side):
        at = at_one_place(checks, seen)
        rows = checks.rows[at]
        row = most_common(checks.pair[at])
        code = int(table["error_code"][rows[0]])
        case = cases.setdefault(int(checks.session[at[0]]), _Case(row=row))
        case.rows |= set(checks.pair[at].tolist())
        case.time = _earlier(case.time, int(table["response_time"][rows].min()))
        case.said.append(f"{many(len(rows), 'check')} answered with {error_words(code)}")
        case.evidence.append(
            facts.show(
                f"{many(len(rows), 'check')} from {facts.text(int(table['src'][rows[0]]))} answered with "
                f"{error_words(code)}, and none accepted afterwards",
                int(checks.pair[at[0]]),
                *frames_of(facts, rows),
            )
        )


def _wrong_names(facts: Facts, cases: dict[int, _Case]) -> None:
    """Checks that name the other agent by a fragment which that one does not use in its own checks.

    Checks one way are then one session and those the other way another, on the same addresses at the same time, and
    neither of them succeeds.
    """
    pairs, reverse = facts["pairs"], facts.reverse
    alone = (reverse < 0) & (pairs["ufrag"] >= 0) & (pairs["requests_sent"] > 0)
    alone &= facts.in_session("pairs", facts.not_working)
    rows = np.flatnonzero(alone)
    names = ("vantage", "src", "dst", "transport")
    mirrored = find(
        [pairs[name][rows] for name in ("vantage", "dst", "src", "transport")], [pairs[name][rows] for name in names]
    )
    other = pick(rows, mirrored)
    sessions = facts["sessions"]
    for row, back in zip(rows.tolist(), other.tolist(), strict=True):
        if back < 0 or pairs["session_id"][row] == pairs["session_id"][back]:
            continue
        if pairs["responses_received"][row] > 0 and pairs["responses_received"][back] > 0:
            continue
        if max(pairs["first_time"][row], pairs["first_time"][back]) > min(
            pairs["last_time"][row], pairs["last_time"][back]
        ):
            continue
        own, number = int(pairs["ufrag"][row]), int(pairs["session_id"][row])
        ends = (int(sessions["ufrag_a"][number - 1]), int(sessions["ufrag_b"][number - 1]))
        named = ends[1] if ends[0] == own else ends[0]
        calls_itself = int(pairs["ufrag"][back])
        case = cases.setdefault(number, _Case(row=row, ground=INFERRED))
        case.rows |= {row}
        case.time = _earlier(case.time, int(pairs["first_time"][row]))
        src, dst = facts.text(int(pairs["src"][row])), facts.text(int(pairs["dst"][row]))
        if named != calls_itself:
            said = f"they name it {facts.word(named)}, and it calls itself {facts.word(calls_itself)}"
            steps = (
                f"The agent at {src} was told a wrong username fragment: {facts.word(named)} instead of "
                f"{facts.word(calls_itself)}. Hand it the description that {dst} made.",
            )
        else:
            said = (
                f"they name it rightly, {facts.word(named)}, but come from {facts.word(own)}, and it knows the other "
                "agent by another name"
            )
            steps = (
                f"The agent at {dst} addresses its own checks to a username fragment other than {facts.word(own)}: it "
                f"was told a wrong one. Hand it the description that {src} made.",
            )
        if said not in case.said:
            case.said.append(said)
            case.steps = steps
            case.evidence.append(
                facts.show(
                    f"USERNAME of the checks from {src} is {facts.word(named)}:{facts.word(own)}",
                    row,
                    int(pairs["first_frame"][row]),
                )
            )
            case.evidence.append(
                facts.show(
                    f"{dst} calls itself {facts.word(calls_itself)} in its own checks",
                    back,
                    int(pairs["first_frame"][back]),
                )
            )


def _wrong_integrity(facts: Facts, cases: dict[int, _Case]) -> None:
    """Requests whose MESSAGE-INTEGRITY does not fit the password that the user gave."""
    messages, pairs = facts["messages"], facts["pairs"]
    bad = facts.has("messages", "integrity", "invalid") & facts.has("messages", "class", "request")
    bad &= messages["session_id"] >= 1
    if not bad.any():
        return
    row_of = find(
        [messages[name] for name in ("session_id", "vantage", "src", "dst")],
        [pairs[name] for name in ("session_id", "vantage", "src", "dst")],
    )
    side = pick(facts.side, row_of)
    for at in groups(bad & (row_of >= 0), messages["session_id"], side):
        row = int(row_of[at[0]])
        case = cases.setdefault(int(messages["session_id"][at[0]]), _Case(row=row))
        case.rows |= set(row_of[at].tolist())
        case.time = _earlier(case.time, int(messages["time"][at].min()))
        case.said.append("MESSAGE-INTEGRITY does not fit the given password")
        case.evidence.append(
            facts.show(
                f"MESSAGE-INTEGRITY of {many(len(at), 'check')} from {facts.text(int(pairs['src'][row]))} does not fit "
                "the password given for the agent that is asked",
                row,
                *messages["frame"][at[:4]].tolist(),
            )
        )


def _earlier(known: int, time: int) -> int:
    return time if known == NAT else min(known, time)
