"""From transactions to steps: a request, its answer, what became of both, and the folds of those that are left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from stunpcap.ladder.facts import CHECKS
from stunpcap.ladder.model import NEVER_ARRIVED, Step
from stunpcap.ladder.parties import Parties, Route
from stunpcap.ladder.story import Fold, Run
from stunpcap.ladder.words import answer_words, fold_words, request_words, silence_words
from stunpcap.record import record
from stunpcap.schema import TRANSACTION_KIND
from stunpcap.summary.sessions import host
from stunpcap.table import NAT, Table

Row = dict[str, Any]


@record
class Known:
    """What steps are made from, besides the transactions themselves."""

    mine: Table
    """Transactions of the session and its agents' requests to servers."""
    parties: Parties
    paths: dict[tuple[str, str], str]
    """Direction -> `pairs.path`, in this capture."""
    arrived: frozenset[str]
    """Transaction ids of requests that were captured at their receiver by another capture."""
    messages: dict[tuple[int, str], Row]
    """Frame and class -> message."""
    start_ns: int

    def offset(self, time_ns: int) -> float:
        """Seconds from the beginning."""
        return (time_ns - self.start_ns) / 1e9


def steps_of(run: Run, known: Known) -> Iterator[Step]:
    """The arrows of one request, and the fold behind it."""
    yield from _exchange(run.row, known)
    if run.fold is not None:
        yield from _folded(run.fold, known)


def _exchange(at: int, known: Known) -> Iterator[Step]:
    row = next(known.mine.take(np.array([at])).records())
    first, last = int(known.mine["first_time"][at]), int(known.mine["last_time"][at])
    answered = int(known.mine["response_time"][at])
    orphan = row["outcome"] == "orphan"
    asked = known.parties.route(row["src"], row["dst"])
    if asked is not None and not orphan:
        fate = _request_fate(row, known)
        until = known.offset(last) if row["transmissions"] > 1 else None
        label = request_words(row, known.messages.get((row["request_frame"], "request"), {}), until)
        if fate != "seen":
            label += f": {silence_words(row, fate)}"
        yield _step(row, known, first, row["request_frame"], asked, _event(row), fate, label, until)
    if answered == NAT:
        return
    src, dst = row["response_src"] or row["dst"], row["response_dst"] or row["src"]
    back = known.parties.route(src, dst)
    if back is None:
        return
    cls = "success" if row["error_code"] is None else "error"
    message = known.messages.get((row["response_frame"], cls), {})
    fate = _answer_fate(row, src, dst, known)
    label = answer_words(row, message, fate, orphan=orphan)
    event = "stray" if row["outcome"] == "other-address" else "answer" if cls == "success" else "error"
    way = {"src": src, "dst": dst, "transaction_id": row["transaction_id"], "request_frame": row["request_frame"]}
    yield _step(way, known, answered, row["response_frame"], back, event, fate, label, None, answers=True)


def _folded(fold: Fold, known: Known) -> Iterator[Step]:
    first, last = int(fold.rows[0]), int(fold.rows[-1])
    row = next(known.mine.take(np.array([first])).records())
    route = known.parties.route(row["src"], row["dst"])
    if route is None:
        return
    kinds = {TRANSACTION_KIND[code] for code in np.unique(known.mine["kind"][fold.rows]).tolist()}
    until = known.offset(int(known.mine["last_time"][last]))
    label = fold_words(fold, kinds, until)
    alike = {"icmp": "rejected"}.get(row["outcome"], "seen")
    silent = not fold.outcomes.keys() - {"unanswered", "unfinished"}
    fate = _request_fate(row, known) if silent else alike if len(fold.outcomes) == 1 else "seen"
    step = _step(
        row, known, int(known.mine["first_time"][first]), row["request_frame"], route, "fold", fate, label, until
    )
    yield replace(step, stands_for=len(fold.rows))


def _step(
    row: Row,
    known: Known,
    time_ns: int,
    frame: int | None,
    route: Route,
    event: str,
    fate: str,
    label: str,
    until: float | None,
    answers: bool = False,
) -> Step:
    return Step(
        time_ns=time_ns,
        offset_s=known.offset(time_ns),
        frame=frame,
        source=route.source,
        target=route.target,
        **way_of(route, fate),
        event=event,
        fate=fate,
        label=label,
        src=row["src"],
        dst=row["dst"],
        stands_for=0 if answers else 1,
        until_s=until,
        transaction_id=row["transaction_id"],
        answers=row["request_frame"] if answers else None,
    )


def way_of(route: Route, fate: str) -> dict[str, Any]:
    """How far an arrow goes, and what it passes: on the receiver's side nothing, unless it is known to have arrived."""
    if fate in NEVER_ARRIVED:
        return {"ends": route.back[0] if route.back else route.target, "via": route.out}
    return {"ends": route.target, "via": route.out if fate in ("no-answer", "open") else (*route.out, *route.back)}


def _event(row: Row) -> str:
    """Which kind of packet a request is, as the table of styles has it."""
    if row["nominating"]:
        return "nomination"
    if row["kind"] in ("check", "consent"):
        return str(row["kind"])
    return "gather" if row["kind"] in ("gather", "keepalive", "shared-secret", "other") else "turn"


def _request_fate(row: Row, known: Known) -> str:
    match row["outcome"]:
        case "success" | "error" | "other-address":
            return "seen"
        case "icmp":
            return "rejected"
    if row["outcome"] == "unfinished":
        return "open"
    if is_here(row["dst"], known) or row["transaction_id"] in known.arrived:
        return "ignored"
    # That others arrived in this direction says nothing of this one.
    return "lost" if known.paths.get((row["src"], row["dst"])) == "lost" else "no-answer"


def is_here(end: str, known: Known) -> bool:
    """The capture was taken at the receiver itself; a relayed address is not where its packets are heard."""
    return host(end) in known.parties.facts.here and end not in known.parties.facts.relays


def _answer_fate(row: Row, src: str, dst: str, known: Known) -> str:
    if row["outcome"] == "other-address":
        return "discarded"
    if row["unheard"]:
        return "lost"
    # Captured at the one who had asked, it has arrived.
    if is_here(dst, known) or row["kind"] not in ("check", "consent"):
        return "seen"
    return "lost" if known.paths.get((src, dst)) == "lost" else "seen"


def messages_of(messages: Table, vantage: int, mine: Table, chosen: Any) -> dict[tuple[int, str], Row]:
    """Messages to and from servers, where they tell more than the transaction does."""
    asked = chosen[~np.isin(mine["kind"][chosen], CHECKS)]
    frames = np.union1d(mine["request_frame"][asked], mine["response_frame"][asked])
    rows = np.flatnonzero((messages["vantage"] == vantage) & np.isin(messages["frame"], frames))
    found: dict[tuple[int, str], Row] = {}
    for row in messages.take(rows).records():
        if row["method"] not in ("send", "data"):
            found.setdefault((row["frame"], row["class"]), row)
    return found
