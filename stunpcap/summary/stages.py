"""The course of a session in a line: `ICE ✓ · DTLS ✓ · media A → B ✓, B → A ✗ since 09:51:03`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from stunpcap.summary.columns import bounds, from_columns, split
from stunpcap.summary.model_stages import Stage
from stunpcap.summary.words import clock
from stunpcap.table import Table

TONES = {"ok": "good", "failed": "bad", "open": "open", "unseen": "none", "not-reached": "none"}
"""Status of a stage -> tone of its mark."""
TITLES = {"gathering": "gathering", "checks": "checks", "ice": "ICE", "dtls": "DTLS", "media": "media", "end": "ended"}
OTHER = {"A": "B", "B": "A"}

Symbol = Callable[[str], str]


def build_stages(sessions: Table, stages: Table) -> list[tuple[Stage, ...]]:
    """For each row of `sessions` its stages, in their order."""
    number = stages["session_id"]
    order = np.argsort(number, kind="stable")
    table = stages.take(order)
    columns = {name: table.values(name) for name in table.schema}
    every = from_columns(Stage, columns)
    count = int(number.max(initial=0)) + 1
    by_number = split(bounds(table["session_id"], count), every)
    return [by_number[one] if one < len(by_number) else () for one in sessions["session_id"].tolist()]


def headline(stages: Sequence[Stage], symbol: Symbol) -> str:
    """The stages that were reached, each with its mark; of what failed since when."""
    said = [
        *_directions(stages, "gathering", symbol, only=("failed",)),
        *(_directions(stages, "checks", symbol) if _status(stages, "ice") != "ok" else ()),
        *_one(stages, "ice", symbol),
        *_one(stages, "dtls", symbol),
        *_directions(stages, "media", symbol),
        *(
            f"ended by {one.agent or 'an agent'} {clock(one.since)}"
            for one in stages
            if one.stage == "end" and one.status == "ok" and one.since
        ),
    ]
    return (" · " if symbol("to") == "→" else " | ").join(said)


def _status(stages: Iterable[Stage], name: str) -> str:
    return next((one.status for one in stages if one.stage == name), "unseen")


def _mark(one: Stage, symbol: Symbol) -> str:
    return "?" if one.status == "unseen" else symbol(TONES[one.status])


def _since(one: Stage) -> str:
    return f" since {clock(one.since)}" if one.status == "failed" and one.since and one.stage == "media" else ""


def _one(stages: Iterable[Stage], name: str, symbol: Symbol) -> Iterator[str]:
    for one in stages:
        if one.stage == name and one.status != "not-reached":
            yield f"{TITLES[name]} {_mark(one, symbol)}"


def _directions(
    stages: Iterable[Stage], name: str, symbol: Symbol, only: Sequence[str] = ("ok", "failed", "open", "unseen")
) -> Iterator[str]:
    mine = [one for one in stages if one.stage == name and one.status in only]
    if not mine or all(one.status == "unseen" for one in mine):
        return
    if name == "gathering":
        yield f"gathering {', '.join(f'{one.agent} {_mark(one, symbol)}' for one in mine)}"
        return
    arrow = symbol("to")
    ways = (f"{one.agent} {arrow} {OTHER[one.agent]} {_mark(one, symbol)}{_since(one)}" for one in mine)
    yield f"{TITLES[name]} {', '.join(ways)}"
