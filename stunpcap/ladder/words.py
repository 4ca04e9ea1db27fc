"""What stands beside an arrow: requests, answers and folds, in the RFCs' words."""

from __future__ import annotations

from typing import Any

from stunpcap.ladder.story import Fold
from stunpcap.words import error_words, many

REQUESTS = {
    "check": "check",
    "consent": "consent check",
    "gather": "Binding request",
    "keepalive": "Binding request, to keep the mapping",
    "allocate": "Allocate request",
    "refresh": "Refresh request",
    "permission": "CreatePermission request",
    "channel-bind": "ChannelBind request",
    "connect": "Connect request",
    "connection-bind": "ConnectionBind request",
    "connection-attempt": "ConnectionAttempt",
    "shared-secret": "Shared Secret request",
}
"""`transactions.kind` -> what the request is called."""

FOLDED = {
    "success": "answered",
    "error": "refused",
    "icmp": "rejected with ICMP",
    "other-address": "answered from or to another address",
    "orphan": "not captured but for the answer",
}
"""Outcome -> what is said of requests that are folded; silence is said where nothing else is."""

Row = dict[str, Any]


def request_words(row: Row, message: Row, until: float | None) -> str:
    """A request; `row` is its transaction, `message` the message (empty if it is not at hand)."""
    said = REQUESTS.get(row["kind"], f"{row['method']} request")
    if row["kind"] == "allocate" and row["username"] is not None:
        said += " with credentials"
    if row["kind"] == "refresh" and message.get("lifetime_s") == 0:
        said = "Refresh request: give the allocation back"
    if message.get("channel") is not None and row["kind"] == "channel-bind":
        said += f" 0x{message['channel']:04x}"
    if message.get("peer") and row["kind"] in ("permission", "channel-bind", "connect"):
        peer = message["peer"]
        said += f" for {peer.rpartition(':')[0].strip('[]') if row['kind'] == 'permission' else peer}"
    if row["nominating"]:
        said += ", nominating"
    if row["carrier"] != "plain":
        said += f", inside TURN ({row['carrier']})"
    if row["transmissions"] > 1:
        said += f", sent {row['transmissions']} times"
        said += f" until {moment(until)}" if until is not None else ""
    return said


def silence_words(row: Row, fate: str) -> str:
    """Why no answer is shown for a request."""
    match fate:
        case "rejected":
            return f"ICMP {row['icmp']}, frame {row['icmp_frame']}" if row["icmp"] else "rejected with ICMP"
        case "lost":
            return "no answer: lost on its way"
        case "ignored":
            return "arrived, no answer seen"
        case "open":
            return "no answer when the capture ended"
        case _:
            return "no answer seen"


def answer_words(row: Row, message: Row, fate: str, *, orphan: bool) -> str:
    """An answer; see `request_words`."""
    if row["error_code"] is not None or message.get("class") == "error":
        said = f"error {error_words(row['error_code'])}" if row["error_code"] is not None else "error without a code"
    else:
        said = "success"
    if message.get("relayed"):
        said += f": relayed address {message['relayed']}"
        said += f" for {message['lifetime_s']} s" if message.get("lifetime_s") else ""
    if row["mapped"] and row["mapped"] != row["src"]:
        said += f", seen as {row['mapped']}" if said != "success" else f": seen as {row['mapped']}"
    if row["outcome"] == "other-address":
        wrong = []
        if row["response_src"] != row["dst"]:
            wrong.append(f"from {row['response_src']}, but {row['dst']} was asked")
        if row["response_dst"] != row["src"]:
            wrong.append(f"to {row['response_dst']}, but {row['src']} had asked")
        said += f" {' and '.join(wrong)}: discarded"
    if fate == "lost":
        said += ", but it was asked again after that" if row["unheard"] else ", lost on the way back"
    if orphan:
        said += ", its request was not captured"
    return said


def fold_words(fold: Fold, kinds: set[str], until: float) -> str:
    """`… 7 more checks, no answer until 15.2 s`."""
    number = len(fold.rows)
    if kinds == {"consent"}:
        what = many(number, "more consent check")
    elif kinds <= {"check", "consent"}:
        what = many(number, "more check")
    elif len(kinds) == 1:
        name = REQUESTS.get(next(iter(kinds)), "request").partition(",")[0]
        what = many(number, f"more {name}")
    else:
        what = many(number, "more request")
    said = [
        f"{'' if some == number else f'{some:,} '}{words}"
        for outcome, words in FOLDED.items()
        if (some := fold.outcomes.get(outcome, 0))
    ]
    if fold.outcomes.get("success") == number > 1:
        said = ["all answered"]
    said = said or ["no answer"]
    packets = f" ({fold.repeated + number:,} packets)" if fold.repeated else ""
    return f"… {what}{packets}, {', '.join(said)} until {moment(until)}"


def moment(seconds: float) -> str:
    """Seconds from the beginning, as they stand beside arrows."""
    return f"{seconds:.3f} s" if seconds < 1 else f"{seconds:.1f} s"
