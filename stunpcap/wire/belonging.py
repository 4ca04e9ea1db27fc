"""Which packets belong to flows that are wanted, for a second look at a capture that takes packets out of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap import kernels
from stunpcap.capture.records import Block, Interface
from stunpcap.kernels import kernel
from stunpcap.wire import layers
from stunpcap.wire.channels import KEY
from stunpcap.wire.hashing import find_slot, free_slots, new_seed, rehash
from stunpcap.wire.linktypes import link_type

COMPILE_ABOVE, KEPT_ABOVE = 100_000, 10_000
"""Packets from which on compiled code is faster; likewise where machine code is kept."""


class Belonging:
    """Flows that are wanted.

    Parameters
    ----------
    keys
        A row of `KEY` words for each: source, destination (four words each), ports, protocol.
    """

    def __init__(self, keys: npt.NDArray[np.uint32]) -> None:
        between = np.unique(keys[:, :8], axis=0)
        # Fragments tell no ports: all between the same two addresses are taken along.
        fragments = np.concatenate([between, np.zeros((len(between), 2), np.uint32)], axis=1)
        self._keys = np.ascontiguousarray(np.concatenate([np.unique(keys, axis=0), fragments]), np.uint32)
        self._seed = new_seed()
        self._slots = free_slots(len(self._keys))
        self._packets = 0
        rehash.run(False, self._slots, self._keys, KEY, len(self._keys), self._seed)

    def of(self, block: Block, interfaces: list[Interface]) -> npt.NDArray[np.bool_]:
        """Which packets of a block belong to them."""
        found = np.zeros(len(block), np.int8)
        if not len(self._keys) or not len(block):
            return found.astype(np.bool_)
        self._packets += len(block)
        fast = kernels.wanted(self._packets, COMPILE_ABOVE, KEPT_ABOVE)
        scratch: Any = np.zeros(layers.ALL_FIELDS, np.int64) if fast else [0] * layers.ALL_FIELDS
        key: Any = np.zeros(KEY, np.int64) if fast else [0] * KEY
        starts_at = np.array([link_type(interface.linktype).layer for interface in interfaces], np.int64)
        columns = (block.offset, block.caplen, block.wirelen, block.interface)
        belong.run(fast, block.data, *columns, starts_at, scratch, key, self._seed, self._slots, self._keys, found)
        return found.astype(np.bool_)


@kernel
def belong(
    b: Any,
    offset: Any,
    caplen: Any,
    wirelen: Any,
    interface: Any,
    starts_at: Any,
    f: Any,
    key: Any,
    seed: int,
    slots: Any,
    keys: Any,
    found: Any,
) -> int:
    """Mark the packets whose 5-tuple, or of fragments whose addresses, are among the keys; returns how many."""
    count = 0
    for i in range(len(offset)):
        start = int(offset[i])
        stop = start + int(caplen[i])
        status = layers.dissect(b, start, stop, start + int(wirelen[i]), int(starts_at[int(interface[i])]), f)
        if status == layers.DATAGRAM or status == layers.FRAGMENT:
            for k in range(8):
                key[k] = f[k]
            key[8] = 0
            key[9] = 0
            if status == layers.DATAGRAM:
                key[8] = f[layers.SPORT] << 16 | f[layers.DPORT]
                key[9] = f[layers.PROTO]
            if slots[find_slot(slots, keys, KEY, key, seed)] >= 0:
                found[i] = 1
                count += 1
    return count
