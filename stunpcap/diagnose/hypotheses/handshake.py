"""Rules about the DTLS handshake, which follows ICE: one that is not begun, not answered, or not finished.

Of one session the first that fits counts: missing pieces of messages name what was lost; a first flight that is
repeated tells only that nothing came back.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose import advice
from stunpcap.diagnose.addresses import Mask
from stunpcap.diagnose.advice import Steps
from stunpcap.diagnose.exchanges import end_at, frames_of, tagged
from stunpcap.diagnose.facts import SECOND, Facts, groups
from stunpcap.diagnose.finding import ERROR, GUESS, INFERRED, SEEN, SILENCE, WARNING, Evidence, Ground, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import seconds
from stunpcap.ice.columns import Ints, count_in, group
from stunpcap.ice.ways import NEVER
from stunpcap.record import record
from stunpcap.table import MISSING, NAT
from stunpcap.words import many

REPEATS = 3
"""A flight that is sent so often is not merely slow; DTLS begins with timers of 50 ms to 1 s."""
PATIENCE = 2 * SECOND
"""A handshake may take that long: agents repeat flights after 50 ms already, while the other side still begins."""
WAITS = 10 * SECOND
SURE = 20 * SECOND
"""So long after ICE has a pair, with consent going on: nobody is about to begin."""
LARGE = 1100
"""Bytes of a datagram that a link with a small MTU, a tunnel say, may not carry."""


@record
class _Unfinished:
    """What a session's unfinished handshake comes to, over all captures."""

    name: str
    row: int
    src: int
    dst: int
    said: str
    evidence: tuple[Evidence, ...]
    ground: Ground
    large: int


@rule("dtls-one-way", ERROR, "RFC 6347 section 4.2.4", "RFC 9147 section 5.8")
def dtls_one_way(facts: Facts) -> Iterator[Hit]:
    """The ClientHello is repeated again and again: no answer to it arrives.

    Evidence: the client sends its first flight many times. Where the server's answers were captured they get lost on
    the way from it; where none was, either the ClientHello or the answer to it did, or the server is silent.

    Likely cause: a firewall that lets STUN through and drops DTLS in one direction (deep packet inspection); large
    packets that are lost, where all of the flight is large; a server that does not begin.

    Not to be confused with: `dtls-stalled`, where pieces arrive and others do not; `dtls-never-started`, where there is
    no ClientHello at all.

    What to try: capture at the other end, to see which of the two is lost; let DTLS through on the way named.
    """
    for number, case in _unfinished(facts):
        if case.name == "dtls-one-way":
            yield _hit(facts, number, case)


@rule("dtls-stalled", ERROR, "RFC 6347 section 4.1.1.1", "RFC 9147 section 4.4")
def dtls_stalled(facts: Facts) -> Iterator[Hit]:
    """The DTLS handshake begins and does not get to its end: a flight is repeated, since a part of it is lost.

    Evidence: of a handshake message some fragments arrive and others never do, while small packets get through; or both
    sides sent messages, and one repeats its flight again and again.

    Likely cause: an MTU that is too small for the large datagrams of a handshake (certificates, post-quantum key
    shares): a tunnel or VPN on the way, and ICMP "fragmentation needed" or IP fragments that are dropped.

    Not to be confused with: `dtls-one-way`, where nothing at all comes back; a lossy path, on which repeating helps.

    What to try: lower the MTU of the DTLS library (to 1000 bytes, say), or use a smaller certificate (ECDSA); let IP
    fragments and ICMP through; check the MTU of tunnels with `ping -M do -s SIZE`.
    """
    for number, case in _unfinished(facts):
        if case.name == "dtls-stalled":
            yield _hit(facts, number, case)


def _hit(facts: Facts, number: int, case: _Unfinished) -> Hit:
    table = facts["handshakes"]
    client, server = int(table["client"][case.row]), int(table["server"][case.row])
    hosts = facts.host(client), facts.host(server)
    smaller = (
        f"See whether large packets get through: ping -M do -s 1372 {hosts[1]} at {hosts[0]}, and the other way round. "
        "If not, lower the MTU of the interface or of the DTLS library, a smaller certificate (ECDSA), and let ICMP "
        '"fragmentation needed" and IP fragments through.',
    )
    if case.name == "dtls-stalled":
        steps: Steps = smaller
    elif case.src >= 0:
        steps = (
            f"On the way from {facts.text(case.src)} to {facts.text(case.dst)}, look for a firewall that inspects "
            "packets: STUN passes in this direction, and DTLS does not.",
        )
    else:
        steps = advice.capture_next(
            hosts[1], "to see whether the ClientHello arrives there, and whether it is answered"
        )
    if case.name == "dtls-one-way" and case.large >= LARGE:
        steps = (*steps, *smaller)
    return Hit(
        summary=f"{case.said}.",
        evidence=case.evidence,
        advice=steps,
        ground=case.ground,
        session=number,
        pair=int(table["pair_id"][case.row]),
        src=case.src,
        dst=case.dst,
        time=int(table["started"][case.row]),
    )


def _unfinished(facts: Facts) -> Iterator[tuple[int, _Unfinished]]:
    """Sessions with a handshake that was repeated and never finished, as any capture tells, and why."""
    table = facts["handshakes"]
    over: Mask = facts.has("handshakes", "state", "done", "failed") | (table["ended_by"] >= 0)
    open_rows = ~over & (table["session_id"] >= 1) & ~facts.in_session("handshakes", tagged(facts, "one-way capture"))
    finished = set(table["session_id"][over].tolist())
    for rows in groups(open_rows, table["session_id"]):
        number = int(table["session_id"][rows[0]])
        case = None if number in finished else _judge(facts, rows)
        if case is not None:
            yield number, case


def _judge(facts: Facts, rows: Ints) -> _Unfinished | None:
    """Why the handshake in these rows, one a capture, did not finish; None if it may only have been slow."""
    table = facts["handshakes"]
    repeated = np.maximum(table["client_flights_repeated"][rows], table["server_flights_repeated"][rows])
    lead = int(rows[np.argmax(repeated)])
    client, server = int(table["client"][lead]), int(table["server"][lead])
    large = int(max(table["largest_client_bytes"][rows].max(), table["largest_server_bytes"][rows].max()))
    waited = end_at(facts, table["vantage"][rows]) - table["started"][rows]
    if repeated.max() < REPEATS or waited.max() < PATIENCE:
        return None

    def show(said: str, row: int, *more: str) -> Evidence:
        names = more or ("first_frame", "client_frame", "server_frame")
        return facts.shown_by(said, "handshakes", row, *(int(table[name][row]) for name in names))

    partial = [row for row in rows.tolist() if facts.word(int(table["incomplete"][row]))]
    if partial:
        row = partial[0]
        missing = facts.word(int(table["incomplete"][row]))
        from_client = missing.startswith("client")
        src, dst = (
            int(table["client" if from_client else "server"][row]),
            int(table["server" if from_client else "client"][row]),
        )
        said = (
            f"The DTLS handshake stalls: a part of what {facts.text(src)} sends does not reach {facts.text(dst)} "
            f"({missing})"
        )
        evidence = [show(f"only a part arrives, and again only that: {missing}", row)]
        full = [other for other in rows.tolist() if other not in partial]
        side = "largest_client_bytes" if from_client else "largest_server_bytes"
        evidence += [
            show(f"elsewhere datagrams of this flight of up to {int(table[side][other])} bytes were captured", other)
            for other in full[:1]
            if table[side][other] > table[side][row]
        ]
        return _Unfinished("dtls-stalled", row, src, dst, said, tuple(evidence), SEEN, large)
    answered = [row for row in rows.tolist() if table["server_frame"][row] > 0]
    if not answered:
        hellos = int(table["client_flights_repeated"][lead]) + 1
        said = (
            f"{facts.text(client)} sends its ClientHello {hellos} times, and no answer of {facts.text(server)} arrives"
        )
        shown = f"{many(hellos, 'ClientHello')}, and no handshake message from {facts.text(server)}"
        evidence = [show(shown, lead, "first_frame", "client_frame")]
        return _Unfinished("dtls-one-way", lead, MISSING, MISSING, said, tuple(evidence), SILENCE, large)
    row = max(answered, key=lambda at: int(table["client_flights_repeated"][at]))
    flight = facts.word(int(table["last_flight"][row]))
    if "client: client-hello" in flight.split("; "):
        hellos = int(table["client_flights_repeated"][row]) + 1
        said = (
            f"What {facts.text(server)} answers to the ClientHello does not reach {facts.text(client)}, which sends it "
            f"{hellos} times"
        )
        silent = [other for other in rows.tolist() if other not in answered]
        evidence = [show(f"{many(hellos, 'ClientHello')}, although the server answers", row)]
        evidence += [show("none of the answers was captured here", other, "first_frame") for other in silent[:1]]
        return _Unfinished("dtls-one-way", row, server, client, said, tuple(evidence), SEEN, large)
    said = f"The DTLS handshake between {facts.text(client)} and {facts.text(server)} stalls: a flight is repeated"
    evidence = [show(f"the last flights, again and again: {flight}", row)]
    return _Unfinished("dtls-stalled", row, MISSING, MISSING, said, tuple(evidence), INFERRED, large)


@rule("dtls-never-started", ERROR, "RFC 8842 section 5.3", "RFC 5763 section 5")
def dtls_never_started(facts: Facts) -> Iterator[Hit]:
    """ICE has a pair, and nothing follows: no ClientHello, no media, consent checks alone.

    Evidence: a nominated pair on which consent goes on for many seconds in both directions, and not one packet of
    anything else.

    Likely cause: both sides wait for the other's ClientHello (`a=setup:passive` at both, or changed on its way); an
    application that stops after ICE; an agent that speaks ICE alone, with nothing to send.

    Not to be confused with: `dtls-one-way`, where a ClientHello is sent; calls without DTLS (SDES), in which media
    flows; an ICE restart, which needs no new handshake; an idle connection whose handshake was over before the capture
    began (then it is a warning only).

    What to try: look at `a=setup` in both descriptions: the offer says `actpass`, the answer `active` or `passive`, and
    who is active begins.
    """
    sessions, pairs, flows = facts["sessions"], facts["pairs"], facts["flows"]
    if not len(pairs):
        return
    plain = facts.once_connected & facts.has("sessions", "dtls", "none")
    plain &= (sessions["restart_of"] < 1) & (sessions["media_ab_packets"] + sessions["media_ba_packets"] == 0)
    low, high = (side(pairs["src"], pairs["dst"]) for side in (np.minimum, np.maximum))
    flow_low, flow_high = (side(flows["src"], flows["dst"]) for side in (np.minimum, np.maximum))
    ends, count = group(np.concatenate([low, flow_low]), np.concatenate([high, flow_high]))
    busy = count_in(ends[len(pairs) :], count, flows["packets"] > flows["stun"])[ends[: len(pairs)]] > 0
    # Anything else on any pair of the session, too, would be what it was for.
    used = np.zeros(len(sessions) + 1, np.bool_)
    used[pairs["session_id"][busy]] = True
    since = facts.directed.nominated_time
    heard = (since < NEVER) & (pairs["last_answer_time"] > NAT)
    lasted = np.where(heard, np.maximum(pairs["last_answer_time"], 0) - np.minimum(since, NEVER - 1), 0)
    both = (facts.reverse >= 0) & (pairs["responses_received"] > 0)
    wanted = pairs["nominated"] & both & ~used[pairs["session_id"]] & facts.in_session("pairs", plain)
    wanted &= (lasted >= WAITS) & (pairs["consent_requests_sent"] > 0)
    begun = facts.begin_seen
    for rows in groups(wanted, pairs["session_id"]):
        row = int(rows[np.argmax(lasted[rows])])
        seen = bool(begun[int(pairs["session_id"][row]) - 1])
        a, b = facts.text(int(pairs["src"][row])), facts.text(int(pairs["dst"][row]))
        how_long = seconds(int(lasted[row]))
        yield Hit(
            summary=f"ICE connected {a} and {b}, and for {how_long} nothing but consent checks follows: neither sends "
            + ("a ClientHello." if seen else "a ClientHello, unless that was before the capture began."),
            evidence=(
                facts.show(
                    f"consent goes on for {how_long} after the nomination", row, *frames_of(facts, facts.checks_of(row))
                ),
                facts.show("no packet of DTLS, media or anything else between the two", row),
            ),
            advice=(
                "Let exactly one side be the DTLS client. Look at `a=setup` in both descriptions, as they were set: "
                "the offer says `actpass`, the answer `active` or `passive`; who is active sends the ClientHello.",
                f"If they are right, look into the logs of {facts.host(int(pairs['src'][row]))} and "
                f"{facts.host(int(pairs['dst'][row]))} for why DTLS does not begin.",
            ),
            ground=SILENCE if seen and lasted[row] >= SURE else GUESS,
            severity=ERROR if seen else WARNING,
            session=int(pairs["session_id"][row]),
            pair=int(pairs["pair_id"][row]),
            time=int(since[row]),
        )
