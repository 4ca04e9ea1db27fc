"""Rules about the captures themselves: what they miss, and what that takes from everything else that is said."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose.addresses import Mask
from stunpcap.diagnose.completeness import Completeness
from stunpcap.diagnose.exchanges import checks_of, start_at
from stunpcap.diagnose.facts import SECOND, Facts
from stunpcap.diagnose.finding import INFERRED, INFO, SEEN, WARNING, Evidence, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import seconds
from stunpcap.ice.columns import Ints, group, minimum_in
from stunpcap.ice.transactions import OUT
from stunpcap.ice.ways import NEVER
from stunpcap.sorting import values_in
from stunpcap.stun.defects import Defect
from stunpcap.table import in_halves
from stunpcap.words import many

EDGE = 2 * SECOND
"""What is missing so soon after the capture began was sent before it."""
AHEAD = SECOND // 2
"""Media this much before the first check is of a session that was already up."""
SURE = 3
SHOWN = 4


@rule("one-sided-capture", WARNING)
def one_sided_capture(facts: Facts) -> Iterator[Hit]:
    """Of what carries STUN one direction only was captured, though the other one existed.

    Evidence: no flow with STUN has its counterpart, and there are answers to requests that were not captured: so there
    was somebody who asked.

    Likely cause: a filter on source or destination, a mirror port or a tap that takes one direction, asymmetric
    routing past the place of the capture.

    Not to be confused with: `one-way-loss` and `no-answer`, where the other direction did not exist at this place.

    What to try: capture again without a filter on a direction; at a mirror port mirror both directions.
    """
    starts = dict(zip(*(facts["vantages"][name].tolist() for name in ("vantage", "first_time")), strict=True))
    for vantage, found in Completeness(facts).one_direction.items():
        answers = found.answers
        senders = sorted({facts.host(end) for end in found.senders.tolist()})
        yield Hit(
            summary=f"{facts.name_of(vantage)} holds one direction only, what {_listed(senders)} sent: silence of the "
            "other side means nothing here.",
            evidence=(
                facts.shown_by(
                    f"{many(len(answers), 'answer')} to requests that were not captured, and no packet the other way",
                    "transactions",
                    int(answers[0]),
                    *facts["transactions"]["response_frame"][answers[:SHOWN]].tolist(),
                ),
            ),
            advice=(
                "Capture again without a filter on source or destination; at a mirror port or tap, take both "
                "directions.",
            ),
            ground=SEEN if len(answers) >= SURE else INFERRED,
            time=starts[vantage],
        )


@rule("missing-packets", WARNING)
def missing_packets(facts: Facts) -> Iterator[Hit]:
    """The capture lacks packets that were there: silence in it means less.

    Evidence: in its middle there are answers to requests that were not captured, on addresses between which other
    requests were; or the capture file says itself how many packets were dropped.

    Likely cause: a capturing program that could not keep up (a slow disk, a small buffer), a mirror port that is
    overloaded, several network queues of which one was not captured.

    Not to be confused with: `capture-started-late`, where only the beginning is missing; `one-sided-capture`, where one
    direction is missing throughout.

    What to try: capture again with a larger buffer (`tcpdump -B 16384`, `dumpcap -B 64`), a filter, or
    elsewhere.
    """
    complete, table = Completeness(facts), facts["transactions"]
    starts = dict(zip(*(facts["vantages"][name].tolist() for name in ("vantage", "first_time")), strict=True))
    for vantage in sorted({*complete.orphans, *complete.gaps, *complete.dropped}):
        said, shown = [], []
        if vantage in complete.orphans:
            missing, all_ = complete.orphans[vantage]
            said.append(f"{missing:,} of {many(all_, 'answer')} are to requests that were not captured")
            rows = np.flatnonzero((table["outcome"] == OUT["orphan"]) & (table["vantage"] == vantage))
            frames = table["response_frame"][rows[:SHOWN]].tolist()
            shown.append(facts.shown_in(f"{many(missing, 'answer')} without a captured request", vantage, *frames))
        if vantage in complete.gaps:
            missing, all_ = complete.gaps[vantage]
            said.append(f"{missing:,} of {many(all_, 'RTP packet')} that its own host sent are missing")
            shown.append(facts.shown_in("gaps in sequence numbers of what was captured at its sender", vantage))
        if vantage in complete.dropped:
            lost, all_ = complete.dropped[vantage]
            said.append(f"it says itself that {lost:,} of {many(all_, 'packet')} were dropped")
            shown.append(facts.shown_in("drop counters of the capture file", vantage))
        yield Hit(
            summary=f"{facts.name_of(vantage)} lacks packets: {'; '.join(said)}. What seems to have no response may "
            "have "
            "had one.",
            evidence=shown,
            advice=(
                "Capture again with a larger buffer (tcpdump -B 16384, dumpcap -B 64), or a filter that keeps UDP and "
                "ICMP only.",
            ),
            ground=SEEN,
            time=starts[vantage],
        )


@rule("truncated-packets", WARNING)
def truncated_packets(facts: Facts) -> Iterator[Hit]:
    """STUN messages were cut by the snap length of the capture.

    Evidence: messages of which the capture holds only the beginning: attributes that come late in them (roles,
    USE-CANDIDATE, mapped addresses) may be missing.

    Likely cause: tcpdump with `-s`, or an old one with its default of 68 or 96 bytes; a capture that was shortened
    afterwards to save space or to remove content.

    Not to be confused with: messages that are broken as they were sent (see `defects`).

    What to try: capture again with the full length (`-s 0`). 300 bytes are enough for nearly all STUN.
    """
    for source in facts.sources:
        cut = np.flatnonzero(source.extra["flags"] & int(Defect.CUT))
        if not len(cut):
            continue
        total = len(source.messages)
        frames = source.messages["frame"][cut[:SHOWN]].tolist()
        yield Hit(
            summary=f"{len(cut)} of {many(total, 'STUN message')} in {source.name} are cut by the snap length: "
            "attributes may be missing.",
            evidence=(Evidence("the capture holds only the beginning of the message", source.name, tuple(frames)),),
            advice=("Capture again with the full length of packets: tcpdump -s 0.",),
            ground=SEEN,
            time=int(source.messages["time"][cut[0]]),
        )


@rule("duplicate-packets", INFO)
def duplicate_packets(facts: Facts) -> Iterator[Hit]:
    """The same packets were captured twice; they are counted once.

    Evidence: the same STUN message between the same addresses with the same IP identification, or within 5 ms.

    Likely cause: the interface `any` on a host that forwards or bridges, or a mirror port that mirrors both where
    packets come in and where they go out.

    Not to be confused with: retransmissions, which are new packets and come later; the same message on both sides of a
    TURN server, which is not named here.

    What to try: nothing: duplicates are not counted as retransmissions. Capture on one interface to be rid of them.
    """
    messages = facts["messages"]
    twice = _twice(facts)
    for number in values_in(messages["vantage"][twice]).tolist():
        here = messages["vantage"] == number
        rows = np.flatnonzero(twice & here)
        yield Hit(
            summary=f"{len(rows)} of {many(int(np.count_nonzero(here)), 'STUN message')} in {facts.name_of(number)} "
            "are the same packet captured again; they are counted once.",
            evidence=(
                facts.shown_by(
                    "the same message between the same addresses once more, at the same moment",
                    "messages",
                    int(rows[0]),
                    *messages["frame"][rows[:SHOWN]].tolist(),
                ),
            ),
            ground=SEEN,
            time=int(messages["time"][rows[0]]),
        )


@rule("capture-started-late", INFO)
def capture_started_late(facts: Facts) -> Iterator[Hit]:
    """The capture began when the call was already under way.

    Evidence: answers at its very beginning whose requests were not captured; or media on a pair before the first check
    on it.

    Likely cause: the capture was started after the call, or cut from a longer one.

    Not to be confused with: `one-sided-capture`, where requests are missing to the end.

    What to try: capture again, from before the call begins: gathering, the first checks and the handshake tell most.
    """
    table, flows = facts["transactions"], facts["flows"]
    answers_at_start = _answers_at_start(facts)
    ahead = _media_ahead(facts)
    for row, number in enumerate(facts["vantages"]["vantage"].tolist()):
        answers = np.flatnonzero(answers_at_start & (table["vantage"] == number))
        media = np.flatnonzero((ahead > 0) & (flows["vantage"] == number))
        if not len(answers) and not len(media):
            continue
        evidence = []
        if len(answers):
            evidence.append(
                facts.shown_by(
                    f"{many(len(answers), 'answer')} in the first {seconds(EDGE)} to requests that were not captured",
                    "transactions",
                    int(answers[0]),
                    *table["response_frame"][answers[:SHOWN]].tolist(),
                )
            )
        if len(media):
            evidence.append(
                facts.shown_by(
                    f"packets from {facts.text(int(flows['src'][media[0]]))} to "
                    f"{facts.text(int(flows['dst'][media[0]]))} that are no checks, "
                    f"{seconds(int(ahead[media[0]]))} before the first check there",
                    "flows",
                    int(media[0]),
                    *flows["first_frame"][media[:SHOWN]].tolist(),
                )
            )
        yield Hit(
            summary=f"{facts.name_of(number)} begins when the call is already under way: gathering, the first checks "
            "or the handshake may be missing.",
            evidence=evidence,
            advice=("Capture again, from before the call begins.",),
            ground=SEEN if len(media) or len(answers) >= SURE else INFERRED,
            time=int(facts["vantages"]["first_time"][row]),
        )


@rule("capture-ended-early", INFO)
def capture_ended_early(facts: Facts) -> Iterator[Hit]:
    """The capture ends while agents are still trying.

    Evidence: checks of a session that has not connected were still open at the end: their agents would have sent them
    again, or waited for the answer.

    Likely cause: the capture was stopped as soon as the call seemed to hang, or by a limit on size or packets.

    Not to be confused with: agents that gave up (`gave-up-early`), after which the capture goes on.

    What to try: let the capture run for a minute after the call was started: then it is clear what failed.
    """
    checks, table = checks_of(facts), facts["transactions"]
    undecided = facts.session_is("checking", "failed")[checks.session - 1]
    trying = undecided & (checks.outcome == OUT["unfinished"]) & facts.session_is("checking")[checks.session - 1]
    for number in values_in(checks.vantage[trying]).tolist():
        at = np.flatnonzero(trying & (checks.vantage == number))
        sessions = sorted(set(checks.session[at].tolist()))
        vantage = int(np.flatnonzero(facts["vantages"]["vantage"] == number)[0])
        yield Hit(
            summary=f"{facts.name_of(number)} ends while {many(len(at), 'check')} "
            f"{'is' if len(at) == 1 else 'are'} still open: how it went on is not known.",
            evidence=(
                facts.shown_by(
                    f"{many(len(at), 'check')} without an answer, and without time to wait for one",
                    "transactions",
                    int(checks.rows[at[0]]),
                    *table["request_frame"][checks.rows[at[:SHOWN]]].tolist(),
                ),
            ),
            advice=("Capture again, and let it run until the agents have given up, a minute or so.",),
            ground=SEEN,
            session=sessions[0] if len(sessions) == 1 else -1,
            time=int(facts["vantages"]["last_time"][vantage]),
        )


def _answers_at_start(facts: Facts) -> Mask:
    """Answers at the very beginning to requests not captured, where later requests on that way are captured."""
    table = facts["transactions"]
    if not len(table):
        return np.zeros(0, np.bool_)
    orphan = table["outcome"] == OUT["orphan"]
    early = table["first_time"] <= start_at(facts, table["vantage"]) + EDGE
    way, count = group(table["vantage"], table["src"], table["dst"], table["transport"])
    asked = np.bincount(way, ~orphan, count) > 0
    missing = np.bincount(way, orphan & ~early, count) > 0
    # Where a request between the two came first, the capture had begun: then the missing one took another way.
    low, high = np.minimum(table["src"], table["dst"]), np.maximum(table["src"], table["dst"])
    ends, n_ends = group(table["vantage"], low, high, table["transport"])
    begun = minimum_in(ends[~orphan], n_ends, table["first_time"][~orphan], NEVER)[ends]
    found: Mask = orphan & early & (asked & ~missing)[way] & (table["first_time"] < begun)
    return found


def _media_ahead(facts: Facts) -> Ints:
    """For each flow at the beginning how long before any check of its ends it carried something else; 0 if not."""
    flows, pairs = facts["flows"], facts["pairs"]
    early = facts.has("flows", "transport", "udp") & facts.has("flows", "carrier", "plain")
    early &= (flows["packets"] > flows["stun"]) & (flows["first_time"] <= start_at(facts, flows["vantage"]) + EDGE)
    if not early.any():
        return np.zeros(len(flows), np.int64)
    ends = [np.concatenate([pairs["src"], pairs["dst"]]), np.tile(pairs["vantage"], 2)]
    asked = [np.concatenate([flows["src"], flows["dst"]]), np.tile(flows["vantage"], 2)]
    end, count = group(*(np.concatenate(both) for both in zip(ends, asked, strict=True)))
    first = minimum_in(end[: len(ends[0])], count, np.tile(pairs["first_time"], 2), NEVER)
    checked = first[end[len(ends[0]) :]].reshape(2, -1)
    both = early & (checked < NEVER).all(axis=0)
    ahead = np.where(both, checked.min(axis=0), flows["first_time"]) - flows["first_time"]
    found: Ints = np.where(ahead >= AHEAD, ahead, 0)
    return found


def _twice(facts: Facts) -> Mask:
    """Messages that are the same packet once more: on the same leg of a relay as the first copy."""
    messages = facts["messages"]
    duplicate = messages["duplicate"]
    if not duplicate.any():
        return duplicate
    leg = np.concatenate([source.extra["leg"] for source in facts.sources])
    names = ("vantage", "src", "dst", "class", "method", "transport")
    same, count = group(*in_halves(messages["transaction_id"]), *(messages[name] for name in names), leg)
    first = np.bincount(same, ~duplicate, count) > 0
    twice: Mask = duplicate & first[same]
    return twice


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
