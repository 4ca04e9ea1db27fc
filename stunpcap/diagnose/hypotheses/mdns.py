"""Names in place of addresses: candidates that end with `.local`, and nobody who resolves them.

Only names made at random count, as browsers make them for candidates (draft-ietf-mmusic-mdns-ice-candidates): printers
and televisions are asked for over mDNS all day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose import advice
from stunpcap.diagnose.clients import during, sessions_of_hosts
from stunpcap.diagnose.facts import SECOND, Facts, groups
from stunpcap.diagnose.finding import ERROR, GUESS, INFO, SEEN, SILENCE, WARNING, Evidence, Ground, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.ice.columns import Ints
from stunpcap.schema import CARRIER
from stunpcap.sorting import values_in
from stunpcap.stun.render import printable
from stunpcap.table import MISSING

WAIT = 3 * SECOND
"""An answer comes within milliseconds, or not at all."""
MDNS = 5353
_RANDOM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.local\.?", re.IGNORECASE)


@rule("mdns-unresolved", ERROR, "RFC 6762 section 5", "RFC 8445 section 5.1.1.1")
def mdns_unresolved(facts: Facts) -> Iterator[Hit]:
    """A candidate's `.local` name was asked for over mDNS, and nobody answered.

    Evidence: mDNS questions for a name made at random (a UUID and `.local`), without an answer. Where no checks follow
    at all, these were the only candidates. Read together with the other agent's capture: it announced that name there,
    and the announcement did not come here.

    Likely cause: the agents are on different networks, and multicast does not pass routers; or a firewall, a VPN or
    the isolation of a wireless network keeps mDNS (UDP 5353) from passing. Browsers hide host addresses behind such
    names from pages that may not use camera or microphone.

    Not to be confused with: `no-answer`, where addresses are known and checks go out; calls that connect by other
    candidates, where unresolved names are normal.

    What to try: name a STUN or TURN server, so that there are candidates with addresses; or let the agents offer
    addresses (camera or microphone allowed, or a policy); on one network let mDNS through.
    """
    names = facts["names"]
    if not len(names):
        return
    texts = facts.pools.texts.values
    random = [number for number in values_in(names["name"]).tolist() if _RANDOM.fullmatch(texts[number])]
    ends = {facts.pools.texts.number(vantage.name): vantage.last_time for vantage in facts.sources}
    over = np.array([ends[vantage] for vantage in names["vantage"].tolist()], np.int64)
    asked = (names["asked_by"] >= 0) & (names["asked"] > 0) & ~names["answered"] & np.isin(names["name"], random)
    asked &= over - names["first_time"] >= WAIT
    if not asked.any():
        return
    address_of = facts.host_of
    host = np.where(names["asked_by"] >= 0, address_of[names["asked_by"]], MISSING)
    known = sessions_of_hosts(facts, values_in(host[asked]))
    for rows in groups(asked, names["vantage"], host):
        vantage, who = int(names["vantage"][rows[0]]), int(host[rows[0]])
        time = int(names["first_time"][rows].min())
        sessions = sorted(one for one in known.get((vantage, who), set()) if during(facts, one, time))
        for session in sessions or [MISSING]:
            yield _unresolved(facts, rows, session)


def _unresolved(facts: Facts, rows: Ints, session: int) -> Hit:
    names = facts["names"]
    lead = int(rows[0])
    asker = facts.host(int(names["asked_by"][lead]))
    questions = int(names["asked"][rows].sum())
    announced = _announced(facts, rows)
    what = f"the name {_name(facts, lead)}" if len(rows) == 1 else f"{len(rows)} names, {_name(facts, lead)} the first"
    severity, ground, after = _weight(facts, lead, session)
    return Hit(
        summary=f"{asker} asks over mDNS for {what} ({questions} question{'s' if questions > 1 else ''}), and nobody "
        f"answers: candidates with such names lead nowhere.{after}",
        evidence=[
            *(
                facts.shown_by(
                    f"{asker} asks for {_name(facts, row)}, no answer", "names", row, int(names["first_frame"][row])
                )
                for row in rows[:3].tolist()
            ),
            *announced,
        ],
        advice=advice.joined(
            (
                "Let the agents offer addresses instead of names: browsers do where the page may use camera or "
                "microphone (`getUserMedia` first), or by policy (Chromium `WebRtcLocalIpsAllowedUrls`, Firefox "
                "`media.peerconnection.ice.obfuscate_host_addresses` off).",
            ),
            advice.stun_server("its candidates carry addresses in place of names"),
            (
                f"If both agents are on one network, let mDNS (UDP {MDNS}, to 224.0.0.251 and ff02::fb) pass between "
                "them: host firewalls, client isolation of wireless networks, IGMP snooping.",
            ),
        ),
        ground=SEEN if announced else ground,
        severity=severity,
        session=session,
        src=int(names["asked_by"][lead]),
        time=int(names["first_time"][rows].min()),
    )


def _weight(facts: Facts, row: int, session: int) -> tuple[int, Ground, str]:
    """How bad it is, how sure, and what came after: with other candidates a call may well have connected."""
    if session != MISSING:
        worked = not facts.not_working[session - 1]
        return (INFO if worked else WARNING), SILENCE, " Other candidates were checked all the same."
    names, flows, address_of = facts["names"], facts["flows"], facts.host_of
    own = (flows["vantage"] == names["vantage"][row]) & (flows["carrier"] == CARRIER.index("plain"))
    mine = np.flatnonzero(own & (facts.pools.endpoints.words[flows["src"], 4] != MDNS))
    seen_here = address_of[flows["src"][mine]] == address_of[names["asked_by"][row]]
    pairs = facts["pairs"]
    if not seen_here.any() and (pairs["vantage"] == names["vantage"][row]).any():
        return WARNING, GUESS, " Its own checks are not captured here."
    return ERROR, SILENCE, " No check from it was captured."


def _announced(facts: Facts, rows: Ints) -> list[Evidence]:
    """The same names where another capture saw them announced."""
    names = facts["names"]
    known = np.isin(names["name"], names["name"][rows]) & (names["vantage"] != names["vantage"][rows[0]])
    return [
        facts.shown_by(
            f"{_name(facts, row)} is announced there, as {printable(facts.word(int(names['address'][row])))}",
            "names",
            row,
            int(names["answer_frame"][row]),
        )
        for row in np.flatnonzero(known & (names["address"] >= 0))[:3].tolist()
        if facts.word(int(names["address"][row]))
    ]


def _name(facts: Facts, row: int) -> str:
    return printable(facts.word(int(facts["names"]["name"][row])))
