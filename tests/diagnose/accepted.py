"""Verdicts that differ from a label and are still what an honest engineer would say from that capture alone.

Each has its reason, which follows from how the network was built and from where the capture was taken, not from what
stunpcap happens to say.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Accepted:
    """What else may be said at a place."""

    causes: tuple[str, ...]
    "Root causes; an empty text: none."
    reason: str
    states: tuple[str, ...] = ()
    "States besides the label's."
    any_direction: bool = False
    "The right cause, and no direction or another."
    named: tuple[str, ...] = ()
    "What may be said besides, though the label calls it wrong."


_RECEIVER = Accepted(
    ("no-answer",),
    "the dead direction ends before this place: what the other agent sends never gets here, so that silence is all "
    "there is to see",
)
_BEHIND_NAT = Accepted(
    ("one-way-loss",),
    "what the NAT makes of the offerer's packets, and that the answers to them die on the other side of it, cannot be "
    "seen from behind it",
    any_direction=True,
)
_BESIDE_NAT = Accepted(
    ("one-way-loss",),
    "the answerer's requests take the other way and never pass here, nor does the offerer's own address show",
    any_direction=True,
)
_AT_SERVER = Accepted(
    ("",),
    "the agents ask the server for their outside addresses and never send it a check: it sees nothing of the call",
    ("none",),
)
_BEFORE_RESET = Accepted(
    ("", "no-answer"),
    "the router resets the answerer's TCP on its other side: no TCP comes by here, and the capture ends with the "
    "offerer's last check",
    ("checking",),
)
_BEFORE_DROP = Accepted(("",), "media goes both ways past this place: what the router drops has still to come")

_SIDE_WAY = Accepted(
    ("no-answer", "agent-silent", "host-only"),
    "the offerer's packets leave by the VPN: here is silence, whether they were sent or not",
    any_direction=True,
)
_UNTIL_THE_LAST = ("checking",)
"""Firefox sends each check seven times, the last after 6 s, and then nothing: the capture may end with that."""
_NOTHING_LEAVES = Accepted(
    ("no-answer", "consent-lost", "one-way-loss"),
    "nothing of the other agent passes: whether it is silent, or what it sends is lost before this place, is not seen",
    ("checking",),
    any_direction=True,
)
_NAME_IN_DNS = Accepted(
    ("no-answer", "host-only"),
    "that no server was ever asked is all that is read of it: the name's question in DNS is not",
    any_direction=True,
)
_SERVER_AWAY = Accepted(
    ("consent-lost",),
    "nothing comes through the relay any more: the server, or what lies behind it, no request to it in that time tells",
    any_direction=True,
)
_INTO_VPN = Accepted(
    (), "on the VPN's interface packets leave, and what becomes of them cannot be seen", any_direction=True
)
_BEHIND_RELAY = Accepted(
    ("no-answer",),
    "nothing comes back through the relay: whether the server's firewall or the peer's network drops it is not seen "
    "here",
)

ACCEPTED: dict[str, Accepted] = {
    "agent-frozen*/*": _NOTHING_LEAVES,
    "output-dropped/*": _NOTHING_LEAVES,
    "candidates-too-late/*": Accepted(
        ("no-answer", "relay-needed", ""),
        "checks of one agent, and none of the other: why it sends none is not seen",
        ("none",),
    ),
    "firefox-no-candidates/*": Accepted(
        ("no-answer", "relay-needed", ""),
        "checks of one agent, and none of the other: why it sends none is not seen",
        ("none",),
    ),
    "relay-egress-blocked/*": Accepted(
        ("no-answer", "relay-ports-closed", "one-way-loss", "relay-needed"),
        "whose firewall closes the relay's ports is seen at the server alone",
        any_direction=True,
    ),
    "firefox-relay-ports-dropped/offerer": _BEHIND_RELAY,
    "firefox-relay-ports-dropped/server": Accepted(
        (), "outside the answerer's NAT the direction begins at the NAT's address", any_direction=True
    ),
    "firefox-dtls-large-lost/*": Accepted(
        ("dtls-one-way",),
        "of the large flight nothing arrives here: that others did is seen elsewhere",
        any_direction=True,
    ),
    "firefox-nats-*/server": _AT_SERVER,
    "turn-alternate/server": Accepted(("",), "the clients were sent to another server", ("none",)),
    "janus-consent-lost/*": Accepted(
        ("consent-lost", ""), "the direction follows from what still arrives", ("connected",), any_direction=True
    ),
    "colliding-networks/*": Accepted(("agent-gone", "hung-up"), "how the call ended: the other was not told"),
    "server-name-*/*": _NAME_IN_DNS,
    "turn-vanishes/*": _SERVER_AWAY,
    "turn-tls-refused/*": Accepted(
        ("no-answer", ""),
        "TLS is not looked into: that the relay was refused in it is not told",
        ("none",),
        any_direction=True,
    ),
    "*firefox*asymmetric*/offerer": Accepted(
        ("one-way-loss", "one-way-nat"), _BEHIND_NAT.reason, _UNTIL_THE_LAST, any_direction=True
    ),
    "*firefox*asymmetric*/nat-a-outside": Accepted(
        ("one-way-loss", "one-way-nat"), _BESIDE_NAT.reason, _UNTIL_THE_LAST, any_direction=True
    ),
    "firefox-asymmetric-dead/*": Accepted(
        ("one-way-nat",),
        "Firefox sends nothing after its seventh transmission: the capture ends with it",
        ("checking",),
    ),
    "janus-announces-private/*": Accepted(
        ("no-answer", "host-only", "announced-address-unreachable"),
        "all that the other side offers is private: that it is a server's is not known from packets",
        any_direction=True,
        named=("host-only",),
    ),
    "janus-lite-answers-lost/*": Accepted(
        ("no-answer",), "the server's answers die before this place: silence is all there is to see", any_direction=True
    ),
    "janus-lite-port-closed/*": Accepted(
        ("one-way-loss", ""),
        "Janus sends a check of its own, three times, and it arrives and is answered: one direction works",
        ("checking",),
        any_direction=True,
    ),
    "multihomed/offerer": Accepted(
        ("no-answer",), "one interface of two: the answers leave by the other", ("checking",)
    ),
    "nat-pool/server": _AT_SERVER,
    "no-common-family/server": Accepted(("",), "at the server: of the call nothing passes", ("none",)),
    "turn-tcp-*/answerer": Accepted(
        ("consent-lost", ""), _SERVER_AWAY.reason, ("closed", "connected"), any_direction=True
    ),
    "turn-tcp-*/server": Accepted(
        ("consent-lost", ""), _SERVER_AWAY.reason, ("closed", "connected"), any_direction=True
    ),
    "turn-tcp-*/together": Accepted(
        ("",), "the other agent ends the call in the same moment", ("closed",), any_direction=True
    ),
    "turn-tcp-*/nat-a-outside": Accepted(
        (), "outside the NAT the connection begins at the NAT's address", any_direction=True
    ),
    "cut-icmp-one-way/answerer": Accepted(
        ("consent-lost",), "the router's errors go to the other side: here is silence", any_direction=True
    ),
    "stun-one-side/offerer": Accepted(
        ("no-answer",), "what the answerer asked of servers does not pass here: it may have asked some"
    ),
    "turn-tls-refused/server": _AT_SERVER,
    "stale-credentials-libjuice/*": Accepted(
        ("credentials-mismatch",),
        "the agent that gave up last has its last two checks refused: its peer had closed its port",
        any_direction=True,
        named=("icmp-rejected",),
    ),
    "vpn-*/offerer": _SIDE_WAY,
    "vpn-*/answerer": _SIDE_WAY,
    "vpn-*/offerer-vpn": _INTO_VPN,
    "vpn-*/together": _INTO_VPN,
    "relay-ports-*/offerer": _BEHIND_RELAY,
    "relay-ports-*/server": Accepted(
        (), "outside the answerer's NAT the direction begins at the NAT's address", any_direction=True
    ),
    "turn-announces-private/answerer": Accepted(
        ("no-answer",), "a private address that the peer offers: that it is a relay's is not known at this place"
    ),
    "turn-announces-private/server": Accepted(
        ("no-answer",), "at the server the address is its own: that it is private matters outside only"
    ),
    "stun-behind-nat/server": Accepted(
        ("",), "at the server the client's packets come from its neighbour: nothing of the call passes", ("none",)
    ),
    "cgnat-*/cgn-outside": Accepted(("",), "the agents' checks never leave the carrier's NAT", ("none",)),
    "*-one-way-drop/answerer": _RECEIVER,
    "one-way-drop/answerer": _RECEIVER,
    "one-way-drop/router-b": _RECEIVER,
    "capture-ended-early/answerer": Accepted(
        ("no-answer", ""),
        "less than a second of checks without an answer, which is also how every call begins",
    ),
    "capture-ended-early/offerer": Accepted(
        ("",), "less than a second of checks without an answer, which is also how every call begins"
    ),
    "dead-interface/offerer-vpn": Accepted(
        ("no-answer",),
        "nothing else of the call passes this interface: ten checks that nobody answers, and then no more",
        ("checking",),
    ),
    "signalling-in-capture-dead/answerer": _RECEIVER,
    "asymmetric-firewall/answerer": _RECEIVER,
    "asymmetric-firewall/nat-a-outside": Accepted(
        (),
        "outside the NAT the direction begins at the NAT's address, not at the offerer's",
        any_direction=True,
    ),
    "*asymmetric-dead*/offerer": _BEHIND_NAT,
    "*asymmetric-dead*/nat-a-outside": _BESIDE_NAT,
    "asymmetric-ignores-prflx/offerer": Accepted(
        ("",),
        "at this side ICE has succeeded: its checks were answered and it nominated; that the answerer has no valid "
        "pair is seen at the answerer only",
        ("connected",),
    ),
    "asymmetric-ignores-prflx/nat-a-outside": Accepted(
        ("",),
        "the checks that pass here are answered; those that failed took the other way",
        ("connected",),
    ),
    "nats-host-only/offerer": Accepted(
        ("no-answer",),
        "nothing at an agent tells its NAT from a router that drops both ways (`both-ways-drop` looks the same)",
    ),
    "nats-host-only/answerer": Accepted(
        ("no-answer",),
        "nothing at an agent tells its NAT from a router that drops both ways (`both-ways-drop` looks the same)",
    ),
    "stun-one-side/nat-b-outside": Accepted(
        ("no-answer",),
        "what the answerer asked, or did not ask, of servers elsewhere need not pass here",
    ),
    "capture-no-stun/server": Accepted(("",), "no STUN passes here: the call goes elsewhere", ("none",)),
    "turn-tls*/*": Accepted(
        ("",), "everything between agents and server is encrypted: no check is seen, and nothing to judge", ("none",)
    ),
    "turn-quota/server": Accepted((), "no relay was granted, so no check passes the server: no session", ("none",)),
    "turn-wrong-password/server": Accepted(
        (), "no relay was granted, so no check passes the server: no session", ("none",)
    ),
    "udp-blocked/answerer": Accepted(
        ("no-answer",), "what the offerer asks of the server is dropped at its own router and never comes here"
    ),
    "udp-blocked/server": Accepted(
        ("no-answer",),
        "of the offerer, whose UDP is blocked, no packet reaches the server: its silence has no reason here",
    ),
    "turn-allocation-expired/answerer": Accepted(
        ("", "consent-lost"), "it was the other side's relay that expired: here the peer just falls silent"
    ),
    "turn-mismatch/answerer": Accepted(
        ("", "consent-lost", "icmp-rejected"),
        "this agent needs no relay, and no packet here says that its peer's address is one",
    ),
    "gave-up-early/*": Accepted(
        ("", "no-answer"),
        "nothing follows the last transmission, so each capture ends with it: that the agents stopped then, and not "
        "the captures, cannot be seen",
        ("checking",),
    ),
    "ice-tcp-refused/together": Accepted(
        (), "the offerer's capture ends with its last check: that it gave up then cannot be seen", ("checking",)
    ),
    "ice-tcp-refused/offerer": _BEFORE_RESET,
    "ice-tcp-refused/router-a": _BEFORE_RESET,
    "dtls-one-way/answerer": Accepted(
        (),
        "at the client nothing tells a ClientHello that was lost from an answer that was",
        any_direction=True,
    ),
    "dtls-large-lost/answerer": Accepted(
        ("dtls-one-way",),
        "here both datagrams of the ClientHello leave, and nothing comes back: that only the large one is lost is seen "
        "behind the router",
    ),
    "media-one-way/offerer": _BEFORE_DROP,
    "media-one-way/router-a": _BEFORE_DROP,
    "aiortc-nats-symmetric/server": _AT_SERVER,
    "libnice-nats-stun/server": _AT_SERVER,
    "nat-symmetric-one-end/server": _AT_SERVER,
    "nat-symmetric-one-end-open/server": _AT_SERVER,
    "nats-stun/server": _AT_SERVER,
    "nats-symmetric-stun/server": _AT_SERVER,
}
"""`scenario/vantage`, in which * stands for anything -> what is acceptable there; the first that fits counts."""
