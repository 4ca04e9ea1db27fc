"""The registry as small integer arrays, for the bulk decoder: which lengths and bits an attribute may have.

Derived from `stunpcap.stun.registry` when first needed; no fact of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Container
from typing import Any

import numpy as np
import numpy.typing as npt

from stunpcap.record import record
from stunpcap.stun import registry, values

RFC, CLASSIC, MS_TURN, ZOOM, ICE = range(5)
"""Variants of messages; ICE is an RFC message with PRIORITY."""
CONTEXTS: tuple[tuple[str, ...], ...] = (
    *(registry.VARIANT_CONTEXTS[name] for name in ("", "classic", "ms-turn", "zoom")),
    ("ice",),
)

# Columns of the rules.
SHORTEST, LONGEST, STEP, RESERVED, REPEATS, CHECK, MORE = range(7)

# What more there is to check in a value.
NOTHING, TEXT, ADDRESS, ERROR, LOOK = range(5)
_CHECKS: dict[Any, int] = {
    values.unpack_text: TEXT,
    values.unpack_padded_text: TEXT,
    values.unpack_address: ADDRESS,
    values.unpack_xor_address: ADDRESS,
    values.unpack_error: ERROR,
    values.unpack_family_error: LOOK,
    values.unpack_family: LOOK,
    values.unpack_algorithm: LOOK,
    values.unpack_algorithms: LOOK,
}
RARE = frozenset(
    {
        "ADDITIONAL-ADDRESS-FAMILY",
        "ADDRESS-ERROR-CODE",
        "ALTERNATE-SERVER",
        "CONNECTION-ID",
        "EVEN-PORT",
        "GOOG-LAST-ICE-CHECK-RECEIVED",
        "ICMP",
        "MOBILITY-TICKET",
        "REQUESTED-ADDRESS-FAMILY",
        "RESERVATION-TOKEN",
    }
)
"""Attributes, most of them of TURN, that are too rare for columns: a message that has one is marked."""


@record
class Rules:
    """Rules by attribute and variant."""

    index: npt.NDArray[np.int16]
    """[variant, type] -> row of `rows`; -1 for types that the registry does not have."""
    rows: npt.NDArray[np.int64]


@functools.cache
def rules() -> Rules:
    """The rules of all attributes in all variants."""
    index = np.full((len(CONTEXTS), 0x10000), -1, np.int16)
    rows: list[tuple[int, ...]] = []
    for variant, contexts in enumerate(CONTEXTS):
        for kind in {attribute.type for attribute in registry.ATTRIBUTES}:
            attribute = registry.find_attribute(kind, *contexts)
            if attribute is None:
                continue
            index[variant, kind] = len(rows)
            check = _CHECKS.get(attribute.decoder, NOTHING)
            more = attribute.name in RARE
            rows.append((*_span(attribute.lengths), attribute.reserved, attribute.repeats, check, more))
    return Rules(index, np.array(rows, np.int64))


def _span(lengths: Container[int]) -> tuple[int, int, int]:
    """Lengths as an arithmetic sequence: shortest, longest, step."""
    if isinstance(lengths, range):
        return lengths[0], lengths[-1], lengths.step
    assert isinstance(lengths, tuple)
    assert len(lengths) <= 2, "an attribute with more than two single lengths needs a range"
    return lengths[0], lengths[-1], max(1, lengths[-1] - lengths[0])
