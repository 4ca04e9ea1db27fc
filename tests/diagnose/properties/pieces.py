"""Which changes a capture goes through, each with its name."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from stunpcap.trace import Trace
from tests.diagnose.properties import cutting, joining, renaming
from tests.diagnose.properties.cutting import NANOSECONDS
from tests.diagnose.properties.renaming import Renaming
from tests.diagnose.properties.tapes import Tape, Tapes

PREFIXES_S = (1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 120, 300)
PREFIXES_PACKETS = (3, 10, 30, 100, 300)
LATE_S = (0, 1, 2, 5, 10)
SHARES = (0.01, 0.05, 0.2)
SEEDS = (1, 2)
SNAP_LENGTHS = (64, 96, 128)
SESSIONS = 3
"""Sessions of a capture whose begin is a time to cut at."""

FIRST, LATE, MISSING, ONE_WAY, SNAP, JOINED, NAMES = "first", "late", "missing", "one-way", "snap", "joined", "names"


@dataclass(frozen=True, slots=True)
class Piece:
    """Captures after a change."""

    kind: str
    name: str
    tapes: Tapes
    renaming: Renaming | None = None


@dataclass(frozen=True, slots=True)
class Original:
    """Captures as they are, with what the changes need of what is in them."""

    tapes: Tapes
    starts_ns: Sequence[int]
    """First checks, in order."""
    ends: tuple[str, str] | None
    """Sender and receiver of the first check."""
    has_classic: bool
    """STUN without a magic cookie, which is not found to be rewritten."""
    has_signalling: bool
    """Addresses also stand in texts, which cannot be rewritten in place."""
    guests: Sequence[Tape]
    """Captures of other calls."""


def original(tapes: Tapes, trace: Trace, guests: Sequence[Tape], *, has_signalling: bool = False) -> Original:
    """Take what is needed from a trace."""
    starts = sorted(trace.table("sessions")["start"].tolist())
    table = trace.table("transactions")
    checks = zip(table.values("kind"), table.values("src"), table.values("dst"), strict=True)
    ends = next(((src, dst) for kind, src, dst in checks if kind == "check"), None)
    classic = bool(trace.table("messages")["classic"].any())
    return Original(tapes, starts, ends, classic, has_signalling, guests)


def pieces(of: Original, kinds: Collection[str]) -> Iterator[Piece]:
    """Every change of these kinds that leaves something, and changes something."""
    seen: set[tuple[str, tuple[int, ...]]] = set()
    for kind, make in MAKERS.items():
        if kind not in kinds:
            continue
        for piece in make(of):
            counts = tuple(len(tape.packets) for tape in piece.tapes)
            cut = kind in (FIRST, LATE, MISSING, ONE_WAY)
            if not sum(counts) or (cut and ((kind, counts) in seen or _all(of) == sum(counts))):
                continue
            if kind in (FIRST, LATE):
                seen.add((kind, counts))
            yield piece


def _all(of: Original) -> int:
    return sum(len(tape.packets) for tape in of.tapes)


def _begins(of: Original) -> list[tuple[str, int]]:
    """Times to count from: the first check of each session; without any, the first packet."""
    if not of.starts_ns:
        return [("", min(packet.time_ns for tape in of.tapes for packet in tape.packets))]
    return [(f" of session {n}" if n > 1 else "", start) for n, start in enumerate(of.starts_ns[:SESSIONS], 1)]


def _first(of: Original) -> Iterator[Piece]:
    for which, begin in _begins(of):
        for seconds in PREFIXES_S:
            yield Piece(FIRST, f"first {seconds} s{which}", cutting.until(of.tapes, begin + seconds * NANOSECONDS))
    begin = _begins(of)[0][1]
    for count in PREFIXES_PACKETS:
        yield Piece(FIRST, f"first {count} packets", cutting.until_packets(of.tapes, begin, count))


def _late(of: Original) -> Iterator[Piece]:
    for which, begin in _begins(of):
        for seconds in LATE_S:
            yield Piece(LATE, f"begun after {seconds} s{which}", cutting.since(of.tapes, begin + seconds * NANOSECONDS))


def _missing(of: Original) -> Iterator[Piece]:
    for share in SHARES:
        for seed in SEEDS:
            yield Piece(MISSING, f"{share:.0%} missing, seed {seed}", cutting.thinned(of.tapes, share, seed))


def _one_way(of: Original) -> Iterator[Piece]:
    for address in cutting.senders(of.tapes):
        yield Piece(ONE_WAY, f"only from {address}", cutting.only_from(of.tapes, address))


def _snap(of: Original) -> Iterator[Piece]:
    for length in SNAP_LENGTHS:
        yield Piece(SNAP, f"snap length {length}", cutting.snapped(of.tapes, length))


def _joined(of: Original) -> Iterator[Piece]:
    if of.tapes[0].packets:
        for guest in of.guests:
            yield Piece(JOINED, f"with {guest.name}", joining.joined(of.tapes, guest))


def _names(of: Original) -> Iterator[Piece]:
    yield _renamed("5 h later", joining.shifted(of.tapes, 5 * 3600 * NANOSECONDS), Renaming())
    if of.has_classic or of.has_signalling:
        return
    names = renaming.names_in(of.tapes)
    changes = {
        "private and public exchanged": Renaming(address=renaming.ranges_exchanged(names.addresses)),
        "ports permuted": Renaming(port=renaming.ports_permuted(names.ports)),
        "ufrags renamed": Renaming(ufrag=renaming.ufrag_turned),
    }
    ends = of.ends and [end.rpartition(":")[0] for end in of.ends]
    if ends and not any(end.startswith("[") for end in ends):
        one, other = (int(ipaddress.IPv4Address(end)) for end in ends)
        changes["A and B exchanged"] = Renaming(address=renaming.exchanged(one, other))
    for name, change in changes.items():
        yield _renamed(name, change.apply(of.tapes), change)


def _renamed(name: str, tapes: Tapes, change: Renaming) -> Piece:
    return Piece(NAMES, name, tapes, change)


MAKERS: dict[str, Callable[[Original], Iterator[Piece]]] = {
    FIRST: _first,
    LATE: _late,
    MISSING: _missing,
    ONE_WAY: _one_way,
    SNAP: _snap,
    JOINED: _joined,
    NAMES: _names,
}
