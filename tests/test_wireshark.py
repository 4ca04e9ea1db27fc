"""The messages frame against Wireshark's list of the same captures.

`../shared/captures/wireshark` holds what Wireshark makes of each capture.  Every row of it is found in our frame with
the same values, or is named below with the reason and who is right; and we have no message that it lacks, but for
those named.
"""

from __future__ import annotations

import csv
import ipaddress
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import stunpcap
from tests.places import SHARED, name_of, needs_shared, shared_captures
from tests.wireshark_view import AFTER_INTEGRITY, MS_REALM, NOMINATION, OURS_ONLY, OVERRUN, PADDED_USERNAME

pytestmark = needs_shared

Row = dict[str, str]

NOT_MESSAGES = {
    "icmp-quote": "an ICMP error quotes the message, nobody sent it then: we tie it to its transaction, and are right",
    "channeldata": "ChannelData is no STUN message: it carries one, or media (RFC 8656 section 12.4)",
}

MULTIPLEXED = {("TracePcap__teams.pcap", "1424"), ("TracePcap__teams.pcap", "1427")}
"""Behind Microsoft's framing 0xFF10: from the client to the relay of its peer, whose two addresses these are."""

HEADER = ("class", "method", "transaction_id", "src", "dst", "transport")
"""Columns that do not depend on attributes."""

MS_TURN = {
    ("request", "refresh"): ("request", "send"),
    ("error", "x005"): ("indication", "data"),
    ("indication", "olddata"): ("indication", "data"),
    ("request", "oldsend"): ("request", "send"),
}
"""Microsoft's TURN has types of its own (MS-TURN 2.2.1): Wireshark names some after RFC 8656, wrongly.

It pads attributes, too, which MS-TURN 2.2.2 does not: all but the header of its view is of other bytes.  Our reading
ends exactly at the end of each message, with known attributes only.
"""

DIFFERENT = {
    ("arkime__stun.pcap", "realm"): MS_REALM,
    ("nDPI__stun_signal.pcapng", "use_candidate"): NOMINATION,
    ("nDPI__stun.pcap", "username"): PADDED_USERNAME,
    ("srtp_decoder__WebRTC_PCMA_Turn_SDES_Call_1.pcap", "software"): AFTER_INTEGRITY,
    ("srtp_decoder__WebRTC_PCMA_p2p_SDES_Call_1.pcap", "software"): AFTER_INTEGRITY,
    ("srtp_decoder__wifi-tcp_to_3g.pcap", "software"): AFTER_INTEGRITY,
    ("zeek-spicy-stun__stun-attribute-length-ffff.pcap", "mapped"): OVERRUN,
}
"""(file, column) -> why values differ, and who is right."""


def wireshark(path: Path) -> Iterator[Row]:
    with (SHARED / "wireshark" / f"{path.name}.tsv").open(newline="") as lines:
        yield from csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)


def endpoint(text: str) -> str | None:
    """Wireshark's `IP PORT` as our frames have it; of several the first."""
    if not text.strip():
        return None
    address, port = text.split(";")[0].split()
    ip = ipaddress.ip_address(address)
    return f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}"


def method(name: str) -> str:
    known = {
        "CreatePermission": "create-permission",
        "ChannelBind": "channel-bind",
        "SharedSecret": "shared-secret",
        "GooglePing": "goog-ping",
    }
    return known.get(name, name.lower())


def expected(row: Row) -> dict[str, Any]:
    """The columns of one row that both have."""
    tie = row["controlling"] or row["controlled"]
    return {
        "class": row["class"],
        "method": method(row["method"]),
        "transaction_id": row["txid"],
        "src": endpoint(f"{row['src']} {row['sport']}"),
        "dst": endpoint(f"{row['dst']} {row['dport']}"),
        "transport": row["transport"],
        "username": row["username"] or None,
        "priority": int(row["priority"]) if row["priority"] else None,
        "use_candidate": bool(row["use_candidate"]),
        "mapped": endpoint(row["xor_mapped"]) or endpoint(row["mapped"]),
        "relayed": endpoint(row["xor_relayed"]),
        "peer": endpoint(row["xor_peer"]),
        "error_code": int(row["error_code"]) if row["error_code"] else None,
        "lifetime_s": int(row["lifetime"]) if row["lifetime"] else None,
        "channel": int(row["channel_number"], 0) if row["channel_number"] else None,
        "realm": row["realm"] or None,
        "software": row["software"] or None,
        "role": "controlling" if row["controlling"] else "controlled" if row["controlled"] else None,
        "tie_breaker": int(tie.replace(":", ""), 16) if tie else None,
        "fingerprint": {"1": "valid", "0": "invalid"}.get(row["crc32_status"], "absent"),
    }


@pytest.mark.parametrize("path", shared_captures(), ids=name_of)
def test_messages_agree(path: Path) -> None:
    ours: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for record in stunpcap.read(path).table("messages").records():
        ours[record["frame"]].append(record)
    matched = 0
    problems = []
    explained = set()
    rows = list(wireshark(path))
    carriers = {(row["frame"], row["carrier"]) for row in rows if row["context"] == "nested"}
    for row in rows:
        kind = "channeldata" if row["class"] == "channeldata" else row["context"]
        if kind in NOT_MESSAGES:
            continue
        if not ours[int(row["frame"])]:
            problems.append(f"frame {row['frame']}: we lack {row['class']} {row['method']}")
            continue
        record = ours[int(row["frame"])].pop(0)
        matched += 1
        values = expected(row)
        if (row["frame"], row["msg_in_frame"]) in carriers:  # its view mixes in the attributes of the message inside
            values = {column: values[column] for column in (*HEADER, "peer")}
        if row["context"] == "nested":  # Wireshark leaves it between client and server: our two ends are relay and peer
            ends = {values.pop("src"), values.pop("dst")}
            values.pop("transport")
            assert record["carrier"] != "plain"
            if row["peer"]:
                assert endpoint(row["peer"]) in (record["src"], record["dst"])
            if (path.name, row["frame"]) not in MULTIPLEXED:
                assert not ends & {record["src"], record["dst"]}
        elif record["carrier"] != "plain":
            problems.append(f"frame {row['frame']}: ours is inside TURN, theirs is not")
        if record["method"] in ("allocate", "send", "data") and path.name == "TracePcap__teams.pcap":
            values["class"], values["method"] = MS_TURN.get(
                (values["class"], values["method"]), (values["class"], values["method"])
            )
            values = {column: values[column] for column in HEADER}
        for column, value in values.items():
            if record[column] != value and (path.name, column) in DIFFERENT:
                explained.add((path.name, column))
            elif record[column] != value:
                problems.append(f"frame {row['frame']} {column}: ours {record[column]!r}, theirs {value!r}")
        ours_ns, theirs_ns = record["time"].split(".")[1].rstrip("Z"), row["time_epoch"].split(".")[1]
        if ours_ns != theirs_ns.ljust(9, "0"):
            problems.append(f"frame {row['frame']} time: ours {ours_ns}, theirs {theirs_ns}")
    assert not problems, "\n".join(problems[:40])
    assert explained == {entry for entry in DIFFERENT if entry[0] == path.name}, (
        "a difference that is gone leaves the list"
    )
    extra = sum(map(len, ours.values()))
    assert extra == OURS_ONLY.get(path.name, (0, ""))[0]
    assert matched or not [
        row for row in wireshark(path) if row["context"] == "direct" and row["class"] != "channeldata"
    ]
