"""What a summary consists of: records that turn into JSON as they stand.

Times are ISO 8601 texts (UTC, nanoseconds), durations seconds, addresses texts as in the frames; None is not known.
Lists that grow with the clients of a server are bounded (`stunpcap.summary.crowd`): a number beside them, or
`Summary.left_out`, tells how many there are.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

from stunpcap.record import record
from stunpcap.summary.findings import Found
from stunpcap.summary.model_captures import Capture, Damage
from stunpcap.summary.model_stages import Stage


@record
class ErrorAnswer:
    """Error responses with one code."""

    code: int
    name: str
    count: int


@record
class Direction:
    """The checks that went one way over a pair: a row of the frame `pairs`."""

    src: str
    dst: str
    outcome: str
    "What became of the checks, in words."
    state: str
    path: str
    seen_as: str | None
    "The address `src` was seen as by who answered."
    requests_sent: int
    consent_requests_sent: int
    transmissions: int
    responses_received: int
    errors_received: int
    icmp_received: int
    other_address: int
    unanswered: int
    unfinished: int
    silent_at_end: int
    "Checks that had no answer, or none yet, after the last that had one; 0 where none had."
    rtt_min_s: float | None
    rtt_median_s: float | None
    errors: tuple[ErrorAnswer, ...]
    icmp: tuple[str, ...]
    answered_from: tuple[str, ...]
    "Other addresses that answers came from."
    answered_to: tuple[str, ...]
    "Other addresses that answers went to."
    first_frame: int | None
    frames: tuple[int, ...]
    "Frames that show it: the first check, and the first answer of each kind."


@record
class Pair:
    """A candidate pair as one capture saw it: A's address, B's address, and both directions."""

    pair_id: int
    vantage: str
    transport: str
    carrier: str
    a: str
    a_type: str
    b: str
    b_type: str
    nominated: bool
    selected: bool
    "The nominated pair that the session ended with."
    a_to_b: Direction | None
    "None: no check was seen in this direction."
    b_to_a: Direction | None


@record
class Agent:
    """One of the two agents of a session."""

    name: str
    "A or B; A sent the first check captured."
    ufrag: str | None
    role: str | None
    addresses: tuple[str, ...]
    "Addresses without ports that its candidates have, as far as checks tell."
    captured_at: tuple[str, ...]
    "Captures that were taken at this agent."


@record
class Session:
    """Two agents and one ICE generation: a row of the frame `sessions`, with its pairs."""

    session_id: int
    state: str
    said: str
    "The state in plain words."
    stages: tuple[Stage, ...]
    "Its course, stage by stage."
    failed_stage: str | None
    "The first stage that failed."
    tone: str
    "How it looks: that of its worst stage."
    agents: tuple[Agent, Agent]
    start: str
    end: str
    duration_s: float
    generation: int
    restart_of: int | None
    restarted_by: int | None
    pair_count: int
    checks: int
    nominated_a: str | None
    nominated_b: str | None
    selected_a: str | None
    "The pair in use: A's side."
    selected_b: str | None
    selected_by: str | None
    "How that is known."
    ended_by: str | None
    "Username fragment of the agent that ended it."
    ended_how: str | None
    ended_time: str | None
    time_to_connect_s: float | None
    dtls: str
    media_ab_packets: int
    media_ba_packets: int
    role_changes: int
    vantages: tuple[str, ...]
    tags: tuple[str, ...]
    first_frame: int | None
    pairs: tuple[Pair, ...]
    root_cause: str
    "Name of the finding that explains it; empty if nothing does, or need be explained."
    findings: tuple[Found, ...]
    frames: dict[str, tuple[int, ...]]
    "Vantage -> frames worth opening first."
    filters: dict[str, str]
    "Vantage -> the same as a display filter for Wireshark."


@record
class Seen:
    """One address that a base was seen as, and by whom."""

    mapped: str
    translated: bool
    port_kept: bool
    by: tuple[str, ...]
    by_count: int
    first_frame: int | None


@record
class Mapping:
    """How others saw one local address."""

    vantage: str
    base: str
    behaviour: str
    "RFC 4787's word, as in the frame `mappings`."
    said: str
    "The same in a sentence."
    sessions: tuple[int, ...]
    seen: tuple[Seen, ...]
    seen_count: int


@record
class Asked:
    """Requests of one kind to one server, and what it answered."""

    kind: str
    outcome: str
    "What became of them, in words."
    requests: int
    transmissions: int
    outcomes: dict[str, int]
    "Outcome of a transaction -> how many."
    errors: tuple[ErrorAnswer, ...]
    icmp: tuple[str, ...]
    icmp_count: int
    mapped: tuple[str, ...]
    "How the server saw its clients."
    mapped_count: int
    relayed: tuple[str, ...]
    "Addresses it allocated."
    relayed_count: int
    rtt_min_s: float | None
    frames: tuple[int, ...]


@record
class Server:
    """A STUN or TURN server, as one capture saw it."""

    vantage: str
    server: str
    transport: str
    clients: tuple[str, ...]
    "Of many those that are agents of sessions first."
    client_count: int
    asked: tuple[Asked, ...]


@record
class Relay:
    """An allocation on a TURN server, or the attempt to get one."""

    vantage: str
    client: str
    server: str
    transport: str
    "Between client and server."
    relayed: str | None
    state: str
    "As in the frame `allocations`."
    said: str
    "The same in words."
    refused: tuple[str, ...]
    "What was refused, and why, in words."
    lifetime_s: int | None
    packets_sent: int
    packets_received: int
    sessions: tuple[int, ...]
    "Sessions that use it."
    frames: tuple[int, ...]


@record
class Opaque:
    """A connection to a port at which TURN servers are found, hidden by `tls` or `dtls`."""

    vantage: str
    server: str
    client: str
    transport: str
    hidden_by: str
    maybe_web: bool
    "It goes to port 443."
    server_name: str | None
    "What the ClientHello asks for, if that was captured."
    bytes_out: int
    bytes_in: int
    first_time: str
    last_time: str
    first_frame: int


@record
class Summary:
    """All that an overview of a trace tells; sessions with the worst first."""

    captures: tuple[Capture, ...]
    defects: tuple[Damage, ...]
    states: dict[str, int]
    "State -> number of sessions."
    sessions: tuple[Session, ...]
    mappings: tuple[Mapping, ...]
    "Those of sessions, and of bare clients those that trouble ICE most."
    behaviours: dict[str, int]
    "Behaviour -> number of local addresses, those that `mappings` leaves out included."
    servers: tuple[Server, ...]
    relays: tuple[Relay, ...]
    "Those of sessions, and of others those that failed first."
    relay_states: dict[str, int]
    "State -> number of allocations, those that `relays` leaves out included."
    opaque: tuple[Opaque, ...]
    opaque_443: int
    "TLS and DTLS connections to port 443, where there were too many for `opaque`; 0 if those are in it."
    hidden: dict[str, int]
    "`tls` or `dtls` -> connections to other ports of TURN servers, those that `opaque` leaves out included."
    findings: tuple[Found, ...]
    "Those about no session, of very many the gravest."
    left_out: dict[str, int]
    "List (`mappings`, `servers.clients`, ...) -> entries that are left out of it; empty if all are listed."

    def count(self, name: str) -> int:
        """How many entries a list has, those that are left out of it included."""
        return len(getattr(self, name)) + self.left_out.get(name, 0)

    def to_dict(self) -> dict[str, Any]:
        """The same as dictionaries and lists, ready for JSON."""
        return asdict(self)


def shallow(part: Any) -> dict[str, Any]:
    """One of these objects as a dictionary, the objects in it as they are: what a JSON encoder asks for."""
    names, get = _reader(part.__class__)
    return dict(zip(names, get(part), strict=True))


@functools.cache
def _reader(kind: type) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """The fields of a class, and a function that gives their values at once."""
    names = tuple(field.name for field in fields(kind))
    one = operator.attrgetter(*names)
    return names, one if len(names) > 1 else lambda part: (one(part),)
