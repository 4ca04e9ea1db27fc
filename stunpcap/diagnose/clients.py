"""Whose requests to servers those are: which session they were made for, and whether what went wrong harmed it.

Requests to STUN and TURN servers name no session.  One belongs to the sessions that use its client's address and port,
or the relayed address that came of it; else to those of the same host in a capture taken there; and what one capture
knows of a transaction holds for the others that saw it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from stunpcap.diagnose.facts import SECOND, Facts
from stunpcap.diagnose.finding import ERROR, WARNING, Evidence
from stunpcap.ice.columns import Ints, group
from stunpcap.record import record
from stunpcap.schema import CARRIER, PLACE
from stunpcap.sorting import values_in
from stunpcap.table import MISSING

BEFORE, AFTER = 120 * SECOND, 60 * SECOND
"""How long before a session's first check, and after its last one, requests may have been made for it."""
LINES = 4
"""More lines of the same evidence than a person would read."""


@record
class Case:
    """What belongs into one finding: rows of `transactions` or of `allocations`, of one session and one server."""

    session: int
    server: int
    rows: Ints
    "One for each client, or transaction: the capture taken nearest to the client comes first."
    everywhere: Ints
    "The same as all captures saw them."


def cases(facts: Facts, rows: Ints) -> list[Case]:
    """Rows of `transactions` by session and server; those of no known session by capture and server."""
    if not len(rows):
        return []
    table = facts["transactions"]
    owners = sessions_of(facts, rows)
    words = table["transaction_id"][rows]
    same, count = group(*(words[:, word] for word in range(4)))
    known: list[set[int]] = [set() for _ in range(count)]
    for number, sessions in zip(same.tolist(), owners, strict=True):
        known[number] |= sessions
    return _gather(facts, "transactions", rows, same, [known[number] for number in same.tolist()], "dst")


def relay_cases(facts: Facts, rows: Ints) -> list[Case]:
    """Rows of `allocations` by session and server."""
    if not len(rows):
        return []
    table = facts["allocations"]
    relayed = np.where(table["relayed"][rows] >= 0, table["relayed"][rows], -2 - table["client"][rows])
    same, _ = group(relayed)
    return _gather(facts, "allocations", rows, same, [_listed(facts, row) for row in rows.tolist()], "server")


def _gather(facts: Facts, name: str, rows: Ints, same: Ints, owners: list[set[int]], end: str) -> list[Case]:
    table = facts[name]
    found: dict[tuple[int, int, int], list[int]] = {}
    for position, (row, sessions) in enumerate(zip(rows.tolist(), owners, strict=True)):
        server, vantage = int(table[end][row]), int(table["vantage"][row])
        for session in sorted(sessions) or [MISSING]:
            found.setdefault((session, server, vantage if session == MISSING else MISSING), []).append(position)
    result = []
    for (session, server, _), positions in found.items():
        nearest = sorted(positions, key=lambda position: (not at_client(facts, name, int(rows[position])), position))
        first = {int(same[position]): int(rows[position]) for position in reversed(nearest)}
        kept = [int(rows[position]) for position in nearest if first[int(same[position])] == int(rows[position])]
        result.append(Case(session, server, np.array(kept), rows[np.array(positions)]))
    return result


def at_client(facts: Facts, name: str, row: int) -> bool:
    """Whether the capture of a row of `transactions` or `allocations` was taken at the client."""
    table = facts[name]
    return _is_at(facts, int(table["vantage"][row]), int(table["src" if name == "transactions" else "client"][row]))


def at_server(facts: Facts, row: int) -> bool:
    """Whether the capture of a row of `transactions` was taken at the server that was asked."""
    table = facts["transactions"]
    return _is_at(facts, int(table["vantage"][row]), int(table["dst"][row]))


def _is_at(facts: Facts, vantage: int, end: int) -> bool:
    place = facts.places[vantage]
    return place.place == PLACE.index("endpoint") and int(facts.host_of[end]) in place.local


def sessions_of(facts: Facts, rows: Ints) -> list[set[int]]:
    """For each row of `transactions` the sessions that it was made for; none if nothing tells."""
    table, address_of = facts["transactions"], facts.host_of
    clients = values_in(table["src"][rows])
    of_end = _of_ends(facts, clients)
    of_host = sessions_of_hosts(facts, values_in(address_of[clients]))
    of_relay, of_user = _of_relays(facts, clients)
    names = ("vantage", "src", "dst", "username", "first_time")
    result = []
    for vantage, src, dst, user, time in zip(*(table[name][rows].tolist() for name in names), strict=True):
        host = int(address_of[src])
        sessions = of_end.get(src, set()) | of_relay.get((vantage, src, dst), set())
        sessions = sessions or of_user.get((vantage, host, dst, user), set())
        if not sessions:
            sessions = {one for one in of_host.get((vantage, host), set()) if during(facts, one, time)}
            if not _is_at(facts, vantage, src) and len(sessions) > 1:
                sessions = set()  # many may be behind one address
        result.append({one for one in sessions if during(facts, one, time, None)})
    return result


def during(facts: Facts, session: int, time: int, before: int | None = BEFORE) -> bool:
    """Whether a request of that time may have been made for a session; `before`: how early, None for any time."""
    sessions = facts["sessions"]
    soon = before is None or int(sessions["start"][session - 1]) - before <= time
    return soon and time <= int(sessions["end"][session - 1]) + AFTER


def _of_ends(facts: Facts, clients: Ints) -> dict[int, set[int]]:
    """Endpoint -> sessions that have it as a candidate, or as the base of one."""
    candidates = facts["candidates"]
    found: dict[int, set[int]] = {}
    for name in ("address", "base"):
        rows = np.flatnonzero(np.isin(candidates[name], clients))
        for end, session in zip(candidates[name][rows].tolist(), candidates["session_id"][rows].tolist(), strict=True):
            found.setdefault(end, set()).add(session)
    return found


def sessions_of_hosts(facts: Facts, hosts: Ints) -> dict[tuple[int, int], set[int]]:
    """Capture and host -> sessions in which that host sends or gets checks directly."""
    pairs, address_of = facts["pairs"], facts.host_of
    found: dict[tuple[int, int], set[int]] = {}
    plain = pairs["carrier"] == CARRIER.index("plain")
    for name in ("src", "dst"):
        host = address_of[pairs[name]] if len(pairs) else pairs[name]
        rows = np.flatnonzero(plain & np.isin(host, hosts))
        columns = (pairs["vantage"][rows], host[rows], pairs["session_id"][rows])
        for vantage, address, session in zip(*(column.tolist() for column in columns), strict=True):
            found.setdefault((vantage, address), set()).add(session)
    return found


def _of_relays(
    facts: Facts, clients: Ints
) -> tuple[dict[tuple[int, int, int], set[int]], dict[tuple[int, int, int, int], set[int]]]:
    """Capture, client and server -> sessions of its relays; the same for the client's host and user name."""
    table, address_of = facts["allocations"], facts.host_of
    exact: dict[tuple[int, int, int], set[int]] = {}
    of_user: dict[tuple[int, int, int, int], set[int]] = {}
    host = address_of[table["client"]] if len(table) else table["client"]
    for row in np.flatnonzero(np.isin(host, address_of[clients])).tolist():
        vantage, client, server, user = (int(table[name][row]) for name in ("vantage", "client", "server", "username"))
        sessions = _listed(facts, row)
        exact.setdefault((vantage, client, server), set()).update(sessions)
        of_user.setdefault((vantage, int(host[row]), server, user), set()).update(sessions)
    return exact, of_user


def _listed(facts: Facts, row: int) -> set[int]:
    """The sessions of a row of `allocations`."""
    listed = facts.word(int(facts["allocations"]["session_ids"][row]))
    return {int(number) for number in listed.split(", ") if number}


# Harm


def harm_to_gathering(facts: Facts, session: int) -> int:
    """Error if the session never connected, or none is known; what did not keep it from connecting is a warning."""
    if session == MISSING:
        return ERROR
    connected = not np.isnan(facts["sessions"]["time_to_connect_s"][session - 1])
    return ERROR if facts.not_working[session - 1] and not connected else WARNING


def harm_to_relay(facts: Facts, session: int, relayed: Iterable[int]) -> int:
    """Error if the session is broken and could have been using this relay."""
    if session == MISSING:
        return ERROR
    sessions = facts["sessions"]
    nominated = {int(sessions[name][session - 1]) for name in ("nominated_src", "nominated_dst")}
    used = nominated == {MISSING} or bool(nominated & set(relayed))
    return ERROR if facts.not_working[session - 1] and used else WARNING


# Words


def relay_said(facts: Facts, row: int) -> str:
    """The relayed address of a row of `allocations`."""
    relayed = int(facts["allocations"]["relayed"][row])
    return facts.text(relayed) if relayed >= 0 else "(of unknown address)"


def clients_said(facts: Facts, ends: Iterable[int]) -> str:
    """`10.0.0.1:5000`, `10.0.0.1:5000 and 10.0.0.2:5000`, or the first and how many more there are."""
    texts = list(dict.fromkeys(facts.text(end) for end in ends))
    if len(texts) <= 2:
        return " and ".join(texts)
    return f"{texts[0]} and {len(texts) - 1} more"


def seen(facts: Facts, name: str, said: Iterable[tuple[str, int, Iterable[int]]]) -> tuple[Evidence, ...]:
    """Evidence from rows of a table: what was seen, row, frames; the first few that differ."""
    lines: dict[tuple[str, int], Evidence] = {}
    for words, row, frames in said:
        lines.setdefault((words, int(facts[name]["vantage"][row])), facts.shown_by(words, name, row, *frames))
    return tuple(list(lines.values())[:LINES])
