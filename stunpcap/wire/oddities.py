"""What could not be followed, and why: counted and named, with the first frame, so that nothing is dropped silently."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stunpcap.capture.notes import ELSEWHERE
from stunpcap.capture.records import Interface
from stunpcap.wire import layers
from stunpcap.wire.fragments import BROKEN, MISSING, REPEATED
from stunpcap.wire.linktypes import link_type
from stunpcap.wire.walk import SPECIAL_DETAIL, SPECIAL_INTERFACE, SPECIAL_PACKET, SPECIAL_STATUS

Ints = npt.NDArray[np.int64]

LOST = {
    layers.CUT: ("network", "packet cut by the snap length before its UDP or TCP payload"),
    layers.MALFORMED: ("network", "malformed header"),
    layers.ENCRYPTED: ("link", "encrypted 802.11 frame"),
    layers.LINK_FRAGMENT: ("link", "fragment of an 802.11 frame"),
}
"""Layer and words for packets that end like this."""
ENDINGS = {
    MISSING: "IP fragments of a packet are missing",
    REPEATED: "IP fragment captured again after its packet was whole",
    BROKEN: "malformed IP fragment",
}
UNKNOWN_LINK = "link type {} is not known to this reader: packets not looked into; " + ELSEWHERE
UNSEEN = "payload cut by the snap length to so little that nobody can tell what it is"
TUNNEL_CUT = "tunnel cut by the snap length before the UDP or TCP payload inside: counted as the tunnel's own flow"
HEADER_CUT = "STUN header cut by the snap length"
GAPS = "TCP segments missing on connections that carry STUN, {} bytes in all"
STRAYS = "TCP stream in which boundaries between messages got lost: what follows is read from the next certain one on"
POOR_QUOTE = "ICMP error whose quote is too short or carries no UDP or TCP"


class Oddities:
    """The oddities of one capture."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[str, int, int]] = {}
        """Text -> (layer, packets, first frame)."""
        self.not_ip: dict[str, int] = {}
        """Packets that are no IP and have no EtherType: what they are, how many."""

    def note(self, layer: str, text: str, frame: int, count: int = 1) -> None:
        """Count `count` packets, the first of them in `frame`."""
        _, before, first = self.found.get(text, (layer, 0, frame))
        self.found[text] = (layer, before + count, min(first, frame))

    def count(self, specials: Ints, frames: Ints, interfaces: list[Interface]) -> Ints:
        """Count and name packets that nobody can follow; returns the others."""
        status = specials[:, SPECIAL_STATUS]
        lost = specials[status > layers.AGGREGATE][:, : SPECIAL_DETAIL + 1]
        if not len(lost):
            return specials
        lost[:, SPECIAL_INTERFACE] *= lost[:, SPECIAL_STATUS] == layers.UNKNOWN_LINK  # matters only there
        lost[:, SPECIAL_DETAIL] *= lost[:, SPECIAL_STATUS] <= layers.NOT_IP
        kinds, first, counts = np.unique(lost[:, SPECIAL_STATUS:], axis=0, return_index=True, return_counts=True)
        for (kind, interface, detail), at, count in zip(kinds.tolist(), first.tolist(), counts.tolist(), strict=True):
            if kind == layers.NOT_IP:
                text = f"{layers.NOT_IP_NAMES[detail >> 16]} {detail & 0xFFFF:#06x}"
                self.not_ip[text] = self.not_ip.get(text, 0) + count
                continue
            if kind == layers.UNKNOWN_LINK:
                name = link_type(interfaces[interface].linktype).name
                name += f" (DLT {detail - 1})" if detail else ""
                layer, text = "link", UNKNOWN_LINK.format(name)
            else:
                layer, text = LOST[kind]
            self.note(layer, text, int(frames[lost[at, SPECIAL_PACKET]]), count)
        return specials[status <= layers.AGGREGATE]
