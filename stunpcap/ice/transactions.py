"""Requests and what became of them.

A transaction is a request with its retransmissions (same id, sender and receiver; RFC 8489 section 6.2.1) and what
came back.  A response belongs to it if it has its id and mirrors its addresses; only where nothing does, a response
with the id from or to another address is tied to it, as `other-address`.  The outcome says what was captured, no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stunpcap.ice.columns import Ints, count_in, first_of, group, last_of, minimum_in, pick, translate
from stunpcap.ice.rejections import attach_icmp
from stunpcap.ice.timers import SECOND, TRANSACTION_TIMEOUT, deadlines, round_trips
from stunpcap.schema import OUTCOME, TRANSACTION_KIND, TRANSPORT
from stunpcap.sorting import distinct, first_rows, in_order, ordered_by, rank
from stunpcap.table import MISSING, NAT, Pools, Table, in_halves
from stunpcap.vantage import NO_STUN, Quote, Vantage

REQUEST, INDICATION, SUCCESS, ERROR = range(4)
OUT = {name: code for code, name in enumerate(OUTCOME)}
KIND = {name: code for code, name in enumerate(TRANSACTION_KIND)}

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


@dataclass(slots=True, eq=False, repr=False)
class Correlated:
    """Transactions, and which messages they consist of."""

    table: Table
    request_rows: Ints
    """Row of each transaction's first request in the messages; -1 for orphans."""
    response_rows: Ints
    """Row of its first response; -1 if none."""
    of_message: Ints
    """For each message its transaction, duplicates included; -1 for indications."""
    deadline: Ints
    """When, at the latest, its agent would have sent again or given up."""


def correlate(vantages: list[Vantage], messages: Table, transmit_counter: Ints, pools: Pools) -> Correlated:
    """Pair the requests and responses of all captures."""
    ends = {pools.texts.number(vantage.name): vantage.last_time for vantage in vantages}
    quotes = [(pools.texts.number(vantage.name), quote) for vantage in vantages for quote in vantage.quotes]
    quotes = [(number, quote) for number, quote in quotes if quote.message_type != NO_STUN]
    ids = _number_ids(messages, quotes)
    cls, time = messages["class"], messages["time"]
    in_time = in_order(time)  # captures are not always in order of time
    in_time = in_time[~messages["duplicate"][in_time]]
    requests = in_time[cls[in_time] == REQUEST]
    responses = in_time[cls[in_time] >= SUCCESS]

    # Every message by the addresses of its request: those of a response are the other way round.
    is_response = cls >= SUCCESS
    asker = np.where(is_response, messages["dst"], messages["src"])
    asked = np.where(is_response, messages["src"], messages["dst"])
    keys, _ = group(ids[: len(messages)], messages["method"], asker, asked, messages["transport"])

    of_message = np.full(len(messages), -1, np.int64)
    count = _number_transactions(requests, keys, time, of_message)
    _attach_mirrored(requests, responses, keys, time, of_message)
    # A clock that was set back: then the order in the file tells what came first.
    _attach_mirrored(requests, responses[of_message[responses] < 0], keys, np.arange(len(messages)), of_message)
    wanted = np.concatenate([ids[responses[of_message[responses] < 0]], ids[len(messages) :]])
    by_id = _by_id(requests, of_message, ids, wanted)
    elsewhere = _attach_elsewhere(messages, responses, ids, by_id, of_message)
    orphans = responses[of_message[responses] < 0]
    total = count + _number_transactions(orphans, keys, time, of_message, count)
    _attach_duplicates(messages, keys, of_message)
    _in_order_of_time(messages, np.concatenate([requests, orphans]), total, of_message)

    request_rows = pick(requests, first_of(of_message[requests], total))
    answers = np.concatenate([responses[~elsewhere], responses[elsewhere]])  # mirrored ones come first
    response_rows = pick(answers, first_of(of_message[answers], total))
    mirrored = np.zeros(total, np.bool_)
    mirrored[of_message[responses[~elsewhere]]] = True

    has_request, has_response = request_rows >= 0, response_rows >= 0
    lead = np.where(has_request, request_rows, response_rows)
    transmissions = count_in(of_message[requests], total)
    first_time = time[lead]
    last_time = time[np.where(has_request, pick(requests, last_of(of_message[requests], total)), lead)]
    response_time = pick(time, response_rows, NAT)
    asks = of_message[requests]
    rtt = round_trips(asks, requests, response_rows, mirrored & has_request, time, transmit_counter, total)
    tcp = messages["transport"][lead] == TRANSPORT.index("tcp")
    deadline = deadlines(asks, time[requests], first_time, last_time, transmissions, tcp)
    icmp_text, icmp_frame, fatal = attach_icmp(
        quotes, ids[len(messages) :], by_id, messages, requests, of_message, pools, total
    )

    answer_class = pick(cls, response_rows)
    outcome = np.full(total, OUT["unanswered"], np.int8)
    outcome[deadline > translate(messages["vantage"][lead], ends)] = OUT["unfinished"]
    outcome[fatal] = OUT["icmp"]
    outcome[has_request & has_response & ~mirrored] = OUT["other-address"]
    outcome[has_request & mirrored & (answer_class == ERROR)] = OUT["error"]
    outcome[has_request & mirrored & (answer_class == SUCCESS)] = OUT["success"]
    outcome[~has_request] = OUT["orphan"]

    def of_request(column: str, absent: Any = MISSING) -> Any:
        return pick(messages[column], request_rows, absent)

    def of_response(column: str) -> Any:
        return pick(messages[column], response_rows)

    table = Table(
        "transactions",
        total,
        pools,
        {
            "kind": _kinds(messages, lead, asker, asked, has_request, answer_class == SUCCESS, response_time, pools),
            "vantage": messages["vantage"][lead],
            "transaction_id": messages["transaction_id"].take(lead, axis=0),
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
            "error_code": of_response("error_code"),
            "response_src": of_response("src"),
            "response_dst": of_response("dst"),
            "mapped": of_response("mapped"),
            "icmp": icmp_text,
            "request_frame": of_request("frame"),
            "response_frame": of_response("frame"),
            "icmp_frame": icmp_frame,
            "nominating": of_request("use_candidate", False),
            "role": of_request("role"),
            "username": of_request("username"),
            "responses": count_in(of_message[responses], total),
            "unheard": has_request & mirrored & (last_time > response_time + SECOND),
        },
    )
    return Correlated(table, request_rows, response_rows, of_message, deadline)


def _number_ids(messages: Table, quotes: list[tuple[int, Quote]]) -> Ints:
    """One number for each vantage and transaction id; those of the quoted messages come behind the messages'."""
    words = np.concatenate(
        [messages["transaction_id"], np.array([quote.id for _, quote in quotes], np.uint32).reshape(-1, 4)]
    )
    vantage = np.concatenate([messages["vantage"], np.array([number for number, _ in quotes], np.int32)])
    upper, lower = in_halves(words)
    numbers, count = rank(lower)
    first = first_rows(numbers, count)
    if bool((upper == upper[first][numbers]).all()) and bool((vantage == vantage[first][numbers]).all()):
        return numbers  # as nearly always: half of an id is enough to tell it from the others
    return group(vantage, upper, lower)[0]


def _number_transactions(rows: Ints, keys: Ints, time: Ints, of_message: Ints, start: int = 0) -> int:
    """Give each of `rows`, which are in order of time, the number of its transaction, from `start` on.

    The same key again after the transaction must have timed out is another one: some agents use one id for ever.
    Returns how many there are.
    """
    if not len(rows):
        return 0
    order = rows[in_order(keys[rows])]
    at = time[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = keys[order][1:] != keys[order][:-1]
    while True:  # once, unless ids are used again; then once for each timeout that the longest use goes on
        first = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
        late = at - at[first] > TRANSACTION_TIMEOUT
        late[1:] &= ~late[:-1] | new[:-1]
        if not late.any():
            break
        new |= late
    of_message[order] = start + np.cumsum(new) - 1
    return int(np.count_nonzero(new))


def _attach_mirrored(requests: Ints, responses: Ints, keys: Ints, when: Ints, of_message: Ints) -> None:
    """Tie responses to the latest transaction before them whose addresses they mirror."""
    if not len(responses):
        return
    both = np.concatenate([requests, responses])
    is_request = np.arange(len(both)) < len(requests)
    order = ordered_by(keys[both], when[both], ~is_request)
    rows, asks = both[order], is_request[order]
    latest = np.maximum.accumulate(np.where(asks, np.arange(len(order)), -1))
    before = rows[np.maximum(latest, 0)]
    fits = ~asks & (latest >= 0) & (keys[before] == keys[rows])
    of_message[rows[fits]] = of_message[before[fits]]


def _by_id(requests: Ints, of_message: Ints, ids: Ints, wanted: Ints) -> dict[int, list[int]]:
    """First request row of each transaction that has one of the wanted ids, by number of the id."""
    table: dict[int, list[int]] = {}
    if len(requests) and len(wanted):
        first = requests[first_of(of_message[requests], int(of_message[requests].max()) + 1)]
        first = first[np.isin(ids[first], wanted)]
        for row, number in zip(first.tolist(), ids[first].tolist(), strict=True):
            table.setdefault(number, []).append(row)
    return table


def _attach_elsewhere(
    messages: Table, responses: Ints, ids: Ints, by_id: dict[int, list[int]], of_message: Ints
) -> Any:
    """Tie responses that mirror no request to one with their id; returns a mask over `responses`.

    Of several requests that one counts with which an endpoint agrees, then the latest.  A classic id may be a constant:
    there an endpoint has to agree.
    """
    elsewhere = np.zeros(len(responses), np.bool_)
    src, dst, time = messages["src"], messages["dst"], messages["time"]
    for position in np.flatnonzero(of_message[responses] < 0):
        row = int(responses[position])
        best, best_score = -1, (0, 0)
        for request in by_id.get(int(ids[row]), ()):
            later = time[request] > time[row] and request > row
            if later or messages["method"][request] != messages["method"][row]:
                continue
            agreeing = int(dst[row] == src[request]) + int(src[row] == dst[request])
            score = 1 + agreeing, int(time[request])
            if score > best_score and (agreeing or not messages["classic"][row]):
                best, best_score = request, score
        if best >= 0:
            of_message[row] = of_message[best]
            elsewhere[position] = True
    return elsewhere


def _in_order_of_time(messages: Table, begins: Ints, total: int, of_message: Ints) -> None:
    """Number the transactions anew: by capture, time and frame of their first requests.

    `begins` are requests, then orphaned responses, which come before requests of the same moment.
    """
    lead = begins[first_of(of_message[begins], total)]
    frame = np.where(messages["class"][lead] == REQUEST, messages["frame"][lead], MISSING)
    order = ordered_by(messages["vantage"][lead], messages["time"][lead], frame)
    position = np.empty(total + 1, np.int64)
    position[order] = np.arange(total)
    position[-1] = -1  # for messages of no transaction
    of_message[:] = position[of_message]


def _attach_duplicates(messages: Table, keys: Ints, of_message: Ints) -> None:
    """Tie packets that were captured again to the transaction of the first copy, which is the latest before them."""
    duplicate = messages["duplicate"]
    if not duplicate.any():
        return
    order = np.lexsort((messages["time"], messages["class"], keys))
    original = np.maximum.accumulate(np.where(duplicate[order], 0, np.arange(len(order))))
    of_message[order] = of_message[order[original]]


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

    username = messages["username"][lead]
    used, _ = distinct(username[username >= 0])
    named = used[np.array([":" in pools.texts.values[number] for number in used.tolist()], np.bool_)]
    has_ufrags = np.isin(username, named) & (messages["realm"][lead] < 0)
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
