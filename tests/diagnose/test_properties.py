"""Properties that need no label, on a part of the captures; `python -m tests.diagnose.properties --all` takes all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import stunpcap
from tests.diagnose.properties.chosen import PLACES, chosen
from tests.diagnose.properties.compatible import generals, may_follow
from tests.diagnose.properties.cutting import NANOSECONDS, only_from, senders, since, snapped, thinned, until
from tests.diagnose.properties.joining import joined, shifted
from tests.diagnose.properties.judging import PROPERTIES
from tests.diagnose.properties.known import KNOWN
from tests.diagnose.properties.places import Place, guests
from tests.diagnose.properties.renaming import Renaming, exchanged, names_in, ports_permuted, ranges_exchanged
from tests.diagnose.properties.running import Task, run_one
from tests.diagnose.properties.tapes import Tapes, read
from tests.diagnose.properties.told import tell


@pytest.mark.parametrize("task", chosen(tuple(PROPERTIES)), ids=PLACES)
def test_properties_hold_but_where_it_is_known(task: Task) -> None:
    found = {one.key: one for one in run_one(task).violations}
    known = {key for key in KNOWN if key[0] == str(task.place)}
    assert not [f"{one.key}: {one.before} → {one.after}" for key, one in found.items() if key not in known]
    assert not known - set(found), "holds again: take it out of KNOWN"


def test_what_is_known_is_looked_at() -> None:
    assert {place for place, _, _ in KNOWN} <= set(PLACES)


def tapes(name: str) -> Tapes:
    return Place(*name.split("/")).tapes()


@pytest.mark.parametrize("name", ["turn-udp/server", "ice-tcp/offerer", "capture-any/router-any", "ipv6/offerer"])
def test_captures_are_the_same_when_written_and_read(name: str) -> None:
    told = tell(read(tapes(name)))
    place = Place(*name.split("/"))
    assert told == tell(stunpcap.read(*place.paths()))


@pytest.mark.parametrize(
    "name", ["turn-udp/server", "turn-tcp/offerer", "icmp-port-unreachable/offerer", "nats-stun/offerer"]
)
@pytest.mark.parametrize("kind", ["ranges", "ports"])
def test_messages_stay_right_under_other_names(name: str, kind: str) -> None:
    before = tapes(name)
    names = names_in(before)
    change = (
        Renaming(address=ranges_exchanged(names.addresses))
        if kind == "ranges"
        else Renaming(port=ports_permuted(names.ports))
    )
    after = change.apply(before)
    assert after != before
    one, other = read(before).table("messages"), read(after).table("messages")
    for column in ("fingerprint", "transaction_id", "method", "class", "defects"):
        assert one.values(column) == other.values(column)
    for column in ("src", "dst", "mapped", "relayed", "peer"):
        assert list(map(change.endpoint, one.values(column))) == other.values(column)


def test_exchanging_twice_changes_nothing() -> None:
    before = Renaming().apply(tapes("nats-stun/offerer"))  # without checksums of UDP
    one, other = sorted(names_in(before).addresses)[:2]
    change = Renaming(address=exchanged(one, other))
    assert change.apply(change.apply(before)) == before
    assert shifted(shifted(before, 5), -5) == before


def counts(of: Tapes) -> int:
    return sum(len(tape.packets) for tape in of)


@pytest.mark.parametrize(
    "change",
    [
        lambda of: until(of, of[0].packets[0].time_ns + NANOSECONDS),
        lambda of: since(of, of[0].packets[0].time_ns + NANOSECONDS),
        lambda of: thinned(of, 0.2, 1),
        lambda of: only_from(of, senders(of)[0]),
    ],
    ids=["until", "since", "thinned", "only_from"],
)
def test_cutting_takes_packets_away(change: Callable[[Tapes], Tapes]) -> None:
    before = tapes("direct/offerer")
    after = change(before)
    assert 0 < counts(after) < counts(before)
    assert set(after[0].packets) < set(before[0].packets)
    assert change(before) == after


def test_a_snap_length_keeps_what_was_on_the_wire() -> None:
    before = tapes("direct/offerer")
    (after,) = snapped(before, 64)
    assert max(len(packet.data) for packet in after.packets) == 64
    assert [one.wire_length for one in after.packets] == [one.wire_length for one in before[0].packets]


def test_another_call_joins_at_other_addresses() -> None:
    place = Place("direct", "offerer")
    before, guest = place.tapes(), guests(place)[0]
    after = joined(before, guest)
    assert counts(before) < counts(after) <= counts(before) + len(guest.packets)
    assert after[0].packets[-1].time_ns == before[0].packets[-1].time_ns
    assert len(tell(read(after)).verdicts) == 2


def test_what_is_compatible_goes_one_way() -> None:
    assert may_follow("no-answer", "one-way-nat")
    assert not may_follow("one-way-nat", "no-answer")
    assert not may_follow("no-answer", "icmp-rejected")
    assert "no-answer" in generals("turn-server-lost", taken_away=True)
    assert "no-answer" not in generals("turn-server-lost")
