"""Rules about permissions and channels: what a client sends through its relay without the server's leave.

Servers drop such data in silence.  So both rules ask for the silence, too: what still comes back through the relay
shows that the server has its own idea of what it granted, and nothing is wrong then.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stunpcap.diagnose import servers
from stunpcap.diagnose.clients import Case, harm_to_relay, relay_cases, relay_said, seen
from stunpcap.diagnose.facts import SECOND, Facts, known
from stunpcap.diagnose.finding import ERROR, SEEN, SILENCE, Evidence, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.diagnose.wording import seconds
from stunpcap.ice.columns import Ints, find, pick
from stunpcap.schema import CARRIER, GRANT_STATE
from stunpcap.sorting import values_in
from stunpcap.table import MISSING, NAT

GRACE = 5 * SECOND
"""How much longer than 300 or 600 s a server may allow something, and packets be under way."""
CHANNEL = CARRIER.index("channel")
GRANTED = (GRANT_STATE.index("active"), GRANT_STATE.index("expired"))


class Sent:
    """What clients sent through their relays, flow by flow, and what allowed it."""

    def __init__(self, facts: Facts, rows: Ints, of_relay: Ints, grant: Ints, table: str) -> None:
        self.facts, self.rows, self.of_relay, self.grant = facts, rows, of_relay, grant
        flows, grants, relays = facts["flows"], facts[table], facts["allocations"]
        state = pick(grants["state"], grant)
        self.expires = np.where(np.isin(state, GRANTED), pick(grants["expires"], grant, NAT), NAT)
        never = grant < 0
        over = np.isin(state, GRANTED) & (flows["last_time"][rows] > self.expires + GRACE)
        ended = relays["ended"][of_relay]
        over &= (ended == NAT) | (ended > self.expires + GRACE)  # else its allocation is what ended
        self.dropped = (never | over) & (self._heard() <= np.where(never, NAT, self.expires + GRACE))

    def _heard(self) -> Ints:
        """When something last came back through the relay: from the same peer, or on the same channel."""
        flows, rows = self.facts["flows"], self.rows
        carried = np.flatnonzero(flows["carrier"] != CARRIER.index("plain"))
        carried = carried[np.argsort(flows["last_time"][carried], kind="stable")]
        latest = np.full(len(rows), NAT, np.int64)
        for wanted, theirs in ((("dst", "src"), ("src", "dst")), (("channel_number",) * 2, ("channel_number",) * 2)):
            back = carried if wanted[0] == "dst" else carried[flows["channel_number"][carried] >= 0]
            found = find(
                [flows[name][rows] for name in ("vantage", "carrying_dst", "carrying_src", *wanted)],
                [flows[name][back] for name in ("vantage", "carrying_src", "carrying_dst", *theirs)],
            )
            latest = np.maximum(latest, pick(flows["last_time"][back], found, NAT))
        return latest

    def cases(self) -> Iterator[tuple[Case, Ints]]:
        """Those that were dropped, by session and server: with positions of the flows."""
        relays = self.facts["allocations"]
        bad = np.flatnonzero(self.dropped)
        for case in relay_cases(self.facts, values_in(self.of_relay[bad])):
            mine = bad[np.isin(self.of_relay[bad], case.rows)]
            yield case, mine[np.argsort(relays["created"][self.of_relay[mine]], kind="stable")]


def _relay_of(facts: Facts, rows: Ints) -> Ints:
    """For each of these flows the allocation that carries it, if it was seen granted; -1 else, or if it had gone."""
    relays, flows = facts["allocations"], facts["flows"]
    good = np.flatnonzero(relays["created"] > NAT)
    found = find(
        [flows[name][rows] for name in ("vantage", "carrying_src", "carrying_dst")],
        [relays[name][good] for name in ("vantage", "client", "server")],
    )
    of_relay = pick(good, found)
    begun = pick(relays["created"], of_relay, NAT) <= flows["last_time"][rows]
    return np.where(begun & (of_relay >= 0), of_relay, MISSING)


def _flow_words(facts: Facts, row: int, to: str) -> tuple[str, int, list[int]]:
    flows = facts["flows"]
    lasted = seconds(int(flows["last_time"][row] - flows["first_time"][row]))
    return f"{int(flows['packets'][row])} packets {to} in {lasted}", row, [int(flows["first_frame"][row])]


@rule("turn-permission-missing", ERROR, "RFC 8656 section 9", "RFC 8656 section 11.2")
def turn_permission_missing(facts: Facts) -> Iterator[Hit]:
    """A client sends through its relay to a peer that it has no permission for: the server drops it.

    Evidence: data in Send indications, or in a channel, to a peer whose permission was never asked for or is older than
    300 s without a refresh; and nothing comes back from that peer through the relay any more. The server drops what the
    peer sends, too.

    Likely cause: a fault of the client's TURN stack (no CreatePermission for a candidate that came late, no refresh of
    it), or a lost CreatePermission request. Permissions are for an address with all its ports.

    Not to be confused with: `turn-forbidden`, where the permission was asked for and refused;
    `turn-allocation-expired`, where the whole relay is gone; `turn-channel-expired`, where the channel is.

    What to try: look at the client's CreatePermission requests: each peer address needs one, and another before 300 s
    are over.
    """
    flows, relays, grants = facts["flows"], facts["allocations"], facts["permissions"]
    address_of = facts.host_of
    rows = np.flatnonzero(flows["carrier"] == CARRIER.index("send"))
    through = np.flatnonzero(flows["carrier"] == CHANNEL)
    rows = np.concatenate([rows, through[_channel_of(facts, through) >= 0]])
    of_relay = _relay_of(facts, rows)
    rows, of_relay = rows[of_relay >= 0], of_relay[of_relay >= 0]
    if not len(rows):
        return
    order = np.argsort(grants["expires"], kind="stable")
    own = [grants[name][order] for name in ("vantage", "client", "server")]
    found = find(
        [*(flows[name][rows] for name in ("vantage", "carrying_src", "carrying_dst")), address_of[flows["dst"][rows]]],
        [*own, address_of[grants["peer"][order]] if len(order) else own[0]],
    )
    sent = Sent(facts, rows, of_relay, pick(order, found), "permissions")
    for case, positions in sent.cases():
        lead = int(positions[0])
        flow, relay = int(rows[lead]), int(of_relay[lead])
        expired = sent.grant[lead] >= 0
        client, server = facts.text(int(relays["client"][relay])), facts.text(case.server)
        peers = list(dict.fromkeys(facts.host(int(flows["dst"][rows[one]])) for one in positions))
        after = seconds(int(flows["last_time"][flow] - sent.expires[lead])) if expired else ""
        why = (
            f"its permission for {peers[0]} ended {after} before the last packet"
            if expired
            else f"it never asked for a permission for {peers[0]}"
        )
        yield Hit(
            summary=f"{client} sends through its relay {relay_said(facts, relay)} to "
            f"{', '.join(peers[:3])}, but {why}: the TURN server {server} drops such data, and nothing comes back.",
            evidence=[
                *seen(facts, "flows", (_sent_to(facts, int(rows[one])) for one in positions.tolist())),
                *_granted(facts, "permissions", int(sent.grant[lead]), f"permission for {peers[0]}"),
            ],
            advice=servers.ask_permission(peers[0], bool(expired)),
            ground=SEEN if expired else SILENCE,
            severity=harm_to_relay(facts, case.session, relays["relayed"][case.everywhere].tolist()),
            session=case.session,
            src=int(relays["relayed"][relay]),
            dst=int(flows["dst"][flow]),
            time=int(sent.expires[lead] if expired else flows["first_time"][flow]),
        )


def _sent_to(facts: Facts, row: int) -> tuple[str, int, list[int]]:
    return _flow_words(facts, row, f"through the relay to {facts.text(int(facts['flows']['dst'][row]))}")


def _granted(facts: Facts, name: str, row: int, what: str) -> list[Evidence]:
    """When something was granted last, as evidence; nothing if it never was."""
    if row < 0:
        return []
    table = facts[name]
    count = int(table["refreshes"][row])
    frames = known((int(table["first_frame"][row]), int(table["last_frame"][row])))
    return [facts.shown_by(f"{what} granted, and refreshed {count} times", name, row, *frames)]


def _channel_of(facts: Facts, rows: Ints) -> Ints:
    """For each flow in a channel the last binding of its number that was granted, or asked for; -1 if there is none."""
    flows, channels = facts["flows"], facts["channels"]
    order = np.argsort(channels["expires"], kind="stable")
    found = find(
        [flows[name][rows] for name in ("vantage", "carrying_src", "carrying_dst", "channel_number")],
        [channels[name][order] for name in ("vantage", "client", "server", "channel")],
    )
    bindings: Ints = pick(order, found)
    return bindings


@rule("turn-channel-expired", ERROR, "RFC 8656 section 12", "RFC 8656 section 12.4")
def turn_channel_expired(facts: Facts) -> Iterator[Hit]:
    """A client sends ChannelData on a channel that is not bound, or not any more: the server drops it.

    Evidence: ChannelData with a number that the client never bound on this allocation, or bound over 600 s ago without
    binding it again; and nothing comes back on that channel any more.

    Likely cause: a fault of the client's TURN stack, or a ChannelBind request that was lost.

    Not to be confused with: `turn-allocation-expired` and `turn-mismatch`, where the whole relay is gone;
    `turn-permission-missing`, where only the permission has lapsed: it lasts 300 s, a channel 600 s, and binding renews
    both.

    What to try: look at the client's ChannelBind requests: each channel needs another one before 600 s are over.
    """
    flows, relays = facts["flows"], facts["allocations"]
    rows = np.flatnonzero(flows["carrier"] == CHANNEL)
    of_relay = _relay_of(facts, rows)
    rows, of_relay = rows[of_relay >= 0], of_relay[of_relay >= 0]
    if not len(rows):
        return
    sent = Sent(facts, rows, of_relay, _channel_of(facts, rows), "channels")
    for case, positions in sent.cases():
        lead = int(positions[0])
        flow, relay = int(rows[lead]), int(of_relay[lead])
        number, expired = int(flows["channel_number"][flow]), sent.grant[lead] >= 0
        client, server = facts.text(int(relays["client"][relay])), facts.text(case.server)
        peer = facts.text(int(flows["dst"][flow])) if expired else ""
        after = seconds(int(flows["last_time"][flow] - sent.expires[lead])) if expired else ""
        why = f"it expired {after} before the last packet" if expired else "it never bound that number"
        yield Hit(
            summary=f"{client} sends on channel 0x{number:04x}{f' to {peer}' if peer else ''}, but {why}: the TURN "
            f"server {server} drops such data, and nothing comes back on it.",
            evidence=[
                *seen(
                    facts,
                    "flows",
                    (
                        _flow_words(facts, int(rows[one]), f"on channel 0x{flows['channel_number'][rows[one]]:04x}")
                        for one in positions.tolist()
                    ),
                ),
                *_granted(facts, "channels", int(sent.grant[lead]), f"channel 0x{number:04x} for {peer}"),
            ],
            advice=servers.bind_again(number, peer, bool(expired)),
            ground=SEEN if expired else SILENCE,
            severity=harm_to_relay(facts, case.session, relays["relayed"][case.everywhere].tolist()),
            session=case.session,
            src=int(relays["client"][relay]),
            dst=case.server,
            time=int(sent.expires[lead] if expired else flows["first_time"][flow]),
        )
