"""Requests and what became of them.

A transaction is a request with its retransmissions (same id, sender and receiver; RFC 8489 section 6.2.1) and what
came back.  A response belongs to it if it has its id and mirrors its addresses; only where nothing does, a response
with the id from or to another address is tied to it, as `other-address`.  The outcome says what was captured, no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, count_in, first_of, group, last_of, minimum_in
from stunpcap.schema import CARRIER, OUTCOME, TRANSACTION_KIND, TRANSPORT
from stunpcap.stun.registry import split_type
from stunpcap.table import MISSING, NAT, Pools, Table
from stunpcap.vantage import Quote, Vantage
from stunpcap.wire.icmp import NOT_FATAL, icmp_name

REQUEST, INDICATION, SUCCESS, ERROR = range(4)
OUT = {name: code for code, name in enumerate(OUTCOME)}
KIND = {name: code for code, name in enumerate(TRANSACTION_KIND)}

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
TRANSACTION_TIMEOUT = 39_500 * MILLISECOND
"""When a transaction fails with the recommended timers: RTO 500 ms, Rc 7, Rm 16 (RFC 8489 section 6.2.1)."""
RTO = 500 * MILLISECOND
"""First retransmission timeout, where a transaction shows none of its own (RFC 8445 section 14.3)."""
TRANSMISSIONS = 7

_METHOD_KINDS = {
    "allocate": "allocate",
    "refresh": "refresh",
    "create-permission": "permission",
    "channel-bind": "channel-bind",
    "connect": "connect",
    "connection-bind": "connection-bind",
    "connection-attempt": "connection-attempt",
    "shared-secret": "shared-secret",
    "goog-ping": "check",
}


@dataclass(slots=True)
class Correlated:
    """Transactions, and which messages they consist of."""

    table: Table
    request_rows: Ints
    """Row of each transaction's first request in the messages; -1 for orphans."""
    response_rows: Ints
    """Row of its first response; -1 if none."""
    of_message: Ints
    """For each message its transaction; -1 for indications and duplicates."""
    deadline: Ints
    """When, at the latest, its agent would have sent again or given up."""


def mark_duplicates(messages: Table, ip_id: Ints) -> None:
    """Mark packets that were captured twice (interface "any", mirror ports).

    The same message between the same addresses is the same packet if its IP identification is the same within a
    second, or, where that is zero, if it follows within 5 ms: agents wait longer before they retransmit.
    """
    transaction = messages["transaction_id"]
    keys = [messages[name] for name in ("vantage", "src", "dst", "class", "method", "carrier", "transport")]
    groups, _ = group(*keys, *(transaction[:, word] for word in range(4)))
    order = np.lexsort((messages["time"], groups))
    same = np.zeros(len(order), np.bool_)
    same[1:] = groups[order][1:] == groups[order][:-1]
    gap = np.diff(messages["time"][order], prepend=0)
    ident = ip_id[order]
    again = np.zeros(len(order), np.bool_)
    again[1:] = ident[1:] == ident[:-1]
    duplicate = np.zeros(len(order), np.bool_)
    duplicate[order] = same & again & (gap <= np.where(ident > 0, SECOND, 5 * MILLISECOND))
    messages["duplicate"] = duplicate


def correlate(vantages: list[Vantage], messages: Table, transmit_counter: Ints, pools: Pools) -> Correlated:
    """Pair the requests and responses of all captures."""
    ends = {pools.texts.number(vantage.name): vantage.last_time for vantage in vantages}
    quotes = [(pools.texts.number(vantage.name), quote) for vantage in vantages for quote in vantage.quotes]
    ids = _number_ids(messages, quotes)
    cls, time = messages["class"], messages["time"]
    counts = ~messages["duplicate"]
    requests = np.flatnonzero(counts & (cls == REQUEST))
    responses = np.flatnonzero(counts & (cls >= SUCCESS))
    relayed = (messages["carrier"] != CARRIER.index("plain")).astype(np.int64)

    # Every message by the addresses of its request: those of a response are the other way round.
    is_response = cls >= SUCCESS
    asker = np.where(is_response, messages["dst"], messages["src"])
    asked = np.where(is_response, messages["src"], messages["dst"])
    keys, _ = group(ids[: len(messages)], messages["method"], asker, asked, messages["transport"], relayed)

    of_message = np.full(len(messages), -1, np.int64)
    count = _number_transactions(requests, keys, time, of_message)
    _attach_mirrored(requests, responses, keys, time, of_message)
    wanted = np.concatenate([ids[responses[of_message[responses] < 0]], ids[len(messages) :]])
    by_id = _by_id(requests, of_message, ids, wanted)
    elsewhere = _attach_elsewhere(messages, responses, ids, by_id, of_message)
    orphans = responses[of_message[responses] < 0]
    orphan_groups, orphan_count = group(keys[orphans])
    of_message[orphans] = count + orphan_groups
    total = count + orphan_count

    first_request = first_of(of_message[requests], total)
    request_rows = np.where(first_request >= 0, requests[first_request] if len(requests) else -1, -1)
    answers = np.concatenate([responses[~elsewhere], responses[elsewhere]])  # mirrored ones come first
    first_answer = first_of(of_message[answers], total)
    response_rows = np.where(first_answer >= 0, answers[first_answer] if len(answers) else -1, -1)
    mirrored = np.zeros(total, np.bool_)
    mirrored[of_message[responses[~elsewhere]]] = True

    lead = np.where(request_rows >= 0, request_rows, response_rows)
    has_request, has_response = request_rows >= 0, response_rows >= 0
    transmissions = count_in(of_message[requests], total)
    last_request = last_of(of_message[requests], total)
    last_time = np.where(has_request, time[requests[last_request]] if len(requests) else NAT, time[lead])
    first_time = time[lead]
    response_time = np.where(has_response, time[response_rows], NAT)
    rtt = _round_trips(
        of_message, requests, request_rows, response_rows, mirrored & has_request, time, transmit_counter, total
    )
    deadline = _deadlines(of_message, requests, first_time, transmissions, messages["transport"][lead], time, total)
    icmp_text, icmp_frame, fatal = _attach_icmp(
        quotes, ids[len(messages) :], by_id, messages, requests, of_message, pools, total
    )

    ends_at = np.array([ends[int(vantage)] for vantage in messages["vantage"][lead]], np.int64)
    answer_class = np.where(has_response, cls[response_rows], -1)
    outcome = np.full(total, OUT["unanswered"], np.int8)
    outcome[deadline > ends_at] = OUT["unfinished"]
    outcome[fatal] = OUT["icmp"]
    outcome[has_request & has_response & ~mirrored] = OUT["other-address"]
    outcome[has_request & mirrored & (answer_class == ERROR)] = OUT["error"]
    outcome[has_request & mirrored & (answer_class == SUCCESS)] = OUT["success"]
    outcome[~has_request] = OUT["orphan"]

    def of_response(column: str, absent: int) -> Any:
        return np.where(has_response, messages[column][response_rows], absent)

    table = Table(
        "transactions",
        total,
        pools,
        {
            "kind": _kinds(messages, lead, asker, asked, has_request, answer_class == SUCCESS, response_time, pools),
            "vantage": messages["vantage"][lead],
            "transaction_id": messages["transaction_id"][lead],
            "src": asker[lead],
            "dst": asked[lead],
            "transport": messages["transport"][lead],
            "carrier": messages["carrier"][lead],
            "method": messages["method"][lead],
            "transmissions": transmissions,
            "first_time": first_time,
            "last_time": last_time,
            "response_time": response_time,
            "rtt_s": rtt,
            "outcome": outcome,
            "error_code": of_response("error_code", MISSING),
            "response_src": of_response("src", MISSING),
            "response_dst": of_response("dst", MISSING),
            "mapped": of_response("mapped", MISSING),
            "icmp": icmp_text,
            "request_frame": np.where(has_request, messages["frame"][request_rows], MISSING),
            "response_frame": of_response("frame", MISSING),
            "icmp_frame": icmp_frame,
            "nominating": has_request & messages["use_candidate"][request_rows],
            "role": np.where(has_request, messages["role"][request_rows], MISSING),
            "username": np.where(has_request, messages["username"][request_rows], MISSING),
            "responses": count_in(of_message[responses], total),
            "unheard": has_request & mirrored & (last_time > response_time + SECOND),
        },
    )
    order = np.lexsort((table["request_frame"], first_time, table["vantage"]))
    position = np.empty(total, np.int64)
    position[order] = np.arange(total)
    of_message[of_message >= 0] = position[of_message[of_message >= 0]]
    return Correlated(table.take(order), request_rows[order], response_rows[order], of_message, deadline[order])


def _number_ids(messages: Table, quotes: list[tuple[int, Quote]]) -> Ints:
    """One number for each vantage and transaction id; those of the quoted messages come behind the messages'."""
    words = np.concatenate(
        [messages["transaction_id"], np.array([quote.id for _, quote in quotes], np.uint32).reshape(-1, 4)]
    ).astype(np.uint64)
    vantage = np.concatenate([messages["vantage"], np.array([number for number, _ in quotes], np.int32)])
    shift = np.uint64(32)
    return group(vantage, words[:, 0] << shift | words[:, 1], words[:, 2] << shift | words[:, 3])[0]


def _number_transactions(requests: Ints, keys: Ints, time: Ints, of_message: Ints) -> int:
    """Give each request the number of its transaction; returns how many there are.

    The same key again after the transaction must have timed out is another one: some agents use one id for ever.
    """
    if not len(requests):
        return 0
    order = requests[np.lexsort((time[requests], keys[requests]))]
    new = np.ones(len(order), np.bool_)
    same = keys[order][1:] == keys[order][:-1]
    new[1:] = ~same | (np.diff(time[order]) > TRANSACTION_TIMEOUT)
    of_message[order] = np.cumsum(new) - 1
    return int(np.count_nonzero(new))


def _attach_mirrored(requests: Ints, responses: Ints, keys: Ints, time: Ints, of_message: Ints) -> None:
    """Tie responses to the latest transaction before them whose addresses they mirror."""
    both = np.concatenate([requests, responses])
    is_request = np.arange(len(both)) < len(requests)
    order = np.lexsort((~is_request, time[both], keys[both]))
    rows, asks = both[order], is_request[order]
    latest = np.maximum.accumulate(np.where(asks, np.arange(len(order)), -1))
    before = rows[np.maximum(latest, 0)]
    fits = ~asks & (latest >= 0) & (keys[before] == keys[rows])
    of_message[rows[fits]] = of_message[before[fits]]


def _by_id(requests: Ints, of_message: Ints, ids: Ints, wanted: Ints) -> dict[int, list[int]]:
    """First request row of each transaction that has one of the wanted ids, by number of the id."""
    table: dict[int, list[int]] = {}
    if len(requests) and len(wanted):
        first = requests[first_of(of_message[requests], int(of_message.max()) + 1)]
        first = first[np.isin(ids[first], wanted)]
        for row, number in zip(first.tolist(), ids[first].tolist(), strict=True):
            table.setdefault(number, []).append(row)
    return table


def _attach_elsewhere(
    messages: Table, responses: Ints, ids: Ints, by_id: dict[int, list[int]], of_message: Ints
) -> Any:
    """Tie responses that mirror no request to one with their id; returns a mask over `responses`.

    A classic id may be a constant: there an endpoint has to agree, too.
    """
    elsewhere = np.zeros(len(responses), np.bool_)
    src, dst, time = messages["src"], messages["dst"], messages["time"]
    for position in np.flatnonzero(of_message[responses] < 0):
        row = int(responses[position])
        best, best_score = -1, 0
        for request in by_id.get(int(ids[row]), ()):
            if time[request] > time[row] or messages["method"][request] != messages["method"][row]:
                continue
            score = 1 + 2 * int(dst[row] == src[request]) + 2 * int(src[row] == dst[request])
            if score > best_score and (score > 1 or not messages["classic"][row]):
                best, best_score = request, score
        if best >= 0:
            of_message[row] = of_message[best]
            elsewhere[position] = True
    return elsewhere


def _round_trips(
    of_message: Ints,
    requests: Ints,
    request_rows: Ints,
    response_rows: Ints,
    answered: Any,
    time: Ints,
    transmit_counter: Ints,
    total: int,
) -> Any:
    """Seconds from the request to its response, where it is clear which transmission was answered.

    That is so if it had been sent once (Karn's algorithm), or if the response says which (RFC 7982).
    """
    rtt = np.full(total, np.nan)
    until = np.where(answered, time[response_rows], NAT)
    before = count_in(of_message[requests], total, time[requests] <= until[of_message[requests]])
    clear = answered & (before == 1)
    rtt[clear] = (time[response_rows[clear]] - time[request_rows[clear]]) / SECOND
    counted = answered & (before > 1) & (transmit_counter[response_rows] > 0)
    for number in np.flatnonzero(counted):
        sent = np.sort(time[requests[of_message[requests] == number]])
        which = int(transmit_counter[response_rows[number]]) >> 8
        if 1 <= which <= len(sent):
            rtt[number] = (time[response_rows[number]] - sent[which - 1]) / SECOND
    return rtt


def _deadlines(
    of_message: Ints, requests: Ints, first_time: Ints, transmissions: Ints, transport: Any, time: Ints, total: int
) -> Ints:
    """When an agent that was not answered would at the latest have sent again, or have given up.

    With timeout RTO the k-th transmission is followed by the next RTO * (2^k - 1) after the first one.
    """
    ordered = requests[np.lexsort((time[requests], of_message[requests]))] if len(requests) else requests
    numbers = of_message[ordered]
    start = first_of(numbers, total)
    second = np.clip(start + 1, 0, max(0, len(ordered) - 1))
    rto = np.full(total, RTO, np.int64)
    several = transmissions > 1
    if several.any():
        gap = time[ordered[second]] - first_time
        rto[several] = np.clip(gap[several], 10 * MILLISECOND, 10 * SECOND)
    waits = rto * (2 ** np.minimum(transmissions, TRANSMISSIONS) - 1)
    last_wait = TRANSACTION_TIMEOUT // RTO * rto
    tcp = transport == TRANSPORT.index("tcp")  # reliable: sent once, given up after the whole time
    return first_time + np.where(tcp, TRANSACTION_TIMEOUT, np.where(transmissions >= TRANSMISSIONS, last_wait, waits))


def _attach_icmp(
    quotes: list[tuple[int, Quote]],
    ids: Ints,
    by_id: dict[int, list[int]],
    messages: Table,
    requests: Ints,
    of_message: Ints,
    pools: Pools,
    total: int,
) -> tuple[Ints, Ints, Any]:
    """Tie ICMP errors to the requests they quote: the words, the frame, and whether the packet is certainly lost."""
    text = np.full(total, MISSING, np.int64)
    frame = np.full(total, MISSING, np.int64)
    fatal = np.zeros(total, np.bool_)
    short = _ShortQuotes(messages, requests) if any(quote.message_type < 0 for _, quote in quotes) else None
    for (vantage, quote), number in zip(quotes, ids.tolist(), strict=True):
        if quote.message_type < 0:
            row = short.find(vantage, quote) if short else -1
        elif split_type(quote.message_type)[0] == "request":
            # A NAT translates the quote back, but not every NAT does: the id decides, addresses only choose.
            rows = [row for row in by_id.get(number, ()) if messages["time"][row] <= quote.time_ns]
            rows.sort(key=lambda row: (messages["dst"][row] != quote.dst, messages["src"][row] != quote.src))
            row = rows[0] if rows else -1
        else:
            continue
        if row < 0:
            continue
        transaction = int(of_message[row])
        if text[transaction] == MISSING:
            sender = pools.endpoints.address(quote.sender)
            words = f"{icmp_name(quote.version, quote.type, quote.code)} from {sender}"
            text[transaction] = pools.texts.number(words)
            frame[transaction] = quote.frame
        fatal[transaction] |= (quote.version, quote.type) not in NOT_FATAL
    return text, frame, fatal


class _ShortQuotes:
    """Finds the request that a quote means which holds no transaction id: the last one on its addresses."""

    def __init__(self, messages: Table, requests: Ints) -> None:
        self._time = messages["time"]
        self._rows: dict[tuple[int, int, int], list[int]] = {}
        columns = (requests, *(messages[name][requests] for name in ("vantage", "src", "dst")))
        for row, *key in zip(*(column.tolist() for column in columns), strict=True):
            self._rows.setdefault(tuple(key), []).append(row)

    def find(self, vantage: int, quote: Quote) -> int:
        rows = self._rows.get((vantage, quote.src, quote.dst), [])
        return next((row for row in reversed(rows) if self._time[row] <= quote.time_ns), -1)


def _kinds(
    messages: Table,
    lead: Ints,
    asker: Ints,
    asked: Ints,
    has_request: Any,
    succeeded: Any,
    response_time: Ints,
    pools: Pools,
) -> Any:
    """What each request was for; consent, and responses to unseen checks, are told apart later, by their pairs.

    A Binding request is a check if it has what RFC 8445 section 7.1 demands of one; some agents leave out USERNAME.
    Others go to servers: to gather, and after the first answer to keep the mapping alive.
    """
    kind = np.full(len(lead), KIND["other"], np.int8)
    method = messages["method"][lead]
    for name, level in _METHOD_KINDS.items():
        kind[method == pools.texts.number(name)] = KIND[level]

    named = np.array([":" in text for text in pools.texts.values], np.bool_)
    username = messages["username"][lead]
    has_ufrags = (username >= 0) & (messages["realm"][lead] < 0)
    has_ufrags[has_ufrags] = named[username[has_ufrags]]
    binding = method == pools.texts.number("binding")
    check = binding & (has_ufrags | (messages["priority"][lead] >= 0) | (messages["role"][lead] >= 0))
    kind[check] = KIND["check"]

    to_server = binding & ~check & has_request
    path, paths = group(messages["vantage"][lead], asker[lead], asked[lead], messages["transport"][lead])
    answered = to_server & succeeded
    known_since = minimum_in(path[answered], paths, response_time[answered], np.iinfo(np.int64).max)
    kind[to_server] = KIND["gather"]
    kind[to_server & (messages["time"][lead] > known_since[path])] = KIND["keepalive"]
    return kind
