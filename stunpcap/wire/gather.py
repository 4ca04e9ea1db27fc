"""Pieces of a buffer, put one behind the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from stunpcap import kernels
from stunpcap.kernels import kernel

COMPILE_ABOVE = 20_000
KEPT_ABOVE = 1_000
"""Pieces from which on compiled code is faster: made first, and kept."""


@kernel
def copy_pieces(b: Any, start: Any, stop: Any, out: Any) -> None:
    """Copy each `b[start:stop]` to where the one before ends."""
    o = 0
    for i in range(len(start)):
        for k in range(int(start[i]), int(stop[i])):
            out[o] = b[k]
            o += 1


def gather(b: memoryview, start: Any, stop: Any) -> Any:
    """All `b[start:stop]`, joined: something that can be written to a file of bytes."""
    if not kernels.wanted(len(start), COMPILE_ABOVE, KEPT_ABOVE):
        return b"".join([b[here:there] for here, there in zip(start.tolist(), stop.tolist(), strict=True)])
    out = np.empty(int((stop - start).sum()), np.uint8)
    copy_pieces.run(True, b, np.ascontiguousarray(start), np.ascontiguousarray(stop), out)
    return out
