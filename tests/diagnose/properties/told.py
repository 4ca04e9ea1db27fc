"""What stunpcap says of captures, as far as properties look at it: public frames only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from stunpcap.trace import Trace
from tests.diagnose.properties.renaming import Renaming

CONFIDENT = ("high", "medium")
UNSAID = ("ruled-out", "possible")
"""Parts of findings that say what it is not, or only may be."""
_RANKS = {"": 0, "low": 1, "medium": 2, "high": 3}
_ANSWERED = ("success", "error", "other-address", "orphan")


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding that is said."""

    name: str
    severity: str
    confidence: str
    session: int | None

    @property
    def is_confident_error(self) -> bool:
        """An error, and sure of it."""
        return self.severity == "error" and self.confidence in CONFIDENT

    def __str__(self) -> str:
        return f"{self.name} ({self.severity}, {self.confidence})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one session; without sessions, of the capture."""

    session: int | None
    agents: frozenset[str]
    """The username fragments that are known."""
    state: str
    start_ns: int
    cause: str = ""
    confidence: str = ""
    src: str | None = None
    dst: str | None = None
    answered: int = 0
    """Checks that drew any response."""
    unanswered: int = 0

    @property
    def is_confident(self) -> bool:
        """There is a cause, of confidence C."""
        return bool(self.cause) and self.confidence in CONFIDENT

    @property
    def rank(self) -> int:
        """Confidence as a number, 0 for no cause."""
        return _RANKS[self.confidence]

    @property
    def works(self) -> bool:
        """It connected, and nothing is wrong with it."""
        return self.state in ("connected", "closed") and not self.cause

    @property
    def whole(self) -> tuple[Any, ...]:
        """All that a renaming may not change."""
        return self.state, self.cause, self.confidence, self.src, self.dst

    def renamed(self, renaming: Renaming) -> Verdict:
        """The same under other names."""
        return replace(
            self,
            agents=frozenset(map(renaming.ufrag, self.agents)),
            src=renaming.endpoint(self.src),
            dst=renaming.endpoint(self.dst),
        )

    def __str__(self) -> str:
        return f"{self.state}, {self.cause} ({self.confidence})" if self.cause else self.state

    def in_full(self) -> str:
        """With the direction."""
        return f"{self} {self.src} → {self.dst}" if self.src or self.dst else str(self)


@dataclass(frozen=True, slots=True)
class Told:
    """All that is said of captures."""

    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...]

    def find(self, like: Verdict) -> Verdict | None:
        """The session of the same agents; where an agent's name is not known, the first that it may be."""
        same = [one for one in self.verdicts if one.agents == like.agents]
        near = [one for one in self.verdicts if one.agents & like.agents]
        if not (like.agents and all(one.agents for one in self.verdicts)):
            near += self.verdicts
        return next(iter(same + near), None)

    def of(self, verdict: Verdict) -> list[Finding]:
        """What is said of a session."""
        return [one for one in self.findings if one.session == verdict.session]


def tell(trace: Trace) -> Told:
    """Read the frames of a trace."""
    rows = [row for row in trace.table("findings").records() if row["part"] not in UNSAID]
    findings = tuple(Finding(row["name"], row["severity"], row["confidence"], row["session_id"]) for row in rows)
    sessions = trace.table("sessions")
    verdicts = []
    answered, unanswered = _checks(trace)
    for row, start in zip(sessions.records(), sessions["start"].tolist(), strict=True):
        number = row["session_id"]
        cause = next((one for one in rows if one["session_id"] == number and one["part"] == "cause"), None)
        agents = frozenset(filter(None, (row["ufrag_a"], row["ufrag_b"])))
        plain = Verdict(
            number,
            agents,
            row["state"],
            start,
            cause=row["root_cause"] or "",
            answered=answered.get(number, 0),
            unanswered=unanswered.get(number, 0),
        )
        verdicts.append(_because(plain, cause))
    if not verdicts:
        nothing = Verdict(None, frozenset(), "none", 0)
        verdicts.append(_because(nothing, next((one for one in rows if one["severity"] == "error"), None)))
    return Told(tuple(verdicts), findings)


def _because(verdict: Verdict, cause: dict[str, Any] | None) -> Verdict:
    if cause is None:
        return verdict
    return replace(verdict, cause=cause["name"], confidence=cause["confidence"], src=cause["src"], dst=cause["dst"])


def _checks(trace: Trace) -> tuple[dict[int, int], dict[int, int]]:
    """Checks of each session, answered and not."""
    answered: dict[int, int] = {}
    unanswered: dict[int, int] = {}
    table = trace.table("transactions")
    columns: Iterable[tuple[str, int, str]] = zip(
        table.values("kind"), table.values("session_id"), table.values("outcome"), strict=True
    )
    for kind, session, outcome in columns:
        if kind == "check" and session is not None:
            counts = answered if outcome in _ANSWERED else unanswered
            counts[session] = counts.get(session, 0) + 1
    return answered, unanswered
