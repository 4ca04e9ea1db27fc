"""A client that its TURN server does not know by its address any more: most often a NAT gave it another one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose import servers
from stunpcap.diagnose.clients import Case, cases, seen
from stunpcap.diagnose.facts import Facts
from stunpcap.diagnose.finding import ERROR, INFERRED, SAID, Evidence, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.turn_requests import MISMATCH, Requests, code_words, method_words
from stunpcap.ice.columns import Ints
from stunpcap.table import MISSING, NAT


@rule("turn-mismatch", ERROR, "RFC 8656 section 5", "RFC 8656 section 7.2")
def turn_mismatch(facts: Facts) -> Iterator[Hit]:
    """The TURN server knows no allocation for the address that a request comes from (or knows one too many).

    Evidence: 437 Allocation Mismatch to Refresh, CreatePermission or ChannelBind. Stronger: the server tells the client
    another mapped address than before, or the capture shows that client's packets coming from a new address. What the
    client sends through its old relay is dropped from then on, and what peers send goes to its old address.

    Likely cause: the NAT between client and server gave the client another outside port or address (rebinding: a
    timeout, a restart, another uplink); or the server was restarted and forgot its allocations. To an Allocate request:
    a client that uses an address and port again on which it still has an allocation.

    Not to be confused with: `turn-allocation-expired`, where the client did not refresh in time and comes from the same
    address; a Refresh that only gives back what is gone already.

    What to try: restart ICE, which makes a new allocation; then see why the NAT forgets its mappings.
    """
    requests = Requests(facts)
    rows = requests.with_code(MISMATCH)
    if not len(rows):
        return
    table = facts["transactions"]
    rows = requests.lasting(rows[requests.asked("lifetime_s", rows) != 0])
    moves = Moves(facts, rows)
    for case in cases(facts, rows):
        lead = int(case.rows[0])
        client, server = facts.text(int(table["src"][lead])), facts.text(case.server)
        method = method_words(facts.word(int(table["method"][lead])))
        before, frames = moves.of(case)
        if method == "Allocate":
            said = f"says that {client} has an allocation already, and refuses another ({code_words(MISMATCH)})."
            moved = ""
        else:
            moved = f": the NAT before it changed its mapping, it had been {before}" if before else ""
            said = f"knows no allocation of {client} any more ({code_words(MISMATCH)} to {method}){moved}."
        evidence = list(seen(facts, "transactions", (requests.answer(row) for row in case.rows.tolist())))
        if moved:
            name = facts.name_of(int(table["vantage"][case.everywhere[0]]))
            evidence.append(Evidence(f"the same client had been {before} to the server", name, frames))
        yield Hit(
            summary=f"The TURN server {server} {said}"
            + ("" if method == "Allocate" else " What goes through that relay is dropped."),
            evidence=evidence,
            advice=servers.keep_mapping(facts.host(int(table["src"][lead])), server),
            ground=SAID if moved or method == "Allocate" else INFERRED,
            severity=requests.harm(case),
            session=case.session,
            src=int(table["src"][lead]),
            dst=case.server,
            time=int(table["first_time"][lead]),
        )


class Moves:
    """The outside addresses that clients had before they changed."""

    def __init__(self, facts: Facts, rows: Ints) -> None:
        """Of the clients of these transactions."""
        self._facts = facts
        table, relays = facts["transactions"], facts["allocations"]
        address_of = facts.host_of
        told = np.flatnonzero((table["mapped"] >= 0) & np.isin(table["src"], table["src"][rows]))
        self._told: dict[tuple[int, int, int], list[int]] = {}
        for row in told[np.argsort(table["first_time"][told], kind="stable")].tolist():
            self._told.setdefault(_key(facts, row), []).append(row)
        hosts = address_of[relays["client"]] if len(relays) else relays["client"]
        self._relays: dict[tuple[int, int, int], list[int]] = {}
        known = (relays["created"] > NAT) & np.isin(hosts, address_of[table["src"][rows]])
        for row in np.flatnonzero(known).tolist():
            key = (int(relays["vantage"][row]), int(hosts[row]), int(relays["server"][row]))
            self._relays.setdefault(key, []).append(row)

    def of(self, case: Case) -> tuple[str, tuple[int, ...]]:
        """What the client of a case was seen as before and is now, and frames that show it; empty if nothing tells."""
        table, facts = self._facts["transactions"], self._facts
        for row in case.everywhere.tolist():
            told = self._told.get(_key(facts, row), [])
            if told and table["mapped"][told[0]] != table["mapped"][told[-1]]:
                first, last = (facts.text(int(table["mapped"][told[end]])) for end in (0, -1))
                frames = tuple(int(table["response_frame"][told[end]]) for end in (0, -1))
                return f"{first} and is {last} now", frames
        for row in case.everywhere.tolist():
            found = self._old_relay(row)
            if found >= 0:
                relays = facts["allocations"]
                return facts.text(int(relays["client"][found])), (int(relays["first_frame"][found]),)
        return "", ()

    def _old_relay(self, row: int) -> int:
        """A relay of the same host and user from another port, where this port never had one."""
        table, relays = self._facts["transactions"], self._facts["allocations"]
        vantage, src, dst = _key(self._facts, row)
        mine = self._relays.get((vantage, int(self._facts.host_of[src]), dst), [])
        if any(relays["client"][one] == src for one in mine):
            return MISSING
        before = [
            one
            for one in mine
            if relays["username"][one] == table["username"][row] and relays["created"][one] < table["first_time"][row]
        ]
        return before[-1] if before else MISSING


def _key(facts: Facts, row: int) -> tuple[int, int, int]:
    table = facts["transactions"]
    return int(table["vantage"][row]), int(table["src"][row]), int(table["dst"][row])
