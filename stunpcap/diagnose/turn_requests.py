"""Requests to TURN servers and what was answered, for the rules about relays: what each asked for, and what mended it.

Everything is looked up for many rows at once: a server's capture may hold refusals by the ten thousand.
"""

from __future__ import annotations

import functools

import numpy as np

from stunpcap.diagnose.addresses import Mask
from stunpcap.diagnose.clients import Case, harm_to_gathering, harm_to_relay
from stunpcap.diagnose.facts import Facts
from stunpcap.diagnose.finding import WARNING
from stunpcap.ice.columns import Ints, find, pick
from stunpcap.schema import CLASS, INTEGRITY
from stunpcap.sorting import among
from stunpcap.stun.registry import ERROR_BY_CODE
from stunpcap.stun.render import printable
from stunpcap.table import MISSING, NAT

CHALLENGE, FORBIDDEN, MISMATCH, STALE = 401, 403, 437, 438
RELAY_KINDS = ("allocate", "refresh", "permission", "channel-bind", "connect", "connection-bind")
GRANTS = ("permission", "channel-bind", "connect")
PHRASE = 80
"""Characters of a server's reason phrase that are quoted."""


class Requests:
    """Transactions with TURN servers, and what their messages held."""

    def __init__(self, facts: Facts) -> None:
        self.facts, self.table = facts, facts["transactions"]
        self.of_turn: Mask = facts.has("transactions", "kind", *RELAY_KINDS)

    def _message(self, cls: str) -> Ints:
        """For each transaction the row of its last message of a class; -1 where none was captured."""
        messages, of = self.facts["messages"], self.facts.of_message
        mine = np.flatnonzero((messages["class"] == CLASS.index(cls)) & (of >= 0))
        rows = np.full(len(self.table), MISSING, np.int64)
        rows[of[mine]] = mine
        return rows

    @functools.cached_property
    def _request(self) -> Ints:
        return self._message("request")

    @functools.cached_property
    def _refusal(self) -> Ints:
        return self._message("error")

    def asked(self, name: str, rows: Ints) -> Ints:
        """A column of the requests of these transactions."""
        values: Ints = pick(self.facts["messages"][name], self._request[rows])
        return values

    def asked_once(self, name: str, row: int) -> str:
        """A text in the request of one transaction, without what a terminal would not print."""
        return printable(self.facts.word(int(self.asked(name, np.array([row]))[0])))

    def with_code(self, *codes: int) -> Ints:
        """Rows that were answered with one of these error codes."""
        return np.flatnonzero(self.of_turn & among(self.table["error_code"], codes))

    def with_credentials(self, rows: Ints) -> Ints:
        """Those of the rows whose request carried MESSAGE-INTEGRITY."""
        picked: Ints = rows[self.asked("integrity", rows) > INTEGRITY.index("absent")]
        return picked

    def lasting(self, rows: Ints) -> Ints:
        """Those of the rows after which no request of that kind from the same client to that server succeeded."""
        table = self.table
        good = np.flatnonzero(self.of_turn & self.facts.has("transactions", "outcome", "success"))
        names = ("vantage", "src", "dst", "transport", "kind")
        order = good[np.argsort(table["first_time"][good], kind="stable")]
        latest = find([table[name][rows] for name in names], [table[name][order] for name in names])
        picked: Ints = rows[pick(table["first_time"][order], latest, NAT) <= table["first_time"][rows]]
        return picked

    @functools.cached_property
    def _granted(self) -> Ints:
        """Permissions, channels and connections that were granted."""
        good = self.facts.has("transactions", "outcome", "success")
        return np.flatnonzero(good & self.facts.has("transactions", "kind", *GRANTS))

    def grants(self, rows: Ints) -> Mask:
        """Which of the rows ask for a permission, a channel or a connection."""
        return np.isin(self.table["kind"][rows], self.facts.code("transactions", "kind", *GRANTS))

    def same_peer_granted(self, rows: Ints) -> Mask:
        """Whether the same client was granted the same peer at another time."""
        own, theirs = self._hosts(rows, MISSING), self._hosts(self._granted, MISSING - 1)
        return self._among(rows, self._granted, own, theirs)

    def any_peer_granted(self, rows: Ints) -> Mask:
        """Whether the same client was granted any peer by that server."""
        return self._among(rows, self._granted)

    def _hosts(self, rows: Ints, absent: int) -> Ints:
        peers = self.asked("peer", rows)
        return np.where(peers >= 0, self.facts.host_of[peers], absent)

    def _among(self, rows: Ints, known: Ints, *more: Ints) -> Mask:
        names = ("vantage", "src", "dst")
        wanted = [self.table[name][rows] for name in names] + list(more[:1])
        return find(wanted, [self.table[name][known] for name in names] + list(more[1:])) >= 0

    def allowed(self, case: Case) -> list[str]:
        """Peers that the clients of a case were allowed to send to."""
        clients = set(self.table["src"][case.everywhere].tolist())
        found = [peer for client in sorted(clients) for peer in self._peers.get((client, case.server), ())]
        return hosts(self.facts, np.array(found, np.int64))

    @functools.cached_property
    def _peers(self) -> dict[tuple[int, int], list[int]]:
        found: dict[tuple[int, int], list[int]] = {}
        columns = (*(self.table[name][self._granted] for name in ("src", "dst")), self.asked("peer", self._granted))
        for client, server, peer in zip(*(column.tolist() for column in columns), strict=True):
            found.setdefault((client, server), []).append(peer)
        return found

    def granted_elsewhere(self, rows: Ints) -> bool:
        """Whether the hosts of all these rows were given a relayed address, by whatever server."""
        address_of = self.facts.host_of
        here = zip(self.table["vantage"][rows].tolist(), address_of[self.table["src"][rows]].tolist(), strict=True)
        return all(one in self._with_relay for one in here)

    @functools.cached_property
    def _with_relay(self) -> set[tuple[int, int]]:
        """Captures and hosts that were given a relayed address."""
        good = self.facts.has("transactions", "kind", "allocate") & self.facts.has("transactions", "outcome", "success")
        hosts = self.facts.host_of[self.table["src"][good]]
        return set(zip(self.table["vantage"][good].tolist(), hosts.tolist(), strict=True))

    @functools.cached_property
    def _relayed(self) -> dict[int, set[int]]:
        """Server -> all relayed addresses that it gave."""
        relays = self.facts["allocations"]
        found: dict[int, set[int]] = {}
        for server, relayed in zip(relays["server"].tolist(), relays["relayed"].tolist(), strict=True):
            found.setdefault(server, set()).add(relayed)
        return found

    def relay_harm(self, case: Case) -> int:
        """How bad it is that something about an existing relay was refused."""
        return harm_to_relay(self.facts, case.session, self._relayed.get(case.server, set()) - {MISSING})

    def harm(self, case: Case) -> int:
        """How bad it is that these were refused: not very where the same hosts got a relay all the same."""
        if not self.facts.have("transactions", case.rows, "kind", "allocate").all():
            return self.relay_harm(case)
        return WARNING if self.granted_elsewhere(case.rows) else harm_to_gathering(self.facts, case.session)

    # Words

    def reason(self, row: int) -> str:
        """What the server itself wrote beside the code, where that says more than the code's name."""
        text = self.facts.word(int(pick(self.facts["messages"]["error_reason"], self._refusal[[row]])[0]))
        known = ERROR_BY_CODE.get(int(self.table["error_code"][row]))
        if not text or (known and text.lower() == known.name.lower()):
            return ""
        return f' ("{printable(text[:PHRASE])}")'

    def answer(self, row: int, more: str = "") -> tuple[str, int, list[int]]:
        """A request and its refusal, as evidence; with its peer, if it named one."""
        table = self.table
        method = method_words(self.facts.word(int(table["method"][row])))
        peer = int(self.asked("peer", np.array([row]))[0])
        whom = f" for peer {self.facts.host(peer)}" if peer >= 0 else ""
        said = f"{method} request from {self.facts.text(int(table['src'][row]))}{whom}{more}: "
        said += code_words(int(table["error_code"][row]))
        return said, row, [int(table["request_frame"][row]), int(table["response_frame"][row])]


def code_words(code: int) -> str:
    """`486 Allocation Quota Reached`."""
    known = ERROR_BY_CODE.get(code)
    return f"{code} {known.name}" if known else f"{code} (a code that no RFC names)"


def method_words(method: str) -> str:
    """A method as the RFCs write it: `CreatePermission`."""
    return method if method.startswith("0x") else "".join(word.capitalize() for word in method.split("-"))


def hosts(facts: Facts, ends: Ints) -> list[str]:
    """Addresses without ports, each once."""
    return list(dict.fromkeys(facts.host(end) for end in ends.tolist() if end >= 0))
