"""Connections that nobody can look into: which flows are TLS or DTLS to what may be a TURN server, and its name.

The packet walk notes where it met a ClientHello (`stunpcap.wire.tls`).  Here that becomes facts about both directions
of the connection, once everything is counted: one that carried STUN in the clear is not opaque, and a call's own DTLS
is not taken for TURN.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap.wire import layers
from stunpcap.wire.counters import N_CHANNEL, N_STUN
from stunpcap.wire.segments import OURS, STATE

Ints = npt.NDArray[np.int64]
NOT_OPAQUE, TLS, DTLS = range(3)
"""What hides the inside of a flow: the codes of `schema.OPAQUE`."""
(HELLO_FLOW, HELLO_START, HELLO_STOP) = range(3)
HELLO = 3
"""Columns of what the walk notes of a ClientHello: its flow, and where the server's name begins and ends."""


@dataclass(slots=True, eq=False, repr=False)
class Opaque:
    """Handshakes seen so far: the flow of each ClientHello, and the name it asked for."""

    names: dict[int, bytes] = field(default_factory=dict)

    def note(self, data: memoryview, hellos: Ints) -> None:
        """Take what the walk noted of one block; the first name of a flow stays."""
        for flow, start, stop in hellos.tolist():
            if not self.names.get(flow):
                self.names[flow] = data[start:stop].tobytes()

    def finish(self, keys: Any, counters: Any, tcp: Any) -> tuple[Ints, dict[int, str]]:
        """What hides each flow, and the names of the servers of those that have one."""
        hidden = np.zeros(len(keys), np.int64)
        names: dict[int, str] = {}
        if not self.names:
            return hidden, names
        clear = (counters[:, N_STUN] > 0) | (counters[:, N_CHANNEL] > 0) | (tcp[:, STATE] == OURS)
        clients = np.fromiter(self.names, np.int64)
        others = others_of(keys, clients)
        kept = ~clear[clients] & ~((others >= 0) & clear[others])
        clients, others = clients[kept], others[kept]
        # Where both sides sent one (ports used again), each keeps what it asked for.
        others[np.isin(others, clients)] = -1
        protocol = np.where(keys[clients, 9] == layers.TCP, TLS, DTLS)
        hidden[clients] = protocol
        hidden[others[others >= 0]] = protocol[others >= 0]
        for flow, other in zip(clients.tolist(), others.tolist(), strict=True):
            name = self.names[flow]
            if name:
                names[flow] = name.decode("ascii", "backslashreplace")
                if other >= 0:
                    names[other] = names[flow]
        return hidden, names


def others_of(keys: Any, flows: Ints) -> Ints:
    """The other direction of each of these flows; -1 where it was not captured."""
    ports = keys[flows, 8]
    turned = np.concatenate([keys[flows, 4:8], keys[flows, :4]], axis=1)
    turned = np.column_stack([turned, ports << np.uint32(16) | ports >> np.uint32(16), keys[flows, 9]])
    # Only flows between ports that were asked about can be one of them.
    rows = np.flatnonzero(np.isin(keys[:, 8], turned[:, 8]))
    row_of = dict(zip(_pieces(keys[rows]), rows.tolist(), strict=True))
    return np.array([row_of.get(key, -1) for key in _pieces(turned)], np.int64)


def _pieces(rows: Any) -> list[bytes]:
    """Each row as bytes; one conversion for all."""
    data = rows.astype(np.uint32).tobytes()
    size = 4 * rows.shape[1]
    return [data[at : at + size] for at in range(0, len(data), size)]
