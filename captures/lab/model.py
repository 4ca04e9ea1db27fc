"""What a scenario consists of: plain frozen data, no behaviour.

Everything a scenario can say is a field in this file. The rest of the lab reads these tables; a new
scenario is one more `Scenario` value in `captures.lab.scenarios`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

OFFERER = "offerer"
ANSWERER = "answerer"
TLS_KEYS = "tlsKeys"
"""Where an agent with the option `log_keys` tells the keys of its TLS connections; they get a file of their own."""


@dataclass(frozen=True, slots=True)
class Link:
    """One interface of a node; the interface is named after the network it plugs into."""

    net: str
    addresses: tuple[str, ...]
    mtu: int = 1500


@dataclass(frozen=True, slots=True)
class Node:
    """A host or a router: a network namespace of its own."""

    name: str
    links: tuple[Link, ...]
    routes: tuple[str, ...] = ()
    forward: bool = False
    """Forward packets between the links: a router."""
    rules: str = ""
    """An nftables ruleset for this namespace."""
    policy: tuple[str, ...] = ()
    """Policy routing rules, as `ip rule add` takes them."""
    ports: str = ""
    """Range of local ports the system hands out here, as "40000 40999"; empty leaves the default."""
    resolver: str = "127.0.0.1"
    """The name server that programs here ask; nobody listens on the loopback."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A link that delays, loses or tags: two networks joined by a forwarding process."""

    name: str
    nets: tuple[str, str]
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    """Share of frames lost in each direction, 0 to 1, from a fixed seed."""
    vlan: int | None = None
    """Carry frames with this 802.1Q tag between two switches; the tagged stretch can be captured."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Topology:
    """Nodes, the links between networks, and a drawing for the reader."""

    nodes: tuple[Node, ...]
    drawing: str
    wires: tuple[Wire, ...] = ()


@dataclass(frozen=True, slots=True)
class Agent:
    """An ICE agent: which implementation, and what its application asked of it."""

    kind: Literal["chromium", "aiortc", "aioice", "webrtcbin", "werift", "firefox", "janus", "datachannel"] = "chromium"
    ice_servers: tuple[dict[str, Any], ...] = ()
    policy: Literal["all", "relay"] = "all"
    media: tuple[str, ...] = ()
    """Media kinds sent: any of audio, video. Without any the call has a data channel only."""
    mdns: bool = False
    """Hide host addresses behind .local names (browsers' default without a media permission)."""
    all_interfaces: bool = False
    """Grant a media permission, so that a browser gathers on every interface."""
    options: dict[str, Any] = field(default_factory=dict)
    """Anything only one implementation understands."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A coturn in a node's namespace."""

    node: str
    listen: str
    args: tuple[str, ...] = ()
    user: str | None = "lab:secret"
    """Long-term credentials; None makes it a STUN server only."""
    tls: bool = False
    """Listen for TLS on port 5349 as well, with a certificate made for the occasion."""


@dataclass(frozen=True, slots=True)
class Vantage:
    """A capture: the file is named after it."""

    name: str
    node: str
    interface: str
    about: str
    snaplen: int = 0
    direction: Literal["inout", "in", "out"] = "inout"
    start: float = 0.0
    """Seconds after the signalling began; 0 means before the agents do anything."""
    packets: int = 0
    """Stop after so many packets; 0 goes on to the end."""
    only: str = ""
    """A capture filter: what it does not let through is missing from the file."""


@dataclass(frozen=True, slots=True)
class Edit:
    """An alteration of what signalling carries, on its way to one agent."""

    to: str
    find: str
    """Regular expression, searched in the SDP and in each candidate line (re.M)."""
    replace: str = ""
    drop: bool = False
    """Drop candidates that match (and candidate lines in the SDP) instead of rewriting."""
    stale: bool = False
    """Put the credentials of the sender's first description back in place of newer ones."""
    generation: int | None = None
    """Only for the n-th description of a side, counted from 0; None is all."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens during the call."""

    seconds: float
    """After the offer, or after both agents are connected; negative is so long before the offer."""
    do: Literal["exec", "restart", "stop-server", "start-server", "close", "close-tab", "kill", "freeze"]
    what: str
    """For exec, the node; for servers, the node it runs in; for all else, the agent."""
    command: str = ""
    after: Literal["start", "connected"] = "start"


@dataclass(frozen=True, slots=True)
class Until:
    """When the call is over: a state reached by one or both agents, then some more seconds."""

    state: str = "connected"
    name: Literal["iceConnectionState", "connectionState", "channel", "never"] = "connectionState"
    who: Literal["both", "either", "offerer", "answerer"] = "both"
    hold: float = 6.0
    timeout: float = 60.0
    not_before: float = 0.0
    """Do not look for the state before so many seconds have passed."""


@dataclass(frozen=True, slots=True)
class Expect:
    """The label: what the network was built to do, and what must therefore be diagnosed."""

    state: Literal["connected", "failed", "disconnected", "checking", "closed", "none"]
    """The session's state at the end of the capture: "closed" where an agent ended the call or was ended, "none"
    where no check was sent, so there is none."""
    ended: tuple[str, str] = ("", "")
    """Final connectionState that offerer and answerer must report: "" is the same word as `state`, "*" any.

    It is connectionState and not iceConnectionState, since Chromium 156 leaves the latter at
    `disconnected` where all checks failed.
    """
    ice: tuple[str, str] = ("*", "*")
    """Final iceConnectionState, where it matters apart (the fault lies after ICE)."""
    root_cause: str = ""
    direction: str = ""
    """The direction that is dead, as "A -> B" in node names; empty where there is none."""
    also: tuple[str, ...] = ()
    """Further findings that are true of this capture and should be named."""
    never: tuple[str, ...] = ()
    """Findings that would be wrong."""
    unseen: str = ""
    """What of the cause the captures, or some of them, cannot show; empty where all of it shows."""
    mended_by: str = ""
    """The scenario that is this one with the fault mended."""
    change: str = ""
    """What that scenario changes, in words."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One call, from the network to the label."""

    name: str
    title: str
    story: str
    topology: Topology
    expect: Expect
    group: str = ""
    offerer: Agent = Agent()
    answerer: Agent = Agent()
    offerer_node: str = OFFERER
    answerer_node: str = ANSWERER
    servers: tuple[Turn, ...] = ()
    vantages: tuple[Vantage, ...] = ()
    """In addition to the two agents' own interfaces."""
    own_vantages: bool = True
    """Capture at the first interface of both agents."""
    edits: tuple[Edit, ...] = ()
    delay: dict[str, float] = field(default_factory=dict)
    """Seconds by which everything that is signalled to an agent is held back."""
    candidate_delay: dict[str, float] = field(default_factory=dict)
    """Seconds by which candidates alone are held back."""
    steps: tuple[Step, ...] = ()
    until: Until = Until()
    dns: tuple[str, str, Literal["nxdomain", "silent"]] | None = None
    """A name server that knows no name: its node, the address it listens on, and what it does."""
    websocket: str = ""
    """Address of a WebSocket signalling server on the node `server`; empty carries signalling by pipe."""
