"""Rules about what the pairs carry in the end: media and data, per direction, and on which pair."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose import advice
from stunpcap.diagnose.exchanges import Index, tagged
from stunpcap.diagnose.facts import SECOND, Facts, groups
from stunpcap.diagnose.finding import ERROR, SEEN, SILENCE, WARNING, Evidence, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import seconds
from stunpcap.ice.columns import Ints, find, group, maximum_in, minimum_in
from stunpcap.ice.ways import NEVER
from stunpcap.schema import ANSWER, STREAM_KIND
from stunpcap.table import NAT
from stunpcap.words import many

RTP, RTCP, DATA = range(len(STREAM_KIND))
FLOWS = 50
"""RTP packets of a direction that carries media, and not an odd one."""
REPORTS = 6 * SECOND
"""Whoever receives RTP reports on it by RTCP within so long (RFC 3550 section 6.2)."""
ANSWERED = 10
"""Packets of application data that must have had some answer: SCTP acknowledges at least every second one."""
LASTS = 5 * SECOND
MUCH = 20
PART = 0.1


@rule("media-one-way", ERROR, "RFC 3550 section 6.2", "RFC 8261 section 5")
def media_one_way(facts: Facts) -> Iterator[Hit]:
    """Media flows one way only: from the other side comes nothing, no RTP, and no report on what it receives.

    Evidence: RTP goes one way for seconds, and no RTP and no RTCP comes back, although STUN does; or application data
    of DTLS goes one way only. It is stronger where another capture shows that the missing media was sent.

    Likely cause: a firewall that inspects packets and lets STUN and DTLS pass, and no RTP, in one direction; an agent
    that hangs, or has neither media nor reports to send.

    Not to be confused with: media one way by design (`recvonly`): then the receiver still sends RTCP reports;
    `consent-lost`, where STUN dies as well.

    What to try: capture at the side that is not heard: if its media leaves, look for a filter on the way; if not, look
    at its sender and at `a=sendrecv` in its description.
    """
    streams = facts["streams"]
    known = (streams["session_id"] >= 1) & facts.in_session("streams", facts.working)
    known &= ~facts.in_session("streams", tagged(facts, "one-way capture"))
    rows = np.flatnonzero(known)
    if not len(rows):
        return
    names = ("session_id", "vantage", "src", "dst")
    ways, count = group(*(streams[name][rows] for name in names))
    packets = np.zeros((3, count), np.int64)
    np.add.at(packets, (streams["kind"][rows], ways), streams["packets"][rows])
    first = minimum_in(ways, count, streams["first_time"][rows], NEVER)
    last = maximum_in(ways, count, streams["last_time"][rows], NAT)
    lead = np.full(count, -1, np.int64)
    lead[ways[::-1]] = rows[::-1]
    back = find(
        [streams[name][lead] for name in ("session_id", "vantage", "dst", "src")],
        [streams[name][lead] for name in names],
    )
    returned = np.where(back >= 0, packets[:, back], 0)
    silent_rtp = (packets[RTP] >= FLOWS) & (last - first >= REPORTS) & (returned[RTP] + returned[RTCP] == 0)
    silent_data = (packets[DATA] >= ANSWERED) & (last - first >= LASTS) & (returned.sum(axis=0) == 0)
    alive = _other_packets(facts, lead) > 0
    silent = (silent_rtp | silent_data) & alive
    where = np.full(len(streams), -1, np.int64)
    where[lead] = np.arange(count)
    chosen = np.zeros(len(streams), np.bool_)
    chosen[lead[silent]] = True
    by_session = Index(streams["session_id"])
    for found in groups(chosen, streams["session_id"]):
        row = int(found[np.argmax(packets[:, where[found]].sum(axis=0))])
        way = int(where[row])
        mine = by_session[int(streams["session_id"][row])]
        yield _one_way(facts, row, mine, packets[:, way], bool(silent_rtp[way]), int(last[way] - first[way]))


def _other_packets(facts: Facts, rows: Ints) -> Ints:
    """For rows of `streams` the packets that come the other way in the same capture, whatever they are."""
    streams, flows = facts["streams"], facts["flows"]
    back = find(
        [streams[name][rows] for name in ("vantage", "dst", "src")],
        [flows[name] for name in ("vantage", "src", "dst")],
    )
    counts: Ints = np.where(back >= 0, flows["packets"][back] if len(flows) else 0, 0)
    return counts


def _one_way(facts: Facts, row: int, mine: Ints, packets: Ints, media: bool, lasted: int) -> Hit:
    """A hit for a direction that is heard; `mine` are the streams of its session."""
    streams = facts["streams"]
    session, heard, silent = (int(streams[name][row]) for name in ("session_id", "src", "dst"))
    here = streams["vantage"][mine] == streams["vantage"][row]
    kind, src = streams["kind"][mine], streams["src"][mine]
    forth = mine[here & (src == heard) & (kind == (RTP if media else DATA))]
    what = "RTP" if media else "application data"
    evidence = [
        facts.shown_by(
            f"{many(int(packets[RTP if media else DATA]), 'packet')} of {what} from {facts.text(heard)} in "
            f"{seconds(lasted)}",
            "streams",
            row,
            *streams["first_frame"][forth[:3]].tolist(),
        ),
        facts.shown_by(
            f"no {'RTP and no RTCP' if media else what} from {facts.text(silent)}, though other packets from there "
            "arrive",
            "streams",
            row,
        ),
    ]
    # Another capture may show that it was sent.
    elsewhere = mine[~here & (src == silent) & (kind <= RTCP)]
    evidence += [_sent(facts, int(other)) for other in elsewhere[:1].tolist()]
    steps: tuple[str, ...] = (
        f"On the way from {facts.text(silent)} to {facts.text(heard)}, look for a firewall that inspects packets: STUN "
        "passes in this direction, and media does not. Let UDP through whatever is inside.",
    )
    if not len(elsewhere):
        steps = (
            *advice.capture_next(facts.host(silent), "to see whether its media leaves"),
            *steps,
            f"If nothing leaves, look at the sender at {facts.host(silent)}: microphone, camera, `a=sendrecv`.",
        )
    return Hit(
        summary=f"Media flows from {facts.text(heard)} to {facts.text(silent)} only: for {seconds(lasted)} nothing of "
        f"{facts.text(silent)} arrives but STUN and DTLS"
        + (", though it was sent." if len(elsewhere) else ", and no report on what it receives." if media else "."),
        evidence=evidence,
        advice=steps,
        ground=SEEN if len(elsewhere) else SILENCE,
        session=session,
        pair=int(streams["pair_id"][row]),
        src=silent,
        dst=heard,
        time=int(streams["first_time"][row]),
    )


def _sent(facts: Facts, row: int) -> Evidence:
    streams = facts["streams"]
    return facts.shown_by(
        f"{many(int(streams['packets'][row]), 'packet')} of {STREAM_KIND[int(streams['kind'][row])].upper()} from "
        f"{facts.text(int(streams['src'][row]))} leave here",
        "streams",
        row,
        int(streams["first_frame"][row]),
    )


@rule("media-off-pair", WARNING, "RFC 8445 section 12.1")
def media_off_pair(facts: Facts) -> Iterator[Hit]:
    """Media or data is sent on another pair than the nominated one.

    Evidence: RTP or application data on a pair of the session that no check nominated, while another one is nominated:
    a good part of all of it, and not only before the nomination.

    Likely cause: an agent that goes on with the pair that worked first, or does not hear of the nomination; aggressive
    nomination (RFC 5245), where the two agents chose different pairs.

    Not to be confused with: `pair-switched`, where the new pair was nominated; a few packets that were sent before the
    nomination, as is allowed.

    What to try: look which pair each agent believes to be selected (`getStats()`, logs). The pair in use has no
    consent, and may be closed by a firewall at any time: update the agent that sends there.
    """
    streams, pairs = facts["streams"], facts["pairs"]
    load = (streams["session_id"] >= 1) & (streams["kind"] != RTCP)
    off = load & facts.has("streams", "on_nominated", ANSWER[0])
    if not off.any():
        return
    sessions = len(facts["sessions"]) + 1
    settled = np.full(sessions, NEVER, np.int64)
    np.minimum.at(settled, pairs["session_id"], facts.directed.nominated_time)
    total = np.bincount(streams["session_id"][load], streams["packets"][load], sessions)
    stray = np.bincount(streams["session_id"][off], streams["packets"][off], sessions)
    number = np.where(load, streams["session_id"], 0)
    much = (stray >= MUCH) & (stray >= PART * total)
    wanted = off & much[number] & (streams["last_time"] > np.minimum(settled[number], NEVER - LASTS) + LASTS)
    by_session = Index(np.where(pairs["nominated"], pairs["session_id"], 0))
    for rows in groups(wanted, streams["session_id"]):
        row = int(rows[np.argmax(streams["packets"][rows])])
        session = int(streams["session_id"][row])
        ends = [int(facts["sessions"][name][session - 1]) for name in ("nominated_src", "nominated_dst")]
        src, dst = int(streams["src"][row]), int(streams["dst"][row])
        packets = int(streams["packets"][rows].sum())
        chosen = " – ".join(facts.text(end) for end in ends if end >= 0)
        named = by_session[session]
        yield Hit(
            summary=f"{many(packets, 'packet')} of media go from {facts.text(src)} to {facts.text(dst)}, which nobody "
            f"nominated; {chosen} is.",
            evidence=(
                facts.shown_by(
                    f"{many(packets, 'packet')} on a pair that was not nominated",
                    "streams",
                    row,
                    *streams["first_frame"][rows[:3]].tolist(),
                    int(streams["last_frame"][row]),
                ),
                *(
                    facts.show(f"{chosen} is nominated", int(at), int(pairs["first_frame"][at]))
                    for at in named[:1].tolist()
                ),
            ),
            advice=(
                f"Look which pair the agent at {facts.host(src)} believes to be selected (getStats(), its log), and "
                "why it does not use the nominated one.",
            ),
            ground=SEEN,
            session=session,
            pair=int(streams["pair_id"][row]),
            src=src,
            dst=dst,
            time=int(streams["first_time"][row]),
        )
