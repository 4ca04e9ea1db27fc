"""What became of packets in each direction, concluded from the evidence.

The rules are in docs/evidence.md; `RULES` has their words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stunpcap.evidence import SAYS
from stunpcap.ice.columns import Ints, maximum_in, minimum_in
from stunpcap.ice.ways import HIGH, KIND_CODE, LOW, NEVER
from stunpcap.schema import PATH
from stunpcap.table import MISSING, NAT

RULES = (
    "Medium or strong evidence that the agent at `dst`, or anybody who answers, got the packets: `delivered`; "
    "`rewritten` where medium or strong evidence says that they came from another source. Only where it is medium and "
    "there is strong evidence of loss does the next rule but one hold.",
    "Else, medium or strong evidence that packets were refused: `rejected`, whether or not they reached the host.",
    "Else, medium or strong evidence that they reached the host at `dst` (`received-here`, `crossed`, "
    "`crossed-rewritten`): `delivered` or `rewritten`, again unless strong evidence of loss stands against medium "
    "evidence.",
    "Else, medium or strong evidence of loss, or of answers that were not heard: `lost`. Of the latter, not more than "
    "medium counts: a NAT that rewrites answers on their way makes them useless just as well.",
    "Else `unknown`. Weak evidence is shown and decides nothing. Silence is no evidence.",
)
"""In this order."""

CONFIDENCE_RULES = (
    "It is the strength of the strongest evidence that agrees with the path.",
    "Medium or strong evidence against it lowers it: by one step if that is weaker, to `low` if it is as strong or "
    "stronger. Against `delivered` and `rewritten` stand evidence of loss, of answers not heard, and of refusal; "
    "against `lost`, evidence of arrival; against `rejected`, answers.",
    "Where everything against arrival began after its last proof, both are true, one after the other: then it is "
    "lowered by one step at most. `last_delivered_time` and `path_lost_time` say when.",
)

HOST_ONLY = [KIND_CODE[name] for name in ("received-here", "crossed", "crossed-rewritten")]
"""Kinds that prove arrival at the host, but not that its firewall let the packets through to the agent."""

DELIVERED, LOST, REJECTED, REWRITTEN, UNKNOWN = range(len(PATH))
NO, WEAK, FIRM, STRONG = range(4)
"""Weights: low, medium and high evidence, and none."""


@dataclass(slots=True, eq=False, repr=False)
class Verdicts:
    """The conclusion on each way."""

    path: Any
    confidence: Any
    """Code of CONFIDENCE; missing where the path is unknown."""
    delivered_time: Ints
    """Last proof of arrival; missing if there is none."""
    lost_time: Ints
    """First evidence of loss after that."""


def conclude(evidence: dict[str, Ints], total: int) -> Verdicts:
    """Weigh the evidence of each way.

    Parameters
    ----------
    evidence
        Its columns; see `stunpcap.ice.ways.Clues`.
    total
        How many ways there are.
    """
    way, weight = evidence["way"].astype(np.int64), STRONG - evidence["strength"].astype(np.int64)

    at_host = np.isin(evidence["evidence"], HOST_ONLY)

    def best(says: str, among: Any = True) -> Ints:
        picked = (evidence["says"] == SAYS.index(says)) & among
        return maximum_in(way[picked], total, weight[picked], NO)

    rewritten, rejected = best("rewritten"), best("rejected")
    heard = np.maximum(best("delivered", ~at_host), best("rewritten", ~at_host))
    arrived = np.maximum(heard, np.maximum(best("delivered"), rewritten))
    lost = np.maximum(best("lost"), np.minimum(best("unheard"), FIRM))

    def stands(proof: Ints) -> Any:
        return (proof >= FIRM) & ~((proof == FIRM) & (lost == STRONG))

    refused = (rejected >= FIRM) & ~stands(heard)
    came = stands(arrived) & ~refused
    path = np.full(total, UNKNOWN, np.int8)
    path[lost >= FIRM] = LOST
    path[refused] = REJECTED
    path[came] = np.where(rewritten >= FIRM, REWRITTEN, DELIVERED)[came]

    proof = np.isin(evidence["says"], [SAYS.index("delivered"), SAYS.index("rewritten")]) & (weight >= FIRM)
    denial = np.isin(evidence["says"], [SAYS.index(one) for one in ("lost", "unheard", "rejected")]) & (weight >= FIRM)
    delivered_time = maximum_in(way[proof], total, evidence["last_time"][proof].astype(np.int64), NAT)
    begun = minimum_in(way[denial], total, evidence["first_time"][denial].astype(np.int64), NEVER)
    after = denial & (evidence["first_time"] > delivered_time[way])
    lost_time = minimum_in(way[after], total, evidence["first_time"][after].astype(np.int64), NEVER)

    own = np.select([path == UNKNOWN, path == LOST, refused], [NO, lost, rejected], arrived)
    against = np.select([came, refused, path == LOST], [np.maximum(lost, rejected), heard, arrived], NO)
    steps = np.select([against < FIRM, against < own], [0, 1], STRONG)
    in_turn = came & (begun > delivered_time)
    steps = np.where(in_turn, np.minimum(steps, 1), steps)
    sure = np.maximum(own - steps, WEAK)
    confidence = np.where(path == UNKNOWN, MISSING, np.clip(STRONG - sure, HIGH, LOW)).astype(np.int8)
    return Verdicts(path, confidence, delivered_time, np.where(lost_time < NEVER, lost_time, NAT))
