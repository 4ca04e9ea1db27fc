"""rtcstats dumps, file format 3: a line `RTCStatsDump`, a line of metadata, then one JSON array an event.

    [method, connection or null, value, …, milliseconds since the event before]

Methods, and names and values in statistics, may be numbers of fixed tables; statistics are told as what changed since
those before, and descriptions leave out sections that are as they were.
"""

from __future__ import annotations

import json
from typing import Any

from stunpcap.signalling.harvest import harvest, take_candidate, take_configuration, take_statistic
from stunpcap.signalling.model import LOCAL, REMOTE, Gathering
from stunpcap.signalling.secrets import scrub
from stunpcap.signalling.times import keep_time
from stunpcap.table import NAT

FORMAT = "rtcstats"
_MAGIC = b"RTCStatsDump"

METHODS: dict[str | int, str] = {
    "g": "getStats", 1: "getStats", 2: "createOffer", 3: "createOfferOnSuccess", 4: "createAnswer",
    5: "createAnswerOnSuccess", 6: "setLocalDescription", 7: "setLocalDescriptionOnSuccess", 8: "setRemoteDescription",
    9: "setRemoteDescriptionOnSuccess", 10: "addIceCandidate", 11: "addIceCandidateOnSuccess",
    12: "createOfferOnFailure", 13: "createAnswerOnFailure", 14: "setLocalDescriptionOnFailure",
    15: "setRemoteDescriptionOnFailure", 16: "addIceCandidateOnFailure", 20: "onicecandidate",
    21: "onicecandidateerror", 23: "onsignalingstatechange", 24: "oniceconnectionstatechange",
    25: "onconnectionstatechange", 26: "onicegatheringstatechange", 36: "close", 37: "restartIce",
    38: "setConfiguration", 39: "create",
}  # fmt: skip
"""Numbers of the methods that matter here."""
PROPERTIES: dict[str | int, str] = {
    "t": "timestamp", 5: "transportId", 14: "packetsReceived", 34: "lastPacketReceivedTimestamp", 41: "bytesReceived",
    76: "totalRoundTripTime", 79: "packetsSent", 80: "bytesSent", 116: "protocol", 118: "state", 121: "iceRole",
    122: "iceLocalUsernameFragment", 123: "dtlsState", 124: "iceState", 125: "selectedCandidatePairId",
    128: "tlsVersion", 129: "dtlsCipher", 130: "dtlsRole", 131: "srtpCipher", 132: "selectedCandidatePairChanges",
    134: "address", 135: "port", 136: "candidateType", 137: "priority", 138: "url", 139: "relayProtocol",
    140: "foundation", 141: "relatedAddress", 142: "relatedPort", 143: "usernameFragment", 144: "tcpType",
    145: "networkType", 148: "localCandidateId", 149: "remoteCandidateId", 150: "nominated",
    151: "lastPacketSentTimestamp", 152: "currentRoundTripTime", 153: "availableOutgoingBitrate",
    155: "requestsReceived", 156: "requestsSent", 157: "responsesReceived", 158: "responsesSent",
    159: "consentRequestsSent", 160: "packetsDiscardedOnSend", 161: "bytesDiscardedOnSend",
}  # fmt: skip
"""The same of properties of pairs, candidates and transports."""
TYPES = {5: "transport", 6: "candidate-pair", 7: "local-candidate", 8: "remote-candidate", 11: "certificate"}
_SIDE = {
    "setLocalDescription": LOCAL,
    "onicecandidate": LOCAL,
    "setRemoteDescription": REMOTE,
    "addIceCandidate": REMOTE,
    "addIceCandidateOnFailure": REMOTE,
}
MOST_CONNECTIONS = 10_000


def recognise(head: bytes) -> bool:
    """The first line."""
    return head.startswith((_MAGIC + b"\n", _MAGIC + b"\r\n"))


def read(text: str, here: Gathering) -> None:
    """All events, line by line; those that cannot be read are left out."""
    dump = _Dump(here)
    start, number, place = 0, 0, 0
    plain = text.isascii()
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end + 1
        line, number = text[start:end], number + 1
        here.line, here.offset = number, place
        place += len(line) if plain else len(line.encode("utf-8", "replace"))
        start = end
        if number == 2:
            dump.head(line)
        elif number > 2 and line.strip():
            dump.event(line)


class _Dump:
    """What has to be kept from one line to the next."""

    def __init__(self, here: Gathering) -> None:
        self._here = here
        self._clock = 0.0
        self._before: dict[str, dict[str, dict[str, Any]]] = {}
        self._described: dict[tuple[str, str], str] = {}

    def head(self, line: str) -> None:
        """The line of metadata."""
        value = _parsed(line)
        version = value.get("fileFormat") if isinstance(value, dict) else None
        if version != 3:
            self._here.flaw(f"file format {scrub(str(version))} of rtcstats; 3 is known")

    def event(self, line: str) -> None:
        """One event."""
        here, event = self._here, _parsed(line)
        if not isinstance(event, list) or len(event) < 4 or not isinstance(event[-1], int | float):
            here.flaw("a line that is no event of rtcstats")
            return
        self._clock += event[-1]
        here.time = NAT
        if 0 < self._clock < 4e12:
            keep_time(here, round(self._clock * 1000) * 1000, "utc")
        key = event[0]
        method = METHODS.get(key, key) if isinstance(key, str | int) else ""
        if method != "getStats" and isinstance(key, str) and key.isdigit():
            method = METHODS.get(int(key), key)
        here.agent = "" if event[1] is None else str(event[1])[:80]
        here.side, here.how = _SIDE.get(str(method), ""), str(method)[:80]
        if method == "getStats":
            self._statistics(event[2])
        elif event[1] is not None:
            self._other(str(method)[:80], event[2])

    def _other(self, method: str, value: Any) -> None:
        here = self._here
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if method in ("setLocalDescription", "setRemoteDescription", "createOfferOnSuccess", "createAnswerOnSuccess"):
            value = self._whole(value)
            here.event(method, value.get("type", "") if isinstance(value, dict) else "")
            if method.startswith("set"):
                harvest(value, here)
        elif isinstance(value, dict) and isinstance(value.get("candidate"), str):
            take_candidate(value, here)
            here.event(method.removeprefix("on"), scrub(value["candidate"]))
        elif method in ("create", "setConfiguration") and isinstance(value, dict):
            servers = value.get("iceServers", [])
            take_configuration(value, servers if isinstance(servers, list) else [], here)
        else:
            told = value if isinstance(value, str) else "" if value is None else json.dumps(value)
            here.event(method.removeprefix("on"), scrub(told))

    def _whole(self, value: Any) -> Any:
        """A description with the sections that were left out since they had not changed."""
        if not (isinstance(value, dict) and isinstance(value.get("sdp"), str)):
            return value
        key = self._here.agent, str(value.get("type"))
        before = _sections(self._described.get(key, ""))
        parts = []
        for number, part in enumerate(_sections(value["sdp"])):
            left_out = part == ("v=" if number == 0 else "m=")
            parts.append(before[number] if left_out and number < len(before) else part)
        text = "\r\n".join(parts) + "\r\n"
        self._described[key] = text
        return {**value, "sdp": text}

    def _statistics(self, delta: Any) -> None:
        if not isinstance(delta, dict):
            return
        here = self._here
        if len(self._before) > MOST_CONNECTIONS:
            self._before.clear()
        known = self._before.setdefault(here.agent, {})
        common = delta.get("t", delta.get("timestamp"))
        for name, change in delta.items():
            if change is None:
                known.pop(name, None)
            elif isinstance(change, dict):
                report = known.setdefault(name, {"id": name})
                for key, one in change.items():
                    plain = PROPERTIES.get(int(key) if key.isdigit() else key) or key
                    report[plain] = TYPES.get(one, one) if plain == "type" and isinstance(one, int) else one
        for name, report in known.items():
            if not isinstance(delta.get(name), dict) or not {"t", "timestamp"} & set(delta[name]):
                report["timestamp"] = common
            if report.get("type") in TYPES.values() and report.get("type") != "certificate":
                take_statistic(report, here)


def _sections(text: str) -> list[str]:
    parts = text.split("\nm=")
    return [(f"m={part}" if number else part).strip() for number, part in enumerate(parts)]


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
