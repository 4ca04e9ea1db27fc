"""Dumps of chrome://webrtc-internals, in the layouts of all versions since 2014.

Values of the log are texts of the form `type: offer, sdp: …` and `sdpMid: …, candidate: …`, or JSON since 2024;
statistics are series of at most 1,000 samples, keyed `ID-property`, whose times stand in `ID-timestamp` (since M117) or
only in `startTime` and `endTime`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from stunpcap.signalling import sdp
from stunpcap.signalling.candidate import candidates_in
from stunpcap.signalling.documents import load
from stunpcap.signalling.harvest import KINDS, harvest, take_candidate, take_configuration, take_statistic
from stunpcap.signalling.model import LOCAL, REMOTE, Configuration, Gathering, Server
from stunpcap.signalling.secrets import scrub, servers_in
from stunpcap.signalling.times import keep_time, time_of
from stunpcap.table import NAT

FORMAT = "webrtc-internals"
_BEGINS = re.compile(rb"(\xef\xbb\xbf)?\s*\{")
_SIDE = {
    "setlocaldescription": LOCAL,
    "createofferonsuccess": LOCAL,
    "createansweronsuccess": LOCAL,
    "icecandidate": LOCAL,
    "onicecandidate": LOCAL,
    "setremotedescription": REMOTE,
    "addicecandidate": REMOTE,
    "addicecandidatefailed": REMOTE,
}
_CREATED = ("createofferonsuccess", "createansweronsuccess")
_SDP = re.compile(r"type: (\w+), sdp: ")
_FIELD = re.compile(
    r"(?:^|[,\n])\s*(sdpMid|url|relayProtocol|error_text|error_code|errorText|errorCode|mid): ([^,\n]*)"
)
_POLICY = re.compile(r"iceTransportPolicy: (\w+)|iceTransportsType: (\w+)")
_BUNDLE = re.compile(r"bundlePolicy: ([\w-]+)")
_STAT = re.compile(r"(?P<id>.+?)-(?P<property>\[?[A-Za-z]\w*\]?)\Z")
LONGEST = 400
"""Characters of a key."""
_OLD_IDS = (("RTCIceCandidatePair", "candidate-pair"), ("RTCTransport", "transport"))
_DATE = re.compile(r"(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4}),? (\d{1,2}):(\d\d):(\d\d)(?: ?([AaPp])\.?[Mm])?")


def recognise(head: bytes) -> bool:
    """An object with `PeerConnections` or, before it, `getUserMedia`, and nothing but."""
    return bool(_BEGINS.match(head)) and (
        re.search(rb"\"PeerConnections\"\s*:\s*\{", head) is not None
        or re.match(rb"(\xef\xbb\xbf)?\s*\{\s*\"getUserMedia\"\s*:\s*\[", head) is not None
    )


def read(text: str, here: Gathering) -> None:
    """All connections of the dump."""
    document = load(text, here)
    connections = document.get("PeerConnections") if isinstance(document, dict) else None
    if not isinstance(connections, dict):
        here.flaw("a dump of webrtc-internals without PeerConnections")
        return
    here.line = here.offset = -1
    for name, connection in connections.items():
        if isinstance(connection, dict):
            here.agent, here.side, here.how, here.time = name, "", "", NAT
            _configuration(connection.get("rtcConfiguration"), here)
            _log(connection.get("updateLog"), here)
            _statistics(connection.get("stats"), here)


def _configuration(value: object, here: Gathering) -> None:
    """Text such as `{ iceServers: [stun:…], iceTransportPolicy: all, … }`, JSON in text, or an object."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            text = str(value)
            policy, bundle = _POLICY.search(text), _BUNDLE.search(text)
            here.configurations.append(
                Configuration(
                    tuple(Server((url,)) for url in servers_in(text)),
                    (policy[1] or policy[2]).lower().removeprefix("k") if policy else "",
                    bundle[1] if bundle else "",
                    here.agent,
                    here.time,
                    here.here(),
                )
            )
            return
    if isinstance(value, dict):
        servers = value.get("iceServers", [])
        take_configuration(value, servers if isinstance(servers, list) else [], here)


def _log(value: object, here: Gathering) -> None:
    for entry in value if isinstance(value, list) else ():
        if not isinstance(entry, dict):
            continue
        here.time = NAT
        time = time_of(entry.get("timestamp"))
        if time == NAT:
            time, kind = _written(entry.get("time"))
        else:
            kind = "utc"
        keep_time(here, time, kind)
        what, told = entry.get("type"), entry.get("value")
        if isinstance(what, str):
            _event(what, told if isinstance(told, str) else json.dumps(told) if told is not None else "", here)
    here.time = NAT


def _event(what: str, text: str, here: Gathering) -> None:
    kind = what.lower().replace("_", "")
    here.side, here.how = _SIDE.get(kind, ""), what
    value: Any = None
    if text.lstrip().startswith(("{", '"', "[")):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
    name = what if kind in _SIDE else kind.removeprefix("on") if kind.endswith(("change", "error")) else what
    if kind in _CREATED:  # what was made is set, and told of, later
        here.event(name)
    elif match := _SDP.match(text):
        here.event(name, match[1])
        sdp.describe(text[match.end() :], match[1], here)
    elif isinstance(value, dict) and isinstance(value.get("candidate"), str):
        take_candidate(value, here)
        here.event(name, scrub(value["candidate"]))
    elif isinstance(value, dict) and ("sdp" in value or "iceServers" in value):
        harvest(value, here)
        here.event(name, scrub(str(value.get("type", ""))))
    elif "candidate: " in text and kind in _SIDE:
        fields = {match[1]: match[2].strip() for match in _FIELD.finditer(text)}
        line = text.partition("candidate: ")[2].split(", url:")[0].split(", relayProtocol:")[0]
        found = candidates_in(line, here, mid=fields.get("sdpMid", fields.get("mid", "")), url=fields.get("url", ""))
        here.candidates += found
        here.event(name, scrub(line))
    else:
        plain = value if isinstance(value, str) else text
        state = re.sub(r"(?i)^k?ICEConnectionState|^k?ICEGatheringState|^SignalingState", "", plain)
        here.event(name, scrub(state if state == plain else state.lower()))
    here.side = here.how = ""


def _statistics(value: object, here: Gathering) -> None:
    """Series of samples put together: of each object the last value of each property."""
    if not isinstance(value, dict):
        return
    objects: dict[str, dict[str, Any]] = {}
    for key, series in value.items():
        match = _STAT.match(key) if len(key) < LONGEST else None
        if not match or not isinstance(series, dict):
            continue
        name, kind = match["id"], _kind(match["id"], series)
        if kind not in KINDS:
            continue
        last = _last(series.get("values"))
        if last is None:
            continue
        object_ = objects.setdefault(name, {"id": name, "type": kind})
        if match["property"] == "isRemote" and kind == "local-candidate":
            object_["type"] = "remote-candidate" if last is True else object_["type"]
        object_[match["property"]] = last
        object_.setdefault("endTime", series.get("endTime"))
    for object_ in objects.values():
        ended = object_.pop("endTime", None)
        time = time_of(object_.get("timestamp"))
        here.time = NAT
        keep_time(here, time if time != NAT else time_of(ended), "utc")
        take_statistic(object_, here)
    here.time = NAT


def _kind(name: str, series: dict[str, Any]) -> str:
    """What a series is of: as it says since M86, before that by its id."""
    told = series.get("statsType")
    if isinstance(told, str):
        return told
    known = next((kind for begins, kind in _OLD_IDS if name.startswith(begins)), "")
    return known or ("local-candidate" if name.startswith("RTCIceCandidate_") else "")


def _last(values: object) -> Any:
    """The last of a series, which is a list or the JSON of one."""
    if isinstance(values, str):
        try:
            values = json.loads(values)
        except (ValueError, RecursionError):
            return None
    return values[-1] if isinstance(values, list) and values else None


def _written(text: object) -> tuple[int, str]:
    """A time as `toLocaleString` wrote it: `10/12/2023, 3:15:01 PM`, or with the year first; no zone, seconds only."""
    if not isinstance(text, str):
        return NAT, "none"
    time = time_of(text)
    if time != NAT:
        return time, "utc" if text.rstrip().endswith("Z") else "no time zone"
    match = _DATE.search(text)
    if not match:
        return NAT, "none"
    first, second, third, hours = (int(match[number]) for number in (1, 2, 3, 4))
    year, month, day = (first, second, third) if first > 31 else (third, first, second)
    if month > 12:
        month, day = day, month
    if match[7]:
        hours = hours % 12 + (12 if match[7].lower() == "p" else 0)
    return time_of(f"{year:04}-{month:02}-{day:02} {hours:02}:{match[5]}:{match[6]}"), "no time zone"
