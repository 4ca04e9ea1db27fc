"""Directed candidate pairs: what the checks from one address to another came to.

A row a vantage, pair and direction.  `state` is about the checks, `path` about packets.  An answer proves that a check
arrived; that the answer arrived in turn is another matter, and where checks in that direction die, it did not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stunpcap.ice.across import compare
from stunpcap.ice.columns import Ints, count_in, find, first_of, group, last_of, maximum_in, minimum_in, pick, translate
from stunpcap.ice.directions import conclude
from stunpcap.ice.evidence import find_checks, gather
from stunpcap.ice.place import Place
from stunpcap.ice.sessions import Agents
from stunpcap.ice.timers import SECOND, TRANSMISSIONS
from stunpcap.ice.transactions import KIND, OUT, Correlated
from stunpcap.ice.ways import KIND_CODE, NEVER, Clues, find_ways
from stunpcap.schema import CANDIDATE_TYPE, PAIR_STATE, PATH, PLACE
from stunpcap.table import MISSING, NAT, Pools, Table
from stunpcap.vantage import Vantage

GAVE_UP = 10 * SECOND
"""After so long in vain a pair counts as failed, though its agent may go on: libwebrtc does for 15 s, others for 39."""

STATE = {name: code for code, name in enumerate(PAIR_STATE)}
WAY = {name: code for code, name in enumerate(PATH)}


@dataclass(slots=True, eq=False, repr=False)
class Directed:
    """The pairs, and what else is known of each row."""

    table: Table
    of_transaction: Ints
    """Row of each transaction that is a check; -1 for others."""
    reverse: Ints
    """Row of the other direction at the same vantage; -1 if no check went there."""
    side: Any
    """Which agent sent: 0 for A, 1 for B."""
    nominated_time: Ints
    """Answer to the pair's first nomination that counted, at the same vantage; NEVER if there was none."""
    evidence: Table
    """What `path` was concluded from."""
    at_src: Any
    """Whether the capture was taken at the sender: nobody knows better what its checks came to."""


def build_pairs(
    correlated: Correlated,
    agents: Agents,
    messages: Table,
    vantages: list[Vantage],
    places: dict[int, Place],
    pools: Pools,
) -> Directed:
    """Group the checks of sessions by direction, and judge each direction.

    Marks those checks as consent that went over a pair after it had been nominated.
    """
    table = correlated.table
    rows = np.flatnonzero(agents.of_transaction >= 0)
    session = agents.of_transaction[rows]
    src, dst, vantage = table["src"][rows], table["dst"][rows], table["vantage"][rows]
    by_time = np.argsort(table["first_time"][rows], kind="stable")

    pair, n_pairs = group(session, np.minimum(src, dst), np.maximum(src, dst), table["transport"][rows])
    pair = _in_order_of_time(pair, n_pairs, by_time)
    row_of, count = group(pair, vantage, src)
    first = rows[first_of(row_of, count, by_time)]

    outcome = table["outcome"][rows]
    orphan = outcome == OUT["orphan"]
    failed_orphan = orphan & (table["error_code"][rows] >= 0)
    answered = (outcome == OUT["success"]) | (orphan & ~failed_orphan)
    unheard = table["unheard"][rows]
    nominating = table["nominating"][rows] & (outcome == OUT["success"]) & ~unheard
    answer_time = table["response_time"][rows]

    row_session, row_pair = agents.of_transaction[first], pair[first_of(row_of, count)]
    row_vantage = table["vantage"][first]
    side = agents.sender[first]
    reverse = find((row_pair, row_vantage, table["dst"][first]), (row_pair, row_vantage, table["src"][first]))

    counts = {
        "requests_sent": count_in(row_of, count, ~orphan),
        "transmissions": np.bincount(row_of, table["transmissions"][rows], count).astype(np.int64),
        "responses_received": count_in(row_of, count, answered),
        "errors_received": count_in(row_of, count, (outcome == OUT["error"]) | failed_orphan),
        "icmp_received": count_in(row_of, count, table["icmp"][rows] >= 0),
        "unanswered": count_in(row_of, count, outcome == OUT["unanswered"]),
        "other_address": count_in(row_of, count, outcome == OUT["other-address"]),
        "unfinished": count_in(row_of, count, outcome == OUT["unfinished"]),
    }
    first_time = minimum_in(row_of, count, table["first_time"][rows], NEVER)
    last_time = maximum_in(row_of, count, table["last_time"][rows], NAT)
    heard = count_in(row_of, count, answered & ~unheard)
    told = rows[(answered | (outcome == OUT["other-address"])) & (table["mapped"][rows] >= 0)]
    mapped = pick(table["mapped"][told], last_of(row_of[np.searchsorted(rows, told)], count))

    row_src, row_dst, row_transport = (table[name][first] for name in ("src", "dst", "transport"))
    ways = find_ways(row_session, row_pair, row_vantage, row_src, row_dst, row_transport, reverse)
    clues = Clues(ways)
    checks = find_checks(table, rows, row_of)
    gather(clues, checks, correlated, messages, vantages, places, pools)
    alone = conclude(clues.columns(), len(ways))
    of_transaction = np.full(len(table), -1, np.int64)
    of_transaction[rows] = row_of
    compare(clues, of_transaction, correlated, messages, vantages, places, pools)
    together = conclude(clues.columns(), len(ways)) if len(vantages) > 1 else alone
    path = together.path[:count]

    ends = {pools.texts.number(vantage.name): vantage.last_time for vantage in vantages}
    in_vain = _in_vain(clues.columns(), alone.path, len(ways))[ways.back[:count]]
    in_vain |= np.isin(together.path, [WAY["lost"], WAY["rejected"]])[ways.back[:count]]
    state = _states(counts, heard, in_vain, reverse, first_time, last_time, translate(row_vantage, ends))

    counted = nominating & (state[row_of] == STATE["succeeded"])
    # Clocks of two captures may differ: each tells its own consent checks from the rest.
    here, n_here = group(pair, vantage)
    nominated_time = minimum_in(here[counted], n_here, answer_time[counted], NEVER)[here]
    is_consent = (table["kind"][rows] == KIND["check"]) & (table["first_time"][rows] > nominated_time)
    table["kind"][rows[is_consent]] = KIND["consent"]

    claims = by_time[table["role"][rows[by_time]] >= 0]
    rtt_min, rtt_median = _round_trips(row_of, count, table["rtt_s"][rows])
    ufrags = np.where(side == 0, agents.ufrag_a[row_session], agents.ufrag_b[row_session])
    frame_table = Table(
        "pairs",
        count,
        pools,
        {
            "session_id": row_session + 1,
            "pair_id": row_pair + 1,
            "vantage": row_vantage,
            "src": row_src,
            "dst": row_dst,
            "src_type": np.full(count, CANDIDATE_TYPE.index("unknown")),
            "dst_type": np.full(count, CANDIDATE_TYPE.index("unknown")),
            "transport": row_transport,
            "carrier": table["carrier"][first],
            **counts,
            "rtt_min_s": rtt_min,
            "rtt_median_s": rtt_median,
            "state": state,
            "nominated": (count_in(pair, n_pairs, counted) > 0)[row_pair],
            "path": path,
            "path_confidence": together.confidence[:count],
            "last_delivered_time": together.delivered_time[:count],
            "path_lost_time": together.lost_time[:count],
            "first_time": first_time,
            "last_time": last_time,
            "first_frame": np.where(
                table["request_frame"][first] >= 0, table["request_frame"][first], table["response_frame"][first]
            ),
            "consent_requests_sent": count_in(row_of, count, is_consent & ~orphan),
            "mapped": mapped,
            "ufrag": np.where(side >= 0, ufrags, MISSING),
            "role": pick(table["role"][rows[claims]], last_of(row_of[claims], count)),
            "last_answer_time": maximum_in(row_of[answered], count, answer_time[answered], NAT),
        },
    )
    first_here = first_of(row_of, count)
    return Directed(
        frame_table,
        of_transaction,
        reverse,
        side,
        nominated_time[first_here],
        clues.table(pools),
        _at_src(frame_table, places, pools),
    )


def _at_src(pairs: Table, places: dict[int, Place], pools: Pools) -> Any:
    """Rows of pairs whose capture was taken at `src`, and not on a link that both ends share."""
    address_of = pools.endpoints.addresses
    src, dst = address_of[pairs["src"]], address_of[pairs["dst"]]
    here = np.zeros(len(pairs), np.bool_)
    for number, place in places.items():
        if place.place == PLACE.index("endpoint"):
            local = list(place.local)
            here |= (pairs["vantage"] == number) & np.isin(src, local) & ~np.isin(dst, local)
    return here


def _in_order_of_time(groups: Ints, count: int, by_time: Ints) -> Ints:
    """Number groups anew, in order of their first row by time."""
    position = np.empty(count, np.int64)
    seen = groups[by_time]
    firsts = np.unique(seen, return_index=True)[1]
    position[seen[np.sort(firsts)]] = np.arange(count)
    return position[groups]


def _in_vain(evidence: dict[str, Ints], path: Any, total: int) -> Any:
    """Ways on which answers are sent in vain: something says so, even weakly, and nothing that they arrive."""
    denied = count_in(evidence["way"][evidence["evidence"] == KIND_CODE["one-sided"]], total) > 0
    return denied & (path != WAY["delivered"]) & (path != WAY["rewritten"])


def _states(
    counts: dict[str, Ints],
    heard: Ints,
    in_vain: Any,
    reverse: Ints,
    first_time: Ints,
    last_time: Ints,
    end: Ints,
) -> Any:
    """succeeded, failed or in-progress.

    A direction has failed once its agent stopped without success, or has gone on in vain for `GAVE_UP`.  An answer that
    had to go where packets are lost or rejected is none, nor is one after which the check was repeated.  Where answers
    that `src` gave were captured but none of the requests, packets to `src` were not captured at all.  Then only its
    pace tells: an agent that repeats its checks, or goes on several times a second, hears no answer.
    """
    succeeded = (heard > 0) & ~in_vain
    concluded = sum(counts[name] for name in ("unanswered", "errors_received", "icmp_received", "other_address"))
    concluded = concluded + np.where(succeeded, 0, counts["responses_received"])
    gap = (last_time - first_time) // np.maximum(counts["transmissions"] - 1, 1)
    calm = (counts["transmissions"] == counts["requests_sent"]) & (gap >= SECOND)
    blind = calm & (pick(counts["requests_sent"], reverse) == 0)
    stopped = end > last_time + np.maximum(2 * gap, SECOND)
    # Whoever has sent each check as often as RFC 8489 allows has nothing more to send.
    exhausted = (counts["requests_sent"] > 0) & (counts["transmissions"] >= TRANSMISSIONS * counts["requests_sent"])
    state = np.full(len(heard), STATE["in-progress"], np.int8)
    state[(((concluded > 0) & stopped) | exhausted | (end - first_time >= GAVE_UP)) & ~blind] = STATE["failed"]
    state[succeeded] = STATE["succeeded"]
    return state


def _round_trips(row_of: Ints, count: int, rtt: Any) -> tuple[Any, Any]:
    """Shortest and median round trip of each row, in seconds."""
    known = ~np.isnan(rtt)
    groups, values = row_of[known], rtt[known]
    order = np.lexsort((values, groups))
    groups, values = groups[order], values[order]
    size = count_in(groups, count)
    start = np.cumsum(size) - size
    shortest, median = np.full(count, np.nan), np.full(count, np.nan)
    has = size > 0
    shortest[has] = values[start[has]]
    median[has] = (values[start[has] + (size[has] - 1) // 2] + values[start[has] + size[has] // 2]) / 2
    return shortest, median
