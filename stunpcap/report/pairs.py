"""The table of candidate pairs: a row for each direction, as each capture saw it; and the table of sessions."""

from __future__ import annotations

from collections.abc import Sequence

from stunpcap.plots.styles import CANDIDATES, SESSION_STATES
from stunpcap.report.model import Cell, Head, Sheet
from stunpcap.report.sheets import order
from stunpcap.schema import column
from stunpcap.summary.model import Direction, Session
from stunpcap.summary.pairs_text import mark_of
from stunpcap.summary.words import clock, seconds
from stunpcap.words import many


def pairs_sheet(session: Session, *, several: bool, most: int) -> Sheet | None:
    """Every pair of a session and what became of the checks in both directions."""
    ways = [
        (pair, name, pair.a_type if name == "A → B" else pair.b_type, way)
        for pair in session.pairs
        for name, way in (("A → B", pair.a_to_b), ("B → A", pair.b_to_a))
        if way is not None
    ]
    if not ways:
        return None
    rows = []
    for pair, name, kind, way in ways[:most]:
        star = "★ " if pair.selected else ""
        carried = [word for word in (pair.transport, pair.carrier) if word not in ("udp", "plain")]
        cells = [
            Cell(f"{star}{pair.pair_id}", pair.pair_id),
            Cell(name),
            Cell(way.src),
            Cell(way.dst),
            Cell(CANDIDATES[kind].label),
            Cell(way.outcome, tone=mark_of(way)),
            Cell(way.path),
            *(Cell(f"{number:,}", number) for number in _numbers(way)),
            Cell("" if way.rtt_median_s is None else seconds(way.rtt_median_s), way.rtt_median_s),
            Cell(str(way.first_frame or ""), way.first_frame),
        ]
        rows.append((*cells, *([Cell(pair.vantage)] if several else []), Cell(", ".join(carried))))
    heads = [
        Head("pair", f"{_meaning('pair_id')}; ★ is the nominated one", number=True),
        Head("way"),
        Head("from", _meaning("src"), code=True),
        Head("to", _meaning("dst"), code=True),
        Head("type", "type of the candidate that sends"),
        Head("what became of the checks"),
        Head("path", _meaning("path")),
        Head("checks", _meaning("requests_sent"), number=True),
        Head("answered", _meaning("responses_received"), number=True),
        Head("no answer", _meaning("unanswered"), number=True),
        Head("round trip", _meaning("rtt_median_s"), number=True),
        Head("frame", _meaning("first_frame"), number=True),
        *([Head("capture", code=True)] if several else []),
        Head("by", "transport and carrier, if not plain UDP"),
    ]
    if not any(row[-1].text for row in rows):
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    note = f"{most:,} of {len(ways):,} directions; all: stunpcap pairs." if len(ways) > most else ""
    return Sheet(
        f"pairs-{session.session_id}", "Candidate pairs, a row for each direction", tuple(heads), tuple(rows), note
    )


def sessions_sheet(sessions: Sequence[Session], told: frozenset[int], most: int) -> Sheet:
    """The sessions, the worst first; those that have a chapter link to it."""
    rows = []
    for session in sessions[:most]:
        a, b = (one.ufrag or (one.addresses[0] if one.addresses else "?") for one in session.agents)
        hosts = [one.addresses[0] if one.addresses else "" for one in session.agents]
        rows.append(
            (
                Cell(
                    str(session.session_id),
                    session.session_id,
                    link=f"session-{session.session_id}" if session.session_id in told else "",
                ),
                Cell(session.state, tone=session.tone),
                Cell(session.root_cause),
                Cell(clock(session.start), order(session.start)),
                Cell(seconds(session.duration_s), session.duration_s),
                Cell(f"{session.pair_count:,}", session.pair_count),
                Cell(f"{session.checks:,}", session.checks),
                Cell(session.dtls),
                Cell(f"{session.media_ab_packets:,}", session.media_ab_packets),
                Cell(f"{session.media_ba_packets:,}", session.media_ba_packets),
                Cell(f"{a} ⇄ {b}"),
                Cell(" ⇄ ".join(hosts)),
                Cell(str(session.first_frame or ""), session.first_frame),
            )
        )
    heads = (
        Head("session", number=True),
        Head("state", _of("state")),
        Head("cause", "name of the finding that explains it"),
        Head("start (UTC)", number=True),
        Head("took", "from the first check to the last", number=True),
        Head("pairs", number=True),
        Head("checks", number=True),
        Head("DTLS"),
        Head("media A→B", "packets", number=True),
        Head("media B→A", "packets", number=True),
        Head("agents A ⇄ B", "username fragments", code=True),
        Head("addresses", "the first of each agent", code=True),
        Head("frame", "of the first check", number=True),
    )
    note = (
        f"{most:,} of {many(len(sessions), 'session')}, the worst first; all: stunpcap sessions."
        if len(sessions) > most
        else ""
    )
    return Sheet("sessions", "Sessions", heads, tuple(rows), note)


def causes_sheet(sessions: Sequence[Session]) -> Sheet:
    """How many sessions ended in which state, by what explains them."""
    states = [state for state in SESSION_STATES if any(one.state == state for one in sessions)]
    table: dict[str, dict[str, int]] = {}
    for session in sessions:
        of_cause = table.setdefault(session.root_cause, {})
        of_cause[session.state] = of_cause.get(session.state, 0) + 1
    ordered = sorted(table.items(), key=lambda item: (not item[0], -sum(item[1].values()), item[0]))
    rows = tuple(
        (
            Cell(name or "no finding explains it, or need explain it"),
            *(Cell(f"{numbers.get(state, 0):,}", numbers.get(state, 0)) for state in states),
            Cell(f"{sum(numbers.values()):,}", sum(numbers.values())),
        )
        for name, numbers in ordered
    )
    heads = (Head("cause"), *(Head(state, number=True) for state in states), Head("sessions", number=True))
    return Sheet("causes", "Sessions by cause and state", heads, rows)


def _numbers(way: Direction) -> tuple[int, int, int]:
    return way.requests_sent, way.responses_received, way.unanswered + way.unfinished


def _meaning(name: str) -> str:
    return column("pairs", name).meaning.replace("`", "")


def _of(name: str) -> str:
    return column("sessions", name).meaning.replace("`", "")
