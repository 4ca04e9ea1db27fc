"""Rules about the agents themselves: one that is silent though it is reached, or that refuses though it lives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.course.beginning import last_packets
from stunpcap.diagnose.exchanges import end_at
from stunpcap.diagnose.facts import SECOND, Facts, groups
from stunpcap.diagnose.finding import ERROR, GUESS, INFERRED, SEEN, SILENCE, Evidence, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import checks, foremost, frames_of, others, seconds, unanswered
from stunpcap.table import NAT

ENOUGH = 5
LASTED = 3 * SECOND
CALM = 2
"""Checks of a live agent after its peer's consent had no response any more, each answered and none repeated."""
WAITS = 10 * SECOND


@rule("agent-silent", ERROR, "RFC 8445 section 7.3")
def agent_silent(facts: Facts) -> Iterator[Hit]:
    """Captured at an agent's own host: checks arrive there, and nothing leaves.

    Evidence: the place of the capture is the host that the checks go to; they arrive, for seconds, and not one packet
    goes back on any interface that was captured.

    Likely cause: the agent is not running any more, is stopped, or does not know this session; the host's own firewall
    drops before the agent (the capture sees packets before it); its answers leave by another interface, into a VPN say.

    Not to be confused with: `no-answer`, where the capture was not taken there and the checks may never arrive;
    `one-way-loss`, where the agent answers and its answers get lost.

    What to try: on that host, look whether the agent still runs and has a socket on that port (`ss -ulnp`), at the
    host's firewall (`nft list ruleset`), and which way answers would take (`ip route get ADDRESS`).
    """
    pairs = facts["pairs"]
    sent_back = last_packets((pairs["vantage"], pairs["dst"], pairs["src"]), facts["flows"])
    lasted = pairs["last_time"] - pairs["first_time"]
    silent = facts.at_dst & ~facts.at_src & (pairs["transmissions"] >= ENOUGH) & (lasted >= LASTED)
    # A relay that nobody was let through is silent, too.
    silent &= ~facts.is_relayed[pairs["dst"]] & ~facts.is_server[pairs["dst"]]
    silent &= (sent_back == NAT) & facts.has("pairs", "carrier", "plain")
    for rows in groups(silent & facts.in_session("pairs", facts.not_working), pairs["session_id"], facts.side):
        lead = foremost(facts, rows)
        src, dst = int(pairs["src"][lead]), int(pairs["dst"][lead])
        place = facts.places[int(pairs["vantage"][lead])]
        answered = (pairs["session_id"] == pairs["session_id"][lead]) & (facts.side == facts.side[lead])
        if (pairs["responses_received"][answered] > 0).any():
            continue
        yield Hit(
            summary=f"Checks arrive at {facts.host(dst)}, where this was captured, and nothing leaves: "
            f"{checks(int(pairs['requests_sent'][lead]))} from {facts.text(src)} have no response, and "
            f"{facts.text(dst)} sends nothing of its own{others(facts, rows)}.",
            evidence=[
                unanswered(facts, lead),
                facts.show(f"no packet from {facts.text(dst)} to {facts.text(src)}", lead),
            ],
            advice=(
                f"On {facts.host(dst)}, see whether the agent runs and listens on port "
                f"{facts.pools.endpoints.port(dst)} (ss -ulnp), and what its log says of this session.",
                f"On {facts.host(dst)}, look at the host's firewall (nft list ruleset), and at the way back: ip route "
                "get "
                f"{facts.host(src)}. Answers that leave by another interface (a VPN) do not show on this one.",
            ),
            ground=SEEN if place.certain else INFERRED,
            rows=tuple(rows.tolist()),
            session=int(pairs["session_id"][lead]),
            pair=int(pairs["pair_id"][lead]),
            src=dst,
            dst=src,
            time=int(pairs["first_time"][rows].min()),
        )


@rule("consent-refused", ERROR, "RFC 7675 section 5.1")
def consent_refused(facts: Facts) -> Iterator[Hit]:
    """A peer that lives, and hears, stops answering consent checks.

    Evidence: checks on the pair in use had responses, and then none has; meanwhile the other agent goes on with checks
    of its own, which are answered and which it does not repeat: so the answers reach it, and the path works both ways.

    Likely cause: a fault of that agent, one that has begun a new session or generation and no longer knows this one, or
    an application that has closed the connection there without telling.

    Not to be confused with: `consent-lost`, where the path died: then the other agent does not hear answers either.

    What to try: look into the log of the agent named at that time; restart ICE.
    """
    pairs, table, live = facts["pairs"], facts["transactions"], facts.course.live
    ended = {number + 1 for number in facts.course.endings}
    for row in np.flatnonzero(live.dead & (facts.reverse >= 0)).tolist():
        session, back = int(pairs["session_id"][row]), int(facts.reverse[row])
        good = int(live.good[row])
        theirs = facts.checks_of(back)
        theirs = theirs[table["first_time"][theirs] > good + SECOND]
        heard = theirs[(table["response_time"][theirs] > NAT) & ~table["unheard"][theirs]]
        gaps = np.diff(table["first_time"][heard]) if len(heard) > 1 else np.zeros(0, np.int64)
        calm = len(heard) >= CALM and len(heard) == len(theirs) and bool((gaps >= 2 * SECOND).all())
        if session in ended or not calm:
            continue
        src, dst = int(pairs["src"][row]), int(pairs["dst"][row])
        silence = seconds(int(live.silent_until[row]) - good)
        yield Hit(
            summary=f"{facts.text(dst)} stopped responding to consent checks of {facts.text(src)} ({silence} without a "
            f"response), although it lives: its own checks are answered, and it hears the answers.",
            evidence=(
                facts.show(
                    f"{checks(int(live.silent[row]))} from {facts.text(src)} without a response",
                    row,
                    *table["request_frame"][facts.checks_of(row)[-3:]].tolist(),
                ),
                facts.show(
                    f"{checks(len(heard))} of {facts.text(dst)} in that time, each answered and none repeated",
                    back,
                    *frames_of(table, "request_frame", heard[:3]),
                ),
            ),
            advice=(
                f"Look into the log of the agent at {facts.host(dst)}: why does it no longer respond to this session's "
                "checks? It may have closed it, or begun another.",
                "Let the application restart ICE (`restartIce()`) as soon as the connection is reported as "
                "disconnected.",
            ),
            ground=SEEN if len(heard) > CALM else INFERRED,
            rows=(row,),
            session=session,
            pair=int(pairs["pair_id"][row]),
            src=dst,
            dst=src,
            time=good,
        )


@rule("never-checked", ERROR, "RFC 8445 section 6.1.2", "RFC 8421")
def never_checked(facts: Facts) -> Iterator[Hit]:
    """An agent gathered candidates, and no check of it or to it follows.

    Evidence: captured at its host, it asks STUN or TURN servers and is answered; for ten seconds and longer no check
    leaves or arrives.

    Likely cause: the other side's candidates never arrived (signalling), came too late, or have no address family in
    common; a policy filters all of them; the other side never answered.

    Not to be confused with: a page that only gathers candidates, to test a server; a capture on one of several
    interfaces, where the checks go by another; `mdns-unresolved`, where the names of candidates lead nowhere.

    What to try: look at the candidates that each side was given (`chrome://webrtc-internals`, `about:webrtc`), at what
    signalling delivered, and whether both have IPv4 or both IPv6 addresses; give both agents a TURN relay of both
    families.
    """
    table, pairs, host = facts["transactions"], facts["pairs"], facts.host_of
    asks = facts.has("transactions", "kind", "gather", "allocate") & facts.has("transactions", "outcome", "success")
    asks &= table["session_id"] < 1
    if not asks.any():
        return
    busy = (
        np.isin(host, host[np.concatenate([pairs["src"], pairs["dst"]])])
        if len(pairs)
        else np.zeros(len(host), np.bool_)
    )
    rows = np.flatnonzero(asks & ~busy[table["src"]])
    rows = rows[end_at(facts, table["vantage"][rows]) - table["response_time"][rows] >= WAITS]
    if not len(rows):
        return
    mine = np.zeros(len(table), np.bool_)
    mine[rows] = True
    for some in groups(mine, table["vantage"], host[table["src"]]):
        lead = int(some[0])
        vantage, src = int(table["vantage"][lead]), int(table["src"][lead])
        place = facts.places[vantage]
        if int(host[src]) not in place.local or len(place.local) != 1:
            continue
        if ((pairs["vantage"] == vantage) & (pairs["requests_sent"] > 0)).any():
            continue  # checks of somebody else
        waited = seconds(int(end_at(facts, table["vantage"][[lead]])[0] - table["response_time"][lead]))
        yield Hit(
            summary=f"{facts.host(src)} gathered candidates, and no check follows in {waited}: it has none of the "
            "other "
            "side that it could check.",
            evidence=(
                facts.shown_by(
                    f"{facts.text(int(table['dst'][lead]))} answers {facts.text(src)}",
                    "transactions",
                    lead,
                    int(table["request_frame"][lead]),
                    int(table["response_frame"][lead]),
                ),
                Evidence("no check in the whole capture", facts.name_of(vantage)),
            ),
            advice=(
                f"See which candidates of the other side the agent at {facts.host(src)} was given, and when "
                "(chrome://webrtc-internals, about:webrtc): none, too late, `.local` names, or of the other address "
                "family only.",
                "If one side has IPv4 only and the other IPv6 only, give both a TURN server that is reached over both.",
            ),
            ground=SILENCE if place.certain else GUESS,
            src=src,
            time=int(table["first_time"][lead]),
        )
